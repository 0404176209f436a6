"""The triangle of columns says what they determine, gathered from however many blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.engine.local_model import JointModel
from riemannian_modules.engine.triangle import gathered, triangle_of
from tests.strategies import rngs


@given(rngs, st.integers(1, 6), st.integers(1, 5))
def test_blocks_gather_to_the_triangle_of_the_whole(rng, p, count):
    blocks = [rng.standard_normal((rng.integers(1, 9), p)) for _ in range(count)]
    J = np.concatenate(blocks)
    R = gathered(blocks, p)
    assert len(R) <= p
    assert np.allclose(R.T @ R, J.T @ J, rtol=1e-12, atol=1e-13)


@given(rngs, st.integers(1, 6), st.integers(1, 6))
def test_a_triangle_gives_rank_decrement_and_what_is_left(rng, p, rank):
    rank = min(rank, p)
    J = rng.standard_normal((9, rank)) @ rng.standard_normal((rank, p))
    known, residual = triangle_of(J, np.linalg.norm(J, axis=0)), rng.standard_normal(9)
    assert known.rank == rank
    explained = J @ np.linalg.lstsq(J, residual, rcond=1e-9)[0]
    assert np.isclose(known.unexplained(J, residual), np.sum((residual - explained) ** 2))
    assert np.isclose(known.decrement(J.T @ residual), np.linalg.norm(explained), rtol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
@given(rngs, st.integers(1, 12), st.sampled_from([1.0, 1e-6]))
def test_the_root_has_the_metric_of_all_rows(order, rng, p, apart):
    J = rng.standard_normal((30, p))
    J[:, -1] = J[:, 0] + apart * J[:, -1]  # nearly dependent where `apart` is small
    model = JointModel(np.zeros(p), np.asarray(J, order=order))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("riemannian_modules.engine.triangle.LARGEST_BLOCK", 5 * p)
        root = model.root
    assert np.allclose(model.gram, J.T @ J, rtol=1e-13, atol=1e-13)
    assert np.allclose(root.T @ root, J.T @ J, rtol=1e-12, atol=1e-12)
    values = np.linalg.svd(J, compute_uv=False)
    assert np.allclose(np.linalg.svd(root, compute_uv=False), values, rtol=1e-8)
