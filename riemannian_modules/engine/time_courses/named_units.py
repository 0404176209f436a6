"""Units by name in a fit of time courses: quantities become plain numbers at its door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from riemannian_modules.door import did_you_mean, is_quantity, require, require_mapping
from riemannian_modules.engine.priors import Prior
from riemannian_modules.engine.time_courses.experiments import Dose, Experiment, SteadyState
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.scale import LinearScale
from riemannian_modules.engine.time_courses.series import Series
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spaces import Array
from riemannian_modules.units import conversion, in_unit

WHERE = "fit_trajectories"
TIME = "t"


@final
@dataclass(frozen=True, slots=True, eq=False)
class NamedUnits:
    """The units of a flow's quantities, and those that are said of what has none of its own.

    Attributes:
        flow: The flow.
        observables: Formulas or `Observable` by name.
        said: Units by name; "t" is the time.
    """

    flow: RiemannianModule
    observables: Mapping[str, Any]
    said: Mapping[str, str]

    @property
    def time(self) -> str:
        """The unit of time: that of the flow's time port, or what is said of "t"."""
        inputs = self.flow.signature.inputs
        own = {inputs.unit_of(name) for name in time_ports(self.flow)} - {""}
        return next(iter(own), self.said.get(TIME, ""))

    def of(self, name: str) -> str:
        """The unit of a state, output, input, observable or parameter; empty where unknown."""
        if name in self.observables or name in self.said:
            return self.said.get(name) or self._formula_unit(self.observables.get(name, name))
        state, inputs, _ = self.flow.signature.distinct
        for space in (state, self.flow.signature.outputs, inputs):
            if name in space.names or name in space.coordinates:
                return space.unit_of(name)
        # An experiment's own parameter is named "experiment.parameter".
        return next((unit for n, unit in self.said.items() if name.endswith(f".{n}")), "")

    def _formula_unit(self, given: Any) -> str:
        """The unit of an observable that is a quantity of the flow as it stands."""
        shown = Observable(given) if isinstance(given, str) else given
        if not isinstance(shown, Observable) or shown.scale != 1.0:
            return ""
        return "" if shown.formula in self.observables else self.of(shown.formula.strip())

    def error(self, name: str) -> str:
        """The unit of an observable's errors: none where they are those of a logarithm."""
        shown = self.observables.get(name)
        is_plain = not isinstance(shown, Observable)
        return self.of(name) if is_plain or isinstance(shown.transformation, LinearScale) else ""

    def plain(self, where: str, value: Any, name: str, unit: str | None = None) -> Any:
        """A quantity in the unit of a name; any other value as it is.

        Raises:
            SignatureError: If the unit is not known, or of another dimension.
        """
        unit = self.of(name) if unit is None else unit
        if is_quantity(value) and not unit and not value.dimensionless:
            raise SignatureError(_unsaid(where, f"{value.units:~}", name))
        return in_unit(where, value, unit)

    def moment(self, where: str, value: Any) -> Any:
        """A time, or times, likewise."""
        return self.plain(where, value, TIME, self.time)

    def each(self, where: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Values by name, each in its own name's unit; pairs entry by entry, priors likewise."""
        require_mapping(where, {} if values is None else values, "values by name")
        return {n: self._entry(f"{where}: {n!r}", v, n) for n, v in (values or {}).items()}

    def _entry(self, where: str, value: Any, name: str) -> Any:
        if isinstance(value, Prior):
            return value.plain(where, self.of(name))
        if isinstance(value, (tuple, list)):
            return tuple(self.plain(where, entry, name) for entry in value)
        return self.plain(where, value, name)

    def errors(self, sigma: Any) -> Any:
        """The sizes of errors, one for all observables or by name.

        Raises:
            SignatureError: If one quantity is given for observables of several units.
        """
        where = f"{WHERE}: sigma"
        if not isinstance(sigma, Mapping):
            if is_quantity(sigma):
                raise SignatureError(f"{where}: give quantities by observable, each in its unit.")
            return sigma
        return {n: self.plain(f"{where}: {n!r}", v, n, self.error(n)) for n, v in sigma.items()}

    def seen(self) -> dict[str, Any]:
        """The observables, their offsets and errors in plain numbers."""
        return {name: self._observable(name, one) for name, one in self.observables.items()}

    def _observable(self, name: str, one: Any) -> Any:
        if not isinstance(one, Observable):
            return one
        where = f"{WHERE}: observable {name!r}"
        offset = self.plain(f"{where}: offset", one.offset, name)
        sigma = self.plain(f"{where}: sigma", one.sigma, name, self.error(name))
        return replace(one, offset=offset, sigma=sigma)

    def experiment(self, one: Experiment) -> Experiment:
        """An experiment in plain numbers.

        Raises:
            SignatureError: For quantities whose unit is not known here, or of another dimension.
        """
        where = f"experiment {one.name!r}"
        doses = [
            Dose(self.moment(f"{where}: a dose's time", dose.time),
                 self.each(f"{where}: a dose's amounts", dose.amounts))
            for dose in one.doses
        ]  # fmt: skip
        return replace(
            one,
            series=tuple(self._series(where, series) for series in one.series),
            x0=one.x0 if isinstance(one.x0, SteadyState) else self.each(f"{where}: x0", one.x0),
            theta=self.each(f"{where}: theta", one.theta),
            own=self.each(f"{where}: own", one.own),
            doses=tuple(doses),
            start=self.moment(f"{where}: start", one.start),
        )

    def _series(self, where: str, series: Series) -> Series:
        name = series.observable
        said = f"{where}: {name!r}"
        is_mixed = series.unit and not series.sigma_unit and not np.isnan(series.sigma).all()
        if is_mixed and self.error(name):
            raise SignatureError(
                f"{said}: the values are in [{series.unit}], but sigma is a plain number. Give it "
                "with its unit, too."
            )
        return replace(
            series,
            times=_converted(f"{said}: times", series.times, series.time_unit, self.time, TIME),
            values=_converted(said, series.values, series.unit, self.of(name), name),
            sigma=_converted(f"{said}: sigma", series.sigma, series.sigma_unit, self.error(name),
                             name),
            time_unit="", unit="", sigma_unit="",
        )  # fmt: skip


def _converted(where: str, values: Array, have: str, want: str, name: str) -> Array:
    if not have:
        return values
    if not want and conversion(have, "dimensionless") is None:
        raise SignatureError(_unsaid(where, have, name))
    factor = conversion(have, want or "dimensionless")
    if factor is None:
        raise SignatureError(f"{where}: expected values in [{want}], got some in [{have}].")
    return values * factor


def _unsaid(where: str, have: str, name: str) -> str:
    return (
        f"{where}: got a quantity in [{have}], but in which unit the model has {name!r} is not "
        f"said. Say it, as in units={{{name!r}: '{have}'}}, or give plain numbers."
    )


def named_units(
    flow: RiemannianModule,
    observables: Mapping[str, Any] | None,
    further: Mapping[str, Any] | None,
    units: Mapping[str, str] | None,
    measured: tuple[str, ...],
) -> NamedUnits:
    """What a user says of units, checked.

    Raises:
        SignatureError: For names that nothing has, or units that are no texts.
    """
    said = {} if units is None else dict(units)
    where = f"{WHERE}: units"
    require_mapping(where, said, "units by name")
    seen = {} if observables is None else observables
    require_mapping(f"{WHERE}: observables", seen, "formulas or Observables by name")
    parts = [p for one in seen.values() if isinstance(one, Observable)
             for p in (one.scale, one.offset, one.sigma) if isinstance(p, str)]  # fmt: skip
    own = [name for space in flow.signature.distinct for name in (*space.names, *space.coordinates)]
    known = [TIME, *seen, *measured, *own, *(further or {}), *parts]
    for name, unit in said.items():
        require(f"{where}: {name!r}", unit, str, "a unit as text, such as 'mg'")
        if name not in known:
            raise SignatureError(
                f"{where}: there is no {name!r}{did_you_mean([name], known)}; units are said of "
                "observables, parameters and the time 't'."
            )
    found = NamedUnits(flow, seen, said)
    for name, have in ((TIME, found.time), *((n, replace(found, said={}).of(n)) for n in own)):
        if name in said and have and said[name] != have and conversion(have, said[name]) != 1.0:
            raise SignatureError(
                f"{where}: {name!r} is in [{have}] by the flow's own port, not in [{said[name]}]."
            )
    return found
