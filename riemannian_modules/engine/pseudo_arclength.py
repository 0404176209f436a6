"""Points at rest followed over a parameter, around folds, with what becomes of their stability.

Pseudo-arclength: a step along the tangent, then Newton's method in the plane across it. Between two
points where a test function changes its sign, the zero is closed in on along the curve itself.
Source: Keller (1977), in Applications of Bifurcation Theory, 359-384; Kuznetsov (2004), Elements of
Applied Bifurcation Theory, third edition, chapter 10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riemannian_modules.door import did_you_mean, number, require, text, whole_number
from riemannian_modules.engine.branch import (
    BRANCHING,
    DOUBLING,
    FOLD,
    HOPF,
    TORUS,
    Branch,
    SpecialPoint,
)
from riemannian_modules.engine.crossing_point import crossing_point
from riemannian_modules.engine.delays import refuse_delays
from riemannian_modules.engine.operating_point import OperatingPoint, equilibrium
from riemannian_modules.engine.rest_curve import RestCurve, common_laws
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import Point, RiemannianModule
from riemannian_modules.modules.time_input import require_time
from riemannian_modules.shown import listed
from riemannian_modules.spaces import Array

FIRST, LONGEST, SHORTEST = 1e-3, 0.03, 1e-9  # steps, of the scaled coordinates
STRAIGHT = 0.985  # the least cosine between neighbouring tangents
AXIS = 1e-12  # relative: a pole within this is taken to lie on the real axis


def continuation(
    module: RiemannianModule,
    parameter: str,
    bounds: tuple[float, float],
    start: ArrayLike | Mapping[str, ArrayLike] | OperatingPoint | None = None,
    *,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    most_points: int = 2000,
) -> Branch:
    """Follow a branch of points at rest both ways over a parameter or an input.

    Args:
        module: A continuous or discrete module.
        parameter: The coordinate that varies: of a parameter or an input, such as ``"k"`` or
            ``"W[0,1]"``; a name that both have is written ``"parameter.k"`` or ``"input.k"``.
        bounds: Where the branch ends, (lower, upper).
        start: A guess of the state at rest, flat or by name, or a point from `equilibrium`. What
            the module conserves keeps the value that it has there.
        inputs: The inputs, flat or by name; zeros where not given.
        theta: The parameters; the module's own where None. The branch starts from the value that
            the varied one has here, or from the nearest bound.
        most_points: Points in each direction, after which the branch ends unfinished.

    Returns:
        The branch with its folds, Hopf points (period doublings, Neimark-Sacker points of discrete
        modules) and branch points, located to about 10 digits (branch points of more than 60
        states to half as many). What lies within one step is not seen: a pair of special points
        closer than some percent of the picture may be missed. Cost: some Jacobians and O(n^3) for
        each point.

    Raises:
        SignatureError: For unknown names, a module without state, or one that reads the time where
            the inputs do not name it and it is not what varies.
        DomainError: For bounds that are no such.
        ConvergenceError: If no point at rest is found to start from.
        UnsupportedError: If what the module conserves changes with the parameter, or it has sampled
            parts.
    """
    require("continuation", module, RiemannianModule, "a module")
    refuse_delays("continuation", module)
    slot, place = _slot(module, text("continuation: parameter", parameter))
    lower, upper = _checked_bounds(bounds)
    most = whole_number("continuation: most_points", most_points, 2)
    if isinstance(start, OperatingPoint):
        inputs = start.u if inputs is None else inputs
        theta = start.theta if theta is None else theta
        start = start.x
    require_time("continuation", module, inputs, [parameter.removeprefix("input.")])
    point = module.point(start, inputs, theta)
    if point.x.ndim != 1 or point.u.ndim != 1 or point.theta.ndim != 1:
        raise SignatureError("continuation: expected one point to start from, got a batch.")
    parts = [point.u.copy(), point.theta.copy()]
    value = min(max(float(parts[slot.start][place]), lower), upper)
    parts[slot.start][place] = value
    rest = equilibrium(module, parts[0], point.x, parts[1])
    first = Point(rest.x, rest.u, rest.theta)
    laws = common_laws(module, first, slot, place, (lower, upper))
    curve = RestCurve(module, first, slot, place, laws)
    follower = _Follower(curve, np.append(first.x, value), (lower, upper), most)
    forth, reason = follower.followed(1.0)
    if reason == CLOSED:
        return _branch(curve, parameter, [*forth[:-1], forth[0]], (CLOSED, CLOSED))
    back, reason_back = follower.followed(-1.0)
    return _branch(curve, parameter, [*reversed(back[1:]), *forth], (reason_back, reason))


CLOSED = "closed: it comes back to where it began"


def _slot(module: RiemannianModule, name: str) -> tuple[slice, int]:
    _, inputs, parameters = module.signature.distinct
    for slot, space in ((slice(0, 1), inputs), (slice(1, 2), parameters)):
        if name in space.coordinates:
            return slot, space.coordinates.index(name)
    known = [*parameters.coordinates, *inputs.coordinates]
    raise SignatureError(
        f"continuation: {type(module).__name__} has no parameter or input {name!r}"
        f"{did_you_mean([name], known)}; known are: {listed(known)}."
    )


def _checked_bounds(bounds: Any) -> tuple[float, float]:
    require("continuation: bounds", bounds, (tuple, list, np.ndarray), "(lower, upper)")
    if len(bounds) != 2:
        raise SignatureError(f"continuation: bounds: expected (lower, upper), got {bounds!r}.")
    lower, upper = (number("continuation: bounds", b) for b in bounds)
    if not lower < upper:
        raise DomainError(f"continuation: bounds: expected lower < upper, got {lower} and {upper}.")
    return lower, upper


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A point of the curve, its poles, and what is special about it."""

    z: Array
    poles: NDArray[np.complex128]
    kind: str = ""
    frequency: float = np.nan


