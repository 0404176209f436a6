"""Polynomial coordinates in which a flow or step is linear, and the metrics that they give.

Composition with a step, ``psi -> psi(f(x))``, and the derivative along a flow, ``psi -> grad psi
f``, are linear in psi. Where n polynomials z of some degree span a space that it maps into itself,
``z+ = A z`` or ``z' = A z``, and with ``Theta = dz/dx`` regular everywhere, ``Theta^T P Theta`` has
the bound of the linear system in P. Spaces and coordinates are exact; only P is searched.

Source: Koopman (1931); Mauroy and Mezic (2016), *Global stability analysis using the eigenfunctions
of the Koopman operator*.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import combinations
from operator import mul
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.spectra import eigenvalues
from riemannian_modules.claims.norms import FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import FreePolynomialL2
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.search.linear_forms import Row, nullspace
from riemannian_modules.search.metrics.constant_metric import constant_metric
from riemannian_modules.search.squares.gram_program import monomials
from riemannian_modules.terms.polynomial_ring import (
    Poly,
    Ring,
    derivative,
    plus,
    ring_of,
    substituted,
    times,
)

LARGEST = 100  # monomials of the coordinates that are sought


def linear_metric(problem: Problem, wanted: FreePolynomialL2) -> FieldL2 | None:
    """A metric of coordinates in which the system is linear; None where there are none."""
    state = problem.expressions.state
    ring, degree = ring_of(problem.map, state), wanted.degree // 2 + 1
    basis = monomials(degree, [degree] * len(state))
    if ring.generators != state or len(basis) > LARGEST:
        return None
    f = [ring.read(e) for e in problem.map]
    space = [{m: Fraction(1)} for m in basis]
    images = [_along(p, f) if problem.is_flow else substituted(p, f) for p in space]
    found = _coordinates(*_invariant(space, images), ring)
    if found is None:
        return None
    z, A = found
    J = np.array(A.tolist(), dtype=float)[None]
    values = eigenvalues(J)
    if (values.real.max() >= 0) if problem.is_flow else (np.abs(values).max() >= 1):
        return None  # no metric contracts
    try:
        P = constant_metric(J, J[:0], condition=wanted.condition, is_flow=problem.is_flow)
    except ConvergenceError:
        return None
    theta = _differential(z, ring)
    M = theta.T * sp.Matrix(
        [[sp.Rational(*v.as_integer_ratio()) for v in row] for row in P.tolist()]
    )
    return FieldL2(tuple(tuple(map(sp.expand, row)) for row in (M * theta).tolist()))


def _along(p: Poly, f: Sequence[Poly]) -> Poly:
    """The derivative of p along f."""
    total: Poly = {}
    for k, rate in enumerate(f):
        total = plus(total, times(derivative(p, k), rate))
    return total


def _invariant(space: list[Poly], images: list[Poly]) -> tuple[list[Poly], Any]:
    """The largest subspace that is mapped into itself, and the map's matrix on its basis."""
    while True:
        # sum_k v_k image_k = sum_k w_k space_k
        size, rows = len(space), dict[Any, Row]()
        for k, (p, q) in enumerate(zip(space, images, strict=True)):
            for m, c in q.items():
                rows.setdefault(m, {})[k] = c
            for m, c in p.items():
                rows.setdefault(m, {})[size + k] = -c
        pairs = nullspace(list(rows.values()), 2 * size)
        if len(pairs) == size:
            v, w = (
                sp.Matrix(
                    [[sp.Rational(c.numerator, c.denominator) for c in half] for half in part]
                )
                for part in ([p[:size] for p in pairs], [p[size:] for p in pairs])
            )
            return space, v.inv() * w
        space, images = (
            [_combined(v[:size], polynomials) for v in pairs] for polynomials in (space, images)
        )


def _combined(v: Sequence[Fraction], polynomials: Sequence[Poly]) -> Poly:
    total: Poly = {}
    for c, p in zip(v, polynomials, strict=True):
        total = plus(total, p, c) if c else total
    return total


def _coordinates(space: list[Poly], A: Any, ring: Ring) -> tuple[list[Poly], Any] | None:
    """Of an invariant space, n polynomials with a regular differential, invariant among them."""
    n = len(ring.generators)
    factors = [p for p, k in A.charpoly().factor_list()[1] for _ in range(k)]
    tried: set[Any] = set()
    for count in range(1, n + 1):
        for chosen in combinations(factors, count):
            p = reduce(mul, chosen)
            if p.degree() != n or p in tried:
                continue
            tried.add(p)
            # Rows u with u p(A) = 0: an invariant subspace of the row vectors, z = u space.
            at = sp.zeros(*A.shape)
            for c in p.all_coeffs():
                at = at * A + c * sp.eye(A.rows)
            rows = at.T.nullspace()
            if len(rows) != n:
                continue
            U = sp.Matrix([row.T for row in rows])
            z = [_combined([_fraction(c) for c in row], space) for row in U.tolist()]
            det = sp.expand(_differential(z, ring).det(method="berkowitz"))
            if det.is_Rational and det != 0:
                return z, (U * A * U.T) * (U * U.T).inv()
    return None


def _fraction(c: Any) -> Fraction:
    return Fraction(int(c.p), int(c.q))


def _differential(z: Sequence[Poly], ring: Ring) -> Any:
    """``Theta = dz/dx``."""
    size = range(len(ring.generators))
    return sp.Matrix([[ring.expression(derivative(p, k)) for k in size] for p in z])
