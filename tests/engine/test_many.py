"""A batch of simulations is its members, each as it is alone."""

import math
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import DOP853

import riemannian_modules as rm
from riemannian_modules.engine import held_table, read_trajectory, simulate
from riemannian_modules.errors import ConvergenceError, SignatureError
from tests.engine.flows import LinearStep, Pendulum, Robertson, Untraceable
from tests.strategies import rngs

DEFAULT = 1e-7  # as in test_simulate


class Predators(rm.Flow):
    state, parameters = rm.space("x y"), {"birth": 1.5, "death": 3.0}

    def equations(self, s, u, p):
        return {"x": p.birth * s.x - s.x * s.y, "y": -p.death * s.y + s.x * s.y}


class Spring(rm.StaticMap):
    inputs, outputs = rm.space(angle="rad"), rm.space(torque="N m")

    def map(self, u, p):
        return {"torque": -2.0 * np.sin(u.angle)}


def alone_each(module, times, starts, inputs=None, theta=None, **options):
    count = len(starts)
    thetas = [None] * count if theta is None else theta
    given = inputs if callable(inputs) else lambda i: inputs
    return np.array([
        simulate(module, times, starts[i], given(i), thetas[i], method=DOP853, rtol=1e-12,
                 atol=1e-14, **options).states for i in range(count)
    ])  # fmt: skip


@given(rngs, st.sampled_from([2, 3, 40]))
@settings(max_examples=10, deadline=None)
def test_each_member_is_as_accurate_as_alone(rng, count):
    starts = rng.uniform(0.1, 10.0, (12, 2))
    times = np.linspace(0.0, 6.0, count)
    run = simulate(Predators(), times, starts)
    exact = alone_each(Predators(), times, starts)
    peaks = np.abs(exact).max(1, keepdims=True)
    assert run.states.shape == (12, count, 2)
    assert run.batch == (12,)
    assert (np.abs(run.states - exact) <= 2e-7 * peaks).all()
    np.testing.assert_array_equal(run["y"], run.states[..., 1])
    np.testing.assert_array_equal(run.final_state, run.states[:, -1])
    one = run.run(3)
    np.testing.assert_array_equal(one.states, run.states[3])
    np.testing.assert_array_equal(one["x"], run["x"][3])


@given(rngs)
@settings(max_examples=5, deadline=None)
def test_parameters_and_inputs_are_scanned_beside_the_starts(rng):
    times = np.linspace(0.0, 3.0, 7)
    starts, theta = rng.standard_normal((6, 2)), rng.uniform(1.0, 5.0, (6, 3))
    torques = rng.standard_normal(6)
    run = simulate(Pendulum(), times, starts, {"torque": torques}, theta)
    exact = alone_each(Pendulum(), times, starts, lambda i: {"torque": torques[i]}, theta)
    np.testing.assert_allclose(run.states, exact, rtol=0, atol=DEFAULT)
    np.testing.assert_array_equal(run.inputs, np.broadcast_to(torques[:, None, None], (6, 7, 1)))
    np.testing.assert_array_equal(run.theta, theta)
    flat = simulate(Pendulum(), times, starts, torques[:, None], theta)
    np.testing.assert_array_equal(flat.states, run.states)


def test_axes_of_batches_broadcast():
    starts, theta = np.ones((5, 1, 2)), np.linspace(1.0, 2.0, 3)[:, None] * np.ones(3)
    starts[..., 0] += np.arange(5)[:, None]
    run = simulate(Pendulum(), [0.0, 1.0], starts, theta=theta)
    assert run.states.shape == (5, 3, 2, 2)
    assert run.theta.shape == (5, 3, 3)
    one = simulate(Pendulum(), [0.0, 1.0], starts[2, 0], theta=theta[1])
    np.testing.assert_allclose(run.run(2, 1).states, one.states, atol=DEFAULT)
    by_name = simulate(Pendulum(), [0.0, 1.0], {"q": np.arange(5.0), "v": 1.0})
    assert by_name.batch == (5,)


@pytest.mark.parametrize(
    "torque",
    [
        held_table([0.0, 0.7, 0.71], [0.0, 30.0, 0.0]),
        ([0.0, 1.0, 1.01, 1.02, 2.0], [0.0, 0.0, 20.0, 0.0, 1.0]),
        np.sin,
    ],
)
def test_inputs_over_time_move_all_members(torque):
    times, starts = np.linspace(0.0, 2.0, 9), np.random.default_rng(0).standard_normal((7, 2))
    run = simulate(Pendulum(), times, starts, {"torque": torque})
    alone = [simulate(Pendulum(), times, start, {"torque": torque}) for start in starts]
    np.testing.assert_allclose(run.states, [a.states for a in alone], rtol=0, atol=DEFAULT)
    np.testing.assert_array_equal(run.inputs[4], alone[4].inputs)


