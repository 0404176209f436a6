"""What the residual of a factor proves definite is definite, decided by whole numbers."""

from fractions import Fraction

import numpy as np
import pytest

from riemannian_modules.arithmetic import residual_definite
from riemannian_modules.arithmetic.interval_matrix import MatrixBall, as_ball
from riemannian_modules.arithmetic.residual_definite import leaves_definite_residual
from tests.arithmetic.counts import MATRICES
from tests.arithmetic.test_near_singular import congruent, is_definite_exactly, signs_of

ORDERS = (1, 2, 3, 5, 8, 20)
BATCH = MATRICES // (100 * len(ORDERS))


def near_singular(rng, n, smallest):
    """A symmetric matrix with eigenvalues from ``smallest`` to 2."""
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    A = (V * np.geomspace(smallest, 2.0, n)) @ V.T
    return 0.5 * (A + A.T)


@pytest.mark.parametrize("n", ORDERS[:-1])
def test_no_matrix_with_a_form_that_vanishes_or_is_negative_is_accepted(n):
    rng = np.random.default_rng(n)
    for A in congruent(rng, BATCH, n, signs_of(rng, BATCH, n)):
        assert not leaves_definite_residual(as_ball(A))


@pytest.mark.parametrize("n", ORDERS[:-1])
def test_what_is_accepted_around_the_hair_line_is_definite_exactly(n):
    rng = np.random.default_rng(n)
    accepted = refused = 0
    for smallest in np.geomspace(1e-18, 1e-12, BATCH):
        A = near_singular(rng, n, smallest)
        # A skew part does not count.
        skew = np.triu(rng.integers(-3, 4, (n, n)) * 2.0**-20, 1)
        held = leaves_definite_residual(as_ball(A + skew - skew.T))
        accepted, refused = accepted + held, refused + (not held)
        given = [[Fraction(v) for v in row] for row in A + skew - skew.T]
        symmetric = [[(given[i][j] + given[j][i]) / 2 for j in range(n)] for i in range(n)]
        assert not held or is_definite_exactly(symmetric)
    assert accepted > 0
    assert n < 3 or refused > 0


@pytest.mark.parametrize("n", ORDERS)
def test_no_ball_with_a_member_that_is_not_definite_is_accepted(n):
    # With a radius r in every entry, x^T E x reaches -r |x|_1^2: along the last eigenvector e, a
    # radius a little above smallest / |e|_1^2 has a member with a form that is negative.
    rng = np.random.default_rng(n)
    for _ in range(20):
        A = near_singular(rng, n, 1e-3)
        values, vectors = np.linalg.eigh(A)
        r = values[0] / np.abs(vectors[:, 0]).sum() ** 2
        assert not leaves_definite_residual(MatrixBall(A, np.full((n, n), 1.001 * r)))
        # Row sums of the radius, in the worst case, are n times it.
        assert leaves_definite_residual(MatrixBall(A, np.full((n, n), 0.4 * values[0] / n**2)))


@pytest.mark.parametrize("n", ORDERS)
def test_matrices_a_few_roundings_away_from_singular_ones_are_accepted(n):
    rng = np.random.default_rng(n)
    smallest = 8.0 * n * (n + 4) * 2.0**-52
    assert leaves_definite_residual(as_ball(near_singular(rng, n, smallest)))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0)])
def test_what_is_not_finite_is_not_proved(wrong, place):
    A = np.eye(3)
    A[place] = wrong
    assert not leaves_definite_residual(as_ball(A))
    radius = np.zeros((3, 3))
    radius[place] = abs(wrong)
    assert not leaves_definite_residual(MatrixBall(np.eye(3), radius))


def test_matrices_that_overflow_or_vanish_in_doubles_are_not_proved():
    assert not leaves_definite_residual(as_ball(np.full((2, 2), 1e308)))
    assert not leaves_definite_residual(as_ball(np.zeros((2, 2))))
    assert not leaves_definite_residual(as_ball(np.full((2, 2), 5e-324)))


@pytest.mark.parametrize("ulps", [0.5, 1.0, 4.0, 1000.0])
def test_a_factor_computed_wrongly_proves_nothing_wrong(ulps, monkeypatch):
    # L L^T is singular, and A is what doubles make of it, some ulps higher on the diagonal.
    rng, n = np.random.default_rng(3), 20
    accepted = []
    for _ in range(40):
        L = np.tril(rng.normal(size=(n, n)))
        L[-1, -1] = 0.0
        A = L @ L.T
        A = np.tril(A) + np.tril(A, -1).T
        A[np.arange(n), np.arange(n)] += ulps * 2.0**-52 * np.diagonal(A)
        monkeypatch.setattr(residual_definite, "cholesky", lambda _, L=L: L)
        accepted.append(leaves_definite_residual(as_ball(A)))
        assert not accepted[-1] or is_definite_exactly(A)
    assert any(accepted) == (ulps == 1000.0)


def test_a_factor_of_another_matrix_proves_nothing(monkeypatch):
    monkeypatch.setattr(residual_definite, "cholesky", lambda _: np.eye(2))
    for A in (np.array([[1.5, 2.0], [2.0, 1.5]]), -np.eye(2), np.diag([2.0, 0.5])):
        assert not leaves_definite_residual(as_ball(A))
    assert leaves_definite_residual(as_ball(np.array([[2.0, 0.9], [0.9, 2.0]])))
