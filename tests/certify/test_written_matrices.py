"""Written terms at a point: values alone are those beside slopes, whatever was asked before."""

import random
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp

from riemannian_modules.evidence.written_matrices import DIGITS, Point, UndefinedError

NAMES = ("x", "y", "z")
BINDINGS = {"$0": ["tanh", ["+", "x", ["*", "1/3", "y"]]], "$1": ["*", "$0", "z", "$0"]}
_LEAVES = st.sampled_from([*NAMES, *BINDINGS, "2", "-3/7", "1/2"])
_UNARY = st.sampled_from(["exp", "sin", "cos", "tanh"])


def _above(terms):
    return st.one_of(
        st.lists(terms, min_size=2, max_size=4).map(lambda parts: ["+", *parts]),
        st.lists(terms, min_size=2, max_size=3).map(lambda parts: ["*", *parts]),
        st.tuples(_UNARY, terms).map(list),
        st.tuples(terms, st.sampled_from(["2", "3"])).map(lambda pair: ["^", *pair]),
        st.tuples(st.sampled_from(["maximum", "minimum"]), terms, terms).map(list),
        st.tuples(terms, terms, st.sampled_from(["less", "less_equal"])).map(
            lambda t: ["piecewise", [t[0], [t[2], t[0], t[1]]], [t[1], ["true"]]]
        ),
    )


terms = st.recursive(_LEAVES, _above, max_leaves=12)


def values(seed):
    rng = random.Random(seed)
    return {name: Fraction(rng.randint(-999, 999), 1000) for name in NAMES}


def outcome(of, term):
    try:
        return of(term)
    except UndefinedError:
        return None


@given(terms, st.integers(0, 10**6))
@example(["*", "$0", "1/3", ["exp", "x"], "$1"], 1)  # of which the order can be told
def test_a_value_alone_is_that_beside_the_slopes_bit_for_bit(term, seed):
    with mp.workdps(DIGITS):
        beside = outcome(Point(values(seed), BINDINGS), term)
        alone = outcome(Point(values(seed), BINDINGS).value, term)
    assert (None if beside is None else beside.value) == alone


@given(terms, st.integers(0, 10**6))
def test_slopes_do_not_depend_on_what_was_asked_before(term, seed):
    with mp.workdps(DIGITS):
        fresh, used = Point(values(seed), BINDINGS), Point(values(seed), BINDINGS)
        outcome(used.value, term)
        first, second = outcome(fresh, term), outcome(used, term)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert (first.value, dict(first.slopes)) == (second.value, dict(second.slopes))


@pytest.mark.parametrize(
    "term", [["log", ["+", "x", ["*", "-1", "x"]]], ["^", "x", ["+", "y", "1/3"]]],
    ids=["the logarithm of zero", "a power of a negative number"],
)  # fmt: skip
def test_what_is_undefined_has_no_value_alone_either(term):
    at = Point({"x": Fraction(-1, 2), "y": Fraction(1, 5), "z": Fraction(0)}, {})
    for of in (at, at.value):
        with mp.workdps(DIGITS), pytest.raises(UndefinedError):
            of(term)
