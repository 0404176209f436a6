"""What an experiment does to the flow at given parameters: start, parameters, inputs and doses.

All of it may be formulas of parameters, so all of it comes with derivatives in those that are
searched for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arrays import Places
from riemannian_modules.door import number
from riemannian_modules.engine.events import Event
from riemannian_modules.engine.inputs import InputProgram, input_program
from riemannian_modules.engine.time_courses.experiments import Experiment, SettingValue, SteadyState
from riemannian_modules.engine.time_courses.flow_field import FlowField
from riemannian_modules.engine.time_courses.formulas import Formulas
from riemannian_modules.engine.time_courses.happening import happening_of
from riemannian_modules.engine.time_courses.parameters import ParameterTable
from riemannian_modules.engine.time_courses.quantities import Quantities
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spaces import Array, Port, Space


@final
@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Numbers (q,) and their derivatives (q, k) along the directions of a setting."""

    value: Array
    slope: Array


@final
@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """An experiment at given parameters.

    Attributes:
        start: The initial state (n,), as the experiment states it.
        flow: What the flow's derivative is taken in: inputs, then parameters, (q,).
        doses: What each dose adds to each state, flat (doses * n).
        moments: When each dose is given, (doses,).
        known: What formulas of measurements know of parameters, (L,): the flow's own come first.
        further: How many of these are not the flow's.
        program: The inputs over time.
    """

    start: Moved
    flow: Moved
    doses: Moved
    moments: Moved
    known: Moved
    further: int
    program: InputProgram

    @property
    def theta(self) -> Array:
        """The flow's parameters, (p,)."""
        return self.known.value[: self.known.value.size - self.further]

    def along(self, columns: Places, size: Array) -> Setting:
        """The same where directions are some of these, each that much longer, (k,)."""
        start, flow, doses, moments, known = (
            Moved(part.value, part.slope[:, columns] * size)
            for part in (self.start, self.flow, self.doses, self.moments, self.known)
        )
        return Setting(start, flow, doses, moments, known, self.further, self.program)


