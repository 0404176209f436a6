"""The demultiplexer: one vector becomes several ports.

Source: THEORY section 2.
"""

from __future__ import annotations

from typing import Any, final

from riemannian_modules.door import keywords
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.rewiring import Rewiring
from riemannian_modules.spaces import Space, SpaceLike, as_space, one_port, space


@final
class Demux(Rewiring):
    """``(y_1, y_2, ...) = u``: the entries of one vector, in order, in the output ports.

    ``Demux("position velocity")`` splits into two scalars, ``Demux(a=3, b=2)`` into two vectors.
    """

    def __init__(
        self, names: SpaceLike = "", *, input: str = "u", **ports: int | str | tuple[Any, ...]
    ) -> None:
        """Make it for output ports described as in `riemannian_modules.space`.

        Args:
            names: Names of scalar ports, each alone or several in one text.
            input: Name of the input port.
            ports: Further ports by name, each with its size, its unit or both.

        Raises:
            SignatureError: For ports that are none, or no port at all.
        """
        more = space(**keywords("ports", ports))
        self.outputs = Space((*as_space("Demux: names", names).ports, *more.ports))
        if not self.outputs.ports:
            raise SignatureError("Demux: expected output ports, got none. Write Demux(a=3, b=2).")
        self.inputs = one_port(input, self.outputs.size)
