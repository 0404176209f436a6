"""Interval matrix products contain the exact products of members."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic.interval import entire, interval, undecided
from riemannian_modules.arithmetic.interval_matrix import (
    MatrixBall,
    ball_difference,
    ball_scaled,
    matmul,
    quadratic_form,
)
from tests.strategies import rngs


def exact(matrix):
    return np.vectorize(Fraction, otypes=[object])(matrix)


def random_member(rng, S):
    """A member of S: corners and inner points mixed."""
    inner = np.clip(S.lower + rng.random(S.shape) * (S.upper - S.lower), S.lower, S.upper)
    return np.choose(rng.integers(0, 3, S.shape), [S.lower, inner, S.upper])


def random_interval_matrix(rng, shape):
    """Entries of very different sizes, so that sums cancel; some thin, some exact zeros."""
    centre = rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 12, shape)
    radius = np.abs(centre) * rng.choice([0.0, 1e-16, 1e-3, 2.0], shape)
    centre, radius = np.where(rng.random(shape) < 0.1, 0.0, [centre, radius])
    return interval(centre - radius, centre + radius)


@settings(max_examples=60)
@given(rngs, st.integers(1, 6), st.integers(1, 12), st.integers(1, 6))
def test_products_of_members_are_contained(rng, n, k, m):
    A, B = random_interval_matrix(rng, (n, k)), random_interval_matrix(rng, (k, m))
    a, b = random_member(rng, A), random_member(rng, B)
    for product, left, right in [
        (matmul(A, B), a, b), (matmul(a, B), a, b), (matmul(A, b), a, b), (matmul(a, b), a, b),
    ]:  # fmt: skip
        value = exact(left).dot(exact(right))
        assert (exact(product.lower) <= value).all()
        assert (value <= exact(product.upper)).all()


@given(rngs, st.integers(1, 30))
def test_products_of_exact_matrices_are_enclosed_tightly(rng, k):
    A, B = rng.standard_normal((3, 5, k)), rng.standard_normal((3, k, 5))
    product = matmul(A, B)
    assert (product.width <= 4 * (k + 4) * 2.0**-52 * (np.abs(A) @ np.abs(B))).all()


def random_ball(rng, shape):
    """Entries of all sizes, tiny ones included, and a member at one of its ends."""
    centre = rng.standard_normal(shape) * 10.0 ** rng.integers(-320, 200, shape)
    radius = np.abs(centre) * rng.choice([0.0, 1e-16, 2.0], shape)
    return MatrixBall(centre, radius), exact(centre) + exact(radius) * rng.choice([-1, 1], shape)


@given(rngs)
def test_scaled_balls_and_their_differences_hold_those_of_members(rng):
    (A, a), (B, b) = random_ball(rng, (3, 4)), random_ball(rng, (3, 4))
    factor = rng.standard_normal((3, 1)) * 10.0 ** rng.integers(-30, 30, (3, 1))
    for ball, value in [
        (ball_scaled(factor, A), exact(factor) * a), (ball_difference(A, B), a - b),
    ]:  # fmt: skip
        assert (abs(value - exact(ball.centre)) <= exact(ball.radius)).all()


@given(rngs, st.integers(1, 8))
def test_quadratic_forms_of_members_are_contained(rng, n):
    S, v = random_interval_matrix(rng, (n, n)), rng.standard_normal(n)
    form = quadratic_form(S, v)
    value = exact(v).dot(exact(random_member(rng, S)).dot(exact(v)))
    assert Fraction(float(form.lower)) <= value <= Fraction(float(form.upper))


def test_undecided_and_unbounded_entries_make_products_undecided():
    for unknown in (undecided((2, 2)), entire((2, 2))):
        assert np.isnan(matmul(unknown, np.zeros((2, 2))).upper).all()
        assert np.isnan(matmul(np.zeros((2, 2)), unknown).lower).all()
    assert np.isnan(matmul(np.full((1, 1), 1e200), np.full((1, 1), 1e200)).upper).all()
