"""Scalar functions that expressions are made of, beyond those that SymPy differentiates as we need.

SymPy's own `Max`, `Abs` and symbolic powers differentiate into forms that are undefined at kinks or
at zero (``n x**n / x``); these differentiate into forms that are right there, or into intervals.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import expm1, log1p
from typing_extensions import override

__all__ = [
    "absolute",
    "expm1",
    "log1p",
    "maximum",
    "minimum",
    "power",
    "power_log",
    "real_power",
    "sign",
    "softplus",
    "step",
]


class _RealFunction(sp.Function):
    """A real function of real arguments."""

    def _eval_is_extended_real(self) -> bool:
        return True

    @property
    def operands(self) -> tuple[Any, ...]:
        """The arguments; SymPy's own types for them know no arithmetic."""
        return self.args


ORDERS = (sp.Gt, sp.Ge, sp.Lt, sp.Le)


def border(relation: Any) -> Any:
    """What is positive inside of where one of the `ORDERS` holds, and zero on its border."""
    left, right = relation.args
    return left - right if isinstance(relation, (sp.Gt, sp.Ge)) else right - left


class step(_RealFunction):  # noqa: N801 - a function's name
    """1 where the argument is positive, else 0: a subgradient of the kinked functions."""

    nargs = 1

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        (x,) = args
        return sp.Integer(1 if x > 0 else 0) if x.is_Rational else None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class sign(_RealFunction):  # noqa: N801
    """-1, 0 or 1."""

    nargs = 1

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        (x,) = args
        return sp.sign(x) if x.is_Rational else None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class absolute(_RealFunction):  # noqa: N801
    """``|x|``."""

    nargs = 1

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        (x,) = args
        return abs(x) if x.is_Rational else None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        return sign(self.operands[0])


class maximum(_RealFunction):  # noqa: N801
    """The larger of two; where they are equal the derivative is the second's."""

    nargs = 2

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        x, y = args
        return max(x, y) if x.is_Rational and y.is_Rational else None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.operands
        first: Any = step(x - y)
        return first if argindex == 1 else 1 - first


class minimum(_RealFunction):  # noqa: N801
    """The smaller of two; where they are equal the derivative is the second's."""

    nargs = 2

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        x, y = args
        return min(x, y) if x.is_Rational and y.is_Rational else None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.operands
        first: Any = step(y - x)
        return first if argindex == 1 else 1 - first


class softplus(_RealFunction):  # noqa: N801
    """``log(1 + exp x)``; its slope is the logistic function, by tanh for tight intervals."""

    nargs = 1

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        return (1 + sp.tanh(self.operands[0] / 2)) / 2


def real_power(x: Any, y: Any) -> Any:
    """``x**y`` for a rational y; where SymPy takes a root of a square it leaves `absolute`."""
    parts = [part.as_base_exp() for part in sp.Mul.make_args(sp.Pow(x, y))]
    return sp.Mul(*(
        (absolute(base.args[0]) if isinstance(base, sp.Abs) else base) ** exponent
        for base, exponent in parts
    ))  # fmt: skip


class power(_RealFunction):  # noqa: N801
    """``x**y`` for x >= 0 and an exponent that is no simple fraction."""

    nargs = 2

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        x, y = args
        if y.is_Rational and y.q <= 64 and abs(y.p) <= 4096:
            return real_power(x, y)
        return None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.operands
        slope: Any = power(x, y - 1)
        return y * slope if argindex == 1 else power_log(x, y)


class power_log(_RealFunction):  # noqa: N801
    """``x**y log x``, zero at x = 0 for y > 0."""

    nargs = 2

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        x, y = self.operands
        lower: Any = power_log(x, y - 1)
        if argindex == 1:
            return power(x, y - 1) + y * lower
        return sp.log(x) * power_log(x, y)
