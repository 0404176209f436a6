"""Branch and bound: leaves cover the region, whatever they say holds, and nothing is lost."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import Budget, Proved, Refuted, certify, l2, linf
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.search.boxes import subdivide
from riemannian_modules.search.boxes.subdivide import partition, worst_of
from riemannian_modules.search.boxes.witness import needed
from riemannian_modules.terms.cut_tree import CutTree
from riemannian_modules.terms.cuts import leaves_of
from tests.certify.branching_problems import Needle, Swirl, posed, swirl
from tests.strategies import rngs

FEW = Budget(boxes=600, seconds=60.0)


def random_tree(rng, dim, cuts):
    tree = CutTree(-np.ones(dim), np.ones(dim), 1.0)
    while tree.count < 2 * cuts + 1:
        leaves = np.flatnonzero(tree.child == 0)
        some = np.sort(rng.choice(leaves, rng.integers(1, min(len(leaves), 9) + 1), replace=False))
        lower, upper = tree.boxes(some)
        axes = rng.integers(0, dim, len(some))
        rows = np.arange(len(some))
        places = 0.5 * lower[rows, axes] + 0.5 * upper[rows, axes]
        tree.add(some, axes, places, rng.standard_normal(2 * len(some)))
    return tree


@given(rngs, st.integers(1, 12), st.integers(0, 60))
def test_the_leaves_are_those_that_walking_down_the_cuts_gives(rng, dim, cuts):
    tree = random_tree(rng, dim, cuts)
    lower, upper = leaves_of(list(tree.cuts()), tree.lower, tree.upper)
    found = tree.leaf_boxes()
    assert np.array_equal(lower, found[0])
    assert np.array_equal(upper, found[1])
    shares = ((upper - lower) / 2).prod(1)
    assert np.isclose(shares.sum(), 1.0, rtol=1e-12, atol=0)
    assert np.isclose(tree.share(tree.leaves()), 1.0, rtol=1e-12, atol=0)
    some = tree.leaves()[::3]
    assert np.isclose(tree.share(some), shares[::3].sum(), rtol=1e-12, atol=0)


@given(rngs, st.integers(1, 40), st.integers(1, 50))
def test_the_worst_are_those_that_sorting_gives(rng, count, most):
    bounds = rng.choice([0.0, 1.0, np.inf, 2.5, -1.0], count)
    boxes = np.sort(rng.choice(1000, count, replace=False))
    slow = sorted(range(count), key=lambda i: (-bounds[i], boxes[i]))[:most]
    assert worst_of(boxes, bounds, most).tolist() == sorted(boxes[slow].tolist())


def test_a_tree_takes_thirty_bytes_a_box_and_half_in_reserve():
    tree = random_tree(np.random.default_rng(0), 12, 3000)
    assert tree.nbytes <= 1.5 * 30 * tree.count


def test_an_interruption_at_any_line_leaves_a_cut_whole_or_undone():
    lines = 0
    while True:
        tree = random_tree(np.random.default_rng(4), 2, 40)
        before = tree.cuts()
        some = tree.leaves()[:5]
        other = random_tree(np.random.default_rng(4), 2, 40)
        arguments = np.sort(some), np.zeros(5, dtype=int), np.zeros(5), np.arange(10.0)
        other.add(*arguments)
        seen, stop = [0], lines

        def tracer(frame, event, argument, seen=seen, stop=stop):
            if frame.f_code.co_filename.endswith("cut_tree.py"):
                seen[0] += event == "line"
                if seen[0] > stop:
                    raise KeyboardInterrupt
                return tracer
            return None

        old = sys.gettrace()
        sys.settrace(tracer)
        try:
            tree.add(*arguments)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(old)
        tree.repair()
        assert tree.cuts() in (before, other.cuts())
        assert tree.count == len(tree.cuts())
        tree.add(np.sort(tree.leaves()[:1]), np.zeros(1, dtype=int), np.zeros(1), np.zeros(2))
        if seen[0] <= stop:
            break
        lines += 1
    assert lines > 10


@settings(max_examples=5)
@given(rngs)
def test_no_sampled_point_of_a_leaf_needs_more_than_its_bound(rng):
    problem, criterion = swirl(float(rng.uniform(0.5, 3)))
    parts = partition(problem, criterion, None, Budget(boxes=200, tolerance=1e-3))
    points = rng.uniform(parts.lower, parts.upper)
    # Both the bound and the value at a point are off by rounding; bounds are outward.
    assert (needed(problem, criterion, points) <= parts.bounds + 1e-12).all()
    assert boxes_prove(
        problem, criterion, parts.lower, parts.upper, float(parts.bounds.max())
    ).all()


def test_with_a_target_it_ends_where_every_leaf_is_proved():
    problem, criterion = swirl()
    best = partition(problem, criterion, None, Budget(boxes=20_000)).sampled
    target = best + 0.05
    parts = partition(problem, criterion, target, Budget(boxes=20_000))
    assert (parts.bounds <= target).all()
    assert boxes_prove(problem, criterion, parts.lower, parts.upper, target).all()
    assert not partition(problem, criterion, best - 0.05, FEW).bounds.max() <= best - 0.05


def test_progress_tells_the_volume_that_is_open():
    problem, criterion = swirl()
    told = []
    parts = partition(problem, criterion, None, Budget(boxes=600, progress=told.append))
    assert told[0].boxes == 1
    assert told[0].undecided == 1.0
    assert [p.boxes for p in told] == sorted(p.boxes for p in told)
    assert all(0 <= p.undecided <= 1 for p in told)
    assert all(a.sampled <= b.sampled for a, b in pairwise(told))
    assert told[-1].bound == parts.bounds.max()
    goal = parts.sampled + 2e-4 * abs(parts.sampled)
    volume = (parts.upper - parts.lower).prod(1) / (problem.upper - problem.lower).prod()
    assert np.isclose(told[-1].undecided, volume[parts.bounds > goal].sum(), rtol=1e-9, atol=0)


@settings(max_examples=8)
@given(
    st.lists(st.floats(-0.95, 0.95), min_size=1, max_size=2),
    st.floats(-12, -4),
    st.sampled_from([None, 0.5]),
)
def test_a_needle_is_always_refuted(places, exponent, rate):
    answer = certify(
        Needle(places, 10.0**exponent), rm.box(x=(-1, 1)), norm=l2(np.eye(len(places))), rate=rate
    )
    assert isinstance(answer, Refuted)
    away = [abs(answer.witness[f"x[{i}]"] - c) for i, c in enumerate(places)]
    # -1 + 2 exp(-t^2) > -1/2 where t^2 < log 4, in widths t from the needle's place.
    assert min(away) <= 1.1775 * 10.0**exponent


def test_a_needle_below_the_limit_is_no_reason_to_refute():
    answer = certify(Needle([0.3], 1e-6, height=0.5), rm.box(x=(-1, 1)), norm=l2(np.eye(1)))
    assert isinstance(answer, Proved)
    # The slope's largest value is -1 + 0.5 at the needle's place.
    assert 0.499 <= answer.rate <= 0.5


class Kinked(rm.Flow):
    """Slope -1 left of zero and +1/2 right of it."""

    state = rm.space(x=2)

    def equations(self, x, u, p):
        return {"x": np.stack([-z + 1.5 * np.maximum(z, 0.0) for z in x.x])}


def test_a_violation_that_begins_at_a_kink_is_refuted_beside_it():
    answer = certify(Kinked(), rm.box(x=(-1, 0.25)), norm=l2(np.eye(2)))
    assert isinstance(answer, Refuted)
    assert answer.violation > 0.4


class Square(rm.Flow):
    """Twelve states, each with a slope that depends on two of them."""

    state = rm.space(x=12)

    def equations(self, x, u, p):
        z = x.x
        return {"x": np.stack([-3 * z[i] + 0.3 * z[i - 1] * z[i] for i in range(12)])}


def test_regions_of_twelve_dimensions_are_cut():
    problem, criterion = posed(Square(), rm.box(x=(-1, 1)), linf(np.ones(12)))
    parts = partition(problem, criterion, None, Budget(boxes=3000))
    # Row i: -3 + 0.3 z[i-1] + |0.3 z[i]|, at most -3 + 0.6, at the corner of ones.
    assert -2.4 <= parts.bounds.max() <= -2.4 * (1 - 1e-3)
    assert parts.lower.shape[1] == 12


class Hill(rm.Flow):
    """Slope -1 + 2 y / (1 + y^2)^2 - ... on the whole line: its derivative changes sign."""

    state = rm.space(x=1)

    def equations(self, x, u, p):
        return {"x": -x.x + x.x / (1 + x.x**2)}


@pytest.mark.parametrize("sides", [(-np.inf, np.inf), (0, np.inf), (-np.inf, -0.5)])
def test_unbounded_sides_are_cut_further_and_further_out(sides):
    problem, criterion = posed(Hill(), rm.box(x=sides))
    parts = partition(problem, criterion, 1e-6, Budget(boxes=2000))
    # The slope -1 + (1 - x^2) / (1 + x^2)^2 is at most 0.
    assert (parts.bounds <= 1e-6).all()
    assert parts.lower.min() == sides[0]
    assert parts.upper.max() == sides[1]


def test_a_region_that_is_a_point_has_one_leaf():
    problem, criterion = posed(Swirl(), rm.box(x=(0.25, 0.25), u=(1, 1)))
    parts = partition(problem, criterion, -10.0, Budget(boxes=50))
    assert parts.cuts == (None,)
    assert (parts.state.tree.axis == -2).all()
    thin = posed(Swirl(), rm.box({"x[0]": (0.25, 0.25), "x[1]": (-1, 1), "u": (0.5, 0.5)}))
    parts = partition(*thin, None, Budget(boxes=50))
    assert {cut[0] for cut in parts.cuts if cut is not None} <= {1}


def test_a_side_is_cut_until_its_ends_are_neighbours_and_no_further():
    low = 1.0
    high = np.nextafter(np.nextafter(low, 2), 2)
    problem, criterion = posed(Swirl(), rm.box(x=(low, high), u=(low, high)))
    parts = partition(problem, criterion, -10.0, Budget(boxes=5000))
    assert len(parts.bounds) == 8  # two halves of each of three sides
    assert not parts.state.tree.open_boxes(-10.0).size


class Root(rm.Flow):
    """Defined for x >= -1/3 only."""

    state = rm.space(x=1)

    def equations(self, x, u, p):
        return {"x": -x.x - np.sqrt(3 * x.x + 1) ** 3}


def test_boxes_that_may_be_undefined_stay_open_and_the_others_do_not():
    problem, criterion = posed(Root(), rm.box(x=(-1, 1)))
    parts = partition(problem, criterion, -1.0 + 1e-9, Budget(boxes=200))
    is_open = ~(parts.bounds <= -1.0 + 1e-9)
    assert is_open.any()
    assert (parts.lower[is_open] <= -1 / 3).all()
    assert (parts.bounds[parts.lower[:, 0] > -0.2] <= -1.0 + 1e-9).all()


def test_a_spent_budget_keeps_the_region_itself():
    problem, criterion = swirl()
    parts = partition(problem, criterion, None, Budget(seconds=0.0))
    assert parts.cuts == (None,)


def test_the_batch_limit_bounds_how_many_boxes_are_cut_at_once(monkeypatch):
    sizes = []
    chosen = subdivide.worst_of
    monkeypatch.setattr(
        subdivide, "worst_of", lambda *a: sizes.append(len(chosen(*a))) or chosen(*a)
    )
    partition(*swirl(), -10.0, Budget(boxes=300, batch=7))
    assert max(sizes) == 7
