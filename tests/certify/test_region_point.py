"""A point of a region is found where there is one, exactly inside, and none where there is none."""

import numpy as np
import pytest
from hypothesis import given

from riemannian_modules.claims.constraints import Constraints, is_point_of
from riemannian_modules.region import Ball, Linear
from riemannian_modules.search.region_point import point_of
from tests.strategies import rngs

INF = np.inf
UNIT = Ball(("x", "y"), np.zeros(2), 1.0)
SLANTED_ABOVE, SLANTED_BELOW = (
    Linear({"x": 1.0, "y": 3.0}, *ends) for ends in ((1 / 3, INF), (-INF, 1 / 3))
)
LEAN = Ball(("x", "y"), np.zeros(2), 1.0, np.array([[100.0, 9.9], [9.9, 1.0]]))


def found(members, low, high):
    constraints = Constraints(("x", "y"), tuple(members))
    lower, upper = np.full(2, float(low)), np.full(2, float(high))
    point = point_of(constraints, lower, upper)
    assert point is None or is_point_of(constraints, lower, upper, point)
    return point


@pytest.mark.parametrize(
    ("members", "low", "high"),
    [
        ([Linear({"x": 0.1, "y": 0.3}, 1.0, 1.0)], 0, 10),  # thirds and tenths are no doubles
        ([Linear({"x": 1.0, "y": 1.0}, -INF, 0.0)], 0, 1),  # the corner alone
        ([SLANTED_ABOVE, SLANTED_BELOW], 0, 1),  # a line, said in two inequalities
        ([UNIT, Linear({"x": 1.0, "y": 1.0}, 1.4142, INF)], -INF, INF),  # 1.4e-5 below sqrt(2)
        ([UNIT, Ball(("x", "y"), np.array([1.9999, 0.0]), 1.0)], -INF, INF),
        ([LEAN, Linear({"x": 1.0, "y": 1.0}, 0.5, 0.5)], -INF, INF),
        ([Linear({"x": 1e200, "y": 1.0}, -INF, 1e199)], 0, 1),
    ],
)  # fmt: skip
def test_a_point_is_found_in_what_is_thin_or_badly_scaled(members, low, high):
    assert found(members, low, high) is not None


@pytest.mark.parametrize(
    ("members", "low", "high"),
    [
        ([Linear({"x": 1.0, "y": 1.0}, -INF, -1e-9)], 0, 1),
        ([UNIT, Linear({"x": 1.0, "y": 1.0}, 1.4143, INF)], -INF, INF),
        ([UNIT, Ball(("x", "y"), np.array([2.1, 0.0]), 1.0)], -INF, INF),
        ([Linear({"x": 0.0}, 1.0, INF)], 0, 1),  # no coordinate matters
    ],
)
def test_nothing_is_found_in_what_is_empty(members, low, high):
    assert found(members, low, high) is None


@given(rngs)
def test_a_region_around_a_point_has_one(rng):
    x = rng.uniform(-1, 1, 2)
    rows = rng.normal(size=(4, 2))
    members = [
        Linear({"x": float(a), "y": float(b)}, -INF, float(a * x[0] + b * x[1] + 1e-3))
        for a, b in rows
    ]
    assert found(members, -1, 1) is not None
