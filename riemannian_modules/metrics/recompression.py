"""A factor with more columns than rows, made square without changing its metric.

Source: ``F F^T = R^T R`` with R from a QR of ``F^T``; Golub and Van Loan (2013), 5.2.
"""

from __future__ import annotations

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import Array, namespace_of, real_array


def recompressed(factors: Array) -> Array:
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
