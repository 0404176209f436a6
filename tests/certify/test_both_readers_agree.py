"""`verify` and the standalone checker say the same of every file: proved by both, or by neither.

They share no code. Where the checker decides a tie in fractions, `verify` may leave it open: it has
to prove the same claim weakened by a hair.
"""

import copy
import gzip
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

import contraction_checker as checker
import riemannian_modules as rm
from contraction_checker import certificate_file
from contraction_checker.expressions import OPERANDS
from contraction_checker.limits import LARGEST_FILE
from contraction_checker.ranges import ONE
from riemannian_modules import whole_file
from riemannian_modules.certify import Proved, certify, verify
from riemannian_modules.errors import CertificateError, UnsupportedError
from riemannian_modules.evidence.written_terms import FUNCTIONS
from tests.certify.hand_written import TRUE, explained, free, l2
from tests.certify.hand_written import certificate as written
from tests.certify.hand_written import system as expressions
from tests.certify.test_checker_mutations import is_accepted, mutated
from tests.shared import ROOT

COUNT = int(os.environ.get("RIEMANNIAN_AGREEMENTS", "300"))
HAIR = 1e-6
CHECKERS_UNIT = 1 / ONE


def is_verified(data):
    """Whether `verify` proves the data; whatever else it says is an answer or an error of ours."""
    try:
        return isinstance(verify(json.loads(json.dumps(data))), Proved)
    except CertificateError:
        return False


def weakened(data):
    """The claim with a bound that is weaker by a hair."""
    data = copy.deepcopy(data)
    b = float(data["claim"]["bound"])
    data["claim"]["bound"] = b + HAIR * (1 + abs(b))
    return data


def may_be_a_tie(data):
    """Whether a weaker bound would show that only a tie of rounding was left open.

    It would not where a ball has to shrink, for squares that `verify` takes of monomials alone,
    where floats overflow, and where a cut is outside of a side by less than the checker's unit.
    """
    claim = data["claim"]
    is_plain = "trajectories" not in claim and data["evidence"]["rule"] != "sos"
    ends = [abs(float(x)) for _, *side in data["region"]["sides"] for x in side]
    is_seen = not any(0.0 < end < CHECKERS_UNIT for end in ends)
    return is_plain and is_seen and abs(float(claim["bound"])) < 1e6


def test_they_agree_on_edits():
    rng = np.random.default_rng(int(os.environ.get("RIEMANNIAN_SEED", "0")))
    names, both = list(TRUE), 0
    for k in range(COUNT):
        data = mutated(TRUE[names[k % len(names)]], rng)
        by_checker, by_verify = is_accepted(data), is_verified(data)
        assert by_checker or not by_verify, json.dumps(data)
        both += by_verify
        if by_checker and not by_verify and may_be_a_tie(data):
            assert is_verified(weakened(data)), json.dumps(data)
    assert both > COUNT / 20  # else the edits are too coarse to say anything


@pytest.mark.parametrize("name", TRUE)
def test_they_agree_on_what_a_closed_form_says(name):
    assert is_accepted(TRUE[name])
    data = TRUE[name]
    assert is_verified(data) or is_verified(weakened(data))


def flow(term, low=-1, high=1, **system):
    """x' = -x + term(u), whose Jacobian by x is -1 wherever it is defined."""
    parts = {
        "type": "expressions",
        "symbols": {"state": ["x"], "inputs": ["u"], "parameters": []},
        "let": [],
        "dx": [["+", ["*", "-1", "x"], term]],
        "y": ["x"],
        "guards": [],
    }
    return written(
        "flow",
        -1.0,
        {"type": "l2", "metric": [[1.0]]},
        [["x", "-inf", "inf"], ["u", low, high]],
        parts | system,
        {"let": [], "atoms": [], "jacobian": [[0, 0, "-1"]]},
    )


