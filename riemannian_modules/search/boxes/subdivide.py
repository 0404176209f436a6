"""Branch and bound: boxes of a region are split, worst first, until the bound is tight.

The tree of splits is the proof's skeleton: its leaves cover the region by construction. What is
found depends on the problem alone: not on who measures the boxes, nor on how often a search is put
down and taken up again; only where it ends depends on the time it is given.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.search.boxes.budget import Budget, Progress
from riemannian_modules.search.boxes.pieces import Job, Measurer, Piece, piece_size
from riemannian_modules.search.boxes.search_state import SearchState, require_same
from riemannian_modules.search.boxes.witness import probe, regular_near, worst_point
from riemannian_modules.spaces import Array
from riemannian_modules.terms.cut_tree import CutTree, Ids
from riemannian_modules.terms.deadline import deadline

SMALLEST_BATCH = 512
PROBED = 32  # the worst boxes that a probe for a witness starts from
SAVE_EVERY = 30.0  # seconds


@final
@dataclass(frozen=True, eq=False)
class Partition:
    """A region cut into boxes.

    Attributes:
        tree: The cuts.
        sampled: The largest b at sampled points: no bound below it is true (up to rounding).
        point: Where it was sampled, or nearby where the map has a kink just there, (dim,).
        state: The search, to go on from.
        was_interrupted: Whether the search was ended by the user (KeyboardInterrupt).
    """

    tree: CutTree
    sampled: float
    point: Array
    state: SearchState
    was_interrupted: bool = False

    @cached_property
    def cuts(self) -> tuple[tuple[int, float] | None, ...]:
        """The tree in preorder: (axis, place) for a cut, None for a leaf."""
        return self.tree.cuts()

    @cached_property
    def _sides(self) -> tuple[Array, Array]:
        return self.tree.leaf_boxes()

    @property
    def lower(self) -> Array:
        """Lower sides of the leaves in the same order, (leaves, dim)."""
        return self._sides[0]

    @property
    def upper(self) -> Array:
        """Upper sides of the leaves in the same order, (leaves, dim)."""
        return self._sides[1]

    @cached_property
    def bounds(self) -> Array:
        """For each leaf, the b that is proved on it; inf where none was."""
        return self.tree.bound[self.tree.leaves()]


def partition(
    problem: Problem,
    criterion: Criterion,
    target: float | None,
    budget: Budget,
    hopeless: float = np.inf,
    *,
    resume: SearchState | None = None,
    question: Mapping[str, Any] | None = None,
) -> Partition:
    """Cut the region until ``target`` is proved, or the best b is known within the tolerance.

    Args:
        problem: The problem; its box is the region.
        criterion: The test.
        target: The b to reach; None to come within the budget's tolerance of the sampled bound.
        budget: Limits.
        hopeless: A b beyond which a sample ends the search: the claim is false then.
        resume: A search of the same problem to go on with; it is changed in place.
        question: JSON data to be saved with the search.

    Raises:
        RegionError: If ``resume`` is a search of something else.
        OutputError: If the budget names a file that cannot be written.
    """
    search = _Search(problem, criterion, target, budget, hopeless, resume, question)
    was_interrupted = False
    try:
        search.run()
    except KeyboardInterrupt:
        was_interrupted = True
        search.repair()
    state = search.state
    point = state.point
    try:
        search.save()
        point, _ = regular_near(problem, criterion, (point, state.sampled), hopeless)
    except KeyboardInterrupt:
        was_interrupted = True
        search.save()
    return Partition(state.tree, state.sampled, point, state, was_interrupted)


@final
class _Search:
    """One session of a search."""

    def __init__(
        self, problem: Problem, criterion: Criterion, target: float | None, budget: Budget,
        hopeless: float, resume: SearchState | None, question: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        self.began = self.saved = time.monotonic()
        self.deadline = min(deadline(), self.began + budget.seconds)
        self.problem, self.criterion, self.target = problem, criterion, target
        self.budget, self.hopeless = budget, hopeless
        self.piece = piece_size(criterion)
        self.measurer = Measurer(problem, criterion, budget.executor, self.deadline)
        if resume is not None:
            require_same(resume, problem, criterion, target)
            self.state = resume
            return
        point, sampled = worst_point(problem, criterion, self.deadline)
        ends = problem.lower, problem.upper
        bound = box_bounds(problem, criterion, ends[0][None], ends[1][None])
        tree = CutTree(*ends, float(bound[0]))
        origin = problem, criterion, target
        self.state = SearchState(origin, tree, point, sampled, question=question or {})

    @property
    def goal(self) -> float:
        """The bound below which a box is settled; it never falls while samples are added."""
        if self.target is not None:
            return self.target
        sampled = self.state.sampled
        if not np.isfinite(sampled):
            return sampled
        return sampled + self.budget.tolerance * max(abs(sampled), 1e-12)

    @property
    def is_spent(self) -> bool:
        return self.state.boxes >= self.budget.boxes or time.monotonic() > self.deadline

    def run(self) -> None:
        """Batch after batch, until all is settled, or hopeless, or the budget is spent."""
        state = self.state
        while True:
            if not state.queue.size and not self._choose():
                return
            if self.is_spent:
                return
            self._cut_queue()
            if time.monotonic() - self.saved > SAVE_EVERY:
                self.save()

    def _choose(self) -> bool:
        """Put the next batch into the queue; False where the search is at its end."""
        state = self.state
        left = state.tree.open_boxes(self.goal)
        self._tell(left)
        if not left.size or state.sampled > self.hopeless or self.is_spent:
            return False
        batches = state.batches + 1
        if batches & (batches - 1) == 0 and batches >= 4 and np.isfinite(self.hopeless):
            self._probe(left)
            if state.sampled > self.hopeless:
                return False
        # Whatever is open has to be cut in the end, so taking many at once loses little.
        most = max(SMALLEST_BATCH, left.size // 4)
        state.queue, state.batches = (
            worst_of(left, state.tree.bound[left], min(most, self.budget.batch)),
            batches,
        )
        return True

    def _probe(self, left: Ids) -> None:
        """Look for a witness in the worst boxes."""
        tree = self.state.tree
        worst = worst_of(left, tree.bound[left], PROBED)
        sides, bounds = tree.boxes(worst), tree.bound[worst]
        self._note(
            probe(self.problem, self.criterion, *sides, bounds, self.hopeless, self.deadline)
        )

    def _note(self, found: tuple[Array, float] | None) -> None:
        if found is not None and found[1] > self.state.sampled:
            self.state.point, self.state.sampled = found

    def _cut_queue(self) -> None:
        """Cut the boxes of the queue, piece by piece; what is not reached stays in it."""
        state = self.state
        parts = [state.queue[i : i + self.piece] for i in range(0, state.queue.size, self.piece)]
        jobs = [Job(*state.tree.boxes(ids), state.tree.bound[ids]) for ids in parts]
        results = self.measurer.pieces(jobs)
        try:
            for ids, piece in zip(parts, results, strict=False):
                self._apply(ids, piece)
                if self.is_spent:
                    return
        except BrokenExecutor as fault:
            self.save()
            raise ConvergenceError(
                f"partition: the budget's executor broke ({fault}). The search is kept in the "
                "budget's file if it names one; go on from there with another executor."
            ) from fault
        finally:
            results.close()  # type: ignore[attr-defined]

    def _apply(self, ids: Ids, piece: Piece) -> None:
        can = piece.axes >= 0
        self.state.tree.add(ids[can], piece.axes[can], piece.places[can], piece.bounds)
        self.state.tree.close(ids[~can])
        self._note(piece.witness)
        self.state.queue = self.state.queue[len(ids) :]

    def _tell(self, left: Ids) -> None:
        if self.budget.progress is None:
            return
        tree = self.state.tree
        bound = float(tree.bound[tree.child == 0].max())
        seconds = time.monotonic() - self.began
        self.budget.progress(
            Progress(tree.count, tree.share(left), bound, self.state.sampled, seconds)
        )

    def repair(self) -> None:
        """After an interruption anywhere: no cut is left half made."""
        state = self.state
        state.tree.repair()
        state.queue = state.queue[state.queue < state.tree.count]
        state.queue = state.queue[state.tree.axis[state.queue] == -1]

    def save(self) -> None:
        """Write the search to the budget's file, if it names one."""
        self.saved = time.monotonic()
        if self.budget.save is not None:
            self.state.save(self.budget.save)


def worst_of(boxes: Ids, bounds: Array, most: int) -> Ids:
    """The boxes with the largest bounds, at most ``most``; of equals, those made first."""
    if len(boxes) <= most:
        return boxes
    least = np.partition(bounds, -most)[-most]
    kept = bounds > least
    ties = np.flatnonzero(bounds == least)[: most - int(kept.sum())]
    kept[ties] = True
    return boxes[kept]
