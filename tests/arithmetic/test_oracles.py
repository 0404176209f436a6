"""A million operations, random and adversarial, against balls of high precision and rationals."""

import operator
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import arb, ctx, fmpq

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_intervals
from tests.arithmetic.adversarial import around, near_multiples, random_numbers
from tests.arithmetic.counts import OPERATIONS
from tests.arithmetic.test_elementary import FUNCTIONS, assert_contained

EXACT = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "divide": operator.truediv, "maximum": None, "minimum": None,
}  # fmt: skip
PER_FUNCTION = OPERATIONS // (2 * (len(FUNCTIONS) + len(EXACT) + 6))


@pytest.fixture(autouse=True)
def _precision():
    before = ctx.prec
    ctx.prec = 256
    yield
    ctx.prec = before


def hard_numbers(rng, size):
    """Numbers of every kind, among them those on which one function or another is delicate."""
    ordinary = random_numbers(rng, size)
    turns = near_multiples(rng, size)
    huge = np.ldexp(rng.uniform(-1, 1, size), rng.integers(25, 40, size))  # about 2^30
    tails = rng.choice([-1, 1], size) * rng.uniform(0, 40, size)
    hair = rng.choice([-1.0, 0.0, 1.0], size) + rng.choice([-1, 1], size) * 2.0 ** -rng.integers(
        20, 60, size
    )
    touching = rng.choice([1.0, -1.0, np.nextafter(1, 0), np.nextafter(1, 2), 0.0, -0.0], size)
    kinds = [ordinary, turns, huge, tails, hair, touching]
    return np.choose(rng.integers(0, len(kinds), size), kinds)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_contain_the_values_of_balls(name):
    function, on_balls, domain = FUNCTIONS[name]
    rng = np.random.default_rng(list(name.encode()))
    x = hard_numbers(rng, PER_FUNCTION)
    x = x if domain is None else np.array([t for t in x if domain(t)])
    assert_contained(function(iv.Interval.point(x)), x, on_balls)
    assert_contained(function(around(rng, x)), x, on_balls)


def rational(x):
    return fmpq(*float(x).as_integer_ratio())


@pytest.mark.parametrize("name", EXACT)
def test_operations_contain_the_values_of_rationals(name):
    rng = np.random.default_rng(list(name.encode()))
    x, y = hard_numbers(rng, 2 * PER_FUNCTION), hard_numbers(rng, 2 * PER_FUNCTION)
    y = np.where(rng.random(len(y)) < 0.2, -x - x * 2.0**-40 * (np.abs(x) < 1), y)  # sums cancel
    if name == "divide":
        y = np.where(y == 0, 3.0, y)
    operation = EXACT[name] or getattr(iv, name)
    for result in (operation(iv.Interval.point(x), y), operation(around(rng, x), around(rng, y))):
        for i in np.flatnonzero(result.is_decided):
            p, q = rational(x[i]), rational(y[i])
            exact = (EXACT[name] or {"maximum": max, "minimum": min}[name])(p, q)
            low, high = result.lower[i], result.upper[i]
            assert low == -np.inf or rational(low) <= exact, (x[i], y[i])
            assert high == np.inf or exact <= rational(high), (x[i], y[i])


@pytest.mark.parametrize("exponent", [2, 3, 5, 9, -1, -3])
def test_whole_powers_contain_the_values_of_rationals(exponent):
    rng = np.random.default_rng(exponent + 100)
    x = hard_numbers(rng, 2 * PER_FUNCTION)
    x = x[x != 0]
    for result in (iv.Interval.point(x) ** exponent, around(rng, x) ** exponent):
        for i in np.flatnonzero(result.is_decided):
            exact = rational(x[i]) ** exponent
            low, high = result.lower[i], result.upper[i]
            assert low == -np.inf or rational(low) <= exact, x[i]
            assert high == np.inf or exact <= rational(high), x[i]


# -- whole expressions: what compiled code computes holds the value that balls give

SYMBOLS = sp.symbols("x y", real=True)
UNARY = {
    sp.exp: arb.exp, sp.sin: arb.sin, sp.cos: arb.cos, sp.tanh: arb.tanh, sp.sinh: arb.sinh,
    sp.cosh: arb.cosh, sp.atan: arb.atan, sp.asinh: arb.asinh, sp.erf: arb.erf, sp.tan: arb.tan,
    sp.log: arb.log, sp.asin: arb.asin, sp.acos: arb.acos, fn.expm1: arb.expm1,
    fn.log1p: arb.log1p, fn.absolute: abs, fn.softplus: lambda v: arb.log1p(arb.exp(v)),
}  # fmt: skip
POWERS = [2, 3, -1, -2, sp.Rational(1, 2), sp.Rational(-3, 2), sp.Rational(5, 3)]


