"""Two trajectories of a system file to be drawn under a proof: where they start and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from riemannian_modules.certify import Proved
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.spaces import Array
    from riemannian_modules.spec import System

HALF_LIVES = 8.0
MOST_STEPS = 1_000


def two_trajectories(system: System, answer: Proved) -> tuple[Trajectory, Trajectory]:
    """Trajectories under the same inputs from two starts in the region.

    One starts where the file's simulation does, the other in the region's middle; both are moved
    into the region, and so are the inputs, which stay as they are at the simulation's start.
    """
    from riemannian_modules.cli.arguments import port_values
    from riemannian_modules.cli.drive import inputs_at_start
    from riemannian_modules.engine.simulation import simulate
    from riemannian_modules.plot.claim import sides_of

    s, settings = system.module.signature, system.simulation
    x0 = port_values(s.state, settings.x0 if settings else {}, [], "--x0")
    u0 = inputs_at_start(system)
    lower, upper = sides_of(answer)
    n, m = s.state.size, s.inputs.size
    u = np.clip(u0, lower[n : n + m], upper[n : n + m])
    starts = two_starts(x0, lower[:n], upper[:n])
    times = _times(system, answer)
    first, second = (simulate(system.module, times, start, u) for start in starts)
    return first, second


def two_starts(x0: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Two different points of a box (n,): the one nearest to ``x0``, and one in the middle."""
    first = np.clip(x0, lower, upper)
    is_bounded = np.isfinite(lower) & np.isfinite(upper)
    with np.errstate(invalid="ignore"):
        middle = np.where(is_bounded, 0.5 * lower + 0.5 * upper, np.clip(first + 1.0, lower, upper))
        beside = np.where(is_bounded, 0.75 * lower + 0.25 * upper, first - 1.0)
    second = np.where(middle == first, beside, middle)
    return first, np.clip(second, lower, upper)


def _times(system: System, answer: Proved) -> Array:
    from riemannian_modules.cli.explain import half_life
    from riemannian_modules.modules.module import Time
    from riemannian_modules.plot.claim import logarithmic_rate

    kind = answer.certificate.data["claim"]["kind"]
    b = logarithmic_rate(answer) if kind == "flow" else float(np.exp(logarithmic_rate(answer)))
    settings = system.simulation
    step = system.module.signature.step
    end = settings.t_end if settings else HALF_LIVES * (half_life(kind, b) or 1.0) * step
    if system.module.signature.time is Time.DISCRETE:
        return np.arange(min(max(int(np.ceil(end / step)), 1), MOST_STEPS) + 1.0) * step
    return np.linspace(0.0, end, settings.points if settings else 201)