class _Follower:
    """Steps along a curve from one point, until it leaves the bounds."""

    def __init__(
        self, curve: RestCurve, start: Array, bounds: tuple[float, float], most: int
    ) -> None:
        self.curve, self.start, self.bounds, self.most = curve, start, bounds, most
        width = bounds[1] - bounds[0]
        size = np.abs(start[:-1])
        curve.scale = np.append(np.where(size > 0, size, size.max(initial=0.0) or 1.0), width)
        # A state that is zero, or far from its later size, is as large as the parameter makes it.
        slope = curve.tangent(start, np.ones(len(start)))
        reach = np.abs(slope[:-1] / (slope[-1] or 1.0)) * curve.scale[:-1]
        size = np.maximum(size, np.minimum(reach, 1e3 * curve.scale[:-1]) * 0.1)
        least = 1e-6 * size.max(initial=0.0) or 1.0
        self.first_scale = np.append(np.maximum(size, least), width)

    def followed(self, sign: float) -> tuple[list[_Node], str]:
        """The points to one side, and why they end."""
        curve = self.curve
        curve.scale = self.first_scale.copy()
        z, up = self.start, np.append(np.zeros(curve.n), sign)
        t = curve.tangent(z, up)
        if abs(t[-1]) < 1e-12:  # it starts at a fold: the two sides are two directions of x
            t = sign * curve.tangent(z, np.ones(curve.n + 1))
        nodes, h = [self._node(z)], FIRST
        lower, upper = self.bounds
        if (z[-1] <= lower and t[-1] < 0) or (z[-1] >= upper and t[-1] > 0):
            return nodes, _bound(lower if t[-1] < 0 else upper)
        while len(nodes) < self.most:
            found = self._next(z, t, h)
            if found is None:
                h *= 0.5
                if h < SHORTEST:
                    return nodes, f"no further point is found beyond {z[-1]:.6g}"
                continue
            new, t_new, bend = found
            inside = lower <= new[-1] <= upper
            if not inside:
                length = self._to_bound(z, t, h)
                new = self._at_bound(z, t, length)
                if new is None:
                    return nodes, f"no further point is found beyond {z[-1]:.6g}"
                h, t_new = length, curve.tangent(new, t)
            nodes += self._special(z, t, new, t_new, h, nodes[-1])
            nodes.append(self._node(new))
            if not inside:
                return nodes, _bound(float(new[-1]))
            if len(nodes) > 12 and self._is_back(z, new):
                return nodes, CLOSED
            grown = np.maximum(curve.scale[:-1], np.abs(new[:-1]))
            t_new = t_new * curve.scale
            curve.scale = np.append(grown, curve.scale[-1])
            z, t = new, curve.tangent(new, t_new / curve.scale)
            h = min(h * (1.6 if bend > 0.997 else 1.0), LONGEST)
        return nodes, f"unfinished after {self.most} points"

    def _next(self, z: Array, t: Array, h: float) -> tuple[Array, Array, float] | None:
        """The point a step further, unless the curve bends too much for it."""
        new = self._along(z, t, h)
        if new is None:
            return None
        away = np.linalg.norm((new - z) / self.curve.scale - h * t)
        t_new = self.curve.tangent(new, t)
        bend = float(t_new @ t)
        return None if away > 0.3 * h or bend < STRAIGHT else (new, t_new, bend)

    def _along(self, z: Array, t: Array, h: float) -> Array | None:
        return self.curve.corrected(z + h * self.curve.scale * t, t)

    def _node(self, z: Array, kind: str = "", frequency: float = np.nan) -> _Node:
        return _Node(z, self.curve.poles(z), kind, frequency)

    def _to_bound(self, z: Array, t: Array, h: float) -> float:
        """The length at which the curve meets a bound."""
        lower, upper = self.bounds

        def beyond(length: float) -> float:
            new = self._along(z, t, length)
            p = z[-1] + length * t[-1] * self.curve.scale[-1] if new is None else new[-1]
            return float(max(lower - p, p - upper))

        return _root(beyond, h) if beyond(0.0) < 0 else 0.0

    def _at_bound(self, z: Array, t: Array, length: float) -> Array | None:
        """The point of the curve at the bound that is near after a length."""
        near = self._along(z, t, length)
        if near is None:
            return None
        bound = min(self.bounds, key=lambda b: abs(near[-1] - b))
        across = np.eye(self.curve.n + 1)[-1]
        found = self.curve.corrected(np.append(near[:-1], bound), across)
        return near if found is None else np.append(found[:-1], bound)

    def _is_back(self, z: Array, new: Array) -> bool:
        """Whether the start lies between two neighbouring points."""
        a, b = (z - self.start) / self.curve.scale, (new - self.start) / self.curve.scale
        chord = b - a
        part = float(-(a @ chord) / (chord @ chord))
        return 0 <= part <= 1 and bool(
            np.linalg.norm(a + part * chord) < 0.05 * np.linalg.norm(chord)
        )

    def _special(
        self, z: Array, t: Array, new: Array, t_new: Array, h: float, before: _Node
    ) -> list[_Node]:
        """The special points between two neighbours, in order."""
        curve, found = self.curve, list[tuple[float, str]]()

        def at(length: float) -> Array:
            point = self._along(z, t, length)
            return z + (length / h) * (new - z) if point is None else point

        def crossing(length: float) -> float:
            return curve.orientation(at(length), t)

        def turning(length: float) -> float:
            return float(curve.tangent(at(length), t)[-1])

        if crossing(0.0) * crossing(h) < 0:
            found.append((_root(crossing, h), BRANCHING))
        elif t[-1] * t_new[-1] < 0:
            found.append((_root(turning, h), FOLD))
        after = curve.poles(new)
        for kind, test in _pole_tests(before.poles, after, is_discrete=curve.is_discrete):
            found.append((_root(lambda length, f=test: f(curve.poles(at(length))), h), kind))
        nodes: list[_Node] = []
        for length, kind in sorted(found):
            point = at(length)
            if kind == BRANCHING:
                point = crossing_point(curve, point)
            nodes.append(self._node(point, kind, self._frequency(kind, curve.poles(point))))
        return nodes

    def _frequency(self, kind: str, poles: NDArray[np.complex128]) -> float:
        if kind == HOPF:
            pairs = poles[poles.imag > 0]
            return float(pairs[np.abs(pairs.real).argmin()].imag)
        if kind == TORUS:
            pairs = poles[poles.imag > 0]
            return float(np.angle(pairs[np.abs(np.abs(pairs) - 1).argmin()]))
        return np.pi if kind == DOUBLING else np.nan


