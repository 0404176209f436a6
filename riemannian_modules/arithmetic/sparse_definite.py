"""Verified definiteness of large sparse symmetric interval matrices.

*Any factor proves.* For a matrix A and any float matrix F of the same order, ``A = F F^T + E``
with ``E = A - F F^T`` exactly, and ``F F^T`` is positive semidefinite. So A is, too, where E is
diagonally dominant with a nonnegative diagonal. F comes from a floating-point elimination of A
with its diagonal a little lowered, in an order that fills in little; nothing is believed of it.

*Rounding.* An entry of the computed ``F F^T`` is a sum of at most k products, in any order: it is
off by at most ``gamma_k (|F| |F|^T)_ij``, ``gamma_k = k u / (1 - k u)``, plus ``k 2^-1074`` for
products that underflow. So the row sums of these errors are ``gamma_k |F| (|F|^T 1)``, two products
with a vector. Sums of at most n nonnegative numbers are off by a relative ``gamma_n``.

*Radius.* For ``|D| <= R`` and any ``v > 0``: ``|x^T D x| <= sum_i x_i^2 (R v)_i / v_i`` (Perron;
see `definite`), so the diagonal of the centre is lowered by these shares.

Scaling by powers of two is exact, so matrices of very different sizes of rows are decided as well.
Time and memory are those of the sparse factor: linear for bands with a few corners.

Source: Rump (2006), Verification of positive definiteness, BIT 46, 433-452, for the idea; the
residual test is elementary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import ULP, quiet, sum_down
from riemannian_modules.arrays import Places
from riemannian_modules.spaces import Array

LARGEST_ORDER = 1 << 20  # so that n u is below 2^-31
_SLACK = 1.0 + 2.0**-28  # covers sums of n nonnegative numbers and a dozen roundings
_TINY = 2.0**-1000  # above n^2 products of 2^-1074 that underflow
_MARGINS = (2.0**-47, 2.0**-45, 2.0**-42, 2.0**-38, 2.0**-32)


@final
@dataclass(frozen=True, slots=True, eq=False)
class SparseSymmetric:
    """A symmetric interval matrix of order ``size`` by its entries on and above the diagonal.

    Attributes:
        size: Its order n.
        rows, columns: Places (m,), rows <= columns, none twice; all other entries are zero.
        values: Intervals (m,).
    """

    size: int
    rows: Places
    columns: Places
    values: Interval

    @property
    def diagonal(self) -> Interval:
        """The diagonal (n,)."""
        low, high = np.zeros(self.size), np.zeros(self.size)
        on = self.rows == self.columns
        low[self.rows[on]] = self.values.lower[on]
        high[self.rows[on]] = self.values.upper[on]
        return Interval(low, high)


def sparse_symmetric(
    size: int, entries: Mapping[tuple[int, int], Interval | Fraction | float]
) -> SparseSymmetric:
    """A matrix from a table of entries (i, j), i <= j; rationals are enclosed."""
    places = np.array(list(entries), dtype=np.intp).reshape(-1, 2)
    low, high = np.zeros(len(places)), np.zeros(len(places))
    for k, value in enumerate(entries.values()):
        enclosed = Interval.rational(value) if isinstance(value, Fraction) else value
        low[k] = enclosed.lower if isinstance(enclosed, Interval) else enclosed
        high[k] = enclosed.upper if isinstance(enclosed, Interval) else enclosed
    return SparseSymmetric(size, places[:, 0], places[:, 1], Interval(low, high))


def is_definite_by_entries(size: int, entries: Mapping[tuple[int, int], Fraction]) -> bool:
    """Whether a symmetric matrix is proved positive definite.

    Each diagonal entry is lowered by a part of itself: what is left being semidefinite, the whole
    is definite.
    """
    upper = {at: v * (1 - Fraction(1, 2**30)) if at[0] == at[1] else v
             for at, v in entries.items() if at[0] <= at[1]}  # fmt: skip
    return all(entries.get((i, i), 0) > 0 for i in range(size)) and is_sparse_semidefinite(
        sparse_symmetric(size, upper)
    )


@quiet
def is_sparse_semidefinite(S: SparseSymmetric) -> bool:
    """Whether every matrix in S is proved positive semidefinite; False means *not proved*.

    Definite matrices are proved down to about ``2^-45`` of their diagonal; singular ones are not.
    """
    scaled = _scaled(S)
    if scaled is None:
        return False
    diagonal, rows, columns, centre, radius = scaled
    for shares in _shares(diagonal, rows, columns, centre, radius):
        lowered = sum_down(diagonal - shares * _SLACK)
        if not (lowered > 0).all():
            continue
        for margin in _MARGINS:
            factor = _factor(lowered * (1.0 - margin), rows, columns, centre)
            if factor is None:
                break
            if _residual_dominates(lowered, rows, columns, centre, *factor):
                return True
    return False


def _scaled(S: SparseSymmetric) -> tuple[Array, Places, Places, Array, Array] | None:
    """Diagonal (lower ends), places, centres and radii off it, rows scaled to size one."""
    low, n = S.diagonal.lower, S.size
    bounds = S.values
    finite = np.isfinite(bounds.lower).all() and np.isfinite(bounds.upper).all()
    if not (finite and 0 < n <= LARGEST_ORDER and (low > 2.0**-900).all()):
        return None
    exponents = -(np.frexp(low)[1] // 2)
    off = (S.rows != S.columns) & ((bounds.lower != 0) | (bounds.upper != 0))
    rows, columns = S.rows[off], S.columns[off]
    shift = exponents[rows] + exponents[columns]
    values = bounds[off]
    # Powers of two multiply exactly, except into subnormal numbers: _TINY covers those.
    diagonal = np.ldexp(low, 2 * exponents)
    centre, radius = np.ldexp(values.midpoint, shift), np.ldexp(values.radius, shift)
    # |a_ij| > sqrt(a_ii a_jj) excludes definiteness, and the numbers below stay near one.
    if not (np.abs(centre) + radius < 4.0).all():
        return None
    radius = np.where(values.radius > 0, radius * _SLACK, 0.0) + _TINY
    return diagonal, rows, columns, centre, radius


def _shares(
    diagonal: Array, rows: Places, columns: Places, centre: Array, radius: Array
) -> list[Array]:
    """What the radius may take from the diagonal, by some weights v > 0; each (n,)."""
    n = len(diagonal)
    R = _matrix(np.zeros(n), rows, columns, radius)
    ones = np.ones(n)
    result = [np.asarray(R @ ones)]
    if (radius > 2 * _TINY).any():
        for worst in (-radius, radius):
            v = np.abs(_smallest_vector(_matrix(diagonal, rows, columns, centre + worst)))
            v = np.maximum(v, 1e-3 * v.max()) if np.isfinite(v).all() and v.any() else ones
            result.append(np.asarray(R @ v) / v)
    return result


def _smallest_vector(A: Any) -> Array:
    """About the eigenvector of A's smallest eigenvalue: inverse iteration, untrusted."""
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    n = A.shape[0]
    v = 1.0 + 0.01 * np.cos(np.arange(n))
    floor = float((A.diagonal() - (abs(A).sum(axis=1) - abs(A.diagonal()))).min())
    try:
        solve = splu((A - (floor - 1e-9) * eye_array(n)).tocsc()).solve
    except RuntimeError:
        return np.ones(n)
    for _ in range(30):
        v = solve(v)
        v = v / np.abs(v).max()
    return np.asarray(v, dtype=np.float64)


