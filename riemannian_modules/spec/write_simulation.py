"""A simulation as the `simulation` section of a system file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.spec.plain import plain
from riemannian_modules.spec.system import Simulation


def simulation_to_data(s: Simulation) -> dict[str, Any]:
    """The section, less what is as it is by default.

    Raises:
        UnsupportedError: For inputs and events that are functions, which no file holds.
    """
    inputs = {name: _drive(name, value) for name, value in s.inputs.items()}
    said = {
        "x0": plain(s.x0), "inputs": inputs, "events": [_event(e) for e in s.events],
        "rtol": s.rtol, "atol": plain(s.atol),
    }  # fmt: skip
    return {"t_end": s.t_end, "points": s.points} | {k: v for k, v in said.items() if v}


def _drive(name: str, value: Any) -> Any:
    from riemannian_modules.engine.input_tables import HeldTable, LinearTable

    if isinstance(value, (HeldTable, LinearTable)):
        kind = "held" if isinstance(value, HeldTable) else "linear"
        values = value.values[:, 0] if value.values.shape[1] == 1 else value.values
        return {"times": plain(value.times), kind: plain(values)}
    return plain(_no_function(f"input {name!r}", value))


def _event(e: Any) -> dict[str, Any]:
    where = f"event {e.name!r}"
    reset: Any = {} if e.reset is None else _no_function(f"{where}: reset", e.reset)
    assert isinstance(reset, Mapping)
    said = {
        "when": None if e.when is None else _no_function(f"{where}: when", e.when),
        "times": plain(e.times) if e.when is None else None,
        "direction": e.direction,
        "reset": {n: plain(_no_function(f"{where}: {n!r}", v)) for n, v in reset.items()},
        "stop": e.ends,
        "name": e.name if e.name != e.when else "",
    }
    return {key: value for key, value in said.items() if value or (key == "times" and value == [])}


def _no_function(where: str, value: Any) -> Any:
    if callable(value):
        raise UnsupportedError(
            f"{where}: a file holds numbers, tables and formulas such as 'where(t >= 1, 2, 0)', "
            "but this is a function. Write it as a formula."
        )
    return value
