"""Weighted log-norms and norms bound their exact rational values at members, and are tight."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic.interval import interval, undecided
from riemannian_modules.arithmetic.log_norm import log_norm_1, log_norm_inf, norm_1, norm_inf
from riemannian_modules.errors import DomainError
from tests.strategies import rngs


def exact_log_norm_inf(J, w):
    n = len(w)
    return max(
        Fraction(J[i, i])
        + sum(abs(Fraction(J[i, j])) * Fraction(w[j]) / Fraction(w[i]) for j in range(n) if j != i)
        for i in range(n)
    )


def exact_norm_inf(A, w, v):
    return max(
        sum(abs(Fraction(a)) * Fraction(vj) for a, vj in zip(row, v, strict=True)) / Fraction(wi)
        for row, wi in zip(A, w, strict=True)
    )


def random_weights(rng, n):
    return np.exp(rng.uniform(-3, 3, n))


@settings(max_examples=60)
@given(rngs, st.integers(1, 7))
def test_log_norms_bound_members_and_are_attained(rng, n):
    J, R = rng.standard_normal((n, n)), rng.random((n, n)) * rng.choice([0.0, 1e-3, 2.0])
    S, w = interval(J - R, J + R), random_weights(rng, n)
    member = np.where(rng.random((n, n)) < 0.5, S.lower, S.upper)
    worst = np.where(np.eye(n, dtype=bool), S.upper, S.magnitude)
    for bound, value, attained in [
        (log_norm_inf(S, w), exact_log_norm_inf(member, w), exact_log_norm_inf(worst, w)),
        (log_norm_1(S, w), exact_log_norm_inf(member.T, w), exact_log_norm_inf(worst.T, w)),
    ]:
        assert value <= attained <= Fraction(float(bound))
        spread = float(w.max() / w.min()) * float(S.magnitude.max()) * n
        assert float(bound) - float(attained) <= 4 * (n + 4) * 2.0**-52 * spread


@settings(max_examples=60)
@given(rngs, st.integers(1, 6), st.integers(1, 6))
def test_norms_bound_members_and_are_attained(rng, n, m):
    A, R = rng.standard_normal((n, m)), rng.random((n, m)) * rng.choice([0.0, 1.0])
    S, w, v = interval(A - R, A + R), random_weights(rng, n), random_weights(rng, m)
    attained = exact_norm_inf(S.magnitude, w, v)
    bound = norm_inf(S, w, v)
    assert attained <= Fraction(float(bound)) <= attained * Fraction(1 + 4 * (m + 4) * 2.0**-52)
    # |A|_1 with weights w out and v in is the linf norm of the transpose, from 1/v to 1/w.
    column = max(
        sum(Fraction(w[i]) * Fraction(S.magnitude[i, j]) for i in range(n)) / Fraction(v[j])
        for j in range(m)
    )
    assert (
        column <= Fraction(float(norm_1(S, w, v))) <= column * Fraction(1 + 4 * (n + 4) * 2.0**-52)
    )


def test_undecided_entries_give_an_infinite_bound():
    J = undecided((2, 3, 3))
    assert (log_norm_inf(J, np.ones(3)) == np.inf).all()
    assert (norm_1(J, np.ones(3), np.ones(3)) == np.inf).all()


def test_bad_weights_are_refused():
    for weights in ([1.0, 0.0], [1.0, np.nan], [1.0]):
        with pytest.raises(DomainError, match="positive"):
            log_norm_1(interval(np.zeros((2, 2)), np.ones((2, 2))), weights)
