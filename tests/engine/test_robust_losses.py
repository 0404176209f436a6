"""Robust losses against SciPy's least_squares, statsmodels' M-estimators and scipy.stats."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.stats import t as student

from riemannian_modules.engine import (
    CauchyLoss,
    HuberLoss,
    NoProgress,
    SoftL1Loss,
    StudentLoss,
    fit,
    ridge,
)
from riemannian_modules.errors import DomainError, UnsupportedError
from tests.engine.test_fit_measurements import Decay, Line, T, decay, line_data
from tests.strategies import rngs

QUIET = NoProgress()
SCIPY = {"huber": HuberLoss, "soft_l1": SoftL1Loss, "cauchy": CauchyLoss}
ALL = [HuberLoss(0.7), SoftL1Loss(0.4), CauchyLoss(1.3), StudentLoss(0.6, 3.0)]


def outliers(rng):
    y = decay(T, 3.0, 0.7) + 0.05 * rng.standard_normal(25)
    y[rng.choice(25, 4, replace=False)] += rng.uniform(-2, 2, 4)
    return {"t": T, "y": y}


@pytest.mark.parametrize("name", SCIPY)
@given(rngs, st.booleans())
@settings(max_examples=15, deadline=None)
def test_robust_fits_are_those_of_scipy(name, rng, is_weighed):
    data = outliers(rng)
    sigma = rng.uniform(0.5, 2.0, 25) if is_weighed else np.ones(25)
    found = fit(
        Decay(), data, SCIPY[name](0.1), sigma=sigma if is_weighed else None, progress=QUIET
    )
    # Of several minima, that near ours.
    slow = least_squares(
        lambda p: (decay(T, *p) - data["y"]) / sigma, found.theta, loss=name, f_scale=0.1,
        xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    assert found.outcome.is_settled
    assert found.loss <= slow.cost * (1 + 1e-10)
    assert np.allclose(found.theta, slow.x, atol=1e-5)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
@given(rngs)
@settings(max_examples=20)
def test_gradients_and_curvatures_are_derivatives_of_the_value(loss, rng):
    y, t, h = rng.standard_normal((2, 6, 1)) * 2.0, np.zeros((6, 1)), 1e-5
    y = y.reshape(-1, 1)
    t = np.zeros_like(y)
    slope = (loss.terms(y + h, t) - loss.terms(y - h, t)) / (2 * h)
    bend = (loss.gradient(y + h, t) - loss.gradient(y - h, t)) / (2 * h)
    assert np.allclose(loss.gradient(y, t), slope, atol=1e-8)
    curvature = loss.scaled_shape(y, t)[2]
    far = np.abs(np.abs(y) - loss.scale) > 2 * h  # from Huber's kink
    assert np.allclose(curvature[far], bend[far], atol=1e-8)
    metric = loss.factor(y, t)[..., 0, 0] ** 2
    assert (metric > 0.0).all()
    assert (metric >= curvature[..., 0] * (1 - 1e-12)).all()
    assert loss.value(y, t) == pytest.approx(loss.terms(y, t).sum())


def test_squares_are_the_limit_of_wide_losses():
    y, t = np.array([[0.3], [-1.0]]), np.zeros((2, 1))
    for wide in (HuberLoss(1e6), SoftL1Loss(1e6), CauchyLoss(1e6)):
        assert wide.value(y, t) == pytest.approx(0.5 * 1.09, rel=1e-9)


@given(rngs)
@settings(max_examples=15, deadline=None)
def test_the_covariance_is_that_of_an_m_estimator(rng):
    sm = pytest.importorskip("statsmodels.api", reason="needs statsmodels")
    inputs, X = line_data(rng)
    y = X @ [1.0, -2.0, 0.5] + 0.3 * rng.standard_t(2, len(X))
    slow = sm.RLM(y, X, M=sm.robust.norms.HuberT(1.345)).fit(cov="H1", tol=1e-14, maxiter=500)
    found = fit(Line(), {**inputs, "y": y}, HuberLoss(1.345 * slow.scale), progress=QUIET)
    assert np.allclose(found.theta, slow.params, atol=1e-6)
    assert np.allclose(found.covariance, slow.cov_params(), rtol=1e-5)


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_student_is_the_likelihood_of_its_noise(rng):
    inputs, X = line_data(rng, 60)
    y = X @ [1.0, -2.0, 0.5] + 0.3 * rng.standard_t(3, 60)
    found = fit(Line(), {**inputs, "y": y}, StudentLoss(0.3, 3.0), progress=QUIET)
    likelihood = student(3.0, scale=0.3).logpdf(y - X @ found.theta).sum()
    assert found.log_likelihood == pytest.approx(likelihood, rel=1e-10)
    assert found.aic == pytest.approx(6.0 - 2.0 * likelihood, rel=1e-10)
    information = 4.0 / 6.0 / 0.3**2 * X.T @ X
    assert np.allclose(found.covariance, np.linalg.inv(information), rtol=1e-9)
    sigma = np.full(60, 0.3)
    same = fit(Line(), {**inputs, "y": y}, StudentLoss(1.0, 3.0), sigma=sigma, progress=QUIET)
    assert np.allclose(same.theta, found.theta, atol=1e-7)
    assert same.log_likelihood == pytest.approx(likelihood, rel=1e-10)
    assert np.allclose(same.covariance, found.covariance, rtol=1e-9)


@given(rngs)
@settings(max_examples=5, deadline=None)
def test_outliers_do_not_move_a_robust_fit_far(rng):
    data = outliers(rng)
    for loss in (HuberLoss(0.1), CauchyLoss(0.1), StudentLoss(0.05, 2.0)):
        found = fit(Decay(), data, loss, progress=QUIET)
        assert np.abs(found.theta - [3.0, 0.7]).max() <= 8 * found.deviations.max() + 0.1


def test_a_robust_loss_takes_a_prior_and_missing_values():
    data = outliers(np.random.default_rng(1))
    data["y"][3] = np.nan
    found = fit(Decay(), data, HuberLoss(0.1), missing="y", prior=ridge(1e-9), progress=QUIET)
    kept = np.isfinite(data["y"])
    plain = fit(Decay(), {n: v[kept] for n, v in data.items()}, HuberLoss(0.1), progress=QUIET)
    assert np.allclose(found.theta, plain.theta, rtol=1e-6)
    assert np.allclose(found.covariance, plain.covariance, rtol=1e-6)


def test_what_is_no_likelihood_has_no_criterion():
    found = fit(Decay(), outliers(np.random.default_rng(0)), HuberLoss(0.1), progress=QUIET)
    with pytest.raises(UnsupportedError, match="StudentLoss"):
        _ = found.aic
    for make in (HuberLoss, SoftL1Loss, CauchyLoss, StudentLoss):
        with pytest.raises(DomainError, match="positive"):
            make(0.0)
