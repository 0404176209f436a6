"""All that describes a fit of time courses, as it was given: the start of a search, or its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.time_courses.experiments import Experiment
from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.engine.time_courses.set_up import set_up
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False, repr=False)
class CourseProblem(Shown, Recomputed):
    """A flow, experiments, and what is known and asked of the parameters; see `fit_trajectories`.

    Attributes:
        flow: Its parameters are starts.
        experiments: Settings with measurements.
        observables: Formulas or `Observable` by name.
        parameters: Starts of further parameters.
        sigma: Sizes of errors by observable.
        fixed: Parameters that are known, by name; None for the value that they have.
        bounds: Sides by parameter.
        scales: Scales of search by parameter.
        prior: Priors by parameter.
        rtol: Relative local error of the integration.
        at: Values of parameters by name, over the starts.
        units: By name those that are said of the time, observables and parameters; all numbers are
            plain.
    """

    flow: RiemannianModule
    experiments: tuple[Experiment, ...]
    observables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    parameters: Mapping[str, float] = field(default_factory=dict[str, float])
    sigma: Any = None
    fixed: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    bounds: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scales: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prior: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rtol: float = 1e-8
    at: Mapping[str, float] = field(default_factory=dict[str, float])
    units: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def model(self) -> CourseModel:
        """The model of all measurements, set up; raises as `fit_trajectories` does."""
        made = set_up(
            self.flow, self.experiments, self.observables, self.parameters, self.sigma, self.fixed,
            self.bounds, self.scales, self.prior, self.rtol,
        )  # fmt: skip
        values = np.array([self.at.get(n, v) for n, v in zip(
            made.table.names, made.table.values.tolist(), strict=True)])  # fmt: skip
        return replace(made, table=replace(made.table, values=values))

    @property
    def count(self) -> int:
        """How many values were measured."""
        return sum(len(s.values) for one in self.experiments for s in one.series)

    def placed(self, values: Array) -> CourseProblem:
        """The same with parameters (P,) of the model's table."""
        twin = replace(self, at=dict(zip(self.model.table.names, values.tolist(), strict=True)))
        vars(twin)["model"] = replace(self.model, table=replace(self.model.table, values=values))
        return twin

    @override
    def facts(self) -> Facts:
        title = f"CourseProblem: {type(self.flow).__name__}, {counted(self.count, 'value')}"
        rows = [("experiments", listed([one.name for one in self.experiments]))]
        if self.fixed:
            rows.append(("fixed", listed([*self.fixed])))
        return Facts(title, tuple(rows))
