"""The descent beside the solvers that people use: MINPACK, curve_fit, statsmodels, NIST's numbers.

- MGH: the problems of More, Garbow and Hillstrom in the 53 runs of MINPACK's test driver, beside
  ``least_squares(method='lm')`` with the same exact Jacobian. Reached means: a minimum that the
  authors or MINPACK's runs list, local ones among them, to six digits, or a value approached at
  infinity to four; counted apart are those that reached the least of all. Evaluations are those of
  the map and of its derivative, over the runs that both reach.
- NIST: 27 problems from both starts; solved means eight digits of every parameter.
- Curves, linear models and generalised linear models: CPU time, paired.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import riemannian_modules as rm
from benchmarks.fifty_digits import slow_minimum
from benchmarks.mgh import PROBLEMS, Problem, Residuals
from benchmarks.nist import FOLDER
from benchmarks.nist_file import read_problem
from benchmarks.nist_models import observed, regression
from benchmarks.nist_synthetic import SYNTHETIC, synthetic_problem
from benchmarks.timing import paired_times
from riemannian_modules.engine import BernoulliLoss, NoProgress, PoissonLoss, fit

Row = dict[str, Any]
QUIET = NoProgress()
_DIGITS = 8.0


def run() -> dict[str, object]:
    """A row for each set and each timed problem."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return {"rows": [*mgh(), *nist(), *curves(), *linear_models()]}


# More, Garbow and Hillstrom.


def fitted(problem: Problem, start: np.ndarray) -> Any:
    """Our fit: the residuals are the outputs, of which zero is wanted."""
    module = Residuals(problem.formula, start)
    targets = np.zeros((1, module.signature.outputs.size))
    return fit(module, {"nothing": [0.0], "f": targets}, progress=QUIET)


def minpack(problem: Problem, start: np.ndarray) -> tuple[float, int]:
    """The sum of squares where MINPACK's lmder ends by SciPy's defaults, and its evaluations."""
    from scipy.optimize import least_squares

    module, u = Residuals(problem.formula, start), np.zeros((1, 1))
    found = least_squares(
        lambda x: module.output(np.zeros(0), u, x)[0],
        start,
        lambda x: module.jacobian(np.zeros(0), u, x).F[0],
        method="lm",
    )
    return 2.0 * found.cost, found.nfev + found.njev


def mgh() -> Iterator[Row]:
    """All runs together: how many are reached and settled, and the evaluations of both."""
    counts = dict.fromkeys(("runs", "ours", "lm", "ours least", "lm least", "settled"), 0)
    evaluations, seconds, missed = [0, 0], [0.0, 0.0], []
    for problem, factor in ((p, k) for p in PROBLEMS for k in p.factors):
        start = problem.at(factor)
        fitted(problem, start)  # traced and compiled
        begin = time.process_time()
        found = fitted(problem, start)
        between = time.process_time()
        square_lm, count_lm = minpack(problem, start)
        took = (between - begin, time.process_time() - between)
        square = 2.0 * found.loss
        ours, lm = problem.is_reached(square), problem.is_reached(square_lm)
        counts["runs"] += 1
        counts["ours"] += ours
        counts["lm"] += lm
        counts["ours least"] += problem.is_least(square)
        counts["lm least"] += problem.is_least(square_lm)
        counts["settled"] += found.outcome.is_settled
        if not ours:
            missed.append(f"{problem.name}/{factor}")
        if ours and lm:
            counted = (found.evaluations + found.derivatives, count_lm)
            evaluations = [total + n for total, n in zip(evaluations, counted, strict=True)]
            seconds = [total + t for total, t in zip(seconds, took, strict=True)]
    yield {
        "name": "MGH",
        "ours_s": seconds[0],
        "reference_s": seconds[1],
        "ratio": seconds[0] / seconds[1],
        "evaluations_ratio": evaluations[0] / evaluations[1],
        "evaluations": f"{evaluations[0]} against {evaluations[1]}",
        **counts,
        "missed": " ".join(missed) or "none",
    }


# NIST.


def digits(got: np.ndarray, exact: np.ndarray) -> float:
    """The log relative error of the worst parameter, 11 where all agree."""
    error = float(np.max(np.abs(got - exact) / np.abs(exact)))
    return 11.0 if error <= 1e-11 else -float(np.log10(error))


