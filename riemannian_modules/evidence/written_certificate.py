"""A certificate of expressions as it is written: every term read, every matrix that of the system.

What `verify` does not need for its own proof is held against the system all the same: a file is
proved as a whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from riemannian_modules.claims.plain_data import refuse_unknown
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.written_matrices import edited_part
from riemannian_modules.evidence.written_terms import (
    WITHOUT_SLOPES,
    Names,
    conditions,
    depth_of,
    listed,
    read_bindings,
    symbol_counts,
)

_FIELD = ("metric_terms", "factor_terms")
_MATRICES = ("jacobian", "matrix", "weight", "after")


def read_as_written(data: Mapping[str, Any], problem: Problem) -> Problem:
    """The problem, with every condition for the written operations of its system and metric.

    Raises:
        CertificateError: If a term is malformed or mentions what stands after it, or if a matrix or
            slope of the evidence is not the system's.
    """
    system, norm, evidence = data["system"], data["claim"]["norm"], data["evidence"]
    names: Names = dict.fromkeys(problem.coordinates, 0)
    bindings = read_bindings(system["let"], names, "system.let")
    guards = [term for _, term in system["guards"]]
    of_map = system["y" if data["claim"]["kind"] == "map" else "dx"]
    for t in (*system["dx"], *system["y"], *guards):
        depth_of(t, names, "system")
    of_norm: list[Any] = []
    if isinstance(norm, dict):
        bindings |= read_bindings(norm.get("let", []), names, "claim.norm.let")
        of_norm = [t for key in _FIELD for t in norm.get(key, [])]
        of_norm += (norm.get("rates") or {}).get("terms", [])
        for t in of_norm:
            depth_of(t, names, "claim.norm")
    asked = conditions((*of_map, *guards, *of_norm), list(bindings.items()), problem.symbols)
    names |= dict.fromkeys(constraint_names(problem), 0)
    bindings |= read_bindings(evidence.get("let", []), names, "evidence.let")
    atoms = _read_atoms(listed(evidence.get("atoms", []), "evidence.atoms"), bindings, names)
    shape = problem.size, problem.size if problem.is_square else len(problem.variables)
    for key in _MATRICES:
        where = f"evidence.{key}"
        _read_matrix(listed(evidence.get(key, []), where), atoms, shape, where)
    n = problem.size
    if "congruence" in evidence:
        change = listed(evidence["congruence"], "evidence.congruence")
        if len(change) != n * n:
            raise CertificateError(
                f"evidence.congruence: expected {n * n} terms, got {len(change)}."
            )
        for t in change:
            depth_of(t, names, "evidence.congruence")
    if evidence["rule"] != "sos":
        _require_keys(evidence, norm, data["claim"]["kind"])
        edited = edited_part(data, bindings, problem)
        if edited is not None:
            raise CertificateError(f"evidence: {edited} is not that of the system.")
    guarded = tuple(dict.fromkeys((*problem.expressions.guards, *asked)))
    return replace(problem, expressions=replace(problem.expressions, guards=guarded))


def constraint_names(problem: Problem) -> list[str]:
    """The names by which the evidence mentions what the region's constraints bound."""
    members = problem.constraints.rows, problem.constraints.balls
    return [f"{kind}[{k}]" for kind, rows in zip(("linear", "ball"), members, strict=True)
            for k in range(len(rows))]  # fmt: skip


def _read_matrix(entries: Sequence[Any], atoms: Names, shape: tuple[int, int], where: str) -> None:
    """Refuse what is no list of entries [i, j, sum of products of atoms], each place once."""
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 3):
            raise CertificateError(f"{where}: expected entries [i, j, sums of products of atoms].")
        depth_of(entry[2], atoms, where)
        _atoms_of(entry[2], atoms, where)
    places = [(i, j) for i, j, _ in entries]
    if len(set(places)) < len(places) or not all(
        type(i) is type(j) is int and 0 <= i < shape[0] and 0 <= j < shape[1] for i, j in places
    ):
        raise CertificateError(f"{where}: expected each place of a matrix {shape} once.")


def _atoms_of(term: Any, atoms: Names, where: str) -> set[str]:
    """The atoms of a sum of products, in each of which it is affine."""
    if isinstance(term, str):
        return {term} & set(atoms)
    parts = [_atoms_of(part, atoms, where) for part in term[1:]]
    found = set[str]().union(*parts)
    if term[0] not in ("+", "*") or (term[0] == "*" and sum(map(len, parts)) > len(found)):
        raise CertificateError(f"{where}: expected sums of products of atoms, each once in one.")
    return found


def _read_atoms(atoms: Sequence[Any], bindings: Mapping[str, Any], names: Names) -> Names:
    """The atoms, which are bindings, each once, with the slopes that enclose them."""
    found: Names = {}
    for atom in atoms:
        part = refuse_unknown(atom, {"name", "slopes", "range"}, "evidence.atoms")
        name = part.get("name")
        if not isinstance(name, str) or name not in bindings or name in found:
            raise CertificateError(f"evidence.atoms: {name!r:.60} is no binding, or comes twice.")
        found[name] = 0
        slopes = listed(part.get("slopes", []), "evidence.atoms.slopes")
        by = [s for s, _ in slopes]
        if len(set(by)) < len(by) or not set(by) <= set(names) - set(bindings):
            raise CertificateError(f"evidence.atoms: {name} has slopes by other names, or twice.")
        for _, t in slopes:
            depth_of(t, names, f"evidence.atoms: the slopes of {name}")
        counts = symbol_counts(name, bindings)
        if not by and max(counts.values(), default=0) > 1 and not counts.keys() & {*WITHOUT_SLOPES}:
            raise CertificateError(f"evidence.atoms: {name} lacks its slopes.")
    return found


def _require_keys(evidence: Mapping[str, Any], norm: Mapping[str, Any], kind: str) -> None:
    needed = {"jacobian"}
    if any(key in norm for key in _FIELD):
        needed = {"matrix", "weight"} if kind == "flow" else {"matrix", "weight", "after"}
    missing, more = needed - set(evidence), {*_MATRICES} & set(evidence) - needed
    if missing or more:
        raise CertificateError(
            f"evidence: expected the matrices {sorted(needed)}, got "
            f"{sorted({*_MATRICES} & set(evidence))}."
        )
