"""Importing the library stays light: heavy libraries come in when they are needed."""

import json
import subprocess
import sys

import pytest

import riemannian_modules
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


ROOMS = ("certify", "engine", "errors", "metrics", "plot", "results", "spec", "testing")


def printed(program):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def loaded():
    program = "import json, sys, riemannian_modules; print(json.dumps(sorted(sys.modules)))"
    return set(printed(program))


@pytest.mark.parametrize("library", HEAVY)
def test_importing_the_library_does_not_load(library, loaded):
    assert library not in loaded


def test_importing_the_library_is_seen_by_this_test(loaded):
    assert "riemannian_modules" in loaded


@pytest.mark.parametrize("room", ROOMS)
def test_a_package_of_the_library_is_reached_after_importing_the_library_alone(room):
    program = (
        "import json, riemannian_modules as rm; listed = dir(rm); "
        f"print(json.dumps([{room!r} in listed, rm.{room}.__name__]))"
    )
    assert printed(program) == [True, f"riemannian_modules.{room}"]


def test_a_name_that_the_library_has_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="engin"):
        riemannian_modules.engin  # noqa: B018


def test_listing_the_names_of_the_library_loads_nothing():
    program = (
        "import json, sys, riemannian_modules as rm; dir(rm); print(json.dumps([*sys.modules]))"
    )
    assert set(printed(program)).isdisjoint({*HEAVY, "riemannian_modules.engine"})
