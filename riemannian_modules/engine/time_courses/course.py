"""An experiment run over time, with sensitivities: stretches between jumps, one after the other.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section I.14.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from riemannian_modules.engine.time_courses.precision import Precision
from riemannian_modules.engine.time_courses.setting import Setting, Settings
from riemannian_modules.integration.automatic import integrate
from riemannian_modules.integration.multistep import solve_stretch
from riemannian_modules.integration.problem import SparseProblem, StoppedError
from riemannian_modules.integration.sparse import integrate_sparse
from riemannian_modules.space import Array

# From a stretch's inputs, times, corners, and the start (n, 1 + k), the state in column 0 and its
# derivatives beside it, to all of these at the times, (T, n, 1 + k).
Stretch = Callable[[Callable[[float], list[float]], Array, Array, Array, float], Array]


def states(settings: Settings, at: Setting, times: Array, precision: Precision) -> Array:
    """The states at times (T,) that increase from the experiment's start on, (T, n).

    Raises:
        StoppedError: Where the flow leaves its domain or runs to infinity.
    """
    field = settings.field.at(at.theta)

    def stretch(
        u: Callable[[float], list[float]], grid: Array, corners: Array, z: Array, largest: float
    ) -> Array:
        problem = field.problem(u, z[:, 0])
        tolerances = precision.tolerances(largest)
        if isinstance(problem, SparseProblem):
            return integrate_sparse(problem, grid, corners, tolerances)[..., None]
        return integrate(problem, grid, corners, tolerances)[..., None]

    start = at.start.value[:, None]
    return _run(settings, at, times, start, at.doses.value[:, None], stretch)[..., 0]


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
    linearised = settings.field.linearised(at.theta)

    def stretch(
        u: Callable[[float], list[float]], grid: Array, corners: Array, z: Array, largest: float
    ) -> Array:
        tolerances = precision.tolerances(largest)
        return solve_stretch(linearised, u, at.flow.slope, grid, corners, z, tolerances)

    start = np.column_stack([at.start.value, at.start.slope])
    doses = np.column_stack([at.doses.value, at.doses.slope])
    found = _run(settings, at, times, start, doses, stretch)
    return found[..., 0], found[..., 1:]


def _run(
    settings: Settings, at: Setting, times: Array, start: Array, doses: Array, stretch: Stretch
) -> Array:
    """What a stretch gives, at all times, (T, n, 1 + k); doses are added where they are given."""
    begin, end = settings.experiment.start, float(times[-1])
    given = [dose.time for dose in settings.experiment.doses]
    added = doses.reshape(len(given), *start.shape)
    found = np.empty((len(times), *start.shape))
    z = start + sum(d for t, d in zip(given, added, strict=True) if t == begin)
    found[times == begin] = z
    program = at.program
    inner = {t for t in given if begin < t <= end}
    edges = sorted({begin, end, *program.jumps(begin, end), *inner})
    largest = float(np.diff(np.union1d(times, [begin])).max(initial=0.0))
    largest = largest if program.has_functions else np.inf
    for a, b in pairwise(edges):
        inside = (times > a) & (times <= b)
        kinks = program.kinks(a, b)
        grid = np.union1d([a, *kinks, b], times[inside])
        path = stretch(program.between(a, b), grid, np.array([*kinks, b]), z, largest)
        found[inside] = path[np.searchsorted(grid, times[inside])]
        z = path[-1]
        for t, d in zip(given, added, strict=True):
            if t == b:  # what is measured at a dose's time is measured after it
                z = z + d
                found[times == b] = z
    return found


def stopped(experiment: str, fault: StoppedError) -> str:
    """Where and why a run stopped, in words."""
    return f"experiment {experiment!r}: the integration stopped at t = {fault.time:.6g}: {fault}"
