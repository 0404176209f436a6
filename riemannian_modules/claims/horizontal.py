"""Horizontal contraction: distances that leave conserved and symmetric directions out.

Two cases, with ``L R = I``, L (k, n) and R (n, k):

- Conservation: the derivative stays in the image of R, ``(I - R L) J = 0``. Trajectories with the
  same conserved quantities differ by ``R w``, and ``w' = L J R w``.
- Symmetry: J vanishes on the kernel of L, ``J (I - R L) = 0``. Then ``z = L x`` obeys ``dz' = L J R
  dz``: the distance of trajectories up to the symmetry.

Source: Forni and Sepulchre (2014), *A differential Lyapunov framework for contraction analysis*,
IEEE TAC 59: horizontal contraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.quotients import factored
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

Jacobian = Sequence[Sequence[Any]]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Horizontal(Shown):
    """The directions that count.

    Attributes:
        L: Coordinates of a direction, (k, n).
        R: The direction of coordinates, (n, k), with ``L R = I`` exactly.
        kind: Why the others do not count.
    """

    L: Array
    R: Array
    kind: Literal["conservation", "symmetry"]

    def to_data(self) -> dict[str, Any]:
        """The directions as data."""
        return {"L": self.L.tolist(), "R": self.R.tolist(), "kind": self.kind}

    def reduced(self, J: Jacobian) -> tuple[tuple[Any, ...], ...]:
        """``L J R`` in exact terms, (k, k)."""
        rows = _times(_times(exact_rows(self.L), J), exact_rows(self.R))
        return tuple(tuple(sp.expand(e) for e in row) for row in rows)

    def holds_for(self, J: Jacobian) -> bool:
        """Whether ``L R = I`` and the identity of its kind hold, exactly and for every point."""
        L, R = exact_rows(self.L), exact_rows(self.R)
        k, n = len(L), len(R)
        if any(v != (i == j) for i, row in enumerate(_times(L, R)) for j, v in enumerate(row)):
            return False
        RL = _times(R, L)
        rest = [[sp.Integer(i == j) - RL[i][j] for j in range(n)] for i in range(n)]
        zero = _times(rest, J) if self.kind == "conservation" else _times(J, rest)
        return k > 0 and all(_is_zero(e) for row in zero for e in row)


def exact_rows(matrix: Array) -> list[list[Any]]:
    """A float matrix in exact rationals."""
    return [[sp.Rational(*float(v).as_integer_ratio()) for v in row] for row in np.asarray(matrix)]


def _times(A: Jacobian, B: Jacobian) -> list[list[Any]]:
    columns = list(zip(*B, strict=True))
    return [
        [
            sp.Add(*(a * b for a, b in zip(row, c, strict=True) if a != 0 and b != 0))
            for c in columns
        ]
        for row in A
    ]


def _is_zero(e: Any) -> bool:
    return e == 0 or sp.expand(e) == 0 or factored(e) == 0
