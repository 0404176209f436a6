"""Each part of the checker by itself, against closed forms and at the edges of its domain."""

from fractions import Fraction
from itertools import pairwise

import mpmath
import pytest

from contraction_checker import functions as f
from contraction_checker import points
from contraction_checker.atoms import read_atoms
from contraction_checker.ball_norms import (
    LargestOfBlocks,
    WeightedMaximum,
    WeightedSum,
    read_ball_norm,
)
from contraction_checker.block_norm import read_block_norm
from contraction_checker.claim import Claim
from contraction_checker.corners import passes
from contraction_checker.definiteness import is_positive
from contraction_checker.expressions import Definitions
from contraction_checker.forms import enclosure, form_of
from contraction_checker.json_parts import between, fields, is_between, real, whole
from contraction_checker.leaves import leaves
from contraction_checker.matrices import Matrix, identity
from contraction_checker.matrix_parts import matrix, metric
from contraction_checker.proof import Proof
from contraction_checker.range_values import RangeValues
from contraction_checker.ranges import BIG, INF, ONE, Range, near, point, square_root
from contraction_checker.refusals import MalformedError, NotProvedError, OutsideError
from contraction_checker.region import Region
from contraction_checker.term_functions import apply, where
from contraction_checker.term_powers import power, vanishes
from contraction_checker.term_values import TermValues
from contraction_checker.terms import GENERATORS, atom, move, symbol

HALF = Fraction(1, 2)


def ends(x):
    return x.lo, x.hi


