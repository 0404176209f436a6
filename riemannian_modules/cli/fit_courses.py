"""`riemannian-modules fit` for systems in continuous time: parameters adjusted to time courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import typer

from riemannian_modules.cli.arguments import misuse
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.exit_codes import DONE, FAILURE
from riemannian_modules.cli.fit_options import keywords_of
from riemannian_modules.cli.interruption import Interrupted
from riemannian_modules.cli.results import results_in, save_picture, write_json

if TYPE_CHECKING:
    from riemannian_modules.engine import CourseFit, Experiment
    from riemannian_modules.spec import System
    from riemannian_modules.spec.system import FitTask

FILES = (
    *("data.csv", "fit.json", "fit.png", "history.csv", "result.json", "system.json"),
    "waterfall.png",
)


@final
@dataclass(frozen=True, slots=True)
class CourseOptions:
    """What the command line says of time courses, each perhaps several times.

    Attributes:
        observables: ``NAME=FORMULA``.
        parameters: ``NAME=START``.
        logarithmic: Names of parameters; "all" for all.
        profiles: Names of parameters.
        starts: How many further starts.
    """

    observables: Sequence[str]
    parameters: Sequence[str]
    logarithmic: Sequence[str]
    profiles: Sequence[str]
    starts: int


def is_flow(system: System) -> bool:
    """Whether a system runs in continuous time, so that it is fitted to time courses."""
    from riemannian_modules.modules.module import Time

    s = system.module.signature
    return s.time is Time.CONTINUOUS and s.state.size > 0


def fit_courses(
    system: System, table: Path, task: FitTask, options: CourseOptions, out: Path | None
) -> None:
    """Fit, tell and save; exits as `fit` does."""
    if task.weights or task.absolute or task.loss != "squared":
        raise misuse(
            "--loss, --weights, --absolute",
            "time courses are fitted by the likelihood of their noise; leave these out, and say "
            "errors by a column `sigma` or --sigma.",
        )
    if out is None:
        found = _fitted(system, table, task, options)
        _tell(found)
        if _is_interrupted(found):
            raise Interrupted("nothing was saved, as no --out was given")
        _add_more(found, options, None)
    else:
        with results_in(out, stale=FILES) as draft:
            found = _fitted(system, table, task, options)
            _save(system, found, table, task, draft)
            _tell(found)
            if _is_interrupted(found):
                raise KeyboardInterrupt
            _add_more(found, options, draft)
    raise typer.Exit(DONE if found.outcome.is_settled else FAILURE)


def _fitted(system: System, table: Path, task: FitTask, options: CourseOptions) -> CourseFit:
    from riemannian_modules.engine import LogScale, fit_trajectories, read_experiments

    parameters = {n: _start(v) for n, v in _pairs("--parameter", options.parameters).items()}
    names = [*system.module.signature.parameters.coordinates, *parameters]
    logarithmic = names if "all" in options.logarithmic else options.logarithmic
    said: dict[str, Any] = keywords_of(replace(task, sigma={}), {}, names)
    return fit_trajectories(
        system.module,
        [_with_defaults(system, one) for one in read_experiments(table)],
        _pairs("--observable", options.observables),
        parameters=parameters,
        sigma=dict(task.sigma),
        fixed=said["fixed"],
        bounds=said["bounds"],
        prior=said["prior"],
        scales={name: LogScale() for name in logarithmic},
    )


def _with_defaults(system: System, one: Experiment) -> Experiment:
    """The experiment with the file's events, and its start and inputs where the table is silent."""
    from riemannian_modules.engine.input_formulas import written_function
    from riemannian_modules.engine.time_courses.experiments import formula_events

    settings = system.simulation
    if settings is None or not isinstance(one.x0, dict):
        return one
    drives = {  # where an experiment has text, that is a formula of parameters
        name: written_function(f"input {name!r}", given) if isinstance(given, str) else given
        for name, given in settings.inputs.items()
    }
    happen = formula_events("the file's `simulation`", settings.events)
    return replace(
        one,
        x0={**settings.x0, **one.x0},
        inputs={**drives, **one.inputs},
        events=(*happen, *one.events),
    )


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise misuse(option, f"expected NAME=VALUE, got {text!r}.")
        found[name.strip()] = value.strip()
    return found


def _start(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise misuse("--parameter", f"expected NAME=NUMBER, got {text!r}.") from None


def _tell(found: CourseFit) -> None:
    output().print(plain(found.table()), highlight=False)
    for name in found.undetermined:
        output().print(plain(f"  the data do not determine {name}"), highlight=False)


def _is_interrupted(found: CourseFit) -> bool:
    from riemannian_modules.engine.descend import Outcome

    return found.outcome is Outcome.INTERRUPTED


def _add_more(found: CourseFit, options: CourseOptions, draft: Path | None) -> None:
    """Further starts and profiles, told, and drawn where there is a folder."""
    from riemannian_modules.engine import multi_start

    if options.starts:
        many = multi_start(found, options.starts)
        output().print(plain(str(many)), highlight=False)
        if draft is not None:
            save_picture(draft / "waterfall.png", many.plot)
    for name in options.profiles:
        profile = found.profile(name)
        output().print(plain(str(profile)), highlight=False)
        if draft is not None:
            save_picture(draft / f"profile-{name}.png", profile.plot)


def _save(system: System, found: CourseFit, table: Path, task: FitTask, draft: Path) -> None:
    from riemannian_modules.errors import SpecError
    from riemannian_modules.results import save_result
    from riemannian_modules.spec import save_system
    from riemannian_modules.whole_file import read_whole, write_whole

    write_whole(draft / "data.csv", read_whole(table, SpecError))
    kept = replace(system, module=found.module, fit=replace(task, data="data.csv"))
    save_system(kept, draft / "system.json")
    write_json(draft / "fit.json", found.summary())
    write_whole(draft / "history.csv", found.history_table())
    save_result(found, draft / "result.json")
    save_picture(draft / "fit.png", found.plot)
