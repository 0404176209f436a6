"""A branch of points at rest over a parameter, with its stability and its special points.

Source: Kuznetsov (2004), Elements of Applied Bifurcation Theory, third edition, chapters 3 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from riemannian_modules.shown import Facts, Shown, counted, cut, numbers
from riemannian_modules.spaces import Array

FOLD, HOPF, BRANCHING = "fold", "Hopf", "branch point"
DOUBLING, TORUS = "period doubling", "Neimark-Sacker"


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SpecialPoint(Shown):
    """Where a branch turns back, starts to oscillate, or meets another one.

    Attributes:
        kind: "fold", "Hopf", "branch point"; in discrete time also "period doubling" (a pole at -1)
            and "Neimark-Sacker" (a pair of poles on the unit circle).
        value: The parameter's value there.
        x: The state there, (n,).
        frequency: Of the oscillation that begins, in radians per unit of time (per step); NaN where
            none does.
        index: Its place among the branch's points.
    """

    kind: str
    value: float
    x: Array
    frequency: float
    index: int

    @override
    def facts(self) -> Facts:
        rows = [("x", numbers([f"x{i}" for i in range(len(self.x))], self.x.tolist()))]
        if np.isfinite(self.frequency):
            rows.insert(0, ("frequency", f"{self.frequency:.8g}"))
        return Facts(f"SpecialPoint: {self.kind} at {self.value:.10g}", tuple(rows))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Branch(Shown):
    """Points at rest along a curve, ordered by its length; picture: `plot.branch_figure`.

    Attributes:
        parameter: The name of what varies.
        values: Its values (K,); they turn back at folds.
        states: States (K, n).
        outputs: Outputs (K, q).
        poles: Poles (K, r) of small motions that keep what the module conserves, r <= n.
        special: Folds, Hopf points and branch points, in order; each is one of the K points.
        ends: Why the curve ends at its beginning and at its end.
        state_names: Names of the states' coordinates.
        output_names: Names of the outputs'.
        inputs: The inputs (m,) at the start.
        theta: The parameters (p,) at the start.
        is_discrete: Whether the module is.
    """

    parameter: str
    values: Array
    states: Array
    outputs: Array
    poles: NDArray[np.complex128]
    special: tuple[SpecialPoint, ...]
    ends: tuple[str, str]
    state_names: tuple[str, ...]
    output_names: tuple[str, ...]
    inputs: Array
    theta: Array
    is_discrete: bool

    @property
    def unstable_count(self) -> NDArray[np.intp]:
        """How many poles are not stable at each point (K,), in floating point."""
        outside = np.abs(self.poles) - 1.0 if self.is_discrete else self.poles.real
        return (outside >= 0).sum(1)

    @property
    def is_stable(self) -> NDArray[np.bool_]:
        """Whether the points are stable (K,); special points, on the border, are not."""
        stable = self.unstable_count == 0
        stable[[p.index for p in self.special]] = False
        return stable

    def of_kind(self, kind: str) -> tuple[SpecialPoint, ...]:
        """The special points of a kind."""
        return tuple(p for p in self.special if p.kind == kind)

    def at(self, value: float) -> tuple[Array, NDArray[np.bool_]]:
        """States (c, n) where the branch passes a value of the parameter, and whether stable (c,).

        Between neighbouring points on a straight line: start `equilibrium` there for all digits.
        """
        v = self.values
        passes = np.flatnonzero((v[:-1] - value) * (v[1:] - value) < 0)
        part = ((value - v[passes]) / (v[passes + 1] - v[passes]))[:, None]
        found = self.states[passes] + part * (self.states[passes + 1] - self.states[passes])
        is_stable = self.is_stable[passes] | self.is_stable[passes + 1]
        exact = np.flatnonzero(v == value)
        return (
            np.concatenate([found, self.states[exact]]),
            np.concatenate([is_stable, self.is_stable[exact]]),
        )

    @override
    def facts(self) -> Facts:
        span = f"{self.values.min():.6g} to {self.values.max():.6g}"
        title = (
            f"Branch over {cut(self.parameter, 60)}, {span}: {counted(len(self.values), 'point')}"
        )
        found = ", ".join(f"{p.kind} at {p.value:.8g}" for p in self.special[:8])
        more = f", and {len(self.special) - 8} more" if len(self.special) > 8 else ""
        rows = (
            ("special", (found + more) or "none"),
            ("stable", f"{self.is_stable.mean():.0%} of the points"),
            ("ends", " | ".join(self.ends)),
        )
        return Facts(title, rows)
