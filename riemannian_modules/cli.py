"""The command line: show, simulate, fit and certify system files, and verify certificates.

Exit codes: 0 done or proved, 3 refuted, 4 undecided, 2 misuse (a bad option or file), 1 failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
        "A *system file* describes a composite of modules in JSON: `riemannian-modules schema` prints its "
        "schema. Every command runs on a bundled example where no file is given.\n\n"
        "Exit codes: 0 done or proved, 3 refuted, 4 undecided, 2 misuse, 1 failure."
    ),
)

SystemPath = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="A system file (JSON); the bundled example where none is given."),
]
OutFolder = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the results; made if it is not there.")
]


def main() -> None:
    """Run the command line; the console script `riemannian-modules`."""
    app()


@app.command()
def show(file: SystemPath = None, out: OutFolder = None) -> None:
    """Show a system: its modules, wires, states, inputs, outputs and parameters.

    Prints the graph as Mermaid text, which Markdown viewers draw. With `--out`, saves `graph.mmd` and
    `graph.png`.

    Examples:

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
    points: Annotated[int | None, typer.Option(help="Number of times in the result.", min=2)] = None,
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

    Prints where the state starts and ends. With `--out`, saves `trajectory.csv` (every state, input and
    output at every time), `trajectory.png` and `summary.json`.

    Examples:

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
    if s.time is Time.DISCRETE:
        times = np.arange(int(end) + 1.0)  # one step a unit of time
    else:
        times = np.linspace(0.0, end, count)
    start = _values(s.state, settings.x0 if settings else {}, x0 or [], "--x0")
    drive = _values(s.inputs, settings.inputs if settings else {}, inputs or [], "--input")
    with _working("simulating"):
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
def schema(out: OutFolder = None) -> None:
    """Print the JSON schema of system files; editors check and complete a file with it.

    With `--out`, saves it as `system.schema.json`.

    Example:

        riemannian-modules schema > system.schema.json
    """
    from riemannian_modules.spec import system_schema

    if out is None:
        print(json.dumps(system_schema(), indent=2))
    else:
        folder = _folder(out)
        _write_json(folder / "system.schema.json", system_schema())
        _saved(folder, "system.schema.json")


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
    table = Table(title=f"{_plain(system.name)} until t = {trajectory.times[-1]:g}", title_justify="left")
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
def _working(what: str) -> Iterator[None]:
    """A sign of life on the terminal; silent where the output goes elsewhere."""
    console = _err()
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


if __name__ == "__main__":
    main()
