"""Expressions written to data and read back: equal, or refused by name."""

import copy
import json

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.expression import Expressions, derivatives
from riemannian_modules.arithmetic.expression_data import (
    expressions_from_data,
    expressions_to_data,
)
from riemannian_modules.errors import CertificateError, SpecError, TraceError, UnsupportedError
from tests.strategies import rngs

UNARY = [np.tanh, np.exp, np.sin, np.cos, np.abs, np.sign, np.arctan, np.sinh, np.cosh, np.square,
         np.arcsinh, np.expm1, lambda a: np.logaddexp(0.0, a), lambda a: np.sqrt(1 + a**2),
         lambda a: np.log(1 + a**2), lambda a: np.log1p(a**2), lambda a: (1 + a**2) ** 0.3,
         lambda a: a**3, lambda a: 1 / (2 + np.tanh(a)), lambda a: -a]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.logaddexp,
          lambda a, b: a / (1 + b**2), lambda a, b: np.where(a > b, a, b * b),
          lambda a, b: np.where((a > 0.5) & (b <= 1.0) | ~(a < b), np.sin(a), 0.25),
          lambda a, b: (1 + a**2) ** b]  # fmt: skip


def random_map(rng, operations):
    """A map of two states, one input and a parameter, of randomly chosen operations."""
    plan = [
        (rng.integers(2), rng.integers(1000), rng.integers(1000, size=2), rng.standard_normal())
        for _ in range(operations)
    ]

    class Random(rm.Flow):
        state = rm.space("q v")
        inputs = rm.space("u")
        outputs = rm.space("y")
        parameters = {"k": 1.5}

        def equations(self, x, u, p):
            terms = [x.q, x.v, u.u, p.k, 0.1 * x.q]
            for binary, which, places, constant in plan:
                a, b = (terms[i % len(terms)] for i in places)
                f = (BINARY if binary else UNARY)[which % (len(BINARY) if binary else len(UNARY))]
                terms.append(f(a, b) if binary else constant * f(a))
            return [terms[-1], terms[-2]], [terms[-3]]

    return Random()


def assume_compiled(e):
    # SymPy folds a condition on a piecewise term into ITE, which has no compiled form either.
    assume(not any(term.has(sp.ITE) for term in (*e.dx, *e.y)))


def traced(rng, operations):
    """A random map's expressions; not those that compare what was chosen, which are refused."""
    try:
        return random_map(rng, operations).expressions
    except TraceError:
        reject()