def test_products_are_rounded_outwards():
    assert ends(point(1) * point(1)) == (0, 1)
    assert ends(point(-1) * point(1)) == (-1, 0)
    assert ends(near(Fraction(1, 3))) == (ONE // 3, ONE // 3 + 1)


def test_ends_that_are_too_large_say_nothing_or_stay_where_they_are_a_bound():
    assert ends(Range(-BIG - 1, BIG + 1)) == (-INF, INF)
    assert ends(Range(BIG + 1, BIG + 2)) == (BIG, INF)
    assert ends(Range(-BIG - 2, -BIG - 1)) == (-INF, -BIG)


def test_even_powers_are_of_the_magnitude():
    assert ends(Range(-2 * ONE, ONE) ** 2) == (0, 4 * ONE)
    assert ends(Range(-2 * ONE, -ONE) ** 2) == (ONE, 4 * ONE)


@pytest.mark.parametrize("x", [Range(0, ONE), Range(-ONE, 0), Range(-ONE, ONE), point(0)])
def test_nothing_is_divided_by_what_may_be_zero(x):
    with pytest.raises(NotProvedError, match="zero"):
        1 / x
    with pytest.raises(NotProvedError, match="zero"):
        x**-2


def test_ranges_that_touch_have_a_point_in_common():
    assert ends(Range(0, ONE).intersected(Range(ONE, 2 * ONE))) == (ONE, ONE)
    with pytest.raises(OutsideError):
        Range(0, ONE).intersected(Range(ONE + 1, 2 * ONE))


@pytest.mark.parametrize(
    "exponent", [Fraction(1025), Fraction(-1025), Fraction(2049, 2), Fraction(3100, 3)]
)
def test_powers_beyond_the_limit_are_refused(exponent):
    with pytest.raises(MalformedError, match="1024"):
        f.rational_power(point(ONE), exponent)
    with pytest.raises(MalformedError, match="1024"):
        power(symbol("x"), exponent)
    if exponent.denominator == 1:
        with pytest.raises(MalformedError, match="1024"):
            point(ONE) ** int(exponent)
    with pytest.raises(MalformedError, match="1024"):
        symbol("x") * (power(symbol("x"), 600) * power(symbol("x"), 600))


def test_roots_are_of_what_is_not_negative():
    for x in (Range(-ONE, ONE), Range(-2, -1)):
        with pytest.raises(NotProvedError, match="root"):
            square_root(x)
        with pytest.raises(NotProvedError, match="root"):
            f.rational_power(x, Fraction(1, 3))


FUNCTIONS = {
    points.exp_at: mpmath.exp,
    points.log_at: mpmath.log,
    points.sine_at: mpmath.sin,
    points.arctangent_at: mpmath.atan,
    points.erf_at: mpmath.erf,
}


@pytest.mark.parametrize("at", FUNCTIONS, ids=lambda at: at.__name__)
def test_points_are_enclosed_to_a_few_units(at):
    with mpmath.workprec(900):
        for k in range(1, 400):
            units = ONE * k * k // 997 + k**5
            for signed in (units,) if at is points.log_at else (units, -units):
                lo, hi = ends(at(signed))
                true = FUNCTIONS[at](mpmath.mpf(signed) / ONE) * ONE
                assert lo <= true <= hi or (true > BIG and hi == INF)


def test_where_a_function_is_too_large_or_too_small_for_its_series():
    assert ends(points.exp_at(1180 * ONE)) == (ONE << 1700, INF)
    assert points.exp_at(-134 * ONE).lo == 0
    assert points.exp_at(-134 * ONE).hi > 0
    assert points.erf_at(13 * ONE).lo < ONE == points.erf_at(13 * ONE).hi
    for units in (0, -1):
        with pytest.raises(NotProvedError, match="logarithm"):
            points.log_at(units)


@pytest.mark.parametrize(
    ("function", "x"),
    [(f.log, Range(-INF, ONE)), (f.arcsin, Range(-INF, 0)), (f.arcsin, Range(0, INF))],
)
def test_a_function_without_a_limit_is_of_bounded_numbers(function, x):
    with pytest.raises(NotProvedError, match="without a bound"):
        function(x)


def test_functions_that_do_not_rise_have_their_extremes_inside():
    half_pi = points.HALF_PI
    assert f.sin(Range(ONE, 3 * ONE)).hi == ONE
    assert f.sin(Range(4 * ONE, 5 * ONE)).lo == -ONE
    assert f.sin(Range(0, 4 * half_pi.hi)).lo == -ONE
    assert f.cos(Range(-ONE, ONE)).hi == ONE
    assert ends(f.absolute(Range(-ONE, 2 * ONE))) == (0, 2 * ONE)
    assert ends(f.absolute(Range(-3 * ONE, -2 * ONE))) == (2 * ONE, 3 * ONE)
    with pytest.raises(NotProvedError, match="zero"):
        f.tan(Range(ONE, 2 * ONE))
    assert f.power(Range(0, ONE), near(HALF)).lo == 0
    for x, y in ((Range(0, ONE), Range(0, ONE)), (Range(-1, ONE), near(2))):
        with pytest.raises(NotProvedError, match="power"):
            f.power(x, y)


@pytest.mark.parametrize("x", [point(0), Range(0, ONE), Range(-ONE, 0), Range(-ONE, ONE)])
def test_at_a_kink_both_sides_are_enclosed(x):
    assert ends(f.step(x)) == (0, ONE)
    assert ends(f.sign(x)) == (-ONE, ONE)
    assert ends(f.where(point(3), point(5), x)) == (3, 5)


def test_away_from_a_kink_there_is_one_side():
    assert ends(f.step(Range(1, 2))) == ends(f.sign(Range(1, 2))) == (ONE, ONE)
    assert ends(f.step(Range(-2, -1))) == (0, 0)
    assert ends(f.sign(Range(-2, -1))) == (-ONE, -ONE)
    assert ends(f.where(point(3), point(5), point(1))) == (3, 3)
    assert ends(f.where(point(3), point(5), point(-1))) == (5, 5)


x, y = symbol("x"), symbol("y")
dx, dy = move("x"), move("y")


@pytest.fixture(autouse=True)
def table():
    """Terms mean what they say in a table of their own."""
    global x, y, dx, dy
    GENERATORS.clear()
    x, y, dx, dy = symbol("x"), symbol("y"), move("x"), move("y")


def slope(t):
    return t.slopes().get("x", 0)


def test_a_move_is_infinitesimal():
    assert not dx * dx
    assert not dx * dy
    assert vanishes(slope((x + dx) * (x + dx) * (x + dx)) - 3 * x * x)
    assert vanishes(slope(power(x + dx, -2)) + 2 * power(x, -3))


def test_functions_know_what_stands_for_the_negative():
    for word in ("sin", "tan", "tanh", "sinh", "arcsin", "arctan", "arcsinh", "erf", "sign"):
        assert vanishes(apply(word, [x]) + apply(word, [-x]))
        assert not vanishes(apply(word, [x]) - apply(word, [-x]))
    for word in ("cos", "cosh", "absolute"):
        assert vanishes(apply(word, [x]) - apply(word, [-x]))
    assert vanishes(apply("step", [x]) + apply("step", [-x]) - 1)
    assert vanishes(apply("step", [x]) - apply("step", [3 * x]))
    assert not vanishes(apply("tanh", [x]) - apply("tanh", [3 * x]))
    assert not vanishes(apply("log", [x]) + apply("log", [-x]))


def test_squares_are_known():
    sin, cos, sinh, cosh, step = (apply(w, [x]) for w in ("sin", "cos", "sinh", "cosh", "step"))
    assert vanishes(sin * sin + cos * cos - 1)
    assert vanishes(cosh * cosh - sinh * sinh - 1)
    assert vanishes(step * step - step)
    assert not vanishes(step - 1)
    assert not vanishes(sinh * sinh - cosh)


def test_roots_are_known_as_what_they_are():
    root = power(power(x, 2), HALF)
    assert vanishes(root * root - x * x)
    assert not vanishes(root - x)  # it is the magnitude
    assert vanishes(power(4 * x + 4 * y, HALF) - 2 * power(x + y, HALF))
    assert vanishes(power(4 * x + 4 * y, Fraction(-1, 2)) * 2 - power(x + y, Fraction(-1, 2)))
    assert vanishes(power(2 * x + 4 * y, -2) - power(x + 2 * y, -2) * Fraction(1, 4))
    assert vanishes(power(3 * x, -1) * 3 * x - 1)
    assert vanishes(power(3 * x, -1) - power(x, -1) * Fraction(1, 3))


def test_a_quotient_is_zero_only_if_its_numerator_is():
    assert vanishes(power(x + y, -1) * x + power(x + y, -1) * y - 1)
    assert not vanishes(power(x + y, -1))
    with pytest.raises(NotProvedError, match="zero"):
        power(x - x, -1)


DERIVATIVES = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "arcsin": mpmath.asin,
    "arctan": mpmath.atan,
    "arcsinh": mpmath.asinh,
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "erf": mpmath.erf,
    "absolute": abs,
}