def random_expression(rng, depth):
    if depth == 0:
        leaves = [*SYMBOLS, sp.Rational(int(rng.integers(-9, 10)), int(rng.integers(1, 8)))]
        return leaves[rng.integers(len(leaves))]
    a, b = random_expression(rng, depth - 1), random_expression(rng, rng.integers(depth))
    kind = rng.integers(7)
    if kind < 2:
        return a + b if kind else a * b
    if kind == 2:
        return a / (b if rng.random() < 0.3 else 2 + b**2)
    if kind == 3:
        return (a if rng.random() < 0.3 else fn.absolute(a)) ** POWERS[rng.integers(len(POWERS))]
    if kind == 4:
        return (fn.maximum, fn.minimum)[rng.integers(2)](a, b)
    if kind == 5:
        return sp.Piecewise((a, SYMBOLS[0] > SYMBOLS[1]), (b, True))
    function = list(UNARY)[rng.integers(len(UNARY))]
    return function(a)


def ball_value(e, values):
    """The value of an expression on balls, all of whose numbers are exact at the leaves."""
    if e in values:
        return values[e]
    if e.is_Rational:
        return arb(fmpq(int(e.p), int(e.q)))
    if isinstance(e, sp.Piecewise):
        return ball_value(e.args[0][0] if values["first"] else e.args[1][0], values)
    parts = [ball_value(a, values) for a in e.args]
    if e.is_Add:
        return sum(parts, arb(0))
    if e.is_Mul:
        return np.prod(np.array(parts, dtype=object))
    if isinstance(e, sp.Pow):
        return arb.exp(parts[1]) if e.base == sp.E else parts[0] ** parts[1]
    if isinstance(e, (fn.maximum, fn.minimum)):
        return (arb.max if isinstance(e, fn.maximum) else arb.min)(*parts)
    if e == sp.pi or e == sp.E:
        return arb.pi() if e == sp.pi else arb.exp(arb(1))
    return (abs if isinstance(e, sp.Abs) else UNARY[e.func])(*parts)


def test_compiled_expressions_contain_the_values_of_balls():
    rng = np.random.default_rng(17)
    points = 40
    decided = 0
    for _ in range(max(OPERATIONS // 1500, 20)):
        e = sp.sympify(random_expression(rng, int(rng.integers(1, 5))))
        if e.has(sp.zoo, sp.nan, sp.I, sp.oo) or not e.free_symbols:
            continue
        x, y = (np.round(rng.normal(size=points), 3) * 2.0 ** rng.integers(-3, 3) for _ in "xy")
        (value,) = compile_intervals((e,), (SYMBOLS,))([narrow(rng, x), narrow(rng, y)])
        value = iv.as_interval(value).broadcast_to((points,))
        for i in np.flatnonzero(value.is_decided):
            values = {SYMBOLS[0]: arb(x[i]), SYMBOLS[1]: arb(y[i]), "first": x[i] > y[i]}
            exact = ball_value(e, values)
            decided += 1
            assert not exact < arb(value.lower[i]), (e, x[i], y[i])
            assert not exact > arb(value.upper[i]), (e, x[i], y[i])
    assert decided > 100


def narrow(rng, x):
    width = rng.choice([0.0, 1e-9, 0.1, 2.0], len(x))
    return iv.interval(x - width * rng.random(len(x)), x + width * rng.random(len(x)))


# -- examples that other tools get wrong


def test_rumps_polynomial_is_contained_and_not_missed():
    a, b = sp.symbols("a b", real=True)
    f = (
        sp.Rational(1335, 4) * b**6
        + a**2 * (11 * a**2 * b**2 - b**6 - 121 * b**4 - 2)
        + sp.Rational(11, 2) * b**8
        + a / (2 * b)
    )
    at = {a: 77617, b: 33096}
    exact = Fraction(str(f.subs(at)))
    assert round(float(exact), 3) == -0.827
    points = [iv.Interval.point(float(v)) for v in at.values()]
    (value,) = compile_intervals((f,), ((a, b),))(points)
    assert value.lower < exact < value.upper
    x, y = points
    by_hand = 333.75 * y**6 + x**2 * (11 * x**2 * y**2 - y**6 - 121 * y**4 - 2) + 5.5 * y**8
    by_hand = by_hand + x / (2 * y)
    assert by_hand.lower < exact < by_hand.upper


@pytest.mark.parametrize(
    ("function", "lower", "upper"),
    [
        (iv.sqrt, -(2.0**-1074), 1.0),
        (iv.sqrt, -np.inf, -1.0),
        (iv.log, 0.0, 1.0),
        (iv.log1p, -1.0, 1.0),
        (iv.arcsin, 0.0, 1 + 2.0**-52),
        (iv.arccos, -1 - 2.0**-52, 0.0),
        (iv.arctanh, 0.0, 1.0),
        (iv.tan, 1.5, 1.6),
        (lambda x: 1.0 / x, -1.0, 0.0),
        (lambda x: x**-2, -1.0, 1.0),
        (lambda x: iv.power(x, Fraction(1, 3)), -(2.0**-1074), 1.0),
        (lambda x: iv.power(x, -0.5), 0.0, 1.0),
        (lambda x: iv.power_log(x, -1.0), 0.0, 1.0),
    ],
)
def test_what_leaves_a_domain_is_undecided_and_stays_so(function, lower, upper):
    value = function(iv.interval(lower, upper))
    after = iv.maximum(0.0 * iv.tanh(value) + 1, 0.0)
    for result in (value, after):
        assert np.isnan(result.lower)
        assert np.isnan(result.upper)
        assert not result.is_decided
