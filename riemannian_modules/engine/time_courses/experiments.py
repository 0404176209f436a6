"""One experiment: how the system was set up, what was done to it, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from typing_extensions import override

from riemannian_modules.door import (
    brief,
    is_quantity,
    number,
    require,
    require_mapping,
    text,
)
from riemannian_modules.engine.events import Event
from riemannian_modules.engine.time_courses.series import Series, read_series
from riemannian_modules.errors import SignatureError
from riemannian_modules.shown import Facts, Shown, counted, listed, named

SettingValue = float | str  # a number, or a formula of parameters


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dose(Shown):
    """What is added to states at a time.

    Attributes:
        time: When, not before the experiment's start: a number, or a formula of parameters such as
            "12 + lag".
        amounts: By state a number, or a formula of parameters, in the state's unit.
    """

    time: SettingValue
    amounts: Mapping[str, SettingValue]


@final
@dataclass(frozen=True, slots=True, repr=False)
class SteadyState(Shown):
    """An initial state: where the system rests under another experiment's setting.

    Attributes:
        of: That experiment's name; its own initial state says which rest is meant, and its inputs
            count as they are at its start.
    """

    of: str


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Experiment(Shown):
    """A setting with its measurements; build with `experiment`.

    Attributes:
        name: Its name, before the names of parameters of its own.
        series: What was measured.
        x0: The initial state by name, or that of rest elsewhere.
        inputs: By input.
        theta: Parameters that this experiment sets.
        own: Parameters that are unknown for this experiment alone, with their starts.
        doses: What is added to states.
        events: What else happens to states.
        start: The time of the initial state.
    """

    name: str
    series: tuple[Series, ...]
    x0: Mapping[str, SettingValue] | SteadyState = field(default_factory=dict[str, SettingValue])
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    theta: Mapping[str, SettingValue] = field(default_factory=dict[str, SettingValue])
    own: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    doses: tuple[Dose, ...] = ()
    events: tuple[Event, ...] = ()
    start: float = 0.0

    @override
    def facts(self) -> Facts:
        count = sum(len(s.values) for s in self.series)
        rows = [("observables", listed([s.observable for s in self.series]))]
        for what, given in (
            ("inputs", self.inputs), ("theta", self.theta), ("own", self.own),
        ):  # fmt: skip
            if given:
                rows.append((what, named(given)))
        if self.doses:
            rows.append(("doses", counted(len(self.doses), "dose")))
        if self.events:
            rows.append(("events", listed([event.name for event in self.events])))
        return Facts(f"Experiment {self.name!r}: {counted(count, 'value')}", tuple(rows))


def experiment(  # noqa: PLR0913 - what a protocol says, each by its name
    data: Any,
    *,
    name: str = "data",
    sigma: Mapping[str, Any] | None = None,
    x0: Mapping[str, SettingValue] | SteadyState | None = None,
    inputs: Mapping[str, Any] | None = None,
    theta: Mapping[str, SettingValue] | None = None,
    own: Mapping[str, float | None] | Sequence[str] | None = None,
    doses: Sequence[Dose] = (),
    events: Sequence[Event] = (),
    start: float = 0.0,
) -> Experiment:
    """Describe one experiment.

    Args:
        data: By observable a pair ``(times, values)`` or a triple with the errors' sizes; or
            columns by name, one of them "time"; or a DataFrame of such. Values are (T,), or (R, T)
            for R replicates; NaN is missing; empty for a setting that others only refer to.
        name: Its name.
        sigma: By observable the sizes of the errors: one number or one for each value.
        x0: The initial state: by state a number, or a formula of parameters such as "A0" (an
            unknown) or "total - B0"; zero where not named. Or `SteadyState` of another experiment.
        inputs: As for `simulate`: constants, functions of time, ``(times, values)``, tables; a text
            is a formula of parameters that gives a constant.
        theta: Parameters that the experiment sets, to numbers or formulas of parameters.
        own: Parameters that have a value of their own here, unknown; by name with the start, None
            for the shared one's; or names.
        doses: What is added to states at which times. What is measured at a dose's time is
            measured after it.
        events: What else happens to states, made with `at_times` or `event` from formulas as text;
            at one time after the doses.
        start: The time of the initial state.

    Numbers may be quantities of pint's; a fit turns them into the units of the flow's ports, and
    of what `fit_trajectories` is told as ``units``.

    Raises:
        SignatureError: For what has another form.
        DomainError: For numbers that are not finite, and sigmas that are not positive.
    """
    where = f"experiment {text('experiment: name', name)!r}"
    if x0 is not None and not isinstance(x0, SteadyState):
        require_mapping(f"{where}: x0", x0, "values by state")
    for what, given in (("inputs", inputs), ("theta", theta)):
        require_mapping(f"{where}: {what}", {} if given is None else given, "values by name")
    require(f"{where}: doses", doses, (list, tuple), "a list of Dose(time, amounts)")
    for dose in doses:
        require(f"{where}: doses", dose, Dose, "Dose(time, amounts)")
        if not isinstance(dose.time, str):
            _plain_or_quantity(f"{where}: a dose's time", dose.time)
        require_mapping(f"{where}: a dose's amounts", dose.amounts, "values by state")
    return Experiment(
        name,
        read_series(where, data, sigma),
        x0 if isinstance(x0, SteadyState) else dict(x0 or {}),
        dict(inputs or {}),
        dict(theta or {}),
        _own(where, own),
        tuple(doses),
        formula_events(where, events),
        _plain_or_quantity(f"{where}: start", start),
    )


def _plain_or_quantity(where: str, value: Any) -> Any:
    """One finite number, perhaps with a unit, which a fit of a flow turns into the flow's."""
    if not is_quantity(value):
        return number(where, value)
    number(where, value.magnitude)
    return value


def formula_events(where: str, given: Any) -> tuple[Event, ...]:
    """What may happen in an experiment: resets by formulas, which have derivatives.

    Raises:
        SignatureError: For anything else, and events that end a run.
    """
    require(f"{where}: events", given, (list, tuple), "a list of events")
    for one in given:
        require(f"{where}: events", one, Event, "events made with at_times or event")
        said = f"{where}: event {one.name!r}"
        if one.ends:
            raise SignatureError(
                f"{said}: a run of a fit goes on until the last measurement. Leave `stop` out, and "
                "what was measured after it."
            )
        resets = one.reset if isinstance(one.reset, Mapping) else {}
        if not resets or callable(one.when) or any(callable(v) for v in resets.values()):
            raise SignatureError(
                f"{said}: expected formulas as text, which have derivatives, such as "
                "event('q - top', reset={'q': 'q/2'})."
            )
    return tuple(given)


def _own(where: str, own: Any) -> dict[str, float | None]:
    if own is None:
        return {}
    if isinstance(own, Mapping):
        require_mapping(f"{where}: own", own, "starts by parameter")
        return {
            name: None if start is None else _plain_or_quantity(f"{where}: own: {name!r}", start)
            for name, start in own.items()
        }
    if isinstance(own, (list, tuple)) and all(isinstance(name, str) for name in own):
        return dict.fromkeys(own)
    raise SignatureError(
        f"{where}: own: expected names of parameters, perhaps with starts, got {brief(own)}."
    )
