"""Check a contraction certificate again, from its numbers alone and with Python's integers alone.

``python checker.py certificate.json``: exit code 0 proved, 4 not proved, 1 unreadable, 2 misuse.
Trusted: Python's integers and fractions, this file, the meaning of the file's expressions. No float
decides anything. 1 numbers, 2 functions, 3 terms, 4 ranges, 5 matrices, 6 leaves, 7 rules, 8 file.
Source: Moore, Kearfott and Cloud (2009), Introduction to Interval Analysis; docs/certificates.md.
"""

# Dense, so that all that must be trusted is read at once: few blank lines, short names.
# fmt: off
# pyright: basic, reportIndexIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
import ast, gzip, json, re, sys
from fractions import Fraction as Q
from functools import lru_cache, reduce
from itertools import product as every
from math import isqrt, lcm
from pathlib import Path
from typing import Any

class Malformed(Exception): """The file breaks the format."""
class NotProved(Exception): """Some statement is not proved."""
class Outside(Exception): """A box holds no point of the region."""

# 1. Numbers: intervals (lo, hi) of whole multiples of 2^-P; every operation rounds outwards. An end
# beyond BIG becomes INF (no bound), or stays at BIG where that is a bound; INF is so large that sums
# and products keep it beyond BIG, and INF * 0 = 0, as is right for ends of sets of finite numbers.
P = 192
ONE, BIG, INF = 1 << P, 1 << 2000, 1 << 4000
ALL = -INF, INF

def clip(lo, hi):
    if lo >= -BIG and hi <= BIG: return lo, hi
    return (-INF if lo < -BIG else min(lo, BIG)), (INF if hi > BIG else max(hi, -BIG))
def near(q): return (q.numerator << P) // q.denominator, -((-q.numerator << P) // q.denominator)
def both(x, y): return max(x[0], y[0]), min(x[1], y[1])
def hull(x, y): return min(x[0], y[0]), max(x[1], y[1])
def plus(*xs): return clip(sum(x[0] for x in xs), sum(x[1] for x in xs))
def times(x, y):
    ends = x[0] * y[0], x[0] * y[1], x[1] * y[0], x[1] * y[1]
    return clip(min(ends) >> P, -(-max(ends) >> P))
def power(x, p):
    if p == 1: return x
    lo, hi = x
    if p < 0:
        if lo <= 0 <= hi: raise NotProved("division by a number that may be zero")
        lo, hi, p = ONE * ONE // hi, -(-ONE * ONE // lo), -p
    if p % 2 == 0: lo, hi = max(0, lo, -hi), max(-lo, hi)
    return clip(lo**p >> P * (p - 1), -(-(hi**p) >> P * (p - 1)))
def root(x, q):
    if q != 2: return any_power(x, near(Q(1, q)))
    if x[0] < 0: raise NotProved("the root of a number that may be negative")
    return isqrt(x[0] << P), INF if x[1] == INF else x[1] and isqrt((x[1] << P) - 1) + 1
def any_power(x, y):  # x^y = exp(y log x) for x > 0, and for x >= 0 where y > 0
    if x[0] < 0 or x[0] == 0 >= y[0]: raise NotProved("a power of a number that may be negative")
    lo, hi = FUNCTIONS["exp"](times(y, FUNCTIONS["log"]((max(x[0], 1), max(x[1], 1)))))
    return (lo if x[0] else 0), hi

# 2. Functions at a point x, which is exact; monotone ones are then taken at an interval's ends.
def series(t, x, ratio):
    """Enclose t_0 + t_1 + ..., where t_0 = t and t_(n+1) = t_n x p/q with p, q = ratio(n).

    |x p/q| must fall below 1/2 and stay there: then all that follows a term is at most that term.
    ``lost`` bounds the error of the rounded t: it is multiplied as t is, and floors lose below 1.
    """
    total = error = lost = n = 0
    while True:
        total, error, (p, q) = total + t, error + lost, ratio(n)
        if abs(t) <= lost + 1 and 2 * abs(x) * p <= q << P: break
        t, lost, n = (t * x * p >> P) // q, (lost * abs(x) * p >> P) // q + 2, n + 1
    return total - error - abs(t) - lost, total + error + abs(t) + lost
def odd(n): return 2 * n + 1, 2 * n + 3
def arctangent(k, sign):  # atanh(1/k) for sign 1, atan(1/k) for sign -1
    lo, hi = series(ONE, sign * ONE, lambda n: (2 * n + 1, k * k * (2 * n + 3)))
    return lo // k, -(-hi // k)
