"""A large system cut into blocks: what each part of its Jacobian does in its nodes' metrics.

On the diagonal stand the nodes' log-norms (steps: norms) in their metrics M_i, off it the gains
``|P_i J_ij P_j^{-1}|`` with ``M = P^T P``. A block is a small linear map whose coefficients are
atoms; alike blocks over alike boxes are bounded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.claims.norms import L2
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.criterion import Criterion, make_criterion
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.modules.signature import Time
from riemannian_modules.spaces import Array
from riemannian_modules.terms.alike_ranges import AtomRanges
from riemannian_modules.terms.atoms import AtomForm, corners, sparse_atom_form
from riemannian_modules.terms.cuts import Cuts
from riemannian_modules.terms.sparse_form import sparse_jacobian

MOST_SIGNS = 6  # atoms of one entry whose corners are all tried


@final
@dataclass(frozen=True, slots=True)
class BlockBound:
    """A proved bound of one block over the region, by a tree of cuts; inf where none was."""

    bound: float
    cuts: Cuts


@final
@dataclass(frozen=True, eq=False)
class Blocks:
    """The Jacobian of a flow or step over a box, in groups of coordinates.

    Attributes:
        problem: The whole system; its box is the region.
        groups: For each node, its coordinates of the state; together all of them, none twice.
    """

    problem: Problem
    groups: tuple[tuple[int, ...], ...]

    @cached_property
    def jacobian(self) -> AtomForm:
        """The nonzero entries of the whole Jacobian, affine in atoms."""
        n = len(self.problem.map)
        return sparse_atom_form(sparse_jacobian(self.problem.map, self.problem.variables), (n, n))

    @cached_property
    def ranges(self) -> AtomRanges:
        """What is known of the atoms over the region."""
        return AtomRanges(self.problem.symbols, self.problem.lower, self.problem.upper)

    @cached_property
    def forms(self) -> dict[tuple[int, int], AtomForm]:
        """The blocks (to, from) that are not identically zero, each in its own atoms."""
        place = {c: (a, k) for a, group in enumerate(self.groups) for k, c in enumerate(group)}
        parts: dict[tuple[int, int], dict[tuple[int, ...], dict[tuple[int, int], Fraction]]] = {}
        J = self.jacobian
        for members, entries in zip(J.products, J.coefficients, strict=True):
            for (i, j), value in entries.items():
                (a, k), (b, m) = place[i], place[j]
                parts.setdefault((a, b), {}).setdefault(members, {})[k, m] = value
        return {
            (a, b): _own_form(J, terms, (len(self.groups[a]), len(self.groups[b])))
            for (a, b), terms in parts.items()
        }

    def block(self, to: int, source: int, M_to: Array, M_from: Array) -> Block | None:
        """One block in its nodes' metrics; None where it is identically zero."""
        form = self.forms.get((to, source))
        if form is None:
            return None
        return Block(self, form, is_own=to == source, metrics=(M_to, M_from))

    def key(self, to: int, source: int, M_to: Array, M_from: Array, check: BlockBound) -> Any:
        """Equal for checks of which one is proved exactly when the other is."""
        block = self.block(to, source, M_to, M_from)
        if block is None:
            return to, source
        alike, axes = block.key()
        local = {axis: k for k, axis in enumerate(axes)}
        if not all(c is None or c[0] in local for c in check.cuts):
            return to, source
        cuts = tuple(None if c is None else (local[c[0]], c[1]) for c in check.cuts)
        return alike, check.bound, cuts

    def proves(
        self, to: int, source: int, M_to: Array, M_from: Array, b: float, boxes: tuple[Array, Array]
    ) -> bool:
        """Whether a block's bound b is proved on every one of some boxes (batch, dim)."""
        block = self.block(to, source, M_to, M_from)
        return b >= 0 if block is None else bool(block.proves(b, *boxes).all())


def _own_form(
    J: AtomForm,
    terms: dict[tuple[int, ...], dict[tuple[int, int], Fraction]],
    shape: tuple[int, int],
) -> AtomForm:
    used = sorted({j for members in terms for j in members})
    own = {j: k for k, j in enumerate(used)}
    return AtomForm(
        shape,
        tuple(J.atoms[j] for j in used),
        tuple(tuple(own[j] for j in members) for members in terms),
        tuple(terms.values()),
    )


