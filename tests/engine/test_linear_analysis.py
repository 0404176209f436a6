"""What a linear model answers: against closed forms, theorems, and python-control."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import linearize, simulate
from riemannian_modules.engine.zeros import invariant_zeros
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    RiemannianError,
    SignatureError,
    UnsupportedError,
)
from tests.engine.linear_systems import flow, in_control, random_model, step
from tests.nightly import examples
from tests.strategies import rngs

times_of_life = st.booleans()


def loop_of(num, den):
    return linearize(rm.TransferFunction(num, den))


def oscillator(w=2.0, zeta=0.3):
    return loop_of([w * w], [1.0, 2 * zeta * w, w * w])


# Step responses.


@settings(max_examples=25, deadline=None)
@given(rngs, times_of_life)
def test_the_step_response_is_what_simulation_gives(rng, is_discrete):
    model = random_model(rng, int(rng.integers(1, 5)), 2, 2, is_discrete=is_discrete)
    times = 0.1 * np.arange(25) if is_discrete else np.sort(rng.uniform(0, 5, 20))
    kind = rm.DiscreteStateSpace if is_discrete else rm.StateSpace
    module = kind(model.A, model.B, model.C, model.D)
    ours = model.step_response(times).values
    start = times if is_discrete else np.concatenate([[0.0], times])
    for i in range(2):
        u = np.eye(2)[i]
        run = simulate(module, start, np.zeros(len(model.A)), {"u": u})
        np.testing.assert_allclose(ours[:, :, i], run.outputs[-len(times) :], rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 20.0), st.floats(0.15, 0.9))
def test_an_oscillator_has_the_figures_of_the_textbook(w, zeta):
    info = oscillator(w, zeta).step_info()["y", "u"]
    wd, s = w * np.sqrt(1 - zeta**2), zeta * w
    assert info["steady"] == pytest.approx(1.0, rel=1e-12)
    assert info["peak_time"] == pytest.approx(np.pi / wd, rel=1e-9)
    assert info["overshoot"] == pytest.approx(100 * np.exp(-np.pi * s / wd), rel=1e-9)
    assert info["peak"] == pytest.approx(1 + np.exp(-np.pi * s / wd), rel=1e-12)
    assert info["undershoot"] == pytest.approx(0.0, abs=1e-9)
    t = np.linspace(info["settling_time"], info["settling_time"] + 20 / s, 4001)
    y = 1 - np.exp(-s * t) * (np.cos(wd * t) + s / wd * np.sin(wd * t))
    assert abs(abs(y[0] - 1) - 0.02) <= 1e-9  # it enters the band just then
    assert np.abs(y[1:] - 1).max() <= 0.02


def test_a_lag_rises_and_settles_by_logarithms():
    info = linearize(rm.Lag(2.0, 3.0)).step_info(0.05)["y", "u"]
    assert info["rise_time"] == pytest.approx(2.0 * np.log(9.0), rel=1e-10)
    assert info["settling_time"] == pytest.approx(2.0 * np.log(20.0), rel=1e-10)
    assert (info["peak"], info["peak_time"]) == pytest.approx((3.0, np.inf))


def test_a_model_with_an_integrator_has_no_steady_response():
    with pytest.raises(DomainError, match="a pole at 0"):
        linearize(rm.Integrator()).dc_gain()
    with pytest.raises(DomainError, match="a pole at 1"):
        step([[1.0]], [[1.0]], [[1.0]]).dc_gain()


NO_STATE = linearize(rm.Gain(1.0))
NO_INPUT = linearize(rm.StateSpace(-np.eye(2), np.zeros((2, 0)), np.eye(2)))
WITHOUT_ERROR = {  # awkward, and none of them may end in anything but an answer or a refusal
    "static": NO_STATE, "no input": NO_INPUT, "integrator": linearize(rm.Integrator()),
    "double integrator": loop_of([1.0], [1.0, 0.0, 0.0]), "undamped": loop_of([1.0], [1, 0, 1]),
    "never moved": flow([[-1.0]], [[0.0]], [[1.0]]), "unstable": flow([[1.0]], [[1.0]], [[1.0]]),
    "deadbeat": linearize(rm.DiscreteDelay(4)), "at -1": step([[-1.0]], [[1.0]], [[1.0]]),
    "stiff": flow(np.diag([-1e-6, -1.0, -1e6]), np.ones((3, 1)), np.ones((1, 3))),
    "barely damped": loop_of([1.0], [1.0, 1e-5, 1.0]), "delay": linearize(rm.PadeDelay(1.0, 8)),
    "no solution": flow([[-1.0]], [[1.0]], [[2.0]], [[-1.0]]),
}  # fmt: skip
QUESTIONS = {
    **{
        name: lambda m, name=name: getattr(m, name)()
        for name in (
            "step_response", "step_info", "bode", "margins", "nyquist", "root_locus", "minimal",
            "sensitivity", "controllability", "observability", "gramians", "h_infinity", "h2",
            "dc_gain",
        )
    },
    "zeros": lambda m: m.zeros, "lqr": lambda m: m.lqr(1.0, 1.0),
    "kalman": lambda m: m.kalman(1.0, 1.0),
    "place": lambda m: m.place(-np.arange(1.0, 1 + len(m.A))),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WITHOUT_ERROR)
def test_every_question_has_an_answer_or_is_refused_by_an_error_of_the_library(name):
    for question in QUESTIONS.values():
        with contextlib.suppress(RiemannianError):
            repr(question(WITHOUT_ERROR[name]))


def test_a_zero_on_the_right_undershoots():
    info = loop_of([-1.0, 1.0], [1.0, 2.0, 1.0]).step_info()["y", "u"]
    # y = 1 - e^-t - 2 t e^-t is least where its slope, (2 t - 1) e^-t, is zero.
    assert info["undershoot"] == pytest.approx(100 * (2 * np.exp(-0.5) - 1), rel=1e-9)


@examples(8, 50)
@given(rngs, times_of_life)
def test_figures_agree_with_those_that_python_control_reads_from_a_fine_grid(rng, is_discrete):
    control = pytest.importorskip("control")
    model = random_model(rng, 3, 1, 1, is_discrete=is_discrete)
    info = model.step_info()["y[0]", "u[0]"]
    settled = info["settling_time"]
    peak = info["peak_time"] if np.isfinite(info["peak_time"]) else 0.0
    last = max(2 * settled, 2 * peak, 1)  # less than 2 % above the end, it peaks late
    grid = np.arange(0, 2000) * 0.1 if is_discrete else np.linspace(0, last, 20001)
    theirs = control.step_info(in_control(model), T=grid, final_output=info["steady"])
    assert theirs["SteadyStateValue"] == pytest.approx(info["steady"], rel=1e-9)
    near = {"abs": 3 * (grid[1] - grid[0]), "rel": 1e-6}
    assert theirs["SettlingTime"] == pytest.approx(settled, **near)
    # A peak that is narrow beside the settling time shows on a finer grid alone.
    fine = grid if is_discrete else grid / 100
    y = np.ravel(control.step_response(in_control(model), fine).outputs) / info["steady"]
    closer = {"Overshoot": 100 * (y.max() - 1), "Undershoot": -100 * y.min()}
    for name, value in closer.items():
        seen = max(theirs[name], value)
        assert seen == pytest.approx(info[name.lower()], rel=1e-3, abs=1e-2)


def test_discrete_times_are_steps():
    model = step([[0.5]], [[1.0]], [[1.0]], sampling_time=(0.2, "s"))
    response = model.step_response([0.0, 0.2, 0.6])
    np.testing.assert_allclose(response.values[:, 0, 0], [0.0, 1.0, 1.75])
    assert response.time_unit == "s"
    with pytest.raises(DomainError, match=r"whole multiples of the step 0\.2 s"):
        model.step_response([0.0, 0.3])


@settings(max_examples=25, deadline=None)
@given(rngs, st.integers(2, 5), times_of_life)
def test_an_integrator_in_other_coordinates_has_no_steady_response_either(rng, n, is_discrete):
    T = rng.standard_normal((n, n)) + 2 * np.eye(n)
    poles = np.append(-rng.uniform(0.1, 0.9, n - 1), 0.0) + (1.0 if is_discrete else 0.0)
    make = step if is_discrete else flow
    model = make(T @ np.diag(poles) @ np.linalg.inv(T), T @ np.ones((n, 1)), np.ones((1, n)))
    with pytest.raises(DomainError, match="as far as rounding can tell"):
        model.dc_gain()


def test_a_steady_response_is_not_lost_to_many_equal_poles_or_to_very_different_ones():
    assert loop_of([1.0], np.poly(-np.ones(20))).dc_gain().item() == pytest.approx(1.0, rel=1e-9)
    apart = flow(np.diag([-1e-9, -1e9]), np.ones((2, 1)), np.ones((1, 2)))
    assert apart.dc_gain().item() == pytest.approx(1e9, rel=1e-12)


def test_an_output_that_ends_where_it_began_has_no_relative_figures():
    info = loop_of([1.0, 0.0], [1.0, 3.0, 2.0]).step_info()["y", "u"]
    assert np.isnan([info["rise_time"], info["settling_time"], info["overshoot"]]).all()
    # y = e^-t - e^-2t is largest at log 2.
    assert (info["peak"], info["peak_time"]) == pytest.approx((0.25, np.log(2.0)), rel=1e-9)


def test_what_is_not_stable_has_a_response_but_no_figures():
    integrator = linearize(rm.Integrator())
    np.testing.assert_allclose(integrator.step_response([0.0, 2.0]).values.ravel(), [0.0, 2.0])
    with pytest.raises(DomainError, match="expected a stable model"):
        integrator.step_info()


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 30), st.floats(0.01, 100.0))
def test_equal_lags_in_a_row_are_followed_until_the_last_has_settled(count, tau):
    # The response is Gamma's distribution, far from its end after 18 time constants.
    gamma = pytest.importorskip("scipy.stats").gamma(count, scale=tau)
    row = linearize(rm.chain(*(rm.Lag(tau) for _ in range(count))))
    info = row.step_info()["y", "u"]
    assert info["rise_time"] == pytest.approx(gamma.ppf(0.9) - gamma.ppf(0.1), rel=1e-8)
    assert info["settling_time"] == pytest.approx(gamma.ppf(0.98), rel=1e-8)
    assert row.step_response().values[-1].item() > 0.95


@pytest.mark.parametrize("length", [None, 1e-4, 50.0])
def test_a_delay_of_many_steps_is_waited_for(length):
    model = linearize(rm.DiscreteDelay(50, sampling_time=length))
    info = model.step_info()["y", "u"]
    assert (info["settling_time"], info["steady"]) == pytest.approx((50 * (length or 1.0), 1.0))
    assert model.step_response().values[-1].item() == 1.0


def test_a_narrow_band_and_an_end_beside_a_large_peak_are_waited_for():
    settled = linearize(rm.Lag(1.0)).step_info(1e-10)["y", "u"]["settling_time"]
    assert settled == pytest.approx(10 * np.log(10), rel=1e-5)  # rounding is 1e-6 of the band
    # (s + e) / (s + 1)^2 gives e + ((1 - e) t - e) exp(-t).
    small = loop_of([1.0, 1e-8], [1.0, 2.0, 1.0]).step_info()["y", "u"]["settling_time"]
    assert (settled_at := small * np.exp(-small)) == pytest.approx(2e-10, rel=1e-5), settled_at
    with pytest.raises(ConvergenceError, match="Give a wider band"):
        oscillator().step_info(1e-15)


# Frequency responses and what is read from them.


@settings(max_examples=25, deadline=None)
@given(rngs, times_of_life)
def test_the_response_agrees_with_python_control(rng, is_discrete):
    pytest.importorskip("control")
    model = random_model(rng, int(rng.integers(1, 7)), 2, 3, is_discrete=is_discrete)
    w = 10.0 ** rng.uniform(-2, 1, 7)
    theirs = in_control(model)(np.exp(0.1j * w) if is_discrete else 1j * w)
    ours = model.bode(w).values
    np.testing.assert_allclose(ours, np.moveaxis(theirs, -1, 0), rtol=0, atol=1e-10)


def test_states_of_very_different_sizes_cost_no_digits():
    T = np.diag([1e-9, 1.0, 1e9])
    A = np.array([[-1.0, 0.3, 0.1], [0.2, -2.0, 0.4], [0.0, 0.5, -3.0]])
    B, C = np.ones((3, 1)), np.ones((1, 3))
    w = np.geomspace(1e-3, 1e3, 30)
    plain = flow(A, B, C).bode(w).values
    scaled = flow(T @ A @ np.linalg.inv(T), T @ B, C @ np.linalg.inv(T)).bode(w).values
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)


def test_the_phase_has_no_jumps_and_begins_where_integrators_put_it():
    double = loop_of([1.0], [1.0, 0.0, 0.0]).bode([0.1, 1.0])
    np.testing.assert_allclose(double.phase.ravel(), [-180.0, -180.0])
    fourth = loop_of([1.0], [1.0, 4.0, 6.0, 4.0, 1.0]).bode(np.geomspace(1e-3, 1e3, 400))
    assert fourth.phase[0, 0, 0] == pytest.approx(0.0, abs=0.3)
    assert fourth.phase[-1, 0, 0] == pytest.approx(-360.0, abs=0.3)
    np.testing.assert_allclose(fourth.decibel, 20 * np.log10(fourth.gain))


def test_a_pole_on_the_axis_is_infinite_there():
    assert np.isinf(linearize(rm.Integrator()).bode([0.0]).gain).all()


def test_a_pole_that_a_channel_does_not_meet_leaves_its_response_finite():
    clock = flow(np.diag([0.0, -1.0]), np.eye(2), np.eye(2))
    np.testing.assert_array_equal(clock.bode([0.0]).values[0], [[np.inf, 0.0], [0.0, 1.0]])
    turned = flow([[0.0, 1.0], [0.0, -1.0]], [[0.0], [1.0]], [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(turned.bode([0.0]).values[0], [[np.inf], [1.0]])


# Zeros.


@settings(max_examples=40, deadline=None)
@given(rngs, st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_at_a_zero_the_system_matrix_loses_rank(rng, n, m, q, with_d):
    A, B, C = (rng.standard_normal(s) for s in ((n, n), (n, m), (q, n)))
    D = rng.standard_normal((q, m)) if with_d else np.zeros((q, m))
    zeros = invariant_zeros(A, B, C, D)
    if m == q:
        assert len(zeros) == (n if with_d else n - m if n >= m else len(zeros))
    else:
        assert len(zeros) == 0  # a random system that is not square has none
    for z in zeros:
        P = np.block([[A - z * np.eye(n), B], [C, D]])
        sizes = np.linalg.svd(P, compute_uv=False)
        assert sizes[-1] <= 1e-8 * max(sizes[0], 1.0)


@settings(max_examples=40, deadline=None)
@given(rngs)
def test_of_one_input_and_output_they_are_the_roots_of_the_numerator(rng):
    roots = np.concatenate(
        [rng.uniform(-3, 3, 2), [z := complex(*rng.uniform(0.3, 3, 2)), z.conjugate()]]
    )
    den = np.real(np.poly(-rng.uniform(0.5, 3, int(rng.integers(5, 8)))))
    model = loop_of(rng.uniform(0.5, 2.0) * np.real(np.poly(roots)), den)
    np.testing.assert_allclose(
        np.sort_complex(np.round(model.zeros, 9)), np.sort_complex(np.round(roots, 9)), atol=1e-6
    )


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(1, 2))
def test_blocking_zeros_of_two_channels_are_found_among_the_states_of_other_coordinates(rng, count):
    """Two loops side by side, mixed: the zeros are those of both."""
    first, second = -rng.uniform(0.5, 3, 2)
    left, right = loop_of([1.0, -first], [1.0, 2.0, 3.0]), loop_of([1.0, -second], [1.0, 3.0, 5.0])
    A = np.block([[left.A, np.zeros((2, 2))], [np.zeros((2, 2)), right.A]])
    B = np.block([[left.B, np.zeros((2, 1))], [np.zeros((2, 1)), right.B]])
    C = np.block([[left.C, np.zeros((1, 2))], [np.zeros((1, 2)), right.C]])
    T, U, V = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (4, 2, 2))
    zeros = invariant_zeros(T.T @ A @ T, T.T @ B @ U, V @ C @ T, np.zeros((2, 2)))
    np.testing.assert_allclose(np.sort(zeros.real), np.sort([first, second]), rtol=1e-9)


def test_a_pole_that_no_input_moves_is_an_invariant_zero_and_not_of_the_minimal_model():
    model = flow(np.diag([-1.0, -2.0]), [[1.0], [0.0]], [[1.0, 1.0]])
    np.testing.assert_allclose(model.zeros, [-2.0])
    assert len(model.minimal().zeros) == 0
    assert model.minimal().states == ("x[0]",)


def test_systems_without_zeros_have_none():
    assert len(flow([[-1.0]], [[0.0]], [[0.0]]).zeros) == 1  # neither moved nor seen
    assert len(linearize(rm.Gain(2.0)).zeros) == 0
    assert len(oscillator().zeros) == 0


# Margins.


def test_margins_of_the_textbook():
    # L = 4 / (s + 1)^3: the phase is -180 at w = sqrt 3, where |L| = 1/2.
    m = loop_of([4.0], [1.0, 3.0, 3.0, 1.0]).margins()
    w = np.sqrt(4.0 ** (2 / 3) - 1)
    assert (m.gain, m.smallest_gain) == pytest.approx((2.0, 0.0), rel=1e-12)
    assert m.gain_frequencies[:1] == pytest.approx([np.sqrt(3.0)], rel=1e-12)
    assert m.phase == pytest.approx(180.0 - 3 * np.degrees(np.arctan(w)), rel=1e-11)
    assert m.delay == pytest.approx(np.radians(m.phase) / w, rel=1e-11)
    assert "closed, stable" in str(m)


def test_a_loop_that_a_lower_gain_makes_unstable_has_both_gain_margins():
    # L = 10 (s + 1)^2 / s^3: it needs gain. By Routh stable where 2 k^2 > k, with k = 10 K.
    m = loop_of(10 * np.array([1.0, 2.0, 1.0]), [1.0, 0.0, 0.0, 0.0]).margins()
    assert (m.smallest_gain, m.gain) == pytest.approx((0.05, np.inf), rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(rngs, times_of_life)
def test_at_every_margin_the_closed_loop_has_a_pole_on_the_border(rng, is_discrete):
    model = random_model(rng, int(rng.integers(2, 6)), 1, 1, is_discrete=is_discrete)
    loop = model.channel()
    m = loop.margins()
    for factor, w in zip(m.gains, m.gain_frequencies, strict=True):
        if np.isfinite(w):
            (h,) = loop.bode([w]).values.ravel()
            assert 1 + factor * h == pytest.approx(0.0, abs=1e-7)
    for angle, w, delay in zip(m.phases, m.phase_frequencies, m.delays, strict=True):
        (h,) = loop.bode([w]).values.ravel()
        assert abs(h) == pytest.approx(1.0, abs=1e-9)
        assert h * np.exp(-1j * np.radians(angle)) == pytest.approx(-1.0, abs=1e-8)
        assert h * np.exp(-1j * delay * w) == pytest.approx(-1.0, abs=1e-8)
    if m.gain_binds.any():
        for factor in (*m.gains[m.gain_binds],):
            inside, beyond = (
                _closed_is_stable(loop, 1 + part * (factor - 1)) for part in (0.999, 1.001)
            )
            assert inside
            assert not beyond


def _closed_is_stable(loop, k):
    A = loop.A - k / (1 + k * loop.D[0, 0]) * loop.B @ loop.C
    p = np.linalg.eigvals(A)
    return bool((np.abs(p) < 1).all() if loop.is_discrete else (p.real < 0).all())


@examples(15, 100)
@given(rngs, times_of_life)
def test_no_crossing_is_missed_that_a_fine_grid_shows(rng, is_discrete):
    loop = random_model(rng, int(rng.integers(2, 6)), 1, 1, is_discrete=is_discrete)
    m = loop.margins()
    top = loop.highest_frequency
    w = np.geomspace(1e-4, min(1e4, 0.9999 * top), 4_001)
    h = loop.bode(w).values.ravel()
    crossed = np.flatnonzero(np.diff(np.sign(np.abs(h) - 1)))
    seen = [
        ((m.phase_frequencies >= w[k]) & (m.phase_frequencies <= w[k + 1])).any() for k in crossed
    ]
    assert all(seen)
    crossed = np.flatnonzero(np.diff(np.sign(h.imag)))
    crossed = crossed[h.real[crossed] < 0]
    seen = [
        ((m.gain_frequencies >= w[k]) & (m.gain_frequencies <= w[k + 1])).any() for k in crossed
    ]
    assert all(seen)


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_margins_agree_with_python_control(rng):
    control = pytest.importorskip("control")
    loop = random_model(rng, 4, 1, 1, is_discrete=False, with_d=False)
    ours, theirs = loop.margins(), control.stability_margins(in_control(loop), returnall=True)
    inside = (ours.gain_frequencies > 0) & np.isfinite(ours.gain_frequencies)
    their_gain = [g for g, w in zip(theirs[0], theirs[3], strict=True) if w > 0 and np.isfinite(w)]
    np.testing.assert_allclose(np.sort(ours.gains[inside]), np.sort(their_gain), rtol=1e-5)
    np.testing.assert_allclose(np.sort(ours.phases), np.sort(_wrapped(theirs[1])), atol=1e-4)
    if np.isfinite(ours.distance):
        assert ours.distance <= min([*theirs[2], 1.0]) + 1e-7


def _wrapped(degrees):
    return (np.asarray(degrees) + 180.0) % 360.0 - 180.0


def test_a_margin_is_of_one_channel_and_the_message_says_which_there_are():
    two = flow(-np.eye(2), np.eye(2), np.eye(2), inputs="force heat", outputs="angle warmth")
    with pytest.raises(SignatureError, match="2: angle, warmth"):
        two.margins()
    with pytest.raises(SignatureError, match="did you mean 'heat'"):
        two.margins("angle", "heet")
    assert two.margins("angle", "force").output == "angle"


def test_an_algebraic_loop_is_refused():
    with pytest.raises(DomainError, match="no solution"):
        flow([[-1.0]], [[1.0]], [[1.0]], [[-1.0]]).margins()


def test_a_discrete_pole_at_half_the_sampling_rate_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="pole of this discrete model lies at -1"):
        step([[-1.0]], [[1.0]], [[1.0]]).margins()


# Nyquist and the root locus.


@settings(max_examples=40, deadline=None)
@given(rngs, times_of_life)
def test_the_curve_runs_around_minus_one_as_often_as_the_closed_loop_gains_unstable_poles(
    rng, is_discrete
):
    n = int(rng.integers(1, 5))
    A = rng.standard_normal((n, n)) * (0.8 if is_discrete else 1.0)
    make = step if is_discrete else flow
    loop = make(A, rng.standard_normal((n, 1)), 3 * rng.standard_normal((1, n)))
    curve = loop.nyquist()
    w = np.sort(np.concatenate([[0.0], curve.frequencies]))
    top = np.pi if is_discrete else 1e7
    h = 1 + loop.bode(np.append(w, top)).values.ravel()
    turned = 2 * np.angle(h[1:] / h[:-1]).sum()  # both signs of w
    assert -turned / (2 * np.pi) == pytest.approx(curve.encirclements, abs=0.01)


def test_an_unstable_plant_is_encircled_once_counterclockwise():
    curve = loop_of([3.0], [1.0, -1.0]).nyquist()
    assert (curve.open_loop_unstable, curve.closed_loop_unstable, curve.encirclements) == (1, 0, -1)
    assert "1 time counterclockwise" in str(curve)


@pytest.mark.parametrize("D", [-1.0, -0.5, -1 / 3, -0.1, -1e-3])
def test_a_root_locus_through_infinity_leaves_that_gain_out(D):
    """``1/(s + 1) + D``: the pole is ``-(1 + k (1 + D)) / (1 + k D)``, infinite at ``k = -1/D``."""
    loop = linearize(rm.StateSpace([[-1.0]], [[1.0]], [[1.0]], [[D]]))
    locus = loop.root_locus()
    np.testing.assert_allclose(locus.unsolvable, [-1 / D])
    k = locus.gains
    np.testing.assert_allclose(locus.poles[:, 0], -(1 + k * (1 + D)) / (1 + k * D), rtol=1e-6)
    np.testing.assert_allclose(locus.borders, [-1 / D])
    assert "no solution" in str(locus)
    given = loop.root_locus(gains=[0.0, -0.9 / D, -2 / D])
    assert given.is_stable.tolist() == [True, True, False]
    assert given.borders.tolist() == given.unsolvable.tolist()
    assert not len(loop.root_locus(gains=[0.0, -0.9 / D]).unsolvable)
    with pytest.raises(DomainError, match="no solution"):
        loop.root_locus(gains=[0.0, -1 / D])


def test_borders_beside_infinity_are_found():
    """A plant of two states whose locus changes stability below and at the gain ``-1/D``."""
    # (s + 1)(s - 2) + k (s + 3 - 0.1 (s + 1)(s - 2)): stable from k = 1 / 1.1 on, up to 10.
    plant = rm.StateSpace([[1.0, 2.0], [1.0, 0.0]], [[1.0], [0.0]], [[1.0, 3.0]], [[-0.1]])
    locus = linearize(plant).root_locus()
    for gain in (0.95, 1.05):
        for k in locus.borders * gain:
            poles = np.roots(np.array([1, -1, -2]) * (1 - 0.1 * k) + k * np.array([0, 1, 3]))
            near = locus.gains.searchsorted(k)
            assert (poles.real.max() < 0) == locus.is_stable[min(near, len(locus.gains) - 1)]
    assert locus.borders[-1] == pytest.approx(10.0)
    assert len(locus.borders) == 2


@settings(max_examples=20, deadline=None)
@given(rngs, times_of_life)
def test_branches_of_the_root_locus_solve_the_characteristic_equation_and_do_not_jump(
    rng, is_discrete
):
    loop = random_model(rng, int(rng.integers(2, 5)), 1, 1, is_discrete=is_discrete, with_d=False)
    locus = loop.root_locus()
    np.testing.assert_allclose(np.sort_complex(locus.poles[0]), np.sort_complex(loop.poles))
    k = len(locus.gains) // 2
    A = loop.A - locus.gains[k] * loop.B @ loop.C
    np.testing.assert_allclose(
        np.sort_complex(locus.poles[k]), np.sort_complex(np.linalg.eigvals(A)), atol=1e-9
    )
    reach = 4.0 * np.abs(np.concatenate([loop.poles, loop.zeros])).max()
    moves, shown = np.abs(np.diff(locus.poles, axis=0)), np.abs(locus.poles[:-1]) < 0.9 * reach
    assert moves[shown].max() <= 0.05 * reach


def test_branches_end_at_the_zeros_and_the_border_is_the_gain_margin():
    loop = loop_of([1.0, 2.0], [1.0, 3.0, 2.0, 0.0])
    far = loop.root_locus(gains=[0.0, 1e7]).poles[-1]
    assert np.abs(far + 2.0).min() == pytest.approx(0.0, abs=1e-5)
    third = loop_of([4.0], [1.0, 3.0, 3.0, 1.0])
    locus = third.root_locus()
    assert locus.borders == pytest.approx([third.margins().gain], rel=1e-12)
    assert "first: stable; changes at: 2; last: not stable" in str(locus)


# Structure and norms.


@pytest.mark.parametrize("tolerance", [-1e-3, 1.0, 7.0])
@pytest.mark.parametrize("question", ["controllability", "observability", "minimal"])
def test_a_tolerance_is_a_part(question, tolerance):
    with pytest.raises(DomainError, match="from 0 to below 1"):
        getattr(oscillator(), question)(tolerance)


@settings(max_examples=30, deadline=None)
@given(rngs, st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
def test_hidden_states_are_counted_and_taken_away(rng, shown, unreached, unseen):
    n = shown + unreached + unseen
    A = rng.standard_normal((n, n))
    r = shown + unseen
    A[r:, :r] = 0  # the last states are moved by none
    A[:shown, shown:r] = 0  # those between move none of the first
    B = np.vstack([rng.standard_normal((r, 2)), np.zeros((unreached, 2))])
    C = np.hstack(
        [
            rng.standard_normal((2, shown)),
            np.zeros((2, unseen)),
            rng.standard_normal((2, unreached)),
        ]
    )
    # Turned, not sheared: ranks of what is badly conditioned are nobody's to tell.
    T = np.linalg.qr(rng.standard_normal((n, n)))[0]
    S = T.T
    model = flow(T @ A @ S, T @ B, C @ S)
    assert model.controllability().rank == r
    assert model.observability().rank == n - unseen
    small = model.minimal()
    assert len(small.A) == shown
    w = np.array([0.3, 2.0])
    scale = np.abs(model.bode(w).values).max()
    np.testing.assert_allclose(small.bode(w).values, model.bode(w).values, atol=1e-6 * scale)


def test_ranks_do_not_depend_on_the_units_of_states_and_inputs():
    T = np.diag([1e-12, 1.0, 1e12])
    A = np.array([[-1.0, 1.0, 0.0], [0.0, -2.0, 1.0], [0.0, 0.0, -3.0]])
    S = np.linalg.inv(T)
    model = flow(T @ A @ S, 1e-6 * T @ [[0.0], [0.0], [1.0]], np.array([[1.0, 2.0, 3.0]]) @ S)
    assert model.controllability().is_full
    assert model.observability().is_full
    # Powers of two that suit the input's unit as well; in T's own it would be 0.4.
    assert model.controllability().kept > 1e-3


@examples(10, 100)
@given(rngs, times_of_life)
def test_gramians_solve_lyapunovs_equations_and_norms_agree_with_python_control(rng, is_discrete):
    control = pytest.importorskip("control")
    model = random_model(rng, int(rng.integers(1, 6)), 2, 2, is_discrete=is_discrete)
    g, A = model.gramians(), model.A
    P, Q = g.controllability, g.observability
    for X, F, R in ((P, A, model.B @ model.B.T), (Q, A.T, model.C.T @ model.C)):
        rest = F @ X @ F.T - X + R if is_discrete else F @ X + X @ F.T + R
        assert np.abs(rest).max() <= 1e-10 * max(np.abs(X).max(), 1.0) * max(np.abs(A).max(), 1.0)
    hankel = np.sqrt(np.abs(np.linalg.eigvals(P @ Q)))
    np.testing.assert_allclose(g.hankel, np.sort(hankel)[::-1], rtol=1e-6, atol=1e-8)
    theirs = in_control(model)
    ours = model.h_infinity()
    w = np.geomspace(1e-3, min(1e3, model.highest_frequency), 4000)
    seen = np.linalg.norm(model.bode(w).values, 2, axis=(1, 2)).max()
    assert seen <= ours.gain * (1 + 1e-9)
    assert ours.gain <= seen * 1.01
    assert ours.gain == pytest.approx(control.system_norm(theirs, "inf", tol=1e-9), rel=1e-5)
    with_noise = model if is_discrete else flow(model.A, model.B, model.C)
    expected = control.system_norm(in_control(with_noise), 2)
    assert with_noise.h2() == pytest.approx(expected, rel=1e-7)
    assert ours.gain <= 2 * g.hankel.sum() + np.linalg.norm(model.D, 2) + 1e-9  # Glover's bound


def test_the_peak_of_an_oscillator_is_that_of_the_textbook():
    peak = oscillator(2.0, 0.1).h_infinity()
    assert peak.gain == pytest.approx(1 / (0.2 * np.sqrt(0.99)), rel=1e-12)
    assert peak.frequency == pytest.approx(2.0 * np.sqrt(0.98), rel=1e-6)
    assert linearize(rm.Gain(-3.0)).h_infinity().gain == pytest.approx(3.0)
    assert flow([[-1.0]], [[1.0]], [[1.0]], [[2.0]]).h2() == np.inf
    with pytest.raises(DomainError, match="norm is infinite"):
        linearize(rm.Integrator()).h_infinity()


@pytest.mark.parametrize("pole", [1e-300, 1e-160, 1e-20, 1.0, 1e200])
def test_norms_keep_to_the_range_of_floats(pole):
    """``1 / (s + p)``: the largest gain is 1/p, the H2 norm ``1 / sqrt(2 p)``."""
    model = linearize(rm.StateSpace([[-pole]], [[1.0]], [[1.0]], [[0.0]]))
    assert model.h_infinity().gain == pytest.approx(1 / pole, rel=1e-7)
    assert model.h2() == pytest.approx(1 / np.sqrt(2 * pole), rel=1e-12)


@pytest.mark.parametrize("poles", [[1e-310], [1e-310, 1.0], [1e-20, 1.0]])
@pytest.mark.parametrize("name", ["h_infinity", "h2", "gramians"])
def test_norms_that_no_float_holds_are_refused_by_name(poles, name):
    n = len(poles)
    model = linearize(rm.StateSpace(-np.diag(poles), np.ones((n, 1)), np.ones((1, n))))
    if name == "h_infinity" and min(poles) > 1e-300:
        assert model.h_infinity().gain == pytest.approx(1 / min(poles))
    else:
        with pytest.raises(ConvergenceError, match=r"pole -1e-(310|20)"):
            getattr(model, name)()
