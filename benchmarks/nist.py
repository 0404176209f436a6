"""NIST's nonlinear regression problems beside scipy's least_squares and lmfit.

Each solver gets the same compiled map and exact Jacobian, and is run by its defaults; scipy's also
with tolerances of 1e-15, for its own stop it at five digits or six. Solved means: six digits of
every certified parameter. Evaluations count the map and its derivative together.
"""

import contextlib
import importlib.util
import io
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.nist_file import Problem, read_problem
from benchmarks.nist_models import observed, regression
from riemannian_modules.engine.fitting import fit
from riemannian_modules.engine.progress import NoProgress

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("RIEMANNIAN_SHARED") or ROOT.parent / "shared") / "real" / "nist_strd"


@dataclass(frozen=True, eq=False)
class Solved:
    """Where a solver ended, how many evaluations it took, and how long."""

    theta: np.ndarray
    evaluations: int
    seconds: float


class Residual:
    """The residual and Jacobian of a problem as plain functions of theta, counted."""

    def __init__(self, problem: Problem, start: np.ndarray) -> None:
        self.module = regression(problem.name, start)
        self.inputs, self.target = problem.predictors, observed(problem.name, problem.response)
        self.count = 0

    def value(self, theta: np.ndarray) -> np.ndarray:
        """``y(theta) - t``, (N,)."""
        self.count += 1
        return self.module.output(np.zeros(0), self.inputs, theta)[:, 0] - self.target

    def slope(self, theta: np.ndarray) -> np.ndarray:
        """The Jacobian, (N, p)."""
        self.count += 1
        return self.module.jacobian(np.zeros(0), self.inputs, theta).F[:, 0, :]


def ours(problem: Problem, start: np.ndarray) -> Solved:
    """`fit`, by its defaults."""
    module = regression(problem.name, start)
    columns = dict(zip(module.inputs.names, problem.predictors.T, strict=True))
    columns["y"] = observed(problem.name, problem.response)
    begin = time.perf_counter()
    found = fit(module, columns, progress=NoProgress())
    seconds = time.perf_counter() - begin
    return Solved(found.theta, found.evaluations + found.derivatives, seconds)


def scipy_method(method: str, tolerance: float = 1e-8) -> Callable[[Problem, np.ndarray], Solved]:
    """``scipy.optimize.least_squares`` with one of its methods; 1e-8 is its own tolerance."""
    from scipy.optimize import least_squares

    def solve(problem: Problem, start: np.ndarray) -> Solved:
        r = Residual(problem, start)
        begin = time.perf_counter()
        tolerances = dict.fromkeys(("ftol", "xtol", "gtol"), tolerance)
        theta = least_squares(r.value, start, r.slope, method=method, **tolerances).x
        return Solved(theta, r.count, time.perf_counter() - begin)

    return solve


def lmfit_default(problem: Problem, start: np.ndarray) -> Solved:
    """``lmfit.minimize`` by its defaults (leastsq), with the exact Jacobian."""
    import lmfit

    r = Residual(problem, start)
    parameters = lmfit.Parameters()
    for i, value in enumerate(start, 1):
        parameters.add(f"b{i}", value=value)

    def vector(p: lmfit.Parameters) -> np.ndarray:
        return np.array([p[name].value for name in p])

    begin = time.perf_counter()
    result = lmfit.minimize(
        lambda p: r.value(vector(p)), parameters, Dfun=lambda p: r.slope(vector(p))
    )
    return Solved(vector(result.params), r.count, time.perf_counter() - begin)


def is_solved(theta: np.ndarray, problem: Problem) -> bool:
    """Whether every parameter has six certified digits."""
    error = np.abs(theta - problem.certified) / np.abs(problem.certified)
    return bool((error <= 1e-6).all())


def run() -> dict[str, object]:
    """One row a solver: problems solved of all, evaluations and seconds of all together."""
    files = sorted(FOLDER.glob("*.dat"))
    problems = [read_problem(path) for path in files]
    solvers = {
        "fit": ours,
        "scipy lm": scipy_method("lm"),
        "scipy trf": scipy_method("trf"),
        "scipy dogbox": scipy_method("dogbox"),
        "scipy lm, 1e-15": scipy_method("lm", 1e-15),
        "scipy trf, 1e-15": scipy_method("trf", 1e-15),
        "scipy dogbox, 1e-15": scipy_method("dogbox", 1e-15),
    }
    if importlib.util.find_spec("lmfit"):
        solvers["lmfit"] = lmfit_default
    _trace_all(problems)
    results = {name: _all_starts(solve, problems) for name, solve in solvers.items()}
    reference = sum(seconds for _, _, seconds, _ in results["scipy lm"])
    return {"rows": [_row(name, found, reference) for name, found in results.items()]}


def _trace_all(problems: list[Problem]) -> None:
    # Compiled maps are cached by their expressions, so no solver pays for tracing.
    for problem in problems:
        r = Residual(problem, problem.starts[0])
        r.value(problem.starts[0])
        r.slope(problem.starts[0])


Found = list[tuple[str, bool, float, int]]


def _all_starts(solve: Callable[[Problem, np.ndarray], Solved], problems: list[Problem]) -> Found:
    found: Found = []
    for problem in problems:
        for number, start in enumerate(problem.starts, 1):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found.append((f"{problem.name}/{number}", *_attempt(solve, problem, start)))
    return found


def _attempt(
    solve: Callable[[Problem, np.ndarray], Solved], problem: Problem, start: np.ndarray
) -> tuple[bool, float, int]:
    try:
        # lmfit and MINPACK print their complaints.
        with contextlib.redirect_stdout(io.StringIO()):
            solved = solve(problem, start.copy())
    except (ValueError, np.linalg.LinAlgError):  # least_squares refuses infinite residuals
        return False, 0.0, 0
    return is_solved(solved.theta, problem), solved.seconds, solved.evaluations


def _row(name: str, found: Found, reference: float) -> dict[str, object]:
    seconds = sum(row[2] for row in found)
    return {
        "name": name,
        "ours_s": seconds,
        "reference_s": reference,
        "ratio": seconds / reference if reference else float("nan"),
        "solved": f"{sum(row[1] for row in found)} of {len(found)}",
        "evaluations": sum(row[3] for row in found),
        "missed": " ".join(row[0] for row in found if not row[1]) or "none",
    }