def value_of(written, **given):
    """The middle of an expression's range at a point, and of its derivative by x."""
    definitions = Definitions()
    for name in ("x", "y"):
        definitions.declare(name)
    expression = definitions.read(written)
    at = RangeValues({s: near(Fraction(v)) for s, v in given.items()}, definitions.bindings)
    return Fraction(at.evaluate(expression).lo, ONE), expression, definitions


@pytest.mark.parametrize("word", DERIVATIVES)
def test_derivatives_of_terms_are_those_of_numbers(word):
    """A term's derivative is compared with the difference of the function that ranges enclose."""
    written = [word, "x"]
    h = Fraction(1, 2**60)
    for a in (Fraction(3, 8), Fraction(5, 8)):
        values = [value_of(written, x=a + k * h, y=0)[0] for k in (-1, 1)]
        assert float(value_of(written, x=a, y=0)[0]) == pytest.approx(
            float(DERIVATIVES[word](mpmath.mpf(float(a)))), rel=1e-14
        )
        found = slope(apply(word, [x + dx]))
        moving = evaluated(found, a)
        assert moving == pytest.approx(float((values[1] - values[0]) / (2 * h)), rel=1e-9)


def evaluated(t, a):
    """A term of the one symbol x as a number, by its generators."""
    total = 0.0
    for monomial, c in t.parts.items():
        product = float(c)
        for g, e in monomial:
            word, _, of, operands = GENERATORS[g]
            if word == "symbol":
                base = float(a)
            elif word == "sum":
                base = evaluated(operands[0], a)
            elif word == "exp":
                base = float(mpmath.exp(evaluated(type(t)({of: 1}), a)))
            elif word == "pi":
                base = float(mpmath.pi)
            elif word in ("sign", "step"):
                base = 1.0
            else:
                base = float(DERIVATIVES[word](evaluated(operands[0], a)))
            product *= base ** float(e)
        total += product
    return total


