"""Sparse definiteness: what is accepted is semidefinite in exact arithmetic; bands cost little."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.arithmetic.sparse_definite import (
    is_sparse_semidefinite,
    sparse_symmetric,
)
from tests.strategies import rngs


def entries_of(matrix):
    n = len(matrix)
    return {(i, j): matrix[i, j] for i in range(n) for j in range(i, n) if matrix[i, j]}


def is_semidefinite(matrix):
    """Exactly, by symmetric elimination in fractions."""
    return is_negative_semidefinite_rational([[-Fraction(v) for v in row] for row in matrix])


def nearly_singular(rng, n):
    """A sparse matrix whose smallest eigenvalue is about a rounding error away from zero."""
    B = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.4) * 10.0 ** rng.integers(-3, 4)
    A = B + B.T
    size = max(1e-300, np.abs(A).max())
    shift = -np.linalg.eigvalsh(A)[0] + size * rng.choice([0.0, 1e-16, 1e-15, 1e-14, 1e-13, -1e-14])
    A[np.arange(n), np.arange(n)] += shift
    scale = 2.0 ** rng.integers(-40, 40, n)
    return A * scale[:, None] * scale


@given(rngs, st.integers(1, 7))
def test_no_matrix_with_a_negative_eigenvalue_is_accepted(rng, n):
    A = nearly_singular(rng, n)
    if is_sparse_semidefinite(sparse_symmetric(n, entries_of(A))):
        assert is_semidefinite(A)


@given(rngs, st.integers(1, 7))
def test_every_matrix_between_the_ends_of_what_is_accepted_is_semidefinite(rng, n):
    A = nearly_singular(rng, n)
    A[np.arange(n), np.arange(n)] *= 1 + 10.0 ** rng.integers(-12, 1)
    radius = np.abs(A) * rng.choice([0.0, 1e-13, 1e-3, 0.3], A.shape)
    radius = 0.5 * (radius + radius.T)
    low, high = A - radius, A + radius
    entries = {p: Interval(np.array(low[p]), np.array(high[p])) for p in entries_of(A)}
    if not is_sparse_semidefinite(sparse_symmetric(n, entries)):
        return
    for _ in range(4):
        end = np.triu(rng.random((n, n)) < 0.5)
        member = np.where(end | end.T, low, high)
        assert is_semidefinite(member)


@pytest.mark.parametrize("n", [1, 2, 50, 1000])
@pytest.mark.parametrize("corner", [-1.0, 0.0, 1.0])
def test_a_path_with_a_corner_is_decided_to_twelve_digits_of_its_largest_eigenvalue(n, corner):
    # The largest eigenvalue of the path's adjacency is 2 cos(pi / (n + 1)); with a corner of +1 it
    # is a cycle, with 2; with -1 an antiperiodic one, with 2 cos(pi / n), from n = 3 on.
    if n < 3 and corner:
        return
    top = {0.0: 2 * np.cos(np.pi / (n + 1)), 1.0: 2.0, -1.0: 2 * np.cos(np.pi / n)}[corner]

    def shifted(b):
        entries = {(i, i): b for i in range(n)} | {(i, i + 1): -1.0 for i in range(n - 1)}
        return sparse_symmetric(n, entries | ({(0, n - 1): -corner} if corner else {}))

    assert is_sparse_semidefinite(shifted(top + 1e-12))
    assert not is_sparse_semidefinite(shifted(top - 1e-12))


def test_a_grid_and_a_random_network_are_decided():
    m = 25
    grid = {(i, i): 4.01 for i in range(m * m)}
    grid |= {(i, i + 1): -1.0 for i in range(m * m) if i % m < m - 1}
    grid |= {(i, i + m): -1.0 for i in range(m * m - m)}
    assert is_sparse_semidefinite(sparse_symmetric(m * m, grid))
    assert not is_sparse_semidefinite(sparse_symmetric(m * m, grid | {(0, 1): -5.0}))


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_entries_that_are_undecided_or_infinite_decide_nothing(fault):
    entry = Interval(np.array(-fault), np.array(fault))
    assert not is_sparse_semidefinite(
        sparse_symmetric(2, {(0, 0): 1.0, (1, 1): 1.0, (0, 1): entry})
    )
    assert not is_sparse_semidefinite(sparse_symmetric(2, {(0, 0): 1.0}))
