"""Files forged by hand: what they add, leave out or repeat is refused, by both readers alike."""

import copy
import gzip
import json

import numpy as np
import pytest

import contraction_checker as checker
from contraction_checker import certificate_file
from contraction_checker.terms import GENERATORS, Generator
from riemannian_modules.certify import verify
from riemannian_modules.errors import CertificateError
from tests.certify.files import as_read
from tests.certify.hand_written import TRUE, certificate, changed, free, l2, system
from tests.certify.test_both_readers_agree import is_verified
from tests.certify.test_checker_mutations import is_accepted

NOTHING = [None, [], {}, "", 0, False]


def added(name, path, value):
    """A true certificate with a value under a key that it has not."""
    data = copy.deepcopy(TRUE[name])
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return data


def is_proved_by_neither(data):
    return not is_accepted(data) and not is_verified(data)


@pytest.mark.parametrize("value", NOTHING)
def test_what_is_shown_of_a_ball_is_its_metric(value):
    assert is_proved_by_neither(added("ball", ("region", "balls", 0, "metric"), value))


@pytest.mark.parametrize("value", [*NOTHING, [2, True], [2.0, 2], [2, 2, 2], ["2", "2"]])
def test_what_is_shown_of_a_sparse_matrix_is_its_shape(value):
    sparse = {"entries": [[0, 0, 2.0], [1, 1, 2.0]], "shape": value}
    assert is_proved_by_neither(changed(TRUE["slopes of a map"], ("system", "B"), sparse))
    metric = {"entries": [[0, 0, 1.0], [1, 1, 0.25]], "shape": value}
    assert not is_accepted(changed(TRUE["sparse metric"], ("claim", "norm", "metric"), metric))


@pytest.mark.parametrize("words", ["statement", "symbols"])
@pytest.mark.parametrize("value", [v for v in NOTHING if v != ""])
def test_words_are_texts(words, value):
    assert is_proved_by_neither(added("tanh", ("claim", words), value))


def test_a_flow_has_no_matrix_of_its_successor():
    data = added("metric of the point", ("evidence", "after"), [[0, 0, "17"]])
    assert is_proved_by_neither(data)


def test_a_rule_proves_what_its_word_says():
    for name, rule in (("metric of the point", "network"), ("tanh", "sos"), ("network", "sums")):
        assert is_proved_by_neither(changed(TRUE[name], ("evidence", "rule"), rule))


def texts():
    """Texts that are no JSON of ours, and bytes that are none."""
    whole = json.dumps(TRUE["tanh"])
    twice = whole.replace('"bound": -0.5', '"bound": -0.5, "bound": -9.0')
    inside = whole.replace('"type": "l2"', '"type": "l2", "type": "l1"')
    assert len({whole, twice, inside}) == 3
    yield from (twice, inside)
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "9" * 5000, "01"):
        yield whole.replace("-0.5", number)
    yield from (whole[:-1], whole + "}", whole + whole, "\ufeff" + whole, whole.replace('"', "'"))
    yield whole.replace("null", "[" * 10**5)


@pytest.mark.parametrize("text", [*texts()])
def test_what_other_readers_would_take_in_two_ways_is_taken_by_neither(text, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(text, encoding="utf-8")
    assert checker.main([str(path)]) == 1
    with pytest.raises(CertificateError):
        verify(path)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe{}",
        json.dumps(TRUE["tanh"]).encode("utf-16"),
        gzip.compress(gzip.compress(json.dumps(TRUE["tanh"]).encode())),
        gzip.compress(b""),
        b"\x1f\x8b",
    ],
    # Bytes that hold the time would name another test in each process.
    ids=["another encoding", "wide", "packed twice", "packed nothing", "a header alone"],
)
def test_bytes_that_are_no_text_are_refused(raw, tmp_path):
    path = tmp_path / "certificate.json.gz"
    path.write_bytes(raw)
    assert checker.main([str(path)]) == 1
    with pytest.raises(CertificateError):
        verify(path)


def test_an_edit_of_one_reading_does_not_reach_the_next():
    """What one check notes of symbols and functions is forgotten before the next one."""
    before = [checker.check(as_read(TRUE[name])) for name in TRUE]
    order = np.random.default_rng(0).permutation(len(TRUE))
    names = list(TRUE)
    again = {k: checker.check(as_read(TRUE[names[k]])) for k in order}
    assert [again[k] for k in range(len(TRUE))] == before


def outcome(data, tmp_path, capsys):
    """The checker's exit code for data written to a file, and what it said of a refusal."""
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(data))
    code = checker.main([str(path)])
    return code, capsys.readouterr().err


