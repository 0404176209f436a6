"""Mini-batches: steps of 1/k lose little beside the fit of all samples at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import (
    BernoulliLoss,
    CategoricalLoss,
    FullBatch,
    MiniBatches,
    NoProgress,
    PoissonLoss,
    SquaredLoss,
    fit,
    one_hot,
)
from tests.strategies import rngs

N, P = 40_000, 5


class Decay(rm.StaticMap):
    """``y = a exp(-b u) + c``."""

    inputs, outputs = rm.space(u=1), rm.space(y=1)

    def __init__(self, a, b, c):
        self.parameters = {"a": a, "b": b, "c": c}

    def map(self, u, p):
        return p["a"] * np.exp(-p["b"] * u["u"]) + p["c"]


def linear(rng, n=N):
    X = rng.standard_normal((n, P))
    return X, X @ (0.4 * rng.standard_normal(P)) + 0.5


def logistic(rng):
    X, e = linear(rng)
    return glm(1), X, rng.random((N, 1)) < 1 / (1 + np.exp(-e[:, None])), BernoulliLoss()


def counts(rng):
    X, e = linear(rng)
    return glm(1), X, rng.poisson(np.exp(e[:, None] + 2.0)), PoissonLoss()


def classes(rng):
    X, _ = linear(rng)
    logits = X @ rng.standard_normal((P, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return glm(3), X, one_hot(labels, 3), CategoricalLoss()


def decay(rng):
    u = rng.uniform(0, 4, (N, 1))
    return Decay(1.0, 1.0, 0.0), u, 2.5 * np.exp(-1.3 * u) + 0.1 * rng.standard_normal((N, 1)), None


def glm(q):
    return rm.Affine(np.zeros((q, P)), 0.0)


def distance(module, data, loss, schedule):
    """From the fit of all samples, in its standard deviations, where there are any."""
    full = fit(module, data, loss, progress=NoProgress())
    part = fit(module, data, loss, schedule=schedule, progress=NoProgress())
    known = np.isfinite(full.deviations)
    return np.abs((part.theta - full.theta)[known] / full.deviations[known]).max()


@pytest.mark.parametrize("problem", [logistic, counts, decay])
@pytest.mark.parametrize(
    "schedule", [MiniBatches(100, 1), MiniBatches(1000, 3)], ids=["100", "1000"]
)
def test_after_one_epoch_little_is_lost(problem, schedule):
    # What is lost is of the order of log(n) / sqrt(n) deviations, the second-order terms of the
    # first steps; 0.2 is what a filter is used for.
    module, X, y, loss = problem(np.random.default_rng(0))
    assert distance(module, {"u": X, "y": np.asarray(y, float)}, loss, schedule) <= 0.2


def test_probabilities_of_classes_come_out_alike():
    module, X, y, loss = classes(np.random.default_rng(0))
    data = {"u": X[:20_000], "y": y[:20_000]}
    full = fit(module, data, loss, schedule=FullBatch(12), progress=NoProgress())
    part = fit(module, data, loss, schedule=MiniBatches(100, 1), progress=NoProgress())
    # At the minimum the excess loss is half the squared distance in deviations, one a parameter.
    assert -1e-6 * full.loss <= part.loss - full.loss <= 0.5 * 0.2**2 * len(full.theta)


@given(rngs, st.integers(1, 40))
@settings(max_examples=10)
def test_linear_least_squares_are_solved_in_one_epoch(rng, size):
    X, e = linear(rng, 400)
    data = {"u": X, "y": (e + rng.standard_normal(400))[:, None]}
    # Recursive least squares: exact in any order, up to the rounding of the triangle.
    assert distance(glm(1), data, SquaredLoss(), MiniBatches(size, 1, rng)) <= 1e-6


def test_first_batches_that_are_separated_do_not_lead_astray():
    rng = np.random.default_rng(0)
    X, e = linear(rng)
    y = (rng.random(N) < 1 / (1 + np.exp(5 - e))).astype(float)[:, None]
    assert distance(glm(1), {"u": X, "y": y}, BernoulliLoss(), MiniBatches(20, 2)) <= 1.0


def test_a_network_goes_down_in_its_batches_own_metric():
    rng = np.random.default_rng(0)
    net = rm.Affine(rng.standard_normal((40, 3))) >> rm.Tanh(40)
    net = net >> rm.Affine(0.1 * rng.standard_normal((40, 40))) >> rm.Tanh(40)
    net = net >> rm.Affine(0.1 * rng.standard_normal((1, 40)))
    X = rng.standard_normal((400, 3))
    data = {"u": X, "y": np.sin(X.sum(axis=1, keepdims=True))}
    found = fit(net, data, schedule=MiniBatches(40, 5), progress=NoProgress())
    losses = [line.loss for line in found.history]
    assert losses[-1] < 0.2 * 0.5 * np.sum(data["y"] ** 2)
