"""Local models solve what their dense matrices say, in whichever way."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.fitting import fit
from riemannian_modules.engine.krylov_model import KrylovModel
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Joint, Layerwise, Objective, model_of
from riemannian_modules.engine.progress import NoProgress
from riemannian_modules.engine.schedule import FullBatch
from riemannian_modules.engine.solve_plan import Way
from tests.engine.layers import random_graph
from tests.strategies import rngs

EPS = np.finfo(float).eps


def at_random(rng, count):
    """A random graph's mean squared loss of five samples there, with its dense Jacobian."""
    graph = random_graph(rng, count)
    u = rng.standard_normal((5, graph.signature.inputs.size))
    data = Dataset(u, rng.standard_normal((5, graph.signature.outputs.size)))
    objective = Objective(graph, data, SquaredLoss(), Joint())
    here = objective.linearisation(objective.trial(graph.theta))
    F = graph.jacobian(np.zeros(0), u, graph.theta).F
    residual = graph.output(np.zeros(0), u, graph.theta) - data.targets
    return here, F.reshape(-1, F.shape[-1]) / np.sqrt(5), residual.ravel() / np.sqrt(5)


def exact(way, here):
    """The way's model, by products solved until rounding."""
    if way is Way.PRODUCTS:
        return KrylovModel(here, tolerance=1e-13, most_products=10_000)
    return model_of(way, here)


def layer_of_each(graph):
    sizes = [owner.signature.parameters.size for owner in graph.owners.values()]
    return np.repeat(np.arange(len(sizes)), sizes)


@pytest.mark.parametrize("way", Way)
@given(rngs, st.integers(1, 4))
@settings(max_examples=15)
def test_every_way_agrees_with_the_dense_formulas(way, rng, count):
    here, J, r = at_random(rng, count)
    model, M = exact(way, here), J.T @ J
    p = len(M)
    step = rng.standard_normal(p)
    assert np.allclose(model.gradient, J.T @ r, rtol=1e-12, atol=1e-13)
    # Columns may come in another order: their sum of squares does not care.
    assert np.isclose(np.sum(model.push(step) ** 2), step @ M @ step, rtol=1e-11)
    assert np.allclose(model.pull(model.push(step)), M @ step, rtol=1e-10, atol=1e-12)
    if way is Way.LAYERS:
        layer = layer_of_each(here.module)
        M = np.where(layer[:, None] == layer, M, 0.0)
    free = rng.random(p) < 0.8
    for damping in (rng.uniform(0.1, 1.0, p), np.full(p, 0.3), rng.uniform(0.1, 1.0, p)):
        for moves in (np.ones_like(free), free):
            solved = model.solver(damping, moves)(model.gradient)
            assert (solved[~moves] == 0).all()
            left = (M @ solved + damping * solved - model.gradient)[moves]
            assert np.abs(left).max(initial=0.0) <= 1e-10 * (1 + np.linalg.norm(model.gradient))


@given(rngs, st.integers(1, 3))
def test_models_of_many_parameters_scale_each_array_by_its_mean_effect(rng, count):
    here, J, _ = at_random(rng, count)
    squares = np.einsum("ij,ij->j", J, J)
    means = np.concatenate([np.full(len(squares[s]), squares[s].mean()) for s in here.ports])
    assert np.allclose(model_of(Way.PRIMAL, here).diagonal, squares, rtol=1e-12)
    for way in (Way.DUAL, Way.LAYERS):
        assert np.allclose(model_of(way, here).diagonal, means, rtol=1e-12)


@given(rngs, st.integers(1, 2))
@settings(max_examples=10)
def test_probes_of_the_diagonal_have_its_mean(rng, count):
    here, J, _ = at_random(rng, count)
    trace, eight = np.sum(J**2), KrylovModel(here).diagonal
    # Hutchinson: with random signs the variance of z^T K z is at most 2 |K|_F^2; 8 probes.
    K = J @ J.T
    assert abs(eight.sum() - trace) <= 6 * np.sqrt(2 / 8) * np.linalg.norm(K)


@given(rngs, st.integers(1, 3))
@settings(max_examples=10)
def test_the_decrement_is_the_projection_of_the_residual(rng, count):
    here, J, r = at_random(rng, count)
    Q, s, _ = np.linalg.svd(J, full_matrices=False)
    assume(((s > 1e-7 * s[0]) | (s < 1e-13 * s[0])).all())  # the rank is in no doubt
    explained = Q[:, s > 1e-9 * s[0]].T @ r
    wanted, everywhere = np.linalg.norm(explained), np.ones(J.shape[1], dtype=bool)
    got = model_of(Way.PRIMAL, here).decrement(everywhere)
    assert abs(got - wanted) <= 1e-6 * (1 + np.linalg.norm(r))
    # Damped by 1e-10 of the metric's size, directions of less curvature than that do not count.
    dual = model_of(Way.DUAL, here).decrement(everywhere)
    seen = Q[:, s > 1e-4 * s[0]].T @ r
    assert (1 - 1e-2) * np.linalg.norm(seen) <= dual <= np.linalg.norm(Q.T @ r) * (1 + 1e-6) + 1e-12
    # By ten products it is seen from below; in units of their array, saturated layers still count.
    most = np.linalg.norm(Q.T @ r)
    assert exact(Way.PRODUCTS, here).decrement(everywhere) <= most * (1 + 1e-6) + 1e-12


@given(rngs)
@settings(max_examples=5)
def test_metrics_of_modules_change_the_way_but_every_step_is_downhill(rng):
    graph = random_graph(rng, 2, local_columns=1)
    u = rng.standard_normal((40, graph.signature.inputs.size))
    teacher = graph.theta + 0.1 * rng.standard_normal(len(graph.theta))
    targets = graph.signature.outputs.unpack(graph.output(np.zeros(0), u, teacher))
    found = fit(
        graph,
        {"u": u, **targets},
        schedule=FullBatch(20),
        coupling=Layerwise(),
        progress=NoProgress(),
    )
    losses = [line.loss for line in found.history]
    assert losses == sorted(losses, reverse=True)
    assert found.loss < losses[0]
    # The model of the loss promises what happens: near the teacher steps are not refused.
    assert np.isfinite([line.gain for line in found.history]).sum() >= 3
