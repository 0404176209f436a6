"""Check a contraction certificate again, from its numbers alone and with Python's integers alone.

``python checker.py certificate.json``: exit code 0 proved, 4 not proved, 1 unreadable, 2 misuse. No float decides anything.
1 ranges, 2 functions, 3 terms, 4 evaluation, 5 matrices, 6 leaves, 7 rules, 8 the file. Format: docs/certificates.md.
"""
# fmt: off
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportOperatorIssue=false, reportIndexIssue=false
import gzip, hashlib, io, json, re, sys, zlib
from fractions import Fraction as Q
from functools import lru_cache
from itertools import product as every
from math import gcd, isqrt, lcm, prod

class Malformed(Exception): """The file breaks the format."""
class NotProved(Exception): """Some statement is not proved."""
class Outside(Exception): """A box holds no point of the region."""
class Algebra:
    """What follows from sums, products and powers, with numbers on either side."""
    __radd__, __rmul__, __neg__ = (lambda a, b: a + b), (lambda a, b: a * b), (lambda a: a * -1)
    __sub__, __rsub__ = (lambda a, b: a + b * -1), (lambda a, b: a * -1 + b)
    __truediv__, __rtruediv__ = (lambda a, b: a * (b if isinstance(b, Algebra) else Q(b)) ** -1), (lambda a, b: a**-1 * b)

