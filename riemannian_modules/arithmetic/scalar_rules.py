"""The scalar operations that are traced: for each NumPy name, its exact expression.

Operations that are not defined everywhere note their domain condition down with the tracer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.sums import minus, plus, times
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.errors import TraceError

LARGEST_EXPONENT = 10_000  # of a whole power of a term


def _divide(t: Tracer, a: Any, b: Any) -> Any:
    """The quotient; of exponentials in one that keeps its range: logistic functions and shares.

    ``a exp(s) / (c exp(s) + sum c_k exp(e_k)) = a / (c + sum c_k exp(e_k - s))``, in which nothing
    overflows or vanishes; ``1 / (1 + exp(d)) = (1 - tanh(d/2)) / 2``.
    """
    parts = _exponentials(b)
    k, s = _exponential(a) or (a, sp.S.Zero)
    lowered = {e - s: c for e, c in parts.items()} if parts is not None else {}
    if 0 not in lowered:
        t.guard("nonzero", b)
        return a / b
    d = _one_plus(lowered)
    if d is not None:
        return k * _sigmoid(-d)
    return k / sp.Add(*(c * sp.exp(e) for e, c in lowered.items()))


def _log(t: Tracer, x: Any) -> Any:
    """The logarithm; of a sum of exponentials with one of them taken out, which cannot vanish."""
    parts = _exponentials(x)
    if parts is None:
        t.guard("positive", x)
        return sp.log(x)
    s = sp.S.Zero if 0 in parts else next(iter(parts))
    lowered = {e - s: c for e, c in parts.items()}
    d = _one_plus(lowered)
    if d is not None:
        return s + fn.softplus(d)
    return s + sp.log(sp.Add(*(c * sp.exp(e) for e, c in lowered.items())))


def _log1p(t: Tracer, x: Any) -> Any:
    if _exponentials(1 + x) is not None:
        return _log(t, 1 + x)
    t.guard("positive", 1 + x)
    return fn.log1p(x)


def _exponential(x: Any) -> tuple[Any, Any] | None:
    """(c, e) of ``c exp(e)`` with a rational c > 0; None for another term."""
    c, rest = x.as_coeff_Mul()
    if c.is_Rational and c > 0 and (rest == 1 or isinstance(rest, sp.exp)):
        return c, sp.S.Zero if rest == 1 else rest.exp
    return None


def _exponentials(x: Any) -> dict[Any, Any] | None:
    """{e: c} of a sum of ``c exp(e)``, two or more of them; None for another term."""
    parts = [_exponential(part) for part in x.args] if x.is_Add else []
    found = {e: c for c, e in (part for part in parts if part is not None)}
    return found if parts and None not in parts and len(found) == len(parts) else None


def _one_plus(parts: dict[Any, Any]) -> Any:
    """The d of ``1 + exp(d)``; None for another sum of exponentials."""
    others = [e for e in parts if e != 0]
    return others[0] if len(others) == 1 and list(parts.values()) == [1, 1] else None


def _power(t: Tracer, x: Any, y: Any) -> Any:
    if y.is_Integer:
        if abs(y) > LARGEST_EXPONENT:
            raise TraceError(
                f"A whole power is multiplied out exactly, up to {LARGEST_EXPONENT}; got an "
                f"exponent of {float(y):.6g}. Make it a parameter, or write exp(n * log(x))."
            )
        return x**y if y >= 0 else _divide(t, sp.S.One, x) ** -y
    t.guard(
        "nonnegative"
        if y.is_Rational and y > 0
        else "positive"
        if y.is_Rational
        else "nonnegative",
        x,
    )
    return fn.power(x, y)


def _root(x: Any) -> Any:
    return fn.real_power(x, sp.Rational(1, 2))


def _guarded(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(t: Tracer, x: Any) -> Any:
        t.guard(kind, x)
        return function(x)

    return apply


def _arcus(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(t: Tracer, x: Any) -> Any:
        t.guard("nonnegative", 1 - x**2)
        return function(x)

    return apply


def _arccosh(t: Tracer, x: Any) -> Any:
    t.guard("nonnegative", x - 1)
    return fn.arccosh(x)


def _arctanh(t: Tracer, x: Any) -> Any:
    t.guard("positive", 1 - x**2)
    return sp.atanh(x)


def _arctan2(t: Tracer, y: Any, x: Any) -> Any:
    t.guard("positive", fn.off_cut(y, x))
    return fn.arctan2(y, x)


def _heaviside(x: Any, at_zero: Any) -> Any:
    above: Any = fn.step(x)
    below: Any = fn.step(-x)
    return above + at_zero * (1 - above - below)


def _copysign(x: Any, y: Any) -> Any:
    below: Any = fn.step(-y)  # zero counts as positive, as NumPy's +0.0 does
    return fn.absolute(x) * (1 - 2 * below)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _tracer, *args: function(*args)


def _compared(relation: Any) -> Callable[..., Any]:
    def apply(t: Tracer, a: Any, b: Any) -> Any:
        condition = relation(a, b)
        if condition.has(sp.ITE):  # which has no compiled form, and SymPy takes for ever on more
            raise t.refuse("a comparison of what np.where chose (compare first, then choose once)")
        return condition

    return apply


def _sigmoid(x: Any) -> Any:
    return (1 + sp.tanh(x / 2)) / 2


SCALAR_RULES: dict[str, Callable[..., Any]] = {
    "add": _plain(plus),
    "subtract": _plain(minus),
    "multiply": _plain(times),
    "divide": _divide,
    "negative": _plain(lambda a: -a),
    "positive": _plain(lambda a: a),
    "power": _power,
    "float_power": _power,
    "square": _plain(lambda a: a**2),
    "reciprocal": lambda t, a: _divide(t, sp.Integer(1), a),
    "sqrt": _guarded("nonnegative", _root),
    "exp": _plain(sp.exp),
    "exp2": _plain(lambda a: sp.exp(a * sp.log(2))),
    "expm1": _plain(fn.expm1),
    "log": _log,
    "log2": lambda t, a: _log(t, a) / sp.log(2),
    "log10": lambda t, a: _log(t, a) / sp.log(10),
    "log1p": _log1p,
    "sin": _plain(sp.sin),
    "cos": _plain(sp.cos),
    "tan": lambda t, a: (t.guard("nonzero", sp.cos(a)), sp.tan(a))[1],
    "sinh": _plain(sp.sinh),
    "cosh": _plain(sp.cosh),
    "tanh": _plain(sp.tanh),
    "arcsin": _arcus(sp.asin),
    "arccos": _arcus(sp.acos),
    "arctan": _plain(sp.atan),
    "arctan2": _arctan2,
    "arcsinh": _plain(sp.asinh),
    "arccosh": _arccosh,
    "arctanh": _arctanh,
    "cbrt": _plain(fn.cbrt),
    "deg2rad": _plain(lambda a: a * sp.pi / 180),
    "radians": _plain(lambda a: a * sp.pi / 180),
    "rad2deg": _plain(lambda a: a * 180 / sp.pi),
    "degrees": _plain(lambda a: a * 180 / sp.pi),
    "conjugate": _plain(lambda a: a),
    "absolute": _plain(fn.absolute),
    "fabs": _plain(fn.absolute),
    "sign": _plain(fn.sign),
    "maximum": _plain(fn.maximum),
    "minimum": _plain(fn.minimum),
    "fmax": _plain(fn.maximum),
    "fmin": _plain(fn.minimum),
    "hypot": _plain(lambda a, b: _root(a**2 + b**2)),
    "logaddexp": _plain(lambda a, b: b + fn.softplus(a - b)),
    "logaddexp2": _plain(lambda a, b: b + fn.softplus((a - b) * sp.log(2)) / sp.log(2)),
    "xlogy": lambda t, a, b: a * _log(t, b),
    "copysign": _plain(_copysign),
    "heaviside": _plain(_heaviside),
    "signbit": _plain(lambda a: sp.Lt(a, 0)),
    "erf": _plain(sp.erf),
    "erfc": _plain(lambda a: 1 - sp.erf(a)),
    "expit": _plain(_sigmoid),
    "greater": _compared(sp.Gt),
    "greater_equal": _compared(sp.Ge),
    "less": _compared(sp.Lt),
    "less_equal": _compared(sp.Le),
    "logical_and": _plain(sp.And),
    "logical_or": _plain(sp.Or),
    "logical_not": _plain(sp.Not),
    "bitwise_and": _plain(sp.And),
    "bitwise_or": _plain(sp.Or),
    "logical_xor": _plain(lambda a, b: sp.Or(sp.And(a, sp.Not(b)), sp.And(b, sp.Not(a)))),
    "bitwise_xor": _plain(lambda a, b: sp.Or(sp.And(a, sp.Not(b)), sp.And(b, sp.Not(a)))),
    "invert": _plain(sp.Not),
}

_JUMPS = "it jumps again and again, where no derivative shows it (write the jumps with np.where)"
_WHOLE = "it is of whole numbers, and what is traced is real"
_ALWAYS = "what is traced is a real number, so it is the same everywhere (leave it out)"
_EQUAL = "it changes at single points alone (compare with < or <=)"
_BITS = "it depends on how a float is rounded, and what is traced is exact"

_ORDER = "the order of entries is a branch (use np.maximum and np.minimum)"
_NO_FORMULA = "its result is no formula (np.linalg.solve, inv and det are traced)"

# What is not traced, and why; names of functions of arrays among them.
REFUSED: dict[str, str] = {
    name: why
    for names, why in {
        "floor ceil trunc rint fmod remainder floor_divide divmod modf round around fix unwrap "
        "digitize searchsorted": _JUMPS,
        "gcd lcm left_shift right_shift bitwise_count": _WHOLE,
        "isfinite isinf isnan isnat nan_to_num": _ALWAYS,
        "equal not_equal isclose allclose array_equal unique": _EQUAL,
        "nextafter spacing frexp": _BITS,
        "ldexp": "it takes floats apart (write x * 2.0**n)",
        "sinc": "at zero it is a limit that no formula here takes (write np.where(np.abs(x) > "
        "1e-3, np.sin(np.pi * x) / (np.pi * x), 1 - (np.pi * x)**2 / 6))",
        "sort argsort argmax argmin median percentile quantile partition": _ORDER,
        "eig eigh eigvals eigvalsh svd qr cholesky pinv lstsq": _NO_FORMULA,
    }.items()
    for name in names.split()
}
