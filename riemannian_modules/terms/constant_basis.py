"""The basis in which a metric M(x) is constant: coordinates ``dz = Theta(x) dx`` that are its own.

Elimination with symmetric pivots gives ``M = Theta^T D Theta`` with a constant diagonal D and a
Theta that is triangular in the order of the pivots; each pivot is a constant times the square of a
term, or of its root. In these coordinates the test of M(x) is one of the generalised Jacobian
alone, in which what the metric was made for is gone: it is often constant, or bounded.

Source: Lohmiller and Slotine (1998), section 3, for the generalised Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import sympy as sp

from riemannian_modules.terms.normal_form import normal, roots_in, square_root

Rows = Sequence[Sequence[Any]]
LARGEST = 8  # order of metrics that are taken apart


@final
@dataclass(frozen=True, eq=False)
class Basis:
    """``M = theta^T diag(weights) theta`` wherever theta is defined and regular.

    Attributes:
        theta: The coordinates' factor (n, n).
        inverse: Its inverse.
        weights: The constant metric of the coordinates: n positive rationals.
    """

    theta: Rows
    inverse: Rows
    weights: tuple[Any, ...]

    @property
    def terms(self) -> tuple[Any, ...]:
        """What has to be defined for theta to be real and regular: its entries and the inverse's.

        Where both are real their product is the identity, and M is what it is said to be: these
        hold as identities of terms, hence at all points at which both sides are continuous.
        """
        return tuple(e for rows in (self.theta, self.inverse) for row in rows for e in row)


def basis_of_factor(theta: Rows) -> Basis:
    """The basis of given coordinates."""
    inverse = [[normal(e) for e in row] for row in sp.Matrix(theta).inv(method="ADJ").tolist()]
    return Basis(theta, inverse, (sp.S.One,) * len(theta))


@lru_cache(maxsize=16)
def basis_of_metric(M: tuple[tuple[Any, ...], ...]) -> Basis | None:
    """The basis of a metric, None where elimination finds no pivot with a root."""
    n = len(M)
    if n > LARGEST:
        return None
    left = [[normal(e) for e in row] for row in M]
    theta: list[list[Any]] = [[sp.S.Zero] * n for _ in range(n)]
    inverse: list[list[Any]] = [[sp.Integer(i == j) for j in range(n)] for i in range(n)]
    weights: list[Any] = [sp.S.One] * n
    waiting = list(range(n))
    while waiting:
        roots = {i: root for i in waiting if (root := _pivot(left[i][i])) is not None}
        if not roots:
            return None
        # Constant pivots first, then squares, then short ones: what follows them stays short.
        p = min(roots, key=lambda i: (left[i][i].free_symbols != set(), roots_in(roots[i][1]), i))
        weights[p], s = roots[p]
        waiting.remove(p)
        theta[p][p] = s
        pivot = list(left[p])
        for j in waiting:
            factor = normal(pivot[j] / pivot[p])
            theta[p][j] = normal(factor * s)
            # Column j of the basis, and row and column j of the rest, lose their part along p.
            for row in inverse:
                row[j] = normal(row[j] - factor * row[p])
            for i in waiting:
                left[i][j] = normal(left[i][j] - pivot[i] * factor)
        for row in inverse:
            row[p] = normal(row[p] / s)
    return Basis(theta, inverse, tuple(weights))


def _pivot(e: Any) -> tuple[Any, Any] | None:
    """The root of a pivot, with none in it but of terms of one symbol: others grow too long."""
    root = square_root(e)
    few = root is None or not roots_in(root[1]) or len(e.free_symbols) == 1
    return root if few else None
