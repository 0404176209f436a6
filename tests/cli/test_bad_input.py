"""Bad files and options: one clear message, the right exit code, and nothing half-written."""

import copy
import json
import os

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify, certify_network
from riemannian_modules.cli import FAILURE, INTERRUPTED, MISUSE, UNDECIDED
from riemannian_modules.cli.results import results_in
from riemannian_modules.modules import Affine, Lag
from riemannian_modules.region import box
from riemannian_modules.spec import System, save_system
from riemannian_modules.spec.system import FitTask, Simulation
from riemannian_modules.spec.write import system_to_data
from tests.cli.commands import ring, run, save_cubic, words_of


def lag():
    """A lag with everything that its file can tell."""
    simulation = Simulation(4.0, 9, {"x": 1.0}, {"u": 3.0})
    return system_to_data(System(Lag(2.0), "lag", region=box(x=(-1, 1)), simulation=simulation))


def changed(*path, to):
    data = copy.deepcopy(lag())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(data).encode()


# What stands in the file, and what the message must name.
FILES = {
    "empty": (b"", "line 1"),
    "binary": (bytes(range(256)), "UTF-8"),
    "truncated": (changed("name", to="x")[:-40], "truncated"),
    "a list": (b"[]", "expected"),
    "a number": (b"3", "expected"),
    "NaN": (b'{"system": NaN}', "NaN"),
    "an unknown key": (changed("sytem", to=1), "/sytem"),
    "an unknown module": (changed("system", "type", to="Lagg"), "Lag"),
    "a string for a number": (changed("system", "tau", to="2"), "/system/tau"),
    "a negative time constant": (changed("system", "tau", to=-2.0), "/system"),
    "a reversed region": (changed("region", to={"x": [1, -1]}), "/region"),
    "a region of strangers": (changed("region", to={"speed": [1, 2]}), "speed"),
    "a negative time": (changed("simulation", "t_end", to=-1), "/simulation/t_end"),
}


