"""Branch and bound: boxes of a region are split, worst first, until the bound is tight.

The tree of splits is the proof's skeleton: its leaves cover the region by construction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from riemannian_modules.certify.criterion import Criterion
from riemannian_modules.certify.decide import box_bounds
from riemannian_modules.certify.problem import Problem
from riemannian_modules.certify.ranges import inner_points
from riemannian_modules.certify.search import sample_points
from riemannian_modules.door import brief, number
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: after ``boxes`` or ``seconds``, or once within ``tolerance`` of the best.

    Attributes:
        progress: Called with (boxes so far, proved bound, sampled bound) after each batch.
    """

    boxes: int = 20_000
    seconds: float = 60.0
    tolerance: float = 2e-4
    progress: Callable[[int, float, float], None] | None = None

    def __post_init__(self) -> None:
        if not number("Budget: boxes", self.boxes) >= 1:
            raise DomainError(f"Budget: expected at least 1 box, got {self.boxes}.")
        if not (
            number("Budget: seconds", self.seconds)
            >= 0
            <= number("Budget: tolerance", self.tolerance)
        ):
            raise DomainError(
                f"Budget: expected seconds and a tolerance of at least 0, got {self.seconds} and "
                f"{self.tolerance}."
            )
        if not (self.progress is None or callable(self.progress)):
            raise SignatureError(
                f"Budget: expected a function as progress, got {brief(self.progress)}."
            )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """A region cut into boxes.

    Attributes:
        cuts: The tree in preorder: (axis, place) for a cut, None for a leaf.
        lower, upper: Sides of the leaves in the same order, (leaves, dim).
        bounds: For each leaf, the b that is proved on it; inf where none was.
        sampled: The largest b at sampled points: no bound below it is true (up to rounding).
        point: Where it was sampled.
    """

    cuts: tuple[tuple[int, float] | None, ...]
    lower: Array
    upper: Array
    bounds: Array
    sampled: float
    point: Array


class _Node:
    __slots__ = ("axis", "bound", "left", "lower", "place", "right", "upper")

    def __init__(self, lower: Array, upper: Array, bound: float) -> None:
        self.lower, self.upper, self.bound = lower, upper, bound
        self.axis, self.place = -1, 0.0
        self.left: _Node | None = None
        self.right: _Node | None = None


def partition(
    problem: Problem,
    criterion: Criterion,
    target: float | None,
    budget: Budget,
    hopeless: float = np.inf,
) -> Partition:
    """Cut the region until ``target`` is proved, or the best b is known within the tolerance.

    Args:
        problem: The problem; its box is the region.
        criterion: The test.
        target: The b to reach; None to come within the budget's tolerance of the sampled bound.
        budget: Limits.
        hopeless: A b beyond which a sample ends the search: the claim is false then.
    """
    deadline = time.monotonic() + budget.seconds
    point, sampled = worst_point(problem, criterion, deadline)
    ends = problem.lower, problem.upper
    bounds = box_bounds(problem, criterion, ends[0][None], ends[1][None])
    root = _Node(*ends, float(bounds[0]))
    leaves, count = [root], 1
    while True:
        worst = max(leaf.bound for leaf in leaves)
        if budget.progress is not None:
            budget.progress(count, worst, sampled)
        goal = (
            target if target is not None else sampled + budget.tolerance * max(abs(sampled), 1e-12)
        )
        is_spent = count >= budget.boxes or time.monotonic() > deadline
        if worst <= goal or sampled > hopeless or is_spent:
            return _result(root, sampled, point)
        leaves.sort(key=lambda leaf: leaf.bound)
        cut = [leaf for leaf in leaves[-256:] if leaf.bound > goal]
        leaves = leaves[: len(leaves) - len(cut)] if len(cut) < len(leaves) else []
        children = [child for leaf in cut for child in _split(problem, criterion, leaf)]
        if not children:
            return _result(root, sampled, point)
        bounds = box_bounds(
            problem,
            criterion,
            np.stack([c.lower for c in children]),
            np.stack([c.upper for c in children]),
        )
        for child, bound in zip(children, bounds, strict=True):
            child.bound = float(bound)
        leaves += children
        count += len(children)
        middles = inner_points(
            np.stack([c.lower for c in children]), np.stack([c.upper for c in children])
        )
        values = needed(problem, criterion, middles)
        if values.max() > sampled:
            point, sampled = middles[int(values.argmax())], float(values.max())


