"""The simulation that a file states: events, inputs that change, tolerances, ticks, resuming."""

import csv
import json

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.cli import MISUSE
from riemannian_modules.engine import (
    at_times,
    event,
    held_table,
    linear_table,
    read_trajectory,
    simulate,
    stop,
)
from riemannian_modules.errors import SpecError, UnsupportedError
from riemannian_modules.spec import Simulation, System, load_system, save_system
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.write import system_to_data
from tests.cli.commands import PNG, run, words_of

BALL = rm.Equations({"dh": "v", "dv": "-g"}, state={"h": "m", "v": "m/s"}, parameters={"g": 9.81})
BOUNCE = event("h", direction=-1, reset={"v": "-0.8*v"}, name="bounce")
LOW = stop("v^2/(2*g) + h - 0.05", direction=-1, name="low")
FALL = Simulation(
    10.0, 101, {"h": 2.0}, events=(BOUNCE, LOW), rtol=1e-10, atol={"h": 1e-12, "v": 1e-12}
)
TANK = rm.Equations({"da": "dose - k*a"}, state="a", inputs="dose", parameters={"k": 0.5})


def rows_of(path):
    return list(csv.DictReader(path.open()))


def test_the_events_of_a_file_happen_are_told_saved_and_drawn(tmp_path):
    save_system(System(BALL, "ball", simulation=FALL), tmp_path / "ball.yaml")
    result = run("simulate", tmp_path / "ball.yaml", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    truth = simulate(
        BALL, np.linspace(0, 10, 101), {"h": 2.0}, events=[BOUNCE, LOW], rtol=1e-10, atol=1e-12
    )
    rows = rows_of(tmp_path / "out" / "events.csv")
    assert [row["event"] for row in rows] == [e.name for e in truth.events]
    # Saved runs are cut into ten stretches, each with a local error of 1e-10 a step.
    at = [float(row["time"]) for row in rows]
    assert at == pytest.approx([e.time for e in truth.events], rel=1e-7)
    assert float(rows[0]["time"]) == pytest.approx(np.sqrt(4 / 9.81), rel=1e-9)
    assert float(rows[0]["after.v"]) == pytest.approx(-0.8 * float(rows[0]["before.v"]))
    assert "bounce" in words_of(result.output)
    assert "v: -6.2642 -> 5.0113" in words_of(result.output)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["t_end"] == pytest.approx(truth.times[-1], rel=1e-7)
    assert summary["t_end"] < 10
    assert summary["events"][-1] == {"time": at[-1], "event": "low"}
    assert (tmp_path / "out" / "trajectory.png").read_bytes().startswith(PNG)


DRIVES = {
    "a formula": ("where(t >= 1, 2, 0)", lambda t: np.where(t >= 1, 2.0, 0.0)),
    "a constant formula": ("2*pi/3", 2 * np.pi / 3),
    "a held table": (held_table([0, 1.5, 3], [0, 2.0, 1]),) * 2,
    "a table": (linear_table([0, 1.5, 9], [0, 2.0, 1]),) * 2,
}


@pytest.mark.parametrize(("written", "meant"), DRIVES.values(), ids=DRIVES)
def test_the_inputs_of_a_file_may_change_with_the_time(tmp_path, written, meant):
    settings = Simulation(5.0, 101, inputs={"dose": written})
    save_system(System(TANK, simulation=settings), tmp_path / "tank.json")
    assert run("simulate", tmp_path / "tank.json", "--out", tmp_path).exit_code == 0
    a = [float(row["a"]) for row in rows_of(tmp_path / "trajectory.csv")]
    truth = simulate(TANK, np.linspace(0, 5, 101), inputs={"dose": meant})
    assert np.allclose(a, truth["a"], rtol=1e-7, atol=1e-9)
    over = run("simulate", tmp_path / "tank.json", "--input", "dose=1", "--out", tmp_path / "over")
    assert over.exit_code == 0, over.output
    a = float(rows_of(tmp_path / "over" / "trajectory.csv")[-1]["a"])
    assert a == pytest.approx(2 * (1 - np.exp(-2.5)), rel=1e-7)


def test_entries_of_an_input_change_each_by_its_own_formula(tmp_path):
    pair = rm.Equations({"dx": "u"}, state={"x": 2}, inputs={"u": 2})
    settings = Simulation(2.0, 3, inputs={"u[0]": "t", "u[1]": 3.0})
    save_system(System(pair, simulation=settings), tmp_path / "pair.json")
    assert run("simulate", tmp_path / "pair.json", "--out", tmp_path).exit_code == 0
    last = rows_of(tmp_path / "trajectory.csv")[-1]
    assert [float(last["x[0]"]), float(last["x[1]"])] == pytest.approx([2.0, 6.0])


def test_the_time_input_of_a_system_is_the_time(tmp_path):
    clock = rm.Equations({"dx": "t"}, state="x", inputs="t", time_input="t")
    save_system(System(clock, simulation=Simulation(4.0, 9)), tmp_path / "clock.json")
    assert run("simulate", tmp_path / "clock.json", "--out", tmp_path).exit_code == 0
    assert float(rows_of(tmp_path / "trajectory.csv")[-1]["x"]) == pytest.approx(8.0)


def test_sampled_parts_tick_once_whatever_is_saved(tmp_path):
    counter = rm.Sampled(rm.Equations({"n+": "n + 1"}, state="n"), 0.1)
    chain = rm.Wiring(count=counter, lag=rm.Lag(1.0)).connect("count.n", "lag.u").build()
    save_system(System(chain, simulation=Simulation(1.0, 11)), tmp_path / "chain.json")
    assert run("simulate", tmp_path / "chain.json", "--out", tmp_path).exit_code == 0
    counts = [float(row["count.n"]) for row in rows_of(tmp_path / "trajectory.csv")]
    assert counts == list(range(1, 12))  # in ten stretches it would tick at each end twice


def delayed(history):
    decay = rm.Equations({"dx": "-u"}, state="x", inputs="u")
    wiring = rm.Wiring(decay=decay, late=rm.Delay(1.0, history=history))
    return wiring.connect("decay.x", "late.u").connect("late.y", "decay.u").build()


@pytest.mark.parametrize("history", [None, 0.5, "1 + sin(t)"])
def test_delays_look_back_over_whatever_is_saved_by_then(tmp_path, history):
    module = delayed(history)
    settings = Simulation(5.0, 21, {"decay.x": 1.0})
    save_system(System(module, simulation=settings), tmp_path / "late.json")
    data = json.loads((tmp_path / "late.json").read_text())
    assert data["system"]["modules"]["late"].get("history") == history
    words = ("simulate", tmp_path / "late.json", "--out", tmp_path)
    assert run(*words).exit_code == 0
    kept = [float(row["decay.x"]) for row in rows_of(tmp_path / "trajectory.csv")]
    here = simulate(module, np.linspace(0, 5, 21), {"decay.x": 1.0})
    np.testing.assert_allclose(kept, here["decay.x"], rtol=1e-12, atol=1e-14)
    result = run(*words, "--resume", tmp_path / "trajectory.csv")
    assert result.exit_code == MISUSE
    assert "exact delays" in words_of(result.output)


def test_a_history_that_is_a_function_is_not_saved(tmp_path):
    with pytest.raises(UnsupportedError, match=r"function.*formula"):
        save_system(System(delayed(np.sin)), tmp_path / "late.json")


def test_runs_with_sampled_parts_are_not_resumed(tmp_path):
    counter = rm.Sampled(rm.Equations({"n+": "n + 1"}, state="n"), 0.1)
    save_system(System(counter, simulation=Simulation(1.0, 11)), tmp_path / "counter.json")
    words = ("simulate", tmp_path / "counter.json", "--out", tmp_path / "out")
    assert run(*words).exit_code == 0
    result = run(*words, "--resume", tmp_path / "out" / "trajectory.csv")
    assert result.exit_code == MISUSE
    assert "sampled parts" in words_of(result.output)


def test_an_event_where_stretches_meet_happens_once(tmp_path):
    dosed = (at_times([1.0, 3.0], {"a": "a + 1"}), event("t - 2", name="two"), stop("t - 4"))
    settings = Simulation(5.0, 11, events=dosed)  # a stretch ends at each time and each half
    save_system(System(TANK, simulation=settings), tmp_path / "tank.json")
    assert run("simulate", tmp_path / "tank.json", "--out", tmp_path).exit_code == 0
    found = [(row["event"], float(row["time"])) for row in rows_of(tmp_path / "events.csv")]
    expected = [("dose", 1.0), ("two", 2.0), ("dose", 3.0), ("t - 4", 4.0)]
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [time for _, time in found] == pytest.approx([time for _, time in expected])
    rows = rows_of(tmp_path / "trajectory.csv")
    assert float(rows[-1]["time"]) == pytest.approx(4.0)
    truth = np.exp(-1.5) + np.exp(-0.5)
    assert float(rows[-1]["a"]) == pytest.approx(truth, rel=1e-7)


def test_a_run_under_changing_inputs_goes_on_as_if_it_had_not_been_interrupted(tmp_path):
    settings = Simulation(5.0, 41, inputs={"dose": "1 + sin(t)"})
    save_system(System(TANK, simulation=settings), tmp_path / "tank.json")
    words = ("simulate", tmp_path / "tank.json", "--out")
    assert run(*words, tmp_path / "whole").exit_code == 0
    lines = (tmp_path / "whole" / "trajectory.csv").read_text().splitlines(keepends=True)
    (tmp_path / "begun.csv").write_text("".join(lines[:18]))
    result = run(*words, tmp_path / "out", "--resume", tmp_path / "begun.csv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "trajectory.csv").read_text() == "".join(lines)
    other = run(*words, tmp_path / "out", "--input", "dose=1", "--resume", tmp_path / "begun.csv")
    assert "with other inputs" in words_of(other.output)


def test_what_a_file_says_of_a_simulation_survives(tmp_path):
    events = (BOUNCE, LOW, at_times([1.0, 2.0], {"h": "h + 1", "v": 0.0}), event("t - 3"))
    settings = Simulation(10.0, 101, {"h": 2.0}, events=events, rtol=1e-8, atol=1e-10)
    for name in ("a.json", "a.yaml"):
        save_system(System(BALL, simulation=settings), tmp_path / name)
        read = load_system(tmp_path / name)
        assert system_to_data(read) == system_to_data(System(BALL, simulation=settings))
        assert [e.facts() for e in read.simulation.events] == [e.facts() for e in events]


FAULTS = {
    "an unknown key": ({"events": [{"wen": "h"}]}, r"/simulation/events/0/wen: .*'when'"),
    "neither": ({"events": [{"name": "x"}]}, r'/events/0: expected "when".*neither'),
    "both": ({"events": [{"when": "h", "times": [1]}]}, r"/events/0: .*both"),
    "an unknown quantity": ({"events": [{"when": "hh"}]}, r"/events/0/when: column 1: .*'h'"),
    "a direction": ({"events": [{"when": "h", "direction": 2}]}, r"/events/0/direction"),
    "a reset of nothing": (
        {"events": [{"when": "h", "reset": {"w": 1}}]}, r"/events/0/reset: .*'?w'?"
    ),
    "a reset by nothing": (
        {"events": [{"when": "h", "reset": {"v": "-w"}}]}, r"/reset/v: column 2: .*'w'"
    ),
    "a reset of a shape": ({"events": [{"when": "h", "reset": {"v": [1, 2]}}]}, r"/reset/v: "),
    "an end at a time": ({"events": [{"times": [1], "stop": True}]}, r"/events/0: .*t_end"),
    "a formula of x": ({"inputs": {"dose": "2*h"}}, r"/inputs/dose: column 3: .*'h'"),
    "a formula cut off": ({"inputs": {"dose": "(1"}}, r"/inputs/dose: column 3: "),
    "a strange table": ({"inputs": {"dose": {"times": [1]}}}, r"/inputs/dose: expected a table"),
    "a ragged table": (
        {"inputs": {"dose": {"times": [0, 1], "held": [1]}}}, r"/inputs/dose: expected a table"
    ),
    "a table with a jump": (
        {"inputs": {"dose": {"times": [0, 0], "linear": [1, 2]}}}, r"/inputs/dose: .*increasing"
    ),
    "a tolerance": ({"rtol": 0}, r"/simulation/rtol"),
    "a negative tolerance": ({"atol": -1}, r"/simulation/atol"),
}  # fmt: skip


@pytest.mark.parametrize(("section", "said"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_told_with_its_place(section, said):
    data = system_to_data(System(BALL))
    data["simulation"] = {"t_end": 1.0, **section}
    with pytest.raises(SpecError, match=said):
        system_from_data(data, "ball.json")


def test_functions_are_refused_by_a_file():
    for settings in (
        Simulation(1.0, inputs={"dose": np.sin}),
        Simulation(1.0, events=(event(lambda t, x, u, p: x.a),)),
        Simulation(1.0, events=(event("a", reset={"a": lambda t, x, u, p: x.a}),)),
        Simulation(1.0, events=(event("a", reset=lambda t, x, u, p: {"a": x.a}),)),
    ):
        with pytest.raises(UnsupportedError, match="Write it as a formula"):
            system_to_data(System(TANK, simulation=settings))


def test_steps_have_no_events(tmp_path):
    data = system_to_data(System(rm.UnitDelay(1)))
    data["simulation"] = {"t_end": 3.0, "events": [{"times": [1.0]}]}
    with pytest.raises(SpecError, match=r"/simulation/events: .*continuous time"):
        system_from_data(data)


SCANS = {
    "a parameter": ("k=0.5:2:4", "k", lambda v: {"theta": {"k": v}}),
    "a start": ("a=0:3:3", "a", lambda v: {"x0": {"a": v}}),
    "an input": ("dose=1:100:3:log", "dose", lambda v: {"inputs": {"dose": v}}),
}


@pytest.mark.parametrize(("words", "name", "meant"), SCANS.values(), ids=SCANS)
def test_a_scan_is_its_runs(tmp_path, words, name, meant):
    settings = Simulation(2.0, 5, {"a": 1.0}, {"dose": 1.0})
    save_system(System(TANK, "tank", simulation=settings), tmp_path / "tank.json")
    result = run("simulate", tmp_path / "tank.json", "--scan", words, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["scan"] == name
    scan = read_trajectory(tmp_path / "out" / "trajectory.csv", TANK)
    assert scan.batch == (len(summary["values"]),)
    for i, value in enumerate(summary["values"]):
        point = {"x0": {"a": 1.0}, "inputs": {"dose": 1.0}} | meant(value)
        truth = simulate(TANK, scan.times, **point)
        assert np.allclose(scan["a"][i], truth["a"], rtol=1e-7)
        assert summary["final_state"]["a"][i] == pytest.approx(truth["a"][-1], rel=1e-7)
    assert (tmp_path / "out" / "trajectory.png").read_bytes().startswith(PNG)
    assert f"{summary['final_state']['a'][-1]:.5g}" in words_of(result.output)


def test_a_scan_of_events_tells_those_of_each_run(tmp_path):
    settings = Simulation(2.0, 5, {"h": 2.0}, events=(BOUNCE,))
    save_system(System(BALL, "ball", simulation=settings), tmp_path / "ball.json")
    result = run("simulate", tmp_path / "ball.json", "--scan", "h=1:2:3", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    firsts = {}
    for row in rows_of(tmp_path / "events.csv"):
        firsts.setdefault(int(row["run"]), float(row["time"]))
    falls = np.sqrt(2 * np.array([1.0, 1.5, 2.0]) / 9.81)
    assert list(firsts.values()) == pytest.approx(falls, rel=1e-7)
    assert len(rows_of(tmp_path / "trajectory.csv")) == 15


def test_runs_of_a_scan_end_each_at_its_own_time(tmp_path):
    fall = Simulation(1.0, 6, events=(stop("h", direction=-1, name="ground"),))
    save_system(System(BALL, "ball", simulation=fall), tmp_path / "ball.json")
    result = run("simulate", tmp_path / "ball.json", "--scan", "h=1:9:3", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    falls = np.minimum(np.sqrt(2 * np.array([1.0, 5.0, 9.0]) / 9.81), 1.0)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["run_ends"] == pytest.approx(falls, rel=1e-7)
    assert summary["final_state"]["v"] == pytest.approx(-9.81 * falls, rel=1e-7)
    assert [row["run"] for row in rows_of(tmp_path / "events.csv")] == ["0"]
    scan = read_trajectory(tmp_path / "trajectory.csv", BALL)
    assert scan.ends is not None
    assert scan.ends.times.tolist() == summary["run_ends"]
    assert f"{falls[0]:.6g}" in words_of(result.output)
    assert (tmp_path / "trajectory.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("k", "FIRST:LAST:COUNT"), ("k=1:2", "FIRST:LAST:COUNT"), ("k=1:2:x", "FIRST:LAST:COUNT"),
        ("k=1:inf:3", "FIRST:LAST:COUNT"), ("k=1:2:0", "1 to 10000 runs"), ("q=1:2:3", "no 'q'"),
        ("k=-1:1:3:log", "equal factors"), ("dose=1:2:3", "moves the input 'dose'"),
    ],
)  # fmt: skip
def test_a_scan_that_cannot_be_is_refused(tmp_path, words, said):
    settings = Simulation(2.0, 5, inputs={"dose": "t"})
    save_system(System(TANK, simulation=settings), tmp_path / "tank.json")
    result = run("simulate", tmp_path / "tank.json", "--scan", words)
    assert result.exit_code == MISUSE
    assert said in words_of(result.output)
