"""Simulation: closed forms, inputs of every kind, other solvers, files, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import BDF, DOP853, LSODA, RK45, Radau
from scipy.linalg import expm

import riemannian_modules as rm
from riemannian_modules.engine import held_table, linear_table, read_trajectory, simulate
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from riemannian_modules.modules.differential import Jacobian
from tests.engine.flows import (
    Integrator,
    LinearFlow,
    LinearStep,
    Pendulum,
    Robertson,
    Untraceable,
)
from tests.strategies import rngs

# Default local errors are 1e-9; over the short stable runs below a few hundred of them may add up.
DEFAULT = 1e-7


def random_linear(rng, n, m):
    A = rng.standard_normal((n, n))
    A -= (max(np.linalg.eigvals(A).real.max(), 0.0) + 0.5) * np.eye(n)
    return A, rng.standard_normal((n, m))


def driven(A, B, x0, u, t):
    """The closed form of ``dx = A x + B u`` for a constant input, by one exponential."""
    n = len(A)
    M = np.zeros((n + 1, n + 1))
    M[:n, :n], M[:n, n] = A, B @ u
    return (expm(M * t) @ np.append(x0, 1.0))[:n]


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(1, 4), st.integers(1, 2))
def test_a_linear_system_follows_the_matrix_exponential(rng, n, m):
    A, B = random_linear(rng, n, m)
    x0, u, times = rng.standard_normal(n), rng.standard_normal(m), np.linspace(0.0, 3.0, 7)
    ours = simulate(LinearFlow(A, B, np.eye(n)), times, x0, {"u": u})
    exact = np.array([driven(A, B, x0, u, t) for t in times])
    np.testing.assert_allclose(ours.states, exact, rtol=0, atol=DEFAULT * (1 + np.abs(exact).max()))
    np.testing.assert_array_equal(ours.outputs, ours.states)


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_a_held_table_is_exact_between_its_jumps(rng):
    A, B = random_linear(rng, 2, 1)
    at, values = np.array([0.0, 0.37, 0.38, 2.1]), rng.standard_normal((4, 1))
    times = np.array([0.0, 0.1, 0.375, 0.5, 2.1, 3.0])
    ours = simulate(LinearFlow(A, B, np.eye(2)), times, [1.0, -1.0], {"u": held_table(at, values)})
    ends, x, exact = [*at[1:], times[-1]], np.array([1.0, -1.0]), {0.0: np.array([1.0, -1.0])}
    for start, end, u in zip(at, ends, values, strict=True):
        exact |= {t: driven(A, B, x, u, t - start) for t in times if start <= t <= end}
        x = driven(A, B, x, u, end - start)
    expected = np.array([exact[t] for t in times])
    np.testing.assert_allclose(ours.states, expected, atol=DEFAULT * (1 + np.abs(expected).max()))


def test_no_step_passes_over_a_short_pulse_of_a_table():
    pulse = ([0.0, 50.0, 50.001, 50.002, 100.0], [0.0, 0.0, 1.0, 0.0, 0.0])
    assert simulate(Integrator(), [0.0, 100.0], inputs={"u": pulse})["x"][-1] == pytest.approx(
        1e-3, rel=1e-8
    )
    held = held_table([0.0, 50.0, 50.001], [0.0, 1.0, 0.0])
    end = simulate(Integrator(), [0.0, 100.0], inputs={"u": held})["x"][-1]
    assert end == pytest.approx(1e-3, rel=1e-8)


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_a_table_of_a_broken_line_integrates_to_its_trapezia(rng):
    at = np.cumsum(rng.uniform(0.05, 1.0, 12))
    values = rng.standard_normal(12)
    ours = simulate(Integrator(), at, inputs={"u": linear_table(at, values)})
    areas = np.cumsum(0.5 * np.diff(at) * (values[1:] + values[:-1]))
    np.testing.assert_allclose(ours["x"][1:], areas, rtol=0, atol=DEFAULT * np.abs(values).max())


def test_an_input_may_be_a_function_of_time():
    times = np.linspace(0.0, 9.0, 10)
    ours = simulate(Integrator(), times, inputs={"u": np.cos})
    np.testing.assert_allclose(ours["x"], np.sin(times), rtol=0, atol=DEFAULT)
    np.testing.assert_array_equal(ours.input("u"), np.cos(times))


def test_a_function_and_its_fine_table_agree():
    times, fine = np.linspace(0.0, 5.0, 11), np.linspace(0.0, 5.0, 501)
    by_function = simulate(Pendulum(), times, [1.0, 0.0], {"torque": np.sin})
    by_table = simulate(Pendulum(), times, [1.0, 0.0], {"torque": (fine, np.sin(fine))})
    # Linear interpolation errs by h^2 / 8, and the stable pendulum's gain is below 1.
    assert np.abs(by_function.states - by_table.states).max() <= 0.01**2 / 8 + DEFAULT


def test_a_pulse_given_as_a_function_is_seen_at_the_resolution_of_the_times():
    def pulse(t):
        return np.exp(-(((t - 50.0) / 0.2) ** 2))

    ours = simulate(Integrator(), np.linspace(0.0, 100.0, 501), inputs={"u": pulse})
    assert ours["x"][-1] == pytest.approx(0.2 * np.sqrt(np.pi), abs=DEFAULT)


def test_robertsons_stiff_problem_is_right_to_six_digits_by_default():
    times = np.array([0.0, *0.4 * 10.0 ** np.arange(12)])
    ours = simulate(Robertson(), times, [1.0, 0.0, 0.0])
    exact = simulate(Robertson(), times, [1, 0, 0], method=Radau, rtol=1e-11, atol=1e-21)
    np.testing.assert_allclose(ours.states, exact.states, rtol=1e-6)
    # Hairer and Wanner's table for t = 40 and 4e10, an independent source (problem ROBER).
    np.testing.assert_allclose(
        ours.states[3],
        [7.158270687193941e-1, 9.185534764557338e-6, 2.841637457458260e-1],
        rtol=1e-6,
    )
    np.testing.assert_allclose(ours.states.sum(1), 1.0, rtol=1e-9)


@pytest.mark.parametrize("method", [RK45, DOP853, Radau, BDF, LSODA])
def test_every_solver_gives_the_same_curve(method):
    times, hill = np.linspace(0.0, 4.0, 9), ([0.0, 1.0, 1.5, 4.0], [0.0, 0.0, 2.0, 2.0])
    given = simulate(Pendulum(), times, [1.0, 0.0], {"torque": hill}, method=method)
    default = simulate(Pendulum(), times, [1.0, 0.0], {"torque": hill})
    np.testing.assert_allclose(given.states, default.states, rtol=0, atol=1e-6)


class Counted(rm.RiemannianModule):
    """Van der Pol's oscillator, untraceable, that counts its evaluations."""

    time, state, outputs = rm.Time.CONTINUOUS, rm.space("x v"), rm.space("y")

    def __init__(self):
        self.count = 0

    def forward(self, x, u, theta):
        self.count += 1
        q, v = x[..., 0], x[..., 1]
        return np.stack([v, 5 * (1 - q * q) * v - q], -1), x[..., :1]

    def jacobian(self, x, u, theta):
        q, v = x[..., 0], x[..., 1]
        one, zero = np.ones_like(q), np.zeros_like(q)
        A = np.stack([np.stack([zero, one], -1),
                      np.stack([-10 * q * v - 1, 5 * (1 - q * q)], -1)], -2)  # fmt: skip
        C = np.broadcast_to([[1.0, 0.0]], (*q.shape, 1, 2))
        none = [np.zeros((*q.shape, n, 0)) for n in (2, 1)]
        return Jacobian(A, none[0], C, none[1], none[0], none[1])