def nist_runs() -> Iterator[tuple[str, str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, formula, predictors, response, start and exact parameters of all 54 runs."""
    files = {path.stem: path for path in sorted(FOLDER.glob("*.dat"))}
    for name, path in files.items():
        problem = read_problem(path)
        y = observed(name, problem.response)
        for number, start in enumerate(problem.starts, 1):
            yield f"{name}/{number}", name, problem.predictors, y, start, problem.certified
    for name in SYNTHETIC:
        made = synthetic_problem(name)
        exact = slow_minimum(made, made.truth)[0]
        y = observed(made.formula, made.response)
        for number, start in enumerate(made.starts, 1):
            yield f"{name}/{number}", made.formula, made.predictors, y, start, exact


def nist() -> Iterator[Row]:
    """How many starts end settled with eight digits; certified ones, or fifty digits' minimum."""
    got: dict[str, float] = {}
    evaluations = 0
    for name, formula, predictors, y, start, exact in nist_runs():
        module = regression(formula, start)
        columns = dict(zip(module.inputs.names, predictors.T, strict=True))
        found = fit(module, {**columns, "y": y}, progress=QUIET)
        got[name] = digits(found.theta, exact) if found.outcome.is_settled else 0.0
        evaluations += found.evaluations + found.derivatives
    solved = sum(value >= _DIGITS for value in got.values())
    yield {
        "name": "NIST",
        "solved": f"{solved} of {len(got)}",
        "evaluations": evaluations,
        "fewest digits": min(got.values(), default=float("nan")),
        "missed": " ".join(k for k, value in got.items() if value < _DIGITS) or "none",
    }


# curve_fit.


class Decay(rm.StaticMap):
    """``a exp(-k t) + c``."""

    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"a": 1.0, "k": 0.5, "c": 0.0}

    def map(self, u: Any, p: Any) -> Any:
        """The curve."""
        return {"y": p.a * np.exp(-p.k * u.t) + p.c}


class Peak(rm.StaticMap):
    """``a exp(-((t - m) / s)^2 / 2) + b``."""

    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"a": 1.0, "m": 2.0, "s": 1.0, "b": 0.1}

    def map(self, u: Any, p: Any) -> Any:
        """The curve."""
        return {"y": p.a * np.exp(-(((u.t - p.m) / p.s) ** 2) / 2) + p.b}


def curves() -> Iterator[Row]:
    """Two curves with 20 to 100,000 points."""
    from scipy.optimize import curve_fit

    rng = np.random.default_rng(0)
    for n in (20, 1_000, 10_000, 100_000):
        t = np.linspace(0.0, 5.0, n)
        cases: list[tuple[Any, Callable[..., Any], np.ndarray, float]] = [
            (Decay(), lambda t, a, k, c: a * np.exp(-k * t) + c, np.array([2, 0.8, 0.3]), 0.01),
            (
                Peak(), lambda t, a, m, s, b: a * np.exp(-(((t - m) / s) ** 2) / 2) + b,
                np.array([3, 2.5, 0.7, 0.5]), 0.1,
            ),
        ]  # fmt: skip
        for module, formula, truth, noise in cases:
            y = formula(t, *truth) + noise * rng.standard_normal(n)
            start = module.theta
            times = _cpu(
                lambda module=module, t=t, y=y: fit(module, {"t": t, "y": y}, progress=QUIET),
                lambda f=formula, t=t, y=y, start=start: curve_fit(f, t, y, start),
            )
            yield {**times, "name": f"{type(module).__name__.lower()}, {n:,} points, curve_fit"}


# statsmodels.


def linear_models() -> Iterator[Row]:
    """Ordinary least squares, a logistic and a Poisson regression, 100,000 x 10."""
    import statsmodels.api as sm

    rng, n = np.random.default_rng(1), 100_000
    X = rng.standard_normal((n, 10))
    eta = X @ (0.3 * rng.standard_normal(10)) - 0.5
    design = np.column_stack([np.ones(n), X])
    module = rm.Affine(np.zeros((1, 10)), [0.0])
    binary = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    counts = rng.poisson(np.exp(eta)).astype(float)
    y = eta + rng.standard_normal(n)
    cases = [
        ("ordinary least squares", None, y, lambda: sm.OLS(y, design).fit()),
        (
            "logistic regression", BernoulliLoss(), binary,
            lambda: sm.GLM(binary, design, family=sm.families.Binomial()).fit(),
        ),
        (
            "Poisson regression", PoissonLoss(), counts,
            lambda: sm.GLM(counts, design, family=sm.families.Poisson()).fit(),
        ),
    ]  # fmt: skip
    for name, loss, target, reference in cases:
        columns = {"u": X, "y": target[:, None]}
        times = _cpu(
            lambda columns=columns, loss=loss: fit(module, columns, loss, progress=QUIET), reference
        )
        ours = fit(module, columns, loss, progress=QUIET)
        theirs = np.asarray(reference().params)
        gap = float(np.abs(ours.theta - [*theirs[1:], theirs[0]]).max())
        more = f"{ours.evaluations} + {ours.derivatives}"
        yield {**times, "name": f"{name}, statsmodels", "evaluations": more, "difference": gap}


def _cpu(ours: Callable[[], object], reference: Callable[[], object]) -> Row:
    return paired_times(ours, reference, repeats=11, clock=time.process_time).row("")
