"""The same fit from many starts: whether the minimum that was found is the least.

Source: Raue et al. (2013), PLoS ONE 8, e74335 (Latin hypercubes of starts; the waterfall).
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import require, whole_number
from riemannian_modules.engine.descend import Outcome
from riemannian_modules.engine.progress import NoProgress
from riemannian_modules.engine.schedule import FullBatch, Schedule
from riemannian_modules.engine.time_courses.course_fit import CourseFit
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.trajectory_fit import descended
from riemannian_modules.errors import DomainError, RiemannianError
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALIKE = 0.1  # of -2 log L, within which two minima count as one


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MultiStart(Shown):
    """Fits from several starts; the first is the fit that was there before.

    Attributes:
        best: The fit with the largest likelihood.
        starts: Estimated parameters at the starts, (S, F).
        ends: At the ends, (S, F); NaN where a start has no finite likelihood.
        minus_two_log_likelihoods: At the ends, (S,); infinite there.
        outcomes: How each ended.
        skipped: How many starts an interrupt left out.
    """

    best: CourseFit
    starts: Array
    ends: Array
    minus_two_log_likelihoods: Array
    outcomes: tuple[Outcome, ...]
    skipped: int

    def plot(self) -> Figure:
        """Draw the waterfall: ``-2 log L`` above the least, in order."""
        from riemannian_modules.engine.time_courses.course_plot import plot_waterfall

        return plot_waterfall(self.minus_two_log_likelihoods)

    @property
    def reached(self) -> int:
        """How many starts end at the best likelihood."""
        found = self.minus_two_log_likelihoods
        return int(np.sum(found <= found.min() + _ALIKE))

    @override
    def facts(self) -> Facts:
        count = len(self.outcomes)
        title = f"MultiStart: {self.reached} of {count} starts reach the best likelihood"
        rows = [("best", self.best.facts().title)]
        if self.skipped:
            rows.append(("interrupted", f"{self.skipped} starts were left out"))
        return Facts(title, tuple(rows))


def multi_start(
    found: CourseFit,
    starts: int = 20,
    *,
    seed: int = 0,
    executor: Executor | None = None,
    schedule: Schedule | None = None,
) -> MultiStart:
    """Fit again from starts spread over the bounds, on the parameters' scales.

    The starts are a Latin hypercube, the same for the same seed, whoever computes them. Parameters
    without two bounds start where they were. Ctrl-C keeps what was found.

    Args:
        found: A fit, which counts as the first start.
        starts: How many further ones.
        seed: Of the hypercube.
        executor: Where they are computed, such as a ``ProcessPoolExecutor``; here where None.
        schedule: `FullBatch(max_iterations)` of each.

    Returns:
        All ends, the best as a fit.

    Raises:
        DomainError: If no parameter has two bounds.
    """
    require("multi_start", found, CourseFit, "a fit from fit_trajectories")
    require("multi_start: executor", executor, (Executor, type(None)), "an executor")
    count = whole_number("multi_start: starts", starts, 1)
    problem, table = found.problem, found.problem.model.table
    drawn = _drawn(problem, count, whole_number("multi_start: seed", seed, 0))
    ends: list[CourseFit | None] = [found]
    schedule = FullBatch() if schedule is None else schedule
    try:
        if executor is None:
            for scaled in drawn:
                one = _searched(problem, scaled, schedule)
                ends.append(one)
                if one is not None and one.outcome is Outcome.INTERRUPTED:
                    break
        else:
            _gather(executor, problem, drawn, schedule, ends)
    except KeyboardInterrupt:
        pass
    losses = np.array([np.inf if e is None else e.minus_two_log_likelihood for e in ends])
    best = ends[int(np.argmin(losses))]
    assert best is not None
    first = table.values[table.free]
    return MultiStart(
        best,
        np.array([first, *(table.natural(s)[table.free] for s in drawn[: len(ends) - 1])]),
        np.array([np.full(len(first), np.nan) if e is None else e.theta for e in ends]),
        losses,
        tuple(Outcome.UNDEFINED if e is None else e.outcome for e in ends),
        count + 1 - len(ends),
    )


def _gather(
    executor: Executor, problem: CourseProblem, drawn: Array, schedule: Schedule,
    ends: list[CourseFit | None],
) -> None:  # fmt: skip
    """The ends in the starts' order; on an interrupt those up to the first that is not there."""
    futures: list[Future[CourseFit | None]] = [
        executor.submit(_searched, problem, scaled, schedule) for scaled in drawn
    ]
    try:
        for future in futures:
            ends.append(future.result())  # noqa: PERF401 - what came before an interrupt counts
    except KeyboardInterrupt:
        for future in futures:
            future.cancel()
        for future in futures[len(ends) - 1 :]:
            if not future.done() or future.cancelled():
                break
            ends.append(future.result())
        raise


def _searched(problem: CourseProblem, scaled: Array, schedule: Schedule) -> CourseFit | None:
    """The fit from one start; None where it has no finite likelihood."""
    try:
        return descended(
            problem.placed(problem.model.table.natural(scaled)), schedule, NoProgress()
        )
    except RiemannianError:
        return None


def _drawn(problem: CourseProblem, count: int, seed: int) -> Array:
    """Places of the free parameters on their scales, (count, F)."""
    from scipy.stats import qmc

    table = problem.model.table
    with np.errstate(invalid="ignore"):
        lower, upper = table.scaled(table.lower), table.scaled(table.upper)
    is_boxed = np.isfinite(lower) & np.isfinite(upper)
    if not is_boxed.any():
        raise DomainError(
            "multi_start: no parameter has two bounds (positive ones on a logarithm), between "
            "which starts could be drawn. Give bounds to fit_trajectories."
        )
    share = qmc.LatinHypercube(int(is_boxed.sum()), rng=seed).random(count)
    drawn = np.tile(table.scaled(table.values), (count, 1))
    drawn[:, is_boxed] = lower[is_boxed] + share * (upper - lower)[is_boxed]
    return drawn
