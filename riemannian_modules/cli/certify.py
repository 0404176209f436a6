"""`riemannian-modules certify`: a proof that a system contracts, or that it does not."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard, final

import typer

from riemannian_modules.cli.arguments import (
    SystemPath,
    finite,
    load,
    misuse,
    region_sides,
)
from riemannian_modules.cli.certify_results import save_answer
from riemannian_modules.cli.console import output, remark, working
from riemannian_modules.cli.exit_codes import code_of_answer
from riemannian_modules.cli.explain import explanation, question_of
from riemannian_modules.cli.interruption import Interrupted, interrupted_with, words_without
from riemannian_modules.cli.results import results_in
from riemannian_modules.errors import RiemannianError, TraceError, UnsupportedError

if TYPE_CHECKING:
    from rich.status import Status

    from riemannian_modules.certify import Answer, Estimated, Progress
    from riemannian_modules.claims.norms import Norm
    from riemannian_modules.claims.wanted_norms import FreeNorm
    from riemannian_modules.region import Box
    from riemannian_modules.spec import System
    from riemannian_modules.spec.system import Goal


SEARCH = "search.json.gz"  # in the folder of results, where something is left to search
# What an earlier run may have left, which would mislead beside another answer.
STALE = (
    "certificate.json", "contraction.png", "parts.csv", "parts.png", "proof.csv", "rates.png",
    SEARCH, "undecided.png",
)  # fmt: skip


@final
class NormChoice(enum.StrEnum):
    """The kinds of norm that are searched."""

    L2 = "l2"
    L1 = "l1"
    LINF = "linf"


def certify(
    file: SystemPath = None,
    rate: Annotated[float | None, typer.Option(help="The rate to prove, 1/time; of flows.")] = None,
    factor: Annotated[
        float | None, typer.Option(help="The factor to prove for each step; of maps.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="A side of the region as NAME=LOWER:UPPER; may be repeated."),
    ] = None,
    norm: Annotated[
        NormChoice | None,
        typer.Option(help="The kind of norm; the best of all kinds where not given."),
    ] = None,
    condition: Annotated[
        float | None, typer.Option(help="Largest condition number of an l2 metric.")
    ] = None,
    by_parts: Annotated[
        bool, typer.Option("--by-parts", help="Prove each part by itself and compose the bounds.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="How long to search.", min=0.0)] = 60.0,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with the search of an earlier run, its search.json.gz, which is kept up "
            "to date: whatever ends the run, the search goes on from there."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for certificate and pictures.")
    ] = Path("results"),
) -> None:
    """Prove that a system contracts: all its trajectories in a region approach each other.

    Takes the region and the rate from the file's `region` and `certify` sections; without a rate
    it looks for the best one. Every proof covers each point of the region, rounding errors
    included.

    A composite is proved as one system, or with `--by-parts` from its parts' own bounds and the
    gains between them, which reaches larger systems but is blind to couplings that cancel; a table
    shows the numbers. A composite that is too large as one system is proved by parts unasked.

    Saves `certificate.json`, which `verify` proves again from its data alone, `proof.csv`, the
    numbers that the proof rests on, `summary.json`, and pictures: `graph.png`, `contraction.png`
    (two trajectories whose distance stays below the proved curve), `rates.png` (the rate that is
    proved on each box of a slice of the region), and by parts `parts.csv` and `parts.png` (modules
    in the colour of their rates, edges as wide as their gains). What stays open is in
    `undecided.png`: the boxes that are left, the largest in front; and the search so far in
    `search.json.gz`, to go on with by `--resume`. So does Ctrl-C, which says the command that goes
    on.

    For example:

        riemannian-modules certify

        riemannian-modules certify loop.json --rate 0.5 --region plant.q=-1:1 --out proofs

        riemannian-modules certify network.json --by-parts

        riemannian-modules certify loop.json --norm l2 --condition 100

        riemannian-modules certify loop.json --resume results/search.json.gz --seconds 600

    Exit codes: 0 proved, 3 refuted, 4 undecided, 130 interrupted.
    """
    from riemannian_modules.certify import Estimated
    from riemannian_modules.region import box

    wanted = _wanted_norm(norm, condition)
    system = load(file)
    goal = _goal(system, rate, factor)
    if math.isnan(seconds):
        raise misuse("--seconds", "expected a number of seconds, got nan.")
    if by_parts and resume is not None:
        raise misuse("--resume", "with --by-parts nothing is searched; omit one.")
    if by_parts and wanted is not None:
        raise misuse("--norm", "the parts have a norm of their own with --by-parts; omit one.")
    place = box(region_sides(system.region.sides, region or []))
    words = words_without("--resume")
    go_on = {
        "certificate.json": ("verify", out / "certificate.json"),
        SEARCH: (*words, "--resume", out / SEARCH),
    }
    try:
        with results_in(out, stale=STALE, go_on=go_on) as draft:
            if by_parts:
                with working("proving the parts"):
                    answer = _proved_by_parts(system, place, goal)
            else:
                # The file that a search is resumed from is kept up to date, too.
                saved = resume or draft / SEARCH
                answer = _proved_whole(system, place, goal, wanted, seconds, resume, saved)
                if not _is_open(answer):
                    (draft / SEARCH).unlink(missing_ok=True)
            save_answer(system, answer, place, draft)
            if isinstance(answer, Estimated) and answer.was_interrupted:
                _tell(system, answer, goal)
                raise KeyboardInterrupt
    except Interrupted:
        if resume is None:
            raise
        kept = {resume.name: (*words, "--resume", resume)}
        raise interrupted_with(resume.parent, [resume.name], kept) from None
    _tell(system, answer, goal)
    raise typer.Exit(code_of_answer(answer))


def _tell(system: System, answer: Answer, goal: Goal) -> None:
    question = question_of(system.module.signature.time, goal)
    output().print(explanation(answer, system.name, question))
    _print_parts(answer)


def _is_open(answer: Answer) -> TypeGuard[Estimated]:
    """Whether the answer holds a search that can go on."""
    from riemannian_modules.certify import Estimated

    return isinstance(answer, Estimated) and answer.search is not None


def _wanted_norm(norm: NormChoice | None, condition: float | None) -> Norm | FreeNorm | None:
    from riemannian_modules.certify import l1, l2, linf

    if condition is not None:
        if norm not in (None, NormChoice.L2):
            raise misuse("--condition", f"an l2 metric has a condition number, {norm} has none.")
        if not condition >= 1:
            raise misuse("--condition", f"expected a number of at least 1, got {condition:g}.")
        return l2(condition=condition)
    makers: dict[NormChoice, Callable[[], Norm | FreeNorm]] = {
        NormChoice.L2: l2,
        NormChoice.L1: l1,
        NormChoice.LINF: linf,
    }
    return makers[norm]() if norm is not None else None


def _goal(system: System, rate: float | None, factor: float | None) -> Goal:
    from riemannian_modules.spec.system import Goal

    for option, value in (("--rate", rate), ("--factor", factor)):
        if value is not None:
            finite(option, value)
    given = Goal(rate, factor)
    return system.certify if given == Goal() and system.certify is not None else given


def _proved_whole(
    system: System,
    place: Box,
    goal: Goal,
    wanted: Norm | FreeNorm | None,
    seconds: float,
    resume: Path | None,
    save: Path,
) -> Answer:
    """As one system; by parts where that has too many terms."""
    from riemannian_modules.certify import Budget
    from riemannian_modules.certify import certify as prove

    with working("searching for a norm") as status:
        budget = Budget(seconds=seconds, progress=_progress(status), save=save)
        try:
            return prove(
                system.module, place, norm=wanted, rate=goal.rate, factor=goal.factor,
                budget=budget, resume=resume,
            )  # fmt: skip
        except (UnsupportedError, TraceError) as error:
            refusal = error
        if wanted is not None:
            raise refusal
        try:
            answer = _proved_by_parts(system, place, goal)
        except RiemannianError:
            # The parts are refused too, for the same reason or for want of parts.
            raise refusal from None
    remark(f"Proved by parts, because as one system it is refused: {refusal}")
    return answer


def _proved_by_parts(system: System, place: Box, goal: Goal) -> Answer:
    from riemannian_modules.certify import certify_network
    from riemannian_modules.graph import ModuleGraph

    if not isinstance(system.module, ModuleGraph):
        raise UnsupportedError(
            "--by-parts: this system is one module without parts; omit the option."
        )
    return certify_network(system.module, place, rate=goal.rate, factor=goal.factor)


def _progress(status: Status | None) -> Callable[[Progress], None]:
    def tell(now: Progress) -> None:
        if status is not None:
            status.update(
                f"{now.boxes} boxes, {100 * now.undecided:.3g} % of the region open; proved bound "
                f"{now.bound:.6g}, samples need {now.sampled:.6g} (Ctrl-C to stop)"
            )

    return tell


def _print_parts(answer: Answer) -> None:
    from riemannian_modules.certify import Proved
    from riemannian_modules.claims.norms import BlockNorm
    from riemannian_modules.cli.parts import parts_table
    from riemannian_modules.evidence.block_checks import BlockChecks
    from riemannian_modules.evidence.verify import read_evidence

    if not isinstance(answer, Proved):
        return
    claim, evidence = read_evidence(answer.certificate)
    if isinstance(evidence, BlockChecks) and isinstance(claim.norm, BlockNorm):
        output().print(parts_table(claim.norm, evidence))
