"""Priors of many parameters are a diagonal of the metric: right, and in little memory."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import (
    CategoricalLoss,
    FullBatch,
    Joint,
    LaplacePrior,
    NoProgress,
    NormalPrior,
    dataset,
    fit,
    one_hot,
    ridge,
)
from riemannian_modules.engine.fit_problem import objective_of, pulls_of
from riemannian_modules.engine.objective import Count
from riemannian_modules.engine.prior_model import PriorModel
from riemannian_modules.engine.solve_plan import Way


def network(rng, *widths):
    """Dense layers with tanh between them."""
    parts = []
    for n_in, n_out in pairwise(widths):
        W = rng.standard_normal((n_out, n_in)) / np.sqrt(n_in)
        parts += [rm.Affine(W, 0.1 * rng.standard_normal(n_out)), rm.Tanh(n_out)]
    return rm.chain(*parts[:-1])


def wide(p, samples, noise=0.1):
    """A linear map of more parameters than samples, with data."""
    rng = np.random.default_rng(p)
    X = rng.standard_normal((samples, p))
    y = X @ rng.standard_normal(p) / np.sqrt(p) + noise * rng.standard_normal(samples)
    return rm.Affine(np.zeros((1, p)), 0.0), {"u": X, "y": y[:, None]}, X, y


@pytest.mark.parametrize("p", [300, 900])
def test_ridge_regression_of_many_parameters_is_its_closed_form(p):
    module, data, X, y = wide(p, 60)
    assert Joint().plan(module, dataset(module, data)).way is Way.DUAL
    found = fit(module, data, prior=ridge(2.0), sigma=0.1, absolute=True, progress=NoProgress())
    A = np.column_stack([X, np.ones(len(X))])
    information = A.T @ A / 0.01 + 2.0 * np.eye(p + 1)
    assert found.outcome.is_settled
    assert np.allclose(found.theta, np.linalg.solve(information, A.T @ y / 0.01), atol=1e-8)
    assert np.allclose(found.covariance, np.linalg.inv(information), rtol=1e-6, atol=1e-12)
    # What the data determine beside the prior: the trace of the hat.
    hat = np.trace(A @ np.linalg.solve(information, A.T) / 0.01)
    assert np.isclose(found.freedom, len(X) - hat, rtol=1e-6)
    squares = float(np.sum((A @ found.theta - y) ** 2)) / 0.01
    assert np.isclose(found.loss, 0.5 * squares + float(found.theta @ found.theta))


def test_the_lasso_of_many_parameters_meets_its_conditions():
    module, data, X, y = wide(200, 40)
    prior = {"W": LaplacePrior(0.0, 0.5), "b": NormalPrior(0.0, 1.0)}
    found = fit(module, data, prior=prior, progress=NoProgress())
    W, residual = found.theta[:-1], module.output(np.zeros(0), X, found.theta)[:, 0] - y
    pull = X.T @ residual
    assert found.outcome.is_settled
    assert np.allclose(pull[W != 0.0], -2.0 * np.sign(W[W != 0.0]), atol=1e-5)
    assert np.all(np.abs(pull[W == 0.0]) <= 2.0 + 1e-6)
    assert 0 < np.count_nonzero(W) < len(W)


@pytest.mark.parametrize("way", [Way.DUAL, Way.PRODUCTS])
def test_the_model_beside_priors_is_the_derivative_of_the_objective(way, monkeypatch):
    rng = np.random.default_rng(0)
    net = network(rng, 4, 30, 20, 2)
    u = rng.standard_normal((9, 4))
    data = {"u": u, "y": rng.standard_normal((9, 2))}
    problem = fit(net, data, prior=ridge(0.3), schedule=FullBatch(0), progress=NoProgress()).problem
    objective = objective_of(problem, pulls_of(problem, net.theta), Joint(), Count())
    objective.__dict__["plan"] = type(objective.plan)(way, "asked for")
    theta = net.theta + 0.1 * rng.standard_normal(len(net.theta))
    model, step = objective.model(objective.trial(theta)), 1e-6 * rng.standard_normal(len(theta))
    assert isinstance(model, PriorModel)
    change = objective.trial(theta + step).value - objective.trial(theta - step).value
    assert np.isclose(change, 2.0 * float(model.gradient @ step), rtol=1e-5)
    w = rng.standard_normal(len(model.push(step)))
    assert np.isclose(model.push(step) @ w, model.pull(w) @ step, rtol=1e-9)
    damping, free = 0.1 + rng.random(len(theta)), np.ones(len(theta), dtype=bool)
    if way is Way.DUAL:
        solved = model.solver(damping, free)(model.gradient)
        back = model.pull(model.push(solved)) + damping * solved
        assert np.allclose(back, model.gradient, atol=1e-9 * np.abs(model.gradient).max())


def test_weight_decay_of_a_large_classifier_takes_memory_linear_in_parameters():
    rng = np.random.default_rng(0)
    net, B, q = network(rng, 20, 32, 300), 64, 300
    labels = rng.integers(0, q, B).astype(float)
    data, p = {"u": rng.standard_normal((B, 20)), "y": one_hot(labels, q)}, len(net.theta)
    tracemalloc.start()
    found = fit(
        net, data, CategoricalLoss(), prior=ridge(0.1), schedule=FullBatch(3),
        progress=NoProgress(),
    )  # fmt: skip
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.loss < found.history[0].loss
    assert peak < 0.1 * p * p * 8
