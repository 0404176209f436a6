"""The checker proves certificates with closed forms, and refuses what is false."""

import json

import pytest

import contraction_checker as checker
from contraction_checker.rules.slope_system import SLOPES
from tests.certify.hand_written import (
    FALSE_CHANGES,
    TRUE,
    certificate,
    changed,
    explained,
    free,
    l2,
    system,
)


def outcome(data, tmp_path):
    """The exit code of the checker for data written to a file."""
    path = tmp_path / "certificate.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return checker.main([str(path)])


@pytest.mark.parametrize("name", TRUE)
def test_what_a_closed_form_says_is_proved(name, tmp_path, capsys):
    assert outcome(TRUE[name], tmp_path) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.startswith("PROVED\n")


@pytest.mark.parametrize("name", TRUE)
def test_a_claim_slightly_beyond_the_truth_is_not(name, tmp_path):
    assert outcome(changed(TRUE[name], *FALSE_CHANGES[name]), tmp_path) == 4


def test_the_claim_is_derived_from_the_numbers_not_from_the_words(tmp_path, capsys):
    boast = changed(TRUE["tanh"], ("claim", "statement"), "contracts with rate 100")
    assert outcome(boast, tmp_path) == 0
    said = capsys.readouterr().out
    assert "100" not in said
    assert "d|z|/dt <= -0.5 |z|" in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 1),
        (("format",), "other"),
        (("extra",), 1),
        (("claim", "extra"), 1),
        (("evidence", "extra"), 1),
        (("region", "extra"), 1),
        (("system", "extra"), 1),
        (("claim", "bound"), "strong"),
        (("claim", "bound"), True),
        (("claim", "bound"), 2**60 + 1),
        (("claim", "kind"), "jump"),
        (("claim", "norm", "metric"), [[1, 0]]),
        (("claim", "norm", "metric"), [[1, 0], [0, 1], []]),
        (("region", "sides", 0), ["x", 1, 0]),
        (("region", "sides", 0, 0), "z"),
        (("evidence", "cuts"), []),
        (("evidence", "cuts"), [None, None]),
        (("evidence", "cuts"), [[-1, 0.0], None, None]),
        (("evidence", "cuts"), [[2, 0.0], None, None]),
        (("evidence", "cuts"), [[0.0, 0.0], None, None]),
        (("evidence", "cuts"), [[0, 0.0], None]),
        (("system", "dx", 0), "unknown"),
        (("system", "dx", 0), ["tanh"]),
        (("system", "dx", 0), ["^", "x", "2", "2"]),
        (("region", "balls"), [{"names": ["2"], "center": [0], "radius": 1}]),
        (("system", "dx", 0), ["tanh", "x", "y"]),
        (("system", "dx", 0), ["launch", "x"]),
        (("system", "dx", 0), "1/0"),
        (("system", "dx", 0), "0x10"),
        (("system", "dx"), ["x"]),
        (("system", "let"), [["$0", "x"], ["$0", "y"]]),
        (("system", "let"), [["x", "1"]]),
        (("system", "symbols", "state"), ["x", "x"]),
        (("system",), []),
        (("claim",), None),
    ],
)
def test_what_breaks_the_format_is_no_certificate(path, value, tmp_path):
    assert outcome(changed(TRUE["tanh"], path, value), tmp_path) == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": NaN}', '{"a": 1, "a": 1}', "1e999", "null", '"x"', "[" * 10**5],
)
def test_what_is_no_json_object_is_no_certificate(text, tmp_path):
    assert outcome(text, tmp_path) == 1


@pytest.mark.parametrize(
    "term",
    [
        ["sign", "x"],
        ["step", "x"],
        ["^", ["+", "x", "1"], "-1"],
        ["log", "x"],
        ["^", "x", "1/2"],
        ["tan", "x"],
        ["arcsin", "x"],
        ["power", "x", "1/3"],
        ["piecewise", ["x", ["less", "x", "1"]], ["0", ["true"]]],
    ],
)
def test_maps_that_may_jump_or_be_undefined_are_not_proved(term, tmp_path):
    dx = ["+", ["*", "-9", "y"], ["*", "0", "x"], term]
    assert outcome(changed(TRUE["tanh"], ("system", "dx", 1), dx), tmp_path) == 4


