"""The profile likelihood of a parameter: the best fit of the others for each of its values.

Sources: Venzon and Moolgavkar (1988), Applied Statistics 37, 87-94; Bates and Watts (1988),
Nonlinear Regression Analysis, section 6.1 (the F threshold); Raue et al. (2009), Bioinformatics 25,
1923-1929 (profiles that do not close: parameters that are practically not identifiable).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.descend import Iteration, descend
from riemannian_modules.engine.descent_step import Bounds, DescentMethod
from riemannian_modules.engine.objective import Objective
from riemannian_modules.errors import SignatureError
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_POINTS = 40  # to each side
_MOST_ITERATIONS = 200
_MOST_HALVINGS = 12
_FINE, _COARSE = 0.1, 0.4  # of the threshold's root: what a step is to climb
_BEYOND = 1.2  # of it: where a side ends
_ACCURACY = 1e-6  # of the ends, relative to the distance from the estimate
_MOST_REFINEMENTS = 30
_DRAWN = 400  # points of the curve
_WIDE = 30.0  # ratio of positive values beyond which they are drawn on a logarithm


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Profile(Shown):
    """A parameter's values, and how much worse the best fit is with each.

    Attributes:
        name: The parameter, or its entry.
        estimate: Its value in the fit.
        values: (k,), ascending.
        deviances: Twice the loss above the fit's, over the dispersion, (k,).
        parameters: The best theta with each value, (k, p); of time courses what is estimated.
        threshold: What the deviance reaches at the ends of the interval.
        level: Of the interval, such as 0.95.
        lower: The interval's lower end; minus infinity where the profile does not reach it.
        upper: Its upper end, likewise.
        endings: How the search ended to the left and to the right.
    """

    name: str
    estimate: float
    values: Array
    deviances: Array
    parameters: Array
    threshold: float
    level: float
    lower: float
    upper: float
    endings: tuple[str, str]

    @property
    def is_identified(self) -> bool:
        """Whether the interval is finite to both sides."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)

    @property
    def improvement(self) -> float:
        """How far below the fit the profile comes: above 0 where it found a better minimum."""
        return max(0.0, -float(self.deviances.min()))

    def plot(self) -> Figure:
        """Draw the deviance over the parameter, with the threshold and the interval."""
        from riemannian_modules.canvas import BLUE, ORANGE, VERMILLION, canvas, legend_above

        figure, ax = canvas(None, 5.6, 3.6)
        # Between its points the deviance's root is drawn straight, as it is for linear maps.
        roots = np.sqrt(np.maximum(self.deviances, 0.0)) * np.sign(self.values - self.estimate)
        x = np.linspace(self.values[0], self.values[-1], _DRAWN)
        ax.plot(x, np.interp(x, self.values, roots) ** 2, "-", color=BLUE, lw=1.5, label="profile")
        ax.plot(self.values, self.deviances, "o", color=BLUE, ms=3)
        ax.axhline(self.threshold, color=VERMILLION, ls="--", lw=1.2,
                   label=f"threshold for {100 * self.level:g} %")  # fmt: skip
        ax.axvline(self.estimate, color="0.5", lw=1.0)
        for end in (self.lower, self.upper):
            if math.isfinite(end):
                ax.axvline(end, color=ORANGE, lw=1.2)
        if self.values[0] > 0.0 and self.values[-1] > _WIDE * self.values[0]:
            ax.set_xscale("log")
        ax.set(xlabel=self.name, ylabel="deviance")
        ax.set_ylim(min(0.0, float(self.deviances.min())), 1.6 * self.threshold)
        ax.set_title(f"{100 * self.level:g} %: {self.lower:.4g} to {self.upper:.4g}",
                     fontsize=8, loc="right")  # fmt: skip
        ax.grid(alpha=0.3)
        legend_above(ax)
        return figure

    @override
    def facts(self) -> Facts:
        span = f"{self.lower:.6g} to {self.upper:.6g} at {100 * self.level:g} %"
        word = "" if self.is_identified else ", not identified to both sides"
        rows = [
            ("estimate", f"{self.estimate:.6g}"),
            ("points", counted(len(self.values), "point")),
            ("left", self.endings[0]), ("right", self.endings[1]),
        ]  # fmt: skip
        if self.improvement > 1e-6 * self.threshold:
            rows.append(("better fit found", f"by {self.improvement:.3g} of the deviance"))
        return Facts(f"Profile of {self.name}: {span}{word}", tuple(rows))


