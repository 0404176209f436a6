"""Columns taken away from a factor that holds them: dropped, where a downdate would cancel.

Source: ``[U v] [U v]^T - v v^T = U U^T``.
"""

from __future__ import annotations

from riemannian_modules.metrics.array import AnyArray, namespace_of, rounding_unit
from riemannian_modules.metrics.factor import DenseFactor, Factor

ROUNDINGS = 64.0  # of a column's length, which scaling by what has been forgotten may cost


def without_columns(factor: Factor, columns: AnyArray) -> tuple[Factor, AnyArray]:
    """The factor without those of ``columns`` (n, k) that it holds, and the others (n, k').

    A column is held if it differs from one of a dense factor, or from its negative, by rounding
    alone. Cost: O(n r) each, for r columns of the factor.
    """
    if not isinstance(factor, DenseFactor):
        return factor, columns
    xp, kept = namespace_of(factor.entries, columns), factor.as_matrix()
    others: list[int] = []
    for j in range(columns.shape[1]):
        v = columns[:, j : j + 1]
        near = ROUNDINGS * rounding_unit(kept) * xp.linalg.vector_norm(v)
        gap = xp.minimum(
            xp.linalg.vector_norm(kept - v, axis=0), xp.linalg.vector_norm(kept + v, axis=0)
        )
        held = xp.nonzero(gap <= near)[0]
        if held.shape[0]:
            k = int(held[0])
            kept = xp.concat([kept[:, :k], kept[:, k + 1 :]], axis=1)
        else:
            others.append(j)
    return DenseFactor(kept), columns[:, others]
