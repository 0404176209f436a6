"""The files of `certify`: certificate, summary, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from riemannian_modules.cli.console import remark
from riemannian_modules.cli.results import write_json
from riemannian_modules.errors import RiemannianError

if TYPE_CHECKING:
    from riemannian_modules.certify import Answer, Proved
    from riemannian_modules.region import Box
    from riemannian_modules.spec import System


def save_answer(system: System, answer: Answer, region: Box, folder: Path) -> None:
    """Write what an answer is worth keeping of: a proof with its certificate and pictures."""
    from riemannian_modules.certify import Proved
    from riemannian_modules.graph import ModuleGraph
    from riemannian_modules.plot import draw_graph

    write_json(folder / "summary.json", _summary(answer, system.name, region))
    if isinstance(system.module, ModuleGraph):
        draw_graph(system.module, folder / "graph.png")
    if isinstance(answer, Proved):
        _save_proof(system, answer, folder)


def _save_proof(system: System, answer: Proved, folder: Path) -> None:
    from riemannian_modules.cli.contraction import contraction_figure, two_trajectories
    from riemannian_modules.cli.parts import parts_csv
    from riemannian_modules.plot import save_figure
    from riemannian_modules.spec.files import write_text

    data = answer.certificate.data
    answer.certificate.save(folder / "certificate.json")
    if data["evidence"]["rule"] == "network":
        write_text(folder / "parts.csv", parts_csv(data))
    if data["claim"]["kind"] == "map":
        return
    try:
        pair = two_trajectories(system, answer)
    except RiemannianError as error:
        # The proof stands without its picture.
        remark(f"No picture of two trajectories: {error}")
        return
    save_figure(contraction_figure(answer, *pair), folder / "contraction.png")


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
