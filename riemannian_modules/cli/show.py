"""`riemannian-modules show`: a system's modules, wires and signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riemannian_modules.cli.arguments import OutFolder, SystemPath, load, misuse
from riemannian_modules.cli.console import output, plain
from riemannian_modules.cli.results import results_in, save_picture
from riemannian_modules.cli.saved import show_result

if TYPE_CHECKING:
    from riemannian_modules.spec import System


def show(file: SystemPath = None, out: OutFolder = None) -> None:
    """Show a system: its modules, wires, states, inputs, outputs and parameters.

    Of a file that holds a saved result, a certificate or a search, shows what it is and its
    numbers; with `--out`, saves its picture `result.png` where it has one.

    Prints the graph as Mermaid text, which Markdown viewers draw. With `--out`, saves `graph.mmd`
    and `graph.png`.

    For example:

        riemannian-modules show

        riemannian-modules show loop.json --out pictures
    """
    from riemannian_modules.graph import ModuleGraph
    from riemannian_modules.plot import graph_figure, graph_to_mermaid
    from riemannian_modules.results import holds_result, load_result
    from riemannian_modules.spec.files import write_text

    if file is not None and holds_result(file):
        show_result(load_result(file), out)
        return
    system = load(file)
    graph = system.module
    _describe(system)
    if not isinstance(graph, ModuleGraph):
        if out is not None:
            raise misuse("--out", "this system is one module, without a graph to draw; omit it.")
        print("This system is one module; there is no graph to draw.")
        return
    mermaid = graph_to_mermaid(graph)
    print(mermaid)
    if out is not None:
        with results_in(out) as draft:
            write_text(draft / "graph.mmd", mermaid)
            save_picture(draft / "graph.png", lambda: graph_figure(graph))


def _describe(system: System) -> None:
    from rich.table import Table

    console, s = output(), system.module.signature
    if system.name:
        console.print(f"[bold]{plain(system.name)}[/]")
    if system.description:
        console.print(plain(system.description))
    for citation in system.citations:
        console.print(f"  Source: {plain(citation)}", highlight=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    for title, space in (("States", s.state), ("Inputs", s.inputs), ("Outputs", s.outputs)):
        table.add_row(f"{title} ({space.size})", plain(space.describe()))
    table.add_row(f"Parameters ({s.parameters.size})", plain(s.parameters.describe()))
    table.add_row("Time", s.time.value)
    console.print(table)
    console.print()