def test_the_larger_and_the_smaller_have_slopes_of_their_own():
    larger, smaller = (slope(apply(w, [x + dx, y + dy])) for w in ("maximum", "minimum"))
    assert vanishes(larger - apply("step", [x - y]))
    assert vanishes(smaller - apply("step", [y - x]))
    assert vanishes(apply("maximum", [x, x + 1]) - x - 1)
    assert vanishes(apply("minimum", [x, x + 1]) - x)
    assert vanishes(apply("maximum", [x + 1, x]) - x - 1)
    assert vanishes(apply("minimum", [x + 1, x]) - x)


@pytest.mark.parametrize("word", ["step", "sign"])
def test_what_moves_through_a_jump_is_refused(word):
    apply(word, [x])
    with pytest.raises(NotProvedError, match="jump"):
        apply(word, [x + dx])


def test_terms_that_become_too_long_are_refused():
    wide = x
    for k in range(600):
        wide = wide + symbol(f"s{k}")
    with pytest.raises(NotProvedError, match="too many terms"):
        wide * wide
    for base, e in ((2 * x, 1000), (x + y, 65)):
        with pytest.raises(NotProvedError, match="too much"):
            power(base * Fraction(2**150), e)
    long = x * Fraction(1, 2**70000)
    with pytest.raises(NotProvedError, match="too long"):
        long * long


def piecewise(inside, outside, *, left="x", relation="less", right="0", bindings=()):
    definitions = Definitions()
    definitions.declare("x")
    definitions.declare("y")
    definitions.define({"let": list(bindings)})
    written = ["piecewise", [inside, [relation, left, right]], [outside, ["true"]]]
    return TermValues({"x": x + dx, "y": y + dy}, definitions.bindings).evaluate(
        definitions.read(written)
    )


def test_pieces_have_to_meet_where_their_condition_changes():
    assert vanishes(slope(piecewise("x", ["*", "2", "x"])) - 1 - apply("step", [x]))
    piecewise(["*", "2", "x"], ["+", "x", "3"], right="3")
    piecewise(["*", "2", "x"], ["+", "x", "y"], right="y")
    # At 2 x = 4 the symbol is 2, not 4.
    piecewise(["*", "3", "x"], "6", left=["*", "2", "x"], right="4")
    square = [["$0", ["*", "x", "x"]]]
    piecewise("$0", "4", left="$0", right="4", bindings=square)
    for inside, outside, options in (
        ("x", ["+", "x", "1"], {}),
        (["*", "3", "x"], "12", {"left": ["*", "2", "x"], "right": "4"}),
        ("x", "2", {"left": ["*", "x", "x"], "right": "4"}),  # and where x is -2?
        ("x", "2", {"left": "$0", "right": "4", "bindings": square}),
    ):
        with pytest.raises(NotProvedError, match="continuous"):
            piecewise(inside, outside, **options)


def test_both_pieces_are_asked_to_be_defined():
    definitions = Definitions()
    definitions.declare("x")
    written = ["piecewise", ["0", ["less", "x", "5"]], [["log", "x"], ["true"]]]
    values = RangeValues({"x": Range(-ONE, ONE)}, definitions.bindings)
    with pytest.raises(NotProvedError, match="logarithm"):
        values.evaluate(definitions.read(written))


@pytest.mark.parametrize(
    ("relation", "is_inside"),
    [("less", False), ("less_equal", False), ("greater", True), ("greater_equal", True)],
)
def test_conditions_hold_on_their_own_side(relation, is_inside):
    definitions = Definitions()
    definitions.declare("x")
    written = ["piecewise", ["1", [relation, "x", "0"]], ["2", ["true"]]]
    found = RangeValues({"x": point(ONE)}, {}).evaluate(definitions.read(written))
    assert ends(found) == ends(near(1 if is_inside else 2))
    term = TermValues({"x": x}, {}).evaluate(definitions.read(written))
    assert vanishes(term - where(near_term(1), near_term(2), x if is_inside else -x)) == (
        relation.startswith("greater") or not is_inside
    )


def near_term(k):
    return x - x + k


@pytest.mark.parametrize(
    "written",
    [
        "z", "", [], None, 1, True, ["x"], ["+", "x"], ["*"], ["^", "x"], ["^", "x", "2", "2"],
        ["tanh"], ["tanh", "x", "x"], ["maximum", "x"], ["where", "x", "x", "x"], [["+"], "x", "x"],
        ["piecewise", ["x", ["less", "x", "0"]], ["x", ["false"]]],
        ["piecewise", ["x", ["unequal", "x", "0"]], ["x", ["true"]]],
        ["piecewise", ["x", ["less", "x"]], ["x", ["true"]]],
        ["piecewise", ["x", ["less", "x", "0"]]],
        "01", "1/0", "1/01", "+1", "1.0", "1e5", "--1", "9" * 4001, " 1",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(written):
    definitions = Definitions()
    definitions.declare("x")
    with pytest.raises(MalformedError):
        definitions.read(written)


def test_expressions_are_deep_at_most_two_hundred_operations():
    definitions = Definitions()
    definitions.declare("x")
    deep = "x"
    for _ in range(200):
        deep = ["tanh", deep]
    definitions.read(deep)
    with pytest.raises(MalformedError, match="deep"):
        definitions.read(["tanh", deep])
    definitions.define({"let": [["$0", deep]]})
    with pytest.raises(MalformedError, match="deep"):
        definitions.read(["tanh", "$0"])


@pytest.mark.parametrize("name", ["", "x", "$a", "~a", "1", "-1/2", "a  b", "a\n", "a" * 201, 1])
def test_names_of_coordinates_are_not_those_of_others(name):
    definitions = Definitions()
    definitions.declare("x")
    with pytest.raises(MalformedError, match="names"):
        definitions.declare(name)


@pytest.mark.parametrize("name", ["a", "$", "$a b", "$é", "$" + "a" * 41, "$x", "$a\n"])
def test_names_of_bindings_begin_with_a_dollar(name):
    definitions = Definitions()
    definitions.declare("x")
    definitions.define({"let": [["$x", "x"]]})
    with pytest.raises(MalformedError, match="names"):
        definitions.define({"let": [[name, "x"]]})


@pytest.mark.parametrize("wrong", [True, "1", None, [1], 2**53 + 1])
def test_numbers_are_doubles(wrong):
    with pytest.raises(MalformedError):
        real(wrong)
    if wrong != 2**53 + 1:
        with pytest.raises(MalformedError):
            whole(wrong, "a number")
    with pytest.raises(MalformedError):
        whole(Fraction(1), "a number")


def test_objects_have_the_keys_that_are_asked_for():
    assert fields({"a": 1, "b": 2}, "a", "b c") == {"a": 1, "b": 2}
    for wrong in ({}, {"b": 2}, {"a": 1, "d": 1}, [], None, "a"):
        with pytest.raises(MalformedError, match="keys"):
            fields(wrong, "a", "b c")


def test_ends_of_sides_are_kept_in_order():
    assert ends(between("-inf", "inf")) == (-INF, INF)
    assert ends(between(-1, 1)) == (-ONE, ONE)
    for lo, hi in ((1, 0), ("inf", "inf"), ("-inf", "-inf"), (None, 1), ("0", 1)):
        with pytest.raises(MalformedError):
            between(lo, hi)
    assert [is_between(Fraction(k), 0, 1) for k in (-1, 0, 1, 2)] == [False, True, True, False]
    assert is_between(Fraction(9), 0, "inf")
    assert is_between(Fraction(-9), "-inf", 0)


@pytest.mark.parametrize(
    "data",
    [
        [[1, 2]], [[1], [2]], [[1, 2], [3]], {"entries": [[0, 0, 1], [0, 0, 1]]},
        {"entries": [[2, 0, 1]]}, {"entries": [[0, -1, 1]]}, {"entries": [[False, 0, 1]]},
        {"entries": [[0, Fraction(1), 1]]}, {"entries": [[0, 0]]}, {}, [[1, 2], "34"],
        [[1, 2], [3, "4"]], [[1, 2], [3, True]],
    ],
)  # fmt: skip
def test_what_is_no_matrix_of_its_size_is_refused(data):
    with pytest.raises(MalformedError):
        matrix(data, 2, 2)


@pytest.mark.parametrize(
    "data", [[[1, 2], [2, 1]], [[1, 1], [1, 1]], [[2, 1], [0, 2]], [[0, 0], [0, 0]]]
)
def test_what_is_no_metric_is_refused(data):
    with pytest.raises(NotProvedError):
        metric(data, 2)


def test_leaves_cover_their_box():
    box = [Range(-ONE, ONE), Range(0, ONE)]
    tree = [[0, 0], [1, HALF], None, None, [0, HALF], None, None]
    found = [*leaves(iter(tree), box)]
    first = sorted(ends(leaf[0]) for leaf in found if leaf[1].lo == 0)
    assert first[0][0] == -ONE
    assert first[-1][1] == ONE
    assert all(a[1] == b[0] for a, b in pairwise(first))
    assert len(found) == 4


@pytest.mark.parametrize(
    "tree",
    [[], [[0, 0], None], [[-1, 0], None, None], [[2, 0], None, None], [[False, 0], None, None],
     [[0, 2], None, None], [[0, -2], None, None], [[0], None, None], [[0, "0"], None, None], [0]],
)  # fmt: skip
def test_what_is_no_tree_of_cuts_is_refused(tree):
    with pytest.raises(MalformedError):
        [*leaves(iter(tree), [Range(-ONE, ONE), Range(0, ONE)])]


def test_definiteness_of_small_matrices():
    two = {(0, 0): (1, 1), (1, 1): (1, 1)}
    assert is_positive(two, strict=True)
    assert is_positive({**two, (0, 1): (1, 1)}, strict=False)
    assert not is_positive({**two, (0, 1): (1, 1)}, strict=True)
    assert not is_positive({**two, (0, 1): (2, 2)}, strict=False)
    assert is_positive({(0, 0): (0, 0)}, strict=False)
    assert not is_positive({(0, 0): (0, 0)}, strict=True)
    assert not is_positive({(0, 0): (0, 0), (1, 1): (9, 9), (0, 1): (1, 1)}, strict=False)
    assert not is_positive({(0, 0): (0, 0), (1, 1): (9, 9), (0, 1): (-1, 1)}, strict=False)
    assert not is_positive({(0, 0): (-1, 9)}, strict=False)
    # A pivot that becomes zero, in a row that is not: the determinant is -1.
    chain = {(i, i): (1, 1) for i in range(3)} | {(0, 1): (1, 1), (1, 2): (1, 1)}
    assert not is_positive(chain, strict=False)
    # The determinant is -1 again, and what a floor loses is more than that of the last pivot.
    s = 2**40
    assert not is_positive({(0, 0): (s * s - 1,) * 2, (0, 1): (s, s), (1, 1): (1, 1)}, strict=False)
    # |off| <= 1 beside a diagonal of 1: semidefinite, but not with off up to 2.
    assert not is_positive({**two, (0, 1): (-2, 2)}, strict=False)
    assert not is_positive({(0, 0): (1, 9), (1, 1): (1, 9), (0, 1): (2, 2)}, strict=False)


def on(form, strict=False, **ranges):
    by_number = {g: x for name, x in ranges.items() for ((g, _),) in atom(name).parts}
    return passes(form, by_number, strict=strict)


def test_a_matrix_in_atoms_is_decided_at_their_corners():
    a, b = atom("a"), atom("b")
    unit = Range(-ONE, ONE)
    off = form_of(Matrix({(0, 0): a * 0 + 1, (1, 1): a * 0 + 1, (0, 1): a}), 2)
    assert on(off, a=unit)
    assert not on(off, a=Range(-ONE, ONE + 1))
    product = form_of(Matrix({(0, 0): a * b + 1}), 1)
    assert on(product, a=unit, b=unit)
    assert not on(product, a=unit, b=Range(-ONE, ONE + 1))
    assert not on(product, strict=True, a=unit, b=unit)
    with pytest.raises(NotProvedError, match="affine"):
        form_of(Matrix({(0, 0): a * a}), 1)


def test_an_atom_without_a_bound_is_decided_at_its_other_end():
    a, b = atom("a"), atom("b")
    above, below = Range(0, INF), Range(-INF, 0)
    for t, x, truth in ((a, above, True), (-a, below, True), (a, below, False), (-a, above, False)):
        assert on(form_of(Matrix({(0, 0): t + 1}), 1), a=x) is truth
        assert on(form_of(Matrix({(0, 0): t - 1}), 1), a=x) is False
    assert not on(form_of(Matrix({(0, 0): a + 1}), 1), a=Range(-INF, INF))
    # a b may fall, however large a is: the slope by a has to be of one sign for all b.
    slope = form_of(Matrix({(0, 0): a * b + 1}), 1)
    assert on(slope, a=above, b=Range(0, ONE))
    assert not on(slope, a=above, b=Range(-1, ONE))


@pytest.mark.parametrize("n", [2, 11])
def test_many_atoms_are_decided_by_the_signs_that_matter(n):
    """Off the diagonal stands a number from 0 to 2 beside ones: it is the larger end that fails."""
    names = [f"a{k}" for k in range(13)]
    sum_of = sum((atom(name) for name in names), start=x - x)
    entries = {(i, i): 13 for i in range(n)}
    ranges = dict.fromkeys(names, Range(0, ONE))
    assert not on(form_of(Matrix(entries | {(0, 1): 2 * sum_of}), n), **ranges)
    assert on(form_of(Matrix(entries | {(0, 1): sum_of}), n), **ranges)


def test_a_series_is_as_long_as_what_it_leaves_out():
    halves = points.series(point(ONE), point(ONE), lambda _: (1, 2))  # 1 + 1/2 + 1/4 + ...
    assert halves.lo <= 2 * ONE <= halves.hi


def test_magnitudes_are_taken_off_the_diagonal():
    a = atom("a")
    found = form_of(Matrix({(0, 0): identity(1)[0, 0] * 2, (0, -1): a}), 1)
    assert on(found, a=Range(-2 * ONE, ONE))
    assert not on(found, a=Range(-2 * ONE - 1, ONE))
    assert not on(found, a=Range(-ONE, 2 * ONE + 1))
    constant = form_of(Matrix({(0, 0): 3, (0, -1): -3}), 1)
    assert on(constant)
    both = enclosure(found, {g: Range(-ONE, 3 * ONE) for ((g, _),) in a.parts})
    assert both[0, 0][0] < 0


def with_atom(expression, slopes, x=(-1, 1), y=(-1, 1)):
    """The range of an atom on a box of two coordinates, cut with its slopes."""
    definitions = Definitions()
    region = Region({"sides": [["x", *x], ["y", *y]]}, definitions)
    definitions.define({"let": [["$a", expression]]})
    proof = Proof(region, definitions)
    read_atoms(proof, [{"name": "$a", "slopes": slopes}])
    return proof.narrower("$a", proof.whole())


def test_ranges_from_slopes_are_those_of_the_whole_box():
    product = ["*", "x", "y"]
    assert ends(with_atom(["^", "x", "2"], [["x", ["*", "2", "x"]]])) == (0, ONE)
    assert ends(with_atom(["+", "x", "y"], [["x", "1"], ["y", "1"]])) == (-2 * ONE, 2 * ONE)
    assert ends(with_atom(product, [["x", "y"], ["y", "x"]])) == (-ONE, ONE)
    # Where it falls, the least is at the upper end; what natural ranges lose is regained.
    parabola = ["+", ["*", "x", "x"], ["*", "-4", "x"]]
    found = with_atom(parabola, [["x", ["+", ["*", "2", "x"], "-4"]]], x=(0, 1))
    assert ends(found) == (-3 * ONE, 0)


def test_slopes_are_all_of_them_and_those_of_the_atom():
    product = ["*", "x", "y"]
    for expression, slopes in (
        (product, [["x", "y"]]),
        (product, [["x", "y"], ["y", "y"]]),
        ("x", [["x", "1"], ["y", "5"]]),
    ):
        with pytest.raises(NotProvedError, match="other slopes"):
            with_atom(expression, slopes)


def test_the_extent_of_a_ball_is_that_of_the_dual_norm():
    row = {0: Fraction(1), 1: Fraction(-1)}
    for norm, least in (
        (WeightedSum([Fraction(1), Fraction(2)]), 1),
        (WeightedMaximum([Fraction(1), Fraction(2)]), 3),
    ):
        assert norm.reaches_at_most(Fraction(least * 5), row, Fraction(5))
        assert not norm.reaches_at_most(least * 5 - Fraction(1, 10**9), row, Fraction(5))
    # a^T M^-1 a = 2/3, though M alone at the row's own place would give 1/2.
    M = Matrix({(0, 0): Fraction(2), (0, 1): Fraction(1), (1, 0): Fraction(1), (1, 1): Fraction(2)})
    one = LargestOfBlocks([([0, 1], M)])
    assert one.reaches_at_most(Fraction(5, 6), {0: Fraction(1)}, Fraction(1))
    assert not one.reaches_at_most(Fraction(7, 9), {0: Fraction(1)}, Fraction(1))
    two = LargestOfBlocks([([0], identity(1)), ([1], identity(1))])
    assert two.reaches_at_most(Fraction(1), {1: Fraction(1)}, Fraction(1))
    assert not two.reaches_at_most(Fraction(99), row, Fraction(1))


BLOCKS = {
    "type": "blocks", "combine": "linf", "groups": [[0], [1]], "metrics": [[[1]], [[4]]],
    "weights": [1, 2], "exponents": [0, 1],
}  # fmt: skip


def test_blocks_have_weights_and_exponents():
    norm = read_block_norm(BLOCKS, 2)
    assert norm.weights == [1, 4]
    claim = Claim("flow", Fraction(-1), BLOCKS, {})
    # |x|_M / 4 of M = 4: at the border |x| = 2.
    found = read_ball_norm(claim, 2)
    assert found.reaches_at_most(Fraction(2), {1: Fraction(1)}, Fraction(1))
    assert not found.reaches_at_most(Fraction(19, 10), {1: Fraction(1)}, Fraction(1))
    with pytest.raises(NotProvedError, match="sums of blocks"):
        read_ball_norm(Claim("flow", Fraction(-1), BLOCKS | {"combine": "l1"}, {}), 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": [[0], [0]]},
        {"groups": [[0, 1], []], "metrics": [[[1, 0], [0, 1]], []]},
        {"groups": [[0], [2]]},
        {"weights": [1, 0]},
        {"weights": [1, -2]},
        {"weights": [1]},
        {"exponents": [0, 2**21]},
        {"exponents": [0, Fraction(1)]},
        {"exponents": [0]},
        {"combine": "l2"},
        {"type": "l2"},
    ],
)
def test_what_are_no_blocks_is_refused(wrong):
    with pytest.raises(MalformedError):
        read_block_norm(BLOCKS | wrong, 2)