def one_state(dx, bound, evidence, *, kind="flow", norm=None, sides=None, claim=None, **options):
    """A claim of one state x, in the norm |x| unless another is given."""
    return certificate(
        kind, bound, norm or l2([1]), sides or free("x"), system([dx], state=["x"], **options),
        evidence, claim=claim,
    )  # fmt: skip


CONSTANT = {"factor": "1", "rows": [0], "basis": ["1"], "gram": [["0"]]}


def by_squares(dx, bound, rate, positive=None, **options):
    """A claim of one state by sums of squares."""
    unit = {"weight": "1", "margin": "1", "point": [0.0], "squares": [CONSTANT]}
    data = one_state(dx, bound, {}, **options)
    data["evidence"] = {
        "rule": "sos", "let": [], "atoms": [], "rate": rate, "positive": positive or unit,
    }  # fmt: skip
    return data


MINUS_X, GROWING = ["*", "-1", "x"], ["+", ["*", "-1", "x"], ["^", "x", "3"]]
# For x' = -x + x^3 and b = -1 what has to be nonnegative is 2 b + 2 - 6 x^2 = -6 x^2.
X_SQUARED = {"factor": "1", "rows": [0], "basis": ["x"], "gram": [["-6"]]}
# x^2 - 9 x + 1 = 2 b - 2 f', negative at x = 4, for b = 0 and f = -x^3/6 + 9 x^2/4 - x/2.
ASKEW = {"factor": "1", "rows": [0, 0], "basis": ["x", "1"], "gram": [["1", "0"], ["-9", "1"]]}
CUBIC = ["+", ["*", "-1/6", ["^", "x", "3"]], ["*", "9/4", ["^", "x", "2"]], ["*", "-1/2", "x"]]
NO_SQUARES = {
    "a negative matrix": by_squares(GROWING, -1.0, [X_SQUARED]),
    "a negative factor": by_squares(
        GROWING, -1.0, [X_SQUARED | {"factor": "-1", "gram": [["6"]]}]
    ),
    "a matrix that is not symmetric": by_squares(CUBIC, 0.0, [ASKEW]),
    "squares of what is not real": by_squares(
        ["*", "-1/2", ["^", "x", "2"]], 0.0,
        [X_SQUARED | {"basis": [["^", "x", "1/2"]], "gram": [["2"]]}],
    ),
    "no margin": by_squares(
        "0", 0.0, [CONSTANT],
        {"weight": "1", "margin": "0", "point": [1.0],
         "squares": [{"factor": "1", "rows": [0], "basis": ["x"], "gram": [["1"]]}]},
        norm={"type": "l2", "let": [], "metric_terms": [["^", "x", "2"]]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_SQUARES)
def test_what_are_no_squares_prove_nothing(name, tmp_path, capsys):
    assert outcome(NO_SQUARES[name], tmp_path, capsys)[0] == 4
    assert not is_verified(NO_SQUARES[name])


def test_squares_are_asked_for(tmp_path, capsys):
    data = by_squares(MINUS_X, -1.0, [])
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert outcome(by_squares(MINUS_X, -1.0, [CONSTANT]), tmp_path, capsys)[0] == 0


def test_a_factor_is_no_negative_number(tmp_path, capsys):
    """Squares see b^2 alone: |x+| <= -|x| / 2 is no claim."""
    for bound, code in ((0.5, 0), (-0.5, 1)):
        data = by_squares(["*", "1/2", "x"], bound, [CONSTANT], kind="step")
        assert outcome(data, tmp_path, capsys)[0] == code
        assert is_verified(data) or code == 1


def test_an_input_norm_that_no_rule_uses_is_not_shown(tmp_path, capsys):
    data = certificate(
        "map", 1.0, {"type": "linf", "weights": [1]}, free("u"),
        system(y=[["tanh", "u"]], inputs=["u"]),
        {"let": [["$t", ["^", ["tanh", "u"], "2"]]], "atoms": [{"name": "$t"}],
         "jacobian": [[0, 0, ["+", "1", ["*", "-1", "$t"]]]]},
    )  # fmt: skip
    assert outcome(data, tmp_path, capsys)[0] == 0
    data["claim"]["input_norm"] = l2([4])
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


HALFWAY = ["+", "1/2", ["*", "1/2", "x"]]  # the step to halfway between x and 1


@pytest.mark.parametrize(
    ("center", "radius", "code"),
    [(0.875, 1.75, 0), (-1.0, 1.0, 4), (0.0, 0.75, 4), (0.0, 1.0, 0), (0.0, 9.5, 4)],
)
def test_a_ball_of_a_step_is_as_large_as_its_motion_asks(center, radius, code, tmp_path, capsys):
    evidence = {"let": [], "atoms": [], "jacobian": [[0, 0, "1/2"]]}
    ball = {"center": [center], "radius": radius}
    data = one_state(
        HALFWAY, 0.5, evidence, kind="step", sides=[["x", -9, 9]], claim={"trajectories": ball}
    )
    assert outcome(data, tmp_path, capsys)[0] == code
    assert code == 0 or not is_verified(data)


def test_a_ball_lies_within_the_linear_constraints(tmp_path, capsys):
    data = copy.deepcopy(TRUE["invariant ball"])
    data["region"]["point"] = [0, 0, 0]
    for limit, code in ((4.0, 0), (3.0, 4)):
        for row in ([["x", 2]], [["x", -2]], [["y", 2], ["u", 0]]):
            data["region"]["linear"] = [[row, "-inf", limit]]
            assert outcome(data, tmp_path, capsys)[0] == code
            data["region"]["linear"] = [[row, -limit, "inf"]]
            assert outcome(data, tmp_path, capsys)[0] == code


def test_both_ends_of_a_range_are_proved(tmp_path, capsys):
    data = TRUE["range of a term"]
    for end, wrong in (("lower", 0.01), ("upper", 0.3)):
        edited = changed(data, ("evidence", "atoms", 0, "range", end), wrong)
        assert outcome(edited, tmp_path, capsys)[0] == 4


def test_slopes_are_by_coordinates_each_once(tmp_path, capsys):
    data = TRUE["range of a term"]
    ((name, slope),) = data["evidence"]["atoms"][0]["slopes"]
    for slopes in ([[name, slope], [name, slope]], [[name, slope], ["z", "0"]]):
        edited = changed(data, ("evidence", "atoms", 0, "slopes"), slopes)
        code, said = outcome(edited, tmp_path, capsys)
        assert code == 1
        assert "each once" in said


IN_ONE = {"type": "l2", "let": [], "metric_terms": ["1"]}
WRITTEN = {"let": [], "atoms": [], "matrix": [[0, 0, "-6"]], "weight": [[0, 0, "2"]]}


def test_metrics_of_the_point_are_for_whole_states(tmp_path, capsys):
    quotient = changed(changed(TRUE["conservation"], ("claim", "norm"), IN_ONE), ("evidence",), {
        "rule": "monolithic", "cuts": [None], **WRITTEN,
    })  # fmt: skip
    of_inputs = certificate("map", 1.0, IN_ONE, free("u"), system(y=["u"], inputs=["u"]), WRITTEN)
    for data in (quotient, of_inputs):
        code, said = outcome(data, tmp_path, capsys)
        assert code == 4
        assert "whole states" in said
        assert not is_verified(data)


def test_a_metric_of_the_point_is_symmetric(tmp_path, capsys):
    """Of [[1, 0], [9, 1]] only the part above the diagonal is definite."""
    data = certificate(
        "flow", 5.0, {"type": "l2", "let": [], "metric_terms": ["1", "0", "9", "1"]},
        free("x", "y"), system([MINUS_X, ["*", "-1", "y"]], state=["x", "y"]),
        {"let": [], "atoms": [], "weight": [[0, 0, "2"], [1, 0, "18"], [1, 1, "2"]],
         "matrix": [[0, 0, "-2"], [0, 1, "-9"], [1, 0, "-9"], [1, 1, "-2"]]},
    )  # fmt: skip
    code, said = outcome(data, tmp_path, capsys)
    assert code == 1
    assert "symmetric" in said
    assert not is_verified(data)


def in_metric(entry, positive, *, sides=None):
    """A flow that stands still, hence neither grows nor contracts, in a metric of one entry."""
    norm = {"type": "l2", "let": [], "metric_terms": [entry]}
    return by_squares("0", 0.0, [CONSTANT], positive, norm=norm, sides=sides)


BELOW = [["x", -2, -1]]
BEYOND_ONE = {  # x^2 - 1 >= 0
    "factor": ["+", ["^", "x", "2"], "-1"], "rows": [0], "basis": ["1"], "gram": [["1"]],
}  # fmt: skip
NO_METRICS = {
    "a negative weight": in_metric(
        "-1", {"weight": "-1", "margin": "1", "point": [0.0], "squares": [CONSTANT]}
    ),
    "a point where it is negative": in_metric(
        "x", {"weight": "x", "margin": "1", "point": [-1.5], "squares": [BEYOND_ONE]}, sides=BELOW
    ),
    "a point beyond the region": in_metric(
        "x", {"weight": "x", "margin": "1", "point": [1.0], "squares": [BEYOND_ONE]}, sides=BELOW
    ),
}


@pytest.mark.parametrize("name", NO_METRICS)
def test_a_metric_is_positive_at_a_point_of_the_region(name, tmp_path, capsys):
    assert outcome(NO_METRICS[name], tmp_path, capsys)[0] == 4
    assert not is_verified(NO_METRICS[name])


def test_a_metric_that_is_positive_at_a_point_and_regular_everywhere_is_one(tmp_path, capsys):
    data = in_metric(
        ["*", "-1", "x"],
        {"weight": ["*", "-1", "x"], "margin": "1", "point": [-1.5], "squares": [BEYOND_ONE]},
        sides=BELOW,
    )
    assert outcome(data, tmp_path, capsys)[0] == 0
    without_point = copy.deepcopy(data)
    without_point["evidence"]["positive"]["point"] = []
    assert outcome(without_point, tmp_path, capsys)[0] == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("system", "dx"), [MINUS_X, MINUS_X]),
        (("system", "dx"), []),
        (("system", "type"), "slopes"),
        (("system", "symbols", "inputs"), ["u"]),
        (("system", "symbols"), {"state": [], "inputs": ["x"], "parameters": []}),
        (("claim", "kind"), "map"),
    ],
)
def test_a_system_fits_its_claim_and_its_region(path, value, tmp_path, capsys):
    data = one_state(MINUS_X, -1.0, {"let": [], "atoms": [], "jacobian": [[0, 0, "-1"]]})
    assert outcome(data, tmp_path, capsys)[0] == 0
    edited = changed(data, path, value)
    assert outcome(edited, tmp_path, capsys)[0] == 1
    assert not is_verified(edited)


