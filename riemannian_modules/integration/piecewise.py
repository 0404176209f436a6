"""Integration piece by piece: each step is searched for crossings, and a new piece begins at one.

In a piece the side of every border stays, so that the flow is smooth; events of the user's end
pieces as well, and may put the state elsewhere.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.6;
Shampine and Thompson (2000), Computers and Mathematics with Applications 39, 43-54.
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.integration.crossings import Step, first_crossing, just_before
from riemannian_modules.integration.one_step import takes_jacobian
from riemannian_modules.integration.past import Past
from riemannian_modules.integration.problem import Numbers, StoppedError, Tolerances
from riemannian_modules.integration.rows import Rows
from riemannian_modules.integration.sides import settled
from riemannian_modules.integration.switched import Mode, SwitchedProblem
from riemannian_modules.integration.tally import Tally
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver

SOON = 1e-7  # of the stretch: crossings of one border or event within this may accumulate
MOST_SOON = 50  # such crossings in a row that are let pass
MOST_SOONER = 4  # crossings in a row, the last of them soon, of which each comes sooner
BITS = 1e-11, 1e-8, 1e-5  # of the time to the end: where a value is looked at that an event left


@final
@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Events of the user's: zeros of l values, which `Pieces.watch` is given.

    Attributes:
        directions: For each 1 (rising), -1 (falling) or 0 (both).
        happen: From a time, a state and the indices of the events to the state after, and whether
            the run ends.
    """

    directions: Sequence[int]
    happen: Callable[[float, Array, list[int]], tuple[Array, bool]]


NOTHING = Watched((), lambda _t, x, _i: (x, False))


class _UndefinedError(Exception):
    """The derivative is NaN or infinite at a trial point of LSODA, which would not notice."""