@final
@dataclass(frozen=True, slots=True)
class _Point:
    value: float
    theta: Array
    deviance: float

    @property
    def height(self) -> float:
        """The deviance's root, which is nearly straight to each side of the minimum."""
        return math.sqrt(max(self.deviance, 0.0))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Profiled:
    """What a profile is computed from.

    Attributes:
        objective: What is minimised.
        box: Of the parameters.
        theta: The fit, (p,).
        place: Of the parameter in theta.
        step: The first step to try, positive.
        dispersion: Of the loss.
        threshold: Of the deviance.
    """

    objective: Objective
    box: Bounds
    theta: Array
    place: int
    step: float
    dispersion: float
    threshold: float

    def side(self, sign: float) -> tuple[list[_Point], float, str]:
        """The points to one side, the interval's end there, and how the search ended."""
        reached, step, points = math.sqrt(self.threshold), self.step, [self._start()]
        wall = float((self.box.upper if sign > 0.0 else self.box.lower)[self.place])
        for _ in range(_MOST_POINTS):
            last = points[-1]
            if last.height >= reached:
                end = self._crossing(points[-2], last)
                return points, end, "the threshold is reached"
            if last.value == wall:
                return points, sign * math.inf, f"the bound {wall:.6g} comes before the threshold"
            new, step = self._next(points, sign, step, wall)
            if new is None:
                return points, sign * math.inf, f"no fit was found beyond {last.value:.6g}"
            points.append(new)
            climb = new.height - last.height
            step *= 2.0 if climb < _FINE * reached else 0.5 if climb > _COARSE * reached else 1.0
        return points, sign * math.inf, f"flat as far as {points[-1].value:.6g}"

    def _start(self) -> _Point:
        value = float(self.theta[self.place])
        return self.at(value, self.theta) or _Point(value, self.theta, 0.0)

    def _next(
        self, points: list[_Point], sign: float, step: float, wall: float
    ) -> tuple[_Point | None, float]:
        """The next point, nearer where a fit fails or climbs too far at once."""
        last = points[-1]
        limit, found = _BEYOND * math.sqrt(self.threshold), None
        for _ in range(_MOST_HALVINGS):
            value = last.value + sign * step
            value = min(value, wall) if sign > 0.0 else max(value, wall)
            if value == last.value:
                break
            found = self.at(value, last.theta) or found
            if found is not None and found.value == value and found.height <= 2.0 * limit:
                return found, step
            step *= 0.5
        return found, step

    def at(self, value: float, near: Array) -> _Point | None:
        """The best fit with the parameter at a value, from the best one near it."""
        start = near.copy()
        start[self.place] = value
        lower, upper = self.box.lower.copy(), self.box.upper.copy()
        lower[self.place] = upper[self.place] = value
        with np.errstate(all="ignore"):
            found = descend(
                self.objective,
                start,
                Bounds(lower, upper),
                DescentMethod(),
                _MOST_ITERATIONS,
                _ignore,
            )
            if found.place is None:
                return None
            best = self.objective.trial(self.theta).value
        worse = (found.place.trial.value - best) * len(self.objective.data)
        return _Point(value, found.place.trial.theta, 2.0 * worse / self.dispersion)

    def _crossing(self, inside: _Point, outside: _Point) -> float:
        """Where the height equals the threshold's root: false position, halved where it lags."""
        reached, centre = math.sqrt(self.threshold), float(self.theta[self.place])
        for i in range(_MOST_REFINEMENTS):
            width = outside.value - inside.value
            part = (reached - inside.height) / (outside.height - inside.height)
            if i % 3 == 2:
                part = 0.5
            value = inside.value + width * part
            if abs(width) <= _ACCURACY * abs(outside.value - centre):
                return value
            new = self.at(value, inside.theta)
            if new is None or abs(new.height - reached) <= 1e-9 * reached:
                return value
            inside, outside = (new, outside) if new.height < reached else (inside, new)
        return inside.value


def profile(profiled: Profiled, name: str, level: float) -> Profile:
    """Both sides of a profile; each point is a descent from its neighbour.

    Args:
        profiled: What it is computed from.
        name: Of the parameter.
        level: Of the interval.

    Raises:
        SignatureError: If the size of the noise is not known.
    """
    if not 0.0 < profiled.dispersion < math.inf:
        why = "no data are left over" if profiled.dispersion else "no residual is left"
        raise SignatureError(
            f"FitResult.profile: {why} to tell the noise from. Give sigma with absolute=True, or "
            "more data."
        )
    left, lower, ending_left = profiled.side(-1.0)
    right, upper, ending_right = profiled.side(1.0)
    points = [*reversed(left), *right[1:]]
    return Profile(
        name, float(profiled.theta[profiled.place]),
        np.array([p.value for p in points]), np.array([p.deviance for p in points]),
        np.array([p.theta for p in points]), profiled.threshold, level, lower, upper,
        (ending_left, ending_right),
    )  # fmt: skip


def _ignore(line: Iteration) -> None:
    del line
