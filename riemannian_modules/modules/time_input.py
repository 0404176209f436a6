"""The input port that is the time of a run: ``f(x, u, t)`` without a wire.

A module names it, ``time_input = "t"``. `simulate` feeds it with the time, a composite hands it on,
and whoever reads the equations sees an input: `certify` lets it be anything, for all times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from riemannian_modules.door import brief
from riemannian_modules.errors import SignatureError

if TYPE_CHECKING:
    from riemannian_modules.modules.module import RiemannianModule


def time_port(module: RiemannianModule) -> str | None:
    """The name of the module's time port, or None.

    Raises:
        SignatureError: If what it names is no input port of one number.
    """
    name = module.time_input
    if name is None:
        return None
    inputs = module.signature.inputs
    if not isinstance(name, str) or name not in inputs or inputs[name].size != 1:
        raise SignatureError(
            f"{type(module).__name__}: time_input names the input that is the time, a port of one "
            f"number; got {brief(name)}, but the inputs are: {inputs.describe()}. Declare it: "
            'inputs = space("t"), time_input = "t".'
        )
    return name
