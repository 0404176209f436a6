"""In words, how each rule that a certificate's evidence may name proves its claim.

Source: none; the rules and their sources stand in docs/certification.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def rule_in_words(evidence: Mapping[str, Any]) -> str:
    """How the evidence of a certificate proves its claim, a sentence or two.

    Args:
        evidence: Of a certificate that was proved: its form is not checked again.
    """
    return RULE_WORDS[evidence["rule"]](evidence)


def _monolithic(evidence: Mapping[str, Any]) -> str:
    boxes = sum(cut is None for cut in evidence["cuts"])
    cover = "1 box that covers" if boxes == 1 else f"{boxes} boxes that cover"
    return (
        f"The system as a whole: its exact Jacobian enclosed on {cover} the region, in "
        "interval arithmetic with outward rounding. How the norm was found does not matter to the "
        "proof."
    )


def _squares(evidence: Mapping[str, Any]) -> str:
    count = len(evidence["rate"])
    terms = "1 sum of squares" if count == 1 else f"{count} sums of squares"
    return (
        f"The system as a whole: what has to be nonnegative on the region is written as {terms} "
        "with factors that are nonnegative there, an identity in exact fractions. No box is cut, "
        "so the region may be unbounded."
    )


def _network(evidence: Mapping[str, Any]) -> str:
    del evidence
    return (
        "By parts: each part's own bound and the gains between parts, composed by the network "
        "rule; every number rounded upwards"
    )


def _slopes(evidence: Mapping[str, Any]) -> str:
    count = len(evidence["multipliers"])
    neurons = "the 1 neuron" if count == 1 else f"each of {count} neurons"
    return (
        f"Layers by their slopes: {neurons} may have any slope that its function has, and one "
        "matrix inequality with a multiplier for each holds for all of them at once, rounding "
        "included."
    )


def _sums(evidence: Mapping[str, Any]) -> str:
    del evidence
    return (
        "Layers by their slopes: rows or columns of the Jacobian are largest where each neuron's "
        "slope is at an end of its range; these corners are added up, rounded upwards."
    )


RULE_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "monolithic": _monolithic,
    "sos": _squares,
    "network": _network,
    "slopes": _slopes,
    "sums": _sums,
}
