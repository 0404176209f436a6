"""The doors of the metrics: what is refused, and that users' arrays are copied."""

import numpy as np
import pytest

from riemannian_modules.errors import DomainError, MetricError
from riemannian_modules.metrics import (
    block_diagonal_metric,
    dense_metric,
    diagonal_metric,
    kronecker_metric,
    low_rank_metric,
    scaled_identity_metric,
)

IDENTITY = scaled_identity_metric(3)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: diagonal_metric([1.0, -2.0, 3.0]), "-2 at coordinate 1"),
        (lambda: diagonal_metric([1.0, 0.0]), "Add damping"),
        (lambda: diagonal_metric(np.ones((2, 2))), "weights"),
        (lambda: diagonal_metric([]), "weights"),
        (lambda: dense_metric(np.diag([1.0, -3.0])), r"smallest eigenvalue -3 .*eigenvector \["),
        (lambda: dense_metric(np.ones((2, 2))), "smallest eigenvalue"),
        (lambda: dense_metric([[1.0, 2.0], [0.0, 5.0]]), "symmetric"),
        (lambda: dense_metric(np.ones((2, 3))), r"\(n, n\)"),
        (lambda: dense_metric(np.ones((0, 0))), r"\(n, n\)"),
        (lambda: scaled_identity_metric(0), "dim"),
        (lambda: scaled_identity_metric(2, [1.0, 2.0]), "diagonal_metric"),
        (lambda: block_diagonal_metric([]), "blocks"),
        (lambda: kronecker_metric(IDENTITY, np.eye(2)), "on the right"),
        (lambda: low_rank_metric(IDENTITY, 1.0, np.ones((2, 3))), r"U\^T"),
        (lambda: low_rank_metric(IDENTITY, 1.0, np.ones(3)), r"\(n, r\)"),
    ],
)
def test_what_is_no_metric_is_refused_with_a_reason(build, words):
    with pytest.raises(MetricError, match=words):
        build()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: diagonal_metric([1.0, np.nan]), "1 NaN or infinite"),
        (lambda: dense_metric([[np.inf]]), "finite"),
        (lambda: diagonal_metric(["a"]), "real numbers"),
        (lambda: diagonal_metric(np.array([1j])), "complex"),
        (lambda: scaled_identity_metric(2, -1.0), "positive"),
        (lambda: scaled_identity_metric(2, np.nan), "finite"),
        (lambda: low_rank_metric(IDENTITY, 0.0, np.ones((3, 1))), "mu"),
        (lambda: low_rank_metric(IDENTITY, np.inf, np.ones((3, 1))), "mu"),
        (lambda: low_rank_metric(IDENTITY, 1.0, np.full((3, 1), np.nan)), "finite"),
    ],
)
def test_what_is_no_number_is_refused_with_a_reason(build, words):
    with pytest.raises(DomainError, match=words):
        build()


def test_users_arrays_are_copied():
    weights, matrix, factor = np.ones(3), np.eye(3), np.zeros((3, 1))
    metrics = [diagonal_metric(weights), dense_metric(matrix), low_rank_metric(IDENTITY, 1, factor)]
    for array in (weights, matrix, factor):
        array[...] = 7.0
    for metric in metrics:
        assert (metric.as_matrix() == np.eye(3)).all()


def test_a_vector_that_is_no_array_is_refused():
    with pytest.raises(MetricError, match="asarray"):
        IDENTITY.apply([1.0, 2.0, 3.0])


def test_integers_become_floats():
    assert diagonal_metric([1, 2]).weights.dtype == np.float64
    assert dense_metric(np.array([[2, 0], [0, 3]])).matrix.dtype == np.float64


def test_a_singular_matrix_is_seen_at_any_scale_of_its_coordinates():
    scales = np.diag([1e-8, 1.0, 1e8])
    dense_metric(scales @ (np.eye(3) + 0.5) @ scales)
    with pytest.raises(MetricError, match="positive definite"):
        dense_metric(scales @ np.ones((3, 3)) @ scales)
