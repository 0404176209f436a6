"""The files of `certify`: certificate, summary, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from riemannian_modules.cli.results import save_picture, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from riemannian_modules.certify import Answer, Estimated, Proved
    from riemannian_modules.claims.claim import Claim
    from riemannian_modules.evidence.evidence import Evidence
    from riemannian_modules.region import Box
    from riemannian_modules.spec import System

SLICE_SECONDS = 3.0  # for the picture of rates, beyond the search's own time


def save_answer(system: System, answer: Answer, region: Box, folder: Path) -> None:
    """Write what an answer is worth keeping of: a proof with its certificate and pictures."""
    from riemannian_modules.certify import Estimated, Proved
    from riemannian_modules.graph import ModuleGraph
    from riemannian_modules.plot import graph_figure

    write_json(folder / "summary.json", _summary(answer, system.name, region))
    if isinstance(graph := system.module, ModuleGraph):
        save_picture(folder / "graph.png", lambda: graph_figure(graph))
    if isinstance(answer, Proved):
        _save_proof(system, answer, folder)
    elif isinstance(answer, Estimated) and answer.undecided:
        save_picture(folder / "undecided.png", lambda: _undecided(answer))
        if answer.search is not None:
            answer.search.save(folder / "search.json.gz")


def _undecided(answer: Estimated) -> Figure | None:
    from riemannian_modules.plot import undecided_boxes

    return undecided_boxes(answer) if len(answer.undecided[0]) > 1 else None


def _rates(answer: Proved) -> Figure | None:
    """The rates over the region, where they differ from place to place."""
    from riemannian_modules.plot import proved_slice, rate_slices
    from riemannian_modules.plot.claim import sides_of

    lower, upper = sides_of(answer)
    if (lower < upper).sum() < 2:
        return None
    shown = proved_slice(answer, seconds=SLICE_SECONDS)
    return rate_slices(shown) if len(shown.bounds) > 1 else None


def _trajectories(system: System, answer: Proved) -> Figure:
    from riemannian_modules.cli.contraction import two_trajectories
    from riemannian_modules.plot import draw_envelope

    return draw_envelope(answer, two_trajectories(system, answer))


def _parts(system: System, answer: Proved) -> Figure:
    from riemannian_modules.plot import network_graph

    return network_graph(system.module, answer)


def _save_proof(system: System, answer: Proved, folder: Path) -> None:
    from riemannian_modules.cli.numbers import proof_csv
    from riemannian_modules.evidence.verify import read_evidence
    from riemannian_modules.spec.files import write_text

    answer.certificate.save(folder / "certificate.json")
    claim, evidence = read_evidence(answer.certificate)
    write_text(folder / "proof.csv", proof_csv(evidence.rows(claim)))
    _save_own_files(system, answer, claim, evidence, folder)
    if claim.system.kind != "map":
        save_picture(folder / "contraction.png", lambda: _trajectories(system, answer))


def _save_own_files(
    system: System, answer: Proved, claim: Claim, evidence: Evidence, folder: Path
) -> None:
    """What a kind of evidence has beside its rows."""
    from riemannian_modules.claims.norms import BlockNorm
    from riemannian_modules.cli.parts import parts_csv
    from riemannian_modules.evidence.block_checks import BlockChecks
    from riemannian_modules.evidence.boxes import Boxes
    from riemannian_modules.spec.files import write_text

    if isinstance(evidence, BlockChecks) and isinstance(claim.norm, BlockNorm):
        write_text(folder / "parts.csv", parts_csv(claim.norm, evidence))
        save_picture(folder / "parts.png", lambda: _parts(system, answer))
    elif isinstance(evidence, Boxes):
        save_picture(folder / "rates.png", lambda: _rates(answer))


def _summary(answer: Answer, name: str, region: Box) -> dict[str, Any]:
    from riemannian_modules.certify import LipschitzBound, LogNormBound, Proved, Refuted
    from riemannian_modules.spec.write import side_to_data

    rows: dict[str, Any] = {"system": name, "answer": type(answer).__name__.lower()}
    rows["region"] = {n: [side_to_data(s) for s in side] for n, side in region.sides.items()}
    if isinstance(answer, Refuted):
        rows |= {"statement": answer.statement, "witness": dict(answer.witness)}
        return rows | {"violation": side_to_data(answer.violation)}
    if isinstance(answer.bound, LogNormBound):
        rows["log_norm"] = side_to_data(answer.bound.rate)
    elif isinstance(answer.bound, LipschitzBound):
        rows["factor"] = side_to_data(answer.bound.factor)
    if isinstance(answer, Proved):
        rows["rule"] = answer.certificate.data["evidence"]["rule"]
        return rows | {"statement": answer.certificate.statement}
    return rows | {"statement": answer.reason}
