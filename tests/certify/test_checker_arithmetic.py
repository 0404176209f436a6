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

from contraction_checker.atoms import read_atoms
from contraction_checker.definiteness import is_positive
from contraction_checker.expressions import OPERANDS, Definitions
from contraction_checker.functions import FUNCTIONS, rational_power
from contraction_checker.proof import Proof
from contraction_checker.ranges import BIG, INF, ONE, Range, near
from contraction_checker.refusals import NotProvedError
from contraction_checker.region import Region
from contraction_checker.term_functions import DERIVATIVES
from contraction_checker.term_powers import vanishes
from riemannian_modules.arithmetic.expression_data import PLAIN, TermWriter
from riemannian_modules.arithmetic.rational_definite import (
    is_negative_definite_rational,
    is_negative_semidefinite_rational,
)
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
    return flint.arb(flint.fmpq(units, ONE))


def true_value(name, units):
    """The function at a whole number of units, as a ball of 900 bits; NaN outside of its domain."""
    x = as_rational(units)
    if name == "softplus":
        return (1 + x.exp()).log()
    return getattr(x, ARB[name])()


def contains(interval, ball):
    lo, hi = interval.lo, interval.hi
    return (lo <= -BIG or not as_rational(lo) > ball) and (hi >= BIG or not as_rational(hi) < ball)


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
    lo, hi = near(Fraction(x)).lo, near(Fraction(x) + Fraction(width)).hi
    try:
        found = FUNCTIONS[name](Range(lo, hi))
    except NotProvedError:
        return
    for at in (lo, hi, lo + int((hi - lo) * Fraction(share))):
        ball = true_value(name, at)
        assert ball.is_finite(), (name, at)
        assert contains(found, ball)


