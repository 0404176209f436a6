"""Bounds of Jacobians over boxes, beside immrax, auto_LiRPA and python-flint: tightness and speed.

Every tool gets the same exact Jacobian, as text, the same equal boxes and the same metric, and
bounds the largest log-norm over all boxes. Ours is what a proof tests, rounding included; what the
others leave out is in their rows. Three traps of floating point follow: what each tool says, and
the truth.
"""

import math
import statistics
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from benchmarks.certification_cases import MAKERS, Case
from benchmarks.comparison import comparison_figure
from benchmarks.peers import PEERS, ask
from benchmarks.timing import seconds
from riemannian_modules.arithmetic.compile import compile_intervals
from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.certify import l2
from riemannian_modules.certify.criterion import make_criterion
from riemannian_modules.certify.decide import box_bounds
from riemannian_modules.certify.problem import Problem, make_problem
from riemannian_modules.region import box

Row = dict[str, Any]
REPEATS = 3

# - BB^T + e_0 e_0^T for integer B of rank 2: on the null vector z of B^T it is z_0^2 > 0.
HALF = [[-657050932988665, 283751814759276, -153138252087514],
        [283751814759276, -927589020385842, 1214242476472128],
        [-153138252087514, 1214242476472128, -1673050187026402]]  # fmt: skip
# Rump's polynomial with its sign changed, at (77617, 33096); in floating point it is -1.1726.
RUMP = "-((333.75 - v0**2)*v1**6 + v0**2*(11*v0**2*v1**2 - 121*v1**4 - 2) + 5.5*v1**8 + v0/(2*v1))"
AT = (77617.0, 33096.0)


def equal_boxes(problem: Problem, count: int) -> tuple[np.ndarray, np.ndarray]:
    """About ``count`` equal boxes: each side that matters is cut into as many parts."""
    symbols = {s for row in problem.jacobian for e in row for s in e.free_symbols}
    moving = [i for i, s in enumerate(problem.symbols) if s in symbols]
    parts = max(1, round(count ** (1 / len(moving))))
    places = np.stack(np.meshgrid(*[np.arange(parts)] * len(moving), indexing="ij"), -1)
    places = places.reshape(-1, len(moving))
    lower = np.repeat(problem.lower[None], len(places), axis=0)
    upper = np.repeat(problem.upper[None], len(places), axis=0)
    for k, i in enumerate(moving):
        edges = np.linspace(problem.lower[i], problem.upper[i], parts + 1)
        lower[:, i], upper[:, i] = edges[places[:, k]], edges[places[:, k] + 1]
    return lower, upper


def task_of(case: Case, problem: Problem, lower: np.ndarray, upper: np.ndarray) -> Row:
    """What the other tools are asked."""
    names = {s: sp.Symbol(f"v{i}") for i, s in enumerate(problem.symbols)}
    code = [str(e.xreplace(names)) for row in problem.jacobian for e in row]
    root = np.linalg.cholesky(case.metric).T
    return {
        "kind": "boxes", "jacobian": code, "n": len(problem.jacobian), "root": root.tolist(),
        "lower": lower.tolist(), "upper": upper.tolist(),
    }  # fmt: skip


def measured(case: str, tool: str, truth: float, boxes: int, result: Mapping[str, Any]) -> Row:
    """The numbers of one tool on one case."""
    if "failed" in result:
        return {"case": case, "tool": tool, "said": result["failed"]}
    bound, took = float(result["bound"]), result["seconds"]
    return {
        "case": case, "tool": tool, "rate": -bound, "true_rate": -truth, "tightness": bound / truth,
        "boxes": boxes, "boxes_per_second": boxes / took, "seconds": took,
        **({"method": result["method"]} if "method" in result else {}),
    }  # fmt: skip


def case_rows(case: Case) -> list[Row]:
    """All tools on one case, ours first."""
    problem = make_problem(case.module, box(case.sides))
    criterion = make_criterion(problem, l2(case.metric))
    lower, upper = equal_boxes(problem, case.boxes)
    bound = float(box_bounds(problem, criterion, lower, upper).max())
    times = [seconds(lambda: box_bounds(problem, criterion, lower, upper)) for _ in range(REPEATS)]
    ours = {"bound": bound, "seconds": min(times)}
    rows = [measured(case.name, "ours", case.truth, len(lower), ours)]
    rows[0]["covers"] = "rounding, certificate"
    task = task_of(case, problem, lower, upper)
    for peer in PEERS:
        row = measured(case.name, peer.name, case.truth, len(lower), ask(peer, task))
        rows.append({**row, "omits": peer.omits})
    return rows


def table_row(row: Row, ours: Row) -> Row:
    """A row as the runner prints it: seconds beside seconds, then everything else."""
    known = {"name": f"{row['case']}: {row['tool']}"}
    if "seconds" in row and row is not ours:
        known |= {"ours_s": ours["seconds"], "reference_s": row["seconds"]}
        known["ratio"] = ours["seconds"] / row["seconds"]
    elif row is ours:
        known["ours_s"] = ours["seconds"]
    return {**known, **{k: v for k, v in row.items() if k != "seconds"}}


