"""Sums and products of terms are those that SymPy makes, to the order of their parts."""

import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic.sums import minus, plus, times

SYMBOLS = sp.symbols("a b c d e1", real=True)
ATOMS = st.sampled_from(SYMBOLS) | st.builds(
    sp.Rational, st.integers(-4, 4), st.sampled_from([1, 2, 3])
)


def _joined(inner):
    one_of = st.sampled_from([sp.tanh, lambda x: x**2, lambda x: sp.sqrt(2) * x, lambda x: -x])
    two_of = st.sampled_from([lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y])
    return st.builds(lambda f, x, y: f(x, y), two_of, inner, inner) | st.builds(
        lambda f, x: f(x), one_of, inner
    )


TERMS = st.recursive(ATOMS, _joined, max_leaves=8)


@given(TERMS, TERMS)
@settings(max_examples=300, deadline=None)
def test_they_are_those_that_sympy_makes(a, b):
    for ours, theirs in ((plus(a, b), a + b), (minus(a, b), a - b), (times(a, b), a * b)):
        assert type(ours) is type(theirs)
        assert ours.args == theirs.args
        assert ours == theirs
        assert ours.is_commutative == theirs.is_commutative