def test_a_map_has_outputs(tmp_path, capsys):
    nothing = {"let": [], "atoms": [], "jacobian": []}
    data = certificate("map", 1.0, l2(), free("u"), system(inputs=["u"]), nothing)
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


INSIDE = ["*", ["+", "1/2", "x"], ["+", "1/2", ["*", "-1", "x"]]]  # 1/4 - x^2


def halving(region=None):
    """``x+ = -x / 2`` in the metric ``1 - x^2`` on ``|x| <= 1/2``, with factor 3."""
    one = {"rows": [0], "basis": ["1"]}
    # 9 (1 - x^2) - (1 - x^2 / 4) / 4 = 143/16 (1/4 - x^2) + 417/64, and 1 - x^2 - 1/2 likewise.
    data = by_squares(
        ["*", "-1/2", "x"], 3.0,
        [{"factor": INSIDE, **one, "gram": [["143/16"]]},
         {"factor": "1", **one, "gram": [["417/64"]]}],
        {"weight": "1", "margin": "1/2", "point": [0.0],
         "squares": [{"factor": INSIDE, **one, "gram": [["1"]]},
                     {"factor": "1", **one, "gram": [["1/4"]]}]},
        kind="step", sides=[["x", -0.5, 0.5]],
        norm={"type": "l2", "let": [], "metric_terms": [["+", "1", ["*", "-1", ["^", "x", "2"]]]]},
    )  # fmt: skip
    data["region"] |= region or {}
    return data


