"""The table of a network's parts, from which a reader computes the proved bound by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from riemannian_modules.cli.console import plain

if TYPE_CHECKING:
    from rich.table import Table

    from riemannian_modules.certify import NetworkBound
    from riemannian_modules.space import Array

MOST_ROWS = 40


def comparison(data: Mapping[str, Any]) -> tuple[list[str], Array, Array]:
    """The parts' names, the comparison matrix C (n, n) and the weights r (n,) of a certificate."""
    norm = data["claim"]["norm"]
    names = list(norm["nodes"])
    C = np.zeros((len(names), len(names)))
    for source, target, value in data["evidence"]["table"]:
        C[names.index(target), names.index(source)] = value
    return names, C, np.array(norm["weights"], dtype=np.float64)


def network_bound_of(data: Mapping[str, Any]) -> NetworkBound:
    """The bound of a network as its certificate tells it."""
    from riemannian_modules.certify import NetworkBound

    names, C, r = comparison(data)
    metrics = tuple(np.array(M) for M in data["claim"]["norm"]["metrics"])
    return NetworkBound(tuple(names), metrics, C, r, float(data["claim"]["bound"]))


def parts_table(data: Mapping[str, Any]) -> Table:
    """For each part its own bound, the gains into it, its weight, and what they add up to."""
    from rich.table import Table

    names, C, r = comparison(data)
    sums = C @ r / r
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
        gains = [f"{names[j]}: {C[i, j]:.6g}" for j in np.flatnonzero(C[i]) if j != i]
        table.add_row(
            plain(names[i]), f"{C[i, i]:.6g}", plain("\n".join(gains) or "none"), f"{r[i]:.6g}",
            f"{sums[i]:.6g}",
        )  # fmt: skip
    if len(names) > MOST_ROWS:
        table.add_row(f"and {len(names) - MOST_ROWS} more in parts.csv", "", "", "", "")
    return table


def parts_csv(data: Mapping[str, Any]) -> str:
    """The same numbers with all digits: a row (from, to, value, weights of both) for each."""
    names, C, r = comparison(data)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["from", "to", "value", "weight_from", "weight_to"])
    for i, j in zip(*np.nonzero(C), strict=True):
        writer.writerow([names[j], names[i], repr(float(C[i, j])), float(r[j]), float(r[i])])
    return text.getvalue()
