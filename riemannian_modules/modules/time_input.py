"""The input port that is the time of a run: ``f(x, u, t)`` without a wire.

A module names it, ``time_input = "t"``. `simulate` feeds it with the time, a composite hands it on,
and whoever reads the equations sees an input: `certify` lets it be anything, for all times;
`equilibrium` and `linearize`, which look at one time, have to be told which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from riemannian_modules.door import brief
from riemannian_modules.errors import SignatureError
from riemannian_modules.spaces import Space

if TYPE_CHECKING:
    from riemannian_modules.modules.module import RiemannianModule


def time_ports(module: RiemannianModule) -> tuple[str, ...]:
    """The names of the module's time ports: one or none, or several of a composite.

    Raises:
        SignatureError: If what it names is no input port of one number.
    """
    given = module.time_input
    names = () if given is None else given if isinstance(given, tuple) else (given,)
    inputs = module.signature.inputs
    for name in names:
        if not isinstance(name, str) or name not in inputs or inputs[name].size != 1:
            raise SignatureError(
                f"{type(module).__name__}: time_input names the input that is the time, a port of "
                f"one number; got {brief(name)}, but the inputs are: {inputs.describe()}. Declare "
                'it: inputs = space("t"), time_input = "t".'
            )
    return names


def require_time(
    where: str, module: RiemannianModule, inputs: Any, given: Sequence[str] = ()
) -> None:
    """Refuse a module that reads the time where nobody says which: zero is no better than another.

    Args:
        where: Who asks.
        module: A module.
        inputs: Its inputs, flat or by name, or None.
        given: Names of inputs that are given besides.

    Raises:
        SignatureError: If a time port is not among the inputs.
    """
    if inputs is not None and not isinstance(inputs, Mapping):
        return
    named = {*(inputs or ()), *given}
    for name in time_ports(module):
        if named.isdisjoint({name, *module.signature.inputs[name].coordinates()}):
            raise SignatureError(
                f"{where}: {type(module).__name__} reads the time of a run ({name!r}), but this "
                f"looks at one time, which nobody has named. Name it among the inputs, as "
                f"{{{name!r}: 0.0}}: what comes out holds as if the clock stood still there."
            )


def wired_inputs(module: RiemannianModule) -> Space:
    """The inputs that somebody has to connect: all but the time."""
    times, inputs = time_ports(module), module.signature.inputs
    return Space(tuple(p for p in inputs.ports if p.name not in times)) if times else inputs
