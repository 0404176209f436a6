"""How long a search may go on, with what, and how it tells where it stands."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import final

from riemannian_modules.door import brief, number, whole_number
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Shown

LEAST = 1.0  # seconds of a request: what is small is proved in any budget


@final
@dataclass(frozen=True, slots=True, repr=False)
class Progress(Shown):
    """Where a search stands.

    Attributes:
        boxes: Boxes that were measured so far.
        undecided: The share of the region that is open, between 0 and 1; where sides are unbounded,
            each half of a box counts half of it.
        bound: The b that is proved on all of the region so far; inf where none is.
        sampled: The largest b that was needed at a point.
        seconds: Time since this session of the search began.
    """

    boxes: int
    undecided: float
    bound: float
    sampled: float
    seconds: float


@final
@dataclass(frozen=True, slots=True, repr=False)
class Budget(Shown):
    """When to stop: after ``boxes`` or ``seconds``, or once within ``tolerance`` of the best.

    A search that ends early keeps its work: `SearchState` goes on from there.

    Attributes:
        boxes: Boxes in all, those of earlier sessions included; the tree takes 28 bytes each.
        seconds: For this session and all that it tries; half of it is for the search of a norm.
            Checked between steps, of exact algebra as of the search, so that one step may go beyond
            it; what is found within a second is found in any budget, and what is proved is written.
        tolerance: Without a target, how far above the sampled bound the proved one may end, as a
            part of it.
        progress: Called with a `Progress` after each batch.
        executor: Measures pieces of batches elsewhere: processes, threads, a cluster
            (`concurrent.futures.Executor`). What is found does not depend on it, bit for bit, if
            its machines compute alike.
        batch: The most boxes that are cut between two looks at all that are open; it bounds the
            working memory.
        save: A file that the search is written to every half minute and at its end, gzipped if its
            name ends in ``.gz``.
    """

    boxes: int = 20_000
    seconds: float = 60.0
    tolerance: float = 2e-4
    progress: Callable[[Progress], None] | None = None
    executor: Executor | None = None
    batch: int = 8192
    save: str | os.PathLike[str] | None = None

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
        whole_number("Budget: batch", self.batch, 1)
        if not (self.progress is None or callable(self.progress)):
            raise SignatureError(
                f"Budget: expected a function as progress, got {brief(self.progress)}."
            )
        if not (self.executor is None or isinstance(self.executor, Executor)):
            raise SignatureError(
                "Budget: expected a concurrent.futures.Executor (of Dask, client.get_executor()), "
                f"got {brief(self.executor)}."
            )
        if not (self.save is None or isinstance(self.save, (str, os.PathLike))):
            raise SignatureError(f"Budget: expected a path to save to, got {brief(self.save)}.")