@final
class Pieces:
    """A run over several stretches; each stretch may have a problem of its own.

    Attributes:
        ended: When an event ended the run, or None.
    """

    def __init__(
        self,
        watched: Watched,
        tolerances: Tolerances,
        methods: Sequence[type[OdeSolver]],
        most_steps: float = math.inf,
        tally: Tally | None = None,
        past: Past | None = None,
    ) -> None:
        """Begin a run.

        Args:
            watched: Events.
            tolerances: Bounds on local errors and steps.
            methods: SciPy's solvers; where one gives up, the next goes on from there to the end of
                the run.
            most_steps: Steps of a piece after which any but the last method gives up.
            tally: Counts steps and evaluations, where one is given.
            past: Keeps the steps, where delays look back on them.
        """
        self._most_steps, self._tally = most_steps, Tally() if tally is None else tally
        self._watched, self._tolerances, self._methods = watched, tolerances, list(methods)
        self._past, self._pace = past, 0.0
        self.ended: float | None = None
        self._values: Callable[[float, list[float]], Numbers] = lambda _t, _x: ()
        self._sides: list[float] = []  # of the events' values; 0 where not known yet
        self._crossings: dict[tuple[str, int], deque[float]] = {}

    def watch(self, values: Callable[[float, list[float]], Numbers]) -> None:
        """Take the functions of time and state whose zeros are the events, (l,), from now on."""
        self._values = values

    def stretch(
        self, problem: SwitchedProblem, start: Array, grid: Array, corners: Sequence[float]
    ) -> Array:
        """The states at the times of ``grid`` (the start first), after events; (k, n).

        Args:
            problem: The flow on this stretch.
            start: The state at its start.
            grid: Increasing times.
            corners: Increasing times over which no step passes, the last of the grid included.

        Returns:
            A row for each time that was reached; where an event ended the run, one more for its
            end.

        Raises:
            StoppedError: If no method reaches the end, or crossings accumulate.
        """
        rows = Rows(grid, start, self._past)
        t, x, end = float(grid[0]), start, float(grid[-1])
        if not self._sides:
            self._sides = [_sign(v) for v in self._values(t, x.tolist())]
        mode = settled(problem, t, x, end)
        separators = problem.separators(t, x, end)
        methods = self._methods
        looked_at = [] if self._past is None else self._past.corners(t, end)
        while t < end:
            if len(looked_at) and not _is_one_step(methods[0]):
                looked_at = []  # a start at each would cost them their order
            stops = [s for s in (*corners, *separators, *looked_at) if s > t]
            try:
                most = self._most_steps if len(methods) > 1 else math.inf
                reached = self._piece(problem, mode, methods[0], (t, x, min(stops)), rows, most)
            except (StoppedError, _UndefinedError) as stopped:
                if len(methods) == 1:
                    raise _told(stopped, t, x) from None
                del methods[0]
                t, x = rows.last
                mode = settled(problem, t, x, end, mode)
                continue
            if reached is None:  # a corner
                t, x = rows.last
                continue
            t, x, borders, events = reached
            self._count(t, end - float(grid[0]), x, borders, events)
            was, before, is_over = mode, x, False
            if events:
                x, is_over = self._happened(t, x, events)
            mode = settled(problem, t, x, end, mode, () if events else borders)
            x = problem.crossed(t, _on(problem, t, x, was, mode), was, mode)
            if events:
                self._go_on(problem, mode, (t, before, x), events, end)
            rows.restart(t, x)
            if events:
                separators = problem.separators(t, x, end)
            if is_over:
                self.ended = t
                return rows.until(t, x)
        return rows.states

    def _piece(
        self,
        problem: SwitchedProblem,
        mode: Mode,
        method: type[OdeSolver],
        ends: tuple[float, Array, float],
        rows: Rows,
        most: float,
    ) -> tuple[float, Array, list[int], list[int]] | None:
        """Integrate to the next crossing: its time, state, borders and events; None if none is."""
        watch = _Watch(problem, mode, self._values)
        solver = _started(method, problem, mode, ends, self._tolerances, self._pace)
        steps, self._pace = 0, 0.0
        try:
            while solver.status == "running":
                steps += 1
                if steps > most:
                    raise StoppedError(float(solver.t), solver.y, "too many steps were needed.")
                _stepped(solver)
                if (found := self._crossing(watch, solver, rows, is_first=steps == 1)) is not None:
                    return found
            if self._past is not None:  # stretches are short: the next begins at this pace
                self._pace = float(getattr(solver, "h_abs", 0.0))
        finally:
            self._tally.add(method.__name__, steps, solver.nfev, solver.njev)
        return None

    def _crossing(
        self, watch: _Watch, solver: Any, rows: Rows, *, is_first: bool
    ) -> tuple[float, Array, list[int], list[int]] | None:
        """The first crossing in the solver's last step, which is recorded up to there."""
        step = Step(float(solver.t_old), float(solver.t), solver.dense_output(), watch.values)
        times, values = step.sampled(is_first=is_first)
        self._learn(values)
        while crossed := first_crossing(step, [*watch.signs, *self._sides], times, values):
            at, turned = crossed
            signs = [*watch.signs, *self._sides]
            borders, events = watch.owners(turned), self._turned(turned, len(watch.signs))
            if events:  # a reset goes on from this side
                at = just_before(step, signs, turned, at)
            if borders is not None or events:
                rows.record(step.path, step.start, at)
                return at, step.path(at), borders or [], events
            later = [i for i, s in enumerate(times) if s > at]
            times = [at, *(times[i] for i in later)]
            values = np.vstack([step.at(at), values[later]])
        rows.record(step.path, step.start, step.end, solver.y)
        return None

    def _turned(self, turned: list[int], first: int) -> list[int]:
        """The events that changed their side in their direction; notes the new sides."""
        events: list[int] = []
        for i in (k - first for k in turned if k >= first):
            self._sides[i] = -self._sides[i]
            if self._watched.directions[i] in (0, self._sides[i]):
                events.append(i)
        return events

    def _learn(self, values: Array) -> None:
        """Take the sides of events that are not known from values that are off zero."""
        first = values.shape[1] - len(self._sides)
        for i, side in enumerate(self._sides):
            seen = [v for v in values[1:, first + i].tolist() if v and not side]
            if seen:
                self._sides[i] = _sign(seen[0])

    def _happened(self, t: float, x: Array, events: list[int]) -> tuple[Array, bool]:
        """The state after events, and after those whose values their resets carry through zero.

        The latter are added to ``events``; none happens twice.
        """
        waiting, is_over = list(events), False
        while waiting and not is_over:
            x, is_over = self._watched.happen(t, x, waiting)
            waiting = [
                i
                for i, value in enumerate(self._values(t, x.tolist()))
                if i not in events
                and self._sides[i] * value < 0
                and self._watched.directions[i] in (0, _sign(value))
            ]
            events += waiting
        return x, is_over

    def _go_on(
        self,
        problem: SwitchedProblem,
        mode: Mode,
        at: tuple[float, Array, Array],
        events: list[int],
        end: float,
    ) -> None:
        """Note the sides of the events' values after some have happened.

        Of those that have, the value is zero but for rounding: it goes where its rate leads.
        """
        t, before, x = at
        dx = np.array(problem.velocity(t, x.tolist(), mode))
        old, new = self._values(t, before.tolist()), self._values(t, x.tolist())
        later = [self._values(t + b * (end - t), (x + b * (end - t) * dx).tolist()) for b in BITS]
        for i, (was, value, *then) in enumerate(zip(old, new, *later, strict=True)):
            if i in events and value == was:
                # A slow one is lost in the rounding of its value, unless it is given more time.
                self._sides[i] = next((_sign(v - value) for v in then if v != value), 0.0)
            elif value != was:
                self._sides[i] = _sign(value)

    def _count(
        self, t: float, span: float, x: Array, borders: list[int], events: list[int]
    ) -> None:
        for key in (*(("border", i) for i in borders), *(("event", i) for i in events)):
            recent = self._crossings.setdefault(key, deque(maxlen=MOST_SOON))
            recent.append(t)
            gaps, soon = np.diff(recent), SOON * span
            last = gaps[1 - MOST_SOONER :]
            is_ever_sooner = len(last) == MOST_SOONER - 1 and bool((np.diff(last) < 0).all())
            is_many = len(recent) == MOST_SOON and gaps.max() <= soon
            if is_many or (is_ever_sooner and last[-1] <= soon):
                times = MOST_SOON if is_many else MOST_SOONER
                raise StoppedError(
                    t, x, f"{times} times in a row, one {key[0]} was crossed again, at last within "
                    f"{soon:.3g}: such crossings accumulate (Zeno). Let an event end the run or "
                    "set the state to rest where they become too small, or give a switch a "
                    "hysteresis.",
                )  # fmt: skip


