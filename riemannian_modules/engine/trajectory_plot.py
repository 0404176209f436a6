"""The picture of a trajectory: its signals over time, a panel for each unit and each size.

Source: Cleveland and McGill (1984), J. American Statistical Association 79, 531-554: positions
along one scale are compared best, so what shares a panel shares its unit and its magnitude.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.canvas import COLOURS, DASHES
from riemannian_modules.engine.events import Occurrence
from riemannian_modules.errors import DomainError
from riemannian_modules.spaces import Array, Port

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPREAD = 30.0  # how much larger than another a signal may be in one panel
MOST_NAMED = 10  # lines of a panel that are named one by one
MOST_APART = 8  # lines of several runs that have a panel each
MOST_LETTERS = 20  # along the height of a panel; longer names stand in a legend
WIDEST = 30  # letters of a name in a legend; of longer ones the end is shown
CLOSE = 0.01  # of a panel's height: two lines no further apart look like one
HEIGHT, WIDTH = 1.9, 8.0  # of a panel and of the picture, in inches


@final
@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One number over time.

    Attributes:
        name: Its name.
        unit: Its unit.
        values: Its values (T,), of several runs (R, T).
        size: The largest magnitude of the signal that it is a coordinate of.
        is_logarithmic: Whether a logarithmic scale is wanted.
    """

    name: str
    unit: str
    values: Array
    size: float
    is_logarithmic: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it is constant but for few jumps, no two of them at neighbouring times."""
        moves = np.diff(self.values) != 0
        apart = not (moves[..., 1:] & moves[..., :-1]).any()
        return bool(moves.any() and moves.mean() <= 0.25 and apart)


def lines_of(port: Port, values: Array, *, is_logarithmic: bool) -> list[Line]:
    """The coordinates of a signal (T, *shape), of several runs (R, T, *shape), as lines."""
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    of_runs = values.shape[: values.ndim - len(port.shape)]
    columns = np.moveaxis(values.reshape(*of_runs, port.size), -1, 0)
    return [
        Line(name, port.unit, column, size, is_logarithmic)
        for name, column in zip(port.coordinates(), columns, strict=True)
    ]


def plot_lines(
    times: Array,
    lines: Sequence[Line],
    *,
    is_discrete: bool,
    events: Sequence[Occurrence] = (),
    runs: Sequence[str] = (),
) -> Figure:
    """Draw lines against times (T,); no window is opened.

    Args:
        times: Increasing times.
        lines: What to draw.
        is_discrete: Whether the times are steps, between which values are held.
        events: What happened: a mark at the foot of each panel, a colour for each name.
        runs: The names of the runs where lines have several.

    Raises:
        DomainError: If a line is wanted on a logarithmic scale and never positive.
    """
    from matplotlib.figure import Figure

    for line in lines:
        if line.is_logarithmic and not (line.values > 0).any():
            raise DomainError(
                f"plot: {line.name!r} is never positive, so it has no logarithmic scale. Leave it "
                "out of `logarithmic`."
            )
    apart = bool(runs) and len(lines) <= MOST_APART
    panels = [[line] for line in lines] if apart else list(_panels(lines)) or [[]]
    figure = Figure(figsize=(WIDTH, 0.6 + HEIGHT * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for ax, members in zip(axes, panels, strict=True):
        if runs:
            _draw_runs(ax, times, members, runs, is_discrete=is_discrete)
        else:
            _draw_lines(ax, times, members, is_discrete=is_discrete)
        _label(ax, members, is_named=bool(runs))
        _mark(ax, events)
    axes[-1].set_xlabel("step" if is_discrete else "time")
    figure.align_ylabels(axes)
    return figure


def _panels(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines of one unit and about one size, in the order of their first ones."""
    units = dict.fromkeys((line.unit, line.is_logarithmic) for line in lines)
    for unit in units:
        members = [line for line in lines if (line.unit, line.is_logarithmic) == unit]
        sizes = sorted({line.size for line in members}, reverse=True)
        panel_of, largest = dict.fromkeys(sizes, sizes[0]), sizes[0]
        for size in sizes if not members[0].is_logarithmic else ():
            # What is zero throughout is seen to be so in any panel.
            largest = size if 0 < size < largest / SPREAD else largest
            panel_of[size] = largest
        for panel in dict.fromkeys(panel_of[line.size] for line in members):
            yield [line for line in members if panel_of[line.size] == panel]


def _draw_lines(ax: Axes, times: Array, lines: Sequence[Line], *, is_discrete: bool) -> None:
    for line, (label, look) in zip(lines, _looks(lines), strict=True):
        shown = _shown(line)
        marker = "o" if np.isfinite(shown).sum() == 1 else ""
        ax.plot(times, shown, label=label, marker=marker,
                drawstyle=_style(line, is_discrete=is_discrete), **look)  # fmt: skip


