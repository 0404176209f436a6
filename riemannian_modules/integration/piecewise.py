"""Integration piece by piece: each step is searched for crossings, and a new piece begins at one.

In a piece the side of every border stays, so that the flow is smooth; events of the user's end
pieces as well, and may put the state elsewhere.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.6;
Shampine and Thompson (2000), Computers and Mathematics with Applications 39, 43-54.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from riemannian_modules.integration.automatic import UndefinedRateError
from riemannian_modules.integration.course import course
from riemannian_modules.integration.crossings import (
    WatchedStep,
    Zeros,
    each,
    first_crossing,
    just_before,
)
from riemannian_modules.integration.one_step import march
from riemannian_modules.integration.past import Past
from riemannian_modules.integration.problem import (
    InitialValueProblem,
    Numbers,
    StepTolerances,
    StoppedError,
)
from riemannian_modules.integration.rows import GridRows
from riemannian_modules.integration.scout import MOST, NOT_SOUGHT, UNWATCHED, Scout
from riemannian_modules.integration.sides import settled
from riemannian_modules.integration.switched import Mode, SwitchedProblem
from riemannian_modules.integration.tally import Tally
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver

ROUNDING = 8.0 * float(np.finfo(np.float64).eps)  # of a border's value, relative to its size
TINY = float(np.finfo(np.float64).tiny)
SOON = 1e-7  # of the stretch: crossings of one border or event within this may accumulate
PER_STEP = 3  # evaluations, those of steps that are tried again among them
MOST_SOON = 50  # such crossings in a row that are let pass
MOST_SOONER = 4  # crossings in a row, the last of them soon, of which each comes sooner
BITS = 1e-11, 1e-8, 1e-5  # of the time to the end: where a value is looked at that an event left


@final
@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Events of the user's: zeros of l values, which `Pieces.watch` is given.

    Attributes:
        directions: For each 1 (rising), -1 (falling) or 0 (both).
        moving: Whether each may move the state or end the run; others are noted on the way.
        happen: From a time, a state and the indices of the events to the state after, and whether
            the run ends.
    """

    directions: Sequence[int]
    moving: Sequence[bool]
    happen: Callable[[float, Array, list[int]], tuple[Array, bool]]


NOTHING = Watched((), (), lambda _t, x, _i: (x, False))
NO_ZEROS = Zeros(lambda _t, _x: (), lambda t, _x: np.zeros((len(t), 0)))
FoundCrossing = tuple[
    float, Array, list[int], list[int]
]  # a crossing: time, state, borders and events


