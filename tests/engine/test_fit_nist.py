"""NIST's nonlinear regression problems: six certified digits, from both starts, by default.

Source: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.
"""

from functools import cache

import mpmath
import numpy as np
import pytest

import riemannian_modules as rm
from benchmarks.fifty_digits import slow_minimum
from benchmarks.nist_file import read_problem
from benchmarks.nist_models import observed, regression
from benchmarks.nist_synthetic import SYNTHETIC, synthetic_problem
from riemannian_modules.engine.fitting import fit
from riemannian_modules.engine.linear_parameters import linear_parameters
from riemannian_modules.engine.progress import NoProgress
from tests.shared import SHARED

FOLDER = SHARED / "real" / "nist_strd"
FILES = sorted(FOLDER.glob("*.dat"))
CASES = [(path, start) for path in FILES for start in (0, 1)]


def digits(got, certified):
    """NIST's measure: the log relative error of the worst number, 11 where all agree."""
    error = np.max(np.abs(got - certified) / np.abs(certified))
    return 11.0 if error <= 1e-11 else -np.log10(error)


def fitted(name, predictors, response, start):
    module = regression(name, start)
    columns = dict(zip(module.inputs.names, predictors.T, strict=True))
    return fit(module, {**columns, "y": observed(name, response)}, progress=NoProgress())


@pytest.mark.skipif(not FILES, reason="NIST's files are absent; set RIEMANNIAN_SHARED")
@pytest.mark.parametrize(
    ("path", "start"), CASES, ids=[f"{path.stem}-start{start + 1}" for path, start in CASES]
)
def test_parameters_and_deviations_have_six_certified_digits(path, start):
    problem = read_problem(path)
    found = fitted(problem.name, problem.predictors, problem.response, problem.starts[start])
    assert found.outcome.is_settled
    assert digits(found.theta, problem.certified) >= 6
    assert digits(found.deviations, problem.deviations) >= 6
    assert digits(found.residual_sum, problem.residual_sum) >= 9
    assert found.freedom == len(problem.response) - len(problem.certified)


@cache
def reference(name):
    """The minimum of a synthetic problem in fifty digits, which both starts have in common."""
    problem = synthetic_problem(name)
    return slow_minimum(problem, problem.truth)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", SYNTHETIC)
def test_problems_of_the_same_kind_agree_with_fifty_digits(name, start):
    problem = synthetic_problem(name)
    found = fitted(problem.formula, problem.predictors, problem.response, problem.starts[start])
    # The reference starts from the truth, not from what was found: another minimum would show.
    theta, deviations = reference(name)
    assert found.outcome.is_settled
    assert digits(found.theta, theta) >= 6
    assert digits(found.deviations, deviations) >= 6


def test_a_nearly_perfect_fit_keeps_the_digits_of_its_residuals():
    """A power law with residuals of 1e-13: float64 outputs leave three digits of their sum."""

    class Power(rm.StaticMap):
        inputs, outputs = rm.space("x"), rm.space("y")
        parameters = {"b1": 1.0, "b2": 1.0}

        def map(self, u, p):
            return {"y": p.b1 * u.x**p.b2}

    x = np.linspace(1.0, 2.0, 9).round(3)
    y = np.array([float(f"{value:.12f}") for value in 2.0 * x**1.5])
    found = fit(Power(), {"x": x, "y": y}, progress=NoProgress())
    with mpmath.workdps(40):
        xs, ys = ([mpmath.mpf(repr(float(v))) for v in column] for column in (x, y))
        # At the truth r = rounding of y; the best fit explains the part of r along J.
        r = mpmath.matrix([2 * a ** mpmath.mpf("1.5") - b for a, b in zip(xs, ys, strict=True)])
        slopes = [[a ** mpmath.mpf("1.5") for a in xs]]
        slopes.append([2 * s * mpmath.log(a) for s, a in zip(slopes[0], xs, strict=True)])
        J = mpmath.matrix(slopes).T
        left = r - J * mpmath.lu_solve(J.T * J, J.T * r)
        wanted = float((left.T * left)[0])
    assert found.outcome.is_settled
    assert digits(found.residual_sum, wanted) >= 6


@pytest.mark.parametrize(
    ("name", "count", "linear"),
    [
        ("Kirby2", 5, (0, 1, 2)),
        ("Gauss1", 8, (0, 2, 5)),
        ("ENSO", 9, (0, 1, 2, 4, 5, 7, 8)),
        ("Nelson", 3, (0, 1)),
        ("MGH10", 3, (0,)),
        ("Chwirut1", 3, ()),
    ],
)
def test_linear_parameters_are_found_in_the_formula(name, count, linear):
    assert linear_parameters(regression(name, np.ones(count))) == linear
