"""Errors, weights, missing values, fixed parameters, tolerances: against SciPy and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

import riemannian_modules as rm
from riemannian_modules.engine import (
    BernoulliLoss,
    CategoricalLoss,
    FullBatch,
    GaussianLoss,
    HuberLoss,
    MiniBatches,
    NoProgress,
    Outcome,
    PoissonLoss,
    Tolerances,
    dataset,
    fit,
    one_hot,
    paired_dataset,
)
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from tests.strategies import rngs

QUIET = NoProgress()
T = np.linspace(0.0, 4.0, 25)


class Line(rm.StaticMap):
    inputs, outputs = rm.space("x z"), rm.space("y")
    parameters = {"a": 0.0, "b": 0.0, "c": 0.0}

    def map(self, u, p):
        return {"y": p.a + p.b * u.x + p.c * u.z}


class Decay(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"amount": 1.0, "rate": 1.0}

    def map(self, u, p):
        return {"y": p.amount * np.exp(-p.rate * u.t)}


class Pair(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y z")
    parameters = {"amount": 1.0, "rate": 1.0}

    def map(self, u, p):
        left = p.amount * np.exp(-p.rate * u.t)
        return {"y": left, "z": p.amount - left}


def decay(t, amount, rate):
    return amount * np.exp(-rate * t)


def decay_data(rng):
    sigma = 10.0 ** rng.uniform(-3, -1, len(T))
    return {"t": T, "y": decay(T, 3.0, 0.7) + sigma * rng.standard_normal(len(T))}, sigma


def line_data(rng, n=40):
    x, z = rng.standard_normal((2, n))
    X = np.column_stack([np.ones(n), x, z])
    return {"x": x, "z": z}, X


def tight(t, y, sigma, is_absolute):
    """curve_fit as accurate as it goes."""
    return curve_fit(
        decay, t, y, [3.0, 0.7], sigma, is_absolute, ftol=1e-15, xtol=1e-15, gtol=1e-15,
        jac=lambda t, a, k: np.column_stack([np.exp(-k * t), -a * t * np.exp(-k * t)]),
    )  # fmt: skip


@given(rngs, st.booleans(), st.booleans())
@settings(max_examples=20, deadline=None)
def test_sigma_and_absolute_are_those_of_curve_fit(rng, absolute, is_given):
    data, sigma = decay_data(rng)
    sigma = sigma if is_given else None
    theta, covariance = tight(data["t"], data["y"], sigma, absolute)
    found = fit(Decay(), data, sigma=sigma, absolute=absolute, progress=QUIET)
    assert found.outcome.is_settled
    # Squares that differ by a rounding are equal to lm, which is the root of it in theta.
    assert np.abs((found.theta - theta) / found.deviations).max() <= 1e-6
    assert np.allclose(found.covariance, covariance, rtol=1e-6)


@given(rngs)
@settings(max_examples=20, deadline=None)
def test_weights_are_those_of_weighted_least_squares(rng):
    sm = pytest.importorskip("statsmodels.api", reason="needs statsmodels")
    inputs, X = line_data(rng)
    weights = rng.uniform(0.1, 3.0, len(X))
    y = X @ [1.0, -2.0, 0.5] + rng.standard_normal(len(X))
    slow = sm.WLS(y, X, weights=weights).fit()
    found = fit(Line(), {**inputs, "y": y}, weights={"y": weights}, progress=QUIET)
    same = fit(Line(), {**inputs, "y": y}, sigma=weights**-0.5, progress=QUIET)
    assert np.allclose(found.theta, slow.params, rtol=1e-9, atol=1e-9)
    assert np.allclose(found.covariance, slow.cov_params(), rtol=1e-9)
    assert np.allclose(same.covariance, found.covariance, rtol=1e-12)
    assert found.freedom == slow.df_resid
    assert found.log_likelihood == pytest.approx(slow.llf, rel=1e-12)
    # statsmodels does not count the size of the noise, which is estimated too.
    assert found.aic == pytest.approx(slow.aic + 2.0, rel=1e-12)
    assert found.bic == pytest.approx(slow.bic + np.log(len(y)), rel=1e-12)
    ends = np.array([*found.intervals(0.9).values()])
    assert np.allclose(ends, slow.conf_int(0.1), rtol=1e-8, atol=1e-9)


GLM = {
    "counts": (lambda rng, eta: rng.poisson(np.exp(eta)) * 1.0, PoissonLoss, "Poisson"),
    "outcomes": (lambda rng, eta: (rng.random(len(eta)) < 0.5) * 1.0, BernoulliLoss, "Binomial"),
}


@pytest.mark.parametrize("kind", GLM)
@given(rngs)
@settings(max_examples=10, deadline=None)
def test_weights_of_a_likelihood_count_its_terms(kind, rng):
    sm = pytest.importorskip("statsmodels.api", reason="needs statsmodels")
    draw, loss, family = GLM[kind]
    inputs, X = line_data(rng, 80)
    counts = rng.integers(0, 4, len(X)) * 1.0
    y = draw(rng, X @ [0.3, 0.4, -0.2])
    slow = sm.GLM(y, X, getattr(sm.families, family)(), freq_weights=counts).fit(tol=1e-14)
    found = fit(Line(), {**inputs, "y": y}, loss(), weights=counts, progress=QUIET)
    repeated = {name: np.repeat(v, counts.astype(int)) for name, v in {**inputs, "y": y}.items()}
    again = fit(Line(), repeated, loss(), progress=QUIET)
    assert np.allclose(found.theta, slow.params, atol=1e-7)
    assert np.allclose(found.covariance, slow.cov_params(), rtol=1e-6)
    assert found.log_likelihood == pytest.approx(slow.llf, rel=1e-10)
    assert found.loss == pytest.approx(again.loss, rel=1e-12)
    assert np.allclose(found.covariance, again.covariance, rtol=1e-6)


@given(rngs, st.integers(1, 12))
@settings(max_examples=15, deadline=None)
def test_what_is_missing_is_as_if_it_had_not_been_measured(rng, count):
    left = decay(T, 3.0, 0.7)
    y, z = left + 0.1 * rng.standard_normal(25), 3.0 - left + 0.1 * rng.standard_normal(25)
    gone = rng.choice(25, count, replace=False)
    z[gone] = np.nan
    kept = np.setdiff1d(np.arange(25), gone)
    found = fit(Pair(), {"t": T, "y": y, "z": z}, missing="z", progress=QUIET)
    t, targets = np.concatenate([T, T[kept]]), np.concatenate([y, z[kept]])
    is_left = np.arange(len(t)) < 25

    def both(t, amount, rate):
        left = decay(t, amount, rate)
        return np.where(is_left, left, amount - left)

    theta, covariance = curve_fit(both, t, targets, [3, 0.7], xtol=1e-14, ftol=1e-14)
    assert np.allclose(found.theta, theta, rtol=1e-6)
    assert np.allclose(found.covariance, covariance, rtol=1e-4)  # by finite differences there
    assert found.freedom == 50 - count - 2
    assert f"missing: {count} of 50 values" in repr(found)
    marks = {"z": np.isnan(z)}
    same = fit(Pair(), {"t": T, "y": y, "z": z}, missing=marks, progress=QUIET)
    assert np.array_equal(same.theta, found.theta)


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_gaussian_noise_is_that_of_what_was_measured_of_each_output(rng):
    left = decay(T, 3.0, 0.7)
    y, z = left + 0.01 * rng.standard_normal(25), 3.0 - left + 0.3 * rng.standard_normal(25)
    z[::3] = np.nan
    found = fit(Pair(), {"t": T, "y": y, "z": z}, GaussianLoss(), missing="z", progress=QUIET)

    def value(theta):
        left = decay(T, *theta)
        squares = (np.mean((y - left) ** 2), np.nanmean((z - theta[0] + left) ** 2))
        ns = (25, np.isfinite(z).sum())
        return sum(0.5 * n * (np.log(2 * np.pi * s) + 1) for n, s in zip(ns, squares, strict=True))

    assert found.loss == pytest.approx(value(found.theta), rel=1e-12)
    assert found.log_likelihood == pytest.approx(-found.loss, rel=1e-12)
    for step in 1e-4 * np.eye(2):
        assert value(found.theta + step) > found.loss < value(found.theta - step)


def test_missing_values_are_never_left_out_in_silence():
    data, _ = decay_data(np.random.default_rng(0))
    data["y"][3] = np.nan
    with pytest.raises(DomainError, match=r"'y' holds NaN in 1 rows, first in row 3.*missing='y'"):
        fit(Decay(), data, progress=QUIET)
    with pytest.raises(DomainError, match="column 't' holds NaN"):
        fit(Decay(), {"t": data["y"], "y": T}, missing="y", progress=QUIET)
    with pytest.raises(SignatureError, match="unknown names"):
        fit(Decay(), data, missing="w", progress=QUIET)
    with pytest.raises(DomainError, match="finite"):
        fit(Decay(), {"t": T, "y": np.full(25, np.inf)}, missing="y", progress=QUIET)
    with pytest.raises(SignatureError, match="nothing was measured"):
        fit(Decay(), {"t": T, "y": T * np.nan}, missing="y", progress=QUIET)
    given_once = dataset(Decay(), data, missing="y")
    assert given_once.size == 24
    assert fit(Decay(), given_once, progress=QUIET).freedom == 22
    with pytest.raises(SignatureError, match="a Dataset says itself"):
        fit(Decay(), given_once, missing="y", progress=QUIET)
    pair = paired_dataset(Decay(), T[:, None], data["y"][:, None], missing="y")
    assert np.array_equal(pair.weights, given_once.weights)


def test_sigma_and_weights_come_in_every_form():
    left, n = decay(T, 3.0, 0.7), len(T)
    data = {"t": T, "y": left + 0.1 * np.cos(9 * T), "z": 3 - left + 0.1 * np.sin(5 * T)}
    sigma = np.stack([np.full(n, 0.1), np.linspace(0.1, 0.5, n)], 1)
    forms = (
        sigma, {"y": 0.1, "z": sigma[:, 1]}, {"y": np.full((n,), 0.1), "z": sigma[:, 1]},
    )  # fmt: skip
    found = [fit(Pair(), data, sigma=form, progress=QUIET) for form in forms]
    found.append(fit(Pair(), data, weights=sigma**-2.0, progress=QUIET))
    for one in found:
        assert np.allclose(one.covariance, found[0].covariance, rtol=1e-9)
    assert np.allclose(found[0].residual_sum, found[0].freedom * found[0].dispersion)
    assert np.allclose(found[0].data.deviations, sigma)
    found[0].plot()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sigma": 0.0}, DomainError, "positive, finite sigma"),
        ({"sigma": -1.0}, DomainError, "positive, finite sigma"),
        ({"sigma": np.nan}, DomainError, "positive, finite sigma"),
        ({"weights": -1.0}, DomainError, "at least 0"),
        ({"sigma": np.ones(24)}, SignatureError, r"25 for the samples"),
        ({"sigma": {"w": 1.0}}, SignatureError, "unknown names"),
        ({"sigma": {}}, DomainError, "'y' in row 0"),
        ({"sigma": 0.1, "loss": PoissonLoss()}, UnsupportedError, "knows the noise"),
        ({"absolute": True, "loss": HuberLoss()}, UnsupportedError, "takes it from the spread"),
        ({"absolute": True, "loss": GaussianLoss()}, UnsupportedError, "estimates the noise"),
        ({"fixed": "rat"}, SignatureError, "did you mean 'rate'"),
        ({"fixed": "rate amount"}, SignatureError, "no parameter is left"),
        ({"fixed": {"rate": np.inf}}, DomainError, "finite"),
        ({"fixed": {"rate": [1.0, 2.0]}}, SignatureError, "one number"),
        ({"fixed": {"rate": 7.0}, "bounds": {"rate": (0, 1)}}, DomainError, "inside the bounds"),
        ({"prior": {"rate": 1.0}}, SignatureError, "NormalPrior"),
        ({"tolerances": 1e-3}, SignatureError, "Tolerances"),
        ({"callback": 1}, SignatureError, "function of an Iteration"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, error, words):
    data = {"t": T, "y": decay(T, 3.0, 0.7).round(1)}
    with pytest.raises(error, match=words):
        fit(Decay(), data, progress=QUIET, **options)


def test_a_category_is_weighed_with_its_whole_sample():
    x = np.zeros(30)
    y = one_hot(np.arange(30) % 3, 3)

    class Classes(rm.StaticMap):
        inputs, outputs = rm.space("x"), rm.space(y=3)
        parameters = {"second": 0.0, "third": 0.0}

        def map(self, u, p):
            return {"y": np.stack([0 * u.x, p.second, p.third])}

    weights = np.where(np.arange(30) % 3 == 1, 2.0, 1.0)
    found = fit(Classes(), {"x": x, "y": y}, CategoricalLoss(), weights=weights, progress=QUIET)
    assert np.allclose(found.theta, [np.log(2.0), 0.0], atol=1e-8)
    with pytest.raises(DomainError, match="weighs samples"):
        fit(Classes(), {"x": x, "y": y}, CategoricalLoss(), weights=1 + y, progress=QUIET)
    y[4, 1] = np.nan
    with pytest.raises(DomainError, match="all of which are measured"):
        fit(Classes(), {"x": x, "y": y}, CategoricalLoss(), missing="y", progress=QUIET)
    y[4] = np.nan
    found = fit(Classes(), {"x": x, "y": y}, CategoricalLoss(), missing="y", progress=QUIET)
    assert np.allclose(found.theta, np.log([0.9, 1.0]), atol=1e-8)


def test_separated_data_are_found_among_what_was_measured():
    x = np.array([-2.0, -1, 1, 2, 0.5])[:, None]
    y = np.array([0.0, 0, 1, 1, 0])[:, None]
    weights = np.array([1.0, 1, 1, 2, 0])
    found = fit(
        rm.Affine([[0.0]], [0.0]), {"u": x, "y": y}, BernoulliLoss(), weights=weights,
        progress=QUIET,
    )  # fmt: skip
    assert found.outcome is Outcome.DIVERGES


@given(rngs, st.floats(0.1, 2.0))
@settings(max_examples=15, deadline=None)
def test_a_fixed_parameter_is_as_if_it_were_a_constant(rng, rate):
    data, sigma = decay_data(rng)
    found = fit(Decay(), data, sigma=sigma, fixed={"rate": rate}, progress=QUIET)
    shape, weights = np.exp(-rate * T), sigma**-2.0
    assert found.parameters["rate"] == rate
    assert (found.fixed, found.held) == (("rate",), ())
    amount = (weights * shape) @ data["y"] / ((weights * shape) @ shape)
    assert found.theta[0] == pytest.approx(amount, rel=1e-9)
    assert found.deviations[1] == 0.0
    assert found.freedom == len(T) - 1
    assert np.isnan(found.correlations[0, 1])
    again = fit(Decay(rate=rate), data, sigma=sigma, fixed="rate", progress=QUIET)
    assert again.theta[0] == pytest.approx(amount, rel=1e-9)


def test_an_entry_of_an_array_is_fixed_by_its_coordinate():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((30, 2))
    y = u @ [[2.0], [-1.0]] + 0.5
    module = rm.Affine(np.array([[0.0, 3.0]]), np.zeros(1))
    found = fit(module, {"u": u, "y": y}, fixed=["W[0,1]"], progress=QUIET)
    X = np.column_stack([u[:, 0], np.ones(30)])
    slow = np.linalg.lstsq(X, y[:, 0] - 3.0 * u[:, 1])[0]
    assert np.allclose(found.theta[[0, 2]], slow)
    assert found.theta[1] == 3.0


def test_a_callback_sees_every_iteration_and_stops_the_fit():
    data, _ = decay_data(np.random.default_rng(0))
    seen = []
    found = fit(
        Decay(), data, callback=lambda line: seen.append(line) or line.number == 2, progress=QUIET
    )
    assert found.outcome is Outcome.STOPPED
    assert not found.outcome.is_settled
    assert [line.number for line in seen] == [0, 1, 2]
    assert found.loss == pytest.approx(seen[-1].loss, rel=1e-12)  # the last step is kept
    whole = fit(Decay(), data, callback=lambda line: None, progress=QUIET)
    assert whole.outcome is Outcome.CONVERGED


def test_tolerances_stop_early_and_say_so():
    data, _ = decay_data(np.random.default_rng(0))
    whole = fit(Decay(), data, progress=QUIET)
    for tolerances in (Tolerances(loss=1e-3), Tolerances(offset=1e-2)):
        early = fit(Decay(), data, tolerances=tolerances, progress=QUIET)
        assert early.outcome is Outcome.WITHIN_TOLERANCES
        assert early.outcome.is_settled
        assert len(early.history) < len(whole.history)
        assert early.loss <= whole.loss * (1 + 1e-2)
    short = fit(Decay(), data, tolerances=Tolerances(evaluations=6), progress=QUIET)
    assert short.outcome is Outcome.OUT_OF_ITERATIONS
    few = fit(Decay(), data, schedule=FullBatch(1), progress=QUIET)
    assert few.outcome is Outcome.OUT_OF_ITERATIONS
    for wrong in ({"loss": -1.0}, {"offset": 1.0}, {"loss": np.nan}):
        with pytest.raises(DomainError):
            Tolerances(**wrong)


@given(rngs)
@settings(max_examples=3, deadline=None)
def test_mini_batches_take_their_samples_weights_along(rng):
    inputs, X = line_data(rng, 200)
    sigma = rng.uniform(0.05, 0.5, 200)
    y = X @ [1.0, -2.0, 0.5] + sigma * rng.standard_normal(200)
    y[::7] = np.nan
    said = {"sigma": sigma, "missing": "y", "progress": QUIET}
    full = fit(Line(), {**inputs, "y": y}, **said)
    some = fit(Line(), {**inputs, "y": y}, schedule=MiniBatches(40, 40), **said)
    assert (np.abs(some.theta - full.theta) <= full.deviations).all()
