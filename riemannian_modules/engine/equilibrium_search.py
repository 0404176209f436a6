"""Several points at rest of one module: Newton's method from many starts, each end told once.

Source: Deuflhard (2011), Newton Methods for Nonlinear Problems, section 3.1; nothing tells that all
are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import require, whole_number
from riemannian_modules.engine.amounts import holds_amounts
from riemannian_modules.engine.conserved import conserved
from riemannian_modules.engine.delays import refuse_delays
from riemannian_modules.engine.operating_point import OperatingPoint
from riemannian_modules.engine.poles import Stability
from riemannian_modules.engine.rest import RestEquations
from riemannian_modules.engine.sampling import refuse_ticks
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    RegionError,
    SignatureError,
)
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.modules.time_input import require_time
from riemannian_modules.region import Box
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.spaces import Array

SAME = 1e-6  # relative to the size of the states that are met: two ends that are one point
CLEARED = 1e-12  # relative: what Newton's method leaves of a zero
DECADES = 2.0  # about the guess, to each side, in which starts are drawn where no region is given
ROUNDS = 50  # of moving a start into the guess's class


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Equilibria(Shown):
    """Distinct points at rest, in ascending order of their states.

    Attributes:
        points: The points.
        stability: Whether each is stable against what keeps the conserved totals.
        counts: How many starts ended at each.
        starts: How many starts there were.
        state_names: Names of the states' coordinates.
    """

    points: tuple[OperatingPoint, ...]
    stability: tuple[Stability, ...]
    counts: tuple[int, ...]
    starts: int
    state_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[OperatingPoint]:
        return iter(self.points)

    def __getitem__(self, place: int) -> OperatingPoint:
        return self.points[place]

    @property
    def states(self) -> Array:
        """States (k, n)."""
        return np.array([p.x for p in self.points]).reshape(len(self), len(self.state_names))

    @property
    def stable(self) -> tuple[OperatingPoint, ...]:
        """The points that are stable."""
        pairs = zip(self.points, self.stability, strict=True)
        return tuple(p for p, s in pairs if s is Stability.STABLE)

    @override
    def facts(self) -> Facts:
        noun = "point at rest" if len(self) == 1 else "points at rest"
        title = f"Equilibria: {len(self)} {noun} from {counted(self.starts, 'start')}"
        tell = [
            f"({', '.join(f'{v:.5g}' for v in p.x[:4])}{', ...' if p.x.size > 4 else ''}) {s.value}"
            for p, s in zip(self.points[:6], self.stability[:6], strict=True)
        ]
        more = f", and {len(self) - 6} more" if len(self) > 6 else ""
        return Facts(title, (("", "; ".join(tell) + more),) if tell else ())


def equilibria(
    module: RiemannianModule,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    guess: ArrayLike | Mapping[str, ArrayLike] | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    starts: int | Sequence[ArrayLike | Mapping[str, ArrayLike]] = 64,
    region: Box | None = None,
    rng: np.random.Generator | None = None,
) -> Equilibria:
    """Find the points at rest that Newton's method reaches from many starts.

    Args:
        module: A continuous or discrete module.
        inputs: The inputs, flat or by name; zeros where not given.
        guess: A state whose conserved totals all points shall have; it is a start, too. Zeros where
            not given.
        theta: The parameters; the module's own where None.
        starts: How many to draw, or the states themselves, flat or by name.
        region: Where starts are drawn, evenly, and where points count; a state that it does not
            bound is drawn about the guess: within two decades of its size, of both signs, or above
            zero where the guess and all given starts are and trajectories stay so (amounts).
        rng: Draws the starts; the same ones at each call where None.

    Returns:
        The distinct points with their stability; from a guess of amounts, those without a
        negative one. Others may exist: a search proves nothing. Where points at rest form a line
        in the class, several of it are given.

    Raises:
        SignatureError: For wrong names or shapes, a module without state, or one that reads the
            time where the inputs do not name it.
        UnsupportedError: If the module has sampled parts or exact delays.
        RegionError: For unknown names in the region.
        ConvergenceError: If no point is found.
    """
    require("equilibria", module, RiemannianModule, "a module")
    refuse_ticks("equilibria", module)
    refuse_delays("equilibria", module)
    require_time("equilibria", module, inputs)
    name, s = type(module).__name__, module.signature
    if s.time is Time.STATIC:
        raise SignatureError(f"{name}: a static module has no state, so it has no equilibrium.")
    at = module.point(guess, inputs, theta)
    if at.x.ndim != 1 or at.u.ndim != 1 or at.theta.ndim != 1:
        raise SignatureError(f"{name}: equilibria expects one point, got a batch.")
    low, high = _bounds(module, region)
    typical = _typical(at.x, low, high)
    # Without a positive guess nobody says that the states are to stay where none is negative.
    are_amounts = bool(at.x.any()) and holds_amounts(module, at)
    if isinstance(starts, (list, tuple, np.ndarray)):
        given = np.array([module.point(x).x for x in starts]).reshape(-1, s.state.size)
        are_amounts = are_amounts and bool((given >= 0).all())
    else:
        count = whole_number("equilibria: starts", starts, 1)
        rng = np.random.default_rng(0) if rng is None else rng
        given = _drawn(rng, count, typical, (low, high), are_amounts=are_amounts)
    rest = RestEquations(module, at.theta, at.u, {}, ())
    laws = conserved(module, at)
    found = _Found(typical)
    for x in (at.x, *given):
        begin = _in_class(x, laws, laws @ at.x, are_amounts=are_amounts)
        z = _end(rest, begin, laws, typical)
        if z is None or (are_amounts and (z < -1e-9 * typical).any()):
            continue
        if ((z >= low - SAME * typical) & (z <= high + SAME * typical)).all():
            found.add(z)
    if not found.states:
        raise ConvergenceError(
            f"{name}: no point at rest was found from {len(given) + 1} starts. Draw more, or give "
            "a region in which one is expected: region=box(...)."
        )
    order = np.lexsort(np.array(found.states).T[::-1])
    points = [found.states[k] for k in order]
    return Equilibria(
        tuple(_point(rest, x, at) for x in points),
        tuple(rest.poles(x, laws).stability for x in points),
        tuple(found.counts[k] for k in order),
        len(given) + 1,
        s.state.coordinates,
    )


def _point(rest: RestEquations, x: Array, at: Point) -> OperatingPoint:
    y, r = rest.module.output(x, at.u, at.theta), rest.residual(x)
    return OperatingPoint(x, at.u, y, at.theta, float(np.abs(r).max(initial=0.0)))


def _end(rest: RestEquations, x: Array, laws: Array, typical: Array) -> Array | None:
    """Where Newton's method ends; what is zero within rounding is zero if that rests as well."""
    try:
        z, r = rest.solved(x, laws)
    except (ConvergenceError, DomainError):
        return None
    cleared = np.where(np.abs(z) <= CLEARED * typical, 0.0, z)
    rested = np.abs(rest.residual(cleared)).max(initial=0.0)
    return cleared if rested <= np.abs(r).max(initial=0.0) else z


