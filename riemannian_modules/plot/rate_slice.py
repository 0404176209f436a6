"""A slice of a region in boxes, each with the bound that is proved on it.

Source: none; every box is decided by the same test as a proof, rounding included.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.claims.answer import Proved
from riemannian_modules.claims.norms import Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import WrittenFactor, WrittenL2, WrittenNorm
from riemannian_modules.door import number, require_mapping
from riemannian_modules.errors import RegionError
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.evidence.fitting import require_norm, with_metric
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.plot.claim import opened
from riemannian_modules.region import Ball, Box, Linear, Side
from riemannian_modules.search.fields import traced_norm
from riemannian_modules.search.prepared import prepared_criterion
from riemannian_modules.search.traced_problem import make_problem
from riemannian_modules.shown import Facts, Shown, at_least, at_most, counted
from riemannian_modules.spaces import Array

REACH = 5.0  # how much is shown of an unbounded side, in the coordinate's unit


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RateSlice(Shown):
    """Boxes of two coordinates, and what is proved on each for every value of the others.

    Attributes:
        plane: The coordinates.
        lower: Lower sides of the boxes, (boxes, 2), in the coordinates' units.
        upper: Upper sides, likewise.
        bounds: The log-norm or gain that is proved on each box, (boxes,); inf where none is.
        others: The other coordinates that matter, with their sides.
        kind: The type of the bounds.
    """

    plane: tuple[str, str]
    lower: Array
    upper: Array
    bounds: Array
    others: Mapping[str, Side]
    kind: type[Bound]  # type: ignore[valid-type]

    @property
    def rates(self) -> Array:
        """Rates of a flow (1/time), factors of a map; NaN where nothing is proved."""
        values = -self.bounds if self.kind is LogNormBound else self.bounds
        return np.where(np.isfinite(values), values, np.nan)

    @override
    def facts(self) -> Facts:
        known = self.rates[np.isfinite(self.rates)]
        title = f"RateSlice: proved on {len(known)} of {counted(len(self.bounds), 'box')}"
        what, shown = ("rate", at_least) if self.kind is LogNormBound else ("factor", at_most)
        ends = f"from {shown(known.min())} to {shown(known.max())}" if len(known) else "none"
        return Facts(title, (("plane", ", ".join(self.plane)), (what, ends)))


def proved_slice(
    proof: Proved,
    plane: Sequence[str] | None = None,
    *,
    at: Mapping[str, float] | None = None,
    view: Mapping[str, Side] | None = None,
    boxes: int = 1024,
    seconds: float = 10.0,
) -> RateSlice:
    """Prove a bound on each box of a plane through a proof's region, in the proof's norm.

    Args:
        proof: What was proved of the whole region; never is less proved of a part.
        plane: Two coordinates; where None, the first two that the Jacobian depends on.
        at: Values of other coordinates; those not named take every value of the region.
        view: What to show of a coordinate of the plane. Where None, the whole side, and of an
            unbounded one a part.
        boxes: How many boxes there may be.
        seconds: How long to go on cutting.

    Returns:
        The boxes. Each cut makes four of one until a limit is met; what is proved of a box
        holds on its parts. Boxes outside of a region's constraints are left out.

    Raises:
        RegionError: For unknown coordinates or values outside the region.
        UnsupportedError: For a proof by parts, which has no bound for a box.
    """
    return _slice(*opened(proof), plane, at or {}, view or {}, (boxes, seconds))


def slice_in_norm(
    module: RiemannianModule,
    norm: Norm | WrittenNorm,
    region: Box | None = None,
    plane: Sequence[str] | None = None,
    *,
    at: Mapping[str, float] | None = None,
    view: Mapping[str, Side] | None = None,
    boxes: int = 1024,
    seconds: float = 10.0,
) -> RateSlice:
    """As `proved_slice`, in a norm that is given, whether the module contracts in it or not.

    Args:
        module: A flow, a step map, or a static map.
        norm: The norm.
        region: The region; everywhere where None.
        plane: As for `proved_slice`, like what follows.
        at: Values of other coordinates.
        view: What to show of a coordinate of the plane.
        boxes: How many boxes there may be.
        seconds: How long to go on cutting.

    Returns:
        The boxes, as `proved_slice` does.

    Raises:
        RegionError: For unknown coordinates or values outside the region.
        MetricError: For a norm that does not fit the module.
    """
    problem = make_problem(module, region if region is not None else Box())
    if isinstance(norm, (WrittenL2, WrittenFactor)):
        norm = traced_norm(norm, module, problem)
    require_norm(problem, norm, None)
    problem = with_metric(problem, norm)
    criterion = prepared_criterion(problem, norm, None, time.monotonic() + seconds)
    return _slice(problem, criterion, plane, at or {}, view or {}, (boxes, seconds))


def _slice(
    problem: Problem, criterion: Criterion, plane: Sequence[str] | None, at: Mapping[str, float],
    view: Mapping[str, Side], limits: tuple[int, float],
) -> RateSlice:  # fmt: skip
    problem = _fixed(problem, at)
    axes = _axes(problem, criterion, plane)
    lower, upper, bounds = _cut(problem, criterion, _window(problem, axes, view), axes, limits)
    inside = bounds > -np.inf  # boxes outside of constraints need no bound
    if not inside.any():
        raise RegionError("A slice: no box of this plane meets the region's constraints.")
    moving = _moving(problem, criterion)
    sides = zip(problem.coordinates, problem.lower.tolist(), problem.upper.tolist(), strict=True)
    others = {c: (a, b) for i, (c, a, b) in enumerate(sides) if i in moving and i not in axes}
    names = problem.coordinates[axes[0]], problem.coordinates[axes[1]]
    kind = LogNormBound if problem.is_flow else LipschitzBound
    return RateSlice(
        names, lower[inside][:, axes], upper[inside][:, axes], bounds[inside], others, kind
    )


def _fixed(problem: Problem, at: Mapping[str, float]) -> Problem:
    require_mapping("slice: at", at, "numbers by coordinates", RegionError)
    lower, upper = problem.lower.copy(), problem.upper.copy()
    for name, given in at.items():
        i, value = _place(problem, name), number(f"slice: {name}", given)
        if not lower[i] <= value <= upper[i]:
            raise RegionError(
                f"slice: expected {name} in [{lower[i]:g}, {upper[i]:g}], its side of the "
                f"region, got {value:g}."
            )
        lower[i] = upper[i] = value
    return replace(problem, lower=lower, upper=upper)


def _place(problem: Problem, name: str) -> int:
    if name not in problem.coordinates:
        raise RegionError(
            f"slice: unknown coordinate {name!r}; known are: {', '.join(problem.coordinates)}."
        )
    return problem.coordinates.index(name)


def _moving(problem: Problem, criterion: Criterion) -> list[int]:
    """The coordinates that the test depends on."""
    symbols = {s for atom in criterion.form.atoms for s in atom.free_symbols}
    return [i for i, s in enumerate(problem.symbols) if s in symbols]


def _axes(problem: Problem, criterion: Criterion, plane: Sequence[str] | None) -> list[int]:
    if plane is not None:
        axes = [_place(problem, name) for name in plane]
        if len(set(axes)) != 2:
            raise RegionError(f"slice: expected two coordinates, got {list(plane)}.")
        for i in axes:
            if not problem.lower[i] < problem.upper[i]:
                raise RegionError(
                    f"slice: {problem.coordinates[i]} does not vary in this region; choose "
                    "another coordinate."
                )
        return axes
    wide = np.flatnonzero(problem.lower < problem.upper).tolist()
    order = [i for i in _moving(problem, criterion) if i in wide]
    order += [i for i in wide if i not in order]
    if len(order) < 2:
        raise RegionError(
            "slice: the region has fewer than two coordinates that vary; a slice needs two."
        )
    return sorted(order[:2])


def _window(problem: Problem, axes: Sequence[int], view: Mapping[str, Side]) -> tuple[Array, Array]:
    """The region's box, its sides in the plane cut to what is shown."""
    lower, upper = problem.lower.copy(), problem.upper.copy()
    for i in axes:
        a, b = lower[i], upper[i]
        shown_low = a if np.isfinite(a) else (b - 2 * REACH if np.isfinite(b) else -REACH)
        shown_high = b if np.isfinite(b) else (a + 2 * REACH if np.isfinite(a) else REACH)
        lower[i], upper[i] = shown_low, shown_high
    for name, side in view.items():
        i = _place(problem, name)
        low, high = (number(f"slice: view of {name}", s) for s in side)
        if not max(low, problem.lower[i]) < min(high, problem.upper[i]):
            raise RegionError(
                f"slice: the view of {name}, ({low:g}, {high:g}), lies outside of the "
                f"region's side [{problem.lower[i]:g}, {problem.upper[i]:g}]."
            )
        lower[i], upper[i] = max(low, problem.lower[i]), min(high, problem.upper[i])
    return lower, upper


