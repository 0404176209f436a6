"""No near-singular matrix is accepted that is not definite: decided by whole numbers, exactly."""

from fractions import Fraction

import numpy as np
import pytest

from riemannian_modules.arithmetic import triangles
from riemannian_modules.arithmetic.definite import (
    is_negative_definite,
    is_positive_definite,
    largest_eigenvalue_bound,
)
from riemannian_modules.arithmetic.interval import Interval, interval
from tests.arithmetic.counts import MATRICES

ORDERS = (1, 2, 3, 4, 5, 6, 8)
BATCH = MATRICES // (4 * len(ORDERS))


def congruent(rng, batch, n, signs):
    """``V^T diag(signs) V`` scaled by powers of two, in whole numbers below 2^53: no rounding."""
    V = rng.integers(-9, 10, (batch, n, n))
    A = np.einsum("bki,bk,bkj->bij", V, signs, V)
    assert np.abs(A).max() < 2**53
    scale = 2.0 ** rng.integers(-120, 121, (batch, n))
    return A * scale[:, :, None] * scale[:, None, :]


def signs_of(rng, batch, n):
    """Positive but for one entry in each row, which is 0 or -1."""
    signs = rng.integers(1, 50, (batch, n))
    signs[np.arange(batch), rng.integers(0, n, batch)] = rng.integers(-1, 1, batch)
    return signs


def is_definite_exactly(A):
    """Sylvester's criterion for a symmetric float matrix, by elimination in whole numbers."""
    ratios = [[Fraction(v) for v in row] for row in A]
    common = max(v.denominator for row in ratios for v in row)  # powers of two
    left, previous = [[int(v * common) for v in row] for row in ratios], 1
    while left:
        pivot = left[0][0]
        if pivot <= 0:
            return False
        # Bareiss (1968): every pivot is a leading principal minor, every division is exact.
        left = [
            [
                (pivot * left[i][j] - left[i][0] * left[0][j]) // previous
                for j in range(1, len(left))
            ]
            for i in range(1, len(left))
        ]
        previous = pivot
    return True


@pytest.fixture(params=["loops", "passes"])
def path(request, monkeypatch):
    if request.param == "passes":
        monkeypatch.setattr(triangles, "COMPILED_BATCH", np.inf)
    else:
        pytest.importorskip("numba")
        monkeypatch.setattr(triangles, "COMPILED_BATCH", 1)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("n", ORDERS)
def test_no_matrix_with_a_form_that_vanishes_or_is_negative_is_accepted(n):
    # If V is regular, the x with V x = e_k has x^T A x = signs_k <= 0; if not, one with V x = 0.
    rng = np.random.default_rng(n)
    A = congruent(rng, BATCH, n, signs_of(rng, BATCH, n))
    assert not is_positive_definite(A).any()
    assert not is_negative_definite(-A).any()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("n", ORDERS)
def test_no_interval_matrix_with_such_a_member_is_accepted(n):
    rng = np.random.default_rng(100 + n)
    A = congruent(rng, BATCH, n, signs_of(rng, BATCH, n))
    size = np.sqrt(np.abs(np.einsum("bii->bi", A)))
    width = 2.0 ** rng.integers(-60, 3, (BATCH, 1, 1)) * size[:, :, None] * size[:, None, :]
    share = rng.choice([0.0, 0.3, 1.0], A.shape)
    share = np.tril(share) + np.tril(share, -1).swapaxes(1, 2)
    # A lies between these in floating point too: sums of one sign round to their own side.
    assert not is_positive_definite(Interval(A - share * width, A + (1 - share) * width)).any()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("n", ORDERS)
def test_what_is_accepted_some_roundings_from_singular_is_definite(n):
    rng = np.random.default_rng(200 + n)
    A = congruent(rng, BATCH, n, np.abs(signs_of(rng, BATCH, n)) * (rng.random((BATCH, n)) < 0.9))
    shift = rng.integers(-300, 3000, (BATCH, n)) * np.spacing(np.einsum("bii->bi", A))
    A = A + shift[:, :, None] * np.eye(n)
    accepted = np.flatnonzero(is_positive_definite(A))
    assert 0 < len(accepted) < BATCH
    for k in accepted[:: 1 + len(accepted) * 50 // MATRICES]:
        assert is_definite_exactly(A[k]), A[k].tolist()


@pytest.mark.parametrize("n", ORDERS)
def test_eigenvalue_bounds_see_the_border_too(n):
    rng = np.random.default_rng(300 + n)
    A = congruent(rng, min(BATCH, 20_000), n, signs_of(rng, min(BATCH, 20_000), n))
    assert (largest_eigenvalue_bound(-A) >= 0).all()


def test_a_hair_above_singular_is_no_tie():
    n, hair = 6, 2.0**-40
    signs = np.tile([0, 1, 1, 1, 1, 1], (1000, 1))
    A = congruent(np.random.default_rng(0), 1000, n, signs)
    scale = np.sqrt(np.einsum("bii->bi", A))
    clear = A + hair * np.eye(n) * np.maximum(scale, 2.0**-300)[:, None, :] ** 2
    assert is_positive_definite(clear).all()
    assert not is_positive_definite(interval(A, clear)).any()
