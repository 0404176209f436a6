"""LQR, Kalman filters and placed poles, and the modules that they come back as."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify, l2
from riemannian_modules.engine import equilibrium, linearize, simulate
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from tests.engine.linear_systems import flow, in_control, random_model, step
from tests.shared import shared_path
from tests.strategies import rngs

times_of_life = st.booleans()


def unstable_model(rng, n, m, q, *, is_discrete):
    A = rng.standard_normal((n, n)) * (0.8 if is_discrete else 1.0)
    B, C = rng.standard_normal((n, m)), rng.standard_normal((q, n))
    return step(A, B, C, sampling_time=(0.1, "s")) if is_discrete else flow(A, B, C)


@settings(max_examples=25, deadline=None)
@given(rngs, times_of_life)
def test_lqr_and_the_kalman_filter_are_those_of_python_control(rng, is_discrete):
    control = pytest.importorskip("control")
    n, m, q = (int(k) for k in rng.integers(1, 4, 3))
    model = unstable_model(rng, n, m, q, is_discrete=is_discrete)
    root = rng.standard_normal((n, n))
    Q, R, N = root @ root.T + np.eye(n), np.diag(rng.uniform(0.5, 2, m)), np.zeros((n, m))
    theirs = (control.dlqr if is_discrete else control.lqr)(in_control(model), Q, R, N)
    ours = model.lqr(Q, R, N)
    np.testing.assert_allclose(ours.K, theirs[0], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ours.cost, theirs[1], rtol=1e-6, atol=1e-6)
    noise = np.diag(rng.uniform(0.5, 2, q))
    filtered = (control.dlqe if is_discrete else control.lqe)(model.A, np.eye(n), model.C, Q, noise)
    estimator = model.kalman(Q, noise)
    np.testing.assert_allclose(estimator.L, filtered[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(estimator.covariance, filtered[1], rtol=1e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_the_cost_is_that_of_the_closed_loop_and_of_no_neighbour_less(rng):
    model = unstable_model(rng, 3, 2, 1, is_discrete=False)
    design = model.lqr([1.0, 2.0, 3.0], 0.5)
    from scipy.linalg import solve_continuous_lyapunov

    def cost(K):
        A = model.A - model.B @ K
        return solve_continuous_lyapunov(A.T, -(np.diag([1.0, 2, 3]) + 0.5 * K.T @ K))

    np.testing.assert_allclose(cost(design.K), design.cost, rtol=1e-7, atol=1e-7)
    other = cost(design.K + 1e-3 * rng.standard_normal(design.K.shape))
    assert np.linalg.eigvalsh(other - design.cost).min() >= -1e-9 * np.abs(other).max()


PLANTS = {"CTDSX 1.3": "03", "CTDSX 1.4": "04", "CTDSX 1.5": "05", "CTDSX 1.7": "07"}


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_real_plants_have_the_recorded_closed_loop_and_its_certificate(plant):
    folder = shared_path("real", "control", "slicot_ctdsx")
    rows = {row["id"]: row for row in json.loads((folder / "answers.json").read_text())}
    data = json.loads((folder / f"ctdsx_1_{PLANTS[plant]}.json").read_text())
    A, B, C = (np.array(data[name]) for name in "ABC")
    module = rm.StateSpace(
        A, B, np.eye(len(A)), state=rm.space(s=len(A)), outputs=rm.space(s=len(A))
    )
    model = linearize(module)
    # The recorded answers weigh the outputs, all alike.
    design = model.lqr(C.T @ C, 1.0)
    assert model.poles.real.max() == pytest.approx(rows[plant]["abscissa_open"], rel=1e-8)
    assert design.poles.real.max() == pytest.approx(rows[plant]["abscissa_lqr"], rel=1e-7)
    loop = (
        rm.Wiring(plant=module, lqr=design.module())
        .connect("plant.s", "lqr.s")
        .connect("lqr.u", "plant.u")
        .build()
    )
    answer = certify(loop, norm=l2())
    assert isinstance(answer, Proved)
    assert answer.rate >= 0.99 * rows[plant]["rate_in_metric_P"]


@settings(max_examples=30, deadline=None)
@given(rngs, st.integers(1, 6), st.integers(1, 3), times_of_life)
def test_placed_poles_are_where_they_were_wanted(rng, n, m, is_discrete):
    model = unstable_model(rng, n, m, n, is_discrete=is_discrete)
    pairs = n // 2
    z = rng.uniform(0.2, 0.6, pairs) + 1j * rng.uniform(0.1, 0.6, pairs)
    wanted = np.concatenate([z, z.conj(), rng.uniform(-0.5, 0.1, n - 2 * pairs)])
    wanted = wanted if is_discrete else wanted - 1.0
    design = model.place(wanted)
    np.testing.assert_allclose(np.poly(design.poles), np.poly(wanted), atol=1e-6)
    observer = model.place_observer(wanted)
    np.testing.assert_allclose(np.poly(observer.poles), np.poly(wanted), atol=1e-6)


def test_one_input_takes_repeated_poles_and_its_gain_is_that_of_the_textbook():
    double = flow([[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]], [[1.0, 0.0]])
    np.testing.assert_allclose(double.place([-2.0, -2.0]).K, [[4.0, 4.0]], atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(rngs, st.integers(2, 4), st.integers(1, 2))
def test_inputs_that_act_alike_count_once(rng, n, apart):
    B = rng.standard_normal((n, apart)) @ rng.standard_normal((apart, 3))
    model = flow(rng.standard_normal((n, n)), B, np.eye(n))
    wanted = -np.arange(1.0, 1 + n)
    np.testing.assert_allclose(np.poly(model.place(wanted).poles), np.poly(wanted), rtol=1e-6)


class Pendulum(rm.Flow):
    """Upright; held away from the vertical by a torque."""

    state, inputs = rm.space(q="rad", v="rad/s"), rm.space(torque="N m")
    outputs = rm.space(angle="rad")

    def equations(self, x, u, p):
        return {"q": x.v, "v": 4 * np.sin(x.q) + u.torque}, {"angle": x.q}


class Seen(rm.Flow):
    """The same with its whole state seen."""

    state, inputs = Pendulum.state, Pendulum.inputs

    def equations(self, x, u, p):
        return Pendulum().equations(x, u, p)[0]


def test_feedback_holds_a_nonlinear_plant_at_its_operating_point():
    rest = equilibrium(Seen(), outputs={"q": 0.5}, free=["torque"])
    feedback = linearize(Seen(), rest.x, rest.u).lqr(1.0, 1.0).module()
    loop = (
        rm.Wiring(plant=Seen(), lqr=feedback)
        .connect("plant.q", "lqr.q")
        .connect("plant.v", "lqr.v")
        .connect("lqr.torque", "plant.torque")
        .build()
    )
    run = simulate(loop, [0.0, 30.0], {"plant.q": 0.7})
    np.testing.assert_allclose(run.final_state, [0.5, 0.0], atol=1e-8)


def held(estimated, rest):
    model = linearize(Pendulum(), rest.x, rest.u)
    controller = estimated(model).with_feedback(model.lqr(1.0, 1.0))
    loop = (
        rm.Wiring(plant=Pendulum(), control=controller)
        .connect("plant.angle", "control.angle")
        .connect("control.torque", "plant.torque")
        .build()
    )
    return model, loop


@pytest.mark.parametrize(
    "estimated", [lambda m: m.kalman(1.0, 0.1), lambda m: m.place_observer([-5.0, -6.0])]
)
def test_output_feedback_holds_it_too_and_the_poles_are_those_of_both_designs(estimated):
    rest = equilibrium(Pendulum(), outputs={"angle": 0.5}, free=["torque"])
    model, loop = held(estimated, rest)
    still = np.concatenate([rest.x, rest.x])
    assert np.abs(loop.forward(still, np.zeros(0), loop.theta)[0]).max() <= 1e-12
    closed = linearize(loop, still)
    both = np.concatenate([model.lqr(1.0, 1.0).poles, estimated(model).poles])
    np.testing.assert_allclose(np.sort_complex(closed.poles), np.sort_complex(both), atol=1e-9)
    run = simulate(loop, [0.0, 40.0], still + 0.1 * np.eye(4)[0])
    np.testing.assert_allclose(run.final_state, still, atol=1e-7)


@settings(max_examples=15, deadline=None)
@given(rngs, times_of_life)
def test_separation_holds_with_feedthrough_as_well(rng, is_discrete):
    model = random_model(rng, 3, 2, 2, is_discrete=is_discrete)
    feedback, estimator = model.lqr(1.0, 1.0), model.kalman(1.0, 1.0)
    control = estimator.with_feedback(feedback)
    kind = rm.DiscreteStateSpace if is_discrete else rm.StateSpace
    step_length = {"sampling_time": (0.1, "s")} if is_discrete else {}
    plant = kind(model.A, model.B, model.C, model.D, **step_length)
    loop = (
        rm.Wiring(plant=plant, control=control)
        .connect("plant.y", "control.y")
        .connect("control.u", "plant.u")
        .build()
    )
    both = np.concatenate([feedback.poles, estimator.poles])
    closed = linearize(loop).poles
    np.testing.assert_allclose(np.poly(closed), np.poly(both), atol=1e-8)


def test_what_cannot_be_designed_says_why():
    stuck = flow(np.diag([1.0, -2.0]), [[0.0], [1.0]], [[1.0, 1.0]])
    with pytest.raises(DomainError, match="poles that no gain moves"):
        stuck.lqr(1.0, 1.0)
    with pytest.raises(DomainError, match="1 of 2 poles cannot be moved"):
        stuck.place([-1.0, -3.0])
    unseen = flow(np.diag([1.0, -2.0]), [[1.0], [1.0]], [[0.0, 1.0]])
    with pytest.raises(DomainError, match="seen in the outputs"):
        unseen.kalman(1.0, 1.0)
    free = flow([[0.0, 1.0], [-1.0, 0.0]], [[0.0], [1.0]], np.eye(2))
    with pytest.raises(ConvergenceError, match="weight for every state"):
        free.lqr(0.0, 1.0)
    with pytest.raises(DomainError, match="positive definite"):
        free.lqr(1.0, 0.0)
    with pytest.raises(DomainError, match=r"symmetric matrix, got 2 at \(0, 1\) and 0 at \(1, 0\)"):
        free.lqr([[1.0, 2.0], [0.0, 1.0]], 1.0)
    with pytest.raises(DomainError, match="Q: expected finite numbers, got NaN or infinity in 1"):
        free.lqr([1.0, np.inf], 1.0)
    with pytest.raises(SignatureError, match="expected one number, 2 of them"):
        free.lqr([1.0, 2.0, 3.0], 1.0)
    with pytest.raises(DomainError, match="conjugates"):
        free.place([-1.0 + 1j, -1.0])
    with pytest.raises(SignatureError, match="expected 2 finite poles"):
        free.place([-1.0])
    with pytest.raises(DomainError, match="no pole comes more often"):
        flow(np.diag([1.0, 2.0, 3.0]), np.eye(3)[:, :2] + 1.0, np.eye(3)).place([-1.0, -1.0, -1.0])
    with pytest.raises(SignatureError, match="same model"):
        free.kalman(1.0, 1.0).with_feedback(flow([[-1.0]], [[1.0]], [[1.0]]).lqr(1.0, 1.0))
