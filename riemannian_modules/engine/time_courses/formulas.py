"""Formulas of a model's quantities and parameters, with their exact derivatives.

Source: none; `riemannian_modules.arithmetic.infix` is the language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.arithmetic.infix import is_name, normal, parse
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.equations import Equations
from riemannian_modules.spaces import EMPTY, Array, Port, Space

Pattern = NDArray[np.bool_]


@final
class Formulas:
    """Texts by label, as one map of quantities (..., m) and parameters (P,) to numbers (..., q).

    Names that formulas cannot hold, such as "plant.q", are written in them as they are.

    Args:
        where: What is being read, for messages.
        texts: The formulas by label.
        parameters: The space of the parameters.
        quantities: That of what changes along a trajectory.

    Raises:
        SignatureError: With the label and the column, for what is no formula of these names.
    """

    def __init__(
        self, where: str, texts: Mapping[str, str], parameters: Space, quantities: Space = EMPTY
    ) -> None:
        known = (*quantities.names, *parameters.names)
        self._written = {
            name: name if is_name(name) else f"quantity_{i}" for i, name in enumerate(known)
        }
        inputs, held = (self._renamed(s) for s in (quantities, parameters))
        self.quantities, self.parameters, self.count = quantities, parameters, len(texts)
        equations: dict[str, str] = {}
        for i, (label, text) in enumerate(texts.items()):
            equations[f"value_{i}"] = self._read(f"{where}: {label}", text, known)
        self._map = Equations(
            equations, inputs=inputs, outputs=Space(tuple(map(Port, equations))),
            parameters={port.name: np.ones(port.shape) for port in held.ports},
        )  # fmt: skip

    def _renamed(self, space: Space) -> Space:
        return Space(tuple(Port(self._written[p.name], p.shape, p.unit) for p in space.ports))

    def _read(self, where: str, text: str, known: tuple[str, ...]) -> str:
        # Longer names first: "plant.q" stands in "plant.q2".
        for name in sorted((n for n in known if not is_name(n)), key=len, reverse=True):
            text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", self._written[name], text)
        names = [normal(name) for name in self._written.values()]
        try:
            parse(text, names)
        except SignatureError as fault:
            raise SignatureError(f"{where}: {fault}") from None
        return text

    def values(self, quantities: Array, parameters: Array) -> Array:
        """The formulas' values, (..., q)."""
        with np.errstate(all="ignore"):
            y = self._map.output(np.zeros(0), quantities, parameters)
        return np.broadcast_to(y, (*quantities.shape[:-1], self.count))

    def slopes(self, quantities: Array, parameters: Array) -> tuple[Array, Array]:
        """Their derivatives in the quantities (..., q, m) and in the parameters (..., q, P)."""
        with np.errstate(all="ignore"):
            J = self._map.jacobian(np.zeros(0), quantities, parameters)
        return J.D, J.F

    def terms(self, quantities: Sequence[Any], parameters: Sequence[Any]) -> tuple[Any, ...]:
        """The formulas in exact terms of these symbols, (q,)."""
        e = self._map.expressions
        own = (*e.inputs, *e.parameters)
        given = dict(zip(own, (*quantities, *parameters), strict=True))
        return tuple(y.xreplace(given) for y in e.y)

    @cached_property
    def _pattern(self) -> Pattern:
        e = self._map.expressions
        symbols = (*e.inputs, *e.parameters)
        return np.array([[s in y.free_symbols for s in symbols] for y in e.y], dtype=bool)

    @property
    def read_quantities(self) -> Pattern:
        """Which quantities each formula reads, (q, m)."""
        return self._pattern.reshape(self.count, -1)[:, : self.quantities.size]

    @property
    def read_parameters(self) -> Pattern:
        """Which parameters each formula reads, (q, P)."""
        return self._pattern.reshape(self.count, -1)[:, self.quantities.size :]
