"""A stacked factor is the dense matrix of its parts, in each thing that a factor does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.errors import MetricError
from riemannian_modules.metrics import DenseFactor, KhatriRaoFactor, scaled_identity_metric, stack
from riemannian_modules.metrics.block_diagonal import block_diagonal_metric
from tests.strategies import rngs


def parts(rng, samples, k):
    """A dense factor and one of a dense layer, of samples * k columns both."""
    layer = KhatriRaoFactor(
        rng.standard_normal((samples, 2)), rng.standard_normal((samples, 3, k)), 0.5
    )
    return DenseFactor(rng.standard_normal((4, samples * k))), layer


@given(rngs, st.integers(1, 4), st.integers(1, 2))
def test_it_does_what_its_dense_matrix_does(rng, samples, k):
    upper, lower = parts(rng, samples, k)
    U, D = stack([upper, lower]), np.vstack([upper.as_matrix(), lower.as_matrix()])
    z, v = rng.standard_normal((U.columns, 2)), rng.standard_normal((U.dim, 2))
    other = stack(parts(rng, samples, k))
    pairs = [
        (U.matvec(z), D @ z),
        (U.matvec(z[:, 0]), D @ z[:, 0]),
        (U.rmatvec(v), D.T @ v),
        (U.gram(), D.T @ D),
        (U.outer(), D @ D.T),
        (U.rows(3, 7), D[3:7]),
        (U.rows(5, 5), D[5:5]),
        (U.scaled(2.0).as_matrix(), 2.0 * D),
        (U.cross_gram(other), D.T @ other.as_matrix()),
        (U.cross_gram(DenseFactor(v)), D.T @ v),
    ]
    for got, wanted in pairs:
        assert got.shape == wanted.shape
        assert np.allclose(got, wanted, rtol=0, atol=1e-13 * (1 + np.abs(D).max() ** 2) * 20)


def test_blocks_of_identities_keep_the_structure_of_layers():
    upper, lower = parts(np.random.default_rng(0), 3, 2)
    metric = block_diagonal_metric([scaled_identity_metric(4, 4.0), scaled_identity_metric(6, 1.0)])
    white = metric.whiten_factor(stack([upper, lower]))
    assert isinstance(white.parts[1], KhatriRaoFactor)
    assert np.allclose(white.as_matrix()[:4], upper.as_matrix() / 2.0)


def test_parts_of_different_columns_are_refused():
    with pytest.raises(MetricError, match=r"\[2, 3\]"):
        stack([DenseFactor(np.ones((1, 2))), DenseFactor(np.ones((1, 3)))])
