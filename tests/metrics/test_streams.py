"""Metrics of streams: what is forgotten, windows of columns, and how little is kept of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics import (
    KhatriRaoFactor,
    LowRankMetric,
    diagonal_metric,
    downdated,
    forgotten,
    low_rank_metric,
    scaled_identity_metric,
    updated,
    with_factor,
)
from tests.strategies import rngs

EPS = np.finfo(float).eps


def columns_kept(metric):
    return metric.factor.columns if isinstance(metric, LowRankMetric) else metric.dim


@pytest.mark.parametrize(("updates", "alpha"), [(1_000, 0.99), (6_000, 0.99), (1_200, 0.5)])
def test_forgetting_for_ever_leaves_a_metric_of_the_last_columns(updates, alpha):
    rng, n = np.random.default_rng(0), 4
    columns = rng.standard_normal((updates, n, 1))
    metric = low_rank_metric(scaled_identity_metric(n), 1.0, np.zeros((n, 0)))
    dense = np.eye(n)
    for v in columns:
        metric = updated(forgotten(metric, alpha), v)
        dense = alpha * dense + v @ v.T
    assert columns_kept(metric) <= n
    condition = np.linalg.cond(dense)
    assert condition < 200  # though mu is alpha^updates, which is zero in the end
    b = rng.standard_normal(n)
    # A step of rounding fades at the rate of the forgetting: they sum to 1 / (1 - alpha) roundings.
    bound = 100 * n * EPS * condition / (1 - alpha)
    wanted = np.linalg.solve(dense, b)
    assert np.linalg.norm(metric.solve(b) - wanted) <= bound * np.linalg.norm(wanted)
    np.testing.assert_allclose(metric.as_matrix(), dense, atol=bound * np.abs(dense).max())
    np.testing.assert_allclose(metric.logdet(), np.linalg.slogdet(dense)[1], atol=bound * n)
    root = metric.colour(np.eye(n))
    np.testing.assert_allclose(root @ root.T, dense, atol=bound * np.abs(dense).max())


@pytest.mark.parametrize(("n", "width"), [(30, 10), (5, 20), (30, 30)])
def test_a_window_over_a_stream_is_the_metric_of_its_columns(n, width):
    rng, count = np.random.default_rng(1), 5_000 if n == 5 else 500
    columns = rng.standard_normal((count, n, 1))
    metric = low_rank_metric(diagonal_metric(np.full(n, 2.0)), 0.5, np.zeros((n, 0)))
    for k, v in enumerate(columns):
        metric = updated(metric, v)
        if k >= width:
            metric = downdated(metric, columns[k - width])
    assert columns_kept(metric) <= n
    last = np.concatenate(list(columns[-width:]), 1)
    dense = np.eye(n) + last @ last.T
    # Exact where columns are dropped as they came; else a rounding of the metric each time.
    bound = 10 * n * EPS * (1 if width <= n else count) * np.linalg.norm(dense, 2)
    np.testing.assert_allclose(metric.as_matrix(), dense, atol=bound)
    b = rng.standard_normal(n)
    wanted = np.linalg.solve(dense, b)
    assert np.linalg.norm(metric.solve(b) - wanted) <= bound * np.linalg.cond(
        dense
    ) * np.linalg.norm(wanted)


def test_a_window_with_forgetting_and_a_tiny_mu_is_exact_to_rounding():
    rng, n, width, alpha, mu = np.random.default_rng(2), 12, 5, 0.9, 1e-12
    columns = rng.standard_normal((200, n, 1))
    metric = low_rank_metric(scaled_identity_metric(n), mu, np.zeros((n, 0)))
    for k, v in enumerate(columns):
        metric = updated(forgotten(metric, alpha), v)
        if k >= width:
            metric = downdated(metric, np.sqrt(alpha**width) * columns[k - width])
    assert columns_kept(metric) == width
    weights = np.sqrt(alpha ** np.arange(width - 1, -1, -1.0))
    last = np.concatenate(list(columns[-width:]), 1) * weights
    np.testing.assert_allclose(metric.factor.as_matrix(), last, rtol=1e-13)
    np.testing.assert_allclose(metric.mu, mu * alpha**200, rtol=1e-12)


@given(rngs, st.integers(1, 6), st.integers(0, 9))
def test_columns_that_were_added_go_as_they_came(rng, n, r):
    U, v = rng.standard_normal((n, r)), rng.standard_normal((n, 2))
    metric = low_rank_metric(scaled_identity_metric(n), 1e-3, U)
    back = downdated(updated(metric, v), -v[:, ::-1])
    size = 1.0 + np.linalg.norm(np.hstack([U, v]), 2) ** 2
    np.testing.assert_allclose(back.as_matrix(), metric.as_matrix(), atol=100 * n * EPS * size)


def test_a_factor_that_misses_a_direction_is_refused_once_mu_is_lost():
    metric = low_rank_metric(scaled_identity_metric(3), 1.0, np.zeros((3, 0)))
    for _ in range(7_000):
        metric = updated(forgotten(metric, 0.99), np.array([[1.0, 0.5], [0.0, 1.0], [0.0, 0.0]]))
    with pytest.raises(MetricError, match="singular in floating point"):
        metric.solve(np.ones(3))


def test_streams_of_a_layers_columns_are_compacted_alike():
    rng, n_out, n_in = np.random.default_rng(4), 2, 3
    metric = low_rank_metric(scaled_identity_metric(6), 1.0, np.zeros((6, 0)))
    dense = np.eye(6)
    for _ in range(200):
        A, D = rng.standard_normal((2, n_in)), rng.standard_normal((2, n_out, 1))
        U = np.stack([np.outer(d[:, 0], a).ravel() for a, d in zip(A, D, strict=True)], 1)
        metric = with_factor(forgotten(metric, 0.5), KhatriRaoFactor(A, D))
        dense = 0.5 * dense + U @ U.T
    assert columns_kept(metric) <= 6
    np.testing.assert_allclose(metric.as_matrix(), dense, atol=1e-12 * np.abs(dense).max())


def test_torch_streams_are_compacted_alike():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    metric = low_rank_metric(
        scaled_identity_metric(3, torch.tensor(1.0, dtype=torch.float64)),
        1.0,
        torch.zeros(3, 0, dtype=torch.float64),
    )
    dense = np.eye(3)
    columns = rng.standard_normal((20, 3, 1))
    for k, v in enumerate(columns):
        metric = updated(forgotten(metric, 0.5), torch.tensor(v))
        dense = 0.5 * dense + v @ v.T
        if k == 10:
            metric, dense = downdated(metric, torch.tensor(0.1 * v)), dense - 0.01 * v @ v.T
    np.testing.assert_allclose(metric.as_matrix().numpy(), dense, rtol=1e-12)
