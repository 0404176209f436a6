"""A nonlinear module given by its equations as text, in system files and in Python alike.

Source: none; `riemannian_modules.arithmetic.infix` is the language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.arithmetic.infix import Term, is_name, nearest, normal, parse
from riemannian_modules.door import brief, require_mapping
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import Time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.modules.traced import TracedModule
from riemannian_modules.spaces import Port, Signals, Space, SpaceLike, as_space

MOST_LEVELS = 32  # axes of an array that is given entry by entry
_NONE: Mapping[str, Any] = MappingProxyType({})


@final
class Equations(TracedModule):
    """A module whose equations are text: ``{"dprotein": "k*mrna - d*protein"}``.

    The key ``dx`` gives the derivative of a state x, which makes a flow, and ``x+`` its successor,
    which makes a step map; a module without states is a static map. An output's own name gives the
    output; an output without an equation shows the quantity of its name, and where no outputs are
    declared, the state is the output. An array's equation is one formula of its shape, such as
    ``A @ x``, one scalar for all entries, or a list with a formula for each.

    Args:
        equations: Formulas by what they give.
        state: The states, described as in `riemannian_modules.space`: ``"q v"``, or a unit, a size
            or a shape by name.
        inputs: The inputs, likewise.
        outputs: The outputs, likewise.
        parameters: Values by name.
        definitions: Formulas by names of their own, for use in those below and in the equations.
        time_input: The input that is the time of a run, which needs no wire; None for none.

    Raises:
        SignatureError: With the equation and the column, for what is no formula, unknown names,
            missing equations, shapes that do not fit, and numbers that no double holds.
    """

    def __init__(
        self,
        equations: Mapping[str, Any],
        *,
        state: SpaceLike = "",
        inputs: SpaceLike = "",
        outputs: SpaceLike = "",
        parameters: Mapping[str, ArrayLike] = _NONE,
        definitions: Mapping[str, Any] = _NONE,
        time_input: str | None = None,
    ) -> None:
        require_mapping("Equations: equations", equations, "formulas by what they give")
        require_mapping("Equations: parameters", parameters, "values by name")
        require_mapping("Equations: definitions", definitions, "formulas by name")
        self.state = as_space("Equations: state", state)
        self.inputs = as_space("Equations: inputs", inputs)
        self.outputs = as_space("Equations: outputs", outputs)
        self.parameters = dict(parameters)
        names = _normal_names([*self.state.names, *self.inputs.names, *parameters, *definitions])
        self.time, keys = _keys_of(equations, self.state, self.outputs)
        own = names[: len(names) - len(definitions)]
        self._definitions = {
            name: _read(f"definitions/{given}", definitions[given], names[: len(own) + i])
            for i, (name, given) in enumerate(zip(names[len(own) :], definitions, strict=True))
        }
        self._formulas = {
            target: _read(f"equations/{key}", equations[key], names) for target, key in keys.items()
        }
        self._require_shown(names)
        self.time_input = time_input
        time_ports(self)
        _ = self.expressions  # faults of shapes and of constants are told here

    def _require_shown(self, names: Sequence[str]) -> None:
        for port in self.outputs.ports:
            if ("", port.name) not in self._formulas and normal(port.name) not in names:
                raise SignatureError(
                    f"Equations: the output {port.name!r} has no equation and is the name of no "
                    f"quantity. Add 'equations/{port.name}', or show one of: {', '.join(names)}."
                )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        """The formulas' values; for tracing, not for floats."""
        tracer = x.vector.tracer
        values = {normal(name): part[name] for part in (x, u, p) for name in part}
        for name, formula in self._definitions.items():
            values[name] = formula.value(values, tracer)

        def result(kind: str, port: Port) -> Any:
            formula = self._formulas.get((kind, port.name))
            found = values[normal(port.name)] if formula is None else formula.value(values, tracer)
            if found.shape not in ((), port.shape):
                where = f"the output {port.name!r}" if formula is None else formula.where
                raise SignatureError(
                    f"Equations: {where}: expected the shape {port.shape}, got {found.shape}."
                )
            return np.broadcast_to(found, port.shape)

        return (
            {port.name: result("d", port) for port in self.state.ports},
            {port.name: result("", port) for port in self.signature.outputs.ports},
        )


