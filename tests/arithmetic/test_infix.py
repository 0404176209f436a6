"""Formulas as text: each means what Python makes of it, or is refused in its column."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.arithmetic.infix import is_name, parse
from riemannian_modules.arithmetic.infix_functions import OPERATORS, SYNONYMS, functions
from riemannian_modules.arithmetic.infix_values import evaluate
from riemannian_modules.arithmetic.scalar_rules import SCALAR_RULES
from riemannian_modules.arithmetic.symbolic_array import SymbolicArray
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.errors import SignatureError, UnsupportedError
from tests.strategies import rngs

VALUES = {"x": 0.75, "y": 1.5, "k": 2.25}


def traced(text, shapes=None):
    """The exact value of a text in symbols named as the quantities."""
    tracer, values = Tracer("test"), {}
    for name, shape in (shapes or dict.fromkeys(VALUES, ())).items():
        entries = np.empty(shape, dtype=object)
        for place in np.ndindex(shape):
            index = f"[{','.join(map(str, place))}]" if shape else ""
            entries[place] = sp.Symbol(name + index, real=True)
        values[name] = SymbolicArray(entries, tracer)
    return evaluate(text, parse(text, values), values, tracer).entries


def valued(text):
    """The value of a text at `VALUES`, computed as modules compute it."""
    symbols = tuple(sp.Symbol(name, real=True) for name in VALUES)
    compiled = compile_floats((traced(text).item(),), (symbols,))
    return float(compiled(np.array(list(VALUES.values())))[0])


def of_fractions(function):
    return lambda *values: Fraction(function(*map(float, values)))


PYTHON = {name: Fraction(value) for name, value in VALUES.items()} | {
    "F": Fraction, "exp": of_fractions(math.exp), "tanh": of_fractions(math.tanh), "abs": abs,
    "sin": of_fractions(math.sin), "max": max, "where": lambda c, a, b: a if c else b,
}  # fmt: skip
NUMBERS = ("1", "2", "0.5", ".25", "3.", "1e1", "2.5e-1")


def random_formula(rng, depth):
    """A formula whose brackets, signs and blanks stand where they like."""

    def part():
        return random_formula(rng, depth - 1)

    def one_of(*texts):
        return str(rng.choice(texts))

    kind = rng.integers(9) if depth else 8
    if kind <= 2:
        return part() + one_of("+", "-", "*", "/", " + ", " - ", "* ") + part()
    if kind == 3:
        return one_of("+", "-") + part()
    if kind == 4:
        power = one_of("^", "**") + one_of("2", "-1", "(-2)", "3^2", "2**-1", "-y")
        return one_of("", "-") + one_of(*VALUES, *NUMBERS) + power
    if kind == 5:
        return f"({part()})"
    if kind == 6:
        return f"{one_of('exp', 'tanh', 'abs', 'sin')}({part()})"
    if kind == 7:
        order = one_of("<", "<=", ">", ">=")
        chosen = f"where({part()} {order} {part()}, {part()}, {part()})"
        return one_of(chosen, f"max({part()}, {part()})")
    return one_of(*VALUES, *NUMBERS)


@given(rngs)
@settings(max_examples=150, deadline=None)
def test_a_random_formula_means_what_python_makes_of_it(rng):
    text = random_formula(rng, 4)
    exactly = re.sub(r"(?<![\w.])(\d+\.?\d*|\.\d+)(e-?\d+)?", r"F('\g<0>')", text)
    try:
        theirs = float(eval(exactly.replace("^", "**"), {"__builtins__": {}}, PYTHON))
    except (ZeroDivisionError, OverflowError, TypeError):  # the last for roots of negatives
        assume(False)
    assume(math.isfinite(theirs))
    try:
        ours = valued(text)
    except (SignatureError, UnsupportedError) as fault:
        # Roots of negatives, towers of powers, and comparisons of what a condition chose.
        said = ("nonneg", "exponents", "double", "np.where chose", "ITE")
        assert any(reason in str(fault) for reason in said)  # noqa: PT017
        return
    # Roundings of elementary functions, some dozen, that later terms may cancel.
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9), text


MEANINGS = {
    "-x^2": "-(x**2)", "-x**2": "-(x**2)", "2^-1*x": "(1/2)*x", "x^y^2": "x**(y**2)",
    "x-y-k": "(x-y)-k", "x/y/k": "(x/y)/k", "x/y*k": "(x/y)*k", "2^3^2": "2**9", "--x": "x",
    "- -x": "x", "x*-y": "-(x*y)", "+x": "x", "-2^2": "-4", "(-2)^2": "4", "x\n + y": "x+y",
    "2**-2^2": "2**(-4)",
}  # fmt: skip


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items())
def test_signs_and_powers_bind_as_in_mathematics(text, meaning):
    assert valued(text) == pytest.approx(eval(meaning, dict(VALUES)), rel=1e-15)


def test_arithmetic_among_numbers_is_exact():
    assert traced("1/3").item() == sp.Rational(1, 3)
    assert traced("0.1").item() == sp.Rational(*(0.1).as_integer_ratio())


def test_comparisons_chain_and_words_bind_in_their_order():
    table = {(x, y): None for x in (-1.0, 0.5, 2.0) for y in (-1.0, 1.0)}
    for text, holds in {
        "0 < x < 1": lambda x, y: 0 < x < 1,
        "0 < x <= 0.5 < y": lambda x, y: 0 < x <= 0.5 < y,
        "x > 0 and y > 0 or x > 1": lambda x, y: (x > 0 and y > 0) or x > 1,
        "not x > 0 and y > 0": lambda x, y: (not x > 0) and y > 0,
        "not (x > 0 and y > 0)": lambda x, y: not (x > 0 and y > 0),
        "x + 1 > y * 2": lambda x, y: x + 1 > y * 2,
    }.items():
        for x, y in table:
            chosen = traced(f"where({text}, 1, 0)").item()
            got = chosen.subs({sp.Symbol("x", real=True): x, sp.Symbol("y", real=True): y})
            assert got == int(holds(x, y)), (text, x, y)


def test_pieces_come_in_the_order_value_condition_otherwise():
    for x, value in ((-1, 10), (0.5, 20), (3, 30)):
        piece = traced("piecewise(10, x < 0, 20, x < 1, 30)").item()
        assert piece.subs(sp.Symbol("x", real=True), x) == value


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0.0))
def test_a_number_is_the_double_that_its_text_is_nearest_to(value):
    assert traced(repr(value)).item() == sp.Rational(*value.as_integer_ratio())


@given(st.integers(0, 10**300))
def test_a_whole_number_keeps_every_digit(value):
    assert traced(str(value)).item() == value


OF_CONDITIONS = {
    "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or", "logical_not",
    "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "invert", "signbit",
}  # fmt: skip


def test_every_scalar_rule_is_a_function_or_an_operator():
    names = functions()
    for name in SCALAR_RULES.keys() - OPERATORS - OF_CONDITIONS:
        place = ["x"] * names[name].least
        assert traced(f"{name}({', '.join(place)})").shape == (), name
    assert not OF_CONDITIONS & names.keys()
    assert {s for s, n in SYNONYMS.items() if n in SCALAR_RULES} <= names.keys()


def test_arrays_are_multiplied_indexed_and_summed():
    shapes = {"A": (2, 3), "x": (3,), "y": (2,)}
    A, x, y = (np.array([[1, 2, 3], [4, 5, 7]]), np.array([2, 3, 5]), np.array([11, 13]))
    given = {
        f"{n}[{','.join(map(str, i))}]": v[i]
        for n, v in (("A", A), ("x", x), ("y", y))
        for i in np.ndindex(v.shape)
    }
    for text, wanted in {
        "A @ x + y": A @ x + y, "A[1,2]*x[0]": A[1, 2] * x[0], "sum(x)": x.sum(), "2*x": 2 * x,
        "y @ (A @ x)": y @ (A @ x), "dot(x, x)": x @ x, "mean(x)": x.mean(), "y - 1 + y": 2 * y - 1,
    }.items():  # fmt: skip
        found = traced(text, shapes)
        values = [
            e.subs({sp.Symbol(n, real=True): v for n, v in given.items()}) for e in found.flat
        ]
        assert np.array_equal(np.array(values, dtype=float).reshape(found.shape), wanted), text


# The text, the column, and what the message names.
REFUSED = {
    "nothing": ("", 1, "expected a number, a name or '\\('"),
    "an operator without an operand": ("k*x - *y", 7, r"got '\*'"),
    "an open bracket": ("(k*x", 5, r"expected '\)'"),
    "a closing bracket too many": ("k*x)", 4, r"got '\)'"),
    "a product without a sign": ("2x", 2, r"Write '\*'"),
    "two names": ("x y", 3, r"Write '\*'"),
    "a quantity called": ("k(x)", 1, "'k' is a quantity, no function"),
    "an unknown name": ("x + kk", 5, "Did you mean 'k'"),
    "an unknown function": ("tan(x) + tanch(x)", 10, "Did you mean 'tanh'"),
    "a function not called": ("exp x", 1, "exp is a function"),
    "too few arguments": ("sin()", 1, "takes 1 argument, got 0"),
    "too many arguments": ("sin(x, y)", 1, "takes 1 argument, got 2"),
    "a comma at the end": ("max(x, )", 8, r"got '\)'"),
    "an equality": ("where(x == 1, 1, 2)", 9, "equality"),
    "an equation": ("x = 1", 3, "right side alone"),
    "an exclusive or": ("x & k", 3, "Write 'and'"),
    "a remainder": ("x % 2", 3, "no remainder"),
    "a floor": ("x // 2", 4, "got '/'"),
    "a condition for a number": ("(x > 0)*2", 2, r"where\(condition, 1, 0\)"),
    "a condition for the whole": ("x > 0", 1, "expected a number"),
    "a number for a condition": ("where(x, 1, 2)", 7, "expected a condition"),
    "a negated number": ("where(not x, 1, 2)", 11, "expected a condition"),
    "a question": ("x if k else y", 3, "where"),
    "Euler's number by name": ("e^x", 1, r"exp\(1\)"),
    "time by name": ("x*t", 3, "input"),
    "infinity": ("inf", 1, "finite"),
    "an attribute": ("x.real", 2, r"'\.'"),
    "an import": ("__import__('os')", 1, "no function"),
    "a text": ("x + 'a'", 5, "no part of a formula"),
    "a list": ("[x]", 1, r"got '\['"),
    "a negative index": ("x[-1]", 3, "index"),
    "a lambda": ("lambda: 1", 7, "':'"),
    "digits with underscores": ("1_000", 2, "'_000'"),
    "a hexadecimal number": ("0x10", 2, "'x10'"),
    "an imaginary number": ("2j", 2, "'j'"),
    "a digit of a script before a name": ("፩", 1, "no part of a name"),
    "two points": ("1.2.3", 4, r"'\.3'"),
    "5,001 digits": ("x + " + "7" * 5001, 5, "4000 digits, got 5001"),
    "an exponent beyond doubles": ("x*1e999", 3, r"1\.8e308"),
    "a gigantic exponent": ("x*1e-99999999999", 3, "5e-324"),
    "400 digits": ("1" * 400, 1, r"1\.8e308"),
    "a constant beyond doubles": ("1e300*x*1e300", 9, "double"),
    "a sum times a constant beyond doubles": ("1e300*(1e300*(x + 1))", 8, "double"),
    "a power of a constant": ("2^1000000000", 1, "exponents"),
    "a tower of powers": ("2^2^2^2^2^2", 3, "exponents"),
    "a power with a constant": ("(2*x)^1000000000", 2, "exponents"),
    "powers of powers": ("((x^1000)^1000)^1000", 3, "exponents"),
    "a superscript": ("x²", 2, r"\^2"),
    "a typographic minus": ("x − 1", 3, "Write '-'"),
    "a constant out of the domain": ("x + log(-1)", 5, "positive"),
    "a division by zero": ("x/0", 3, "nonzero"),
    "an index of a scalar": ("x[0]", 1, "scalar"),
    "brackets without end": ("(" * 400, 151, "150 levels"),
    "signs without end": ("-" * 400 + "x", 151, "150 levels"),
    "powers without end": ("x^" * 400 + "x", 301, "150 levels"),
    "a text without end": ("x+" * 20_000 + "x", 1, "20000 characters"),
    "conditions without end": ("where(" + "x>1 and " * 60 + "x>1, 1, 2)", 7, "at most 50"),
    "a second line": ("x +\n  * y", 3, "line 2"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "column", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_formula_is_refused_in_its_column_in_one_line(text, column, said):
    with pytest.raises(SignatureError, match=said) as refusal:
        traced(text)
    assert f"column {column}:" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500


@given(st.text(max_size=30) | st.text("xyk()+-*/^<>=,.0123456789 eE[]\n", max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_value_or_is_refused_by_the_library(text):
    try:
        traced(text)
    except SignatureError as fault:
        assert "column" in str(fault)  # noqa: PT017


def test_shapes_that_do_not_fit_are_refused_in_their_column():
    shapes = {"A": (2, 3), "x": (3,), "y": (2,)}
    for text, column in (
        ("x + y", 5), ("1 + x*y", 7), ("A @ y", 5), ("x[3]", 1), ("A[0]", 1), ("x^y", 1),
        ("where(x > y, 1, 2)", 7), ("max(x, y)", 1),
    ):  # fmt: skip
        with pytest.raises(SignatureError, match=rf"column {column}: "):
            traced(text, shapes)


def test_names_of_functions_words_and_constants_are_no_names_of_quantities():
    for name in ("exp", "where", "and", "not", "pi", "max", "2x", "x²", "a.b", "a b", "", "x-y"):
        assert not is_name(name), name
    for name in ("x", "α", "e", "E", "t", "lambda", "_a1", "Δx", "größe"):
        assert is_name(name), name


def test_a_name_of_a_composite_is_one_name_where_there_are_such():
    q, q2 = sp.Symbol("q"), sp.Symbol("q2")
    tracer = Tracer("test")
    values = {
        name: SymbolicArray(np.array(symbol, dtype=object), tracer)
        for name, symbol in {"plant.q": q, "plant.q2": q2}.items()
    }
    text = "2.*plant.q - plant.q2*.5"
    assert evaluate(text, parse(text, values), values, tracer).entries.item() == 2 * q - q2 / 2
    with pytest.raises(
        SignatureError, match=r"column 5: there is no 'plant\.p'. Did you mean 'pla"
    ):
        parse("1 - plant.p", values)
    with pytest.raises(SignatureError, match=r"column 1: there is no 'plant'"):
        parse("plant", values)


def test_compatible_characters_are_one_name():
    micro, mu = "\u00b5", "\u03bc"
    symbol = sp.Symbol("mu")
    tracer = Tracer("test")
    values = {mu: SymbolicArray(np.array(symbol, dtype=object), tracer)}
    for text in (micro, mu):
        assert evaluate(text, parse(text, values), values, tracer).entries.item() == symbol