def test_a_step_stays_where_its_metric_is_proved_to_be_one(tmp_path, capsys):
    assert outcome(halving(), tmp_path, capsys)[0] == 0
    cut = halving({"linear": [[[["x", 1]], "-inf", 0.25]], "point": [0]})
    code, said = outcome(cut, tmp_path, capsys)
    assert code == 4
    assert "out of the region" in said


def test_a_region_is_shown_to_hold_a_point(tmp_path, capsys):
    data = TRUE["linear constraint"]
    for point, code in (([0, 0], 0), ([1, 1], 4), ([0, 3], 4), ([-3, 0], 4), ([0], 1)):
        assert outcome(changed(data, ("region", "point"), point), tmp_path, capsys)[0] == code
    ball = TRUE["ball"]
    for point, code in (([1, 1], 0), ([1.25, 1], 4)):
        assert outcome(changed(ball, ("region", "point"), point), tmp_path, capsys)[0] == code
    for name in ("linear constraint", "ball"):
        without = copy.deepcopy(TRUE[name])
        del without["region"]["point"]
        assert outcome(without, tmp_path, capsys)[0] == 4


@pytest.mark.parametrize(
    "rates",
    [
        {"names": ["x"], "terms": ["1/4"]},
        {"names": ["u", "u"], "terms": ["1/4", "1/4"]},
        {"names": ["u"], "terms": ["1/4", "1/4"]},
        {"names": [], "terms": []},
        {"names": ["u"], "terms": ["x"]},
        {"names": ["z"], "terms": ["1/4"]},
    ],
)
def test_rates_are_those_of_inputs_each_once(rates, tmp_path, capsys):
    data = TRUE["metric of an input with a rate"]
    edited = changed(data, ("claim", "norm", "rates"), rates)
    assert outcome(edited, tmp_path, capsys)[0] in (1, 4)
    assert not is_verified(edited)


