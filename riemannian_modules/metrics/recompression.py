"""A factor with more columns than rows, made square without changing its metric.

Source: ``F F^T = R^T R`` with R from a QR of ``F^T``; Golub and Van Loan (2013), 5.2.
"""

from __future__ import annotations

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, namespace_of, real_array
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.joined_factor import JoinedFactor


def recompressed(factors: AnyArray) -> AnyArray:
    """A factor of the same metric with at most d columns, in O(d^2 r) each.

    Args:
        factors: F, shape (..., d, r).

    Returns:
        F itself if r <= d, else L of shape (..., d, d) with ``L L^T = F F^T``.

    Raises:
        MetricError: If F has fewer than two axes.
    """
    factors = real_array("recompressed", factors)
    if factors.ndim < 2:
        raise MetricError(
            f"recompressed: expected shape (..., d, r), got {tuple(factors.shape)}. "
            "One column is (d, 1)."
        )
    if factors.shape[-1] <= factors.shape[-2]:
        return factors
    xp = namespace_of(factors)
    # By QR and not by Cholesky of F F^T, which would lose half the digits and fail where singular.
    upper = xp.linalg.qr(xp.matrix_transpose(factors), mode="reduced")[1]
    return xp.matrix_transpose(upper)


def compacted(factor: Factor) -> Factor:
    """A factor of the same metric; of one that grew by joining, at most n columns, in O(n^2 r).

    Solves with more than n columns work in n by n anyway. Factors of other structure stay.
    """
    if not isinstance(factor, DenseFactor | JoinedFactor) or factor.columns <= factor.dim:
        return factor
    return DenseFactor(recompressed(factor.as_matrix()))
