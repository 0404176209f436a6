"""Terms multiplied out are the same function, and squares that add up to one have done so."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import certify, coordinates, l1, l2, linf
from riemannian_modules.region import ball, box
from riemannian_modules.terms.atoms import atom_form
from riemannian_modules.terms.multiplying_out import multiplied_out, polynomial
from tests.certify.files import is_proved_by_all

q, r, x = sp.symbols("q r x", real=True)
s, c, sh, ch = sp.sin(q), sp.cos(q), sp.sinh(q), sp.cosh(q)

VANISHING = {
    "one square each": (s**2 + c**2, 1),
    "hyperbolic": (ch**2 - sh**2, 1),
    "times a term": (x * s**2 * r + x * r * c**2, x * r),
    "a power of the sum": ((s**2 + c**2) ** 3, 1),
    "written out": (s**4 + 2 * s**2 * c**2 + c**4, 1),
    "odd powers": (s**3 + s * c**2, s),
    "two angles": ((s * sp.cos(r)) ** 2 + (s * sp.sin(r)) ** 2 + c**2, 1),
    "inside a quotient": (x / (s**2 + c**2), x),
    "inside a root": (sp.sqrt(s**2 + c**2 + 3), 2),
    "inside a function": (sp.tanh(x * (ch**2 - sh**2)), sp.tanh(x)),
    "inside of an angle": (sp.sin(x * s**2 + x * c**2) ** 2 + sp.cos(x) ** 2, 1),
}


@pytest.mark.parametrize("name", VANISHING)
def test_squares_that_add_up_are_gone(name):
    e, short = VANISHING[name]
    assert sp.expand(multiplied_out(e) - short) == 0


@given(st.lists(st.tuples(st.integers(-3, 3), *[st.integers(0, 3)] * 4), min_size=1, max_size=5))
def test_a_term_multiplied_out_has_the_same_values(parts):
    e = sp.Add(*(k * s**a * c**b * sh**d * ch**f for k, a, b, d, f in parts))
    value, short = (sp.lambdify(q, t, "numpy") for t in (e, multiplied_out(e)))
    for at in (-1.3, 0.2, 2.0):
        size = sum(abs(k) for k, *_ in parts) * np.cosh(at) ** 6
        assert abs(value(at) - short(at)) <= 1e-12 * max(size, 1.0)
    assert len(polynomial(e)) <= max(len(sp.Add.make_args(sp.expand(e))), 1)


def test_a_square_alone_stays_and_two_in_a_matrix_become_one():
    assert polynomial(3 * s**2) == {((s, 2),): 3}
    assert multiplied_out(s**2 - c**2 * x) == s**2 - c**2 * x
    R = sp.Matrix([[c, -s], [s, c]])
    turned = R * sp.diag(1, 2) * R.T
    form = atom_form(turned.tolist())
    assert len(form.atoms) == 2  # one square, and the product of sine and cosine


class Turned(rm.Flow):
    """``(x, y)' = -R(q) R(q)^T (x, y)`` with the angle as input; the same as ``-(x, y)``."""

    state, inputs = rm.space(x="", y=""), rm.space(q="rad")

    def equations(self, x, u, p):
        c, s = np.cos(u.q), np.sin(u.q)
        a, b = c * x.x + s * x.y, c * x.y - s * x.x
        return {"x": s * b - c * a, "y": -s * a - c * b}


class Scaled(rm.Flow):
    """``x' = -one(q) x`` with a function that is one everywhere."""

    state, inputs = rm.space(x=""), rm.space(q="")

    def __init__(self, one):
        self.one = one

    def equations(self, x, u, p):
        return {"x": -self.one(u.q) * x.x}


ONES = [
    lambda q: np.sin(q) ** 2 + np.cos(q) ** 2,
    lambda q: np.cosh(q) ** 2 - np.sinh(q) ** 2,
    lambda q: (np.sin(q) ** 2 + np.cos(q) ** 2) ** 2,
]


@pytest.mark.parametrize("one", ONES)
@pytest.mark.parametrize("norm", [None, l2(), linf(), l1(), l2(np.eye(1))], ids=type)
def test_the_rate_is_one_whatever_the_input(one, norm):
    answer = certify(Scaled(one), norm=norm)
    assert is_proved_by_all(answer).rate == 1.0


def test_a_matrix_times_its_inverse_contracts_at_one_everywhere():
    cut = ball({"x": 0, "y": 0}, 3.0)
    for options in ({}, {"rate": 1.0}, {"norm": l2(np.eye(2))}, {"region": cut}):
        assert is_proved_by_all(certify(Turned(), **options)).rate >= 1.0 - 1e-7
    turned = coordinates(lambda x, u, p: [[np.cos(x.x), np.sin(x.x)], [-np.sin(x.x), np.cos(x.x)]])
    is_proved_by_all(certify(Turned(), box(x=(-0.1, 0.1), y=(-0.1, 0.1)), norm=turned))
