"""Inputs that are written as formulas of the time ``t``, such as ``where(t >= 1, 2, 0)``.

Source: none; `riemannian_modules.arithmetic.infix` is the language.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.compile_scalars import ScalarMap, compile_scalars
from riemannian_modules.arithmetic.infix import parse
from riemannian_modules.arithmetic.infix_values import evaluate
from riemannian_modules.arithmetic.symbolic_array import SymbolicArray
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.errors import SignatureError
from riemannian_modules.recomputed import Recomputed

TIME = "t"
_SYMBOL = sp.Symbol(TIME, real=True)


@final
@dataclass(frozen=True, eq=False)
class WrittenFunction(Recomputed):
    """A function of time by its text: of a number as of a traced one; made by `written_function`.

    Attributes:
        text: The formula.
    """

    text: str

    def __call__(self, t: Any) -> Any:
        """The value at a time."""
        return self._of(t) if isinstance(t, SymbolicArray) else self._compiled([], [float(t)])[0]

    @property
    def is_constant(self) -> bool:
        """Whether the time is left out."""
        return not self._exact.free_symbols

    def _of(self, time: SymbolicArray) -> SymbolicArray:
        return evaluate(self.text, parse(self.text, [TIME]), {TIME: time}, time.tracer)

    @cached_property
    def _exact(self) -> Any:
        return self._of(SymbolicArray(_SYMBOL, Tracer("input"))).entries.item()

    @cached_property
    def _compiled(self) -> ScalarMap:
        return compile_scalars((self._exact,), ((), (_SYMBOL,), ()), np.zeros(0))


def written_function(where: str, text: str) -> WrittenFunction:
    """The function of time that a formula of ``t`` writes down.

    Args:
        where: What it is, for messages.
        text: The formula.

    Raises:
        SignatureError: With the column, for what is no formula of the time.
    """
    function = WrittenFunction(text)
    try:
        function.is_constant  # noqa: B018 - reads the text
    except SignatureError as fault:
        raise SignatureError(f"{where}: {fault}") from None
    return function
