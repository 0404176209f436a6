"""The results' page: ``python -m benchmarks.optimizers.page FOLDER`` writes its tables and figure.

Everything below the marker of docs/optimizers.md is made of the folder's files.
"""

import json
import math
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.optimizers.cost import COSTS
from benchmarks.optimizers.registry import TASKS
from riemannian_modules.canvas import COLOURS

OURS = "GaussNewton"
DOCS = Path(__file__).parents[2] / "docs"
PAGE, MARKER = DOCS / "optimizers.md", "<!-- results -->"
DRAWN = (
    "digits MLP 256", "digits CNN", "diabetes MLP", "heat equation to 0.01",
    "variational autoencoder", "memory, recurrent",
)  # fmt: skip
Result = Mapping[str, Any]


def median(steps: Sequence[float]) -> float:
    """Of the seeds' steps; inf where there were none or most did not reach the goal."""
    return statistics.median(steps) if steps else math.inf


def untuned(row: Result) -> float:
    """Adam steps to the goal with defaults."""
    return median(row["untuned_steps"]) * row["cost"]


def best(row: Result) -> float:
    """Adam steps to the goal at the best cell."""
    return median(row["tuned_steps"]) * row["cost"]


def written(value: float) -> str:
    """A number of Adam steps; inf and nan are words."""
    if math.isnan(value):
        return "n/a"
    return "never" if math.isinf(value) else f"{value:.3g}"


def told(steps: float, most: str) -> str:
    """Steps, or more than were tried."""
    return most if math.isinf(steps) else written(steps)


def verdict(result: Result) -> dict[str, Any]:
    """Ours against the best peer, untuned and tuned, in Adam steps."""
    ours = next(r for r in result["rows"] if r["peer"] == OURS)
    peers = [r for r in result["rows"] if r["peer"] != OURS and not math.isnan(r["cost"])]
    plain, tuned = min(peers, key=untuned), min(peers, key=best)
    fewest = min(peers, key=lambda r: median(r["tuned_steps"]))
    own = best(ours)
    return {
        "ours_steps": median(ours["tuned_steps"]), "ours": own, "cost": ours["cost"],
        "untuned_peer": plain["peer"], "untuned": untuned(plain),
        "tuned_peer": tuned["peer"], "tuned": best(tuned),
        "tuned_steps": median(tuned["tuned_steps"]),
        "fewest_steps": median(fewest["tuned_steps"]), "fewest_peer": fewest["peer"],
        "wins_untuned": own < untuned(plain), "wins_tuned": own < best(tuned),
        "wins_steps": median(ours["tuned_steps"]) < median(fewest["tuned_steps"]),
    }  # fmt: skip


