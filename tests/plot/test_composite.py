"""Pictures of composites: every module and every wire is in them, and nothing hides another."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.plot import draw_graph, graph_figure, graph_to_mermaid, layout
from riemannian_modules.plot.composite import layout_of
from riemannian_modules.plot.feedback import feedback
from riemannian_modules.plot.layout import bezier
from tests.plot.diagrams import HARD, bundled, chain_of_thirty, fan_of_twelve, nested_loops
from tests.plot.overlaps import is_inside, overlap
from tests.spec.random_graphs import random_graph
from tests.strategies import rngs

hard = pytest.mark.parametrize("graph", [make() for make in HARD], ids=[m.__name__ for m in HARD])


def assert_nothing_hides_another(drawn):
    """No wire runs over a block, its own ends included; no block over another."""
    boxes = list(drawn.blocks.values())
    for route in drawn.routes:
        points = bezier(route, 200)
        assert not any(is_inside(points, box) for box in boxes)
    for i, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[:i])
    left, bottom, right, top = drawn.extent
    everything = np.concatenate([np.reshape(boxes, (-1, 2)), *map(bezier, drawn.routes)])
    assert ([left, bottom] <= everything.min(0) + 1e-9).all()
    assert (everything.max(0) <= np.add([right, top], 1e-9)).all()


def assert_each_wire_meets_its_ports(graph, drawn):
    ends = [(f"in:{name}", node) for (node, _), name in graph.fed.items()]
    ends += [(source, node) for (node, _), (source, _) in graph.sources.items()]
    ends += [(node, f"out:{name}") for name, (node, _) in graph.output_sources.items()]
    assert len(ends) == len(drawn.routes)
    axis = 1 if drawn.is_downwards else 0
    leave, enter = (1, 3) if drawn.is_downwards else (2, 0)
    for (source, target), route in zip(ends, drawn.routes, strict=True):
        assert route[0, axis] == pytest.approx(drawn.blocks[source][leave])
        assert route[-1, axis] == pytest.approx(drawn.blocks[target][enter])
        for end, name in ((route[0], source), (route[-1], target)):
            low, high = (drawn.blocks[name][i] for i in (1 - axis, 3 - axis))
            assert low < end[1 - axis] < high


@hard
def test_no_wire_runs_over_a_block_and_all_is_in_the_frame(graph):
    _, drawn = layout_of(graph)
    assert_nothing_hides_another(drawn)
    assert_each_wire_meets_its_ports(graph, drawn)


@given(rngs)
@settings(max_examples=15, deadline=None)
def test_so_it_is_in_random_composites(rng):
    graph = random_graph(rng)
    _, drawn = layout_of(graph)
    assert set(graph.nodes) <= set(drawn.blocks)
    assert_nothing_hides_another(drawn)
    assert_each_wire_meets_its_ports(graph, drawn)


@hard
def test_so_it_is_downwards(graph, monkeypatch):
    monkeypatch.setattr(layout, "Across", layout.Down)
    _, drawn = layout_of(graph)
    assert drawn.is_downwards
    assert_nothing_hides_another(drawn)
    assert_each_wire_meets_its_ports(graph, drawn)


@pytest.mark.parametrize("direction", ["Across", "Down"])
@hard
def test_texts_are_inside_the_axes_and_hidden_neither_by_each_other_nor_by_wires(
    graph, direction, monkeypatch
):
    monkeypatch.setattr(layout, "Across", getattr(layout, direction))
    looks, drawn = layout_of(graph)
    figure = graph_figure(graph)
    (axes,) = figure.axes
    figure.draw_without_rendering()
    window = axes.get_window_extent().extents
    boxes = [text.get_window_extent().extents for text in axes.texts]
    parts = [p.get_window_extent().extents for p in axes.patches]
    for low, high in ((box[:2], box[2:]) for box in [*boxes, *parts]):
        assert (window[:2] <= low + 0.5).all()
        assert (high <= window[2:] + 0.5).all()
    for i, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[:i])
    for route in drawn.routes:
        points = axes.transData.transform(bezier(route, 200))
        assert not any(is_inside(points, box) for box in boxes)
    # What is written in a block has room in it.
    blocks = [
        p.get_window_extent().extents for p in axes.patches if p.get_gid().startswith("block")
    ]
    frames = {path[-1] for path in drawn.frames}
    for text, box in zip(axes.texts, boxes, strict=True):
        if text.get_text() not in frames:
            assert any((b[:2] <= box[:2]).all() and (box[2:] <= b[2:]).all() for b in blocks)
    assert len(blocks) == len(looks)
    names = {path.rpartition(".")[2] for path in graph.nodes}
    assert names <= {text.get_text() for text in axes.texts}


@hard
def test_a_frame_holds_the_blocks_of_its_composite_and_no_others(graph):
    _, drawn = layout_of(graph)
    for path, (left, bottom, right, top) in drawn.frames.items():
        for name, (x0, y0, x1, y1) in drawn.blocks.items():
            if name.startswith(".".join(path) + "."):
                assert left < x0
                assert x1 < right
                assert bottom < y0
                assert y1 < top
            else:
                assert not overlap((x0, y0, x1, y1), (left, bottom, right, top))


def backward(graph):
    _, drawn = layout_of(graph)
    ends = [*graph.fed.items(), *graph.sources.items()]
    return {str(t[0]): s[0] for (t, s), back in zip(ends, drawn.backward[: len(ends)], strict=True)
            if back}  # fmt: skip


def test_only_what_closes_a_loop_runs_back():
    assert backward(bundled()) == {"joined": "gene"}
    assert backward(nested_loops()) == {"current_error": "shunt", "speed_error": "tacho"}
    assert backward(fan_of_twelve()) == {}


@given(rngs)
@settings(max_examples=50, deadline=None)
def test_without_the_feedback_no_loop_is_left(rng):
    import networkx as nx

    count = int(rng.integers(1, 9))
    names = [str(i) for i in range(count)]
    wires = [(str(a), str(b)) for a, b in rng.integers(0, count, (2 * count, 2))]
    back = feedback(names, wires)
    rest = nx.DiGraph([w for i, w in enumerate(wires) if i not in back])
    assert nx.is_directed_acyclic_graph(rest)
    for i in back:  # and each of them does close one
        assert nx.has_path(nx.DiGraph(wires), wires[i][1], wires[i][0])


def test_wires_that_leave_one_port_for_the_next_layer_do_not_cross():
    graph = fan_of_twelve()
    _, drawn = layout_of(graph)
    fans = [bezier(r, 50)[:, 1] for r in drawn.routes if abs(r[-1, 1] - r[0, 1]) > 20]
    spread = np.array(sorted(fans, key=lambda y: (y[0], y[-1])))
    for start in set(spread[:, 0].round(3)):
        together = spread[spread[:, 0].round(3) == start]
        assert (np.diff(together, axis=0) >= -1e-9).all()


def test_what_is_too_long_for_a_page_runs_downwards():
    _, across = layout_of(fan_of_twelve())
    _, down = layout_of(chain_of_thirty())
    assert (across.is_downwards, down.is_downwards) == (False, True)


def test_names_that_are_long_or_hold_dollars_are_drawn_as_they_are():
    name = "a_very_long_name_that_no_block_should_be_as_wide_as"
    figure = graph_figure(rm.Wiring(**{name: rm.Lag(1.0)}).input("u", f"{name}.u").build())
    assert "a_very_long_…_as_wide_as" in {t.get_text() for t in figure.axes[0].texts}


def test_more_modules_than_can_be_read_are_refused():
    with pytest.raises(UnsupportedError, match=r"202 blocks .* at most 100"):
        graph_figure(rm.chain(*[rm.Lag(1.0) for _ in range(200)]))


def test_without_graphviz_the_picture_is_refused_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(UnsupportedError, match=r"pip install pygraphviz.*graph_to_mermaid"):
        graph_figure(bundled())


def test_a_picture_is_written_as_its_name_says(tmp_path):
    draw_graph(bundled(), tmp_path / "g.svg")
    assert "<svg" in (tmp_path / "g.svg").read_text()


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