def test_every_part_of_a_claim_is_printed(tmp_path, capsys):
    parts = {
        "map, metrics of inputs and outputs": "input_norm",
        "conservation": "horizontal",
        "invariant ball": "trajectories",
        "tanh": "norm",
    }
    for name, part in parts.items():
        path = tmp_path / "certificate.json"
        path.write_text(json.dumps(TRUE[name]))
        assert checker.main([str(path)]) == 0
        shown = capsys.readouterr().out
        for key in (part, "norm", "region", "system"):
            assert f"\n{key}: " in shown


def test_a_coordinate_has_no_constraints_name(tmp_path, capsys):
    data = json.loads(json.dumps(TRUE["linear constraint"]).replace('"y"', '"linear[0]"'))
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


def test_a_metric_is_definite_at_every_point_of_the_region(tmp_path, capsys):
    """x^2 is no metric at x = 0, though no length becomes negative in it."""
    square = ["^", "x", "2"]
    norm = {"type": "l2", "let": [], "metric_terms": [square]}
    evidence = {
        "let": [["$m", square]], "atoms": [{"name": "$m"}],
        "matrix": [], "weight": [[0, 0, ["*", "2", "$m"]]],
    }  # fmt: skip
    for low, code in ((0.5, 0), (-1, 4), (0, 4)):
        data = one_state("0", 0.0, evidence, norm=norm, sides=[["x", low, 1]])
        assert outcome(data, tmp_path, capsys)[0] == code
        assert is_verified(data) == (code == 0)


def test_an_atom_comes_once(tmp_path, capsys):
    data = copy.deepcopy(TRUE["tanh"])
    data["evidence"]["atoms"].append(data["evidence"]["atoms"][0])
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


def test_a_map_has_no_state(tmp_path, capsys):
    evidence = {"let": [], "atoms": [], "jacobian": [[0, 0, "1"]]}
    parts = system([MINUS_X], ["u"], state=["x"], inputs=["u"])
    data = certificate("map", 1.0, l2([1]), free("x", "u"), parts, evidence)
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


UNDEFINED = ["*", "0", ["log", "x"]]


def test_a_metric_and_its_rates_are_defined_on_the_region(tmp_path, capsys):
    unit = {"weight": "1", "margin": "1", "point": [1.0], "squares": [CONSTANT]}
    for low, code in ((0.5, 0), (-1, 4)):
        data = in_metric(["+", "1", UNDEFINED], unit, sides=[["x", low, 2]])
        assert outcome(data, tmp_path, capsys)[0] == code
        assert not is_verified(data) or code == 0
    rated = copy.deepcopy(TRUE["metric of an input with a rate"])
    rated["claim"]["norm"]["rates"]["terms"] = [["+", "1/4", ["*", "0", ["log", "u"]]]]
    assert outcome(rated, tmp_path, capsys)[0] == 4
    assert not is_verified(rated)


def test_a_step_conserves_what_it_leaves_and_not_what_it_makes_zero(tmp_path, capsys):
    """With x + y conserved y takes what x loses; where both halve it is not, though J is alike."""
    horizontal = {"L": [[1, 0]], "R": [[1], [-1]], "kind": "conservation"}
    half = ["*", "1/2", "x"]
    evidence = {"let": [], "atoms": [], "jacobian": [[0, 0, "1/2"]]}
    for after, code in ((["+", "y", half], 0), (["*", "-1/2", "x"], 4)):
        parts = system([half, after], state=["x", "y"])
        data = certificate(
            "step", 0.5, l2([1]), free("x", "y"), parts, evidence, claim={"horizontal": horizontal}
        )
        assert outcome(data, tmp_path, capsys)[0] == code
        assert is_verified(data) or code == 4


def test_a_quotient_is_one(tmp_path, capsys):
    evidence = {"let": [], "atoms": [], "jacobian": []}
    for R, code in (([[1]], 0), ([[2]], 4), ([[0]], 4)):
        data = one_state(
            "0", 0.0, evidence, claim={"horizontal": {"L": [[1]], "R": R, "kind": "symmetry"}}
        )
        assert outcome(data, tmp_path, capsys)[0] == code
        assert is_verified(data) or code == 4


