"""Parts of a compiled function are as each would be alone; what they share is computed once."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.arithmetic.compile import compile_floats, compile_in_stages
from tests.strategies import rngs

x, y = SYMBOLS = sp.symbols("x y", real=True)
FORMS = (
    sp.exp(-x * y) - x * sp.exp(-x * y), -x - y, y - x * y - 3, -x * sp.log(y), x * y + 2,
    sp.tanh(x - y) / (1 + x**2), sp.Integer(4), x,
)  # fmt: skip


@given(rngs, *(st.lists(st.sampled_from(FORMS), max_size=4).map(tuple) for _ in range(3)))
def test_each_stage_gives_the_bits_of_its_own_function(rng, now, first, second):
    at = rng.uniform(0.1, 2.0, (2, 5))
    values, *parts = compile_in_stages(now, (first, second), (SYMBOLS,))(at)
    for got, terms in ((values, now), (parts[1](), second), (parts[0](), first)):
        wanted = compile_floats(terms, (SYMBOLS,))(at)
        for a, b in zip(got, wanted, strict=True):
            assert np.array_equal(a, b)


def test_a_stage_computes_no_term_of_the_first_again():
    calls = []

    class Counted(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            calls.append(ufunc.__name__)
            plain = [np.asarray(a) for a in inputs]
            return getattr(ufunc, method)(*plain, **kwargs).view(Counted)

    at = np.ones((2, 3)).view(Counted)
    _, slopes = compile_in_stages((sp.exp(x),), ((sp.exp(x), y * sp.exp(x)),), (SYMBOLS,))(at)
    slopes()
    assert calls == ["exp", "multiply"]


@pytest.mark.parametrize("term", [y - x, x * y - y, 2 - x - y, -x - y * x, -(x**2) + y, -x * y])
@given(rngs)
def test_a_negative_term_is_subtracted_without_another_rounding(term, rng):
    at = rng.standard_normal((2, 7)) * 10.0 ** rng.integers(-3, 4, (2, 7))
    (got,) = compile_floats((term,), (SYMBOLS,))(at)
    # Term by term in SymPy's order, a sign being exact.
    parts = term.args if term.is_Add else (term,)
    total = 0.0
    for part in parts:
        sign, rest = (-1.0, -part) if part.could_extract_minus_sign() else (1.0, part)
        factors = rest.args if rest.is_Mul else (rest,)
        value = 1.0
        for factor in factors:
            value = value * sp.lambdify(SYMBOLS, factor, "numpy")(*at)
        total = total + sign * value
    assert np.array_equal(got, total)
