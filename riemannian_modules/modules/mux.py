"""The multiplexer: several ports become one vector.

Source: THEORY section 2.
"""

from __future__ import annotations

from typing import Any, final

from riemannian_modules.door import keywords
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.rewiring import Rewiring
from riemannian_modules.spaces import Space, SpaceLike, as_space, one_port, space


@final
class Mux(Rewiring):
    """``y = (u_1, u_2, ...)``: the entries of the input ports, in order, in one vector.

    ``Mux("position velocity")`` joins two scalars, ``Mux(a=3, b=2)`` two vectors.
    """

    def __init__(
        self, names: SpaceLike = "", *, output: str = "y", **ports: int | str | tuple[Any, ...]
    ) -> None:
        """Make it for input ports described as in `riemannian_modules.space`.

        Args:
            names: Names of scalar ports, each alone or several in one text.
            output: Name of the output port.
            ports: Further ports by name, each with its size, its unit or both.

        Raises:
            SignatureError: For ports that are none, or no port at all.
        """
        more = space(**keywords("ports", ports))
        self.inputs = Space((*as_space("Mux: names", names).ports, *more.ports))
        if not self.inputs.ports:
            raise SignatureError("Mux: expected input ports, got none. Write Mux(a=3, b=2).")
        self.outputs = one_port(output, self.inputs.size)
