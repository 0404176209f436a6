"""An experiment run over time, with sensitivities: stretches between jumps, one after the other.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from riemannian_modules.engine.time_courses.pieces import StretchSolver, jumped, pieces
from riemannian_modules.engine.time_courses.precision import Precision
from riemannian_modules.engine.time_courses.setting import Setting, Settings
from riemannian_modules.integration.automatic import integrate
from riemannian_modules.integration.multistep import solve_stretch
from riemannian_modules.integration.problem import SparseProblem, StoppedError
from riemannian_modules.integration.scale import ScaledFloors
from riemannian_modules.integration.sparse import integrate_sparse
from riemannian_modules.spaces import Array

TINY = float(np.finfo(np.float64).tiny)  # an absolute tolerance beside which the relative one rules


def first_precision(settings: Settings, at: Setting, times: Array, relative: float) -> Precision:
    """A precision by which states are found whose sizes nobody knows yet.

    From crossing to crossing a state leaves zero too slowly by relative errors alone, so that its
    size is looked up where it starts.
    """
    n = len(at.start.value)
    if settings.happening is None or not settings.happening.is_switched:
        return Precision(relative, np.full(n, TINY))
    inputs = at.program.sampled
    problem = settings.field.at(at.theta).problem(
        lambda t: inputs(np.array([t]))[0].tolist(), at.start.value
    )
    floors = ScaledFloors(np.abs(at.start.value), relative)
    return Precision(relative, floors.at(problem, settings.experiment.start, times[-1:]))


def states(settings: Settings, at: Setting, times: Array, precision: Precision) -> Array:
    """The states at times (T,) that increase from the experiment's start on, (T, n).

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity.
    """
    if settings.happening is not None and settings.happening.is_switched:
        stretch = pieces(settings.happening, at, precision)
        return _run(settings, at, times, at.start.value[:, None], stretch)[..., 0]
    field = settings.field.at(at.theta)

    def smooth(
        u: Callable[[float], list[float]], grid: Array, corners: Array, z: Array, largest: float
    ) -> Array:
        problem = field.problem(u, z[:, 0])
        tolerances = precision.tolerances(largest)
        if isinstance(problem, SparseProblem):
            return integrate_sparse(problem, grid, corners, tolerances)[..., None]
        return integrate(problem, grid, corners, tolerances)[..., None]

    return _run(settings, at, times, at.start.value[:, None], smooth)[..., 0]


def states_with_slopes(
    settings: Settings, at: Setting, times: Array, precision: Precision
) -> tuple[Array, Array]:
    """The states (T, n), and their derivatives along the setting's directions (T, n, k).

    Raises:
        StoppedError: As `states`.
    """
    if not at.start.slope.shape[1]:
        found = states(settings, at, times, precision)
        return found, np.zeros((*found.shape, 0))
    start = np.column_stack([at.start.value, at.start.slope])
    if settings.happening is not None and settings.happening.is_switched:
        stretch = pieces(settings.happening, at, precision, settings.directions(at))
        found = _run(settings, at, times, start, stretch)
        return found[..., 0], found[..., 1:]
    linearised = settings.field.linearised(at.theta)

    def smooth(
        u: Callable[[float], list[float]], grid: Array, corners: Array, z: Array, largest: float
    ) -> Array:
        tolerances = precision.tolerances(largest)
        return solve_stretch(linearised, u, at.flow.slope, grid, corners, z, tolerances)

    found = _run(settings, at, times, start, smooth)
    return found[..., 0], found[..., 1:]


def _run(
    settings: Settings, at: Setting, times: Array, start: Array, stretch: StretchSolver
) -> Array:
    """What a stretch gives, at all times, (T, n, 1 + k); doses are given where their times are."""
    begin, end, program = settings.experiment.start, float(times[-1]), at.program
    given, happening = at.moments.value, settings.happening
    if (given < begin).any():
        raise StoppedError(begin, start[:, 0], f"a dose is given at {given.min():g}, before it.")
    known = {t for t in given.tolist() if t <= end}
    known |= set() if happening is None else happening.times(begin, end)
    found = np.empty((len(times), *start.shape))
    z = (
        jumped(settings, at, begin, start, program.sampled(times[:1])[0])
        if begin in known
        else start
    )
    found[times == begin] = z
    edges = sorted({begin, end, *program.jumps(begin, end), *known})
    largest = float(np.diff(np.union1d(times, [begin])).max(initial=0.0))
    largest = largest if program.has_functions else np.inf
    for a, b in pairwise(edges):
        inside = (times > a) & (times <= b)
        kinks = program.kinks(a, b)
        grid = np.union1d([a, *kinks, b], times[inside])
        u = program.between(a, b)
        path = stretch(u, grid, np.array([*kinks, b]), z, largest)
        found[inside] = path[np.searchsorted(grid, times[inside])]
        z = path[-1]
        if b in known:  # what is measured at a dose's time is measured after it
            z = jumped(settings, at, b, z, np.array(u(b)))
            found[times == b] = z
    return found


def stopped(experiment: str, fault: StoppedError) -> str:
    """Where and why a run stopped, in words."""
    return f"experiment {experiment!r}: the integration stopped at t = {fault.time:.6g}: {fault}"
