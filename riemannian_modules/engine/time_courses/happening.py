"""What switches or happens in an experiment's run: borders of the flow, and events with resets.

All in exact terms, so that sensitivities are exact across each; see
`riemannian_modules.modules.switched_sensitivity`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.door import number
from riemannian_modules.engine.events import Event
from riemannian_modules.engine.inputs import InputProgram
from riemannian_modules.engine.time_courses.formulas import Formulas
from riemannian_modules.engine.time_courses.quantities import Quantities
from riemannian_modules.errors import SignatureError, TraceError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.switched_field import (
    LARGEST_PARAMETERS,
    LARGEST_STATE,
    SwitchedField,
    switched_field,
)
from riemannian_modules.spaces import Array, Space


@final
@dataclass(frozen=True, slots=True, eq=False)
class Happening:
    """Borders and events in the symbols of a field, whose parameters are all that formulas know.

    Attributes:
        structure: The field at some parameters.
        whens: What is zero at each event that is met on the way, (l,).
        directions: 1 where it has to rise, -1 where it has to fall, 0 for both, (l,).
        resets: For each the state after it, (n,) terms.
        scheduled: Events at known times: these, and the state after each.
        reads: Which parameters of formulas the events read, (L,).
        is_switched: Whether runs have to go piece by piece.
    """

    structure: SwitchedField
    whens: tuple[Any, ...]
    directions: tuple[int, ...]
    resets: tuple[tuple[Any, ...], ...]
    scheduled: tuple[tuple[frozenset[float], tuple[Any, ...]], ...]
    reads: NDArray[np.bool_]
    is_switched: bool

    def field(self, known: Array) -> SwitchedField:
        """The field at what formulas know of parameters, (L,)."""
        return replace(self.structure, theta=known)

    def times(self, start: float, end: float) -> set[float]:
        """When events are known to happen from a start to an end."""
        return {t for times, _ in self.scheduled for t in times if start <= t <= end}

    def resets_at(self, t: float) -> list[tuple[Any, ...]]:
        """The states after each of the events at a time."""
        return [terms for times, terms in self.scheduled if t in times]


def happening_of(
    where: str,
    quantities: Quantities,
    events: Sequence[Event],
    program: InputProgram,
    ends: tuple[float, float],
) -> Happening | None:
    """What happens in a run with some inputs between two times; None where nothing does.

    Raises:
        SignatureError: For what is no formula of the flow's quantities and parameters.
        UnsupportedError: For events of a flow without exact terms, or of a large one.
    """
    base = _base(quantities.flow, program)
    if base is None:
        if not events:
            return None  # of what cannot be read, corners are left to error control
        raise UnsupportedError(
            f"{where}: events need a flow in exact terms with at most {LARGEST_STATE} states, "
            f"which {type(quantities.flow).__name__} is not. Write it in NumPy's functions, as "
            "a Flow or as Equations, or state what jumps as doses."
        )
    must_switch = _must_switch(quantities.flow, base, program, ends)
    if not events and not must_switch:
        return None
    found = _read(where, quantities, events, base, program)
    return replace(found, is_switched=found.is_switched or must_switch)


def _base(flow: RiemannianModule, program: InputProgram) -> SwitchedField | None:
    s = flow.signature
    if s.state.size > LARGEST_STATE or s.parameters.size > LARGEST_PARAMETERS:
        return None
    try:
        return switched_field(flow.expressions, flow.theta, lambda t: _driven(flow, program, t))
    except (TraceError, UnsupportedError):
        return None


def _driven(flow: RiemannianModule, program: InputProgram, time: Any) -> dict[Any, Any]:
    """The inputs that are known in exact terms of the time."""
    return {flow.expressions.inputs[i]: term for i, term in program.exact(time).items()}


def _must_switch(
    flow: RiemannianModule, base: SwitchedField, program: InputProgram, ends: tuple[float, float]
) -> bool:
    """Whether the flow jumps, or has corners at times.

    Corners at places alone leave sensitivities right, and steps become short there by error
    control.
    """
    from riemannian_modules.arithmetic.regularity import jumping

    if not base.borders:
        return False
    steady = program.steady(*ends)
    if any(base.is_timed(border, steady) for border in base.borders):
        return True
    driven = _driven(flow, program, base.time)
    terms: list[Any] = [term.xreplace(driven) for term in flow.expressions.dx]
    return bool(jumping(terms))


def _read(
    where: str,
    quantities: Quantities,
    events: Sequence[Event],
    base: SwitchedField,
    program: InputProgram,
) -> Happening:
    import sympy as sp

    known, own = quantities.parameters, len(base.parameters)
    further = [sp.Symbol(f"further parameter {i}", real=True) for i in range(known.size - own)]
    parameters = (*base.parameters, *further)
    texts = [_texts(where, quantities.flow.signature.state, i, one) for i, one in enumerate(events)]
    every = {label: text for one in texts for label, text in one.items()}
    reads = np.zeros(known.size, dtype=bool)
    terms = iter(())
    if every:
        formulas = Formulas(where, every, known, quantities.driving)
        reads |= formulas.read_parameters.any(axis=0)
        terms = iter(formulas.terms((base.time, *base.state, *base.inputs), parameters))
    met: list[tuple[Any, int, tuple[Any, ...]]] = []
    scheduled: list[tuple[frozenset[float], tuple[Any, ...]]] = []
    for one in events:
        when = None if one.when is None else next(terms)
        after = [*base.state]
        for name in _resets(one):
            after[quantities.flow.signature.state.slice_of(name).start] = next(terms)
        if when is None:
            scheduled.append((frozenset(one.times.tolist()), tuple(after)))
        else:
            met.append((when, one.direction, tuple(after)))
    driven = _driven(quantities.flow, program, base.time)
    unmissed = tuple(when.xreplace(driven) for when, _, _ in met)
    return Happening(
        replace(base, parameters=parameters, events=unmissed),
        tuple(when for when, _, _ in met), tuple(way for _, way, _ in met),
        tuple(after for _, _, after in met), tuple(scheduled), reads, bool(met),
    )  # fmt: skip


def _texts(where: str, state: Space, place: int, one: Event) -> dict[str, str]:
    """An event's formulas by label: what is zero, then the new states."""
    said = f"event {place + 1}, {one.name!r}"
    texts = {} if one.when is None else {said: str(one.when)}
    state.check_names(_resets(one), f"{where}: {said}")
    for name, value in _resets(one).items():
        first = state.slice_of(name).start
        if state.slice_of(name).stop != first + 1:
            raise SignatureError(
                f"{where}: {said}: {name!r} has several entries; give a formula for each "
                f"coordinate, such as {state.coordinates[first]!r}."
            )
        label = f"{said}: {name!r}"
        texts[label] = value if isinstance(value, str) else repr(number(f"{where}: {label}", value))
    return texts


def _resets(one: Event) -> Mapping[str, Any]:
    return one.reset if isinstance(one.reset, Mapping) else {}
