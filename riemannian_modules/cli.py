"""The command line: show, simulate, fit and certify system files, and verify certificates.

Exit codes: 0 done or proved, 3 refuted, 4 undecided, 2 misuse (a bad option or file), 1 failure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from riemannian_modules.errors import (
    DomainError,
    RegionError,
    RiemannianError,
    SignatureError,
    SpecError,
    WiringError,
)

if TYPE_CHECKING:
    from rich.status import Status

    from riemannian_modules.certify import Answer
    from riemannian_modules.spec import System

PROVED, FAILURE, MISUSE, REFUTED, UNDECIDED = 0, 1, 2, 3, 4

_EXAMPLE = "gene_control.json"
_MISUSES = (SpecError, SignatureError, RegionError, WiringError, DomainError)


@final
class _Commands(TyperGroup):
    """Commands whose library errors are told in words, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RiemannianError as error:
            _err().print(f"[bold red]error:[/] {_plain(str(error))}", highlight=False)
            raise typer.Exit(MISUSE if isinstance(error, _MISUSES) else FAILURE) from None
        except OSError as error:
            _err().print(f"[bold red]error:[/] {_plain(str(error))}", highlight=False)
            raise typer.Exit(FAILURE) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help=(
        "Modules that compose, learn and are certified.\n\n"
        "A *system file* describes a composite of modules in JSON: `riemannian-modules schema` "
        "prints its "
        "schema. Every command runs on a bundled example where no file is given.\n\n"
        "Exit codes: 0 done or proved, 3 refuted, 4 undecided, 2 misuse, 1 failure."
    ),
)

SystemPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", help="A system file (JSON); the bundled example where none is given."
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for the results; made if it is not there."),
]


def main() -> None:
    """Run the command line; the console script `riemannian-modules`."""
    app()


@app.command()
def show(file: SystemPath = None, out: OutFolder = None) -> None:
    """Show a system: its modules, wires, states, inputs, outputs and parameters.

    Prints the graph as Mermaid text, which Markdown viewers draw. With `--out`, saves `graph.mmd`
    and `graph.png`.

    For example:

        riemannian-modules show

        riemannian-modules show loop.json --out pictures
    """
    from riemannian_modules.graph import ModuleGraph
    from riemannian_modules.plot import draw_graph, graph_to_mermaid
    from riemannian_modules.spec.files import write_text

    system = _load(file)
    console = Console()
    _describe(console, system)
    if not isinstance(system.module, ModuleGraph):
        console.print("This system is one module; there is no graph to draw.")
        return
    mermaid = graph_to_mermaid(system.module)
    print(mermaid)
    if out is not None:
        folder = _folder(out)
        write_text(folder / "graph.mmd", mermaid)
        draw_graph(system.module, folder / "graph.png")
        _saved(folder, "graph.mmd", "graph.png")


