"""Modules whose states are amounts: none ever falls below zero, so no point at rest does.

Newton's method knows nothing of that: it ends at roots with negative amounts, or where one that
is there at the start has vanished, as gladly as at the point that the module itself approaches.
Source: Haddad, Chellaboina and Hui (2010), *Nonnegative and Compartmental Dynamical Systems*,
proposition 2.1 (essentially nonnegative maps).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from riemannian_modules.engine.simulation import simulate
from riemannian_modules.errors import RiemannianError
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.spaces import Array

SAMPLES = 8
DECADES = 14  # of time that a trajectory is followed for
RTOL = 1e-7  # of the way there, which Newton's method ends


def holds_amounts(module: RiemannianModule, point: Point) -> bool:
    """Whether the states are amounts, as far as samples tell: where one is zero, it does not fall.

    Args:
        module: A continuous or discrete module.
        point: Its inputs and parameters, and states of the size that amounts have.
    """
    x, n = point.x, point.x.size
    if not n or (x < 0).any():
        return False
    size = np.where(x > 0, x, x.max() or 1.0)
    spread = 10.0 ** np.random.default_rng(0).uniform(-2.0, 2.0, (SAMPLES, 1, n))
    places = np.where(np.eye(n, dtype=bool), 0.0, size * spread)  # (SAMPLES, n, n)
    try:
        with np.errstate(all="ignore"):
            change = np.broadcast_to(module.forward(places, point.u, point.theta)[0], places.shape)
    except RiemannianError:  # some part of the module is not defined there
        return False
    return bool((np.diagonal(change, axis1=1, axis2=2) >= 0).all())


def is_lost(start: Array, end: Array) -> bool:
    """Whether an amount that is there at the start has vanished or turned negative at the end."""
    least = 1e-9 * max(np.abs(start).max(initial=0.0), np.abs(end).max(initial=0.0))
    return bool(((end < -1e-3 * least) | ((start > 0) & (end <= 1e-3 * least))).any())


def along_trajectory(module: RiemannianModule, point: Point) -> Iterator[Array]:
    """States on the trajectory from a point under its inputs, at ever longer times."""
    if module.time is Time.DISCRETE:
        times = np.arange(101.0)
    else:
        rate = np.abs(module.jacobian(point.x, point.u, point.theta).A).max()
        times = np.array([0.0, 1.0 / rate]) if rate > 0 else np.array([0.0, 1.0])
    x = point.x
    for _ in range(DECADES if x.any() else 0):
        try:
            run = simulate(
                module, times, x, point.u, point.theta, rtol=RTOL, atol=1e-3 * RTOL * x.max()
            )
        except RiemannianError:
            return
        x = np.maximum(run.final_state, 0.0)
        yield x
        if module.time is Time.CONTINUOUS:
            times = 10.0 * times


def is_near(x: Array, end: Array) -> bool:
    """Whether each amount x is that of a point ``end`` at rest already, but for a small rest."""
    return bool((np.abs(end - x) <= 0.5 * np.abs(x) + 1e-9 * np.abs(x).max(initial=0.0)).all())