def test_no_more_is_unpacked_than_the_limit(tmp_path, monkeypatch):
    asked = []

    class Packed(gzip.GzipFile):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    monkeypatch.setattr(gzip, "GzipFile", Packed)
    monkeypatch.setattr(certificate_file, "LARGEST_FILE", 100)
    path = tmp_path / "certificate.json.gz"
    path.write_bytes(gzip.compress(b" " * 10**4))
    with pytest.raises(checker.MalformedError, match="100 bytes"):
        checker.load(path)
    assert asked == [101]


STILL = {"let": [], "atoms": [], "jacobian": [[0, 0, "-1"]]}


def test_a_ball_has_a_radius_a_state_and_no_other_ball_around_it(tmp_path, capsys):
    growing = {"let": [], "atoms": [], "jacobian": [[0, 0, "1"]]}
    negative = {"trajectories": {"center": [0], "radius": -1.0}}
    wide = {"trajectories": {"center": [0], "radius": 3.0}}
    within = one_state(MINUS_X, -1.0, STILL, sides=[["x", -4, 4]], claim=wide)
    assert outcome(within, tmp_path, capsys)[0] == 0
    around = copy.deepcopy(within)
    around["region"] |= {"point": [0], "balls": [{"names": ["x"], "center": [0], "radius": 1.5}]}
    of_inputs = certificate(
        "map", 0.5, l2([1]), free("u"), system(y=[["*", "1/2", "u"]], inputs=["u"]),
        {"let": [], "atoms": [], "jacobian": [[0, 0, "1/2"]]},
        claim={"trajectories": {"center": [], "radius": 1.0}},
    )  # fmt: skip
    for data in (one_state("x", 1.0, growing, claim=negative), around, of_inputs):
        assert outcome(data, tmp_path, capsys)[0] == 4
        assert not is_verified(data)


@pytest.mark.parametrize(("center", "code"), [(0.0, 0), (5.0, 4)])
def test_balls_are_proved_whatever_the_rule_is(center, code, tmp_path, capsys):
    ball = {"trajectories": {"center": [center], "radius": 1.0}}
    data = by_squares(MINUS_X, -1.0, [CONSTANT], claim=ball)
    assert outcome(data, tmp_path, capsys)[0] == code
    assert is_verified(data) or code == 4


def test_weighted_sums_are_of_all_entries_with_a_weight_each(tmp_path, capsys):
    def in_sums(w):
        return {"type": "linf", "weights": w}

    doubling = {"let": [], "atoms": [], "jacobian": [[0, 0, "2"]]}
    for bound, code in ((2.0, 0), (0.5, 4)):
        data = one_state(["*", "2", "x"], bound, doubling, kind="step", norm=in_sums([1]))
        assert outcome(data, tmp_path, capsys)[0] == code
    for w in ([1, 1], [], [0], [-1]):
        data = one_state(MINUS_X, -1.0, STILL, norm=in_sums(w))
        assert outcome(data, tmp_path, capsys)[0] == 1
        assert not is_verified(data)
    wide = certificate(
        "map", 2.0, in_sums([1]), free("u", "v"), system(y=[["+", "u", "v"]], inputs=["u", "v"]),
        {"let": [], "atoms": [], "jacobian": [[0, 0, "1"], [0, 1, "1"]]},
    )  # fmt: skip
    assert outcome(wide, tmp_path, capsys)[0] == 1
    assert not is_verified(wide)


def test_a_map_has_no_conserved_quantity(tmp_path, capsys):
    data = certificate(
        "map", 1.0, l2([1]), free("u"), system(y=["u"], inputs=["u"]),
        {"let": [], "atoms": [], "jacobian": [[0, 0, "1"]]},
        claim={"horizontal": {"L": [[1]], "R": [[1]], "kind": "symmetry"}},
    )  # fmt: skip
    assert outcome(data, tmp_path, capsys)[0] == 4
    assert not is_verified(data)


