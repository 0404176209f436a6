"""Linear models and operating points: closed forms, names, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import equilibrium, linearize, simulate
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from tests.engine.flows import Integrator, LinearFlow, LinearStep, Pendulum
from tests.strategies import rngs


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(1, 4), st.integers(1, 3))
def test_a_linear_system_is_its_own_linear_model(rng, n, m):
    A, B, C = (rng.standard_normal(s) for s in ((n, n), (n, m), (2, n)))
    model = linearize(LinearFlow(A, B, C), rng.standard_normal(n), rng.standard_normal(m))
    for ours, exact in zip((model.A, model.B, model.C), (A, B, C), strict=True):
        np.testing.assert_array_equal(ours, exact)
    np.testing.assert_array_equal(model.D, np.zeros((2, m)))


@given(st.floats(-3.0, 3.0), st.floats(-5.0, 5.0))
def test_the_pendulum_linearises_to_its_derivatives(q, v):
    model = linearize(Pendulum(), {"q": q, "v": v})
    np.testing.assert_allclose(model.A, [[0.0, 1.0], [-6.0 - 4.0 * np.cos(q), -3.0]], rtol=1e-15)
    np.testing.assert_array_equal(model.B, [[0.0], [1.0]])
    np.testing.assert_array_equal(model.C, [[1.0, 0.0]])


def test_the_small_motion_of_a_system_is_that_of_its_linear_model():
    rest = equilibrium(Pendulum(), {"torque": 3.0}, [0.5, 0.0])
    model = linearize(Pendulum(), rest.x, rest.u)
    small = 1e-4 * np.array([1.0, -1.0])
    times = np.linspace(0.0, 3.0, 7)
    ours = simulate(Pendulum(), times, rest.x + small, {"torque": 3.0}).states - rest.x
    linear = simulate(LinearFlow(model.A, model.B, model.C), times, small).states
    # The sine's second derivative is below 4 and the motion damped: errors are near 4 |small|^2.
    assert np.abs(ours - linear).max() <= 4 * 2e-8 + 1e-9


def test_poles_and_gain_of_a_known_oscillator():
    model = linearize(LinearFlow(np.array([[0, 1], [-4, -2]]), np.array([[0], [8]]), np.eye(2)))
    np.testing.assert_allclose(model.poles, [-1 - 1j * 3**0.5, -1 + 1j * 3**0.5], rtol=1e-14)
    np.testing.assert_allclose(model.dc_gain(), [[2.0], [0.0]], atol=1e-15)
    assert model.is_stable
    assert not linearize(Integrator()).is_stable


def test_poles_and_gain_in_discrete_time():
    model = linearize(LinearStep(np.diag([0.5, -0.25]), np.ones((2, 1))))
    np.testing.assert_allclose(model.poles, [0.5, -0.25])
    np.testing.assert_allclose(model.dc_gain()[:, 0], [2.0, 0.8])
    assert model.is_stable
    assert not linearize(LinearStep(np.array([[-1.5]]), np.ones((1, 1)))).is_stable


def test_a_linear_model_prints_as_a_table_with_names():
    lines = linearize(Pendulum()).table().splitlines()
    assert lines[0].split() == ["q", "v", "|", "torque"]
    assert lines[2].split() == ["q'", "0", "1", "|", "0"]
    assert lines[3].split() == ["v'", "-10", "-3", "|", "1"]
    assert lines[5].split() == ["angle", "1", "0", "|", "0"]
    discrete = linearize(LinearStep(np.eye(2), np.ones((2, 1))))
    assert discrete.states == ("x[0]", "x[1]")
    assert discrete.table().splitlines()[2].split()[0] == "x[0]+"


@settings(max_examples=20, deadline=None)
@given(st.floats(-9.0, 9.0))
def test_at_an_equilibrium_nothing_moves(torque):
    rest = equilibrium(Pendulum(), {"torque": torque}, [0.1, 0.1])
    assert abs(torque - 6 * rest.x[0] - 4 * np.sin(rest.x[0])) <= 1e-12
    assert abs(rest.x[1]) <= 1e-12
    assert rest.residual <= 1e-12


def test_an_equilibrium_of_a_step_map_is_a_fixed_point():
    rest = equilibrium(LinearStep(np.array([[0.5]]), np.ones((1, 1))), [3.0])
    np.testing.assert_allclose(rest.x, [6.0], rtol=1e-14)


def test_an_input_is_found_that_brings_an_output_about():
    rest = equilibrium(Pendulum(), outputs={"angle": 0.7}, free=["torque"])
    np.testing.assert_allclose(rest.x, [0.7, 0.0], atol=1e-13)
    np.testing.assert_allclose(rest.u, [6 * 0.7 + 4 * np.sin(0.7)], rtol=1e-13)
    np.testing.assert_allclose(rest.y, [0.7], rtol=1e-13)


def test_an_integrator_at_rest_stays_at_the_guess():
    rest = equilibrium(Integrator(), [0.0], [4.0])
    np.testing.assert_array_equal(rest.x, [4.0])


def test_where_nothing_rests_the_moving_state_is_named():
    with pytest.raises(ConvergenceError, match=r"x by 1"):
        equilibrium(Integrator(), [1.0])


class Root(rm.Flow):
    state = rm.space("level")

    def equations(self, x, u, p):
        return {"level": -np.sqrt(x.level)}


def test_a_point_without_a_derivative_is_refused():
    with pytest.raises(DomainError, match="NaN or infinite"):
        linearize(Root(), [0.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: linearize(Pendulum(), {"angle": 1.0}), SignatureError, "angle"),
        (lambda: linearize(Pendulum(), np.zeros((3, 2))), SignatureError, "one point"),
        (lambda: linearize(Pendulum(), [np.inf, 0.0]), DomainError, "'q'"),
        (lambda: equilibrium(Pendulum(), outputs={"speed": 1.0}), SignatureError, "speed"),
        (lambda: equilibrium(Pendulum(), outputs={"angle": np.nan}), SignatureError, "angle"),
        (lambda: equilibrium(Pendulum(), free=["force"]), SignatureError, "force"),
        (lambda: equilibrium(Pendulum(), guess=np.zeros((2, 2))), SignatureError, "batch"),
    ],
)
def test_bad_input_is_refused_with_where_and_what(call, error, words):
    with pytest.raises(error, match=words):
        call()
