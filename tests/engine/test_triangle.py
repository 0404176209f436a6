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


@given(rngs, st.integers(1, 12), st.floats(1e-3, 1e3))
def test_weighed_rows_make_the_model_of_the_rows_multiplied_out(rng, p, weight):
    rows, step = rng.standard_normal((30, p)), rng.standard_normal(p)
    weighed, plain = JointModel(step, rows, weight), JointModel(step, weight * rows)
    columns = rng.standard_normal(30)
    assert np.allclose(weighed.push(step), plain.push(step), rtol=1e-12, atol=1e-12 * weight)
    assert np.allclose(weighed.pull(columns), plain.pull(columns), rtol=1e-12, atol=1e-12 * weight)
    assert np.allclose(weighed.gram, plain.gram, rtol=1e-12, atol=1e-12 * weight**2)
    assert np.array_equal(weighed.J, plain.J)
    assert np.allclose(weighed.effects, plain.effects, rtol=1e-12)


@given(rngs, st.integers(1, 6), st.sampled_from([1.0, 1e-6]))
def test_the_triangle_of_a_model_has_the_metric_of_its_rows(rng, p, apart):
    """Whether it is Cholesky's, of columns far from dependent, or a pivoted QR's."""
    J = rng.standard_normal((30, p))
    J[:, -1] = J[:, 0] + apart * J[:, -1]
    known = JointModel(np.zeros(p), J).triangle(np.ones(p, dtype=bool))
    R = known.R * known.scale[known.order]
    assert known.rank == p
    assert np.allclose(R.T @ R, (J.T @ J)[np.ix_(known.order, known.order)], rtol=0, atol=1e-11)
    assert np.allclose(R, np.triu(R), rtol=0, atol=0)
