"""Exact definiteness agrees with the inertia that matrices were built to have."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.arithmetic.rational_definite import (
    is_negative_definite_rational,
    is_negative_semidefinite_rational,
)
from riemannian_modules.errors import DomainError
from tests.strategies import rngs


@given(rngs, st.integers(1, 6))
def test_definiteness_is_read_off_the_inertia(rng, n):
    # L unit lower triangular and permuted: by Sylvester's law L D L^T has the signs of D.
    L = np.tril(rng.integers(-3, 4, (n, n)), -1) + np.eye(n, dtype=int)
    L = rng.permutation(L).astype(object)
    D = rng.choice([-2, -1, 0, 1], n, p=[0.45, 0.4, 0.1, 0.05])
    S = L.dot(np.diag(D).astype(object)).dot(L.T)
    rows = [[Fraction(int(entry), 7) for entry in row] for row in S]
    assert is_negative_semidefinite_rational(rows) == bool((D <= 0).all())
    assert is_negative_definite_rational(rows) == bool((D < 0).all())


def test_a_hair_line_is_decided_exactly():
    hair = Fraction(1, 10**400)
    singular = [[Fraction(-1), Fraction(1, 3)], [Fraction(1, 3), Fraction(-1, 9)]]
    above = [singular[0], [Fraction(1, 3), Fraction(-1, 9) + hair]]
    below = [singular[0], [Fraction(1, 3), Fraction(-1, 9) - hair]]
    assert [is_negative_semidefinite_rational(m) for m in (above, singular, below)] == [
        False,
        True,
        True,
    ]
    assert [is_negative_definite_rational(m) for m in (above, singular, below)] == [
        False,
        False,
        True,
    ]


def test_matrices_that_are_not_symmetric_are_refused():
    with pytest.raises(DomainError, match="symmetric"):
        is_negative_definite_rational([[-1, 2], [1, -1]])
    with pytest.raises(DomainError, match="square"):
        is_negative_definite_rational([[-1, 2]])