def _bound(value: float) -> str:
    return f"at the bound {value:.6g}"


def _root(function: Callable[[float], float], h: float) -> float:
    """Where a function that changes its sign in (0, h) is zero."""
    from scipy.optimize import brentq

    low, high = function(0.0), function(h)
    if low * high > 0:
        return h if abs(high) < abs(low) else 0.0
    found: Any = brentq(function, 0.0, h, xtol=1e-15, rtol=4 * np.finfo(float).eps)
    return float(found)


Test = Callable[[NDArray[np.complex128]], float]


def _pole_tests(
    before: NDArray[np.complex128], after: NDArray[np.complex128], *, is_discrete: bool
) -> list[tuple[str, Test]]:
    """What oscillations begin or end between two points, with the function that is zero there."""
    found: list[tuple[str, Test]] = []
    pairs, kind = (_pair_outside, TORUS if is_discrete else HOPF)
    a, b = (pairs(p, is_discrete=is_discrete) for p in (before, after))
    if (a > 0).sum() != (b > 0).sum() and len(a) and len(b):
        rank = min((a > 0).sum(), (b > 0).sum())  # the pair that crosses, the largest first

        def pair(poles: NDArray[np.complex128], k: int = int(rank)) -> float:
            sizes = pairs(poles, is_discrete=is_discrete)
            return float(sizes[k]) if k < len(sizes) else -1.0

        found.append((kind, pair))
    if is_discrete:
        below = [np.sort(p[_is_real(p)].real) for p in (before, after)]
        if (below[0] < -1).sum() != (below[1] < -1).sum():
            k = int(min((below[0] < -1).sum(), (below[1] < -1).sum()))

            def flip(poles: NDArray[np.complex128]) -> float:
                real = np.sort(poles[_is_real(poles)].real)
                return float(real[k]) + 1.0 if k < len(real) else 1.0

            found.append((DOUBLING, flip))
    return found


