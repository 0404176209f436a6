"""A system as a file holds it: a module, and the settings of the jobs that are done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from numpy.typing import ArrayLike

from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.region import Box, Side


@final
@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """A simulation: constant inputs from an initial state until ``t_end`` seconds (or steps)."""

    t_end: float
    points: int = 201
    x0: Mapping[str, ArrayLike] = field(default_factory=dict[str, ArrayLike])
    inputs: Mapping[str, ArrayLike] = field(default_factory=dict[str, ArrayLike])


@final
@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be proved: a flow's rate or a map's factor; None for the best that is found."""

    rate: float | None = None
    factor: float | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class FitTask:
    """A fit: a CSV table (its path relative to the file), a loss, and parameters' bounds."""

    data: str
    loss: str = "squared"
    bounds: Mapping[str, Side] = field(default_factory=dict[str, Side])


@final
@dataclass(frozen=True, slots=True, eq=False)
class System:
    """A module with its name, the sources of its numbers, and the jobs that its file describes."""

    module: RiemannianModule
    name: str = ""
    description: str = ""
    citations: tuple[str, ...] = ()
    region: Box = field(default_factory=Box)
    certify: Goal | None = None
    simulation: Simulation | None = None
    fit: FitTask | None = None
