"""The checker's own arithmetic holds against Arb, SymPy and exact fractions."""

import math
import operator as op
from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic.expression_data import PLAIN, TermWriter
from riemannian_modules.arithmetic.rational_definite import (
    is_negative_definite_rational,
    is_negative_semidefinite_rational,
)
from riemannian_modules.certify import checker as c
from tests.strategies import rngs

ARB = {
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "arcsin": "asin",
    "arctan": "atan",
    "arcsinh": "asinh",
    "erf": "erf",
}
floats = st.floats(allow_nan=False, allow_infinity=False)
ADVERSARIAL = [
    0.0,
    5e-324,
    2.0**-200,
    2.0**-96,
    2.0**-53,
    0.5,
    math.pi / 4,
    math.pi / 2,
    math.pi,
    3 * math.pi / 2,
    1.0,
    1 - 2.0**-53,
    1 + 2.0**-52,
    math.e,
    math.log(2),
    22 / 7,
    355 / 113,
    11.99,
    12.0,
    12.01,
    40.0,
    133.0,
    500.0,
    709.8,
    1178.0,
    1200.0,
    1250.0,
    1179.0,
    1e5,
    1e15,
    1e22,
    1e100,
    1e300,
]
arguments = st.one_of(
    floats,
    st.floats(-2, 2),
    st.floats(-20, 20),
    st.sampled_from(ADVERSARIAL),
    st.sampled_from(ADVERSARIAL).map(lambda v: -v),
)


def as_rational(units):
    return flint.arb(flint.fmpq(units, c.ONE))


def true_value(name, units):
    """The function at a whole number of units, as a ball of 900 bits; NaN outside of its domain."""
    x = as_rational(units)
    if name == "softplus":
        return (1 + x.exp()).log()
    return getattr(x, ARB[name])()


def contains(interval, ball):
    lo, hi = interval.lo, interval.hi
    return (lo <= -c.BIG or not as_rational(lo) > ball) and (
        hi >= c.BIG or not as_rational(hi) < ball
    )


@pytest.mark.parametrize("name", [*ARB, "softplus"])
@settings(max_examples=80, deadline=None)
@example(x=1200.0, width=0.0, share=0.0)
@given(
    x=arguments,
    width=st.one_of(st.just(0.0), st.floats(0, 4), st.floats(0, 1e-12)),
    share=st.floats(0, 1),
)
def test_enclosures_contain_the_function_at_every_point_of_an_interval(name, x, width, share):
    flint.ctx.prec = 3000
    lo, hi = c.near(Fraction(x)).lo, c.near(Fraction(x) + Fraction(width)).hi
    try:
        found = c.FUNCTIONS[name][0](c.Range(lo, hi))
    except c.NotProved:
        return
    for at in (lo, hi, lo + int((hi - lo) * Fraction(share))):
        ball = true_value(name, at)
        assert ball.is_finite(), (name, at)
        assert contains(found, ball)


