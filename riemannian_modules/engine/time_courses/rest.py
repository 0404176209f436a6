"""Where a flow rests, and how that place moves with the parameters.

At rest ``f(x, q) = 0``, hence ``A dx = -F dq``; what A leaves undetermined are the quantities that
the flow conserves, which are those of the start: ``C(q) (x - x0) = 0``. Where the parameters stand
in these laws (volumes, yields), ``C dx = C dx0 - dC (x - x0)``, and from ``C f = 0`` at all points
comes ``dC f = -C F dq``.
Source: the implicit function theorem; Horn and Jackson (1972), Arch. Rational Mech. Anal. 47.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.engine.operating_point import equilibrium
from riemannian_modules.engine.time_courses.setting import Moved, Setting, Settings
from riemannian_modules.spaces import Array

_RANK = 1e-10  # of the Jacobian's largest singular value
_POINTS = 4  # for each state, at which velocities are taken


def rest(settings: Settings, at: Setting) -> Moved:
    """The state at rest that the setting's start belongs to, and its derivatives.

    Raises:
        ConvergenceError: If there is none.
    """
    flow, begin = settings.field.flow, settings.experiment.start
    u = at.program.sampled(np.array([begin]))[0]
    x = equilibrium(flow, u, at.start.value, at.theta).x
    J = settings.field.linearised(at.theta).matrix(x.tolist(), u.tolist())
    n = len(x)
    A, moved = J[:, :n], J[:, n:] @ at.flow.slope
    U, sizes, _ = np.linalg.svd(A)
    laws = U[:, sizes <= _RANK * sizes.max(initial=0.0)].T
    kept = laws @ at.start.slope + _turned(settings, at, x, u, laws)
    # Both in units of their own size, so that least squares is exact elimination.
    stacked = np.vstack([A / max(float(sizes.max(initial=0.0)), 1e-300), laws])
    wanted = np.vstack([-moved / max(float(sizes.max(initial=0.0)), 1e-300), kept])
    moves: Array = np.linalg.lstsq(stacked, wanted, rcond=None)[0].astype(np.float64)
    return Moved(x, moves)


def _turned(settings: Settings, at: Setting, x: Array, u: Array, laws: Array) -> Array:
    """``dC (x0 - x)`` for laws C (l, n) whose coefficients move with the parameters, (l, k).

    The way ``x0 - x`` is a sum ``c_i f(x_i)`` of velocities at points, hence ``-c_i C F(x_i) dq``.
    """
    way, n = at.start.value - x, len(x)
    found = np.zeros((len(laws), at.start.slope.shape[1]))
    if not len(laws) or not way.any():
        return found
    rate = settings.field.at(at.theta).rate
    matrix = settings.field.linearised(at.theta).matrix
    rng = np.random.default_rng(0)
    points = x + rng.random((_POINTS * n, 1)) * way
    points = points * np.exp(0.5 * rng.standard_normal(points.shape))
    with np.errstate(all="ignore"):
        velocities = np.array([rate(point, u.tolist()) for point in points])
        forces = np.array([laws @ matrix(p.tolist(), u.tolist())[:, n:] for p in points])
    is_there = np.isfinite(velocities).all(-1) & np.isfinite(forces).all((-1, -2))
    f, shares = velocities[is_there], forces[is_there] @ at.flow.slope
    size = np.abs(f).max(-1, initial=0.0)
    size[size == 0.0] = 1.0
    if not np.abs(shares / size[:, None, None]).max(initial=0.0) > _RANK:
        return found
    c = np.linalg.lstsq((f / size[:, None]).T, way, rcond=_RANK)[0] / size
    return -np.einsum("i,ilk->lk", c, shares)
