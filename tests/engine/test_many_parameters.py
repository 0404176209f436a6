"""Fits of many parameters, outputs or samples: the way is chosen by cost, and no matrix is formed
that is larger than the answer."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import (
    CategoricalLoss,
    FullBatch,
    Joint,
    Layerwise,
    NoProgress,
    SquaredLoss,
    Way,
    dataset,
    fit,
    gradient,
    one_hot,
)
from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.krylov_model import KrylovModel
from riemannian_modules.engine.objective import Objective, model_of
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.metrics import KhatriRaoFactor
from tests.engine.layers import random_graph
from tests.strategies import rngs


def net(rng, *widths):
    """Dense layers with tanh between them."""
    parts = []
    for n_in, n_out in pairwise(widths):
        W = rng.uniform(-1, 1, (n_out, n_in)) / np.sqrt(n_in)
        parts += [rm.Affine(W, 0.1 * rng.standard_normal(n_out)), rm.Tanh(n_out)]
    return rm.chain(*parts[:-1])


def regression(rng, B, *widths):
    module = net(rng, *widths)
    X = rng.standard_normal((B, widths[0]))
    y = np.sin(X[:, :1]) + 0.1 * rng.standard_normal((B, widths[-1]))
    return module, dataset(module, {"u": X, "y": y})


def classification(rng, B, *widths):
    module, q = net(rng, *widths), widths[-1]
    X = rng.standard_normal((B, widths[0]))
    return module, Dataset(X, one_hot(rng.integers(0, q, B).astype(float), q))


def linearised(module, data, loss):
    objective = Objective(module, data, loss, Joint())
    return objective.linearisation(objective.trial(module.theta))


def peak_of(work):
    """The most memory that NumPy held at once while working, in numbers of eight bytes."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 8


@pytest.mark.parametrize(
    ("widths", "B", "way"),
    [
        ((3, 2), 1000, Way.PRIMAL),  # 8 parameters
        ((10, 20, 1), 2000, Way.PRIMAL),  # 241 parameters, more samples
        ((10, 64, 64, 1), 353, Way.DUAL),  # 4,929 parameters, fewer samples
        ((10, 20, 1), 30, Way.DUAL),
        ((20, 32, 300), 128, Way.PRODUCTS),  # 10,572 parameters, 38,400 columns
        ((10, 64, 64, 1), 20_000, Way.PRODUCTS),
    ],
)
def test_the_cheapest_way_is_taken(widths, B, way):
    rng = np.random.default_rng(0)
    module = net(rng, *widths)
    data = Dataset(np.zeros((B, widths[0])), np.zeros((B, widths[-1])))
    plan = Joint().plan(module, data)
    assert plan.way is way
    assert f"{module.theta.size:,} parameters" in plan.reason
    assert Layerwise().plan(module, data).way is Way.LAYERS


def test_modules_with_output_metrics_of_their_own_have_no_products():
    graph = random_graph(np.random.default_rng(0), 30, local_columns=1)
    many = Dataset(np.zeros((10_000_000, 2)), np.zeros((10_000_000, 4)))
    assert Joint().plan(graph, many).way is Way.LAYERS


@given(rngs, st.integers(1, 6), st.integers(2, 4), st.sampled_from([SquaredLoss, CategoricalLoss]))
@settings(max_examples=15)
def test_all_ways_take_the_same_step(rng, B, q, kind):
    module, data = classification(rng, B, 3, 4, q)
    here, p = linearised(module, data, kind()), module.theta.size
    # Arrays with scales of their own keep the factors' structure; other dampings do not.
    each = np.concatenate([np.full(s.stop - s.start, rng.uniform(0.1, 1)) for s in here.ports])
    for damping in (each, rng.uniform(0.1, 1.0, p)):
        free = np.ones(p, dtype=bool)
        qr = model_of(Way.PRIMAL, here).solver(damping, free)(here.gradient)
        dual = model_of(Way.DUAL, here).solver(damping, free)(here.gradient)
        products = KrylovModel(here, 1e-13, 10_000).solver(damping, free)(here.gradient)
        size = np.linalg.norm(qr)
        assert np.linalg.norm(dual - qr) <= 1e-10 * size
        assert np.linalg.norm(products - qr) <= 1e-9 * size


@given(rngs)
@settings(max_examples=10)
def test_other_dampings_of_one_proportion_form_the_gram_matrix_once(rng):
    module, data = regression(rng, 7, 3, 5, 1)
    model, free = model_of(Way.DUAL, linearised(module, data, SquaredLoss())), np.ones(26, bool)
    counted, gram = [], KhatriRaoFactor.gram

    def counting(factor):
        counted.append(factor)
        return gram(factor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KhatriRaoFactor, "gram", counting)
        for mu in (1.0, 0.25, 1e-3, 1e-30):
            model.solver(mu * model.diagonal, free)(model.gradient)
        model.decrement(free)
    assert len(counted) == 2  # one for each layer's weights


