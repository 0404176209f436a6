"""What a race says: Adam steps of CPU time of each, and ours against the best peer.

A peer that was left before its goal has needed at least the steps for which it was followed; ours
wins only where it is below that, too.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

OURS = "GaussNewton"
Result = Mapping[str, Any]


def median(steps: Sequence[float]) -> float:
    """Of the seeds' steps; inf where there were none or most did not reach the goal."""
    return statistics.median(steps) if steps else math.inf


def untuned(row: Result) -> float:
    """Adam steps to the goal with defaults."""
    return median(row["untuned_steps"]) * row["untuned_cost"]


def tuned(row: Result) -> float:
    """Adam steps to the goal at the best cell."""
    return median(row["tuned_steps"]) * row["cost"]


def untuned_at_least(row: Result) -> float:
    """Adam steps with defaults, to the goal or as far as it was followed."""
    return followed(row["untuned_steps"], row["untuned_most"]) * row["untuned_cost"]


def tuned_at_least(row: Result) -> float:
    """Adam steps at the best cell, to the goal or as far as it was followed."""
    return followed(row["tuned_steps"], row["most"]) * row["cost"]


def followed(steps: Sequence[float], most: float) -> float:
    """The median, or where most seeds did not reach the goal how many steps they were given."""
    middle = median(steps)
    return middle if math.isfinite(middle) else most


def is_refused(row: Result) -> bool:
    """Whether the optimizer does not take the model."""
    return math.isnan(row["cost"])


def ours_in(result: Result) -> Result:
    """Our row."""
    return next(r for r in result["rows"] if r["peer"] == OURS)


def peers_in(result: Result) -> list[Result]:
    """The rows of all that take the model, but ours."""
    return [r for r in result["rows"] if r["peer"] != OURS and not is_refused(r)]


def ratio_to(result: Result, *names: str) -> float:
    """Our Adam steps over the best tuned peer's (of these), at most: some were left early."""
    return tuned(ours_in(result)) / min(map(tuned_at_least, named(result, names)))


def least_ratio_to(result: Result, *names: str) -> float:
    """The same at least, as if no peer that was left had ever reached the goal."""
    return tuned(ours_in(result)) / min(map(tuned, named(result, names)))


def named(result: Result, names: Sequence[str]) -> list[Result]:
    """The peers of these names; all where there are none."""
    return [r for r in peers_in(result) if r["peer"] in names or not names]


def verdict(result: Result) -> dict[str, Any]:
    """Ours against the best peer, untuned and tuned, in Adam steps."""
    ours, peers = ours_in(result), peers_in(result)
    plain, best = min(peers, key=untuned), min(peers, key=tuned)
    own, steps = tuned(ours), median(ours["tuned_steps"])
    return {
        "ours_steps": steps, "ours": own, "cost": ours["cost"],
        "untuned_peer": plain["peer"], "untuned": untuned(plain),
        "tuned_peer": best["peer"], "tuned": tuned(best),
        "tuned_steps": median(best["tuned_steps"]), "tuned_cost": best["cost"],
        "wins_untuned": own < min(map(untuned_at_least, peers)),
        "wins_tuned": own < min(map(tuned_at_least, peers)),
        # Who was left after as many steps as ours has needed more.
        "wins_steps": all(
            steps < followed(r["tuned_steps"], r["most"] + 1) for r in peers
        ),
    }  # fmt: skip
