"""`riemannian-modules fit`: a system's parameters adjusted to a table of samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riemannian_modules.cli.arguments import OutFolder, load, misuse
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.exit_codes import DONE, FAILURE
from riemannian_modules.cli.fit_courses import CourseOptions, fit_courses, is_flow
from riemannian_modules.cli.fit_options import FitOptions, columns_of, keywords_of
from riemannian_modules.cli.interruption import Interrupted
from riemannian_modules.cli.results import results_in, save_picture

if TYPE_CHECKING:
    from riemannian_modules.engine.fit_result import FitResult
    from riemannian_modules.engine.profile import Profile
    from riemannian_modules.spec import System
    from riemannian_modules.spec.system import FitTask

FILES = ("data.csv", "fit.json", "fit.png", "history.csv", "system.json")


def fit(
    file: Annotated[Path, typer.Argument(help="A system file.")],
    data: Annotated[
        Path | None, typer.Option(help="A CSV table of samples; the file's where not given.")
    ] = None,
    sigma: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OUTPUT=NUMBER|COLUMN",
            help="Standard deviations of an output's measurements: one number, or the column of "
            "the table that holds them. Repeat for others.",
        ),
    ] = None,
    absolute: Annotated[
        bool,
        typer.Option(
            "--absolute",
            help="Sigma is the noise itself. Otherwise it says how measurements compare, and the "
            "noise's size is estimated from the residuals.",
        ),
    ] = False,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OUTPUT=NUMBER|COLUMN",
            help="What squares, or terms of a likelihood, are multiplied with; 0 leaves one out.",
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=NUMBER]",
            help="A parameter, or an entry such as W[0,1], that is not fitted. Repeat for others.",
        ),
    ] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=LOWER:UPPER", help="Sides of a parameter, such as k=0:inf."),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PRIOR",
            help="What is known of a parameter: normal:MEAN,DEVIATION, "
            "lognormal:MEDIAN,LOG_DEVIATION, uniform:LOWER,UPPER, laplace:LOCATION,SCALE or "
            "ridge:STRENGTH. NAME * is all others.",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            "--robust",
            metavar="LOSS",
            help="squared, gaussian, bernoulli, categorical, poisson; for outliers huber:SCALE, "
            "soft_l1:SCALE, cauchy:SCALE or student:SCALE,FREEDOM.",
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Draw the profile likelihood of a parameter and give its interval; with --out "
            "profile-NAME.png.",
        ),
    ] = None,
    observable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FORMULA",
            help="Time courses: what a measured quantity is, such as light=gain*A + background.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=START", help="Time courses: a further unknown that formulas speak of."
        ),
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Time courses: search a parameter on its logarithm; all for all."
        ),
    ] = None,
    starts: Annotated[
        int, typer.Option(min=0, help="Time courses: fit again from so many starts in the bounds.")
    ] = 0,
    out: OutFolder = None,
) -> None:
    """Fit a system's parameters to data by Riemannian descent.

    The table's header names the coordinates of inputs and outputs, such as `u[0],u[1],y`; each row
    is a sample, and an empty cell of an output is a value that was not measured. What the options
    say stands in the file's `fit` section likewise, and overrules it.

    A system in continuous time is fitted to time courses: the table has a column `time` and one for
    each observable, or `time,observable,value` in rows, perhaps with `experiment`, `sigma`, and
    settings such as `input.dose`, `x0.A`, `theta.k`; the file's `simulation` says the rest. Sigmas
    that nobody gives are estimated.

    With `--out`, saves `system.json` (the file
    with the parameters found, which every command takes), `data.csv` (the table, which it refers
    to), `fit.json` (values, standard deviations, intervals, covariance), `history.csv` and
    `fit.png`. Ctrl-C saves the best so far, from which `riemannian-modules fit fitted/system.json
    --out fitted` goes on.

    For example:

        riemannian-modules fit curve.json --out fitted

        riemannian-modules fit curve.json --data measured.csv

        riemannian-modules fit reaction.json --data experiments.csv --log all --out fitted

        riemannian-modules fit curve.json --sigma y=y_error --absolute --profile k

        riemannian-modules fit curve.json --robust huber:0.1 --fixed n=2 --prior k=lognormal:1,0.5

    Exit codes: 0 a minimum was found, 1 the descent found none, 130 interrupted.
    """
    system = load(file)
    table = _table(system, file, data)
    options = FitOptions(
        loss, bounds or (), fixed or (), prior or (), sigma or (), weights or (), absolute
    )
    task = options.over(system.fit or _without_a_section())
    if is_flow(system):
        courses = CourseOptions(observable or (), parameter or (), log or (), profile or (), starts)
        fit_courses(system, table, task, courses, out)
    profiles: list[Profile] = []
    if out is None:
        result = _fitted(system, table, task)
        if _is_interrupted(result):
            _tell(result)
            raise Interrupted("nothing was saved, as no --out was given")
        profiles += (result.profile(name) for name in profile or ())
    else:
        go_on = {"system.json": ("fit", out / "system.json", "--out", out)}
        with results_in(out, stale=FILES, go_on=go_on) as draft:
            result = _fitted(system, table, task)
            _save(system, result, table, task, draft)
            if _is_interrupted(result):
                _tell(result)
                raise KeyboardInterrupt
            for name in profile or ():
                profiles.append(result.profile(name))
                save_picture(draft / f"profile-{name}.png", profiles[-1].plot)
    _tell(result)
    for found in profiles:
        output().print(plain(str(found)), highlight=False)
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


def _without_a_section() -> FitTask:
    from riemannian_modules.spec.system import FitTask

    return FitTask("data.csv")


def _fitted(system: System, table: Path, task: FitTask) -> FitResult:
    from riemannian_modules.engine.fitting import fit as run
    from riemannian_modules.spec.samples import read_samples

    s = system.module.signature
    samples, columns = read_samples(table, s, columns_of(task))
    # An empty cell says itself that nothing was measured.
    return run(
        system.module, samples, missing=s.outputs.names,
        **keywords_of(task, columns, s.parameters.names),
    )  # fmt: skip


def _save(system: System, result: FitResult, table: Path, task: FitTask, draft: Path) -> None:
    """The system first, which is worth the most if an interrupt comes."""
    from dataclasses import replace

    from riemannian_modules.errors import SpecError
    from riemannian_modules.plot import save_figure
    from riemannian_modules.spec import save_system
    from riemannian_modules.whole_file import read_whole, write_whole

    # The table goes with the system, so that the folder can be moved and used as it is.
    write_whole(draft / "data.csv", read_whole(table, SpecError))
    kept = replace(task, data="data.csv")
    save_system(replace(system, module=result.module, fit=kept), draft / "system.json")
    result.save(draft)
    save_figure(result.plot(), draft / "fit.png")
