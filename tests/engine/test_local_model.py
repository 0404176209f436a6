"""Local models solve what their dense matrices say, joint and layer by layer."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from riemannian_modules.engine.dataset import Dataset
from riemannian_modules.engine.fit import fit
from riemannian_modules.engine.losses import SquaredLoss
from riemannian_modules.engine.objective import Joint, Layerwise, Objective
from riemannian_modules.engine.progress import NoProgress
from riemannian_modules.engine.schedule import FullBatch
from tests.engine.layers import random_graph
from tests.strategies import rngs

EPS = np.finfo(float).eps


def local_models(rng, count):
    graph = random_graph(rng, count)
    u = rng.standard_normal((5, graph.signature.inputs.size))
    data = Dataset(u, rng.standard_normal((5, graph.signature.outputs.size)))
    found = []
    for coupling in (Joint(), Layerwise()):
        objective = Objective(graph, data, SquaredLoss(), coupling)
        found.append(objective.model(objective.trial(graph.theta)))
    F = graph.jacobian(np.zeros(0), u, graph.theta).F
    residual = graph.output(np.zeros(0), u, graph.theta) - data.targets
    sizes = [owner.signature.parameters.size for owner in graph.owners.values()]
    layer = np.repeat(np.arange(len(sizes)), sizes)
    return found, F.reshape(-1, F.shape[-1]) / np.sqrt(5), residual.ravel() / np.sqrt(5), layer


@given(rngs, st.integers(1, 4))
@settings(max_examples=20)
def test_both_couplings_agree_with_the_dense_formulas(rng, count):
    (joint, layered), J, r, layer = local_models(rng, count)
    whole = J.T @ J
    blocks = np.where(layer[:, None] == layer, whole, 0.0)
    damping, free = rng.uniform(0.1, 1.0, len(whole)), rng.random(len(whole)) < 0.8
    step = rng.standard_normal(len(whole))
    for model, M in ((joint, whole), (layered, blocks)):
        assert np.allclose(model.gradient, J.T @ r, rtol=1e-12, atol=1e-13)
        assert np.allclose(model.diagonal, np.diag(whole), rtol=1e-12, atol=1e-14)
        # Columns may come in another order: their sum of squares does not care.
        assert np.isclose(np.sum(model.push(step) ** 2), step @ whole @ step, rtol=1e-11)
        assert np.allclose(model.pull(model.push(step)), whole @ step, rtol=1e-10, atol=1e-12)
        everywhere = np.ones_like(free)
        solved = model.solver(damping, everywhere)(model.gradient)
        assert np.allclose((M + np.diag(damping)) @ solved, J.T @ r, rtol=0, atol=1e-10)
        assert (model.solver(damping, free)(model.gradient)[~free] == 0).all()
    inner = (whole + np.diag(damping))[np.ix_(free, free)]
    solved = joint.solver(damping, free)(joint.gradient)[free]
    assert np.allclose(inner @ solved, joint.gradient[free], rtol=0, atol=1e-10)


@given(rngs, st.integers(1, 3))
@settings(max_examples=10)
def test_the_decrement_is_the_projection_of_the_residual(rng, count):
    (joint, _), J, r, _ = local_models(rng, count)
    Q, s, _ = np.linalg.svd(J, full_matrices=False)
    assume(((s > 1e-7 * s[0]) | (s < 1e-13 * s[0])).all())  # the rank is in no doubt
    explained = Q[:, s > 1e-9 * s[0]].T @ r
    got = joint.decrement(np.ones(J.shape[1], dtype=bool))
    assert abs(got - np.linalg.norm(explained)) <= 1e-6 * (1 + np.linalg.norm(r))


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
