"""Time courses from tables: read, fitted, saved and read back; refusals name what is wrong."""

import json

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.cli import MISUSE
from riemannian_modules.engine import (
    at_times,
    fit_trajectories,
    held_table,
    read_experiments,
    simulate,
    stop,
)
from riemannian_modules.errors import SignatureError, SpecError
from riemannian_modules.results import load_result
from riemannian_modules.spec import Simulation, System, load_system, save_system
from tests.cli.commands import PNG, run, words_of

DECAY = rm.Equations({"dA": "u - k*A"}, state="A", inputs="u", parameters={"k": 1.0})
T = (0.5, 1.0, 2.0, 3.0)


def rows():
    """Two experiments from 2 and 4, of which the second has an input of 1; k = 0.6."""
    for name, start, u in (("low", 2.0, 0.0), ("high", 4.0, 1.0)):
        for t in T:
            value = u / 0.6 + (start - u / 0.6) * np.exp(-0.6 * t)
            yield {"experiment": name, "observable": "A", "time": t, "value": value,
                   "sigma": 0.01, "x0.A": start, "input.u": u}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    table = [*rows()]
    lines = [",".join(table[0]), *(",".join(str(v) for v in row.values()) for row in table)]
    (tmp_path / "experiments.csv").write_text("\n".join(lines) + "\n")
    save_system(DECAY, tmp_path / "system.json")
    return tmp_path


def test_a_long_table_is_fitted_and_saved(folder):
    out = folder / "fitted"
    words = ["--log", "all", "--bounds", "k=0.01:10", "--starts", 2, "--profile", "k", "--out", out]
    result = run("fit", folder / "system.json", "--data", folder / "experiments.csv", *words)
    assert result.exit_code == 0, result.output
    assert "k = 0.6" in words_of(result.output)
    assert load_system(out / "system.json").module.theta[0] == pytest.approx(0.6, rel=1e-6)
    summary = json.loads((out / "fit.json").read_text())
    assert summary["experiments"] == ["low", "high"]
    assert summary["parameters"]["k"]["value"] == pytest.approx(0.6, rel=1e-6)
    for picture in ("fit.png", "waterfall.png", "profile-k.png"):
        assert (out / picture).read_bytes().startswith(PNG)
    assert load_result(out / "result.json").problem.count == 8
    shown = run("show", out / "result.json")
    assert "CourseFit" in words_of(shown.output)


def test_a_file_a_frame_and_columns_are_the_same_experiments(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([*rows()])
    wide = {"time": [*T] * 2, "A": [r["value"] for r in rows()],
            "experiment": ["low"] * 4 + ["high"] * 4}  # fmt: skip
    settings = {"low": {"x0": {"A": 2.0}}, "high": {"x0": {"A": 4.0}, "inputs": {"u": 1.0}}}
    found = [
        fit_trajectories(DECAY, one, sigma=0.01)
        for one in (folder / "experiments.csv", frame, read_experiments(wide, settings))
    ]
    assert len({round(f.log_likelihood, 8) for f in found}) == 1


def test_a_wide_table_takes_the_files_start_and_skips_empty_cells(folder):
    (folder / "wide.csv").write_text(
        "time,A\n0.5,"
        + repr(float(2 * np.exp(-0.3)))
        + "\n1.0,\n2.0,"
        + repr(float(2 * np.exp(-1.2)))
        + "\n"
    )
    save_system(System(DECAY, simulation=Simulation(3.0, x0={"A": 2.0})), folder / "with.json")
    result = run("fit", folder / "with.json", "--data", folder / "wide.csv", "--sigma", "A=0.1")
    assert result.exit_code == 0, result.output
    assert "k = 0.6" in words_of(result.output)


def test_the_files_inputs_drive_experiments_that_say_nothing_of_them(folder):
    step = "where(t >= 1, 2, 0)"  # in an experiment, text would be a formula of parameters
    drive = System(DECAY, simulation=Simulation(3.0, x0={"A": 2.0}, inputs={"u": step}))
    save_system(drive, folder / "with.json")
    truth = simulate(
        DECAY, [0.0, *T], {"A": 2.0}, {"u": held_table([0.0, 1.0], [0.0, 2.0])}, {"k": 0.6}
    )
    lines = [f"{t!r},{a!r}" for t, a in zip(T, truth["A"][1:].tolist(), strict=True)]
    (folder / "driven.csv").write_text("\n".join(["time,A", *lines]) + "\n")
    words = ("fit", folder / "with.json", "--data", folder / "driven.csv", "--sigma", "A=0.01")
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "k = 0.6" in words_of(result.output)


def test_a_files_events_happen_in_its_fit_and_those_that_end_a_run_are_refused(folder):
    bolus = at_times([1.5], {"A": "A + 1"}, name="bolus")
    whole = System(DECAY, simulation=Simulation(3.0, x0={"A": 2.0}, events=(bolus,)))
    save_system(whole, folder / "with.json")
    run_of = simulate(DECAY.with_parameters({"k": 0.6}), [0.0, *T], {"A": 2.0}, events=[bolus])
    lines = ["time,A", *(f"{t},{v}" for t, v in zip(T, run_of["A"][1:], strict=True))]
    (folder / "bolus.csv").write_text("\n".join(lines) + "\n")
    result = run("fit", folder / "with.json", "--data", folder / "bolus.csv", "--sigma", "A=0.01")
    assert result.exit_code == 0, result.output
    assert "k = 0.6" in words_of(result.output)
    ends = System(DECAY, simulation=Simulation(3.0, events=(stop("A - 1", name="over"),)))
    save_system(ends, folder / "ends.json")
    result = run("fit", folder / "ends.json", "--data", folder / "bolus.csv")
    assert result.exit_code != 0
    assert "'over'" in words_of(result.output)
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--observable", "A"], "NAME=VALUE"), (["--parameter", "q=x"], "NAME=NUMBER"),
        (["--log", "q"], "'q'"), (["--fixed", "q"], "'q'"), (["--loss", "huber:1"], "likelihood"),
        (["--observable", "A=B"], "B"), (["--profile", "q"], "'q'"),
    ],
)  # fmt: skip
def test_misuse_is_told_in_words(folder, words, said):
    result = run("fit", folder / "system.json", "--data", folder / "experiments.csv", *words)
    assert result.exit_code in (1, MISUSE)
    assert said in words_of(result.output)
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "text",
    ["", "time\n1\n", "time,A\n1\n", "time,A,A\n1,2,3\n", "time,A\n1,x\n", "A,B\n1,2\n",
     "time,observable\n1,A\n", "time,observable,value\n1,Q,2\n",
     "time,A,input.u\n1,2,3\n2,3,4\n"],
)  # fmt: skip
def test_faulty_tables_are_refused(text, folder):
    (folder / "bad.csv").write_text(text)
    with pytest.raises((SpecError, SignatureError)):
        fit_trajectories(DECAY, folder / "bad.csv")
