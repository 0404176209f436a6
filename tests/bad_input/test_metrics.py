"""Bad arguments of metrics and factors are refused with the library's errors."""

import numpy as np
import pytest

from riemannian_modules import metrics as me
from tests.bad_input.values import foreign_errors

U = me.DenseFactor(np.ones((3, 2)))
R = me.diagonal_metric(np.ones(3))
CALLS = {
    "dense": (me.dense_metric, {"matrix": np.eye(2)}),
    "diagonal": (me.diagonal_metric, {"weights": np.ones(2)}),
    "blocks": (me.block_diagonal_metric, {"blocks": [R, R]}),
    "kronecker": (me.kronecker_metric, {"left": R, "right": R}),
    "low rank": (me.low_rank_metric, {"base": R, "mu": 0.1, "factor": U}),
    "identity": (me.scaled_identity_metric, {"dim": 3, "scale": 2.0}),
    "khatri rao": (
        me.khatri_rao_factor,
        {"activations": np.ones((4, 2)), "cotangents": np.ones((4, 3, 1)), "scale": 1.0},
    ),
    "add": (me.add, {"parts": [U, U]}),
    "join": (me.join, {"parts": [U, U]}),
    "stack": (me.stack, {"parts": [U, U]}),
    "bernoulli": (me.bernoulli_fisher_factor, {"probabilities": np.array([0.5])}),
    "categorical": (me.categorical_fisher_factor, {"probabilities": np.array([0.5, 0.5])}),
    "euclidean": (me.euclidean_factor, {"outputs": np.ones(2)}),
    "gaussian": (me.gaussian_fisher_factor, {"scale": np.ones(2)}),
    "hessian": (me.hessian_factor, {"hessians": np.eye(2)}),
    "poisson": (me.poisson_fisher_factor, {"rates": np.ones(2)}),
    "recompressed": (me.recompressed, {"factors": np.ones((3, 2))}),
    "sketch": (
        me.sketch,
        {"factors": np.ones((2, 2)), "rng": np.random.default_rng(0), "columns": 3},
    ),
    "solve": (me.low_rank_metric(R, 0.1, U).solve, {"vectors": np.ones((3, 1))}),
}


@pytest.mark.parametrize("name", CALLS)
def test_bad_arguments_raise_the_librarys_own_errors(name: str):
    call, arguments = CALLS[name]
    assert foreign_errors(lambda **a: call(*a.values()), arguments) == []
