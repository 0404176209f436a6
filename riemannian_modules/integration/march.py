"""Members of a batch integrated side by side, each with steps of its own size.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np

from riemannian_modules.integration.side_by_side import TINY, Accuracy, Flows
from riemannian_modules.integration.step import Memory, Method, Start, Step, selected
from riemannian_modules.space import Array

LEAST_RELATIVE = 3e-14  # below this, error estimates are rounding
LARGEST_STEP_COUNT = 100_000
EXPONENT = 1.0 / 8.0  # error estimates grow as the eighth power of the step size
NOISY_AFTER = 3  # refusals in a row that smaller steps did not help against
EPS = float(np.finfo(np.float64).eps)

Watch = Callable[[Any, Any, Start, Step], None]


def unwatched(who: Any, good: Any, start: Start, step: Step) -> None:
    """Watch nothing."""


def of_some(watch: Watch, members: Any) -> Watch:
    """What watches some of the members that ``watch`` watches."""

    def watch_some(who: Any, good: Any, start: Start, step: Step) -> None:
        watch(members[who], good, start, step)

    return watch_some


@final
@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Where each of M members stands on its way.

    Attributes:
        t: Its time (M,).
        until: The time where it is to arrive, (M,).
        z: State and sensitivities (M, n, 1 + k).
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
        return Members(*(getattr(self, f.name)[kept] for f in fields(self)))

    def with_(self, places: Any, others: Members) -> Members:
        """These with ``others`` at some places."""
        arrays = []
        for f in fields(self):
            new = getattr(self, f.name).copy()
            new[places] = getattr(others, f.name)
            arrays.append(new)
        return Members(*arrays)

    @property
    def have_arrived(self) -> Any:
        """Whether each is where it was to arrive, (M,)."""
        return self.t == self.until

    @property
    def can_go_on(self) -> Any:
        """Whether a step of its size moves it at all, (M,)."""
        return self.h > np.maximum(4.0 * EPS * np.abs(self.t), 1e-20 * (self.until - self.t))


def members_at(
    flows: Flows, t: Array, until: Array, z: Array, expected: Array, accuracy: Accuracy
) -> Members:
    """Members at their start, with a first step by how fast states and rates change there."""
    x, span = z[..., 0], until - t
    with np.errstate(all="ignore"):
        v = flows.velocity(t[:, None], x[:, None])[:, 0]
        h = np.fmin(span, _share_of_step(accuracy, v, x))
        faster = flows.velocity((t + h)[:, None], (x + h[:, None] * v)[:, None])[:, 0]
        # Rates that start at zero change the others' second derivatives, with the square of h.
        h = np.fmin(h, h * np.sqrt(_share_of_step(accuracy, faster - v, v)))
    return Members(t, until, z, np.abs(z), expected, h)


def _share_of_step(accuracy: Accuracy, change: Array, of: Array) -> Array:
    """How much of ``change`` (M, n) a step of order 8 can follow, (M,)."""
    fastest = np.max(np.abs(change) / np.abs(of), axis=-1, initial=0.0, where=of != 0.0)
    return accuracy.relative**EXPONENT / fastest


def march(
    method: Method, flows: Flows, members: Members, accuracy: Accuracy, watch: Watch, most: int
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
    method: Method, flows: Flows, members: Members, accuracy: Accuracy, watch: Watch, most: int
) -> Members:
    result, who, at = members, np.arange(len(members.t)), members
    memory, noise = method.memory(flows, at.t, at.z), np.zeros_like(at.z)
    at = replace(at, h=np.where(np.isfinite(memory[0]).all((1, 2)), at.h, 0.0))
    on_way = ~at.have_arrived & at.can_go_on
    refusals = np.zeros(len(who), dtype=int)
    for _ in range(most):
        if 2 * np.count_nonzero(on_way) <= len(who):
            # Those that are through ride along until they are half of all: copies cost more.
            result, kept = result.with_(who, at), np.flatnonzero(on_way)
            if not len(kept):
                break
            who, at, flows = who[kept], at.only(kept), flows.only(kept)
            memory, noise = tuple(a[kept] for a in memory), noise[kept]
            refusals, on_way = refusals[kept], on_way[kept]
        left = at.until - at.t
        is_last = at.h * 1.0001 >= left
        h = np.where(is_last & on_way, left, at.h)
        start = Start(at.t, at.z, h, np.maximum(at.largest, at.expected), noise)
        step = method.step(flows, start, memory, accuracy)
        is_good = step.error <= 1.0
        good = on_way & is_good
        watch(who, good, start, step)
        at, memory = _moved(at, start, step, memory, good, is_last)
        factor = growth(step.error)
        h = h * np.where(is_good & (refusals > 0), np.minimum(factor, 1.0), factor)
        refused = on_way & ~is_good
        refusals = np.where(refused, refusals + 1, 0)
        if (refusals == NOISY_AFTER).any():
            noise = selected(refusals == NOISY_AFTER, _noise(flows, start), noise)
        at = replace(at, h=np.where(on_way, h, at.h))
        on_way = on_way & ~at.have_arrived & at.can_go_on
    else:
        result = result.with_(who, at)
    return result


def growth(error: Array) -> Array:
    """By what the step size is to be multiplied after a step of this error."""
    factor = np.clip(0.9 * np.maximum(error, TINY) ** -EXPONENT, 0.2, 6.0)
    return np.where(np.isnan(error), 0.2, factor)


def _moved(
    at: Members, start: Start, step: Step, memory: Memory, good: Any, is_last: Any
) -> tuple[Members, Memory]:
    """The members, and what they remember, with those at the step's end whose step is good."""
    t = np.where(good, np.where(is_last, at.until, at.t + start.h), at.t)
    if good.all():
        z, memory = step.end, step.memory
    else:
        z = selected(good, step.end, at.z)
        memory = tuple(selected(good, *pair) for pair in zip(step.memory, memory, strict=True))
    return replace(at, t=t, z=z, largest=np.maximum(at.largest, np.abs(z))), memory


def _noise(flows: Flows, start: Start) -> Array:
    """How far rounding moves the rate: its change by small relative changes of all of z.

    States and sensitivities that hang at zero by cancellation are rounding alone; without this,
    steps would follow it.
    """
    small = 2.0**-26
    signs = np.random.default_rng(0).uniform(0.5, 1.0, start.z.shape[1:])
    signs[::2] *= -1.0
    signs *= np.where(np.random.default_rng(1).random(signs.shape) < 0.5, -1.0, 1.0)
    moved = flows.rate(start.t, start.z * (1.0 + small * signs)) - flows.rate(start.t, start.z)
    return np.nan_to_num(moved * (EPS / small), posinf=0.0, neginf=0.0)
