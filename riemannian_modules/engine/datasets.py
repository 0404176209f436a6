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
from riemannian_modules.engine.measurement import (
    Missing,
    measured_targets,
    targets_with_weights,
)
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.spaces import Array, Port, Space
from riemannian_modules.units import in_unit


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(Shown):
    """B samples: inputs (B, m) and targets (B, q), in the order of the module's ports.

    Attributes:
        inputs: (B, m).
        targets: (B, q); 0 where nothing was measured.
        weights: Of each target, (B, q): ``1 / sigma^2``, and 0 where nothing was measured; None
            where all were measured equally well.
    """

    inputs: Array
    targets: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def weighing(self) -> Array:
        """The weights, which are 1 where none are given, (B, q)."""
        return np.ones(self.targets.shape) if self.weights is None else self.weights

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which targets were measured, (B, q)."""
        return self.weighing > 0.0

    @property
    def size(self) -> int:
        """How many numbers were measured."""
        return self.targets.size if self.weights is None else int(self.measured.sum())

    @property
    def counting(self) -> NDArray[np.bool_] | None:
        """Which samples measure anything, (B,); None where all do."""
        if self.weights is None:
            return None
        found = np.asarray(self.measured.any(axis=1))
        return None if found.all() else found

    @property
    def deviations(self) -> Array | None:
        """Sigma (B, q), infinite where nothing was measured; None where no weights are given."""
        with np.errstate(divide="ignore"):
            return None if self.weights is None else 1.0 / np.sqrt(self.weights)

    def take(self, rows: NDArray[np.intp]) -> Dataset:
        """The samples ``rows``."""
        weights = None if self.weights is None else self.weights[rows]
        return Dataset(self.inputs[rows], self.targets[rows], weights)

    @override
    def facts(self) -> Facts:
        columns = self.inputs.shape[1], self.targets.shape[1]
        rows = [("inputs", f"{columns[0]} a sample"), ("targets", f"{columns[1]} a sample")]
        if self.size < self.targets.size:
            rows.append(("missing", f"{self.targets.size - self.size:,} of {self.targets.size:,}"))
        return Facts(f"Dataset of {counted(len(self), 'sample')}", tuple(rows))


def dataset(
    module: RiemannianModule,
    data: Mapping[str, ArrayLike],
    where: str = "fit: data",
    missing: Missing = None,
) -> Dataset:
    """Columns by name as the samples of a module without state.

    Args:
        module: Its inputs' and outputs' names are the columns wanted.
        data: For each input and each output an array (B, *shape of the port).
        where: What is being read, for messages.
        missing: Names of outputs in which NaN means that nothing was measured; or arrays of
            booleans by name, true where nothing was.

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
    absent = [name for name in wanted if name not in data]
    if unknown or absent:
        raise SignatureError(
            f"{where}: unknown columns {unknown}, missing columns {absent}; expected the inputs "
            f"{s.inputs.describe()} and the outputs {s.outputs.describe()}."
        )
    columns = {
        port.name: _column(where, port, data[port.name])
        for port in (*s.inputs.ports, *s.outputs.ports)
    }
    for name in s.inputs.names:
        _refuse(where, name, "NaN or infinity", ~np.isfinite(columns[name]))
    for name in s.outputs.names:
        _refuse(where, name, "infinity", np.isinf(columns[name]))
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise SignatureError(
            f"{where}: expected columns of one length, at least one sample, got lengths {lengths}."
        )
    (length,) = set(lengths.values())
    u, t = (_flat(where, space, columns, length) for space in (s.inputs, s.outputs))
    return Dataset(u, *targets_with_weights(where, s.outputs, t, missing))


def paired_dataset(
    module: RiemannianModule,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    targets: ArrayLike | Mapping[str, ArrayLike],
    missing: Missing = None,
) -> Dataset:
    """Inputs and targets apart, for modules whose inputs and outputs share names, as flow maps do.

    Args:
        module: Whose inputs and outputs they are.
        inputs: By name, or flat (B, m).
        targets: By name, or flat (B, q).
        missing: As in `dataset`.

    Returns:
        The samples, flat and in the order of the module's ports.

    Raises:
        SignatureError: For wrong names or shapes, unequal lengths, or no samples.
        DomainError: For NaN or infinite values.
    """
    require("paired_dataset", module, RiemannianModule, "a module")
    s = module.signature
    u = s.inputs.pack(inputs, "paired_dataset: inputs")
    t, weights = measured_targets("paired_dataset: targets", s.outputs, targets, missing)
    if u.ndim != 2 or t.ndim != 2 or len(u) != len(t) or not len(t):
        raise SignatureError(
            f"paired_dataset: expected equally many samples of both, (B, {s.inputs.size}) and "
            f"(B, {s.outputs.size}), got {u.shape} and {t.shape}."
        )
    return Dataset(u, t, weights)


def check_fits(module: RiemannianModule, data: Dataset, where: str) -> None:
    """Check that the data have the sizes of the module's inputs and outputs.

    Raises:
        SignatureError: If they do not.
    """
    s = module.signature
    if data.inputs.shape[1] != s.inputs.size or data.targets.shape[1] != s.outputs.size:
        raise SignatureError(
            f"{where}: expected {s.inputs.size} inputs and {s.outputs.size} outputs, got "
            f"{data.inputs.shape[1]} and {data.targets.shape[1]}. Was the dataset made for another "
            "module?"
        )


def _column(where: str, port: Port, values: ArrayLike) -> Array:
    name = port.name
    try:
        column = number_array(where, in_unit(f"{where}: column {name!r}", values, port.unit))
    except SignatureError as error:
        raise SignatureError(
            f"{where}: column {name!r} holds what is no number: {error}."
        ) from error
    if column.ndim == 0:
        raise SignatureError(
            f"{where}: column {name!r} is one number; expected one for each sample."
        )
    return column


def _refuse(where: str, name: str, what: str, entries: NDArray[np.bool_]) -> None:
    if entries.any():
        rows = entries.any(axis=tuple(range(1, entries.ndim)))
        raise DomainError(
            f"{where}: column {name!r} holds {what} in {int(rows.sum())} rows, first in row "
            f"{int(np.argmax(rows))}; expected finite numbers. Leave these samples out."
        )


def _flat(where: str, space: Space, columns: Mapping[str, Array], length: int) -> Array:
    """The columns of a space's ports side by side, (B, size)."""
    parts: list[Array] = []
    for port in space.ports:
        column = columns[port.name]
        if column.shape[1:] != port.shape and column.size != length * port.size:
            raise SignatureError(
                f"{where}: column {port.name!r} expects shape {(length, *port.shape)}, got "
                f"{column.shape}."
            )
        parts.append(column.reshape(length, port.size))
    if not parts:
        return np.zeros((length, 0))
    return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
