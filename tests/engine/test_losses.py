"""Losses: gradients are derivatives, factors are Fisher metrics, bad targets are named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.engine.losses import (
    BernoulliLoss,
    CategoricalLoss,
    GaussianLoss,
    PoissonLoss,
    SquaredLoss,
    one_hot,
)
from riemannian_modules.errors import DomainError, SignatureError
from tests.strategies import rngs

TARGETS = {
    SquaredLoss(): lambda rng, shape: rng.standard_normal(shape),
    GaussianLoss(): lambda rng, shape: rng.standard_normal(shape),
    BernoulliLoss(): lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    PoissonLoss(): lambda rng, shape: rng.poisson(3.0, shape).astype(float),
    CategoricalLoss(): lambda rng, shape: one_hot(rng.integers(0, shape[1], shape[0]), shape[1]),
}
LOSSES = list(TARGETS)
NAMES = [type(loss).__name__ for loss in LOSSES]
CANONICAL = [loss for loss in LOSSES if not isinstance(loss, GaussianLoss)]


@pytest.mark.parametrize("loss", LOSSES, ids=NAMES)
@given(rngs, st.integers(2, 5), st.integers(1, 4))
def test_gradients_are_derivatives_of_the_value(loss, rng, B, q):
    y, t = rng.standard_normal((B, q)), TARGETS[loss](rng, (B, q))
    direction = rng.standard_normal((B, q))
    # A perfect fit of few samples by chance is where the Gaussian likelihood bends without limit.
    scale = min(1.0, float(np.min(np.sqrt(np.mean((y - t) ** 2, axis=0)))))
    h = 1e-5 * scale
    slope = (loss.value(y + h * direction, t) - loss.value(y - h * direction, t)) / (2 * h)
    exact = np.sum(loss.gradient(y, t) * direction)
    # h^2 times third derivatives over 6, and rounding of the value over h.
    tolerance = 1e-7 * (1 + np.linalg.norm(direction) ** 3) / scale
    assert abs(slope - exact) <= tolerance * (1 + abs(exact))


@pytest.mark.parametrize("loss", CANONICAL, ids=[type(x).__name__ for x in CANONICAL])
@given(rngs, st.integers(1, 4))
def test_in_natural_coordinates_the_metric_is_the_hessian(loss, rng, q):
    y, t = 2 * rng.standard_normal((1, q)), TARGETS[loss](rng, (1, q))
    S, h = loss.factor(y, t)[0], 1e-6
    hessian = [
        (loss.gradient(y + h * e, t) - loss.gradient(y - h * e, t))[0] / (2 * h) for e in np.eye(q)
    ]
    assert np.abs(S @ S.T - hessian).max() <= 1e-8 * (1 + np.exp(np.abs(y).max()))


@given(rngs, st.integers(3, 8))
def test_the_gaussian_metric_is_the_inverse_of_the_most_likely_variance(rng, B):
    y, t = rng.standard_normal((B, 2)), rng.standard_normal((B, 2))
    S = GaussianLoss().factor(y, t)
    variance = np.mean((y - t) ** 2, axis=0)
    assert np.allclose(S @ np.swapaxes(S, -1, -2), np.diag(1 / variance), rtol=1e-12)


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_extreme_logits_give_finite_losses_and_metrics(size):
    y = np.array([[size, 0.0, -size]])
    for loss, t in ((BernoulliLoss(), np.ones((1, 3))), (CategoricalLoss(), np.eye(3)[[1]])):
        assert np.isfinite(loss.value(y, t))
        assert np.isfinite(loss.gradient(y, t)).all()
        assert np.isfinite(loss.factor(y, t)).all()


def test_targets_of_another_kind_are_named():
    with pytest.raises(DomainError, match="from 0 to 1"):
        BernoulliLoss().check("here", np.array([[2.0]]))
    with pytest.raises(DomainError, match="counts"):
        PoissonLoss().check("here", np.array([[-1.0]]))
    with pytest.raises(DomainError, match="one_hot"):
        CategoricalLoss().check("here", np.array([[1.0, 1.0]]))
    with pytest.raises(DomainError, match="from 0 to 2"):
        one_hot(np.array([0, 3]), 3)
    with pytest.raises(SignatureError, match="labels"):
        one_hot(np.array([[0]]), 3)