@pytest.mark.parametrize("name", ["exp", "sin", "cos", "tanh", "log", "arctan", "erf", "softplus"])
def test_enclosures_at_points_are_narrow(name):
    for x in (0.125, 0.7, 1.0, 3.3, 9.5):
        found = c.FUNCTIONS[name][0](c.near(Fraction(x)))
        assert 0 <= found.hi - found.lo <= c.ONE * math.exp(abs(x)) * 2.0**-150


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("log", 0),
        ("log", -1),
        ("arcsin", 1.5),
        ("arcsin", -1.5),
        ("tan", math.pi / 2),
    ],
)
def test_intervals_that_leave_the_domain_are_not_enclosed(name, x):
    at = c.near(Fraction(x))
    with pytest.raises(c.NotProved):
        c.FUNCTIONS[name][0](c.Range(at.lo - c.ONE // 8, at.hi + c.ONE // 8))


@given(*[st.tuples(floats, floats).map(sorted)] * 2, st.sampled_from(["add", "mul"]))
def test_sums_and_products_round_outwards(x, y, operation):
    X, Y = (c.Range(c.near(Fraction(lo)).lo, c.near(Fraction(hi)).hi) for lo, hi in (x, y))
    found = getattr(op, operation)(X, Y)
    lo, hi = found.lo, found.hi
    for a in x:
        for b in y:
            exact = (
                Fraction(a) + Fraction(b) if operation == "add" else Fraction(a) * Fraction(b)
            ) * c.ONE
            assert lo <= exact
            assert hi >= exact


@pytest.mark.parametrize("operation", ["add", "mul"])
def test_infinite_ends_stay_infinite(operation):
    small, combine = c.Range(1, 2), getattr(op, operation)
    assert combine(c.Range(0, c.INF), small).hi == c.INF
    assert combine(c.Range(-c.INF, 0), small).lo == -c.INF
    assert (c.Range(-c.INF, 0) + c.Range(c.BIG, c.BIG)).lo == -c.INF
    nothing = c.Range(0, 0) * c.Range(-c.INF, c.INF)
    assert (nothing.lo, nothing.hi) == (0, 0)


@given(st.tuples(floats, floats).map(sorted), st.integers(-5, 5).filter(bool))
def test_powers_contain_the_powers_of_the_ends(x, k):
    lo, hi = c.near(Fraction(x[0])).lo, c.near(Fraction(x[1])).hi
    try:
        found = c.Range(lo, hi) ** Fraction(k)
        low, high = found.lo, found.hi
    except c.NotProved:
        assert k < 0
        assert lo <= 0 <= hi
        return
    for end in (lo, hi, (lo + hi) // 2):
        if end == 0 > k:
            continue
        exact = Fraction(end, c.ONE) ** k * c.ONE
        assert low <= exact or low in (c.BIG, -c.INF)
        assert high >= exact or high in (-c.BIG, c.INF)


@given(st.floats(0, 1e300), st.integers(2, 9))
def test_roots_contain_what_they_are_the_roots_of(x, q):
    units = c.near(Fraction(x)).lo
    found = c.Range(units, units) ** Fraction(1, q)
    lo, hi = found.lo, found.hi
    exact = Fraction(units, c.ONE)
    assert Fraction(lo, c.ONE) ** q <= exact <= Fraction(hi, c.ONE) ** q


def entries(matrix, radius=None):
    n = len(matrix)
    R = radius or [[0] * n for _ in range(n)]
    return {
        (i, j): (matrix[i][j] - R[i][j], matrix[i][j] + R[i][j])
        for i in range(n)
        for j in range(i, n)
    }


@settings(max_examples=150, deadline=None)
@given(rngs, st.integers(1, 6), st.sampled_from([1, 3, 10**6, 2**200]), st.integers(-1, 1))
def test_definiteness_is_decided_as_in_fractions_on_a_hair_line(rng, n, scale, nudge):
    B = rng.integers(-3, 4, (n, max(n - 1, 1))).astype(object)
    A = B @ B.T * scale  # semidefinite, and singular for n > 1
    A = [[int(A[i, j]) + nudge * (i == j) for j in range(n)] for i in range(n)]
    negative = [[-v for v in row] for row in A]
    assert c.positive(entries(A), False) == is_negative_semidefinite_rational(negative)
    assert c.positive(entries(A), True) == is_negative_definite_rational(negative)


@settings(max_examples=100, deadline=None)
@given(rngs, st.integers(2, 5))
def test_no_interval_matrix_with_an_indefinite_member_is_accepted(rng, n):
    A = rng.integers(-4, 5, (n, n))
    A = (A + A.T + np.diag(rng.integers(0, 12, n))).astype(object) * 2**40
    R = rng.integers(0, 3, (n, n))
    R = ((R + R.T) * int(rng.integers(0, 2**38))).astype(object)
    if not c.positive(entries(A.tolist(), R.tolist()), False):
        return
    for _ in range(30):
        S = rng.integers(-1, 2, (n, n))
        S = np.triu(S) + np.triu(S, 1).T
        assert is_negative_semidefinite_rational((-(A + S.astype(object) * R)).tolist())


x, y, p = sp.symbols("x y p", real=True)
EXPRESSIONS = [
    x**3 * y - 2 * x / (1 + x**2),
    sp.tanh(x * y + p) ** 2,
    sp.exp(x - y) * sp.exp(y) / x,
    sp.sqrt(1 + x**2) ** 3,
    sp.sin(x) ** 2 + sp.cos(x * y) ** 3,
    sp.log(1 + x**2) * sp.atan(y),
    (x + y) ** 5 / (1 + p**2) ** 2,
    sp.sinh(x) * sp.cosh(y) * sp.tan(p),
    sp.erf(x) * sp.asinh(y * x),
    x ** sp.Rational(5, 3),
    1 / (x + 1 / (1 + y**2)),
    sp.asin(p / 4) + sp.acos(p * x / 9),
]


def region_of(expressions, low=(-9, -9, -9), high=(9, 9, 9)):
    """A region in x, y and p, with terms bound to $0, $1, ..."""
    writer = TermWriter(((x, y, p),), prefix="$w", spelled=PLAIN)
    written = writer.write(expressions)
    pairs = [[f"${k}", t] for k, t in enumerate(written)]
    sides = [[s.name, lo, hi] for s, lo, hi in zip((x, y, p), low, high, strict=True)]
    R = c.Region({"sides": sides})
    R.read({"let": [*writer.bindings, *pairs]})
    return R


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
@pytest.mark.parametrize("by", [x, y, p], ids=str)
def test_derivatives_are_those_of_sympy(expression, by):
    table = {x: Fraction(7, 8), y: Fraction(3, 4), p: Fraction(5, 4)}
    derivative = sp.diff(expression, by)
    R = region_of([expression, derivative], table.values(), table.values())
    found = R.moved["$0"].slopes().get(by.name, 0)
    assert c.vanishes(found - R.terms["$1"])
    assert not c.vanishes(found - R.terms["$1"] - Fraction(1, 10**30) * R.terms["x"])
    exact = derivative.subs({s: sp.Rational(v) for s, v in table.items()}).evalf(60)
    value = R.box(R.sides)["$1"]
    assert sp.Float(value.lo, 80) / c.ONE - 1e-40 <= exact <= sp.Float(value.hi, 80) / c.ONE + 1e-40


@pytest.mark.parametrize(
    "identity",
    [
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
        1 / (1 + x**2) * (1 + x**2) - 1,
        x / (x + y) + y / (x + y) - 1,
        1 / (1 + 1 / (1 + x**2)) - (1 + x**2) / (2 + x**2),
        sp.sqrt(1 + x**2) ** 2 - 1 - x**2,
        sp.exp(x + y) - sp.exp(x) * sp.exp(y),
        (x + y) ** 3 - x**3 - 3 * x**2 * y - 3 * x * y**2 - y**3,
    ],
    ids=str,
)
def test_identities_vanish_and_what_is_off_by_a_little_does_not(identity):
    assert c.vanishes(region_of([identity]).terms["$0"])
    assert not c.vanishes(region_of([identity + sp.Rational(1, 10**30) * x]).terms["$0"])


@settings(max_examples=60, deadline=None)
@given(rngs, st.sampled_from(EXPRESSIONS[:9]))
def test_ranges_contain_the_values_inside(rng, expression):
    low = rng.integers(1, 16, 3)
    high = low + rng.integers(0, 12, 3)
    ends = [[Fraction(int(v), 16) for v in end] for end in (low, high)]
    slopes = [sp.diff(expression, s) for s in (x, y, p)]
    R = region_of([expression, *slopes], *ends)
    named = [[s.name, f"${k}"] for k, s in enumerate((x, y, p), 1)]
    R.atoms([{"name": "$0", "slopes": named}])
    try:
        box = R.box(R.sides)
        found = [box["$0"], R.spread("$0", box)]
    except c.NotProved:
        return
    assert found[1].lo >= found[0].lo
    assert found[1].hi <= found[0].hi
    for _ in range(8):
        at = [a + (b - a) * int(rng.integers(0, 65)) / 64 for a, b in zip(*ends, strict=True)]
        value = R.box([c.near(v) for v in at])["$0"]
        for enclosure in found:
            assert enclosure.lo <= value.hi
            assert enclosure.hi >= value.lo