@final
@dataclass(frozen=True, slots=True)
class _Formula:
    """One formula, and where it stands."""

    where: str
    text: str
    term: Term

    def value(self, values: Mapping[str, Any], tracer: Any) -> Any:
        from riemannian_modules.arithmetic.infix_values import evaluate

        try:
            return evaluate(self.text, self.term, values, tracer)
        except SignatureError as fault:
            raise SignatureError(f"Equations: {self.where}: {fault}") from None


@final
@dataclass(frozen=True, slots=True)
class _Formulas:
    """The formulas of an array's entries, and where they stand."""

    where: str
    parts: tuple[_Formula | _Formulas, ...]

    def value(self, values: Mapping[str, Any], tracer: Any) -> Any:
        entries = [part.value(values, tracer) for part in self.parts]
        shapes = list(dict.fromkeys(entry.shape for entry in entries))
        if len(shapes) > 1:
            raise SignatureError(
                f"Equations: {self.where}: expected entries of one shape, got {shapes}."
            )
        return np.stack(entries)


def _read(
    where: str, given: object, names: Sequence[str], levels: int = MOST_LEVELS
) -> _Formula | _Formulas:
    if isinstance(given, (list, tuple)) and given and levels:
        parts = enumerate(given)
        return _Formulas(
            where, tuple(_read(f"{where}/{i}", part, names, levels - 1) for i, part in parts)
        )
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        given = repr(given)
    if not isinstance(given, str):
        raise SignatureError(
            f"Equations: {where}: expected a formula such as 'k*mrna - d*protein', or a list of "
            f"formulas, got {brief(given)}."
        )
    try:
        return _Formula(where, given, parse(given, names))
    except SignatureError as fault:
        raise SignatureError(f"Equations: {where}: {fault}") from None


def _normal_names(given: Sequence[str]) -> list[str]:
    """The names as formulas are compared with them; each can be written and means one thing."""
    for name in given:
        if not is_name(name):
            raise SignatureError(
                f"Equations: {name!r} cannot be the name of a quantity in formulas: it is that of "
                "a function, a constant or a word, or holds other characters than letters, digits "
                "and underscores. Rename it."
            )
    names = [normal(name) for name in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SignatureError(
            f"Equations: states, inputs, parameters and definitions need different names, but "
            f"{twice} came more than once. Rename one of each."
        )
    return names


def _keys_of(
    equations: Mapping[str, Any], state: Space, outputs: Space
) -> tuple[Time, dict[tuple[str, str], str]]:
    """The time, and for each target, ("d", state) or ("", output), the key that gives it."""
    flow = {f"d{name}": ("d", name) for name in state.names}
    step = {f"{name}+": ("d", name) for name in state.names}
    shown = {name: ("", name) for name in outputs.names}
    is_step = not flow.keys() & equations.keys() and bool(step.keys() & equations.keys())
    own = step if is_step else flow
    expected = shown | own  # ``dq`` is the derivative of q, whatever an output is called
    for key in equations:
        if key not in expected:
            mixed = (
                "A module flows or steps, not both. " if key in step.keys() | flow.keys() else ""
            )
            raise SignatureError(
                f"Equations: equations/{key}: it gives no derivative or successor of a state and "
                f"no output. {mixed}{nearest(key, list(expected))}"
            )
    missing = [key for key in own if key not in equations]
    if missing:
        raise SignatureError(
            f"Equations: the equations {missing} are missing; add one for each state."
        )
    if not state.ports and not outputs.ports:
        raise SignatureError("Equations: expected states or outputs, got none. Declare `outputs`.")
    time = (Time.DISCRETE if is_step else Time.CONTINUOUS) if state.ports else Time.STATIC
    return time, {expected[key]: key for key in equations}
