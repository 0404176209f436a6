"""An answer as a table that tells a newcomer what was asked, what is proved, and by which rule."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from riemannian_modules.cli.console import plain
from riemannian_modules.shown import at_least, at_most

if TYPE_CHECKING:
    from rich.table import Table

    from riemannian_modules.certify import Answer, Estimated, Proved, Refuted
    from riemannian_modules.modules.module import Time
    from riemannian_modules.spec.system import Goal

FactRow = tuple[str, str]


SEARCH_ADVICE = (
    "A smaller --region, more --seconds, a smaller --rate (or larger --factor), another --norm, or "
    "the other rule: with --by-parts where it was without, or without it."
)


def explanation(answer: Answer, name: str, question: str, advice: str = SEARCH_ADVICE) -> Table:
    """The table of an answer: question, answer, meaning, numbers, and the rule behind them.

    Args:
        answer: What was found.
        name: Of the system or file, above the table.
        question: What was asked, in words.
        advice: What may help where it stays open.
    """
    from rich.table import Table

    from riemannian_modules.certify import Proved, Refuted

    table = Table(show_header=False, show_lines=True, title=plain(name), title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    if isinstance(answer, Proved):
        rows = _proved_rows(answer)
    elif isinstance(answer, Refuted):
        rows = _refuted_rows(answer)
    else:
        rows = _open_rows(answer, advice)
    table.add_row("Question", plain(question))
    for title, text in rows:
        table.add_row(title, text)
    return table


def _proved_rows(answer: Proved) -> Iterator[FactRow]:
    from riemannian_modules.evidence.verify import read_evidence

    data = answer.certificate.data
    claim = data["claim"]
    kind, b = claim["kind"], _number(answer)
    contracts = b < _LIMITS[kind]
    yield "Answer", _verdict("green", "PROVED", "yes" if contracts or kind == "map" else "bounded")
    yield "In words", plain(_meaning(claim, b))
    yield from _number_rows(kind, b)
    yield from _norm_rows(claim["norm"])
    if "input_norm" in claim:
        yield "Of inputs", "a given metric, which stands in the certificate"
    if "horizontal" in claim:
        yield "Counted", _directions(claim["horizontal"]["kind"])
    yield "Region", _region(data["region"])
    yield "Rule", plain(read_evidence(answer.certificate)[1].in_words)
    yield "Statement", plain(answer.certificate.statement)


def _refuted_rows(answer: Refuted) -> Iterator[FactRow]:
    yield "Answer", _verdict("red", "REFUTED", "no")
    yield (
        "In words",
        ("At the point below the claim fails. That it fails there is proved, rounding included."),
    )
    yield "What fails", plain(answer.statement)
    yield "Where", plain("\n".join(f"{n} = {v:.6g}" for n, v in answer.witness.items()))
    yield "Violation", f"at least {answer.violation:.4g}"


def _open_rows(answer: Estimated, advice: str) -> Iterator[FactRow]:
    yield "Answer", _verdict("yellow", "UNDECIDED", "neither proved nor refuted")
    yield "Why", plain(answer.reason)
    if answer.undecided:
        sides = answer.undecided[0].items()
        text = "\n".join(f"{n} in [{a:.4g}, {b:.4g}]" for n, (a, b) in sides)
        yield "Largest open box", plain(text)
    yield "What may help", plain(advice)


def _verdict(colour: str, word: str, answer: str) -> str:
    return f"[bold {colour}]{word}[/]: {answer}"


def question_of(time: Time, goal: Goal) -> str:
    """What `certify` is asked, in words."""
    from riemannian_modules.modules.module import Time

    if time is Time.STATIC:
        if goal.factor is None:
            return "By how much can the map enlarge the distance of two inputs in the region?"
        return (
            f"Are the outputs of any two inputs in the region apart by at most {goal.factor:g} "
            "times the distance of the inputs?"
        )
    how = ""
    if goal.rate is not None:
        how = f" at the rate {goal.rate:g} per unit of time or faster"
    if goal.factor is not None:
        how = f" by the factor {goal.factor:g} at each step or faster"
    return f"Do any two trajectories approach each other{how}, wherever in the region they start?"


_LIMITS = {"flow": 0.0, "step": 1.0, "map": math.inf}


def _number(answer: Proved) -> float:
    from riemannian_modules.certify import LogNormBound

    b = answer.bound
    return b.rate if isinstance(b, LogNormBound) else b.factor


def half_life(kind: str, b: float) -> float | None:
    """The time (or number of steps) in which distances halve; None where none is proved."""
    rate = -b if kind == "flow" else (-math.log(b) if kind == "step" and b > 0 else 0.0)
    return math.log(2) / rate if rate > 0 else None


def _meaning(claim: Mapping[str, Any], b: float) -> str:
    kind, halving = claim["kind"], half_life(claim["kind"], b)
    if kind == "map":
        measured = "" if "input_norm" not in claim else ", measured by the metric of the inputs"
        return (
            f"Outputs are apart by at most {at_most(b)} times the distance of their inputs"
            f"{measured}."
        )
    if halving is None:
        bound = f"exp({at_most(b)} t)" if kind == "flow" else f"{at_most(b)} at each step"
        return (
            f"Distances change at most by {bound}; that trajectories approach each other is not "
            "proved."
        )
    unit = "units of time" if kind == "flow" else "steps"
    whole = "horizontal" not in claim
    forgets = "forgets where it started" if whole else "forgets what is counted of its start"
    is_curved = not {"metric", "weights"} & set(claim["norm"])
    stay = "both, and the shortest path between them, stay" if is_curved else "both stay"
    return (
        f"The system {forgets}. Every {at_most(halving)} {unit}, the distance of "
        f"any two runs with the same inputs falls to half or less, as long as {stay} in the "
        "region."
    )


def _directions(kind: str) -> str:
    if kind == "conservation":
        return "only runs with the same conserved quantities are compared"
    return (
        "what the symmetry leaves unchanged; runs that it carries into each other have distance 0"
    )


def _number_rows(kind: str, b: float) -> Iterator[FactRow]:
    if kind == "flow":
        yield "Rate", f"{at_least(-b)} per unit of time" + ("" if b < 0 else " (growth)")
    else:
        yield "Factor", at_most(b) + (" at each step" if kind == "step" else "")
    halving = half_life(kind, b)
    if halving is not None:
        what = "ln 2 / rate" if kind == "flow" else "ln 2 / -ln(factor) steps"
        yield "Half-life", f"{at_most(halving)}  ({what})"


def _norm_rows(norm: dict[str, Any]) -> Iterator[FactRow]:
    if norm["type"] == "blocks":
        yield (
            "Distance",
            plain(
                "max over the parts i of |z_i|_(M_i) / r_i, with the metrics M_i and weights r_i "
                "that stand in the certificate"
            ),
        )
        return
    if norm["type"] != "l2":
        formula = "sum of w_i |z_i|" if norm["type"] == "l1" else "maximum of |z_i| / w_i"
        weights = ", ".join(f"{w:.4g}" for w in norm["weights"][:8])
        more = ", ..." if len(norm["weights"]) > 8 else ""
        yield "Distance", plain(f"{formula}, with weights w = {weights}{more}")
        return
    if isinstance(norm.get("metric"), dict):
        yield (
            "Distance",
            "sqrt(z' M z) of the difference z, with a constant sparse metric M that stands in the "
            "certificate",
        )
        return
    import numpy as np

    from riemannian_modules.claims.norms import L2

    if "metric" not in norm:
        yield (
            "Distance",
            "along the shortest path, measured with a metric M(x) that stands in the certificate",
        )
        return
    M = np.array(norm["metric"])
    if np.array_equal(M, np.eye(len(M))):
        yield "Distance", "Euclidean"
        return
    yield (
        "Distance",
        (
            f"sqrt(z' M z) of the difference z, with a constant {len(M)} x {len(M)} metric M that "
            "stands in the certificate"
        ),
    )
    yield (
        "Overshoot",
        (
            f"{at_most(L2(M).parts.overshoot)}: plain (Euclidean) distance may grow by this factor "
            "at most before it shrinks (the root of M's condition number, enclosed)"
        ),
    )


def _region(region: dict[str, Any]) -> str:
    rows: list[list[Any]] = region["sides"]
    sides = [
        f"{n} in [{float(lo):.6g}, {float(hi):.6g}]"
        for n, lo, hi in rows
        if (lo, hi) != ("-inf", "inf")
    ]
    shown = sides if len(sides) <= 24 else [*sides[:24], f"and {len(sides) - 24} more"]
    cut = len(region.get("linear", ())) + len(region.get("balls", ()))
    if cut:
        shown.append(f"cut by {cut} constraints (see the statement)")
    free = len(rows) - len(sides)
    rest = "every value of everything" if not sides else f"every value of {free} others"
    return plain("\n".join([*shown, *([rest] if free or not sides else [])]))
