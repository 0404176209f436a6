"""What a norm asks of a Jacobian, as a convex test of a matrix that is affine in each atom.

One number ``b`` bounds all cases: the log-norm of a flow (contracting with rate -b) or the gain of
a map.

- l2, flow: ``2 b M - (M J + J^T M) >= 0``.
- l2, map: ``[[b M_in, J^T M_out], [M_out J, b M_out]] >= 0``, which is ``J^T M_out J <= b^2 M_in``.
- l1 and linf: the weighted column or row sums of J are at most b.

The left sides are convex in J, hence in each atom: they hold on a box of atoms when they hold at
its corners. An unbounded atom ``a >= l`` needs the test at l and, for its slope, with b = 0 (the
test is subadditive along rays).
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp
from typing_extensions import override

from riemannian_modules.arithmetic.affine_matrix import AffineMatrix
from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.arithmetic.log_norm import log_norm_inf, norm_inf
from riemannian_modules.arithmetic.rational_definite import is_negative_semidefinite_rational
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.certify.atoms import AtomForm, atom_form
from riemannian_modules.certify.norms import L2, LInf, Norm
from riemannian_modules.certify.problem import Problem
from riemannian_modules.space import Array

FractionMatrix = Sequence[Sequence[Fraction]]


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

    @abc.abstractmethod
    def holds_exactly(self, T: FractionMatrix, b: Fraction) -> bool:
        """The test in exact rationals, ties included."""


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
        values = np.linalg.eigvalsh(0.5 * (whole + np.swapaxes(whole, -1, -2)))
        return np.asarray(values[..., -1], dtype=np.float64)

    @override
    def proves(self, T: Interval, b: Array) -> Mask:
        return is_positive_definite(
            Interval.point(self.weight) * Interval.point(b[..., None, None]) - T
        )

    @override
    def proves_over(self, low: Array, high: Array, b: float) -> Mask:
        terms = [Interval.point(b), *self.form.terms(low, high)]
        return self._pencil.are_positive_definite(terms)

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
    def holds_exactly(self, T: FractionMatrix, b: Fraction) -> bool:
        if not np.isfinite(self.weight).all():
            return False  # 2 M overflows
        W = [[Fraction(float(v)) for v in row] for row in self.weight]
        return is_negative_semidefinite_rational(
            [
                [t - b * w for t, w in zip(t_row, w_row, strict=True)]
                for t_row, w_row in zip(T, W, strict=True)
            ]
        )


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
    def holds_exactly(self, T: FractionMatrix, b: Fraction) -> bool:
        w = [Fraction(float(v)) for v in self.weights]
        return all(
            sum((abs(t) * w[j] for j, t in enumerate(row) if j != i), Fraction(0))
            + (row[i] if self.is_flow else abs(row[i])) * w[i]
            <= b * w[i]
            for i, row in enumerate(T)
        )


def make_criterion(problem: Problem, norm: Norm, input_norm: L2 | None = None) -> Criterion:
    """The test that a norm asks of a problem's Jacobian; exact cancellations happen in here.

    Args:
        problem: The problem.
        norm: The norm of the state, or of a static map's outputs.
        input_norm: The norm of a static map's inputs; Euclidean when None.
    """
    J = [list(row) for row in problem.jacobian]
    if isinstance(norm, L2):
        M_in = np.eye(len(problem.variables)) if input_norm is None else input_norm.metric
        return _quadratic(
            J, problem, norm.metric, norm.metric if problem.map is problem.expressions.dx else M_in
        )
    if isinstance(norm, LInf):
        return RowSumCriterion(atom_form(J), norm.weights, problem.is_flow)
    # |J|_1,w is the linf norm of the transpose: column j of J weighs sum_i w_i |J_ij| / w_j, which
    # is row j of J^T with the weights v_i = w_i in the place of linf's: sum_i |J^T_ji| v_i / v_j.
    transposed = [list(column) for column in zip(*J, strict=True)]
    return RowSumCriterion(atom_form(transposed), norm.weights, problem.is_flow)


def _quadratic(
    J: list[list[sp.Expr]], problem: Problem, M: Array, M_in: Array
) -> QuadraticCriterion:
    exact = _rational(M)
    MJ = _product(exact, J)
    n, m = len(J), len(J[0])
    if problem.is_flow:
        S = [[MJ[i][j] + MJ[j][i] for j in range(n)] for i in range(n)]
        return QuadraticCriterion(atom_form(S), 2.0 * M)
    size = m + n
    block: list[list[sp.Expr]] = [[sp.S.Zero] * size for _ in range(size)]
    for i in range(n):
        for j in range(m):
            block[m + i][j] = block[j][m + i] = -MJ[i][j]
    weight = np.zeros((size, size))
    weight[:m, :m], weight[m:, m:] = M_in, M
    return QuadraticCriterion(atom_form(block), weight)


def _rational(M: Array) -> list[list[Any]]:
    return [[sp.Rational(*float(v).as_integer_ratio()) for v in row] for row in M]


def _product(M: list[list[Any]], J: list[list[sp.Expr]]) -> list[list[sp.Expr]]:
    columns = list(zip(*J, strict=True))
    return [
        [sp.Add(*(a * b for a, b in zip(row, c, strict=True) if a != 0)) for c in columns]
        for row in M
    ]
