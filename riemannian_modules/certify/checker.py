"""Check a contraction certificate again, from its numbers alone and with Python's integers alone.

``python checker.py certificate.json``: exit code 0 proved, 4 not proved, 1 unreadable, 2 misuse.
Trusted are Python's integers and fractions, this file, and the meaning of the file's expressions;
no float is used. Sections: 1 numbers, 2 functions, 3 terms, 4 ranges, 5 matrices, 6 the region,
7 rules, 8 the file. Source: Moore, Kearfott and Cloud (2009), Introduction to Interval Analysis.
"""
# fmt: off
# ruff: noqa: E701, E704, D101, D103  (dense, so that all that must be trusted can be read at once)
from __future__ import annotations

import ast
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import product
from math import gcd, isqrt, lcm
from pathlib import Path
from typing import Any

class Malformed(Exception): """The file breaks the format."""
class NotProved(Exception): """Some statement is not proved."""
class Undefined(NotProved): """An operation may leave its domain: nothing is decided there."""
class Outside(Exception): """A box holds no point of the region."""

# 1. Numbers: intervals [lo, hi] of whole multiples of 2^-P; every operation rounds outwards. An end
# beyond BIG becomes INF (no bound), or stays at BIG where that is a bound; INF is so large that sums
# and products keep it beyond BIG, and INF * 0 = 0, as is right for ends of sets of finite numbers.
P = 192
ONE, BIG, INF = 1 << P, 1 << 2000, 1 << 4000
Interval = tuple[int, int]

def clip(lo: int, hi: int) -> Interval:
    if lo >= -BIG and hi <= BIG: return lo, hi
    return (-INF if lo < -BIG else min(lo, BIG)), (INF if hi > BIG else max(hi, -BIG))
def enclosed(q: Fraction | int) -> Interval:
    return (q.numerator << P) // q.denominator, -((-q.numerator << P) // q.denominator)
def both(x: Interval, y: Interval) -> Interval: return max(x[0], y[0]), min(x[1], y[1])
def hull(x: Interval, y: Interval) -> Interval: return min(x[0], y[0]), max(x[1], y[1])
def plus(*terms: Interval) -> Interval: return clip(sum(t[0] for t in terms), sum(t[1] for t in terms))
def times(x: Interval, y: Interval) -> Interval:
    ends = (x[0] * y[0], x[0] * y[1], x[1] * y[0], x[1] * y[1])
    return clip(min(ends) >> P, -(-max(ends) >> P))
def power(x: Interval, p: int) -> Interval:
    lo, hi = x
    if p < 0:
        if lo <= 0 <= hi: raise Undefined("division by a number that may be zero")
        lo, hi, p = ONE * ONE // hi, -(-ONE * ONE // lo), -p
    if p % 2 == 0: lo, hi = max(0, lo, -hi), max(-lo, hi)
    return clip(lo**p >> P * (p - 1), -(-(hi**p) >> P * (p - 1)))
def root(x: Interval, q: Fraction) -> Interval:
    if q != 2: return any_power(x, enclosed(1 / q))
    if x[0] < 0: raise Undefined("the root of a number that may be negative")
    s = isqrt(x[1] << P)
    return isqrt(x[0] << P), INF if x[1] == INF else s + (s * s < x[1] << P)
def any_power(x: Interval, y: Interval) -> Interval:
    """x^y = exp(y log x) for x > 0, and for x >= 0 where y > 0."""
    if x[0] < 0 or (x[0] == 0 and y[0] <= 0): raise Undefined("a power of a number that may be negative")
    lo, hi = FUNCTIONS["exp"](times(y, FUNCTIONS["log"]((max(x[0], 1), max(x[1], 1)))))
    return (lo if x[0] else 0), hi

# 2. Functions. At a point x, given exactly, each is enclosed; monotone ones are then taken at the
# ends of an interval. One unit is 2^-P.
def series(t: int, x: int, ratio: Callable[[int], tuple[int, int]]) -> Interval:
    """Enclose t_0 + t_1 + ..., where t_0 = t and t_(n+1) = t_n x p/q with p, q = ratio(n).

    |x p/q| must fall below 1/2 and stay there: then all that follows a term is at most that term.
    ``lost`` bounds the error of the rounded t: it is multiplied as t is, and floors lose below 1.
    """
    total = error = lost = n = 0
    while True:
        total, error, (p, q) = total + t, error + lost, ratio(n)
        if abs(t) <= lost + 1 and 2 * abs(x) * p <= q << P:
            return total - error - abs(t) - lost, total + error + abs(t) + lost
        t, lost, n = (t * x * p >> P) // q, (lost * abs(x) * p >> P) // q + 2, n + 1

def arctangent(k: int, sign: int) -> Interval:
    """The sum of sign^n / ((2n+1) k^(2n+1)): atanh(1/k) for sign 1, atan(1/k) for sign -1."""
    lo, hi = series(ONE, sign * ONE, lambda n: (2 * n + 1, k * k * (2 * n + 3)))
    return lo // k, -(-hi // k)
LN2 = times(enclosed(2), arctangent(3, 1))
PI = plus(times(enclosed(16), arctangent(5, -1)), times(enclosed(-4), arctangent(239, -1)))

