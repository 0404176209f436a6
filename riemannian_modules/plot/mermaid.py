"""Composites as Mermaid text, for Markdown files.

Source: the flowchart syntax of mermaid.js.org.
"""

from __future__ import annotations

import re

from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import Time
from riemannian_modules.plot.links import Link, links_of, type_name


def graph_to_mermaid(graph: ModuleGraph) -> str:
    """The composite as a Mermaid flowchart; composites inside are subgraphs, states are rounded.

    Ports of the composite stand at its border as flags. Paste it into a Markdown file or
    mermaid.live.

    Args:
        graph: The composite.
    """
    lines = ["flowchart LR"]
    _mermaid_nodes(graph, "", lines, "    ")
    names = {name for link in links_of(graph) for name in (link.source, link.target)}
    if "" in names:
        lines += [f'    in_{_key(n)}>"{_quoted(n)}"]' for n in graph.inputs.names]
        lines += [f'    out_{_key(n)}>"{_quoted(n)}"]' for n in graph.output_sources]
    _mermaid_links(graph, "", lines)
    return "\n".join(lines) + "\n"


def _mermaid_nodes(graph: ModuleGraph, prefix: str, lines: list[str], indent: str) -> None:
    for name, module in graph.modules.items():
        key, title = _key(prefix + name), f"{_quoted(name)}<br/><i>{_quoted(type_name(module))}</i>"
        if isinstance(module, ModuleGraph):
            lines.append(f'{indent}subgraph {key}["{_quoted(name)}"]')
            _mermaid_nodes(module, f"{prefix}{name}.", lines, indent + "    ")
            lines.append(f"{indent}end")
        elif module.signature.time is Time.STATIC:
            lines.append(f'{indent}{key}["{title}"]')
        else:
            lines.append(f'{indent}{key}(["{title}"])')


def _mermaid_links(graph: ModuleGraph, prefix: str, lines: list[str]) -> None:
    # Wires are drawn between leaves, so that each is seen to end where it does.
    for (node, port), (source, out) in graph.sources.items():
        label = Link(source, out, node, port).label
        lines.append(f'    {_key(prefix + source)} -- "{_quoted(label)}" --> {_key(prefix + node)}')
    for (node, port), name in graph.fed.items():
        lines.append(f'    in_{_key(name)} -- "{_quoted(port)}" --> {_key(node)}')
    for name, (node, port) in graph.output_sources.items():
        lines.append(f'    {_key(node)} -- "{_quoted(port)}" --> out_{_key(name)}')


def _key(name: str) -> str:
    """A Mermaid identifier; one that is not letters and digits is spelt by its code points."""
    text = re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m.group()):x}_", name)
    return f"n_{text}"


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
