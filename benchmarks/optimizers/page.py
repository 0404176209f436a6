"""The results' page: ``python -m benchmarks.optimizers.page`` writes its tables and its figure.

Everything below the marker of docs/optimizers.md, and the README's paragraph on the races, is made
of the results that are kept.
"""

import math
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks.optimizers import kept
from benchmarks.optimizers.asked import ASKED
from benchmarks.optimizers.cost import COSTS
from benchmarks.optimizers.held_out import FRESH
from benchmarks.optimizers.picture import DRAWN, figure
from benchmarks.optimizers.registry import TASKS
from benchmarks.optimizers.verdicts import (
    Result,
    followed,
    is_refused,
    least_ratio_to,
    median,
    ours_in,
    peers_in,
    ratio_to,
    tuned,
    tuned_at_least,
    verdict,
)  # fmt: skip

DOCS = kept.ROOT / "docs"
PAGE, MARKER = DOCS / "optimizers.md", "<!-- results -->"
README, OPENING = kept.ROOT / "README.md", "With its defaults it beat"
CLOSING = "([the races](docs/optimizers.md), [how to](docs/tutorials/train_torch.md))."


def written(value: float) -> str:
    """Three digits; inf and nan are words."""
    if math.isnan(value):
        return "n/a"
    return "never" if math.isinf(value) else f"{value:.3g}"


def told(steps: float, most: float) -> str:
    """Steps, or more than were tried."""
    return f"> {most:.0f}" if math.isinf(steps) else written(steps)


def between(low: float, high: float) -> str:
    """Two bounds of a ratio; one number where they agree."""
    return f"{high:.2f}" if low == high else f"{low:.2f} to {high:.2f}"


