"""Fits of time courses beside scipy's `least_squares` over `solve_ivp` with finite differences.

Three problems with 2 states (predator and prey), 5 (Goodwin's loop) and 10 (a stiff cascade of
enzymes), each in several experiments with 2 % noise. Both sides start from the same parameters,
search on logarithms and integrate at rtol 1e-8; scipy gets its equations by hand in plain Python,
LSODA, and the differences that suit that tolerance. How far each ends from the minimum, in standard
deviations of the parameters, is told by a Gauss-Newton step at rtol 1e-11. Processor time, medians
of paired ratios.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

from riemannian_modules.engine import NoProgress, simulate
from riemannian_modules.engine.time_courses import (
    CourseFit,
    LogScale,
    experiment,
    fit_trajectories,
)
from riemannian_modules.engine.time_courses.likelihood import MeasurementLoss
from riemannian_modules.modules import Equations

os.environ.setdefault("OMP_NUM_THREADS", "1")
REPEATS = 5
LIMIT = 1.0
RTOL, ATOL = 1e-8, 1e-10
NOISE = 0.02  # of each observable's largest value
DIFFERENCE = 1e-5  # the step on logarithms: the root of the tolerance, and some


@dataclass(frozen=True, eq=False)
class Case:
    """A problem: our equations, the same by hand, and what is measured when, from which starts."""

    flow: Equations
    by_hand: Callable[..., list[float]]
    starts: Sequence[Sequence[float]]
    times: np.ndarray
    measured: Sequence[str]
    away: Sequence[float]  # factors from the true parameters to the start of the search


def predator(t: float, z: np.ndarray, p: np.ndarray) -> list[float]:
    a, b, c, d = p
    x, y = z
    return [a * x - b * x * y, d * x * y - c * y]


def goodwin(t: float, z: np.ndarray, p: np.ndarray) -> list[float]:
    k1, d1, k2, d2, k3, d3, k4, d4, k5, d5 = p
    m, a, b, c, r = z
    return [k1 / (1 + r**4) - d1 * m, k2 * m - d2 * a, k3 * a - d3 * b, k4 * b - d4 * c,
            k5 * c - d5 * r]  # fmt: skip


def cascade(t: float, z: np.ndarray, p: np.ndarray) -> list[float]:
    kon, koff, k1, v1, m1, k2, v2, m2, kd, kc, kg = p
    R, L, B, K, Kp, M, Mp, T, C, G = z
    bind = kon * R * L - koff * B
    first = k1 * B * K - v1 * Kp / (m1 + Kp)
    second = k2 * Kp * M - v2 * Mp / (m2 + Mp)
    fast, made = 500.0 * (Mp * T - kd * C), kc * C
    return [-bind, -bind, bind, -first, first, -second, second - fast + made, made - fast,
            fast - made, made - kg * G]  # fmt: skip


CASES: Mapping[str, Case] = {
    "2 states, 4 parameters": Case(
        Equations(
            {"dx": "a*x - b*x*y", "dy": "d*x*y - c*y"}, state="x y",
            parameters={"a": 1.0, "b": 0.5, "c": 1.2, "d": 0.4},
        ),
        predator, [(3.0, 1.0), (1.0, 2.0), (2.0, 0.5)], np.linspace(0.5, 12.0, 24), ("x", "y"),
        (0.8, 1.4, 0.83, 0.75),
    ),
    "5 states, 10 parameters": Case(
        Equations(
            {"dm": "k1/(1 + r^4) - d1*m", "da": "k2*m - d2*a", "db": "k3*a - d3*b",
             "dc": "k4*b - d4*c", "dr": "k5*c - d5*r"}, state="m a b c r",
            parameters={"k1": 1.0, "d1": 0.3, "k2": 0.8, "d2": 0.4, "k3": 0.7, "d3": 0.5,
                        "k4": 0.6, "d4": 0.35, "k5": 0.9, "d5": 0.45},
        ),
        goodwin, [(0.0,) * 5, (2.0, 0.0, 1.0, 0.0, 0.0)], np.linspace(1.0, 30.0, 20),
        ("m", "a", "b", "c", "r"), (1.3, 0.8, 1.2, 1.3, 0.7, 1.2, 1.2, 0.9, 0.8, 1.25),
    ),
    "10 states, stiff, 11 parameters": Case(
        Equations(
            {"dR": "-bind", "dL": "-bind", "dB": "bind", "dK": "-first", "dKp": "first",
             "dM": "-second", "dMp": "second - fast + made", "dT": "made - fast",
             "dC": "fast - made", "dG": "made - kg*G"},
            state="R L B K Kp M Mp T C G",
            definitions={
                "bind": "kon*R*L - koff*B", "first": "k1*B*K - v1*Kp/(m1 + Kp)",
                "second": "k2*Kp*M - v2*Mp/(m2 + Mp)", "fast": "500*(Mp*T - kd*C)",
                "made": "kc*C",
            },
            parameters={"kon": 50.0, "koff": 20.0, "k1": 0.8, "v1": 0.3, "m1": 0.5, "k2": 1.2,
                        "v2": 0.4, "m2": 0.6, "kd": 0.8, "kc": 0.7, "kg": 0.1},
        ),
        cascade, [(1.0, dose, 0.0, 1.0, 0.0, 1.0, 0.0, 0.5, 0.0, 0.0) for dose in (0.2, 1.0, 3.0)],
        np.geomspace(0.005, 40.0, 20), ("B", "Kp", "Mp", "G"),
        (1.3, 0.8, 1.2, 1.3, 0.7, 1.2, 1.2, 0.9, 0.8, 1.25, 0.8),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Task:
    """A case with its measurements, of which both sides get the same."""

    case: Case
    values: Sequence[Mapping[str, np.ndarray]]  # of each experiment
    sigma: Sequence[Mapping[str, float]]

    @property
    def start(self) -> np.ndarray:
        """Where the search begins."""
        return self.case.flow.theta * np.array(self.case.away)

    def ours(self) -> CourseFit:
        """`fit_trajectories`, everything from the equations' start to the result included."""
        flow, names = self.case.flow.with_parameters(self.start), self.case.flow.state.names
        experiments = [
            experiment(
                {name: (self.case.times, v) for name, v in values.items()}, name=f"{i}",
                x0=dict(zip(names, start, strict=True)), sigma=sigma,
            )
            for i, (start, values, sigma) in enumerate(
                zip(self.case.starts, self.values, self.sigma, strict=True)
            )
        ]  # fmt: skip
        scales = {name: LogScale() for name in flow.parameters}
        return fit_trajectories(flow, experiments, scales=scales, rtol=RTOL, progress=NoProgress())

    def reference(self) -> Any:
        """`least_squares` over `solve_ivp`."""
        case, names = self.case, list(self.case.flow.state.names)
        rows = [names.index(name) for name in case.measured]

        def residual(logs: np.ndarray) -> np.ndarray:
            parts = []
            for start, values, sigma in zip(case.starts, self.values, self.sigma, strict=True):
                found = solve_ivp(
                    case.by_hand, (0.0, case.times[-1]), start, "LSODA", case.times,
                    args=(np.exp(logs),), rtol=RTOL, atol=ATOL,
                )  # fmt: skip
                parts += [
                    (found.y[row] - values[name]) / sigma[name]
                    for row, name in zip(rows, case.measured, strict=True)
                ]
            return np.concatenate(parts)

        return least_squares(
            residual, np.log(self.start), x_scale="jac", diff_step=DIFFERENCE, xtol=1e-10
        )


