"""Tables of inputs: joined by lines, or each value held until the next (zero-order hold).

Source: none.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import number_array
from riemannian_modules.engine.input_signal import InputSignal, InputValue
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearTable(InputSignal):
    """Values (k, size) at times (k,), joined by straight lines; build with `linear_table`.

    Attributes:
        times: (k,), increasing.
        values: (k, size).
    """

    times: Array
    values: Array

    @override
    def jumps(self) -> list[float]:
        return []

    @override
    def kinks(self) -> list[float]:
        slopes = np.diff(self.values, axis=0) / np.diff(self.times)[:, None]  # (k-1, size)
        # A slope carries the rounding of its two values; a smaller bend is no kink.
        rounding = 8 * np.finfo(float).eps * np.abs(self.values).max() / np.diff(self.times).min()
        bent = (np.abs(np.diff(slopes, axis=0)) > rounding).any(1)
        return self.times[1:-1][bent].tolist()

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        first = max(int(np.searchsorted(self.times, start, "right")) - 1, 0)
        last = int(np.searchsorted(self.times, end, "left"))
        if (self.values[first : last + 1] == self.values[first]).all():
            return self.values[first].tolist()
        times = self.times.tolist()
        lows = self.values.tolist()
        slopes = (np.diff(self.values, axis=0) / np.diff(self.times)[:, None]).tolist()
        top = len(times) - 2

        def value(t: float) -> list[float]:
            i = min(max(bisect_right(times, t) - 1, 0), top)
            s = t - times[i]
            return [a + s * b for a, b in zip(lows[i], slopes[i], strict=True)]

        return value

    @override
    def sampled(self, times: Array) -> Array:
        columns = [np.interp(times, self.times, column) for column in self.values.T]
        return np.stack(columns, 1) if columns else np.zeros((len(times), 0))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeldTable(InputSignal):
    """Each value (k, size) is held from its time (k,) until the next; build with `held_table`.

    Attributes:
        times: (k,), increasing.
        values: (k, size).
    """

    times: Array
    values: Array

    @override
    def jumps(self) -> list[float]:
        changes = (np.diff(self.values, axis=0) != 0).any(1)
        return self.times[1:][changes].tolist()

    @override
    def kinks(self) -> list[float]:
        return []

    @override
    def between(self, start: float, end: float) -> list[float] | InputValue:
        return self.sampled(np.array([start]))[0].tolist()

    @override
    def sampled(self, times: Array) -> Array:
        return self.values[np.maximum(np.searchsorted(self.times, times, "right") - 1, 0)]


def linear_table(times: ArrayLike, values: ArrayLike) -> LinearTable:
    """A table of inputs joined by straight lines.

    Args:
        times: Increasing times, shape (k,), k >= 2, in seconds or the model's unit of time.
        values: The port's value at each time, shape (k,) or (k, *port shape).

    Raises:
        DomainError: For times that do not increase, NaN, or infinite values.
        SignatureError: For shapes that do not fit.
    """
    return LinearTable(*_checked_table(times, values, 2))


def held_table(times: ArrayLike, values: ArrayLike) -> HeldTable:
    """A table of inputs of which each is held until the next, the last for ever (zero-order hold).

    Times (k,) and values (k,) or (k, *port shape), k >= 1; raises as `linear_table` does.

    Args:
        times: Increasing, (k,), k >= 1.
        values: (k,), or (k, *port shape).
    """
    return HeldTable(*_checked_table(times, values, 1))


def _checked_table(times: ArrayLike, values: ArrayLike, least: int) -> tuple[Array, Array]:
    t, v = number_array("Input table: times", times), number_array("Input table: values", values)
    if t.ndim != 1 or len(t) < least or v.ndim < 1 or len(v) != len(t):
        raise SignatureError(
            f"Input table: expected at least {least} times (k,) and as many values (k, ...), got "
            f"shapes {t.shape} and {v.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(v).all()):
        raise DomainError("Input table: expected finite times and values, got NaN or infinity.")
    if (np.diff(t) <= 0).any():
        i = int(np.argmax(np.diff(t) <= 0))
        raise DomainError(
            f"Input table: expected increasing times, but {t[i]:g} is followed by {t[i + 1]:g}. "
            "For a jump use held_table."
        )
    return t, v.reshape(len(t), -1)
