"""Sums of squares in the coordinates of a metric M(x), in which it is constant.

With ``M = Theta^T D Theta`` and the generalised Jacobian F (see `generalised`), the tested matrix
is ``Theta^T (c D - D F - F^T D) Theta``, or ``Theta^T (c D - F^T D F) Theta`` of a step. What is
between Theta^T and Theta is a polynomial in the atoms of F, which are bounded where M suits the
system, and a sum of squares ``z^T G z`` of it is one of the whole at ``z = Theta dx``.

That M is definite needs no search: with ``K = Theta^-1`` and ``w = sum_ki K_ki^2 / d_i``,
``w |z|_D^2 - |K z|^2`` is a sum of squares by Lagrange's identity, hence ``w M >= I``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import sympy as sp

from riemannian_modules.claims.norms import FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.bounded_terms import Bounded, finite_range
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.evidence.squares import carried_rate
from riemannian_modules.evidence.sums_of_squares import NO_SIDE, Side, SumOfSquares
from riemannian_modules.search.squares.gram_program import Form, prove_sos, spread
from riemannian_modules.terms.atoms import AtomForm, atom_form
from riemannian_modules.terms.constant_basis import Basis
from riemannian_modules.terms.generalised import product, symmetric_sum
from riemannian_modules.terms.polynomial_ring import (
    Poly,
    Ring,
    power_product,
    ring_of,
    times,
)

RAISED = (1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-3)  # parts by which a bound exceeds what is needed


def needed_bound(problem: Problem, norm: FieldL2, basis: Basis, F: Sequence[Any]) -> float:
    """The bound that the ranges of F's atoms on the whole region allow; inf where they are open."""
    D = sp.diag(*basis.weights)
    DF = product(D.tolist(), F)
    tested = symmetric_sum(DF) if problem.is_flow else DF
    weight = 2 * D if problem.is_flow else sp.diag(D, D)
    criterion = make_criterion(problem, norm, None, tested, weight.tolist())
    return float(box_bounds(problem, criterion, problem.lower[None], problem.upper[None])[0])


def prove_rate(problem: Problem, basis: Basis, F: Sequence[Any], b: float) -> SumOfSquares | None:
    """A sum of squares for the bound b on the region, over the state's directions."""
    form = atom_form(F)
    names = tuple(sp.Dummy(f"a{k}") for k in range(len(form.atoms)))
    inner = Ring(names)
    T = _read(inner, carried_rate(problem, basis, _in_names(form, names), b))
    sides = _sides(problem, form, names)
    found = prove_sos(T, inner)
    if found is None and sides:
        found = prove_sos(T, inner, sides)
    if found is None:
        return None
    ring = ring_of([*form.atoms, *(e for row in basis.theta for e in row)])
    atoms, theta = [ring.read(a) for a in form.atoms], _read(ring, basis.theta)
    table: dict[Any, Any] = dict(zip(names, form.atoms, strict=True))
    parts: list[Any] = []
    for side, gram in found.parts:
        forms = [
            _direction(theta[i], power_product(atoms, powers, ring.one))
            for i, powers in zip(gram.rows, gram.basis, strict=True)
        ]
        size = range(len(forms))
        known: Any = sp.Tuple(side.factor, side.meaning).xreplace(table)
        parts.append((Side(*known), spread(forms, [[gram.at(k, j) for j in size] for k in size])))
    return SumOfSquares(ring, tuple(parts))


def definite(basis: Basis) -> tuple[Any, Fraction, SumOfSquares]:
    """A weight w, a margin and the squares of ``w M - margin I``."""
    K, d, n = basis.inverse, basis.weights, len(basis.weights)
    w = sp.Add(*(K[k][i] ** 2 / d[i] for k in range(n) for i in range(n)))
    ring = ring_of([e for rows in (K, basis.theta) for row in rows for e in row])
    inverse, theta = _read(ring, K), _read(ring, basis.theta)
    weights = [Fraction(int(v.p), int(v.q)) for v in d]
    margin = Fraction(1, 2)
    forms: list[Form] = [{(i, ring.one): Fraction(1)} for i in range(n)]  # the rest, I / 2
    squares = [margin] * n
    for k in range(n):
        for i, j in combinations(range(n), 2):
            one = _direction(theta[j], inverse[k][i], weights[j])
            other = _direction(theta[i], inverse[k][j], weights[i])
            forms.append({e: one.get(e, Fraction(0)) - other.get(e, 0) for e in one | other})
            squares.append(1 / (weights[i] * weights[j]))
    size = range(len(forms))
    G = [[squares[k] if k == j else Fraction(0) for j in size] for k in size]
    return w, margin, SumOfSquares(ring, ((NO_SIDE, spread(forms, G)),))


def _in_names(form: AtomForm, names: Sequence[Any]) -> list[list[Any]]:
    """A matrix with names for its atoms."""
    F = sp.zeros(*form.shape)
    for members, entries in zip(form.products, form.coefficients, strict=True):
        for place, c in entries.items():
            F[place] += sp.Rational(c.numerator, c.denominator) * sp.Mul(
                *(names[k] for k in members)
            )
    return F.tolist()


def _sides(problem: Problem, form: AtomForm, names: Sequence[Any]) -> tuple[Side, ...]:
    """The finite ends of the atoms' natural ranges over the region's box."""
    ranges = [finite_range(problem, atom) for atom in form.atoms]
    return tuple(
        Bounded(name, name, *ends).product
        for name, ends in zip(names, ranges, strict=True)
        if ends != (None, None)
    )


def _read(ring: Ring, rows: Sequence[Sequence[Any]]) -> list[list[Poly]]:
    return [[ring.read(e) for e in row] for row in rows]


def _direction(row: Sequence[Poly], factor: Poly, c: Fraction = Fraction(1)) -> Form:
    """The linear form ``c factor sum_l row_l dx_l``."""
    return {(i, m): c * v for i, e in enumerate(row) for m, v in times(factor, e).items() if v}