def summary(results: Sequence[Result]) -> str:
    """One table of all tasks, and how many are won."""
    lines = [
        "| Task | Goal | Ours: steps × cost | Peer untuned | Peer tuned: steps × cost | Ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    found = [verdict(r) for r in results]
    for result, v in zip(results, found, strict=True):
        plain = best = "none"
        if math.isfinite(v["untuned"]):
            plain = f"{v['untuned_peer']} {written(v['untuned'])}"
        if math.isfinite(v["tuned"]):
            best = (
                f"{v['tuned_peer']} {v['tuned_steps']:g} × {v['tuned_cost']:.2f} = "
                f"{written(v['tuned'])}"
            )
        bounds = least_ratio_to(result), ratio_to(result)
        lines.append(
            f"| {result['task']} | {abs(result['goal']):g} | {told(v['ours_steps'], math.inf)} × "
            f"{v['cost']:.2f} = {written(v['ours'])} | {plain} | {best} | {between(*bounds)} |"
        )
    lines.append("")
    for words, key in (
        ("every peer untuned, in CPU time", "wins_untuned"),
        ("the best tuned peer, in CPU time", "wins_tuned"),
        ("every tuned peer in steps", "wins_steps"),
    ):
        won = sum(v[key] for v in found)
        lines.append(
            f"- Ours untuned beats {words}, on {won} of {len(found)} tasks "
            f"({100 * won / len(found):.0f}%)."
        )
    lost = [r["task"] for r, v in zip(results, found, strict=True) if not v["wins_tuned"]]
    lines.append(f"- Lost to a tuned peer in time: {'; '.join(lost) or 'none'}.")
    return "\n".join(lines)


def asked_table(folder: Path) -> str:
    """What was asked, what was measured, and whether it is met."""
    lines = ["| Asked | Limit | Measured | |", "| --- | ---: | ---: | --- |"]
    for asked in ASKED:
        bounds = asked.measured(folder)
        limit = f"{'≥' if asked.at_least else '≤'} {asked.limit:g}"
        said = "| not measured"
        if bounds is not None:
            said = f"{between(*bounds)} | {asked.verdict(bounds)}"
        lines.append(f"| {asked.words} | {limit} | {said} |")
    return "\n".join(lines)


def alone_table(results: Sequence[Result]) -> str:
    """The tasks that no peer has raced on."""
    lines = [
        "| Task | Goal | Steps, by seed | A step | Run |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for result in results:
        ours = ours_in(result)
        steps = ", ".join(told(s, ours["most"]) for s in ours["tuned_steps"])
        lines.append(
            f"| {result['task']} | {abs(result['goal']):g} | {steps} | {ours['cost']:.2f} | "
            f"{result['ours_raced']} at {result['state']} |"
        )
    return "\n".join(lines)


def held_out_table(results: Sequence[Result]) -> str:
    """The tasks and seeds on which nothing was chosen, beside Adam."""
    lines = [
        "| Task | Goal | Ours: steps, by seed | A step | Adam tuned: steps | At "
        "| Ours / Adam: steps | time | State |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    in_steps: list[float] = []
    in_time: list[float] = []
    for result in results:
        ours, (adam, *_) = ours_in(result), peers_in(result)
        own, most = ours["tuned_steps"], adam["most"]
        in_steps.append(median(own) / followed(adam["tuned_steps"], most))
        in_time.append(ratio_to(result))
        chosen = ", ".join(f"{k} {v:g}" for k, v in adam["setting"].items())
        bound = "< " if math.isinf(tuned(adam)) else ""
        lines.append(
            f"| {result['task']} | {result['goal']:g} | "
            f"{', '.join(told(s, ours['most']) for s in own)} | {ours['cost']:.2f} | "
            f"{', '.join(told(s, most) for s in adam['tuned_steps'])} | {chosen} | "
            f"{bound}{in_steps[-1]:.2f} | {bound}{in_time[-1]:.2f} | {result['state']} |"
        )
    reached = sum(math.isfinite(s) for r in results for s in ours_in(r)["tuned_steps"])
    runs = sum(len(ours_in(r)["tuned_steps"]) for r in results)
    untuned_won = sum(verdict(r)["wins_untuned"] for r in results)
    return "\n".join([
        *lines, "",
        f"- Ours reached the goal in {reached} of {runs} runs, with {min(in_steps):.2f} to "
        f"{max(in_steps):.2f} of the steps of Adam tuned on the first of these seeds, and in less "
        f"time on {sum(t < 1 for t in in_time)} of {len(results)} tasks.",
        f"- Adam untuned took more time on {untuned_won} of {len(results)} tasks.",
    ])  # fmt: skip


def missing(folder: Path) -> str:
    """The tasks and parts that have not run; nothing where all have."""
    tasks = {**TASKS, **FRESH}
    absent = [name for name in [*tasks, *COSTS, "maps"] if kept.read(folder, name) is None]
    names = [
        f"{tasks[name]().name}{' from other seeds' * (name in FRESH)}" if name in tasks
        else name.replace("_", " ")
        for name in absent
    ]  # fmt: skip
    return f"Not measured yet: {'; '.join(names)}." if names else ""


def details(result: Result) -> str:
    """All that raced on one task."""
    ours = tuned(ours_in(result))
    lines = [
        f"### {result['task'][0].upper()}{result['task'][1:]}",
        "",
        f"Peers raced {result['peers_raced']}, ours {result['ours_raced']} at {result['state']}.",
        "",
        "| | Untuned: steps | Tuned: steps | A step | Tuned, in Adam steps | Ours / this | At |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in sorted(result["rows"], key=lambda r: (is_refused(r), tuned(r), tuned_at_least(r))):
        if is_refused(row):
            lines.append(f"| {row['peer']} | | | | | | does not take this model |")
            continue
        chosen = ", ".join(f"{k} {v:g}" for k, v in row["setting"].items()) or "defaults"
        is_there = math.isfinite(tuned(row))
        lines.append(
            f"| {row['peer']} | {told(median(row['untuned_steps']), row['untuned_most'])} | "
            f"{told(median(row['tuned_steps']), row['most'])} | {written(row['cost'])} | "
            f"{told(tuned(row), tuned_at_least(row))} | "
            f"{'' if is_there else '< '}{written(ours / tuned_at_least(row))} | {chosen} |"
        )
    return "\n".join(lines)


def cost_table(rows: Sequence[Result]) -> str:
    """Step costs, the exponents and the memory."""
    lines = [
        "| Model | Parameters | Ours | Adam | Ratio | Asked |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    also: list[str] = []
    for row in rows:
        if "adam_MiB" in row:
            also.append(
                f"- {row['name'].capitalize()}: {row['ours_MiB']:.0f} MiB beyond the model, Adam's "
                f"{row['adam_MiB']:.0f} MiB, activations of a batch {row['activations_MiB']:.1f}."
            )
            continue
        asked = f"≤ {row['limit']:g}" if "limit" in row else ""
        lines.append(
            f"| {row['name']} | {row['parameters']:,} | {1e3 * row['ours_s']:.1f} ms | "
            f"{1e3 * row['reference_s']:.1f} ms | {row['ratio']:.2f} | {asked} |"
        )
        if "exponent_ours_s" in row:
            also.append(
                f"- Time grows as the parameters to the power {row['exponent_ours_s']:.2f}, Adam's "
                f"to {row['exponent_reference_s']:.2f} (the rows by parameters)."
            )
    return "\n".join([*lines, "", *also])


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


def results_text(folder: Path) -> str:
    """All below the marker."""
    results = kept.races(folder)
    parts = [
        "## Asked and measured", asked_table(folder), missing(folder),
        "## All tasks",
        "Goals are the least loss, error or (for CartPole) the return; peers' numbers are Adam "
        "steps of CPU time, \"none\" says that no peer reached the goal as far as it was followed.",
        summary(results),
    ]  # fmt: skip
    alone = kept.alone(folder)
    if alone:
        parts += ["## Ours alone so far", alone_table(alone)]
    fresh = [found for name in FRESH if (found := kept.read(folder, name)) is not None]
    if fresh:
        parts += [
            "## Tasks and seeds that were not looked at",
            "The defaults and the strides were chosen on the tasks above with the seeds 0 to 2. "
            "Nothing was chosen on these: tasks of the same kinds that were written afterwards, "
            "with goals that Adam set, and tasks of the above, from the seeds 10 to 14.",
            held_out_table(fresh),
        ]
    costs, maps = kept.rows(folder, *COSTS), kept.rows(folder, "maps")
    if costs:
        parts += ["## What a step costs", cost_table(costs)]
    if maps:
        parts += ["## Maps of the options", map_table(maps)]
    parts += ["## Task by task", *map(details, results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def readme_paragraph(folder: Path) -> str:
    """What the README says of the races."""
    found = [verdict(result) for result in kept.races(folder)]
    prices = sorted(v["cost"] for v in found)
    said = textwrap.fill(
        f"{OPENING} every untuned peer in CPU time on {sum(v['wins_untuned'] for v in found)} of "
        f"{len(found)} small tasks, and the best tuned one on "
        f"{sum(v['wins_tuned'] for v in found)}: it takes few steps, which cost {prices[0]:.1f} to "
        f"{prices[-1]:.1f} of Adam's there", width=119,
    )  # fmt: skip
    return f"{said}\n{CLOSING}"


def readme_text(text: str, folder: Path) -> str:
    """The README with its paragraph on the races written anew."""
    start = text.index(OPENING)
    end = text.index(CLOSING, start) + len(CLOSING)
    return text[:start] + readme_paragraph(folder) + text[end:]


def page_text(text: str, folder: Path) -> str:
    """The page with all below the marker written anew."""
    return text[: text.index(MARKER)] + MARKER + "\n\n" + results_text(folder)


def main() -> None:
    """Write the page, its figure and the README's paragraph."""
    for path, rewritten in ((PAGE, page_text), (README, readme_text)):
        text = path.read_text(encoding="utf-8")
        path.write_text(rewritten(text, kept.RESULTS), encoding="utf-8")
    chosen = [r for r in kept.races(kept.RESULTS) if r["task"] in DRAWN and ours_in(r)["curve"]]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "figure.png"
        figure(chosen).savefig(path, dpi=75)
        few = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(DOCS / "images" / "benchmark_optimizers.png", optimize=True)


if __name__ == "__main__":
    main()
