"""Ctrl-C at any moment: what is said to be saved is there, and the named command goes on."""

import importlib
import json
import signal

import numpy as np
import pytest

import riemannian_modules as rm
import riemannian_modules.engine
from riemannian_modules.cli import INTERRUPTED, PROVED, certify_results
from riemannian_modules.cli import certify as certify_command
from riemannian_modules.cli.results import results_in
from riemannian_modules.engine import read_trajectory, simulate
from riemannian_modules.engine.progress import TerminalProgress
from riemannian_modules.region import box
from riemannian_modules.search.boxes.search_state import load_search
from riemannian_modules.spec import System, load_system, save_system
from riemannian_modules.spec.system import FitTask, Simulation
from tests.cli.commands import run, save_cubic, told_by_an_interrupt


def told(result):
    """The saved files and the next command of a command that was interrupted."""
    assert result.exit_code == INTERRUPTED, result.output
    return told_by_an_interrupt(result.output)


def after(count):
    """A callback that interrupts when it is called for the count-th time, from 0."""
    calls = iter(range(count))

    def called(*arguments, **named):
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return called


# Fit: the best so far is the start of what goes on.


@pytest.fixture
def decay(tmp_path):
    """A system file of ``y = a exp(-k t)`` far from its data."""
    module = rm.Equations(
        {"y": "a*exp(-k*t)"}, inputs={"t": "s"}, outputs="y", parameters={"a": 1.0, "k": 2.0}
    )
    times = np.linspace(0, 3, 20)
    rows = np.column_stack([times, 2.0 * np.exp(-0.7 * times)])
    np.savetxt(tmp_path / "decay.csv", rows, delimiter=",", header="t,y", comments="", fmt="%.17g")
    save_system(System(module, "decay", fit=FitTask("decay.csv")), tmp_path / "decay.json")
    return tmp_path / "decay.json"


def interrupt_fit(monkeypatch, count):
    from contextlib import contextmanager

    @contextmanager
    def watching(self, title):
        yield after(count)

    monkeypatch.setattr(TerminalProgress, "watching", watching)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_an_interrupted_fit_keeps_its_best_and_goes_on_from_it(decay, tmp_path, monkeypatch, count):
    out = tmp_path / "fitted here"
    interrupt_fit(monkeypatch, count)
    saved, goes_on, words = told(run("fit", decay, "--out", out))
    assert goes_on
    assert sorted(path.name for path in out.iterdir()) == saved
    kept = load_system(out / "system.json").module.theta
    assert json.loads((out / "fit.json").read_text())["outcome"] == "interrupted"
    monkeypatch.undo()
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert np.allclose(load_system(out / "system.json").module.theta, [2.0, 0.7], rtol=1e-8)
    if count > 1:  # the first step may be refused
        assert not np.array_equal(kept, [1.0, 2.0])


def test_an_interrupted_fit_without_a_folder_says_that_nothing_is_saved(decay, monkeypatch):
    interrupt_fit(monkeypatch, 1)
    saved, goes_on, words = told(run("fit", decay))
    assert (saved, goes_on, words) == ([], False, ["fit", str(decay)])


FIT, SIMULATE = (
    importlib.import_module(f"riemannian_modules.engine.{n}") for n in ("fitting", "simulation")
)
MOMENTS = {
    "as the table is read": (
        importlib.import_module("riemannian_modules.spec.samples"),
        "read_samples",
    ),
    "before the first point": (
        importlib.import_module("riemannian_modules.engine.descend"),
        "place_at",
    ),
    "as the covariance is computed": (FIT, "_result"),
}


@pytest.mark.parametrize(("module", "name"), MOMENTS.values(), ids=MOMENTS)
def test_a_fit_interrupted_with_nothing_to_keep_says_so(decay, tmp_path, monkeypatch, module, name):
    monkeypatch.setattr(module, name, after(0))
    words = ("fit", str(decay), "--out", str(tmp_path / "out"))
    assert told(run(*words)) == ([], False, list(words))
    assert not (tmp_path / "out").exists()


def test_a_fit_interrupted_as_its_end_is_judged_keeps_it(decay, tmp_path, monkeypatch):
    monkeypatch.setattr(FIT, "_is_doubtful", after(0))
    saved, goes_on, _ = told(run("fit", decay, "--out", tmp_path / "out"))
    assert goes_on
    assert "system.json" in saved
    assert np.allclose(load_system(tmp_path / "out" / "system.json").module.theta, [2.0, 0.7])


