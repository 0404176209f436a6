"""Decisions on boxes: the quick tests prove nothing that exact ones refuse, and miss no bound."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.claims.norms import L1, L2, LInf
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.search.traced_problem import make_problem
from tests.strategies import rngs


class Rates(rm.Flow):
    """``dx = W tanh(x) - x + c x_1 x_2``, each slope an atom, one product of two."""

    state = rm.space(x=3)

    def __init__(self, W, c):
        self.W, self.c = W, c

    def equations(self, x, u, p):
        rows = np.stack([x.x[0] ** 2 * x.x[1], x.x[1], 0 * x.x[2]])
        return {"x": self.W @ np.tanh(x.x) - x.x + self.c * rows}


class Constant(rm.Flow):
    """``dx = A x``: a matrix without atoms, or without terms where A = 0."""

    state = rm.space(x=2)

    def __init__(self, A):
        self.A = np.asarray(A)

    def equations(self, x, u, p):
        return {"x": self.A @ x.x}


def metric(rng, n):
    A = rng.integers(-4, 5, (n, n)) / 8
    return A @ A.T + np.eye(n)


def random_boxes(rng, norm, boxes):
    module = Rates(rng.integers(-8, 9, (3, 3)) / 16, rng.integers(-2, 3) / 8)
    region = rm.box(dict.fromkeys(module.signature.state.coordinates, (-3, 3)))
    problem = make_problem(module, region)
    weights = rng.integers(1, 5, 3) / 2
    given_norm = {"l2": L2(metric(rng, 3)), "l1": L1(weights), "linf": LInf(weights)}[norm]
    lower = rng.uniform(-2, 2, (boxes, 3))
    upper = lower + rng.choice([0.0, 1e-6, 0.1, 1.0], (boxes, 3))
    return problem, make_criterion(problem, given_norm), lower, upper


def needed(criterion, low, high):
    """The bound that the worst corner of a box of atoms needs, by brute force in floats."""
    places = np.array(list(product(*zip(low, high, strict=True))))
    return criterion.estimate(criterion.form.at(places).midpoint).max()


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@settings(max_examples=8)
@given(rngs)
def test_what_is_proved_on_a_box_holds_exactly_at_its_corners(norm, rng):
    problem, criterion, lower, upper = random_boxes(rng, norm, 6)
    low, high = criterion.form.ranges(problem.symbols, lower, upper)
    for b in rng.uniform(-1, 3, 3):
        proved = boxes_prove(problem, criterion, lower, upper, b)
        quick = criterion.proves_over(low, high, b)
        assert (proved >= quick).all()
        test = criterion.exact_test(Fraction(b))
        for k in np.flatnonzero(proved):
            for corner in product(*zip(low[k], high[k], strict=True)):
                assert test.at_values(test.form.at_exact([Fraction(v) for v in corner]))


def require_needed_bounds(problem, criterion, lower, upper):
    low, high = criterion.form.ranges(problem.symbols, lower, upper)
    for k, bound in enumerate(box_bounds(problem, criterion, lower, upper)):
        # Margins are parts of the matrices' size, here at most some tens.
        assert needed(criterion, low[k], high[k]) - 1e-12 <= bound
        assert bound <= needed(criterion, low[k], high[k]) + 1e-9
        above, below = bound + 1e-9, bound - 1e-5
        ends = lower[k : k + 1], upper[k : k + 1]
        assert boxes_prove(problem, criterion, *ends, above).all()
        assert not boxes_prove(problem, criterion, *ends, below).any()


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@settings(max_examples=8)
@given(rngs, st.sampled_from([1, 20]))
def test_bounds_are_what_the_worst_corner_needs(norm, rng, boxes):
    require_needed_bounds(*random_boxes(rng, norm, boxes))


@pytest.mark.parametrize("seed", [153, 459, 1038, 1967])
def test_a_corner_that_was_missed_by_little_is_measured_as_well(seed):
    # The search uphill ends in a corner that needs 1e-9 to 1e-7 of the matrices' size less.
    require_needed_bounds(*random_boxes(np.random.default_rng(seed), "l2", 20))


@pytest.mark.parametrize(("A", "least"), [([[-1, 1], [-1, -2]], -1.0), ([[0, 0], [0, 0]], 0.0)])
def test_matrices_without_atoms_or_terms_have_bounds(A, least):
    problem = make_problem(Constant(A), rm.box())
    criterion = make_criterion(problem, L2(np.eye(2)))
    ends = np.full((3, 2), -1.0), np.full((3, 2), 1.0)
    bounds = box_bounds(problem, criterion, *ends)
    np.testing.assert_allclose(bounds, least, atol=1e-9)
    assert boxes_prove(problem, criterion, *ends, least).all()  # an exact tie
    assert not boxes_prove(problem, criterion, *ends, least - 1e-12).any()