@pytest.mark.parametrize("operator", ["sign", "step"])
@pytest.mark.parametrize("argument", ["x", ["*", "-1", "x"], ["+", "1", ["*", "-2", "x"]]])
def test_a_jump_has_no_slope_whatever_its_argument_is(operator, argument, tmp_path):
    # Wherever the map does not jump, its Jacobian is -1.
    moved = system([["+", ["*", "-1", "x"], [operator, argument]]], state=["x"])
    evidence = {"let": [], "atoms": [], "jacobian": [[0, 0, "-1"]]}
    assert outcome(certificate("flow", -1, l2([1]), free("x"), moved, evidence), tmp_path) == 4


@pytest.mark.parametrize(
    "metric", [[[1, 2], [2, 1]], [[1, 1], [1, 1]], [[1, 0.5], [0, 1]], [[-1, 0], [0, -1]]]
)
def test_a_metric_that_is_none_proves_nothing(metric, tmp_path):
    assert outcome(changed(TRUE["tanh"], ("claim", "norm", "metric"), metric), tmp_path) == 4


def test_a_leaf_is_named_when_it_fails(tmp_path, capsys):
    assert outcome(changed(TRUE["cubic, cut"], ("claim", "bound"), 1.5), tmp_path) == 4
    assert "leaf 1, x in [-1, -0.5]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "term",
    [
        ["*", "x", ["^", "x", "-1"]],
        ["^", ["^", "x", "1/2"], "2"],
        ["*", "0", ["log", "x"]],
        ["+", ["tan", "x"], ["*", "-1", ["tan", "x"]]],
    ],
)
def test_what_cancels_must_be_defined_all_the_same(term, tmp_path):
    dx = ["+", ["*", "-9", "y"], ["*", "1/2", ["tanh", "x"]], ["*", "0", term]]
    assert outcome(changed(TRUE["tanh"], ("system", "dx", 1), dx), tmp_path) == 4


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("step", ("claim", "input_norm"), {"type": "l2", "metric": [[9, 0], [0, 9]]}),
        ("metric of an input with a rate", ("claim", "norm", "rates", "names"), ["x"]),
        ("slopes of a map", ("claim", "trajectories"), {"center": [0, 0], "radius": 1}),
        (
            "slopes of a map",
            ("claim", "horizontal"),
            {"L": [[1, 0]], "R": [[1], [0]], "kind": "symmetry"},
        ),
        ("conservation", ("claim", "trajectories"), {"center": [0, 0], "radius": 1}),
        ("network", ("claim", "norm", "exponents"), [0, 0.5]),
        ("slopes of a map", ("system", "activations"), [[1, 0], [0, 1]]),
        ("sparse metric", ("claim", "norm", "metric", "entries", 0, 0), 0.0),
        ("tanh", ("claim", "norm", "type"), "1"),
    ],
)
def test_parts_of_a_claim_that_no_rule_proves_are_refused(name, path, value, tmp_path):
    assert outcome(changed(TRUE[name], path, value), tmp_path) in (1, 4)


def test_a_jacobian_or_slopes_that_are_not_the_systems_prove_nothing(tmp_path):
    data = TRUE["range of a term"]
    ((name, slope),) = data["evidence"]["atoms"][0]["slopes"]
    for path, value in (
        (("evidence", "jacobian", 0, 2), "-1"),
        (("evidence", "jacobian"), []),
        (("evidence", "atoms", 0, "slopes"), [[name, "0"]]),
        (("evidence", "atoms", 0, "slopes"), [[name, ["*", "2", slope]]]),
        (("evidence", "let", 0, 1), "x"),
    ):
        assert outcome(changed(data, path, value), tmp_path) == 4, path


def test_squares_of_what_is_not_real_everywhere_prove_nothing(tmp_path):
    # x' = -x^2 / 2 has slope -x, and -x - 2 b = (sqrt(x))^2 for b = 0 only where x >= 0.
    data = changed(TRUE["sum of squares"], ("system", "dx"), [["*", "-1/2", ["^", "x", "2"]]])
    root = {"factor": "1", "rows": [0], "basis": [["^", "x", "1/2"]], "gram": [["2"]]}
    data = changed(changed(data, ("claim", "bound"), 0.0), ("evidence", "rate"), [root])
    assert outcome(data, tmp_path) == 4
    assert outcome(changed(data, ("region", "sides", 0), ["x", 0, "inf"]), tmp_path) == 0


def test_a_weight_that_is_not_real_everywhere_proves_no_metric(tmp_path):
    # M = x is no metric for x < 0, and w M - 1 = 0 for w = sqrt(x)^-2 speaks of x > 0 alone.
    norm = {"type": "l2", "let": [], "metric_terms": ["x"]}
    data = changed(TRUE["sum of squares"], ("claim", "norm"), norm)
    data = changed(changed(data, ("system", "dx"), ["0"]), ("claim", "bound"), 0.0)
    none = [{"factor": "1", "rows": [0], "basis": ["1"], "gram": [["0"]]}]
    weight = ["*", ["^", "x", "-1/2"], ["^", "x", "-1/2"]]
    data = changed(changed(data, ("evidence", "rate"), none), ("evidence", "positive"), {
        "weight": weight, "margin": "1", "point": [1.0], "squares": none,
    })  # fmt: skip
    assert outcome(data, tmp_path) == 4
    assert outcome(changed(data, ("region", "sides", 0), ["x", 0.5, "inf"]), tmp_path) == 0


def test_coordinates_have_to_be_regular_everywhere(tmp_path):
    # In theta = x the flow x' = -x has F = -2 exactly, but theta is no coordinate at x = 0.
    data = changed(TRUE["cubic, unbounded"], ("system", "dx"), [["*", "-1", "x"]])
    norm = {"type": "l2", "let": [], "factor_terms": ["x"]}
    data = changed(changed(data, ("claim", "norm"), norm), ("claim", "bound"), -2.0)
    data = changed(data, ("evidence",), {
        "rule": "monolithic", "cuts": [None], "let": [], "atoms": [],
        "matrix": [[0, 0, "-4"]], "weight": [[0, 0, "2"]],
        "congruence": [["^", "x", "-1"]],
    })  # fmt: skip
    away = changed(data, ("region", "sides", 0), ["x", 0.5, 1])
    assert outcome(away, tmp_path) == 0
    assert outcome(changed(away, ("evidence", "congruence"), ["1"]), tmp_path) == 4
    assert outcome(changed(data, ("region", "sides", 0), ["x", -1, 1]), tmp_path) == 4


def test_a_coordinate_comes_once_in_a_linear_constraint(tmp_path):
    # 2 x <= 3 does not hold in the ball |x| <= 2; written as x + x it must not be taken for x <= 3.
    rows = [[[["x", 1], ["x", 1]], "-inf", 3]]
    assert outcome(changed(TRUE["invariant ball"], ("region", "linear"), rows), tmp_path) == 1
    rows = [[[["x", 2]], "-inf", 3]]
    assert outcome(changed(TRUE["invariant ball"], ("region", "linear"), rows), tmp_path) == 4


def test_a_sparse_matrix_has_the_shape_that_it_shows(tmp_path):
    A = {"shape": [2, 2], "entries": []}
    assert outcome(changed(TRUE["slopes of a map"], ("system", "A"), A), tmp_path) == 0
    A["shape"] = [2, 3]
    assert outcome(changed(TRUE["slopes of a map"], ("system", "A"), A), tmp_path) == 1


def test_products_of_unbounded_atoms_are_decided_along_each_of_them(tmp_path):
    # J = -1 - 3 x^2 (1 + y^4) at most -1, in x^2 and y^4 from zero on without end.
    cubic = ["*", "-1", ["^", "x", "3"], ["+", "1", ["^", "y", "4"]]]
    data = changed(TRUE["cubic, unbounded"], ("system", "dx"), [["+", ["*", "-1", "x"], cubic]])
    data = changed(data, ("system", "symbols", "inputs"), ["y"])
    data = changed(data, ("region", "sides"), [["x", "-inf", "inf"], ["y", "-inf", "inf"]])
    data = explained(data)
    assert outcome(data, tmp_path) == 0
    assert outcome(changed(data, ("claim", "bound"), -1.0 - 2.0**-50), tmp_path) == 4


def test_slopes_of_activations_are_those_of_the_library():
    library = pytest.importorskip("riemannian_modules.claims.slope_table")
    assert {k: tuple(map(float, v)) for k, v in SLOPES.items()} == library.SLOPES
