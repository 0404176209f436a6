"""The names that formulas of measurements know: time, states, outputs, inputs, parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Port, Space

TIME = "t"


@final
@dataclass(frozen=True, eq=False)
class Quantities:
    """A flow's names and those of further parameters, each once.

    Attributes:
        flow: The flow.
        further: Parameters beside the flow's own.
    """

    flow: RiemannianModule
    further: tuple[str, ...]

    @cached_property
    def outputs(self) -> Space:
        """The outputs that are no states; one named like another quantity is "output.NAME"."""
        s = self.flow.signature
        if s.outputs is s.state:
            return Space()
        taken = {name for space in s.distinct for name in space.names}
        return Space(
            tuple(
                Port(f"output.{p.name}" if p.name in taken else p.name, p.shape, p.unit)
                for p in s.outputs.ports
            )
        )

    @property
    def shown(self) -> NDArray[np.intp]:
        """Positions of these among the flow's outputs."""
        return np.arange(self.outputs.size)

    @cached_property
    def changing(self) -> Space:
        """What changes along a trajectory: the time, states, outputs, inputs."""
        state, inputs, parameters = self.flow.signature.distinct
        named = (*state.ports, *self.outputs.ports, *inputs.ports)
        names = {port.name for port in (*named, *parameters.ports)} | {*self.further}
        time = Port("time" if TIME in names else TIME)
        return Space((time, *named))

    @cached_property
    def driving(self) -> Space:
        """What events speak of: the time, states, inputs."""
        state, inputs, _ = self.flow.signature.distinct
        return Space((self.changing.ports[0], *state.ports, *inputs.ports))

    @cached_property
    def parameters(self) -> Space:
        """The flow's parameters, then the further ones.

        Raises:
            SignatureError: If a further parameter has the name of a quantity.
        """
        _, _, own = self.flow.signature.distinct
        taken = {*self.changing.names, *own.names} & {*self.further}
        if taken:
            raise SignatureError(
                f"parameters: the names {sorted(taken)} are those of quantities of the flow. Name "
                "further parameters otherwise."
            )
        return Space((*own.ports, *map(Port, self.further)))