def test_a_fit_interrupted_as_it_is_drawn_keeps_the_system(decay, tmp_path, monkeypatch):
    run("fit", decay, "--out", tmp_path / "out")
    monkeypatch.setattr("riemannian_modules.plot.save_figure", after(0))
    saved, goes_on, _ = told(run("fit", decay, "--out", tmp_path / "out"))
    assert goes_on
    assert saved == ["data.csv", "fit.json", "history.csv", "system.json"]
    # The picture of the earlier run does not pass for this one's.
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*saved, "earlier-fit.png"}


# Certify: the search is saved, and --resume goes on with it.


@pytest.fixture
def spiral(tmp_path):
    """A system whose rate is found in some hundred boxes."""
    module = rm.Equations(
        {"dx": "-2*x + sin(3*y)*cos(2*x)/2", "dy": "-2*y + sin(4*x)*x/3"}, state="x y"
    )
    region = box(x=(-1, 1), y=(-1, 1))
    save_system(System(module, "spiral", region=region), tmp_path / "spiral.json")
    return tmp_path / "spiral.json"


def interrupt_search(monkeypatch, count):
    monkeypatch.setattr(certify_command, "_progress", lambda status: after(count))


@pytest.mark.parametrize("count", [0, 4])
def test_an_interrupted_search_is_saved_and_goes_on(spiral, tmp_path, monkeypatch, count):
    monkeypatch.setattr(certify_results, "save_picture", lambda *_: None)  # which takes seconds
    out = tmp_path / "out"
    words = ("certify", spiral, "--norm", "l2", "--condition", 1, "--rate", 0.7, "--out", out)
    with monkeypatch.context() as moment:
        interrupt_search(moment, count)
        saved, goes_on, next_words = told(run(*words))
    assert goes_on
    assert saved == sorted(path.name for path in out.iterdir())
    begun = load_search(out / "search.json.gz").boxes
    with monkeypatch.context() as moment:
        interrupt_search(moment, 1)  # and again
        _, _, last_words = told(run(*next_words))
    assert last_words == next_words
    assert load_search(out / "search.json.gz").boxes > begun
    done = run(*last_words)
    assert done.exit_code == PROVED, done.output
    # The proof is the one that an undisturbed search finds.
    assert run(*words[:-1], tmp_path / "straight").exit_code == PROVED
    resumed, straight = (
        json.loads((place / "certificate.json").read_text())
        for place in (out, tmp_path / "straight")
    )
    assert resumed == straight


def test_a_certify_interrupted_in_its_search_for_a_norm_says_so(tmp_path, monkeypatch):
    path = save_cubic(tmp_path / "cubic.json", -1.0)
    monkeypatch.setattr("riemannian_modules.certify.certify", after(0))
    words = ("certify", str(path), "--out", str(tmp_path / "out"))
    assert told(run(*words)) == ([], False, list(words))
    assert [p.name for p in tmp_path.iterdir()] == ["cubic.json"]


def test_a_proof_interrupted_as_it_is_drawn_is_kept_and_verified(tmp_path, monkeypatch):
    path = save_cubic(tmp_path / "cubic.json", -1.0)
    monkeypatch.setattr("riemannian_modules.plot.save_figure", after(0))
    saved, goes_on, words = told(run("certify", path, "--rate", 0.5, "--out", tmp_path / "out"))
    assert goes_on
    assert "certificate.json" in saved
    monkeypatch.undo()
    assert run(*words).exit_code == PROVED


def test_an_interrupted_verification_says_that_nothing_is_saved(tmp_path, monkeypatch):
    path = save_cubic(tmp_path / "cubic.json", -1.0)
    assert run("certify", path, "--rate", 0.5, "--out", tmp_path / "out").exit_code == PROVED
    certificate = tmp_path / "out" / "certificate.json"
    monkeypatch.setattr("riemannian_modules.certify.verify", after(0))
    assert told(run("verify", certificate)) == ([], False, ["verify", str(certificate)])


# Simulate: what is whole is kept, and --resume goes on with it.


