"""The picture of a trajectory: signals over time, one axis for each unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riemannian_modules.space import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_signals(times: Array, signals: Mapping[str, Array], units: Mapping[str, str]) -> Figure:
    """Draw signals (T, ...) by name against times (T,); no window is opened."""
    from matplotlib.figure import Figure

    panels: dict[str, list[str]] = {}
    for name in signals:
        panels.setdefault(units.get(name, ""), []).append(name)
    count = max(len(panels), 1)
    figure = Figure(figsize=(7.0, 1.0 + 2.2 * count), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for ax, (unit, members) in zip(axes, panels.items(), strict=False):
        for name in members:
            _draw(ax, times, signals[name], name)
        ax.set_ylabel(f"[{unit}]" if unit else "")
        ax.grid(visible=True, alpha=0.3)
        lines = len(ax.get_lines())
        legend = ax.legend(loc="best", frameon=False, ncols=1 + lines // 6)
        # Many labels would else leave no room for the axes.
        legend.set_in_layout(False)
    axes[-1].set_xlabel("time")
    return figure


def _draw(ax: Any, times: Array, signal: Array, name: str) -> None:
    lines = ax.plot(times, signal.reshape(len(times), -1))
    for i, line in enumerate(lines):
        line.set_label(name if len(lines) == 1 else f"{name}[{i}]")
