"""A claim read back from a certificate; nothing of it is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.kind import TIMES
from riemannian_modules.claims.norm_data import norm_from_data
from riemannian_modules.claims.norms import L2
from riemannian_modules.claims.plain_data import array_from_data, finite_from_data, refuse_unknown
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.problem_data import problem_from_data
from riemannian_modules.claims.slopes_system import form_from_certificate
from riemannian_modules.claims.system import ClaimedSystem
from riemannian_modules.errors import CertificateError
from riemannian_modules.modules.signature import Time

_KEYS = {
    *("statement", "symbols", "kind", "bound", "norm", "input_norm"),
    *("horizontal", "trajectories"),
}
_SYSTEMS: Mapping[str, Callable[[Mapping[str, Any], Time], ClaimedSystem]] = {
    "expressions": problem_from_data,
    "slopes": form_from_certificate,
}


def claim_from_data(data: Mapping[str, Any]) -> Claim:
    """The claim of a certificate's data, but for what it says of trajectories.

    Raises:
        CertificateError: If the data is malformed, or its parts do not fit each other.
    """
    written = refuse_unknown(data["claim"], _KEYS, "claim")
    system = system_from_data(data)
    norm = norm_from_data(written.get("norm"), system.size, "claim.norm", system.symbols)
    given: Any = None
    if "input_norm" in written:
        given = norm_from_data(written["input_norm"], system.input_size, "claim.input_norm")
        if not isinstance(given, L2) or system.time is not Time.STATIC:
            raise CertificateError("claim.input_norm: expected an l2 norm, of a static map.")
    return Claim(system, norm, bound_from_data(written), given)


def system_from_data(data: Mapping[str, Any]) -> ClaimedSystem:
    """The system that a certificate speaks of, with its region."""
    written, system = data["claim"], data["system"]
    if not isinstance(written, dict) or written.get("kind") not in list(TIMES):
        raise CertificateError("claim: expected a mapping with a kind of flow, step or map.")
    read = _SYSTEMS.get(str(system.get("type"))) if isinstance(system, dict) else None
    if read is None:
        raise CertificateError(f"system: expected a type among {', '.join(_SYSTEMS)}.")
    found = read(data, TIMES[written["kind"]])
    if "horizontal" not in written:
        return found
    if written["kind"] == "map":
        raise CertificateError("claim.horizontal: expected a flow or a step, got a map.")
    return _across(found, written["horizontal"])


def bound_from_data(claim: Mapping[str, Any]) -> float:
    """The bound of a claim; a factor is not negative."""
    b = finite_from_data(claim.get("bound"), "claim.bound")
    if claim["kind"] != "flow" and b < 0:
        raise CertificateError(f"claim.bound: a factor is not negative, got {b}.")
    return b


def _across(system: ClaimedSystem, data: object) -> ClaimedSystem:
    """The system with the directions that count, proved to be of their kind."""
    where = "claim.horizontal"
    part = refuse_unknown(data, {"L", "R", "kind"}, where)
    if not isinstance(system, Problem):
        raise CertificateError(f"{where}: expected a system of expressions.")
    n, rows = len(system.map), part.get("L")
    k = len(rows) if isinstance(rows, list) else 0
    if not 0 < k <= n or part.get("kind") not in ("conservation", "symmetry"):
        raise CertificateError(f"{where}: expected L (k, n), R (n, k) and a known kind.")
    L = array_from_data(part.get("L"), (k, n), f"{where}.L")
    R = array_from_data(part.get("R"), (n, k), f"{where}.R")
    horizontal = Horizontal(L, R, part["kind"])
    if not system.admits(horizontal):
        raise CertificateError(
            f"{where}: L R = I, or the identity of its kind, is not proved for the system."
        )
    return replace(system, horizontal=horizontal)
