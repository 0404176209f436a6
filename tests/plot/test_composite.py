"""Pictures of composites: every module and every wire is in them."""

import re

from hypothesis import given, settings

from riemannian_modules.graph import ModuleGraph
from riemannian_modules.plot import draw_graph, graph_figure, graph_to_mermaid, links_of
from riemannian_modules.plot.composite import places_of
from tests.spec.random_graphs import random_graph
from tests.strategies import rngs


@given(rngs)
@settings(max_examples=20, deadline=None)
def test_mermaid_has_a_node_for_each_leaf_and_an_arrow_for_each_wire(rng):
    graph = random_graph(rng)
    text = graph_to_mermaid(graph)
    assert len(re.findall(r"-->", text)) == (
        len(graph.sources) + len(graph.fed) + len(graph.output_sources)
    )
    defined = re.findall(r"^ +(n_\w+)[(\[]", text, re.MULTILINE)
    assert len(defined) == len(set(defined)) == len(graph.nodes)
    used = set(re.findall(r"(\bn_\w+)(?= --)|(?<=--> )(n_\w+)", text))
    assert {name for pair in used for name in pair if name} <= set(defined)


@given(rngs)
@settings(max_examples=20, deadline=None)
def test_no_two_nodes_stand_in_one_place(rng):
    graph = random_graph(rng)
    places = places_of(graph)
    assert len(set(places.values())) == len(places)
    assert set(graph.modules) <= set(places)
    for link in links_of(graph):
        assert link.source or link.out in graph.inputs.names
        assert link.target or link.into in graph.outputs.names


def test_the_figure_has_a_panel_for_each_composite(tmp_path):
    import numpy as np

    graph = next(
        g
        for g in (random_graph(np.random.default_rng(i)) for i in range(100))
        if any(isinstance(m, ModuleGraph) for m in g.modules.values())
    )

    def composites(g):
        return 1 + sum(composites(m) for m in g.modules.values() if isinstance(m, ModuleGraph))

    figure = graph_figure(graph)
    assert len(figure.axes) == composites(graph)
    texts = {t.get_text().split("\n")[0] for axis in figure.axes for t in axis.texts}
    assert set(graph.modules) <= texts
    draw_graph(graph, tmp_path / "g.svg")
    assert "<svg" in (tmp_path / "g.svg").read_text()
