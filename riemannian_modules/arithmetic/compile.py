"""Compilation of exact expressions to NumPy code, for floats and for intervals.

One line of code for each distinct subexpression, so shared terms are computed once. The float code
rounds as NumPy does; the interval code calls `riemannian_modules.arithmetic.interval` alone, whose
results contain the exact value, and a constant that is no binary number enters as its enclosure.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.expression import too_deep
from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.errors import UnsupportedError

SymbolGroups = tuple[tuple[sp.Symbol, ...], ...]

FUNCTION_NAMES: dict[Any, str] = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan",
    sp.sinh: "sinh", sp.cosh: "cosh", sp.tanh: "tanh", sp.asin: "arcsin", sp.acos: "arccos",
    sp.atan: "arctan", sp.asinh: "arcsinh", sp.atanh: "arctanh", sp.erf: "erf",
    fn.expm1: "expm1", fn.log1p: "log1p", fn.arctan2: "arctan2", fn.cbrt: "cbrt",
    fn.arccosh: "arccosh",
    fn.maximum: "maximum", fn.minimum: "minimum", fn.absolute: "absolute", fn.sign: "sign",
    fn.step: "step", fn.softplus: "softplus", fn.power: "power", fn.power_log: "power_log",
}  # fmt: skip

# Compiled, but written to no file: SymPy's own roots of squares, and derivatives for floats.
_FURTHER_NAMES: dict[Any, str] = {
    sp.Abs: "absolute", sp.sign: "sign", fn.power_slope: "power_slope", fn.chained: "chained",
}  # fmt: skip

_NUMPY_NAMES = (
    "sqrt exp log sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh arctan2 "
    "cbrt expm1 log1p maximum minimum absolute sign select less less_equal greater greater_equal"
)
_INTERVAL_NAMES = (
    "sqrt exp log sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh arctan2 "
    "cbrt expm1 log1p erf maximum minimum absolute softplus power power_log where less less_equal "
    "greater greater_equal logical_and logical_or logical_not"
)


def small_power(base: str, exponent: Any) -> str | None:
    """``base`` to a power that products and square roots write, or None for any other."""
    if exponent == sp.Rational(1, 2):
        return f"sqrt({base})"
    if exponent == sp.Rational(-1, 2):
        return f"1.0/sqrt({base})"
    if exponent.is_Integer and 1 < abs(exponent) <= 3:
        product = "*".join([base] * abs(int(exponent)))
        return product if exponent > 0 else f"1.0/({product})"
    return f"1.0/{base}" if exponent == -1 else None


def float_text(value: Any) -> str:
    """The nearest double of a constant, as code; `inf` beyond the largest."""
    # SymPy's own float() of a fraction rounds twice.
    is_exact = value.is_Rational
    return repr(nearest_float(Fraction(int(value.p), int(value.q))) if is_exact else float(value))


class _Floats:
    """How terms are written for floats."""

    is_float = True

    def __init__(self) -> None:
        from scipy.special import erf, xlogy

        self.namespace: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY_NAMES.split()}
        self.namespace |= {
            "erf": erf,
            "step": lambda x: np.heaviside(x, 0.0),
            "softplus": lambda x: np.logaddexp(0.0, x),
            "power": _power,
            "power_log": _power_log,
            "power_slope": _power_slope,
            "chained": _chained,
            "xlogy": xlogy,
            "logical_and": np.logical_and,
            "logical_or": np.logical_or,
            "logical_not": np.logical_not,
            "where": np.where,
            "inf": np.inf,
        }

    def number(self, value: Any) -> str:
        return float_text(value)

    def power(self, base: str, exponent: Any) -> str:
        small = small_power(base, exponent)
        if small is not None:
            return small
        if exponent.is_Integer:
            return f"{base}**{float_text(exponent)}"
        return f"power({base}, {self.number(exponent)})"

    def call(self, name: str, parts: list[str]) -> str:
        return f"{name}({', '.join(parts)})"


class _Intervals:
    """How terms are written for intervals."""

    is_float = False

    def __init__(self) -> None:
        from riemannian_modules.arithmetic import interval as iv

        self._interval = iv
        self.namespace: dict[str, Any] = {
            name: getattr(iv, name) for name in _INTERVAL_NAMES.split()
        }
        # Steps and signs stand in derivatives of kinked functions: at the kink, Clarke's hull.
        self.namespace["step"] = lambda x: _between(iv, x, 0.0)
        self.namespace["sign"] = lambda x: _between(iv, x, -1.0)
        self._constants: dict[Any, str] = {}

    def number(self, value: Any) -> str:
        name = self._constants.get(value)
        if name is None:
            name = self._constants[value] = f"c{len(self._constants)}"
            self.namespace[name] = self._enclosure(value)
        return name

    def _enclosure(self, value: Any) -> Any:
        if value.is_Rational:
            return self._interval.Interval.rational(Fraction(int(value.p), int(value.q)))
        # pi, e: SymPy's 40 digits are right to the last but one, far inside the 1e-30 added here.
        near, slack = Fraction(str(sp.N(value, 40))), Fraction(1, 10**30)
        return self._interval.Interval.rational(near - slack).hull(
            self._interval.Interval.rational(near + slack)
        )

    def power(self, base: str, exponent: Any) -> str:
        return f"power({base}, {self._exponent(exponent)})"

    def call(self, name: str, parts: list[str]) -> str:
        return f"{name}({', '.join(parts)})"

    def _exponent(self, exponent: Any) -> str:
        if exponent.is_Integer:
            return str(int(exponent))
        self.namespace["Fraction"] = Fraction
        return f"Fraction({int(exponent.p)}, {int(exponent.q)})"


def _between(iv: Any, x: Any, low: float) -> Any:
    """1 where x > 0, ``low`` where x < 0, and everything between where zero is inside."""
    x = iv.as_interval(x)
    undecided = np.where(np.isnan(x.lower) | np.isnan(x.upper), np.nan, 0.0)
    return iv.Interval(
        np.where(x.lower > 0, 1.0, low) + undecided, np.where(x.upper < 0, low, 1.0) + undecided
    )


def _power(x: Any, y: Any) -> Any:
    return np.power(_within_domain(x, y), y)


def _within_domain(x: Any, y: Any) -> Any:
    """x, or zero for x < 0 where ``x**y`` would be no real number."""
    return np.where((np.asarray(x) < 0) & (np.floor(y) != y), 0.0, x)


def _power_log(x: Any, y: Any) -> Any:
    positive = np.where(x > 0, x, 1.0)
    return np.where(x > 0, np.power(positive, y) * np.log(positive), 0.0)


def _power_slope(x: Any, y: Any) -> Any:
    inside = _within_domain(x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.multiply(y, np.power(inside, np.subtract(y, 1.0)))
    return np.where(np.less(x, inside), 0.0, slope)


def _chained(slope: Any, inner: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return np.where(np.equal(inner, 0.0), 0.0, np.multiply(slope, inner))


class Target(Protocol):
    """How one kind of number writes terms, and the names that its code uses.

    Attributes:
        namespace: The names.
        is_float: Whether numbers are rounded: ``x log y`` is its limit 0 where x is 0, by
            ``xlogy(x, y)``, and a negative term is subtracted.
    """

    namespace: dict[str, Any]
    is_float: bool

    def number(self, value: Any) -> str:
        """A constant."""
        ...

    def power(self, base: str, exponent: Any) -> str:
        """A rational power."""
        ...

    def call(self, name: str, parts: list[str]) -> str:
        """A function, relation or choice under its NumPy name."""
        ...


class Writer:
    """Writes one assignment for each distinct subterm and remembers its name."""

    def __init__(self, target: Target, groups: SymbolGroups) -> None:
        self.target = target
        self.lines: list[str] = []
        self.names: dict[Any, str] = {}
        for prefix, group in zip("xupvw", groups, strict=False):
            for i, symbol in enumerate(group):
                self.names[symbol] = f"{prefix}{i}"

    def write(self, root: Any) -> str:
        """The name that holds ``root``; iterative, so that deep terms do not exhaust the stack."""
        stack = [root]
        while stack:
            term = stack[-1]
            if term in self.names:
                stack.pop()
                continue
            waiting = [a for a in self._operands(term) if a not in self.names]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            text = self._text(term)
            if term.is_number and not term.args:
                self.names[term] = text
            else:
                name = self.names[term] = f"t{len(self.lines)}"
                self.lines.append(f"{name} = {text}")
        return self.names[root]

    def _operands(self, term: Any) -> tuple[Any, ...]:
        if isinstance(term, sp.Pow) and term.exp.is_Rational:
            return (term.base,)
        if isinstance(term, sp.Piecewise):
            pairs: Any = term.args
            return tuple(part for pair in pairs for part in pair)
        inner = self._negated(term)
        if inner is not None:
            return (inner,)
        if term.is_Add:
            terms = ((a, self._negated(a)) for a in term.args)
            return tuple(a if part is None else part for a, part in terms)
        factors, logarithm = self._with_logarithm(term)
        return term.args if logarithm is None else (*factors, logarithm.args[0])

    def _negated(self, term: Any) -> Any:
        """What a term is the negative of, where it is written so; None where it is not.

        Signs are exact in floats: ``x - y z`` rounds as ``x + (-1 y) z`` does.
        """
        if not (self.target.is_float and term.is_Mul and term.args[0] is sp.S.NegativeOne):
            return None
        rest = term.args[1:]
        return rest[0] if len(rest) == 1 else sp.Mul(*rest, evaluate=False)

    def _with_logarithm(self, term: Any) -> tuple[tuple[Any, ...], Any]:
        """The factors of ``x log y`` but the logarithm, and that; None where there is none."""
        if not (term.is_Mul and self.target.is_float):
            return (), None
        logarithm = next((a for a in term.args if isinstance(a, sp.log) and a.free_symbols), None)
        factors = tuple(a for a in term.args if a is not logarithm)
        is_limit = logarithm is not None and any(a.free_symbols for a in factors)
        return factors, logarithm if is_limit else None

    def _text(self, term: Any) -> str:
        if term.is_Symbol:
            raise UnsupportedError(f"The symbol {term} is no argument of the map that is compiled.")
        if term.is_number and not term.args:
            return self.target.number(term)
        parts = [self.names[a] for a in self._operands(term)]
        if term.is_Add:
            return self._sum(term, parts)
        if term.is_Mul:
            return self._product(term, parts)
        if isinstance(term, sp.Pow):
            if term.exp.is_Rational:
                return self.target.power(parts[0], term.exp)
            if term.base == sp.E:
                return self.target.call("exp", [self.names[term.exp]])
            return self.target.call("power", parts)
        if isinstance(term, sp.Piecewise):
            return self._piecewise(parts)
        names = FUNCTION_NAMES | _FURTHER_NAMES | RELATION_NAMES
        name = names.get(term.func)
        if name is None:
            raise UnsupportedError(f"No compiled form is known for {term.func}; rewrite {term}.")
        if name in ("logical_and", "logical_or"):
            while len(parts) > 2:
                parts[-2:] = [self.target.call(name, parts[-2:])]
        return self.target.call(name, parts)

    def _sum(self, term: Any, parts: list[str]) -> str:
        signs = ["+" if self._negated(a) is None else "-" for a in term.args]
        signed = [*zip(signs, parts, strict=True)]
        if signs[:2] == ["-", "+"]:  # the sum of two has no order
            signed[:2] = signed[1::-1]
        return " ".join(f"{sign} {part}" for sign, part in signed).removeprefix("+ ")

    def _product(self, term: Any, parts: list[str]) -> str:
        if self._negated(term) is not None:
            return "-" + parts[0]
        if self._with_logarithm(term)[1] is not None:
            return self.target.call("xlogy", ["*".join(parts[:-1]), parts[-1]])
        return "-" + parts[1] if term.args[0] == -1 and len(parts) == 2 else "*".join(parts)

    def _piecewise(self, parts: list[str]) -> str:
        text = parts[-2]
        for value, condition in reversed(list(zip(parts[:-2:2], parts[1:-2:2], strict=True))):
            text = self.target.call("where", [condition, value, text])
        return text


RELATION_NAMES: dict[Any, str] = {
    sp.StrictGreaterThan: "greater", sp.GreaterThan: "greater_equal", sp.StrictLessThan: "less",
    sp.LessThan: "less_equal", sp.And: "logical_and", sp.Or: "logical_or", sp.Not: "logical_not",
}  # fmt: skip


def _build(
    target: Target, expressions: tuple[Any, ...], groups: SymbolGroups
) -> Callable[..., Any]:
    writer = _writer(target, groups)
    results = _tuple_of(writer, expressions)
    return _function(target, groups, [*writer.lines, f"return {results}"])


def _writer(target: Target, groups: SymbolGroups) -> Writer:
    writer = Writer(target, groups)
    writer.names[sp.true], writer.names[sp.false] = "True", "False"
    return writer


def _tuple_of(writer: Writer, expressions: tuple[Any, ...]) -> str:
    """Code for all of them, whose terms are written first."""
    return f"({''.join(f'{writer.write(e)}, ' for e in expressions)})"


def _function(target: Target, groups: SymbolGroups, lines: list[str]) -> Callable[..., Any]:
    """The function of one argument for each group of symbols that runs some lines of code."""
    unpacks = [
        f"{''.join(f'{prefix}{i}, ' for i in range(len(group)))}= {prefix}"
        for prefix, group in zip("xupvw", groups, strict=False)
        if group
    ]
    heads = ", ".join("xupvw"[: len(groups)])
    body = "".join(f"\n    {line}" for line in [*unpacks, *lines])
    namespace = dict(target.namespace)
    exec(compile(f"def compiled({heads}):{body}\n", "<compiled expressions>", "exec"), namespace)
    return namespace["compiled"]


@lru_cache(maxsize=512)
def compile_floats(
    expressions: tuple[Any, ...], groups: SymbolGroups
) -> Callable[..., tuple[Any, ...]]:
    """A function of one sequence of numbers or arrays for each group of symbols.

    Returns:
        ``f(x, u, p) -> tuple`` of floats or arrays, one for each expression; constants stay floats.
        Compiling costs some microseconds for each distinct subterm and is remembered.
    """
    try:
        return _build(_Floats(), expressions, groups)
    except RecursionError:
        raise too_deep("compile_floats") from None


@lru_cache(maxsize=512)
def compile_in_stages(
    now: tuple[Any, ...], later: tuple[tuple[Any, ...], ...], groups: SymbolGroups
) -> Callable[..., tuple[Any, ...]]:
    """As `compile_floats`, some expressions at once, and parts of others when they are asked for.

    Terms of the first that a part has too are computed once, and kept for it.

    Returns:
        ``f(x, u, p) -> (values, part, ...)``; ``part()`` gives the values of one of ``later``.
    """
    target = _Floats()
    writer = _writer(target, groups)
    try:
        results = [_tuple_of(writer, now)]
        lines, known = [*writer.lines], dict(writer.names)
        for i, expressions in enumerate(later):
            start, writer.names = len(writer.lines), dict(known)
            values = _tuple_of(writer, expressions)
            body = [*writer.lines[start:], f"return {values}"]
            lines += [f"def part{i}():", *(f"    {line}" for line in body)]
            results.append(f"part{i}")
        return _function(target, groups, [*lines, f"return {', '.join(results)}"])
    except RecursionError:
        raise too_deep("compile_in_stages") from None


@lru_cache(maxsize=512)
def compile_intervals(
    expressions: tuple[Any, ...], groups: SymbolGroups
) -> Callable[..., tuple[Any, ...]]:
    """As `compile_floats`, on intervals; each result holds the exact value anywhere in the box."""
    try:
        return _build(_Intervals(), expressions, groups)
    except RecursionError:
        raise too_deep("compile_intervals") from None
