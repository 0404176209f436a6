"""What a fit says of its parameters: intervals, profiles, predictions, and what is not known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import chi2, f

import riemannian_modules as rm
from riemannian_modules.engine import (
    BernoulliLoss,
    FullBatch,
    HuberLoss,
    NoProgress,
    NormalPrior,
    PoissonLoss,
    fit,
)
from riemannian_modules.errors import DomainError, SignatureError
from tests.engine.test_fit_measurements import Decay, Line, Pair, T, decay, decay_data, line_data
from tests.strategies import rngs

QUIET = NoProgress()


class Product(rm.StaticMap):
    inputs, outputs = rm.space("x"), rm.space("y")
    parameters = {"left": 1.0, "right": 2.0, "offset": 0.0}

    def map(self, u, p):
        return {"y": p.left * p.right * u.x + p.offset}


def product_fit(**options):
    x = np.arange(9.0)
    data = {"x": x, "y": 6 * x + 1 + 0.1 * np.cos(9 * x)}
    return fit(Product(), data, progress=QUIET, **options)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_samples_are_said_not_to_determine_the_parameters(count):
    x, z = np.random.default_rng(0).standard_normal((2, count))
    found = fit(Line(), {"x": x, "z": z, "y": x - z}, progress=QUIET)
    for text in (repr(found), found.table()):
        assert "not determined by the data" in text.splitlines()[0]
    assert not found.is_determined
    assert found.freedom == 0
    assert len(found.undetermined) > 0
    assert len(found.directions) == 3 - count
    assert np.isinf(found.deviations[[n in found.undetermined for n in found.names]]).all()
    # Every direction named is one without effect.
    X = np.column_stack([np.ones(count), x, z])
    assert np.abs(X @ found.uncertainty.null).max() <= 1e-9
    assert found.summary()["is_determined"] is False
    assert len(found.identifiability().undetermined) == 3 - count


def test_as_many_samples_as_parameters_tell_nothing_of_the_noise():
    rng = np.random.default_rng(0)
    x, z, y = rng.standard_normal((3, 3))
    found = fit(Line(), {"x": x, "z": z, "y": y}, progress=QUIET)
    assert "no data left over to tell the noise from" in repr(found).splitlines()[0]
    assert found.is_determined
    assert np.isinf(found.deviations).all()
    with pytest.raises(SignatureError, match="absolute=True"):
        found.profile("a")
    X = np.column_stack([np.ones(3), x, z])
    known = fit(Line(), {"x": x, "z": z, "y": y}, sigma=0.1, absolute=True, progress=QUIET)
    assert np.allclose(known.covariance, 0.01 * np.linalg.inv(X.T @ X))


def test_a_direction_without_effect_is_named_with_its_parameters():
    found = product_fit()
    slope = found.theta[1] / found.theta[0]
    sign, size = ("-", f"{slope:.3g}") if slope > 1 else ("-", f"{1 / slope:.3g}")
    first, second = ("right", "left") if slope > 1 else ("left", "right")
    assert found.directions[0] in (
        f"{first} {sign} {1 / float(size):.3g} {second}", f"{first} - {1 / slope:.3g} {second}",
    )  # fmt: skip
    assert found.directions == found.identifiability().undetermined
    assert found.freedom == 7  # two numbers are determined by nine


def test_more_parameters_than_numbers_are_not_determined_however_many():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((4, 3))
    network = rm.Affine(rng.standard_normal((9, 3)), np.zeros(9)) >> rm.Tanh(9)
    network = network >> rm.Affine(rng.standard_normal((1, 9)), np.zeros(1))
    found = fit(network, {"u": u, "y": u[:, :1]}, progress=QUIET)
    assert "not determined by the data" in repr(found).splitlines()[0]
    assert found.freedom == 0


@given(rngs, st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=10, deadline=None)
def test_the_profile_of_a_linear_map_is_its_confidence_interval(rng, level):
    inputs, X = line_data(rng)
    y = X @ [1.0, -2.0, 0.5] + rng.standard_normal(len(X))
    found = fit(Line(), {**inputs, "y": y}, progress=QUIET)
    profile = found.profile("b", level)
    assert np.allclose((profile.lower, profile.upper), found.intervals(level)["b"], rtol=1e-5)
    assert profile.is_identified
    away = (profile.values - found.theta[1]) / found.deviations[1]
    assert np.allclose(profile.deviances, away**2, rtol=1e-6, atol=1e-8)
    assert profile.threshold == pytest.approx(f.ppf(level, 1, len(y) - 3))


@given(rngs, st.booleans())
@settings(max_examples=8, deadline=None)
def test_the_ends_of_a_profile_are_where_the_best_fit_reaches_the_threshold(rng, absolute):
    sigma = 0.2
    y = decay(T, 3.0, 0.7) + sigma * rng.standard_normal(25)
    found = fit(Decay(), {"t": T, "y": y}, sigma=sigma, absolute=absolute, progress=QUIET)

    def least(rate):
        shape = np.exp(-rate * T)
        return np.sum((y - shape * (shape @ y) / (shape @ shape)) ** 2) / sigma**2

    unit = 1.0 if absolute else found.residual_sum / found.freedom
    threshold = (chi2.ppf(0.95, 1) if absolute else f.ppf(0.95, 1, 23)) * unit
    over = lambda rate: least(rate) - found.residual_sum - threshold  # noqa: E731
    profile = found.profile("rate")
    assert profile.lower == pytest.approx(brentq(over, 1e-6, found.theta[1]), rel=1e-6)
    assert profile.upper == pytest.approx(brentq(over, found.theta[1], 5.0), rel=1e-6)
    for rate, deviance in zip(profile.values, profile.deviances, strict=True):
        assert deviance == pytest.approx((least(rate) - found.residual_sum) / unit, abs=1e-6)


def test_a_profile_ends_at_a_bound_and_says_so():
    data, _ = decay_data(np.random.default_rng(0))
    found = fit(
        Decay(), data, sigma=100.0, absolute=True, bounds={"rate": (0.5, 2.0)}, progress=QUIET
    )
    profile = found.profile("rate")
    assert (profile.lower, profile.upper) == (-np.inf, np.inf)
    assert not profile.is_identified
    assert "bound 0.5" in profile.endings[0]
    assert "not identified to both sides" in repr(profile).splitlines()[0]
    assert (profile.values >= 0.5).all()
    assert (profile.values <= 2.0).all()


def test_a_profile_of_what_has_no_effect_is_flat():
    profile = product_fit().profile("right")
    assert not profile.is_identified
    assert max(np.abs(profile.deviances)) < profile.threshold
    offset = product_fit().profile("offset")
    assert offset.is_identified


def test_a_profile_goes_on_where_the_map_is_not_defined():
    class Root(rm.StaticMap):
        inputs, outputs = rm.space("x"), rm.space("y")
        parameters = {"shift": 1.0}

        def map(self, u, p):
            return {"y": np.sqrt(u.x + p.shift)}

    x = np.linspace(0.0, 2.0, 12)
    y = np.sqrt(x + 0.05) + 0.2 * np.cos(7 * x)
    profile = fit(Root(), {"x": x, "y": y}, progress=QUIET).profile("shift")
    assert profile.upper < np.inf
    assert profile.lower >= 0.0 or "no fit was found beyond" in profile.endings[0]


def test_a_profile_with_a_prior_keeps_it():
    known = product_fit(sigma=0.1, absolute=True, prior={"left": NormalPrior(2.0, 0.1)})
    profile = known.profile("left")
    reach = 0.1 * np.sqrt(chi2.ppf(0.95, 1))
    assert np.allclose([profile.lower, profile.upper], [2.0 - reach, 2.0 + reach], rtol=1e-6)


def test_what_cannot_be_profiled_is_refused():
    data, _ = decay_data(np.random.default_rng(0))
    found = fit(Decay(), data, fixed="rate", progress=QUIET)
    with pytest.raises(SignatureError, match="is fixed"):
        found.profile("rate")
    with pytest.raises(SignatureError, match="did you mean 'amount'"):
        found.profile("amont")
    with pytest.raises(DomainError, match="between 0 and 1"):
        found.profile("amount", 95.0)
    u = np.random.default_rng(0).standard_normal((9, 2))
    flat = fit(rm.Affine(np.zeros((1, 2))), {"u": u, "y": u[:, :1] + 0.1 * u[:, 1:] ** 2},
               progress=QUIET)  # fmt: skip
    with pytest.raises(SignatureError, match=r"W\[0,0\]"):
        flat.profile("W")
    assert flat.profile("W[0,1]").is_identified


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_predictions_are_those_of_linear_regression(rng):
    sm = pytest.importorskip("statsmodels.api", reason="needs statsmodels")
    inputs, X = line_data(rng)
    y = X @ [1.0, -2.0, 0.5] + rng.standard_normal(len(X))
    found = fit(Line(), {**inputs, "y": y}, progress=QUIET)
    new = rng.standard_normal((7, 2))
    slow = sm.OLS(y, X).fit().get_prediction(np.column_stack([np.ones(7), new]))
    frame = slow.summary_frame(alpha=0.1)
    shown = found.predict(new, 0.9)
    assert np.allclose(shown.mean[:, 0], frame["mean"])
    assert np.allclose(shown.deviations[:, 0], frame["mean_se"])
    assert np.allclose(shown.lower[:, 0], frame["mean_ci_lower"])
    reach = shown.quantile * shown.measurement_deviations[:, 0]
    assert np.allclose(shown.mean[:, 0] + reach, frame["obs_ci_upper"])
    by_name = found.predict({"x": new[:, 0], "z": new[:, 1]})
    assert np.array_equal(by_name.mean, shown.mean)


@pytest.mark.parametrize(("loss", "mean"), [
    (BernoulliLoss(), lambda eta: 1 / (1 + np.exp(-eta))), (PoissonLoss(), np.exp),
])  # fmt: skip
def test_predictions_of_likelihoods_are_of_the_mean(loss, mean):
    rng = np.random.default_rng(0)
    inputs, X = line_data(rng, 80)
    y = (rng.random(80) < 0.5) * 1.0
    found = fit(Line(), {**inputs, "y": y}, loss, progress=QUIET)
    shown, h = found.predict(X[:5, 1:]), 1e-6
    slopes = np.stack([
        (mean(X[:5] @ (found.theta + h * e)) - mean(X[:5] @ (found.theta - h * e))) / (2 * h)
        for e in np.eye(3)
    ], 1)  # fmt: skip
    variance = np.einsum("bp,pr,br->b", slopes, found.covariance, slopes)
    assert np.allclose(shown.mean[:, 0], mean(X[:5] @ found.theta))
    assert np.allclose(shown.deviations[:, 0] ** 2, variance, rtol=1e-6)


def test_a_prediction_is_known_where_what_is_not_known_has_no_part_in_it():
    found = product_fit()
    x = np.arange(9.0)
    shown = found.predict({"x": x})
    X = np.column_stack([x, np.ones(9)])
    slow = found.dispersion * np.einsum("bi,ij,bj->b", X, np.linalg.inv(X.T @ X), X)
    assert np.allclose(shown.deviations[:, 0] ** 2, slow)
    short = fit(Line(), {"x": [1.0, 2, 3], "z": [0.0, 0, 0], "y": [1.0, 2, 3.1]}, progress=QUIET)
    ahead = short.predict({"x": [1.0, 1.0], "z": [0.0, 1.0]})
    assert np.isfinite(ahead.deviations[0]).all()
    assert np.isinf(ahead.deviations[1]).all()


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_identifiability_is_the_spectrum_of_the_relative_covariance(rng):
    data, sigma = decay_data(rng)
    found = fit(Decay(), data, sigma=sigma, progress=QUIET)
    known = found.identifiability()
    relative = found.covariance / np.outer(found.theta, found.theta)
    assert np.allclose(known.spreads**2, np.linalg.eigvalsh(relative), rtol=1e-6)
    assert known.undetermined == known.vague == ()
    assert np.allclose(known.directions @ known.directions.T, np.eye(2), atol=1e-12)


def test_correlations_are_those_of_the_covariance():
    data, sigma = decay_data(np.random.default_rng(0))
    found = fit(Decay(), data, sigma=sigma, progress=QUIET)
    r = found.covariance[0, 1] / np.prod(found.deviations)
    assert np.allclose(found.correlations, [[1.0, r], [r, 1.0]])


def test_everything_is_drawn(tmp_path):
    rng = np.random.default_rng(0)
    left = decay(T, 3.0, 0.7)
    data = {"t": T, "y": left + 0.1 * rng.standard_normal(25), "z": 3 - left}
    data["z"][4] = np.nan
    found = fit(Pair(), data, sigma={"y": 0.1, "z": 0.2}, missing="z", progress=QUIET)
    figures = (
        found.plot(), found.profile("rate").plot(), found.predict({"t": T}).plot(),
        found.identifiability().plot(), product_fit().identifiability().plot(),
        product_fit().profile("left").plot(), product_fit().predict({"x": [1.0]}).plot(),
    )  # fmt: skip
    for i, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{i}.png")


def test_a_robust_profile_is_as_wide_as_its_covariance_says():
    rng = np.random.default_rng(3)
    inputs, X = line_data(rng, 200)
    y = X @ [1.0, -2.0, 0.5] + 0.3 * rng.standard_t(2, 200)
    found = fit(Line(), {**inputs, "y": y}, HuberLoss(0.4), progress=QUIET)
    profile = found.profile("b")
    assert np.allclose((profile.lower, profile.upper), found.intervals()["b"], rtol=0.02)


def test_the_profile_of_a_fit_that_has_not_arrived_tells_of_a_better_one():
    data, sigma = decay_data(np.random.default_rng(0))
    short = fit(Decay(), data, sigma=sigma, schedule=FullBatch(2), progress=QUIET)
    assert not short.outcome.is_settled
    profile = short.profile("rate")
    assert profile.improvement > 0.0
    assert "better fit found" in repr(profile)
