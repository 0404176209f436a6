"""The command line as a process of its own: exit codes, streams, interrupts and imports."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from riemannian_modules.cli import FAILURE, INTERRUPTED, MISUSE, PROVED, REFUTED, UNDECIDED
from riemannian_modules.region import box
from riemannian_modules.spec import System, save_system
from tests.certify.branching_problems import Swirl
from tests.cli.commands import save_cubic, told_by_an_interrupt
from tests.shared import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}


def command(*words):
    return [sys.executable, "-m", "riemannian_modules", *(str(word) for word in words)]


def run(*words, cwd=None):
    return subprocess.run(
        command(*words), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_the_example_is_proved_and_nothing_but_results_is_said(tmp_path):
    result = run("certify", cwd=tmp_path)
    assert result.returncode == PROVED, result.stderr
    assert "PROVED" in result.stdout
    # No warning of a solver or of NumPy reaches the user.
    names = "certificate.json, contraction.png, graph.png, proof.csv, rates.png, summary.json"
    assert result.stderr.strip() == f"Saved in results: {names}"
    checked = run("verify", "results/certificate.json", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (PROVED, "")


@pytest.mark.slow
def test_a_false_claim_is_refuted_and_an_open_one_undecided(tmp_path):
    path = save_cubic(tmp_path / "cubic.json", 1.0)
    assert run("certify", path, "--rate", 0.5, cwd=tmp_path).returncode == REFUTED
    shear = ("--norm", "l2", "--condition", 1, "--rate", 0.068)
    assert run("certify", *shear, cwd=tmp_path).returncode == UNDECIDED


def test_misuse_and_failure_have_codes_of_their_own(tmp_path):
    wrong = run("simulate", "--t-end", "-1", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (MISUSE, "")
    assert "--t-end" in wrong.stderr
    (tmp_path / "proof.json").write_text(json.dumps({"format": "riemannian-modules certificate"}))
    damaged = run("verify", "proof.json", cwd=tmp_path)
    assert (damaged.returncode, damaged.stdout) == (FAILURE, "")
    assert damaged.stderr.startswith("error: ")
    assert damaged.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="sends a Unix signal")
def test_ctrl_c_ends_the_search_in_a_line(tmp_path):
    # No norm proves the rate and no point refutes it: the search lasts until it is interrupted,
    # however late the machine lets this process do so.
    path, out = tmp_path / "swirl.json", tmp_path / "out"
    save_system(System(Swirl(), "swirl", region=box(x=(-1, 1.5), u=(0, 3))), path)
    undecided = ("--norm", "l2", "--condition", 1, "--rate", 0.95)
    words = command("certify", path, *undecided, "--seconds", 1000, "--out", out)
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        # The draft of the results appears when the work begins.
        while process.poll() is None and list(tmp_path.iterdir()) == [path]:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == INTERRUPTED
    assert said.count("\n") == 1
    saved, _, next_words = told_by_an_interrupt(said)
    assert next_words[: len(words) - 3] == [str(word) for word in words[3:]]
    assert sorted(p.name for p in out.glob("*")) == saved
    assert {p.name for p in tmp_path.iterdir()} == {path.name, *([out.name] if saved else [])}


def test_the_help_needs_no_heavy_library():
    code = (
        "import sys\n"
        "from riemannian_modules.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'sympy', 'cvxpy', 'matplotlib', 'networkx', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    for words in ((), ("certify",)):
        result = subprocess.run(
            [sys.executable, "-c", code, *words, "--help"],
            env=ENVIRONMENT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert result.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_stops_reading_is_no_error():
    shown = subprocess.Popen(
        command("schema"), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    shown.stdout.read(1)
    shown.stdout.close()
    assert shown.stderr.read() == b""
    shown.stderr.close()
    shown.wait()
