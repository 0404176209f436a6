"""`riemannian-modules fit`: a system's parameters adjusted to a table of samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riemannian_modules.cli.arguments import OutFolder, load, misuse
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.exit_codes import DONE, FAILURE
from riemannian_modules.cli.results import results_in

if TYPE_CHECKING:
    from riemannian_modules.engine.fit_result import FitResult
    from riemannian_modules.spec import System


def fit(
    file: Annotated[Path, typer.Argument(help="A system file (JSON) of a module without state.")],
    data: Annotated[
        Path | None, typer.Option(help="A CSV table of samples; the file's where not given.")
    ] = None,
    out: OutFolder = None,
) -> None:
    """Fit a system's parameters to data by Riemannian descent.

    The table's header names the coordinates of inputs and outputs, such as `u[0],u[1],y`; each row
    is a sample. Loss and bounds stand in the file's `fit` section. A module with a state is fitted
    inside a `FlowMap`. Ctrl-C keeps the best so far. With `--out`, saves `system.json` (the file
    with the parameters found), `fit.json` (values, standard deviations, covariance), `history.csv`
    and `fit.png`.

    For example:

        riemannian-modules fit curve.json --out fitted

        riemannian-modules fit curve.json --data measured.csv

    Exit codes: 0 a minimum was found, 1 the descent did not settle.
    """
    system = load(file)
    if out is None:
        result = _fitted(system, file, data)
    else:
        with results_in(out) as draft:
            result = _fitted(system, file, data)
            _save(system, result, draft)
    output().print(plain(str(result)), highlight=False)
    raise typer.Exit(DONE if result.outcome.is_settled else FAILURE)


def _fitted(system: System, file: Path, data: Path | None) -> FitResult:
    from riemannian_modules.spec.samples import read_samples

    task = system.fit
    if data is None and task is None:
        raise misuse(
            "--data",
            "the file has no `fit` section. Give --data, or add "
            '"fit": {"data": "table.csv"} to the file.',
        )
    table = data if data is not None else file.parent / (task.data if task else "")
    samples = read_samples(table, system.module.signature)

    from riemannian_modules.engine import losses
    from riemannian_modules.engine.fit import fit as run

    loss = getattr(losses, f"{(task.loss if task else 'squared').title()}Loss")()
    return run(system.module, samples, loss, dict(task.bounds) if task else None)


def _save(system: System, result: FitResult, draft: Path) -> None:
    from dataclasses import replace

    from riemannian_modules.plot import save_figure
    from riemannian_modules.spec import save_system

    result.save(draft)
    save_system(replace(system, module=result.module), draft / "system.json")
    save_figure(result.plot(), draft / "fit.png")
