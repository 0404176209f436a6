"""Gains: products with a number, a vector entry by entry, or a matrix.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.errors import SignatureError
from riemannian_modules.metrics import Factor
from riemannian_modules.modules.arguments import finite_array, finite_matrix
from riemannian_modules.modules.outer import outer_factor, pull_outer, pull_outer_sum, push_outer
from riemannian_modules.modules.structured_map import (
    StaticDifferential,
    StructuredMap,
    diagonal_intervals,
)
from riemannian_modules.modules.weights import WeightDifferential, refuse_large_matrix
from riemannian_modules.spaces import Array, Signals, Space, one_port

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GainDifferential(StaticDifferential):
    """``t -> k * t`` with gains (..., 1) or (..., n), taken at inputs (..., n)."""

    gains: Array
    inputs: Array

    @property
    @override
    def input_size(self) -> int:
        return self.inputs.shape[-1]

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return self.gains[..., None] * t_u

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], self.gains[..., None] * p_y

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        product = self.inputs[..., None] * p_y
        if self.gains.shape[-1] == self.input_size:
            return product
        return product.sum(axis=-2, keepdims=True)

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        t_y = t * self.inputs[..., None]
        return t_y[..., :0, :], t_y


@final
class Gain(StructuredMap):
    """``y = k u``, entry by entry; the parameter k is one number or has the ports' shape."""

    def __init__(
        self,
        k: ArrayLike,
        size: int | str | tuple[Any, ...] | None = None,
        *,
        input: str = "u",
        output: str = "y",
        output_unit: str | None = None,
    ) -> None:
        """Make the gain.

        Args:
            k: One number, or an array of the ports' shape such as (3,), in output by input units.
            size: The ports' size or shape and unit, as in `riemannian_modules.space`; k's shape by
                default.
            input: Name of the input port.
            output: Name of the output port.
            output_unit: The output's unit where k converts; the input's by default.

        Raises:
            SignatureError: If k has neither one entry nor the ports' shape.
            DomainError: For NaN or infinite gains.
        """
        gains = finite_array("Gain: k", k)
        self.inputs = one_port(input, gains.shape if size is None else size)
        (port,) = self.inputs.ports
        if gains.shape not in ((), port.shape):
            raise SignatureError(
                f"Gain: k: expected one number or shape {port.shape}, got {gains.shape}. "
                "For a matrix, use MatrixGain."
            )
        unit = port.unit if output_unit is None else output_unit
        self.outputs = Space((type(port)(output, port.shape, unit),))
        self.parameters = {"k": gains}

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return theta * u

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> GainDifferential:
        return GainDifferential(theta, u)

    @override
    def input_matrix(self, theta: Array) -> Array:
        return np.diag(np.broadcast_to(theta, (self.inputs.size,)))

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        y = theta * u
        return y, diagonal_intervals(theta.broadcast_to(y.shape))

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, p.vector * u.vector


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatrixGainDifferential(WeightDifferential):
    """The differential of ``K u``."""

    weights: Array
    inputs: Array

    @override
    def pull_parameters(self, p_dx: Array, p_y: Array) -> Array:
        return pull_outer(p_y, self.inputs)

    @override
    def pull_parameters_sum(self, p_dx: Array, p_y: Array) -> Array:
        return pull_outer_sum(p_y, self.inputs)

    @override
    def push_parameters(self, t: Array, sizes: tuple[int, int]) -> tuple[Array, Array]:
        t_y = push_outer(t, self.inputs)
        return t_y[..., :0, :], t_y

    @override
    def parameter_factor(self, p_dx: Array, p_y: Array) -> Factor:
        return outer_factor(p_y, self.inputs)


@final
class MatrixGain(StructuredMap):
    """``y = K u`` with the parameter K (q, m), as in state feedback: `Affine` without its bias."""

    def __init__(self, K: ArrayLike, *, input: str = "u", output: str = "y") -> None:
        """Make the gain from K (q, m).

        Args:
            K: The gain, (q, m).
            input: Name of the input port, of size m.
            output: Name of the output port, of size q.

        Raises:
            SignatureError: If K is no matrix.
            DomainError: For NaN or infinite entries.
        """
        gains = finite_matrix("MatrixGain: K", K)
        q, m = gains.shape
        self.parameters = {"K": gains}
        self.inputs, self.outputs = one_port(input, m), one_port(output, q)
        self._shape = (q, m)

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        gains = theta.reshape(theta.shape[:-1] + self._shape)
        return np.matmul(u, gains.T) if gains.ndim == 2 else (gains @ u[..., None])[..., 0]

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> MatrixGainDifferential:
        return MatrixGainDifferential(theta.reshape(theta.shape[:-1] + self._shape), u)

    @override
    def input_matrix(self, theta: Array) -> Array:
        return theta.reshape(self._shape)

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        from riemannian_modules.arithmetic.interval_matrix import matvec

        gains = theta.reshape(*theta.shape[:-1], *self._shape)
        return matvec(gains, u), gains

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        refuse_large_matrix("MatrixGain: K", self._shape)
        return {}, p["K"] @ u.vector
