"""The test of a metric M(x) of many atoms, written so that it is tight on wide boxes: untrusted.

An interval matrix forgets how its entries move together. What that loses is less when

- it is put in a basis K in which its mean over samples is the identity, for the loss grows with the
  condition of its centre;
- its terms are multiplied out about the middles of their factors, so that what changes the matrix
  first stands in single atoms, whose shares in an entry are added up before any interval;
- atoms that are nearly linear are written along the coordinates, whose shares are added up, too: a
  metric that was made to make up for a change of the Jacobian does so before any interval.

All three leave the matrix the same, or congruent: no claim depends on how well they are chosen. For
the congruence, ``K^T W K > 0`` implies that K is regular, so that ``W > 0`` and, with ``K^T R K >=
0``, also ``R >= 0``. All numbers have few bits, as the exact matrix is written out in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy as sp

from riemannian_modules.certify.atoms import MOST_CORNERS, AtomForm
from riemannian_modules.certify.criterion import Criterion, FieldCriterion
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.searching.samples import sample_points, values_at
from riemannian_modules.space import Array

SAMPLES = 500
BITS = 8  # of an entry of K, beside the largest of its column, and of lines' slopes
CENTRE_BITS = 3  # of a middle, beside the width
NEARLY = 0.5  # the part of an atom's width that a line may leave

Places = Mapping[sp.Expr, sp.Expr]


def whitened(problem: Problem, criterion: Criterion, target: float | None) -> Criterion:
    """The test for the bound ``target``, or for the best, written so that it is tight.

    As it was where few atoms move: then it is made at their corners, which lose nothing.
    """
    if not isinstance(criterion, FieldCriterion) or not problem.is_flow:
        return criterion
    if criterion.form.corner_count <= MOST_CORNERS:
        return criterion
    criterion = in_short_terms(problem, criterion)
    K = _basis(problem, criterion, target)
    return criterion if K is None else criterion.in_basis(K)


def in_short_terms(problem: Problem, criterion: FieldCriterion) -> FieldCriterion:
    """The test about the middles of its factors, and along the coordinates."""
    points = _points(problem)
    centres = _centres(problem, criterion.form, points)
    form = criterion.form.centred(centres)
    form = form.linearised(_lines(problem, form, centres, points))
    return replace(criterion, form=form)


def _points(problem: Problem) -> Array:
    return sample_points(problem, np.random.default_rng(2), SAMPLES)


def _centres(problem: Problem, form: AtomForm, points: Array) -> Places:
    """The middles of what the atoms' factors take at points."""
    powers: list[set[sp.Expr]] = [set(atom.as_powers_dict()) for atom in form.atoms]
    factors = sorted(set[sp.Expr]().union(*powers), key=sp.default_sort_key)
    values = values_at(problem, tuple(factors), points)
    values = values[np.isfinite(values).all(1)]
    if not len(values):
        return {}
    low, high = values.min(0), values.max(0)
    unit = 2.0 ** (np.ceil(np.log2(np.maximum(high - low, 1e-300))) - CENTRE_BITS)
    middles = np.round((0.5 * low + 0.5 * high) / unit) * unit
    return {
        g: sp.Rational(*c.as_integer_ratio())
        for g, c in zip(factors, middles.tolist(), strict=True)
    }


def _lines(
    problem: Problem, form: AtomForm, centres: Places, points: Array
) -> dict[sp.Expr, dict[sp.Expr, sp.Expr]]:
    """For atoms that are nearly linear, the lines nearest to them at points: slopes by terms."""
    coordinates = {s: s - centres.get(s, sp.S.Zero) for s in problem.symbols}
    alone = dict.fromkeys(form.atoms[m[0]] for m in form.products if len(m) == 1)
    atoms = [a for a in alone if a not in coordinates.values()]
    flat = values_at(problem, (*problem.symbols, *atoms), points)
    flat = flat[np.isfinite(flat).all(1)]
    if not len(flat):
        return {}
    X, A = flat[:, : len(coordinates)], flat[:, len(coordinates) :]
    design = np.column_stack([X, np.ones(len(X))])
    slopes = np.linalg.lstsq(design, A, rcond=None)[0]
    is_near = np.ptp(A - design @ slopes, axis=0) <= NEARLY * np.ptp(A, axis=0)
    lines: dict[sp.Expr, dict[sp.Expr, sp.Expr]] = {}
    for k in np.flatnonzero(is_near):
        exact = (sp.Rational(round(c * 2**BITS), 2**BITS) for c in slopes[:-1, k].tolist())
        pairs = zip(coordinates.items(), exact, strict=True)
        lines[atoms[k]] = {t: c for (s, t), c in pairs if c and s in atoms[k].free_symbols}
    return lines


def _basis(
    problem: Problem, criterion: FieldCriterion, target: float | None
) -> list[list[Fraction]] | None:
    """K of few bits with ``K^T (b W - T) K`` about the identity at points, or None."""
    points = _points(problem)
    low, high = criterion.form.ranges(problem.symbols, points, points)
    decided = np.isfinite(low).all(1) & np.isfinite(high).all(1)
    T = criterion.form.values(0.5 * low[decided] + 0.5 * high[decided])
    needed = criterion.estimate(T)
    fine = np.isfinite(needed)
    if not fine.any():
        return None
    # At a b that all points allow, every margin is nonnegative, and their mean is definite.
    b = float(needed[fine].max())
    if target is not None and target > b:
        b = target
    S, W = np.split(T[fine], 2, axis=1)
    try:
        L = np.linalg.cholesky((b * W - S).mean(0))
    except np.linalg.LinAlgError:
        return None
    K = np.linalg.inv(L).T
    scale = 2.0 ** (BITS - np.ceil(np.log2(np.abs(K).max(0))))
    return [[Fraction(v) for v in row] for row in (np.round(K * scale) / scale).tolist()]
