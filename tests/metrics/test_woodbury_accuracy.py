"""Woodbury stays accurate as mu vanishes, measured against multiple precision."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics import (
    diagonal_metric,
    khatri_rao_factor,
    low_rank_metric,
    scaled_identity_metric,
)
from riemannian_modules.metrics.factor import DenseFactor
from riemannian_modules.metrics.ridge import DualRidge, PrimalRidge, ridge
from tests.strategies import rngs

EPS = np.finfo(float).eps
exponents = st.floats(-26.0, 3.0)  # below 1.3e-27 |U|^2, with |U|^2 <= 4 here, mu is refused


def exact_solve(M, b):
    """``M^{-1} b`` for mpmath matrices, in sixty digits."""
    return mpmath.lu_solve(M, b)


def exact_metric(mu, U, R=None):
    n = U.shape[0]
    exact_U = mpmath.matrix(U.tolist())
    base = mpmath.eye(n) if R is None else mpmath.diag([mpmath.mpf(float(w)) for w in R])
    return mpmath.mpf(float(mu)) * base + exact_U * exact_U.T


def column(v):
    return mpmath.matrix([[float(entry)] for entry in v])


def graded(rng, n, r, smallest):
    """A factor whose singular values fall from 1 to ``smallest``."""
    k = min(n, r)
    Q, _ = np.linalg.qr(rng.standard_normal((n, k)))
    V, _ = np.linalg.qr(rng.standard_normal((r, k)))
    return Q * np.geomspace(1.0, smallest, k) @ V.T


def backward_error(mu, U, b, x):
    """``|M x - b| / (|M| |x| + |b|)``, the residual in sixty digits."""
    with mpmath.workdps(60):
        residual = exact_metric(mu, U) * column(x) - column(b)
        norm_M = mu + np.linalg.norm(U, 2) ** 2
        return float(mpmath.norm(residual)) / (norm_M * np.linalg.norm(x) + np.linalg.norm(b))


@given(
    rngs,
    exponents,
    st.sampled_from([1.0, 1e-4, 1e-9, 1e-13, 1e-30]),
    st.sampled_from([1, 4, 11, 12, 15]),
)
def test_the_backward_error_is_a_few_roundings_for_every_mu(rng, exponent, smallest, r):
    mu, n = 10.0**exponent, 12
    U = graded(rng, n, r, smallest)
    metric = low_rank_metric(scaled_identity_metric(n), mu, U)
    for b in (rng.standard_normal(n), U @ rng.standard_normal(U.shape[1])):
        # Products with U round n + r times at most; 4 covers their constants.
        assert backward_error(mu, U, b, metric.solve(b)) <= 4 * (n + r) * EPS


@given(rngs, st.sampled_from([1e-16, 1e-18, 1e-20, 1e-22, 1e-24, 1e-26]))
def test_noise_below_the_root_of_mu_does_not_spoil_the_large_directions(rng, mu):
    # Singular values 1, 1e-10, 1e-20, 1e-30: a correction that answered to rounding along the last
    # would be as large as eps / mu. Columns of very different sizes keep their own accuracy.
    n, r = 12, 4
    U = graded(rng, n, r, 1e-30)
    B = np.stack((rng.standard_normal(n), U @ rng.standard_normal(r), 1e12 * U[:, 0]), axis=1)
    X = low_rank_metric(scaled_identity_metric(n), mu, U).solve(B)
    for b, x in zip(B.T, X.T, strict=True):
        assert backward_error(mu, U, b, x) <= 4 * (n + r) * EPS


@given(rngs)
def test_the_textbook_formula_is_far_off_where_ours_is_not(rng):
    mu, n, r = 1e-12, 30, 4
    U = rng.standard_normal((n, r))
    b = U @ rng.standard_normal(r)
    textbook = (b - U @ np.linalg.solve(mu * np.eye(r) + U.T @ U, U.T @ b)) / mu
    ours = low_rank_metric(scaled_identity_metric(n), mu, U).solve(b)
    assert backward_error(mu, U, b, textbook) >= 1e-8
    assert backward_error(mu, U, b, ours) <= 1e-14


@settings(max_examples=15)
@given(rngs, st.sampled_from([1.0, 1e-3, 1e-6]))
def test_natural_gradients_at_mu_1e_12_lose_the_digits_of_the_factor_alone(rng, smallest):
    # Of a gradient U z, mpmath is given z and not its rounded product: this is what is asked for.
    mu, n, r = 1e-12, 20, 5
    U, z = graded(rng, n, r, smallest), rng.standard_normal(r)
    got = low_rank_metric(scaled_identity_metric(n), mu, U).solve_factor(z)
    with mpmath.workdps(60):
        wanted = exact_solve(exact_metric(mu, U), mpmath.matrix(U.tolist()) * column(z))
        error = float(mpmath.norm(column(got) - wanted) / mpmath.norm(wanted))
    # The condition number of U multiplies the rounding, not its square, nor 1 / mu.
    assert error <= n * EPS / smallest


@settings(max_examples=15)
@given(rngs)
def test_solves_at_mu_1e_12_have_thirteen_digits_off_the_range(rng):
    # A right-hand side that does not lie in the range of U: x is b's part beside it, over mu.
    mu, n, r = 1e-12, 20, 5
    U, b = rng.standard_normal((n, r)), rng.standard_normal(n)
    w = rng.uniform(0.5, 2.0, n)
    got = low_rank_metric(diagonal_metric(w), mu, U).solve(b)
    with mpmath.workdps(60):
        wanted = exact_solve(exact_metric(mu, U, w), column(b))
        error = float(mpmath.norm(column(got) - wanted) / mpmath.norm(wanted))
    assert error <= 1e-13


@settings(max_examples=15)
@given(rngs, st.sampled_from([1.0, 1e-5, 1e-12, 1e-18]))
def test_logdet_and_root_survive_a_tiny_mu(rng, mu):
    n, r = 12, 4
    U = graded(rng, n, r, 1e-4)
    metric = low_rank_metric(scaled_identity_metric(n), mu, U)
    with mpmath.workdps(80):
        wanted = float(mpmath.log(mpmath.det(exact_metric(mu, U))))
    # Each singular value of [U; sqrt(mu) I] moves by a rounding of |U|, so its log by that over
    # the smallest: 1e-4 here, or sqrt(mu) where that is larger.
    assert abs(metric.logdet() - wanted) <= 100 * n * EPS / 1e-4
    root = metric.colour(np.eye(n))
    assert np.linalg.norm(root @ root.T - (mu * np.eye(n) + U @ U.T)) <= 100 * n * EPS


def test_primal_or_dual_is_chosen_by_cost():
    assert isinstance(ridge(DenseFactor(np.ones((5, 4))), 1.0), DualRidge)
    assert isinstance(ridge(DenseFactor(np.ones((5, 5))), 1.0), PrimalRidge)


@given(rngs, st.integers(1, 6), st.floats(-12.0, 2.0))
def test_primal_and_dual_agree(rng, r, exponent):
    U, b, mu = DenseFactor(rng.standard_normal((6, r))), rng.standard_normal(6), 10.0**exponent
    x, y = DualRidge(U, mu).solve(b), PrimalRidge(U, mu).solve(b)
    condition = 1.0 + np.linalg.norm(U.as_matrix(), 2) ** 2 / mu
    assert np.linalg.norm(x - y) <= 1000 * EPS * condition * np.linalg.norm(x)


def test_a_mu_that_is_lost_beside_the_factor_is_refused():
    metric = low_rank_metric(scaled_identity_metric(4), 1e-40, np.ones((4, 2)))
    with pytest.raises(MetricError, match="Raise mu"):
        metric.solve(np.ones(4))
    metric = low_rank_metric(scaled_identity_metric(4), 1.0, np.full((4, 2), 1e200))
    with np.errstate(over="ignore"), pytest.raises(MetricError, match="scale U down"):
        metric.solve(np.ones(4))


@settings(max_examples=3)
@given(rngs)
def test_a_layer_of_a_million_weights_is_solved_without_forming_its_factor(rng):
    batch, width = 4, 1000  # the factor would hold 4e6 numbers, the metric 1e12
    A, D = rng.standard_normal((batch, width)), rng.standard_normal((batch, width, 1))
    factor = khatri_rao_factor(A, D, 0.5)
    metric = low_rank_metric(scaled_identity_metric(width**2), 1e-3, factor)
    b = rng.standard_normal(width**2)
    x = metric.solve(b)
    residual = np.linalg.norm(metric.apply(x) - b)
    size = np.linalg.norm(factor.gram(), 2) * np.linalg.norm(x) + np.linalg.norm(b)
    assert residual <= 1000 * EPS * size