# 1. Ranges of whole multiples of 2^-P; every operation rounds outwards. An end beyond BIG becomes INF (no bound), or stays at
# BIG where that is a bound; INF is so large that sums and products keep it beyond BIG, and INF * 0 = 0, as is right for ends.
P = 192
ONE, BIG, INF = 1 << P, 1 << 2000, 1 << 4000
class Range(Algebra):
    of = staticmethod(lambda q: q if isinstance(q, Range) else near(q))
    call = staticmethod(lambda op, *args: FUNCTIONS[op][0](*args))
    def __init__(self, lo, hi):
        self.lo = lo if -BIG <= lo <= BIG else BIG if lo > 0 else -INF
        self.hi = hi if -BIG <= hi <= BIG else INF if hi > 0 else -BIG
    def __add__(self, other): return Range(self.lo + (o := Range.of(other)).lo, self.hi + o.hi)
    def __mul__(self, other):
        ends = self.lo * (o := Range.of(other)).lo, self.lo * o.hi, self.hi * o.lo, self.hi * o.hi
        return Range(min(ends) >> P, -(-max(ends) >> P))
    def __pow__(self, e):
        lo, hi, p, q = self.lo, self.hi, small(e).numerator, e.denominator
        if q > 1 and lo < 0: raise NotProved("the root of a number that may be negative")
        if q > 2: return any_power(self, near(e))
        if q == 2: return Range(isqrt(lo << P), INF if hi == INF else hi and isqrt((hi << P) - 1) + 1) ** p
        if p == 0: return point(ONE)
        if p % 2 == 0: lo, hi = max(0, lo, -hi), max(-lo, hi)
        if p > 0: return Range(lo**p >> P * (p - 1), -(-(hi**p) >> P * (p - 1)))
        if lo <= 0 <= hi: raise NotProved("division by a number that may be zero")
        return Range(ONE * ONE // hi, -(-ONE * ONE // lo)) ** -p
    def both(self, other):
        if max(self.lo, other.lo) > min(self.hi, other.hi): raise Outside
        return Range(max(self.lo, other.lo), min(self.hi, other.hi))
@lru_cache(1 << 12)
def near(q): return Range((q.numerator << P) // q.denominator, -((-q.numerator << P) // q.denominator))
def point(e): return Range(e, e)
def small(e):
    """An exponent that is not so large that the power asks for more time and memory than anybody has."""
    if abs(e) > 1024: raise Malformed("an exponent beyond 1024")
    return e

# 2. Functions at a point of e units, which is exact; monotone ones are then taken at a range's ends.
def series(t, x, ratio):
    """Enclose t_0 + t_1 + ..., where t_0 = t and t_(n+1) = t_n x p/q with p, q = ratio(n).

    As soon as |x p/q| is below 1/2, and in each use it stays so, all that follows a term is together at most that term.
    """
    total, size, (p, q) = t, max(-x.lo, x.hi), ratio(n := 0)
    while max(-t.lo, t.hi) > 9 or 2 * size * p > q << P:
        t = Range((t := t * x).lo * p // q, -(-t.hi * p // q))
        total, (p, q) = total + t, ratio(n := n + 1)
    return total + Range(min(t.lo, -t.hi), max(-t.lo, t.hi))
def odd(n): return 2 * n + 1, 2 * n + 3
def turn(k): return series(near(Q(1, k)), -near(Q(1, k * k)), odd)  # arctan(1/k)
LN2, HALF = 2 * series(near(Q(1, 3)), near(Q(1, 9)), odd), 8 * turn(5) - 2 * turn(239)  # pi/2
def exp_at(e):
    k = e // LN2.lo  # exp(k ln 2 + r) = 2^k exp(r / 256)^256
    if k > 1700 or k < -P: return Range(ONE << 1700, INF) if k > 0 else Range(0, 2)  # e < -P LN2.lo: below 2^-P (1 + 2^-P)
    y = series(point(ONE), (point(e) - k * LN2) * Q(1, 256), lambda n: (1, n + 1))
    for _ in range(8): y = y * y
    return Range(y.lo << k, y.hi << k) if k >= 0 else Range(y.lo >> -k, -(-y.hi >> -k))
def log_at(e):
    if e <= 0: raise NotProved("the logarithm of a number that may be zero or negative")
    y = ((top := 1 << e.bit_length()) - e << P) // (top + e)  # e units are 2^k (1 - y) / (1 + y), 0 <= y <= 1/3
    return (e.bit_length() - P) * LN2 - 2 * series(y := Range(y, y + 1), y * y, odd)
def wave(x):  # sin, extreme at the ends and at multiples k pi/2 inside
    first, last = -(-x.lo // (HALF.hi if x.lo > 0 else HALF.lo)), x.hi // (HALF.hi if x.hi < 0 else HALF.lo)
    if last - first > 2 or max(-x.lo, x.hi) >> P + 99: return Range(-ONE, ONE)
    found = [(0, ONE, 0, -ONE)[k % 4] for k in range(first, last + 1)]
    for e in (x.lo, x.hi):
        k = (2 * e + HALF.lo) // (2 * HALF.lo)  # e units are k pi/2 + r with |r| < 0.8
        r, c = point(e) - k * HALF, k % 2
        y = series(point(ONE) if c else r, -(r * r), lambda n, c=c: (1, (2 * n + 2 - c) * (2 * n + 3 - c)))
        found += (y.lo, y.hi) if k % 4 < 2 else (-y.hi, -y.lo)
    return Range(max(min(found), -ONE), min(max(found), ONE))
def atan_at(x):
    for _ in range(3): x = (x << P) // (ONE + isqrt(ONE * ONE + x * x))  # atan x = 2 atan(x / (1 + sqrt(1 + x^2))), off by below 3
    return 8 * series(point(x), -(point(x) ** 2), odd) + Range(-64, 64)
def erf_at(x):  # 2 / (sqrt(pi) exp(x^2)) times the sum of 2^n x^(2n+1) / (2n+1)!!: nothing cancels
    if abs(x) > 12 * ONE or x < 0: return -erf_at(-x) if x < 0 else Range(ONE - 1, ONE)  # 1 - erf(12) < exp(-144) < 2^-P
    y, scale = series(point(x), z := point(x) ** 2, lambda n: (2, 2 * n + 3)), root(2 * HALF) * exp(z)
    return Range(2 * y.lo * ONE // scale.hi, 2 * y.hi * ONE // scale.lo + 1)
def rising(f, low=None, high=None):
    """A rising function, with its limits where it is defined without an end; its domain is convex, so that both ends tell."""
    at = lru_cache(1 << 15)(f)
    def value(x):
        if low is None and x.lo == -INF or high is None and x.hi == INF: raise NotProved("a function of a number without a bound")
        return Range(low if x.lo == -INF else at(x.lo).lo, high if x.hi == INF else at(x.hi).hi)
    return value
def any_power(x, y):  # x^y = exp(y log x) for x > 0, and for x >= 0 where y > 0
    if x.lo < 0 or x.lo == 0 >= y.lo: raise NotProved("a power of a number that may be negative")
    found = exp(y * log(Range(max(x.lo, 1), max(x.hi, 1))))
    return Range(found.lo if x.lo else 0, found.hi)
def root(x): return x ** Q(1, 2)
def jump(x): raise NotProved("the map may jump")
exp, log, sin, cos, tan, tanh, sinh, cosh, arcsin, arctan, sign, step, power = (lambda x, *rest, op=op: x.call(op, x, *rest)
    for op in "exp log sin cos tan tanh sinh cosh arcsin arctan sign step power".split())
def by(f, *limits): return rising(lambda e: f(point(e)), *limits)  # a rising function, of others
TAN = by(lambda x: sin(x) / cos(x))
FUNCTIONS = {  # each with its slopes by its operands
    "pi": (lambda: 2 * HALF, lambda: []), "exp": (rising(exp_at, 0, INF), lambda x: [exp(x)]), "log": (rising(log_at, None, INF), lambda x: [1 / x]),
    "sin": (wave, lambda x: [cos(x)]), "cos": (lambda x: wave(x + HALF), lambda x: [-sin(x)]),
    "tan": (lambda x: cos(x) ** -1 and TAN(x), lambda x: [1 + tan(x) ** 2]),  # where the cosine has no zero
    "tanh": (lambda x: 1 - 2 / (exp(2 * x) + 1), lambda x: [1 - tanh(x) ** 2]),
    "sinh": (by(lambda x: (exp(x) - exp(-x)) / 2, -INF, INF), lambda x: [cosh(x)]), "cosh": (lambda x: 1 + 2 * sinh(x / 2) ** 2, lambda x: [sinh(x)]),
    "arctan": (rising(atan_at, -HALF.hi, HALF.hi), lambda x: [1 / (1 + x**2)]),
    "arcsin": (by(lambda x: 2 * arctan(x / (1 + root(1 - x**2)))), lambda x: [1 / root(1 - x**2)]),
    "arcsinh": (by(lambda x: log((root(1 + x**2) + x) / (root(1 + x**2) - x)) / 2, -INF, INF), lambda x: [1 / root(1 + x**2)]),
    "softplus": (lambda x: log(1 + exp(x)), lambda x: [(1 + tanh(x / 2)) / 2]),
    "erf": (rising(erf_at, -ONE, ONE), lambda x: [2 / root(x.call("pi")) * exp(-(x**2))]),
    "power": (any_power, lambda x, y: [y * power(x, y - 1), power(x, y) * log(x)]),
    "absolute": (lambda x: Range(max(0, x.lo, -x.hi), max(-x.lo, x.hi)), lambda x: [sign(x)]),
    "maximum": (lambda x, y: Range(max(x.lo, y.lo), max(x.hi, y.hi)), lambda x, y: [step(x - y), 1 - step(x - y)]),
    "minimum": (lambda x, y: Range(min(x.lo, y.lo), min(x.hi, y.hi)), lambda x, y: [step(y - x), 1 - step(y - x)]),
    # Slopes of kinked functions are, at the kink, everything between those of both sides (Clarke).
    "step": (lambda x: Range(ONE * (x.lo > 0), ONE * (x.hi >= 0)), jump),
    "sign": (lambda x: Range(ONE if x.lo > 0 else -ONE, -ONE if x.hi < 0 else ONE), jump),
    "where": (lambda x, y, b: x if b.lo > 0 else y if b.hi < 0 else Range(min(x.lo, y.lo), max(x.hi, y.hi)), None)}

# 3. Terms {monomial: coefficient}, a monomial being sorted pairs (generator, exponent). Generators are symbols, functions of
# terms, exponentials of monomials, sums with exponents below 1, and moves: a move's square is zero, so that of what moves along
# it the coefficient is the derivative. All else is multiplied out, with sin^2 = 1 - cos^2, cosh^2 = 1 + sinh^2 and, but for
# jumps, step^2 = step.
ODD = {**dict.fromkeys("sin tan tanh sinh arcsin arctan arcsinh erf sign".split(), -1), "cos": 1, "cosh": 1, "absolute": 1}  # of the negative
LONGEST = 1 << 17  # bits of a coefficient
KINDS, INDEX = [], {}  # (operator, operands) of each generator; equal ones are one number
class Term(Algebra):
    def __init__(self, parts): self.parts = {m: c for m, c in parts.items() if c}
    def __bool__(self): return bool(self.parts)
    of = staticmethod(lambda q: q if isinstance(q, Term) else Term({(): Q(q)}))
    @staticmethod
    def single(op, *args, power=1):
        key = op, *(frozenset(a.parts.items()) if isinstance(a, Term) else a for a in args)
        if key not in INDEX: INDEX[key] = len(KINDS); KINDS.append((op, args))
        return Term({((INDEX[key], power),): Q(1)})
    @staticmethod
    def call(op, *args):
        at, moves = [Term.of(a).still() for a in args], [Term.of(a).slopes() for a in args]
        if op == "where": return args[1] + (args[0] - args[1]) * Term.call("step", at[2])  # both sides meet where the border is zero
        lead = at[0].parts[min(at[0].parts)] if at and at[0] else 0
        if op in ODD and lead < 0: return Term.call(op, -args[0]) * ODD[op]
        if op == "step" and lead < 0: return 1 - Term.call(op, -args[0])
        if op in ("step", "sign") and lead not in (0, 1): return Term.call(op, args[0] * (1 / lead))  # at c t as at t, c > 0
        if op in ODD and not at[0] and not any(moves): return Term.of(op in ("cos", "cosh"))
        if op in ("maximum", "minimum") and (gap := at[0] - at[1]).parts.keys() <= {()}:
            return args[(gap.parts.get((), 0) < 0) ^ (op == "minimum")]
        if op == "power" and at[1].parts.keys() <= {()}: return args[0] ** at[1].parts.get((), 0)
        found = Term.single(op, *at)
        if op == "exp": found = prod((Term.single(op, m, power=c) for m, c in at[0].parts.items()), start=Term.of(1))
        return found + (sum(f * (a - b) for f, a, b in zip(FUNCTIONS[op][1](*at), args, at)) if any(moves) else 0)
    def still(self): return Term({m: c for m, c in self.parts.items() if all(KINDS[g][0] != "move" for g, _ in m)})
    def slopes(self):
        found = {}
        for m, c in self.parts.items():
            for g in (g for g, _ in m if KINDS[g][0] == "move"):
                found.setdefault(KINDS[g][1][0], Term({})).parts[tuple(f for f in m if f[0] != g)] = c
        return found
    def __add__(self, other):
        found = dict(self.parts)
        for m, c in Term.of(other).parts.items(): found[m] = found.get(m, 0) + c
        return Term(found)
    def __mul__(self, other):
        found, rest, other = {}, [], Term.of(other).parts
        if len(self.parts) * len(other) > 200_000: raise NotProved("multiplying out gives too many terms")
        for (m, c), (n, d) in every(self.parts.items(), other.items()):
            powers, factors = dict(m), []
            for g, e in n: powers[g] = powers.get(g, 0) + (e if KINDS[g][0] == "exp" else small(e))
            for g, e in powers.items():
                op, args = KINDS[g]
                if op == "sum" and e >= 1: powers[g], factors = e % 1, factors + [*args] * (e // 1)
                if op == "step" and e >= 2: powers[g] = 1
                if op == "sin" and e >= 2: powers[g], factors = e % 2, factors + [1 - cos(*args) ** 2] * (e // 2)
                if op == "cosh" and e >= 2: powers[g], factors = e % 2, factors + [1 + sinh(*args) ** 2] * (e // 2)
            m = tuple(sorted((g, e) for g, e in powers.items() if e))
            if sum(e for g, e in m if KINDS[g][0] == "move") > 1: continue
            if factors: rest.append(prod(factors, start=Term({m: c * d})))
            else: found[m] = found.get(m, 0) + c * d
        if any(c.numerator.bit_length() > LONGEST or c.denominator.bit_length() > LONGEST for c in found.values()):
            raise NotProved("multiplying out gives numbers that are too long")
        return sum(rest, Term(found))
    def __pow__(self, e):
        whole, at = small(e).denominator == 1, self.still()
        bits = max((max(c.numerator.bit_length(), c.denominator.bit_length()) for c in at.parts.values()), default=0)
        if bits * abs(e) > LONGEST or len(at.parts) > 1 and e > 64: raise NotProved("multiplying out gives too much")
        if whole and e >= 0: return prod([self] * int(e), start=Term.of(1))
        if not at: raise NotProved("division by zero")
        if self - at: return at**e + e * at ** (e - 1) * (self - at)
        (m, c), *more = sorted(at.parts.items())
        root = c if whole else Q(1) if e.denominator > 2 else Q(*map(square_root, content(at.parts.values())))
        c = root if whole else root**2
        if more or not whole and (at.parts[m] != 1 or [k for _, k in m] != [1]): (m,) = Term.single("sum", at * (1 / c)).parts
        return Term({tuple((g, k * e) for g, k in m): Q(1)}) * root ** int(e if whole else 2 * e)
def content(parts): return gcd(*(c.numerator for c in parts)), lcm(*(c.denominator for c in parts))
def square_root(n):
    """A number whose square divides n; n / square_root(n)^2 depends on n up to squares of small primes and of the rest."""
    s = 1
    for p in (2, 3, 5, 7):
        while n % p**2 == 0: n, s = n // p**2, s * p
    return s * isqrt(n) if isqrt(n) ** 2 == n else s
def plain(t): return isinstance(t, str) or t[0] in ("+", "*") and all(map(plain, t[1:]))
def vanishes(t):
    """Whether a term is zero wherever it is defined: so it is when it is times its denominators."""
    t = Term.of(t)
    while low := [(e, g) for m in t.parts for g, e in m if e < 0]: t = t * Term({((min(low)[1], -min(low)[0]),): Q(1)})
    return not t

# 4. The file's terms: read as a whole first, then evaluated in either algebra.
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,3999})(/[1-9][0-9]{0,3999})?")
DEEPEST = 200  # operations on one path
@lru_cache(1 << 12)
def number(text): return Q(text) if NUMBER.fullmatch(text) else None
RELATIONS = {"less": -1, "less_equal": -1, "greater": 1, "greater_equal": 1}  # the sign of left - right where it holds
def depth(tree, depths):
    """Operations on the longest path of a term whose names are known; raises Malformed for what is no term."""
    if isinstance(tree, str):
        if tree not in depths and number(tree) is None: raise Malformed(f"{tree!r:.60} is no number and no name known here")
        return depths.get(tree, 0)
    op, *rest = expected(tree, list, "a number, a name or [operator, operands...]") or [None]
    if op == "piecewise":
        (x, (relation, left, right)), (y, otherwise) = rest
        if relation not in RELATIONS or otherwise != ["true"]: raise Malformed("a piecewise term is [x, condition], [y, [true]]")
        rest = [x, y, left, right]
    elif op in ("+", "*", "^"):
        if len(rest) < 2 or op == "^" and len(rest) > 2: raise Malformed(f"{op} of {len(rest)}")
    elif op not in FUNCTIONS or op == "where" or FUNCTIONS[op][1].__code__.co_argcount != len(rest): raise Malformed(f"{op!r:.60} of {len(rest)}")
    if (found := 1 + max((depth(t, depths) for t in rest), default=0)) > DEEPEST: raise Malformed(f"terms more than {DEEPEST} operations deep")
    return found
class Values(dict):
    """Values of names: of those given, of bindings when they are first used, and of numbers."""
    def __init__(self, algebra, given, let, limits=()):
        super().__init__(given)
        self.algebra, self.given, self.let, self.limits = algebra, given, let, limits
    def __missing__(self, name):
        if name not in self.let and number(name) is None: raise Malformed(f"{name!r:.60} is no number and no name known here")
        x = self.run(self.let[name]) if name in self.let else self.algebra.of(number(name))
        return self.setdefault(name, x.both(self.limits[name]) if name in self.limits else x)
    def run(self, tree):
        """The value of a number, a name, or [operator, operands...]."""
        if isinstance(tree, str): return self[tree]
        op, *rest = tree
        if op == "piecewise":
            (x, (relation, left, right)), (y, _) = rest
            border = (self.run(left) - self.run(right)) * RELATIONS[relation]
            if isinstance(border, Term) and border.slopes(): self.join(x, y, border, left, right)
            return self.algebra.call("where", self.run(x), self.run(y), border)
        if op == "^" and len(rest) == 2 and isinstance(rest[1], str) and (e := number(rest[1])) is not None: return self.run(rest[0]) ** e
        op, args = "power" if op == "^" else op, [self.run(t) for t in rest]
        if op == "+": return sum(args[1:], args[0])
        if op == "*": return prod(args[1:], start=args[0])
        return self.algebra.call(op, *args)
    def join(self, x, y, border, left, right):
        """Raise unless two terms agree where a border is zero: with one side for the other, or for the zero of a linear symbol."""
        at = {n: t.still() for n, t in self.given.items()}
        if isinstance(left, str) and left in self.let:
            there = Values(Term, at | {left: self.run(right).still()}, self.let)
            if vanishes(there.run(x) - there.run(y)): return
        for s, d in border.slopes().items():
            if s in at and d.parts.keys() == {()}:
                there = Values(Term, at | {s: at[s] - border.still() * (1 / d.parts[()])}, self.let)
                if vanishes(there.run(x) - there.run(y)): return
        raise NotProved("a piecewise term is not proved continuous where its condition changes")

# 5. Matrices {(i, j): entry}. The positive semidefinite matrices are a closed convex cone, and a matrix is affine in each atom: so
# it is positive on a box of atoms when it is at the corners.
class Matrix(dict):
    T = property(lambda A: Matrix({(j, i): t for (i, j), t in A.items()}))
    zero = property(lambda A: all(map(vanishes, A.values())))
    def at(A, i, j): return Matrix({(i + k, j + m): t for (k, m), t in A.items()})
    def __add__(A, B): return Matrix({p: A.get(p, 0) + B.get(p, 0) for p in A.keys() | B.keys()})
    def __sub__(A, B): return A + -1 * B
    def __mul__(A, c): return Matrix({p: c * t for p, t in A.items()})
    __rmul__ = __mul__
    def __matmul__(A, B):
        if {type(t) for t in [*A.values(), *B.values()]} == {Q}:  # in integers, over common denominators
            a, b = (lcm(*(t.denominator for t in X.values())) for X in (A, B))
            return Q(1, a * b) * (Matrix({p: int(a * t) for p, t in A.items()}) @ Matrix({p: int(b * t) for p, t in B.items()}))
        rows, found = {}, {}
        for (k, j), t in B.items(): rows.setdefault(k, []).append((j, t))
        for (i, k), s in A.items():
            for j, t in rows.get(k, ()): found[i, j] = found.get((i, j), 0) + s * t
        return Matrix({p: t for p, t in found.items() if t})
def square(entries, n): return Matrix({divmod(k, n): t for k, t in enumerate(entries)})
def diagonal(x): return Matrix({(i, i): Q(c) for i, c in enumerate(x) if c})
def identity(n): return diagonal([1] * n)
def form_of(A, n):
    """{atoms multiplied: {place on or above the diagonal: integer}}: A times a positive integer."""
    form = {(): {(i, i): Q(0) for i in range(n)}}
    for (i, j), t in A.items():
        for m, c in Term.of(t).parts.items() if i <= j or j < 0 else ():
            if any(e != 1 for _, e in m): raise NotProved("a matrix is not affine in each of its atoms")
            form.setdefault(tuple(g for g, _ in m), {})[i, j] = Q(c)
    scale = lcm(*(c.denominator for entries in form.values() for c in entries.values()))
    return {m: {p: int(c * scale) for p, c in entries.items()} for m, entries in form.items()}
def enclosure(form, ranges):
    """The matrix over a box of atoms, (low, high) by place, in some common unit; exact where the atoms are points."""
    degree, found = max(map(len, form)), {}
    for m, entries in form.items():
        x = (ONE ** (degree - len(m)),) * 2
        for y in map(ranges.get, m): x = min(e := [s * t for s in x for t in (y.lo, y.hi)]), max(e)
        for p, c in entries.items(): found[p] = (f := found.get(p, (0, 0)))[0] + c * x[c < 0], f[1] + c * x[c >= 0]
    for i, j in [p for p in found if p[1] < 0]:  # magnitudes, which are taken off the diagonal
        lo, hi = found.pop((i, j))
        found[i, i] = found[i, i][0] - max(-lo, hi), found[i, i][1]
    return found
MOST = 1 << 15  # tests of matrices for one statement on one leaf
def passes(form, ranges, strict):
    """Whether the matrix is positive semidefinite (definite) for all values of the atoms in their ranges."""
    left = iter(range(MOST))  # what is not tested is not shown
    def test(entries, strict): return next(left, None) is not None and positive(entries, strict)
    return passing(form, ranges, strict, test)
def passing(form, ranges, strict, test):
    moving = sorted(a for a in {a for m in form for a in m} if ranges[a].lo < ranges[a].hi)
    endless = [a for a in moving if ranges[a].lo == -INF or ranges[a].hi == INF]
    if not endless and test(around := enclosure(form, ranges), strict): return True
    inside = {a: point(max(x.lo, min(x.hi, 0))) for a, x in ranges.items()}
    for a in endless or moving * (len(moving) > 12):  # A + a B is least at a's lower end when B >= 0 on the ranges
        B = {tuple(b for b in m if b != a): T for m, T in form.items() if a in m}
        B[()] = dict.fromkeys(form[()], 0) | B.get((), {})
        for way, e in (1, ranges[a].lo), (-1, ranges[a].hi):
            signed = {m: {p: way * c for p, c in T.items()} for m, T in B.items()}
            if abs(e) < INF and test(enclosure(signed, inside), False) and passing(signed, ranges, False, test):
                return passing(form, ranges | {a: point(e)}, strict, test)
    if endless or not moving: return False
    if len(moving) <= 12: return all(passing(form, ranges | {moving[0]: point(e)}, strict, test) for e in (ranges[moving[0]].lo, ranges[moving[0]].hi))
    n = 1 + max(i for i, _ in form[()])  # x^T (C + D) x is least over |D| <= R at D = -s R s, s the signs of x
    return n < 11 and all(test({p: (x[s[p[0]] != s[p[1]]],) * 2 for p, x in around.items()}, strict)
                          for s in every((0, 1), repeat=n) if not s[0])
def positive(entries, strict):
    """Whether all symmetric matrices in the entries (i <= j) are positive semidefinite (definite)."""
    rows, radius = {}, {}
    for (i, j), (lo, hi) in entries.items():
        if i == j and lo < strict: return False
        for table, entry in (rows, lo + hi), (radius, hi - lo):
            if entry: table.setdefault(i, {})[j] = table.setdefault(j, {})[i] = entry
    if any(row.get(i, 0) <= 0 for i, row in rows.items()) or radius.keys() - rows.keys(): return False
    # |x^T D x| <= sum x_i^2 (R v)_i / v_i for |D| <= R and any v > 0: the diagonal pays for the radius. A few steps of power
    # iteration bring v near the best, the Perron vector. Floors move entries by below 1, hence x^T A x by at most n |x|^2 a
    # step: the diagonal pays for that, too. What fails by a hair's breadth is decided in fractions.
    v = {i: isqrt((max(row[k] for k, row in rows.items()) << 128) // rows[i][i]) for i in radius}
    for steps in (0, 6) if radius else (0,):
        for _ in range(steps):
            u = {i: (sum(r * v[j] for j, r in row.items()) << 64) // rows[i][i] for i, row in radius.items()}
            v = {i: v[i] * (1 + max(u[k] // v[k] for k in v)) + u[i] for i in v}
        less = {i: dict(row) for i, row in rows.items()}
        for i, row in radius.items(): less[i][i] += sum(r * v[j] for j, r in row.items()) // -v[i]
        if eliminates({i: {j: a << 64 for j, a in row.items()} for i, row in less.items()}, 1, strict): return True
    above = {i: {j: (a << 64) + (i == j) * (a << 34) for j, a in row.items()} for i, row in less.items()}
    return eliminates(above, 0, strict) and eliminates({i: {j: Q(a) for j, a in row.items()} for i, row in less.items()}, 0, strict)
def eliminates(rows, loss, strict):
    """Whether all pivots are positive, or zero in a zero row; sparsest row first; integers are floored, fractions exact."""
    while rows:
        row = rows.pop(i := min(rows, key=lambda k: len(rows[k])))
        pivot = row.pop(i, 0)
        if pivot < 0 or pivot == 0 and (strict or any(row.values())): return False
        for j, a in row.items():
            target, _ = rows[j], rows[j].pop(i)
            for k, b in row.items() if pivot else ():
                target[k] = target.get(k, 0) - (a * b / pivot if isinstance(a, Q) else a * b // pivot)
            target[j] -= loss * len(row)
    return True

# 6. Leaves: a statement is proved on every leaf of its cuts of the region.
LISTS = {*("sides linear balls point names center state inputs parameters let dx y guards metric_terms factor_terms terms cuts atoms slopes "
           "jacobian matrix after congruence rate squares rows basis gram checks groups metrics weights exponents multipliers activations L R").split()}
def fields(data, required, optional=""):
    """The values of an object with these keys and no others; a text must not stand for the list of its letters."""
    names = [*required.split(), *optional.split()]
    if not isinstance(data, dict) or not {*required.split()} <= {*data} <= {*names}: raise Malformed(f"expected the keys {names}")
    return [listed(data[name]) if name in LISTS and name in data else data.get(name) for name in names]
def listed(x): return expected(x, list, "a list")
def real(x):
    if type(x) not in (int, Q) or Q(float(x)) != x: raise Malformed(f"{x!r} is no double")
    return Q(x)
def fraction(x): return number(x) if isinstance(x, str) and number(x) is not None else real(x)
def between(lo, hi):
    """The numbers from lo to hi, which are doubles, -inf below, inf above; never none."""
    low, high = None if lo == "-inf" else real(lo), None if hi == "inf" else real(hi)
    if low is not None and high is not None and low > high: raise Malformed(f"no number lies between {lo} and {hi}")
    return Range(-INF if low is None else near(low).lo, INF if high is None else near(high).hi)
def within(x, lo, hi): return (lo == "-inf" or real(lo) <= x) and (hi == "inf" or x <= real(hi))  # exactly
def expected(x, sort, what):
    if type(x) is not sort: raise Malformed(f"expected {what}, got {x!r:.60}")
    return x
def matrix(data, n, m, entry=real):
    """Rows, or {"entries": [[i, j, entry], ...]}."""
    rows = [*map(listed, data)] if isinstance(data, list) else [[None] * m] * n
    entries, shape = ([(i, j, x) for i, row in enumerate(rows) for j, x in enumerate(row)], None) if type(data) is list else fields(data, "entries", "shape")
    found = Matrix({(i, j): entry(x) for i, j, x in entries})
    if len(found) < len(entries) or [*map(len, rows)] != [m] * n or (shape or [n, m]) != [n, m] or not all(
            type(i) is type(j) is int and 0 <= i < n and 0 <= j < m for i, j in found): raise Malformed(f"expected a matrix {n} x {m}")
    return Matrix({p: x for p, x in found.items() if x})
def metric(data, n):
    M = matrix(data, n, n)
    if M.T != M or not passes(form_of(M, n), {}, True): raise NotProved("a metric is not symmetric and positive definite")
    return M
class Region:
    """A box of all symbols, cut by constraints; the file's terms, and what is proved on the leaves of cuts."""
    def __init__(self, data):
        self.data, (sides, linear, balls, point) = data, fields(data, "sides", "linear balls point")
        self.depths, self.let, self.limits, self.balls = {}, {}, {}, []
        for name, _, _ in map(listed, sides): self.name(name, name[:1] not in ("", "$", "~") and number(name) is None)
        self.names, self.sides = [*self.depths], [between(lo, hi) for _, lo, hi in sides]
        for k, (row, lo, hi) in enumerate(map(listed, linear or ())):
            self.constraint(f"linear[{k}]", [s for s, _ in map(listed, listed(row))], [["*", str(real(c)), s] for s, c in row], between(lo, hi))
        for k, (own, c, radius, M) in enumerate(fields(b, "names center radius", "metric") for b in balls or ()):
            z, N = [["+", s, str(-real(x))] for s, x in zip(own, c, strict=True)], metric(M, len(own)) if M else identity(len(own))
            if real(radius) <= 0: raise Malformed("balls: a radius is positive")
            squares = [["*", str(x), ["^", z[i], "2"] if i == j else ["*", z[i], z[j]]] for (i, j), x in N.items()]
            self.constraint(f"ball[{k}]", own, squares, Range(0, near(real(radius) ** 2).hi))
            self.balls.append((own, [*map(real, c)], real(radius) ** 2, N))
        self.constraints = [*self.limits]
        self.report, self.defined, self.slopes, self.root = [], [], {}, None
        still = {s: Term.single("symbol", s) for s in self.names + self.constraints}
        moving = {s: t + Term.single("move", s) for s, t in still.items()}
        self.opaque, self.terms, self.moved = (Values(Term, {s: v[s] for s in self.names if v}, self.let) for v in ({}, still, moving))
        self.free, self.fixed = Values(Term, moving, self.let), Values(Term, still, self.let)  # constraints are coordinates of their own
        if point is not None and not self.holds([fraction(x) for x in point]): raise NotProved("region: the point given is none of it")
        if self.constraints and point is None: raise NotProved("region: it may be empty, as no point of it is given: make the certificate again")
    def name(self, name, allowed):  # what is printed must not look like lines of our own
        if type(name) is not str or name in self.depths or not allowed or not name.isprintable() or "  " in name or len(name) > 200: raise Malformed(f"names: {name!r:.60} may not stand here")
        self.depths[name] = 0
    def constraint(self, name, own, terms, limit):
        if not own or not {*own} <= {*self.names} or len({*own}) < len(own): raise Malformed("constraints: symbols, each once")
        if name in self.depths: raise Malformed(f"names: {name!r} is that of a constraint")
        self.let[name], self.limits[name] = ["+", "0", *terms], limit
    def read(self, part, *terms):
        """A part's bindings and terms, each of names that stand before it."""
        for name, tree in map(listed, listed(part.get("let", []))):
            below = depth(tree, self.depths)
            self.name(name, re.fullmatch(r"\$\w{1,40}", name, re.ASCII) is not None)
            self.let[name], self.depths[name] = tree, below
        for t in terms: depth(t, self.depths)
    def holds(self, point):
        """Whether a point lies in the region, exactly."""
        x = dict(zip(self.names, point, strict=True))
        return (all(within(x[s], lo, hi) for s, lo, hi in self.data["sides"])
                and all(within(sum(real(c) * x[s] for s, c in row), lo, hi) for row, lo, hi in self.data.get("linear") or ())
                and all(sum(m * (x[own[i]] - c[i]) * (x[own[j]] - c[j]) for (i, j), m in N.items()) <= most for own, c, most, N in self.balls))
    def atoms(self, entries):
        """Read the atoms: names of terms, with slopes by coordinates, and ranges on the region's box."""
        for entry in entries:
            name, slopes, known = fields(entry, "name", "slopes range")
            if name[:1] != "$" or name not in self.let or name in self.slopes: raise Malformed(f"atoms: {name!r:.60} is no binding, or comes twice")
            for _, t in map(listed, slopes or ()): depth(t, self.depths)
            if len(dict(slopes or ())) < len(slopes or ()) or {*dict(slopes or ())} - {*self.names, *self.constraints}:
                raise Malformed("atoms: slopes by coordinates, each once")
            own, self.slopes[name], self.opaque[name] = self.free[name].slopes() if slopes else {}, dict(slopes or ()), Term.single("atom", name)
            gap = Matrix({s: own.get(s, 0) - self.fixed.run(self.slopes[name].get(s, "0")) for s in own | self.slopes[name]})
            if not gap.zero: raise NotProved(f"{name} has other slopes")
            if "range" in entry:
                lower, upper, cuts = fields(known, "lower upper cuts")
                limit = between(lower, upper)  # some number: what follows from it holds where its proof does, and an empty set proves nothing
                A = {(i, i): s * (real(e) - self.opaque[name]) for i, s, e, none in ((0, -1, lower, "-inf"), (1, 1, upper, "inf")) if e != none}
                self.proves(f"the range of {name}", Matrix(A), 2, cuts)
                self.limits[name], self.root = limit, None
    def written(self, entries, own, n, m):
        """A matrix n x m that the file writes in atoms, when it is proved to be our own."""
        for i, j, t in map(listed, entries):
            depth(t, self.depths)
            if not (type(i) is type(j) is int and 0 <= i < n and 0 <= j < m and plain(t)):
                raise Malformed(f"entries [i, j, sums and products of atoms] of a matrix {n} x {m}")
        found, same = (Matrix({(i, j): v.run(t) for i, j, t in entries}) for v in (self.opaque, self.terms))
        if len(found) < len(entries) or not (own - same).zero: raise NotProved("a matrix is not the system's")
        return found
    def box(self, sides):
        if sides is self.sides and self.root is not None: return self.root
        found = Values(Range, dict(zip(self.names, sides, strict=True)), self.let, self.limits)
        for t in self.constraints + self.defined: found.run(t)  # raises where no point is, or an operation is undefined
        self.root = found if sides is self.sides else self.root
        return found
    @staticmethod
    def leaves(cuts, sides):
        """The leaves below a box, of an iterator over a tree of cuts in preorder; they cover the box by construction."""
        if (cut := next(cuts, ())) is None: return (yield sides)
        (axis, place), x = cut, sides[cut[0]]
        if type(axis) is not int or axis < 0 or not x.lo <= (at := near(real(place))).lo <= at.hi <= x.hi: raise Malformed(f"cuts: {cut} does not cut")
        for part in Range(x.lo, at.hi), Range(at.lo, x.hi): yield from Region.leaves(cuts, [*sides[:axis], part, *sides[axis + 1:]])
    def spread(self, name, box):
        """An atom's range, cut with the mean-value form and, where it is monotone along a coordinate, with values at that one's ends.

        Slopes at kinks are those of Clarke's generalized gradient, for which the mean value theorem holds.
        """
        if not self.slopes.get(name): return box[name]
        given = box.given | {c: box[c] for c in self.constraints}
        low, high, centre, mean, whole = {**given}, {**given}, {**given}, 0, Values(Range, given, self.let)
        try:
            whole.run(name)  # raises where it is undefined
            for s, t in self.slopes[name].items():
                d, x = whole.run(t), given[s]
                centre[s] = point((x.lo + x.hi) // 2 if x.lo > -INF and x.hi < INF else max(x.lo, min(x.hi, 0)))
                mean = mean + d * (x - centre[s])
                for ends, e in (low, x.lo if d.lo >= 0 else x.hi), (high, x.hi if d.lo >= 0 else x.lo):
                    if (d.lo >= 0 or d.hi <= 0) and abs(e) < INF: ends[s] = point(e)
            lowest, highest, middle = (Values(Range, at, self.let)[name] for at in (low, high, centre))
            return box[name].both(Range(lowest.lo, highest.hi)).both(middle + mean)
        except NotProved: return box[name]  # undefined somewhere: these forms say nothing
    def proves(self, what, A, n, cuts, strict=False, start=None):
        form, count, cuts = form_of(A, n), 0, iter(cuts)
        atoms = {a: KINDS[a][1][0] for m in form for a in m}
        for count, sides in enumerate(self.leaves(cuts, start or self.sides), 1):
            try:
                box = self.box(sides)
                if not any(passes(form, {a: f(name) for a, name in atoms.items()}, strict) for f in (box.run, lambda name: self.spread(name, box))):
                    raise NotProved("the test of the matrix fails")
            except Outside: pass
            except NotProved as fault: raise NotProved(f"{what}: leaf {count}, {self.shown(sides)}: {fault}") from None
        if [*cuts]: raise Malformed("cuts: the tree goes on after its last leaf")
        self.report.append(f"{what}: on all of {count} leaves")
    def shown(self, sides):
        def text(e): return f"{float(Q(e, ONE)):.17g}" if abs(e) < INF else "inf" if e > 0 else "-inf"
        shown = [f"{name} in [{text(x.lo)}, {text(x.hi)}]" for name, x in zip(self.names, sides) if x.lo > -INF or x.hi < INF]
        return ", ".join(shown) or "everywhere"

# 7. Rules.
def check(data):
    """What is proved of a certificate, line by line; raises NotProved, Malformed or a lookup error."""
    KINDS.clear(), INDEX.clear()
    name, version, claim, region, system, evidence = fields(data, "format version claim region system evidence")
    words, kind, bound, norm, symbols, *_ = fields(claim, "statement kind bound norm", "symbols input_norm horizontal trajectories")
    b, rule = real(bound), expected(evidence, dict, "evidence")["rule"]
    if (name, type(version), version) != ("riemannian-modules certificate", int, 3): raise Malformed("no certificate of version 3")
    if rule not in ("monolithic", "network", "sos", "slopes", "sums"): raise Malformed(f"the rule {rule!r:.60} is not known here")
    if kind not in ("flow", "step", "map") or kind != "flow" and b < 0: raise Malformed(f"no claim: {kind!r:.60}, {bound}")
    if type(words) is not str or type(symbols or "") is not str: raise Malformed("a claim's words and symbols are texts")
    if "input_norm" in claim and (kind != "map" or norm["type"] != "l2"): raise Malformed("an input_norm is for l2 norms of maps")
    R = Region(region)
    (slopes if rule in ("slopes", "sums") else expressions)(R, b, kind, claim, norm, system, evidence)
    what = {"flow": "d|z|/dt <= {} |z|", "step": "|z+| <= {} |z|", "map": "|dy| <= {} |du|"}[kind].format(float(b))
    # A metric that changes with the point measures lengths of paths, and its bound is proved of paths in the region alone.
    path = ", and with them the shortest path between them in the metric," if {"metric_terms", "factor_terms"} & {*norm} else ""
    pairs = {"flow": "any two trajectories with the same inputs and parameters, as long as both", "step": "one step from any two points with the same "
             "inputs and parameters, where both", "map": "the outputs of any two inputs with the same parameters, where both"}[kind]
    less = claim.get("horizontal", {"kind": None})["kind"]  # L, R: what is left of z
    z = {None: "z their difference", "conservation": "their difference being R z, so that they conserve the same",
         "symmetry": "z being L times their difference"}[less]
    parts = {**claim, "region": region, "system": system}
    return [f"claim: {kind}, {what}", f"of {pairs}{path} lie in the region, {z}, in the norm given here",
            *(told(key, parts[key]) for key in parts if key not in ("statement", "symbols", "kind", "bound")), *R.report]
def told(key, value):
    """A part of the claim, whole; where it is long, how long, and its fingerprint."""
    text = json.dumps(value, default=float, sort_keys=True)
    return f"{key}: {text if len(text) <= 4000 else f'JSON of {len(text)} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}'}"
def expressions(R, b, kind, claim, norm, system, evidence):
    """The rules for systems of expressions: J is the derivative of the map, and the file writes it in atoms."""
    sort, groups, _, dx, y, guards = fields(system, "type symbols let dx y guards")
    state, inputs, parameters = fields(groups, "state inputs parameters")
    trees, variables = (y, inputs) if kind == "map" else (dx, state)
    if (sort != "expressions" or R.names != state + inputs + parameters or len(dx) != len(state) or not trees or not variables
            or (kind == "map") == bool(state)): raise Malformed("the system does not fit the claim or the region")
    R.read(system, *dx, *y, *(t for _, t in map(listed, guards)))
    R.read(norm, *norm.get("metric_terms", ()), *norm.get("factor_terms", ()), *(norm.get("rates") or {}).get("terms", ()))
    R.depths |= dict.fromkeys(R.constraints, 0)
    R.read(evidence)
    F, n, m = [R.moved.run(t) for t in trees], len(trees), len(variables)
    J = Matrix({(i, variables.index(s)): d for i, t in enumerate(F) for s, d in t.slopes().items() if s in variables})
    R.atoms(evidence.get("atoms", []))  # a range is one wherever the atom is defined; that the map is follows on the bound's leaves
    asked = {"nonnegative": lambda t: ["^", t, "1/2"], "positive": lambda t: ["log", t], "nonzero": lambda t: ["^", t, "-1"]}
    R.defined = [*trees, *(asked[sort](t) for sort, t in guards), *norm.get("metric_terms", []), *norm.get("factor_terms", []),
                 *(norm.get("rates") or {}).get("terms", [])]
    try: R.box(R.sides)
    except (NotProved, Outside): pass
    else: R.defined = []  # where all is defined on the whole box, it is on its parts
    if "horizontal" in claim:
        (rows, columns, sort), Z = fields(claim["horizontal"], "L R kind"), J if kind == "flow" else J - identity(n)
        L, back = matrix(rows, k := len(rows), n), matrix(columns, n, len(rows))
        gap = {"conservation": (identity(n) - back @ L) @ Z, "symmetry": Z @ (identity(n) - back @ L)}[sort]
        if not k or L @ back != identity(k) or not gap.zero or kind == "map" or "trajectories" in claim:
            raise NotProved(f"horizontal: the {sort} is no identity of the system")
        J, n, m = L @ J @ back, k, k
    if evidence["rule"] == "sos" or {"metric_terms", "factor_terms"} & {*norm}:
        field(R, b, kind, J, n, claim, norm, evidence, trees, state, inputs, parameters)
    elif evidence["rule"] == "network": network(R, b, kind, J, n, norm, evidence)
    else:
        _, cuts, jacobian, *_ = fields(evidence, "rule cuts jacobian", "let atoms")
        J = R.written(jacobian, J, n, m)
        if norm["type"] in ("l1", "linf"): sums(R, b, kind, J if norm["type"] == "linf" else J.T, n, m, norm, cuts)
        else:
            M = l2(norm, n)
            N = l2(claim["input_norm"], m) if "input_norm" in claim else identity(m) if kind == "map" else M
            block(R, "the bound", kind == "flow", b, N, m, M, n, J, cuts)
    if "trajectories" in claim: trajectories(R, b, kind, claim, trees, state)
def l2(norm, n):
    if (found := fields(norm, "type metric"))[0] != "l2": raise NotProved(f"a norm of type {norm['type']!r} is none of this rule")
    return metric(found[1], n)
def block(R, what, flow, b, N, m, M, n, J, cuts):
    """2 b M - (M J + J^T M) >= 0, or |J z|_M <= b |z|_N: [[b N, J^T M], [M J, b M]] >= 0."""
    MJ = M @ J
    R.proves(what, 2 * b * M - MJ - MJ.T if flow else b * N + (b * M).at(m, m) + MJ.T.at(0, m), n if flow else m + n, cuts)
def sums(R, b, kind, J, n, m, norm, cuts, rows=None):
    """sum_j |J_ij| w_j <= b w_i, a flow's diagonal with its sign; magnitudes stand at (i, -1 - j)."""
    w = [real(w) for w in fields(norm, "type weights")[1]]
    if len(w) != n or n != m or min(w) <= 0: raise Malformed(f"expected {n} positive weights")
    own = kind == "flow"
    A = {(i, i): b * w[i] - w[i] * J.get((i, i), 0) * own for i in range(n)}
    A |= {(i, -1 - j): w[j] * t for (i, j), t in J.items() if i != j or not own}
    R.proves(f"weighted sums{'' if rows is None else f' of row {rows[0]}'} are at most the bound", Matrix({p: t for p, t in A.items() if p[0] in (rows or range(n))}), n, cuts)
def blocks(norm, n):
    """Groups of the state, their metrics and weights: the largest |x_k|_M / r_k (linf), or the sum of l_k |x_k|_M (l1)."""
    sort, combine, groups, metrics, weights, exponents = fields(norm, "type combine groups metrics weights", "exponents")
    if any(type(e) is not int or abs(e) > 2**20 for e in exponents or ()): raise Malformed("blocks: exponents are whole")
    w = [real(x) * Q(2) ** e for x, e in zip(weights, [0] * len(groups) if exponents is None else exponents, strict=True)]
    if sorted(expected(i, int, "a state's number") for g in groups for i in listed(g)) != [*range(n)] or not all(groups) or min(w) <= 0 or sort != "blocks" or combine not in ("linf", "l1"):
        raise Malformed("blocks: every state in one group, with a positive weight")
    return combine, groups, [metric(M, len(g)) for M, g in zip(metrics, groups, strict=True)], w
def network(R, b, kind, J, n, norm, evidence):
    """Bounds of blocks on C's diagonal, gains off it: C r <= b r (linf), or l^T C <= b l^T (l1)."""
    (combine, groups, Ms, w), (_, checks, jacobian, *_) = blocks(norm, n), fields(evidence, "rule checks jacobian", "let atoms")
    if kind == "map": raise Malformed("blocks are those of a state")
    total = [Q(0)] * len(groups)
    place, parts, C = {s: (i, k) for i, g in enumerate(groups) for k, s in enumerate(g)}, {}, {}
    for (s, r), t in R.written(jacobian, J, n, n).items(): parts.setdefault((place[s][0], place[r][0]), Matrix())[place[s][1], place[r][1]] = t
    for i, j, g, cuts in (fields(c, "to from bound cuts") for c in checks):
        if type(i) is not int or type(j) is not int or (i, j) in C or min(i, j) < 0 or i != j and g < 0:
            raise Malformed("checks: each pair once, gains >= 0")
        C[i, j], q, p = real(g), len(groups[j]), len(groups[i])
        block(R, f"block {i} from {j}", kind == "flow" and i == j, C[i, j], Ms[j], q, Ms[i], p, parts.get((i, j), Matrix()), cuts)
        total[i if combine == "linf" else j] += C[i, j] * w[j if combine == "linf" else i]
    if missing := {*parts, *((i, i) for i in range(len(w)))} - {*C}: raise NotProved(f"the blocks {[*missing][:3]} have no check")
    if any(x > b * r for x, r in zip(total, w)): raise NotProved("the comparison matrix exceeds the bound")
def field(R, b, kind, J, n, claim, norm, evidence, trees, state, inputs, parameters):
    """A metric M(x), or Theta^T Theta: 2 b M - (Mdot + M J + J^T M) >= 0, or [[b M, J^T M'], [M' J, b M']] >= 0; M > 0."""
    entries, along = norm.get("metric_terms", norm.get("factor_terms")), dict(zip(state, map(R.terms.run, trees)))
    if norm["type"] != "l2" or entries is not None and (kind == "map" or "horizontal" in claim): raise NotProved("metrics of the point are for whole states")
    if entries is None: M, dot, after = l2(norm, n), Matrix(), l2(norm, n)
    else:
        rates = fields(norm, "type let " + ("metric_terms" if "metric_terms" in norm else "factor_terms"), "rates")[3]
        names, rates = fields(rates, "names terms") if rates is not None else ([], [])
        if names and kind == "step" or not {*names} <= {*inputs} or len({*names}) < len(names): raise Malformed("rates are those of a flow's inputs")
        # One u(t) for all points of a path: of a rate that depends on the state, each would have another.
        if any({*R.moved.run(t).slopes()} & {*state} for t in rates): raise NotProved("the rate of an input depends on the state")
        along |= dict(zip(names, map(R.terms.run, rates), strict=True))
        way = Values(Term, {s: t + Term.single("move", "t") * along.get(s, 0) for s, t in R.terms.items() if s in R.names}, R.let)
        if any(d and s not in {*along, *parameters} for t in entries for s, d in R.moved.run(t).slopes().items()) or len(entries) != n * n:
            raise NotProved("the metric depends on inputs without rates, or has another size")
        later = way if kind == "flow" else Values(Term, {**way.given, **along}, R.let)
        M, after = (square(map(v.run, entries), n) for v in (way, later))
        if "factor_terms" in norm: M, after = M.T @ M, after.T @ after
        M, dot = Matrix({p: t.still() for p, t in M.items()}), Matrix({p: t.slopes().get("t", 0) for p, t in M.items()})
        if not (M - M.T).zero: raise Malformed("the metric is not symmetric")
        if kind == "step":  # M' and K' have to be defined, too
            there = Values(Range, R.box(R.sides).given | dict(zip(state, map(R.box(R.sides).run, trees))), R.let)
            for t in entries + evidence.get("congruence", []): there.run(t)
            if evidence["rule"] == "sos" and (R.constraints or any(not x.lo <= there[s].lo <= there[s].hi <= x.hi for s, x in zip(state, R.sides))):
                raise NotProved("M' > 0, where the map may lead out of the region")
    S = M @ J + (M @ J).T + dot if kind == "flow" else after @ J
    if evidence["rule"] == "sos":
        _, rate, definite, *_ = fields(evidence, "rule rate positive", "let atoms")
        N = M if kind != "map" else l2(claim["input_norm"], len(inputs)) if "input_norm" in claim else identity(len(inputs))
        squares(R, "the bound", 2 * b * M - S if kind == "flow" else b**2 * N - J.T @ S, rate)
        weight, margin, c, parts = fields(definite, "weight margin point squares")
        depth(weight, R.depths)
        c = [*map(real, c)]
        if len(c) != len(R.names): raise Malformed("a point has a number for each symbol")
        if (margin := fraction(margin)) <= 0: raise NotProved("a margin is positive")
        R.box(R.sides).run(weight)  # real on the whole region, too
        w = R.terms.run(weight)
        squares(R, "M(x) > 0", M * w - margin * identity(n), parts)
        # where w M >= margin I, M is regular: definite on the connected region as it is at one of its points
        at = Values(Range, {s: near(x) for s, x in zip(R.names, c, strict=True)}, R.let)
        if w.parts.keys() == {()} and w.parts[()] > 0: return  # then M > 0 as it is
        if not R.holds(c): raise NotProved("the point is none of the region")
        here = square(map(at.run, entries or ()), n)
        here = here.T @ here if "factor_terms" in norm else here
        if positive({p: (x.lo, x.hi) for p, x in here.items() if p[0] <= p[1]}, True): return
        raise NotProved("M(x) > 0 at the point")
    _, cuts, own, weights, change, written, *_ = fields(evidence, "rule cuts matrix weight", "congruence after let atoms")
    listed(weights)
    if len(listed(evidence.get("congruence", [None] * n * n))) != n * n: raise Malformed("congruence: a term for each place")
    for t in change or (): depth(t, R.depths)
    K, L = (square(map(v.run, change), n) if change else identity(n) for v in (R.terms, later))  # z = K w, z' = K' w'
    R.defined, R.root = R.defined + list(change or ()), None
    S, W = R.written(own, (K if kind == "flow" else L).T @ S @ K, n, n), R.written(weights, (1 + (kind == "flow")) * (K.T @ M @ K), n, n)
    R.proves("M(x) > 0", W, n, cuts, True)  # hence K is regular
    if kind == "flow": return R.proves("2 b M - (Mdot + M J + J^T M) >= 0", b * W - S, n, cuts)
    V = R.written(written, L.T @ after @ L, n, n)
    R.proves("M(f) > 0", V, n, cuts, True)
    R.proves("[[b M, J^T M'], [M' J, b M']] >= 0", b * W + (b * V).at(n, n) + S.T.at(0, n), 2 * n, cuts)
def squares(R, what, T, parts):
    """T = sum g Z^T G Z with constant G >= 0, g >= 0 on the region, and a real Z; row k of Z has one entry, basis[k]."""
    box = R.box(R.sides)
    if not parts: raise Malformed(f"{what}: no squares")
    for g, rows, basis, gram in (fields(p, "factor rows basis gram") for p in parts):
        for t in (g, *basis): depth(t, R.depths)
        Z, G = Matrix({(k, expected(row, int, "a row")): R.terms.run(t) for k, (row, t) in enumerate(zip(rows, basis, strict=True))}), matrix(gram, len(rows), len(rows), fraction)
        for t in basis: box.run(t)  # raises where it is not real: terms know sqrt(x)^2 as x
        if box.run(g).lo < 0 or G.T != G or not passes(form_of(G, len(rows)), {}, False): raise NotProved(f"{what}: a negative square")
        T = T - (Z.T @ G @ Z) * R.terms.run(g)
    if not T.zero: raise NotProved(f"{what}: it is no such sum of squares")
    R.report.append(f"{what}: it is a sum of squares")
def trajectories(R, b, kind, claim, trees, state):
    """The ball |x - c| <= r lies in the region, and |f(c)| <= -b r, or |F(c) - c| <= (1 - b) r."""
    centre, radius = fields(claim["trajectories"], "center radius")
    c, r, n, norm = [real(x) for x in centre], real(radius), len(state), claim["norm"]
    sort, room = norm["type"], -b * r if kind == "flow" else (1 - b) * r
    if room <= 0 or r <= 0 or kind == "map" or len(c) != n or any({*own} & {*state} for own, *_ in R.balls):
        raise NotProved("trajectories: no claim that can be proved")
    start = [*map(near, c), *R.sides[n:]]
    at = Values(Range, dict(zip(R.names, start)), R.let)
    rows = [({i: Q(1)}, at[s], *R.data["sides"][i][1:]) for i, s in enumerate(state)] + [
        ({state.index(s): real(a) for s, a in row if s in state}, at[f"linear[{k}]"], *ends)
        for k, (row, *ends) in enumerate(R.data.get("linear") or ())]
    R.let |= {f"~f{i}": t for i, t in enumerate(trees)}
    f = [Term.single("atom", f"~f{i}") - (0 if kind == "flow" else x) for i, x in enumerate(c)]
    if sort in ("l1", "linf"):  # sum w_i |x_i|, or the largest |x_i| / w_i
        w, sums = [real(x) for x in norm["weights"]], sort == "l1"
        A = Matrix({(i, i): room * (1 if sums else x) for i, x in enumerate(w)})
        A |= {(0 if sums else i, -1 - i): t * (w[i] if sums else 1) for i, t in enumerate(f)}
        def holds(a, d): return r * (max(abs(x) / w[i] for i, x in a.items()) if sums else sum(abs(x) * w[i] for i, x in a.items())) <= d
    else:  # |x|_M, or the largest of the blocks' |x_k|_M
        combine, groups, Ms, w = blocks(norm, n) if sort == "blocks" else ("linf", [[*range(n)]], [l2(norm, n)], [Q(1)])
        if combine != "linf": raise NotProved("trajectories: not in sums of blocks")
        parts, A, size = [(g, M * v**-2) for g, M, v in zip(groups, Ms, w)], Matrix(), 0
        for g, M in parts:
            A |= Matrix({(size, size): room**2}) | M.at(size + 1, size + 1) | (M @ Matrix({(k, 0): f[i] for k, i in enumerate(g)})).T.at(size, size + 1)
            size += 1 + len(g)
        def holds(a, d):
            (g, M), *more = (part for part in parts if {*part[0]} & {*a})
            z = {g.index(i): x for i, x in a.items() if i in g}
            own = {*z}  # what M links to them
            while new := {j for i, j in M if i in own} - own: own |= new
            to, m = {i: k for k, i in enumerate(sorted(own))}, len(own)
            S = Matrix({(to[i], to[j]): x for (i, j), x in M.items() if i in own} | {(to[i], m): x for i, x in z.items()} | {(m, m): (d / r) ** 2})
            return not more and passes(form_of(S, m + 1), {}, False)
    for a, x, lo, hi in rows:  # the largest of a^T x on the ball is a^T c + r |a|, in the dual norm
        for d in [Q(x.lo, ONE) - real(e) for e in (lo,) if e != "-inf"] + [real(e) - Q(x.hi, ONE) for e in (hi,) if e != "inf"] if a else ():
            if d < 0 or not holds(a, d): raise NotProved("the ball leaves the region")
    R.proves("the ball is invariant and holds one equilibrium", A, 1 + max(i for i, _ in A), [None], start=start)
SLOPES = {"abs": (-1, 1), "cos": (-1, 1), "sin": (-1, 1), "erf": (0, 1.1283791670955128), "sigmoid": (0, 0.25),
          "gelu": (-0.1289041451851548, 1.128904145185155), "silu": (-0.09983932012886693, 1.099839320128867),
          **dict.fromkeys(("relu", "tanh", "softplus", "softsign", "saturation", "arctan"), (0, 1))}
def slopes(R, b, kind, claim, norm, system, evidence):
    """out = A x + B w, v = C x + D w, w = phi(v), whose slopes lie in [alpha, beta], in differences.

    (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i) >= 0, so with t >= 0 the form |out|_M^2 + 2 sum t_i (..) <= b^2 |dx|_N^2 for
    all (dx, dw) gives the bound (flow: 2 dx^T M out, 2 b |dx|_M^2). Proved with strict sign it also says, at dx = 0, that
    loops among neurons have exactly one solution.
    """
    sort, n, A, B, C, D, activations = fields(system, "type size A B C D activations")
    runs = [[run, 1] if isinstance(run, str) else expected(run, list, "a name, [name, times] or [low, high]") for run in activations]
    if sum(expected(k, int, "how often") if isinstance(s, str) else 1 for s, k in runs) > 10**6 or any(k < 1 for s, k in runs if isinstance(s, str)):
        raise Malformed("activations: from 1 to a million")
    bounds = [(Q(low), Q(high)) for s, k in runs for low, high in ([SLOPES[s]] * k if isinstance(s, str) else [(real(s), real(k))])]
    q, m = len(norm.get("metric", norm.get("weights"))), len(bounds)
    if not q or expected(n, int, "the size") < 1: raise Malformed("slopes: nothing is bounded")
    if (sort != "slopes" or any(low > high for low, high in bounds) or len(R.names) < n
            or kind != "map" and q != n or {"horizontal", "trajectories"} & {*claim}): raise Malformed("slopes: the parts do not fit")
    A, B, C, D = (matrix(X, *size, fraction) for X, size in ((A, (q, n)), (B, (q, m)), (C, (m, n)), (D, (m, m))))
    if evidence["rule"] == "sums": return fields(evidence, "rule") and sums_of_slopes(R, b, kind, A, B, C, D, bounds, norm)
    (_, multipliers, compression), M = fields(evidence, "rule multipliers", "compression"), l2(norm, q)
    if len(t := [real(x) for x in multipliers]) != m or min(t, default=0) < 0: raise Malformed("slopes: a multiplier >= 0 for each")
    N = l2(claim["input_norm"], n) if "input_norm" in claim else identity(n) if kind == "map" else M
    limit = (2 * b if kind == "flow" else b**2) * N
    if compression is not None:  # |x|^2 >= s^T (2 H - H G H) s for s = C0 x, G = C0 C0^T
        if A or kind != "map" or "input_norm" in claim: raise NotProved("compression: x must enter through C alone")
        touched = {i: k for k, i in enumerate(sorted({i for i, _ in C}))}
        C0, n = Matrix({(touched[i], j): x for (i, j), x in C.items()}), len(touched)
        if (H := matrix(compression, n, n)).T != H: raise Malformed("compression: H is symmetric")
        limit, C = 2 * b**2 * H - b**2 * (H @ (C0 @ C0.T) @ H), Matrix({(i, k): Q(1) for i, k in touched.items()})
    out, v, own = A + B.at(0, n), C + D.at(0, n), identity(m).at(0, n)
    alpha, beta, T = map(diagonal, ([a for a, _ in bounds], [a for _, a in bounds], t))
    motion = M @ out if kind == "flow" else Q(1, 2) * (out.T @ (M @ out))
    half = (own - alpha @ v).T @ (T @ (beta @ v - own)) + motion
    if not passes(form_of(limit - half - half.T, n + m), {}, True): raise NotProved("the matrix inequality of the multipliers fails")
    R.report.append(f"the matrix inequality of {m} multipliers")
def sums_of_slopes(R, b, kind, A, B, C, D, bounds, norm):
    """out = (A + B U) dx, where U = S (C + D U) for the slopes S, found one layer after another."""
    U, left = Matrix(), {*range(len(bounds))}
    while ready := {k for k in left if not any((k, j) in D for j in left)}:
        U, left = U + Matrix({(k, k): Term.single("atom", f"~{k}") for k in ready}) @ (C + D @ U), left - ready
    if left or kind == "map" or norm["type"] not in ("l1", "linf"): raise NotProved("sums of slopes are those of layers, in l1 or linf")
    R.names, R.sides, R.root = R.names + [f"~{k}" for k in range(len(bounds))], R.sides + [between(low, high) for low, high in bounds], None
    J, n = A + B @ U, len(norm["weights"])
    for i in range(n): sums(R, b, kind, J if norm["type"] == "linf" else J.T, n, n, norm, [None], (i,))

# 8. The file.
def once(pairs):
    if len(dict(pairs)) < len(pairs): raise Malformed("a key is given twice")
    return dict(pairs)
def constant(name): raise Malformed(f"{name} is no JSON")
LARGEST = 1 << 29  # bytes of a file, and of what it unpacks to
def double(text):
    x = Q(float(text))
    if not x and re.search("[1-9]", re.split("[eE]", text)[0]): raise Malformed(f"{text} is below every double")
    return x
def load(path):
    with open(path, "rb") as file: raw = file.read(LARGEST + 1)
    if len(raw) <= LARGEST and raw[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed: raw = packed.read(LARGEST + 1)
    if len(raw) > LARGEST: raise Malformed(f"the file, or what it unpacks to, holds more than {LARGEST} bytes")
    return json.loads(raw.decode(), object_pairs_hook=once, parse_constant=constant, parse_float=double)
def shown(text):
    """A text in which nothing but a character of our own can end a line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
def main(arguments):
    sys.setrecursionlimit(5_000)
    if len(arguments) != 1: return sys.stderr.write("usage: python checker.py certificate.json[.gz]\n") and 2
    try: lines = check(load(arguments[0]))
    except (NotProved, Outside) as fault: return sys.stderr.write(f"NOT PROVED: {shown(str(fault))}\n") and 4
    except (Malformed, OSError, EOFError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError, RecursionError, MemoryError,
            zlib.error) as fault:
        return sys.stderr.write(f"no certificate: {type(fault).__name__}: {shown(str(fault))}\n") and 1
    sys.stdout.write("\n".join(["PROVED", *map(shown, lines)]) + "\n")
    return 0
if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
