"""Functions with a point where they are not smooth, in the form of the side that a region lies on.

Arctan2 is an arctangent of a quotient on each half plane off its cut, the cube root a power on each
side of zero: forms that a certificate's reader knows, and that have each argument in one place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.arithmetic.interval import Interval, as_interval
from riemannian_modules.errors import RegionError
from riemannian_modules.spaces import Array


def on_one_branch(name: str, expressions: Expressions, lower: Array, upper: Array) -> Expressions:
    """The same map on the box (dim,) of all symbols, in the forms of its side.

    Raises:
        RegionError: Where the box may reach the cut of arctan2, across which it jumps.
    """
    symbols = expressions.state + expressions.inputs + expressions.parameters
    box = [Interval(np.array(a), np.array(b)) for a, b in zip(lower, upper, strict=True)]
    every: Any = sp.Tuple(*expressions.dx, *expressions.y)
    while found := every.atoms(fn.arctan2, fn.cbrt):
        inner = [e for e in found if not any(a.has(fn.arctan2, fn.cbrt) for a in e.args)]
        table: dict[Any, Any] = {}
        for e in inner:
            sides = map(as_interval, compile_intervals(e.args, (symbols,))(box))
            table[e] = _root(e, *sides) if isinstance(e, fn.cbrt) else _angle(name, e, *sides)
        every = every.xreplace(table)
    n = len(expressions.dx)
    return replace(expressions, dx=tuple(every[:n]), y=tuple(every[n:]))


def _root(e: Any, x: Interval) -> Any:
    third, (a,) = sp.Rational(1, 3), e.args
    if x.lower >= 0:
        return fn.power(a, third)
    if x.upper <= 0:
        return -fn.power(-a, third)  # type: ignore[operator]
    above: Any = fn.power(fn.maximum(a, sp.S.Zero), third)
    below: Any = fn.power(fn.maximum(-a, sp.S.Zero), third)
    return above - below


def _angle(name: str, e: Any, y: Interval, x: Interval) -> Any:
    b, a = e.args
    if x.lower > 0:
        return sp.atan(b / a)
    if y.lower > 0 or y.upper < 0:
        return sp.Rational(1 if y.lower > 0 else -1, 2) * sp.pi - sp.atan(a / b)
    raise RegionError(
        f"{name}: the region may reach the cut of {e}, where its first argument is zero and its "
        "second is not positive. There the angle jumps by 2 pi, or is none; contraction is claimed "
        "for continuous maps only. Leave the cut out of the region, or turn the coordinates."
    )