class Relaxation(rm.Flow):
    """Van der Pol's oscillator, stiff for some of the parameters."""

    state, parameters = rm.space("x v"), {"mu": 1.0}

    def equations(self, x, u, p):
        return {"x": x.v, "v": p.mu * (1.0 - x.x**2) * x.v - x.x}


def test_stiff_members_do_not_hold_up_the_rest():
    mu = np.r_[np.linspace(0.1, 2.0, 30), 1e3, 1e5, 1e7][:, None]
    times, start = [0.0, 10.0, 20.0], np.array([2.0, 0.0])
    run = simulate(Relaxation(), times, np.tile(start, (33, 1)), theta=mu)
    alone = [simulate(Relaxation(), times, start, theta=m) for m in mu]
    np.testing.assert_array_equal(run.states[30:], [a.states for a in alone[30:]])
    exact = alone_each(Relaxation(), times, np.tile(start, (30, 1)), theta=mu[:30])
    np.testing.assert_allclose(run.states[:30], exact, rtol=0, atol=DEFAULT)
    together = simulate(Relaxation(), times, np.tile(start, (30, 1)), theta=mu[:30])
    assert together.solver.solver.startswith("DOP853")
    assert run.solver.evaluations < 1.5 * together.solver.evaluations + sum(
        2 * a.solver.evaluations + 5000 for a in alone[30:]
    )
    assert "LSODA" in run.solver.solver


def test_amounts_of_any_size_stand_side_by_side():
    sizes = 10.0 ** np.arange(-20.0, 10.0, 3.0)

    class Uptake(rm.Flow):
        state, parameters = rm.space("s p"), {"V": 1.0, "K": 1.0}

        def equations(self, x, u, p):
            v = p.V * x.s / (p.K + x.s)
            return {"s": -v, "p": v}

    starts, theta = np.stack([5.0 * sizes, 0.0 * sizes], -1), np.stack([sizes, sizes], -1)
    run = simulate(Uptake(), [0.0, 1.0, 5.0, 20.0], starts, theta=theta)
    scaled = run.states / sizes[:, None, None]
    np.testing.assert_allclose(scaled, np.broadcast_to(scaled[7], scaled.shape), rtol=1e-7)
    one = simulate(Uptake(), [0.0, 1.0, 5.0, 20.0], [5.0, 0.0])
    np.testing.assert_allclose(scaled[7], one.states, rtol=1e-7)


def test_robertsons_problem_in_a_batch_is_it_alone():
    times = np.array([0.0, 0.4, 40.0, 4e4])
    run = simulate(Robertson(), times, np.tile([1.0, 0.0, 0.0], (5, 1)))
    one = simulate(Robertson(), times, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(run.states, np.broadcast_to(one.states, run.states.shape))


def test_discrete_static_untraceable_and_composite_modules_take_batches():
    rng, times = np.random.default_rng(1), np.arange(5.0)
    step = LinearStep(rng.standard_normal((2, 2)), rng.standard_normal((2, 1)))
    starts = rng.standard_normal((6, 2))
    run = simulate(step, times, starts, {"u": 1.0})
    np.testing.assert_array_equal(
        run.states[2], simulate(step, times, starts[2], {"u": 1.0}).states
    )
    gain = rm.Gain([[2.0]])
    static = simulate(gain, times, inputs=rng.standard_normal((6, 1)))
    assert static.outputs.shape == (6, 5, 1)
    np.testing.assert_array_equal(static.outputs, 2.0 * static.inputs)
    hand = simulate(Untraceable(), times, starts)
    np.testing.assert_allclose(
        hand.states, simulate(Pendulum(), times, starts).states, rtol=0, atol=DEFAULT
    )
    ring = rm.Wiring(a=Pendulum(), b=Pendulum(k=2.0), s=Spring(), t=Spring())
    for source, target in (("a.angle", "s.angle"), ("s.torque", "b.torque"),
                           ("b.angle", "t.angle"), ("t.torque", "a.torque")):  # fmt: skip
        ring.connect(source, target)
    graph = ring.build()
    many = simulate(graph, times, rng.standard_normal((6, 4)))
    one = simulate(graph, times, many.states[5, 0])
    np.testing.assert_allclose(many.states[5], one.states, rtol=0, atol=DEFAULT)
    np.testing.assert_allclose(many["b.angle"][5], one["b.angle"], rtol=0, atol=DEFAULT)


def test_a_large_module_takes_a_batch():
    class Chain(rm.Flow):
        state, parameters = rm.space(x=60), {"k": 1.0}

        def equations(self, x, u, p):
            return {"x": p.k * np.concatenate([-x.x[:1], x.x[:-1] - x.x[1:]])}

    rng, times = np.random.default_rng(0), [0.0, 1.0, 3.0]
    starts, k = rng.random((5, 60)), rng.uniform(0.5, 2.0, (5, 1))
    run = simulate(Chain(), times, starts, theta=k)
    for i in range(5):
        one = simulate(Chain(), times, starts[i], theta=k[i])
        np.testing.assert_allclose(run.states[i], one.states, rtol=0, atol=DEFAULT)
        np.testing.assert_allclose(run.outputs[i], one.outputs, rtol=0, atol=DEFAULT)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_gives_the_same(pool):
    starts = np.random.default_rng(0).standard_normal((50, 2))
    here = simulate(Pendulum(), [0.0, 1.0, 2.0], starts, {"torque": np.arange(50.0)})
    with pool(2) as executor:
        there = simulate(
            Pendulum(), [0.0, 1.0, 2.0], starts, {"torque": np.arange(50.0)}, executor=executor
        )
    np.testing.assert_allclose(there.states, here.states, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(there.inputs, here.inputs)
    assert there.solver.evaluations > 0


def test_a_batch_is_printed_and_pickled_and_one_of_it_is_drawn_and_written(tmp_path):
    run = simulate(Pendulum(), [0.0, 1.0, 2.0], np.ones((4, 2)))
    assert "4 runs of 3 times" in repr(run)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(run)).states, run.states)
    with pytest.raises(SignatureError, match=r"batch of shape \(4,\), got \(4,\)"):
        run.run(4)
    run.run(1).plot()
    run.run(1).to_csv(tmp_path / "run.csv")


