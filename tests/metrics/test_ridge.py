"""A ridge system with other masses keeps its square matrix, and sees preimages without damping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.metrics import DenseFactor
from riemannian_modules.metrics.ridge import DualRidge, PrimalRidge, ridge
from tests.strategies import rngs


@given(rngs, st.integers(1, 7), st.integers(1, 7), st.floats(1e-3, 1e3))
def test_damped_again_it_is_the_system_made_anew(rng, n, r, mu):
    W, b = DenseFactor(rng.standard_normal((n, r))), rng.standard_normal(n)
    first = ridge(W, 1.0)
    again = first.damped(mu)
    assert again.square() is first.square()
    N = mu * np.eye(n) + W.entries @ W.entries.T
    assert np.linalg.norm(N @ again.solve(b) - b) <= 1e-11 * np.linalg.cond(N)
    assert np.allclose(again.solve(b), ridge(W, mu).solve(b), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("kind", "n", "r"), [(DualRidge, 9, 4), (PrimalRidge, 4, 9)])
@given(rngs)
@settings(max_examples=20)
def test_the_norm_of_a_preimage_is_that_of_the_pseudo_inverse(kind, n, r, rng):
    U, _, V = np.linalg.svd(rng.standard_normal((n, r)), full_matrices=False)
    W = (U * rng.uniform(0.5, 2.0, 4)) @ V
    b = W @ rng.standard_normal(r)
    wanted = np.linalg.norm(np.linalg.pinv(W) @ b)
    # The least singular value is 0.5, so that mu = 1e-10 takes at most 4e-10 of it away.
    assert abs(kind(DenseFactor(W), 1e-10).preimage_norm(b) - wanted) <= 1e-9 * wanted
