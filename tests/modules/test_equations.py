"""Modules of equations as text: the same maps as classes written in NumPy, or refused by key."""

import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.errors import SignatureError, TraceError
from riemannian_modules.modules import Equations


class Gene(rm.Flow):
    state, inputs = rm.space(mrna="nM", protein="nM"), rm.space("r")
    parameters = {"a": 2.0, "K": 0.7, "d": 0.3, "k": 1.5}

    def equations(self, x, u, p):
        return {
            "mrna": p.a / (1 + (u.r / p.K) ** 2) - p.d * x.mrna,
            "protein": p.k * x.mrna - p.d * x.protein,
        }


class Walk(rm.StepMap):
    state, outputs = rm.space(x=2), rm.space("y")
    parameters = {"A": [[0.5, 0.1], [-0.2, 0.3]]}

    def equations(self, x, u, p):
        return {"x": p.A @ x.x}, {"y": np.where(x.x[0] > 0, x.x[1], 0.0)}


class Layer(rm.StaticMap):
    inputs, outputs = rm.space(u=2), rm.space(y=2)

    def map(self, u, p):
        return {"y": np.stack([np.tanh(u.u[0]), np.clip(u.u[1], -1, 1)])}


PAIRS = {
    "a flow": (
        Gene(),
        Equations(
            {"dmrna": "a/(1 + (r/K)^2) - d*mrna", "dprotein": "k*mrna - d*protein"},
            state={"mrna": "nM", "protein": "nM"}, inputs="r",
            parameters={"a": 2.0, "K": 0.7, "d": 0.3, "k": 1.5},
        ),
    ),
    "steps": (
        Walk(),
        Equations(
            {"x+": "A @ x", "y": "where(x[0] > 0, x[1], 0)"}, state={"x": 2}, outputs="y",
            parameters={"A": [[0.5, 0.1], [-0.2, 0.3]]},
        ),
    ),
    "a map": (
        Layer(),
        Equations({"y": ["tanh(u[0])", "clip(u[1], -1, 1)"]}, inputs={"u": 2}, outputs={"y": 2}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("written", "text"), PAIRS.values(), ids=PAIRS)
def test_text_is_the_map_that_a_class_is(written, text):
    assert text.signature == written.signature
    assert text.expressions == written.expressions
    again = pickle.loads(pickle.dumps(text))
    assert again.expressions == text.expressions


def test_definitions_stand_for_their_formulas_in_those_below():
    plain = Equations({"dx": "k*(x*x + 1) - (x*x + 1)^2"}, state="x", parameters={"k": 2.0})
    short = Equations(
        {"dx": "k*b - b^2"}, state="x", parameters={"k": 2.0},
        definitions={"a": "x*x", "b": "a + 1"},
    )  # fmt: skip
    assert short.expressions == plain.expressions
    with pytest.raises(SignatureError, match=r"definitions/a: column 1: there is no 'b'"):
        Equations({"dx": "a"}, state="x", definitions={"a": "b", "b": "x"})


def test_outputs_without_equations_show_the_quantity_of_their_name():
    shown = Equations(
        {"dq": "dq", "ddq": "-k*q", "energy": "dq^2/2 + e"}, state="q dq", outputs="dq energy e",
        parameters={"k": 2.0}, definitions={"e": "k*q^2/2"},
    )  # fmt: skip
    y = shown.forward(np.array([3.0, 5.0]), np.zeros(0), shown.theta)[1]
    assert np.array_equal(y, [5.0, 12.5 + 9.0, 9.0])


def test_numbers_and_one_scalar_for_an_array_are_formulas_too():
    module = Equations({"dt": 1, "dx": -0.5, "dz": "t"}, state={"t": "s", "x": 3, "z": (2, 2)})
    dx = module.forward(np.full(8, 7.0), np.zeros(0), np.zeros(0))[0]
    assert np.array_equal(dx, [1, -0.5, -0.5, -0.5, 7, 7, 7, 7])


def test_names_that_look_alike_are_one():
    module = Equations({"dµ": "-k*μ"}, state="µ", parameters={"k": 2.0})  # the micro sign and mu
    assert module.forward(np.array([3.0]), np.zeros(0), module.theta)[0] == -6.0
    assert module.signature.state.names == ("µ",)


def made(equations, **words):
    return Equations(equations, **({"state": "x", "parameters": {"k": 1.0}} | words))


# What is made, and what the message names.
REFUSED = {
    "no equations": (lambda: made({}), r"\['dx'\] are missing"),
    "a state without an equation": (lambda: made({"dx": "k"}, state="x y"), r"\['dy'\]"),
    "an equation of nothing": (lambda: made({"dx": "k", "dz": "x"}), "equations/dz"),
    "a state in the place of its derivative": (lambda: made({"x": "-k*x"}), "Did you mean 'dx'"),
    "flows and steps at once": (lambda: made({"dx": "k", "x+": "x"}), "flows or steps, not both"),
    "flows and steps of two": (
        lambda: made({"dx": "k", "y+": "x"}, state="x y"), "flows or steps, not both"
    ),
    "neither states nor outputs": (lambda: Equations({}), "states or outputs"),
    "an output of nothing": (lambda: made({"dx": "k"}, outputs="z"), "'z' has no equation"),
    "an output of another shape": (
        lambda: made({"dx": "k"}, state={"x": 2}, outputs={"x": 3}), r"\(3,\), got \(2,\)"
    ),
    "an equation of another shape": (
        lambda: made({"dx": "x @ x"}, state={"x": (2, 2)}, outputs={"y": 2}), "no equation"
    ),
    "a derivative of another shape": (
        lambda: made({"dx": "y", "dy": 0}, state={"x": 2, "y": 3}), r"equations/dx.*\(2,\)"
    ),
    "entries of several shapes": (
        lambda: made({"dx": ["k", "x"]}, state={"x": 2}), "entries of one shape"
    ),
    "a syntax error": (lambda: made({"dx": "k*(x"}), r"equations/dx: column 5: expected '\)'"),
    "an entry's syntax error": (
        lambda: made({"dx": ["x[0]", "x[1"]}, state={"x": 2}), "equations/dx/1: column 4"
    ),
    "a name of a function": (lambda: made({"dexp": "1"}, state="exp"), "'exp' cannot be the name"),
    "a name of a constant": (lambda: made({"dx": "x"}, parameters={"pi": 3.0}), "'pi' cannot"),
    "a name with a dot": (lambda: made({"dx": "x"}, inputs="plant.q"), "'plant.q' cannot"),
    "a name twice": (lambda: made({"dx": "x"}, inputs="k"), r"\['k'\] came more than once"),
    "names that look alike": (
        lambda: made({"dx": "x"}, state="x", parameters={"µ": 1.0, "μ": 2.0}), "more than once"
    ),
    "no text": (lambda: made({"dx": None}), "equations/dx: expected a formula"),
    "true": (lambda: made({"dx": True}), "equations/dx: expected a formula"),
    "NaN": (lambda: made({"dx": float("nan")}), "finite"),
    "a mapping": (lambda: made({"dx": {"a": "b"}}), "equations/dx: expected a formula"),
    "an empty list": (lambda: made({"dx": []}), "equations/dx: expected a formula"),
    # Refused by Python's limit of recursion, or by ours where another test has raised it.
    "lists without end": (lambda: made({"dx": nested(2000)}), "levels|a list of formulas"),
    "no mapping": (lambda: made("x"), "formulas by what they give"),
}  # fmt: skip


def nested(depth):
    text = "x"
    for _ in range(depth):
        text = [text]
    return text


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_a_fault_is_refused_by_its_key(make, said):
    with pytest.raises(SignatureError, match=said) as refusal:
        make()
    assert str(refusal.value).startswith("Equations: ")


def test_sizes_that_no_module_can_hold_are_refused_without_a_traceback_of_others():
    for text in ("sin(" * 140 + "x" + ")" * 140, "1/(1+" * 70 + "x" + ")" * 70):
        try:
            module = made({"dx": text})
            module.jacobian(np.array([0.3]), np.zeros(0), module.theta)
        except (SignatureError, TraceError) as fault:
            assert "deep" in str(fault)  # noqa: PT017


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=8), max_size=3), st.text(max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_words_make_a_module_or_an_error_of_the_library(equations, state):
    with contextlib.suppress(rm.errors.RiemannianError):
        Equations(equations, state=state)
