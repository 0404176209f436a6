"""What a fit saves can be used from where it is, and from where it is moved to."""

import json
import shutil

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.cli import MISUSE
from riemannian_modules.region import box
from riemannian_modules.spec import System, load_system, save_system
from riemannian_modules.spec.system import FitTask, Goal, Simulation
from tests.cli.commands import run

FILES = ["data.csv", "fit.json", "fit.png", "history.csv", "system.json"]


@pytest.fixture
def line(tmp_path):
    """A system file of a parabola, its table in a folder beside it, and all other sections."""
    (tmp_path / "tables").mkdir()
    x = np.linspace(-1, 1, 9)
    rows = np.column_stack([x, 3 * x - 0.5 * x**2])
    np.savetxt(tmp_path / "tables" / "a.csv", rows, delimiter=",", header="x,y", comments="")
    values = {"a": 1.0, "b": 0.0}
    system = System(
        rm.Equations({"y": "a*x + b*x^2"}, inputs="x", outputs="y", parameters=values),
        "line", "Twice.", ("Somebody (1999)",), box(x=(-1, 1)), Goal(factor=4.5),
        Simulation(2.0, 5, inputs={"x": 1.0}), FitTask("tables/a.csv", bounds={"a": (0.0, 9.0)}),
    )  # fmt: skip
    save_system(system, tmp_path / "line.json")
    return tmp_path / "line.json"


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_the_fitted_system_is_given_to_every_command_at_once(line, tmp_path, monkeypatch, ending):
    given = tmp_path / f"given.{ending}"
    save_system(load_system(line), given)
    out = tmp_path / "deep" / "fitted"
    assert run("fit", given, "--out", out).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == FILES
    shutil.move(out, tmp_path / "moved")
    (tmp_path / "tables" / "a.csv").unlink()  # the folder needs nothing but itself
    monkeypatch.chdir(tmp_path / "deep")
    fitted = tmp_path / "moved" / "system.json"
    for words in (
        ("show", fitted), ("simulate", fitted, "--out", "s"), ("certify", fitted, "--out", "c"),
        ("fit", fitted, "--out", "again"),
    ):  # fmt: skip
        result = run(*words)
        assert result.exit_code == 0, (words, result.output)
    theta = load_system(tmp_path / "moved" / "system.json").module.theta
    again = load_system(tmp_path / "deep" / "again" / "system.json")
    assert np.allclose(theta, [3.0, -0.5], rtol=1e-12)
    assert np.allclose(again.module.theta, theta, rtol=1e-12)
    assert (again.fit.data, again.fit.bounds) == ("data.csv", {"a": (0.0, 9.0)})
    before = load_system(line)
    for part in ("name", "description", "citations", "region", "certify"):
        assert getattr(again, part) == getattr(before, part)
    values = json.loads((tmp_path / "moved" / "fit.json").read_text())["parameters"]
    assert [values[name]["value"] for name in ("a", "b")] == theta.tolist()


def test_the_table_of_the_option_is_the_one_that_is_kept(line, tmp_path):
    other = tmp_path / "b.csv"
    other.write_text("x,y\n0,0\n1,5\n2,12\n")
    out = tmp_path / "out"
    assert run("fit", line, "--data", other, "--out", out).exit_code == 0
    assert (out / "data.csv").read_text() == other.read_text()
    assert np.allclose(load_system(out / "system.json").module.theta, [4.0, 1.0])


def test_a_file_without_a_section_of_its_own_gets_one(tmp_path):
    module = rm.Affine([[0.0]], [0.0], input="x", output="y")
    save_system(module, tmp_path / "a.json")
    (tmp_path / "b.csv").write_text("x[0],y[0]\n0,1\n1,3\n2,5\n")
    out = tmp_path / "out"
    assert (
        run("fit", tmp_path / "a.json", "--data", tmp_path / "b.csv", "--out", out).exit_code == 0
    )
    assert run("fit", out / "system.json", "--out", out).exit_code == 0  # onto itself
    assert np.allclose(load_system(out / "system.json").module.theta, [2.0, 1.0])


def test_a_fit_without_any_table_is_misuse(tmp_path):
    save_system(rm.Affine([[0.0]]), tmp_path / "a.json")
    result = run("fit", tmp_path / "a.json")
    assert result.exit_code == MISUSE
    assert "--data" in result.output