@final
class Settings:
    """An experiment as a function of the parameters.

    Attributes:
        reads: Which parameters of formulas the states depend on, (L,).
        columns: Places among the free parameters that move the experiment's states, (k,).
        field: The flow, and in what of it these are felt.
        happening: What switches or happens on the way; None where nothing does.
    """

    def __init__(
        self,
        where: str,
        quantities: Quantities,
        experiment: Experiment,
        table: ParameterTable,
        index: int,
        times: Array,
    ) -> None:
        flow, known, doses = quantities.flow, quantities.parameters, experiment.doses
        s = flow.signature
        n, m, p = s.state.size, s.inputs.size, s.parameters.size
        self._flow, self._places = flow, table.places[index]
        # Which free parameter each local one is, (L, F).
        self._selects = (table.column[self._places][:, None] == np.arange(len(table.free))) * 1.0
        self.experiment = experiment
        self._constant = np.zeros(n + m + p + (n + 1) * len(doses))
        # Rows of all that is set: initial state, inputs, parameters, doses, their times; -1 where
        # not a copy.
        self._copied = np.full(len(self._constant), -1, dtype=np.intp)
        self._copied[n + m : n + m + p] = np.arange(p)
        texts: dict[str, str] = {}
        self._rows: list[int] = []
        x0 = {} if isinstance(experiment.x0, SteadyState) else experiment.x0
        spaces = [(s.state, x0, 0, "x0"), (s.parameters, experiment.theta, n + m, "theta")]
        for i, dose in enumerate(doses):
            spaces.append((s.state, dose.amounts, n + m + p + n * i, f"dose {i + 1}"))
        parametric = {k: v for k, v in experiment.inputs.items() if isinstance(v, str)}
        spaces.append((s.inputs, parametric, n, "inputs"))
        for space, values, begin, what in spaces:
            self._place(f"{where}: {what}", space, values, begin, texts)
        doses = tuple(
            d if isinstance(d.time, str) else replace(d, time=_met(float(d.time), times))
            for d in doses
        )
        when = Space(tuple(Port(f"time of dose {i + 1}") for i in range(len(doses))))
        times_given = dict(zip(when.names, (dose.time for dose in doses), strict=True))
        self._place(where, when, times_given, n + m + p + n * len(doses), texts)
        self._formulas = Formulas(where, texts, known) if texts else None
        self._given = {k: v for k, v in experiment.inputs.items() if not isinstance(v, str)}
        ends = np.array([min(experiment.start, times.min(initial=experiment.start)),
                         times.max(initial=experiment.start)])  # fmt: skip
        given = {**self._given, **dict.fromkeys(parametric, 0.0)}
        self._clocks = time_ports(flow)
        self._program = input_program(s.inputs, given, ends, f"{where}: inputs", self._clocks)
        self._parametric = parametric
        self._span = ends
        self.happening = happening_of(
            where,
            quantities,
            [_meeting(event, times) for event in experiment.events],
            self._program,
            (float(ends[0]), float(ends[1])),
        )
        self.reads = self._read(len(self._places))
        self.columns, moved = self._reached(table)
        self.field = FlowField(
            flow,
            tuple(np.flatnonzero(moved[n : n + m]).tolist()),
            tuple(np.flatnonzero(moved[n + m : n + m + p]).tolist()),
        )
        self._felt = n + np.flatnonzero(moved[n : n + m + p])
        self._sizes = n, m, p

    def _place(
        self, where: str, space: Space, values: Mapping[str, SettingValue], begin: int,
        texts: dict[str, str],
    ) -> None:  # fmt: skip
        space.check_names(values, where)
        for name, value in values.items():
            place = space.slice_of(name)
            rows = range(begin + place.start, begin + place.stop)
            if isinstance(value, str):
                if len(rows) != 1:
                    raise SignatureError(
                        f"{where}: {name!r} has {len(rows)} entries; give a formula for each "
                        f"coordinate, such as {space.coordinates[place.start]!r}."
                    )
                texts[f"{where}: {name!r}"] = value
                self._rows.append(rows[0])
            elif np.ndim(value) == 0:
                self._constant[list(rows)] = number(f"{where}: {name!r}", value)
            else:
                self._constant[list(rows)] = space.laid(name, value, f"{where}: {name!r}")[1]
            self._copied[list(rows)] = -1

    def _read(self, count: int) -> NDArray[np.bool_]:
        found = np.zeros(count, dtype=bool)
        found[self._copied[self._copied >= 0]] = True
        if self._formulas is not None:
            found |= self._formulas.read_parameters.any(axis=0)
        return found if self.happening is None else found | self.happening.reads

    def _reached(self, table: ParameterTable) -> tuple[Places, NDArray[np.bool_]]:
        """The free parameters that anything set depends on, and what depends on some."""
        touched = np.zeros((len(self._constant), len(table.free)), dtype=bool)
        is_copy = self._copied >= 0
        touched[is_copy] = self._selects[self._copied[is_copy]] > 0
        if self._formulas is not None:
            touched[self._rows] = self._formulas.read_parameters @ self._selects > 0
        return np.flatnonzero(self.reads @ self._selects > 0), np.asarray(touched.any(1))

    def at(self, values: Array, slopes: Array) -> Setting:
        """The setting where all parameters have the values (P,), free ones move by slopes (F,)."""
        n, m, p = self._sizes
        local, L = values[self._places], self._selects * slopes
        Z, dZ = self._constant.copy(), np.zeros((len(self._constant), len(slopes)))
        is_copy = self._copied >= 0
        Z[is_copy], dZ[is_copy] = local[self._copied[is_copy]], L[self._copied[is_copy]]
        if self._formulas is not None:
            Z[self._rows] = self._formulas.values(np.zeros(0), local)
            dZ[self._rows] = self._formulas.slopes(np.zeros(0), local)[1] @ L
        own = slice(n + m, n + m + p)
        known = Moved(np.concatenate([Z[own], local[p:]]), np.concatenate([dZ[own], L[p:]]))
        start, felt = Moved(Z[:n], dZ[:n]), Moved(Z[self._felt], dZ[self._felt])
        given = slice(n + m + p, len(Z) - len(self.experiment.doses))
        doses = Moved(Z[given], dZ[given])
        moments = Moved(Z[given.stop :], dZ[given.stop :])
        program = self._programmed(Z[n : n + m])
        return Setting(start, felt, doses, moments, known, len(local) - p, program)

    def directions(self, at: Setting) -> Array:
        """How inputs, then all that formulas know, move along the setting's directions."""
        n, m, _ = self._sizes
        found = np.zeros((m + len(at.known.value), at.flow.slope.shape[1]))
        found[self._felt - n] = at.flow.slope
        found[m:] = at.known.slope
        return found

    def _programmed(self, constants: Array) -> InputProgram:
        if not self._parametric:
            return self._program
        space = self._flow.signature.inputs
        given: dict[str, Any] = dict(self._given)
        for name in self._parametric:
            given[name] = float(constants[space.slice_of(name)][0])
        return input_program(space, given, self._span, "inputs", self._clocks)


def _meeting(event: Event, times: Array) -> Event:
    return replace(event, times=np.array([_met(t, times) for t in event.times.tolist()]))


def _met(t: float, times: Array) -> float:
    """The measurement's time that a dose's is but for rounding: 0.1 + 2 * 0.1 is meant for 0.3."""
    near = times[np.abs(times - t) <= 4.0 * np.spacing(np.abs(times))]
    return float(near[0]) if len(near) else t