@pytest.fixture
def swing(tmp_path):
    """A system file of an oscillation over 40 times."""
    module = rm.Equations({"dx": "v", "dv": "u - x - x^3/5"}, state="x v", inputs="u")
    path = tmp_path / "swing.json"
    save_system(
        System(module, "swing", simulation=Simulation(9.0, 41, {"x": 1.0}, {"u": 0.2})), path
    )
    return path


def interrupt_simulation(monkeypatch, count):
    """Let ``count`` stretches be simulated, and interrupt in the next one."""
    simulate, calls = SIMULATE.simulate, after(count)

    def interrupted(*arguments, **named):
        calls()
        return simulate(*arguments, **named)

    monkeypatch.setattr(SIMULATE, "simulate", interrupted)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_an_interrupted_simulation_goes_on_as_if_it_had_not_been(
    swing, tmp_path, monkeypatch, count
):
    out, straight = tmp_path / "out", tmp_path / "straight"
    words = ("simulate", swing, "--x0", "v=0.5", "--out", out)
    with monkeypatch.context() as moment:
        interrupt_simulation(moment, count)
        saved, goes_on, next_words = told(run(*words))
    assert (saved, goes_on) == (["trajectory.csv"], True)
    kept = (out / "trajectory.csv").read_text().splitlines()
    assert len(kept) == 1 + 1 + 4 * count  # a heading, the start, four times a stretch
    with monkeypatch.context() as moment:
        interrupt_simulation(moment, 0)  # and again, in the first new stretch
        saved, goes_on, last_words = told(run(*next_words))
    assert (saved, goes_on, last_words) == (["trajectory.csv"], True, next_words)
    assert run(*last_words).exit_code == 0
    assert run(*words[:-1], straight).exit_code == 0
    for name in ("trajectory.csv", "summary.json"):
        assert (out / name).read_text() == (straight / name).read_text()


def test_a_simulation_interrupted_before_there_is_anything_says_so(swing, tmp_path, monkeypatch):
    words = ("simulate", str(swing), "--out", str(tmp_path / "out"))
    monkeypatch.setattr(SIMULATE, "simulate", after(0))
    assert told(run(*words)) == ([], False, list(words))
    assert told(run("simulate", swing)) == ([], False, ["simulate", str(swing)])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_an_interrupted_run_with_events_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch, count):
    ball = rm.Equations({"dh": "v", "dv": "-9.81"}, state="h v")
    events = (
        rm.engine.event("h", direction=-1, reset={"v": "-0.8*v"}, name="bounce"),
        rm.engine.event("v", name="turn"),
        rm.engine.at_times([1.0, 1.5], {"v": "v + 1"}),
        rm.engine.stop("v^2/19.62 + h - 0.2", direction=-1, name="low"),
    )
    settings = Simulation(9.0, 91, {"h": 2.0}, events=events)
    save_system(System(ball, "ball", simulation=settings), tmp_path / "ball.json")
    out, straight = tmp_path / "out", tmp_path / "straight"
    words = ("simulate", tmp_path / "ball.json", "--out")
    with monkeypatch.context() as moment:
        interrupt_simulation(moment, count)
        saved, goes_on, next_words = told(run(*words, out))
    assert (saved, goes_on) == (["events.csv", "trajectory.csv"], True)
    assert run(*next_words).exit_code == 0
    assert run(*words, straight).exit_code == 0
    assert (straight / "events.csv").read_text().count("bounce") > count
    for name in ("trajectory.csv", "events.csv", "summary.json"):
        assert (out / name).read_text() == (straight / name).read_text()
    # What an event has ended is whole.
    interrupt_simulation(monkeypatch, 0)
    assert run(*next_words).exit_code == 0


@pytest.mark.parametrize("is_scan", [True, False])
def test_an_interrupted_run_in_one_piece_is_begun_again(tmp_path, monkeypatch, is_scan):
    counter = rm.Sampled(rm.Equations({"n+": "n + 1"}, state="n"), 0.1)
    save_system(System(counter, simulation=Simulation(1.0, 11)), tmp_path / "counter.json")
    words = ("simulate", str(tmp_path / "counter.json"), "--out", str(tmp_path / "out"))
    more = ("--scan", "n=0:1:3") if is_scan else ()
    with monkeypatch.context() as moment:
        interrupt_simulation(moment, 0)
        assert told(run(*words, *more)) == ([], False, [*words, *more])
    assert run(*words, *more).exit_code == 0


