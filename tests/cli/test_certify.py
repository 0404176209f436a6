"""`certify`: the kinds of norm, the rule of the parts, and the picture of the proof."""

import csv
import json

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify, certify_network, l1, l2, linf
from riemannian_modules.cli import INTERRUPTED, MISUSE, PROVED, REFUTED, UNDECIDED
from riemannian_modules.cli.contraction import two_starts, two_trajectories
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.modules import Lag
from riemannian_modules.plot import draw_envelope
from riemannian_modules.plot.claim import sides_of
from riemannian_modules.plot.proved_envelope import distances
from riemannian_modules.region import box
from riemannian_modules.shown import at_least, at_most
from riemannian_modules.spec import System, save_system
from riemannian_modules.spec.system import Simulation
from tests.cli.commands import PNG, ring, run, save_cubic, words_of


@pytest.fixture
def pair(tmp_path):
    """A file with two cubics in a loop on a box."""
    path = tmp_path / "pair.json"
    save_system(System(ring(), "pair", region=box({"a.q": (-1, 1), "b.q": (-1, 1)})), path)
    return path


def test_the_parts_table_gives_the_bound_by_hand(pair, tmp_path):
    result = run("certify", pair, "--by-parts", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    out = tmp_path / "out"
    claim = json.loads((out / "certificate.json").read_text())["claim"]
    totals = {}
    for row in csv.DictReader((out / "parts.csv").open()):
        part = float(row["value"]) * 2.0 ** (
            float(row["log2_weight_from"]) - float(row["log2_weight_to"])
        )
        totals[row["to"]] = totals.get(row["to"], 0.0) + part
    # Logarithms of weights and their difference round by a few units in the last place.
    assert max(totals.values()) == pytest.approx(claim["bound"], rel=1e-12)
    said = words_of(result.output)
    assert f"{max(totals.values()):.6g}" in said
    assert "By parts" in said
    assert run("verify", out / "certificate.json").exit_code == 0
    assert (out / "contraction.png").read_bytes().startswith(PNG)


def refuse_as_one(*_, **__):
    raise UnsupportedError("too many terms as one system")


def test_a_system_too_large_as_one_is_proved_by_parts_and_says_so(pair, tmp_path, monkeypatch):
    monkeypatch.setattr("riemannian_modules.certify.certify", refuse_as_one)
    result = run("certify", pair, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Proved by parts, because as one system it is refused" in result.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["rule"] == "network"


def test_a_kind_of_norm_that_is_asked_for_is_not_replaced_by_the_parts(pair, tmp_path, monkeypatch):
    monkeypatch.setattr("riemannian_modules.terms.multiplying_out.LARGEST_TERMS", 1)
    result = run("certify", pair, "--norm", "l2", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "terms" in result.output
    assert not (tmp_path / "out").exists()


def test_a_loop_gain_beyond_one_is_not_proved_by_parts(tmp_path):
    save_system(ring(gain=8.0), tmp_path / "loud.json")
    result = run("certify", tmp_path / "loud.json", "--by-parts", "--out", tmp_path / "out")
    # At the origin the Jacobian [[-1, 8], [1, -2]] has a positive eigenvalue.
    assert result.exit_code == REFUTED


def test_one_module_has_no_parts(tmp_path):
    save_cubic(tmp_path / "cubic.json", -1.0)
    result = run("certify", tmp_path / "cubic.json", "--by-parts", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "one module" in result.output


@pytest.mark.parametrize("kind", ["l2", "l1", "linf"])
def test_the_norm_that_is_asked_for_is_the_one_of_the_certificate(pair, tmp_path, kind):
    result = run("certify", pair, "--norm", kind, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    claim = json.loads((tmp_path / "out" / "certificate.json").read_text())["claim"]
    assert claim["norm"]["type"] == kind


def test_a_metric_keeps_to_the_condition_number_asked_for(tmp_path):
    system = rm.StateSpace([[-1.0, 10.0], [0.0, -2.0]], np.eye(2), np.eye(2))
    save_system(system, tmp_path / "shear.json")
    for condition, code in ((4.0, UNDECIDED), (1e6, 0)):
        words = ("certify", tmp_path / "shear.json", "--condition", condition, "--rate", 0.9)
        result = run(*words, "--out", tmp_path / "out")
        assert result.exit_code == code, result.output
    claim = json.loads((tmp_path / "out" / "certificate.json").read_text())["claim"]
    assert np.linalg.cond(np.array(claim["norm"]["metric"])) <= 1e6 * (1 + 1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ("--by-parts", "--norm", "l2"),
        ("--by-parts", "--condition", "9"),
        ("--norm", "l1", "--condition", "9"),
        ("--condition", "0.5"),
        ("--condition", "nan"),
        ("--norm", "l3"),
        ("--seconds", "-1"),
        ("--seconds", "nan"),
        ("--rate", "nan"),
        ("--rate", "inf"),
        ("--factor", "0.5"),
        ("--rate", "fast"),
    ],
)
def test_requests_that_contradict_themselves_are_misuse(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("certify", *words)
    assert result.exit_code == MISUSE, result.output
    assert list(tmp_path.iterdir()) == []


def test_a_proof_of_an_earlier_run_does_not_stand_beside_a_refutation(tmp_path):
    path, out = save_cubic(tmp_path / "cubic.json", -1.0), tmp_path / "out"
    assert run("certify", path, "--rate", 0.9, "--out", out).exit_code == 0
    proof = (out / "certificate.json").read_bytes()
    result = run("certify", path, "--rate", 1.1, "--out", out)
    assert result.exit_code == REFUTED
    assert not (out / "certificate.json").exists()
    assert (out / "earlier-certificate.json").read_bytes() == proof


def test_a_step_map_is_told_in_steps(tmp_path):
    system = rm.DiscreteStateSpace([[0.5, 0.0], [0.0, 0.25]], np.eye(2), np.eye(2))
    save_system(system, tmp_path / "steps.json")
    result = run("certify", tmp_path / "steps.json", "--factor", 0.5, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    # ln 2 / -ln 0.5 is one step; six digits are rounded upwards.
    assert "Every 1 steps" in words_of(result.output)
    assert (tmp_path / "out" / "contraction.png").exists()


def test_a_map_is_told_as_a_gain(tmp_path):
    save_system(rm.MatrixGain([[3.0, 0.0], [0.0, 4.0]]), tmp_path / "gain.json")
    result = run("certify", tmp_path / "gain.json", "--factor", 4.0, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "apart by at most 4 times" in words_of(result.output)


SHEAR = rm.StateSpace([[-1.0, 100.0], [0.0, -2.0]], np.eye(2), np.eye(2))
PLACE = box({"a.q": (-1, 1), "b.q": (-1, 1)})
PROOFS = {
    "l2 with a large overshoot": (SHEAR, lambda: certify(SHEAR, norm=l2())),
    "l1": (SHEAR, lambda: certify(SHEAR, norm=l1())),
    "linf": (SHEAR, lambda: certify(SHEAR, norm=linf())),
    "parts": (ring(), lambda: certify_network(ring(), PLACE)),
}


@pytest.mark.parametrize(("module", "prove"), PROOFS.values(), ids=PROOFS)
def test_no_trajectories_part_beyond_the_curve_of_the_picture(module, prove):
    answer = prove()
    simulation = Simulation(6.0, 101, {module.signature.state.names[0]: 0.9})
    first, second = two_trajectories(System(module, simulation=simulation), answer)
    curve, path = draw_envelope(answer, (first, second)).axes[0].lines[:2]
    bound = np.interp(path.get_xdata(), curve.get_xdata(), np.log(curve.get_ydata()))
    assert len(path.get_xdata()) > 50
    # The logarithm of the curve is a line, so interpolation is exact; the solver keeps 1e-9.
    assert (np.log(path.get_ydata()) <= bound + 1e-6).all()


def test_plain_distance_would_break_the_curve():
    answer = PROOFS["l2 with a large overshoot"][1]()
    start = Simulation(6.0, 101, {"x": [0.0, 1.0]})
    first, second = two_trajectories(System(SHEAR, simulation=start), answer)
    plain = np.linalg.norm(first.states - second.states, axis=1)
    assert plain.max() > 2 * plain[0]
    norm = answer.certificate.data["claim"]["norm"]
    d = distances(norm, first.states - second.states)
    assert d.max() == d[0]


def test_the_curve_ends_where_a_trajectory_leaves_the_region():
    lag = Lag(1.0)
    answer = certify(lag, box(x=(-1, 1)), rate=0.9)
    # x' = 3 - x from 0 leaves [-1, 1] at t = ln 1.5.
    simulation = Simulation(4.0, 401, {"x": 0.0}, {"u": 3.0})
    pair = two_trajectories(System(lag, simulation=simulation), answer)
    curve = draw_envelope(answer, pair).axes[0].lines[0]
    assert curve.get_xdata()[-1] <= np.log(1.5)


def test_inputs_that_change_stand_in_the_picture_as_they_begin():
    lag = Lag(1.0)
    answer = certify(lag, box(x=(-1, 1)), rate=0.9)
    simulation = Simulation(4.0, 41, {"x": 0.0}, {"u": "0.5 + t"})
    first, second = two_trajectories(System(lag, simulation=simulation), answer)
    assert (first.inputs == 0.5).all()
    assert (second.inputs == 0.5).all()


def test_two_starts_are_in_the_region_and_differ():
    inf = np.inf
    lower, upper = np.array([-1.0, -inf, 2.0, 0.0, -inf]), np.array([1.0, 3.0, inf, 1.0, inf])
    for x0 in (np.zeros(5), np.full(5, 9.0), np.array([0.0, 3.0, 2.0, 0.5, 0.0])):
        first, second = two_starts(x0, lower, upper)
        for start in (first, second):
            assert ((lower <= start) & (start <= upper)).all()
        assert (first != second).all()


def test_the_region_of_a_picture_is_that_of_the_certificate():
    lower, upper = sides_of(certify(Lag(1.0), box(x=(-1, 2)), rate=0.5))
    assert (lower.tolist(), upper.tolist()) == ([-1.0, -np.inf], [2.0, np.inf])


@pytest.mark.parametrize("value", [0.07, 1 / 3, 1234567.0, 1e-12 / 3, -1 / 3, 0.0])
def test_numbers_are_shortened_to_the_safe_side(value):
    assert float(at_least(value)) <= value <= float(at_most(value))
    assert float(at_most(value)) - float(at_least(value)) <= 1e-5 * abs(value)


def test_a_search_that_ends_early_goes_on_from_its_file(tmp_path):
    class Whirl(rm.Flow):
        state = rm.space("x y")

        def equations(self, x, u, p):
            a, b = np.sin(x.x * x.y), np.cos(x.x - x.y**2)
            return {"x": -4 * x.x + a + 0.5 * b, "y": -4 * x.y + b - 0.5 * a}

    file, out = tmp_path / "whirl.json", tmp_path / "out"
    save_system(System(Whirl(), region=box(x=(-1, 1), y=(-1, 1))), file)
    asked = ("certify", file, "--norm", "l2", "--rate", "1.485", "--out", out)
    assert run(*asked, "--seconds", "0").exit_code == UNDECIDED
    assert (out / "search.json.gz").exists()
    done = run(*asked, "--resume", out / "search.json.gz")
    assert done.exit_code == PROVED, done.output
    assert not (out / "search.json.gz").exists()
    wrong = run("certify", file, "--rate", "1.5", "--resume", out / "missing.json.gz", "--out", out)
    assert wrong.exit_code in (1, 2)


def interrupt(*words, **options):
    raise KeyboardInterrupt


def test_an_interrupted_search_is_saved_and_it_is_said_how_it_goes_on(pair, tmp_path, monkeypatch):
    monkeypatch.setattr("riemannian_modules.search.monolithic._from_boxes", interrupt)
    out, words = tmp_path / "out", ("certify", pair, "--norm", "l2")
    result = run(*words, "--out", out)
    assert result.exit_code == INTERRUPTED, result.output
    assert f"--resume {out / 'search.json.gz'}" in words_of(result.output)
    monkeypatch.undo()
    result = run(*words, "--resume", out / "search.json.gz", "--out", tmp_path / "again")
    assert result.exit_code == PROVED, result.output


def test_an_interrupt_of_a_resumed_search_leaves_its_file(pair, tmp_path, monkeypatch):
    search = tmp_path / "search.json.gz"
    search.write_bytes(b"an earlier search")
    asked = []

    def interrupted(*words, **options):
        asked.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr("riemannian_modules.certify.certify", interrupted)
    result = run("certify", pair, "--resume", search, "--out", tmp_path / "out")
    assert result.exit_code == INTERRUPTED
    assert f"saved in {search.parent}: {search.name}" in words_of(result.output)
    assert search.read_bytes() == b"an earlier search"
    assert asked[0]["budget"].save == search  # it is kept up to date while it goes on
    assert not (tmp_path / "out").exists()