@pytest.mark.parametrize("command", ["show", "simulate", "certify", "fit"])
@pytest.mark.parametrize(("content", "said"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_system_is_misuse(command, content, said, tmp_path):
    path, out = tmp_path / "system.json", tmp_path / "out"
    path.write_bytes(content)
    result = run(command, path, "--out", out)
    assert result.exit_code == MISUSE, result.output
    assert said in words_of(result.output)
    assert "Traceback" not in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["system.json"]


@pytest.mark.parametrize("command", ["show", "simulate", "certify", "fit", "verify"])
@pytest.mark.parametrize("place", ["none.json", ""], ids=["missing", "a folder"])
def test_a_path_that_is_no_file_is_misuse(command, place, tmp_path):
    out = () if command == "verify" else ("--out", tmp_path / "out")
    result = run(command, tmp_path / place, *out)
    assert result.exit_code == MISUSE, result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize(("command", "code"), [("show", MISUSE), ("verify", FAILURE)])
def test_an_unreadable_file_is_told(command, code, tmp_path):
    path = save_cubic(tmp_path / "cubic.json", -1.0)
    path.chmod(0)
    result = run(command, path)
    assert result.exit_code == code
    assert "Permission denied" in result.output


OPTIONS = {
    "an unknown option": ("show", "--colour"),
    "an unknown command": ("prove",),
    "an unknown state": ("simulate", "--x0", "gene.mrna2=1"),
    "an unknown input": ("simulate", "--input", "target=1"),
    "no number": ("simulate", "--input", "setpoint=high"),
    "no name": ("simulate", "--x0", "3"),
    "too many numbers": ("simulate", "--x0", "gene.mrna=1,2"),
    "NaN for a state": ("simulate", "--x0", "gene.mrna=nan"),
    "infinity for an input": ("simulate", "--input", "setpoint=inf"),
    "a negative time": ("simulate", "--t-end", "-3"),
    "no time": ("simulate", "--t-end", "0"),
    "NaN for a time": ("simulate", "--t-end", "nan"),
    "infinite time": ("simulate", "--t-end", "inf"),
    "one point": ("simulate", "--points", "1"),
    "too many points": ("simulate", "--points", "1000000000"),
    "a region without sides": ("certify", "--region", "setpoint"),
    "a region of words": ("certify", "--region", "setpoint=low:high"),
    "a reversed region": ("certify", "--region", "setpoint=2:1"),
    "a region of NaN": ("certify", "--region", "setpoint=nan:1"),
    "a region of strangers": ("certify", "--region", "speed=1:2"),
    "a region at infinity": ("certify", "--region", "setpoint=inf:inf"),
}


@pytest.mark.parametrize("words", OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_makes_no_sense_is_misuse(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == MISUSE, result.output
    name = words[-1].partition("=")[0]
    assert name in words_of(result.output) or words[-2] in words_of(result.output)
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


COMMANDS = ["show", "simulate", "certify", "schema"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_in_the_place_of_the_results_is_misuse_and_stays(command, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("precious")
    for out in (taken, taken / "inside"):
        result = run(command, "--out", out)
        assert result.exit_code == MISUSE, result.output
        assert "--out" in result.output
    assert taken.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [taken]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_that_cannot_be_written_to_is_a_failure(command, tmp_path, monkeypatch):
    def refuse(place, *mode):  # root may write everywhere, so the refusal is staged
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(os, "mkdir", refuse)
    result = run(command, "--out", tmp_path / "out")
    assert result.exit_code == FAILURE, result.output
    assert f"{tmp_path} cannot be written to (Permission denied)" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_failure_halfway_leaves_the_earlier_results_alone(tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run("simulate", "--out", out).exit_code == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def fail(figure, path):
        raise OSError("the disk is full")

    monkeypatch.setattr("riemannian_modules.plot.save_figure", fail)
    result = run("simulate", "--t-end", 3, "--out", out)
    assert result.exit_code == FAILURE
    assert "the disk is full" in result.output
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert list(tmp_path.iterdir()) == [out]


def test_an_interrupt_is_told_in_a_line_and_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("riemannian_modules.certify.certify", interrupt)
    result = run("certify", "--out", tmp_path / "out")
    assert result.exit_code == INTERRUPTED
    again = f"riemannian-modules certify --out {tmp_path / 'out'}"
    said = f"error: interrupted; nothing was saved. Begin again with: {again}"
    assert result.output.strip() == said
    assert list(tmp_path.iterdir()) == []


def test_a_trajectory_that_escapes_is_a_failure_and_saves_nothing(tmp_path):
    class Square(rm.Flow):
        state = rm.space("q")

        def equations(self, x, u, p):
            return [x.q**2]

    save_system(Square(), tmp_path / "square.json")
    # q' = q^2 from 1 is infinite at t = 1.
    words = ("simulate", tmp_path / "square.json", "--t-end", 2, "--x0", "q=1")
    result = run(*words, "--out", tmp_path / "out")
    assert result.exit_code == FAILURE, result.output
    assert "t = 1" in result.output or "t = 0.99" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["square.json"]


def test_a_fit_without_data_or_parameters_in_bounds_is_misuse(tmp_path):
    path = tmp_path / "line.json"
    save_system(Affine([[1.0]], [0.0]), path)
    assert "--data" in run("fit", path).output
    assert run("fit", path).exit_code == MISUSE
    (tmp_path / "line.csv").write_text("u[0],y[0]\n1,2\n2,3\n3,4\n")
    save_system(System(Affine([[1.0]], [0.0]), fit=FitTask("line.csv", bounds={"W": (2, 3)})), path)
    result = run("fit", path, "--out", tmp_path / "out")
    assert result.exit_code == MISUSE
    assert "bounds" in result.output
    assert not (tmp_path / "out").exists()


PROOFS = {
    "one system": lambda: certify(Lag(1.0), box(x=(-1, 1)), rate=0.5),
    "parts": lambda: certify_network(ring(), box({"a.q": (-1, 1), "b.q": (-1, 1)})),
}
WRONG = (None, 3, -1.5, "x", [], {}, [[]], [None], True, 10**400, {"a": [1]})


def places(data, path=()):
    """Every place in JSON data but the words of the claim, which prove nothing."""
    if path == ("claim", "statement"):
        return
    yield path
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data if isinstance(data, list) else ())
    )
    for key, value in items:
        yield from places(value, (*path, key))


@pytest.mark.parametrize("count", [4, pytest.param(15, marks=pytest.mark.slow)])
@pytest.mark.parametrize("prove", PROOFS.values(), ids=PROOFS)
def test_whatever_is_damaged_in_a_certificate_is_told_in_words(prove, count, tmp_path):
    sound = json.loads(json.dumps(prove().certificate.data))
    path, rng = tmp_path / "certificate.json", np.random.default_rng(0)
    every = [place for place in places(sound) if place]
    chosen = rng.permutation(len(every))[:count]
    for i in chosen:
        for value in WRONG:
            data = copy.deepcopy(sound)
            inner = data
            for key in every[i][:-1]:
                inner = inner[key]
            inner[every[i][-1]] = value
            path.write_text(json.dumps(data))
            result = run("verify", path)
            where = f"{every[i]} = {value!r:.20}: {result.output} {result.exception!r}"
            assert result.exit_code in (0, FAILURE, UNDECIDED), where
            assert result.exception is None or isinstance(result.exception, SystemExit), where
            if result.exit_code == FAILURE:
                assert result.output.startswith("error: "), where


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff\xfe", b'{"format": NaN}', b"[" * 100_000, b"null"]
)
def test_a_file_that_is_no_certificate_fails_in_one_line(content, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_bytes(content)
    result = run("verify", path)
    assert result.exit_code == FAILURE, result.output
    assert result.output.startswith("error: ")
    assert result.output.count("\n") == 1


def test_every_truncation_of_a_certificate_is_refused(tmp_path):
    whole = json.dumps(PROOFS["one system"]().certificate.data)
    path = tmp_path / "certificate.json"
    for end in range(0, len(whole) - 1, max(len(whole) // 40, 1)):
        path.write_text(whole[:end])
        assert run("verify", path).exit_code == FAILURE


def test_an_interrupt_as_the_draft_is_made_leaves_none(tmp_path, monkeypatch):
    make = os.mkdir

    def interrupted(*args):
        make(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), results_in(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []
