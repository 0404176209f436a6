"""The last digits of a bound are proved too, where the test is exact."""

from fractions import Fraction
from math import ulp

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import Budget, l1, l2, linf
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.search.boxes.subdivide import partition
from riemannian_modules.search.boxes.tighten import fewest_bits, tighten_exactly
from tests.certify.branching_problems import posed
from tests.strategies import rngs


class Linear(rm.Flow):
    """``x' = A x``."""

    def __init__(self, A):
        self.A, self.state = np.asarray(A, dtype=float), rm.space(x=len(A))

    def equations(self, x, u, p):
        return {"x": self.A @ x.x}


def tightened(module, norm, region=None):
    problem, criterion = posed(module, region or rm.box(), norm)
    bound = float(partition(problem, criterion, None, Budget(boxes=50)).bounds.max())
    best = tighten_exactly(problem, criterion, bound)
    assert best <= bound
    assert boxes_prove(problem, criterion, problem.lower[None], problem.upper[None], best).all()
    return best


@pytest.mark.parametrize("bits", [20, 40, 50, 52])
@pytest.mark.parametrize("norm", [l2(np.eye(2)), l1(np.ones(2)), linf(np.ones(2))])
def test_a_hair_line_rate_is_found_exactly(bits, norm):
    e = 2.0**-bits
    assert tightened(Linear([[-1, 1 - e], [1 - e, -1]]), norm) == -e


def test_a_rate_of_zero_is_found_exactly():
    assert tightened(Linear([[-1, 1], [1, -1]]), l2(np.eye(2))) == 0.0


@settings(max_examples=20)
@given(rngs, st.integers(1, 5))
def test_the_tightened_bound_is_the_largest_eigenvalue_to_nine_digits(rng, n):
    A = rng.integers(-8, 9, (n, n)) / 8 - np.eye(n) * rng.integers(0, 4)
    best = tightened(Linear(A), l2(np.eye(n)))

    def all_are_below(b):
        # Real roots, none positive: by Descartes no coefficient of S - b I's charpoly is negative.
        S = [[Fraction(A[i, j]) / 2 + Fraction(A[j, i]) / 2 for j in range(n)] for i in range(n)]
        entries = [
            flint.fmpq(v.numerator, v.denominator)
            for v in (S[i][j] - b * (i == j) for i in range(n) for j in range(n))
        ]
        polynomial = flint.fmpq_mat(n, n, entries).charpoly()
        return all(polynomial[k] >= 0 for k in range(n + 1))

    assert all_are_below(Fraction(best))
    # Where the true one is 0, below any part of it nothing can be asked.
    assert not all_are_below(Fraction(best) - Fraction(max(1e-9 * abs(best), ulp(0.0))))


class Sheet(rm.Flow):
    """A symmetric Jacobian with one atom, tanh's slope between 0 and 1 on the whole line."""

    state = rm.space(x=2)

    def equations(self, x, u, p):
        a, b = x.x
        return {
            "x": np.stack([-a + 2.0**-30 * np.tanh(a) + (1 - 2.0**-20) * b, (1 - 2.0**-20) * a - b])
        }


def test_moving_atoms_are_tightened_at_their_corners():
    best = tightened(Sheet(), l2(np.eye(2)))
    # At the corner a = 1: the eigenvalue -1 + h/2 + sqrt(h^2/4 + (1 - e)^2), h = 2^-30, e = 2^-20.
    with flint.ctx.workprec(200):
        h, e = flint.arb(2) ** -30, flint.arb(2) ** -20
        true = -1 + h / 2 + (h * h / 4 + (1 - e) ** 2).sqrt()
        assert flint.arb(best) >= true
        assert abs(flint.arb(best) - true) <= abs(true) * flint.arb("1e-9")


def test_what_is_too_large_keeps_its_bound():
    problem, criterion = posed(Linear(-np.eye(13)), rm.box(), l2(np.eye(13)))
    assert tighten_exactly(problem, criterion, -0.5) == -0.5
    problem, criterion = posed(Linear(-np.eye(2)), rm.box(), l2(np.eye(2)))
    assert tighten_exactly(problem, criterion, np.inf) == np.inf
    assert tighten_exactly(problem, criterion, -0.5, deadline=0.0) == -0.5


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
def test_the_plainest_number_lies_between_and_none_has_fewer_bits(a, b):
    low, high = sorted((a, b))
    if low == high:
        return
    x = Fraction(fewest_bits(low, high))
    assert Fraction(low) < x <= Fraction(high)
    if x:
        step = Fraction(x.numerator & -x.numerator, x.denominator)  # the last bit that is set
        coarse = 2 * step
        # No multiple of twice the last bit lies between.
        assert (Fraction(high) // coarse) * coarse <= Fraction(low)
