"""A module given by its exact expressions, as a system file or a certificate holds them.

Source: none; `riemannian_modules.arithmetic.expression_data` is the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import Time
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.modules.traced import TracedModule
from riemannian_modules.spaces import Signals, Space

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions


@final
class ExpressionModule(TracedModule):
    """A module made from expressions; what a traced module becomes when it is saved and loaded.

    Attributes:
        name: The name of the class that was traced, for people.
    """

    def __init__(
        self,
        name: str,
        time: Time,
        spaces: tuple[Space, Space, Space],
        parameters: Mapping[str, ArrayLike],
        expressions: Expressions,
        sampling_time: float | tuple[float, str] | None = None,
        time_input: str | tuple[str, ...] | None = None,
    ) -> None:
        """Make the module.

        Args:
            name: What the module is called.
            time: Continuous, discrete or static.
            spaces: Of the state, the inputs and the outputs.
            parameters: Values by name.
            expressions: The map; its symbols are the coordinates of the spaces, in order, those of
                one name qualified (see `Signature.distinct`).
            sampling_time: How long a step of discrete time takes; None where it is not known.
            time_input: The input (or inputs) that is the time of a run; None for none.

        Raises:
            SignatureError: If the symbols are not the coordinates, or results are missing.
        """
        self.name, self.time, self._given = name, time, expressions
        self.state, self.inputs, self.outputs = spaces
        self.parameters = dict(parameters)
        self.sampling_time = checked_sampling_time(name, sampling_time)
        self.time_input = time_input
        time_ports(self)
        s = self.signature
        for kind, symbols, named in zip(
            ("states", "inputs", "parameters"),
            expressions.arguments,
            s.distinct,
            strict=True,
        ):
            if tuple(symbol.name for symbol in symbols) != named.coordinates:
                raise SignatureError(
                    f"{name}: the {kind} are {', '.join(named.coordinates) or 'none'}, but the "
                    f"expressions are in {', '.join(map(str, symbols)) or 'none'}. Give one "
                    f"symbol a "
                    "coordinate, in the same order."
                )
        results = (len(expressions.dx), len(expressions.y))
        if results != (s.state.size, s.outputs.size):
            raise SignatureError(
                f"{name}: expected {s.state.size} derivatives and {s.outputs.size} outputs, got "
                f"{results[0]} and {results[1]}."
            )

    @property
    @override
    def expressions(self) -> Expressions:
        return self._given

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        """The expressions with the symbols replaced; for tracing, not for floats."""
        from riemannian_modules.arithmetic.symbolic_array import SymbolicArray

        e, tracer = self._given, x.vector.tracer
        table = {
            symbol: value
            for symbols, part in zip(e.arguments, (x, u, p), strict=True)
            for symbol, value in zip(symbols, part.vector.entries, strict=True)
        }
        for guard in e.guards:
            tracer.guard(guard.kind, guard.expression.xreplace(table))

        def put(terms: tuple[Any, ...]) -> SymbolicArray:
            entries = np.empty(len(terms), dtype=object)
            entries[:] = [term.xreplace(table) for term in terms]
            return SymbolicArray(entries, tracer)

        return put(e.dx), put(e.y)
