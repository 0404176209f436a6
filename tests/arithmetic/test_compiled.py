"""Compiled loops decide as the passes of NumPy do, bit for bit, whatever the chunks and threads."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.arithmetic import threads, triangles
from riemannian_modules.arithmetic.affine_matrix import AffineMatrix
from riemannian_modules.arithmetic.definite import is_positive_definite
from riemannian_modules.arithmetic.interval import Interval, interval
from riemannian_modules.errors import RiemannianError
from tests.strategies import rngs

HARD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 2.0**-1022, 2.0**-500, 1e300, -1e308])


def border_matrices(rng, batch, n):
    """Interval matrices on either side of the border, by rounding or by radii; some broken."""
    H = rng.standard_normal((batch, n, n))
    H = H + H.swapaxes(-1, -2)
    R = rng.random((batch, n, n)) * 10.0 ** rng.integers(-17, 1, (batch, 1, 1))
    R = R + R.swapaxes(-1, -2)
    least = np.linalg.eigvalsh(H)[:, 0] - 1.2 * rng.random(batch) * np.linalg.norm(R, 2, (1, 2))
    H = H - (least - rng.choice([0.0, 1e-15, 1e-12], batch))[:, None, None] * np.eye(n)
    scale = 2.0 ** rng.integers(-40, 40, (batch, n))
    H, R = (part * scale[:, :, None] * scale[:, None, :] for part in (H, R))
    lower, upper = H - R, H + R
    broken = rng.random((batch, n, n)) < 0.002
    lower, upper = (np.where(broken, rng.choice(HARD, broken.shape), e) for e in (lower, upper))
    return Interval(lower, upper)


def without_loops(monkeypatch, decide):
    with monkeypatch.context() as patch:
        patch.setattr(triangles, "COMPILED_BATCH", np.inf)
        return decide()


@pytest.fixture
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


@settings(max_examples=6)
@given(rngs, st.integers(1, 7))
def test_loops_and_passes_decide_the_same_matrices(rng, n):
    pytest.importorskip("numba")
    S = border_matrices(rng, 5000, n)
    with pytest.MonkeyPatch.context() as patch:
        passes = without_loops(patch, lambda: is_positive_definite(S))
    loops = is_positive_definite(S)
    assert 0 < passes.mean() < 1
    np.testing.assert_array_equal(loops, passes)
    thin = Interval(S.lower, S.lower)
    with pytest.MonkeyPatch.context() as patch:
        passes = without_loops(patch, lambda: is_positive_definite(thin))
    np.testing.assert_array_equal(is_positive_definite(thin), passes)


def random_pencil(rng, n, terms):
    """An affine matrix with entries that are no doubles, and boxes of its terms near the border."""

    def entries():
        A = rng.integers(-9, 10, (n, n)) * (rng.random((n, n)) < 0.6)
        return {(i, j): Fraction(int(v), 7) for (i, j), v in np.ndenumerate(A) if v}

    one = {(i, i): Fraction(1) for i in range(n)}
    return AffineMatrix(n, (one, *(entries() for _ in range(terms))))


def random_terms(rng, terms, batch):
    width = 10.0 ** rng.uniform(-16, 0, (terms, batch))
    low = rng.standard_normal((terms, batch)) * 10.0 ** rng.integers(-3, 2, (terms, 1))
    return interval(low, low + width)


@settings(max_examples=6)
@given(rngs, st.integers(1, 7), st.integers(0, 6))
def test_affine_matrices_are_decided_the_same_by_loops_and_passes(rng, n, terms):
    pytest.importorskip("numba")
    pencil, t = random_pencil(rng, n, terms), random_terms(rng, terms, 5000)
    shift = Interval.point(rng.uniform(0, 10, 5000))
    with pytest.MonkeyPatch.context() as patch:
        passes = without_loops(patch, lambda: pencil.are_positive_definite([shift, *t]))
    np.testing.assert_array_equal(pencil.are_positive_definite([shift, *t]), passes)


@given(rngs, st.integers(1, 5), st.integers(0, 5))
def test_enclosures_of_affine_matrices_contain_all_members(rng, n, terms):
    pencil, t = random_pencil(rng, n, terms), random_terms(rng, terms, 20)
    shift = Interval.point(rng.standard_normal(20))
    ends = [np.concatenate([s[None], e]) for s, e in zip(shift.bounds, t.bounds, strict=True)]
    triangle = pencil.enclosed(*ends)
    chosen = np.where(rng.random(ends[0].shape) < 0.5, *ends)
    for box in range(20):
        members = [Fraction(v) for v in chosen[:, box]]
        for i in range(n):
            for j in range(i + 1):
                exact = sum(
                    (e.get((i, j), Fraction(0)) + e.get((j, i), Fraction(0))) / 2 * v
                    for e, v in zip(pencil.coefficients, members, strict=True)
                )
                if i == j:
                    assert (
                        Fraction(triangle.diagonal[i, box]) <= exact
                        or triangle.diagonal[i, box] < 0
                    )
                else:
                    gap = abs(exact - Fraction(triangle.centres[i][j, box]))
                    assert gap <= Fraction(triangle.radii[i][j, box])


def test_entries_that_no_double_is_near_are_never_decided():
    huge, small = Fraction(10) ** 400, Fraction(1, 3 * 10**320)
    for entry in (huge, small):
        pencil = AffineMatrix(1, ({(0, 0): Fraction(1)}, {(0, 0): entry}))
        t = [Interval.point(np.ones(2)), Interval.point(np.ones(2))]
        assert not pencil.are_positive_definite(t).any()


@settings(max_examples=3)
@given(rngs)
def test_decisions_depend_on_no_neighbours_and_no_threads(rng):
    S = border_matrices(rng, 40_000, 4)
    whole = is_positive_definite(S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "available_cores", lambda: 1)
        np.testing.assert_array_equal(is_positive_definite(S), whole)
        patch.setattr(threads, "available_cores", lambda: 7)
        np.testing.assert_array_equal(is_positive_definite(S), whole)
    order = rng.permutation(len(whole))
    np.testing.assert_array_equal(is_positive_definite(S[order]), whole[order])
    np.testing.assert_array_equal(is_positive_definite(S[:100]), whole[:100])


def test_faults_in_a_chunk_are_raised(patch):
    patch.setattr(threads, "available_cores", lambda: 3)

    def fail(part):
        if part.start == 20:
            raise RiemannianError("at 20")

    with pytest.raises(RiemannianError, match="at 20"):
        threads.each_chunk(fail, 40, 10)
