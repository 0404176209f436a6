"""Certificates of the rules of slopes, multipliers and sums: written, and read without belief.

Source: none; the format is this library's, version 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.arithmetic.definite import (
    largest_eigenvalue_bound,
    smallest_eigenvalue_bound,
)
from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.certificate import FORMAT, VERSION, Certificate
from riemannian_modules.certify.certificate_data import (
    array_from_data,
    bound_from_data,
    norm_from_data,
    norm_to_data,
    region_from_data,
    region_to_data,
)
from riemannian_modules.certify.constraints import Constraints
from riemannian_modules.certify.neural.slopes_system import SlopesForm, form_from_data, form_to_data
from riemannian_modules.certify.norms import L1, L2, LInf, proved_norm
from riemannian_modules.certify.statement import (
    region_in_words,
    statement_of,
    symbols_of_claim,
)
from riemannian_modules.errors import CertificateError, MetricError
from riemannian_modules.modules.module import Time
from riemannian_modules.space import Array

KINDS = {Time.CONTINUOUS: "flow", Time.DISCRETE: "step", Time.STATIC: "map"}
_TIMES = {kind: time for time, kind in KINDS.items()}
_SECTOR = "2 sum t_i (dw_i - alpha_i dv_i)(beta_i dv_i - dw_i)"
_SYMBOLS = {
    "flow": f"2 dx' M (A dx + B dw) + {_SECTOR} <= 2 b |dx|_M^2",
    "step": f"|A dx + B dw|_M^2 + {_SECTOR} <= b^2 |dx|_M^2",
    "map": f"|A dx + B dw|_M^2 + {_SECTOR} <= b^2 |dx|_N^2",
}
_SUMS = "J = A + B (I - S D)^-1 S C for slopes S"
_MOST_SIDES = 20  # named in words


@final
@dataclass(frozen=True, slots=True, eq=False)
class SlopesProof:
    """What a certificate of slopes claims, and what proves it.

    Attributes:
        form: The system.
        bound: b.
        norm: M, or weights.
        input_norm: The inputs' norm of a static map, None for the Euclidean one.
        multipliers: t (m,); None for weights, where corners of slopes prove the bound.
        compression: H, or None.
    """

    form: SlopesForm
    bound: float
    norm: L2 | L1 | LInf
    input_norm: L2 | None = None
    multipliers: Array | None = None
    compression: Array | None = None

    @property
    def as_bound(self) -> Bound:
        """B with its meaning."""
        is_flow = self.form.time is Time.CONTINUOUS
        return LogNormBound(self.bound) if is_flow else LipschitzBound(self.bound)


def certificate_of(proof: SlopesProof) -> Certificate:
    """The certificate, words derived from the numbers."""
    form = proof.form
    kind = KINDS[form.time]
    # Outputs are compared once: no distance of theirs grows before it shrinks.
    overshoot = _overshoot(proof.norm) if isinstance(proof.norm, L2) and kind != "map" else 1.0
    symbols = _SYMBOLS[kind]
    if not isinstance(proof.norm, L2):
        symbols = f"{symbols_of_claim(kind, proof.as_bound, proof.norm, None)}; {_SUMS}"
    claim: dict[str, Any] = {
        "statement": statement_of(
            kind, proof.as_bound, proof.norm, proof.input_norm, overshoot, _words(form)
        ),
        "symbols": symbols,
        "kind": kind, "bound": proof.bound, "norm": norm_to_data(proof.norm),
    }  # fmt: skip
    if proof.input_norm is not None:
        claim["input_norm"] = norm_to_data(proof.input_norm)
    evidence: dict[str, Any] = {"rule": "sums"}
    if proof.multipliers is not None:
        evidence = {"rule": "slopes", "multipliers": proof.multipliers.tolist()}
    if proof.compression is not None:
        evidence["compression"] = proof.compression.tolist()
    return Certificate({
        "format": FORMAT, "version": VERSION, "claim": claim,
        "region": region_to_data(form.names, form.lower, form.upper, Constraints(form.names)),
        "system": form_to_data(form),
        "evidence": evidence,
    })  # fmt: skip


def proof_from_data(data: Mapping[str, Any]) -> SlopesProof:
    """The claim and evidence of a certificate; only their form is checked.

    Raises:
        CertificateError: If the data is inconsistent, holds unknown keys, or its metric is none.
    """
    _keys(data, "certificate", {"format", "version", "claim", "region", "system", "evidence"})
    if data["format"] != FORMAT or data["version"] != VERSION:
        raise CertificateError(f"certificate: expected {FORMAT!r}, version {VERSION}.")
    claim, evidence, region, system = (
        _keys(data[part], part, required, optional)
        for part, required, optional in (
            ("claim", {"statement", "kind", "bound", "norm"}, {"symbols", "input_norm"}),
            ("evidence", {"rule"}, {"multipliers", "compression"}),
            ("region", {"sides"}, set[str]()),
            ("system", {"type"}, {"size", "A", "B", "C", "D", "activations"}),
        )
    )
    if (
        evidence["rule"] not in ("slopes", "sums")
        or system["type"] != "slopes"
        or claim["kind"] not in list(_TIMES)
    ):
        raise CertificateError("certificate: expected the rule and system of type 'slopes'.")
    time, sides = _TIMES[claim["kind"]], _sides(region["sides"])
    bound = bound_from_data(claim)
    if evidence["rule"] == "sums":
        return _sums_from_data(claim, evidence, system, time, sides, bound)
    _keys(evidence, "evidence", {"rule", "multipliers"}, {"compression"})
    norm = _metric(claim["norm"], None, "claim.norm")
    form = form_from_data(system, time, len(norm.metric), sides)
    n, m = form.A.shape[1], len(form.slopes)
    if len(form.names) < n or (time is Time.STATIC and len(form.names) != n):
        raise CertificateError(f"region.sides: expected a side for each of {n} coordinates.")
    if "input_norm" in claim and time is not Time.STATIC:
        raise CertificateError("claim.input_norm: only static maps have one.")
    given = _metric(claim["input_norm"], n, "claim.input_norm") if "input_norm" in claim else None
    k = len(form.touched)
    H = evidence.get("compression")
    return SlopesProof(
        form, bound, norm, given,
        array_from_data(evidence["multipliers"], (m,), "evidence.multipliers"),
        None if H is None else array_from_data(H, (k, k), "evidence.compression"),
    )  # fmt: skip


def _sums_from_data(
    claim: Mapping[str, Any],
    evidence: Mapping[str, Any],
    system: Mapping[str, Any],
    time: Time,
    sides: tuple[tuple[str, ...], Array, Array],
    bound: float,
) -> SlopesProof:
    _keys(evidence, "evidence", {"rule"})
    n = system.get("size")
    if type(n) is not int or time is Time.STATIC or "input_norm" in claim:
        raise CertificateError("certificate: sums of slopes are for flows and steps of some size.")
    norm = norm_from_data(claim["norm"], n, "claim.norm")
    if not isinstance(norm, (L1, LInf)):
        raise CertificateError("claim.norm: expected a weighted l1 or linf norm.")
    form = form_from_data(system, time, n, sides)
    if len(form.names) < n:
        raise CertificateError(f"region.sides: expected a side for each of {n} coordinates.")
    return SlopesProof(form, bound, norm)


def _metric(data: object, size: int | None, where: str) -> L2:
    rows = data.get("metric") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not rows or (size is not None and len(rows) != size):
        raise CertificateError(f"{where}: expected an l2 norm with a dense metric.")
    norm = norm_from_data(data, len(rows), where)
    try:
        found = proved_norm(norm)
    except MetricError as fault:
        raise CertificateError(f"{where}: {fault}") from None
    assert isinstance(found, L2)  # it has a metric
    return found


def _keys(
    part: object, where: str, required: set[str], optional: set[str] | None = None
) -> Mapping[str, Any]:
    # What is not proved must not be shown as if it were.
    known = required | (optional or set())
    if not isinstance(part, Mapping) or not required <= set(part) <= known:
        raise CertificateError(
            f"{where}: expected the keys {sorted(required)}, and of others only "
            f"{sorted(known - required)}."
        )
    return part


def _sides(rows: object) -> tuple[tuple[str, ...], Array, Array]:
    entries: list[Any] = rows if isinstance(rows, list) else []
    first: list[Any] = [row[0] if isinstance(row, list) and row else None for row in entries]
    names = tuple(name for name in first if isinstance(name, str))
    if not names or len(set(names)) != len(first):
        raise CertificateError(
            "region.sides: expected rows [name, lower, upper] by distinct names."
        )
    lower, upper, _ = region_from_data({"sides": entries}, names)
    return names, lower, upper


def _words(form: SlopesForm) -> str:
    bounded = np.isfinite(form.lower) | np.isfinite(form.upper)
    if bounded.sum() > _MOST_SIDES:
        return f"a box with {int(bounded.sum())} bounded sides, as in the certificate"
    return region_in_words(form.names, form.lower, form.upper, Constraints(form.names))


def _overshoot(norm: L2) -> float:
    """``sqrt(cond M)``, rounded up."""
    floor = float(smallest_eigenvalue_bound(norm.metric))
    if not floor > 0:
        return np.inf
    return float(np.sqrt(float(largest_eigenvalue_bound(norm.metric)) / floor) * (1 + 1e-15))
