"""The table of a network's parts, from which a reader computes the proved bound by hand."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from riemannian_modules.cli.console import plain

if TYPE_CHECKING:
    from rich.table import Table

    from riemannian_modules.claims.norms import BlockNorm
    from riemannian_modules.evidence.block_checks import BlockChecks
    from riemannian_modules.evidence.comparison import Comparison

MOST_ROWS = 40


def parts_table(norm: BlockNorm, checks: BlockChecks) -> Table:
    """For each part its own bound, the gains into it, its weight, and what they add up to."""
    from rich.table import Table

    names, C, r = checks.names, checks.comparison, norm.weights
    logs, gains = np.log2(r.values) + r.exponents, gains_of(C)
    table = Table(
        title="The parts: the bound is the largest number of the last column",
        title_justify="left",
        show_lines=True,
        caption="total = own + sum of gain x weight of the source / weight of the part",
    )
    table.add_column("part")
    table.add_column("own bound", justify="right")
    table.add_column("gains from other parts")
    table.add_column("weight", justify="right")
    table.add_column("total", justify="right")
    for i in range(min(len(names), MOST_ROWS)):
        own = C.entries.get((i, i), 0.0)
        total = own + sum(g * 2.0 ** (logs[j] - logs[i]) for j, g in gains[i])
        shown = "\n".join(f"{names[j]}: {g:.6g}" for j, g in gains[i]) or "none"
        weight = f"{2.0 ** logs[i]:.6g}" if abs(logs[i]) < 300 else f"2^{logs[i]:.6g}"
        table.add_row(plain(names[i]), f"{own:.6g}", plain(shown), weight, f"{total:.6g}")
    if len(names) > MOST_ROWS:
        table.add_row(f"and {len(names) - MOST_ROWS} more in parts.csv", "", "", "", "")
    return table


def parts_csv(norm: BlockNorm, checks: BlockChecks) -> str:
    """The same numbers with all digits: rows (from, to, value, both weights' log2)."""
    names, C, r = checks.names, checks.comparison, norm.weights
    logs = (np.log2(r.values) + r.exponents).tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["from", "to", "value", "log2_weight_from", "log2_weight_to"])
    for (i, j), value in sorted(C.entries.items()):
        writer.writerow([names[j], names[i], repr(value), logs[j], logs[i]])
    return text.getvalue()


def gains_of(C: Comparison) -> list[list[tuple[int, float]]]:
    """For each part, those that feed it and with which gain."""
    gains: list[list[tuple[int, float]]] = [[] for _ in range(C.size)]
    for (i, j), value in C.entries.items():
        if i != j:
            gains[i].append((j, value))
    return gains
