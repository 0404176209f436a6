"""The Kronecker product of two metrics: a metric of matrices.

Sources: Van Loan (2000), J. Comput. Appl. Math. 123, 85-100; Martens and Grosse (2015), K-FAC,
arXiv:1503.05671.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics.array import AnyArray, as_columns, namespace_of
from riemannian_modules.metrics.factor import DenseFactor, Factor
from riemannian_modules.metrics.khatri_rao import KhatriRaoFactor
from riemannian_modules.metrics.metric import Metric

Operator = Callable[[AnyArray], AnyArray]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class KroneckerMetric(Metric):
    """``left kron right`` on row-major matrices X of shape (left.dim, right.dim).

    ``M vec(X) = vec(left X right)``. Any of its operations costs right.dim times left's and
    left.dim times right's.

    Attributes:
        left: (n_out, n_out).
        right: (n_in, n_in).
    """

    left: Metric
    right: Metric

    @property
    @override
    def dim(self) -> int:
        return self.left.dim * self.right.dim

    @property
    @override
    def prototype(self) -> AnyArray:
        return self.left.prototype

    @override
    def logdet(self) -> float:
        return self.right.dim * self.left.logdet() + self.left.dim * self.right.logdet()

    @override
    def colour(self, z: AnyArray) -> AnyArray:
        return self._through(self.left.colour, self.right.colour, z)

    @override
    def whiten(self, v: AnyArray) -> AnyArray:
        return self._through(self.left.whiten, self.right.whiten, v)

    @override
    def whiten_adjoint(self, z: AnyArray) -> AnyArray:
        return self._through(self.left.whiten_adjoint, self.right.whiten_adjoint, z)

    @override
    def whiten_factor(self, factor: Factor) -> Factor:
        fits = isinstance(factor, KhatriRaoFactor) and factor.cotangents.shape[1] == self.left.dim
        if isinstance(factor, KhatriRaoFactor) and fits:
            return self._whiten_khatri_rao(factor)
        return DenseFactor(self.whiten(factor.as_matrix()))

    def _whiten_khatri_rao(self, factor: KhatriRaoFactor) -> Factor:
        # (C^{-1} kron D^{-1}) vec(d a^T) = vec(C^{-1} d (D^{-1} a)^T): outer products stay such.
        D = factor.cotangents
        xp = namespace_of(D)
        flat = xp.reshape(xp.permute_dims(D, (1, 0, 2)), (D.shape[1], -1))  # (n_out, B k)
        sent = xp.reshape(self.left.whiten(flat), (D.shape[1], D.shape[0], D.shape[2]))
        seen = self.right.whiten(factor.activations.T).T
        return KhatriRaoFactor(seen, xp.permute_dims(sent, (1, 0, 2)), factor.scale)

    def _through(self, left: Operator, right: Operator, v: AnyArray) -> AnyArray:
        xp, columns = namespace_of(v), as_columns(v)
        count = columns.shape[1]
        rows = left(xp.reshape(columns, (self.left.dim, -1)))  # (l, r q)
        rows = xp.reshape(rows, (self.left.dim, self.right.dim, count))
        turned = xp.reshape(xp.permute_dims(rows, (1, 0, 2)), (self.right.dim, -1))  # (r, l q)
        both = xp.reshape(right(turned), (self.right.dim, self.left.dim, count))
        product = xp.reshape(xp.permute_dims(both, (1, 0, 2)), (self.dim, count))
        return product[:, 0] if v.ndim == 1 else product

    @override
    def _apply(self, v: AnyArray) -> AnyArray:
        return self._through(self.left.apply, self.right.apply, v)

    @override
    def _solve(self, v: AnyArray) -> AnyArray:
        return self._through(self.left.solve, self.right.solve, v)


def kronecker_metric(left: Metric, right: Metric) -> KroneckerMetric:
    """The metric of (n_out, n_in) matrices: ``left`` is (n_out, n_out), ``right`` (n_in, n_in).

    Args:
        left: The metric of columns, of n_out coordinates.
        right: The metric of rows, of n_in coordinates.

    Raises:
        MetricError: If either is no metric.
    """
    for side, metric in (("left", left), ("right", right)):
        if not isinstance(metric, Metric):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MetricError(
                f"KroneckerMetric: expected a Metric on the {side}, got {type(metric).__name__}. "
                "Wrap a matrix with dense_metric."
            )
    return KroneckerMetric(left, right)
