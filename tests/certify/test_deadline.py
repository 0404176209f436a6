"""A budget's seconds are those of the whole request: everything that works for it knows them."""

from fractions import Fraction

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import Budget, Estimated, Proved, certify, l2, monolithic, trials
from riemannian_modules.certify.deadline import OutOfTime, limited_to, time_left
from riemannian_modules.certify.squares.linear_forms import nullspace


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
