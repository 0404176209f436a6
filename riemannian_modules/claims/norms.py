"""The norms in which contraction is claimed; each knows its words, its symbols and its data.

Constant norms are norms of norms of parts (`PartNorm`): l2 of one metric, weighted l1 and linf of
single coordinates, the norms of composites of blocks. Metrics that change with the point are given
as M itself, or in coordinates ``dz = Theta dx`` with ``M = Theta^T Theta``.

Source: Lohmiller and Slotine (1998) for l2; Davydov, Jafarpour and Bullo, *Non-Euclidean
contraction theory*, for the weighted l1 and linf log-norms; Strom (1975) for blocks.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.expression_data import PLAIN, TermWriter
from riemannian_modules.arithmetic.sparse_definite import is_definite_by_entries
from riemannian_modules.claims.part_norm import Part, PartNorm, fractions
from riemannian_modules.claims.weights import Weights
from riemannian_modules.door import number_array
from riemannian_modules.errors import MetricError
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Array

Matrix = tuple[tuple[sp.Expr, ...], ...]
Entries = Mapping[tuple[int, int], Fraction]


class Norm(Shown, abc.ABC):
    """A norm of the difference z of two points."""

    __slots__: ClassVar[tuple[str, ...]] = ()
    is_constant: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """The number of coordinates that it measures."""

    @property
    @abc.abstractmethod
    def in_words(self) -> str:
        """What it is called in a statement."""

    @abc.abstractmethod
    def in_symbols(self, kind: str) -> str:
        """What a kind of claim asks of the Jacobian J with the bound b."""

    @abc.abstractmethod
    def to_data(self, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
        """The norm as data; metrics that change with the point in terms of ``symbols``."""

    @abc.abstractmethod
    def proved(self) -> Self:
        """The norm, proved to be one; raises MetricError.

        Norms that a search found, or a file holds, pass here before any bound rests on them.
        Metrics that change with the point are proved definite box by box, with the bound.
        """


class ConstantNorm(Norm):
    """A norm that is the same at every point."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    @property
    @abc.abstractmethod
    def parts(self) -> PartNorm:
        """The same as a norm of norms of parts."""


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class L2(ConstantNorm):
    """``|z|_M = sqrt(z^T M z)`` with a constant metric M (n, n)."""

    metric: Array

    @property
    @override
    def size(self) -> int:
        return len(self.metric)

    @property
    @override
    def in_words(self) -> str:
        return "the l2 norm of a constant metric"

    @override
    def in_symbols(self, kind: str) -> str:
        return "J^T M J <= b^2 M_in" if kind == "map" else _quadratic(kind)

    @override
    def to_data(self, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
        return {"type": "l2", "metric": self.metric.tolist()}

    @override
    def proved(self) -> Self:
        return replace(self, metric=definite_matrix(self.metric))

    @property
    @override
    def parts(self) -> PartNorm:
        return PartNorm("l2", (Part(tuple(range(self.size)), self.metric, Fraction(1)),))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SparseL2(ConstantNorm):
    """``|z|_M`` with a constant metric M by its entries that are not zero, which are doubles."""

    order: int
    entries: Entries

    @property
    @override
    def size(self) -> int:
        return self.order

    @property
    @override
    def in_words(self) -> str:
        return "the l2 norm of a constant block-diagonal metric"

    @override
    def in_symbols(self, kind: str) -> str:
        return _quadratic(kind)

    @override
    def to_data(self, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
        entries = [[i, j, float(v)] for (i, j), v in self.entries.items()]
        return {"type": "l2", "metric": {"entries": entries}}

    @override
    def proved(self) -> Self:
        if not is_definite_by_entries(self.order, self.entries):
            raise MetricError("The sparse metric could not be proved positive definite.")
        return self

    @property
    @override
    def parts(self) -> PartNorm:
        # Its parts are the components of its graph.
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        n, entries = self.order, self.entries
        links: Any = np.array(list(entries), dtype=np.intp).reshape(-1, 2).T
        count, label = connected_components(csr_array((np.ones(len(entries)), links), shape=(n, n)))
        parts: list[Part] = []
        for k in range(count):
            group = tuple(np.flatnonzero(label == k).tolist())
            M = np.array([[float(entries.get((i, j), 0)) for j in group] for i in group])
            parts.append(Part(group, M, Fraction(1)))
        return PartNorm("l2", tuple(parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WeightedNorm(ConstantNorm):
    """A norm of coordinates with weights w (n,) > 0."""

    weights: Array
    combine: ClassVar[Literal["l1", "linf"]]

    @property
    @override
    def size(self) -> int:
        return len(self.weights)

    @property
    @override
    def in_words(self) -> str:
        return f"a weighted {self.combine} norm"

    @override
    def to_data(self, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
        return {"type": self.combine, "weights": self.weights.tolist()}

    @override
    def proved(self) -> Self:
        return replace(self, weights=positive_weights(self.weights))

    @property
    @override
    def parts(self) -> PartNorm:
        scales = enumerate(self._scales(fractions(self.weights)))
        return PartNorm(self.combine, tuple(Part((i,), np.eye(1), s) for i, s in scales))

    @staticmethod
    @abc.abstractmethod
    def _scales(weights: list[Fraction]) -> list[Fraction]:
        """What multiplies each coordinate."""


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class L1(WeightedNorm):
    """``sum_i w_i |z_i|`` with weights w (n,) > 0."""

    combine: ClassVar[Literal["l1", "linf"]] = "l1"

    @override
    def in_symbols(self, kind: str) -> str:
        own = "J_jj + sum_(i!=j)" if kind == "flow" else "sum_i"
        return f"{own} w_i |J_ij| / w_j <= b"

    @staticmethod
    @override
    def _scales(weights: list[Fraction]) -> list[Fraction]:
        return weights


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LInf(WeightedNorm):
    """``max_i |z_i| / w_i`` with weights w (n,) > 0."""

    combine: ClassVar[Literal["l1", "linf"]] = "linf"

    @override
    def in_symbols(self, kind: str) -> str:
        own = "J_ii + sum_(j!=i)" if kind == "flow" else "sum_j"
        return f"{own} |J_ij| w_j / w_i <= b"

    @staticmethod
    @override
    def _scales(weights: list[Fraction]) -> list[Fraction]:
        return [1 / w for w in weights]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockNorm(ConstantNorm):
    """``max |z_k|_{M_k} / r_k`` (linf) or ``sum l_k |z_k|_{M_k}`` (l1) over groups of the state."""

    combine: Literal["linf", "l1"]
    groups: tuple[tuple[int, ...], ...]
    metrics: Sequence[Array]
    weights: Weights

    @property
    @override
    def size(self) -> int:
        return sum(map(len, self.groups))

    @property
    @override
    def in_words(self) -> str:
        formula = "max_i |z_i|_(M_i) / r_i" if self.combine == "linf" else "sum_i l_i |z_i|_(M_i)"
        return f"the norm {formula} over the blocks"

    @override
    def in_symbols(self, kind: str) -> str:
        order = "C r <= b r" if self.combine == "linf" else "l^T C <= b l^T"
        own = "log-norms" if kind == "flow" else "norms"
        return f"{order}, C: {own} of J_ii and gains |P_i J_ij P_j^-1|, M_i = P_i^T P_i"

    @override
    def to_data(self, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
        return {
            "type": "blocks",
            "combine": self.combine,
            "groups": [list(group) for group in self.groups],
            "metrics": [M.tolist() for M in self.metrics],
            **self.weights.to_data(),
        }

    @override
    def proved(self) -> Self:
        for k, M in enumerate(self.metrics):
            if not (np.array_equal(M, M.T) and is_positive_definite(M)):
                raise MetricError(f"The metric of block {k} could not be proved definite.")
        return self

    @property
    @override
    def parts(self) -> PartNorm:
        w = [self.weights.fraction(k) for k in range(len(self.groups))]
        scales = w if self.combine == "l1" else [1 / v for v in w]
        parts = zip(self.groups, self.metrics, scales, strict=True)
        return PartNorm(self.combine, tuple(Part(g, M, s) for g, M, s in parts))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FieldNorm(Norm):
    """An l2 norm whose metric changes with the point.

    Attributes:
        entries: A matrix (n, n) in a problem's symbols.
        rates: For inputs that it mentions, how they change with time.
    """

    entries: Matrix
    rates: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict[sp.Symbol, sp.Expr])
    is_constant: ClassVar[bool] = False
    key: ClassVar[str]  # of its entries in data

    @property
    def terms(self) -> tuple[sp.Expr, ...]:
        """Everything that the norm is made of."""
        return (*(e for row in self.entries for e in row), *self.rates.values())

    @property
    @override
    def size(self) -> int:
        return len(self.entries)

    @override
    def to_data(self, symbols: Sequence[sp.Symbol] = ()) -> dict[str, Any]:
        writer = TermWriter((symbols,), prefix="$n", spelled=PLAIN)
        written = writer.write(list(self.terms))
        count = self.size**2
        data = {"type": "l2", "let": writer.bindings, self.key: written[:count]}
        rates = {"names": [s.name for s in self.rates], "terms": written[count:]}
        return data | ({"rates": rates} if self.rates else {})

    @override
    def proved(self) -> Self:
        return self


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FieldL2(FieldNorm):
    """``|z|_M`` with a metric M(x, u, p), symmetric, that changes with the point."""

    key: ClassVar[str] = "metric_terms"

    @property
    @override
    def in_words(self) -> str:
        return "the distance of a metric M(x) that changes with the point"

    @override
    def in_symbols(self, kind: str) -> str:
        return "dM/dt + M J + J^T M <= 2 b M" if kind == "flow" else "J^T M(f) J <= b^2 M"


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FactorL2(FieldNorm):
    """``|Theta z|_2``, the metric ``Theta^T Theta`` of coordinates ``dz = Theta(x, u, p) dx``."""

    key: ClassVar[str] = "factor_terms"

    @property
    @override
    def in_words(self) -> str:
        return "the distance of the metric of given coordinates, Theta(x)^T Theta(x)"

    @override
    def in_symbols(self, kind: str) -> str:
        return "F + F^T <= 2 b I, F = (dTheta/dt + Theta J) Theta^-1"


def _quadratic(kind: str) -> str:
    return "M J + J^T M <= 2 b M" if kind == "flow" else "J^T M J <= b^2 M"


def definite_matrix(metric: ArrayLike) -> Array:
    """A new array of a matrix that is proved symmetric positive definite; raises MetricError."""
    M = number_array("l2", metric, MetricError)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or not np.isfinite(M).all():
        raise MetricError(f"A metric is a finite square matrix; got shape {M.shape}.")
    if not np.array_equal(M, M.T):
        i, j = np.unravel_index(int(np.argmax(np.abs(M - M.T))), M.shape)
        raise MetricError(
            f"A metric is symmetric; entries ({i}, {j}) and ({j}, {i}) are {M[i, j]} and "
            f"{M[j, i]}. Pass (M + M.T) / 2."
        )
    if not is_positive_definite(M):
        values, vectors = np.linalg.eigh(M)
        raise MetricError(
            "A metric is positive definite; this one could not be proved so: smallest eigenvalue "
            f"about {values[0]:.6g} along {np.round(vectors[:, 0], 4).tolist()}."
        )
    return M


def positive_weights(weights: ArrayLike) -> Array:
    """A new vector of weights that are finite and above zero; raises MetricError."""
    w = number_array("Weights", weights, MetricError)
    if w.ndim != 1 or not (np.isfinite(w) & (w > 0)).all():
        raise MetricError(f"Weights are a vector of positive, finite numbers; got {w.tolist()}.")
    return w
