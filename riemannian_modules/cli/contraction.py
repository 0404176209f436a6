"""The picture of a proof: two trajectories' distance below the curve that is proved.

The distance is taken in the certificate's norm, for in plain distance it may overshoot. The curve
ends where a trajectory leaves the region, for nothing is claimed of what is outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from riemannian_modules.certify import Proved
    from riemannian_modules.engine.trajectory import Trajectory
    from riemannian_modules.space import Array
    from riemannian_modules.spec import System

HALF_LIVES = 8.0
MOST_STEPS = 1_000


def two_trajectories(system: System, answer: Proved) -> tuple[Trajectory, Trajectory]:
    """Trajectories under the same inputs from two starts in the region.

    One starts where the file's simulation does, the other in the region's middle; both are moved
    into the region.
    """
    from riemannian_modules.cli.arguments import port_values
    from riemannian_modules.engine.simulate import simulate

    s, settings = system.module.signature, system.simulation
    x0 = port_values(s.state, settings.x0 if settings else {}, [], "--x0")
    u0 = port_values(s.inputs, settings.inputs if settings else {}, [], "--input")
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


def sides_of(answer: Proved) -> tuple[Array, Array]:
    """Lower and upper sides of a certificate's region, states first, then inputs."""
    rows = answer.certificate.data["region"]["sides"]
    return np.array([float(r[1]) for r in rows]), np.array([float(r[2]) for r in rows])


def _times(system: System, answer: Proved) -> Array:
    from riemannian_modules.cli.explain import half_life
    from riemannian_modules.modules.module import Time

    kind = answer.certificate.data["claim"]["kind"]
    b = logarithmic_rate(answer) if kind == "flow" else float(np.exp(logarithmic_rate(answer)))
    settings = system.simulation
    end = settings.t_end if settings else HALF_LIVES * (half_life(kind, b) or 1.0)
    if system.module.signature.time is Time.DISCRETE:
        return np.arange(min(max(int(np.ceil(end)), 1), MOST_STEPS) + 1.0)
    return np.linspace(0.0, end, settings.points if settings else 201)


def logarithmic_rate(answer: Proved) -> float:
    """The b with distances at most ``exp(b t)``: a log-norm, or a step factor's logarithm."""
    from riemannian_modules.certify import LogNormBound

    bound = answer.bound
    with np.errstate(divide="ignore"):
        return bound.rate if isinstance(bound, LogNormBound) else float(np.log(bound.factor))


def distances(norm: Mapping[str, Any], d: Array) -> Array:
    """The norms (T,) of differences d (T, n), with a norm as a certificate holds it."""
    if norm["type"] == "blocks":
        exponents = norm.get("exponents", [0] * len(norm["groups"]))
        weights = np.ldexp(norm["weights"], np.subtract(exponents, min(exponents)))
        parts = [
            _quadratic(np.array(M), d[:, group]) / r
            for group, M, r in zip(norm["groups"], norm["metrics"], weights, strict=True)
        ]
        return np.max(parts, axis=0)
    if "entries" in norm:
        return _sparse_quadratic(norm["entries"], d)
    if norm["type"] == "l2":
        return _quadratic(np.array(norm["metric"]), d)
    weights = np.array(norm["weights"])
    return np.abs(d) @ weights if norm["type"] == "l1" else (np.abs(d) / weights).max(-1)


def _sparse_quadratic(entries: Sequence[Sequence[Any]], d: Array) -> Array:
    i, j = (np.array([row[k] for row in entries]) for k in (0, 1))
    v = np.array([row[2] for row in entries]) * np.where(i == j, 1.0, 2.0)
    return np.sqrt(np.maximum((d[:, i] * v * d[:, j]).sum(1), 0.0))


def _quadratic(M: Array, d: Array) -> Array:
    # Rounding may leave a tiny negative square.
    return np.sqrt(np.maximum(np.einsum("ti,ij,tj->t", d, M, d), 0.0))


def time_inside(answer: Proved, *paths: Trajectory) -> int:
    """For how many of the times all trajectories have been in the region from the start on."""
    lower, upper = sides_of(answer)
    n = paths[0].states.shape[1]
    inside = np.ones(len(paths[0]), dtype=bool)
    for path in paths:
        inside &= ((path.states >= lower[:n]) & (path.states <= upper[:n])).all(1)
    return len(inside) if inside.all() else int(np.argmin(inside))


def contraction_figure(answer: Proved, first: Trajectory, second: Trajectory) -> Figure:
    """The distance of two trajectories over time beside the curve that is proved to lie above it.

    Args:
        answer: What was proved of a flow or a step map.
        first: A trajectory.
        second: Another at the same times under the same inputs.
    """
    from matplotlib.figure import Figure

    norm, b = answer.certificate.data["claim"]["norm"], logarithmic_rate(answer)
    t = first.times
    distance = distances(norm, first.states - second.states)  # (T,)
    kept = time_inside(answer, first, second)
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axis = figure.subplots()
    bound = distance[0] * np.exp(b * (t[:kept] - t[0]))
    axis.semilogy(t[:kept], bound, "k--", zorder=3, label=f"proved: exp({b:.4g} t)")
    # Below the solver's tolerance a distance is rounding, not contraction.
    noise = 1e-7 * max(distances(norm, path.states).max() for path in (first, second))
    visible = distance > min(noise, 1e-3 * distance[0])
    axis.semilogy(t[visible], distance[visible], label="distance of two trajectories")
    if kept < len(t):
        axis.axvline(t[kept], color="0.6", linestyle=":", label="a trajectory leaves the region")
    axis.set_xlabel("time")
    axis.set_ylabel(f"distance ({'by parts' if norm['type'] == 'blocks' else norm['type']})")
    axis.legend(frameon=False)
    axis.grid(alpha=0.3)
    return figure
