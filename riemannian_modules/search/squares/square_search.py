"""How sums of squares for a bound are found; see `evidence.squares` for what they prove."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.claims.kind import limit_of
from riemannian_modules.claims.norms import L2, FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.squares import (
    Squares,
    as_field,
    is_definite_at,
    is_metric_after,
    own_basis,
    rate_matrix,
)
from riemannian_modules.evidence.sums_of_squares import SumOfSquares
from riemannian_modules.search.samples import sample_points
from riemannian_modules.search.squares.coordinates import RAISED, definite, needed_bound, prove_rate
from riemannian_modules.search.squares.gram_program import (
    prove_inside,
    prove_sos,
    smallest_multiple,
)
from riemannian_modules.search.squares.polynomial_metric import (
    bounds_to_try,
    equilibrium_bound,
    prove_definite,
)
from riemannian_modules.search.squares.region_sides import region_sides
from riemannian_modules.spaces import Array
from riemannian_modules.terms.constant_basis import Basis
from riemannian_modules.terms.generalised import generalised_jacobian
from riemannian_modules.terms.normal_form import roots_in
from riemannian_modules.terms.polynomial_ring import ring_of

Positive = tuple[Any, Fraction, SumOfSquares, Array]  # weight, margin, squares, a point

EXACT = (0.0, 1e-12, 1e-9)  # parts given up first: where a metric is exact, none has to be
SLACKS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4)  # parts given up for Gram matrices inside their cones
MOST_TERMS = 16  # of a cut region
SAMPLES = 64  # points that are tried
SMALL = 1e-3  # part of the matrix below which a bound counts as zero
REFINEMENTS = 8  # bisections between the best bound that is proved and the next one tried


def prove_by_squares(
    problem: Problem, norm: L2 | FieldL2, target: float | None, input_norm: L2 | None = None
) -> tuple[float, Squares] | None:
    """A proved bound, the target or the best that is found, and its evidence; None if none is.

    The problem's map has to be defined on the whole box (``problem.is_defined``).
    """
    field = as_field(norm)
    if not problem.is_defined or (problem.constraints and _is_large(problem)):
        return None
    if not is_metric_after(problem, norm):
        return None
    basis = own_basis(problem, norm)
    if basis is not None:
        found = _prove_in_coordinates(problem, field, basis, target)
        if found is not None or not any(map(roots_in, basis.terms)):
            return found
    positive = prove_positive(problem, field)
    if positive is None:
        return None
    if target is not None:
        rate = _prove_rate(problem, field, target, input_norm)
        return None if rate is None else (target, Squares(rate, *positive))
    if problem.constraints:
        return _prove_best(problem, field, positive, input_norm)
    before: float | None = None
    best = equilibrium_bound(problem)
    tries = (*(best + part * abs(best) for part in EXACT), *bounds_to_try(problem))
    for c in tries if np.isfinite(best) else ():
        b = 0.5 * c if problem.is_flow else float(np.sqrt(c))
        rate = _prove_rate(problem, field, b)
        if rate is not None:
            b, rate = _refined(problem, field, before, b, rate)
            return b, Squares(rate, *positive)
        before = b
    return None


def _is_large(problem: Problem) -> bool:
    """Whether there are too many generators and constraints for products of any two of them."""
    ring = ring_of(e for row in problem.jacobian for e in row)
    return len(ring.generators) + len(problem.constraints.members) > MOST_TERMS


def _prove_best(
    problem: Problem, field: FieldL2, positive: Positive, input_norm: L2 | None
) -> tuple[float, Squares] | None:
    """The best bound that sums of squares of the lowest degree have, if it contracts; evidence."""
    with_one, load = (rate_matrix(problem, field, b, input_norm) for b in (1.0, 0.0))
    n = range(len(load))
    weight = [[sp.expand(with_one[i][j] - load[i][j]) for j in n] for i in n]
    ring, sides = region_sides(problem, (e for row in (*weight, *load) for e in row))
    W, T = ([[ring.read(e) for e in row] for row in part] for part in (weight, load))
    best = smallest_multiple(W, T, ring, sides)
    if best is None or best >= limit_of(problem.time):
        return None
    size = max((abs(float(c)) for row in T for p in row for c in p.values()), default=0.0)
    for part in SLACKS:
        c = best + part * max(abs(best), SMALL * size)
        b = c if problem.is_flow else float(np.sqrt(max(c, 0.0)))
        rate = _prove_rate(problem, field, b, input_norm)
        if rate is not None:
            return b, Squares(rate, *positive)
    return None


def _prove_in_coordinates(
    problem: Problem, field: FieldL2, basis: Basis, target: float | None
) -> tuple[float, Squares] | None:
    """The same in the coordinates in which the metric is constant."""
    point = _inner_point(problem)
    if not is_definite_at(field, problem.symbols, point):
        return None
    F = generalised_jacobian(problem, basis, field.rates)
    needed = target if target is not None else needed_bound(problem, field, basis, F)
    tried = [needed] if target is not None else [needed + part * abs(needed) for part in RAISED]
    for b in tried if np.isfinite(needed) else ():
        rate = prove_rate(problem, basis, F, b)
        if rate is not None:
            return b, Squares(rate, *definite(basis), point)
    return None


def _refined(
    problem: Problem, field: FieldL2, failed: float | None, b: float, rate: SumOfSquares
) -> tuple[float, SumOfSquares]:
    """A bound between one that is not proved and one that is, by bisection."""
    for _ in range(REFINEMENTS if failed is not None else 0):
        assert failed is not None
        middle = 0.5 * (failed + b)
        trial = _prove_rate(problem, field, middle)
        if trial is None:
            failed = middle
        else:
            b, rate = middle, trial
    return b, rate


def _prove_rate(
    problem: Problem, field: FieldL2, b: float, input_norm: L2 | None = None
) -> SumOfSquares | None:
    matrix = rate_matrix(problem, field, b, input_norm)
    ring, sides = region_sides(problem, (e for row in matrix for e in row))
    read = [[ring.read(e) for e in row] for row in matrix]
    if problem.constraints:
        return prove_inside(read, ring, sides)
    plain = prove_sos(read, ring)
    return plain if plain is not None or not sides else prove_sos(read, ring, sides)


def prove_positive(problem: Problem, field: FieldL2) -> Positive | None:
    """A weight w, a margin > 0, a proof of ``w M - margin I >= 0`` and a point where M > 0."""
    M = field.entries
    ring, known = region_sides(problem, (e for row in M for e in row))
    for sides in dict.fromkeys(((), known)):
        found = prove_definite(field, ring, sides)
        if found is None:
            continue
        origin = _inner_point(problem)
        if found[0].is_Rational:  # a positive number: M > 0 follows, and no point is needed
            return *found, origin
        for point in (origin, *sample_points(problem, np.random.default_rng(0), SAMPLES)):
            is_inside = problem.constraints.contains(point)
            if is_inside and is_definite_at(field, problem.symbols, point):
                return *found, point
    return None


def _inner_point(problem: Problem) -> Array:
    """The origin, or what is next to it in the region's box."""
    return np.clip(np.zeros(len(problem.lower)), problem.lower, problem.upper)
