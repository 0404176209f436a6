"""Values that travel without what is computed again: compiled functions, factorisations, plans.

What a `functools.cached_property` holds follows from the rest, may be large, and may be a function
that no other process can read; a pickle leaves it out, and it is computed where it is needed next.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Self


class Recomputed:
    """Pickled without its cached properties; a shallow copy in the same process keeps them."""

    def __getstate__(self) -> dict[str, Any]:
        known = set(_cached_names(type(self)))
        return {name: value for name, value in vars(self).items() if name not in known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)  # past the guard of frozen dataclasses

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin


def _cached_names(kind: type) -> Iterator[str]:
    for part in kind.__mro__:
        for name, value in vars(part).items():
            if isinstance(value, cached_property):
                yield name
