"""Matrices whose entries are exact: doubles, or fractions where a product is no double.

A certificate speaks of the matrices that a module means, so that products of weights (as residual
connections have) and quotients (as ``1 / tau``) must not be rounded. A matrix is an array of
float64, each entry standing for itself, or an object array of `Fraction`.

Source: Knuth (1998), The Art of Computer Programming 2, section 4.2.2, for the error of a sum.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.claims.plain_data import fraction_from_data
from riemannian_modules.errors import CertificateError, UnsupportedError
from riemannian_modules.spaces import Array

Matrix = NDArray[Any]  # float64, or object with entries of type Fraction

LARGEST_PRODUCT = 20_000_000  # multiplications of whole numbers, about ten seconds


def zeros(rows: int, columns: int) -> Matrix:
    """The zero matrix."""
    return np.zeros((rows, columns))


def tidy(matrix: Matrix) -> Matrix:
    """The same matrix in doubles, if all its entries are doubles."""
    if matrix.dtype == np.float64:
        return matrix
    rounded = np.array([nearest_float(e) for e in matrix.ravel()]).reshape(matrix.shape)
    # A float equals a fraction only where both are the same number.
    same = all(r == e for r, e in zip(rounded.ravel().tolist(), matrix.ravel(), strict=True))
    return rounded if same else matrix


def fractions(matrix: Matrix) -> Matrix:
    """The same matrix in fractions."""
    if matrix.dtype != np.float64:
        return matrix
    out = np.empty(matrix.shape, dtype=object)
    out.ravel()[:] = [Fraction(entry) for entry in matrix.ravel().tolist()]
    return out


def product(P: Matrix, Q: Matrix) -> Matrix:
    """``P Q`` exactly. Selections cost a float product, others products of whole numbers.

    Raises:
        UnsupportedError: If it would take too many of those.
    """
    if not P.size or not Q.size or not (P != 0).any() or not (Q != 0).any():
        return zeros(P.shape[0], Q.shape[1])
    for one, other in ((P, Q), (Q, P)):
        if len(one) == one.shape[1] and np.array_equal(one, np.eye(len(one))):
            return other
    if P.dtype == Q.dtype == np.float64:
        exact = _single_products(P, Q)
        if exact is not None:
            return exact
    if P.shape[0] * P.shape[1] * Q.shape[1] > LARGEST_PRODUCT:
        raise UnsupportedError(
            f"The exact product of matrices {P.shape} and {Q.shape} is too large. Put the product "
            "of the two layers into one Affine map."
        )
    (p, p_denominator), (q, q_denominator) = _whole(P), _whole(Q)
    denominator = p_denominator * q_denominator
    whole = p.dot(q)
    out = np.empty(whole.shape, dtype=object)
    out.ravel()[:] = [Fraction(entry, denominator) for entry in whole.ravel()]
    return tidy(out)


def total(P: Matrix, Q: Matrix) -> Matrix:
    """``P + Q`` exactly."""
    if P.dtype == Q.dtype == np.float64:
        s = P + Q
        # Knuth's two-sum: the rounding error of a sum, exact unless something overflows.
        back = s - P
        error = (P - (s - back)) + (Q - back)
        if np.isfinite(s).all() and not error.any():
            return s
    return tidy(fractions(P) + fractions(Q))


def enclosed(matrix: Matrix) -> Interval:
    """The tightest interval matrix that holds the exact one."""
    if matrix.dtype == np.float64:
        return Interval.point(matrix)
    parts = [Interval.rational(entry) for entry in matrix.ravel()]
    lower, upper = (
        np.array([float(end) for end in ends]).reshape(matrix.shape)
        for ends in ([p.lower for p in parts], [p.upper for p in parts])
    )
    return Interval(lower, upper)


def nearest(matrix: Matrix) -> Array:
    """The matrix in doubles, rounded; for search, not for proof."""
    if matrix.dtype == np.float64:
        return cast("Array", matrix)
    return np.array([nearest_float(e) for e in matrix.ravel()]).reshape(matrix.shape)


def matrix_to_data(matrix: Matrix) -> Any:
    """Rows of numbers, or where most are zero the others as ``[row, column, entry]``."""
    is_plain = matrix.dtype == np.float64
    spelled = matrix if is_plain else np.vectorize(_entry_to_data, otypes=[object])(matrix)
    if 3 * np.count_nonzero(matrix) >= matrix.size and matrix.size:
        return spelled.tolist()
    places = np.nonzero(matrix)
    rows, columns = (side.tolist() for side in places)
    entries = [[i, j, e] for i, j, e in zip(rows, columns, spelled[places].tolist(), strict=True)]
    return {"shape": [int(side) for side in matrix.shape], "entries": entries}


def matrix_from_data(data: object, shape: tuple[int, int], where: str) -> Matrix:
    """The matrix that `matrix_to_data` wrote.

    Raises:
        CertificateError: If it has another shape, an entry twice, or entries that are no numbers.
    """
    if isinstance(data, list):
        rows = cast("list[Any]", data)
        if len(rows) != shape[0] or any(
            not isinstance(r, list) or len(r) != shape[1] for r in rows
        ):
            raise CertificateError(f"{where}: expected a matrix of shape {shape}.")
        if all(type(entry) is float for row in rows for entry in row):
            plain = np.array(rows, dtype=np.float64).reshape(shape)
            if np.isfinite(plain).all():
                return plain
        entries = [(i, j, e) for i, row in enumerate(rows) for j, e in enumerate(row)]
    elif isinstance(data, dict) and set(cast("Any", data)) == {"shape", "entries"}:
        sparse = cast("dict[str, Any]", data)
        if sparse["shape"] != list(shape) or not isinstance(sparse["entries"], list):
            raise CertificateError(f"{where}: expected a matrix of shape {shape}.")
        entries = [_checked_entry(e, shape, where) for e in sparse["entries"]]
        if len({(i, j) for i, j, _ in entries}) != len(entries):
            raise CertificateError(f"{where}: an entry is given twice.")
    else:
        raise CertificateError(f"{where}: expected rows, or 'shape' and 'entries'.")
    out = fractions(np.zeros(shape))
    for i, j, value in entries:
        out[i, j] = fraction_from_data(value, where)
    return tidy(out)


def _checked_entry(entry: Any, shape: tuple[int, int], where: str) -> tuple[int, int, Any]:
    if (
        not isinstance(entry, list)
        or len(cast("list[Any]", entry)) != 3
        or any(type(k) is not int for k in entry[:2])
        or not (0 <= entry[0] < shape[0] and 0 <= entry[1] < shape[1])
    ):
        raise CertificateError(f"{where}: expected [row, column, number] within shape {shape}.")
    return entry[0], entry[1], entry[2]


def _entry_to_data(entry: Any) -> float | str:
    return str(entry) if isinstance(entry, Fraction) else float(entry)


def _single_products(P: Array, Q: Array) -> Array | None:
    """``P Q`` where each entry is one product that is a double, else None."""
    is_single = (np.count_nonzero(P, axis=1) <= 1).all() or (np.count_nonzero(Q, axis=0) <= 1).all()
    if not is_single:
        return None
    R = P @ Q
    # Each entry is the double nearest to one product, all other terms being zeros. It is exact for
    # factors that are powers of two (unless it underflows), and otherwise rarely.
    for factor, other in ((P, Q), (Q, P)):
        sizes = np.abs(factor[factor != 0])
        kept = np.abs(other[other != 0])
        if (np.frexp(sizes)[0] == 0.5).all() and sizes.min() * kept.min() >= 2.0**-1000:
            return R if np.isfinite(R).all() else None
    return None


def _whole(matrix: Matrix) -> tuple[Matrix, int]:
    """Whole numbers N and a denominator d with ``matrix = N / d``."""
    ratios = [e.as_integer_ratio() for e in matrix.ravel().tolist()]
    denominator = math.lcm(*(d for _, d in ratios))
    out = np.empty(matrix.shape, dtype=object)
    out.ravel()[:] = [n * (denominator // d) for n, d in ratios]
    return out, denominator