def summary(results: Sequence[Result]) -> str:
    """One table of all tasks, and how many are won."""
    lines = [
        "| Task | Goal | Ours: steps | × cost = | Peer untuned | Peer tuned | Ours / tuned |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    found = [verdict(r) for r in results]
    for result, v in zip(results, found, strict=True):
        ratio = v["ours"] / v["tuned"] if math.isfinite(v["tuned"]) else 0.0
        lines.append(
            f"| {result['task']} | {abs(result['goal']):g} | {written(v['ours_steps'])} | "
            f"{v['cost']:.2f} = {written(v['ours'])} | "
            f"{v['untuned_peer'] if math.isfinite(v['untuned']) else 'all'} "
            f"{written(v['untuned'])} | "
            f"{v['tuned_peer'] if math.isfinite(v['tuned']) else 'all'} {written(v['tuned'])} | "
            f"{written(ratio) if ratio else ''} |"
        )
    n = len(found)
    claims = [
        ("every peer untuned", "wins_untuned"), ("the best tuned peer", "wins_tuned"),
        ("the fewest steps of any tuned peer, in steps", "wins_steps"),
    ]  # fmt: skip
    lines.append("")
    for words, key in claims:
        won = sum(v[key] for v in found)
        lines.append(f"- Ours untuned beats {words} on {won} of {n} tasks ({100 * won / n:.0f}%).")
    lost = [r["task"] for r, v in zip(results, found, strict=True) if not v["wins_tuned"]]
    lines.append(f"- Lost to a tuned peer in time: {', '.join(lost) or 'none'}.")
    return "\n".join(lines)


def details(result: Result) -> str:
    """All that raced on one task."""
    ours = best(next(r for r in result["rows"] if r["peer"] == OURS))
    lines = [
        f"### {result['task'][0].upper()}{result['task'][1:]}",
        "",
        "| | Untuned: steps | Tuned: steps | A step | Tuned, in Adam steps | Ours / this | At |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in sorted(result["rows"], key=best):
        if math.isnan(row["cost"]) and row["why"]:
            lines.append(f"| {row['peer']} | | | | | | does not take this model |")
            continue
        most = f"> {result['most']:.0f}"
        chosen = ", ".join(f"{k} {v:g}" for k, v in row["setting"].items()) or "defaults"
        relative = ours / best(row) if math.isfinite(best(row)) else 0.0
        lines.append(
            f"| {row['peer']} | {told(median(row['untuned_steps']), most)} | "
            f"{told(median(row['tuned_steps']), most)} | {written(row['cost'])} | "
            f"{written(best(row))} | {written(relative) if relative else ''} | {chosen} |"
        )
    return "\n".join(lines)


def figure(results: Sequence[Result]) -> Figure:
    """The measure against steps and against Adam steps of CPU time, a row for each task."""
    drawn = Figure(figsize=(10, 2.3 * len(results)), layout="constrained")
    axes = drawn.subplots(len(results), 2, squeeze=False, sharey="row")
    names = [OURS, "Adam", "SGD", "AdamW", "Muon", "SOAP", "Shampoo", "K-FAC (SINGD)", "L-BFGS"]
    for (left, right), result in zip(axes, results, strict=True):
        for row in result["rows"]:
            curve = np.array(row["curve"], dtype=float).reshape(-1, 2)
            if len(curve) < 2 or math.isnan(row["cost"]):
                continue
            k = names.index(row["peer"])
            style = {
                "color": COLOURS[k % len(COLOURS)], "lw": 2.2 if k == 0 else 1.0,
                "ls": "-" if k < len(COLOURS) else "--", "label": row["peer"],
                "zorder": 3 if k == 0 else 2,
            }  # fmt: skip
            left.plot(curve[:, 0], curve[:, 1], **style)
            right.plot(curve[:, 0] * row["cost"], curve[:, 1], **style)
        ours = next(r for r in result["rows"] if r["peer"] == OURS)
        adam = next(r for r in result["rows"] if r["peer"] == "Adam")
        far = 1.6 * max(curve_end(ours), curve_end(adam))
        for ax in (left, right):
            ax.axhline(result["goal"], color="0.6", lw=0.8, ls=":")
            ax.set_xlim(0, far)
            if result["goal"] > 0:
                ax.set_yscale("log")
                ax.set_ylim(0.6 * result["goal"], 2 * ours["curve"][0][1])  # some diverge
        left.set_ylabel(result["task"].replace(", ", "\n"), fontsize=8)
    axes[-1][0].set_xlabel("steps")
    axes[-1][1].set_xlabel("CPU time, in Adam steps")
    axes[0][1].legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return drawn


def curve_end(row: Result) -> float:
    """The Adam steps at which a curve ends."""
    return row["curve"][-1][0] * max(1.0, row["cost"]) if row["curve"] else 0.0


def read(folder: Path) -> list[Result]:
    """What was raced, in the order of the registry."""
    present = [folder / f"{name}.json" for name in TASKS if (folder / f"{name}.json").exists()]
    return [json.loads(path.read_text(encoding="utf-8")) for path in present]


def cost_table(rows: Sequence[Result]) -> str:
    """Step costs, the exponents and the memory."""
    lines = [
        "| Model | Parameters | Ours | Adam | Ratio | Asked |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    told: list[str] = []
    for row in rows:
        asked = f"≤ {row['limit']:g}" if "limit" in row else ""
        if "memory_ratio" in row:
            told.append(
                f"- {row['name'].capitalize()}: {row['ours_MiB']:.0f} MiB beyond the model, Adam's "
                f"{row['adam_MiB']:.0f} MiB, ratio {row['memory_ratio']:.2f} (asked {asked})."
            )
            continue
        lines.append(
            f"| {row['name']} | {row['parameters']:,} | {1e3 * row['ours_s']:.1f} ms | "
            f"{1e3 * row['reference_s']:.1f} ms | {row['ratio']:.2f} | {asked} |"
        )
        if "exponent_ours_s" in row:
            told.append(
                f"- Time grows as the parameters to the power {row['exponent_ours_s']:.2f}, Adam's "
                f"to {row['exponent_reference_s']:.2f} (the rows by parameters)."
            )
    return "\n".join([*lines, "", *told])


def map_table(rows: Sequence[Result]) -> str:
    """How far the defaults are from the best cell of each map."""
    lines = [
        "| Map | Default: steps | Best cell: steps | At | Default / best | Asked |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    lines += [
        f"| {row['name']} | {written(row['default_steps'])} | {written(row['best_steps'])} | "
        f"{row['best']} | {row['default_over_best']:.2f} | ≤ {row['limit']:g} |"
        for row in rows
    ]
    return "\n".join(lines)


def part(folder: Path, name: str) -> list[Result]:
    """The rows of a part that is no race; none where it was not run."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def results_text(folder: Path) -> str:
    """All below the marker."""
    results = read(folder)
    told = [summary(results)]
    costs, maps = [row for name in COSTS for row in part(folder, name)], part(folder, "maps")
    if costs:
        told += ["## What a step costs", cost_table(costs)]
    if maps:
        told += ["## Maps of the options", map_table(maps)]
    return "\n\n".join([*told, "## Task by task", *map(details, results)]) + "\n"


def main() -> None:
    """Write the page and its figure."""
    folder = Path(sys.argv[1])
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        text[: text.index(MARKER)] + MARKER + "\n\n" + results_text(folder), encoding="utf-8"
    )
    chosen = [r for r in read(folder) if r["task"] in DRAWN]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "figure.png"
        figure(chosen).savefig(path, dpi=75)
        few = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(DOCS / "images" / "benchmark_optimizers.png", optimize=True)


if __name__ == "__main__":
    main()