def _is_real(poles: NDArray[np.complex128]) -> NDArray[np.bool_]:
    return np.abs(poles.imag) <= AXIS * np.abs(poles)


def _pair_outside(poles: NDArray[np.complex128], *, is_discrete: bool) -> Array:
    """How far complex pairs lie outside of the stable region, the largest first."""
    pairs = poles[(poles.imag > 0) & ~_is_real(poles)]
    outside = np.abs(pairs) - 1.0 if is_discrete else pairs.real
    return np.sort(outside)[::-1]


def _branch(curve: RestCurve, parameter: str, nodes: list[_Node], ends: tuple[str, str]) -> Branch:
    module, z = curve.module, np.array([node.z for node in nodes])
    points = [curve.at(row) for row in z]
    with np.errstate(all="ignore"):
        outputs = np.array([module.output(p.x, p.u, p.theta) for p in points])
    special = tuple(
        SpecialPoint(node.kind, float(node.z[-1]), node.z[:-1], node.frequency, i)
        for i, node in enumerate(nodes)
        if node.kind
    )
    s = module.signature
    return Branch(
        parameter, z[:, -1], z[:, :-1], outputs.reshape(len(z), s.outputs.size),
        np.array([node.poles for node in nodes]), special, ends, s.state.coordinates,
        s.outputs.coordinates, curve.point.u, curve.point.theta, curve.is_discrete,
    )  # fmt: skip
