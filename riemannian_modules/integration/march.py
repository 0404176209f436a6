"""Members of a batch integrated side by side, each with steps of its own size.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np

from riemannian_modules.integration.side_by_side import TINY, Accuracy, Rates
from riemannian_modules.integration.step import F, Memory, Method, Start, TriedStep
from riemannian_modules.spaces import Array

LARGEST_STEP_COUNT = 100_000
EXPONENT = 1.0 / 8.0  # error estimates grow as the eighth power of the step size
LEAST, GREATEST = 0.2, 6.0  # by which a step may be multiplied
LOOK = 8  # steps after which it is looked whether they have become too small
IDLE = 4  # one member in so many may be through before they leave
NOISY_AFTER = 3  # refusals in a row that smaller steps did not help against
EPS = float(np.finfo(np.float64).eps)

StepWatcher = Callable[[Any, Any, Start, TriedStep], None]


def unwatched(who: Any, good: Any, start: Start, step: TriedStep) -> None:
    """Watch nothing."""


def of_some(watch: StepWatcher, members: Any) -> StepWatcher:
    """What watches some of the members that ``watch`` watches."""

    def watch_some(who: Any, good: Any, start: Start, step: TriedStep) -> None:
        watch(members[who], good, start, step)

    return watch_some


@final
@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Where each of M members stands on its way.

    Attributes:
        t: Its time (M,).
        until: The time where it is to arrive, (M,).
        z: States and sensitivities (n, 1 + k, M).
        largest: The largest magnitudes of z so far, shaped as z.
        expected: Those that z is expected to reach, shaped as z.
        h: The step size to try next, (M,).
    """

    t: Array
    until: Array
    z: Array
    largest: Array
    expected: Array
    h: Array

    def only(self, kept: Any) -> Members:
        """Those whose indices are ``kept``."""
        return Members(*(getattr(self, f.name).take(kept, -1) for f in fields(self)))

    def with_(self, places: Any, others: Members) -> Members:
        """These with ``others`` at some places."""
        members = Members(*(getattr(self, f.name).copy() for f in fields(self)))
        members.put(places, others)
        return members

    def put(self, places: Any, others: Members) -> None:
        """Put ``others`` at some places of these arrays."""
        for f in fields(self):
            getattr(self, f.name)[..., places] = getattr(others, f.name)

    @property
    def have_arrived(self) -> Any:
        """Whether each is where it was to arrive, (M,)."""
        return self.t == self.until

    @property
    def can_go_on(self) -> Any:
        """Whether a step of its size moves it at all, (M,)."""
        return self.h > np.maximum(4.0 * EPS * np.abs(self.t), 1e-20 * (self.until - self.t))


def members_at(
    flows: Rates, t: Array, until: Array, z: Array, expected: Array, accuracy: Accuracy
) -> Members:
    """Members at their start, with a first step by how fast states and rates change there."""
    x, span = z[:, :1], until - t
    v, faster = np.empty_like(x), np.empty_like(x)
    with np.errstate(all="ignore"):
        flows.write_rate(t, 0.0, t, x, v)
        h = np.fmin(span, _share_of_step(accuracy, v, x))
        flows.write_rate(t, 1.0, h, x + h * v, faster)
        # Rates that start at zero change the others' second derivatives, with the square of h.
        h = np.fmin(h, h * np.sqrt(_share_of_step(accuracy, faster - v, v)))
    return Members(t, until, z, np.abs(z), expected, h)


def _share_of_step(accuracy: Accuracy, change: Array, of: Array) -> Array:
    """How much of ``change`` (n, 1, M) a step of order 8 can follow, (M,)."""
    fastest = np.max(np.abs(change) / np.abs(of), axis=(0, 1), initial=0.0, where=of != 0.0)
    return accuracy.relative**EXPONENT / fastest


def march(
    method: Method[F], flows: F, members: Members, accuracy: Accuracy, watch: StepWatcher, most: int
) -> Members:
    """Members when each has arrived, cannot go on, or has tried ``most`` steps.

    Args:
        method: The one-step method.
        flows: What the members follow.
        members: Where they stand.
        accuracy: The local error that is allowed to each.
        watch: Told of each step: members' places (M,), for which of them it counts, from where
            and how.
        most: How many steps to try.
    """
    if not len(members.t):
        return members
    with np.errstate(all="ignore"):  # trial steps may leave the domain; they are taken back
        return _march(method, flows, members, accuracy, watch, most)


