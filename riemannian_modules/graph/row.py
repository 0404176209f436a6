"""Modules in a row that nobody has wired yet: what ``a >> b`` notes down until it is asked for.

``a >> b >> c`` is a composite at each arrow, of which the last one is used. An arrow looks at the
two modules that it joins and notes them down; the wiring is built once, when it is first read. So
n arrows cost O(n), where a composite built at each would cost O(n^2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.sampling_time import SamplingTime

Clock = tuple[Time, SamplingTime | None]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Row:
    """Modules that ``>>`` has joined: two rows, or the modules of one; its ends, its time.

    ``wire`` makes the composite of all modules in order.
    """

    parts: tuple[Row | RiemannianModule, ...]
    first: RiemannianModule
    last: RiemannianModule
    clock: Clock
    wire: Callable[..., RiemannianModule]

    def modules(self) -> list[RiemannianModule]:
        """The modules in order, O(n); rows of rows may be as deep as they are long."""
        found: list[RiemannianModule] = []
        waiting: list[Row | RiemannianModule] = [self]
        while waiting:
            part = waiting.pop()
            if isinstance(part, Row):
                waiting.extend(reversed(part.parts))
            else:
                found.append(part)
        return found
