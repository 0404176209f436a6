"""The input port that is the time of a run: ``f(x, u, t)`` without a wire.

A module names it, ``time_input = "t"``. `simulate` feeds it with the time, a composite hands it on,
and whoever reads the equations sees an input: `certify` lets it be anything, for all times;
`equilibrium` and `linearize` take it as they take any input, zero unless it is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from riemannian_modules.door import brief
from riemannian_modules.errors import SignatureError
from riemannian_modules.space import Space

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


def wired_inputs(module: RiemannianModule) -> Space:
    """The inputs that somebody has to connect: all but the time."""
    times, inputs = time_ports(module), module.signature.inputs
    return Space(tuple(p for p in inputs.ports if p.name not in times)) if times else inputs
