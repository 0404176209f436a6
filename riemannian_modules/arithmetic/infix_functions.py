"""The functions that formulas may call: all that the tracer knows, and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import MappingProxyType
from typing import Any, final

import numpy as np

# What signs stand for.
OPERATORS = frozenset(["add", "subtract", "multiply", "divide", "negative", "positive"])
# Other languages' names, and NumPy's.
SYNONYMS: Mapping[str, str] = MappingProxyType({
    "abs": "absolute", "ln": "log", "pow": "power", "sigmoid": "expit",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
})  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A function on traced arrays, and the arguments that it takes.

    Attributes:
        apply: The function.
        least, most: How many arguments it takes; None for any number.
        usage: The arguments in words.
        step: By how many there may be more than the least.
        is_condition: Whether the argument at a place, from 0, is a condition rather than a number.
    """

    apply: Callable[..., Any]
    least: int
    most: int | None
    usage: str
    step: int = 1
    is_condition: Callable[[int], bool] = lambda _place: False

    def takes(self, count: int) -> bool:
        """Whether it takes so many arguments."""
        is_few = self.most is None or count <= self.most
        return count >= self.least and is_few and (count - self.least) % self.step == 0


@cache
def functions() -> Mapping[str, Function]:
    """All functions by name."""
    from scipy import special

    from riemannian_modules.arithmetic.scalar_rules import SCALAR_RULES

    table: dict[str, Function] = {}
    for name in SCALAR_RULES.keys() - OPERATORS:
        ufunc = getattr(np, name, None) or getattr(special, name)
        if f"{'d' * ufunc.nin}->d" not in ufunc.types:
            continue  # of conditions or giving one: what words and comparisons stand for
        arguments = "1 argument" if ufunc.nin == 1 else f"{ufunc.nin} arguments"
        table[name] = Function(ufunc, ufunc.nin, ufunc.nin, arguments)
    table |= {other: table[name] for other, name in SYNONYMS.items() if name in table}
    for name, reduction in (("sum", np.sum), ("prod", np.prod), ("mean", np.mean)):
        table[name] = Function(reduction, 1, 1, "1 array")
    table["norm"] = Function(np.linalg.norm, 1, 1, "1 array")
    table["dot"] = Function(np.dot, 2, 2, "2 arrays")
    for name, pair in (("max", np.maximum), ("min", np.minimum)):
        table[name] = Function(partial(_over_all, pair), 2, None, "2 arguments or more")
    table["clip"] = Function(np.clip, 3, 3, "3 arguments: the value, its least and its most")
    table["where"] = Function(
        np.where, 3, 3, "3 arguments: a condition, the value where it holds, the other",
        is_condition=lambda place: place == 0,
    )  # fmt: skip
    table["piecewise"] = Function(
        _piecewise, 3, None, "values, each before its condition, and last the value elsewhere",
        step=2, is_condition=lambda place: place % 2 == 1,
    )  # fmt: skip
    return MappingProxyType(table)


def _over_all(pair: Callable[[Any, Any], Any], *values: Any) -> Any:
    """A function of two, as the larger of two, over all values: by halves, for shallow terms."""
    half = len(values) // 2
    if not half:
        return values[0]
    return pair(_over_all(pair, *values[:half]), _over_all(pair, *values[half:]))


def _piecewise(*arguments: Any) -> Any:
    """``piecewise(a, A, b, B, c)``: a where A holds, else b where B holds, else c."""
    value = arguments[-1]
    for i in range(len(arguments) - 3, -1, -2):
        value = np.where(arguments[i + 1], arguments[i], value)
    return value
