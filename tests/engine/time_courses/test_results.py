"""What a fit of time courses says: bands, profiles, criteria, restarts, pictures."""

import importlib
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq

import riemannian_modules as rm
from riemannian_modules.engine import (
    Dose,
    Log10Scale,
    LogScale,
    Observable,
    Outcome,
    SteadyState,
    experiment,
    fit_trajectories,
    multi_start,
)
from riemannian_modules.errors import DomainError, SignatureError
from tests.engine.time_courses.systems import ENZYME, QUIET, RNG, away, experiments

LINE = rm.Equations({"dA": "-k"}, state="A", parameters={"k": 1.0})
T = np.array([1.0, 2.0, 3.0, 4.0])


@cache
def line():
    """A straight line ``A0 - k t``: linear regression, whose answers are known."""
    values = 5.0 - 0.7 * T + 0.1 * RNG(0).standard_normal(4)
    one = experiment({"A": (T, values, 0.1)}, x0={"A": "A0"})
    return fit_trajectories(LINE, one, parameters={"A0": 4.0}, rtol=1e-11, progress=QUIET)


@cache
def enzyme():
    starts, t = [{"S": 2.0}, {"S": 0.7, "P": 0.2}], np.linspace(0.3, 6, 12)
    done = experiments(ENZYME, starts, t, ("S", "P"), 0.02)
    bounds = dict.fromkeys(ENZYME.parameters, (0.05, 20.0))
    scales = dict.fromkeys(ENZYME.parameters, LogScale())
    return fit_trajectories(away(ENZYME, 1.3), done, bounds=bounds, scales=scales, progress=QUIET)


def design():
    """The regression's rows, in the order of the fit's parameters (k, A0)."""
    return np.stack([-T, np.ones(4)], 1)


def test_covariance_correlations_and_criteria_are_those_of_linear_regression():
    found, X = line(), design()
    assert found.names == ("k", "A0")
    C = 0.01 * np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(found.covariance, C, rtol=1e-7)
    size = np.sqrt(np.diagonal(C))
    np.testing.assert_allclose(found.correlations, C / np.outer(size, size), rtol=1e-7)
    r = found.residuals
    wanted = r @ r + 4 * math.log(2 * math.pi * 0.01)
    assert found.minus_two_log_likelihood == pytest.approx(wanted, rel=1e-10)
    assert found.aic == pytest.approx(wanted + 4.0, rel=1e-10)
    assert found.bic == pytest.approx(wanted + 2.0 * math.log(4), rel=1e-10)


def test_bands_are_those_of_linear_regression_where_nothing_was_measured():
    found, t = line(), np.array([9.0, 0.0, 2.5])
    band, x = found.predict("A", t), np.stack([-t, np.ones(3)], 1)
    spread = np.sqrt(np.einsum("ij,jk,ik->i", x, found.covariance, x))
    np.testing.assert_allclose(band.mean, x @ found.theta, rtol=1e-9)
    np.testing.assert_allclose(band.deviation, spread, rtol=1e-7)
    np.testing.assert_allclose(band.upper - band.lower, 2 * 1.959963984540054 * spread, rtol=1e-7)
    dosed = experiment({}, name="dosed", x0={"A": "A0"}, doses=[Dose(1.0, {"A": 2.0})])
    after = found.predict("A + 1", [3.0], dosed)
    assert after.mean[0] == pytest.approx(found.predict("A", [3.0]).mean[0] + 3.0)


def test_a_linear_profile_is_the_parabola_of_its_deviation():
    profile, s = line().profile("k"), line().deviations[0]
    np.testing.assert_allclose(
        profile.deviances, ((profile.values - profile.estimate) / s) ** 2, rtol=1e-5, atol=1e-8
    )
    # The other parameter at its best: A0 moves by its covariance with k over k's own.
    C = line().covariance
    wanted = line().theta[1] + (profile.values - profile.estimate) * C[1, 0] / C[0, 0]
    np.testing.assert_allclose(profile.parameters, np.stack([profile.values, wanted], 1), rtol=1e-7)
    assert set(profile.endings) == {"the threshold is reached"}
    reach = 1.959963984540054 * s
    assert (profile.lower, profile.upper) == pytest.approx(
        (profile.estimate - reach, profile.estimate + reach), rel=1e-6
    )


