"""The test of a metric M(x) of many atoms, written so that it is tight on wide boxes.

An interval matrix forgets how its entries move together. What that loses is less when

- its terms are multiplied out about the middles of their factors, so that what changes the matrix
  first stands in single atoms, whose shares in an entry are added up before any interval;
- atoms that are nearly linear are written along the coordinates, whose shares are added up, too: a
  metric that was made to make up for a change of the Jacobian does so before any interval.

Both leave the matrix the same: no claim depends on how well they are chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import FieldCriterion
from riemannian_modules.terms.atoms import AtomForm
from riemannian_modules.terms.ranges import atom_range, natural_ranges

BITS = 8  # of lines' slopes
CENTRE_BITS = 3  # of a middle, beside the width
NEARLY = 0.5  # the part of an atom's width that a line may leave

Places = Mapping[sp.Expr, sp.Expr]


def in_short_terms(problem: Problem, criterion: FieldCriterion) -> FieldCriterion:
    """The test about the middles of its factors, and along the coordinates of a bounded region."""
    if not (np.isfinite(problem.lower).all() and np.isfinite(problem.upper).all()):
        return criterion
    centres = _centres(problem, criterion.form)
    form = criterion.form.centred(centres)
    return replace(criterion, form=form.linearised(_lines(problem, form, centres)))


def _centres(problem: Problem, form: AtomForm) -> Places:
    """The middles of what the atoms' factors take on the region, in few bits."""
    powers: list[set[sp.Expr]] = [set(atom.as_powers_dict()) for atom in form.atoms]
    factors = sorted(set[sp.Expr]().union(*powers), key=sp.default_sort_key)
    sides = problem.lower[None], problem.upper[None]
    low, high = (ends[0] for ends in natural_ranges(tuple(factors), problem.symbols, *sides))
    found: dict[sp.Expr, sp.Expr] = {}
    for g, a, b in zip(factors, low.tolist(), high.tolist(), strict=True):
        if np.isfinite([a, b]).all():
            unit = 2.0 ** (np.ceil(np.log2(max(b - a, 1e-300))) - CENTRE_BITS)
            middle = float(np.round((0.5 * a + 0.5 * b) / unit) * unit)
            found[g] = sp.Rational(*middle.as_integer_ratio())
    return found


def _lines(
    problem: Problem, form: AtomForm, centres: Places
) -> dict[sp.Expr, dict[sp.Expr, sp.Expr]]:
    """For atoms that are nearly linear, lines of their slopes at the middle: slopes by terms."""
    coordinates = {s: s - centres.get(s, sp.S.Zero) for s in problem.symbols}
    alone = dict.fromkeys(form.atoms[m[0]] for m in form.products if len(m) == 1)
    lines: dict[sp.Expr, dict[sp.Expr, sp.Expr]] = {}
    for atom in alone:
        if atom in coordinates.values():
            continue
        line = _line(problem, atom)
        if line is not None:
            lines[atom] = {coordinates[s]: c for s, c in line.items()}
    return lines


def _line(problem: Problem, atom: sp.Expr) -> dict[sp.Symbol, sp.Expr] | None:
    """Slopes of few bits, where what they leave ranges over a part of what the atom does."""
    used = tuple(s for s in problem.symbols if s in atom.free_symbols)
    middle = (0.5 * problem.lower + 0.5 * problem.upper)[None]
    (row,) = derivatives((atom,), used)
    low, high = (ends[0] for ends in natural_ranges(row, problem.symbols, middle, middle))
    if not np.isfinite([low, high]).all():
        return None
    slopes = (0.5 * low + 0.5 * high).tolist()
    line = {s: sp.Rational(round(c * 2**BITS), 2**BITS) for s, c in zip(used, slopes, strict=True)}
    rest = atom - sp.Add(*(c * s for s, c in line.items()))
    whole, left = (_width(problem, e) for e in (atom, rest))
    return {s: c for s, c in line.items() if c} if left <= NEARLY * whole else None


def _width(problem: Problem, e: sp.Expr) -> float:
    low, high = atom_range(e, problem.symbols, problem.lower[None], problem.upper[None])
    return float(high[0] - low[0])
