"""The `simulation` section of a system file: its events and inputs, checked against the module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riemannian_modules.arithmetic.infix import normal, parse
from riemannian_modules.engine.event_terms import TIME, new_value
from riemannian_modules.engine.events import Event, at_times, checked_events, event, stop
from riemannian_modules.engine.input_formulas import written_function
from riemannian_modules.errors import RiemannianError, SpecError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spec.models import EventSpec, SimulationSpec
from riemannian_modules.spec.system import Simulation


def simulation_of(spec: SimulationSpec, module: RiemannianModule, where: str) -> Simulation:
    """The simulation that a section describes.

    Args:
        spec: The section.
        module: What is simulated.
        where: The file and the section, for messages.

    Raises:
        SpecError: With the place and the column, for formulas of other names than the module has.
    """
    for name, given in spec.inputs.items():
        if isinstance(given, str):
            _checked(f"{where}/inputs/{name}", lambda text=given: written_function("", text))
    s = module.signature
    names = [TIME, *(normal(n) for part in (s.parameters, s.inputs, s.state) for n in part.names)]
    events = tuple(
        _event(one, module, names, f"{where}/events/{i}") for i, one in enumerate(spec.events)
    )
    _checked(f"{where}/events", lambda: checked_events(module, events))
    given: dict[str, Any] = {**dict(spec), "events": events}
    return Simulation(**given)


def _event(spec: EventSpec, module: RiemannianModule, names: list[str], where: str) -> Event:
    if (spec.when is None) == (spec.times is None):
        raise SpecError(
            f'{where}: expected "when", a formula that is zero at the event, or "times", where '
            f"these are known; got {'neither' if spec.when is None else 'both'}."
        )
    if spec.times is not None and (spec.stop or spec.direction):
        raise SpecError(
            f'{where}: "stop" and "direction" belong to "when"; an event at known times has '
            "neither. To end a run at a time, set t_end."
        )
    if spec.when is not None:
        _checked(f"{where}/when", lambda: parse(spec.when or "", names))
    _check_resets(spec.reset, module, names, f"{where}/reset")
    reset = spec.reset or None
    if spec.times is not None:
        return _checked(where, lambda: at_times(spec.times or (), reset, name=spec.name))
    make = stop if spec.stop else event
    return make(spec.when or "", direction=spec.direction, reset=reset, name=spec.name)


def _check_resets(
    reset: Mapping[str, Any], module: RiemannianModule, names: list[str], where: str
) -> None:
    space = module.signature.state
    _checked(where, lambda: space.check_names(reset, "states"))
    for name, value in reset.items():
        if isinstance(value, str):
            _checked(f"{where}/{name}", lambda text=value: parse(text, names))
        else:
            _checked(f"{where}/{name}", lambda n=name, v=value: new_value(space, n, v, n))


def _checked(where: str, build: Any) -> Any:
    try:
        return build()
    except RiemannianError as fault:
        raise SpecError(f"{where}: {str(fault).removeprefix(': ')}") from None