@final
class Pieces:
    """A run over several stretches; each stretch may have a problem of its own.

    Attributes:
        ended: When an event ended the run, or None.
    """

    def __init__(
        self,
        watched: Watched,
        tolerances: StepTolerances,
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
            most_steps: Steps of a piece after which any but LSODA and the last method gives up.
            tally: Counts steps and evaluations, where one is given.
            past: Keeps the steps, where delays look back on them.
        """
        self._most_steps, self._tally = most_steps, Tally() if tally is None else tally
        self._watched, self._tolerances, self._methods = watched, tolerances, list(methods)
        self._past, self._pace = past, 0.0
        self.ended: float | None = None
        self._zeros, self._expected = NO_ZEROS, MOST
        self._sides: list[float] = []  # of the events' values; 0 where not known yet
        self._crossings: dict[tuple[str, int], deque[float]] = {}

    def watch(self, zeros: Zeros) -> None:
        """Take the functions of time and state whose zeros are the events, (l,), from now on."""
        self._zeros = zeros

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
        rows = GridRows(grid, start, self._past)
        t, x, end = float(grid[0]), start, float(grid[-1])
        if not self._sides:
            self._sides = [_sign(v) for v in self._zeros.at(t, x.tolist())]
        mode = settled(problem, t, x, end)
        separators = problem.separators(t, x, end)
        methods = self._methods
        looked_at = [] if self._past is None else self._past.corners(t, end)
        while t < end:
            if len(looked_at) and not _is_one_step(methods[0]):
                looked_at = []  # a start at each would cost them their order
            stops = np.unique([s for s in (*corners, *separators, *looked_at) if s > t])
            piece = _Piece(problem, mode, self._zeros, t, x, stops)
            try:
                most = self._most_steps if len(methods) > 1 else math.inf
                reached = self._next(piece, methods[0], rows, most)
            except (StoppedError, UndefinedRateError) as stopped:
                if len(methods) == 1:
                    raise _told(stopped, *rows.last) from None
                del methods[0]
                t, x = rows.last
                mode = settled(problem, t, x, end, mode)
                continue
            if reached is None:
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

    def _next(
        self, piece: _Piece, method: type[OdeSolver], rows: GridRows, most: float
    ) -> FoundCrossing | None:
        """Integrate to the next crossing; None where a stop comes first, or a doubt was wrong."""
        from scipy.integrate import LSODA

        smooth, stops = piece.smooth, piece.stops
        if issubclass(method, LSODA):
            if self._past is None:
                return self._compiled(piece, rows)
            # Delays look back on each step; one of LSODA's runs knows of one stop alone.
            smooth, stops = replace(smooth, derivative=_finite(smooth.derivative)), stops[:1]
        ends = np.array([piece.start, stops[-1]])
        pace, self._pace = self._pace, 0.0
        walk = march(method, smooth, ends, stops, self._tolerances, self._tally, pace)
        for steps, solver in enumerate(walk, 1):
            if steps > most:
                raise StoppedError(float(solver.t), solver.y, "too many steps were needed.")
            path = solver.dense_output()
            step = WatchedStep(float(solver.t_old), float(solver.t), path, piece.zeros.at)
            found = self._crossing(piece, step, rows, solver.y, is_first=steps == 1)
            if found is not None:
                return found
            pace = float(getattr(solver, "h_abs", 0.0))
        if self._past is not None:  # stretches are short: the next begins at this pace
            self._pace = pace
        return None

    def _compiled(self, piece: _Piece, rows: GridRows) -> FoundCrossing | None:
        """The same by LSODA, whose steps are looked at where a crossing may be."""
        sides = [*piece.signs, *self._sides]
        ways = [UNWATCHED if sign == 0.0 else 0.0 for sign in piece.signs]
        for way, moves in zip(self._watched.directions, self._watched.moving, strict=True):
            ways.append(float(way) if moves else NOT_SOUGHT)
        scout = Scout(piece.zeros.along, sides, ways, self._expected)
        wanted = np.concatenate([[piece.start], rows.ahead])
        tolerances, passed = self._tolerances, piece.start
        way = course(piece.smooth, wanted, piece.stops, tolerances, scout, self._tally)
        self._expected = PER_STEP * scout.steps
        for a, b in way.doubtful:
            if a > passed:
                rows.record(way.path, passed, a, way.path(a))
            step = WatchedStep(a, b, way.inside(a, b), piece.zeros.at)
            is_first, passed = passed == piece.start, b
            found = self._crossing(piece, step, rows, way.path(b), is_first=is_first)
            if found is not None:
                return found
        if way.end > passed:
            rows.record(way.path, passed, way.end, way.path(way.end))
        if way.failure is not None:
            raise way.failure
        return None

    def _crossing(
        self, piece: _Piece, step: WatchedStep, rows: GridRows, last: Array, *, is_first: bool
    ) -> FoundCrossing | None:
        """The first crossing in a step that ends at ``last``, which is recorded up to there."""
        times, values = step.sampled(is_first=is_first)
        self._learn(values)
        while crossed := first_crossing(step, [*piece.signs, *self._sides], times, values):
            at, turned = crossed
            signs = [*piece.signs, *self._sides]
            borders, events = piece.owners(turned), self._turned(turned, len(piece.signs))
            # A reset goes on from this side.
            before = just_before(step, signs, turned, at) if events else at
            if borders is not None or any(self._watched.moving[i] for i in events):
                rows.record(step.path, step.start, before)
                return before, step.path(before), borders or [], events
            if events:
                self._watched.happen(before, step.path(before), events)
            later = [i for i, s in enumerate(times) if s > at]
            times = [at, *(times[i] for i in later)]
            values = np.vstack([step.at(at), values[later]])
        rows.record(step.path, step.start, step.end, last)
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
                for i, value in enumerate(self._zeros.at(t, x.tolist()))
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
        old, new = self._zeros.at(t, before.tolist()), self._zeros.at(t, x.tolist())
        later = [self._zeros.at(t + b * (end - t), (x + b * (end - t) * dx).tolist()) for b in BITS]
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


class _Piece:
    """What is integrated in a mode from a start, and what is watched on the way.

    That are the borders' values, and what keeps a sliding flow on its border; of a border on which
    the flow rests, leaving it. Then the events' values follow.
    """

    def __init__(
        self,
        problem: SwitchedProblem,
        mode: Mode,
        events: Zeros,
        start: float,
        x: Array,
        stops: Array,
    ) -> None:
        self.start, self.stops = start, stops
        self.smooth = InitialValueProblem(
            problem.flow(mode), lambda t, z: problem.slope(t, z, mode), x
        )
        self._problem, self._mode, self._events = problem, mode, events
        at_zero = [i for i, s in enumerate(mode.signs) if s == 0.0]
        self._resting = [i for i in at_zero if i not in mode.sliding]
        kept = len(self._resting) + 2 * len(mode.sliding)
        self.signs = [*mode.signs, *([1.0] * kept)]
        # What comes to rest beside a border would cross it at every rounding of its state.
        sizes = problem.sizes(start, x.tolist(), mode.signs) if mode.signs else ()
        self._rounding = [ROUNDING * abs(size) for size in sizes]
        self.zeros = Zeros(self._values, self._along)

    def _values(self, t: float, x: list[float]) -> Numbers:
        return [*self._of_mode(t, x), *self._events.at(t, x)]

    def _of_mode(self, t: float, x: list[float]) -> Numbers:
        p, mode = self._problem, self._mode
        values = p.borders(t, x, mode.signs) if mode.signs else ()
        found = [
            sign * TINY if abs(value) <= small else value
            for value, sign, small in zip(values, mode.signs, self._rounding, strict=True)
        ]
        if self._resting:
            sizes = p.sizes(t, x, mode.signs)
            found += [1e-6 * sizes[i] - abs(found[i]) or 1.0 for i in self._resting]
        if mode.sliding:
            shares = p.sliding(t, x, mode)[1]
            found += [*shares, *(1.0 - share for share in shares)]
        return found

    def _along(self, t: Array, x: Array) -> Array:
        signs = self._mode.signs
        is_plain = bool(signs) and len(self.signs) == len(signs)
        own = self._problem.along(t, x, signs) if is_plain else None
        if own is None:
            own = each(self._of_mode, t, x)
        else:
            own = np.where(np.abs(own) <= self._rounding, np.array(signs) * TINY, own)
        return np.hstack([own, self._events.along(t, x)])

    def owners(self, turned: list[int]) -> list[int] | None:
        """The borders that are crossed, without those that the flow rested on; None if none is."""
        resting, sliding = [None] * len(self._resting), self._mode.sliding
        owners = [*range(len(self._mode.signs)), *resting, *sliding, *sliding]
        ours = [owners[i] for i in turned if i < len(owners)]
        return [i for i in ours if i is not None] if ours else None


def _is_one_step(method: type[OdeSolver]) -> bool:
    from scipy.integrate import BDF, LSODA

    return not issubclass(method, (BDF, LSODA))


def _finite(
    derivative: Callable[[float, list[float]], Numbers],
) -> Callable[[float, list[float]], Numbers]:
    """The derivative, for LSODA, which does not tell NaN and infinity from numbers."""

    def checked(t: float, x: list[float]) -> Numbers:
        dx = derivative(t, x)
        if not math.isfinite(sum(dx)):
            raise UndefinedRateError
        return dx

    return checked


def _sign(value: float) -> float:
    return float((value > 0) - (value < 0))


def _told(stopped: Exception, t: float, x: Array) -> StoppedError:
    if isinstance(stopped, StoppedError):
        return stopped
    return StoppedError(t, x, "the derivative is NaN or infinite.")