@final
class Block:
    """One block with its metrics: bounded over boxes of the region through its atoms' ranges."""

    def __init__(
        self, system: Blocks, form: AtomForm, *, is_own: bool, metrics: tuple[Array, Array]
    ) -> None:
        self.system, self.form, self.metrics = system, form, metrics
        self.is_own, self.is_flow = is_own, is_own and system.problem.is_flow
        self.is_scalar = form.shape == (1, 1) and all(np.array_equal(M, np.eye(1)) for M in metrics)

    def key(self) -> tuple[Any, list[int]]:
        """What the bound depends on, and the coordinates that the atoms read."""
        place = self.system.ranges.place
        used = {s for a in self.form.atoms for s in a.free_symbols}
        axes = sorted(place[s] for s in used)
        symbols = self.system.ranges.symbols
        names = {symbols[i]: sp.Symbol(f"_{k}", real=True) for k, i in enumerate(axes)}
        terms = zip(self.form.products, self.form.coefficients, strict=True)
        return (
            tuple(a.xreplace(names) for a in self.form.atoms),
            tuple((members, tuple(entries.items())) for members, entries in terms),
            self.form.shape,
            self.is_own,
            self.system.problem.lower[axes].tobytes(),
            self.system.problem.upper[axes].tobytes(),
            *(M.tobytes() for M in self.metrics),
        ), axes

    def proves(self, b: float, lower: Array, upper: Array) -> Mask:
        """Whether b is proved on each box (batch, dim)."""
        if self.is_scalar:
            return np.asarray(self.scalar_bounds(*self.atoms(lower, upper)) <= b)
        return boxes_prove(self.problem, self.criterion, *self.atoms(lower, upper), b)

    def scalar_bounds(self, low: Array, high: Array) -> Array:
        """The bound of a block of one entry on boxes of atoms (batch, atoms); inf where none is."""
        value = self._entry(low, high)
        top = value.upper if self.is_flow else value.magnitude
        return np.where(np.isnan(top), np.inf, top)

    def atoms(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """The atoms' ranges on boxes, (batch, atoms), as a box of `problem`'s symbols."""
        ends = [self.system.ranges.plain(a, lower, upper) for a in self.form.atoms]
        free = np.full((len(lower), 0 if self.is_scalar else self.form.shape[1]), np.inf)
        low, high = ([np.nan_to_num(e[k], nan=s, posinf=np.inf, neginf=-np.inf) for e in ends]
                     for k, s in ((0, -np.inf), (1, np.inf)))  # fmt: skip
        return (
            np.column_stack([-free, *low]) if low else -free,
            np.column_stack([free, *high]) if high else free,
        )

    def _entry(self, low: Array, high: Array) -> Interval:
        """The one entry over boxes of atoms: at their corners, for it is affine in each."""
        if not self.form.atoms:  # exactly, where a constant is a double
            (entries,) = self.form.coefficients
            return Interval.rational(entries[0, 0]).broadcast_to((len(low),))
        few = self.form.corner_count <= 2**MOST_SIGNS
        finite = np.isfinite(low).all() and np.isfinite(high).all()
        if not (few and finite):
            return self.form.over(low, high)[..., 0, 0]
        values = self.form.at(corners(low, high))[..., 0, 0]
        return Interval(values.lower.min(1), values.upper.max(1))

    @cached_property
    def problem(self) -> Problem:
        """The block as a linear map of its own variables, the atoms as its parameters."""
        rows, columns = self.form.shape
        z = tuple(sp.Symbol(f"_z{k}", real=True) for k in range(columns))
        a = tuple(sp.Symbol(f"_a{k}", real=True) for k in range(len(self.form.atoms)))
        values: list[Any] = [sp.S.Zero] * rows
        for members, entries in zip(self.form.products, self.form.coefficients, strict=True):
            for (i, j), c in entries.items():
                exact = sp.Rational(c.numerator, c.denominator)
                values[i] += sp.Mul(exact, *(a[k] for k in members)) * z[j]
        out, free = tuple(values), np.full(columns + len(a), np.inf)
        if self.is_own:
            time, expressions = self.system.problem.time, Expressions(z, (), a, out, (), ())
        else:
            time, expressions = Time.STATIC, Expressions((), z, a, (), out, ())
        return Problem(time, expressions, -free, free)

    @cached_property
    def criterion(self) -> Criterion:
        """What the metrics ask of the map."""
        M_to, M_from = (L2(M) for M in self.metrics)
        return make_criterion(self.problem, M_to, None if self.is_own else M_from)