def test_a_profile_that_stays_low_has_no_end():
    t = np.linspace(0.2, 3, 8)
    decay = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 1.0})
    one = experiment({"A": (t, 6 * np.exp(-0.7 * t), 0.1)}, x0={"A": "A0"})
    found = fit_trajectories(
        decay, one, {"A": "gain*A"}, parameters={"A0": 2.0, "gain": 2.5},
        scales={"gain": LogScale(), "A0": LogScale()}, progress=QUIET,
    )  # fmt: skip
    profile = found.profile("gain")
    assert profile.upper == math.inf
    assert profile.endings[1].startswith("flat")
    assert profile.deviances.max() < 1e-3


def decay(rate, bounds=None):
    """``exp(-k t)`` with errors of 0.3: a curved problem of one parameter."""
    t = np.linspace(0.5, 6.0, 12)
    y = np.exp(-rate * t) + 0.1 * RNG(0).standard_normal(12)
    flow = rm.Equations({"dx": "-k*x"}, state="x", parameters={"k": 0.5})
    one = experiment({"x": (t, y, 0.3)}, x0={"x": 1.0})
    found = fit_trajectories(flow, one, bounds=bounds, rtol=1e-10, progress=QUIET)

    def rise(k):
        squares = [np.sum((np.exp(-p * t) - y) ** 2) / 0.09 for p in (k, found.theta[0])]
        return squares[0] - squares[1]

    return found, rise


def test_the_ends_of_a_curved_profile_are_where_the_likelihood_says():
    found, rise = decay(0.5)
    profile = found.profile("k")
    k = found.theta[0]
    exact = [brentq(lambda p: rise(p) - profile.threshold, *ends) for ends in ((0, k), (k, 4))]
    np.testing.assert_allclose([profile.lower, profile.upper], exact, rtol=1e-5)
    assert (np.diff(profile.values) > 0).all()


def test_a_profile_goes_up_to_a_bound_before_it_says_that_the_bound_comes_first():
    for rate, is_reached in ((0.2, True), (0.02, False)):
        found, rise = decay(rate, {"k": (0.0, None)})
        profile = found.profile("k")
        assert (rise(0.0) > profile.threshold) == is_reached == math.isfinite(profile.lower)
        if is_reached:
            exact = brentq(lambda p: rise(p) - profile.threshold, 0, found.theta[0])  # noqa: B023
            assert profile.lower == pytest.approx(exact, rel=1e-4)
        else:
            assert profile.values[0] == 0.0
            assert "the bound 0" in profile.endings[0]


def test_a_new_experiment_has_no_value_of_what_each_has_for_itself():
    t = np.array([1.0, 2.0])
    flow = rm.Equations({"dx": "-k*x"}, state="x", parameters={"k": 0.5})
    done = [
        experiment({"x": (t, np.exp(-k * t), 0.1)}, name=f"e{k}", x0={"x": 1.0}, own=["k"])
        for k in (0.3, 0.8)
    ]
    found = fit_trajectories(flow, done, progress=QUIET)
    with pytest.raises(SignatureError, match=r"'k'.*theta"):
        found.predict("x", [1.0], experiment({}, x0={"x": 1.0}))
    with pytest.raises(SignatureError, match="of its own"):
        found.predict("x", [1.0], experiment({}, x0={"x": 1.0}, own={"k": 0.8}))
    with pytest.raises(SignatureError, match="'e8'"):
        found.predict("x", [1.0], experiment({}, x0=SteadyState("e8"), theta={"k": 0.8}))
    told = found.predict("x", [1.0], experiment({}, x0={"x": 1.0}, theta={"k": 2.0}))
    assert told.mean[0] == pytest.approx(math.exp(-2.0))


def test_restarts_are_the_same_for_a_seed_whoever_computes_them():
    here = multi_start(enzyme(), 4, seed=3)
    with ThreadPoolExecutor(2) as executor:
        there = multi_start(enzyme(), 4, seed=3, executor=executor)
    np.testing.assert_array_equal(here.starts, there.starts)
    np.testing.assert_array_equal(here.ends, there.ends)
    other = multi_start(enzyme(), 4, seed=4)
    assert not np.array_equal(here.starts[1:], other.starts[1:])
    assert here.reached >= 2
    assert here.best.minus_two_log_likelihood == here.minus_two_log_likelihoods.min()
    (axes,) = here.plot().axes
    drawn = np.asarray(axes.collections[0].get_offsets())[:, 1]
    found = here.minus_two_log_likelihoods
    np.testing.assert_allclose(drawn, np.sort(found) - found.min(), atol=1e-12)


