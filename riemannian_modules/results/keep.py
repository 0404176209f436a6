"""How a kind of result is written as plain data and read back, or why it is not.

Source: none; a result of plain fields is its fields, and what is proved is a certificate, which is
proved again when it is read.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, final

from typing_extensions import override

from riemannian_modules.errors import SpecError, UnsupportedError

WriteDown = Callable[[Any], Any]  # a value of any known kind as JSON's types
ReadBack = Callable[[Any], Any]


class Keep(abc.ABC):
    """A way to keep a result."""

    @abc.abstractmethod
    def to_data(self, result: Any, write: WriteDown) -> Any:
        """The result as JSON's types; ``write`` does its parts."""

    @abc.abstractmethod
    def from_data(self, kind: type, data: Any, read: ReadBack) -> Any:
        """The result that `to_data` wrote; ``read`` does its parts."""


@final
@dataclass(frozen=True, slots=True)
class Fields(Keep):
    """A dataclass is its fields; those named in ``less`` are left at their defaults."""

    less: tuple[str, ...] = ()

    @override
    def to_data(self, result: Any, write: WriteDown) -> Any:
        return {name: write(getattr(result, name)) for name in self._names(type(result))}

    @override
    def from_data(self, kind: type, data: Any, read: ReadBack) -> Any:
        names = self._names(kind)
        # A field with a default may be younger than the file.
        needed = {f.name for f in fields(kind) if f.default is MISSING and f.name in names}
        if not isinstance(data, dict) or not needed <= set(data) <= set(names):
            raise SpecError(
                f"{kind.__name__}: expected exactly the fields {', '.join(names)}. A file of "
                "another version of the library is read by that version; or make the result again."
            )
        return kind(**{name: read(value) for name, value in data.items()})

    def _names(self, kind: type) -> list[str]:
        return [f.name for f in fields(kind) if f.init and f.name not in self.less]


@final
@dataclass(frozen=True, slots=True)
class Own(Keep):
    """A form of its own: a function that writes, and one that reads and checks."""

    writes: Callable[[Any], Any]
    reads: Callable[[Any], Any]

    @override
    def to_data(self, result: Any, write: WriteDown) -> Any:
        return self.writes(result)

    @override
    def from_data(self, kind: type, data: Any, read: ReadBack) -> Any:
        return self.reads(data)


@final
@dataclass(frozen=True, slots=True)
class NotKept(Keep):
    """Refused by name: why, and what to use instead."""

    reason: str

    @override
    def to_data(self, result: Any, write: WriteDown) -> Any:
        kind = type(result).__name__
        raise UnsupportedError(f"save_result: a {kind} is not saved: {self.reason}")

    @override
    def from_data(self, kind: type, data: Any, read: ReadBack) -> Any:
        raise SpecError(f"A {kind.__name__} is not read from a file: {self.reason}")
