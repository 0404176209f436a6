"""Regions that linear constraints empty are refused; those that hold a point never are."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.certify import Proved, certify
from riemannian_modules.claims.constraints import Constraints
from riemannian_modules.errors import RegionError
from riemannian_modules.region import Linear, box, simplex
from riemannian_modules.search.emptiness import contradiction
from tests.cases import systems as s
from tests.strategies import rngs

ROUND = [("x[0]", "x[1]"), ("x[1]", "x[2]"), ("x[2]", "x[0]")]


def descent(step, **sides):
    """``x_0 - x_1``, ``x_1 - x_2`` and ``x_2 - x_0`` are at least a step: their sum is zero."""
    region = box(sides)
    for a, b in ROUND:
        region = region.linear({a: 1.0, b: -1.0}, step)
    return region


@pytest.mark.parametrize(
    "region",
    [
        descent(0.5, x=(-1, 1)),
        descent(2.0**-60),  # of coordinates without sides, and by a hair
        simplex(["x[0]", "x[1]"]).linear({"x[0]": 1.0, "x[1]": 2.0}, upper=0.999),
        box(x=(0, 1)).linear({"x[0]": 1.0, "x[1]": 1.0, "x[2]": 1.0}, 3.0 + 2.0**-40),
        box().linear({"x[0]": 0.0}, 1.0),
    ],
)
def test_what_no_point_fulfils_is_refused_with_the_constraints_that_say_so(region):
    with pytest.raises(RegionError, match="empty"):
        certify(s.LinearFlow(-np.eye(3)), region)


@pytest.mark.parametrize(
    "region",
    [
        descent(0.0, x=(-1, 1)),  # the diagonal alone
        simplex(["x[0]", "x[1]"]).linear({"x[0]": 1.0, "x[1]": 2.0}, upper=1.0),  # a vertex
        box(x=(0, 1)).linear({"x[0]": 1.0, "x[1]": 1.0, "x[2]": 1.0}, 3.0),
    ],
)
def test_a_region_of_few_points_is_a_region(region):
    assert isinstance(certify(s.LinearFlow(-np.eye(3)), region, rate=1.0), Proved)


@given(rngs, st.integers(1, 5), st.integers(1, 8))
def test_no_region_that_holds_a_point_is_empty(rng, n, m):
    names = tuple(f"x{i}" for i in range(n))
    point = rng.integers(-4, 5, n).astype(float)
    rows = []
    for a in rng.integers(-3, 4, (m, n)).astype(float):
        value = float(sum(Fraction(c) * Fraction(v) for c, v in zip(a, point, strict=True)))
        rows.append(Linear(dict(zip(names, a.tolist(), strict=True)), value, value + 1.0))
    constraints = Constraints(names, tuple(rows))
    assert constraints.contains(point)
    assert contradiction(constraints, point - 1.0, point) == ()