@pytest.mark.parametrize("name", ["exp", "sin", "cos", "tanh", "log", "arctan", "erf", "softplus"])
def test_enclosures_at_points_are_narrow(name):
    for x in (0.125, 0.7, 1.0, 3.3, 9.5):
        found = FUNCTIONS[name](near(Fraction(x)))
        assert 0 <= found.hi - found.lo <= ONE * math.exp(abs(x)) * 2.0**-150


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
    at = near(Fraction(x))
    with pytest.raises(NotProvedError):
        FUNCTIONS[name](Range(at.lo - ONE // 8, at.hi + ONE // 8))


@given(*[st.tuples(floats, floats).map(sorted)] * 2, st.sampled_from(["add", "mul"]))
def test_sums_and_products_round_outwards(x, y, operation):
    X, Y = (Range(near(Fraction(lo)).lo, near(Fraction(hi)).hi) for lo, hi in (x, y))
    found = getattr(op, operation)(X, Y)
    lo, hi = found.lo, found.hi
    for a in x:
        for b in y:
            exact = (
                Fraction(a) + Fraction(b) if operation == "add" else Fraction(a) * Fraction(b)
            ) * ONE
            assert lo <= exact
            assert hi >= exact


@pytest.mark.parametrize("operation", ["add", "mul"])
def test_infinite_ends_stay_infinite(operation):
    small, combine = Range(1, 2), getattr(op, operation)
    assert combine(Range(0, INF), small).hi == INF
    assert combine(Range(-INF, 0), small).lo == -INF
    assert (Range(-INF, 0) + Range(BIG, BIG)).lo == -INF
    nothing = Range(0, 0) * Range(-INF, INF)
    assert (nothing.lo, nothing.hi) == (0, 0)


@given(st.tuples(floats, floats).map(sorted), st.integers(-5, 5).filter(bool))
def test_powers_contain_the_powers_of_the_ends(x, k):
    lo, hi = near(Fraction(x[0])).lo, near(Fraction(x[1])).hi
    try:
        found = rational_power(Range(lo, hi), Fraction(k))
        low, high = found.lo, found.hi
    except NotProvedError:
        assert k < 0
        assert lo <= 0 <= hi
        return
    for end in (lo, hi, (lo + hi) // 2):
        if end == 0 > k:
            continue
        exact = Fraction(end, ONE) ** k * ONE
        assert low <= exact or low in (BIG, -INF)
        assert high >= exact or high in (-BIG, INF)


@given(st.floats(0, 1e300), st.integers(2, 9))
def test_roots_contain_what_they_are_the_roots_of(x, q):
    units = near(Fraction(x)).lo
    found = rational_power(Range(units, units), Fraction(1, q))
    lo, hi = found.lo, found.hi
    exact = Fraction(units, ONE)
    assert Fraction(lo, ONE) ** q <= exact <= Fraction(hi, ONE) ** q


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
    assert is_positive(entries(A), strict=False) == is_negative_semidefinite_rational(negative)
    assert is_positive(entries(A), strict=True) == is_negative_definite_rational(negative)


@settings(max_examples=100, deadline=None)
@given(rngs, st.integers(2, 5))
def test_no_interval_matrix_with_an_indefinite_member_is_accepted(rng, n):
    A = rng.integers(-4, 5, (n, n))
    A = (A + A.T + np.diag(rng.integers(0, 12, n))).astype(object) * 2**40
    R = rng.integers(0, 3, (n, n))
    R = ((R + R.T) * int(rng.integers(0, 2**38))).astype(object)
    if not is_positive(entries(A.tolist(), R.tolist()), strict=False):
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
    definitions = Definitions()
    region = Region({"sides": sides}, definitions)
    definitions.define({"let": [*writer.bindings, *pairs]})
    return Proof(region, definitions)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
@pytest.mark.parametrize("by", [x, y, p], ids=str)
def test_derivatives_are_those_of_sympy(expression, by):
    table = {x: Fraction(7, 8), y: Fraction(3, 4), p: Fraction(5, 4)}
    derivative = sp.diff(expression, by)
    R = region_of([expression, derivative], table.values(), table.values())
    found = R.moving["$0"].slopes().get(by.name, 0)
    assert vanishes(found - R.terms["$1"])
    assert not vanishes(found - R.terms["$1"] - Fraction(1, 10**30) * R.terms["x"])
    exact = derivative.subs({s: sp.Rational(v) for s, v in table.items()}).evalf(60)
    value = R.whole()["$1"]
    assert sp.Float(value.lo, 80) / ONE - 1e-40 <= exact <= sp.Float(value.hi, 80) / ONE + 1e-40


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
    assert vanishes(region_of([identity]).terms["$0"])
    assert not vanishes(region_of([identity + sp.Rational(1, 10**30) * x]).terms["$0"])


@settings(max_examples=60, deadline=None)
@given(rngs, st.sampled_from(EXPRESSIONS[:9]))
def test_ranges_contain_the_values_inside(rng, expression):
    low = rng.integers(1, 16, 3)
    high = low + rng.integers(0, 12, 3)
    ends = [[Fraction(int(v), 16) for v in end] for end in (low, high)]
    slopes = [sp.diff(expression, s) for s in (x, y, p)]
    R = region_of([expression, *slopes], *ends)
    named = [[s.name, f"${k}"] for k, s in enumerate((x, y, p), 1)]
    read_atoms(R, [{"name": "$0", "slopes": named}])
    try:
        box = R.whole()
        found = [box["$0"], R.narrower("$0", box)]
    except NotProvedError:
        return
    assert found[1].lo >= found[0].lo
    assert found[1].hi <= found[0].hi
    for _ in range(8):
        at = [a + (b - a) * int(rng.integers(0, 65)) / 64 for a, b in zip(*ends, strict=True)]
        value = R.box([near(v) for v in at])["$0"]
        for enclosure in found:
            assert enclosure.lo <= value.hi
            assert enclosure.hi >= value.lo


def test_the_tables_of_functions_are_of_the_same_functions():
    assert FUNCTIONS.keys() == DERIVATIVES.keys() == OPERANDS.keys()
    for word, count in OPERANDS.items():
        # Each takes as many operands as it is read with, and no other number.
        with pytest.raises(TypeError):
            FUNCTIONS[word](*[near(1)] * (count + 1))
        assert FUNCTIONS[word](*[near(Fraction(1, 2))] * count).hi < INF