@given(rngs, st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_expressions_survive_the_way_through_json(rng, operations):
    written = traced(rng, operations)
    assume_compiled(written)
    text = json.dumps(expressions_to_data(written))
    assert expressions_from_data(json.loads(text)) == written


@given(rngs)
@settings(max_examples=15, deadline=None)
def test_derivatives_survive_the_way_through_json(rng):
    e = traced(rng, 3)
    assume_compiled(e)
    jacobian = sum(derivatives((*e.dx, *e.y), (*e.state, *e.inputs)), ())
    written = Expressions(e.state, e.inputs, e.parameters, e.dx, jacobian, e.guards)
    assert expressions_from_data(json.loads(json.dumps(expressions_to_data(written)))) == written


def test_shared_terms_are_written_once():
    class Doubling(rm.StaticMap):
        inputs, outputs = rm.space("u"), rm.space("y")

        def map(self, u, p):
            y = u.u
            for _ in range(15):
                y = np.sin(y) * np.cos(y)  # 2**15 operations if written out
            return [y]

    written = Doubling().expressions
    data = expressions_to_data(written)
    assert len(json.dumps(data)) < 5_000
    assert expressions_from_data(data) == written


def test_a_float_is_written_as_the_binary_fraction_that_it_is():
    class Scaled(rm.StaticMap):
        inputs, outputs = rm.space("u"), rm.space("y")

        def map(self, u, p):
            return [0.1 * u.u]

    assert expressions_to_data(Scaled().expressions)["y"] == [
        ["*", "3602879701896397/36028797018963968", "u"]
    ]


SOUND = {
    "symbols": {"state": ["q"], "inputs": [], "parameters": ["k"]},
    "let": [["$0", ["tanh", "q"]]],
    "dx": [["*", "-1/2", "k", "$0"]],
    "y": ["q"],
    "guards": [["positive", "k"]],
}

FAULTS = {
    "unknown operator": (("dx", 0), ["__import__", "q"], "/dx/0/0"),
    "wrong arity": (("dx", 0), ["tanh", "q", "q"], "/dx/0"),
    "no operands": (("dx", 0), ["+", "q"], "/dx/0"),
    "unknown symbol": (("dx", 0), ["sin", "z"], "/dx/0/1"),
    "binding of the future": (("let", 0), ["$0", ["tanh", "$1"]], "/let/0/1/1"),
    "binding of itself": (("let", 0), ["$0", ["tanh", "$0"]], "/let/0/1/1"),
    "binding twice": (("let",), [["$0", "q"], ["$0", "k"]], "/let/1"),
    "a number that is no string": (("dx", 0), ["*", 0.5, "q"], "/dx/0/1"),
    "a decimal number": (("dx", 0), ["*", "0.5", "q"], "/dx/0/1"),
    "zero denominator": (("dx", 0), ["*", "1/0", "q"], "/dx/0/1"),
    "division by zero": (("dx", 0), ["^", "0", "-1"], "/dx/0"),
    "an imaginary number": (("dx", 0), ["^", "-1", "1/2"], "/dx/0"),
    "a number too long": (("dx", 0), "7" * 5000, "/dx/0"),
    "a power too large": (("dx", 0), ["^", "3", "1000000000"], "/dx/0"),
    "a power of a multiple too large": (("dx", 0), ["^", ["*", "3", "q"], "1000000000"], "/dx/0"),
    "a condition for a number": (("dx", 0), ["less", "q", "k"], "/dx/0"),
    "a number for a condition": (
        ("dx", 0),
        ["piecewise", ["q", "k"], ["q", ["true"]]],
        "/dx/0/1/1",
    ),
    "an open piecewise": (("dx", 0), ["piecewise", ["q", ["less", "q", "k"]]], "/dx/0"),
    "a symbol twice": (("symbols", "parameters"), ["q"], "/symbols/parameters/0"),
    "too few derivatives": (("dx",), [], "/dx"),
    "an unknown guard": (("guards", 0), ["sunny", "q"], "/guards/0"),
    "an unknown key": (("symbols",), {"state": ["q"]}, "/symbols"),
    "nesting too deep": (("dx", 0), None, "/dx/0"),
}


@pytest.mark.parametrize(("path", "value", "place"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_refused_at_its_place(path, value, place):
    if value is None:
        value = "q"
        for _ in range(450):
            value = ["sin", value]
    data = copy.deepcopy(SOUND)
    target = data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(CertificateError) as refusal:
        expressions_from_data(data, "system", CertificateError)
    assert str(refusal.value).startswith(f"system{place}")


def test_deep_chains_of_bindings_are_refused():
    chain = [[f"${i}", ["sin", f"${i - 1}" if i else "q"]] for i in range(450)]
    with pytest.raises(SpecError, match="deep"):
        expressions_from_data({**SOUND, "let": chain, "dx": ["$449"]})


@pytest.mark.parametrize("data", [None, 3, [], "x", {}, {**SOUND, "more": 1}])
def test_data_of_another_kind_is_refused(data):
    with pytest.raises(SpecError, match=r"^expressions"):
        expressions_from_data(data)


def test_a_function_without_a_written_form_is_refused_by_name():
    x = sp.Symbol("x", real=True)
    with pytest.raises(UnsupportedError, match="gamma"):
        expressions_to_data(Expressions((x,), (), (), (sp.gamma(x),), (), ()))


def test_symbols_that_read_as_numbers_are_refused():
    one = sp.Symbol("1", real=True)
    with pytest.raises(UnsupportedError, match="reads as a number"):
        expressions_to_data(Expressions((one,), (), (), (one,), (), ()))
