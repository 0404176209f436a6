"""Many initial value problems of one equation at once, each with steps of its own.

All take their stages together, on arrays whose last axis is the problems; each has its own time,
its own step and its own error. What is finished leaves. What turns out to be stiff, or cannot be
stepped explicitly, is left to others: the slowest do not hold up the rest.

Sources: the pair of orders 8, 5 and 3 of Dormand and Prince in Hairer, Norsett and Wanner, *Solving
Ordinary Differential Equations I*, section II.10; its test of stiffness, volume II, section IV.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.integration.tally import Tally
from riemannian_modules.space import Array

Lanes = NDArray[np.intp]
# ``rate(t, c, h, x, lanes, out)`` writes the derivatives (n, L) at times ``t + c h`` (L,), added up
# only where they are needed, and states (n, L) of the problems ``lanes`` (L,), into ``out``.
LaneRate = Callable[[Array, float, Array, Array, Lanes, Array], None]

ORDER = 8
SAFETY, SLOWEST, QUICKEST = 0.9, 0.2, 6.0  # of the next step
MOST_IDLE = 8  # one column in so many may be done before they leave
STABLE = 6.1  # how far the region of stability reaches on the negative axis
WATCHED = 8  # every so many steps it is looked whether they are at the border of stability
MOST_STIFF, MOST_REFUSED, MOST_STEPS = 3, 20, 100_000


def integrate_lanes(
    rate: LaneRate,
    times: Array,
    starts: Array,
    rtol: float,
    floors: Callable[[Array], Array],
    tally: Tally,
) -> tuple[Array, NDArray[np.bool_]]:
    """Solve from ``times[0]`` on; states (T, n, B) and which of the B problems were solved.

    Args:
        rate: The derivative.
        times: Increasing times, (T,).
        starts: The states at the first, (n, B).
        rtol: Relative local error; the mean square over the states of a problem is bounded.
        floors: The absolute tolerances (n, L) from how large the states were so far (n, L).
        tally: Where steps and evaluations are counted, those of all problems together.
    """
    states = np.full((len(times), *starts.shape), np.nan)
    states[0] = starts
    if len(times) > 1 and starts.size:
        _March(rate, times, starts, rtol, floors, tally).into(states)
    return states, np.asarray(np.isfinite(states).all((0, 1)), dtype=np.bool_)


@final
class _March:
    """The problems that are still on their way, in the columns of each array."""

    lanes: Lanes  # which they are
    t: Array
    x: Array
    k: Array  # the derivatives at x
    h: Array
    size: Array
    peaks: Array
    next: Lanes  # which of the times comes next
    stiff: Lanes
    refused: Lanes
    done: NDArray[np.bool_]
    stages: Array  # in the same place each step

    def __init__(
        self,
        rate: LaneRate,
        times: Array,
        starts: Array,
        rtol: float,
        floors: Callable[[Array], Array],
        tally: Tally,
    ) -> None:
        from scipy.integrate import DOP853

        self.method: Any = DOP853
        self.rate, self.times, self.rtol, self.floors, self.tally = (
            rate, times, rtol, floors, tally,
        )  # fmt: skip
        count = starts.shape[1]
        self.lanes = np.arange(count)
        self.t, self.x = np.full(count, times[0]), starts.copy()
        self.k = np.empty_like(self.x)
        rate(self.t, 0.0, self.t, self.x, self.lanes, self.k)
        self.stages = np.empty((0, 0, 0))
        self.peaks = self.size = np.abs(starts)
        self.weights = np.array([self.method.E5, self.method.E3])
        self.next = np.ones(count, dtype=np.intp)
        self.stiff, self.refused = np.zeros((2, count), dtype=np.intp)
        self.done = np.zeros(count, dtype=np.bool_)
        self.h = self._first_steps()

    def _first_steps(self) -> Array:
        """Hairer's starting step: as long as the second derivative lets Euler's method go."""
        span = self.times[-1] - self.times[0]
        moved = np.maximum(self.peaks, np.abs(self.k) * span)
        size = np.where(moved > 0.0, moved, 1.0)
        d0, d1 = _size(self.x / size), _size(self.k / size)
        h = np.where((d0 > 0) & (d1 > 0), 0.01 * d0 / np.where(d1 > 0, d1, 1.0), 1e-6 * span)
        h = np.minimum(h, span)
        bent = np.empty_like(self.x)
        self.rate(self.t, 1.0, h, self.x + h * self.k, self.lanes, bent)
        bent -= self.k
        top = np.maximum(d1, _size(bent / size) / h)
        best = (0.01 * self.rtol / np.where(top > 0, top, 1.0 / span)) ** (1.0 / ORDER)
        return np.minimum(np.minimum(100.0 * h, np.where(top > 0, best, span)), span)

    def into(self, states: Array) -> None:
        """Go on until all have arrived or are given up; ``states`` (T, n, B) are filled."""
        steps = evaluations = 0
        with np.errstate(all="ignore"):
            for count in range(MOST_STEPS):
                if not len(self.lanes):
                    break
                self.is_watched = count % WATCHED == 0
                evaluations += 12 * len(self.lanes)
                steps += self._step(states)
        self.tally.add("DOP853 of all together", steps, evaluations, 0)

    def _step(self, states: Array) -> int:
        end, count = self.times[-1], self.method.n_stages
        left = end - self.t
        h = np.where(self.h > 0.99 * left, left, self.h)
        if self.stages.shape[1:] != self.x.shape:
            self.stages = np.empty((count + 1, *self.x.shape))
        K = self.stages
        K[0] = self.k
        stage = self.x
        for s in range(1, count):
            stage = self._moved(self.method.A[s, :s], K, h)
            self.rate(self.t, self.method.C[s], h, stage, self.lanes, K[s])
        x = self._moved(self.method.B, K, h)
        arrives = h == left
        t = np.where(arrives, end, self.t + h)
        self.rate(self.t, 1.0, h, x, self.lanes, K[-1])
        size = np.abs(x)
        largest = np.maximum(self.peaks, size)
        error = self._error(K, h, size, largest)
        ok = (error <= 1.0) & ~self.done  # not where it is NaN
        if self.is_watched:
            self._watch(K, h, ok, stage, x)
        self._note(states, K, x, t, h, ok)
        self._choose(error, h, ok)
        moved = int(np.count_nonzero(ok))
        if moved < len(ok):
            t, x, size, largest, k = (
                np.where(ok, new, old)
                for new, old in ((t, self.t), (x, self.x), (size, self.size),
                                 (largest, self.peaks), (K[-1], self.k))
            )  # fmt: skip
            self.k = k
        else:
            self.k = K[-1]
        self.t, self.x, self.size, self.peaks = t, x, size, largest
        self.done |= ok & arrives
        self._leave()
        return moved

    def _moved(self, weights: Array, K: Array, h: Array) -> Array:
        """The state moved by the stages (S, n, L), or the first of them, under weights."""
        moved = _combined(weights, K)
        moved *= h
        moved += self.x
        return moved

    def _choose(self, error: Array, h: Array, ok: Any) -> None:
        """The next step from the error of this one; no longer right after a refusal."""
        root = np.sqrt(np.sqrt(np.sqrt(np.maximum(error, 1e-12))))  # of order 8
        best = np.fmax(SAFETY / root, SLOWEST)  # the slowest where the error is NaN
        self.h = h * np.minimum(best, np.where(self.refused == 0, QUICKEST, 1.0))
        self.refused += 1
        self.refused[ok] = 0

    def _error(self, K: Array, h: Array, size: Array, largest: Array) -> Array:
        """The local error by the tolerance: the mean square over the states, as SciPy takes it."""
        weight = np.maximum(self.size, size)
        weight *= self.rtol
        weight += self.floors(largest) + 1e-290
        errors = (self.weights @ K.reshape(len(K), -1)).reshape(2, *size.shape)
        errors /= weight
        e5, e3 = np.square(errors, out=errors).sum(1)
        return h * e5 / np.sqrt((e5 + 0.01 * e3 + 1e-290) * len(size))

    def _watch(self, K: Array, h: Array, ok: Any, stage: Array, x: Array) -> None:
        """Count the steps at the border of stability, which the last two stages show."""
        size = np.maximum(self.peaks, np.abs(x))
        size = np.where(size > 0.0, size, 1.0)
        moved, turned = _size((x - stage) / size), _size((K[-1] - K[-2]) / size)
        is_near = ok & (h * turned > STABLE * moved) & (moved > 0)
        self.stiff = np.where(is_near, self.stiff + 1, np.where(ok, 0, self.stiff))
        self.done |= (self.stiff >= MOST_STIFF) | (self.refused >= MOST_REFUSED)
        self.done |= self.t + 0.1 * self.h == self.t

    def _note(self, states: Array, K: Array, x: Array, t: Array, h: Array, ok: Any) -> None:
        """Put down the states at the times that the accepted steps passed or reached."""
        if not (ok & (t >= self.times[self.next])).any():
            return
        reached = np.where(ok, np.searchsorted(self.times, t, "right"), self.next)
        at_end = ok & (self.times[reached - 1] == t)
        states[reached[at_end] - 1, :, self.lanes[at_end]] = x[:, at_end].T
        inner = np.flatnonzero(reached - at_end > self.next)
        if len(inner):
            F = self._interpolant(K[..., inner], x[:, inner], h[inner], inner)
            # A row for each time that a step passed, and the step's column beside it.
            first, count = self.next[inner], reached[inner] - at_end[inner] - self.next[inner]
            column = np.repeat(np.arange(len(inner)), count)
            place = np.arange(len(column)) - np.repeat(np.cumsum(count) - count, count)
            place += first[column]
            lane = inner[column]
            s = (self.times[place] - self.t[lane]) / h[lane]
            states[place, :, self.lanes[lane]] = (_horner(F[..., column], s) + self.x[:, lane]).T
        self.next = np.minimum(reached, len(self.times) - 1)

    def _interpolant(self, K: Array, x: Array, h: Array, inner: Lanes) -> Array:
        """Coefficients of the interpolant of order 7, (7, n, L); three more evaluations."""
        method, start, t = self.method, self.x[:, inner], self.t[inner]
        first = len(K)
        stages = np.concatenate([K, np.empty((len(method.A_EXTRA), *x.shape))])
        for s, (a, c) in enumerate(zip(method.A_EXTRA, method.C_EXTRA, strict=True), first):
            stage = start + h * _combined(a[:s], stages)
            self.rate(t, c, h, stage, self.lanes[inner], stages[s])
        moved = x - start
        head = [moved, h * K[0] - moved, 2 * moved - h * (K[-1] + K[0])]
        return np.concatenate([head, [h * _combined(row, stages) for row in method.D]])

    def _leave(self) -> None:
        """Let go of the columns that are done, once there are enough of them to pay for it."""
        if np.count_nonzero(self.done) * MOST_IDLE < len(self.done):
            return
        stay = ~self.done
        self.lanes, self.next, self.done = self.lanes[stay], self.next[stay], self.done[stay]
        self.t, self.h = self.t[stay], self.h[stay]
        self.stiff, self.refused = self.stiff[stay], self.refused[stay]
        self.x, self.k = self.x[:, stay], self.k[:, stay]
        self.peaks, self.size = self.peaks[:, stay], self.size[:, stay]


def _horner(F: Array, s: Array) -> Array:
    """The interpolants of DOP853 with coefficients (7, n, k) at places s (k,), less the start."""
    total = np.zeros(F.shape[1:])
    for i, f in enumerate(reversed(F)):
        total = (total + f) * (s if i % 2 == 0 else 1.0 - s)
    return total


def _combined(weights: Array, K: Array) -> Array:
    """The stages (S, n, L), or the first of them, added with weights."""
    used = K[: len(weights)]
    return (weights @ used.reshape(len(weights), -1)).reshape(K.shape[1:])


def _size(x: Array) -> Array:
    """The root of the mean square over the states, for each problem."""
    return np.sqrt(np.mean(np.square(x), axis=0))