def measured(case: Case, seed: int) -> Task:
    """The case with noisy measurements."""
    rng, values, sigma = np.random.default_rng(seed), [], []
    for start in case.starts:
        names = case.flow.state.names
        run = simulate(
            case.flow, np.concatenate([[0.0], case.times]), dict(zip(names, start, strict=True))
        )
        size = {name: NOISE * float(np.abs(run[name]).max()) for name in case.measured}
        sigma.append(size)
        values.append({
            name: run[name][1:] + s * rng.standard_normal(len(case.times))
            for name, s in size.items()
        })  # fmt: skip
    return Task(case, values, sigma)


def distance(found: CourseFit, logs: np.ndarray) -> float:
    """How far parameters are from the minimum, in the metric of their standard deviations."""
    model, loss = replace(found.problem, rtol=1e-11).model, MeasurementLoss()
    pull = loss.gradient(model.predicted(logs), model.rows.targets)
    gradient = np.einsum("nq,nqf->f", pull, model.predicted_slopes(logs))
    return float(np.sqrt(gradient @ found.information.covariance @ gradient))


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def run() -> dict[str, Any]:
    """One row a problem."""
    rows = []
    for name, case in CASES.items():
        task = measured(case, seed=1)
        found, theirs = task.ours(), task.reference()
        ours, reference = [], []
        for _ in range(REPEATS):
            ours.append(processor_seconds(task.ours))
            reference.append(processor_seconds(task.reference))
        rows.append({
            "name": name, "ours_s": float(np.median(ours)),
            "reference_s": float(np.median(reference)),
            "ratio": float(np.median(np.array(ours) / np.array(reference))), "limit": LIMIT,
            "outcome": found.outcome.value, "integrations": found.evaluations,
            "with sensitivities": found.derivatives, "scipy's": int(theirs.nfev),
            "scipy's Jacobians": int(theirs.njev),
            "off by": distance(found, np.log(found.theta)),
            "scipy off by": distance(found, theirs.x),
        })  # fmt: skip
    return {"rows": rows}
