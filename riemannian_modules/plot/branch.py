"""The picture of a branch of points at rest: stable ones in full lines, others dashed.

Source: Kuznetsov (2004), Elements of Applied Bifurcation Theory, third edition, chapter 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.canvas import BLUE, GREEN, ORANGE, PURPLE, VERMILLION, canvas
from riemannian_modules.door import require
from riemannian_modules.engine.branch import BRANCHING, DOUBLING, FOLD, HOPF, TORUS, Branch
from riemannian_modules.errors import SignatureError
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = {
    FOLD: ("o", VERMILLION), HOPF: ("s", GREEN), BRANCHING: ("D", PURPLE),
    DOUBLING: ("^", ORANGE), TORUS: ("v", GREEN),
}  # fmt: skip


def branch_figure(branch: Branch, signal: str | None = None, axes: Axes | None = None) -> Figure:
    """Draw a state or an output over the parameter, with folds, Hopf and branch points marked.

    Args:
        branch: From `continuation`.
        signal: The coordinate to draw; the first output, or the first state, where None.
        axes: Where to draw; new ones where None, else several branches may share them.

    Raises:
        SignatureError: For an unknown signal.
    """
    require("branch_figure", branch, Branch, "a branch from `continuation`")
    name, y = _signal(branch, signal)
    figure, ax = canvas(axes, 6.5, 4.2)
    is_stable = branch.is_stable
    # A stretch between two points is what its ends are, special points aside.
    of_stretch = is_stable[:-1] | is_stable[1:]
    seen = {text.get_label() for text in ax.lines}
    for stable, look in ((True, "-"), (False, (0, (4, 2)))):
        for k, stretch in enumerate(_runs(of_stretch == stable)):
            label = "stable" if stable else "not stable"
            part = slice(stretch.start, stretch.stop + 1)
            ax.plot(
                branch.values[part], y[part], color=BLUE, ls=look, lw=1.8 if stable else 1.3,
                label=label if not k and label not in seen else None,
            )  # fmt: skip
    for kind, (mark, colour) in MARKS.items():
        places = [p.index for p in branch.of_kind(kind)]
        if places:
            ax.plot(
                branch.values[places], y[places], mark, color=colour, ms=7, zorder=3,
                label=kind if kind not in seen else None,
            )  # fmt: skip
    ax.set(xlabel=branch.parameter, ylabel=name)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.3)
    return figure


def _signal(branch: Branch, signal: str | None) -> tuple[str, Array]:
    known = dict(zip(branch.state_names, branch.states.T, strict=True))
    known = dict(zip(branch.output_names, branch.outputs.T, strict=True)) | known
    if signal is None:
        signal = (*branch.output_names, *branch.state_names)[0]
    if signal not in known:
        raise SignatureError(
            f"branch_figure: unknown signal {signal!r}; known are: {', '.join(known)}."
        )
    return signal, known[signal]


def _runs(flags: Any) -> list[slice]:
    """The stretches of neighbouring flags that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