class Named(rm.Flow):
    """States, inputs and parameters that are called as the columns of the file are."""

    state, inputs, outputs = rm.space("run time"), rm.space("u"), rm.space("run y")
    parameters = {"k": 1.0, "u": 2.0}

    def equations(self, x, u, p):
        return {"run": -p.k * x.run, "time": u.u - p.u * x.time}, {"run": p.k * x.run, "y": x.time}


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (2, 1, 2)])
def test_a_batch_survives_its_file(tmp_path, batch):
    rng = np.random.default_rng(0)
    ours = simulate(
        Named(), [0.0, 0.5, 2.0], rng.standard_normal((*batch, 2)), {"u": rng.random(batch)},
        1.0 + rng.random((*batch, 2)),
    )  # fmt: skip
    ours.to_csv(tmp_path / "runs.csv")
    again = read_trajectory(tmp_path / "runs.csv", Named(), None if batch else ours.theta)
    assert again.batch == batch
    for name in ("times", "states", "inputs", "outputs"):
        np.testing.assert_array_equal(getattr(again, name), getattr(ours, name))
    if math.prod(batch) > 1:
        np.testing.assert_array_equal(again.theta, ours.theta)
    text = (tmp_path / "runs.csv").read_text()
    assert len(text.splitlines()) == 1 + 3 * math.prod(batch)


TORN = [
    "0,0,1\n0,1,1\n1,0,1\n", "0,0,1\n1,0.5,1\n", "1,0,1\n0,0,1\n", "0.5,0,1\n", "9e9,0,1\n",
    "-1,0,1\n", "",
]  # fmt: skip


@pytest.mark.parametrize("rows", TORN)
def test_runs_of_other_times_are_refused(tmp_path, rows):
    (tmp_path / "runs.csv").write_text("run,time,x\n" + rows)
    with pytest.raises(SignatureError, match="one after the other"):
        read_trajectory(tmp_path / "runs.csv", rm.Equations({"dx": "-x"}, state="x"))


def test_the_runs_of_a_batch_are_drawn_a_hundred_at_most():
    few = simulate(Pendulum(), [0.0, 1.0, 2.0], np.ones((2, 3, 2))).plot()
    assert [len([e for e in ax.lines if len(e.get_xdata())]) for ax in few.axes] == [6, 6, 6, 6]
    assert [e.get_text() for e in few.axes[1].get_legend().get_texts()] == ["run 0, 0", "run 1, 2"]
    many = simulate(rm.Affine(np.ones((9, 9))), [0.0, 1.0], inputs=np.ones((2, 9))).plot()
    assert len(many.axes) == 1
    flow = rm.Equations({"dx": "-x"}, state="x")
    starts = np.linspace(1, 2, 250)[:, None]
    (ax,) = simulate(flow, [0.0, 1.0], starts).plot(logarithmic=["x"]).axes
    drawn = [e.get_ydata()[0] for e in ax.lines if len(e.get_xdata())]
    assert len(drawn) == 100
    assert (drawn[0], drawn[-1]) == (1.0, 2.0)
    assert "run 249 (100 drawn)" in [e.get_text() for e in ax.get_legend().get_texts()]


def test_a_member_that_runs_away_is_named():
    class Explosion(rm.Flow):
        state = rm.space("size")

        def equations(self, x, u, p):
            return {"size": x.size**2}

    with pytest.raises(ConvergenceError, match=r"run 3.*stopped at t = (1|0\.99999\d*) of 2"):
        simulate(Explosion(), [0.0, 2.0], [[0.1], [0.2], [0.3], [1.0], [0.4]])
