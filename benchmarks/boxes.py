"""Decisions on six-dimensional boxes, rounding included, beside ``nextafter`` and balls.

Two flows of six states: a firing rate network, whose slopes are ``1 - tanh^2``, and three coupled
pendulums. A decision encloses ``2 b M - M J - J^T M`` over one box of a grid, wide radius and all,
and tests whether every matrix of the enclosure is positive definite. The references answer the same
question on the same boxes: NumPy with ``nextafter`` after every operation and ``eigvalsh`` of the
centre (whose rounding nobody covers), and python-flint's balls with an elimination, box by box.
"""

import os
import time
from collections.abc import Callable
from itertools import product

import numpy as np
from flint import arb

import riemannian_modules as rm
from benchmarks.timing import paired_times
from riemannian_modules.claims.norms import L2
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.search.traced_problem import make_problem

CUTS, BALLS, REPEATS = 7, 512, 3  # CUTS^6 = 117,649 boxes
WEIGHTS = np.random.default_rng(0).integers(-8, 9, (6, 6)) / 32
GRAVITY, COUPLING, DAMPING = 1.0, 0.25, 2.0
SPRING = COUPLING * np.array([[-1.0, 1, 0], [1, -2, 1], [0, 1, -1]])


class Network(rm.Flow):
    """``dx = W tanh(x) - x``."""

    state = rm.space(x=6)

    def equations(self, x, u, p):
        return {"x": WEIGHTS @ np.tanh(x.x) - x.x}


class Pendulums(rm.Flow):
    """Three damped pendulums in a row, held to each other by springs."""

    state = rm.space(q=3, w=3)

    def equations(self, x, u, p):
        return {"q": x.w, "w": SPRING @ x.q - GRAVITY * np.sin(x.q) - DAMPING * x.w}


# Module, metric, half the region's side, and the log-norm bound that is asked for.
TILTED = np.kron(np.array([[2.0, 0.5], [0.5, 1.0]]), np.eye(3))
PROBLEMS = {
    "network": (Network(), np.eye(6), 1.0, -0.1),
    "pendulums": (Pendulums(), TILTED, 0.75, -0.1),
}


