"""The gate takes its commands out of the README."""

import importlib.util
import re

import pytest

from tests.shared import ROOT

_SPEC = importlib.util.spec_from_file_location("ci_readme", ROOT / ".ci" / "readme.py")
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
fenced_block = _MODULE.fenced_block


def test_the_block_after_the_mark_is_the_one_taken():
    text = "```sh\nfirst\n```\n<!-- ci: tests -->\n```sh\nsecond\nthird\n```\n```sh\nlast\n```\n"
    assert fenced_block(text, "tests") == "second\nthird\n"


def test_a_missing_mark_gives_nothing():
    assert fenced_block("<!-- ci: tests, later -->\n```sh\nfirst\n```\n", "tests") is None


@pytest.mark.parametrize("name", ["tests", "tools", "example"])
def test_the_readme_has_what_the_gate_runs(name):
    assert fenced_block((ROOT / "README.md").read_text(encoding="utf-8"), name)


def test_install_commands_are_single_commands():
    # One command of the README installs and tests: no second line to forget.
    block = fenced_block((ROOT / "README.md").read_text(encoding="utf-8"), "tests")
    assert len(block.splitlines()) == 1
    assert "pip install" in block
    assert "pytest" in block


def test_the_tests_that_the_readme_leaves_out_run_every_night():
    block = fenced_block((ROOT / "README.md").read_text(encoding="utf-8"), "tests")
    nightly = (ROOT / ".ci" / "nightly").read_text(encoding="utf-8")
    (left_out,) = re.findall(r'pytest -n auto --dist worksteal -m "not (\w+)"$', block)
    assert re.search(rf"pytest -n auto --dist worksteal -m {left_out}$", nightly, re.MULTILINE)
