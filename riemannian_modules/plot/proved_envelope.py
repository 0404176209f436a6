"""Trajectories inside their proved envelope: distances under the curves above them.

Source: Lohmiller and Slotine (1998): in the norm of a proof distances follow ``exp(b t)``, in
plain distance ``sqrt(cond M) exp(b t)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.canvas import COLOURS, canvas, legend_above
from riemannian_modules.claims.answer import Proved
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.door import number_array, require
from riemannian_modules.engine.simulation import simulate
from riemannian_modules.engine.trajectory import Trajectory
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.plot.claim import directions_of, inside, logarithmic_rate
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Below the solver's tolerance, in parts of the states, a distance is rounding, not contraction.
NOISE = 1e-7


def envelope(
    module: RiemannianModule,
    answer: Proved,
    starts: ArrayLike,
    times: ArrayLike,
    inputs: Mapping[str, Any] | ArrayLike | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Simulate a module from several starts and draw it under what is proved; see `draw_envelope`.

    Args:
        module: What the proof is about.
        answer: What was proved of a flow or a step map.
        starts: At least two states (k, n), in the region.
        times: Increasing times, in the module's unit of time; steps for a step map that does not
            state its sampling time.
        inputs: The inputs of all trajectories, as `simulate` takes them.
        axes: Where to draw; a new figure where None.

    Returns:
        The figure.

    Raises:
        DomainError: If there are fewer than two starts.
    """
    require("envelope", answer, Proved, "a proof")
    points = number_array("envelope: starts", starts)
    if points.ndim != 2 or len(points) < 2:
        raise DomainError(
            f"envelope: expected at least two states as rows, got shape {points.shape}."
        )
    return draw_envelope(answer, [simulate(module, times, start, inputs) for start in points], axes)


def draw_envelope(answer: Proved, paths: Sequence[Trajectory], axes: Axes | None = None) -> Figure:
    """Draw the distances of trajectories from the first one, in parts of those at the start.

    Lines are distances in the norm of the proof, under ``exp(b t)``. For an l2 norm, thin dotted
    lines are plain (Euclidean) distances, under ``sqrt(cond M) exp(b t)``. The curves end where a
    trajectory leaves the region, for nothing is claimed of what is outside.

    Args:
        answer: What was proved of a flow or a step map.
        paths: Trajectories at the same times under the same inputs, from different starts.
        axes: Where to draw; a new figure where None.

    Returns:
        The figure.

    Raises:
        SignatureError: For a proof about a static map, which has no trajectories.
        UnsupportedError: For a proof in a metric that changes with the point.
    """
    if answer.certificate.data["claim"]["kind"] == "map":
        raise SignatureError(
            "envelope: the proof is about a static map, which has no trajectories."
        )
    figure, ax = canvas(axes, 6.5, 3.8)
    s = paths[0].module.signature
    norm, b = answer.certificate.data["claim"]["norm"], logarithmic_rate(answer) / s.step
    if not {"metric", "weights"} & set(norm):
        raise UnsupportedError(
            "envelope: the proof's distance is along shortest paths of a metric M(x), which this "
            "picture does not measure. Prove a rate in a constant metric: norm=l2()."
        )
    horizontal = directions_of(answer)
    first, t = paths[0], paths[0].times
    kept = time_inside(answer, *paths)
    shown = t[:kept]
    curve = np.exp(b * (shown - t[0]))
    ax.semilogy(shown, curve, "k--", lw=1.8, zorder=3, label=f"proved: exp({b:.4g} t)")
    factor = overshoot_of(norm)
    for path, colour in zip(paths[1:], [*COLOURS] * len(paths), strict=False):
        d = _counted(path.states - first.states, horizontal)
        _draw_distance(ax, t, distances(norm, d), _noise(norm, path, horizontal), colour, "-")
        if factor is not None:
            _draw_distance(
                ax, t, np.linalg.norm(d, axis=1), _noise(None, path, horizontal), colour, ":"
            )
    ax.plot([], [], "-", color=COLOURS[0], label=f"distance ({_name(norm)})")
    if factor is not None:
        ax.semilogy(shown, factor * curve, color="0.45", ls="-.", lw=1.4, zorder=3,
                    label=f"proved: {factor:.3g} exp({b:.4g} t)")  # fmt: skip
        ax.plot([], [], ":", color=COLOURS[0], label="distance (plain)")
    if kept < len(t):
        ax.axvline(t[kept], color="0.6", linestyle=":", label="a trajectory leaves the region")
    counts_steps = s.time is Time.DISCRETE and s.sampling_time is None
    ax.set(xlabel="time [steps]" if counts_steps else "time", ylabel="distance / distance at start")
    legend_above(ax, 90)
    ax.grid(alpha=0.3)
    return figure