def exp(x: int) -> Interval:
    k, r = divmod(x, LN2[0])  # x = k ln 2 + r, up to |k| times the width of LN2
    if k > 1700 or k < -P: return (BIG, INF) if k > 0 else (0, 1)
    slack = 3 * (abs(k) * (LN2[1] - LN2[0]) // 256 + 2)  # the slope of exp(r / 256) is below 3
    lo, hi = series(ONE, r >> 8, lambda n: (1, n + 1))
    lo, hi = lo - slack, hi + slack
    for _ in range(8): lo, hi = lo * lo >> P, -(-hi * hi >> P)
    return (lo << k, hi << k) if k >= 0 else (lo >> -k, -(-hi >> -k))

def log(x: int) -> Interval:
    if x <= 0: raise Undefined("the logarithm of a number that may be zero or negative")
    # x = 2^k (1 - y) / (1 + y) with y in [0, 1/3]; the floors of y and y^2 move atanh y by below 2.
    top, k = 1 << x.bit_length(), x.bit_length() - P
    y = (top - x << P) // (top + x)
    lo, hi = series(y, y * y >> P, lambda n: (2 * n + 1, 2 * n + 3))
    return plus(times(enclosed(k), LN2), (-2 * hi - 4, -2 * lo))

def wave(x: Interval, quarter: int) -> Interval:
    """sin(x + quarter pi/2): extreme at the ends of x or at multiples m pi/2 in it."""
    first, last = -(-2 * x[0] // PI[x[0] > 0]), 2 * x[1] // PI[x[1] < 0]
    if last - first > 2: return -ONE, ONE
    ends = [((0, ONE, 0, -ONE)[(m + quarter) % 4],) * 2 for m in range(first, last + 1)]
    for e in x:
        k = (4 * e + PI[0]) // (2 * PI[0])  # e = k pi/2 + r with |r| < 0.8
        r, even, slack = (2 * e - k * PI[0]) // 2, (k + quarter) % 2, abs(k) * (PI[1] - PI[0]) + 4
        lo, hi = series(ONE if even else r, -(r * r >> P),  # a cosine or a sine
                        lambda n, even=even: (1, (2 * n + 2 - even) * (2 * n + 3 - even)))
        lo, hi = (lo, hi) if (k + quarter) % 4 < 2 else (-hi, -lo)
        ends.append((max(lo - slack, -ONE), min(hi + slack, ONE)))
    return reduce(hull, ends)

def atan(x: int) -> Interval:
    for _ in range(3):  # atan x = 2 atan(x / (1 + sqrt(1 + x^2))); each division is off by below 3
        x = (x << P) // (ONE + isqrt(ONE * ONE + x * x))
    lo, hi = series(x, -(x * x >> P), lambda n: (2 * n + 1, 2 * n + 3))
    return 8 * lo - 64, 8 * hi + 64

def erf(x: int) -> Interval:
    """2 / (sqrt(pi) exp(x^2)) times the sum of 2^n x^(2n+1) / (2n+1)!!, in which nothing cancels."""
    if x < 0: return -erf(-x)[1], -erf(-x)[0]
    if x > 12 * ONE: return ONE - 1, ONE  # 1 - erf(12) < exp(-144) < 2^-P
    z, scale = x * x >> P, 2 * ONE * ONE
    lo, hi = (series(x, s, lambda n: (2, 2 * n + 3))[s - z] for s in (z, z + 1))
    return (lo * scale // ((isqrt(PI[1] << P) + 1) * exp(z + 1)[1]),
            min(ONE, hi * scale // (isqrt(PI[0] << P) * exp(z)[0]) + 1))

def rising(f: Callable[[int], Interval] | str, low: int | None, high: int) -> Callable[[Interval], Interval]:
    """A rising function on intervals, with its limits at minus and plus infinity."""
    at = lru_cache(1 << 15)(f if callable(f) else lambda x: value(formula(f), {0: (x, x)}))
    return lambda x: clip(low if x[0] == -INF and low is not None else at(x[0])[0], high if x[1] == INF else at(x[1])[1])

TAN, COSH = rising("sin(x) / cos(x)", None, INF), rising("(exp(x) + exp(-x)) / 2", None, INF)
FUNCTIONS: dict[str, Callable[..., Interval]] = {
    "pi": lambda: PI, "e": lambda: exp(ONE), "exp": rising(exp, 0, INF), "log": rising(log, None, INF),
    "sin": lambda x: wave(x, 0), "cos": lambda x: wave(x, 1), "arctan": rising(atan, -PI[1], PI[1]),
    "tan": lambda x: power(wave(x, 1), -1) and TAN(x),  # where the cosine has no zero
    "erf": rising(erf, -ONE, ONE), "tanh": rising("1 - 2 / (exp(2 * x) + 1)", -ONE, ONE),
    "sinh": rising("(exp(x) - exp(-x)) / 2", -INF, INF), "cosh": lambda x: COSH(FUNCTIONS["absolute"](x)),
    "arcsin": rising("2 * arctan(x / (1 + (1 - x**2)**0.5))", None, INF),
    "arccos": lambda x: plus(times(enclosed(Fraction(1, 2)), PI), times(enclosed(-1), FUNCTIONS["arcsin"](x))),
    "arcsinh": rising("log(((1 + x**2)**0.5 + x) / ((1 + x**2)**0.5 - x)) / 2", -INF, INF),
    "expm1": rising("exp(x) - 1", -ONE, INF), "log1p": rising("log(1 + x)", None, INF),
    "softplus": rising("log(1 + exp(x))", 0, INF), "power": any_power,
    "absolute": lambda x: (max(0, x[0], -x[1]), max(-x[0], x[1])),
    "maximum": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "minimum": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    # Slopes of kinked functions are, at the kink, everything between those of both sides (Clarke).
    "step": lambda x: (ONE * (x[0] > 0), ONE * (x[1] >= 0)),
    "sign": lambda x: (ONE if x[0] > 0 else -ONE, -ONE if x[1] < 0 else ONE),
    "where": lambda x, y, z: x if z[0] > 0 else y if z[1] < 0 else hull(x, y),
}
SLOPES = {  # of each function by its operands x, y, z
    "exp": ["exp(x)"], "log": ["1 / x"], "sin": ["cos(x)"], "cos": ["-sin(x)"], "tan": ["1 + tan(x)**2"],
    "sinh": ["cosh(x)"], "cosh": ["sinh(x)"], "tanh": ["1 - tanh(x)**2"], "arcsin": ["(1 - x**2)**-0.5"],
    "arccos": ["-(1 - x**2)**-0.5"], "arctan": ["1 / (1 + x**2)"], "arcsinh": ["(1 + x**2)**-0.5"],
    "erf": ["2 * pi()**-0.5 * exp(-x**2)"], "expm1": ["exp(x)"], "log1p": ["1 / (1 + x)"],
    "softplus": ["(1 + tanh(x / 2)) / 2"], "absolute": ["sign(x)"], "sign": ["0"], "step": ["0"],
    "maximum": ["step(x - y)", "1 - step(x - y)"], "minimum": ["step(y - x)", "1 - step(y - x)"],
    "power": ["y * power(x, y - 1)", "power(x, y) * log(x)"], "unit": ["1"], "pi": [], "e": [],
    "where": ["where(1, 0, z)", "where(0, 1, z)", "0"],
}

# 3. Terms: polynomials {monomial: coefficient} in generators, which are symbols, functions of terms,
# roots, and "units", sums taken as one factor: what is written factored has tighter ranges, so that
# only `expanded` multiplies sums out. Equal generators have one number; equal terms are equal.
Monomial = tuple[tuple[int, int], ...]  # (generator, exponent), sorted
Term = dict[Monomial, Fraction]
KINDS: list[tuple[str, tuple[Any, ...]]] = []  # of each generator, its operator and operands
SYMBOLS: list[frozenset[int]] = []  # of each generator, the symbols in it
INDEX: dict[Any, int] = {}
MEMO: dict[Any, Any] = {}

def generator(op: str, *args: Any) -> int:
    key = (op, *(tuple(sorted(a.items())) if isinstance(a, dict) else a for a in args))
    if key not in INDEX:
        INDEX[key] = len(KINDS)
        own = frozenset([len(KINDS)] if op == "symbol" else [])
        SYMBOLS.append(own.union(*(symbols(a) for a in args if isinstance(a, dict))))
        KINDS.append((op, args))
    return INDEX[key]

def symbols(t: Term) -> frozenset[int]: return frozenset[int]().union(*(SYMBOLS[g] for m in t for g, _ in m))
def number(c: Fraction | int) -> Term: return {(): Fraction(c)} if c else {}
def single(g: int, e: int = 1) -> Term: return {((g, e),): Fraction(1)}
def apply(op: str, *args: Any) -> Term: return single(generator(op, *args))
def total(*parts: Term, by: Fraction | int = 1) -> Term:
    result: Term = {}
    for part in parts:
        for m, c in part.items(): result[m] = result.get(m, 0) + c
    return {m: c * by for m, c in result.items() if c}

def monomial(factors: Iterable[tuple[int, int]], c: Fraction) -> Term:
    """c times powers of generators; exp(p)^a exp(q)^b is exp(a p + b q), and sqrt(p)^2 is p."""
    powers: dict[int, int] = {}
    for g, e in factors: powers[g] = powers.get(g, 0) + e
    exps = [g for g, e in powers.items() if KINDS[g][0] == "exp" and e]
    if len(exps) > 1 or any(powers[g] != 1 for g in exps):
        inner = total(*(total(KINDS[g][1][0], by=powers.pop(g)) for g in exps))
        if inner: powers[generator("exp", inner)] = 1
    for g in [g for g in powers if KINDS[g][0] == "root" and abs(powers[g]) >= KINDS[g][1][0]]:
        q, inner = KINDS[g][1]
        m, d = factor(inner)
        whole, powers[g] = divmod(powers[g], q)
        return monomial([*powers.items(), *((h, e * whole) for h, e in m)], c * d**whole)
    m = tuple(sorted((g, e) for g, e in powers.items() if e))
    return total(KINDS[m[0][0]][1][0], by=c) if len(m) == 1 and m[0][1] == 1 and KINDS[m[0][0]][0] == "unit" else {m: c}

def factor(t: Term) -> tuple[Monomial, Fraction]:
    """t as a number times powers of generators: a sum becomes a unit, its first coefficient 1."""
    if len(t) == 1: return next(iter(t.items()))
    return ((generator("unit", total(t, by=1 / t[min(t)])), 1),), t[min(t)]
def times_terms(*terms: Term) -> Term:
    if not all(terms): return {}
    parts = [factor(t) for t in terms]
    return monomial((f for m, _ in parts for f in m), reduce(Fraction.__mul__, (c for _, c in parts)))
def raised(t: Term, k: Fraction) -> Term:
    if not t and k <= 0: raise Undefined("division by zero")
    if not t or k == 0: return number(int(k == 0))
    if k.denominator > 1: return monomial([(generator("root", k.denominator, t), k.numerator)], Fraction(1))
    m, c = factor(t)
    return monomial(((g, e * k.numerator) for g, e in m), c**k.numerator)

def expanded(t: Term, whole: bool = False) -> Term:
    """t with its sums multiplied out; with whole also its denominators (and sin^2 = 1 - cos^2).

    Then t is a product with a nonzero factor, so it vanishes where it is defined if it is empty.
    """
    if whole:
        lowest: dict[int, int] = {}
        for g, e in (f for m in t for f in m): lowest[g] = min(lowest.get(g, 0), e)
        t = total(*(monomial([*m, *((g, -e) for g, e in lowest.items())], c) for m, c in t.items()))
    result: list[Term] = []
    for m, c in t.items():
        sums = [f for f in m if f[1] > 0 and (KINDS[f[0]][0] == "unit" or (whole and f[1] > 1 and KINDS[f[0]][0] == "sin"))]
        part = monomial((f for f in m if f not in sums), c)
        for g, e in sums:
            base = KINDS[g][1][0]
            if KINDS[g][0] == "sin":
                base, e = total(number(1), total(single(generator("cos", base), 2), by=-1)), e - 2
                part = times_terms(part, single(g, e)) if e else part
                e = 1
            for _ in range(e): part = multiplied(part, base)
        result.append(part)
    out = total(*result)
    return out if out == t else expanded(out, whole)

def multiplied(p: Term, q: Term) -> Term:
    if len(p) * len(q) > 200_000: raise NotProved("multiplying out gives too many terms")
    return total(*(monomial(m + n, c * d) for m, c in p.items() for n, d in q.items()))

def derivative(t: Term, s: int) -> Term:
    return total(*(times_terms(monomial([*m, (g, -1)], c * e), slope(g, s))
                   for m, c in t.items() for g, e in m if s in SYMBOLS[g]))

def slope(g: int, s: int) -> Term:
    """The derivative of a generator by a symbol."""
    if (g, s) not in MEMO:
        op, args = KINDS[g]
        if op == "symbol": parts = [number(1)]
        elif op == "root": parts = [times_terms(monomial([(g, 1 - args[0])], Fraction(1, args[0])), derivative(args[1], s))]
        else:
            named = dict(zip("xyz", args, strict=False))
            parts = [times_terms(infix(text, **named), derivative(a, s)) for text, a in zip(SLOPES[op], args, strict=True) if s in symbols(a)]
        MEMO[g, s] = total(*parts)
    return MEMO[g, s]

def put(t: Term, table: dict[int, Term]) -> Term:
    """t with symbols replaced by terms."""
    def of(g: int) -> Term:
        op, args = KINDS[g]
        if g not in table and SYMBOLS[g] & table.keys():
            inner = [put(a, table) if isinstance(a, dict) else a for a in args]
            table[g] = inner[0] if op == "unit" else raised(inner[1], Fraction(1, args[0])) if op == "root" else apply(op, *inner)
        return table.get(g, single(g))
    return total(*(times_terms(number(c), *(raised(of(g), Fraction(e)) for g, e in m)) for m, c in t.items()))

def infix(text: str, **names: Term) -> Term:
    """A term of this file's own tables."""
    def build(e: Any) -> Term:
        if isinstance(e, ast.BinOp):
            x, y = build(e.left), build(e.right)
            if isinstance(e.op, ast.Pow): return to_power(x, y)
            if isinstance(e.op, ast.Div): return times_terms(x, raised(y, Fraction(-1)))
            return times_terms(x, y) if isinstance(e.op, ast.Mult) else total(x, total(y, by=1 if isinstance(e.op, ast.Add) else -1))
        if isinstance(e, ast.UnaryOp): return total(build(e.operand), by=-1)
        if isinstance(e, ast.Call): return apply(e.func.id, *map(build, e.args))
        return names[e.id] if isinstance(e, ast.Name) else number(Fraction(e.value))
    return build(parsed(text))
@lru_cache
def parsed(text: str) -> Any: return ast.parse(text, mode="eval").body
@lru_cache
def formula(text: str) -> Term: return infix(text, x=X)
def to_power(x: Term, y: Term) -> Term:
    return raised(x, y.get((), Fraction(0))) if set(y) <= {()} else apply("power", x, y)

X = apply("symbol", "x")  # generator 0
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,3999})(/[1-9][0-9]{0,3999})?")
KINKS = {"absolute", "maximum", "minimum", "where", "step", "sign"}
def read(data: Any, names: dict[str, Term]) -> Term:
    """The term that the file writes as a number, a name, or [operator, operands...]."""
    if isinstance(data, str):
        if data not in names and not NUMBER.fullmatch(data): raise Malformed(f"{data!r} is no number and no name")
        return names[data] if data in names else number(Fraction(data))
    op, *rest = data
    if op == "piecewise": return pieces(rest, names)
    args = [read(part, names) for part in rest]
    count = len(SLOPES.get(op, "  "))
    if (op not in FUNCTIONS and op not in ("+", "*", "^", "power_log")) or op == "where" or (len(args) != count and not (op in "+*" and len(args) > 2)):
        raise Malformed(f"{op!r} with {len(args)} operands is no operation")
    if op == "power_log": return times_terms(to_power(*args), apply("log", args[0]))
    return {"+": total, "*": times_terms, "^": to_power, "power": to_power}.get(op, lambda *a: apply(op, *a))(*args)

def pieces(pairs: Any, names: dict[str, Term]) -> Term:
    """Two pieces that agree where their condition changes, by solving for a symbol linear in it."""
    if len(pairs) != 2 or pairs[1][1] != ["true"]: raise NotProved("a piecewise term of other than two pieces")
    (first, (relation, left, right)), (second, _) = pairs
    sign = {"less": -1, "less_equal": -1, "greater": 1, "greater_equal": 1}[relation]
    x, y, left, right = (read(part, names) for part in (first, second, left, right))
    border, gap = total(left, total(right, by=-1), by=sign), total(x, total(y, by=-1))
    for s in symbols(border):
        d = derivative(border, s)
        if set(d) == {()} and not expanded(put(gap, {s: total(single(s), total(border, by=-1 / d[()]))}), whole=True):
            return apply("where", x, y, border)
    raise NotProved("a piecewise term is not proved continuous where its condition changes")

def read_terms(data: Any, names: dict[str, Term], key: str = "terms") -> list[Term]:
    names = dict(names)
    for name, term in data["let"]:
        if name in names or not name.startswith("$"): raise Malformed(f"the binding {name!r} is made twice or without $")
        names[name] = read(term, names)
    return [read(t, names) for t in data[key]]

# 4. Ranges on boxes. A box maps symbols to intervals, and keeps the generators evaluated on it.
Box = dict[Any, Any]
def value(t: Term, box: Box) -> Interval:
    """The natural interval extension."""
    return plus((0, 0), *(reduce(times, (power(on(g, box), e) for g, e in m), enclosed(c)) for m, c in t.items()))
def on(g: int, box: Box) -> Interval:
    if g not in box:
        op, args = KINDS[g]
        if op == "unit": box[g] = value(args[0], box)
        elif op == "root": box[g] = root(value(args[1], box), args[0])
        else: box[g] = FUNCTIONS[op](*[value(a, box) for a in args])
    return box[g]

def slope_range(t: Term, s: int, box: Box) -> Interval:
    """The range of dt/ds as the chain rule writes it, and over one denominator."""
    key = s, *sorted(t.items())
    if key not in MEMO:
        d = derivative(t, s)
        lowest: dict[int, int] = {}
        for g, e in (f for m in d for f in m): lowest[g] = min(lowest.get(g, 0), e)
        below = monomial(lowest.items(), Fraction(1))
        MEMO[key] = d, below, expanded(multiplied(d, raised(below, Fraction(-1))))
    d, below, above = MEMO[key]
    return both(value(d, box), times(value(above, box), value(below, box)))

def spread(t: Term, box: Box) -> Interval:
    """A tighter range: cut with the mean-value form, and with the ends of monotone symbols.

    Where t rises along a symbol, it is least at that symbol's lower end. A derivative does not see a
    jump, so that terms with slopes of kinked functions keep their natural range.
    """
    found, axes = value(t, box), symbols(t)
    if any(KINDS[g][0] in KINKS for g in below(t)): return found
    low, high, centre, whole = ({s: box[s] for s in axes} for _ in range(4))
    try:
        mean = []
        for s in axes:
            (lo, hi), d = box[s], slope_range(t, s, whole)
            for ends, to_hi, to_lo in ((low, d[1] <= 0, d[0] >= 0), (high, d[0] >= 0, d[1] <= 0)):
                if to_hi and hi < INF: ends[s] = hi, hi
                elif to_lo and lo > -INF: ends[s] = lo, lo
            middle = (lo + hi) // 2 if -INF < lo and hi < INF else max(lo, min(hi, 0))
            centre[s] = middle, middle
            mean.append(times(d, clip(lo - middle, hi - middle)))
        found = both(found, (value(t, low)[0], value(t, high)[1]))
        return both(found, plus(value(t, centre), *mean))
    except NotProved: return found  # undefined somewhere, or too long: these forms say nothing

def below(t: Term) -> set[int]:
    """All generators that a term is made of."""
    found, stack = set[int](), [g for m in t for g, _ in m]
    while stack:
        g = stack.pop()
        if g not in found:
            found.add(g)
            stack += [h for a in KINDS[g][1] if isinstance(a, dict) for m in a for h, _ in m]
    return found

# 5. Matrices {(i, j): entry}. The tests (positive semidefinite; dominated by one entry in each row)
# hold on closed convex cones, and a matrix is affine in each atom: the factors of a monomial that
# share their symbols. So it passes on a box of atoms when it passes at the corners.
Matrix = dict[tuple[int, int], Term]
Entries = dict[tuple[int, int], Interval]
Form = dict[tuple[Monomial, ...], dict[tuple[int, int], int]]  # products of atoms: coefficients
Test = Callable[[Entries, bool], bool]

def form_of(matrix: Matrix) -> Form:
    """The matrix times a positive integer, which makes its coefficients integers."""
    form: dict[tuple[Monomial, ...], dict[tuple[int, int], Fraction]] = {(): dict.fromkeys(matrix, Fraction(0))}
    for place, t in matrix.items():
        for m, c in expanded(t).items():
            groups: dict[frozenset[int], Monomial] = {}
            for f in m: groups[SYMBOLS[f[0]]] = (*groups.get(SYMBOLS[f[0]], ()), f)
            entries = form.setdefault(tuple(sorted(groups.values())), {})
            entries[place] = entries.get(place, Fraction(0)) + c
    scale = lcm(*(c.denominator for entries in form.values() for c in entries.values()))
    return {a: {place: int(c * scale) for place, c in entries.items()} for a, entries in form.items()}

def enclosure(form: Form, ranges: dict[Monomial, Interval]) -> Entries:
    """The matrix over a box of atoms in some common unit; exact where the atoms are points."""
    degree, result = max(map(len, form)), dict.fromkeys(form[()], (0, 0))
    for atoms, entries in form.items():
        x = (ONE ** (degree - len(atoms)),) * 2
        for y in (ranges[a] for a in atoms):
            ends = x[0] * y[0], x[0] * y[1], x[1] * y[0], x[1] * y[1]
            x = min(ends), max(ends)
        for place, c in entries.items():
            old = result[place]
            result[place] = old[0] + c * x[c < 0], old[1] + c * x[c >= 0]
    return result

def passes(form: Form, ranges: dict[Monomial, Interval], test: Test, strict: bool) -> bool:
    """Whether the matrix passes the test for all values of the atoms in their ranges."""
    used = {a: ranges[a] for atoms in form for a in atoms}
    for a, (lo, hi) in used.items():
        if lo == -INF or hi == INF:
            # T(e + t) = T(e) + t T' for t >= 0 passes when T(e) and T' do, sums staying in the cone.
            end = lo if lo > -INF else hi if hi < INF else 0
            fixed = {**ranges, a: (end, end)}
            rays = [{(): dict.fromkeys(form[()], 0)} | {tuple(b for b in atoms if b != a): {k: sign * c for k, c in entries.items()}
                     for atoms, entries in form.items() if a in atoms} for sign, side in ((1, hi), (-1, -lo)) if side == INF]
            return passes(form, fixed, test, strict) and all(passes(ray, fixed, test, False) for ray in rays)
    moving = [a for a, (lo, hi) in used.items() if lo < hi]
    around = enclosure(form, ranges)
    if test(around, strict): return True
    if 0 < len(moving) <= 12:
        corners = product(*([(e, e) for e in ranges[a]] for a in moving))
        return all(test(enclosure(form, ranges | dict(zip(moving, c, strict=True))), strict) for c in corners)
    n = 1 + max((i for i, _ in around), default=0)
    if n > 10 or not moving or test is not positive: return False
    # x^T (C + D) x is least over |D| <= R at D = -s R s, s the signs of x.
    return all(positive({(i, j): (e[s[i] != s[j]],) * 2 for (i, j), e in around.items()}, strict)
               for s in product((0, 1), repeat=n) if not s[0])

def positive(entries: Entries, strict: bool) -> bool:
    """Whether all symmetric matrices in the entries (i <= j) are positive semidefinite (or definite)."""
    rows: dict[int, dict[int, int]] = {}
    radius: dict[int, dict[int, int]] = {}
    for (i, j), (lo, hi) in entries.items():
        if i == j and lo < strict: return False
        for table, entry in ((rows, lo + hi), (radius, hi - lo)):
            if entry: table.setdefault(i, {})[j] = table.setdefault(j, {})[i] = entry
    if any(row.get(i, 0) <= 0 for i, row in rows.items()) or radius.keys() - rows.keys(): return False
    if radius:
        # |x^T D x| <= sum x_i^2 (R v)_i / v_i for |D| <= R and any v > 0: the diagonal pays for the
        # radius. A few steps of power iteration bring v near the best, the Perron vector.
        top = max(row[i] for i, row in rows.items())
        v = {i: isqrt((top << 128) // rows[i][i]) for i in radius}
        for _ in range(5):
            u = {i: (sum(r * v[j] for j, r in row.items()) << 64) // rows[i][i] for i, row in radius.items()}
            t = 1 + max(u[i] // v[i] for i in v)
            v = {i: v[i] * t + u[i] for i in v}
        for i, row in radius.items(): rows[i][i] -= -(-sum(r * v[j] for j, r in row.items()) // v[i])
    # Elimination with floors moves entries by below 1, hence x^T A x by at most n |x|^2 a step: a
    # diagonal lowered by that keeps the proof sound. On a hair's breadth, fractions decide.
    large = {i: {j: a << 64 for j, a in row.items()} for i, row in rows.items()}
    if eliminates(large, lambda a, b: a // b, 1, strict): return True
    if not eliminates({i: {**row, i: row[i] + (row[i] >> 30)} for i, row in large.items()}, lambda a, b: a // b, 0, strict):
        return False
    common = gcd(*(a for row in rows.values() for a in row.values()))
    return eliminates({i: {j: Fraction(a // common) for j, a in row.items()} for i, row in rows.items()}, Fraction.__truediv__, 0, strict)

def eliminates(rows: dict[int, dict[int, Any]], divide: Callable[[Any, Any], Any], loss: int, strict: bool) -> bool:
    """Whether all pivots are positive, or zero with a zero row; sparsest row first."""
    rows = {i: dict(row) for i, row in rows.items()}
    while rows:
        i = min(rows, key=lambda k: len(rows[k]))
        row = rows.pop(i)
        pivot = row.pop(i, 0)
        if pivot < 0 or pivot == 0 and (strict or any(row.values())): return False
        for j, a in row.items():
            target = rows[j]
            del target[i]
            if pivot:
                for k, b in row.items(): target[k] = target.get(k, 0) - divide(a * b, pivot)
                target[j] -= loss * len(row)
    return True

def dominated(weights: list[Fraction], own: bool) -> Test:
    """sum_j |T_ij| w_j <= b w_i; b stands at (i, -1), and with own b - T_ii at (i, i)."""
    def test(entries: Entries, _: bool) -> bool:
        left = dict.fromkeys(range(len(weights)), Fraction(0))
        for (i, j), (lo, hi) in entries.items():
            left[i] += lo * weights[i] if j == (i if own else -1) else -max(-lo, hi) * weights[j]
        return min(left.values()) >= 0
    return test

# 6. The region.
class Region:
    """A box of all symbols, cut by linear constraints and balls."""
    def __init__(self, data: Any, names: list[str]) -> None:
        sides, linear, balls = fields(data, "sides", "linear balls")
        if [name for name, _, _ in sides] != names: raise Malformed("region: one side for each symbol in order")
        self.symbols = [generator("symbol", name) for name in names]
        self.sides = [(end(lo)[0], end(hi)[1]) for _, lo, hi in sides]
        if any(lo > hi or lo == INF or hi == -INF for lo, hi in self.sides): raise Malformed("region: a side is reversed")
        self.limits: list[tuple[Term, Interval]] = []  # a term of the symbols lies in the interval
        z = {name: single(s) for name, s in zip(names, self.symbols, strict=True)}
        for row, lo, hi in linear or []:
            self.limits.append((total(*(total(z[name], by=real(c)) for name, c in row)), (end(lo)[0], end(hi)[1])))
        for own, centre, radius, metric in (fields(b, "names center radius", "metric") for b in balls or []):
            M = dense(metric, len(own), len(own)) if metric else identity(len(own))
            if not is_metric(M, len(own)): raise NotProved("region: the metric of a ball is not definite")
            d = {(i, 0): total(z[name], number(-real(c))) for i, (name, c) in enumerate(zip(own, centre, strict=True))}
            self.limits.append((dot(transposed(d), M, d)[0, 0], (0, enclosed(real(radius) ** 2)[1])))

    def box(self, sides: list[Interval]) -> Box:
        box: Box = dict(zip(self.symbols, sides, strict=True))
        for t, limit in self.limits:
            x = value(expanded(t), box)
            if x[0] > limit[1] or x[1] < limit[0]: raise Outside
        return box

    def leaves(self, cuts: Any) -> Iterator[list[Interval]]:
        """The leaves of a tree of cuts in preorder; they cover the box by construction."""
        stack = [self.sides]
        for cut in cuts:
            if not stack: raise Malformed("cuts: the tree goes on after its last leaf")
            sides = stack.pop()
            if cut is None:
                yield sides
                continue
            axis, place = cut
            (lo, hi), (left, right) = sides[axis], enclosed(real(place))
            if type(axis) is not int or axis < 0 or left < lo or right > hi: raise Malformed(f"cuts: {cut} is outside of its box")
            stack += [[*sides[:axis], part, *sides[axis + 1:]] for part in ((left, hi), (lo, right))]
        if stack: raise Malformed("cuts: the tree ends before its last leaf")

def fields(data: Any, required: str, optional: str = "") -> list[Any]:
    """The values of an object with these keys and no others."""
    needed, known = required.split(), [*required.split(), *optional.split()]
    if not isinstance(data, dict) or not set(needed) <= set(data) <= set(known):
        raise Malformed(f"expected the keys {known}, got {list(data)}")
    return [data.get(key) for key in known]
def real(x: Any) -> Fraction:
    if type(x) not in (int, Fraction) or float(x) != x: raise Malformed(f"{x!r} is no double")
    return Fraction(x)
def end(x: Any) -> Interval:
    return {"inf": (INF, INF), "-inf": (-INF, -INF)}[x] if isinstance(x, str) else enclosed(real(x))
def dense(rows: Any, n: int, m: int) -> Matrix:
    if len(rows) != n or any(len(row) != m for row in rows): raise Malformed(f"expected a matrix of {n} rows and {m} columns")
    return {(i, j): number(real(x)) for i, row in enumerate(rows) for j, x in enumerate(row) if x}
def identity(n: int) -> Matrix: return {(i, i): number(1) for i in range(n)}
def transposed(A: Matrix) -> Matrix: return {(j, i): t for (i, j), t in A.items()}
def plus_matrices(*scaled: tuple[Fraction | int, Matrix]) -> Matrix:
    places = {place: None for _, A in scaled for place in A}
    return {p: t for p in places if (t := total(*(total(A[p], by=c) for c, A in scaled if p in A)))}
def dot(*factors: Matrix) -> Matrix:
    A, B = factors[0], dot(*factors[1:]) if len(factors) > 2 else factors[1]
    rows: dict[int, list[tuple[int, Term]]] = {}
    for (k, j), t in B.items(): rows.setdefault(k, []).append((j, t))
    sums: dict[tuple[int, int], list[Term]] = {}
    for (i, k), s in A.items():
        for j, t in rows.get(k, []): sums.setdefault((i, j), []).append(multiplied(s, t))
    return {place: t for place, parts in sums.items() if (t := total(*parts))}
def shifted(A: Matrix, rows: int, columns: int) -> Matrix: return {(i + rows, j + columns): t for (i, j), t in A.items()}
def is_metric(M: Matrix, n: int) -> bool:
    return transposed(M) == M and passes(form_of(upper(M, n)), {}, positive, True)
def upper(A: Matrix, n: int) -> Matrix:
    return dict.fromkeys(((i, i) for i in range(n)), number(0)) | {(i, j): t for (i, j), t in A.items() if i <= j}

# 7. Rules.
def system_of(data: Any) -> tuple[dict[str, Term], dict[str, list[str]], list[Term], list[Term], list[tuple[str, Term]]]:
    _, groups, *_ = fields(data, "type symbols let dx y guards")
    state, inputs, parameters = fields(groups, "state inputs parameters")
    names = {name: apply("symbol", name) for name in (*state, *inputs, *parameters)}
    if len(names) < len(state + inputs + parameters) or any(NUMBER.fullmatch(n) or n[:1] in ("", "$") for n in names):
        raise Malformed("symbols: names must differ and be names")
    guards = read_terms({**data, "guards": [t for _, t in data["guards"]]}, names, "guards")
    return (names, groups, read_terms(data, names, "dx"), read_terms(data, names, "y"),
            [(kind, t) for (kind, _), t in zip(data["guards"], guards, strict=True)])

def defined(guards: list[tuple[str, Term]], terms: list[Term], box: Box) -> None:
    """Raise Undefined unless all operations of the terms, and the guards, are defined on the box."""
    for kind, t in guards:
        lo, hi = value(t, box)
        if not {"positive": lo > 0, "nonnegative": lo >= 0, "nonzero": lo > 0 or hi < 0}[kind]: raise Undefined(f"a guard ({kind}) is not proved")
    for t in terms: value(t, box)

class Proof:
    """Statements about a system on a region; each is proved on every leaf of its cuts, or raises."""
    def __init__(self, region: Region, guards: list[tuple[str, Term]], terms: list[Term]) -> None:
        # Terms that are defined everywhere need not be evaluated on every leaf.
        safe = {"symbol", "unit", "exp", "sin", "cos", "tanh", "sinh", "cosh", "arctan", "erf", "softplus", *KINKS, "pi", "e", "arcsinh", "expm1"}
        self.terms = [t for t in terms if not all(KINDS[g][0] in safe for g in below(t)) or any(e < 0 for u in [t, *(a for g in below(t) for a in KINDS[g][1] if isinstance(a, dict))] for m in u for _, e in m)]
        self.region, self.guards, self.lemmas, self.report = region, guards, dict[Monomial, Interval](), list[str]()

    def lemma(self, data: Any, names: dict[str, Term]) -> None:
        """A term's range on the region's box, to be used on every leaf."""
        term, lower, upper, cuts = fields(data, "term lower upper cuts")
        (t,), lo, hi = read_terms(term, names), end(lower)[1], end(upper)[0]
        for sides in self.region.leaves(cuts):
            x = spread(t, dict(zip(self.region.symbols, sides, strict=True)))
            if x[0] < lo or x[1] > hi: raise NotProved(f"a range lemma is not proved on {self.shown(sides)}")
        if len(t) == 1:
            ((m, c),) = t.items()
            self.lemmas[m] = both(self.lemmas.get(m, (-INF, INF)), times(enclosed(1 / c), (end(lower)[0], end(upper)[1])))

    def shown(self, sides: list[Interval]) -> str:
        ends = [tuple("inf" if e == INF else "-inf" if e == -INF else f"{float(Fraction(e, ONE)):.6g}" for e in s) for s in sides]
        return ", ".join(f"{KINDS[s][1][0]} in [{lo}, {hi}]" for s, (lo, hi) in zip(self.region.symbols, ends, strict=True))

    def holds(self, what: str, matrix: Matrix, test: Test, cuts: Any, strict: bool = False) -> None:
        """Prove that a matrix passes the test on every leaf."""
        form = form_of(matrix)
        atoms = {a: {a: Fraction(1)} for product in form for a in product}
        count = outside = 0
        for sides in self.region.leaves(cuts):
            count += 1
            try:
                box = self.region.box(sides)
                defined(self.guards, self.terms, box)
                ranges = {a: both(value(t, box), self.lemmas.get(a, (-INF, INF))) for a, t in atoms.items()}
                if not passes(form, ranges, test, strict):
                    ranges = {a: both(ranges[a], spread(t, box)) for a, t in atoms.items()}
                    if not passes(form, ranges, test, strict): raise NotProved("the matrix test fails")
            except Outside: outside += 1
            except NotProved as fault: raise NotProved(f"{what}: leaf {count}, {self.shown(sides)}: {fault}") from None
        self.report.append(f"{what}: proved on {count} leaves" + (f", {outside} of them outside of the region" if outside else ""))

def check(data: Any) -> list[str]:
    """What is proved of a certificate, line by line.

    Raises:
        NotProved: Some statement is not proved.
        Malformed: The certificate breaks the format; so do other errors of lookup and type.
    """
    name, version, claim, region, system, evidence = fields(data, "format version claim region system evidence")
    if (name, version) != ("riemannian-modules certificate", 2): raise Malformed("this is no certificate of version 2")
    _, kind, bound, norm, _, input_norm, horizontal, trajectories = fields(claim, "statement kind bound norm", "symbols input_norm horizontal trajectories")
    b = real(bound)
    if kind not in ("flow", "step", "map") or (kind != "flow" and b < 0): raise Malformed("the claim is of no known kind, or negative")
    names, groups, dx, y, guards = system_of(system)
    state, inputs = groups["state"], groups["inputs"]
    f, variables = (y, inputs) if kind == "map" else (dx, state)
    if len(dx) != len(state) or (kind == "map") == bool(state) or not f or not variables: raise Malformed("the system does not fit the claim")
    if any(KINDS[g][0] in ("step", "sign") for t in f for g in below(t)): raise NotProved("the map may jump")
    where = Region(region, list(names))
    J = {(i, j): d for i, t in enumerate(f) for j, s in enumerate(variables) if (d := derivative(t, next(iter(names[s]))[0][0]))}
    proof, n, m = Proof(where, guards, f), len(f), len(variables)
    if horizontal is not None:
        J, n, m = quotient(J, horizontal, n)
    if evidence.get("rule") == "network": network(proof, b, kind, J, state, norm, evidence)
    elif evidence.get("rule") == "monolithic": monolithic(proof, b, kind, J, n, m, f, names, groups, norm, input_norm, evidence)
    else: raise NotProved("the rule is not known here")
    if trajectories is not None: invariance(proof, b, kind, f, names, groups, norm, trajectories)
    return [said(kind, b, norm, where, proof), *proof.report]

def quotient(J: Matrix, data: Any, n: int) -> tuple[Matrix, int, int]:
    rows, columns, sort = fields(data, "L R kind")
    k = len(rows)
    L, R = dense(rows, k, n), dense(columns, n, k)
    rest = plus_matrices((1, identity(n)), (-1, dot(R, L)))
    gap = {"conservation": lambda: dot(rest, J), "symmetry": lambda: dot(J, rest)}[sort]()
    if dot(L, R) != identity(k) or not all(vanishes(t) for t in gap.values()): raise NotProved(f"horizontal: the {sort} is not an identity of the system")
    return dot(L, J, R), k, k
def vanishes(t: Term) -> bool: return not expanded(t, whole=True)

def monolithic(proof: Proof, b: Fraction, kind: str, J: Matrix, n: int, m: int, f: list[Term], names: dict[str, Term],
               groups: dict[str, list[str]], norm: Any, input_norm: Any, evidence: Any) -> None:
    _, cuts, given, ranges, basis, weight = fields(evidence, "rule cuts", "matrix ranges congruence weight")
    for lemma in ranges or []: proof.lemma(lemma, names)
    def matrix(data: Any, rows: int, columns: int) -> Matrix:
        flat = read_terms(data, names)
        if len(flat) != rows * columns: raise Malformed(f"expected {rows * columns} terms")
        return {divmod(k, columns): t for k, t in enumerate(flat) if t}
    def same(own: Matrix, data: Any, rows: int, columns: int) -> Matrix:
        other = matrix(data, rows, columns) if data is not None else own
        if not all(vanishes(t) for t in plus_matrices((1, own), (-1, other)).values()): raise NotProved("evidence.matrix is not that of the system and norm")
        return other
    if norm["type"] in ("l1", "linf"):
        weights = [real(w) for w in fields(norm, "type weights")[1]]
        if len(weights) != n or n != m or min(weights) <= 0: raise Malformed(f"expected {n} positive weights, and as many values as variables")
        T = same(transposed(J) if norm["type"] == "l1" else J, given, n, n)
        B = {(i, i if kind == "flow" else -1): number(b) for i in range(n)}
        return proof.holds("row sums at most b", plus_matrices((1, B), (-1, T)), dominated(weights, kind == "flow"), cuts)
    M, theta, rates = metric_of(norm, n, matrix)
    if M is None:  # it changes with the point
        proof.terms += list(theta.values())
        if any(KINDS[g][0] in KINKS for t in theta.values() for g in below(t)): raise NotProved("the metric has kinks")
        M = dot(transposed(theta), theta) if "factor_terms" in norm else theta
        if "metric_terms" in norm and transposed(M) != M: raise Malformed("the metric is not symmetric")
        along = {next(iter(names[s]))[0][0]: t for s, t in zip(groups["state"], f, strict=True)} if kind == "flow" else {}
        if rates is not None:
            moving = fields(rates, "names terms")[0]
            along |= {next(iter(names[s]))[0][0]: t for s, t in zip(moving, read_terms(rates["terms"], names), strict=True)}
        known = {*along, *(next(iter(names[s]))[0][0] for s in (*groups["parameters"], *groups["state"]))}
        if any(not symbols(t) <= known for t in M.values()): raise NotProved("the metric depends on an input whose rate is not given")
        flows = [(1, {p: times_terms(derivative(t, s), rate) for p, t in M.items()}) for s, rate in along.items()]
    else: flows = []
    MJ = dot(M, J)
    if kind == "flow":
        S = plus_matrices((1, MJ), (1, transposed(MJ)), *flows)
        W = plus_matrices((2, M))
        if "factor_terms" in norm:
            other = matrix(given, n, n)
            if not all(vanishes(t) for t in plus_matrices((1, S), (-1, dot(transposed(theta), other, theta))).values()): raise NotProved("evidence.matrix is not F + F^T")
            det = expanded(determinant(theta, n))
            proof.holds("the determinant of the factor is not zero", {(0, 0): multiplied(det, det)}, positive, cuts, strict=True)
            S, W = other, plus_matrices((2, identity(n)))
        elif basis is not None:
            K = matrix(basis, n, n)
            if expanded(determinant(K, n)) not in (number(1), number(-1)): raise NotProved("evidence.congruence may be singular")
            S, W = same(dot(transposed(K), S, K), given, n, n), same(dot(transposed(K), W, K), weight, n, n)
        else: S = same(S, given, n, n)
        test = plus_matrices((b, W), (-1, S))
        size = n
    else:
        after, M_in = M, metric_of(input_norm, m, matrix)[0] if input_norm else M if kind == "step" else identity(m)
        if flows or theta:
            table = {next(iter(names[s]))[0][0]: t for s, t in zip(groups["state"], f, strict=True)}
            after = {p: put(t, dict(table)) for p, t in M.items()}
            proof.holds("the metric at the successor is positive definite", upper(after, n), positive, cuts, strict=True)
        MJ = same(dot(after, J), given, n, m)
        test = plus_matrices((b, M_in), (b, shifted(after, m, m)), (1, shifted(MJ, m, 0)), (1, shifted(transposed(MJ), 0, m)))
        W, size = M, n + m
    if theta and "factor_terms" not in norm: proof.holds("the metric is positive definite", upper(W, n), positive, cuts, strict=True)
    proof.holds("the matrix inequality of the bound", upper(test, size), positive, cuts)

def metric_of(norm: Any, n: int, matrix: Any) -> tuple[Matrix | None, Matrix, Any]:
    """A constant metric, proved one; or None, the terms, and the rates of inputs."""
    sort = norm["type"]
    if sort != "l2": raise NotProved(f"a norm of type {sort} is not for this rule")
    if "metric" in norm: M = dense(fields(norm, "type metric")[1], n, n)
    elif "entries" in norm:
        _, size, entries = fields(norm, "type size entries")
        M = {(i, j): number(real(v)) for i, j, v in entries if v}
        if size != n or any(not 0 <= i <= j < n for i, j in M) or len({(i, j) for i, j, _ in entries}) < len(entries): raise Malformed("sparse metric: entries i <= j, once each")
        M |= transposed(M)
    else:
        _, terms, rates = fields(norm, "type " + ("factor_terms" if "factor_terms" in norm else "metric_terms"), "rates")
        return None, matrix(terms, n, n), rates
    if not is_metric(M, n): raise NotProved("the metric is not positive definite")
    return M, {}, None

def determinant(A: Matrix, n: int) -> Term:
    """By expansion along rows, over sets of columns."""
    minors: dict[int, Term] = {0: number(1)}
    for i in range(n):
        larger: dict[int, list[Term]] = {}
        for used, t in minors.items():
            for j in range(n):
                if not used >> j & 1 and (i, j) in A:
                    sign = -1 if (used >> j).bit_count() % 2 else 1
                    larger.setdefault(used | 1 << j, []).append(total(multiplied(t, A[i, j]), by=sign))
        minors = {used: total(*parts) for used, parts in larger.items()}
    return minors.get((1 << n) - 1, {})

def network(proof: Proof, b: Fraction, kind: str, J: Matrix, state: list[str], norm: Any, evidence: Any) -> None:
    """Blocks' own bounds on the diagonal and gains off it: C r <= b r, or l^T C <= b l^T."""
    checks = fields(evidence, "rule checks")[1]
    _, combine, groups, metrics, weights = fields(norm, "type combine groups metrics weights")
    if norm["type"] != "blocks" or sorted(i for g in groups for i in g) != list(range(len(state))) or not all(groups): raise Malformed("blocks: every state in one group")
    if kind == "map" or len(weights) != len(groups) or min(map(real, weights)) <= 0: raise Malformed("blocks: expected positive weights")
    Ms = [dense(M, len(g), len(g)) for M, g in zip(metrics, groups, strict=True)]
    if not all(is_metric(M, len(g)) for M, g in zip(Ms, groups, strict=True)): raise NotProved("a metric of a block is not positive definite")
    place = {s: (i, k) for i, g in enumerate(groups) for k, s in enumerate(g)}
    blocks: dict[tuple[int, int], Matrix] = {}
    for (s, r), t in J.items(): blocks.setdefault((place[s][0], place[r][0]), {})[place[s][1], place[r][1]] = t
    C: dict[tuple[int, int], Fraction] = {}
    for i, j, gain, cuts in (fields(c, "to from bound cuts") for c in checks):
        g, p, q = real(gain), len(groups[i]), len(groups[j])
        if (i, j) in C or i < 0 or j < 0: raise Malformed("checks: each pair once")
        C[i, j] = g
        MJ = dot(Ms[i], blocks.get((i, j), {}))
        if i == j and kind == "flow":
            proof.holds(f"block {i}", upper(plus_matrices((2 * g, Ms[i]), (-1, MJ), (-1, transposed(MJ))), p), positive, cuts)
        else:
            if g < 0: raise Malformed("a gain is negative")
            proof.holds(f"gain {j} to {i}", upper(plus_matrices((g, Ms[j]), (g, shifted(Ms[i], q, q)), (1, shifted(MJ, q, 0)), (1, shifted(transposed(MJ), 0, q))), p + q), positive, cuts)
    w = [real(x) for x in weights]
    missing = [pair for pair, block in blocks.items() if pair not in C and not all(vanishes(t) for t in block.values())]
    if missing or any((i, i) not in C for i in range(len(w))): raise NotProved(f"blocks {missing} have no check")
    sums = [Fraction(0)] * len(w)
    for (i, j), g in C.items():
        if combine == "linf": sums[i] += g * w[j]
        else: sums[j] += g * w[i]
    if combine not in ("linf", "l1") or any(x > b * r for x, r in zip(sums, w, strict=True)): raise NotProved("the comparison matrix does not give the bound")
    proof.report.append(f"the comparison matrix of {len(w)} blocks gives the bound")

def invariance(proof: Proof, b: Fraction, kind: str, f: list[Term], names: dict[str, Term], groups: dict[str, list[str]], norm: Any, data: Any) -> None:
    raise NotProved("trajectories")

def said(kind: str, b: Fraction, norm: Any, region: Region, proof: Proof) -> str:
    return f"{kind}: bound {float(b)!r} in the norm of type {norm['type']}, where {proof.shown(region.sides)}"

# 8. The file.
def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs): raise Malformed("a key is given twice")
    return dict(pairs)
def refuse(name: str) -> Any: raise Malformed(f"{name} is no JSON")

def main(arguments: list[str]) -> int:
    sys.setrecursionlimit(20_000)
    if len(arguments) != 1:
        sys.stderr.write("usage: python checker.py certificate.json[.gz]\n")
        return 2
    try:
        raw = Path(arguments[0]).read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
        data = json.loads(text, object_pairs_hook=once, parse_constant=refuse, parse_float=lambda t: Fraction(float(t)))
        sys.stdout.write("PROVED\n" + "\n".join(check(data)) + "\n")
    except NotProved as fault:
        sys.stdout.write(f"NOT PROVED: {fault}\n")
        return 4
    except (Malformed, OSError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError) as fault:
        sys.stderr.write(f"cannot be read as a certificate: {type(fault).__name__}: {fault}\n")
        return 1
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
