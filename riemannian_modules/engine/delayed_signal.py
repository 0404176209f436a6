"""What an exact delay gives: its input a delay ago, read off the run so far.

Source: Bellen and Zennaro (2003), *Numerical Methods for Delay Differential Equations*, chapter 3.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.arrays import Numbers
from riemannian_modules.engine.input_signal import InputSignal, InputValue
from riemannian_modules.engine.inputs import InputProgram
from riemannian_modules.engine.sampling import between_ticks
from riemannian_modules.engine.vector_field import operations_of
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.past import Past
from riemannian_modules.modules.compiled_rate import is_large
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.switched_field import SwitchedField, switched_field
from riemannian_modules.spaces import Array

DelayedValue = Callable[[float, list[float], list[float]], Numbers]  # of a time, a state and inputs
WIDE = 1e-6  # of a delay: a stretch in the middle of which nothing is at a border by chance
ON_BORDER = 1e-9  # of the size of its parts: a border on which a run slides


class Taken(abc.ABC):
    """What a delay takes, from a time, a state and the inputs of the rest."""

    @abc.abstractmethod
    def beside(self, t: float, x: list[float], u: list[float]) -> DelayedValue:
        """The value on the side of all borders on which a point is."""

    @abc.abstractmethod
    def require_value(self, t: float, x: list[float], u: list[float]) -> None:
        """Refuse a point that stays on a border at which the value jumps."""

    def at(self, t: float, x: list[float], u: list[float]) -> list[float]:
        """The value at a point."""
        return list(self.beside(t, x, u)(t, x, u))


@final
class _Plain(Taken):
    """A map that does not switch, or of which nobody knows where."""

    def __init__(self, value: Callable[[list[float], list[float]], Numbers]) -> None:
        self._value = value

    @override
    def beside(self, t: float, x: list[float], u: list[float]) -> DelayedValue:
        value = self._value
        return lambda _, x, u: value(x, u)

    @override
    def require_value(self, t: float, x: list[float], u: list[float]) -> None:
        pass


@final
class _Sided(Taken):
    """Terms that switch; the side is told by signs, for at a border rounding would tell it."""

    def __init__(self, name: str, field: SwitchedField) -> None:
        from riemannian_modules.arithmetic.switching import sizes

        self._name = name
        self._value, self._borders = field.compiled(field.dx), field.compiled(field.borders)
        self._sizes, self._count = field.compiled(sizes(field.borders)), len(field.borders)

    @override
    def beside(self, t: float, x: list[float], u: list[float]) -> DelayedValue:
        (signs, _), value = self._sides(t, x, u), self._value
        return lambda t, x, u: value(x, [*u, t, *signs])

    def _sides(self, t: float, x: list[float], u: list[float]) -> tuple[list[float], Numbers]:
        """The sign of each border, and its value."""
        signs, borders = [0.0] * self._count, self._borders(x, [*u, t, *([0.0] * self._count)])
        for _ in range(self._count):  # borders may hold the signs of others
            signs = [float((v > 0) - (v < 0)) for v in borders]
            borders = self._borders(x, [*u, t, *signs])
        return signs, borders

    @override
    def require_value(self, t: float, x: list[float], u: list[float]) -> None:
        signs, borders = self._sides(t, x, u)
        sizes = self._sizes(x, [*u, t, *signs])
        for i, (border, size) in enumerate(zip(borders, sizes, strict=True)):
            if not 0.0 < abs(border) <= ON_BORDER * size:
                continue
            sides = [[*signs[:i], side, *signs[i + 1 :]] for side in (-1.0, 1.0)]
            low, high = (np.array(self._value(x, [*u, t, *side])) for side in sides)
            if not np.allclose(low, high, rtol=1e-6, atol=0.0):
                raise UnsupportedError(
                    f"simulate: about t = {t:g} the run stays on a border at which what the delay "
                    f"{self._name!r} takes jumps from {low.tolist()} to {high.tolist()}: its value "
                    "there is between them. Delay a filtered signal, or give the switch a "
                    "hysteresis."
                )


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DelayedSignal(InputSignal):
    """What a delay gives, as an input of the rest of the module.

    Attributes:
        delay: By how much it is late.
        past: Of the run.
        history: What the delay took before the run.
        taken: What it takes.
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

    @property
    @override
    def is_function(self) -> bool:
        """Whether its history is one."""
        return self.history.is_function

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
        inside = self.past.slack(end)  # what jumps at an end does so here but for rounding
        within = low + inside, high - inside
        if (low + high) / 2.0 < self.past.start:
            value = self.history.between(*within)
            return (lambda t: value(t - delay)) if callable(value) else value
        state, u = self.past.between(*within), self.inputs.between(*within)
        others = [(place, signal.between(low, high)) for place, signal in self.others]
        rest = [0.0] * (self.size - self.inputs.space.size)

        def driven(s: float) -> list[float]:
            w = [*u(s), *rest]
            for place, value in others:
                w[place] = value(s) if callable(value) else value
            return w

        middle = (low + high) / 2.0
        at_middle = middle, state(middle), driven(middle)
        if high - low > WIDE * delay:
            self.taken.require_value(*at_middle)
        taken = self.taken.beside(*at_middle)

        def late(t: float) -> list[float]:
            s = min(max(t - delay, low), high)
            return list(taken(s, state(s), driven(s)))

        return late

    @override
    def sampled(self, times: Array) -> Array:
        """The values at times; the last one known at those that are not known yet."""
        return np.array([self._from_right(t) for t in times.tolist()])

    def _from_right(self, t: float) -> list[float]:
        t = min(t, self.past.end + self.delay)
        value = self.between(t, t + 4.0 * self.past.slack(t))
        return value(t) if callable(value) else value


def taken_by(rest: RiemannianModule, theta: Array, inputs: InputProgram, name: str) -> Taken:
    """What a delay takes, an output of the rest, compiled where it has exact terms."""
    place = rest.signature.outputs.slice_of(name)
    if is_large(rest):
        operations = operations_of(rest)
        return _Plain(
            lambda x, u: operations.output(np.array(x), np.array(u), theta)[place].tolist()
        )
    try:
        e = between_ticks(rest).expressions
    except (TraceError, UnsupportedError):
        return _Plain(lambda x, u: rest.output(np.array(x), np.array(u), theta)[place].tolist())
    own = replace(e, dx=e.y[place])
    field = switched_field(
        own, theta, lambda time: {e.inputs[i]: v for i, v in inputs.exact(time).items()}
    )
    if field.borders:
        return _Sided(name, field)
    from riemannian_modules.arithmetic.compile_scalars import compile_scalars

    return _Plain(compile_scalars(own.dx, e.arguments, theta))