LN2 = times(near(2), arctangent(3, 1))
PI = plus(times(near(16), arctangent(5, -1)), times(near(-4), arctangent(239, -1)))
def exp(x):
    k, r = divmod(x, LN2[0])  # x = k ln 2 + r, up to |k| times the width of LN2
    if k > 1700 or k < -P: return (BIG, INF) if k > 0 else (0, 1)
    slack = 3 * (abs(k) * (LN2[1] - LN2[0]) // 256 + 2)  # the slope of exp(r / 256) is below 3
    lo, hi = series(ONE, r >> 8, lambda n: (1, n + 1))
    lo, hi = lo - slack, hi + slack
    for _ in range(8): lo, hi = lo * lo >> P, -(-hi * hi >> P)
    return (lo << k, hi << k) if k >= 0 else (lo >> -k, -(-hi >> -k))
def log(x):  # x = 2^k (1 - y) / (1 + y), 0 <= y <= 1/3; floors of y, y^2 move atanh y by below 2
    if x <= 0: raise NotProved("the logarithm of a number that may be zero or negative")
    top, k = 1 << x.bit_length(), x.bit_length() - P
    y = (top - x << P) // (top + x)
    lo, hi = series(y, y * y >> P, odd)
    return plus(times(near(k), LN2), (-2 * hi - 4, -2 * lo))
def wave(x, quarter):  # sin(x + quarter pi/2), extreme at ends of x and multiples m pi/2 inside
    first, last = -(-2 * x[0] // PI[x[0] > 0]), 2 * x[1] // PI[x[1] < 0]
    if last - first > 2: return -ONE, ONE
    found = [((0, ONE, 0, -ONE)[(m + quarter) % 4],) * 2 for m in range(first, last + 1)]
    for e in x:
        k = (4 * e + PI[0]) // (2 * PI[0])  # e = k pi/2 + r with |r| < 0.8
        r, cosine, slack = (2 * e - k * PI[0]) // 2, (k + quarter) % 2, abs(k) * (PI[1] - PI[0]) + 4
        lo, hi = series(ONE if cosine else r, -(r * r >> P),
                        lambda n, c=cosine: (1, (2 * n + 2 - c) * (2 * n + 3 - c)))
        lo, hi = (lo, hi) if (k + quarter) % 4 < 2 else (-hi, -lo)
        found.append((max(lo - slack, -ONE), min(hi + slack, ONE)))
    return reduce(hull, found)
def atan(x):
    for _ in range(3):  # atan x = 2 atan(x / (1 + sqrt(1 + x^2))); each division is off by below 3
        x = (x << P) // (ONE + isqrt(ONE * ONE + x * x))
    lo, hi = series(x, -(x * x >> P), odd)
    return 8 * lo - 64, 8 * hi + 64
def erf(x):  # 2 / (sqrt(pi) exp(x^2)) times the sum of 2^n x^(2n+1) / (2n+1)!!: nothing cancels
    if x < 0: return -erf(-x)[1], -erf(-x)[0]
    if x > 12 * ONE: return ONE - 1, ONE  # 1 - erf(12) < exp(-144) < 2^-P
    z, scale = x * x >> P, 2 * ONE * ONE
    lo, hi = (series(x, s, lambda n: (2, 2 * n + 3))[s - z] for s in (z, z + 1))
    return (lo * scale // ((isqrt(PI[1] << P) + 1) * exp(z + 1)[1]),
            min(ONE, hi * scale // (isqrt(PI[0] << P) * exp(z)[0]) + 1))
def rising(f, low, high):  # on intervals, with the limits at minus and plus infinity
    at = lru_cache(1 << 15)(f if callable(f) else lambda x: value(formula(f), {0: (x, x)}))
    return lambda x: clip(low if x[0] == -INF and low is not None else at(x[0])[0],
                          high if x[1] == INF else at(x[1])[1])

TAN, COSH = rising("sin(x) / cos(x)", None, INF), rising("(exp(x) + exp(-x)) / 2", None, INF)
FUNCTIONS = {
    "pi": lambda: PI, "e": lambda: exp(ONE), "power": any_power, "exp": rising(exp, 0, INF),
    "log": rising(log, None, INF), "sin": lambda x: wave(x, 0), "cos": lambda x: wave(x, 1),
    "tan": lambda x: power(wave(x, 1), -1) and TAN(x),  # where the cosine has no zero
    "arctan": rising(atan, -PI[1], PI[1]), "tanh": rising("1 - 2 / (exp(2 * x) + 1)", -ONE, ONE),
    "erf": rising(erf, -ONE, ONE), "sinh": rising("(exp(x) - exp(-x)) / 2", -INF, INF),
    "cosh": lambda x: COSH(FUNCTIONS["absolute"](x)), "softplus": rising("log(1 + exp(x))", 0, INF),
    "expm1": rising("exp(x) - 1", -ONE, INF), "log1p": rising("log(1 + x)", None, INF),
    "arcsin": rising("2 * arctan(x / (1 + (1 - x**2)**0.5))", None, INF),
    "arccos": lambda x: plus(times(near(Q(1, 2)), PI), times(near(-1), FUNCTIONS["arcsin"](x))),
    "arcsinh": rising("log(((1 + x**2)**0.5 + x) / ((1 + x**2)**0.5 - x)) / 2", -INF, INF),
    "absolute": lambda x: (max(0, x[0], -x[1]), max(-x[0], x[1])),
    "maximum": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "minimum": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    # Slopes of kinked functions are, at the kink, everything between those of both sides (Clarke).
    "step": lambda x: (ONE * (x[0] > 0), ONE * (x[1] >= 0)),
    "sign": lambda x: (ONE if x[0] > 0 else -ONE, -ONE if x[1] < 0 else ONE),
    "where": lambda x, y, z: x if z[0] > 0 else y if z[1] < 0 else hull(x, y),
}
KINKS = {"absolute", "maximum", "minimum", "step", "sign", "where"}
PARTIAL = {"^", "power", "power_log", "log", "log1p", "tan", "arcsin", "arccos"}
SLOPES = {  # of each function by its operands x, y, z
    "exp": ["exp(x)"], "log": ["1 / x"], "sin": ["cos(x)"], "cos": ["-sin(x)"], "cosh": ["sinh(x)"],
    "sinh": ["cosh(x)"], "tan": ["1 + tan(x)**2"], "tanh": ["1 - tanh(x)**2"], "expm1": ["exp(x)"],
    "arcsin": ["(1 - x**2)**-0.5"], "arccos": ["-(1 - x**2)**-0.5"], "arctan": ["1 / (1 + x**2)"],
    "arcsinh": ["(1 + x**2)**-0.5"], "erf": ["2 * pi()**-0.5 * exp(-x**2)"], "sign": ["0"],
    "log1p": ["1 / (1 + x)"], "softplus": ["(1 + tanh(x / 2)) / 2"], "absolute": ["sign(x)"],
    "maximum": ["step(x - y)", "1 - step(x - y)"], "minimum": ["step(y - x)", "1 - step(y - x)"],
    "power": ["y * power(x, y - 1)", "power(x, y) * log(x)"], "step": ["0"], "unit": ["1"],
    "where": ["", "", ""], "pi": [], "e": [],
}

# 3. Terms: {monomial: coefficient}, a monomial being sorted pairs (generator, exponent). Generators
# are symbols, functions of terms, roots, and "units": sums taken as one factor. What is written
# factored has tighter ranges; only `expanded` multiplies sums out. Equal generators are one number.
KINDS, SYMBOLS, INDEX, MEMO = [], [], {}, {}  # (operator, operands), and symbols, of each generator

def generator(op, *args):
    key = op, *(tuple(sorted(a.items())) if isinstance(a, dict) else a for a in args)
    if key not in INDEX:
        own = frozenset([len(KINDS)] if op == "symbol" else [])
        SYMBOLS.append(own.union(*(symbols(a) for a in args if isinstance(a, dict))))
        INDEX[key] = len(KINDS)
        KINDS.append((op, args))
    return INDEX[key]
def symbols(t): return frozenset().union(*(SYMBOLS[g] for m in t for g, _ in m))
def number(c): return {(): Q(c)} if c else {}
def single(g, e=1): return {((g, e),): Q(1)}
def scaled(t, c): return {m: d * c for m, d in t.items()} if c else {}
def minus(s, t): return add(s, scaled(t, -1))
def add(*terms):
    found = {}
    for t in terms:
        for m, c in t.items(): found[m] = found.get(m, 0) + c
    return {m: c for m, c in found.items() if c}
def monomial(factors, c):
    """c times powers of generators; exp(p)^a exp(q)^b is exp(a p + b q), and sqrt(p)^2 is p."""
    powers = {}
    for g, e in factors: powers[g] = powers.get(g, 0) + e
    exps = [g for g, e in powers.items() if KINDS[g][0] == "exp" and e]
    if len(exps) > 1 or any(powers[g] != 1 for g in exps):
        inner = add(*(scaled(KINDS[g][1][0], powers.pop(g)) for g in exps))
        if inner: powers[generator("exp", inner)] = 1
    for g in [g for g, e in powers.items() if KINDS[g][0] == "root" and abs(e) >= KINDS[g][1][0]]:
        (q, inner), e = KINDS[g][1], powers.pop(g)
        m, d = factored(inner)
        return monomial([*powers.items(), (g, e % q), *((h, k * (e // q)) for h, k in m)], c * d ** (e // q))
    m = tuple(sorted((g, e) for g, e in powers.items() if e))
    if len(m) == 1 and m[0][1] == 1 and KINDS[m[0][0]][0] == "unit": return scaled(KINDS[m[0][0]][1][0], c)
    return {m: c}
def factored(t):
    """t as a monomial and a number: a sum becomes a unit, its first coefficient made 1."""
    if len(t) == 1: return next(iter(t.items()))
    return ((generator("unit", scaled(t, 1 / t[min(t)])), 1),), t[min(t)]
def mul(*terms):
    if not all(terms): return {}
    parts = [factored(t) for t in terms]
    return monomial((f for m, _ in parts for f in m), reduce(Q.__mul__, (c for _, c in parts)))
def raised(t, k):
    if not t and k <= 0: raise NotProved("division by zero")
    if not t or k == 0: return number(int(k == 0))
    if k.denominator > 1: return monomial([(generator("root", k.denominator, t), k.numerator)], Q(1))
    m, c = factored(t)
    return monomial(((g, e * k.numerator) for g, e in m), c**k.numerator)
def to_power(x, y): return raised(x, y.get((), Q(0))) if {*y} <= {()} else apply("power", x, y)
def apply(op, *args): return OPERATIONS[op](*args) if op in OPERATIONS else single(generator(op, *args))
OPERATIONS = {"+": add, "*": mul, "^": to_power, "power": to_power, "power_log": lambda x, y:
              mul(to_power(x, y), apply("log", x))}

def multiplied(s, t):
    if len(s) * len(t) > 200_000: raise NotProved("multiplying out gives too many terms")
    if s.keys() == t.keys() == {()}: return {(): s[()] * t[()]}
    return add(*(monomial(m + n, c * d) for m, c in s.items() for n, d in t.items()))
def cleared(t):
    """A monomial of negative powers, and t divided by it."""
    lowest = {}
    for g, e in (f for m in t for f in m): lowest[g] = min(lowest.get(g, 0), e)
    lift = tuple((g, -e) for g, e in lowest.items())
    return monomial(lowest.items(), Q(1)), add(*(monomial(m + lift, c) for m, c in t.items()))
def expanded(t, whole=False):
    """t with its sums multiplied out; with whole, t times its denominators, and sin^2 = 1 - cos^2.

    If that is empty, t vanishes wherever it is defined.
    """
    if whole: t = cleared(t)[1]
    def sums(g, e):
        op, args = KINDS[g]
        if op == "unit" and e > 0: return args * e
        sine = op == "sin" and e > 1 and whole
        return [minus(number(1), single(generator("cos", *args), 2)), single(g, e - 2)] if sine else []
    parts = []
    for m, c in t.items():
        part = monomial((f for f in m if not sums(*f)), c)
        for other in (s for f in m for s in sums(*f)): part = multiplied(part, other)
        parts.append(part)
    found = add(*parts)
    return found if found == t else expanded(found, whole)
def vanishes(t): return not expanded(t, whole=True)

def derivative(t, s):
    return add(*(mul(monomial([*m, (g, -1)], c * e), slope(g, s))
                 for m, c in t.items() for g, e in m if s in SYMBOLS[g]))
def slope(g, s):
    if (g, s) not in MEMO:
        op, args = KINDS[g]
        if op == "root": op, args = "power", (args[1], number(Q(1, args[0])))
        named, texts = dict(zip("xyz", args)), SLOPES.get(op, [])
        if op == "power" and not symbols(args[1]): texts = ["y * x**(y - 1)", "0"]
        if op == "where": MEMO[g, s] = apply(op, derivative(args[0], s), derivative(args[1], s), args[2])
        else: MEMO[g, s] = number(1) if op == "symbol" else add(*(
            mul(infix(text, **named), derivative(a, s)) for text, a in zip(texts, args) if s in symbols(a)))
    return MEMO[g, s]
def put(t, table):
    """t with symbols replaced by terms."""
    def of(g):
        op, args = KINDS[g]
        if g not in table and SYMBOLS[g] & table.keys():
            inner = [put(a, table) if isinstance(a, dict) else a for a in args]
            table[g] = (inner[0] if op == "unit" else raised(inner[1], Q(1, inner[0])) if op == "root"
                        else apply(op, *inner))
        return table.get(g, single(g))
    return add(*(mul(number(c), *(raised(of(g), Q(e)) for g, e in m)) for m, c in t.items()))

@lru_cache(None)
def parsed(text): return ast.parse(text, mode="eval").body
def infix(text, **names):
    """A term of this file's own tables."""
    def build(e):
        if isinstance(e, ast.BinOp):
            return {ast.Add: add, ast.Sub: minus, ast.Mult: mul, ast.Pow: to_power, ast.Div:
                    lambda x, y: mul(x, raised(y, Q(-1)))}[type(e.op)](build(e.left), build(e.right))
        if isinstance(e, ast.UnaryOp): return scaled(build(e.operand), -1)
        if isinstance(e, ast.Call): return apply(e.func.id, *map(build, e.args))
        return names[e.id] if isinstance(e, ast.Name) else number(Q(e.value))
    return build(parsed(text))
X = apply("symbol", "x")  # generator 0
@lru_cache(None)
def formula(text): return infix(text, x=X)

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,3999})(/[1-9][0-9]{0,3999})?")
def read(data, names, needs):
    """The term that the file writes as a number, a name, or [operator, operands...].

    Operations that are not defined everywhere are noted among the needs, as they are written: what
    cancels later, as in x / x, must be defined all the same.
    """
    if isinstance(data, str):
        needs.update(MEMO.get(("needs", data), ()))
        if data in names: return names[data]
        if not NUMBER.fullmatch(data): raise Malformed(f"{data!r} is no number and no name")
        return number(Q(data))
    op, *rest = data
    if op == "piecewise": return pieces(rest, names, needs)
    args, count = [read(part, names, needs) for part in rest], len(SLOPES.get(op, "  "))
    if op not in {*FUNCTIONS, *OPERATIONS} - {"where"} or (len(args) != count and not (op in "+*" and len(args) > 2)):
        raise Malformed(f"{op!r} with {len(args)} operands is no operation")
    t = apply(op, *args)
    if op in PARTIAL and not (op == "^" and isinstance(rest[1], str) and rest[1].isdigit()):
        needs.add(tuple(t.items()))
    return t
def pieces(pairs, names, needs):
    """Two pieces that agree where their condition changes, by solving for a symbol linear in it."""
    sign = {"less": -1, "less_equal": -1, "greater": 1, "greater_equal": 1}.get(pairs[0][1][0])
    if len(pairs) != 2 or sign is None: raise NotProved("a piecewise term of another kind than x if a < b else y")
    (first, (_, left, right)), (second, condition) = pairs
    x, y, left, right = (read(part, names, needs) for part in (first, second, left, right))
    border = scaled(minus(left, right), sign)
    for s in symbols(border) if condition == ["true"] else ():
        d = derivative(border, s)
        if {*d} == {()} and vanishes(put(minus(x, y), {s: minus(single(s), scaled(border, 1 / d[()]))})):
            return apply("where", x, y, border)
    raise NotProved("a piecewise term is not proved continuous where its condition changes")
def read_terms(data, names, key="terms", needs=None):
    names, needs = dict(names), set() if needs is None else needs
    for name, term in data["let"]:
        if name in names or not name.startswith("$"): raise Malformed(f"{name!r} is bound twice, or without $")
        own = MEMO["needs", name] = set()
        names[name] = read(term, names, own)
    found = [read(t, names, needs) for t in data[key]]
    for name, _ in data["let"]: MEMO.pop(("needs", name), None)
    return found

# 4. Ranges on boxes. A box maps symbols to intervals, and keeps the generators evaluated on it;
# under "linear" it has bounds of linear terms, which cut the natural ranges of these terms.
def value(t, box):
    """The natural interval extension."""
    x = plus((0, 0), *(near(c) if not m else of_monomial(m, box) if c == 1 else
                       times(of_monomial(m, box), near(c)) for m, c in t.items()))
    for form, limit in box.get("linear", ()):
        c = t.get(min(form), 0) / form[min(form)]
        if c and (rest := minus(t, scaled(form, c))).keys() <= {()}:
            x = both(x, plus(times(near(c), limit), near(rest.get((), Q(0)))))
    if x[0] > x[1]: raise Outside
    return x
def of_monomial(m, box): return reduce(times, [power(on(g, box), e) for g, e in m])
def on(g, box):
    if g not in box:
        op, args = KINDS[g]
        if op == "unit": box[g] = value(args[0], box)
        elif op == "root": box[g] = root(value(args[1], box), args[0])
        else: box[g] = FUNCTIONS[op](*[value(a, box) for a in args])
    return box[g]
def slope_range(t, s, box):
    """The range of dt/ds as the chain rule writes it, and over one denominator."""
    key = s, *sorted(t.items())
    if key not in MEMO:
        d = derivative(t, s)
        under, above = cleared(d)
        MEMO[key] = d, under, expanded(above)
    d, under, above = MEMO[key]
    return both(value(d, box), times(value(above, box), value(under, box)))
def spread(t, box):
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
            for ends, up, down in ((low, d[1] <= 0, d[0] >= 0), (high, d[0] >= 0, d[1] <= 0)):
                if up and hi < INF: ends[s] = hi, hi
                elif down and lo > -INF: ends[s] = lo, lo
            middle = (lo + hi) // 2 if lo > -INF and hi < INF else max(lo, min(hi, 0))
            centre[s] = middle, middle
            mean.append(times(d, clip(lo - middle, hi - middle)))
        found = both(found, (value(t, low)[0], value(t, high)[1]))
        return both(found, plus(value(t, centre), *mean))
    except NotProved: return found  # undefined somewhere, or too long: these forms say nothing
def below(t):  # all generators that a term is made of
    found, stack = set(), [g for m in t for g, _ in m]
    while stack:
        g = stack.pop()
        if g not in found: stack += [h for a in KINDS[g][1] if isinstance(a, dict) for m in a for h, _ in m]
        found.add(g)
    return found

# 5. Matrices {(i, j): entry}. The tests (positive semidefinite; dominated by one entry in each row)
# hold on closed convex cones, and a matrix is affine in each atom: the factors of a monomial that
# share their symbols. So it passes on a box of atoms when it passes at the corners.
def form_of(matrix):
    """{atoms multiplied: {place: integer}}: the matrix times a positive integer."""
    form = {(): dict.fromkeys(matrix, Q(0))}
    for place, t in matrix.items():
        for m, c in expanded(t).items():
            groups = {}
            for f in m: groups[SYMBOLS[f[0]]] = *groups.get(SYMBOLS[f[0]], ()), f
            entries = form.setdefault(tuple(sorted(groups.values())), {})
            entries[place] = entries.get(place, 0) + c
    scale = lcm(*(c.denominator for entries in form.values() for c in entries.values()))
    return {a: {place: int(c * scale) for place, c in entries.items()} for a, entries in form.items()}
def enclosure(form, ranges):
    """The matrix over a box of atoms, in some common unit; exact where the atoms are points."""
    degree, found = max(map(len, form)), dict.fromkeys(form[()], (0, 0))
    for atoms, entries in form.items():
        x = (ONE ** (degree - len(atoms)),) * 2
        for y in (ranges[a] for a in atoms):
            ends = x[0] * y[0], x[0] * y[1], x[1] * y[0], x[1] * y[1]
            x = min(ends), max(ends)
        for place, c in entries.items():
            lo, hi = found[place]
            found[place] = lo + c * x[c < 0], hi + c * x[c >= 0]
    return found
def passes(form, ranges, test, strict):
    """Whether the matrix passes the test for all values of the atoms in their ranges."""
    used = {a: ranges[a] for atoms in form for a in atoms}
    for a, (lo, hi) in used.items():
        if lo == -INF or hi == INF:
            # T(e + t) = T(e) + t T' for t >= 0 passes when T(e) and T' do: sums stay in the cone.
            e = lo if lo > -INF else hi if hi < INF else 0
            fixed = ranges | {a: (e, e)}
            zero = dict.fromkeys(form[()], 0)
            rays = ({(): zero} | {
                tuple(b for b in atoms if b != a): zero | {k: sign * c for k, c in entries.items()}
                for atoms, entries in form.items() if a in atoms} for sign in (1, -1) if (hi, -lo)[sign < 0] == INF)
            return passes(form, fixed, test, strict) and all(passes(r, fixed, test, False) for r in rays)
    moving, around = [a for a, (lo, hi) in used.items() if lo < hi], enclosure(form, ranges)
    if test(around, strict): return True
    if len(moving) > 12:  # T(lo + t) = T(lo) + t T' again: where T' or -T' passes, one end decides
        zero, kept = dict.fromkeys(form[()], 0), dict(ranges)
        for a in moving:
            (own, slope), *more = [pair for pair in form.items() if a in pair[0]]
            for sign, e in ((1, used[a][0]), (-1, used[a][1])) if own == (a,) and not more else ():
                if passes({(): zero | {k: sign * c for k, c in slope.items()}}, {}, test, False): kept[a] = (e, e)
        if kept != ranges: return passes(form, kept, test, strict)
    if 0 < len(moving) <= 12:
        return all(test(enclosure(form, ranges | {a: (e, e) for a, e in zip(moving, c)}), strict)
                   for c in every(*(ranges[a] for a in moving)))
    n = 1 + max((i for i, _ in around), default=0)
    # x^T (C + D) x is least over |D| <= R at D = -s R s, s the signs of x.
    return n < 11 and bool(moving) and test is positive and all(
        positive({(i, j): (e[s[i] != s[j]],) * 2 for (i, j), e in around.items()}, strict)
        for s in every((0, 1), repeat=n) if not s[0])
def positive(entries, strict):
    """Whether all symmetric matrices in the entries (i <= j) are positive semidefinite (definite)."""
    rows, radius = {}, {}
    for (i, j), (lo, hi) in entries.items():
        if i == j and lo < strict: return False
        for table, entry in ((rows, lo + hi), (radius, hi - lo)):
            if entry: table.setdefault(i, {})[j] = table.setdefault(j, {})[i] = entry
    if any(row.get(i, 0) <= 0 for i, row in rows.items()) or radius.keys() - rows.keys(): return False
    # |x^T D x| <= sum x_i^2 (R v)_i / v_i for |D| <= R and any v > 0: the diagonal pays for the
    # radius. A few steps of power iteration bring v near the best, the Perron vector.
    top = max((row[i] for i, row in rows.items()), default=0)
    v = {i: isqrt((top << 128) // rows[i][i]) for i in radius}
    for steps in (0, 6) if radius else (0,):
        for _ in range(steps):
            u = {i: (sum(r * v[j] for j, r in row.items()) << 64) // rows[i][i] for i, row in radius.items()}
            t = 1 + max(u[i] // v[i] for i in v)
            v = {i: v[i] * t + u[i] for i in v}
        lowered = {i: dict(row) for i, row in rows.items()}
        for i, row in radius.items(): lowered[i][i] += sum(r * v[j] for j, r in row.items()) // -v[i]
        # Floors move entries by below 1, hence x^T A x by at most n |x|^2 a step: the diagonal pays
        # for that, too. What fails by a hair's breadth is decided in fractions.
        large = {i: {j: a << 64 for j, a in row.items()} for i, row in lowered.items()}
        if eliminates(large, int.__floordiv__, 1, strict): return True
    above = {i: {j: (a << 64) + (i == j) * (a << 34) for j, a in row.items()} for i, row in lowered.items()}
    return eliminates(above, int.__floordiv__, 0, strict) and eliminates(
        {i: {j: Q(a) for j, a in row.items()} for i, row in lowered.items()}, Q.__truediv__, 0, strict)
def eliminates(rows, divide, loss, strict):
    """Whether all pivots are positive, or zero in a zero row; sparsest row first."""
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
def dominated(weights, own):
    """sum_j |T_ij| w_j <= b w_i; b stands at (i, -1), or with own b - T_ii at (i, i)."""
    def test(entries, _):
        left = dict.fromkeys(range(len(weights)), 0)
        for (i, j), (lo, hi) in entries.items():
            left[i] += lo * weights[i] if j == (i if own else -1) else -max(-lo, hi) * weights[j]
        return min(left.values()) >= 0
    return test

def identity(n): return {(i, i): number(1) for i in range(n)}
def transposed(A): return {(j, i): t for (i, j), t in A.items()}
def shifted(A, rows, columns): return {(i + rows, j + columns): t for (i, j), t in A.items()}
def combined(*pairs):  # the sum of c A for pairs (c, A)
    places = {place: [] for _, A in pairs for place in A}
    for c, A in pairs:
        for place, t in A.items(): places[place].append(scaled(t, c))
    return {place: t for place, parts in places.items() if (t := add(*parts))}
def dot(A, *rest):
    if not rest: return A
    B, rows, sums = dot(*rest), {}, {}
    constant, p, q = all({*t} == {()} for X in (A, B) for t in X.values()), 1, 1
    if constant:  # in integers, which is faster
        p, q = (lcm(*(t[()].denominator for t in X.values())) for X in (A, B))
        A, B = ({place: int(t[()] * s) for place, t in X.items()} for X, s in ((A, p), (B, q)))
    for (k, j), t in B.items(): rows.setdefault(k, []).append((j, t))
    for (i, k), s in A.items():
        for j, t in rows.get(k, ()):
            if constant: sums[i, j] = sums.get((i, j), 0) + s * t
            else: sums.setdefault((i, j), []).append(multiplied(s, t))
    found = {place: number(Q(x, p * q)) if constant else add(*x) for place, x in sums.items()}
    return {place: t for place, t in found.items() if t}
def upper(A, n): return {(i, i): {} for i in range(n)} | {(i, j): t for (i, j), t in A.items() if i <= j}
def gain(b, M_in, m, M, n, MJ):  # [[b M_in, J^T M], [M J, b M]], that is |J z|_M <= b |z|_M_in
    return upper(combined((b, M_in), (b, shifted(M, m, m)), (1, shifted(transposed(MJ), 0, m))), m + n)
def determinant(A, n):  # by rows, over the sets of columns used
    minors = {0: number(1)}
    for i in range(n):
        larger = {}
        for used, t in minors.items():
            for j in (j for j in range(n) if not used >> j & 1 and (i, j) in A):
                part = scaled(multiplied(t, A[i, j]), -1 if (used >> j).bit_count() % 2 else 1)
                larger[used | 1 << j] = add(larger.get(used | 1 << j, {}), part)
        minors = larger
    return expanded(minors.get((1 << n) - 1, {}))

# 6. Leaves: a statement is proved on every leaf of its cuts of the region.
def fields(data, required, optional="") -> Any:
    """The values of an object with these keys and no others."""
    names = [*required.split(), *optional.split()]
    if not isinstance(data, dict) or not {*required.split()} <= {*data} <= {*names}:
        raise Malformed(f"expected the keys {names}, got {list(data)}")
    return [data.get(name) for name in names]
def real(x):
    if type(x) not in (int, Q) or Q(float(x)) != x: raise Malformed(f"{x!r} is no double")
    return Q(x)
def end(x): return {"inf": (INF, INF), "-inf": (-INF, -INF)}[x] if isinstance(x, str) else near(real(x))
def dense(rows, n, m):
    if len(rows) != n or any(len(row) != m for row in rows): raise Malformed(f"expected a matrix {n} x {m}")
    return {(i, j): number(real(x)) for i, row in enumerate(rows) for j, x in enumerate(row) if x}
def metric(data, n):
    M = dense(data, n, n) if isinstance(data, list) else data
    if transposed(M) != M or not passes(form_of(upper(M, n)), {}, positive, True):
        raise NotProved("a metric is not symmetric and positive definite")
    return M

class Region:
    """A box of all symbols, cut by constraints; what is proved on its leaves."""
    def __init__(self, data, names):
        self.data, self.report, self.lemmas, self.guards, self.needs = data, [], {}, [], set()
        sides, linear, balls = fields(data, "sides", "linear balls")
        if [name for name, _, _ in sides] != [*names]: raise Malformed("region: one side for each symbol")
        self.sides = [(end(lo)[0], end(hi)[1]) for _, lo, hi in sides]
        if any(lo > hi or lo == INF or hi == -INF for lo, hi in self.sides): raise Malformed("region: an empty side")
        self.names, self.linear, self.balls = names, [], []
        self.symbols = [next(iter(t))[0][0] for t in names.values()]
        for row, lo, hi in linear or []:
            t = add(*(scaled(names[name], real(c)) for name, c in row))
            self.linear.append((t, (end(lo)[0], end(hi)[1])))
        for own, centre, radius, M in (fields(b, "names center radius", "metric") for b in balls or []):
            shifts = enumerate(zip(own, centre, strict=True))
            z = {(i, 0): minus(names[s], number(real(c))) for i, (s, c) in shifts}
            N = metric(M or identity(len(own)), len(own))
            self.balls.append((dot(transposed(z), N, z).get((0, 0), {}), (0, near(real(radius) ** 2)[1])))
    def box(self, sides):
        box = dict(zip(self.symbols, sides, strict=True))
        for t, limit in self.linear + self.balls:
            x = value(expanded(t), box)
            if x[0] > limit[1] or x[1] < limit[0]: raise Outside
        box = {s: box[s] for s in self.symbols} | ({"linear": [r for r in self.linear if len(r[0]) > 1]} if self.linear else {})
        for kind, t in self.guards:
            lo, hi = value(t, box)
            if not {"positive": lo > 0, "nonnegative": lo >= 0, "nonzero": lo > 0 or hi < 0}[kind]:
                raise NotProved(f"the system may be undefined: a term is not proved {kind}")
        for t in self.needs: value(dict(t), box)  # raises where an operation may leave its domain
        return box
    def leaves(self, cuts, sides):
        """The leaves of a tree of cuts in preorder; they cover the box by construction."""
        stack = [sides]
        for cut in cuts:
            if not stack: raise Malformed("cuts: the tree goes on after its last leaf")
            sides = stack.pop()
            if cut is None: yield sides
            else:
                axis, (left, right) = cut[0], near(real(cut[1]))
                (lo, hi) = sides[axis]
                if type(axis) is not int or axis < 0 or left < lo or right > hi or len(cut) != 2:
                    raise Malformed(f"cuts: {cut} does not cut its box")
                stack += [[*sides[:axis], part, *sides[axis + 1:]] for part in ((left, hi), (lo, right))]
        if stack: raise Malformed("cuts: the tree ends before its last leaf")
    def shown(self, sides):
        def text(e): return "inf" if e == INF else "-inf" if e == -INF else f"{float(Q(e, ONE)):.17g}"
        return ", ".join(f"{name} in [{text(lo)}, {text(hi)}]" for name, (lo, hi) in
                         zip(self.names, sides) if (lo, hi) != ALL) or "everywhere"
    def lemma(self, data):
        """The range of a term on the region's box, which is used on every leaf."""
        term, lower, upper_, cuts = fields(data, "term lower upper cuts")
        (t,), lo, hi = read_terms(term, self.names), end(lower)[0], end(upper_)[1]
        for sides in self.leaves(cuts, self.sides):
            x = spread(t, dict(zip(self.symbols, sides, strict=True)))
            if x[0] < lo or x[1] > hi: raise NotProved(f"the range of a term, where {self.shown(sides)}")
        for m, c in t.items() if len(t) == 1 else ():
            self.lemmas[m] = both(self.lemmas.get(m, ALL), times(near(1 / c), (lo, hi)))
    def proves(self, what, matrix, test, cuts, strict=False, start=None):
        form = form_of(matrix)
        atoms, count = {a: {a: Q(1)} for atoms in form for a in atoms}, 0
        for sides in self.leaves(cuts, start or self.sides):
            count += 1
            try:
                box = self.box(sides)
                ranges = {a: both(of_monomial(a, box), self.lemmas.get(a, ALL)) for a in atoms}
                if passes(form, ranges, test, strict): continue
                tighter = {a: both(ranges[a], spread(t, box)) for a, t in atoms.items()}
                if not passes(form, tighter, test, strict): raise NotProved("the test of the matrix fails")
            except Outside: continue
            except NotProved as fault:
                raise NotProved(f"{what}: leaf {count}, {self.shown(sides)}: {fault}") from None
        self.report.append(f"{what}: on all of {count} leaves")

# 7. Rules.
def check(data):
    """What is proved of a certificate, line by line; raises NotProved, Malformed or a lookup error."""
    name, version, claim, region, system, evidence = fields(data, "format version claim region system evidence")
    _, kind, bound, norm, *_ = fields(claim, "statement kind bound norm", "symbols input_norm horizontal trajectories")
    b, rule = real(bound), evidence["rule"]
    if (name, version) != ("riemannian-modules certificate", 2): raise Malformed("no certificate of version 2")
    if kind not in ("flow", "step", "map") or kind != "flow" and b < 0: raise Malformed(f"no claim: {kind}, {bound}")
    if kind != "map" and "input_norm" in claim: raise Malformed("an input_norm is for maps")
    names = {row[0]: apply("symbol", row[0]) for row in region["sides"]}
    R = Region(region, names)
    if "input_norm" in claim and norm["type"] != "l2": raise Malformed("an input_norm goes with a norm of type l2")
    if rule == "slopes" and {"horizontal", "trajectories"} & {*claim}: raise NotProved("slopes prove no such claim")
    if rule == "slopes": slopes(R, b, kind, claim, system, evidence)
    else: expressions(R, b, kind, claim, system, evidence)
    what = {"flow": "d|z|/dt <= {} |z|", "step": "|z+| <= {} |z|", "map": "|dy| <= {} |du|"}[kind]
    shape = ", ".join(f"{key} {json.dumps(v, default=float):.80}" for key, v in norm.items() if "terms" not in key)
    also = "".join(f", {key}" for key in ("linear", "balls") if key in region)
    return [f"claim: {kind}, {what.format(float(b))}, norm {shape}; where {R.shown(R.sides)}{also}", *R.report]

def expressions(R, b, kind, claim, system, evidence):
    _, groups, _, _, _, guards = fields(system, "type symbols let dx y guards")
    state, inputs, parameters = fields(groups, "state inputs parameters")
    if [*R.names] != state + inputs + parameters or any(NUMBER.fullmatch(s) or s[:1] in ("", "$") for s in R.names):
        raise Malformed("the names of symbols differ from those of the region, or are none")
    dx = read_terms(system, R.names, "dx", set() if kind == "map" else R.needs)
    y = read_terms(system, R.names, "y", R.needs if kind == "map" else set())
    terms = read_terms(system | {"guards": [t for _, t in guards]}, R.names, "guards")
    R.guards = [(k, t) for (k, _), t in zip(guards, terms)]
    f, variables = (y, inputs) if kind == "map" else (dx, state)
    if system["type"] != "expressions" or len(dx) != len(state) or not f or not variables:
        raise Malformed("the system has no map, or a state of another size")
    if (kind == "map") == bool(state): raise Malformed("the system does not fit the claim")
    if any(KINDS[g][0] in ("step", "sign") for t in f for g in below(t)): raise NotProved("the map may jump")
    column = {next(iter(R.names[s]))[0][0]: j for j, s in enumerate(variables)}
    J = {(i, column[s]): derivative(t, s) for i, t in enumerate(f) for s in symbols(t) & column.keys()}
    n, m, norm, along = len(f), len(variables), claim["norm"], dict(zip(column, f))
    if "horizontal" in claim:
        rows, columns, sort = fields(claim["horizontal"], "L R kind")
        k = len(rows)
        L, back = dense(rows, k, n), dense(columns, n, k)
        rest = combined((1, identity(n)), (-1, dot(back, L)))
        Z = J if kind == "flow" else combined((1, J), (-1, identity(n)))  # what a step changes
        gap = {"conservation": (rest, Z), "symmetry": (Z, rest)}[sort]
        if dot(L, back) != identity(k) or not all(map(vanishes, dot(*gap).values())) or kind == "map":
            raise NotProved(f"horizontal: the {sort} is no identity of the system")
        J, n, m = dot(L, J, back), k, k
    if evidence["rule"] == "sos" and "horizontal" in claim: raise NotProved("squares prove no such claim")
    if evidence["rule"] == "network": network(R, b, kind, J, n, norm, evidence)
    elif evidence["rule"] == "sos": sos(R, b, kind, J, n, norm, evidence, along)
    elif norm["type"] in ("l1", "linf"): sums(R, b, kind, J, n, m, norm, evidence)
    elif "metric_terms" in norm or "factor_terms" in norm: field(R, b, kind, J, n, norm, evidence, along, inputs, parameters)
    else: constant(R, b, kind, J, n, m, norm, claim, evidence)
    if "trajectories" in claim: trajectories(R, b, kind, f, state, claim)

def equal(A, B): return all(map(vanishes, combined((1, A), (-1, B)).values()))
def given(R, evidence, key, own, rows, columns):
    """The matrix that the evidence writes in other terms, when it is proved to be our own."""
    if evidence.get(key) is None: return own
    other = square(R, evidence[key], rows, columns)
    if not equal(own, other): raise NotProved(f"evidence.{key} is another matrix")
    return other
def square(R, data, rows, columns):
    flat = read_terms(data, R.names, needs=R.needs)
    if len(flat) != rows * columns: raise Malformed(f"expected {rows * columns} terms")
    return {divmod(k, columns): t for k, t in enumerate(flat) if t}
def start(R, evidence):
    _, cuts, *_ = fields(evidence, "rule cuts", "matrix ranges congruence weight")
    if evidence["rule"] != "monolithic": raise NotProved(f"the rule {evidence['rule']!r} is not known here")
    for lemma in evidence.get("ranges") or (): R.lemma(lemma)
    return cuts
def sums(R, b, kind, J, n, m, norm, evidence):
    """l1 is the test of the transposed matrix: sum_i w_i |J_ij| <= b w_j."""
    w, cuts = [real(w) for w in fields(norm, "type weights")[1]], start(R, evidence)
    if len(w) != n or n != m or min(w) <= 0: raise Malformed(f"expected {n} positive weights")
    T = given(R, evidence, "matrix", transposed(J) if norm["type"] == "l1" else J, n, n)
    B = {(i, i if kind == "flow" else -1): number(b) for i in range(n)}
    R.proves("weighted sums are at most the bound", combined((1, B), (-1, T)), dominated(w, kind == "flow"), cuts)
def l2(norm, n):
    if norm["type"] != "l2": raise Malformed(f"a norm of type {norm['type']!r} is none of this rule")
    if "metric" in norm: return metric(fields(norm, "type metric")[1], n)
    _, size, entries = fields(norm, "type size entries")
    M = {(i, j): number(real(v)) for i, j, v in entries if v}
    if size != n or len({(i, j) for i, j, _ in entries}) < len(entries) or any(not 0 <= i <= j < n or {type(i), type(j)} != {int} for i, j, _ in entries):
        raise Malformed("a sparse metric has entries i <= j, each once")
    return metric(M | transposed(M), n)
def constant(R, b, kind, J, n, m, norm, claim, evidence):
    M, cuts = l2(norm, n), start(R, evidence)
    MJ = dot(M, J)
    if kind == "flow":
        S = given(R, evidence, "matrix", combined((1, MJ), (1, transposed(MJ))), n, n)
        return R.proves("2 b M - (M J + J^T M) >= 0", upper(combined((2 * b, M), (-1, S)), n), positive, cuts)
    N = l2(claim["input_norm"], m) if "input_norm" in claim else M if kind == "step" else identity(m)
    MJ = given(R, evidence, "matrix", MJ, n, m)
    return R.proves("[[b N, J^T M], [M J, b M]] >= 0", gain(b, N, m, M, n, MJ), positive, cuts)
def field(R, b, kind, J, n, norm, evidence, along, inputs, parameters):
    """A metric M(x), or M = Theta^T Theta: 2 b M - (Mdot + M J + J^T M) >= 0 and M > 0."""
    key, cuts = "metric_terms" if "metric_terms" in norm else "factor_terms", start(R, evidence)
    sort, terms, rates = fields(norm, "type " + key, "rates")
    if sort != "l2" or kind == "map": raise Malformed(f"a norm of type {sort!r} is none of this rule")
    A = square(R, terms, n, n)
    if any(KINDS[g][0] in KINKS for t in A.values() for g in below(t)): raise NotProved("the metric has kinks")
    M = A if key == "metric_terms" else dot(transposed(A), A)
    if transposed(M) != M: raise Malformed("the metric is not symmetric")
    if rates is not None:
        moved, rates = fields(rates, "names terms")[0], read_terms(rates["terms"], R.names)
        if not {*moved} <= {*inputs}: raise Malformed("rates are those of inputs")
        along = along | {next(iter(R.names[s]))[0][0]: t for s, t in zip(moved, rates, strict=True)}
    known = along.keys() | {next(iter(R.names[s]))[0][0] for s in parameters}
    if any(not symbols(t) <= known for t in M.values()): raise NotProved("the metric depends on inputs without rates")
    if kind == "step":
        if rates is not None or key == "factor_terms": raise NotProved("a step has no rates, and a metric M(x)")
        after = {p: put(t, dict(along)) for p, t in M.items()}
        R.needs |= {tuple(t.items()) for t in after.values()}
        R.proves("M(x) > 0", upper(M, n), positive, cuts, strict=True)
        R.proves("M(f) > 0", upper(after, n), positive, cuts, strict=True)
        MJ = given(R, evidence, "matrix", dot(after, J), n, n)
        return R.proves("[[b M, J^T M'], [M' J, b M']] >= 0", gain(b, M, n, after, n, MJ), positive, cuts)
    MJ, W = dot(M, J), combined((2, M))
    rates = [(1, {p: mul(derivative(t, s), rate) for p, t in M.items()}) for s, rate in along.items()]
    S = combined((1, MJ), (1, transposed(MJ)), *rates)
    if key == "factor_terms":
        F = square(R, evidence["matrix"], n, n)  # F + F^T, F = (Thetadot + Theta J) Theta^-1
        if not equal(S, dot(transposed(A), F, A)): raise NotProved("evidence.matrix is not F + F^T")
        det, S, W = determinant(A, n), F, combined((2, identity(n)))
        R.proves("det Theta is not zero", {(0, 0): multiplied(det, det)}, positive, cuts, strict=True)
    else:
        K = square(R, evidence["congruence"], n, n) if evidence.get("congruence") else identity(n)
        if determinant(K, n) not in (number(1), number(-1)): raise NotProved("evidence.congruence may be singular")
        S = given(R, evidence, "matrix", dot(transposed(K), S, K), n, n)
        W = given(R, evidence, "weight", dot(transposed(K), W, K), n, n)
        R.proves("M > 0", upper(W, n), positive, cuts, strict=True)
    return R.proves("2 b M - (Mdot + M J + J^T M) >= 0", upper(combined((b, W), (-1, S)), n), positive, cuts)

def sos(R, b, kind, J, n, norm, evidence, along):
    """2 b M - (Mdot + M J + J^T M) >= 0 (steps: b^2 M - J^T M(f) J) and w M >= margin I by squares.

    v^T T v = z^T G z + sum g z'^T G' z' with z_k = m_k(x) v_(i_k), G, G' >= 0, and g >= 0 on the box.
    """
    _, rate, definite, ranges = fields(evidence, "rule rate positive", "ranges")
    if kind == "map" or not n or "factor_terms" in norm: raise NotProved("squares are for metrics of a state")
    limits = []
    M = square(R, norm["metric_terms"], n, n) if "metric_terms" in norm else l2(norm, n)
    if "metric_terms" in norm and fields(norm, "type metric_terms", "rates")[2] is not None: raise NotProved("rates")
    if norm["type"] != "l2" or transposed(M) != M: raise Malformed("the metric is not symmetric, or no norm l2")
    if any(KINDS[g][0] in KINKS for t in M.values() for g in below(t)): raise NotProved("the metric has kinks")
    if any(not symbols(t) <= along.keys() for t in M.values()): raise NotProved("the metric depends on inputs")
    for term, lower, upper_, cuts in (fields(entry, "term lower upper cuts") for entry in ranges or ()):
        (t,) = read_terms(term, R.names, needs=R.needs)
        x = value(t, R.box(R.sides))
        if cuts != [None] or x[0] < end(lower)[1] or x[1] > end(upper_)[0]: raise NotProved("the range of a term")
        limits.append((t, lower, upper_))
    def gram(part, T, size, extra=""):
        """Whether a sum of squares is the matrix T; its parts are exact."""
        parts, shown = [(number(1), part)], {}
        for entry in part.get("multipliers") or ():
            (key, which), = fields(entry, "constraint rows basis gram")[0].items()
            t, lo, hi = limits[which] if key == "range" else next(
                (R.names[name], *sides) for name, *sides in R.data["sides"] if name == which)
            ends = [minus(t, number(real(lo)))] * (lo != "-inf") + [minus(number(real(hi)), t)] * (hi != "inf")
            if not ends or {key} - {"range", "side"} or type(which) not in (int, str) or which in range(-99, 0):
                raise Malformed("a constraint of a sum of squares")
            parts.append((reduce(multiplied, map(expanded, ends)), {k: entry[k] for k in ("rows", "basis", "gram")}))
        for k, (g, p) in enumerate(parts):
            rows, basis, triangle = fields(p, "rows basis gram", "multipliers " + extra if not k else "")[:3]
            z = read_terms(basis, R.names, needs=R.needs)
            G = {(i, j): read(x, {}, set()) if isinstance(x, str) else number(real(x))
                 for i, row in enumerate(triangle) for j, x in enumerate(row)}
            if {*G} != {(i, j) for i in range(len(z)) for j in range(i + 1)} or len(rows) != len(z):
                raise Malformed("a Gram matrix is a lower triangle, with a row and a monomial for each")
            if not passes(form_of(upper(transposed(G), len(z))), {}, positive, False): return False
            for (i, j), c in G.items():
                t = mul(c, g, z[i], z[j])
                for place in {(rows[i], rows[j])} if i == j else [(rows[i], rows[j]), (rows[j], rows[i])]:
                    shown.setdefault(place, []).append(t)
        return {*rows} <= {*range(size)} and equal(T, {place: add(*parts) for place, parts in shown.items()})
    if kind == "flow":
        MJ, flows = dot(M, J), [(-1, {p: mul(derivative(t, s), r) for p, t in M.items()}) for s, r in along.items()]
        T = combined((2 * b, M), (-1, MJ), (-1, transposed(MJ)), *flows)
    else: T = combined((b**2, M), (-1, dot(transposed(J), {p: put(t, dict(along)) for p, t in M.items()}, J)))
    if not gram(rate, T, n): raise NotProved("the sum of squares of the bound")
    (w,), margin = read_terms(definite["weight"], R.names, needs=R.needs), read(definite["margin"], {}, set())
    wM = combined((1, {p: mul(w, t) for p, t in M.items()}), (-1, {(i, i): margin for i in range(n)}))
    if not margin or margin[()] <= 0 or not gram(definite, wM, n, "weight margin point"):
        raise NotProved("the sum of squares of the metric")
    if {*w} != {()} or w[()] <= 0:  # M is regular everywhere: definite where it is so at one point
        at = [near(real(x)) for x in definite["point"]]
        if any(x[0] < lo or x[1] > hi for x, (lo, hi) in zip(at, R.sides, strict=True)): raise NotProved("the point")
        form, here = form_of(upper(M, n)), dict(zip(R.symbols, at))
        if not passes(form, {a: of_monomial(a, here) for atoms in form for a in atoms}, positive, True):
            raise NotProved("the metric is not definite at the point")
    R.box(R.sides)  # with all that had to be defined
    R.report.append("sums of squares prove the bound, and that the metric is positive definite")

def network(R, b, kind, J, n, norm, evidence):
    """Bounds of blocks on C's diagonal, gains off it: C r <= b r (linf), or l^T C <= b l^T (l1)."""
    _, combine, groups, metrics, weights, exponents = fields(norm, "type combine groups metrics weights", "exponents")
    count = len(groups)
    if any(type(e) is not int or abs(e) > 2**20 for e in exponents or ()): raise Malformed("blocks: exponents are whole")
    w = [real(x) * Q(2) ** e for x, e in zip(weights, exponents or [0] * count, strict=True)]
    if sorted(i for g in groups for i in g) != [*range(n)] or not all(groups) or len(w) != count or min(w) <= 0:
        raise Malformed("blocks: every state in one group, with a positive weight")
    if norm["type"] != "blocks" or combine not in ("linf", "l1") or kind == "map":
        raise Malformed("network: no claim about blocks")
    Ms = [metric(M, len(g)) for M, g in zip(metrics, groups, strict=True)]
    place, blocks, C = {s: (i, k) for i, g in enumerate(groups) for k, s in enumerate(g)}, {}, {}
    for (s, r), t in J.items():
        if t: blocks.setdefault((place[s][0], place[r][0]), {})[place[s][1], place[r][1]] = t
    for i, j, bound, cuts in (fields(c, "to from bound cuts") for c in fields(evidence, "rule checks")[1]):
        if (i, j) in C or i < 0 or j < 0 or i != j and bound < 0: raise Malformed("checks: each pair once, gains >= 0")
        g, p, q, MJ = real(bound), len(groups[i]), len(groups[j]), dot(Ms[i], blocks.get((i, j), {}))
        C[i, j] = g
        if i == j and kind == "flow": matrix = upper(combined((2 * g, Ms[i]), (-1, MJ), (-1, transposed(MJ))), p)
        else: matrix = gain(g, Ms[j], q, Ms[i], p, MJ)
        R.proves(f"block {i}" if i == j else f"gain from {j} to {i}", matrix, positive, cuts)
    missing = [pair for pair in {*blocks, *((i, i) for i in range(count))} if pair not in C and
               (pair[0] == pair[1] or not all(map(vanishes, blocks[pair].values())))]
    if missing: raise NotProved(f"the blocks {missing[:3]} have no check")
    total = [Q(0)] * count
    for (i, j), g in C.items(): total[i if combine == "linf" else j] += g * w[j if combine == "linf" else i]
    for i, x in enumerate(total):
        if x > b * w[i]: raise NotProved(f"row {i} of the comparison matrix exceeds the bound")
    R.report = [f"{len(C)} checks of blocks", f"the comparison matrix gives {float(b)!r}"]

def trajectories(R, b, kind, f, state, claim):
    """The ball |x - c|_M <= r lies in the region, and |f(c)|_M <= -b r, or |F(c) - c|_M <= (1 - b) r."""
    centre, radius = fields(claim["trajectories"], "center radius")
    c, r, n = [real(x) for x in centre], real(radius), len(state)
    M, room = l2(claim["norm"], n), -b * r if kind == "flow" else (1 - b) * r
    if room <= 0 or r <= 0 or kind == "map" or len(c) != n or "horizontal" in claim:
        raise NotProved("trajectories: no claim that can be proved")
    x = {next(iter(R.names[s]))[0][0]: v for s, v in zip(state, c)}
    rows = [(R.names[s], lo, hi) for s, lo, hi in R.data["sides"][:n]]
    rows += [(t, *row[1:]) for (t, _), row in zip(R.linear, R.data.get("linear") or ())]
    inside = R.sides[n:]
    at_centre = dict(zip(R.symbols, [*map(near, c), *inside]))
    for t, lo, hi in rows:  # max of t over the ball is t(c) + r |a|_(M^-1), a being t's coefficients
        a = {(i, 0): number(t[(s, 1),]) for i, s in enumerate(x) if ((s, 1),) in t}
        for way, limit in ((1, hi), (-1, lo)):
            if isinstance(limit, str) or not a: continue
            d = plus(near(way * real(limit)), times(near(-way), value(t, at_centre)))[0]
            inner = combined((1, M), (1, shifted(a, 0, n)), (1, {(n, n): number(Q(d, ONE) ** 2 / r**2)}))
            if d < 0 or not passes(form_of(upper(inner, n + 1)), {}, positive, False):
                raise NotProved("the ball leaves the region")
    if any(symbols(t) & x.keys() for t, _ in R.balls): raise NotProved("the ball is not proved to lie in the region's ball")
    g = {(i, 0): t if kind == "flow" else minus(t, number(c[i])) for i, t in enumerate(f)}
    Mg = shifted(transposed(dot(M, g)), 0, 1)
    here = upper(combined((1, shifted(M, 1, 1)), (1, Mg), (1, {(0, 0): number(room**2)})), n + 1)
    what, at = "the ball is invariant and holds one equilibrium", [*map(near, c), *inside]
    R.proves(what, here, positive, [None], start=at)

RANGES = {"abs": (-1, 1), "cos": (-1, 1), "sin": (-1, 1), "erf": (0, 1.1283791670955128), "sigmoid": (0, 0.25),
          "gelu": (-0.1289041451851548, 1.128904145185155), "silu": (-0.09983932012886693, 1.099839320128867),
          **dict.fromkeys(("relu", "tanh", "softplus", "softsign", "saturation", "arctan"), (0, 1))}
def slopes(R, b, kind, claim, system, evidence):
    """out = A x + B w, v = C x + D w, w = phi(v), whose slopes lie in [alpha, beta], in differences.

    (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i) >= 0, so with t >= 0 the form |out|_M^2 + 2 sum t_i (..)
    <= b^2 |dx|_N^2 for all (dx, dw) gives the bound (flow: 2 dx^T M out, 2 b |dx|_M^2). Proved with
    strict sign it also says, at dx = 0, that loops among neurons have exactly one solution.
    """
    _, n, A, B, C, D, activations = fields(system, "type size A B C D activations")
    _, multipliers, compression = fields(evidence, "rule multipliers", "compression")
    runs = [run if isinstance(run, list) else [run, 1] for run in activations]
    bounds = [pair for s, k in runs for pair in ([RANGES[s]] * k if isinstance(s, str) else [(s, k)])]
    q, m, t = len(claim["norm"]["metric"]), len(bounds), [real(x) for x in multipliers]
    if any(low > high for low, high in bounds): raise Malformed("slopes: a lower bound exceeds its upper one")
    if len(t) != m or min(t, default=0) < 0: raise Malformed("slopes: one multiplier t >= 0 for each")
    if system["type"] != "slopes" or len(R.names) < n or kind != "map" and q != n:
        raise Malformed("slopes: the system does not fit the claim")
    A, B, C, D = (matrix(X, *shape) for X, shape in ((A, (q, n)), (B, (q, m)), (C, (m, n)), (D, (m, m))))
    M = l2(claim["norm"], q)
    N = l2(claim["input_norm"], n) if "input_norm" in claim else M if kind != "map" else identity(n)
    limit = combined((b**2, N)) if kind != "flow" else combined((2 * b, M))
    if compression is not None:  # |x|^2 >= s^T (2 H - H G H) s for s = C0 x, G = C0 C0^T
        if A or kind != "map" or "input_norm" in claim: raise NotProved("compression: x must enter through C alone")
        touched = {i: k for k, i in enumerate(sorted({i for i, _ in C}))}
        C0, n = {(touched[i], j): v for (i, j), v in C.items()}, len(touched)
        H = dense(compression, n, n)
        if transposed(H) != H: raise Malformed("compression: H is symmetric")
        limit = combined((2 * b**2, H), (-b**2, dot(H, C0, transposed(C0), H)))
        C = {(i, k): number(1) for i, k in touched.items()}
    out, v = combined((1, A), (1, shifted(B, 0, n))), combined((1, C), (1, shifted(D, 0, n)))
    own = {(i, n + i): number(1) for i in range(m)}
    alpha, beta = ({(i, i): number(Q(pair[k])) for i, pair in enumerate(bounds)} for k in (0, 1))
    T = {(i, i): number(x) for i, x in enumerate(t) if x}
    sector = dot(transposed(combined((1, own), (-1, dot(alpha, v)))), T, combined((1, dot(beta, v)), (-1, own)))
    motion = dot(M, out) if kind == "flow" else combined((Q(1, 2), dot(transposed(out), M, out)))
    total = combined((1, limit), (-1, motion), (-1, transposed(motion)), (-1, sector), (-1, transposed(sector)))
    if not passes(form_of(upper(total, n + m)), {}, positive, True):
        raise NotProved("the matrix inequality of the multipliers fails")
    R.report.append(f"the matrix inequality of {m} multipliers")
def matrix(data, rows, columns):
    """Dense rows, or a shape and entries, of doubles or fractions "p/q"."""
    if isinstance(data, dict):
        shape, entries = fields(data, "shape entries")
        if len({(i, j) for i, j, _ in entries}) < len(entries): raise Malformed("an entry is given twice")
    else:
        if len(data) != rows or any(len(row) != columns for row in data): raise Malformed("a ragged matrix")
        shape, entries = [rows, columns], [(i, j, e) for i, row in enumerate(data) for j, e in enumerate(row)]
    if shape != [rows, columns] or any(not (0 <= i < rows and 0 <= j < columns) for i, j, _ in entries):
        raise Malformed(f"expected a matrix {rows} x {columns}")
    return {(i, j): x for i, j, e in entries if (x := read(e, {}, set()) if isinstance(e, str) else number(real(e)))}

# 8. The file.
def once(pairs):
    if len(dict(pairs)) < len(pairs): raise Malformed("a key is given twice")
    return dict(pairs)
def constant_name(name): raise Malformed(f"{name} is no JSON")
def load(path):
    raw = Path(path).read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    return json.loads(text, object_pairs_hook=once, parse_constant=constant_name, parse_float=lambda t: Q(float(t)))
def main(arguments):
    sys.setrecursionlimit(20_000)
    if len(arguments) != 1:
        sys.stderr.write("usage: python checker.py certificate.json[.gz]\n")
        return 2
    try: sys.stdout.write("\n".join(["PROVED", *check(load(arguments[0]))]) + "\n")
    except NotProved as fault: code, words = 4, f"NOT PROVED: {fault}"
    except (Malformed, OSError, EOFError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError,
            RecursionError) as fault: code, words = 1, f"no certificate: {type(fault).__name__}: {fault}"
    else: return 0
    sys.stderr.write(words + "\n")
    return code
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
