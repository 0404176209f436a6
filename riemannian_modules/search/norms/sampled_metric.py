"""The search for a metric on a bounded region, from samples of it: untrusted.

Any smooth map will do, polynomial or not: the inequalities are imposed at points, the most violated
of many joining a few.

Source: Lohmiller and Slotine (1998) for the inequality; Boyd et al. (1994) for cutting planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.claims.norms import FieldL2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import FreeLearnedL2, FreePolynomialL2
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.search.metrics.cone_program import symmetric_basis
from riemannian_modules.search.metrics.pencils import (
    Limits,
    SampledPencils,
    feasible,
    smallest_bound,
)
from riemannian_modules.search.samples import sample_points, some, values_at
from riemannian_modules.search.squares.gram_program import monomials
from riemannian_modules.search.squares.polynomial_metric import equilibrium_bound
from riemannian_modules.spaces import Array

POINTS = 2000
LAYERS = 3  # random hidden layers that are tried
CONDITION = 1e5  # of a metric at any point, where no other limit is asked for
BITS = (4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 30)
SLACK = 3e-4  # of the best bound's size, given up for a metric with room on all sides
PARTS = (1e-3, 0.03, 0.2, 0.5, 1.0, 2.0, 5.0)  # of the best bound's size, given up in first tries


@final
@dataclass(frozen=True, eq=False)
class Features:
    """Functions of the state whose linear combinations are a metric's entries; 1 comes first."""

    problem: Problem
    terms: tuple[sp.Expr, ...]

    @cached_property
    def rates(self) -> tuple[sp.Expr, ...]:
        """Their derivatives along the flow."""
        state, f = self.problem.expressions.state, self.problem.map
        return tuple(
            sp.Add(*(t.diff(s) * v for s, v in zip(state, f, strict=True))) for t in self.terms
        )

    @cached_property
    def successors(self) -> tuple[sp.Expr, ...]:
        """Their values at a step map's successor."""
        table: dict[Any, Any] = dict(
            zip(self.problem.expressions.state, self.problem.map, strict=True)
        )
        terms: Any = self.terms
        return tuple(t.xreplace(table) for t in terms)


def scaled_state(problem: Problem) -> list[Any]:
    """The state's symbols, each shifted and scaled to about [-1, 1] on a bounded region."""
    state = problem.expressions.state
    low, high = problem.lower[: len(state)], problem.upper[: len(state)]
    half = 2.0 ** np.ceil(np.log2(np.clip(0.5 * high - 0.5 * low, 1e-300, 1e300)))
    # Few bits: short expressions.
    middle = np.round((0.5 * low + 0.5 * high) / half * 8) / 8 * half
    exact = [[sp.Rational(*float(v).as_integer_ratio()) for v in a] for a in (middle, half)]
    return [(s - m) / h for s, m, h in zip(state, *exact, strict=True)]


def monomial_features(problem: Problem, degree: int) -> Features:
    """All monomials up to a degree, in the coordinates that the Jacobian mentions."""
    used = _mentioned(problem)
    each = [degree if s in used else 0 for s in problem.expressions.state]
    scaled = scaled_state(problem)
    return Features(
        problem,
        tuple(
            sp.Mul(*(s**k for s, k in zip(scaled, powers, strict=True)))
            for powers in monomials(degree, each)
        ),
    )


def neural_features(problem: Problem, count: int, seed: int) -> Features:
    """1 and ``count`` hidden units ``tanh(w . x + c)`` with random weights of few bits."""
    rng = np.random.default_rng(seed)
    used = _mentioned(problem)
    pairs = zip(scaled_state(problem), problem.expressions.state, strict=True)
    scaled = [x for x, s in pairs if s in used]
    w = np.round(rng.standard_normal((count, len(scaled) + 1)) * 8) / 8
    units = (
        sp.tanh(
            sp.Add(sp.Rational(c), *(sp.Rational(v) * x for v, x in zip(row, scaled, strict=True)))
        )
        for *row, c in w.tolist()
    )
    return Features(problem, (sp.S.One, *units))


def _mentioned(problem: Problem) -> set[Any]:
    return set(sp.Tuple(*(e for row in problem.jacobian for e in row)).free_symbols)


