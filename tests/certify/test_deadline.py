"""A budget's seconds are those of the whole request: everything that works for it knows them."""

import sys
from fractions import Fraction

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import Budget, Estimated, Proved, certify, coordinates, l2, trials
from riemannian_modules.search import monolithic
from riemannian_modules.search.linear_forms import nullspace
from riemannian_modules.terms.deadline import OutOfTime, limited_to, time_left, unlimited


class Pair(rm.Flow):
    """Two coordinates that damp each other."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": -2 * x.x + 0.5 * np.tanh(x.y) * x.y, "y": -x.y - x.y**3}


def test_what_is_inside_never_has_more_than_what_is_around():
    assert time_left() == np.inf
    with limited_to(100.0):
        with limited_to(1000.0):
            assert 90 < time_left() <= 100
        with limited_to(1.0):
            assert time_left() <= 1
        assert 90 < time_left() <= 100
    assert time_left() == np.inf


def test_the_search_for_a_norm_leaves_time_for_the_proof(monkeypatch):
    seen, find_norm = [], trials.find_norm

    def find(problem, wanted):
        seen.append(time_left())
        return find_norm(problem, wanted)

    monkeypatch.setattr(trials, "find_norm", find)
    region = rm.box(x=(-1, 1), y=(-1, 1))
    assert isinstance(certify(Pair(), region, budget=Budget(seconds=50)), Proved)
    assert len(seen) == 3  # l2, linf and l1
    assert max(seen) <= 25


def test_what_is_small_is_proved_in_no_time():
    region = rm.box(x=(-1, 1), y=(-1, 1))
    answer = certify(Pair(), region, norm=l2(np.eye(2)), rate=0.1, budget=Budget(seconds=0))
    assert isinstance(answer, Proved)


def test_elimination_that_takes_too_long_is_given_up():
    rows = [{0: Fraction(1), 1: Fraction(2)}]
    with limited_to(-1.0), pytest.raises(OutOfTime):
        nullspace(rows, 2)


class Gradient(rm.Flow):
    """The descent of a quartic; what it needs far away, sums of squares alone know."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": -x.x - x.x**3 - x.x * x.y**2, "y": -x.y - x.x**2 * x.y - x.y**3}


def test_a_proof_by_squares_without_time_is_left_open(monkeypatch):
    assert isinstance(certify(Gradient(), norm=l2(np.eye(2))), Proved)

    def late(*question):
        raise OutOfTime

    monkeypatch.setattr(monolithic, "prove_by_squares", late)
    few = Budget(boxes=200)
    assert isinstance(certify(Gradient(), norm=l2(np.eye(2)), budget=few), Estimated)


def long_metric(x, u, p):
    """A metric of degree four with coefficients of many digits."""
    a, b = x.x / 6, x.y / 6
    off = 0.123456789 * a * b - 0.0987654321 * a**3 * b + 0.01234567 * a**2
    first = 3 + 12.3456789 * a**4 + 0.3141592 * b**2 * a**2 + 0.271828 * a
    return [[first, off], [off, 2 + 11.7654321 * b**4 - 0.141421 * a**2 * b]]


class Bent(rm.Flow):
    """Two coordinates of which each needs many terms in a metric of degree four."""

    state = rm.space(x="", y="")

    def __init__(self, f):
        self.f = f

    def equations(self, x, u, p):
        first, second = self.f(x.x, x.y)
        return {"x": first - x.x, "y": second - x.y}


SLOW = [  # each took from twenty seconds to several minutes
    lambda x, y: (0.5 * np.sin(y) * np.cos(x), 0.3 * np.tanh(x * y)),
    lambda x, y: (0.5 * np.tanh(1.3 * x - 0.7 * y), 0.3 * np.tanh(0.3 * x + y)),
    lambda x, y: (1 / (1 + y**2), x**2 / (1 + x**2)),
]
WORK = [  # steps of exact algebra that have nothing before their end
    ("riemannian_modules.terms.normal_form", "with_short_powers"),
    ("riemannian_modules.terms.atoms", "factored"),
    ("riemannian_modules.terms.ranges", "factored"),
    ("riemannian_modules.search.squares.gram_program", "pair_coefficients"),
]


@pytest.mark.parametrize("f", SLOW)
@pytest.mark.parametrize("kind", [l2, coordinates])
def test_no_step_of_work_begins_after_the_time_is_over(f, kind, monkeypatch):
    late = []

    def timed(step):
        def run(*arguments, **options):
            late.append(time_left())
            return step(*arguments, **options)

        return run

    for module, step in WORK:
        place = sys.modules[module]
        monkeypatch.setattr(place, step, timed(getattr(place, step)))
    region = rm.box(x=(-6, 6), y=(-6, 6))
    answer = certify(Bent(f), region, norm=kind(long_metric), budget=Budget(seconds=0))
    assert not isinstance(answer, Proved)
    assert all(left > -0.1 for left in late)


def test_what_is_proved_is_written_whatever_the_time():
    with limited_to(-1.0):
        with unlimited():
            assert time_left() == np.inf
        assert time_left() < 0


@pytest.mark.parametrize("degree", [2, 4])
def test_polynomial_metrics_that_take_too_long_are_given_up(degree):
    class Hill(rm.Flow):
        state = rm.space(x="", y="")
        parameters = {"n": 2.0}

        def equations(self, x, u, p):
            return {"x": 1 / (1 + x.y**p.n) - x.x, "y": x.x**p.n / (1 + x.x**p.n) - x.y}

    seen = []
    region = rm.box(x=(0, np.inf), y=(0, np.inf), n=(1, 2.5))
    budget = Budget(seconds=0, progress=seen.append)
    assert isinstance(certify(Hill(), region, norm=l2(degree=degree), budget=budget), Estimated)