def test_a_network_has_one_gain_for_each_pair_that_is_linked(tmp_path, capsys):
    data = TRUE["network"]
    checks = data["evidence"]["checks"]
    for wrong, code in (
        ([*checks, checks[0]], 1),
        ([*checks[:2], checks[2] | {"bound": -0.25}, checks[3]], 1),
        (checks[:3], 4),
        ([*checks[:2], checks[3]], 4),
        (checks[1:], 4),
        ([checks[0] | {"to": 2}, *checks[1:]], 1),
        ([checks[0] | {"to": False, "from": False}, *checks[1:]], 1),
    ):
        edited = changed(data, ("evidence", "checks"), wrong)
        assert outcome(edited, tmp_path, capsys)[0] == code
        assert not is_verified(edited)
    # In l1 columns of the comparison matrix count: l^T C <= b l^T for l = (2, 1), not for (1, 2).
    summed = changed(data, ("claim", "norm", "combine"), "l1")
    for weights, code in (([2, 1], 0), ([1, 2], 4)):
        edited = changed(summed, ("claim", "norm", "weights"), weights)
        assert outcome(edited, tmp_path, capsys)[0] == code
    of_inputs = certificate(
        "map", 1.0, {"type": "blocks", "combine": "linf", "groups": [[0]], "metrics": [[[1]]],
                     "weights": [1]},
        free("u"), system(y=["u"], inputs=["u"]),
    )  # fmt: skip
    of_inputs["evidence"] = {
        "rule": "network", "let": [], "atoms": [], "jacobian": [[0, 0, "1"]],
        "checks": [{"to": 0, "from": 0, "bound": 1, "cuts": [None]}],
    }  # fmt: skip
    assert outcome(of_inputs, tmp_path, capsys)[0] == 1
    assert not is_verified(of_inputs)


def in_point_metric(kind, dx, bound, entry, sides, *, square="1", **evidence):
    """One state in the metric of one entry, with the atom $q for ``square``."""
    norm = {"type": "l2", "let": [], "metric_terms": [entry]}
    parts = {"let": [["$q", square]], "atoms": [{"name": "$q"}], "matrix": [], **evidence}
    return one_state(dx, bound, parts, kind=kind, norm=norm, sides=[["x", *sides]])


ONE_ENTRY, Q = [[0, 0, "1"]], [[0, 0, "$q"]]
CANCELLED = [["*", "x", ["^", "x", "-1"]]]  # 1, but for x = 0
IN_POINT_METRICS = {
    "a negative metric of a flow": (4, in_point_metric(
        "flow", "x", -5.0, "-1", (-1, 1), matrix=[[0, 0, "-2"]], weight=[[0, 0, "-2"]])),
    "a metric that is zero where a step begins": (4, in_point_metric(
        "step", "1", 0.5, ["^", "x", "2"], (-1, 1), square=["^", "x", "2"], weight=Q,
        after=ONE_ENTRY)),
    "a metric that is not": (0, in_point_metric(
        "step", "1", 0.5, ["^", "x", "2"], (0.5, 1), square=["^", "x", "2"], weight=Q,
        after=ONE_ENTRY)),
    "a metric that is zero where a step leads": (4, in_point_metric(
        "step", "0", 0.5, ["^", "x", "2"], (0.5, 1), square=["^", "x", "2"], weight=Q, after=[])),
    "a basis that is undefined where a step begins": (4, in_point_metric(
        "step", "2", 0.5, "1", (-1, 1), weight=ONE_ENTRY, after=ONE_ENTRY, congruence=CANCELLED)),
    "a basis that is undefined where a step leads": (4, in_point_metric(
        "step", "0", 0.5, "1", (0.5, 1), weight=ONE_ENTRY, after=ONE_ENTRY, congruence=CANCELLED)),
    "a basis that is defined": (0, in_point_metric(
        "step", "2", 0.5, "1", (0.5, 1), weight=ONE_ENTRY, after=ONE_ENTRY, congruence=CANCELLED)),
    "a basis of another size": (1, in_point_metric(
        "step", "2", 0.5, "1", (0.5, 1), weight=ONE_ENTRY, after=ONE_ENTRY,
        congruence=["1", "0"])),
    # K = x and K' = 3 x of x+ = 3 x: [[3 q, 9 q], [9 q, 27 q]] for q = x^2.
    "a basis that moves": (0, in_point_metric(
        "step", ["*", "3", "x"], 3.0, "1", (1, 2), square=["^", "x", "2"],
        matrix=[[0, 0, ["*", "9", "$q"]]], weight=Q, after=[[0, 0, ["*", "9", "$q"]]],
        congruence=["x"])),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_POINT_METRICS)
def test_a_metric_and_its_basis_hold_where_a_step_begins_and_where_it_leads(name, tmp_path, capsys):
    code, data = IN_POINT_METRICS[name]
    assert outcome(data, tmp_path, capsys)[0] == code
    assert code == 0 or not is_verified(data)


def test_a_point_is_one_of_the_region_also_where_it_is_not_needed(tmp_path, capsys):
    data = by_squares(MINUS_X, -1.0, [CONSTANT])
    data["evidence"]["positive"]["point"] = []
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


def layers(kind, bound, norm, n, evidence, *, claim=None, **parts):
    """A claim about activations of bounded slope."""
    names = [f"x{i}" for i in range(n)]
    data = certificate(kind, bound, norm, free(*names), {}, claim=claim)
    data["system"] = {"type": "slopes", "size": n, **parts}
    data["evidence"] = evidence
    return data