LOG = ["log", "u"]
UNDEFINED = {
    "a quotient that cancels": flow(["*", "u", ["^", "u", "-1"]]),
    "a difference that cancels": flow(["+", ["^", "u", "-1"], ["*", "-1", ["^", "u", "-1"]]]),
    "zero times a logarithm": flow(["*", "0", LOG]),
    "the square of a root": flow(["^", ["^", "u", "1/2"], "2"]),
    "the sine of an arcsine": flow(["sin", ["arcsin", ["*", "3", "u"]]]),
    "the exponential of a logarithm": flow(["exp", LOG]),
    "a power with exponent 1": flow(["power", "u", "1"]),
    "a quotient of tangents": flow(
        ["*", ["tan", ["*", "2", "u"]], ["^", ["tan", ["*", "2", "u"]], "-1"]]
    ),
    "a logarithm that a maximum hides": flow(["maximum", "0", LOG], "-inf", 2),
    "a logarithm without an end below": flow(LOG, "-inf", 2),
    "a logarithm everywhere": flow(LOG, "-inf", "inf"),
    "an arcsine without an end below": flow(["arcsin", "u"], "-inf", 1),
    "an arcsine without an end above": flow(["*", "0", ["arcsin", "u"]], -1, "inf"),
    "a root without an end below": flow(["^", "u", "1/2"], "-inf", 1),
    "a tangent without an end": flow(["tan", "u"], 0, "inf"),
    "a power without an end below": flow(["power", "u", "5/2"], "-inf", 1),
    "a power of zero with an exponent that may be zero": flow(["power", ["^", "u", "2"], "u"], 0),
    "one over a number without an end": flow(["^", "u", "-1"], "-inf", 1),
    "a guard that fails": flow("0", guards=[["positive", "u"]]),
    "a guard that fails without an end": flow("0", "-inf", 5, guards=[["positive", "u"]]),
}
DEFINED = {
    "the logarithm of an exponential": flow(["log", ["exp", "u"]]),
    "a logarithm above zero": flow(LOG, 0.5, "inf"),
    "a root at zero": flow(["^", "u", "1/2"], 0, "inf"),
    "an arcsine from end to end": flow(["arcsin", "u"]),
    "an arctangent everywhere": flow(["arctan", "u"], "-inf", "inf"),
    "an exponent of zero": flow(["^", "u", "0"]),
    "a binding that nothing mentions": flow("u", let=[["$0", LOG]]),
    "a guard that holds": flow("0", 0.5, "inf", guards=[["positive", "u"]]),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_what_is_undefined_somewhere_is_proved_by_neither(name):
    assert not is_accepted(UNDEFINED[name])
    assert not is_verified(UNDEFINED[name])


@pytest.mark.parametrize("name", DEFINED)
def test_what_is_defined_everywhere_is_proved_by_both(name):
    assert is_accepted(DEFINED[name])
    assert is_verified(DEFINED[name])


def on_a_region(**region):
    data = flow("u")
    data["region"] |= {"sides": [["x", -1, 1], ["u", -1, 1]], **region}
    return data


TOGETHER = [[["x", 1.0], ["u", 1.0]], 1.0, "inf"]
APART = [[["x", 1.0], ["u", 1.0]], "-inf", 0.5]


@pytest.mark.parametrize(
    ("region", "is_right"),
    [
        ({"linear": [TOGETHER], "point": [0.75, 0.25]}, True),
        ({"linear": [TOGETHER], "point": ["9/10", "1/10"]}, True),
        ({"point": [0, 0]}, True),
        ({"linear": [TOGETHER]}, False),  # without a point, nobody knows that there is one
        ({"linear": [TOGETHER, APART], "point": [0.75, 0.25]}, False),  # there is none
        ({"linear": [TOGETHER], "point": [0.5, 0.25]}, False),
        ({"linear": [TOGETHER], "point": [2.0, 0.0]}, False),  # beyond a side
        ({"linear": [TOGETHER], "point": ["1", "inf"]}, False),
        ({"linear": [TOGETHER], "point": [0.75]}, False),
        ({"linear": [TOGETHER], "point": ["0.9", "0.1"]}, False),
        ({"balls": [{"names": ["x", "u"], "center": [3, 0], "radius": 1}], "point": [1, 0]}, False),
        ({"balls": [{"names": ["x"], "center": [0], "radius": -1}], "point": [0, 0]}, False),
        ({"balls": [{"names": ["x"], "center": [0], "radius": 1}], "point": [0, 0]}, True),
    ],
)
def test_a_region_shows_a_point_of_its_own(region, is_right):
    data = on_a_region(**region)
    assert is_accepted(data) is is_right
    assert is_verified(data) is is_right


@pytest.mark.parametrize("ends", [("inf", "inf"), ("-inf", "-inf"), ("inf", 5.0), ("inf", "-inf"),
                                  (1.0, 0.0), ("0", 1.0), ("nan", 1.0), (0.0, None)])  # fmt: skip
def test_an_empty_or_odd_range_of_an_atom_proves_nothing(ends):
    # Van der Pol's oscillator does not contract on the square.
    system = {
        "type": "expressions",
        "symbols": {"state": ["x", "y"], "inputs": [], "parameters": []},
        "let": [],
        "dx": ["y", ["+", ["*", ["+", "1", ["*", "-1", ["^", "x", "2"]]], "y"], ["*", "-1", "x"]]],
        "y": [],
        "guards": [],
    }
    data = written(
        "flow", -100.0, {"type": "l2", "metric": [[1.0, 0.0], [0.0, 1.0]]},
        [["x", -1.0, 1.0], ["y", -1.0, 1.0]], system,
        {
            "let": [["$a0", ["^", "x", "2"]], ["$a1", ["*", "x", "y"]]],
            "atoms": [
                {"name": "$a0", "range": {"lower": ends[0], "upper": ends[1], "cuts": [None]}},
                {"name": "$a1"},
            ],
            "jacobian": [
                [0, 1, "1"], [1, 0, ["+", "-1", ["*", "-2", "$a1"]]],
                [1, 1, ["+", "1", ["*", "-1", "$a0"]]],
            ],
        },
    )  # fmt: skip
    assert not is_accepted(data)
    assert not is_verified(data)


def test_a_place_beyond_the_matrix_overwrites_nothing():
    # x' = x grows. In sums of rows the places (i, -1 - j) stand for magnitudes.
    system = {
        "type": "expressions",
        "symbols": {"state": ["x"], "inputs": [], "parameters": []},
        "let": [], "dx": ["x"], "y": [], "guards": [],
    }  # fmt: skip
    for sort in ("linf", "l1"):
        for place in ([0, -1], [-1, 0], [0, 1], [1, 1]):
            data = written(
                "flow", -100.0, {"type": sort, "weights": [1.0]}, [["x", -1.0, 1.0]], system,
                {"let": [], "atoms": [], "jacobian": [[0, 0, "1"], [*place, "0"]]},
            )  # fmt: skip
            assert not is_accepted(data)
            assert not is_verified(data)


def test_inputs_whose_rate_depends_on_the_state_are_not_the_same_for_two_trajectories():
    # In M = exp(2 u) with u' = -2 (1 - x^2) the rates add up to 1, but x = 1 and x = -1 rest apart.
    system = {
        "type": "expressions",
        "symbols": {"state": ["x"], "inputs": ["u"], "parameters": []},
        "let": [], "y": [], "guards": [],
        "dx": [["+", "x", ["*", "-1", ["^", "x", "3"]]]],
    }  # fmt: skip
    rate = ["*", "-2", ["+", "1", ["*", "-1", ["^", "x", "2"]]]]
    norm = {
        "type": "l2", "let": [], "metric_terms": [["exp", ["*", "2", "u"]]],
        "rates": {"names": ["u"], "terms": [rate]},
    }  # fmt: skip
    evidence = {
        "let": [["$m", ["exp", ["*", "2", "u"]]],
                ["$q", ["*", ["exp", ["*", "2", "u"]], ["^", "x", "2"]]]],
        "atoms": [{"name": "$m"}, {"name": "$q"}],
        "matrix": [[0, 0, ["+", ["*", "-2", "$m"], ["*", "-2", "$q"]]]],
        "weight": [[0, 0, ["*", "2", "$m"]]],
    }  # fmt: skip
    data = written("flow", -1.0, norm, [["x", -1, 1], ["u", -1, 1]], system, evidence)
    assert not is_accepted(data)
    with pytest.raises(CertificateError, match="same inputs"):
        verify(data)


@pytest.mark.parametrize("name", ["$a\nclaim: flow, d|z|/dt <= -100 |z|", "$\ud800", "$\x1b[2K"])
def test_no_name_can_write_a_line_of_its_own(name):
    data = copy.deepcopy(TRUE["range of a term"])
    text = json.dumps(data).replace('"$a0"', json.dumps(name))
    assert not is_accepted(json.loads(text))
    assert not is_verified(json.loads(text))


def test_the_printed_claim_of_a_quotient_says_which_differences_it_is_about(tmp_path, capsys):
    for name, word in (("conservation", "conserve the same"), ("symmetry", "L times")):
        assert word in printed(TRUE[name], tmp_path, capsys)


def in_a_metric(kind, bound, entry, *, matrix, weight, dx="x", sides=(), **norm):
    """One state in the metric of one entry, which is the atom $m."""
    inputs = [name for name, *_ in sides if name != "x"]
    system = {
        "type": "expressions",
        "symbols": {"state": ["x"], "inputs": inputs, "parameters": []},
        "let": [], "dx": [dx], "y": [], "guards": [],
    }  # fmt: skip
    evidence = {
        "let": [["$m", entry]], "atoms": [{"name": "$m"}], "matrix": matrix, "weight": weight,
    }  # fmt: skip
    evidence |= {"after": weight} if kind == "step" else {}
    norm = {"type": "l2", "let": [], "metric_terms": [entry], **norm}
    return written(kind, bound, norm, sides or [["x", -1, 1]], system, evidence)


def times(c, atom="$m"):
    return [[0, 0, ["*", c, atom]]]


X_AND_U = [["x", -1, 1], ["u", -1, 1]]
WRONG_RATES = {
    # x' = x in M = exp(x), "x' = -20": the state's own rate is not to be chosen.
    "of the state": in_a_metric(
        "flow", -5.0, ["exp", "x"], matrix=times("-18"), weight=times("2"),
        rates={"names": ["x"], "terms": ["-20"]},
    ),
    "twice": in_a_metric(
        "flow", -5.0, ["exp", "u"], matrix=times("-18"), weight=times("2"), sides=X_AND_U,
        rates={"names": ["u", "u"], "terms": ["1", "-20"]},
    ),
    "none of an input that moves": in_a_metric(
        "flow", 1.0, ["exp", "u"], matrix=times("2"), weight=times("2"), sides=X_AND_U
    ),
    "none of a step's input": in_a_metric(
        "step", 1.0, ["exp", "u"], matrix=times("1"), weight=times("1"), sides=X_AND_U
    ),
    "of a step's input": in_a_metric(
        "step", 1.0, ["exp", "u"], matrix=times("1"), weight=times("1"), sides=X_AND_U,
        rates={"names": ["u"], "terms": ["0"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_RATES)
def test_a_metric_moves_as_its_inputs_do_and_its_state(name):
    assert not is_accepted(WRONG_RATES[name])
    assert not is_verified(WRONG_RATES[name])


def test_a_flow_needs_its_metric_where_it_is_alone():
    # M = 1/x on [1, 2] under x' = 0, which leads nowhere: not to the pole at x = 0 either.
    data = in_a_metric(
        "flow", 0.0, ["^", "x", "-1"], matrix=[], weight=times("2"), dx="0", sides=[["x", 1, 2]]
    )
    assert is_accepted(data)
    assert is_verified(data)


def test_an_atom_that_is_undefined_everywhere_is_compared_with_nothing():
    data = copy.deepcopy(TRUE["two pieces"])
    data["evidence"]["let"][0][1] = ["step", ["^", "-1", "x"]]
    assert not is_accepted(data)
    assert not is_verified(data)


@pytest.mark.parametrize(
    "kinked",
    [
        lambda x: np.maximum(0.0, x),
        lambda x: np.maximum(x, 0.0),
        lambda x: np.minimum(x, 0.0),
        lambda x: -np.minimum(-x, 0.0),
        lambda x: np.where(x > 0, x / 2, x),
        lambda x: np.where(x < 0, x / 2, x),
        lambda x: 2 * x + np.abs(x),
    ],
)
def test_a_point_of_the_region_on_a_kink_is_no_edit(kinked):
    # The points that a region shows, and sides without width, often lie where a slope jumps.
    class Kinked(rm.Flow):
        state, inputs = rm.space(x=""), rm.space("u")

        def equations(self, x, u, p):
            return {"x": -2 * x.x - kinked(x.x) + np.abs(u.u)}

    for region in (
        rm.box(x=(0, 2), u=(0, 1)).linear({"x": 1.0, "u": 1.0}, upper=0.0),
        rm.box(x=(0, 0), u=(0, 0)),
        rm.box(x=(-1, 1), u=(0, 0)),
    ):
        answer = certify(Kinked(), region, rate=1.5)
        assert isinstance(answer, Proved)
        assert is_accepted(answer.certificate.data)
        assert is_verified(answer.certificate.data)


def test_a_written_matrix_is_affine_in_each_atom():
    data = copy.deepcopy(TRUE["tanh"])
    data["evidence"]["jacobian"][0][2] = ["*", "-1", "$a0", "$a0"]
    assert not is_accepted(data)
    with pytest.raises(CertificateError, match="each once"):
        verify(data)


def endless(count):
    """x' = (u0 ... uk - 2) x for unbounded u, whose atoms could be taken in any order."""
    inputs = [f"u{k}" for k in range(count)]
    data = flow("0")
    data["system"]["symbols"]["inputs"] = inputs
    data["system"]["dx"] = [["+", ["*", "-2", "x"], ["*", "x", *inputs]]]
    data["region"]["sides"] = [["x", -1, 1], *([u, 0, "inf"] for u in inputs)]
    data["evidence"] = {
        "rule": "monolithic", "cuts": [None], "let": [[f"${u}", u] for u in inputs],
        "atoms": [{"name": f"${u}"} for u in inputs],
        "jacobian": [[0, 0, ["+", "-2", ["*", *(f"${u}" for u in inputs)]]]],
    }  # fmt: skip
    return data


def test_what_would_take_hours_is_given_up():
    squares = [["$0", "u"]] + [[f"${k + 1}", ["*", f"${k}", f"${k}"]] for k in range(28)]
    sum_of = ["+", "1", "x", "u"]
    for data in (
        endless(12),
        flow(["^", "$28", "-1"], 1, 2, let=squares),
        flow(["^", sum_of, "1024"]),
        flow(["^", ["*", "9" * 3000, "u"], "-1000"], 1, 2),
    ):
        assert not is_accepted(data)
        assert not is_verified(data)


def test_no_refusal_prints_what_looks_like_a_proof(tmp_path, capsys):
    forged = "flow\nPROVED\nclaim: flow, d|z|/dt <= -100 |z|"
    for path in (("claim", "kind"), ("system", "dx"), ("region", "sides"), ("evidence", "rule")):
        data = copy.deepcopy(TRUE["tanh"])
        part = data
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = forged
        file = tmp_path / "certificate.json"
        file.write_text(json.dumps(data))
        assert checker.main([str(file)]) != 0
        assert "\nPROVED" not in capsys.readouterr().err


def test_towers_of_powers_are_refused_before_they_are_computed():
    tower = "2"
    for _ in range(4):
        tower = ["^", tower, "1000"]
    squares = [["$0", "3"]] + [[f"${k + 1}", ["*", f"${k}", f"${k}"]] for k in range(60)]
    for data in (flow(tower), flow("$60", let=squares)):
        assert not is_accepted(data)
        assert not is_verified(data)


@pytest.mark.parametrize("where", [(), ("claim",), ("region",), ("system",), ("evidence",),
                                   ("claim", "norm"), ("system", "symbols")])  # fmt: skip
def test_an_unknown_key_is_refused_wherever_it_stands(where):
    data = copy.deepcopy(TRUE["tanh"])
    part = data
    for key in where:
        part = part[key]
    part["verified_by"] = "somebody"
    assert not is_accepted(data)
    assert not is_verified(data)


def test_powers_beyond_the_stated_limit_are_refused_at_once():
    for term in (["^", "u", "1000000000"], ["^", "2", "-1000000000"], ["power", "u", "1000000000"]):
        data = flow(term, 1, 2)
        assert not is_accepted(data)
        with pytest.raises(CertificateError, match="1024"):
            verify(data)


@pytest.mark.parametrize(("digits", "power", "is_short"), [(3900, 3, True), (3900, 12, False)])
def test_they_take_numbers_of_the_same_length(digits, power, is_short):
    near_one = ["^", f"{10**digits // 3}/{10**digits // 3 + 1}", str(power)]
    data = flow(["*", near_one, "u"])
    assert is_accepted(data) is is_verified(data) is is_short


class SteepPower(rm.Flow):
    """A power that comes from a parameter."""

    state, parameters = rm.space("x"), {"n": 1500.0}

    def equations(self, x, u, p):
        return {"x": -x.x + 0.001 * x.x**p.n}


def test_a_proof_that_no_reader_would_take_is_not_written():
    with pytest.raises(UnsupportedError, match="1024"):
        certify(SteepPower(), rm.box(x=(0.1, 0.5)))
    answer = certify(SteepPower(n=1000.0), rm.box(x=(0.1, 0.5)))
    assert is_verified(answer.certificate.data)


WITH_ATOMS = [name for name, data in TRUE.items() if data["evidence"].get("atoms")]
NO_RANGES = (
    "$a0",
    None,
    [],
    {"lower": 0, "upper": 1},
    {"lower": 0.5, "upper": 0.6, "cuts": [None]},
)


@pytest.mark.parametrize("name", WITH_ATOMS)
def test_no_range_stands_in_a_file_that_is_not_proved(name):
    for k in range(len(TRUE[name]["evidence"]["atoms"])):
        for wrong in NO_RANGES:
            data = copy.deepcopy(TRUE[name])
            data["evidence"]["atoms"][k]["range"] = wrong
            assert not is_accepted(data)
            assert not is_verified(data)


@pytest.mark.parametrize("zero", [["*", "0", "x"], "0", ["+", "x", ["*", "-1", "x"]]])
def test_a_jump_of_what_is_zero_everywhere_is_known_by_neither(zero):
    half = ["*", "-1/2", "x"]
    for system, bindings, entry in (
        (half, [["$a0", ["step", zero]]], ["+", "-1/2", ["*", "-1/2", "$a0"]]),
        *(
            (["piecewise", [["*", "-1", "x"], [relation, zero, "0"]], [half, ["true"]]], [], J)
            for relation in ("less", "less_equal", "greater", "greater_equal")
            for J in ("-1", "-1/2")
        ),
    ):
        data = copy.deepcopy(TRUE["two pieces"])
        data["system"]["dx"] = [system]
        data["evidence"] |= {"let": bindings, "jacobian": [[0, 0, entry]]}
        data["evidence"]["atoms"] = [{"name": name} for name, _ in bindings]
        assert not is_accepted(data)
        assert not is_verified(data)


def test_they_know_the_same_functions():
    assert dict(FUNCTIONS) == OPERANDS


def gzipped(tmp_path, data, name="certificate.json.gz"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def refusals(path):
    """What both readers say of a file that they refuse."""
    run = subprocess.run(
        [sys.executable, "-m", "contraction_checker", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    with pytest.raises(CertificateError) as fault:
        verify(path)
    return run.stderr, str(fault.value)


def test_a_corrupted_gzip_file_is_refused(tmp_path):
    whole = gzip.compress(json.dumps(TRUE["tanh"]).encode())
    rng = random.Random(0)
    for k in range(6):
        broken = bytearray(whole)
        broken[rng.randrange(12, len(whole) - 8)] ^= 1 << k
        refusals(gzipped(tmp_path, bytes(broken)))
    refusals(gzipped(tmp_path, whole[:-9]))
    refusals(gzipped(tmp_path, whole + b"more"))


def test_what_unpacks_beyond_the_stated_limit_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_file, "LARGEST_FILE", 10_000)
    monkeypatch.setattr(certificate_file, "LARGEST_FILE", 10_000)
    for bomb in (b" " * 10_001, gzip.compress(b" " * 10_001), gzip.compress(b"{}" * 10**6)):
        path = gzipped(tmp_path, bomb)
        with pytest.raises(checker.MalformedError, match="10000 bytes"):
            checker.load(path)
        with pytest.raises(CertificateError, match="10000 bytes"):
            verify(path)


def test_the_printed_claim_leaves_nothing_out(tmp_path, capsys):
    """What changes the claim changes what is printed; long parts by their size and fingerprint."""
    for name, data in TRUE.items():
        for key in ("input_norm", "horizontal", "trajectories"):
            if key in data["claim"]:
                assert f"\n{key}: " in printed(data, tmp_path, capsys), name
        for part in ("region", "system"):
            text = json.dumps(data[part], sort_keys=True)
            shown = printed(data, tmp_path, capsys).split(f"\n{part}: ")[1].split("\n")[0]
            assert json.loads(shown) == data[part] if len(text) < 4000 else str(len(text)) in shown
    wide = rm.chain(rm.Affine(np.full((40, 30), 0.01)), rm.Tanh(40), rm.Affine(np.ones((1, 40))))
    answer = certify(wide)
    shown = printed(answer.certificate.data, tmp_path, capsys)
    assert "SHA-256" in shown


def printed(data, tmp_path, capsys):
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(data))
    assert checker.main([str(path)]) == 0
    return capsys.readouterr().out


def test_the_limits_are_the_same():
    assert whole_file.LARGEST_FILE == LARGEST_FILE


@pytest.mark.parametrize(
    ("part", "change", "is_proved"),
    [
        ("evidence", {"compression": None}, True),  # nothing, said in words
        ("region", {"linear": [], "balls": []}, True),
        ("region", "a constraint", False),
    ],
)
def test_they_agree_on_what_a_claim_about_layers_may_say(part, change, is_proved):
    data = copy.deepcopy(TRUE["slopes of a map"])
    data["claim"]["bound"] += 2.0**-20  # `verify` rounds where the checker need not
    names = [side[0] for side in data["region"]["sides"]]
    if change == "a constraint":
        change = {"linear": [[[[names[0], 1.0]], -1.0, 1.0]], "point": [0.0] * len(names)}
    data[part] |= change
    assert is_verified(data) == is_accepted(data) == is_proved


NEGATIVE = {  # in each of them the test of a rate of 2 of ``x' = -x`` holds, which is false
    "dense": {"type": "l2", "metric": [[-1.0]]},
    "sparse": {"type": "l2", "metric": {"entries": [[0, 0, -1.0]]}},
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_a_metric_that_is_none_proves_nothing(name):
    flow = expressions([["*", "-1", "x"]], state=["x"])
    data = explained(written("flow", -1.0, l2([1.0]), free("x"), flow))
    assert is_verified(data)
    assert is_accepted(data)
    data["claim"] |= {"bound": -2.0, "norm": NEGATIVE[name]}
    assert not is_verified(data)
    assert not is_accepted(data)