def _cut(
    problem: Problem, criterion: Criterion, window: tuple[Array, Array], axes: Sequence[int],
    limits: tuple[int, float],
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Lower and upper sides (boxes, dim) and proved bounds (boxes,), cut as far as limits allow."""
    boxes, seconds = limits
    started = time.monotonic()
    lower, upper = (side[None] for side in window)
    bounds = box_bounds(problem, criterion, lower, upper)
    cut = {name for c in problem.constraints.members for name in _names(c)}
    matters = {*_moving(problem, criterion), *(problem.coordinates.index(n) for n in cut)}
    moving = [i for i in axes if i in matters]
    while moving and len(lower) * 2 ** len(moving) <= boxes:
        spent = time.monotonic() - started
        for i in moving:
            lower, upper, bounds = _halved(lower, upper, bounds, i)
        # What is proved of a box holds on its parts.
        bounds = np.minimum(bounds, box_bounds(problem, criterion, lower, upper))
        last = time.monotonic() - started - spent
        if spent + last * (1 + 2 ** len(moving)) > seconds:
            break
    return lower, upper, bounds


def _names(constraint: Linear | Ball) -> tuple[str, ...]:
    return tuple(constraint.coefficients) if isinstance(constraint, Linear) else constraint.names


def _halved(lower: Array, upper: Array, bounds: Array, axis: int) -> tuple[Array, Array, Array]:
    middle = 0.5 * lower[:, axis] + 0.5 * upper[:, axis]
    left, right = upper.copy(), lower.copy()
    left[:, axis] = right[:, axis] = middle
    return np.concatenate([lower, right]), np.concatenate([left, upper]), np.tile(bounds, 2)
