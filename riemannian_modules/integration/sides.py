"""On which side of each border a flow goes on from a point, by the borders' values and rates.

Source: Filippov (1988), section 4; Guglielmi and Hairer (2022), *An efficient algorithm for
solving piecewise-smooth dynamical systems*, Numerical Algorithms 89, 1311-1334.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.switched import Mode, SwitchedProblem
from riemannian_modules.spaces import Array

ROUNDING = 1e-12  # of a border's value, relative to its parts, and of its rate
MOST_ROUNDS = 20  # of deciding all borders, beyond one for each that depends on another's side
A_BIT = 1e-6  # of the time to the end: where rates are looked at that are zero at the start
CLOSED = 0.0  # the side that the formulas themselves take on the border


def settled(
    problem: SwitchedProblem,
    t: float,
    x: Array,
    end: float,
    mode: Mode | None = None,
    touched: Collection[int] = (),
) -> Mode:
    """The mode in which the flow goes on from ``x``.

    Args:
        problem: The flow.
        t: The time.
        x: The state, (n,).
        end: Until when it is wanted; ``end - t`` is the scale of times.
        mode: The mode before, if any.
        touched: Borders on which x lies, whatever rounding makes of their values.

    Raises:
        StoppedError: If no mode agrees with itself.
    """
    point = x.tolist()
    mode = Mode((CLOSED,) * problem.count) if mode is None else Mode(mode.signs)
    for _ in range(MOST_ROUNDS + problem.count):
        before = mode
        values = problem.borders(t, point, mode.signs)
        sizes = problem.sizes(t, point, mode.signs)
        slopes, drifts = problem.slopes(t, point, mode.signs)
        rates = slopes @ np.array(problem.velocity(t, point, mode)) + drifts
        blur = 8.0 * np.spacing(abs(t)) * np.abs(np.nan_to_num(rates))
        for i, (value, size) in enumerate(zip(values, sizes, strict=True)):
            if i not in touched and abs(value) > ROUNDING * size + blur[i]:
                mode = mode.on(i, 1.0 if value > 0 else -1.0)
            else:
                mode = _on_border(problem, t, point, end, mode, i)
        if mode == before:
            return mode
    raise StoppedError(
        t, x, "the pieces of its equations do not agree on how it goes on: each choice changes "
        "what another one depends on. Give one of them a hysteresis.",
    )  # fmt: skip


def _on_border(
    problem: SwitchedProblem, t: float, x: list[float], end: float, mode: Mode, i: int
) -> Mode:
    above = _trend(problem, t, x, end, mode.on(i, 1.0), i)
    below = _trend(problem, t, x, end, mode.on(i, -1.0), i)
    if above < 0 < below:
        return mode.along(i)
    if above >= 0 and below >= 0 and (above, below) != (0, 0):
        return mode.on(i, 1.0)
    if above <= 0 and below <= 0 and (above, below) != (0, 0):
        return mode.on(i, -1.0)
    # It rests on the border, or leaves it on either side: what the formulas say on it decides.
    return mode.on(i, float(_trend(problem, t, x, end, mode.on(i, CLOSED), i)))


def _trend(
    problem: SwitchedProblem, t: float, x: list[float], end: float, mode: Mode, i: int
) -> int:
    """The sign of a border's rate in a mode; where that is zero, of the rate a bit later."""
    for bit in (0.0, A_BIT * (end - t)):
        dx = problem.velocity(t, x, mode)
        later = [v + bit * d for v, d in zip(x, dx, strict=True)]
        rate, size = problem.rate(t + bit, later, mode, i)
        if abs(rate) > ROUNDING * size:
            return 1 if rate > 0 else -1
    return 0
