"""What a module maps between: named spaces of state, inputs, outputs and parameters, and its time.

Source: Pehle and Slotine, *Riemannian Optimization in Modular Systems*, arXiv:2603.03610 (2026).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import final

from riemannian_modules.door import repeated
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.sampling_time import SamplingTime
from riemannian_modules.shown import Shown
from riemannian_modules.spaces import Port, Space


class Time(enum.Enum):
    """What the state does: flows, steps, or does not exist."""

    CONTINUOUS = "continuous"
    DISCRETE = "discrete"
    STATIC = "static"


@final
@dataclass(frozen=True, repr=False)
class Signature(Shown):
    """The spaces that a module maps between, and its time.

    Attributes:
        sampling_time: How long a step of discrete time takes; None where the module does not say.
    """

    time: Time
    state: Space
    inputs: Space
    outputs: Space
    parameters: Space
    sampling_time: SamplingTime | None = None

    @property
    def step(self) -> float:
        """The time from one step to the next: 1 where the module does not say how long it is."""
        return 1.0 if self.sampling_time is None else self.sampling_time.length

    @property
    def every_pair(self) -> frozenset[tuple[str, str]]:
        """Each input port with each output port: the feedthrough of a map that mixes all."""
        return frozenset((i, o) for i in self.inputs.names for o in self.outputs.names)

    @cached_property
    def distinct(self) -> tuple[Space, Space, Space]:
        """State, inputs and parameters under names that tell them apart.

        Regions and expressions speak of all three at once. A name that two of them share is
        qualified in each: "state.u" and "input.u", "parameter.A".

        Raises:
            SignatureError: If a qualified name is another one's own.
        """
        spaces = (self.state, self.inputs, self.parameters)
        shared = repeated(name for space in spaces for name in space.names)
        if not shared:
            return spaces
        state, inputs, parameters = (
            Space(
                tuple(
                    Port(f"{kind}.{p.name}" if p.name in shared else p.name, p.shape, p.unit)
                    for p in space.ports
                )
            )
            for kind, space in zip(("state", "input", "parameter"), spaces, strict=True)
        )
        twice = repeated([*state.names, *inputs.names, *parameters.names])
        if twice:
            raise SignatureError(
                f"The names {sorted(shared)} of states, inputs and parameters come more than once, "
                f"and a region cannot tell them apart: {sorted(twice)} are names of others. Rename "
                "one."
            )
        return state, inputs, parameters
