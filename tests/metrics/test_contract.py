"""What every metric owes, held against its dense matrix."""

import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules import metrics
from riemannian_modules.errors import DomainError, MetricError
from riemannian_modules.metrics import Metric, downdated, forgotten, pullback, truncated, updated
from tests.metrics.examples import DIM, METRICS, plain
from tests.strategies import rngs

EPS = np.finfo(float).eps
examples = st.sampled_from(sorted(METRICS))


def near(got, wanted, condition):
    """Equal up to a hundred roundings times the condition number of what was computed."""
    error = np.linalg.norm(np.asarray(got) - wanted)
    return error <= 100 * EPS * condition * max(1.0, np.linalg.norm(wanted))


@given(rngs, examples, st.sampled_from([(), (1,), (3,)]))
def test_apply_is_the_product_with_the_dense_matrix(rng, name, columns):
    metric, M = METRICS[name](rng, plain)
    v = rng.standard_normal((DIM, *columns))
    assert metric.apply(v).shape == v.shape
    assert near(metric.apply(v), M @ v, np.linalg.norm(M))
    assert near(metric.as_matrix(), M, np.linalg.norm(M))


@given(rngs, examples, st.sampled_from([(), (1,), (3,)]))
def test_solve_is_the_inverse_of_the_dense_matrix(rng, name, columns):
    metric, M = METRICS[name](rng, plain)
    v = rng.standard_normal((DIM, *columns))
    assert metric.solve(v).shape == v.shape
    assert near(metric.solve(v), np.linalg.solve(M, v), np.linalg.cond(M))


@given(rngs, examples)
def test_the_root_colours_and_whitens(rng, name):
    metric, M = METRICS[name](rng, plain)
    root, eye = metric.colour(np.eye(DIM)), np.eye(DIM)
    assert near(root @ root.T, M, np.linalg.cond(M))
    assert near(metric.whiten(root), eye, np.linalg.cond(M))
    assert near(metric.whiten_adjoint(root.T), eye, np.linalg.cond(M))
    v = rng.standard_normal(DIM)
    assert near(metric.colour(metric.whiten(v)), v, np.linalg.cond(M))
    assert near(metric.whiten_adjoint(metric.whiten(v)), np.linalg.solve(M, v), np.linalg.cond(M))


@given(rngs, examples)
def test_logdet_is_that_of_the_dense_matrix(rng, name):
    metric, M = METRICS[name](rng, plain)
    # log det moves by tr(M^{-1} dM), hence by at most n cond(M) roundings.
    assert abs(metric.logdet() - np.linalg.slogdet(M)[1]) <= 100 * EPS * DIM * np.linalg.cond(M)


@given(rngs, examples)
def test_the_norm_is_the_length_in_the_metric(rng, name):
    metric, M = METRICS[name](rng, plain)
    v = rng.standard_normal((DIM, 3))
    assert near(metric.norm(v) ** 2, np.diag(v.T @ M @ v), np.linalg.cond(M))
    assert near(metric.norm(v[:, 0]) ** 2, v[:, 0] @ M @ v[:, 0], np.linalg.cond(M))


@given(rngs, examples, st.integers(1, DIM))
def test_the_pullback_is_the_congruence(rng, name, k):
    metric, M = METRICS[name](rng, plain)
    J = np.linalg.qr(rng.standard_normal((DIM, k)))[0] * rng.uniform(0.5, 2.0, k)
    pulled, wanted = pullback(metric, J), J.T @ M @ J
    v = rng.standard_normal(k)
    assert near(pulled.as_matrix(), wanted, np.linalg.cond(M))
    assert near(pulled.solve(v), np.linalg.solve(wanted, v), np.linalg.cond(wanted))


@given(rngs, examples, st.integers(0, 3))
def test_updates_and_forgetting_are_those_of_the_dense_matrix(rng, name, k):
    metric, M = METRICS[name](rng, plain)
    V, alpha, v = rng.standard_normal((DIM, k)), rng.uniform(0.2, 1.5), rng.standard_normal(DIM)
    changed, wanted = forgotten(updated(metric, V), alpha), alpha * (M + V @ V.T)
    assert near(changed.as_matrix(), wanted, np.linalg.norm(wanted))
    assert near(changed.solve(v), np.linalg.solve(wanted, v), np.linalg.cond(wanted))


@given(rngs, examples)
def test_a_downdate_takes_back_an_update(rng, name):
    metric, M = METRICS[name](rng, plain)
    V, v = rng.standard_normal((DIM, 2)), rng.standard_normal(DIM)
    back = downdated(updated(metric, V), V)
    # The solve of a difference is as sensitive as the sum that it is taken from.
    condition = np.linalg.cond(M) * np.linalg.cond(M + V @ V.T)
    assert near(back.as_matrix(), M, condition)
    assert near(back.solve(v), np.linalg.solve(M, v), condition)


@given(rngs, examples, st.floats(1.01, 3.0))
def test_a_downdate_past_definiteness_is_refused(rng, name, excess):
    metric, M = METRICS[name](rng, plain)
    v = rng.standard_normal((DIM, 1))
    v *= np.sqrt(
        excess / (v.T @ np.linalg.solve(M, v))
    )  # then x = M^{-1} v has x^T (M - vv^T) x < 0
    with pytest.raises(MetricError, match="positive definite"):
        downdated(metric, v)


