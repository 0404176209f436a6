"""The command line: what it prints and saves, and its exit codes."""

import csv
import json
import sys

import numpy as np
import pytest

from riemannian_modules.certify import load_certificate
from riemannian_modules.cli import FAILURE, MISUSE, REFUTED, UNDECIDED
from riemannian_modules.modules import Affine, Lag
from riemannian_modules.spec import System, load_system, save_system
from riemannian_modules.spec.system import FitTask, Simulation
from tests.cli.commands import PNG, run, save_cubic, words_of


@pytest.fixture
def cubic(tmp_path):
    """A function that saves ``q' = a q - q^3 + u`` on ``-1 <= q <= 1`` and gives the path."""
    return lambda a: save_cubic(tmp_path / "cubic.json", a)


def test_show_prints_the_bundled_example_and_draws_it(tmp_path):
    result = run("show", "--out", tmp_path)
    assert result.exit_code == 0
    assert "Elowitz" in result.output
    assert "flowchart LR" in result.output
    assert (tmp_path / "graph.png").read_bytes().startswith(PNG)
    assert (tmp_path / "graph.mmd").read_text() in result.output


def test_what_cannot_be_drawn_is_said_and_the_rest_is_saved(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)  # as where it has no wheel
    result = run("show", "--out", tmp_path)
    assert result.exit_code == 0
    assert "No graph.png: picture: diagrams are arranged by Graphviz" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["graph.mmd"]


def test_show_of_a_single_module_says_that_there_is_no_graph(cubic):
    result = run("show", cubic(-1.0))
    assert result.exit_code == 0
    assert "no graph" in result.output


def test_simulate_follows_the_closed_form(tmp_path):
    path = tmp_path / "lag.json"
    save_system(System(Lag(2.0), simulation=Simulation(4.0, 9, {"x": 1.0}, {"u": 3.0})), path)
    result = run("simulate", path, "--x0", "x=2", "--out", tmp_path / "out")
    assert result.exit_code == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    # x' = (3 - x) / 2 from x = 2, which overrules the file's 1; the solver keeps 1e-8 relative.
    assert summary["final_state"]["x"] == pytest.approx(3 - np.exp(-2.0), rel=1e-6)
    rows = list(csv.DictReader((tmp_path / "out" / "trajectory.csv").open()))
    assert [float(r["time"]) for r in rows] == np.linspace(0, 4, 9).tolist()
    assert (tmp_path / "out" / "trajectory.png").read_bytes().startswith(PNG)


def test_certify_proves_the_bundled_example_and_verify_agrees(tmp_path):
    result = run("certify", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "PROVED" in result.output
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["answer"], summary["log_norm"]) == ("proved", -0.07)
    for name in ("graph.png", "contraction.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)
    checked = run("verify", tmp_path / "certificate.json")
    assert checked.exit_code == 0
    statement = load_certificate(tmp_path / "certificate.json").statement
    assert statement in words_of(checked.output.replace("Statement", ""))


def test_certify_refutes_with_a_witness(cubic, tmp_path):
    result = run("certify", cubic(1.0), "--rate", 0.5, "--out", tmp_path / "out")
    assert result.exit_code == REFUTED, result.output
    assert "REFUTED" in result.output
    witness = json.loads((tmp_path / "out" / "summary.json").read_text())["witness"]
    assert 1.0 - 3 * witness["q"] ** 2 > -0.5
    assert not (tmp_path / "out" / "certificate.json").exists()


def test_a_region_of_the_command_line_overrules_the_files(cubic, tmp_path):
    # 1 - 3 q^2 <= -11 for 2 <= q, where the file's region would refute it.
    words = ("certify", cubic(1.0), "--rate", 10.9, "--region", "q=2:3", "--out", tmp_path / "out")
    assert run(*words).exit_code == 0


def test_a_tampered_certificate_is_not_proved(cubic, tmp_path):
    assert run("certify", cubic(-1.0), "--rate", 0.9, "--out", tmp_path).exit_code == 0
    path = tmp_path / "certificate.json"
    certificate = json.loads(path.read_text())
    certificate["claim"]["bound"] = -1.5  # q' = -q - q^3 contracts with rate 1 at q = 0, no faster
    path.write_text(json.dumps(certificate))
    assert run("verify", path).exit_code in (FAILURE, UNDECIDED)


def test_a_truncated_certificate_is_refused(cubic, tmp_path):
    assert run("certify", cubic(-1.0), "--rate", 0.9, "--out", tmp_path).exit_code == 0
    path = tmp_path / "certificate.json"
    path.write_text(path.read_text()[:100])
    result = run("verify", path)
    assert result.exit_code == FAILURE
    assert "truncated" in result.output


def test_fit_finds_the_line_and_saves_a_system_with_it(tmp_path):
    pytest.importorskip("riemannian_modules.engine.fitting", reason="needs the fitting engine")
    path = tmp_path / "line.json"
    line = Affine([[1.0, 0.0]], [0.0])
    save_system(System(line, fit=FitTask("line.csv", bounds={"W": (-10.0, 10.0)})), path)
    rng = np.random.default_rng(0)
    u = rng.standard_normal((20, 2))
    y = u @ [2.0, -3.0] + 0.5
    table = np.column_stack([u, y])
    np.savetxt(tmp_path / "line.csv", table, delimiter=",", header="u[0],u[1],y[0]", comments="")
    result = run("fit", path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    fitted = load_system(tmp_path / "out" / "system.json").module
    # The data lie on the line but for the 18 digits of the table, so the fit is exact to rounding.
    assert np.allclose(fitted.theta, [2.0, -3.0, 0.5], rtol=1e-8)
    assert (tmp_path / "out" / "fit.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("u[0],u[1]\n1,2\n", "y[0]"),
        ("u[0],u[1],y[0]\n1,2\n", "line 2"),
        ("u[0],u[1],y[0]\n1,2,x\n", "line 2"),
        ("u[0],u[1],y[0]\n1,2,nan\n", "line 2"),
        ("", "header"),
        (None, "no such file"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_at_its_line(tmp_path, text, said):
    save_system(Affine([[1.0, 0.0]], [0.0]), tmp_path / "line.json")
    if text is not None:
        (tmp_path / "data.csv").write_text(text)
    result = run("fit", tmp_path / "line.json", "--data", tmp_path / "data.csv")
    assert result.exit_code == MISUSE
    assert said in result.output


def test_the_schema_is_json():
    result = run("schema")
    assert result.exit_code == 0
    assert "Affine" in json.loads(result.output)["$defs"]


@pytest.mark.parametrize("command", ["show", "simulate", "fit", "certify", "verify", "schema"])
def test_each_help_teaches_by_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"riemannian-modules {command}" in result.output


def test_the_bundled_example_is_a_system():
    from importlib.resources import files

    path = files("riemannian_modules") / "examples" / "gene_control.json"
    system = load_system(str(path))
    types = {type(m).__name__ for m in system.module.nodes.values()}
    assert {"Affine", "Tanh", "Lag", "HillRepression", "GeneExpression"} <= types