def _draw_distance(
    ax: Any, t: Array, distance: Array, noise: float, colour: str, style: str
) -> None:
    if distance[0] > 0:
        visible = distance > min(noise, 1e-3 * distance[0])
        part = distance[visible] / distance[0]
        ax.semilogy(t[visible], part, color=colour, ls=style, lw=1.4 if style == "-" else 1.0)


def _counted(d: Array, horizontal: Horizontal | None) -> Array:
    """Differences (T, n) in the coordinates (T, k) that a proof counts.

    Raises:
        DomainError: If trajectories differ in what is conserved, of which nothing is claimed.
    """
    if horizontal is None:
        return d
    L, R = horizontal.L, horizontal.R
    rest = d[0] - R @ (L @ d[0])
    if horizontal.kind == "conservation" and np.linalg.norm(rest) > 1e-9 * np.linalg.norm(d[0]):
        raise DomainError(
            "envelope: the proof speaks of trajectories with the same conserved quantities, and "
            "the starts differ in them. Choose starts whose difference they do not see."
        )
    return d @ L.T


def _noise(
    norm: Mapping[str, Any] | None, path: Trajectory, directions: Horizontal | None
) -> float:
    states = path.states if directions is None else path.states @ directions.L.T
    size = np.linalg.norm(states, axis=1) if norm is None else distances(norm, states)
    return NOISE * float(size.max())


def _name(norm: Mapping[str, Any]) -> str:
    return {"blocks": "by parts", "l2": "in the metric"}.get(norm["type"], f"{norm['type']} norm")


def overshoot_of(norm: Mapping[str, Any]) -> float | None:
    """``sqrt(cond M)`` of a dense constant metric that is not the identity; else None."""
    from riemannian_modules.claims.norms import L2

    if norm["type"] != "l2" or not isinstance(norm.get("metric"), list):
        return None
    M = np.array(norm["metric"], dtype=np.float64)
    return None if np.array_equal(M, np.eye(len(M))) else L2(M).parts.overshoot


def distances(norm: Mapping[str, Any], d: Array) -> Array:
    """The norms (T,) of differences d (T, n), with a constant norm as a certificate holds it."""
    if norm["type"] == "blocks":
        exponents = norm.get("exponents", [0] * len(norm["groups"]))
        # Only ratios of distances are drawn, so a common power of two is left out.
        weights = np.ldexp(norm["weights"], np.subtract(exponents, min(exponents)))
        parts = np.stack(
            [
                _quadratic(np.array(M), d[:, group])
                for M, group in zip(norm["metrics"], norm["groups"], strict=True)
            ]
        )
        return (parts.T / weights).max(1) if norm["combine"] == "linf" else weights @ parts
    if isinstance(norm.get("metric"), Mapping):  # sparse: both triangles are written
        squares = [v * d[:, i] * d[:, j] for i, j, v in norm["metric"]["entries"]]
        return np.sqrt(np.maximum(np.sum(squares, axis=0), 0.0))
    if norm["type"] == "l2":
        return _quadratic(np.array(norm["metric"]), d)
    weights = np.array(norm["weights"])
    return np.abs(d) @ weights if norm["type"] == "l1" else (np.abs(d) / weights).max(-1)


def _quadratic(M: Array, d: Array) -> Array:
    # Rounding may leave a tiny negative square.
    return np.sqrt(np.maximum(np.einsum("ti,ij,tj->t", d, M, d), 0.0))


def time_inside(answer: Proved, *paths: Trajectory) -> int:
    """For how many of the times all trajectories have been in the region from the start on."""
    held = np.all([inside(answer, path.states, path.inputs) for path in paths], axis=0)
    return len(held) if held.all() else int(np.argmin(held))