@given(rngs, examples, st.integers(0, 8))
def test_truncation_keeps_its_bound(rng, name, rank):
    metric, M = METRICS[name](rng, plain)
    try:
        short, bound = truncated(metric, rank)
    except MetricError:
        assert name == "downdated"  # less may be left than was taken away, which is said
        return
    assert np.linalg.norm(short.as_matrix() - M, 2) <= bound + 100 * EPS * np.linalg.norm(M, 2)


@settings(max_examples=15)
@given(rngs, examples)
def test_samples_have_the_metric_as_covariance_and_its_inverse(rng, name):
    metric, M = METRICS[name](rng, plain)
    count = 4000
    for draws, covariance in (
        (metric.sample(rng, count), M),
        (metric.sample_inverse(rng, count), np.linalg.inv(M)),
    ):
        assert draws.shape == (DIM, count)
        white = np.linalg.solve(np.linalg.cholesky(covariance), draws)
        # Entries of the empirical covariance of white noise deviate by sqrt(2 / count) at most;
        # 6.5 of these over 2 * 36 entries is passed by chance once in 10^8.
        gap = np.abs(white @ white.T / count - np.eye(DIM))
        assert gap.max() <= 6.5 * np.sqrt(2.0 / count)


@given(rngs, examples)
def test_torch_tensors_give_the_same_numbers(rng, name):
    torch = pytest.importorskip("torch")
    state = rng.bit_generator.state
    metric, M = METRICS[name](rng, plain)
    v, V = rng.standard_normal((DIM, 2)), 0.1 * rng.standard_normal((DIM, 1))
    rng.bit_generator.state = state
    twin, _ = METRICS[name](rng, torch.from_numpy)
    t, condition = torch.from_numpy(v), np.linalg.cond(M)
    for got, wanted in (
        (twin.apply(t), metric.apply(v)),
        (twin.solve(t), metric.solve(v)),
        (twin.solve(t[:, 0]), metric.solve(v[:, 0])),
        (updated(twin, torch.from_numpy(V)).solve(t), updated(metric, V).solve(v)),
        (pullback(twin, t).as_matrix(), pullback(metric, v).as_matrix()),
        (twin.norm(t), metric.norm(v)),
        (twin.as_matrix(), M),
    ):
        assert got.dtype == torch.float64
        assert near(got, np.asarray(wanted), condition)
    assert abs(twin.logdet() - metric.logdet()) <= 100 * EPS * DIM * condition
    assert isinstance(twin.sample(rng, 2), torch.Tensor)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_bad_arguments_get_errors_of_the_library(name):
    metric, _ = METRICS[name](np.random.default_rng(0), plain)
    for refused in (metric.apply, metric.solve, metric.norm):
        with pytest.raises(MetricError, match="expected shape"):
            refused(np.ones(DIM + 1))
    for refused in (pullback, updated, downdated):
        with pytest.raises(MetricError, match="expected shape"):
            refused(metric, np.ones(DIM))
        with pytest.raises(DomainError, match="finite"):
            refused(metric, np.full((DIM, 1), np.nan))
    for alpha in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(DomainError, match="alpha"):
            forgotten(metric, alpha)
    with pytest.raises(MetricError, match="rank"):
        truncated(metric, -1)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_pullback_along_a_null_direction_is_refused(name):
    metric, _ = METRICS[name](np.random.default_rng(1), plain)
    with pytest.raises(MetricError, match="positive definite"):
        pullback(metric, np.ones((DIM, 2))).solve(np.ones(2))


def test_every_metric_is_exported_and_has_an_example():
    built = {type(build(np.random.default_rng(0), plain)[0]).__name__ for build in METRICS.values()}
    # A file that nobody imports holds a metric that nobody would miss.
    for file in pkgutil.iter_modules(metrics.__path__, metrics.__name__ + "."):
        importlib.import_module(file.name)
    # By name, for a dataclass with slots leaves the class that it was made from behind.
    ours = [cls for cls in Metric.__subclasses__() if cls.__module__.startswith(metrics.__name__)]
    assert {cls.__name__ for cls in ours} == built
    assert built <= set(metrics.__all__)


def test_a_metric_owes_at_most_eight_operations():
    # What makes another metric of one stands outside the class, beside the choice of its kind.
    assert len(Metric.__abstractmethods__) <= 8


class Doubled(Metric):
    """``2 I`` by the operations that a metric owes, and no others."""

    dim, prototype = DIM, np.ones(1)

    def logdet(self):
        return DIM * np.log(2.0)

    def colour(self, z):
        return np.sqrt(2.0) * z

    def whiten(self, v):
        return v / np.sqrt(2.0)

    def whiten_adjoint(self, z):
        return z / np.sqrt(2.0)

    def _apply(self, v):
        return 2.0 * v


@given(rngs)
def test_all_operations_take_a_metric_that_the_library_does_not_know(rng):
    metric, M, v = Doubled(), 2.0 * np.eye(DIM), rng.standard_normal(DIM)
    V, J = rng.standard_normal((DIM, 2)), rng.standard_normal((DIM, 3))
    small = V / np.linalg.norm(V)  # less than the metric has along each direction
    for made, wanted in (
        (metric, M),
        (updated(metric, V), M + V @ V.T),
        (downdated(metric, small), M - small @ small.T),
        (forgotten(metric, 0.3), 0.3 * M),
        (truncated(metric, 1)[0], M),
    ):
        assert near(made.as_matrix(), wanted, np.linalg.norm(wanted))
        assert near(made.solve(v), np.linalg.solve(wanted, v), np.linalg.cond(wanted))
    assert near(pullback(metric, J).as_matrix(), J.T @ M @ J, np.linalg.norm(J) ** 2)
