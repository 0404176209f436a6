"""Bounds of Jacobians over boxes, beside immrax, auto_LiRPA and python-flint: tightness and speed.

Every tool gets the same exact Jacobian, as text, the same equal boxes and the same metric, and
bounds the largest log-norm over all boxes. Ours is what a proof tests, rounding included; what the
others leave out is in their rows. Three traps of floating point follow: what each tool says, and
the truth.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.region import box
from riemannian_modules.search.traced_problem import make_problem

Row = dict[str, Any]
REPEATS = 3
SLACK = 1e-9  # of the truth, which is computed in floating point

# - BB^T + e_0 e_0^T for integer B of rank 2: on the null vector z of B^T it is z_0^2 > 0.
HALF = [[-657050932988665, 283751814759276, -153138252087514],
        [283751814759276, -927589020385842, 1214242476472128],
        [-153138252087514, 1214242476472128, -1673050187026402]]  # fmt: skip
# Rump's polynomial with its sign changed, at (77617, 33096); in floating point it is -1.1726.
RUMP = "-((333.75 - v0**2)*v1**6 + v0**2*(11*v0**2*v1**2 - 121*v1**4 - 2) + 5.5*v1**8 + v0/(2*v1))"
AT = (77617.0, 33096.0)
SLOPE = "-8*v0/(v0**2 + 1)**2"


@dataclass(frozen=True, slots=True)
class Trap:
    """A question on which floating point misleads: its task, what we say to it, and the truth."""

    name: str
    truth: str
    task: Row
    ours: Callable[[], str]


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
        **({"false": "a faster rate than is true"} if bound < truth - SLACK * abs(truth) else {}),
    }  # fmt: skip


def our_row(case: Case) -> tuple[Row, Row]:
    """Our numbers on one case, and the task for the other tools."""
    problem = make_problem(case.module, box(case.sides))
    criterion = make_criterion(problem, l2(case.metric))
    lower, upper = equal_boxes(problem, case.boxes)
    bound = float(box_bounds(problem, criterion, lower, upper).max())
    times = [seconds(lambda: box_bounds(problem, criterion, lower, upper)) for _ in range(REPEATS)]
    ours = {"bound": bound, "seconds": min(times)}
    row = measured(case.name, "ours", case.truth, len(lower), ours)
    return {**row, "covers": "rounding, certificate"}, task_of(case, problem, lower, upper)


def case_rows(cases: Sequence[Case]) -> list[list[Row]]:
    """All tools on each case, ours first."""
    pairs = [our_row(case) for case in cases]
    rows = [[ours] for ours, _ in pairs]
    for peer in PEERS:
        answers = ask(peer, [task for _, task in pairs])
        for found, case, answer in zip(rows, cases, answers, strict=True):
            row = measured(case.name, peer.name, case.truth, found[0]["boxes"], answer)
            found.append({**row, "omits": peer.omits})
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
    answers = {peer.name: ask(peer, [trap.task for trap in TRAPS]) for peer in PEERS}
    rows: list[Row] = []
    for k, trap in enumerate(TRAPS):
        rows.append({"name": f"{trap.name}: ours", "said": trap.ours(), "truth": trap.truth})
        for tool, told in answers.items():
            rows.append(
                {"name": f"{trap.name}: {tool}", "said": said(told[k]), "truth": trap.truth}
            )
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


def slope_by_us() -> str:
    """The enclosure of a slope of a Hill function, as a quotient of intervals."""
    p = sp.Symbol("v0")
    ends = [Interval(np.array([0.57]), np.array([0.58]))]
    (value,) = compile_intervals((sp.sympify(SLOPE),), ((p,),))(ends)
    low, high = (float(np.asarray(end).item()) for end in value.bounds)
    # The steepest slope of 4/(1 + p^2), at p = 1/sqrt(3), is -3 sqrt(3)/2.
    if not low <= -1.5 * math.sqrt(3) <= high:
        raise AssertionError("our enclosure misses the steepest slope")
    return f"[{low:.10g}, {high:.10g}]"


TRAPS = (
    Trap(
        "Rump's polynomial at a point", "0.8273960599...",
        {"kind": "point", "expression": RUMP, "lower": AT, "upper": AT}, rump_by_us,
    ),
    Trap(
        "largest eigenvalue of a 3 by 3 matrix of integers", "positive",
        {"kind": "eigenvalue", "matrix": HALF}, eigenvalue_by_us,
    ),
    Trap(
        "root of 1 - p + p^2 over p in [0, 1.5]", "[0.866, 1.323]",
        {"kind": "point", "expression": "sqrt(1 - v0 + v0**2)", "lower": [0.0], "upper": [1.5]},
        root_by_us,
    ),
    Trap(
        "-8 p / (p^2 + 1)^2 over p in [0.57, 0.58]", "reaches -2.5980762 at p = 1/sqrt(3)",
        {"kind": "point", "expression": SLOPE, "lower": [0.57], "upper": [0.58]}, slope_by_us,
    ),
)  # fmt: skip


def run() -> dict[str, Any]:
    """All cases, then the traps; ``comparison`` holds the numbers of the plot."""
    rows: list[Row] = []
    numbers: list[Row] = []
    for found in case_rows([make() for make in MAKERS.values()]):
        numbers += found
        rows += [table_row(row, found[0]) for row in found]
    speed = {(r["case"], r["tool"]): r.get("boxes_per_second") for r in numbers}
    for peer in PEERS:
        ratios = [v / speed[case, peer.name] for (case, tool), v in speed.items()
                  if tool == "ours" and speed[case, peer.name]]  # fmt: skip
        if ratios:
            rows.append({"name": f"boxes per second, ours / {peer.name}",
                         "median": statistics.median(ratios)})  # fmt: skip
    return {"rows": [*rows, *trap_rows()], "comparison": numbers}


def draw(outcome: Mapping[str, Any]) -> Any:
    """The plot of a run, which the runner saves beside the results."""
    return comparison_figure(outcome["comparison"])
