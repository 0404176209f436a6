"""Importing the library stays light: heavy libraries come in when they are needed."""

import json
import subprocess
import sys

import pytest

from tests.shared import ROOT

HEAVY = (
    "clarabel",
    "cvxpy",
    "matplotlib",
    "networkx",
    "numba",
    "pint",
    "pydantic",
    "pygraphviz",
    "rich",
    "scipy.integrate",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.signal",
    "scipy.sparse",
    "scipy.stats",
    "sympy",
    "torch",
    "typer",
)


@pytest.fixture(scope="module")
def loaded():
    program = "import json, sys, riemannian_modules; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("library", HEAVY)
def test_importing_the_library_does_not_load(library, loaded):
    assert library not in loaded


def test_importing_the_library_is_seen_by_this_test(loaded):
    assert "riemannian_modules" in loaded