def _matrix(diagonal: Array, rows: Places, columns: Places, off: Array) -> Any:
    from scipy.sparse import csc_array

    n = len(diagonal)
    i = np.concatenate([np.arange(n), rows, columns])
    j = np.concatenate([np.arange(n), columns, rows])
    return csc_array((np.concatenate([diagonal, off, off]), (i, j)), shape=(n, n))


def _factor(
    diagonal: Array, rows: Places, columns: Places, off: Array
) -> tuple[Any, Places] | None:
    """F and an order p with ``F F^T ~ A[p, p]``; None where a pivot is not positive. Untrusted."""
    from scipy.sparse import csr_array, diags_array
    from scipy.sparse.linalg import splu

    A = _matrix(diagonal, rows, columns, off)
    try:
        lu = splu(
            A, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
        )
    except RuntimeError:
        return None
    pivots = lu.U.diagonal()
    if not (pivots > 0).all():
        return None
    order = np.argsort(lu.perm_c)
    return csr_array(lu.L @ diags_array(np.sqrt(pivots))), order


def _residual_dominates(
    diagonal: Array, rows: Places, columns: Places, off: Array, F: Any, order: Places
) -> bool:
    """Whether ``A[p, p] - F F^T`` is proved diagonally dominant with a nonnegative diagonal."""
    A = _matrix(diagonal, rows, columns, off).tocsr()[order][:, order]
    E = (A - F @ F.T).tocsr()
    if not np.isfinite(E.data).all():
        return False
    own = E.diagonal()
    rest = np.asarray(abs(E).sum(axis=1)).ravel() - np.abs(own)
    # The row's sum rounds by n u (rest + own), and so does taking |E_ii| off it again; the
    # subtraction A - F F^T rounds by u |E_ij|. 2^-28 of rest and of own cover both, n u < 2^-32.
    count = int(np.diff(F.indptr).max())
    magnitude = abs(F)
    rounding = (count + 1) * 0.5 * ULP * (magnitude @ (magnitude.T @ np.ones(len(own))))
    needed = (rest + rounding) * _SLACK + _TINY
    return bool((own * (1.0 - 2.0**-28) >= needed).all())