def test_a_dual_step_forms_no_column_of_the_metric():
    rng = np.random.default_rng(0)
    module, data = regression(rng, 60, 10, 150, 150, 1)
    p, c = module.theta.size, 60
    objective = Objective(module, data, SquaredLoss(), Joint())
    assert objective.plan.way is Way.DUAL

    def step():
        model = objective.model(objective.trial(module.theta))
        model.solver(0.1 * model.diagonal, np.ones(p, dtype=bool))(model.gradient)

    # Vectors of p, matrices of c by c, and activations; p c would be 1.4 million.
    assert peak_of(step) <= 20 * p + 10 * c * c + 10 * c * 310 < 0.5 * p * c


def test_three_hundred_classes_take_memory_linear_in_parameters_and_batch():
    rng = np.random.default_rng(0)
    module, data = classification(rng, 128, 20, 32, 300)
    p, held = module.theta.size, 128 * (20 + 32 + 32 + 300)
    found = []

    def train():
        found.append(fit(
            module, {"u": data.inputs, "y": data.targets}, CategoricalLoss(),
            schedule=FullBatch(6), progress=NoProgress(),
        ))  # fmt: skip

    fit(module, data, CategoricalLoss(), schedule=FullBatch(1), progress=NoProgress())  # imports
    # A factor of the outputs' metric alone, 128 x 300 x 300, would be 11 million.
    assert peak_of(train) <= 20 * p + 20 * held < 0.15 * 128 * 300**2
    assert found[0].loss < 0.8 * found[0].history[0].loss
    with pytest.raises(UnsupportedError, match="covariance"):
        _ = found[0].covariance


def test_a_layerwise_fit_forms_neither_covariance_nor_triangle():
    rng = np.random.default_rng(0)
    module, data = regression(rng, 50, 10, 150, 150, 1)
    p = module.theta.size
    train = lambda: fit(  # noqa: E731
        module, data, schedule=FullBatch(3), coupling=Layerwise(), progress=NoProgress()
    )
    assert peak_of(train) <= 30 * p + 30 * 50 * 310 + 20 * 50**2 < 0.01 * p * p


def test_the_covariance_of_many_samples_is_gathered_in_blocks():
    rng = np.random.default_rng(0)
    B, m = 120_000, 40
    X = rng.standard_normal((B, m))
    y = X @ rng.standard_normal(m) + rng.standard_normal(B)
    objective = Objective(
        rm.Affine(np.zeros((1, m))), Dataset(X, y[:, None]), SquaredLoss(), Joint()
    )
    trial = objective.trial(objective.module.theta)
    known = []
    peak = peak_of(lambda: known.append(objective.information(trial)))
    A = np.column_stack([X, np.ones(B)]) / np.sqrt(B)
    assert np.allclose(known[0].J.T @ known[0].J, A.T @ A, rtol=1e-12, atol=1e-13)
    assert peak < 3_500_000 < B * m  # whatever B is


def test_deviations_are_known_however_many_the_samples():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30_000, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.5 + rng.standard_normal(30_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("riemannian_modules.engine.objective.LARGEST_BLOCK", 10_000)
        patch.setattr("riemannian_modules.engine.assessment._MOST_ENTRIES", 100)
        found = fit(rm.Affine(np.zeros((1, 3))), {"u": X, "y": y[:, None]}, progress=NoProgress())
    A = np.column_stack([X, np.ones(len(X))])
    beta, left, *_ = np.linalg.lstsq(A, y, rcond=None)
    wanted = np.sqrt(np.diag(np.linalg.inv(A.T @ A)) * left / (len(X) - 4))
    assert np.allclose(found.theta, beta, rtol=1e-9)
    assert np.allclose(found.deviations, wanted, rtol=1e-7)


@given(rngs, st.integers(1, 4), st.booleans())
@settings(max_examples=20)
def test_a_gradient_is_the_sum_of_the_samples_own(rng, count, shared):
    graph = random_graph(rng, count, shared=shared)
    s = graph.signature
    point = graph.point(None, rng.standard_normal((5, s.inputs.size)))
    slopes = rng.standard_normal((5, s.outputs.size))
    F = graph.jacobian(point.x, point.u, point.theta).F
    wanted = np.einsum("bqp,bq->p", np.broadcast_to(F, (5, *F.shape[-2:])), slopes)
    assert np.allclose(gradient(graph, point, slopes), wanted, rtol=1e-11, atol=1e-12)
    for one in (slopes[0], np.ones((1, s.outputs.size))):
        whole = np.broadcast_to(one, slopes.shape)
        assert np.allclose(gradient(graph, point, one), gradient(graph, point, whole), rtol=1e-12)


def test_a_gradient_forms_none_for_each_sample():
    rng = np.random.default_rng(0)
    module, data = regression(rng, 64, 20, 200, 200, 5)
    point, slopes = module.point(None, data.inputs), np.ones((64, 5))
    p = module.theta.size
    assert peak_of(lambda: gradient(module, point, slopes)) <= 5 * p + 20 * 64 * 430 < 20 * p


def test_slopes_that_do_not_fit_are_refused():
    module = rm.Affine(np.zeros((2, 3)))
    point = module.point(None, np.zeros((4, 3)))
    for slopes in (np.zeros((4, 3)), np.zeros((5, 2)), np.zeros((1, 4, 2)), 1.0):
        with pytest.raises(SignatureError, match="slopes"):
            gradient(module, point, slopes)
    with pytest.raises(SignatureError, match="no parameters"):
        gradient(rm.Tanh(2), rm.Tanh(2).point(None, np.zeros(2)), np.zeros(2))