@app.command()
def simulate(
    file: SystemPath = None,
    t_end: Annotated[
        float | None, typer.Option(help="End of the time span; the file's where not given.")
    ] = None,
    points: Annotated[
        int | None, typer.Option(help="Number of times in the result.", min=2)
    ] = None,
    x0: Annotated[
        list[str] | None, typer.Option(help="An initial state as NAME=VALUE; may be repeated.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="A constant input as NAME=VALUE; may be repeated."),
    ] = None,
    out: OutFolder = None,
) -> None:
    """Simulate a system over time from its file's initial state and constant inputs.

    Prints where the state starts and ends. With `--out`, saves `trajectory.csv` (every state,
    input and output at every time), `trajectory.png` and `summary.json`.

    For example:

        riemannian-modules simulate --out results

        riemannian-modules simulate loop.json --t-end 50 --x0 plant.q=1 --input reference=0.5
    """
    import numpy as np

    from riemannian_modules.engine.simulate import simulate as run
    from riemannian_modules.modules.module import Time
    from riemannian_modules.plot import save_figure

    system = _load(file)
    settings, s = system.simulation, system.module.signature
    end = t_end if t_end is not None else (settings.t_end if settings else None)
    if end is None:
        raise SpecError(
            "The file has no `simulation` section. Give --t-end, or add "
            '"simulation": {"t_end": 10.0} to the file.'
        )
    count = points if points is not None else (settings.points if settings else 201)
    # A discrete system takes one step a unit of time.
    is_discrete = s.time is Time.DISCRETE
    times = np.arange(int(end) + 1.0) if is_discrete else np.linspace(0.0, end, count)
    start = _values(s.state, settings.x0 if settings else {}, x0 or [], "--x0")
    drive = _values(s.inputs, settings.inputs if settings else {}, inputs or [], "--input")
    trajectory = run(system.module, times, start, drive)
    _print_states(system, trajectory)
    if out is not None:
        folder = _folder(out)
        trajectory.to_csv(folder / "trajectory.csv")
        save_figure(trajectory.plot(), folder / "trajectory.png")
        names = s.state.coordinates
        summary = {
            "system": system.name,
            "t_end": float(times[-1]),
            "final_state": dict(zip(names, trajectory.states[-1].tolist(), strict=True)),
            "final_output": dict(
                zip(s.outputs.coordinates, trajectory.outputs[-1].tolist(), strict=True)
            ),
        }
        _write_json(folder / "summary.json", summary)
        _saved(folder, "trajectory.csv", "trajectory.png", "summary.json")


@app.command()
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
    inside a `FlowMap`. With `--out`, saves `system.json` (the file with the parameters found),
    `fit.json` (values, standard deviations, covariance), `history.csv` and `fit.png`.

    For example:

        riemannian-modules fit curve.json --out fitted

        riemannian-modules fit curve.json --data measured.csv
    """
    from dataclasses import replace

    from riemannian_modules.spec import save_system
    from riemannian_modules.spec.samples import read_samples

    system = _load(file)
    task = system.fit
    if data is None and task is None:
        raise SpecError(
            'The file has no `fit` section. Give --data, or add "fit": {"data": "table.csv"} to it.'
        )
    table = data if data is not None else file.parent / (task.data if task else "")
    samples = read_samples(table, system.module.signature)

    from riemannian_modules.engine import losses
    from riemannian_modules.engine.fit import fit as run
    from riemannian_modules.plot import save_figure

    loss = getattr(losses, f"{(task.loss if task else 'squared').title()}Loss")()
    result = run(system.module, samples, loss, dict(task.bounds) if task else None)
    Console().print(_plain(str(result)), highlight=False)
    if out is not None:
        folder = _folder(out)
        result.save(folder)
        save_system(replace(system, module=result.module), folder / "system.json")
        save_figure(result.plot(), folder / "fit.png")
        _saved(folder, "system.json", "fit.json", "history.csv", "fit.png")
    raise typer.Exit(0 if result.outcome.is_settled else FAILURE)


@app.command()
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
    seconds: Annotated[float, typer.Option(help="How long to search.", min=0.0)] = 60.0,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for certificate and pictures.")
    ] = Path("results"),
) -> None:
    """Prove that a system contracts: all its trajectories in a region approach each other.

    Takes the region and the rate from the file's `region` and `certify` sections; without a rate
    it looks for the best one. Every proof covers each point of the region, rounding errors
    included.

    Saves `certificate.json`, which `verify` proves again from its data alone, `summary.json`,
    `graph.png` and, for flows, `contraction.png`: two trajectories whose distance stays below the
    proved curve.

    For example:

        riemannian-modules certify

        riemannian-modules certify loop.json --rate 0.5 --region plant.q=-1:1 --out proofs

    Exit codes: 0 proved, 3 refuted, 4 undecided.
    """
    from riemannian_modules.certify import Budget, Proved
    from riemannian_modules.certify import certify as prove
    from riemannian_modules.region import box

    system = _load(file)
    goal = system.certify
    if goal is not None and rate is None and factor is None:
        rate, factor = goal.rate, goal.factor
    sides = {**system.region.sides, **dict(_side(text) for text in region or [])}
    place = box(sides)
    with _working("searching for a proof") as status:
        budget = Budget(seconds=seconds, progress=_progress(status))
        answer = prove(system.module, place, rate=rate, factor=factor, budget=budget)
    _print_answer(answer, system.name)
    folder = _folder(out)
    names = ["summary.json"]
    _write_json(folder / "summary.json", _summary(answer, system.name, sides))
    if isinstance(answer, Proved):
        answer.certificate.save(folder / "certificate.json")
        names.insert(0, "certificate.json")
    names += _certify_pictures(system, answer, sides, folder)
    _saved(folder, *names)
    raise typer.Exit(_code(answer))


@app.command()
def verify(
    certificate: Annotated[Path, typer.Argument(help="A certificate that `certify` saved (JSON).")],
) -> None:
    """Prove a certificate's claim again from its data alone; nothing in the file is believed.

    For example:

        riemannian-modules verify results/certificate.json

    Exit codes: 0 proved, 4 not proved by this file, 1 no sound certificate.
    """
    from riemannian_modules.certify import verify as check

    if not certificate.exists():
        raise SpecError(f"{certificate}: there is no such file. Check the path and the name.")
    with _working("verifying"):
        answer = check(certificate)
    _print_answer(answer, certificate.name)
    raise typer.Exit(_code(answer))


@app.command()
def schema(out: OutFolder = None) -> None:
    """Print the JSON schema of system files; editors check and complete a file with it.

    With `--out`, saves it as `system.schema.json`.

    For example:

        riemannian-modules schema > system.schema.json
    """
    from riemannian_modules.spec import system_schema

    if out is None:
        print(json.dumps(system_schema(), indent=2))
    else:
        folder = _folder(out)
        _write_json(folder / "system.schema.json", system_schema())
        _saved(folder, "system.schema.json")


def _code(answer: Answer) -> int:
    from riemannian_modules.certify import Proved, Refuted

    if isinstance(answer, Proved):
        return PROVED
    return REFUTED if isinstance(answer, Refuted) else UNDECIDED


def _side(text: str) -> tuple[str, tuple[float, float]]:
    name, equals, sides = text.partition("=")
    low, colon, high = sides.partition(":")
    try:
        return name.strip(), (float(low), float(high))
    except ValueError:
        got = text if equals and colon else f"{text} (without '=' or ':')"
        raise RegionError(
            f"--region: expected NAME=LOWER:UPPER such as plant.q=-1:inf, got {got}."
        ) from None


def _progress(status: Status | None) -> Callable[[int, float, float], None]:
    def tell(boxes: int, proved: float, sampled: float) -> None:
        if status is not None:
            status.update(f"{boxes} boxes, proved {proved:.6g}, samples {sampled:.6g}")

    return tell


def _print_answer(answer: Answer, name: str) -> None:
    from riemannian_modules.certify import LogNormBound, Proved, Refuted

    colour, verdict = (
        ("green", "PROVED")
        if isinstance(answer, Proved)
        else ("red", "REFUTED")
        if isinstance(answer, Refuted)
        else ("yellow", "UNDECIDED")
    )
    table = Table(show_header=False, title=_plain(name), title_justify="left")
    table.add_row("Answer", f"[bold {colour}]{verdict}[/]")
    if isinstance(answer, Proved):
        b = answer.bound
        if isinstance(b, LogNormBound) and b.rate < 0:
            table.add_row("Rate", f"{-b.rate:.6g} per unit of time")
            table.add_row(
                "Half-life", f"{math.log(2) / -b.rate:.4g}: distances halve at least so fast"
            )
        elif not isinstance(b, LogNormBound):
            table.add_row("Factor", f"{b.factor:.6g}: distances are multiplied by no more")
        table.add_row("What is proved", _plain(answer.certificate.statement))
    elif isinstance(answer, Refuted):
        table.add_row("What fails", _plain(answer.statement))
        point = ", ".join(f"{n} = {v:.6g}" for n, v in answer.witness.items())
        table.add_row("Where", _plain(point))
        table.add_row("Violation", f"at least {answer.violation:.4g}")
    else:
        table.add_row("Why", _plain(answer.reason))
        if answer.undecided:
            sides = answer.undecided[0].items()
            text = ", ".join(f"{n} in [{a:.4g}, {b:.4g}]" for n, (a, b) in sides)
            table.add_row("Largest open box", _plain(text))
    Console().print(table)


def _summary(answer: Answer, name: str, sides: Mapping[str, Any]) -> dict[str, Any]:
    from riemannian_modules.certify import LipschitzBound, LogNormBound, Proved, Refuted
    from riemannian_modules.spec.write import side_to_data

    rows: dict[str, Any] = {"system": name, "answer": type(answer).__name__.lower()}
    rows["region"] = {n: [side_to_data(s) for s in side] for n, side in sides.items()}
    if isinstance(answer, Refuted):
        rows |= {"statement": answer.statement, "witness": dict(answer.witness)}
        return rows | {"violation": side_to_data(answer.violation)}
    if isinstance(answer.bound, LogNormBound):
        rows["log_norm"] = side_to_data(answer.bound.rate)
    elif isinstance(answer.bound, LipschitzBound):
        rows["factor"] = side_to_data(answer.bound.factor)
    statement = answer.certificate.statement if isinstance(answer, Proved) else answer.reason
    return rows | {"statement": statement}


def _certify_pictures(
    system: System, answer: Answer, sides: Mapping[str, Any], folder: Path
) -> list[str]:
    from riemannian_modules.certify import LogNormBound, Proved
    from riemannian_modules.graph import ModuleGraph
    from riemannian_modules.plot import contraction_figure, draw_graph, save_figure

    names: list[str] = []
    if isinstance(system.module, ModuleGraph):
        draw_graph(system.module, folder / "graph.png")
        names.append("graph.png")
    pair = _two_trajectories(system, sides)
    if isinstance(answer, Proved) and isinstance(answer.bound, LogNormBound) and pair:
        norm = answer.certificate.data["claim"]["norm"]
        figure = contraction_figure(*pair, answer.bound.rate, norm)
        save_figure(figure, folder / "contraction.png")
        names.append("contraction.png")
    return names


def _two_trajectories(system: System, sides: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Trajectories from the file's initial state and from the region's middle, if it has both."""
    import numpy as np

    from riemannian_modules.engine.simulate import simulate as run
    from riemannian_modules.region import Box

    settings, s = system.simulation, system.module.signature
    if settings is None or not s.state.size:
        return None
    box = Box({n: side for n, side in sides.items() if n in s.state or n in s.state.coordinates})
    lower, upper = box.bounds(s.state.coordinates, [s.state])
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        return None
    times = np.linspace(0.0, settings.t_end, settings.points)
    drive = _values(s.inputs, settings.inputs, [], "--input")
    starts = (_values(s.state, settings.x0, [], "--x0"), (lower + upper) / 2)
    first, second = (run(system.module, times, x0, drive) for x0 in starts)
    return first, second


def _load(path: Path | None) -> System:
    from riemannian_modules.spec import load_system

    if path is not None:
        return load_system(path)
    with as_file(files("riemannian_modules") / "examples" / _EXAMPLE) as example:
        return load_system(example)


def _describe(console: Console, system: System) -> None:
    s = system.module.signature
    if system.name:
        console.print(f"[bold]{_plain(system.name)}[/]")
    if system.description:
        console.print(_plain(system.description))
    for citation in system.citations:
        console.print(f"  Source: {_plain(citation)}", highlight=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    for title, space in (("States", s.state), ("Inputs", s.inputs), ("Outputs", s.outputs)):
        table.add_row(f"{title} ({space.size})", _plain(space.describe()))
    table.add_row(f"Parameters ({s.parameters.size})", _plain(s.parameters.describe()))
    table.add_row("Time", s.time.value)
    console.print(table)
    console.print()


def _print_states(system: System, trajectory: Any) -> None:
    s = system.module.signature
    table = Table(
        title=f"{_plain(system.name)} until t = {trajectory.times[-1]:g}", title_justify="left"
    )
    for title in ("state", "unit"):
        table.add_column(title)
    for title in ("start", "end", "lowest", "highest"):
        table.add_column(title, justify="right")
    units = [port.unit for port in s.state.ports for _ in range(port.size)]
    for i, name in enumerate(s.state.coordinates):
        path = trajectory.states[:, i]
        numbers = (path[0], path[-1], path.min(), path.max())
        table.add_row(_plain(name), _plain(units[i]), *(f"{v:.5g}" for v in numbers))
    Console().print(table)


def _values(space: Any, stored: Mapping[str, Any], given: list[str], option: str) -> dict[str, Any]:
    """Values of a space's ports: those on the command line over the file's, zero elsewhere."""
    import numpy as np

    flat = np.zeros(space.size)
    places = {name: i for i, name in enumerate(space.coordinates)}
    for source, name, value in (
        *(("the file", n, v) for n, v in stored.items()),
        *((option, *_assignment(option, text)) for text in given),
    ):
        place = space.slice_of(name) if name in space else places.get(name)
        if place is None:
            known = ", ".join(space.names) or "none"
            raise SignatureError(f"{source}: unknown name {name!r}; known are: {known}.")
        try:
            flat[place] = np.asarray(value, dtype=np.float64).ravel()
        except ValueError:
            size = np.size(flat[place])
            raise SignatureError(
                f"{source}: {name!r} expects {size} numbers, got {np.size(value)}."
            ) from None
    return space.unpack(flat)


def _assignment(option: str, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if not equals or not numbers:
        raise SignatureError(f"{option}: expected NAME=VALUE or NAME=V1,V2, got {text!r}.")
    return name.strip(), numbers


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write_json(path: Path, data: Any) -> None:
    from riemannian_modules.spec.files import json_text, write_text

    write_text(path, json_text(data))


def _saved(folder: Path, *names: str) -> None:
    _err().print(f"Saved in {_plain(str(folder))}: {', '.join(names)}", highlight=False)


def _plain(text: str) -> str:
    """Text in which brackets are no markup."""
    return text.replace("[", r"\[")


def _err() -> Console:
    return Console(stderr=True, soft_wrap=True)


@contextmanager
def _working(what: str) -> Generator[Status | None]:
    """A sign of life on the terminal; silent where the output goes elsewhere."""
    console = _err()
    if not console.is_terminal:
        yield None
        return
    with console.status(what) as status:
        yield status


if __name__ == "__main__":
    main()
