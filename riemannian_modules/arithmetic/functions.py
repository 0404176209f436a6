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
    "arccosh",
    "arctan2",
    "cbrt",
    "chained",
    "expm1",
    "log1p",
    "maximum",
    "minimum",
    "off_cut",
    "power",
    "power_log",
    "power_slope",
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


def guarded(condition: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Both sides of a condition, with exponentials that see no argument of the other side.

    Where the border z is not positive, ``exp(k z)`` with k > 0 is ``exp(k min(z, 0))``, and alike
    above it: so that enclosures of both sides stay small.
    """
    if not isinstance(condition, ORDERS) or not condition.free_symbols:
        return first, second
    is_above, z = _oriented(condition)

    def limited(side: Any, *, above: bool) -> Any:
        limit: Any = maximum(z, sp.S.Zero) if above else minimum(z, sp.S.Zero)
        powers = {e: e.args[0] / z for e in side.atoms(sp.exp, expm1)}
        inside = {e: k for e, k in powers.items() if k.is_Rational and (k < 0) == above}
        return side.xreplace({e: e.func(k * limit) for e, k in inside.items()})

    return limited(first, above=is_above), limited(second, above=not is_above)


def folded(condition: Any, first: Any, second: Any) -> Any:
    """``f(max(z, 0)) + g(min(z, 0)) - f(0)``: f(z) where ``z > 0``, else g(z), as one term.

    None where the condition is no order, a side depends on more than its border z, or f(0) is not
    g(0).
    """
    if not isinstance(condition, ORDERS):
        return None
    is_above, inside = _oriented(condition)
    f, g = (first, second) if is_above else (second, first)
    z = sp.Dummy("z")
    f, g = (side.xreplace({inside: z, -inside: -z}) for side in (f, g))
    f, g = f.xreplace({maximum(z, 0): z}), g.xreplace({minimum(z, 0): z})
    if (f.free_symbols | g.free_symbols) - {z} or sp.expand(f.subs(z, 0) - g.subs(z, 0)) != 0:
        return None
    above: Any = maximum(inside, sp.S.Zero)
    below: Any = minimum(sp.S.Zero, inside)  # in this order their slopes are s and 1 - s
    return f.xreplace({z: above}) + g.xreplace({z: below}) - f.subs(z, 0)


def _oriented(condition: Any) -> tuple[bool, Any]:
    """Whether what is larger is written first, and that less the other."""
    is_above = isinstance(condition, (sp.Gt, sp.Ge))
    return is_above, border(condition) if is_above else -border(condition)


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


class arctan2(_RealFunction):  # noqa: N801
    """The angle of the point (x, y), arguments y and x; it jumps across y = 0 <= -x."""

    nargs = 2

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        y, x = self.operands
        return (x if argindex == 1 else -y) / (x**2 + y**2)


def off_cut(y: Any, x: Any) -> Any:
    """What is positive where the angle `arctan2` of (x, y) is smooth, and zero on its cut."""
    return maximum(x, absolute(y))


class arccosh(_RealFunction):  # noqa: N801
    """The inverse hyperbolic cosine, for x >= 1."""

    nargs = 1

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        (x,) = self.operands
        return ((x - 1) * (x + 1)) ** sp.Rational(-1, 2)


class cbrt(_RealFunction):  # noqa: N801
    """The cube root of any real number; its slope at zero is infinite."""

    nargs = 1

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        (x,) = args
        root = sp.real_root(x, 3) if x.is_Rational else None
        return root if root is not None and root.is_Rational else None

    @override
    def fdiff(self, argindex: int = 1) -> Any:
        return self**-2 / 3


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
    """``x**y`` for x >= 0 and an exponent that is no simple fraction.

    Below zero it is undefined where anything is proved; evaluated, it is the limit max(x, 0)**y for
    an exponent that is no whole number, so that a solver's amount of -1e-18 does no harm.
    """

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


class power_slope(_RealFunction):  # noqa: N801
    """``y x**(y - 1)`` where it is evaluated: zero below zero, but for a whole y and square roots.

    It is the derivative of what is evaluated for a power, max(x, 0)**y there.
    """

    nargs = 2


class chained(_RealFunction):  # noqa: N801
    """``slope inner`` where it is evaluated: zero where the inner derivative is, be slope infinite.

    So is the derivative of sqrt(max(x, 0)) below zero, of (x / k)**0.7 in k at x = 0, and, as one
    of its subgradients, that of sqrt(x^2 + y^2) at 0.
    """

    nargs = 2

    @classmethod
    @override
    def eval(cls, *args: Any) -> Any:
        slope, inner = args
        return slope * inner if inner.is_number else None


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
