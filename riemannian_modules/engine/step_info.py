"""What a step response is judged by: how fast it rises and settles, and how far it overshoots.

In continuous time, times are located between the grid's points on the exact solution.
Source: Astrom and Murray (2021), Feedback Systems, second edition, section 6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import brief, number
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.engine.step_response import (
    GONE,
    states_after_step,
    transition,
    usual_times,
)
from riemannian_modules.errors import ConvergenceError, DomainError
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

NOTHING = 1e-9  # of the peak: an end that counts as where the output began
LONGER = (1.0, 1.5, 2.0)  # times of 1e-8 left, for narrow bands and ends beside large peaks


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepInfo(Shown):
    """Figures of the responses of q outputs to unit steps of m inputs; arrays are (q, m).

    Where an output ends where it began, what is relative to the end is NaN.

    Attributes:
        steady: Where the outputs end, by unit step.
        rise_time: From 10 to 90 percent of the end, in units of time.
        settling_time: After which the distance from the end stays within `band` of it.
        overshoot: How far beyond the end, in percent of it.
        undershoot: How far to the other side of the beginning, in percent of the end.
        peak: The largest distance from the beginning.
        peak_time: When; infinite where the end is approached and not passed.
        band: The relative band of settling.
        outputs: Names of the outputs.
        inputs: Names of the inputs.
        time_unit: What times are counted in.
    """

    steady: Array
    rise_time: Array
    settling_time: Array
    overshoot: Array
    undershoot: Array
    peak: Array
    peak_time: Array
    band: float
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    time_unit: str

    def __getitem__(self, pair: tuple[str, str]) -> dict[str, float]:
        """The figures of one pair (output, input), by name."""
        pairs = [(output, source) for output in self.outputs for source in self.inputs]
        is_named = isinstance(pair, tuple) and all(isinstance(name, str) for name in pair)
        if not is_named or pair not in pairs:
            raise DomainError(
                f"StepInfo: expected a pair of an output ({listed(self.outputs)}) and an input "
                f"({listed(self.inputs)}), got {brief(pair)}."
            )
        output, source = pair
        j, i = self.outputs.index(output), self.inputs.index(source)
        return {name: float(getattr(self, name)[j, i]) for name in FIGURES}

    def table(self) -> str:
        """A row for each pair."""
        rows = [["", *FIGURES]]
        for o in self.outputs:
            rows += [
                [f"{i} -> {o}", *(f"{v:.5g}" for v in self[o, i].values())] for i in self.inputs
            ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        )

    @override
    def facts(self) -> Facts:
        title = (
            f"StepInfo of {counted(len(self.outputs), 'output')} and "
            f"{counted(len(self.inputs), 'input')}, times in {self.time_unit}"
        )
        if self.steady.size != 1:
            return Facts(title, (("all", "see .table()"),))
        one = self[self.outputs[0], self.inputs[0]]
        return Facts(title, tuple((name.replace("_", " "), f"{v:.5g}") for name, v in one.items()))


FIGURES = (
    "steady", "rise_time", "settling_time", "overshoot", "undershoot", "peak", "peak_time",
)  # fmt: skip


def step_info_of(model: StateSpaceModel, band: float) -> StepInfo:
    """The figures of all pairs of a stable model.

    Raises:
        DomainError: If the band is no part between 0 and 1.
    """
    band = number("step_info: band", band)
    if not 0 < band < 1:
        raise DomainError(f"step_info: band: expected a part between 0 and 1, got {band}.")
    model.require_stable("step_info", "otherwise its outputs have no end")
    steady = model.dc_gain()
    q, m = steady.shape
    figures = {name: np.zeros((q, m)) for name in FIGURES}
    for (j, i), one in _settled_courses(model, steady, band).items():
        for name, value in one.figures(float(steady[j, i]), band).items():
            figures[name][j, i] = value
    return StepInfo(**figures, band=band, outputs=model.outputs, inputs=model.inputs,
                    time_unit=model.time_unit)  # fmt: skip


def _settled_courses(
    model: StateSpaceModel, steady: Array, band: float
) -> dict[tuple[int, int], _Course]:
    """The course of each pair (output, input), so long that it has settled."""
    late: list[str] = []
    for constants in GONE * np.array(LONGER):
        times = usual_times(model, float(constants))
        states = states_after_step(model, times)
        courses = {
            (j, i): _Course(model.channel(y, u), times, states[:, :, i])
            for j, y in enumerate(model.outputs)
            for i, u in enumerate(model.inputs)
        }
        late = [
            f"{one.model.inputs[0]} -> {one.model.outputs[0]}"
            for place, one in courses.items()
            if not one.has_settled(float(steady[place]), band)
        ]
        if not late:
            return courses
    raise ConvergenceError(
        f"step_info: {listed(late)} does not come within {band:g} of its end, beside what rounding "
        "leaves of its way there. Give a wider band."
    )


class _Course:
    """One output over time, on a grid and between its points."""

    def __init__(self, model: StateSpaceModel, times: Array, states: Array) -> None:
        self.model, self.times, self.states = model, times, states
        self.values = self._output(states.T)

    def has_settled(self, end: float, band: float) -> bool:
        """Whether it is within the band for the last tenth, or is seen to end where it began."""
        last = self.values[self.times >= 0.9 * self.times[-1]]
        is_within = bool(np.abs(last - end).max() <= band * abs(end))
        return is_within or abs(end) <= NOTHING * float(np.abs(self.values).max())

    def figures(self, end: float, band: float) -> dict[str, float]:
        sign = np.sign(end)
        largest = np.sign(self.values[np.abs(self.values).argmax()])
        peak_time, peak = self._extreme(largest)
        if peak <= abs(end):  # the end is approached and not passed
            peak_time, peak = np.inf, abs(end)
        found = {"steady": end, "peak": peak, "peak_time": peak_time}
        if abs(end) <= NOTHING * peak:
            return dict.fromkeys(FIGURES, np.nan) | found
        return found | {
            "rise_time": self._reached(0.9 * end) - self._reached(0.1 * end),
            "settling_time": self._settled(end, band * abs(end)),
            "overshoot": 100.0 * max(0.0, self._extreme(sign)[1] / abs(end) - 1.0),
            "undershoot": 100.0 * max(0.0, self._extreme(-sign)[1] / abs(end)),
        }

    def _output(self, states: Array) -> Array:
        """Outputs (T,) at states (n, T)."""
        return self.model.C[0] @ states + self.model.D[0, 0]

    def _slope(self, state: Array) -> float:
        return float(self.model.C[0] @ (self.model.A @ state + self.model.B[:, 0]))

    def _between(self, k: int, function: Callable[[Array], float]) -> tuple[float, Array]:
        """The time between grid points k and k + 1 where a function of the state is zero."""
        from scipy.optimize import brentq

        def state(after: float) -> Array:
            F, G = transition(self.model, after)
            return F @ self.states[k] + G[:, 0]

        length = self.times[k + 1] - self.times[k]
        if self.model.is_discrete:
            return float(self.times[k + 1]), self.states[k + 1]
        ends = function(state(0.0)), function(state(length))
        if ends[0] * ends[1] >= 0:  # rounding: the zero is at one of the ends
            near = k if abs(ends[0]) < abs(ends[1]) else k + 1
            return float(self.times[near]), self.states[near]
        after: Any = brentq(lambda d: function(state(d)), 0.0, length, xtol=1e-13 * length)
        return float(self.times[k] + after), state(after)

    def _reached(self, level: float) -> float:
        """When the output is first at a level."""
        k = int(np.argmax(np.sign(level) * self.values >= abs(level)))
        if k == 0:
            return 0.0
        return self._between(k - 1, lambda x: float(self._output(x)) - level)[0]

    def _settled(self, end: float, band: float) -> float:
        """When the output enters the band about its end for good."""
        outside = np.flatnonzero(np.abs(self.values - end) > band)
        if not len(outside):
            return 0.0
        k = min(int(outside[-1]), len(self.times) - 2)
        return self._between(k, lambda x: abs(float(self._output(x)) - end) - band)[0]

    def _extreme(self, sign: float) -> tuple[float, float]:
        """When the output is largest in a direction, and how large."""
        k = int(np.argmax(sign * self.values))
        best = float(self.times[k]), float(sign * self.values[k])
        if self.model.is_discrete:
            return best
        for left in (k - 1, k):
            if 0 <= left < len(self.times) - 1:
                ends = self._slope(self.states[left]), self._slope(self.states[left + 1])
                if ends[0] * ends[1] < 0:
                    time, state = self._between(left, self._slope)
                    best = max(best, (time, sign * float(self._output(state))), key=lambda b: b[1])
        return best
