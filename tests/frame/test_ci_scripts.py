"""The gate stops at the first failure; the nightly check goes on and names what failed."""

import re
import subprocess
import sys

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


OLDEST = re.compile(r"^main_job_with_the_oldest_python\(\) \{$.*?^\}$", re.MULTILINE | re.DOTALL)


def oldest(tmp_path, admitted, scripts):
    """What the step of the gate says where ``admitted`` is the oldest, ``scripts`` on PATH."""
    (function,) = OLDEST.findall((ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    (tmp_path / "pyproject.toml").write_text(f'requires-python = ">={admitted}"\n')
    (tmp_path / "bin").mkdir()
    for name, text in scripts.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    stubs = 'clean_checkout() { mkdir "$1"; }\nreadme_commands() { python3 "$1"; }'
    script = f"cd {tmp_path}\nscratch={tmp_path}\nPATH={tmp_path}/bin:$PATH\n{stubs}\n{function}"
    done = run(f"{script}\nmain_job_with_the_oldest_python")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_oldest_python_runs_the_main_job_where_it_is_another_and_is_there(tmp_path):
    old = {"real": 'echo "old: $*"', "python0.7": f"echo {tmp_path}/bin/real"}
    assert oldest(tmp_path, "0.7", old) == "old: main job\n"


def test_an_oldest_python_that_is_absent_or_python3_itself_is_told(tmp_path):
    (tmp_path / "one").mkdir()
    assert "0.7 is not on this machine" in oldest(tmp_path / "one", "0.7", {})
    (tmp_path / "other").mkdir()
    own = ".".join(str(part) for part in sys.version_info[:2])
    same = {"python3": f'exec {sys.executable} "$@"'}
    assert "the oldest: the main job has run with it" in oldest(tmp_path / "other", own, same)


def test_the_gate_makes_one_environment_and_waits_for_what_runs_beside_the_tests():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "python3 -m venv" not in text  # the README's commands make the one there is
    assert text.index('step "README: install and run the tests"') < text.index('wait "$beside"')
    assert text.index('wait "$beside"') < text.index('[ "$verdict" -eq 0 ]')
