"""Members of a batch integrated explicitly, or implicitly those whose flow is stiff.

Source: Hairer and Wanner, *Solving Ordinary Differential Equations II*, sections IV.1 and IV.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.integration.dormand_prince import DormandPrince, ExplicitStep
from riemannian_modules.integration.expected_size import expected_size
from riemannian_modules.integration.march import (
    LARGEST_STEP_COUNT,
    Members,
    StepWatcher,
    growth,
    march,
    members_at,
    of_some,
    unwatched,
)
from riemannian_modules.integration.radau import Radau
from riemannian_modules.integration.side_by_side import Accuracy, Flows, Rates
from riemannian_modules.integration.step import Start, TriedStep
from riemannian_modules.spaces import Array

# Whether an implicit step would reach further at its cost than explicit ones is tried after 5
# explicit steps, after 10 more, 20, 40, ...
FIRST_TRIAL, TRIED = 5, 6.0
FEW = 15  # explicit steps that are not worth a change
NEAR = 0.7  # of the region of stability, beyond which it holds steps back
GAIN = 3.0  # how much further an implicit step of its order may go where stability does not
SAMPLE = 8  # members, the slowest of a batch, of which none is stiff where none at all is


def solve(
    flows: Flows,
    t: Array,
    until: Array,
    z: Array,
    accuracy: Accuracy,
    watch: StepWatcher = unwatched,
) -> Members:
    """Members where they stop: explicitly, or implicitly those that turn out to be stiff.

    Args:
        flows: What M members follow; smooth on their way.
        t: Their times (M,).
        until: Where they are to arrive, (M,).
        z: States and sensitivities (n, 1 + k, M).
        accuracy: The local error that is allowed to each.
        watch: Told of each step that is tried.
    """
    expected = expected_size(flows, t, until, z) if _grow(flows, t, until, z) else np.abs(z)
    ends = _solved(flows, members_at(flows, t, until, z, expected, accuracy), accuracy, watch)
    # Those that expected too much of themselves were held to too little.
    again = np.flatnonzero((expected > 100.0 * ends.largest).any((0, 1)))
    if not len(again):
        return ends
    kept, found = flows.only(again), np.minimum(expected, ends.largest)[..., again]
    start = members_at(kept, t[again], until[again], z[..., again], found, accuracy)
    return ends.with_(again, _solved(kept, start, accuracy, of_some(watch, again)))


def explicitly(
    rates: Rates, members: Members, accuracy: Accuracy, watch: StepWatcher = unwatched
) -> Members:
    """Members where they arrive, cannot go on, or are seen to be at the border of stability."""
    ends, rest, most = members, np.flatnonzero(~members.have_arrived), FIRST_TRIAL
    while len(rest):
        at, its = ends.only(rest), of_some(watch, rest)
        at, reach = _stepped(rates.only(rest), at, accuracy, its, most)
        ends, most = ends.with_(rest, at), 2 * most
        rest = rest[~at.have_arrived & at.can_go_on & (reach < NEAR)]
    return ends


def _stepped(
    rates: Rates, at: Members, accuracy: Accuracy, watch: StepWatcher, most: int
) -> tuple[Members, Array]:
    """Members after at most so many explicit steps, and the reach of the last of each, (M,)."""
    final: list[tuple[Any, TriedStep]] = []

    def watch_too(who: Any, good: Any, start: Start, step: TriedStep) -> None:
        final[:] = [(who, step)]
        watch(who, good, start, step)

    end, reach = march(DormandPrince(), rates, at, accuracy, watch_too, most), np.zeros(len(at.t))
    for who, step in final:
        if isinstance(step, ExplicitStep):
            reach[who] = step.reach
    return end, reach


def _grow(flows: Flows, t: Array, until: Array, z: Array) -> bool:
    """Whether any state or sensitivity starts so small that its size shows only later."""
    with np.errstate(all="ignore"):
        rate = np.empty_like(z)
        flows.write_rate(t, 0.0, t, z, rate)
        reached = (until - t) * np.abs(rate)
    return bool((np.abs(z) <= 1e-3 * reached).any())


def _solved(flows: Flows, start: Members, accuracy: Accuracy, watch: StepWatcher) -> Members:
    ends, rest, most = start, np.flatnonzero(~start.have_arrived), FIRST_TRIAL
    while len(rest):
        at, its = ends.only(rest), of_some(watch, rest)
        at, reach = _stepped(flows.only(rest), at, accuracy, its, most)
        ends, on_way = ends.with_(rest, at), ~at.have_arrived
        rest, reach, most = rest[on_way], reach[on_way], 2 * most
        if len(rest):
            are_stiff = _are_stiff(flows.only(rest), ends.only(rest), reach, accuracy)
            stiff, rest = rest[are_stiff], rest[~are_stiff]
            at, its = ends.only(stiff), of_some(watch, stiff)
            at = march(Radau(), flows.only(stiff), at, accuracy, its, LARGEST_STEP_COUNT)
            ends = ends.with_(stiff, at)
    return ends


def _are_stiff(flows: Flows, at: Members, reach: Array, accuracy: Accuracy) -> Any:
    """Whether an implicit step would go further than explicit ones at its cost, (M,)."""
    left = np.divide(at.until - at.t, at.h, out=np.zeros_like(at.h), where=at.can_go_on)
    dearer, is_long = _dearer(*at.z.shape), left > FEW
    if not (is_long & ((reach > NEAR) | (dearer < GAIN))).any():
        return ~at.can_go_on
    are_slowest = np.argsort(-left)[:SAMPLE]
    few, slowest = flows.only(are_slowest), at.only(are_slowest)
    if not (_way(few, slowest, accuracy) > dearer * slowest.h).any():
        return ~at.can_go_on
    return ~at.can_go_on | is_long & (_way(flows, at, accuracy) > dearer * at.h)


def _way(flows: Flows, at: Members, accuracy: Accuracy) -> Array:
    """How far an implicit step may go, (M,)."""
    h, largest = np.minimum(TRIED * at.h, at.until - at.t), np.maximum(at.largest, at.expected)
    method = Radau()
    with np.errstate(all="ignore"):
        start = Start(at.t, at.z, h, largest, np.zeros((1, 1, len(h))))
        trial = method.step(flows, start, method.memory(flows, at.t, at.z), accuracy)
        return h * growth(trial.error)


def _dearer(n: int, columns: int, members: int) -> float:
    """How many explicit steps cost as much as an implicit one, at a flow of few operations.

    In microseconds, as measured: calls of small arrays cost their overhead, large ones their size.
    """
    size = float(members * n * columns)
    if columns == 1:
        explicit = 230.0 + 28.0 * n + 0.15 * size
        return (300.0 + 25.0 * n + 4.0 * members + (0.5 + 0.25 * n) * size) / explicit
    return (330.0 + 13.0 * n + 3.0 * members + 0.9 * size) / (420.0 + 60.0 * n + 0.25 * size)