def _draw_runs(
    ax: Axes, times: Array, lines: Sequence[Line], runs: Sequence[str], *, is_discrete: bool
) -> None:
    """A faint line for each run; in a panel of one signal from dark, the first, to light."""
    from matplotlib import colormaps

    alpha, shades = len(runs) ** -0.3, colormaps["viridis"](np.linspace(0.0, 0.92, len(runs)))
    marker = "o" if len(times) == 1 else ""
    for i, line in enumerate(lines):
        colours = shades if len(lines) == 1 else [COLOURS[i % len(COLOURS)]] * len(runs)
        style = _style(line, is_discrete=is_discrete)
        for values, colour in zip(_shown(line), colours, strict=True):
            ax.plot(
                times, values, color=colour, alpha=alpha, lw=1.0, drawstyle=style, marker=marker
            )
        if len(lines) > 1:
            ax.plot([], [], color=colours[0], label=_short(line.name))
    ends = sorted({0, len(runs) - 1})
    for end in ends if len(lines) == 1 else ():
        ax.plot([], [], color=shades[end], label=runs[end])


def _shown(line: Line) -> Array:
    positive = line.values > 0 if line.is_logarithmic else True
    return np.where(np.isfinite(line.values) & positive, line.values, np.nan)


def _style(line: Line, *, is_discrete: bool) -> Any:
    return "steps-post" if is_discrete or line.is_held else "default"


def _label(ax: Axes, lines: Sequence[Line], *, is_named: bool) -> None:
    if lines and lines[0].is_logarithmic:
        ax.set_yscale("log")
    unit = f"[{lines[0].unit}]" if lines and lines[0].unit else ""
    signals = {line.name.partition("[")[0] for line in lines}
    name = f"{min(signals)} {unit}".strip() if len(signals) == 1 else ""
    fits = len(name) <= MOST_LETTERS
    ax.set_ylabel(name if name and fits else unit)
    ax.grid(visible=True, alpha=0.3)
    ax.margins(x=0.01)
    if len(lines) > 1 or not fits or (lines and is_named):
        _legend(ax, lines)


def _mark(ax: Axes, events: Sequence[Occurrence]) -> None:
    """A triangle at the foot for each event, those of one name in one shade, named in a legend."""
    names = list(dict.fromkeys(e.name for e in events))
    for i, name in enumerate(names):
        at = [e.time for e in events if e.name == name]
        shade = str(0.15 + 0.6 * i / max(len(names), 2))
        ax.plot(at, np.zeros(len(at)), ls="", marker="^", ms=6, color=shade, clip_on=False,
                transform=ax.get_xaxis_transform(), label=_short(name), zorder=3)  # fmt: skip
    if names:
        _legend(ax, ())


def _looks(lines: Sequence[Line]) -> list[tuple[str, dict[str, Any]]]:
    """A label and a style for each line; one that lies on an earlier one is dashed and says so."""
    from matplotlib import colormaps

    if len(lines) > MOST_NAMED:
        colours = colormaps["viridis"](np.linspace(0.0, 0.92, len(lines)))
        return [
            (line.name, {"color": c, "lw": 1.0}) for line, c in zip(lines, colours, strict=True)
        ]
    sizes = [line.values[np.isfinite(line.values)] for line in lines]
    values = np.concatenate([*sizes, [0.0]]) if not sizes else np.concatenate(sizes)
    height = float(np.ptp(values)) if values.size else 0.0
    looks: list[tuple[str, dict[str, Any]]] = []
    for i, line in enumerate(lines):
        under = [j for j in range(i) if _is_on(line, lines[j], CLOSE * height)]
        label = _short(line.name)
        if under:
            first = lines[under[0]]
            same = "equal to" if np.array_equal(line.values, first.values) else "close to"
            said = f"({same} {_short(first.name)})"
            label += ("\n" if len(label + said) > WIDEST else " ") + said
        dashes = DASHES[(len(under) or i // len(COLOURS)) % len(DASHES)]
        is_under = any(_is_on(other, line, CLOSE * height) for other in lines[i + 1 :])
        width = 1.6 if under or not is_under else 3.2
        look = {"color": COLOURS[i % len(COLOURS)], "ls": dashes, "lw": width}
        looks.append((label, look | ({"alpha": 0.55} if width > 2 else {})))
    return looks


def _short(name: str) -> str:
    return name if len(name) <= WIDEST else f"…{name[1 - WIDEST :]}"


def _is_on(line: Line, other: Line, near: float) -> bool:
    """Whether two lines are told apart by the eye for less than a fifth of the time."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(line.values - other.values) > near
    return float(apart.mean()) < 0.2


def _legend(ax: Axes, lines: Sequence[Line]) -> None:
    handles, labels = ax.get_legend_handles_labels()
    title = None
    if len(lines) > MOST_NAMED:
        kept = np.linspace(0, len(lines) - 1, MOST_NAMED - 2).round().astype(int).tolist()
        handles, labels = [handles[i] for i in kept], [labels[i] for i in kept]
        title = f"{len(kept)} of {len(lines)} lines, in order"
    ax.legend(
        handles, labels, title=title, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False,
        fontsize=8, title_fontsize=8, borderaxespad=0.0, handlelength=2.8,
    )  # fmt: skip
