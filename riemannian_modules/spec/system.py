"""A system as a file holds it: a module, and the settings of the jobs that are done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from numpy.typing import ArrayLike

from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.region import Box


@final
@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """A simulation: constant inputs from an initial state until ``t_end`` seconds (or steps)."""

    t_end: float
    points: int = 201
    x0: Mapping[str, ArrayLike] = field(default_factory=dict[str, ArrayLike])
    inputs: Mapping[str, ArrayLike] = field(default_factory=dict[str, ArrayLike])


@final
@dataclass(frozen=True, slots=True, eq=False)
class FitTask:
    """A fit: a CSV table (path as written, relative to the file) and the parameters to adjust."""

    data: str
    free: tuple[str, ...] = ()
    iterations: int = 200


@final
@dataclass(frozen=True, slots=True, eq=False)
class System:
    """A module with its name, the sources of its numbers, and the jobs that its file describes."""

    module: RiemannianModule
    name: str = ""
    description: str = ""
    citations: tuple[str, ...] = ()
    region: Box = field(default_factory=Box)
    simulation: Simulation | None = None
    fit: FitTask | None = None
