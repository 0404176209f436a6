"""The affine map ``y = W u + b``: a dense layer, whose parameter Jacobian is never formed.

Source: Dangel, Kunstner and Hennig (2020), BackPACK, arXiv:1912.10985; THEORY section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.errors import SignatureError
from riemannian_modules.metrics import Factor, KhatriRaoFactor, StackedFactor
from riemannian_modules.modules.arguments import finite_matrix, finite_vector
from riemannian_modules.modules.outer import outer_factor, pull_outer, pull_outer_sum, push_outer
from riemannian_modules.modules.structured_map import StructuredMap
from riemannian_modules.modules.weights import WeightDifferential, refuse_large_matrix
from riemannian_modules.spaces import Array, Signals, one_port

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AffineDifferential(WeightDifferential):
    """The differential of ``W u + b``."""

    weights: Array
    inputs: Array

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        W = pull_outer(p_y, self.inputs)
        b = np.broadcast_to(p_y, (*W.shape[:-2], *p_y.shape[-2:]))
        return np.concatenate([W, b], axis=-2)

    @override
    def pull_parameters_sum(self, p_dx: Array, p_y: Array) -> Array:
        b = p_y.sum(axis=tuple(range(p_y.ndim - 2)))
        return np.concatenate([pull_outer_sum(p_y, self.inputs), b], axis=-2)

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        W, b = np.split(t, [-sizes[1]])
        t_y = push_outer(W, self.inputs) + b
        return t_y[..., :0, :], t_y

    @override
    def parameter_factor(self, p_dx: Array, p_y: Array) -> Factor:
        W = outer_factor(p_y, self.inputs)
        # The bias is a weight on an input that is always 1; its rows follow those of W.
        b = KhatriRaoFactor(np.ones((len(W.cotangents), 1)), W.cotangents)
        return StackedFactor((W, b))


@final
class Affine(StructuredMap):
    """``y = W u + b`` with parameters W (q, m) and b (q,).

    Values cost one product with W, enclosures two or three. `equations` expands it into scalars and
    refuses more than 4,096 entries.
    """

    def __init__(
        self, W: ArrayLike, b: ArrayLike = 0.0, *, input: str = "u", output: str = "y"
    ) -> None:
        """Make the map.

        Args:
            W: Weights, shape (q, m).
            b: Bias, shape (q,), or one number for all outputs.
            input: Name of the input port, of shape (m,).
            output: Name of the output port, of shape (q,).

        Raises:
            SignatureError: For wrong shapes.
            DomainError: For NaN or infinite entries.
        """
        weights = finite_matrix("Affine: W", W)
        bias = finite_vector("Affine: b", b)
        q, m = weights.shape
        if bias.shape not in ((1,), (q,)):
            raise SignatureError(
                f"Affine: b: expected shape ({q},), for W has shape {weights.shape}; got "
                f"{bias.shape}. Give one bias for each row of W."
            )
        self.parameters = {"W": weights, "b": np.broadcast_to(bias, (q,)).copy()}
        self.inputs, self.outputs = one_port(input, m), one_port(output, q)
        self._shape, self._entries = (q, m), q * m

    def _weights(self, theta: Array) -> Array:
        if theta.ndim == 1:
            return theta[: self._entries].reshape(self._shape)
        return theta[..., : self._entries].reshape(theta.shape[:-1] + self._shape)

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        weights = self._weights(theta)
        if theta.ndim == 1:
            # One product for the whole batch; `dot` has less to decide than `matmul`.
            product = weights.dot(u) if u.ndim == 1 else np.matmul(u, weights.T)
            return product + theta[self._entries :]
        return np.matmul(weights, u[..., None])[..., 0] + theta[..., self._entries :]

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> AffineDifferential:
        return AffineDifferential(self._weights(theta), u)

    @override
    def input_matrix(self, theta: Array) -> Array:
        return self._weights(theta)

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        from riemannian_modules.arithmetic.interval_matrix import matvec

        weights = theta[..., : self._entries].reshape(*theta.shape[:-1], *self._shape)
        return matvec(weights, u) + theta[..., self._entries :], weights

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[object, object]:
        refuse_large_matrix("Affine: W", self._shape)
        return {}, p["W"] @ u.vector + p["b"]