def find_learned(problem: Problem, wanted: FreeLearnedL2) -> FieldL2:
    """A metric with a small hidden layer: of a few random layers the one with the best bound.

    The output layer is the best one for its hidden layer at samples (a semidefinite program).

    Raises:
        ConvergenceError: If none is found.
    """
    best: tuple[float, FieldL2] | None = None
    for seed in range(LAYERS):
        features = neural_features(problem, wanted.features, seed)
        try:
            found = _best_of(features, CONDITION)
        except ConvergenceError:
            continue
        if best is None or found[0] < best[0]:
            best = found
    if best is None:
        raise ConvergenceError("No metric was learned from samples of the region.")
    return best[1]


def find_by_samples(problem: Problem, wanted: FreePolynomialL2) -> FieldL2:
    """A polynomial metric of the wanted degree on a bounded region.

    Raises:
        ConvergenceError: If none is found.
    """
    family = monomial_features(problem, wanted.degree)
    return _best_of(family, min(wanted.condition, CONDITION))[1]


def _best_of(family: Features, condition: float) -> tuple[float, FieldL2]:
    """The best metric of a family and its bound at the samples."""
    problem, n = family.problem, family.problem.size
    basis = symmetric_basis(n, [range(n)])
    pencils = sampled_pencils(problem, family, basis)
    identity = np.zeros(pencils.size)
    identity[: len(basis)] = [float(B.diagonal().any()) for B in basis]  # 1 comes first
    limits = Limits(np.eye(n), condition)
    # Steps from the identity may be slow, through metrics that are hardly better; one program for a
    # bound that may be within reach jumps ahead.
    best = equilibrium_bound(problem)
    tries = (best + part * abs(best) for part in PARTS)
    found = (feasible(pencils, c, limits) for c in tries)
    start = next((theta for theta in found if theta is not None), identity)
    bound, theta = smallest_bound(pencils, start, limits)
    if not np.isfinite(bound):
        raise ConvergenceError("No metric of this family was found from samples of the region.")
    limit = bound + SLACK * abs(bound)
    roomy = feasible(pencils, limit, limits)
    rounded = rounded_parameters(pencils, theta if roomy is None else roomy, limit)
    return bound, field_of(family.terms, basis, rounded)


def rounded_parameters(pencils: SampledPencils, theta: Array, limit: float) -> Array:
    """Parameters of the fewest bits whose bounds at the samples stay within a limit."""
    size = 2.0 ** np.ceil(np.log2(np.abs(theta).max()))
    rounded = theta
    for bits in BITS:
        rounded = np.round(theta / size * 2.0**bits) / 2.0**bits * size
        if pencils.bounds(rounded).max() <= limit + SLACK * abs(limit):
            break
    return rounded


def sampled_pencils(problem: Problem, family: Features, basis: Array) -> SampledPencils:
    """Weights and loads of all (feature, basis matrix) pairs at points of the region."""
    points = sample_points(problem, np.random.default_rng(0), POINTS)
    entries = tuple(e for row in problem.jacobian for e in row)
    second = family.rates if problem.is_flow else family.successors
    flat = values_at(problem, (*entries, *family.terms, *second), points)
    flat = some(flat[np.isfinite(flat).all(1)])
    n, count = problem.size, len(family.terms)
    J = flat[:, : n * n].reshape(-1, 1, n, n)
    first, other = flat[:, n * n : n * n + count], flat[:, n * n + count :]
    Jt = np.swapaxes(J, -1, -2)
    weights = first[:, :, None, None, None] * basis
    if problem.is_flow:
        loads = other[:, :, None, None, None] * basis
        loads = loads + first[:, :, None, None, None] * (basis @ J + Jt @ basis)[:, None]
    else:
        loads = other[:, :, None, None, None] * (Jt @ basis @ J)[:, None]
    shape = (len(flat), count * len(basis), n, n)
    return SampledPencils(weights.reshape(shape), loads.reshape(shape))


def field_of(terms: Sequence[sp.Expr], basis: Array, theta: Array) -> FieldL2:
    """The metric of dyadic parameters (feature, basis matrix), exact."""
    table = theta.reshape(len(terms), len(basis))
    n = basis.shape[-1]
    M: list[list[Any]] = [[sp.S.Zero] * n for _ in range(n)]
    for k, B in enumerate(basis):
        i, j = (int(v) for v in np.argwhere(B)[0])
        entry = sp.Add(
            *(
                sp.Rational(*float(c).as_integer_ratio()) * t
                for c, t in zip(table[:, k], terms, strict=True)
            )
        )
        M[i][j] = M[j][i] = sp.expand(entry)
    return FieldL2(tuple(tuple(row) for row in M))