def trap_rows() -> list[Row]:
    """What each tool says where floating point misleads, ours first."""
    rows: list[Row] = []
    for name, truth, task, ours in (
        ("Rump's polynomial at a point", "0.8273960599...",
         {"kind": "point", "expression": RUMP, "lower": AT, "upper": AT}, rump_by_us),
        ("largest eigenvalue of a 3 by 3 matrix of integers", "positive, proved below",
         {"kind": "eigenvalue", "matrix": HALF}, eigenvalue_by_us),
        ("root of 1 - p + p^2 over p in [0, 1.5]", "[0.866, 1.323]",
         {"kind": "point", "expression": "sqrt(1 - v0 + v0**2)", "lower": [0.0], "upper": [1.5]},
         root_by_us),
    ):  # fmt: skip
        rows.append({"name": f"{name}: ours", "said": ours(), "truth": truth})
        rows += [{"name": f"{name}: {p.name}", "said": said(ask(p, task)), "truth": truth}
                 for p in PEERS]  # fmt: skip
    return rows


def said(answer: Mapping[str, Any]) -> str:
    """An answer of a tool in a few words."""
    if "failed" in answer:
        return str(answer["failed"])
    if "value" in answer:
        value = float(answer["value"])
        return f"{'at most ' if value > 0 else ''}{value:.6g}"
    return f"[{float(answer['lower']):.10g}, {float(answer['upper']):.10g}]"


def rump_by_us() -> str:
    """The enclosure that our interval arithmetic gives."""
    a, b = sp.symbols("v0 v1")
    ends = [Interval.point(np.array([v])) for v in AT]
    (value,) = compile_intervals((sp.sympify(RUMP, rational=True),), ((a, b),))(ends)
    exact = sp.sympify(RUMP, rational=True).subs({a: int(AT[0]), b: int(AT[1])})
    low, high = (float(np.asarray(end).item()) for end in value.bounds)
    if not low <= exact <= high:
        raise AssertionError("our enclosure misses the exact value")
    return f"[{low:.4g}, {high:.4g}], which holds {float(exact):.10g}"


def eigenvalue_by_us() -> str:
    """Whether our test accepts the matrix as negative definite; that it is not is exact."""
    accepted = bool(is_positive_definite(-np.array(HALF, dtype=float)))
    z = [Fraction(v) for v in null_vector()]
    form = sum(z[i] * HALF[i][j] * z[j] for i in range(3) for j in range(3))
    if accepted or not form > 0:
        raise AssertionError("a matrix with a positive eigenvalue was accepted")
    return f"not accepted as negative definite; exactly, z'Sz = {float(form):.3g} > 0 for a z"


def null_vector() -> list[int]:
    """An integer z with ``z^T HALF z > 0``: the cross product of two rows without the unit."""
    for k in range(3):
        rows = [[v - (i == j == k) for j, v in enumerate(row)] for i, row in enumerate(HALF)]
        (a, b, c), (d, e, f) = rows[0], rows[1]
        z = [b * f - c * e, c * d - a * f, a * e - b * d]
        shrunk = [v // math.gcd(*z) for v in z] if any(z) else z
        form = sum(shrunk[i] * HALF[i][j] * shrunk[j] for i in range(3) for j in range(3))
        if form > 0:
            return shrunk
    raise AssertionError("no such vector")


def root_by_us() -> str:
    """Whether a box on which the natural interval of the radicand dips below zero is decided."""
    p = sp.Symbol("v0")
    radicand = 1 - p + p**2
    ends = [Interval(np.array([0.0]), np.array([1.5]))]
    (value,) = compile_intervals((sp.sqrt(radicand),), ((p,),))(ends)
    low, high = (float(np.asarray(end).item()) for end in value.bounds)
    return "undefined, the box stays undecided" if math.isnan(low) else f"[{low:.4g}, {high:.4g}]"


def run() -> dict[str, Any]:
    """All cases, then the traps; ``comparison`` holds the numbers of the plot."""
    rows: list[Row] = []
    numbers: list[Row] = []
    for make in MAKERS.values():
        found = case_rows(make())
        numbers += found
        rows += [table_row(row, found[0]) for row in found]
    for peer in PEERS:
        ratios = [r["boxes_per_second"] for r in numbers if r["tool"] == peer.name
                  and "boxes_per_second" in r]  # fmt: skip
        if ratios:
            ours = [r["boxes_per_second"] for r in numbers if r["tool"] == "ours"]
            pairs = zip(ours, ratios, strict=False)
            rows.append({"name": f"boxes per second, ours / {peer.name}",
                         "median": statistics.median(a / b for a, b in pairs)})  # fmt: skip
    return {"rows": [*rows, *trap_rows()], "comparison": numbers}


def draw(outcome: Mapping[str, Any]) -> Any:
    """The plot of a run, which the runner saves beside the results."""
    return comparison_figure(outcome["comparison"])
