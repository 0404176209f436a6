"""Comparisons and selections hold for every member of the intervals."""

import numpy as np
from hypothesis import given

from riemannian_modules.arithmetic import interval as iv
from tests.arithmetic.adversarial import around, random_numbers
from tests.strategies import rngs

COMPARISONS = [
    (iv.less, np.less),
    (iv.less_equal, np.less_equal),
    (iv.greater, np.greater),
    (iv.greater_equal, np.greater_equal),
    (iv.equal, np.equal),
]


@given(rngs)
def test_the_truth_for_members_is_contained(rng):
    x, y = random_numbers(rng, 500), random_numbers(rng, 500)
    y = np.where(rng.random(500) < 0.3, x, y)
    a, b = around(rng, x), around(rng, y)
    for on_intervals, on_numbers in COMPARISONS:
        truth = on_intervals(a, b)
        assert truth.contains(on_numbers(x, y)).all()
        opposite = iv.logical_not(truth)
        assert opposite.contains(~on_numbers(x, y)).all()
        assert (on_intervals(iv.Interval.point(x), y).width == 0).all()
    both = iv.logical_and(iv.less(a, b), iv.less(b, 1.0))
    assert both.contains((x < y) & (y < 1)).all()
    either = iv.logical_or(iv.less(a, b), iv.less(b, 1.0))
    assert either.contains((x < y) | (y < 1)).all()


@given(rngs)
def test_selections_and_steps_of_members_are_contained(rng):
    x, y = random_numbers(rng, 500), random_numbers(rng, 500)
    a, b = around(rng, x), around(rng, y)
    assert iv.where(iv.less(a, b), a, b).contains(np.where(x < y, x, y)).all()
    assert iv.maximum(a, b).contains(np.maximum(x, y)).all()
    assert iv.minimum(a, b).contains(np.minimum(x, y)).all()
    assert iv.absolute(a).contains(np.abs(x)).all()
    assert iv.sign(a).contains(np.sign(x)).all()
    assert iv.heaviside(a).contains(np.heaviside(x, 0.5)).all()
    assert iv.step(a).contains(np.heaviside(x, 0.0)).all()
    assert iv.floor(a).contains(np.floor(x)).all()


def test_a_branch_that_is_never_taken_may_be_undecided():
    x = iv.interval([1.0, -2.0, -1.0], [2.0, -1.0, 1.0])
    value = iv.where(iv.greater(x, 0.0), iv.log(x), 0.0)
    assert value.contains([0.5, 0.0, 0.0])[:2].all()
    assert float(value.upper[1]) == 0.0
    assert np.isnan(value.upper[2])