@pytest.mark.parametrize("method", [RK45, DOP853, Radau, BDF])
def test_output_times_cost_no_steps_and_lie_on_the_curve(method):
    few, many = np.linspace(0.0, 10.0, 3), np.linspace(0.0, 10.0, 10_001)
    counts, runs = [], []
    for times in (few, many):
        module = Counted()
        runs.append(simulate(module, times, [2.0, 0.0], method=method, rtol=1e-7, atol=1e-9))
        counts.append(module.count)
    # The interpolant of DOP853 takes three evaluations a step of twelve, the others none.
    assert counts[1] <= (1.3 if method is DOP853 else 1.0) * counts[0]
    np.testing.assert_array_equal(runs[1].states[[0, -1]], runs[0].states[[0, -1]])
    # Some hundred steps add up their errors, between their ends as there.
    exact = simulate(Counted(), many, [2.0, 0.0], method=DOP853, rtol=1e-12, atol=1e-14)
    gap = np.abs(runs[1].states - exact.states).max(0)
    assert (gap <= 100 * 1e-7 * np.abs(exact.states).max(0)).all()


@pytest.mark.parametrize("method", [RK45, DOP853, Radau, BDF])
def test_corners_of_inputs_are_landed_on_between_output_times(method):
    bump = ([0.0, 1.3, 1.31, 1.32, 4.0], [0.0, 0.0, 100.0, 0.0, 0.0])
    times = np.linspace(0.0, 4.0, 3)
    run = simulate(Pendulum(), times, [0.0, 0.0], {"torque": bump}, method=method)
    default = simulate(Pendulum(), times, [0.0, 0.0], {"torque": bump})
    assert abs(default.states[1, 0]) > 0.1
    np.testing.assert_allclose(run.states, default.states, rtol=0, atol=1e-6)


