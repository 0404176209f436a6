"""Scalar functions that expressions are made of, beyond those that SymPy differentiates as we need.

SymPy's own `Max`, `Abs` and symbolic powers differentiate into forms that are undefined at kinks or
at zero (``n x**n / x``); these differentiate into forms that are right there, or into intervals.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import expm1, log1p

__all__ = [
    "absolute",
    "expm1",
    "log1p",
    "maximum",
    "minimum",
    "power",
    "power_log",
    "sign",
    "softplus",
    "step",
]


class _RealFunction(sp.Function):
    """A real function of real arguments."""

    def _eval_is_extended_real(self) -> bool:
        return True


class step(_RealFunction):  # noqa: N801 - a function's name
    """1 where the argument is positive, else 0: a subgradient of the kinked functions."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.Integer(1 if x > 0 else 0) if x.is_Rational else None

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class sign(_RealFunction):  # noqa: N801
    """-1, 0 or 1."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.sign(x) if x.is_Rational else None

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class absolute(_RealFunction):  # noqa: N801
    """``|x|``."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return abs(x) if x.is_Rational else None

    def fdiff(self, argindex: int = 1) -> Any:
        return sign(self.args[0])


class maximum(_RealFunction):  # noqa: N801
    """The larger of two; where they are equal the derivative is the second's."""

    @classmethod
    def eval(cls, x: Any, y: Any) -> Any:
        return max(x, y) if x.is_Rational and y.is_Rational else None

    def fdiff(self, argindex: int = 1) -> Any:
        first = step(self.args[0] - self.args[1])
        return first if argindex == 1 else 1 - first


class minimum(_RealFunction):  # noqa: N801
    """The smaller of two; where they are equal the derivative is the second's."""

    @classmethod
    def eval(cls, x: Any, y: Any) -> Any:
        return min(x, y) if x.is_Rational and y.is_Rational else None

    def fdiff(self, argindex: int = 1) -> Any:
        first = step(self.args[1] - self.args[0])
        return first if argindex == 1 else 1 - first


class softplus(_RealFunction):  # noqa: N801
    """``log(1 + exp x)``; its slope is the logistic function, written by tanh for tight intervals."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        return (1 + sp.tanh(self.args[0] / 2)) / 2


class power(_RealFunction):  # noqa: N801
    """``x**y`` for x >= 0 and an exponent that is no simple fraction."""

    @classmethod
    def eval(cls, x: Any, y: Any) -> Any:
        if y.is_Rational and y.q <= 64 and abs(y.p) <= 4096:
            return sp.Pow(x, y)
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        return y * power(x, y - 1) if argindex == 1 else power_log(x, y)


class power_log(_RealFunction):  # noqa: N801
    """``x**y log x``, zero at x = 0 for y > 0."""

    @classmethod
    def eval(cls, x: Any, y: Any) -> Any:
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.args
        if argindex == 1:
            return power(x, y - 1) + y * power_log(x, y - 1)
        return sp.log(x) * power_log(x, y)
