"""The picture of a diagnosis: why training is slow, at a glance."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.canvas import BLUE, COLOURS, DASHES, GREEN, ORANGE, VERMILLION, legend_above
from riemannian_torch.diagnosis.diagnosis import Diagnosis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LAYERS = 6


def diagnosis_figure(d: Diagnosis) -> Figure:
    """Draw why training is slow: dials, the layers' spectra and shares, the samples' influence.

    Args:
        d: From `diagnose`; its gravest reason is the headline.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 6.4), layout="constrained")
    (dials, spectra), (layers, samples) = figure.subplots(2, 2)
    _draw_dials(dials, d)
    _draw_spectra(spectra, d)
    _draw_layers(layers, d)
    _draw_samples(samples, d)
    headline = textwrap.wrap(" ".join(d.reasons[:1]), 110)
    figure.suptitle("\n".join([f"Step {d.step}", *headline]), x=0.01, ha="left", fontsize=10)
    return figure


def _draw_dials(ax: Axes, d: Diagnosis) -> None:
    """Numbers that are near 1 where all is well."""
    dials = [
        ("rho: last direction\non new samples", d.rho, 0.5),
        ("actual / promised\ndecrease", d.agreement, 0.25),
        ("length / lr", d.length / d.lr if d.lr else None, 0.5),
        ("directions that mu\nleaves free", d.decided / d.possible, 0.1),
        ("1 / c: movement that\nthe columns see", 1.0 / d.c, 0.2),
    ]
    for i, (_, value, least) in enumerate(reversed(dials)):
        if value is None:
            ax.text(0.02, i, "unknown", va="center", fontsize=8, color="0.4")
            continue
        colour = GREEN if value >= least else VERMILLION
        ax.barh(i, min(max(value, 0.0), 1.4), color=colour, height=0.6)
        ax.plot([least, least], [i - 0.4, i + 0.4], color="0.2", lw=1.0)
        ax.text(1.58, i, f"{value:.2g}", va="center", ha="right", fontsize=8)
    ax.set_yticks(range(len(dials)), [name for name, *_ in reversed(dials)], fontsize=8)
    ax.axvline(1.0, color="0.6", lw=0.8)
    ax.set_xlim(0.0, 1.6)
    ax.set_title("dials: red below its mark holds training back", loc="left", fontsize=9)


def _draw_spectra(ax: Axes, d: Diagnosis) -> None:
    """Eigenvalues of each layer against the damping."""
    largest = sorted(d.layers, key=lambda layer: -layer.trace)[:_MOST_LAYERS]
    for i, layer in enumerate(largest):
        values = np.array(layer.spectrum)
        values = values[values > 1e-12 * max(values.max(initial=0.0), 1e-300)]
        ax.plot(
            np.arange(1, len(values) + 1), values, color=COLOURS[i % len(COLOURS)],
            ls=DASHES[i // len(COLOURS) % len(DASHES)], lw=1.4, label=layer.name or "model",
        )  # fmt: skip
    ax.axhline(d.mu, color="0.3", ls=":", lw=1.2, label="mu: below, plain gradient descent")
    ax.set(xscale="log", yscale="log", xlabel="direction", ylabel="curvature")
    ax.grid(alpha=0.3)
    legend_above(ax)


def _draw_layers(ax: Axes, d: Diagnosis) -> None:
    """What each layer adds to the step, and how many of its directions count."""
    total = sum(abs(layer.promised) for layer in d.layers) or 1.0
    shown = sorted(d.layers, key=lambda layer: -abs(layer.promised))[:12][::-1]
    at = np.arange(len(shown))
    rank = [x.effective_rank / max(1, min(x.parameters, len(d.influence))) for x in shown]
    ax.barh(at + 0.2, [x.promised / total for x in shown], 0.38, color=BLUE,
            label="share of the promised decrease")  # fmt: skip
    ax.barh(at - 0.2, rank, 0.38, color=ORANGE, label="effective rank / possible rank")
    ax.set_yticks(at, [x.name or "model" for x in shown], fontsize=8)
    ax.set_xlim(min(0.0, *(x.promised / total for x in shown)), 1.0)
    ax.grid(alpha=0.3, axis="x")
    legend_above(ax)


def _draw_samples(ax: Axes, d: Diagnosis) -> None:
    """How the step is shared among the samples."""
    influence = np.array(d.influence)
    order = np.argsort(-np.abs(influence))
    sizes = np.abs(influence[order])
    total = float(sizes.sum()) or 1.0
    at = np.arange(1, len(sizes) + 1)
    ax.bar(at, sizes / total, width=1.0, color=BLUE, label="each sample, the largest first")
    ax.plot(at, np.cumsum(sizes) / total, color=VERMILLION, lw=1.4, label="all up to it")
    ax.plot(at, at / len(at), color="0.6", ls=":", lw=1.0, label="if all had the same")
    first = ", ".join(str(b) for b in order[:5])
    ax.text(0.98, 0.5, f"first: {first}", transform=ax.transAxes, ha="right", fontsize=8)
    ax.set(xlabel="samples", ylabel="share of the influence", ylim=(0.0, 1.02))
    ax.grid(alpha=0.3)
    legend_above(ax)
