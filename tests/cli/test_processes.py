"""The command line as a process of its own: exit codes, streams, interrupts and imports."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from riemannian_modules.cli import FAILURE, INTERRUPTED, MISUSE, PROVED, REFUTED, UNDECIDED
from tests.cli.commands import save_cubic
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
    names = "certificate.json, contraction.png, graph.png, rates.png, summary.json"
    assert result.stderr.strip() == f"Saved in results: {names}"
    checked = run("verify", "results/certificate.json", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (PROVED, "")


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
    words = command("certify", "--seconds", 1000, "--out", tmp_path / "out")
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        # The draft of the results appears when the work begins.
        while process.poll() is None and not list(tmp_path.iterdir()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == INTERRUPTED
    again = f"certify --seconds 1000 --out {tmp_path / 'out'}"
    nothing = f"error: interrupted; nothing was saved. Begin again with: riemannian-modules {again}"
    assert said == nothing + "\n"
    assert list(tmp_path.iterdir()) == []


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
