"""Priors give the mode and the curvature of data times prior; ridge is least squares with rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import laplace, lognorm, norm

import riemannian_modules as rm
from riemannian_modules.engine import (
    BernoulliLoss,
    GaussianLoss,
    LaplacePrior,
    LogNormalPrior,
    NoProgress,
    NormalPrior,
    UniformPrior,
    fit,
    ridge,
)
from riemannian_modules.errors import DomainError
from tests.engine.test_fit_measurements import Decay, Line, T, decay, decay_data, line_data
from tests.strategies import rngs

QUIET = NoProgress()


@given(rngs, st.floats(0.01, 100.0))
@settings(max_examples=20, deadline=None)
def test_ridge_is_least_squares_with_a_row_for_each_parameter(rng, strength):
    inputs, X = line_data(rng)
    y = X @ [1.0, -2.0, 0.5] + rng.standard_normal(len(X))
    found = fit(Line(), {**inputs, "y": y}, prior=ridge(strength), progress=QUIET)
    rows = np.vstack([X, np.sqrt(strength) * np.eye(3)])
    theta, squares, *_ = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(3)]))
    assert np.allclose(found.theta, theta, rtol=1e-9, atol=1e-9)
    assert found.loss == pytest.approx(0.5 * squares[0], rel=1e-12)
    # The prior determines a part of the parameters, the data the rest (the trace of the hat).
    inverse = np.linalg.inv(rows.T @ rows)
    freedom = len(X) - np.trace(X @ inverse @ X.T)
    assert found.freedom == pytest.approx(freedom, rel=1e-9)
    covariance = np.sum((X @ theta - y) ** 2) / freedom * inverse
    assert np.allclose(found.covariance, covariance, rtol=1e-8)
    known = fit(Line(), {**inputs, "y": y}, prior=ridge(strength), absolute=True, progress=QUIET)
    assert np.allclose(known.covariance, np.linalg.inv(rows.T @ rows), rtol=1e-9)


@given(rngs)
@settings(max_examples=15, deadline=None)
def test_a_prior_of_one_parameter_is_one_more_measurement_of_it(rng):
    data, sigma = decay_data(rng)
    mean, deviation = 0.7 + 0.1 * rng.standard_normal(), 10.0 ** rng.uniform(-3, 0)
    found = fit(
        Decay(), data, sigma=sigma, absolute=True, progress=QUIET,
        prior={"rate": NormalPrior(mean, deviation)},
    )  # fmt: skip

    class More(rm.StaticMap):
        inputs, outputs = rm.space("t is_rate"), rm.space("y")
        parameters = {"amount": 1.0, "rate": 1.0}

        def map(self, u, p):
            model = p.amount * np.exp(-p.rate * u.t)
            return {"y": u.is_rate * p.rate + (1.0 - u.is_rate) * model}

    more = {
        "t": np.append(T, 0.0), "is_rate": np.append(0 * T, 1.0), "y": np.append(data["y"], mean),
    }  # fmt: skip
    slow = fit(More(), more, sigma=np.append(sigma, deviation), absolute=True, progress=QUIET)
    assert np.abs((found.theta - slow.theta) / slow.deviations).max() <= 1e-7
    assert np.allclose(found.covariance, slow.covariance, rtol=1e-6)
    assert found.loss == pytest.approx(slow.loss, rel=1e-10)


PRIORS = {
    "normal": (NormalPrior(0.9, 0.02), norm(0.9, 0.02)),
    "lognormal": (LogNormalPrior(0.9, 0.03), lognorm(0.03, scale=0.9)),
    "laplace": (LaplacePrior(0.9, 0.01), laplace(0.9, 0.01)),
}


@pytest.mark.parametrize("name", PRIORS)
@given(rngs)
@settings(max_examples=10, deadline=None)
def test_the_estimate_is_the_mode_of_data_times_prior(name, rng):
    prior, density = PRIORS[name]
    y = decay(T, 3.0, 0.7) + 0.1 * rng.standard_normal(25)
    data = {"t": T, "y": y}
    found = fit(
        Decay(rate=0.8), data, sigma=0.1, absolute=True, prior={"rate": prior}, progress=QUIET
    )

    def cost(theta):
        return 0.5 * np.sum(((decay(T, *theta) - y) / 0.1) ** 2) - density.logpdf(theta[1])

    slow = minimize(
        cost, found.theta * 1.01, method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000},
    )  # fmt: skip
    assert cost(found.theta) <= slow.fun + 1e-9 * abs(slow.fun)
    assert np.allclose(found.theta, slow.x, rtol=1e-5)
    assert found.outcome.is_settled


@given(rngs, st.floats(0.02, 2.0))
@settings(max_examples=15, deadline=None)
def test_laplace_priors_are_the_lasso(rng, scale):
    """The conditions of Karush, Kuhn and Tucker: a pull of 1 / scale, or less where it is held."""
    inputs, X = line_data(rng)
    y = X @ [0.0, -2.0, 0.1] + rng.standard_normal(len(X))
    start = Line(a=0.3, b=0.0, c=-0.3)
    found = fit(start, {**inputs, "y": y}, prior=LaplacePrior(0.0, scale), progress=QUIET)
    gradient, theta = X.T @ (X @ found.theta - y), found.theta
    assert found.outcome.is_settled
    moved = theta != 0.0
    assert np.abs(gradient[moved] + np.sign(theta[moved]) / scale).max(initial=0.0) <= 1e-6
    assert (np.abs(gradient[~moved]) <= (1.0 + 1e-9) / scale).all()
    assert found.held == tuple(n for n, m in zip("abc", moved, strict=True) if not m)


def test_a_uniform_prior_is_a_bound():
    data, sigma = decay_data(np.random.default_rng(0))
    start = Decay(rate=0.95)
    prior = fit(start, data, sigma=sigma, prior={"rate": UniformPrior(0.9, 1.0)}, progress=QUIET)
    bound = fit(start, data, sigma=sigma, bounds={"rate": (0.9, 1.0)}, progress=QUIET)
    assert np.array_equal(prior.theta, bound.theta)
    assert prior.held == ("rate",)


def test_a_prior_settles_what_data_leave_open():
    class Product(rm.StaticMap):
        inputs, outputs = rm.space("x"), rm.space("y")
        parameters = {"left": 1.0, "right": 2.0}

        def map(self, u, p):
            return {"y": p.left * p.right * u.x}

    x = np.arange(9.0)
    data = {"x": x, "y": 6 * x + 0.1 * np.cos(9 * x)}
    assert not fit(Product(), data, progress=QUIET).is_determined
    known = fit(
        Product(), data, sigma=0.1, absolute=True, prior={"left": NormalPrior(2.0, 0.1)},
        progress=QUIET,
    )  # fmt: skip
    assert known.is_determined
    assert known.theta[0] == pytest.approx(2.0)
    assert known.deviations[0] == pytest.approx(0.1, rel=1e-6)


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_priors_stand_beside_likelihoods_and_unknown_noise(rng):
    inputs, X = line_data(rng, 60)
    y = (rng.random(60) < 1 / (1 + np.exp(-X @ [0.3, 2.0, -0.5]))) * 1.0
    found = fit(Line(), {**inputs, "y": y}, BernoulliLoss(), prior=ridge(0.5), progress=QUIET)
    p = 1 / (1 + np.exp(-X @ found.theta))
    assert np.abs(X.T @ (p - y) + 0.5 * found.theta).max() <= 1e-6
    information = X.T @ ((p * (1 - p))[:, None] * X) + 0.5 * np.eye(3)
    assert np.allclose(found.covariance, np.linalg.inv(information), rtol=1e-7)
    z = X @ [1.0, 2.0, 3.0] + 0.2 * rng.standard_normal(60)
    prior = {"c": NormalPrior(2.0, 0.01)}
    noisy = fit(Line(), {**inputs, "y": z}, GaussianLoss(), prior=prior, progress=QUIET)
    residual = X @ noisy.theta - z
    gradient = X.T @ residual / np.mean(residual**2) + [0, 0, (noisy.theta[2] - 2.0) / 0.01**2]
    assert np.abs(gradient * noisy.deviations).max() <= 1e-6


def test_a_prior_of_an_entry_overrules_that_of_its_array():
    u = np.random.default_rng(0).standard_normal((20, 2))
    prior = {"W[0,1]": NormalPrior(5.0, 1e-6), "W": NormalPrior(0.0, 1e-6)}
    module = rm.Affine(np.zeros((1, 2)), np.zeros(1))
    found = fit(module, {"u": u, "y": u[:, :1]}, prior=prior, absolute=True, progress=QUIET)
    assert np.allclose(found.theta[:2], [0.0, 5.0], atol=1e-4)


def test_a_prior_of_a_fixed_parameter_says_nothing():
    data, sigma = decay_data(np.random.default_rng(0))
    with_prior = fit(
        Decay(), data, sigma=sigma, fixed={"rate": 0.8}, prior={"rate": NormalPrior(3.0, 0.01)},
        progress=QUIET,
    )  # fmt: skip
    without = fit(Decay(), data, sigma=sigma, fixed={"rate": 0.8}, progress=QUIET)
    assert np.allclose(with_prior.theta, without.theta, rtol=1e-12)
    assert with_prior.freedom == without.freedom


def test_bad_priors_are_refused():
    for make in (
        lambda: NormalPrior(0.0, 0.0), lambda: LogNormalPrior(-1.0, 1.0),
        lambda: UniformPrior(1.0, 1.0), lambda: LaplacePrior(0.0, np.inf), lambda: ridge(0.0),
    ):  # fmt: skip
        with pytest.raises(DomainError):
            make()
    data, _ = decay_data(np.random.default_rng(0))
    with pytest.raises(DomainError, match="inside the bounds"):
        fit(Decay(rate=-1.0), data, prior={"rate": LogNormalPrior(1.0, 1.0)}, progress=QUIET)
    with pytest.raises(DomainError, match="which their priors allow"):
        fit(Decay(rate=0.0), data, prior={"rate": LogNormalPrior(1.0, 1.0)}, progress=QUIET)
