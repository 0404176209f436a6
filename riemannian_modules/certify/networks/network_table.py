"""What gave which number: the steps of a composite's certificate, to be computed again by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.certify.answer import Proved
from riemannian_modules.certify.certificate import Certificate
from riemannian_modules.certify.networks.comparison import (
    Comparison,
    Weights,
    comparison_rows,
    rounded_up,
)
from riemannian_modules.certify.networks.signed_data import is_sparse_claim
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.shown import Shown


@final
@dataclass(frozen=True, slots=True, repr=False)
class TableRow(Shown):
    """One number: which rule gave it, for which part, and from which other part if there is one.

    Attributes:
        rule: "node", "gain", "weight", "total", "range" or "signed".
        to: The part that the number speaks of.
        source: The other part that it depends on, for a gain the one that acts; "" for none.
        number: The number.
    """

    rule: str
    to: str
    source: str
    number: float


def node_names(groups: list[list[int]], states: list[str]) -> list[str]:
    """Names of blocks: what all their states have before the last dot, else the first state."""
    heads = [{states[i].rpartition(".")[0] for i in group} for group in groups]
    names = [
        next(iter(head)) if len(head) == 1 and head != {""} else states[group[0]]
        for head, group in zip(heads, groups, strict=True)
    ]
    return names if len(set(names)) == len(names) else [states[group[0]] for group in groups]


def comparison_of(data: Mapping[str, Any]) -> tuple[list[str], Comparison, Weights]:
    """The blocks' names, the comparison matrix and the weights of a network certificate's data."""
    norm = data["claim"]["norm"]
    names = node_names(norm["groups"], data["system"]["symbols"]["state"])
    checks = {(c["to"], c["from"]): float(c["bound"]) for c in data["evidence"]["checks"]}
    C = Comparison(len(names), {p: v for p, v in checks.items() if v})
    values = np.array(norm["weights"], dtype=np.float64)
    exponents = np.array(norm.get("exponents", [0] * len(names)), dtype=np.int64)
    return names, C, Weights(values, exponents)


def network_table(proof: Proved | Certificate) -> list[TableRow]:
    """The numbers of a composite's proof in the order in which they were made.

    By the network rule: each block's own bound ("node") and each "gain"; the "weight" r_i as base-2
    logarithm; and each row of ``(C r)_i / r_i`` ("total"), the largest of which is the bound. By
    the signed rule: the diagonal of the metric ("weight") and each "range" of an atom, as two rows.

    Args:
        proof: A composite's proof, or its certificate.

    Raises:
        UnsupportedError: If the certificate is not one of a composite.
    """
    data = (proof.certificate if isinstance(proof, Proved) else proof).data
    norm = data["claim"]["norm"]
    if is_sparse_claim(data):
        return _signed_rows(data)
    if norm["type"] != "blocks":
        raise UnsupportedError("network_table reads certificates of certify_network.")
    names, C, weights = comparison_of(data)
    rows = [
        TableRow("node" if i == j else "gain", names[i], "" if i == j else names[j], v)
        for (i, j), v in C.entries.items()
    ]
    logs = np.log2(weights.values) + weights.exponents
    rows += [TableRow("weight", n, "", v) for n, v in zip(names, logs.tolist(), strict=True)]
    totals = [rounded_up(v) for v in comparison_rows(C, weights)]
    return rows + [TableRow("total", n, "", v) for n, v in zip(names, totals, strict=True)]


def _signed_rows(data: Mapping[str, Any]) -> list[TableRow]:
    states = data["system"]["symbols"]["state"]
    rows = [
        TableRow("weight", states[i], states[j] if i != j else "", float(v))
        for i, j, v in data["claim"]["norm"]["metric"]["entries"]
        if i <= j
    ]
    terms = dict(data["evidence"]["let"])
    for atom in data["evidence"]["atoms"]:
        for key in ("lower", "upper") if "range" in atom else ():
            end = float(atom["range"][key])
            rows.append(TableRow("range", str(terms[atom["name"]]), "", end))
    return [*rows, TableRow("signed", "", "", float(data["claim"]["bound"]))]