def test_a_module_without_expressions_gives_the_same_curve():
    times = np.linspace(0.0, 4.0, 9)
    fused = simulate(Pendulum(), times, [1.0, 0.0], {"torque": np.sin})
    swept = simulate(Untraceable(), times, [1.0, 0.0], {"torque": np.sin})
    np.testing.assert_allclose(swept.states, fused.states, rtol=0, atol=DEFAULT)


def loop():
    class Spring(rm.StaticMap):
        inputs, outputs = rm.space(angle="rad"), rm.space(torque="N m")
        parameters = {"stiffness": 2.0}

        def map(self, u, p):
            return {"torque": -p.stiffness * u.angle}

    return (
        rm.Wiring(plant=Pendulum(), spring=Spring())
        .connect("plant.angle", "spring.angle")
        .connect("spring.torque", "plant.torque")
        .output("angle", "plant.angle")
        .build()
    )


def test_a_composite_is_its_equations_and_its_leaves_can_be_asked():
    times = np.linspace(0.0, 4.0, 9)
    ours = simulate(loop(), times, {"plant.q": 1.0, "plant.v": 0.0})
    alone = simulate(Pendulum(k=8.0), times, [1.0, 0.0])
    np.testing.assert_allclose(ours.states, alone.states, rtol=0, atol=DEFAULT)
    np.testing.assert_array_equal(ours["angle"], ours["plant.q"])
    np.testing.assert_array_equal(ours["spring.torque"], -2.0 * ours["plant.q"])


def test_parameters_given_to_simulate_stand_for_the_modules_own():
    times = np.linspace(0.0, 4.0, 5)
    given = simulate(loop(), times, [1.0, 0.0], theta=[6.0, 4.0, 3.0, 0.0])
    alone = simulate(Pendulum(), times, [1.0, 0.0])
    np.testing.assert_allclose(given.states, alone.states, rtol=0, atol=DEFAULT)


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(1, 4))
def test_a_discrete_module_is_stepped_from_each_time_to_the_next(rng, n):
    A, B, inputs = rng.standard_normal((n, n)), rng.standard_normal((n, 1)), rng.random((6, 1))
    x0, times = rng.standard_normal(n), np.arange(6.0)
    ours = simulate(LinearStep(A, B), times, x0, {"u": held_table(times, inputs)})
    x, expected = x0, [x0]
    for u in inputs[:-1]:
        x = A @ x + B @ u
        expected.append(x)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(ours.states, expected, rtol=0, atol=1e-12 * (1 + largest))


def test_a_static_module_is_evaluated_along_its_inputs():
    class Square(rm.StaticMap):
        inputs, outputs = rm.space("u"), rm.space("y")

        def map(self, u, p):
            return {"y": u.u**2}

    ours = simulate(Square(), [0.0, 1.0, 2.0], inputs={"u": ([0.0, 2.0], [0.0, 4.0])})
    np.testing.assert_array_equal(ours["y"], [0.0, 4.0, 16.0])


def test_one_time_gives_the_start_alone():
    ours = simulate(Pendulum(), [2.0], [1.0, 0.5])
    np.testing.assert_array_equal(ours.states, [[1.0, 0.5]])


