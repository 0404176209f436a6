"""`riemannian-modules fit`: a system's parameters adjusted to a table of samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riemannian_modules.cli.arguments import OutFolder, load, misuse
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.exit_codes import DONE, FAILURE
from riemannian_modules.cli.interruption import Interrupted
from riemannian_modules.cli.results import results_in

if TYPE_CHECKING:
    from riemannian_modules.engine.fit_result import FitResult
    from riemannian_modules.spec import System

FILES = ("data.csv", "fit.json", "fit.png", "history.csv", "system.json")


def fit(
    file: Annotated[Path, typer.Argument(help="A system file of a module without state.")],
    data: Annotated[
        Path | None, typer.Option(help="A CSV table of samples; the file's where not given.")
    ] = None,
    out: OutFolder = None,
) -> None:
    """Fit a system's parameters to data by Riemannian descent.

    The table's header names the coordinates of inputs and outputs, such as `u[0],u[1],y`; each row
    is a sample. Loss and bounds stand in the file's `fit` section. A module with a state is fitted
    inside a `FlowMap`. With `--out`, saves `system.json` (the file with the parameters found, which
    every command takes), `data.csv` (the table, which it refers to), `fit.json` (values, standard
    deviations, covariance), `history.csv` and `fit.png`. Ctrl-C saves the best so far, from which
    `riemannian-modules fit fitted/system.json --out fitted` goes on.

    For example:

        riemannian-modules fit curve.json --out fitted

        riemannian-modules fit curve.json --data measured.csv

    Exit codes: 0 a minimum was found, 1 the descent did not settle, 130 interrupted.
    """
    system = load(file)
    table = _table(system, file, data)
    if out is None:
        result = _fitted(system, table)
        if _is_interrupted(result):
            _tell(result)
            raise Interrupted("nothing was saved, as no --out was given")
    else:
        go_on = {"system.json": ("fit", out / "system.json", "--out", out)}
        with results_in(out, stale=FILES, go_on=go_on) as draft:
            result = _fitted(system, table)
            _save(system, result, table, draft)
            if _is_interrupted(result):
                _tell(result)
                raise KeyboardInterrupt
    _tell(result)
    raise typer.Exit(DONE if result.outcome.is_settled else FAILURE)


def _tell(result: FitResult) -> None:
    output().print(plain(str(result)), highlight=False)


def _is_interrupted(result: FitResult) -> bool:
    from riemannian_modules.engine.descend import Outcome

    return result.outcome is Outcome.INTERRUPTED


def _table(system: System, file: Path, data: Path | None) -> Path:
    task = system.fit
    if data is None and task is None:
        raise misuse(
            "--data",
            "the file has no `fit` section. Give --data, or add "
            '"fit": {"data": "table.csv"} to the file.',
        )
    return data if data is not None else file.parent / (task.data if task else "")


def _fitted(system: System, table: Path) -> FitResult:
    from riemannian_modules.engine import losses
    from riemannian_modules.engine.fit import fit as run
    from riemannian_modules.spec.samples import read_samples

    task, samples = system.fit, read_samples(table, system.module.signature)
    loss = getattr(losses, f"{(task.loss if task else 'squared').title()}Loss")()
    return run(system.module, samples, loss, dict(task.bounds) if task else None)


def _save(system: System, result: FitResult, table: Path, draft: Path) -> None:
    """The system first, which is worth the most if an interrupt comes."""
    from dataclasses import replace

    from riemannian_modules.errors import SpecError
    from riemannian_modules.plot import save_figure
    from riemannian_modules.spec import save_system
    from riemannian_modules.spec.system import FitTask
    from riemannian_modules.whole_file import read_whole, write_whole

    # The table goes with the system, so that the folder can be moved and used as it is.
    write_whole(draft / "data.csv", read_whole(table, SpecError))
    task = replace(system.fit, data="data.csv") if system.fit else FitTask("data.csv")
    save_system(replace(system, module=result.module, fit=task), draft / "system.json")
    result.save(draft)
    save_figure(result.plot(), draft / "fit.png")
