"""Poles of a linear model, how far rounding may have moved each, and what can be said of stability.

Computed eigenvalues are those of ``A + E`` with E of rounding's size, which moves a simple one by
``|E| / |y^H x|`` (left and right eigenvectors of length one), and any one by Elsner's bound.
Source: Golub and Van Loan (2013), Matrix Computations, 7.2 and 7.5; Elsner (1985), Linear Algebra
Appl. 71, 77-80; Anderson et al. (1999), LAPACK Users' Guide, 4.8.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.balance import balanced
from riemannian_modules.modules.module import Time
from riemannian_modules.spaces import Array

EPS = float(np.finfo(float).eps)


class Stability(enum.Enum):
    """Whether all poles lie strictly inside the stable region, as far as rounding can tell."""

    STABLE = "stable"
    UNSTABLE = "not stable"
    UNDECIDED = "undecided within rounding"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Poles:
    """Eigenvalues (n,), the slowest first, and bounds (n,) of what rounding has moved them by."""

    values: NDArray[np.complex128]
    errors: Array
    time: Time

    @property
    def stability(self) -> Stability:
        """Stable if every pole is inside by more than its error; not, if one is not inside."""
        outside = self.outside
        if (outside >= self.errors).any():
            return Stability.UNSTABLE
        return Stability.STABLE if (outside < -self.errors).all() else Stability.UNDECIDED

    def __str__(self) -> str:
        """The answer with the pole that decides it."""
        if not len(self.values):
            return "stable: no poles"
        k = int(np.argmax(self.outside + self.errors))
        if self.stability is Stability.UNSTABLE:
            k = int(np.argmax(self.outside - self.errors))
        border = "imaginary axis" if self.time is Time.CONTINUOUS else "unit circle"
        value, answer = self.values[k], self.stability
        shown = f"{value.real:.5g}" + (f"{value.imag:+.5g}j" if value.imag else "")
        if answer is Stability.UNDECIDED:
            return (
                f"{answer.value}: the pole {shown} lies {abs(self.outside[k]):.2g} from the "
                f"{border}, and rounding may have moved it by {self.errors[k]:.2g}"
            )
        place = "nearest to" if answer is Stability.STABLE else "farthest beyond or on"
        return f"{answer.value}: the pole {place} the {border} is {shown}"

    @property
    def outside(self) -> Array:
        """How far each pole is outside of the stable region (n,), negative inside."""
        return self.values.real if self.time is Time.CONTINUOUS else np.abs(self.values) - 1.0


def poles_of(A: Array, time: Time) -> Poles:
    """The eigenvalues of A (n, n) with their errors, in O(n^3).

    Parts that do not act back on each other have their poles each by itself: an entry that stands
    alone is a pole without error.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    count, part = connected_components(csr_matrix(A != 0), connection="strong")
    found = [_block(A[np.ix_(part == k, part == k)]) for k in range(count)]
    values: NDArray[np.complex128] = np.concatenate(
        [np.zeros(0, np.complex128), *(v for v, _ in found)]
    )
    errors = np.concatenate([np.zeros(0), *(e for _, e in found)])
    speed = -values.real if time is Time.CONTINUOUS else -np.abs(values)
    order = np.lexsort((values.imag, speed))
    return Poles(values[order], errors[order], time)


def _block(A: Array) -> tuple[NDArray[np.complex128], Array]:
    from scipy.linalg import eig

    n = len(A)
    if n == 1:
        return A[0].astype(complex), np.zeros(1)
    F, _ = balanced(A)
    found: Any = eig(F, left=True, right=True)
    values, left, right = found
    size = float(np.linalg.norm(F))
    # The entries' own rounding, and what the QR algorithm adds to it: seen up to 1.5 n EPS.
    moved = 4 * n * EPS * size
    overlap = np.abs(np.sum(left.conj() * right, axis=0))
    elsner = (2.0 * size) ** (1.0 - 1.0 / n) * moved ** (1.0 / n)
    simple = np.divide(moved, overlap, out=np.full(n, np.inf), where=overlap > 0)
    return values.astype(complex), np.minimum(simple, elsner)
