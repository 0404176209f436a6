"""Compilation of exact expressions to plain Python numbers, for the inner loop of a solver.

On a few numbers at a time, Python's floats and `math` are many times faster than NumPy's scalars.
Where Python raises (a division by zero, an overflow, a logarithm of -1) NumPy gives inf or NaN; so
does this, by running the NumPy code instead. Terms of the fixed arguments alone are computed once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.compile import (
    SymbolGroups,
    Writer,
    compile_floats,
    float_text,
    small_power,
)
from riemannian_modules.arrays import Numbers
from riemannian_modules.spaces import Array

ScalarMap = Callable[[Numbers, Numbers], Numbers]

_MATH: dict[str, str] = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "arcsinh": "asinh", "erf": "erf", "expm1": "expm1", "log1p": "log1p", "power": "pow",
    "sqrt": "sqrt", "arccosh": "acosh", "arctanh": "atanh", "arctan2": "atan2", "cbrt": "cbrt",
}  # fmt: skip

# A comparison with NaN is false, so each form is arranged to let NaN through, as NumPy's do.
_FORMS: dict[str, str] = {
    "maximum": "({0} if {0} >= {1} or {0} != {0} else {1})",
    "minimum": "({0} if {0} <= {1} or {0} != {0} else {1})",
    "absolute": "abs({0})",
    "sign": "(1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0})",
    "step": "(1.0 if {0} > 0.0 else 0.0 if {0} <= 0.0 else {0})",
    "where": "({1} if {0} else {2})",
    "chained": "(0.0 if {1} == 0.0 else {0} * {1})",
    "less": "({0} < {1})",
    "less_equal": "({0} <= {1})",
    "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})",
    "logical_and": "({0} and {1})",
    "logical_or": "({0} or {1})",
    "logical_not": "(not {0})",
}


def _softplus(x: float) -> float:
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x)))


def _power_log(x: float, y: float) -> float:
    return math.pow(x, y) * math.log(x) if x > 0 else 0.0


def _power_slope(x: float, y: float) -> float:
    return y * math.pow(x, y - 1.0)


def _xlogy(x: float, y: float) -> float:
    return 0.0 if x == 0.0 else x * math.log(y)


class _Scalars:
    """How terms are written for Python's floats."""

    is_float = True

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {
            name: getattr(math, python) for name, python in _MATH.items()
        }
        self.namespace |= {
            "softplus": _softplus,
            "power_log": _power_log,
            "power_slope": _power_slope,
            "xlogy": _xlogy,
            "inf": math.inf,
        }

    def number(self, value: Any) -> str:
        return float_text(value)

    def power(self, base: str, exponent: Any) -> str:
        small = small_power(base, exponent)
        return f"power({base}, {self.number(exponent)})" if small is None else small

    def call(self, name: str, parts: list[str]) -> str:
        form = _FORMS.get(name)
        return form.format(*parts) if form else f"{name}({', '.join(parts)})"


@lru_cache(maxsize=512)
def _scalar_factory(
    expressions: tuple[Any, ...], moving: SymbolGroups, fixed: tuple[sp.Symbol, ...]
) -> Callable[[Numbers], ScalarMap]:
    """Compile ``bind(p) -> f(x, u)``; the lines that depend on p alone stand outside of f."""
    target = _Scalars()
    writer = Writer(target, (*moving, fixed))
    writer.names[sp.true], writer.names[sp.false] = "True", "False"
    results = "".join(f"{writer.write(e)}, " for e in expressions)
    changing = {
        f"{prefix}{i}" for prefix, g in zip("xu", moving, strict=True) for i in range(len(g))
    }
    outer, inner = (
        [_unpacking("p", len(fixed))],
        [_unpacking(prefix, len(group)) for prefix, group in zip("xu", moving, strict=True)],
    )
    for line in writer.lines:
        name, text = line.split(" = ", 1)
        if changing.isdisjoint(re.findall(r"[a-z_]\w*", text)):
            outer.append(line)
        else:
            changing.add(name)
            inner.append(line)
    source = "\n    ".join(
        ["def bind(p):", *filter(None, outer), "def f(x, u):"]
        + [f"    {line}" for line in filter(None, inner)]
        + [f"    return ({results})", "return f"]
    )
    namespace = dict(target.namespace)
    exec(compile(source, "<compiled scalars>", "exec"), namespace)
    return namespace["bind"]


def _unpacking(prefix: str, count: int) -> str:
    return f"{''.join(f'{prefix}{i}, ' for i in range(count))}= {prefix}" if count else ""


def compile_scalars(expressions: tuple[Any, ...], groups: SymbolGroups, theta: Array) -> ScalarMap:
    """A function ``f(x, u)`` of two sequences of Python floats, with the parameters fixed.

    Args:
        expressions: What to compute.
        groups: The symbols of x, of u and of the parameters.
        theta: The parameters' values, shape (p,).

    Returns:
        A function that gives one float for each expression, inf and NaN where NumPy gives them;
        about 0.05 microseconds an operation. Compiling is remembered for equal expressions.
    """
    exact = compile_floats(expressions, groups)

    def careful(x: Numbers, u: Numbers) -> Numbers:
        with np.errstate(all="ignore"):
            values = exact(np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64), theta)
            return [float(v) for v in values]

    try:
        quick = _scalar_factory(expressions, (groups[0], groups[1]), groups[2])(theta.tolist())
    except (ArithmeticError, ValueError):
        return careful

    def evaluate(x: Numbers, u: Numbers) -> Numbers:
        try:
            return quick(x, u)
        except (ArithmeticError, ValueError):
            return careful(x, u)

    return evaluate
