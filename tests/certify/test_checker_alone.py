"""The checker runs without the library: as a package that is copied alone, and as one zip file."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import contraction_checker as checker
from riemannian_modules.evidence.registry import WORDS
from tests.certify.hand_written import FALSE_CHANGES, TRUE, changed
from tests.shared import ROOT

SCRIPT, PACKAGE = ROOT / ".ci" / "checker_zip.py", ROOT / "contraction_checker"


def copied(folder):
    """The package, copied alone."""
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return ["-m", "contraction_checker"]


def zipped(folder):
    """The package as one file, made by the script of the build."""
    subprocess.run([sys.executable, SCRIPT, folder], check=True, capture_output=True)
    return [str(folder / "contraction_checker.pyz")]


@pytest.mark.parametrize("make", [copied, zipped])
def test_it_runs_alone_in_an_empty_folder(make, tmp_path):
    alone = make(tmp_path)
    (tmp_path / "c.json").write_text(json.dumps(TRUE["tanh"]))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(json.dumps(TRUE["linf"]).encode()))
    (tmp_path / "false.json").write_text(json.dumps(changed(TRUE["tanh"], *FALSE_CHANGES["tanh"])))
    (tmp_path / "broken.json").write_text("{")

    def run(*arguments):
        # Without site-packages and without a path of ours: -S, -s and no PYTHONPATH.
        command = [sys.executable, "-S", "-s", *alone, *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    proved = run("c.json")
    assert (proved.returncode, proved.stderr) == (0, "")
    assert proved.stdout.startswith("PROVED\nclaim: flow, d|z|/dt <= -0.5 |z|\n")
    assert run("c.json.gz").returncode == 0
    refused = run("false.json")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert refused.stderr.startswith("NOT PROVED: the bound: leaf 1, everywhere: ")
    broken = run("broken.json")
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.startswith("no certificate: JSONDecodeError: ")
    assert [run(*names).returncode for names in (["missing.json"], [], ["c.json"] * 2)] == [1, 2, 2]


def test_the_zip_file_has_the_same_bytes_wherever_and_whenever_it_is_made(tmp_path):
    first = tmp_path / "first"
    zipped(first)
    elsewhere = tmp_path / "elsewhere"
    copied(elsewhere)
    (elsewhere / ".ci").mkdir()
    for name in (".ci/checker_zip.py", "LICENSE"):
        shutil.copy(ROOT / name, elsewhere / name)
    for path in sorted(elsewhere.rglob("*.py"), reverse=True):
        path.touch()  # other dates, in another order
        path.chmod(0o600)
    subprocess.run(
        [sys.executable, elsewhere / ".ci" / "checker_zip.py"],
        cwd=elsewhere, check=True, capture_output=True,
    )  # fmt: skip
    written = (elsewhere / "dist" / "contraction_checker.pyz").read_bytes()
    assert written == (first / "contraction_checker.pyz").read_bytes()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_its_help_tells_what_is_printed_and_what_the_exit_codes_are(flag, capsys):
    assert checker.main([flag]) == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("certificate.json", "PROVED", "SHA-256", "exit codes"))
    assert re.findall(r"^  (\d)  \w", told, re.M) == ["0", "1", "2", "4"]


def test_it_knows_the_rules_that_the_library_verifies():
    assert checker.RULES.keys() == set(WORDS)
