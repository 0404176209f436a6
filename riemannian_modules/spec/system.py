"""A system as a file holds it: a module, and the settings of the jobs that are done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.region import Box, Side
from riemannian_modules.shown import Facts, Shown, brief_value, cut, listed

if TYPE_CHECKING:
    from riemannian_modules.engine.events import Event
    from riemannian_modules.engine.input_tables import HeldTable, LinearTable

    Drive = ArrayLike | str | HeldTable | LinearTable


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Simulation(Shown):
    """A simulation from an initial state until ``t_end`` seconds (or steps).

    Attributes:
        t_end: In seconds, or steps.
        points: How many times from 0 to `t_end` are written.
        x0: Initial values by state.
        inputs: By input a constant, a formula of the time ``t`` such as "where(t >= 1, 2, 0)", or a
            table of `held_table` or `linear_table`.
        events: Made with `event`, `stop` or `at_times`, of formulas and numbers.
        rtol: Relative tolerance; that of `simulate` where None.
        atol: Absolute tolerance, one for all or by state; that of `simulate` where None.
    """

    t_end: float
    points: int = 201
    x0: Mapping[str, ArrayLike] = field(default_factory=dict[str, ArrayLike])
    inputs: Mapping[str, Drive] = field(default_factory=dict[str, "Drive"])
    events: tuple[Event, ...] = ()
    rtol: float | None = None
    atol: float | Mapping[str, ArrayLike] | None = None


@final
@dataclass(frozen=True, slots=True, repr=False)
class Goal(Shown):
    """What is to be proved: a flow's rate or a map's factor; None for the best that is found.

    Attributes:
        rate: For a flow, the rate to prove.
        factor: For a map, the factor to prove.
    """

    rate: float | None = None
    factor: float | None = None


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FitTask(Shown):
    """A fit: a CSV table (its path relative to the file), a loss, and what is known beforehand.

    Attributes:
        data: The table's path.
        loss: "squared", "gaussian", "bernoulli", "categorical", "poisson", "huber", "soft_l1",
            "cauchy" or "student", the last four perhaps with a scale, as "huber:1.5".
        bounds: Sides by parameter.
        sigma: By output a standard deviation, or the name of a column of the table that holds them.
        weights: By output a weight, or the name of a column, likewise.
        absolute: Whether sigma is the noise itself rather than how measurements compare.
        fixed: Values of parameters that are not fitted; None for those of the file.
        prior: By parameter, as "normal:1,0.2"; under "*" for all that are not named.
    """

    data: str
    loss: str = "squared"
    bounds: Mapping[str, Side] = field(default_factory=dict[str, Side])
    sigma: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    weights: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    absolute: bool = False
    fixed: Mapping[str, ArrayLike | None] = field(default_factory=dict[str, ArrayLike | None])
    prior: Mapping[str, str] = field(default_factory=dict[str, str])


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class System(Shown):
    """A module with its name, the sources of its numbers, and the jobs that its file describes.

    Attributes:
        module: The module or composite.
        name: A title.
        description: A text.
        citations: Sources of the numbers.
        region: What `certify` speaks of; empty is everywhere.
        certify: What is to be proved, or None.
        simulation: What is to be simulated, or None.
        fit: What is to be fitted, or None.
    """

    module: RiemannianModule
    name: str = ""
    description: str = ""
    citations: tuple[str, ...] = ()
    region: Box = field(default_factory=Box)
    certify: Goal | None = None
    simulation: Simulation | None = None
    fit: FitTask | None = None

    @override
    def facts(self) -> Facts:
        jobs = [n for n in ("certify", "simulation", "fit") if getattr(self, n) is not None]
        rows = [("module", brief_value(self.module)), ("region", brief_value(self.region))]
        return Facts(cut(f"System {self.name!r}"), (*rows, ("jobs", listed(jobs))))