# relu(x0 + x1), whose gain is the root of 2; in s = x0 + x1 with |x|^2 >= (2 h - 2 h^2) s^2.
SUMMED = {"A": [[0, 0]], "B": [[1]], "C": [[1, 1]], "D": [[0]], "activations": ["relu"]}


def compressed(bound, H, **options):
    evidence = {"rule": "slopes", "multipliers": [1.0], "compression": H}
    parts = {k: options.pop(k, v) for k, v in SUMMED.items()}
    return layers("map", bound, l2([1]), 2, evidence, **parts, **options)


def test_a_compression_sees_what_the_layers_see(tmp_path, capsys):
    two = {"B": [[1, 0]], "C": [[1, 0], [0, 1]], "D": [[0, 0], [0, 0]], "activations": ["relu"] * 2}
    askew = compressed(1.5, [[1, 1], [0, 1]], **two)
    askew["evidence"]["multipliers"] = [1.0, 1.0]
    for data, code in (
        (compressed(1.5, [[0.5]]), 0),
        (compressed(1.25, [[1.0]]), 4),
        (compressed(1.25, [[0.5]]), 4),
        (compressed(1.5, [[0.5]], A=[[9, 0]]), 4),
        (compressed(1.5, [[0.5]], claim={"input_norm": l2([0.01, 0], [0, 0.01])}), 4),
        (askew, 1),
    ):
        assert outcome(data, tmp_path, capsys)[0] == code
        assert is_verified(data) or code


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("evidence", "multipliers"), [-4.0, -4.0], 1),
        (("evidence", "multipliers"), [4.0], 1),
        (("system", "type"), "layers", 1),
        (("system", "size"), 3, 1),
        (("system", "activations"), [["relu", 2], ["relu", 0]], 1),
        (("system", "activations"), [["relu", 10**6 + 1]], 1),
        (("region", "sides"), [["u", 0, 1]], 1),
        (("version",), 3.0, 1),
    ],
)
def test_a_system_of_slopes_fits_its_parts(path, value, code, tmp_path, capsys):
    edited = changed(TRUE["slopes of a map"], path, value)
    assert outcome(edited, tmp_path, capsys)[0] == code
    assert not is_verified(edited)


def test_a_flow_moves_in_as_many_coordinates_as_its_norm_has(tmp_path, capsys):
    parts = {"B": [[0]], "C": [[0, 0]], "D": [[0]], "activations": ["relu"]}
    evidence = {"rule": "slopes", "multipliers": [1.0]}
    data = layers("flow", 1.0, l2([1]), 2, evidence, A=[[-1, 0]], **parts)
    assert outcome(data, tmp_path, capsys)[0] == 1
    assert not is_verified(data)


def test_columns_count_in_l1_and_rows_in_linf(tmp_path, capsys):
    """J = [[s t - 2, 2 t], [s / 2, -2]] with slopes from 0 to 1."""
    parts = {
        "A": [[-2, 0], [0, -2]], "B": [[0, 2], [0.5, 0]], "C": [[1, 0], [0, 1]],
        "D": [[0, 0], [0.5, 0]], "activations": ["relu", "relu"],
    }  # fmt: skip
    for sort, bound, code in (("l1", 0.0, 0), ("l1", -0.1, 4), ("linf", 1.0, 0), ("linf", 0.5, 4)):
        norm = {"type": sort, "weights": [1, 1]}
        data = layers("flow", bound, norm, 2, {"rule": "sums"}, **parts)
        assert outcome(data, tmp_path, capsys)[0] == code
        assert code == 0 or not is_verified(data)
        more = changed(data, ("evidence",), {"rule": "sums", "multipliers": [1.0, 1.0]})
        assert outcome(more, tmp_path, capsys)[0] == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("claim", "kind"), "map"),
        (("system", "D"), [[0, 1], [0.5, 0]]),
        (("claim", "kind"), "jump"),
    ],
)
def test_sums_of_slopes_are_of_layers_that_move(path, value, tmp_path, capsys):
    edited = changed(changed(TRUE["slopes of layers"], ("claim", "bound"), 9.0), path, value)
    assert outcome(edited, tmp_path, capsys)[0] in (1, 4)
    assert not is_verified(edited)


def test_each_check_begins_with_an_empty_table():
    numbers = []
    for _ in range(2):
        checker.check(as_read(TRUE["tanh"]))
        numbers.append(GENERATORS.number(Generator("symbol", "none of the file's")))
    assert numbers[0] == numbers[1]
