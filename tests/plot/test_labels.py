"""Labels of wires: they stand beside their own wire and over nothing."""

import numpy as np
import pytest
from hypothesis import given, settings

from riemannian_modules.plot.blocks import Block, Wire
from riemannian_modules.plot.labels import beside, in_corner
from riemannian_modules.plot.layout import arranged, bezier
from tests.plot.overlaps import is_inside, overlap
from tests.strategies import rngs

SIZE = (22.0, 11.0)


def rectangle(place, size=SIZE):
    (x, y), (w, h) = place, size
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


@given(rngs)
@settings(max_examples=25, deadline=None)
def test_labels_stand_over_no_wire_no_block_and_no_other_label(rng):
    count = int(rng.integers(2, 7))
    blocks = [Block(str(i), (40.0, 30.0), {"": 0.0}, {"": 0.0}) for i in range(count)]
    pairs = {(i, (i + 1) % count) for i in range(count)}
    pairs |= {(a, b) for a, b in rng.integers(count, size=(3, 2)).tolist() if a != b}
    wires = [Wire(str(a), "", str(b), "", SIZE) for a, b in sorted(pairs)]
    drawn = arranged(blocks, wires, {})
    labels = [rectangle(place) for place in drawn.labels]
    for i, label in enumerate(labels):
        assert not any(overlap(label, other) for other in labels[:i])
        assert not any(overlap(label, block) for block in drawn.blocks.values())
        assert not any(is_inside(bezier(route, 100), label) for route in drawn.routes)
    left, bottom, right, top = drawn.extent
    for x0, y0, x1, y1 in labels:
        assert left <= x0
        assert bottom <= y0
        assert x1 <= right
        assert y1 <= top


LINE = np.array([[0.0, 0.0], [100.0, 0.0]])


def test_a_label_stands_beside_the_middle_of_its_wire_on_the_side_that_is_free():
    (above,) = beside([LINE], [SIZE], [])
    (below,) = beside([LINE], [SIZE], [(0.0, 1.0, 100.0, 50.0)])
    assert above == pytest.approx((50.0, SIZE[1] / 2 + 3.0), abs=2.0)
    assert below == pytest.approx((50.0, -SIZE[1] / 2 - 3.0), abs=2.0)


def test_a_title_goes_to_the_first_corner_that_is_free():
    frame, wire = (0.0, 0.0, 100.0, 60.0), np.array([[10.0, 60.0], [10.0, 40.0]])
    assert in_corner(frame, SIZE, [], [])[0] < 50 < in_corner(frame, SIZE, [wire], [])[0]
