"""Derivatives by distinct subterms are SymPy's own, but for pieces; sharing costs nothing."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given

import riemannian_modules as rm
from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.chain_rule import distinct_terms, partial_derivatives
from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.arithmetic.expression import derivatives, evaluated_derivatives
from tests.strategies import rngs

NONE = np.zeros(0)
x, y, z = SYMBOLS = sp.symbols("x y z", real=True)
half, third = sp.Rational(1, 2), sp.Rational(1, 3)

# In x, y in (0.1, 1); z never occurs where its derivative is not to.
FORMS = {
    "constant": sp.Rational(7, 3),
    "symbol": y,
    "sum": 3 * x - y / 7 + sp.pi,
    "product": x * y * (x + y) * (2 - y),
    "polynomial": (x**2 + 3 * y) ** 5 - x**4 * y,
    "quotient": x**2 / (third + x**2 + y),
    "Hill": 1 / (1 + (x / y) ** 4),
    "roots": sp.sqrt(x + y) + (x * y) ** sp.Rational(5, 3) + (x + y) ** -sp.Rational(1, 4),
    "real power": fn.power(x, y) + fn.power(x + y, sp.Rational(13, 1000)),
    "power log": fn.power_log(x, y),
    "general power": (x + y) ** (x * y) + 2**x,
    "exp": sp.exp(x * y) * sp.exp(-x),
    "log": sp.log(x + y) / sp.log(2) + fn.log1p(x * y) + fn.expm1(x),
    "circular": sp.sin(x) * sp.cos(x * y) + sp.tan(x / 2),
    "hyperbolic": sp.tanh(3 * x) + sp.sinh(y) * sp.cosh(x * y),
    "inverse": sp.asin(x / 2) + sp.acos(y / 2) + sp.atan(x * y) + sp.asinh(x - y),
    "erf": sp.erf(x - y),
    "kinks": fn.maximum(x, y**2) + fn.minimum(x * y, half) * fn.absolute(x - y),
    "softplus": fn.softplus(x - 2 * y) + fn.sign(x - y) + fn.step(y - x),
    "choice": sp.Piecewise((x**2 * y, x > y), (sp.sin(y), (x + y < half) | (z > 0)), (x, True)),
    "left to SymPy": sp.Max(x, y) + sp.Heaviside(x - y) * x,
}


@pytest.mark.parametrize("name", FORMS)
def test_each_rule_gives_the_form_that_sympy_gives(name):
    (row,) = partial_derivatives([FORMS[name]], SYMBOLS)
    assert row == tuple(FORMS[name].diff(s) for s in SYMBOLS)


@pytest.mark.parametrize("name", [n for n in FORMS if n != "left to SymPy"])
def test_derivatives_for_floats_are_those_for_proofs_away_from_borders(name):
    points = np.random.default_rng(3).uniform(0.1, 1.0, (3, 20))
    exact, evaluated = (
        rule((FORMS[name],), (x, y))[0] for rule in (derivatives, evaluated_derivatives)
    )
    wanted, got = (
        np.array(np.broadcast_arrays(points[0], *compile_floats(row, (SYMBOLS,))(points))[1:])
        for row in (exact, evaluated)
    )
    # Both are the same sums of products, associated otherwise: some dozen roundings.
    assert np.abs(got - wanted).max() <= 64 * 2.0**-52 * (1 + np.abs(wanted).max())


def test_pieces_with_slopes_that_are_numbers_differ_by_one_step():
    ((by_x, by_y),) = partial_derivatives([sp.Piecewise((x + y, z > half), (2 * x, True))], (x, y))
    across = fn.step(z - half)
    assert by_x == 2 - across
    assert by_y == across
    ((lower,),) = partial_derivatives([sp.Piecewise((3 * y, z <= half), (0, True))], (y,))
    assert lower == 3 * fn.step(half - z)


def test_what_a_border_decides_is_decided_in_the_pieces():
    elu = sp.Piecewise((x, x >= 0), (fn.expm1(fn.minimum(x, 0)), True))
    ((slope,),) = partial_derivatives([4 * elu], (x,))
    assert slope == 4 * sp.Piecewise((1, x >= 0), (sp.exp(fn.minimum(x, 0)), True))


def random_expressions(rng, count=12):
    """Expressions that use each other, so that their subterms are shared."""
    terms = [x, y, sp.Rational(int(rng.integers(1, 9)), 4)]
    for _ in range(count):
        a, b = (terms[int(i)] for i in rng.integers(0, len(terms), 2))
        terms.append(
            [
                a + b,
                a * b,
                a - 2 * b,
                a / (1 + b**2),
                sp.tanh(a),
                sp.sin(a) * b,
                sp.sqrt(1 + a**2),
                fn.maximum(a, b),
            ][int(rng.integers(8))]
        )
    return tuple(terms[-3:])


@given(rngs)
def test_shared_terms_have_sympys_derivatives(rng):
    expressions = random_expressions(rng)
    for e, row in zip(expressions, partial_derivatives(expressions, SYMBOLS), strict=True):
        assert row == tuple(e.diff(s) for s in SYMBOLS)


class Doubling(rm.StaticMap):
    """A loop that uses its value twice each time: written out, 2^turns terms."""

    inputs, outputs = rm.space("v"), rm.space("s")

    def __init__(self, turns):
        self.turns = turns

    def map(self, u, p):
        s = u.v
        for _ in range(self.turns):
            s = (s + u.v) * np.sin(s)
        return {"s": s}


def test_a_loop_that_doubles_its_formula_has_its_derivative():
    turns, v = 14, 0.7
    module = Doubling(turns)
    D = module.jacobian(NONE, np.array([v]), NONE).D
    s, ds = v, 1.0
    for _ in range(turns):
        s, ds = (s + v) * np.sin(s), (ds + 1) * np.sin(s) + (s + v) * np.cos(s) * ds
    # Each turn rounds a few times and amplifies what came before by at most |ds'/ds| < 3.
    np.testing.assert_allclose(D, [[ds]], rtol=1e-9)


def test_derivatives_grow_by_the_distinct_terms_alone():
    s = x
    sizes = []
    for _ in range(40):
        s = (s + y) * sp.sin(s)
        sizes.append(len(distinct_terms(sum(derivatives((s,), (x, y)), ()))))
    steps = np.diff(sizes)
    assert steps.max() <= steps[:5].max() + 4  # linear: 2^40 terms when written out
