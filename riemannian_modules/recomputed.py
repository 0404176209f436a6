"""Values that travel without what is computed again: compiled functions, factorisations, plans.

What a `functools.cached_property` holds follows from the rest, may be large, and may be a function
that no other process can read; a pickle leaves it out, and it is computed where it is needed next.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any, Self

from riemannian_modules.errors import UnsupportedError


class Recomputed:
    """Pickled without its cached properties; a shallow copy in the same process keeps them."""

    def __getstate__(self) -> dict[str, Any]:
        known = set(_cached_names(type(self)))
        return {name: value for name, value in vars(self).items() if name not in known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)  # past the guard of frozen dataclasses

    def __reduce_ex__(self, protocol: Any) -> Any:
        """For pickle alone: copies have methods of their own.

        Raises:
            UnsupportedError: For a class or a function that no other process can import.
        """
        _refuse_local(type(self).__name__, "its class", type(self))
        for name, value in self.__getstate__().items():
            if isinstance(value, FunctionType):
                _refuse_local(type(self).__name__, f"the function {name!r}", value)
        return super().__reduce_ex__(protocol)

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        vars(twin).update(copy.deepcopy(self.__getstate__(), memo))
        return twin


def _cached_names(kind: type) -> Iterator[str]:
    for part in kind.__mro__:
        for name, value in vars(part).items():
            if isinstance(value, cached_property):
                yield name


def _refuse_local(owner: str, what: str, value: type | FunctionType) -> None:
    if "<" in value.__qualname__:  # <locals>, <lambda>
        raise UnsupportedError(
            f"{owner} cannot be pickled: {what} is {value.__qualname__}, which no other process "
            "can import. Define it at the top of a file, or send the system file that "
            "save_system writes."
        )
