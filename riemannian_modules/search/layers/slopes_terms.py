"""Reading linear maps and slope-restricted functions out of exact expressions.

An expression is affine in symbols and in scalar functions of affine terms, or it is not of the
form. Scalar functions with bounded slopes: tanh, logistic, sin, cos, arctan, erf, softplus, the
absolute value, the larger or smaller of two affine terms (``max(a, b) = b + max(a - b, 0)``),
saturations, gelu, silu, elu, and ``np.where`` of two sides that meet where its condition changes.
Arguments and coefficients are rational, hence exact.

Source: none; algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.claims.slope_table import SLOPES
from riemannian_modules.claims.slopes_matrix import Matrix, tidy
from riemannian_modules.claims.slopes_system import Slope

Row = dict[Any, Fraction]  # coefficients by symbol, or by number of a neuron

_PLAIN: dict[Any, str] = {
    sp.tanh: "tanh", sp.sin: "sin", sp.cos: "cos", sp.atan: "arctan", sp.erf: "erf",
    fn.softplus: "softplus", fn.absolute: "abs",
}  # fmt: skip


@final
class NotSlopes(Exception):  # noqa: N818 - it is caught here and in no other room
    """A term is not affine in symbols and in functions of bounded slope."""


@final
@dataclass(eq=False)
class Reader:
    """Collects the neurons of several expressions; equal ones are counted once."""

    slopes: list[Slope] = field(default_factory=list[Slope])
    arguments: list[Row] = field(default_factory=list[Row])
    _known: dict[Any, int] = field(default_factory=dict[Any, int])

    def affine(self, e: Any) -> Row:
        """The coefficients of ``e``, constants left out.

        Raises:
            NotSlopes: If a term is not of the form.
        """
        if e.is_Rational or not e.free_symbols:
            if not e.is_finite:
                raise NotSlopes(str(e))
            return {}
        if e.is_Symbol:
            return {e: Fraction(1)}
        if e.is_Add:
            return self._added(e)
        if e.is_Mul:
            return self._product(e)
        for kind, name in _PLAIN.items():
            if isinstance(e, kind):
                return self._neuron(e, name, e.args[0])
        if isinstance(e, (fn.maximum, fn.minimum)):
            return self._larger(e)
        if isinstance(e, sp.Piecewise):
            return self._switched(e)
        logistic = _logistic_argument(e)
        if logistic is not None:
            return self._neuron(e, "sigmoid", logistic)
        soft = _softplus_argument(e)
        if soft is not None:
            return self._neuron(e, "softplus", soft)
        raise NotSlopes(str(e))

    def matrix(self, rows: Sequence[Row], keys: Sequence[Any]) -> Matrix:
        """Rows of coefficients as a matrix whose columns are ``keys``."""
        out = np.empty((len(rows), len(keys)), dtype=object)
        for i, row in enumerate(rows):
            out[i, :] = [row.get(key, Fraction(0)) for key in keys]
        return tidy(out)

    def _neuron(self, e: Any, slope: Slope, argument: Any) -> Row:
        if e not in self._known:
            row = self.affine(argument)
            self._known[e] = len(self.slopes)
            self.slopes.append(slope)
            self.arguments.append(row)
        return {self._known[e]: Fraction(1)}

    def _added(self, e: Any) -> Row:
        """A sum; in it ``k max(z, 0) + k alpha expm1(min(0, z))`` is k times elu."""
        terms: dict[Any, Any] = {f: c for c, f in (part.as_coeff_Mul() for part in e.args)}
        rows: list[Row] = []
        for below in [f for f in terms if isinstance(f, (fn.expm1, sp.exp))]:
            inner: Any = below.args[0]
            z = inner.args[1] if isinstance(inner, fn.minimum) and inner.args[0] == 0 else None
            above: Any = fn.maximum(z, 0) if z is not None else None
            alpha = terms[below] / terms.get(above, sp.nan)
            if alpha.is_Rational and alpha > 0:
                neuron = self._elu(("elu", alpha, z), alpha, z)
                rows.append(_scaled(_fraction(terms[above]), neuron))
                del terms[above], terms[below]
        return _sum([*rows, *(self.affine(c * f) for f, c in terms.items())])

    def _elu(self, e: Any, alpha: Any, argument: Any) -> Row:
        return self._neuron(e, (0.0, _rounded_up(max(alpha, sp.S.One))), argument)

    def _product(self, e: Any) -> Row:
        constants = [f for f in e.args if not f.free_symbols]
        others = [f for f in e.args if f.free_symbols]
        constant: Any = sp.Mul(*constants)
        if len(others) == 1 and constant.is_Rational:
            return _scaled(_fraction(constant), self.affine(others[0]))
        if len(others) == 2 and constant.is_Rational:
            for gate, factor in (others, reversed(others)):
                scale, slope, argument = self._gated(gate, factor)
                if scale is not None:
                    neuron = self._neuron((slope, argument), slope, argument)
                    return _scaled(scale * _fraction(constant), neuron)
        raise NotSlopes(str(e))

    def _gated(self, gate: Any, factor: Any) -> tuple[Fraction | None, Slope, Any]:
        """For ``factor * gate`` with the gate of silu or gelu: scale, name and argument."""
        name: Slope = "silu"
        scale, argument = Fraction(1), _logistic_argument(gate)
        if argument is None and gate.is_Add and len(gate.args) == 2 and gate.args[0].is_Rational:
            # s c (1 + tanh(s / 2)) = 2 c silu(s), s c (1 + erf(s / sqrt 2)) = 2 c gelu(s); with a
            # rounded root, v c (1 + erf(v)) = 2 c gelu(k v) / k for k = sqrt 2, of the same slopes.
            constant, other = gate.args
            curve, inside = _odd_curve(other / constant)
            scale = 2 * _fraction(constant)
            if curve is sp.tanh:
                argument = 2 * inside
            elif curve is sp.erf:
                name, argument = "gelu", sp.expand(inside * sp.sqrt(2))
                if argument.has(sp.sqrt(2)):
                    name, argument = SLOPES["gelu"], inside
        if argument is None and isinstance(gate, sp.Pow) and gate.exp == -1:
            # s / (1 + |s|)
            name, argument = "softsign", _magnitude_argument(gate.base)
        if argument is None:
            return None, name, argument
        symbol = next(iter(sorted(argument.free_symbols, key=str)))
        slope = sp.expand(argument).coeff(symbol)
        ratio: Any = sp.expand(factor).coeff(symbol) / slope if slope != 0 else sp.Integer(0)
        if ratio.is_Rational and ratio != 0 and sp.expand(factor - ratio * argument) == 0:
            return scale * _fraction(ratio), name, argument
        return None, name, argument

    def _larger(self, e: Any) -> Row:
        inside: Any = next((a for a in e.args if isinstance(a, (fn.maximum, fn.minimum))), None)
        if inside is not None and type(inside) is not type(e):
            limits: list[Any] = [a for part in (e, inside) for a in part.args if a.is_Rational]
            free = [a for a in inside.args if not a.is_Rational]
            ordered = limits[::-1] if isinstance(e, fn.minimum) else limits
            if len(limits) == 2 and len(free) == 1 and ordered[0] <= ordered[1]:
                return self._neuron(e, "saturation", free[0])
        a, b = e.args
        # max(a, b) = b + max(a - b, 0), min(a, b) = b - max(b - a, 0).
        sign = 1 if isinstance(e, fn.maximum) else -1
        gap = sign * _difference(a, b)
        neuron = self._neuron(("relu", gap), "relu", gap)
        return _sum([self.affine(b), _scaled(Fraction(sign), neuron)])

    def _switched(self, e: Any) -> Row:
        if len(e.args) != 2:
            raise NotSlopes(str(e))
        (first, condition), (second, otherwise) = e.args
        if otherwise != sp.true or not isinstance(condition, fn.ORDERS):
            raise NotSlopes(str(e))
        border = fn.border(condition)
        # The first where border > 0; if first - second = k border: second + k max(border, 0).
        symbol = next(iter(sorted(border.free_symbols, key=str)), None)
        slope = sp.expand(border).coeff(symbol) if symbol is not None else sp.Integer(0)
        ratio: Any = sp.expand(first - second).coeff(symbol) / slope if slope != 0 else sp.nan
        if ratio.is_Rational and sp.expand(first - second - ratio * border) == 0:
            neuron = self._neuron(("relu", border), "relu", border)
            return _sum([self.affine(second), _scaled(_fraction(ratio), neuron)])
        # elu: u where u >= 0, else alpha expm1(min(u, 0)), whose slope is alpha exp(u).
        above, below = (first, second) if border == first else (second, first)
        alpha = _elu_factor(below, fn.minimum(above, 0))
        if border in (first, -second) and alpha is not None:
            return self._elu(e, alpha, above)
        raise NotSlopes(str(e))


def _elu_factor(e: Any, below: Any) -> Any:
    """The alpha > 0 of ``alpha (exp(below) - 1)``, however that is written; else None."""
    growth: Any = sp.exp(below)
    whole = sp.expand(e.xreplace({fn.expm1(below): growth - 1}))
    alpha = whole.coeff(growth)
    is_elu = alpha.is_Rational and alpha > 0 and sp.expand(whole - alpha * (growth - 1)) == 0
    return alpha if is_elu else None


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _difference(left: Any, right: Any) -> Any:
    return left - right


def _only(e: Any) -> Any:
    """The one argument of a function; SymPy's own types for arguments know no arithmetic."""
    return e.args[0]


