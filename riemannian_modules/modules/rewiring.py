"""Maps that only rename coordinates: their flat inputs are their flat outputs.

Source: THEORY section 2; the derivative is the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.modules.structured_map import ParameterFreeDifferential, StructuredMap
from riemannian_modules.spaces import Array, Signals

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, repr=False)
class IdentityDifferential(ParameterFreeDifferential):
    """``t -> t`` on n coordinates."""

    size: int

    @property
    @override
    def input_size(self) -> int:
        return self.size

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        return t_u

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        return p_y[..., :0, :], p_y


class Rewiring(StructuredMap):
    """``y = u`` on flat vectors; subclasses give the same coordinates other ports."""

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return u

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> IdentityDifferential:
        return IdentityDifferential(u.shape[-1])

    @override
    def input_matrix(self, theta: Array) -> Array:
        return np.eye(self.inputs.size)

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        return u, type(u).point(np.eye(u.shape[-1]))

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, u.vector
