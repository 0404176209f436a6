"""Pictures: of composites, and of what is proved about them."""

from riemannian_modules.plot.composite import draw_graph, graph_figure
from riemannian_modules.plot.figure_file import save_figure
from riemannian_modules.plot.links import Link, links_of, type_name
from riemannian_modules.plot.mermaid import graph_to_mermaid

__all__ = [
    "Link",
    "draw_graph",
    "graph_figure",
    "graph_to_mermaid",
    "links_of",
    "save_figure",
    "type_name",
]