def grid(half: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corners of the boxes that CUTS cuts of each side make, (CUTS^6, 6)."""
    ends = np.linspace(-half, half, CUTS + 1)
    places = np.array(list(product(range(CUTS), repeat=6)))
    return ends[places], ends[places + 1]


# -- NumPy with nextafter


def down(x):
    return np.nextafter(x, -np.inf)


def up(x):
    return np.nextafter(x, np.inf)


def slopes_by_nextafter(name, lower, upper):
    """Bounds of the nonlinear slopes, (boxes, slopes), library values moved by 4 ulp."""
    if name == "network":
        low, high = np.tanh(lower), np.tanh(upper)
        for _ in range(4):
            low, high = down(low), up(high)
        largest, inside = np.maximum(-low, high), (low <= 0) & (high >= 0)
        least = np.where(inside, 0.0, np.minimum(np.abs(low), np.abs(high)))
        return down(1.0 - up(largest * largest)), up(1.0 - down(least * least))
    low, high = lower[:, :3], upper[:, :3]
    ends, inside = (np.cos(low), np.cos(high)), (low <= 0) & (high >= 0)
    least, largest = np.minimum(*ends), np.where(inside, 1.0, np.maximum(*ends))
    for _ in range(4):
        least, largest = down(least), up(largest)
    return least, largest


def enclosures_by_nextafter(name, lower, upper):
    """Bounds of ``M J + J^T M``, (boxes, 6, 6), as one writes it by hand for each flow."""
    _, M, _, _ = PROBLEMS[name]
    low, high = slopes_by_nextafter(name, lower, upper)
    columns, constant = slope_columns(name)
    S_low = np.broadcast_to(M @ constant + constant.T @ M, (len(lower), 6, 6)).copy()
    S_high = S_low.copy()
    for j, C in enumerate(columns):
        K = M @ C + C.T @ M
        a, b = low[:, j, None, None] * K, high[:, j, None, None] * K
        S_low = down(S_low + down(np.minimum(a, b)))
        S_high = up(S_high + up(np.maximum(a, b)))
    return S_low, S_high


def slope_columns(name):
    """``J = constant + sum_j slope_j columns[j]``."""
    if name == "network":
        return [WEIGHTS * np.eye(6)[j] for j in range(6)], -np.eye(6)
    constant = np.zeros((6, 6))
    constant[:3, 3:], constant[3:, :3], constant[3:, 3:] = np.eye(3), SPRING, -DAMPING * np.eye(3)
    return [-GRAVITY * np.outer(np.eye(6)[3 + j], np.eye(6)[j]) for j in range(3)], constant


def decisions_by_nextafter(name, lower, upper):
    """Whether ``2 b M - S`` seems positive definite: the centre's eigenvalue and the radius."""
    _, M, _, b = PROBLEMS[name]
    low, high = enclosures_by_nextafter(name, lower, upper)
    centre = 0.5 * (low + high)
    radius = up(up(high - centre).sum(-1).max(-1))
    return np.linalg.eigvalsh(2 * b * M - centre)[:, 0] > radius


# -- python-flint


def decisions_by_balls(name, lower, upper):
    """Elimination on matrices of balls, box by box; every pivot has to be positive."""
    _, M, _, b = PROBLEMS[name]
    columns, constant = slope_columns(name)
    fixed = 2 * b * M - M @ constant - constant.T @ M
    moving = [M @ C + C.T @ M for C in columns]
    return [balls_decide(name, fixed, moving, *box) for box in zip(lower, upper, strict=True)]


def balls_decide(name, fixed, moving, lower, upper):
    slopes = []
    for low, high in zip(lower[: len(moving)], upper[: len(moving)], strict=True):
        x = arb((low + high) / 2, (high - low) / 2)
        slopes.append(arb.cos(x) if name == "pendulums" else 1 - arb.tanh(x) ** 2)
    A = [[arb(v) for v in row] for row in fixed]
    for K, slope in zip(moving, slopes, strict=True):
        for i, j in zip(*np.nonzero(K), strict=True):
            A[i][j] -= float(K[i, j]) * slope
    for k in range(6):
        if not A[k][k] > 0:
            return False
        for i in range(k + 1, 6):
            factor = A[i][k] / A[k][k]
            for j in range(k + 1, 6):
                A[i][j] -= factor * A[k][j]
    return True


# -- the measurement


def pieces(lower, upper, length=2048):
    """Parts of the boxes that stay in the cache, so that the reference is at its best."""
    starts = range(0, len(lower), length)
    return [(lower[i : i + length], upper[i : i + length]) for i in starts]


def row(name: str, ours: Callable[[], object], theirs: Callable[[], object], boxes, theirs_boxes):
    """Times a box, so that references which cannot wait for all boxes are compared as well."""
    measured = paired_times(ours, theirs, REPEATS).row(name)
    ours_s = float(measured["ours_s"]) / boxes
    theirs_s = float(measured["reference_s"]) / theirs_boxes
    return {
        "name": name, "ours_s": ours_s, "reference_s": theirs_s, "ratio": ours_s / theirs_s,
        "ours_per_s": 1 / ours_s, "reference_per_s": 1 / theirs_s,
    }  # fmt: skip


def boxes_a_core(work: Callable[[], object], boxes: int) -> float:
    """Boxes a second of processor time: what one core does when it is not shared."""
    spent = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return boxes / min(spent)


def run() -> dict[str, object]:
    """Seconds a box; ``proved`` is the part of the boxes for which the bound is proved."""
    rows = []
    for name, (module, M, half, b) in PROBLEMS.items():
        lower, upper = grid(half)
        problem = make_problem(
            module, rm.box(dict.fromkeys(module.signature.state.coordinates, (-half, half)))
        )
        criterion = make_criterion(problem, L2(M))
        few = lower[:: len(lower) // BALLS], upper[:: len(upper) // BALLS]

        def ours(problem=problem, criterion=criterion, lower=lower, upper=upper, b=b):
            return boxes_prove(problem, criterion, lower, upper, b)

        def enclosures(name=name, lower=lower, upper=upper):
            return [enclosures_by_nextafter(name, *part) for part in pieces(lower, upper)]

        def decisions(name=name, lower=lower, upper=upper):
            return [decisions_by_nextafter(name, *part) for part in pieces(lower, upper)]

        def balls(name=name, few=few):
            return decisions_by_balls(name, *few)

        part = {
            "proved": float(ours().mean()),
            "reference_proved": float(np.mean(balls())),
            "ours_per_core_s": boxes_a_core(ours, len(lower)),
        }
        rows += [
            row(f"{name}: enclosed by nextafter alone", ours, enclosures, len(lower), len(lower)),
            row(f"{name}: decided by nextafter", ours, decisions, len(lower), len(lower)),
            row(f"{name}: decided by balls", ours, balls, len(lower), len(few[0])) | part,
        ]
    return {"rows": rows, "cores": len(os.sched_getaffinity(0))}
