"""What an exact delay gives: its input a delay ago, read off the run so far.

Source: Bellen and Zennaro (2003), *Numerical Methods for Delay Differential Equations*, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.input_signal import InputSignal, InputValue
from riemannian_modules.engine.inputs import InputProgram
from riemannian_modules.engine.vector_field import operations_of
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.past import Past
from riemannian_modules.integration.problem import Numbers
from riemannian_modules.modules.compiled_rate import is_large
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.space import Array

Taken = Callable[[list[float], list[float]], Numbers]  # from a state and inputs


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DelayedSignal(InputSignal):
    """What a delay gives, as an input of the rest of the module.

    Attributes:
        delay: By how much it is late.
        past: Of the run.
        history: What the delay took before the run.
        taken: What it takes, from a state and the inputs of the rest.
        inputs: The inputs of the rest, but for delayed ones.
        others: The delayed ones that what it takes follows at once, with their places.
        size: How many inputs the rest has.
    """

    delay: float
    past: Past
    history: InputSignal
    taken: Taken
    inputs: InputProgram
    others: Sequence[tuple[slice, DelayedSignal]]
    size: int

    @override
    def jumps(self) -> list[float]:
        """None; `Past` knows them."""
        return []

    @override
    def kinks(self) -> list[float]:
        """None; `Past` knows them."""
        return []

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        low, high, delay = start - self.delay, end - self.delay, self.delay
        if (low + high) / 2.0 < self.past.start:
            value = self.history.between(low, high)
            return (lambda t: value(t - delay)) if callable(value) else value
        state, u, taken = self.past.between(low, high), self.inputs.between(low, high), self.taken
        others = [(place, signal.between(low, high)) for place, signal in self.others]
        rest = [0.0] * (self.size - self.inputs.space.size)

        def late(t: float) -> list[float]:
            s = min(max(t - delay, low), high)
            w = [*u(s), *rest]
            for place, value in others:
                w[place] = value(s) if callable(value) else value
            return list(taken(state(s), w))

        return late

    @override
    def sampled(self, times: Array) -> Array:
        """The values at times; the last one known at those that are not known yet."""
        return np.array([self._from_right(t) for t in times.tolist()])

    def _from_right(self, t: float) -> list[float]:
        s = np.array([min(t - self.delay, self.past.end) + 2.0 * self.past.slack(t)])
        if s[0] < self.past.start:
            return self.history.sampled(s)[0].tolist()
        w = np.zeros(self.size)
        w[: self.inputs.space.size] = self.inputs.sampled(s)[0]
        for place, signal in self.others:
            w[place] = signal.sampled(s)[0]
        return list(self.taken(self.past.after(float(s[0])), w.tolist()))


def taken_by(rest: RiemannianModule, theta: Array, place: slice) -> Taken:
    """What a delay takes: some of the outputs of the rest, compiled where they can be."""
    if is_large(rest):
        operations = operations_of(rest)
        return lambda x, u: operations.output(np.array(x), np.array(u), theta)[place].tolist()
    try:
        e = rest.expressions
    except (TraceError, UnsupportedError):
        return lambda x, u: rest.output(np.array(x), np.array(u), theta)[place].tolist()
    from riemannian_modules.arithmetic.compile_scalars import compile_scalars

    return compile_scalars(e.y[place], e.arguments, theta)
