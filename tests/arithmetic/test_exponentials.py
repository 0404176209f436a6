"""Quotients and logarithms of exponentials: the same values, in forms that keep their ranges."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.functions import softplus
from riemannian_modules.arithmetic.quotients import factored
from riemannian_modules.search.traced_problem import make_problem
from tests.nightly import examples
from tests.strategies import rngs

NONE = np.zeros(0)
x, y = SYMBOLS = sp.symbols("x y", real=True)

WRITTEN = {
    "logistic": lambda u: 1 / (1 + np.exp(-u[0] + 0.3 * u[1])),
    "logistic, power": lambda u: (np.exp(u[0]) + 1) ** -1,
    "logistic, share": lambda u: np.exp(u[0] - u[1]) / (1 + np.exp(u[0] - u[1])),
    "logistic, squared": lambda u: (1 + np.exp(-u[0])) ** -2,
    "gate": lambda u: u[1] / (np.exp(-u[0]) + 1),
    "shares": lambda u: np.exp(u) / np.exp(u).sum(),
    "shares, shifted": lambda u: np.exp(u - u.max()) / np.exp(u - u.max()).sum(),
    "weighted share": lambda u: 2 * np.exp(u[0]) / (3 * np.exp(u[0]) + np.exp(2 * u[1]) + 1),
    "softplus": lambda u: np.log(1 + np.exp(u[0])) + np.log1p(np.exp(u[1])),
    "log of a sum": lambda u: np.log(np.exp(u).sum()),
    "log of other bases": lambda u: np.log2(1 + np.exp(u[0])) - np.log10(np.exp(u[1]) + 2),
    "log1p of a sum": lambda u: np.log1p(np.exp(u[0]) + 2 * np.exp(u[1])),
    "log of a weighted sum": lambda u: np.log(2 * np.exp(u[0]) + np.exp(u[1]) + 0.5),
}


class Written(rm.StaticMap):
    """Some terms of three numbers."""

    inputs = rm.space(u=3)

    def __init__(self, f):
        self.f, self.outputs = f, rm.space(y=np.size(f(np.zeros(3))))

    def map(self, u, p):
        return {"y": self.f(u.u)}


@pytest.mark.parametrize("name", WRITTEN)
def test_exponentials_have_their_values_and_are_defined_everywhere(name):
    module = Written(WRITTEN[name])
    assert make_problem(module, rm.box()).is_defined
    for u in np.random.default_rng(0).normal(size=(50, 3)) * 3:
        expected = np.ravel(WRITTEN[name](u))
        np.testing.assert_allclose(module.output(NONE, u, NONE), expected, rtol=1e-12, atol=1e-15)


def test_one_exponential_beside_one_is_a_logistic_function_or_softplus():
    (e,) = Written(WRITTEN["logistic"]).expressions.y
    assert e.has(sp.tanh)
    assert not e.has(sp.exp)
    (e,) = Written(WRITTEN["softplus"]).expressions.y
    assert len(e.atoms(softplus)) == 2
    assert not e.has(sp.exp)


def test_a_quotient_that_may_vanish_keeps_its_condition():
    module = Written(lambda u: 1 / (np.exp(u[0]) - 2 * np.exp(u[1])))
    assert [g.kind for g in module.expressions.guards] == ["nonzero"]
    assert not make_problem(module, rm.box()).is_defined


@examples(15, 100)
@given(rngs, st.booleans())
def test_over_one_denominator_a_term_keeps_its_value(rng, are_doubles):
    def number():
        value = float(rng.normal() if are_doubles else rng.integers(-4, 5))
        return sp.Rational(*value.as_integer_ratio())

    def term():
        return [
            sp.exp(number() * x + number() * y),
            sp.exp(number() * x**2),
            number() + x**2,
            sp.tanh(number() * y),
        ][int(rng.integers(4))]

    e = sum(term() * term() / (3 + term() ** 2) for _ in range(2))
    short = factored(e)
    for _ in range(3):
        point = {s: sp.Rational(int(rng.integers(-8, 9)), 8) for s in SYMBOLS}
        with mpmath.workdps(60):
            a, b = (mpmath.mpf(sp.N(t.subs(point), 60)) for t in (e, short))
            assert abs(a - b) <= mpmath.mpf(10) ** -40 * (1 + abs(a))


def test_exponents_of_many_digits_are_no_powers_of_one_generator():
    third, tenth = (sp.Rational(*v.as_integer_ratio()) for v in (0.3, 0.1))
    e = sp.exp(third * x) / (1 + sp.exp(tenth * x)) ** 2 + 1 / (1 + sp.exp(tenth * x))
    short = factored(e)  # as powers of exp(x / 2^54) it would never end
    assert sp.simplify(short.subs(x, 0) - sp.Rational(3, 4)) == 0
    double = factored(sp.exp(2 * third * x) - sp.exp(third * x))
    assert double == sp.exp(third * x) * (sp.exp(third * x) - 1)


def test_sums_in_a_quotient_have_coefficients_near_one():
    e = factored(1 / (1 + sp.Integer(3) ** 90 * x**4 / sp.Integer(7) ** 20) ** 3)
    (power,) = [p for p in e.atoms(sp.Pow) if p.base.is_Add]
    largest = max(abs(t.as_coeff_Mul()[0]) for t in power.base.args)
    assert sp.Rational(1, 2) <= largest <= 2