def _bounds(module: RiemannianModule, region: Box | None) -> tuple[Array, Array]:
    n, s = module.signature.state.size, module.signature
    if region is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    require("equilibria: region", region, Box, "a region such as box(q=(-1, 1))", RegionError)
    names = tuple(c for space in s.distinct for c in space.coordinates)
    low, high = region.bounds(names, s.distinct)
    return low[:n], high[:n]


def _typical(x: Array, low: Array, high: Array) -> Array:
    """The size of each state: that of the guess, or of the region, or 1."""
    ends = (
        np.where(np.isfinite(low), np.abs(low), 0.0),
        np.where(np.isfinite(high), np.abs(high), 0),
    )
    size = np.maximum(np.abs(x), np.maximum(*ends))
    return np.where(size > 0, size, size.max(initial=0.0) or 1.0)


def _drawn(
    rng: np.random.Generator,
    count: int,
    typical: Array,
    bounds: tuple[Array, Array],
    *,
    are_amounts: bool,
) -> Array:
    """Starts (count, n): evenly where there are two bounds, over decades elsewhere."""
    low, high = bounds
    shape = (count, len(typical))
    decades = typical * 10.0 ** rng.uniform(-DECADES, DECADES, shape)
    signs = np.where(are_amounts, 1.0, rng.choice([-1.0, 1.0], shape))
    is_bounded = np.isfinite(low) & np.isfinite(high)
    a, b = np.where(is_bounded, low, 0.0), np.where(is_bounded, high, 0.0)
    return np.where(
        is_bounded, a + (b - a) * rng.random(shape), np.clip(signs * decades, low, high)
    )


def _in_class(x: Array, laws: Array, totals: Array, *, are_amounts: bool) -> Array:
    """A start with the given totals, near to one; of amounts, each moves by its share."""
    if not len(laws):
        return x
    for _ in range(ROUNDS if are_amounts else 0):
        share = np.linalg.lstsq(laws * x, totals - laws @ x, rcond=None)[0]
        # No amount falls by more than half, or grows more than tenfold, at a time.
        x = x * np.clip(1.0 + share, 0.5, 10.0)
    return x + np.linalg.lstsq(laws, totals - laws @ x, rcond=None)[0]


class _Found:
    """Distinct states, and how often each was reached."""

    def __init__(self, typical: Array) -> None:
        self.states, self.counts, self.typical = list[Array](), list[int](), typical

    def add(self, x: Array) -> None:
        for k, known in enumerate(self.states):
            # Small states count as well, down to the rounding of those that are met.
            size = np.maximum(np.abs(known), np.abs(x)) + 1e-6 * self.typical
            if (np.abs(known - x) <= SAME * size).all():
                self.counts[k] += 1
                return
        self.states.append(x)
        self.counts.append(1)
