"""An experiment's run across doses, events and switches, from one to the next.

Source: Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, section II.6;
sensitivities as in `riemannian_modules.modules.switched_sensitivity`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.engine.time_courses.happening import Happening
from riemannian_modules.engine.time_courses.precision import Precision
from riemannian_modules.engine.time_courses.setting import Setting, Settings
from riemannian_modules.integration.crossings import Zeros, each
from riemannian_modules.integration.piecewise import Pieces, Watched
from riemannian_modules.integration.problem import StepTolerances
from riemannian_modules.modules import switched_sensitivity as across
from riemannian_modules.spaces import Array

# From a stretch's inputs, times, corners, and the start (n, 1 + k), the state in column 0 and its
# derivatives beside it, to all of these at the times, (T, n, 1 + k).
StretchSolver = Callable[[Callable[[float], list[float]], Array, Array, Array, float], Array]


def jumped(settings: Settings, at: Setting, t: float, z: Array, u: Array) -> Array:
    """State and derivatives (n, 1 + k) after all doses of a time, and events known for it.

    Args:
        settings: The experiment.
        at: It at given parameters.
        t: The time.
        z: What they were before.
        u: The inputs before, (m,).
    """
    n, has_slopes = len(z), z.shape[1] > 1
    added, slopes = at.doses.value.reshape(-1, n), at.doses.slope
    for i in np.flatnonzero(at.moments.value == t):
        x = z[:, 0] + added[i]
        if not has_slopes:
            z = x[:, None]
            continue
        moved, late = z[:, 1:] + slopes[n * i : n * (i + 1)], at.moments.slope[i]
        if late.any():
            # A later dose is given under the inputs that follow, where they jump at this time.
            rate, after = settings.field.at(at.theta).rate, at.program.sampled(np.array([t]))[0]
            gap = rate(z[:, 0], after.tolist()) - rate(x, after.tolist())
            moved = moved + gap[:, None] * late
        z = np.column_stack([x, moved])
    happening = settings.happening
    for terms in [] if happening is None else happening.resets_at(t):
        assert happening is not None
        field, x, w = happening.field(at.known.value), z[:, 0].tolist(), u.tolist()
        signs = [0.0] * len(field.signs)
        parts = [np.array(field.compiled(terms)(x, [*w, t, *signs]))]
        if has_slopes:
            stretch = across.Stretch(lambda _, w=w: w, (t, t), range(len(w)))
            after = across.MovedTerms(field, terms, settings.directions(at), stretch)
            parts.append(after.moved(t, x, z[:, 1:], signs))
        z = np.column_stack(parts)
    return z


def pieces(
    happening: Happening, at: Setting, precision: Precision, directions: Array | None = None
) -> StretchSolver:
    """Stretches that go from crossing to crossing; with derivatives along directions, if given.

    Args:
        happening: What switches and happens.
        at: The experiment at given parameters.
        precision: Of states, and of sensitivities likewise.
        directions: How inputs, then all that formulas know, move, (m + L, k).
    """
    from scipy.integrate import LSODA, Radau

    field = happening.field(at.known.value)
    n, k = len(field.state), 0 if directions is None else directions.shape[1]
    signs = [0.0] * len(field.signs)
    whens, ways = field.compiled(happening.whens), happening.directions
    resets = [field.compiled(terms) for terms in happening.resets]
    absolute = np.concatenate([precision.absolute, np.repeat(precision.absolute, k)])
    happened: list[tuple[int, list[float]]] = []

    def happen(t: float, z: Array, events: list[int]) -> tuple[Array, bool]:
        u = at.program.sampled(np.array([t]))[0].tolist()
        for i in events:
            x = z[:n].tolist()
            happened.append((i, x))
            z = np.append(resets[i](x, [*u, t, *signs]), z[n:])
        return z, False

    runs: list[Pieces] = []

    def stretch(
        u: Callable[[float], list[float]], grid: Array, corners: Array, z: Array, largest: float
    ) -> Array:
        if not runs:
            tolerances = StepTolerances(precision.relative, absolute, largest)
            # Each counts, for what it does to derivatives, though it may leave the state.
            watched = Watched(ways, [True] * len(ways), happen)
            runs.append(Pieces(watched, tolerances, [LSODA, Radau]))
        (run,) = runs

        def met_at(t: float, z: list[float]) -> Numbers:
            return whens(z[:n], [*u(t), t, *signs])

        run.watch(Zeros(met_at, lambda t, z: each(met_at, t, z)))
        ends = float(grid[0]), float(grid[-1])
        here = across.Stretch(u, ends, at.program.steady(*ends))
        happened.clear()
        if directions is None:
            problem = field.problem(here.u, here.ends, here.steady)
        else:
            met = across.MovedTerms(field, happening.whens, directions, here)
            after = [across.MovedTerms(field, t, directions, here) for t in happening.resets]
            late = at.moments.slope[at.moments.value == ends[0]][:1].sum(axis=0)
            jumps = across.Jumps(met, after, late, happened)
            problem = across.sensitive_problem(field, here, directions, "fit_trajectories", jumps)
        stops: list[float] = corners.tolist()
        path = run.stretch(problem, np.concatenate([z[:, 0], z[:, 1:].ravel()]), grid, stops)
        x, S = path[:, :n, None], path[:, n:].reshape(len(grid), n, k)
        return np.concatenate([x, S], axis=-1)

    return stretch
