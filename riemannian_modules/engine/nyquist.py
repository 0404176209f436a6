"""Nyquist's curve, and how often it runs around -1.

Source: Nyquist (1932), Bell System Technical Journal 11, 126-147; Astrom and Murray (2021),
Feedback Systems, second edition, section 10.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.engine.closed_loop import closed_loop_matrix
from riemannian_modules.engine.frequency import response_of, usual_frequencies
from riemannian_modules.engine.poles import Poles, poles_of
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.spaces import Array

BEND = 0.1  # rad: the largest turn of the curve, seen from -1, between two points
MOST_ROUNDS = 12


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Nyquist(Shown):
    """The curve ``L(i w)`` of a loop under negative feedback; picture: `plot.nyquist_figure`.

    The contour passes poles on the border of stability on their unstable side, so that they count
    as stable ones of the open loop.

    Attributes:
        frequencies: w (k,), in radians per unit of time, from near 0 up.
        values: L (k,).
        output: The loop's output.
        input: Its input, to which minus the output is fed back.
        time_unit: What times are counted in.
        open_loop_unstable: Poles of the open loop beyond the border of stability.
        closed_loop_unstable: Those of the closed loop.
    """

    frequencies: Array
    values: NDArray[np.complex128]
    output: str
    input: str
    time_unit: str
    open_loop_unstable: int
    closed_loop_unstable: int

    @property
    def encirclements(self) -> int:
        """How often the whole curve (both signs of w) runs clockwise around -1."""
        return self.closed_loop_unstable - self.open_loop_unstable

    @override
    def facts(self) -> Facts:
        times = f"{counted(abs(self.encirclements), 'time')} " + (
            "counterclockwise" if self.encirclements < 0 else "clockwise"
        )
        around = times if self.encirclements else "at no time"
        title = f"Nyquist: {self.input} -> {self.output} runs around -1 {around}"
        count = counted(self.closed_loop_unstable, "unstable pole")
        rows = (
            ("open loop", counted(self.open_loop_unstable, "unstable pole")),
            ("closed loop", count),
            ("nearest to -1", f"{np.abs(1 + self.values).min(initial=np.inf):.5g}"),
        )
        return Facts(title, rows)


def nyquist_of(loop: StateSpaceModel) -> Nyquist:
    """The curve of a loop of one input and one output, with as many points as its bends ask for."""
    at = response_of(loop)
    w = usual_frequencies(loop)
    values = at(w)[:, 0, 0]
    for _ in range(MOST_ROUNDS):
        with np.errstate(invalid="ignore", divide="ignore"):
            turns = np.abs(np.angle((1 + values[1:]) / (1 + values[:-1])))
        wide = np.flatnonzero(turns > BEND)
        if not len(wide):
            break
        new = np.sqrt(w[wide] * w[wide + 1])
        w = np.insert(w, wide + 1, new)
        values = np.insert(values, wide + 1, at(new)[:, 0, 0])
    is_finite = np.isfinite(values)
    closed = poles_of(closed_loop_matrix(loop, 1.0), loop.signature.time)
    return Nyquist(
        w[is_finite], values[is_finite], loop.outputs[0], loop.inputs[0], loop.time_unit,
        _beyond(poles_of(loop.A, loop.signature.time)), _beyond(closed),
    )  # fmt: skip


def _beyond(poles: Poles) -> int:
    """How many poles lie beyond the border by more than rounding may have moved them."""
    return int((poles.outside > poles.errors).sum())
