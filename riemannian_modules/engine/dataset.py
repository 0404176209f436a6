"""Measured inputs and targets that a module is fitted to, checked once.

Source: none; the names and units are those of the module's ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from riemannian_modules.door import number_array, require, require_mapping
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.space import Array, Space


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(Shown):
    """B samples: inputs (B, m) and targets (B, q), in the order of the module's ports.

    Attributes:
        inputs: (B, m).
        targets: (B, q).
    """

    inputs: Array
    targets: Array

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: NDArray[np.intp]) -> Dataset:
        """The samples ``rows``."""
        return Dataset(self.inputs[rows], self.targets[rows])

    @override
    def facts(self) -> Facts:
        columns = self.inputs.shape[1], self.targets.shape[1]
        rows = (("inputs", f"{columns[0]} a sample"), ("targets", f"{columns[1]} a sample"))
        return Facts(f"Dataset of {counted(len(self), 'sample')}", rows)


def dataset(
    module: RiemannianModule, data: Mapping[str, ArrayLike], where: str = "fit: data"
) -> Dataset:
    """Columns by name as the samples of a module without state.

    Args:
        module: Its inputs' and outputs' names are the columns wanted.
        data: For each input and each output an array (B, *shape of the port).
        where: What is being read, for messages.

    Returns:
        The samples, flat and in the order of the module's ports.

    Raises:
        SignatureError: For unknown, missing or ambiguous names, wrong or unequal lengths, or no
            samples.
        DomainError: For NaN or infinite values; the message names the first row.
    """
    require(where, module, RiemannianModule, "a module")
    s = module.signature
    both = sorted(set(s.inputs.names) & set(s.outputs.names))
    if both:
        raise SignatureError(
            f"{where}: {both} name inputs and outputs alike, so columns cannot be told apart. "
            "Give both apart with paired_dataset."
        )
    wanted = (*s.inputs.names, *s.outputs.names)
    require_mapping(where, data, "columns by name")
    unknown = [name for name in data if name not in wanted]
    missing = [name for name in wanted if name not in data]
    if unknown or missing:
        raise SignatureError(
            f"{where}: unknown columns {unknown}, missing columns {missing}; expected the inputs "
            f"{s.inputs.describe()} and the outputs {s.outputs.describe()}."
        )
    columns = {name: _column(where, name, data[name]) for name in wanted}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise SignatureError(
            f"{where}: expected columns of one length, at least one sample, got lengths {lengths}."
        )
    (length,) = set(lengths.values())
    parts = [_packed(where, space, columns, length) for space in (s.inputs, s.outputs)]
    return Dataset(*parts)


def paired_dataset(
    module: RiemannianModule,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    targets: ArrayLike | Mapping[str, ArrayLike],
) -> Dataset:
    """Inputs and targets apart, for modules whose inputs and outputs share names, as flow maps do.

    Args:
        module: Whose inputs and outputs they are.
        inputs: By name, or flat (B, m).
        targets: By name, or flat (B, q).

    Returns:
        The samples, flat and in the order of the module's ports.

    Raises:
        SignatureError: For wrong names or shapes, unequal lengths, or no samples.
        DomainError: For NaN or infinite values.
    """
    require("paired_dataset", module, RiemannianModule, "a module")
    s = module.signature
    u = s.inputs.pack(inputs, "paired_dataset: inputs")
    t = s.outputs.pack(targets, "paired_dataset: targets")
    if u.ndim != 2 or t.ndim != 2 or len(u) != len(t) or not len(t):
        raise SignatureError(
            f"paired_dataset: expected equally many samples of both, (B, {s.inputs.size}) and "
            f"(B, {s.outputs.size}), got {u.shape} and {t.shape}."
        )
    return Dataset(u, t)


def check_fits(module: RiemannianModule, data: Dataset, where: str) -> None:
    """Raise SignatureError unless the data have the sizes of the module's inputs and outputs."""
    s = module.signature
    if data.inputs.shape[1] != s.inputs.size or data.targets.shape[1] != s.outputs.size:
        raise SignatureError(
            f"{where}: expected {s.inputs.size} inputs and {s.outputs.size} outputs, got "
            f"{data.inputs.shape[1]} and {data.targets.shape[1]}. Was the dataset made for another "
            "module?"
        )


def _column(where: str, name: str, values: ArrayLike) -> Array:
    try:
        column = number_array(where, values)
    except SignatureError as error:
        raise SignatureError(
            f"{where}: column {name!r} holds what is no number: {error}."
        ) from error
    if column.ndim == 0:
        raise SignatureError(
            f"{where}: column {name!r} is one number; expected one for each sample."
        )
    bad = ~np.isfinite(column).all(axis=tuple(range(1, column.ndim)))
    if bad.any():
        raise DomainError(
            f"{where}: column {name!r} holds NaN or infinity in {int(bad.sum())} rows, first in "
            f"row {int(np.argmax(bad))}. Leave these samples out."
        )
    return column


def _packed(where: str, space: Space, columns: Mapping[str, Array], length: int) -> Array:
    if not space.ports:
        return np.zeros((length, 0))
    named: dict[str, ArrayLike] = {}
    for port in space.ports:
        column = columns[port.name]
        if column.shape[1:] != port.shape and column.size != length * port.size:
            raise SignatureError(
                f"{where}: column {port.name!r} expects shape {(length, *port.shape)}, got "
                f"{column.shape}."
            )
        named[port.name] = column.reshape(length, *port.shape)
    return space.pack(named, where)