def test_a_trajectory_survives_its_file(tmp_path):
    table = ([0.0, 1.0, 4.0], [0.0, 1.0, -1.0])
    ours = simulate(Pendulum(), np.linspace(0.0, 4.0, 9), [1.0, 0.0], {"torque": table})
    ours.to_csv(tmp_path / "run.csv")
    again = read_trajectory(tmp_path / "run.csv", Pendulum())
    for name in ("times", "states", "inputs", "outputs"):
        np.testing.assert_array_equal(getattr(again, name), getattr(ours, name))
    assert [path.name for path in tmp_path.iterdir()] == ["run.csv"]


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("", SignatureError, "missing"),
        ("time,q,torque\n0,0,0\n", SignatureError, "'v'"),
        ("time,q,v,torque\n0,0,0\n", SignatureError, "line 2"),
        ("time,q,v,torque\n0,0,zero,0\n", DomainError, "line 2"),
        ("time,q,v,torque\n0,0,nan,0\n", DomainError, "line 2"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(tmp_path, content, error, words):
    (tmp_path / "run.csv").write_text(content)
    with pytest.raises(error, match=words):
        read_trajectory(tmp_path / "run.csv", Pendulum())


def test_a_plot_has_one_axis_for_each_unit_and_one_line_for_each_signal(tmp_path):
    figure = simulate(Pendulum(), [0.0, 1.0, 2.0], [1.0, 0.0]).plot()
    assert [ax.get_ylabel() for ax in figure.axes] == ["[rad]", "v [rad/s]", "torque [N m]"]
    assert [len(ax.lines) for ax in figure.axes] == [2, 1, 1]
    figure.savefig(tmp_path / "run.png")


def test_an_unknown_signal_is_answered_with_the_known_ones():
    with pytest.raises(SignatureError, match=r"speed.*q, v, angle, torque"):
        simulate(Pendulum(), [0.0, 1.0])["speed"]


class Explosion(rm.Flow):
    state = rm.space("size")

    def equations(self, x, u, p):
        return {"size": x.size**2}


def test_a_solution_that_ends_says_when_and_where():
    with pytest.raises(ConvergenceError, match=r"stopped at t = (1|0\.99999\d*) of 2.*size"):
        simulate(Explosion(), [0.0, 2.0], [1.0])


class Root(rm.Flow):
    state = rm.space("clock level")

    def equations(self, x, u, p):
        return {"clock": 1.0 + 0.0 * x.clock, "level": -np.sqrt(x.level)}


def test_a_derivative_that_is_undefined_at_the_start_is_named():
    with pytest.raises(DomainError, match=r"t = 0.*\['level'\]"):
        simulate(Root(), [0.0, 1.0], [0.0, -1.0])


def test_a_derivative_that_becomes_undefined_is_named():
    # level = (1 - t / 2)^2 reaches zero, the edge of the square root's domain, at t = 2.
    with pytest.raises(ConvergenceError, match=r"stopped at t = (2|1\.99\d*) of 5.*level"):
        simulate(Root(), [0.0, 5.0], [0.0, 1.0])


def test_a_discrete_step_into_the_undefined_is_named():
    class Log(rm.StepMap):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": np.log(x.x)}

    with pytest.raises(ConvergenceError, match=r"t = 2.*\['x'\]"):
        simulate(Log(), [0.0, 1.0, 2.0, 3.0], [0.5])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"times": [0.0, 2.0, 1.0]}, DomainError, "2 is followed by 1"),
        ({"times": [1.0, 0.0]}, DomainError, "increasing"),
        ({"times": [0.0, np.nan]}, DomainError, "finite times"),
        ({"times": []}, SignatureError, r"shape \(T,\)"),
        ({"times": [[0.0, 1.0]]}, SignatureError, r"\(1, 2\)"),
        ({"x0": [np.nan, 0.0]}, DomainError, "'q'"),
        ({"x0": [1.0, 2.0, 3.0]}, SignatureError, "expected 2 numbers"),
        ({"x0": {"angle": 1.0}}, SignatureError, r"unknown names \['angle'\].*known are: q"),
        ({"x0": np.zeros((3, 2)), "theta": np.ones((4, 3))}, SignatureError, "that broadcast"),
        ({"inputs": {"force": 1.0}}, SignatureError, r"\['force'\]; known are: torque"),
        ({"inputs": {"torque": [1, 2]}, "x0": np.ones((3, 2))}, SignatureError, "broadcast"),
        ({"inputs": {"torque": np.inf}}, DomainError, "finite"),
        ({"inputs": {"torque": lambda t: np.nan}}, DomainError, "t = 0"),
        ({"inputs": {"torque": lambda t: [1.0, 2.0]}}, SignatureError, "shape"),
        ({"inputs": {"torque": ([0.0, 0.5], [0.0, 1.0])}}, DomainError, "covers 0 to 0.5"),
        ({"inputs": {"torque": ([0.5, 2.0], [0.0, 1.0])}}, DomainError, "covers 0.5 to 2"),
        ({"inputs": {"torque": ([0.0, 0.0, 2.0], [0, 1, 1])}}, DomainError, "held_table"),
        ({"inputs": {"torque": ([0.0, 2.0], [0, 1, 1])}}, SignatureError, "as many values"),
        ({"inputs": {"torque": ([0.0, 2.0], [0, np.nan])}}, DomainError, "finite"),
        ({"inputs": {"torque": ([0.0, 2.0], np.zeros((2, 2)))}}, SignatureError, "1 values"),
        ({"rtol": 0.0}, DomainError, "positive rtol"),
        ({"theta": [1.0]}, SignatureError, "expected 3 numbers"),
    ],
)
def test_bad_input_is_refused_with_where_and_what(arguments, error, words):
    with pytest.raises(error, match=words):
        simulate(Pendulum(), **{"times": [0.0, 1.0], **arguments})
