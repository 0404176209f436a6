"""The signed sum of several inputs: where signals meet, as in an error or a residual connection.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import keywords, text
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.structured_map import ParameterFreeDifferential, StructuredMap
from riemannian_modules.spaces import Array, Signals, one_port, space

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SumDifferential(ParameterFreeDifferential):
    """``t -> sum of sign * t_i``; signs (ports,), each port of ``size`` coordinates."""

    signs: Array
    size: int

    @property
    @override
    def input_size(self) -> int:
        return self.signs.size * self.size

    @override
    def push_outputs(self, t_x: Array, t_u: Array) -> Array:
        parts = t_u.reshape(*t_u.shape[:-2], self.signs.size, self.size, t_u.shape[-1])
        return np.einsum("p,...psk->...sk", self.signs, parts)

    @override
    def pull_outputs(self, p_y: Array) -> tuple[Array, Array]:
        parts = self.signs[:, None, None] * p_y[..., None, :, :]
        return p_y[..., :0, :], parts.reshape(*p_y.shape[:-2], self.input_size, p_y.shape[-1])


@final
class Sum(StructuredMap):
    """``y = +u_1 - u_2 ...``, one input port for each sign, all of one shape.

    ``Sum("+-")`` has ports "u1" and "u2"; ``Sum(reference="+", measurement="-")`` names them.
    """

    def __init__(
        self,
        signs: str = "",
        size: int | str | tuple[Any, ...] = (),
        *,
        output: str = "y",
        **named: str,
    ) -> None:
        """Make the sum.

        Args:
            signs: A "+" or "-" for each port "u1", "u2", ....
            size: The ports' size or shape and unit, as in `riemannian_modules.space`; a scalar by
                default.
            output: Name of the output port.
            named: Further ports by name, each with its sign.

        Raises:
            SignatureError: For other signs, or none at all.
        """
        text("Sum: signs", signs)
        text("Sum: output", output)
        ports = {f"u{i}": sign for i, sign in enumerate(signs, 1)} | keywords("named", named)
        wrong = {
            name: sign
            for name, sign in ports.items()
            if not isinstance(sign, str) or sign not in ("+", "-")
        }
        if wrong or not ports:
            raise SignatureError(
                f"Sum: expected '+' or '-' for at least one port, got {wrong or 'no port'}. "
                "Write Sum('+-'), or Sum(reference='+', measurement='-')."
            )
        self.signs = dict(ports)
        self.inputs = space(**dict.fromkeys(ports, size))
        self.outputs = one_port(output, size)
        self._signs = np.array([1.0 if sign == "+" else -1.0 for sign in ports.values()])

    def _parts(self, vector: Any) -> list[tuple[str, Any]]:
        places = self.inputs.slices
        return [(s, vector[..., p]) for s, p in zip(self.signs.values(), places, strict=True)]

    def _sum(self, vector: Any) -> Any:
        total: Any = None
        for sign, part in self._parts(vector):
            signed = part if sign == "+" else -part
            total = signed if total is None else total + signed
        return total

    @override
    def map_values(self, u: Array, theta: Array) -> Array:
        return self._sum(u)

    @override
    def differential(self, x: Array, u: Array, theta: Array) -> SumDifferential:
        return SumDifferential(self._signs, self.outputs.size)

    @override
    def input_matrix(self, theta: Array) -> Array:
        return np.asarray(np.kron(self._signs[None, :], np.eye(self.outputs.size)), np.float64)

    @override
    def enclose_map(self, u: Interval, theta: Interval) -> tuple[Interval, Interval]:
        return self._sum(u), type(u).point(self.input_matrix(np.zeros(0)))

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, self._sum(u.vector)
