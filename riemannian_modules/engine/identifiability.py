"""What data determine: the directions of parameters, from the best known to those without effect.

Source: Transtrum, Machta and Sethna (2011), Phys. Rev. E 83, 036701 (stiff and sloppy directions);
Raue et al. (2009), Bioinformatics 25, 1923-1929 (structural and practical identifiability).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.local_model import JointModel, Mask
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_TERMS = 4  # of a direction in words
_LEAST_TERM = 0.05  # beside the largest


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Identifiability(Shown):
    """Directions in which parameters are known, from the best to the worst.

    Attributes:
        names: Of the p parameters that are neither fixed nor held by a bound.
        scales: What a change of each is compared with: its size, or where it is 0 its deviation
            while the others are held, (p,).
        directions: Each a row, in units of ``scales``, of length 1, (p, p).
        spreads: The standard deviation along each, in the same units, ascending, (p,): 0.1 is 10 %;
            infinite where data say nothing, of the direction or of the noise.
        has_effect: Whether the outputs depend on each, (p,).
    """

    names: tuple[str, ...]
    scales: Array
    directions: Array
    spreads: Array
    has_effect: Mask

    @property
    def undetermined(self) -> tuple[str, ...]:
        """In words, the directions without any effect: ``a - 0.5 b``, in the parameters' units."""
        return self._words(~self.has_effect)

    @property
    def vague(self) -> tuple[str, ...]:
        """In words, the directions known to less than their size, those without effect aside."""
        return self._words(np.isfinite(self.spreads) & (self.spreads > 1.0))

    def _words(self, which: Mask) -> tuple[str, ...]:
        rows = self.directions[which] * self.scales
        return tuple(direction_in_words(self.names, row) for row in rows)

    def plot(self) -> Figure:
        """Draw the directions as a map of their parts, beside the deviation along each."""
        from matplotlib.figure import Figure

        from riemannian_modules.canvas import BLUE

        p = len(self.names)
        figure = Figure(figsize=(4.0 + 0.4 * p, 1.8 + 0.35 * p), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        image = left.imshow(np.abs(self.directions), cmap="cividis", vmin=0.0, vmax=1.0,
                            aspect="auto")  # fmt: skip
        left.set_xticks(range(p), self.names, rotation=60, ha="right")
        left.set_yticks(range(p), [str(i + 1) for i in range(p)])
        left.set(ylabel="direction", title="parts, relative")
        figure.colorbar(image, ax=left)
        top = np.max(self.spreads[np.isfinite(self.spreads)], initial=1.0)
        right.barh(range(p), np.where(np.isfinite(self.spreads), self.spreads, 1e3 * top),
                   color=BLUE)  # fmt: skip
        for i in np.flatnonzero(~self.has_effect):
            right.annotate("no effect", (1e3 * top, float(i)), va="center", ha="right", color="w")
        right.set_xscale("log")
        right.axvline(1.0, color="0.5", lw=1.0)
        right.set(xlabel="deviation, relative", title="how well it is known")
        return figure

    @override
    def facts(self) -> Facts:
        known = int(self.has_effect.sum())
        title = f"Identifiability: {known} of {counted(len(self.names), 'direction')} determined"
        ends = self.spreads[[0, -1]] if len(self.spreads) else np.zeros(2)
        rows = [("deviations", f"from {100 * ends[0]:.3g} % to {100 * ends[1]:.3g} %")]
        rows += [("no effect along", listed(self.undetermined))] * bool(self.undetermined)
        rows += [("known to less than its size", listed(self.vague))] * bool(self.vague)
        return Facts(title, tuple(rows))


def identifiability(
    names: tuple[str, ...], model: JointModel, free: Mask, theta: Array, variance: float
) -> Identifiability:
    """The singular directions of an information metric in relative units. O(columns p^2).

    Args:
        names: Of theta's entries.
        model: Whose J = U^T (columns, p) has the information ``J^T J``.
        free: Which parameters are estimated, (p,).
        theta: The estimate, (p,).
        variance: What the inverse metric is multiplied with to be a covariance.
    """
    J, own = model.J[:, free], np.sqrt(model.diagonal[free])
    deviation = math.sqrt(variance) if math.isfinite(variance) else 1.0
    alone = deviation / np.where(own > 0.0, own, 1.0)
    scales = np.where(theta[free] != 0.0, np.abs(theta[free]), alone)
    p = len(scales)
    wide = np.zeros((max(p, len(J)), p))
    wide[: len(J)] = J * scales
    _, values, directions = np.linalg.svd(wide, full_matrices=False)
    # Directions below rounding have no effect that can be told from none.
    is_seen = values > max(wide.shape) * np.finfo(np.float64).eps * values.max(initial=0.0)
    spreads = np.full(p, np.inf)
    if math.isfinite(variance):
        spreads[is_seen] = deviation / values[is_seen]
    kept = tuple(name for name, is_free in zip(names, free, strict=True) if is_free)
    return Identifiability(kept, scales, directions, spreads, is_seen)


def direction_in_words(names: tuple[str, ...], direction: Array) -> str:
    """``a - 0.5 b``: the largest parts of a direction, the largest of them 1."""
    largest = np.argsort(-np.abs(direction))[:_MOST_TERMS]
    parts = direction / direction[largest[0]]
    text = names[largest[0]]
    for i in largest[1:]:
        if abs(parts[i]) > _LEAST_TERM:
            size = f"{abs(parts[i]):.3g} " if abs(abs(parts[i]) - 1.0) > 5e-4 else ""
            text += f" {'-' if parts[i] < 0 else '+'} {size}{names[i]}"
    return text
