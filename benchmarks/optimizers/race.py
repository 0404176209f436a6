"""Steps to the goal from equal starts on equal batches, and what a step costs beside Adam's."""

import contextlib
import gc
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from benchmarks.optimizers.peers import OURS, PEERS, Ours, Peer, Setting
from benchmarks.optimizers.task import Task

SEEDS = (0, 1, 2)
BLOCK, REPEATS, WARM = 10, 5, 4
LONG = 3.0  # seconds of CPU time; who has taken so many is not timed further
# A peer's run is left where it has lost: after so many times our CPU time, untuned and tuned (but
# not before it has taken our steps), or after so many times our steps.
FAR_UNTUNED, FAR_TUNED, FAR_IN_STEPS = 2, 4, 10
Racer = Peer | Ours
# What peers raise where they do not take a model, or have diverged.
REFUSALS = (
    RuntimeError, ValueError, TypeError, NotImplementedError, ArithmeticError, AttributeError,
    AssertionError, IndexError, KeyError, ImportError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the measure at some steps, the last of which reached the goal if ``steps`` is one.

    Attributes:
        steps: inf where the goal was not reached.
        curve: Pairs of steps and the measure.
        why: What ended a run that raised.
    """

    steps: float
    curve: tuple[tuple[int, float], ...]
    why: str = ""


def started(task: Task, seed: int) -> tuple[torch.nn.Module, Any]:
    """The model and the batches of a seed."""
    torch.manual_seed(seed)
    model = task.model()
    return model, task.batches(model, torch.Generator().manual_seed(1000 + seed))


def run(task: Task, racer: Racer, setting: Setting, seed: int, most: float | None = None) -> Run:
    """Train until the goal, or for ``most`` steps."""
    model, batches = started(task, seed)
    curve: list[tuple[int, float]] = [(0, task.measure(model))]
    most = task.most if most is None else min(most, task.most)
    try:
        take = racer.step(task, model, setting)
        for count, batch in enumerate(islice(batches, int(most)), 1):
            take(batch)
            if count % task.every:
                continue
            curve.append((count, task.measure(model)))
            if not math.isfinite(curve[-1][1]):
                return Run(math.inf, tuple(curve), "not finite")
            if curve[-1][1] <= task.goal:
                return Run(count, tuple(curve))
    except REFUSALS as error:
        why = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        return Run(math.inf, tuple(curve), f"{type(error).__name__}: {why}")
    return Run(math.inf, tuple(curve))


def median_steps(runs: Sequence[Run]) -> float:
    """The median over seeds; inf where most did not reach the goal."""
    return statistics.median(r.steps for r in runs) if runs else math.inf


def runs(
    task: Task, racer: Racer, setting: Setting, seeds: Sequence[int], most: float = math.inf
) -> list[Run]:
    """A run a seed; none is started where half of them have failed already."""
    found: list[Run] = []
    for seed in seeds:
        if sum(math.isinf(r.steps) for r in found) > len(seeds) / 2:
            break
        found.append(run(task, racer, setting, seed, most))
    return found


def tuned(task: Task, peer: Peer, seeds: Sequence[int], most: float) -> tuple[Setting, list[Run]]:
    """The cell with the fewest steps: all on the first seed, the best that reach the goal on all.

    The grid goes on beyond its end until the best cell has all its neighbours in the grid. A cell
    is left as soon as it needs more steps than the best two before it, or than ``most``; where none
    reaches the goal, the best is the one that comes nearest.
    """
    found: list[tuple[Run, Setting]] = []
    cells = peer.settings()
    while cells:
        for setting in cells:
            reached = sorted(first.steps for first, _ in found if math.isfinite(first.steps))
            bound = reached[1] if len(reached) > 1 else most
            found.append((run(task, peer, setting, seeds[0], bound), setting))
        found.sort(key=lambda pair: standing(pair[0]))
        tried = [setting for _, setting in found]
        cells = [s for s in peer.neighbours(tried[0]) if s not in tried]
    # A large rate may reach the goal from one start only: the next cell then takes its place.
    entered = (
        (setting, [first, *runs(task, peer, setting, seeds[1:])])
        for first, setting in found if math.isfinite(first.steps)
    )  # fmt: skip
    finals = islice((pair for pair in entered if math.isfinite(median_steps(pair[1]))), 2)
    return min(finals, key=lambda pair: median_steps(pair[1]), default=(found[0][1], [found[0][0]]))


def standing(run: Run) -> tuple[float, float]:
    """What runs are ordered by: the steps to the goal, and if it was not reached the measure."""
    if math.isfinite(run.steps):
        return run.steps, 0.0
    last = run.curve[-1][1]
    return math.inf, math.inf if run.why or not math.isfinite(last) else last


def calm(peer: Peer, setting: Setting) -> Setting:
    """The setting at the grid's least rate: a step costs the same, and none diverges meanwhile."""
    return {**setting, "lr": min(peer.grid["lr"])}


def costs(
    task: Task, racers: Sequence[tuple[Racer, Setting]], block: int = BLOCK, repeats: int = REPEATS
) -> list[float]:
    """CPU time of a step of each, as a multiple of the first's: medians of alternating blocks."""
    times = block_times(task, racers, block, repeats)
    return [
        statistics.median(t / a for t, a in zip(own, times[0], strict=False)) if own else math.nan
        for own in times
    ]


def block_times(
    task: Task, racers: Sequence[tuple[Racer, Setting]], block: int, repeats: int
) -> list[list[float]]:
    """CPU seconds of each's blocks, which alternate; empty where it raised."""
    times: list[list[float]] = [[] for _ in racers]
    blocks: list[tuple[list[float], Any, list[Any]]] = []
    for own, (racer, setting) in zip(times, racers, strict=True):
        model, drawn = started(task, 0)
        with contextlib.suppress(*REFUSALS):
            blocks.append((own, racer.step(task, model, setting), list(islice(drawn, block))))
    gc.collect()
    for repeat in range(repeats + 1):
        for entry in blocks[:]:
            own, take, batches = entry
            if sum(own) > LONG:
                continue
            start = time.process_time()
            try:
                for batch in batches[: WARM if repeat == 0 else block]:
                    take(batch)
            except REFUSALS:
                own.clear()
                blocks.remove(entry)
                continue
            if repeat:
                own.append(time.process_time() - start)
    return times


def followed(task: Task, steps: float, times: float) -> float:
    """How many steps of a peer are looked at, as so many of them take what ours takes."""
    far = min(FAR_IN_STEPS, max(1.0, times))
    return min(task.most, far * steps) // task.every * task.every


def raced(task: Task, seeds: Sequence[int], peers: Sequence[Peer] = PEERS) -> Mapping[str, Any]:
    """All that race on a task, untuned and tuned, with the cost of a step in Adam's, the first."""
    here = [p for p in peers if p.is_there() and (task.is_full_batch or not p.full_batch_only)]
    entries: list[tuple[Racer, Setting]] = []
    for peer in here:
        kinds = [(peer, calm(peer, setting)) for setting in (peer.default, peer.settings()[0])]
        entries += [entry for k, entry in enumerate(kinds) if entry not in kinds[:k]]
    *prices, own_cost = costs(task, [*entries, (OURS, {})])
    own = runs(task, OURS, {}, seeds)
    rows = [row(OURS.name, {}, own, own, (own_cost,) * 2, (task.most,) * 2)]
    for peer in here:
        plain, price = (
            prices[entries.index((peer, calm(peer, setting)))]
            for setting in (peer.default, peer.settings()[0])
        )
        if math.isnan(price):
            refused = [run(task, peer, peer.default, seeds[0])]
            rows.append(row(peer.name, peer.default, refused, [], (plain, price), (0, 0)))
            continue
        far = [
            followed(task, median_steps(own), times * own_cost / cost)
            for times, cost in ((FAR_UNTUNED, plain), (FAR_TUNED, price))
        ]
        untuned = runs(task, peer, peer.default, seeds, far[0])
        setting, best = tuned(task, peer, seeds, far[1])
        if median_steps(untuned) * plain <= median_steps(best) * price < math.inf:
            setting, best, price = peer.default, untuned, plain
        rows.append(row(peer.name, setting, untuned, best, (plain, price), far))
    return {**said(task), "rows": rows}


def ours_again(
    task: Task, before: Mapping[str, Any] | None, seeds: Sequence[int]
) -> Mapping[str, Any]:
    """Ours anew, with its step's cost beside Adam's; the peers as they were, where they raced."""
    adam = PEERS[0]
    own = runs(task, OURS, {}, seeds)
    _, cost = costs(task, [(adam, calm(adam, adam.default)), (OURS, {})])
    ours = row(OURS.name, {}, own, own, (cost,) * 2, (task.most,) * 2)
    before = {**said(task), "rows": []} if before is None else before
    return {**before, "rows": [ours, *(r for r in before["rows"] if r["peer"] != OURS.name)]}


def said(task: Task) -> dict[str, Any]:
    """What a result tells of its task."""
    return {"task": task.name, "goal": task.goal, "was_seen": task.was_seen}


def row(
    name: str, setting: Setting, untuned: Sequence[Run], best: Sequence[Run],
    prices: Sequence[float], far: Sequence[float],
) -> dict[str, Any]:  # fmt: skip
    """What is kept of one optimizer; prices and how far it was followed: untuned, tuned."""
    return {
        "peer": name,
        "setting": dict(setting),
        "untuned_steps": [r.steps for r in untuned],
        "tuned_steps": [r.steps for r in best],
        "untuned_cost": prices[0],
        "cost": prices[1],
        "untuned_most": far[0],
        "most": far[1],
        "curve": best[0].curve if best else (),
        "why": next((r.why for r in [*best, *untuned] if r.why), ""),
    }
