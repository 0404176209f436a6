"""What a norm asks of a Jacobian, as a convex test of a matrix that is affine in each atom.

One number ``b`` bounds all cases: the log-norm of a flow (contracting with rate -b) or the gain of
a map.

- l2, flow: ``2 b M - (M J + J^T M) >= 0``.
- l2, map: ``[[b M_in, J^T M_out], [M_out J, b M_out]] >= 0``, which is ``J^T M_out J <= b^2 M_in``.
- l2, flow, metric M(x): ``2 b M - (Mdot + M J + J^T M) >= 0`` and M > 0 at every point.
- l2, flow, coordinates Theta(x): ``2 b I - (F + F^T) >= 0``, ``F = (Thetadot + Theta J)
  Theta^-1``, and Theta regular at every point.
- l2, step, metric M(x): ``[[b M, J^T M'], [M' J, b M']] >= 0`` with M' = M(f(x)), and both > 0.
- l1 and linf: the weighted column or row sums of J are at most b.

The left sides are convex in J, hence in each atom: they hold on a box of atoms when they hold at
its corners. An unbounded atom ``a >= l`` needs the test at l and, for its slope, with b = 0 (the
test is subadditive along rays).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import final

import numpy as np
import sympy as sp
from typing_extensions import override

from riemannian_modules.arithmetic.affine_matrix import AffineMatrix
from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.log_norm import log_norm_inf, norm_inf
from riemannian_modules.arithmetic.rational_definite import (
    is_negative_definite_rational,
    is_negative_semidefinite_rational,
)
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.arithmetic.spectra import symmetric_eigenvalues
from riemannian_modules.claims.norms import L1, L2, FactorL2, FieldL2, LInf, Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence import uphill
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import AtomForm, atom_form
from riemannian_modules.terms.constant_basis import basis_of_factor
from riemannian_modules.terms.generalised import (
    at_successor,
    cancelled,
    generalised_jacobian,
    material_derivative,
    product,
    symmetric_sum,
)
from riemannian_modules.terms.ranges import RangeLemma

FractionMatrix = Sequence[Sequence[Fraction]]
Rows = Sequence[Sequence[sp.Expr]]


class Criterion(abc.ABC):
    """A norm's test of the matrices that `form` takes over a box."""

    form: AtomForm

    @property
    @abc.abstractmethod
    def smallest_weight(self) -> float:
        """How fast the test's left side grows at least with b; untrusted, sizes margins."""

    @abc.abstractmethod
    def estimate(self, T: Array) -> Array:
        """The smallest b for each matrix (..., rows, columns), in floats: untrusted."""

    @abc.abstractmethod
    def proves(self, T: Interval, b: Array) -> Mask:
        """Whether the test with b (...) is proved for every matrix in T (..., rows, columns)."""

    def proves_over(self, low: Array, high: Array, b: float) -> Mask:
        """Whether the test with b is proved over boxes of finite atoms (batch, atoms), quickly.

        One interval matrix a box: what fails may still be proved corner by corner.
        """
        return self.proves(self.form.over(low, high), np.full(len(low), b))

    def corners_need(self, low: Array, high: Array) -> Array:
        """The b that the corners of boxes of atoms (batch, atoms) need, or less: untrusted."""
        return self.estimate(self.form.at(self.form.corners(low, high)).midpoint).max(1)

    def worst_places(self, low: Array, high: Array) -> Array:
        """A place in each box of atoms (batch, atoms) where the test may well fail: untrusted."""
        return 0.5 * low + 0.5 * high

    def proves_at(self, places: Array, b: Array) -> Mask:
        """Whether the test with b (...) is proved at exact values of the atoms (..., atoms)."""
        return self.proves(self.form.at(places), np.broadcast_to(b, places.shape[:-1]))

    @abc.abstractmethod
    def exact_test(self, b: Fraction) -> ExactTest:
        """The test with b in exact rationals, ties included."""

    @abc.abstractmethod
    def with_known(self, known: Mapping[int, RangeLemma]) -> Criterion:
        """This test with ranges of atoms that are proved to hold on the whole region."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExactTest:
    """An exact matrix, affine in each atom, and what is asked of its values and of its slopes.

    ``at_slopes`` is asked along unbounded atoms; with ``at_values`` at the anchor it gives the test
    on the whole ray.
    """

    form: AtomForm
    at_values: Callable[[FractionMatrix], bool]
    at_slopes: Callable[[FractionMatrix], bool]


@final
@dataclass(frozen=True, eq=False)
class QuadraticCriterion(Criterion):
    """``b W - T(a) >= 0`` with W = 2 M (flow) or blockdiag(M_in, M_out) (map)."""

    form: AtomForm
    weight: Array

    @property
    @override
    def smallest_weight(self) -> float:
        return float(np.linalg.eigvalsh(self.weight)[0])

    @override
    def estimate(self, T: Array) -> Array:
        # The largest eigenvalue of the pencil (T, W), by the Cholesky factor of W.
        L = np.linalg.cholesky(self.weight)
        half = np.linalg.solve(L, T)
        whole = np.linalg.solve(L, np.swapaxes(half, -1, -2))
        values = symmetric_eigenvalues(0.5 * (whole + np.swapaxes(whole, -1, -2)))
        return np.asarray(values[..., -1], dtype=np.float64)

    @override
    def proves(self, T: Interval, b: Array) -> Mask:
        return is_positive_definite(
            Interval.point(self.weight) * Interval.point(b[..., None, None]) - T
        )

    @override
    def proves_over(self, low: Array, high: Array, b: float) -> Mask:
        terms = [Interval.point(np.full(len(low), b)), *self.form.terms(low, high)]
        return self._pencil.are_positive_definite(terms)

    @override
    def proves_at(self, places: Array, b: Array) -> Mask:
        flat = places.reshape(math.prod(places.shape[:-1]), places.shape[-1])
        terms = self.form.terms(flat, flat)
        bounds = np.broadcast_to(b, places.shape[:-1]).ravel()
        held = self._pencil.are_positive_definite([Interval.point(bounds), *terms])
        return held.reshape(places.shape[:-1])

    @override
    def worst_places(self, low: Array, high: Array) -> Array:
        return uphill.worst_places(self.form, self._whitened, low, high)

    @override
    def corners_need(self, low: Array, high: Array) -> Array:
        return uphill.corners_need(self.form, self._whitened, low, high)

    @cached_property
    def _whitened(self) -> Array:
        return uphill.whitened(self.form, self.weight)

    @cached_property
    def _pencil(self) -> AffineMatrix:
        """``b W - T`` as a matrix linear in b and in the products of atoms."""
        W = {place: Fraction(float(v)) for place, v in np.ndenumerate(self.weight)}
        products = [
            {place: -value for place, value in entries.items()}
            for entries in self.form.coefficients
        ]
        return AffineMatrix(len(self.weight), (W, *products))

    @override
    def exact_test(self, b: Fraction) -> ExactTest:
        W = {
            place: Fraction(float(v)) for place, v in np.ndenumerate(self.weight) if np.isfinite(v)
        }
        if len(W) < self.weight.size:  # 2 M overflows
            return ExactTest(self.form, _never, _never)
        return ExactTest(self.form.minus({(): {k: b * v for k, v in W.items()}}), _nsd, _nsd)

    @override
    def with_known(self, known: Mapping[int, RangeLemma]) -> QuadraticCriterion:
        return replace(self, form=self.form.with_known(known))


@final
@dataclass(frozen=True, eq=False)
class FieldCriterion(Criterion):
    """``b W(a) - T(a) >= 0`` and ``W(a) > 0``, of the stacked matrix [T; W] in common atoms.

    With a basis K, T and W are ``K^T T K`` and ``K^T W K``; those tests imply that K is regular.
    """

    form: AtomForm
    basis: FractionMatrix | None = None

    def in_basis(self, K: FractionMatrix) -> FieldCriterion:
        """This test in a basis."""
        return replace(self, form=self.form.congruent(K), basis=K)

    @property
    @override
    def smallest_weight(self) -> float:
        return 1.0

    def halves(self, T: Interval) -> tuple[Interval, Interval]:
        """T and W."""
        n = T.shape[-1]
        return T[..., :n, :], T[..., n:, :]

    @override
    def estimate(self, T: Array) -> Array:
        n = T.shape[-1]
        S, W = T[..., :n, :], T[..., n:, :]
        result = np.full(S.shape[:-2], np.inf)
        # Where W is not definite at a corner, the box is too large: nothing is proved on it.
        fine = symmetric_eigenvalues(W)[..., 0] > 1e-14 * np.abs(W).max((-1, -2))
        if fine.any():
            L = np.linalg.cholesky(W[fine])
            half = np.linalg.solve(L, S[fine])
            whole = np.linalg.solve(L, np.swapaxes(half, -1, -2))
            values = symmetric_eigenvalues(0.5 * (whole + np.swapaxes(whole, -1, -2)))
            result[fine] = values[..., -1]
        return result

    @override
    def proves(self, T: Interval, b: Array) -> Mask:
        S, W = self.halves(T)
        margin = W * Interval.point(b[..., None, None]) - S
        return is_positive_definite(margin) & is_positive_definite(W)

    @override
    def exact_test(self, b: Fraction) -> ExactTest:
        n = self.form.shape[1]

        def parts(T: FractionMatrix) -> tuple[list[list[Fraction]], list[list[Fraction]]]:
            S, W = T[:n], T[n:]
            margin = [
                [s - b * w for s, w in zip(s_row, w_row, strict=True)]
                for s_row, w_row in zip(S, W, strict=True)
            ]
            return margin, [[-w for w in row] for row in W]

        def at_values(T: FractionMatrix) -> bool:
            margin, negative = parts(T)
            return _nsd(margin) and is_negative_definite_rational(negative)

        def at_slopes(T: FractionMatrix) -> bool:
            return all(_nsd(part) for part in parts(T))

        return ExactTest(self.form, at_values, at_slopes)

    @override
    def with_known(self, known: Mapping[int, RangeLemma]) -> FieldCriterion:
        return replace(self, form=self.form.with_known(known))


def _nsd(matrix: FractionMatrix) -> bool:
    return is_negative_semidefinite_rational(matrix)


def _never(matrix: FractionMatrix) -> bool:
    del matrix
    return False


@final
@dataclass(frozen=True, eq=False)
class RowSumCriterion(Criterion):
    """Weighted row sums of J by magnitude; a flow's diagonal by its sign.

    l1 is the same test of the transposed matrix with the inverse weights; it is stored so.
    """

    form: AtomForm
    weights: Array
    is_flow: bool

    @property
    @override
    def smallest_weight(self) -> float:
        return 1.0

    @override
    def estimate(self, T: Array) -> Array:
        scaled = T * self.weights / self.weights[:, None]
        diagonal = np.diagonal(scaled, axis1=-2, axis2=-1)
        rest = np.abs(scaled).sum(-1) - np.abs(diagonal)
        return (rest + (diagonal if self.is_flow else np.abs(diagonal))).max(-1)

    @override
    def proves(self, T: Interval, b: Array) -> Mask:
        bound = (
            log_norm_inf(T, self.weights)
            if self.is_flow
            else norm_inf(T, self.weights, self.weights)
        )
        return bound <= b

    @override
    def exact_test(self, b: Fraction) -> ExactTest:
        w = [Fraction(float(v)) for v in self.weights]

        def rows_below(bound: Fraction) -> Callable[[FractionMatrix], bool]:
            def holds(T: FractionMatrix) -> bool:
                return all(
                    sum((abs(t) * w[j] for j, t in enumerate(row) if j != i), Fraction(0))
                    + (row[i] if self.is_flow else abs(row[i])) * w[i]
                    <= bound * w[i]
                    for i, row in enumerate(T)
                )

            return holds

        return ExactTest(self.form, rows_below(b), rows_below(Fraction(0)))

    @override
    def with_known(self, known: Mapping[int, RangeLemma]) -> RowSumCriterion:
        return replace(self, form=self.form.with_known(known))


def make_criterion(
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None = None,
    matrix: Rows | None = None,
    weight: Rows | None = None,
) -> Criterion:
    """The test that a norm asks of a problem's Jacobian; exact cancellations happen in here.

    Args:
        problem: The problem.
        norm: The norm of the state, or of a static map's outputs.
        input_norm: The norm of a static map's inputs; Euclidean when None.
        matrix: The tested matrix in other terms (see `tested_matrix`), proved equal elsewhere.
        weight: The weight of b in other terms, for metrics that change with the point.
    """
    if isinstance(norm, L2):
        return _constant_criterion(problem, norm, input_norm)
    S = tested_matrix(problem, norm) if matrix is None else matrix
    if isinstance(norm, (LInf, L1)):
        return RowSumCriterion(atom_form(S, problem.derived), norm.weights, problem.is_flow)
    if isinstance(norm, FieldL2):
        W = weight if weight is not None else tested_weight(problem, norm)
        return FieldCriterion(atom_form([*_signed(problem, S), *W], problem.derived))
    return QuadraticCriterion(atom_form(S, problem.derived).with_one_sided(), 2.0 * np.eye(len(S)))


def _constant_criterion(problem: Problem, norm: L2, input_norm: L2 | None) -> QuadraticCriterion:
    """The test in the atoms of J, in which certificates write it: their ranges are written too."""
    J, M = atom_form(problem.jacobian, problem.derived), norm.metric
    MJ = J.multiplied({at: Fraction(float(v)) for at, v in np.ndenumerate(M) if v})
    if problem.is_flow:
        return QuadraticCriterion(MJ.symmetric_sum().without_unused().with_one_sided(), 2.0 * M)
    n, m = J.shape
    M_in = input_norm.metric if input_norm is not None else M if problem.is_square else np.eye(m)
    both = np.zeros((m + n, m + n))
    both[:m, :m], both[m:, m:] = M_in, M
    return QuadraticCriterion(MJ.bordered().without_unused(), both)


def tested_matrix(problem: Problem, norm: Norm) -> Rows:
    """The matrix whose atoms a norm's test bounds, multiplied out as far as it has to be.

    Flows: ``Mdot + M J + J^T M`` for a metric M(x), or ``F + F^T`` in coordinates Theta. Steps: the
    block ``M(f) J``. l1 and linf: J, transposed for l1.

    Raises:
        TypeError: For a norm without a test of this kind.
    """
    J = [list(row) for row in problem.jacobian]
    if isinstance(norm, LInf):
        return J
    if isinstance(norm, L1):
        # |J|_1,w is the linf norm of the transpose: column j of J weighs sum_i w_i |J_ij| / w_j,
        # which is row j of J^T with the weights v_i = w_i in the place of linf's: sum_i |J^T_ji|
        # v_i / v_j.
        return [list(column) for column in zip(*J, strict=True)]
    if isinstance(norm, FactorL2):
        basis = basis_of_factor(norm.entries)
        return symmetric_sum(generalised_jacobian(problem, basis, norm.rates))
    if isinstance(norm, FieldL2):
        M = at_successor(problem, norm.entries) if not problem.is_flow else norm.entries
        generalised = cancelled(product(M, J))
        if not problem.is_flow:
            return generalised
        return [
            [s + d for s, d in zip(s_row, d_row, strict=True)]
            for s_row, d_row in zip(
                symmetric_sum(generalised), material_derivative(problem, norm), strict=True
            )
        ]
    raise TypeError(f"{type(norm).__name__}: a constant metric's test is made of J's own form.")


def _signed(problem: Problem, S: Rows) -> list[list[sp.Expr]]:
    """T: the matrix itself for flows, ``-[[0, S^T], [S, 0]]`` for maps."""
    if problem.is_flow:
        return [list(row) for row in S]
    n, m = len(S), len(S[0])
    block: list[list[sp.Expr]] = [[sp.S.Zero] * (m + n) for _ in range(m + n)]
    for i in range(n):
        for j in range(m):
            block[m + i][j] = block[j][m + i] = -S[i][j]
    return block


def tested_weight(problem: Problem, norm: FieldL2) -> list[list[sp.Expr]]:
    """W, what b multiplies: 2 M for flows, ``blockdiag(M, M(f))`` for steps."""
    if problem.is_flow:
        return [[2 * e for e in row] for row in norm.entries]
    M, after, n = norm.entries, at_successor(problem, norm.entries), problem.size
    zero = [sp.S.Zero] * n
    return [[*row, *zero] for row in M] + [[*zero, *row] for row in after]