def _rounded_up(value: Any) -> float:
    nearest = nearest_float(_fraction(value))
    return nearest if nearest >= _fraction(value) else float(np.nextafter(nearest, 9e99))


def _logistic_argument(e: Any) -> Any:
    """s, if e is ``1 / (1 + exp(-s))`` or ``1/2 + tanh(s / 2) / 2``; else None."""
    if isinstance(e, sp.Pow) and e.exp == -1:
        return _negated_exponent(e.base)
    if e.is_Add and len(e.args) == 2 and sp.Rational(1, 2) in e.args:
        (other,) = (part for part in e.args if part != sp.Rational(1, 2))
        curve, inside = _odd_curve(2 * other)
        if curve is sp.tanh:
            return 2 * inside
    return None


def _odd_curve(e: Any) -> tuple[Any, Any]:
    """The curve and s, if e is ``tanh(s)`` or ``erf(s)``; SymPy writes the sign of s in front."""
    sign, curve = e.as_coeff_Mul()
    if abs(sign) == 1 and isinstance(curve, (sp.tanh, sp.erf)):
        return curve.func, sign * _only(curve)
    return None, None


def _negated_exponent(base: Any) -> Any:
    """s, if the term is ``1 + exp(-s)``."""
    if base.is_Add and len(base.args) == 2 and sp.Integer(1) in base.args:
        (other,) = (part for part in base.args if part != 1)
        if isinstance(other, sp.exp):
            return -_only(other)
    return None


def _magnitude_argument(base: Any) -> Any:
    """s, if the term is ``1 + |s|``."""
    if base.is_Add and len(base.args) == 2 and base.args[0] == 1:
        magnitude = base.args[1]
        return _only(magnitude) if isinstance(magnitude, fn.absolute) else None
    return None


def _softplus_argument(e: Any) -> Any:
    """s, if e is ``log(1 + exp(s))``."""
    if isinstance(e, sp.log):
        negated = _negated_exponent(e.args[0])
        return -negated if negated is not None else None
    if isinstance(e, fn.log1p) and isinstance(e.args[0], sp.exp):
        return e.args[0].args[0]
    return None


def _scaled(factor: Fraction, row: Row) -> Row:
    return {key: factor * value for key, value in row.items()}


def _sum(rows: Sequence[Row]) -> Row:
    out: Row = {}
    for row in rows:
        for key, value in row.items():
            out[key] = out.get(key, Fraction(0)) + value
    return {key: value for key, value in out.items() if value != 0}