def test_a_simulation_interrupted_as_it_is_drawn_is_whole(swing, tmp_path, monkeypatch):
    words = ("simulate", str(swing), "--out", str(tmp_path / "out"))
    with monkeypatch.context() as moment:
        moment.setattr("riemannian_modules.plot.save_figure", after(0))
        saved, goes_on, next_words = told(run(*words))
    assert (saved, goes_on) == (["trajectory.csv"], True)
    interrupt_simulation(monkeypatch, 0)  # nothing is simulated again
    assert run(*next_words).exit_code == 0


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (("--t-end", "8"), "times"),
        (("--x0", "x=2"), "initial state"),
        (("--input", "u=0.3"), "inputs"),
    ],
)
def test_what_another_simulation_kept_is_refused(swing, tmp_path, monkeypatch, changed, what):
    out = tmp_path / "out"
    with monkeypatch.context() as moment:
        interrupt_simulation(moment, 2)
        told(run("simulate", swing, "--out", out))
    kept = out / "trajectory.csv"
    result = run("simulate", swing, *changed, "--out", out, "--resume", kept)
    assert result.exit_code == 2
    assert f"with other {what}" in " ".join(result.output.split())
    assert run("simulate", swing, "--resume", kept).exit_code == 2  # no folder to write to


@pytest.fixture
def sampled_loop(tmp_path):
    """A system file of a plant under a sampled controller, both of them driven by the time."""
    plant = rm.Equations({"dx": "v - x + sin(t)", "y": "x"}, state="x", inputs="v t", outputs="y",
                         time_input="t")  # fmt: skip
    parts = {"plant": plant, "hold": rm.Sampled(rm.Gain(-0.5), 0.3)}
    wiring = rm.Wiring(**parts).connect("plant.y", "hold.u").connect("hold.y", "plant.v")
    path = tmp_path / "loop.json"
    save_system(System(wiring.build(), "loop", simulation=Simulation(4.0, 21)), path)
    return path, wiring.build()


@pytest.mark.parametrize("clock", [None, 2.0])
def test_time_and_ticks_run_on_in_one_piece(sampled_loop, tmp_path, clock):
    (path, module), out = sampled_loop, tmp_path / "out"
    named = () if clock is None else ("--input", f"t={clock}")
    assert run("simulate", path, "--x0", "plant.x=1", *named, "--out", out).exit_code == 0
    kept = read_trajectory(out / "trajectory.csv", module)
    start = np.where(np.array(module.signature.state.coordinates) == "plant.x", 1.0, 0.0)
    inputs = None if clock is None else {"t": clock}
    whole = simulate(module, np.linspace(0, 4.0, 21), start, inputs)
    np.testing.assert_allclose(kept.states, whole.states, atol=1e-9)
    np.testing.assert_allclose(kept.inputs, whole.inputs, atol=1e-15)
    result = run(
        "simulate", path, "--x0", "plant.x=1", *named, "--out", out,
        "--resume", out / "trajectory.csv",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "sampled parts" in " ".join(result.output.split())


# Anywhere.


def test_an_interrupt_while_files_move_waits_until_all_have(tmp_path, monkeypatch):
    from pathlib import Path

    replace = Path.replace

    def moved(path, target):
        done = replace(path, target)
        if Path(target).parent == tmp_path / "out":
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(Path, "replace", moved)
    with pytest.raises(KeyboardInterrupt, match=r"saved in .*: a, b, c\.$"):
        write(tmp_path / "out", "abc")
    assert {p.name: p.read_text() for p in (tmp_path / "out").iterdir()} == {n: n for n in "abc"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def write(out, names, *, then=None):
    with results_in(out) as draft:
        for name in names:
            (draft / name).write_text(name)
        if then is not None:
            raise then


def test_a_file_half_written_is_not_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"saved in .*: whole\.$"):
        write(tmp_path, ["whole", ".half.x1y2"], then=KeyboardInterrupt)
    assert [p.name for p in tmp_path.iterdir()] == ["whole"]


def test_paths_with_blanks_are_quoted_in_the_command(tmp_path, monkeypatch):
    path = save_cubic(tmp_path / "my cubic.json", -1.0)
    monkeypatch.setattr("riemannian_modules.certify.certify", after(0))
    assert told(run("certify", path))[2] == ["certify", str(path)]