def worst_point(
    problem: Problem, criterion: Criterion, deadline: float, count: int = 512, rounds: int = 12
) -> tuple[Array, float]:
    """A point of the region (dim,) where the test needs the largest b that was found, and that b.

    Sampling, then coordinate moves of the best points, ever smaller, until the ``deadline`` (of
    `time.monotonic`). Untrusted.
    """
    rng = np.random.default_rng(1)
    points = sample_points(problem, rng, count)
    values = needed(problem, criterion, points)
    width = np.where(np.isfinite(problem.upper - problem.lower), problem.upper - problem.lower, 1.0)
    for k in range(rounds):
        if time.monotonic() > deadline:
            break
        best = points[np.argsort(values)[-16:]]
        moved = np.repeat(best, count // 16, axis=0)
        axis = rng.integers(0, max(len(width), 1), len(moved))
        rows = np.arange(len(moved))
        step = rng.standard_normal(len(moved)) * width[axis] * 0.5**k
        ends = np.stack(
            [problem.lower[axis], problem.upper[axis], 0.0 * step, moved[rows, axis] + step]
        )
        choice = ends[rng.integers(0, 4, len(moved)), rows]
        moved[rows, axis] = np.where(np.isfinite(choice), choice, moved[rows, axis] + step)
        moved = np.clip(moved, problem.lower, problem.upper)
        points, values = (
            np.concatenate([best, moved]),
            np.concatenate([np.sort(values)[-16:], needed(problem, criterion, moved)]),
        )
    place = int(np.argmax(values))
    return points[place], float(values[place])


def needed(problem: Problem, criterion: Criterion, points: Array) -> Array:
    """The b that the test needs at points; -inf where it is undefined there."""
    low, high = criterion.form.ranges(problem.symbols, points, points)
    with np.errstate(invalid="ignore", over="ignore"):
        T = criterion.form.at(0.5 * low + 0.5 * high).midpoint
    finite = np.isfinite(T).all((1, 2))
    values = np.full(len(points), -np.inf)
    if finite.any():
        found = criterion.estimate(T[finite])
        # Where a metric is not definite in floating point, the sample says nothing.
        values[finite] = np.where(np.isposinf(found), -np.inf, found)
    return values


def _split(problem: Problem, criterion: Criterion, leaf: _Node) -> list[_Node]:
    """Cut a box across the side whose halves narrow the atoms most; a point gives none."""
    best: tuple[float, int, float] | None = None
    for axis in _moving_axes(problem, criterion):
        place = _middle(leaf.lower[axis], leaf.upper[axis])
        if not leaf.lower[axis] < place < leaf.upper[axis]:
            continue
        lower, upper = np.stack([leaf.lower] * 2), np.stack([leaf.upper] * 2)
        upper[0, axis] = lower[1, axis] = place
        low, high = criterion.form.ranges(problem.symbols, lower, upper)
        width = np.nan_to_num(np.arctan(high) - np.arctan(low), nan=4.0).sum() + 1e-9 * (
            upper[0, axis] != leaf.upper[axis]
        ) / (1 + leaf.upper[axis] - leaf.lower[axis])
        if best is None or width < best[0]:
            best = (float(width), axis, place)
    if best is None:
        return []
    _, leaf.axis, leaf.place = best
    left, right = (_Node(leaf.lower.copy(), leaf.upper.copy(), np.inf) for _ in range(2))
    left.upper[leaf.axis] = right.lower[leaf.axis] = leaf.place
    leaf.left, leaf.right = left, right
    return [left, right]


def _moving_axes(problem: Problem, criterion: Criterion) -> list[int]:
    """The sides that the test depends on; cutting others changes nothing."""
    conditions = {s for _, e in problem.conditions for s in e.free_symbols}
    constrained = {n for c in problem.constraints.rows for n in c.coefficients}
    constrained |= {n for c in problem.constraints.balls for n in c.names}
    moving = criterion.form.symbols | conditions
    moving |= {s for s in problem.symbols if s.name in constrained}
    return [i for i, s in enumerate(problem.symbols) if s in moving]


def _middle(low: float, high: float) -> float:
    """Where a side is cut: in the middle, or twice as far out where it is unbounded."""
    if np.isinf(low) and np.isinf(high):
        return 0.0
    if np.isinf(high):
        return 2.0 * abs(low) + 1.0
    if np.isinf(low):
        return -2.0 * abs(high) - 1.0
    return 0.5 * low + 0.5 * high


def _result(root: _Node, sampled: float, point: Array) -> Partition:
    cuts: list[tuple[int, float] | None] = []
    leaves: list[_Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.left is None or node.right is None:
            cuts.append(None)
            leaves.append(node)
        else:
            cuts.append((node.axis, node.place))
            stack += [node.right, node.left]
    return Partition(
        tuple(cuts), np.stack([n.lower for n in leaves]), np.stack([n.upper for n in leaves]),
        np.array([n.bound for n in leaves]), sampled, point,
    )  # fmt: skip


def leaves_of(
    cuts: list[tuple[int, float] | None], lower: Array, upper: Array
) -> tuple[Array, Array]:
    """The boxes that a tree of cuts makes of a region; together they cover it.

    Raises:
        ValueError: If the tree is incomplete, has left-over entries, or cuts outside a box.
    """
    lows: list[Array] = []
    highs: list[Array] = []
    stack = [(lower, upper)]
    for cut in cuts:
        if not stack:
            raise ValueError("The tree of cuts goes on after its last leaf.")
        low, high = stack.pop()
        if cut is None:
            lows.append(low)
            highs.append(high)
            continue
        axis, place = cut
        if not (0 <= axis < len(low) and low[axis] <= place <= high[axis]):
            raise ValueError(f"A cut at {place} across side {axis} lies outside of its box.")
        left, right = high.copy(), low.copy()
        left[axis] = right[axis] = place
        stack += [(right, high), (low, left)]
    if stack:
        raise ValueError("The tree of cuts ends before its last leaf.")
    return np.stack(lows), np.stack(highs)
