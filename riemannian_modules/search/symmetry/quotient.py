"""Quotients: the directions across conservation laws and symmetries, in exact dyadic numbers.

A flow with ``c . x = const`` never forgets c . x, and one that does not change along v never
forgets where it is along v: neither contracts in all directions. Across laws C the columns of R
span ``{z : C z = 0}``; across symmetries V the rows of L span ``{l : l V = 0}``; in both
``L R = I``. What these have to fulfil, and what then contracts, is in `horizontal`.

Source: Forni and Sepulchre (2014), IEEE Trans. Autom. Control 59, 614-628 (horizontal contraction).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from riemannian_modules.arithmetic.integer_kernel import (
    FractionRows,
    echelon,
    kernel_coordinates,
    primitive,
    remainder,
)
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.search.symmetry.conservation import (
    ConservationLaw,
    Symmetry,
    conservation_laws,
    in_words,
    symmetries,
)
from riemannian_modules.spaces import Array


def quotient(system: RiemannianModule | Problem) -> Horizontal:
    """Divide out the conservation laws of a system, or, where it has none, its symmetries.

    Args:
        system: A flow or step map, of one module or a composite.

    Raises:
        UnsupportedError: If it has neither, or so many that nothing is left.
        SignatureError: If it has no state.
    """
    laws = conservation_laws(system)
    if laws:
        return across_laws(system, laws)
    found = symmetries(system)
    if found:
        return across_symmetries(system, found)
    raise UnsupportedError(
        f"{type(system).__name__}: no linear conservation law and no constant symmetry was found, "
        "so there is nothing to divide out. Certify it as it is, or give L and R."
    )


def across_laws(
    system: RiemannianModule | Problem, laws: Sequence[ConservationLaw] | None = None
) -> Horizontal:
    """Coordinates on the level sets of conservation laws; all of the system's when None.

    Args:
        system: A flow or step map, of one module or a composite.
        laws: Some of its laws; None for all of `conservation_laws`.
    """
    chosen = conservation_laws(system) if laws is None else tuple(laws)
    names = _state_of(system)
    L, R = _coordinates([dict(law.coefficients) for law in chosen], names)
    return Horizontal(_floats(L), _floats(R), "conservation")


def across_symmetries(
    system: RiemannianModule | Problem, found: Sequence[Symmetry] | None = None
) -> Horizontal:
    """Coordinates that do not change along symmetries; all of the system's when None.

    Args:
        system: A flow or step map, of one module or a composite.
        found: Some of its symmetries; None for all of `symmetries`.
    """
    chosen = symmetries(system) if found is None else tuple(found)
    names = _state_of(system)
    # l V = 0 says that l lies in the kernel of V^T: the same task, transposed.
    left, right = _coordinates([dict(s.direction) for s in chosen], names)
    return Horizontal(_floats(_transposed(right)), _floats(_transposed(left)), "symmetry")


def coordinate_names(system: RiemannianModule | Problem, horizontal: Horizontal) -> tuple[str, ...]:
    """The coordinates ``z = L x`` as combinations of the state's: ``theta[0] - theta[2]``."""
    names = _state_of(system)
    return tuple(in_words(zip(names, row, strict=True)) for row in _exact(horizontal.L))


def _state_of(system: RiemannianModule | Problem) -> tuple[str, ...]:
    if isinstance(system, Problem):
        return tuple(s.name for s in system.expressions.state)
    return tuple(system.signature.distinct[0].coordinates)


def _coordinates(
    vectors: Sequence[dict[str, int]], names: Sequence[str]
) -> tuple[FractionRows, FractionRows]:
    sparse = [{names.index(c): Fraction(v) for c, v in vector.items()} for vector in vectors]
    kept = [row for i, row in enumerate(sparse) if remainder(row, echelon(sparse[:i]))]
    if not kept or len(kept) == len(names):
        raise UnsupportedError(
            f"Of {len(names)} coordinates {len(kept)} are fixed by laws or symmetries: nothing is "
            "divided out, or nothing is left that could contract. Choose fewer or others."
        )
    return kernel_coordinates([primitive([r.get(j, 0) for j in range(len(names))]) for r in kept])


def _floats(matrix: FractionRows) -> Array:
    try:
        rounded = np.array([[float(v) for v in row] for row in matrix])
    except OverflowError:
        rounded = np.full((1, 1), np.nan)
    if not np.isfinite(rounded).all() or _exact(rounded) != matrix:
        raise UnsupportedError(
            "The coordinates across these laws need more digits than a binary number has. Scale "
            "the state so that the laws have short coefficients, or give L and R."
        )
    return rounded


def _exact(matrix: Array) -> FractionRows:
    return [[Fraction(float(v)) for v in row] for row in matrix]


def _transposed(matrix: FractionRows) -> FractionRows:
    return [list(row) for row in zip(*matrix, strict=True)]
