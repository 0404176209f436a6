"""The inputs of a run: the file's constants, formulas and tables, and over them the options'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from riemannian_modules.cli.arguments import misuse, port_values

if TYPE_CHECKING:
    from riemannian_modules.spaces import Array
    from riemannian_modules.spec import System


def inputs_of(system: System, given: Sequence[str]) -> dict[str, Any]:
    """What `simulate` takes as inputs, by port or coordinate; what nobody names is left out.

    Args:
        system: The system, whose file may have a simulation.
        given: Constants of the command line, ``NAME=VALUE``.

    Raises:
        typer.BadParameter: For unknown names, and constants for parts of a port that moves.
    """
    space, stored = system.module.signature.inputs, {}
    if system.simulation is not None:
        stored = dict(system.simulation.inputs)
    overruled = {text.partition("=")[0].strip() for text in given}
    moving = {n: v for n, v in stored.items() if _moves(v) and n not in overruled}
    constants = {n: v for n, v in stored.items() if not _moves(v)}
    flat = port_values(space, constants, given, "--input")  # checks the names of these
    found: dict[str, Any] = {}
    for port, place in zip(space.ports, space.slices, strict=True):
        parts = port.coordinates() if port.shape else ()
        if port.name in moving:
            _refuse_parts(port.name, [part for part in parts if part in overruled])
            found[port.name] = moving.pop(port.name)
        elif port.name not in overruled and moving.keys() & set(parts):
            values = zip(parts, flat[place].tolist(), strict=True)
            found |= {part: moving.pop(part, value) for part, value in values}
        elif {port.name, *parts} & (overruled | constants.keys()):
            found[port.name] = flat[place].reshape(port.shape)
        for part in parts:
            moving.pop(part, None)
    if moving:
        known = ", ".join(space.names) or "none"
        name = next(iter(moving))
        raise misuse("the file's `simulation`", f"there is no {name!r}; known are: {known}.")
    return found


def inputs_at_start(system: System) -> Array:
    """The file's inputs at the start of its simulation, (m,)."""
    return sampled_inputs(system, inputs_of(system, ()), [0.0])[0]


def sampled_inputs(system: System, inputs: dict[str, Any], times: Any) -> Array:
    """Inputs at times (T,), shape (T, m), in the order of the system's."""
    import numpy as np

    from riemannian_modules.engine.inputs import input_program
    from riemannian_modules.modules.time_input import time_ports

    t, module = np.asarray(times, dtype=np.float64), system.module
    program = input_program(module.signature.inputs, inputs, t, "inputs", time_ports(module))
    return program.sampled(t)


def _moves(value: Any) -> bool:
    from riemannian_modules.engine.input_signal import InputSignal

    return isinstance(value, (str, InputSignal))


def _refuse_parts(port: str, parts: Sequence[str]) -> None:
    if parts:
        raise misuse(
            "--input",
            f"{parts[0]!r} is a part of {port!r}, which the file's `simulation` moves as a whole. "
            f"Give all of it, {port}=V1,V2,..., or change the file.",
        )
