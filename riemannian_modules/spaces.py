"""Named coordinates: the spaces that states, ports and parameters live in.

A `Space` is an ordered list of named ports, each a scalar or an array with a unit. Modules compute
on flat vectors whose leading axes are batches; a space says where each named port lies in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from riemannian_modules.door import brief, did_you_mean, number_array, require_mapping, text
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Facts, Shown, counted, cut, listed
from riemannian_modules.units import in_unit

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, repr=False)
class Port(Shown):
    """One named quantity: its shape (``()`` for a scalar) and its unit ("" when not said).

    Attributes:
        name: What it is called; not empty.
        shape: ``()`` for a scalar, ``(3,)`` for a vector, ``(2, 3)`` for a matrix.
        unit: A label that has to agree where two ports meet; "" fits every other. What pint knows
            is compared by its meaning, so that "1/s" is "s^-1".
    """

    name: str
    shape: tuple[int, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        if not text("The name of a port", self.name):
            raise SignatureError("The name of a port: expected at least one character, got none.")
        text(f"The unit of port {self.name!r}", self.unit)
        if not isinstance(self.shape, tuple) or not all(_is_size(n) for n in self.shape):
            raise SignatureError(
                f"Port {self.name!r}: expected a shape such as (), (3,) or (2, 3), got "
                f"{brief(self.shape)}."
            )

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return math.prod(self.shape)

    def flat(self, value: ArrayLike, where: str) -> Array:
        """Check a user's value of this port and lay it flat, shape (..., size).

        One number stands for all entries; an array has the port's shape, or is flat already where
        the port is a matrix, and its leading axes are batches. A quantity of pint's is converted.

        Raises:
            SignatureError: For other shapes, or a quantity of another dimension.
        """
        given = number_array(where, in_unit(where, value, self.unit))
        if given.ndim == 0:
            return np.full(self.size, given)
        batch = given.ndim - len(self.shape)
        if batch >= 0 and given.shape[batch:] == self.shape:
            return given.reshape(*given.shape[:batch], self.size)
        if len(self.shape) > 1 and given.shape[-1] == self.size:
            return given
        raise SignatureError(
            f"{where} expects shape {self.shape} (after batch axes) or one number for all, got "
            f"{given.shape}."
        )

    def coordinates(self) -> list[str]:
        """A name for each coordinate: ``q``, or ``W[0,1]`` for an entry of an array."""
        if not self.shape:
            return [self.name]
        return [f"{self.name}[{','.join(map(str, i))}]" for i in np.ndindex(self.shape)]

    @override
    def facts(self) -> Facts:
        shape = f" {self.shape}" if self.shape else ""
        return Facts(f"Port {cut(self.name, 80)}{shape}" + (f" [{self.unit}]" if self.unit else ""))


class Signals(Shown):
    """The named arrays of one space at a point: ``x.q``, ``x["q"]``, or all as ``x.vector``.

    The values are floats or, while a module is traced, symbolic arrays.
    """

    __slots__ = ("_values", "vector")

    def __init__(self, space: Space, vector: Any) -> None:
        self.vector = vector
        self._values = {
            port.name: vector[..., place].reshape(*vector.shape[:-1], *port.shape)
            if port.shape
            else vector[..., place.start]
            for port, place in zip(space.ports, space.slices, strict=True)
        }

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except (KeyError, TypeError):
            known = ", ".join(self._values) or "none"
            raise SignatureError(
                f"There is no quantity {name!r} here; known are: {known}."
            ) from None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def facts(self) -> Facts:
        return Facts("Signals", (("", listed([*self._values])),))


@final
@dataclass(frozen=True, repr=False)
class Space(Shown):
    """An ordered product of named ports; vectors of this space have ``size`` coordinates.

    Attributes:
        ports: The ports, in order, no two of one name.
    """

    ports: tuple[Port, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.ports, tuple) or not all(isinstance(p, Port) for p in self.ports):
            raise SignatureError(
                f"Space: expected a tuple of Ports, got {brief(self.ports)}. Write "
                'space("q v") or space(q="rad", x=3).'
            )
        names = [port.name for port in self.ports]
        twice = (
            sorted({name for name in names if names.count(name) > 1})
            if len(names) < 50
            else (sorted(names) if len(set(names)) < len(names) else [])
        )
        if twice:
            raise SignatureError(f"A space holds each name once, but {twice} came more than once.")

    @cached_property
    def size(self) -> int:
        """Number of coordinates of all ports together."""
        return sum(port.size for port in self.ports)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The place of each port in a flat vector."""
        ends = accumulate((port.size for port in self.ports), initial=0)
        return tuple(slice(a, b) for a, b in pairwise(ends))

    @cached_property
    def index(self) -> dict[str, int]:
        """The position of each port by name."""
        return {port.name: i for i, port in enumerate(self.ports)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The ports' names, in order."""
        return tuple(port.name for port in self.ports)

    @cached_property
    def coordinates(self) -> tuple[str, ...]:
        """A name for each coordinate, in order."""
        return tuple(name for port in self.ports for name in port.coordinates())

    def __len__(self) -> int:
        return len(self.ports)

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def __getitem__(self, name: str) -> Port:
        return self.ports[self.position(name)]

    def position(self, name: str) -> int:
        """The position of a port.

        Raises:
            SignatureError: If it is no port, with the known names.
        """
        try:
            return self.index[name]
        except (KeyError, TypeError):
            known = ", ".join(self.names) or "none"
            hint = did_you_mean([str(name)], self.names)
            raise SignatureError(f"Unknown name {name!r}{hint}; known are: {known}.") from None

    def slice_of(self, name: str) -> slice:
        """The place of a port, or of a coordinate such as ``x[0]``, in a flat vector."""
        if name not in self.index and name in self._coordinate_places:
            i = self._coordinate_places[name]
            return slice(i, i + 1)
        return self.slices[self.position(name)]

    @cached_property
    def _coordinate_places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.coordinates)}

    def signals(self, vector: Any) -> Signals:
        """Named views of a flat vector (..., size)."""
        return Signals(self, vector)

    def pack(
        self,
        values: ArrayLike | Mapping[str, ArrayLike] | None,
        where: str,
        absent: Array | None = None,
    ) -> Array:
        """Check user values and lay them flat, shape (..., size).

        Args:
            values: A mapping from names of ports, or of coordinates such as ``x[0]``, to arrays
                whose leading axes are batches, one number standing for all entries of a port; a
                flat array (..., size); one number where there is one port; or None.
            where: What is being read, for messages.
            absent: What stands where a mapping names nothing, shape (size,); None where it has to
                name every port.

        Returns:
            The values; ``absent``, or zeros, for None.

        Raises:
            SignatureError: For unknown or missing names and wrong shapes.
            DomainError: For NaN or infinite values.
        """
        if values is None:
            return np.zeros(self.size) if absent is None else absent
        if isinstance(values, Mapping):
            flat = self._pack_mapping(values, where, absent)
        else:
            units = {port.unit for port in self.ports}
            if len(units) == 1:
                values = in_unit(where, values, *units)
            flat = number_array(where, values)
            if flat.ndim == 0 and len(self.ports) == 1:
                flat = np.full(self.size, flat)
        if flat.ndim == 0 or flat.shape[-1] != self.size:
            raise SignatureError(
                f"{where}: expected {self.size} numbers along the last axis ({self.describe()}), "
                f"got an array of shape {flat.shape}."
            )
        if not np.isfinite(flat).all():
            faulty = np.flatnonzero(~np.isfinite(flat).reshape(-1, self.size).all(0))
            bad = [self.coordinates[i] for i in faulty[:8]]
            raise DomainError(f"{where}: expected finite numbers, got NaN or infinity in {bad}.")
        return flat

    def _pack_mapping(self, values: Mapping[str, Any], where: str, absent: Array | None) -> Array:
        self.check_names(values, where)
        laid = {name: self.laid(name, v, f"{where}: {name!r}") for name, v in values.items()}
        batch = _common_batch(where, tuple(laid), [piece.shape[:-1] for _, piece in laid.values()])
        flat = np.empty((*batch, self.size))
        if absent is not None:
            flat[...] = absent
        elif not self.index.keys() <= values.keys():
            self._check_complete((place for place, _ in laid.values()), where)
        for place, piece in laid.values():
            flat[..., place] = piece
        return flat

    def laid(self, name: str, value: ArrayLike, where: str) -> tuple[slice, Array]:
        """The place of a port or coordinate in a flat vector, and a user's value of it, flat.

        Raises:
            SignatureError: For an unknown name or a wrong shape.
        """
        place = self.slice_of(name)
        port = self[name] if name in self.index else Port(name, (), self.unit_of(name))
        return place, port.flat(value, where)

    def unit_of(self, name: str) -> str:
        """The unit of a port, or of the port whose coordinate is named."""
        if name in self.index:
            return self[name].unit
        return self.units[self.slice_of(name).start]

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The unit of each coordinate."""
        return tuple(port.unit for port in self.ports for _ in range(port.size))

    def check_names(self, names: Iterable[str], where: str) -> None:
        """Check that all are names of ports or coordinates; the error says what is near.

        Raises:
            SignatureError: If one is none.
        """
        unknown = [n for n in names if n not in self.index and n not in self._coordinate_places]
        if unknown:
            hint = did_you_mean([str(n) for n in unknown], self.names)
            raise SignatureError(
                f"{where}: unknown names {unknown}{hint}; known are: {self.describe()}."
            )

    def _check_complete(self, places: Iterable[slice], where: str) -> None:
        is_given = np.zeros(self.size, dtype=bool)
        for place in places:
            is_given[place] = True
        if not is_given.all():
            ports = zip(self.names, self.slices, strict=True)
            missing = [name for name, place in ports if not is_given[place].all()]
            raise SignatureError(
                f"{where}: missing names {missing}; expected all of: {self.describe()}."
            )

    def unpack(self, vector: Array) -> dict[str, Array]:
        """Named arrays, each (..., *shape), from a flat vector (..., size)."""
        return {
            port.name: vector[..., place].reshape(vector.shape[:-1] + port.shape)
            for port, place in zip(self.ports, self.slices, strict=True)
        }

    def describe(self) -> str:
        """The ports in words, for messages: ``q [rad], x (3) [m]``."""
        return (
            ", ".join(
                port.name
                + (f" {port.shape}" if port.shape else "")
                + (f" [{port.unit}]" if port.unit else "")
                for port in self.ports
            )
            or "nothing"
        )

    def renamed(self, prefix: str) -> Space:
        """The same space with ``prefix.`` before each name."""
        return Space(tuple(Port(f"{prefix}.{p.name}", p.shape, p.unit) for p in self.ports))

    @override
    def facts(self) -> Facts:
        return Facts(f"Space of {counted(self.size, 'coordinate')}", (("", cut(self.describe())),))


def space(*names: str, **ports: str | int | tuple[Any, ...]) -> Space:
    """Describe a space: ``space("q v")``, ``space(q="rad", x=3, W=(2, 3), r=(3, "m"))``.

    Args:
        names: Scalars without a unit, separated by blanks.
        ports: A unit (a scalar), a size (a vector), a shape, or a shape followed by a unit.

    Raises:
        SignatureError: For anything else, negative sizes, or a name given twice.
    """
    listed = [Port(name) for given in names for name in text("space", given).split()]
    return Space(tuple(listed) + tuple(_port(name, value) for name, value in ports.items()))


# What describes a space, in Python and in system files alike; see `as_space`.
SpaceLike = Space | str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]


def as_space(where: str, value: object) -> Space:
    """The space that an argument describes, in Python and in system files alike.

    Args:
        where: What is being read, for messages.
        value: A Space; names separated by blanks, or a list of such; a unit, size or shape by
            name, as the keywords of `space`, where lists count as tuples; or a list of ports
            ``{"name": "x", "shape": [3], "unit": "m"}``.

    Raises:
        SignatureError: For anything else.
    """
    if isinstance(value, Space):
        return value
    if isinstance(value, str):
        return space(value)
    if isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value):
        return space(*value)
    if isinstance(value, Mapping):
        require_mapping(where, value, "ports by name")
        return Space(tuple(_port(name, entry) for name, entry in value.items()))
    if isinstance(value, (list, tuple)) and all(isinstance(row, Mapping) for row in value):
        wrong = [row for row in value if "name" not in row or set(row) - {"name", "shape", "unit"}]
        if not wrong:
            return Space(tuple(Port(**{k: _as_tuple(v) for k, v in row.items()}) for row in value))
        raise SignatureError(
            f"{where}: expected ports with a name, perhaps a shape and a unit, got "
            f"{brief(wrong[0])}."
        )
    raise SignatureError(
        f"{where}: expected names such as 'q v', or a unit, a size or a shape for each name, got "
        f"{brief(value)}."
    )


def _as_tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


def one_port(name: str, value: str | int | tuple[Any, ...]) -> Space:
    """The space of one port, described as in `space`."""
    return Space((_port(name, value),))


def _port(name: str, value: object) -> Port:
    if isinstance(value, str):
        return Port(name, (), value)
    entries = (value,) if isinstance(value, int) else _as_tuple(value)
    if isinstance(entries, tuple):
        unit = entries[-1] if entries and isinstance(entries[-1], str) else ""
        shape = entries[:-1] if unit else entries
        if all(_is_size(n) for n in shape):
            return Port(name, shape, unit)
    raise SignatureError(
        f"Port {name!r}: expected a unit such as 'rad', a size such as 3, or a shape with an "
        "optional "
        f"unit such as (2, 3, 'm'), got {value!r}."
    )


def _is_size(n: object) -> bool:
    return isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**31


def _common_batch(
    where: str, names: tuple[str, ...], shapes: list[tuple[int, ...]]
) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as fault:
        raise SignatureError(
            f"{where}: expected leading axes (batches) that broadcast, got "
            f"{dict(zip(names, shapes, strict=True))}."
        ) from fault


def batch_shape(*vectors: Any) -> tuple[int, ...]:
    """The batch that vectors (..., size) have together: their leading axes, broadcast."""
    return np.broadcast_shapes(*(vector.shape[:-1] for vector in vectors))


EMPTY = Space()