def _on(problem: SwitchedProblem, t: float, x: Array, before: Mode, after: Mode) -> Array:
    """The state, put back onto the borders along which it slides or has slid."""
    borders = sorted({*before.sliding, *after.sliding})
    if not borders:
        return x
    values = np.array(problem.borders(t, x.tolist(), after.signs))[borders]
    slopes = problem.slopes(t, x.tolist(), after.signs)[0][borders]
    return x - np.linalg.lstsq(slopes, values)[0]


class _Watch:
    """What is watched in a mode: the borders' values, and what keeps a sliding flow on its border.

    Of a border on which the flow rests, leaving it is watched.
    """

    def __init__(
        self,
        problem: SwitchedProblem,
        mode: Mode,
        events: Callable[[float, list[float]], Numbers],
    ) -> None:
        self._problem, self._mode, self._events = problem, mode, events
        at_zero = [i for i, s in enumerate(mode.signs) if s == 0.0]
        self._resting = [i for i in at_zero if i not in mode.sliding]
        kept = len(self._resting) + 2 * len(mode.sliding)
        self.signs = [*mode.signs, *([1.0] * kept)]

    def values(self, t: float, x: list[float]) -> Numbers:
        """The values, then those of the events."""
        p, mode = self._problem, self._mode
        found = list(p.borders(t, x, mode.signs)) if mode.signs else []
        if self._resting:
            sizes = p.sizes(t, x, mode.signs)
            found += [1e-6 * sizes[i] - abs(found[i]) or 1.0 for i in self._resting]
        if mode.sliding:
            shares = p.sliding(t, x, mode)[1]
            found += [*shares, *(1.0 - share for share in shares)]
        return [*found, *self._events(t, x)]

    def owners(self, turned: list[int]) -> list[int] | None:
        """The borders that are crossed, without those that the flow rested on; None if none is."""
        resting, sliding = [None] * len(self._resting), self._mode.sliding
        owners = [*range(len(self._mode.signs)), *resting, *sliding, *sliding]
        ours = [owners[i] for i in turned if i < len(owners)]
        return [i for i in ours if i is not None] if ours else None


def _is_one_step(method: type[OdeSolver]) -> bool:
    from scipy.integrate import BDF, LSODA

    return not issubclass(method, (BDF, LSODA))


def _sign(value: float) -> float:
    return float((value > 0) - (value < 0))


def _told(stopped: Exception, t: float, x: Array) -> StoppedError:
    if isinstance(stopped, StoppedError):
        return stopped
    return StoppedError(t, x, "the derivative is NaN or infinite.")


def _stepped(solver: Any) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            told = solver.step()
        except ValueError as error:  # a linear solve met an infinite entry of the Jacobian
            raise StoppedError(float(solver.t), solver.y, f"{error}.") from error
    if solver.status == "failed" or not np.isfinite(solver.y).all():
        raise StoppedError(float(solver.t), solver.y, told or "the state is not finite.")


def _started(
    method: type[OdeSolver],
    problem: SwitchedProblem,
    mode: Mode,
    ends: tuple[float, Array, float],
    tolerances: Tolerances,
    pace: float,
) -> Any:
    from scipy.integrate import LSODA

    t, x, end = ends
    is_checked = issubclass(method, LSODA)

    def derivative(t: float, x: Array) -> Array:
        dx = problem.velocity(float(t), x.tolist(), mode)
        if is_checked and not math.isfinite(sum(dx)):
            raise _UndefinedError
        return np.array(dx, dtype=np.float64)

    options: dict[str, Any] = {}
    if takes_jacobian(method):
        options["jac"] = lambda t, x: problem.slope(float(t), x.tolist(), mode)
    if pace:
        options["first_step"] = min(pace, end - t, tolerances.largest_step)
    create: Any = method
    try:
        return create(
            derivative, t, x, end, rtol=tolerances.rtol, atol=tolerances.atol,
            max_step=tolerances.largest_step, **options,
        )  # fmt: skip
    except ValueError as error:
        raise StoppedError(t, x, str(error)) from error
