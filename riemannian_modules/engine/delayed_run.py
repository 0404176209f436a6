"""A run with exact delays: a delay differential equation by the method of steps.

What a delay gives is an input of the rest. Over no longer than the least delay that input is known,
and the rest is integrated as any flow under inputs, whatever switches and acts in it.

Source: Bellen and Zennaro (2003), *Numerical Methods for Delay Differential Equations*, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import final

import numpy as np

from riemannian_modules.engine.delayed_signal import DelayedSignal, taken_by
from riemannian_modules.engine.delays import delays_of, wired, without_delays
from riemannian_modules.engine.events import Occurrence
from riemannian_modules.engine.input_functions import with_corners
from riemannian_modules.engine.inputs import ConstantInput, InputProgram, signal_of
from riemannian_modules.errors import DomainError, UnsupportedError
from riemannian_modules.integration.past import Past
from riemannian_modules.modules.delay import DELAYED, Delay, positive_delay
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array, Space

MOST_STRETCHES = 1_000_000


@final
class DelayedRun:
    """One run of a module with exact delays, in stretches that are not longer than the least one.

    Attributes:
        rest: The module without its delays; what they give are inputs of it, after its own.
        start: The state of the rest at the start.
        kept: The places of the rest's states among the module's.
        program: The inputs of the rest.
        past: Its past.
    """

    def __init__(
        self, module: RiemannianModule, theta: Array, program: InputProgram, times: Array, x0: Array
    ) -> None:
        """Set a run up.

        Args:
            module: With delays.
            theta: Its parameters, (p,).
            program: Its inputs.
            times: Of the result, (T,).
            x0: Its state at the start, (n,).

        Raises:
            DomainError: For delays that are not positive, or too short for the run, and for a start
                that contradicts the history.
            UnsupportedError: For a loop of delays without a state.
        """
        self._name, self._times, self._own = type(module).__name__, times, program
        graph = wired(module)
        parts = delays_of(graph)
        self.rest = without_delays(graph, parts)
        leaves = {leaf.name: leaf for leaf in graph.plan.leaves if leaf.name in parts}
        self._places = np.concatenate([np.r_[leaves[name].state] for name in parts])
        self.kept = np.setdiff1d(np.arange(len(x0)), self._places)
        self.start = self.of_rest(x0, 0.0)
        delays = [
            positive_delay(f"{self._name}: the delay of {name!r}", theta[leaves[name].theta])
            for name in parts
        ]
        self._require_long(delays)
        sources = _sources(self.rest, [*parts])
        order = self._ordered([*parts], sources)
        reach = [0.0] * len(delays)
        for i in order:
            reach[i] = delays[i] + max((reach[k] for k in sources[i]), default=0.0)
        self._reach = max(reach)
        self.past = Past(delays, sources)
        self.past.begin(float(times[0]), self.start)
        self._signals = self._signals_of(parts, theta, delays, sources, order)
        ports = self.rest.signature.inputs.ports[-len(parts) :]
        self.program = InputProgram(
            Space((*program.space.ports, *ports)), (*program.signals, *self._signals)
        )
        self._given = np.full((len(times), len(self._places)), np.nan)
        self._given[0] = self._given_at(times[:1])
        self._at_events: list[Array] = []
        self._check_start(x0)

    def of_rest(self, states: Array, still: float) -> Array:
        """The rest's states among the module's (n,); that which stands still has a value given."""
        found = np.full(self.rest.signature.state.size, still)
        found[: len(self.kept)] = states[self.kept]
        return found

    def _require_long(self, delays: list[float]) -> None:
        count = float(self._times[-1] - self._times[0]) / min(delays)
        if count > MOST_STRETCHES:
            raise DomainError(
                f"{self._name}: the shortest delay is {min(delays):g}, {count:.3g} times shorter "
                f"than the run, and no step is longer than it; at most {MOST_STRETCHES} are taken. "
                "Put a PadeDelay in its place, or leave it out."
            )

    def _ordered(self, names: list[str], sources: Sequence[frozenset[int]]) -> list[int]:
        """The delays, each after those whose outputs reach its input at once."""
        try:
            return list(TopologicalSorter(dict(enumerate(sources))).static_order())
        except CycleError as fault:
            path = " -> ".join(names[i] for i in fault.args[1])
            raise UnsupportedError(
                f"{self._name}: the delays {path} feed each other through parts without a state, "
                "so that no jump ever fades (a neutral equation); `simulate` solves retarded ones. "
                "Put a state such as a Lag between them, or a PadeDelay in the place of one."
            ) from None

    def _signals_of(
        self,
        parts: dict[str, Delay],
        theta: Array,
        delays: list[float],
        sources: Sequence[frozenset[int]],
        order: list[int],
    ) -> list[DelayedSignal]:
        s, start, x = self.rest.signature, float(self._times[0]), self.start.tolist()
        names, u = list(parts), np.zeros(s.inputs.size)
        u[: self._own.space.size] = self._own.sampled(self._times[:1])[0]
        places = [s.inputs.slice_of(f"{name}.{DELAYED}") for name in names]
        found: dict[int, DelayedSignal] = {}
        for i in order:
            taken = taken_by(self.rest, theta, self._own, names[i])
            given, (port,) = parts[names[i]].history, parts[names[i]].inputs.ports
            if given is None:
                history = ConstantInput(np.array(taken.at(start, x, u.tolist())))
            else:
                span = np.array([start - delays[i], start])
                where = f"{self._name}: history of {names[i]!r}"
                history = with_corners(signal_of(given, port, span, where), span)
            others = [(places[k], found[k]) for k in sorted(sources[i])]
            found[i] = DelayedSignal(
                delays[i], self.past, history, taken, self._own, others, s.inputs.size
            )
            u[places[i]] = found[i].sampled(self._times[:1])[0]
        return [found[i] for i in range(len(names))]

    def _given_at(self, times: Array) -> Array:
        """What the delays give at some times, (T, k)."""
        return np.concatenate([signal.sampled(times) for signal in self._signals], 1)

    def _check_start(self, x0: Array) -> None:
        x, known = x0[self._places], self._given[0]
        if (x != 0.0).any() and not np.allclose(x, known, rtol=1e-6, atol=0.0):
            raise DomainError(
                f"{self._name}: the start of what delays give is {x.tolist()}, but by their "
                f"history it is {known.tolist()}. Leave it out (zero), and say what was before the "
                "start by Delay(..., history=...): a constant, a formula or a function of time."
            )

    def stretches(
        self, edges: Sequence[float], found: Sequence[Occurrence]
    ) -> Iterator[tuple[float, float]]:
        """The stretches between the edges, cut where something breaks; each once the last is done.

        Args:
            edges: The start, times at which something may jump, and the end.
            found: Where events of this run are noted down.
        """
        past, a = self.past, edges[0]
        past.begin(a, self.start)
        self._at_events.clear()
        for t in edges[:-1]:
            past.breaks(t, 0)
        for t in self._own.kinks(a, edges[-1]):
            past.breaks(t, 1)
        for signal, delay in zip(self._signals, range(len(self._signals)), strict=True):
            for derivative, times in enumerate((signal.history.jumps(), signal.history.kinks())):
                for t in times:
                    if a - signal.delay < t < a:
                        past.breaks_of(delay, t, derivative)
        for edge in edges[1:]:
            while a < edge:
                b = past.next_stop(a)
                b = edge if b >= edge - past.slack(edge) else b
                yield a, b
                inside = (self._times > a) & (self._times <= b)
                self._given[inside] = self._given_at(self._times[inside]) if inside.any() else 0.0
                self._note(found)
                past.forget(b - self._reach - 4.0 * past.slack(b))
                past.arrive(b)
                a = b

    def _note(self, found: Sequence[Occurrence]) -> None:
        """Note what the delays gave at events."""
        for happened in found[len(self._at_events) :]:
            self._at_events.append(self._given_at(np.array([happened.time]))[0])

    def completed(self, times: Array, states: Array) -> Array:
        """The module's states from those of the rest, which reached these times."""
        given = np.empty((len(times), len(self._places)))
        for row, t in enumerate(times.tolist()):
            place = int(np.searchsorted(self._times, t))
            is_known = self._times[place] == t and np.isfinite(self._given[place]).all()
            given[row] = self._given[place] if is_known else self._given_at(np.array([t]))[0]
        return self._joined(states, given)

    def completed_events(self, found: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
        """The events with the module's states."""
        self._note(found)
        return tuple(
            replace(e, before=self._joined(e.before, given), after=self._joined(e.after, given))
            for e, given in zip(found, self._at_events, strict=True)
        )

    def _joined(self, states: Array, given: Array) -> Array:
        whole = np.empty((*states.shape[:-1], len(self.kept) + len(self._places)))
        whole[..., self.kept] = states[..., : len(self.kept)]
        whole[..., self._places] = given
        return whole


def _sources(rest: RiemannianModule, names: list[str]) -> list[frozenset[int]]:
    """For each delay, those whose outputs reach its input at once."""
    pairs = rest.feedthrough
    return [
        frozenset(k for k, name in enumerate(names) if (f"{name}.{DELAYED}", taker) in pairs)
        for taker in names
    ]
