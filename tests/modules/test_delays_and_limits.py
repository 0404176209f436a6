"""Delays, rate limits and controllers that know their limits: closed forms and theorems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify
from riemannian_modules.engine import linearize, simulate
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.pade_delay import pade_matrices
from tests.strategies import rngs

# Padé delays.


@pytest.mark.parametrize("order", range(1, 11))
def test_the_delay_is_that_of_python_control(order):
    control = pytest.importorskip("control")
    theirs = control.tf(*control.pade(0.7, order))
    w = np.geomspace(0.01, 30.0, 40)
    ours = linearize(rm.PadeDelay(0.7, order)).bode(w).values.ravel()
    # Theirs has coefficients of all powers, and loses digits with them.
    np.testing.assert_allclose(ours, theirs(1j * w), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 10, 20, 60])
def test_the_delay_is_balanced_and_passes_all_frequencies(order):
    A, b, c, d = pade_matrices(order)
    assert d == (-1) ** order
    # Both Gramians are the identity: the states are balanced, at every order.
    np.testing.assert_allclose(A + A.T, -np.outer(c, c), atol=1e-11 * order)
    np.testing.assert_allclose(A + A.T, -np.outer(b, b), atol=1e-11 * order)
    w = np.geomspace(1e-3, 1e3, 50)
    values = linearize(rm.PadeDelay(1.0, order)).bode(w).values.ravel()
    np.testing.assert_allclose(np.abs(values), 1.0, rtol=1e-9)
    near = w < 0.5 * order
    np.testing.assert_allclose(values[near], np.exp(-1j * w[near]), atol=0.05)


@given(st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_the_error_is_of_the_order_that_is_promised(order):
    model = linearize(rm.PadeDelay(1.0, order))
    w = np.array([0.2, 0.4]) * order
    error = np.abs(model.bode(w).values.ravel() - np.exp(-1j * w))
    assert error[1] / error[0] == pytest.approx(2.0 ** (2 * order + 1), rel=0.35)


def test_a_wave_comes_out_later():
    times = np.linspace(0.0, 20.0, 401)
    run = simulate(rm.PadeDelay(0.5, 6), times, inputs={"u": np.sin})
    late = times > 8
    np.testing.assert_allclose(run["y"][late], np.sin(times[late] - 0.5), atol=1e-6)


def test_a_delayed_loop_has_the_delay_margin_that_its_margins_say():
    loop = linearize(rm.TransferFunction([4.0], [1.0, 3.0, 3.0, 1.0]))
    delay = loop.margins().delay

    def closed(seconds):
        row = rm.TransferFunction([4.0], [1.0, 3.0, 3.0, 1.0]) >> rm.PadeDelay(seconds, 10)
        return linearize(row).nyquist().closed_loop_unstable

    assert (closed(0.99 * delay), closed(1.01 * delay)) == (0, 2)


def test_the_delay_can_be_fitted_and_a_delayed_loop_proved():
    row = rm.PadeDelay(0.7, 3)
    assert row.signature.parameters.names == ("delay",)
    loop = (
        rm.Wiring(error=rm.Sum("+-"), plant=rm.Lag(1.0, 0.8), wire=rm.PadeDelay(0.3, 3))
        .input("wanted", "error.u1")
        .connect("error.y", "plant.u")
        .connect("plant.y", "wire.u")
        .connect("wire.y", "error.u2")
        .build()
    )
    assert isinstance(certify(loop), Proved)


# Delays by steps.


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(1, 5), st.integers(1, 3))
def test_a_delay_of_steps_gives_what_came_then(rng, steps, size):
    values = rng.standard_normal((12, size))
    module = rm.DiscreteDelay(steps, size)
    table = (np.arange(12.0), values)
    run = simulate(module, np.arange(12.0), inputs={"u": table})
    np.testing.assert_array_equal(run["y"][steps:], values[: 12 - steps])
    np.testing.assert_array_equal(run["y"][:steps], 0.0)
    chain = rm.chain(*(rm.UnitDelay(size) for _ in range(steps)))
    again = simulate(chain, np.arange(12.0), inputs={"u": table})
    np.testing.assert_array_equal(run["y"], again.outputs)


# Rate limits.


def test_within_its_rates_a_limited_actuator_is_a_lag_and_beyond_them_a_ramp():
    slow = simulate(rm.RateLimit(10.0, tau=0.5), [0.0, 0.5], inputs={"u": 1.0})
    assert slow["y"][-1] == pytest.approx(1 - np.exp(-1.0), rel=1e-6)
    times = np.array([0.0, 1.0, 2.0])
    up = simulate(rm.RateLimit(0.5, 0.2, tau=0.01), times, inputs={"u": 100.0})
    np.testing.assert_allclose(up["y"], [0.0, 0.5, 1.0], atol=1e-9)
    down = simulate(rm.RateLimit(0.5, 0.2, tau=0.01), times, inputs={"u": -100.0})
    np.testing.assert_allclose(down["y"], [0.0, -0.2, -0.4], atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_steps_are_limited_and_a_command_within_the_rates_is_followed_at_once(rng):
    command = rng.standard_normal(30)
    run = simulate(
        rm.DiscreteRateLimit(0.4, 0.3), np.arange(30.0), inputs={"u": (np.arange(30.0), command)}
    )
    y = run["y"]
    moves = np.diff(np.concatenate([[0.0], y]))
    assert moves.max() <= 0.4 + 1e-12
    assert moves.min() >= -0.3 - 1e-12
    free = (moves < 0.4 - 1e-9) & (moves > -0.3 + 1e-9)
    np.testing.assert_allclose(y[free], command[free], atol=1e-12)


def test_a_rate_limit_is_certified():
    answer = certify(rm.RateLimit(1.0, tau=0.5), rm.box(x=(-0.2, 0.2), u=(-0.2, 0.2)))
    assert isinstance(answer, Proved)
    assert answer.rate == pytest.approx(2.0, rel=1e-6)


# Anti-windup.

LIMITS = {"lower": -1.0, "upper": 1.0}
PLAIN = rm.PID(Kp=3.0, Ki=2.0, Kd=0.4, tau=0.1)
KINDS = [
    rm.BackCalculationPID(3.0, 2.0, 0.4, 0.1, **LIMITS),
    rm.ClampedPID(3.0, 2.0, 0.4, 0.1, **LIMITS),
]


def loop(controller):
    wiring = rm.Wiring(pid=controller, limit=rm.Saturation(-1.0, 1.0), plant=rm.Lag(4.0, 3.0))
    return (
        wiring.input("wanted", "pid.reference")
        .connect("pid.u", "limit.u")
        .connect("limit.y", "plant.u")
        .connect("plant.y", "pid.measurement")
        .output("y", "plant.y")
        .build()
    )


@pytest.mark.parametrize("controller", KINDS, ids=["back calculation", "clamped"])
def test_within_its_limits_it_is_the_plain_pid(controller):
    times = np.linspace(0, 10, 101)
    small = {"wanted": 0.05}
    run, plain = (simulate(loop(c), times, inputs=small) for c in (controller, PLAIN))
    np.testing.assert_allclose(run["y"], plain["y"], atol=1e-7)


@pytest.mark.parametrize("controller", KINDS, ids=["back calculation", "clamped"])
def test_beyond_them_it_overshoots_less_than_the_plain_pid(controller):
    times = np.linspace(0, 120, 1201)
    over = {}
    for name, pid in (("limited", controller), ("plain", PLAIN)):
        run = simulate(loop(pid), times, inputs={"wanted": 2.4})
        assert run.solver.steps < 5000  # also where the error has come to rest on a border
        y = run["y"]
        assert y[-1] == pytest.approx(2.4, abs=1e-3)
        over[name] = y.max() - 2.4
    assert over["plain"] > 0.1
    assert over["limited"] < 0.2 * over["plain"]


@pytest.mark.parametrize("kind", [rm.BackCalculationPID, rm.ClampedPID])
def test_without_a_derivative_it_is_a_pi_controller_of_one_state(kind):
    pi = kind(2.0, 1.0)
    assert pi.signature.state.names == ("integral",)
    assert "Kd" not in pi.signature.parameters.names


def test_the_integral_stays_bounded_under_an_error_that_does_not_end():
    for pid in KINDS:
        run = simulate(pid, [0.0, 100.0, 1000.0], inputs={"reference": 10.0})
        assert abs(run["integral"][-1]) <= 100.0
        assert run["integral"][-1] == pytest.approx(run["integral"][1], rel=1e-3)
    wound = simulate(PLAIN, [0.0, 100.0, 1000.0], inputs={"reference": 10.0})
    assert wound["integral"][-1] == pytest.approx(1e4)


@pytest.mark.parametrize("kind", [rm.BackCalculationPID, rm.ClampedPID])
def test_a_limited_loop_is_proved_where_it_stays_within_its_limits(kind):
    place = rm.box({"pid.integral": (-0.1, 0.1), "plant.x": (-0.1, 0.1), "wanted": (-0.1, 0.1)})
    assert isinstance(certify(loop(kind(3.0, 2.0, **LIMITS)), place), Proved)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: rm.PadeDelay(0.0), DomainError, "positive number, got 0.0. Without delay"),
        (lambda: rm.PadeDelay(1.0, 0), SignatureError, "at least 1"),
        (lambda: rm.PadeDelay(1.0, 61), SignatureError, "at most 60"),
        (lambda: rm.PadeDelay(np.nan), DomainError, "finite"),
        (lambda: rm.DiscreteDelay(0), SignatureError, "at least 1"),
        (lambda: rm.DiscreteDelay(1.5), SignatureError, "whole number"),
        (lambda: rm.RateLimit(-1.0), DomainError, "rise: expected a positive"),
        (lambda: rm.RateLimit(1.0, tau=0.0), DomainError, "tau"),
        (lambda: rm.DiscreteRateLimit(1.0, 0.0), DomainError, "fall"),
        (lambda: rm.ClampedPID(1.0, 1.0, lower=1.0, upper=0.0), DomainError, "Swap"),
        (lambda: rm.BackCalculationPID(1.0, 1.0, tracking=0.0), DomainError, "tracking"),
        (lambda: rm.ClampedPID(1.0, 1.0, 1.0, 0.0), DomainError, "tau"),
        (lambda: rm.ClampedPID(1.0, 1.0, band=-1.0), DomainError, "band"),
        (lambda: rm.StateFeedback([[1.0]], states="a b"), SignatureError, "1 coordinates, got 2"),
        (lambda: rm.StateFeedback([[1.0]], x0=[1.0, 2.0]), SignatureError, "expected 1 numbers"),
    ],
)
def test_bad_arguments_are_refused_with_where_and_what(make, error, words):
    with pytest.raises(error, match=words):
        make()