def test_an_interrupt_keeps_what_was_found(monkeypatch):
    room = importlib.import_module("riemannian_modules.engine.time_courses.multiple_starts")
    calls, whole = [], room._searched

    def searched(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(room, "_searched", searched)
    found = multi_start(enzyme(), 6, seed=0)
    assert len(found.outcomes) == 3
    assert found.skipped == 4
    assert "left out" in str(found)


def test_an_interrupted_fit_is_marked_and_keeps_the_best(monkeypatch):
    from riemannian_modules.engine.time_courses.model import CourseModel

    problem = enzyme().problem  # fitted once for all tests, and not to be interrupted here
    whole, calls = CourseModel.predicted_slopes, []

    def predicted_slopes(self, scaled):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, scaled)

    monkeypatch.setattr(CourseModel, "predicted_slopes", predicted_slopes)
    found = fit_trajectories(away(ENZYME, 1.3), problem.experiments, progress=QUIET)
    assert found.outcome is Outcome.INTERRUPTED
    assert np.isfinite(found.minus_two_log_likelihood)


def test_a_picture_shows_the_data_their_errors_and_the_model():
    found = line()
    (axes,) = found.plot().axes
    (bars,) = axes.containers
    points = bars.lines[0]
    np.testing.assert_allclose(points.get_xdata(), T)
    np.testing.assert_allclose(points.get_ydata(), found.problem.experiments[0].series[0].values)
    curve = axes.get_lines()[-1]
    t = curve.get_xdata()
    np.testing.assert_allclose(curve.get_ydata(), found.parameters["A0"] - found.theta[0] * t,
                               rtol=1e-9)  # fmt: skip
    names = {a.get_title() for a in enzyme().plot().axes}
    assert {"e0", "e1"} <= names


def test_a_pickled_fit_goes_on():
    twin = pickle.loads(pickle.dumps(line()))
    assert twin.profile("A0").estimate == pytest.approx(line().parameters["A0"])
    assert repr(twin) == repr(line())


def test_a_logarithmic_band_stays_positive():
    decay = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 1.0})
    seen = Observable("A", transformation=LogScale(), sigma=0.3)
    one = experiment({"A": ([1.0, 2.0], [0.7, 0.3])}, x0={"A": 1.0})
    found = fit_trajectories(decay, one, {"A": seen}, progress=QUIET)
    band = found.predict("A", [0.0, 3.0, 6.0])
    assert (band.lower > 0).all()
    np.testing.assert_allclose(band.lower * band.upper, band.mean**2, rtol=1e-9)


@pytest.mark.parametrize("scale", [LogScale(), Log10Scale()])
def test_a_deviation_is_that_of_the_value_on_any_scale(scale):
    """``x = exp(-k t)``: ``t dk x`` to first order, whatever scale the errors are alike on."""
    t = np.array([1.0, 2.0, 3.0])
    flow = rm.Equations({"dx": "-k*x"}, state="x", parameters={"k": 0.5})
    one = experiment({"x": (t, np.exp(-0.5 * t), 0.1)}, x0={"x": 1.0})
    shown = {"x": Observable("x", transformation=scale)}
    found = fit_trajectories(flow, one, shown, progress=QUIET)
    band, s = found.predict("x", t), found.deviations[0]
    np.testing.assert_allclose(band.deviation, t * s * np.exp(-0.5 * t), rtol=1e-6)
    reach = 1.959963984540054 * t * s
    np.testing.assert_allclose(band.lower, np.exp(-0.5 * t - reach), rtol=1e-6)
    np.testing.assert_allclose(band.upper, np.exp(-0.5 * t + reach), rtol=1e-6)


def test_questions_without_an_answer_are_refused():
    found = line()
    for ask in (
        lambda: found.predict("B", [1.0]), lambda: found.predict("A", [1.0], "elsewhere"),
        lambda: found.predict("A", [-1.0]), lambda: found.profile("q"),
        lambda: found.profile("k", level=1.0), lambda: multi_start(found, 3),
    ):  # fmt: skip
        with pytest.raises((SignatureError, DomainError)):
            ask()
