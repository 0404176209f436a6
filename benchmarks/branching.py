"""Branch and bound: boxes per second here and on processes, memory, and the tree before arrays.

Run with ``python -m benchmarks.branching [BOXES]``. The reference is the search that this one
replaced: a Python object a leaf, sides chosen leaf by leaf, 256 leaves at a time; it measures its
boxes with the same code.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import Budget, l2
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.search.boxes.cutting import moving_axes
from riemannian_modules.search.boxes.subdivide import partition
from riemannian_modules.search.boxes.witness import needed
from riemannian_modules.search.traced_problem import make_problem
from riemannian_modules.terms.cut_tree import CutTree

TARGET = -10.0  # out of reach, so that every search goes on to the end of its budget


class Ring(rm.Flow):
    """Four states in a ring, each bent by the next."""

    state = rm.space(x=4)

    def equations(self, x, u, p):
        z = x.x
        return {"x": np.stack([-2 * z[i] + np.sin(z[i - 1] + z[i]) for i in range(4)])}


def posed():
    problem = make_problem(Ring(), rm.box(x=(-2, 2)))
    return problem, make_criterion(problem, l2(np.eye(4)))


def leaf_by_leaf(problem, criterion, boxes):
    """The search before: (boxes, largest bound)."""
    low, high = problem.lower, problem.upper
    leaves = [(float(box_bounds(problem, criterion, low[None], high[None])[0]), low, high)]
    count = 1
    while count < boxes:
        leaves.sort(key=lambda leaf: leaf[0])
        cut, leaves = leaves[-256:], leaves[:-256]
        children = [child for leaf in cut for child in split(problem, criterion, leaf)]
        lower, upper = (np.stack([c[k] for c in children]) for k in (1, 2))
        bounds = box_bounds(problem, criterion, lower, upper)
        leaves += [(float(b), c[1], c[2]) for b, c in zip(bounds, children, strict=True)]
        count += len(children)
        needed(problem, criterion, np.concatenate([0.5 * lower + 0.5 * upper, lower, upper]))
    return count, max(leaf[0] for leaf in leaves)


def split(problem, criterion, leaf):
    best = None
    for axis in moving_axes(problem, criterion):
        place = 0.5 * leaf[1][axis] + 0.5 * leaf[2][axis]
        lower, upper = np.stack([leaf[1]] * 2), np.stack([leaf[2]] * 2)
        upper[0, axis] = lower[1, axis] = place
        low, high = criterion.form.ranges(problem.symbols, lower, upper)
        width = (np.arctan(high) - np.arctan(low)).sum()
        if best is None or width < best[0]:
            best = width, lower, upper
    return [(np.inf, lo, hi) for lo, hi in zip(best[1], best[2], strict=True)]


def timed(name, work, reference=None):
    start = time.perf_counter()
    boxes, bound = work()
    rate = boxes / (time.perf_counter() - start)
    beside = f"  {rate / reference:6.1f} times" if reference else ""
    print(f"{name:34s} {boxes:8d} boxes  bound {bound:9.5f}  {rate:9.0f} boxes/s{beside}")
    return rate


def searched(budget):
    parts = partition(*posed(), TARGET, budget)
    return parts.state.boxes, float(parts.bounds.max())


def memory(leaves):
    """Bytes that a tree of so many leaves holds, and seconds to make it and list its boxes."""
    tree, start = CutTree(-np.ones(12), np.ones(12), 0.0), time.perf_counter()
    rng = np.random.default_rng(0)
    while tree.count < 2 * leaves - 1:
        some = np.flatnonzero(tree.child == 0)[-8192:]
        lower, upper = tree.boxes(some)
        axes = rng.integers(0, 12, len(some))
        rows = np.arange(len(some))
        places = 0.5 * lower[rows, axes] + 0.5 * upper[rows, axes]
        tree.add(some, axes, places, rng.standard_normal(2 * len(some)))
    lower, _ = tree.leaf_boxes()
    seconds = time.perf_counter() - start
    print(
        f"a tree in 12 dimensions: {len(lower)} leaves in {seconds:.1f} s, "
        f"{tree.nbytes / len(lower):.0f} bytes a leaf held, "
        f"the sides of all leaves {2 * lower.nbytes / 1e6:.0f} MB"
    )


def main():
    boxes = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    searched(Budget(boxes=1000, seconds=600.0))  # compiles
    old = timed("leaf by leaf", lambda: leaf_by_leaf(*posed(), boxes // 10))
    timed("in batches", lambda: searched(Budget(boxes=boxes, seconds=600.0)), old)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        budget = Budget(boxes=boxes, seconds=600.0, executor=executor)
        searched(Budget(boxes=3000, seconds=600.0, executor=executor))  # starts the workers
        timed("in batches, 2 processes", lambda: searched(budget), old)
    memory(1_000_000)


if __name__ == "__main__":
    main()