def _march(
    method: Method[F], flows: F, members: Members, accuracy: Accuracy, watch: StepWatcher, most: int
) -> Members:
    who = np.arange(len(members.t))
    result, at = members.with_(who, members), members
    memory, noise = method.memory(flows, at.t, at.z), np.zeros((1, 1, len(who)))
    at = replace(at, h=np.where(np.isfinite(memory[0]).all((0, 1)), at.h, 0.0))
    on_way = ~at.have_arrived & at.can_go_on
    refusals = np.zeros(len(who), dtype=int)
    for count in range(most):
        if IDLE * np.count_nonzero(on_way) <= (IDLE - 1) * len(who):
            # Until they are so many, those that are through ride along: copies cost more.
            result.put(who, at)
            kept = np.flatnonzero(on_way)
            if not len(kept):
                break
            who, at, flows = who[kept], at.only(kept), flows.only(kept)
            memory, noise = tuple(a.take(kept, -1) for a in memory), noise.take(kept, -1)
            refusals, on_way = refusals[kept], on_way[kept]
        left = at.until - at.t
        is_last = (at.h * 1.0001 >= left) & on_way
        h = np.where(is_last, left, at.h)
        start = Start(at.t, at.z, h, np.maximum(at.largest, at.expected), noise)
        step = method.step(flows, start, memory, accuracy)
        good = on_way & (step.error <= 1.0)
        watch(who, good, start, step)
        at, memory = _moved(at, start, step, memory, good, is_last)
        factor = np.minimum(growth(step.error), np.where(refusals == 0, GREATEST, 1.0))
        refusals += 1
        refusals *= on_way & ~good
        if refusals.max() >= NOISY_AFTER:
            noise = np.where(refusals == NOISY_AFTER, noise_at(flows, start), noise)
        h = np.where(on_way, h * factor, at.h)
        at = Members(at.t, at.until, at.z, at.largest, at.expected, h)
        on_way &= ~at.have_arrived
        if count % LOOK == 0:
            on_way &= at.can_go_on
    else:
        result.put(who, at)
    return result


def growth(error: Array) -> Array:
    """By what the step size is to be multiplied after a step of this error."""
    root = np.sqrt(np.sqrt(np.sqrt(np.maximum(error, TINY))))  # quicker than a power
    return np.minimum(np.fmax(0.9 / root, LEAST), GREATEST)  # the least where the error is NaN


def _moved(
    at: Members, start: Start, step: TriedStep, memory: Memory, good: Any, is_last: Any
) -> tuple[Members, Memory]:
    """The members, and what they remember, with those at the step's end whose step is good."""
    t = np.where(good, np.where(is_last, at.until, at.t + start.h), at.t)
    if good.all():
        z, memory = step.end, step.memory
    else:
        z = np.where(good, step.end, at.z)
        memory = tuple(np.where(good, *pair) for pair in zip(step.memory, memory, strict=True))
    largest = np.maximum(at.largest, np.abs(z))
    return Members(t, at.until, z, largest, at.expected, at.h), memory


def noise_at(flows: Rates, start: Start) -> Array:
    """How far rounding moves the rate: its change by small relative changes of all of z.

    States and sensitivities that hang at zero by cancellation are rounding alone; without this,
    steps would follow it.
    """
    small = 2.0**-26
    signs = np.random.default_rng(0).uniform(0.5, 1.0, start.z.shape[:-1])
    signs[::2] *= -1.0
    signs *= np.where(np.random.default_rng(1).random(signs.shape) < 0.5, -1.0, 1.0)
    here, moved = np.empty_like(start.z), np.empty_like(start.z)
    flows.write_rate(start.t, 0.0, start.h, start.z, here)
    flows.write_rate(start.t, 0.0, start.h, start.z * (1.0 + small * signs[..., None]), moved)
    moved -= here
    return np.nan_to_num(moved * (EPS / small), posinf=0.0, neginf=0.0)
