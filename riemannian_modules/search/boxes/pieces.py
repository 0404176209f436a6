"""Batches of boxes, cut and measured piece by piece: here, or by the workers of an executor.

Pieces are the same wherever they are measured, so what is found does not depend on who measures.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.claims.problem import Problem
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.search.boxes.cutting import chosen_cuts
from riemannian_modules.search.boxes.witness import Witness, halves, worst_inside
from riemannian_modules.spaces import Array
from riemannian_modules.terms.atoms import MOST_CORNERS

LARGEST_PIECE, SMALLEST_PIECE, ENTRIES = 128, 4, 2_000_000
MOST_PAYLOADS = 8


@final
@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """Boxes (k, dim) to be cut, and what is proved on them (k,)."""

    lower: Array
    upper: Array
    bounds: Array


@final
@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """A job done.

    Attributes:
        axes: The side that each box (k,) was cut across; -1 where it cannot be cut.
        places: Where, (k,).
        bounds: What is proved on the left and right halves of those that were cut, (2 cut,).
        witness: The worst point that was sampled, None where nothing was cut.
    """

    axes: NDArray[np.int64]
    places: Array
    bounds: Array
    witness: Witness | None


def piece_size(criterion: Criterion) -> int:
    """How many boxes a piece holds: fewer the more matrices each of them needs."""
    # Where corners are too many, one interval matrix stands for them.
    corners = criterion.form.corner_count if criterion.form.corner_count <= MOST_CORNERS else 1
    rows, columns = criterion.form.shape
    fitting = ENTRIES // max(corners * rows * columns, 1)
    return min(max(fitting, SMALLEST_PIECE), LARGEST_PIECE)


def measure(problem: Problem, criterion: Criterion, job: Job) -> Piece:
    """Cut the boxes of a job and bound their halves."""
    axes, places = chosen_cuts(problem, criterion, job.lower, job.upper, job.bounds)
    can = axes >= 0
    if not can.any():
        return Piece(axes, places, np.zeros(0), None)
    lower, upper = halves(job.lower[can], job.upper[can], axes[can], places[can])
    bounds = box_bounds(problem, criterion, lower, upper)
    return Piece(axes, places, bounds, worst_inside(problem, criterion, lower, upper))


@final
class Measurer:
    """Measures jobs for one problem; in order, until a deadline."""

    def __init__(
        self, problem: Problem, criterion: Criterion, executor: Executor | None, deadline: float
    ) -> None:
        self._problem, self._criterion = problem, criterion
        self._executor, self._deadline = executor, deadline
        self._payload: bytes | None = None

    def pieces(self, jobs: Sequence[Job]) -> Iterator[Piece]:
        """The jobs' results in their order; it ends early when time is spent."""
        if self._executor is None or len(jobs) < 2:
            for job in jobs:
                if time.monotonic() > self._deadline:
                    return
                yield measure(self._problem, self._criterion, job)
        else:
            yield from self._elsewhere(self._executor, jobs)

    def _elsewhere(self, executor: Executor, jobs: Sequence[Job]) -> Iterator[Piece]:
        if self._payload is None:
            self._payload = pickle.dumps((self._problem, self._criterion))
        futures: list[Future[Piece]] = [
            executor.submit(_measure_elsewhere, self._payload, job) for job in jobs
        ]
        try:
            for future in futures:
                left = self._deadline - time.monotonic()
                if left < 0:
                    return
                yield future.result(None if np.isinf(left) else left)
        except TooLate:
            return
        finally:
            for future in futures:
                future.cancel()


def _measure_elsewhere(payload: bytes, job: Job) -> Piece:
    return measure(*_unpacked(payload), job)


@lru_cache(maxsize=MOST_PAYLOADS)
def _unpacked(payload: bytes) -> tuple[Problem, Criterion]:
    # Kept, and with it what is compiled from it, so that each worker compiles a problem once.
    return pickle.loads(payload)
