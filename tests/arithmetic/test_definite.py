"""Verified eigenvalue tests: never a false accept, and tight where the truth is known exactly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic.definite import (
    is_negative_definite,
    is_positive_definite,
    largest_eigenvalue_bound,
    smallest_eigenvalue_bound,
    spectral_norm_bound,
)
from riemannian_modules.arithmetic.interval import entire, interval, stack, undecided
from riemannian_modules.arithmetic.rational_definite import (
    is_negative_definite_rational,
    is_negative_semidefinite_rational,
)
from riemannian_modules.errors import DomainError
from tests.strategies import rngs

orders = st.integers(1, 8)


def singular_batch(rng, batch, n):
    """Exactly singular positive semidefinite matrices: integer Gram matrices of rank below n.

    Scaled by powers of two, which is exact, so that the diagonal spans many magnitudes.
    """
    B = rng.integers(-50, 51, (batch, n, max(n - 1, 1))).astype(float) * (n > 1)
    scale = 2.0 ** rng.integers(-30, 31, (batch, n))
    return B @ B.swapaxes(-1, -2) * scale[:, :, None] * scale[:, None, :], scale


def random_symmetric(rng, n):
    A = rng.standard_normal((n, n)) * 10.0 ** rng.integers(-3, 4)
    return (A + A.T) / 2


def random_radius(rng, n):
    R = rng.random((n, n)) * 10.0 ** rng.integers(-6, 1)
    return R + R.T


def exact_rows(A):
    return [[Fraction(entry) for entry in row] for row in A]


def symmetric_member(rng, S):
    t = rng.choice([0.0, 0.3, 1.0], S.shape)
    t = np.tril(t) + np.tril(t, -1).T
    member = np.clip(S.lower + t * (S.upper - S.lower), S.lower, S.upper)
    return np.tril(member) + np.tril(member, -1).T


@settings(max_examples=30)
@given(rngs, st.integers(1, 10))
def test_no_singular_matrix_among_a_million_is_accepted(rng, n):
    A, scale = singular_batch(rng, 10_000, n)
    assert not is_positive_definite(A).any()
    # A hair below singular, and intervals with an exactly singular member at a corner.
    hair = 2.0**-40 * scale[:, :, None] * np.eye(n) * scale[:, None, :]
    assert not is_positive_definite(A - hair).any()
    A, scale = A[:2000], scale[:2000]
    signs = rng.choice([-1.0, 1.0], (2000, n))
    R = 2.0 ** rng.integers(-6, 4, (2000, 1, 1)) * scale[:, :, None] * scale[:, None, :]
    H = A + signs[:, :, None] * R * signs[:, None, :]
    assert not is_positive_definite(interval(H - R, H + R)).any()
    assert not is_negative_definite(interval(-H - R, R - H)).any()
    assert not is_positive_definite(-A).any()


@given(rngs, st.integers(1, 10))
def test_matrices_clear_of_singular_by_rounding_alone_are_accepted(rng, n):
    A, scale = singular_batch(rng, 200, n)
    # Tenfold the margin of the proof, n (n + 3) 2^-52 in the scaling of the diagonal.
    clear = (10 * n * (n + 3) * 2.0**-52) * np.einsum("bii->bi", A) + 2.0**-20 * scale**2
    A = A + np.eye(n) * clear[:, None, :]
    assert is_positive_definite(A).all()
    assert is_negative_definite(-A).all()


@settings(max_examples=60)
@given(rngs, st.integers(1, 6))
def test_what_is_accepted_is_definite_for_members_in_exact_rationals(rng, n):
    H = -np.abs(rng.standard_normal(n)) * np.eye(n) * 3 + random_symmetric(rng, n) * 1e-3
    R = random_radius(rng, n) * rng.random()
    S = interval(H - R, H + R)
    member = symmetric_member(rng, S)
    accepted = is_negative_definite(S)
    assert not accepted or is_negative_definite_rational(exact_rows(member))


@given(rngs, st.integers(2, 10))
def test_sign_corners_decide_what_radius_norms_cannot(rng, n):
    # The slow formula: eigenvalues at all corners. 1e-9 on either side is far above rounding.
    H = random_symmetric(rng, n)
    R = random_radius(rng, n)
    signs = np.array(
        [[1 if code >> i & 1 else -1 for i in range(n)] for code in range(2 ** (n - 1))]
    )
    corners = H + signs[:, :, None] * R * signs[:, None, :]
    worst = np.linalg.eigvalsh(corners).max()
    scale = 1e-9 * (np.abs(H) + R).sum()
    for shift, expected in ((worst + scale, True), (worst - scale, False)):
        centre = H - shift * np.eye(n)
        assert is_negative_definite(interval(centre - R, centre + R)) == expected


@settings(max_examples=60)
@given(rngs, st.integers(1, 6))
def test_eigenvalue_bounds_hold_in_exact_rationals(rng, n):
    H, R = random_symmetric(rng, n), random_radius(rng, n) * rng.choice([0.0, 1.0])
    S = interval(H - R, H + R)
    member = exact_rows(symmetric_member(rng, S))
    upper, lower = (
        Fraction(float(largest_eigenvalue_bound(S))),
        Fraction(float(smallest_eigenvalue_bound(S))),
    )
    eye = np.eye(n, dtype=int)
    below = [[member[i][j] - upper * int(eye[i, j]) for j in range(n)] for i in range(n)]
    above = [[lower * int(eye[i, j]) - member[i][j] for j in range(n)] for i in range(n)]
    assert is_negative_semidefinite_rational(below)
    assert is_negative_semidefinite_rational(above)


@given(rngs, st.integers(1, 30))
def test_eigenvalue_bounds_of_exact_matrices_are_tight(rng, n):
    H = np.stack([random_symmetric(rng, n) for _ in range(5)])
    norm = np.linalg.norm(H, 2, axis=(-1, -2))
    excess = largest_eigenvalue_bound(H) - np.linalg.eigvalsh(H)[:, -1]
    # Two products of gamma_n |V||H||V| each, where | |V| | <= sqrt(n): at most about 10 n^2 ulp.
    assert (excess <= 20 * (n + 4) ** 2 * 2.0**-52 * norm).all()
    assert (excess >= -20 * n * 2.0**-52 * norm).all()


@given(rngs, orders)
def test_matrices_that_are_not_symmetric_count_by_their_symmetric_part(rng, n):
    A = rng.standard_normal((n, n))
    bound = largest_eigenvalue_bound(A)
    value = np.linalg.eigvalsh((A + A.T) / 2)[-1]
    assert abs(bound - value) <= 1e-12 * np.linalg.norm(A)
    definite = A - (value + 1e-6) * np.eye(n)
    assert is_negative_definite(definite)
    assert not is_negative_definite(definite + 2e-6 * np.eye(n))


@settings(max_examples=60)
@given(rngs, st.integers(1, 5), st.integers(1, 5))
def test_spectral_norm_bounds_hold_in_exact_rationals(rng, n, m):
    A = rng.standard_normal((n, m)) * 10.0 ** rng.integers(-3, 4)
    R = rng.random((n, m)) * rng.choice([0.0, 1e-9, 1.0])
    S = interval(A - R, A + R)
    bound = Fraction(float(spectral_norm_bound(S)))
    t = rng.choice([0.0, 1.0], (n, m))
    member = np.array(exact_rows(np.where(t == 1, S.upper, S.lower)))
    gap = member.T.dot(member) - np.diag([bound**2] * m)
    assert is_negative_semidefinite_rational(gap.tolist())


@given(rngs, st.integers(1, 12), st.integers(1, 12))
def test_spectral_norm_bounds_of_exact_matrices_are_tight(rng, n, m):
    A = rng.standard_normal((4, n, m))
    norm = np.linalg.norm(A, 2, axis=(-1, -2))
    assert (spectral_norm_bound(A) <= norm * (1 + 1e-12)).all()


def test_badly_scaled_definite_matrices_are_accepted():
    scale = np.array([1e-60, 1.0, 1e60])
    A = np.array([[2.0, 1, 0], [1, 2, 1], [0, 1, 2]]) * scale[:, None] * scale
    assert is_positive_definite(A)
    assert is_negative_definite(interval(-1.01 * A, -0.99 * A))


def test_rectangular_matrices_are_refused():
    for test in (is_negative_definite, is_positive_definite, largest_eigenvalue_bound):
        with pytest.raises(DomainError, match="square"):
            test(np.ones((4, 2, 3)))


def test_empty_batches_pass_through():
    nothing = interval(np.zeros((0, 3, 3)), np.zeros((0, 3, 3)))
    assert is_negative_definite(nothing).shape == (0,)
    assert largest_eigenvalue_bound(nothing).shape == (0,)


@pytest.mark.parametrize("unknown", [undecided(()), entire(()), interval(-np.inf, -1)])
def test_undecided_or_unbounded_entries_are_never_decided(unknown):
    n = 3
    for i, j in ((0, 0), (0, 1), (2, 1), (2, 2)):
        entries = [
            [interval(-5.0, -5.0) if a == b else interval(0.0, 0.0) for a in range(n)]
            for b in range(n)
        ]
        entries[i][j] = entries[j][i] = unknown
        S = stack([stack(row) for row in entries])
        batch = stack([S, interval(-5 * np.eye(n), -5 * np.eye(n))])
        # A diagonal entry without a lower end is as negative as its upper one, or more.
        bounded = i == j and unknown.upper < 0
        assert is_negative_definite(batch).tolist() == [bounded, True]
        assert is_positive_definite(-batch)[0] == bounded
        assert largest_eigenvalue_bound(batch)[0] == np.inf
        assert smallest_eigenvalue_bound(batch)[0] == -np.inf
        assert spectral_norm_bound(batch)[0] == np.inf
        assert largest_eigenvalue_bound(batch)[1] == pytest.approx(-5)
