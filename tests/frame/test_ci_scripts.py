"""The gate stops at the first failure; the nightly check goes on and names what failed."""

import re
import subprocess

import pytest

from tests.shared import ROOT

BOTH_FAIL = "first() { false; echo went on; }"


def run(script: str) -> subprocess.CompletedProcess:
    text = f"set -euo pipefail\n. {ROOT}/.ci/steps.sh\n{BOTH_FAIL}\n{script}"
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)


def test_a_step_stops_at_its_first_failing_command():
    done = run("step one first\necho after")
    assert done.returncode != 0
    assert "went on" not in done.stdout
    assert "after" not in done.stdout


def test_an_attempt_stops_inside_but_not_what_follows():
    done = run('attempt one first\nattempt two true\nprintf "failed: %s\\n" "${failed[@]}"')
    assert done.returncode == 0
    assert "went on" not in done.stdout
    assert done.stdout.endswith("<== two: 0 s\nfailed: one\n")


def test_a_process_of_the_checks_keeps_the_bytecode_of_what_it_imports():
    show = "import sys; print(sys.dont_write_bytecode)"
    done = run(f"export PYTHONDONTWRITEBYTECODE=1\n. {ROOT}/.ci/steps.sh\npython3 -c '{show}'")
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("name", ["run", "nightly", "steps.sh"])
def test_the_script_can_be_read_by_bash(name):
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / name)], check=True)


@pytest.mark.parametrize("name", ["run", "nightly"])
def test_the_files_that_a_script_names_are_there(name):
    text = (ROOT / ".ci" / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/$])((?:\.ci|tests|examples)/[\w/]+\.py)", text))
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_the_nightly_check_turns_what_the_tests_read():
    text = (ROOT / ".ci" / "nightly").read_text(encoding="utf-8")
    mutations = (ROOT / "tests/certify/test_checker_mutations.py").read_text(encoding="utf-8")
    for variable in re.findall(r'environ\.get\("(RIEMANNIAN_\w+)"', mutations):
        assert variable in text
    assert "HYPOTHESIS_PROFILE=thorough" in text
    assert 'register_profile("thorough"' in (ROOT / "tests/conftest.py").read_text(encoding="utf-8")
