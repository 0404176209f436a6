"""The picture of a trajectory: signals over time, one axis for each unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from riemannian_modules.space import Array, Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from riemannian_modules.engine.trajectory import Trajectory


def plot_trajectory(trajectory: Trajectory, names: Sequence[str]) -> Figure:
    """Draw the named signals, or all states, outputs and inputs; no window is opened."""
    from matplotlib.figure import Figure

    s = trajectory.module.signature
    units = _units(s.inputs) | _units(s.outputs) | _units(s.state)
    chosen = names or tuple(dict.fromkeys([*s.state.names, *s.outputs.names, *s.inputs.names]))
    panels: dict[str, list[str]] = {}
    for name in chosen:
        panels.setdefault(units.get(name, ""), []).append(name)
    figure = Figure(figsize=(7.0, 1.0 + 2.2 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (unit, members) in zip(axes, panels.items(), strict=True):
        for name in members:
            _draw(ax, trajectory.times, trajectory[name], name)
        ax.set_ylabel(f"[{unit}]" if unit else "")
        ax.grid(visible=True, alpha=0.3)
        ax.legend(loc="best", frameon=False)
    axes[-1].set_xlabel("time")
    return figure


def _draw(ax: object, times: Array, signal: Array, name: str) -> None:
    lines = ax.plot(times, signal.reshape(len(times), -1))  # type: ignore[attr-defined]
    for i, line in enumerate(lines):
        line.set_label(name if len(lines) == 1 else f"{name}[{i}]")


def _units(space: Space) -> dict[str, str]:
    return {port.name: port.unit for port in space.ports}
