"""Output metrics are the Fisher information and Hessians that they are named after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.errors import DomainError, MetricError
from riemannian_modules.metrics import (
    bernoulli_fisher_factor,
    bernoulli_fisher_factor_of_logits,
    categorical_fisher_factor,
    categorical_fisher_factor_of_logits,
    euclidean_factor,
    gaussian_fisher_factor,
    gaussian_scale_fisher_factor,
    hessian_factor,
    poisson_fisher_factor,
    poisson_mean_fisher_factor,
    recompressed,
    sketch,
)
from tests.strategies import rngs

EPS = np.finfo(float).eps
batches = st.sampled_from([(), (3,), (2, 3)])


def metric(S):
    return S @ np.swapaxes(S, -1, -2)


def close(got, wanted):
    return np.abs(got - wanted).max() <= 100 * EPS * max(1.0, np.abs(wanted).max())


def softmax(z):
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def diagonals(weights):
    return weights[..., None] * np.eye(weights.shape[-1])


@given(rngs, batches, st.integers(1, 5))
def test_the_categorical_metric_is_the_covariance_of_the_score(rng, batch, d):
    z = 3 * rng.standard_normal((*batch, d))
    p = softmax(z)
    # E over labels y of (e_y - p)(e_y - p)^T, label by label.
    scores = np.eye(d) - p[..., None, :]  # row y is the score of label y
    wanted = np.einsum("...y,...yi,...yj->...ij", p, scores, scores)
    assert close(metric(categorical_fisher_factor(p)), wanted)
    assert close(metric(categorical_fisher_factor_of_logits(z)), wanted)


@given(rngs, batches, st.integers(1, 4))
def test_the_bernoulli_metric_is_the_variance_of_the_score(rng, batch, d):
    z = 3 * rng.standard_normal((*batch, d))
    p = 1.0 / (1.0 + np.exp(-z))
    wanted = diagonals(p * (1.0 - p) ** 2 + (1.0 - p) * p**2)
    assert close(metric(bernoulli_fisher_factor(p)), wanted)
    assert close(metric(bernoulli_fisher_factor_of_logits(z)), wanted)


@given(rngs, batches)
def test_the_poisson_metric_is_the_variance_of_the_score(rng, batch):
    rates = rng.uniform(0.2, 5.0, (*batch, 2))
    counts = np.arange(80)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    law = np.exp(counts * np.log(rates)[..., None] - rates[..., None] - factorials)
    score = counts - rates[..., None]  # of the log rate
    assert close(metric(poisson_fisher_factor(rates)), diagonals((law * score**2).sum(-1)))
    score = score / rates[..., None]  # of the rate
    assert close(metric(poisson_mean_fisher_factor(rates)), diagonals((law * score**2).sum(-1)))


@given(rngs, batches)
def test_the_gaussian_metric_is_the_variance_of_the_score(rng, batch):
    s = rng.uniform(0.3, 3.0, (*batch, 2))
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)  # exact for the polynomials below
    weights = weights / weights.sum()
    mean_score, scale_score = nodes / s[..., None], nodes**2 - 1.0 + 0.0 * s[..., None]
    means = (weights * mean_score**2).sum(-1)
    both = np.concatenate([means, (weights * scale_score**2).sum(-1)], axis=-1)
    assert np.abs((weights * mean_score * scale_score).sum(-1)).max() <= 1e-12  # hence diagonal
    assert close(metric(gaussian_fisher_factor(s)), diagonals(means))
    assert close(metric(gaussian_scale_fisher_factor(s)), diagonals(both))


@given(rngs, batches, st.integers(1, 4), st.integers(1, 4))
def test_a_hessian_factor_multiplies_back_even_where_it_is_singular(rng, batch, d, rank):
    B = rng.standard_normal((*batch, d, rank))
    assert close(metric(hessian_factor(metric(B))), metric(B))
    assert close(metric(euclidean_factor(B[..., 0])), np.eye(d) + 0.0 * metric(B))


@given(rngs, st.integers(1, 4))
def test_a_sketch_keeps_the_metric_on_average(rng, columns):
    S, count = rng.standard_normal((3, 5)), 4000
    sketched = sketch(np.broadcast_to(S, (count, 3, 5)), rng, columns)
    assert sketched.shape == (count, 3, columns)
    gap = np.abs(metric(sketched).mean(axis=0) - metric(S))
    # Var (S W W^T S^T)_ij <= (|s_i|^2 |s_j|^2 + (s_i . s_j)^2) / columns <= 2 |s_i|^2 |s_j|^2.
    norms = np.linalg.norm(S, axis=1)
    assert (gap <= 7 * np.sqrt(2.0 / columns / count) * np.outer(norms, norms)).all()


@given(rngs, batches, st.integers(1, 4), st.integers(1, 7))
def test_recompression_keeps_the_metric_in_at_most_as_many_columns_as_rows(rng, batch, d, r):
    F = rng.standard_normal((*batch, d, r))
    small = recompressed(F)
    assert small.shape == (*batch, d, min(d, r))
    assert close(metric(small), metric(F))


def test_extreme_logits_give_finite_accurate_factors():
    S = bernoulli_fisher_factor_of_logits(np.array([-80.0, 80.0, 700.0]))
    assert close(np.diag(S) / np.exp([-40.0, -40.0, -350.0]), 1.0)
    assert np.isfinite(categorical_fisher_factor_of_logits(np.array([1e300, -1e300, 0.0]))).all()


@pytest.mark.parametrize(
    "refused",
    [
        lambda: categorical_fisher_factor([0.5, 0.6]),
        lambda: categorical_fisher_factor([1.5, -0.5]),
        lambda: bernoulli_fisher_factor([1.2]),
        lambda: poisson_fisher_factor([0.0]),
        lambda: poisson_mean_fisher_factor([-1.0]),
        lambda: gaussian_fisher_factor([0.0]),
        lambda: gaussian_scale_fisher_factor([np.nan]),
        lambda: categorical_fisher_factor_of_logits([np.inf, 0.0]),
    ],
)
def test_numbers_out_of_their_domain_are_refused(refused):
    with pytest.raises(DomainError, match="expected"):
        refused()


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: hessian_factor([np.eye(2), np.diag([1.0, -1.0])]), "eigenvalue -1 in number 1"),
        (lambda: hessian_factor([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (lambda: hessian_factor(np.ones((2, 3))), "d, d"),
        (lambda: hessian_factor(np.ones(3)), "axes"),
        (lambda: categorical_fisher_factor(1.0), "axes"),
        (lambda: euclidean_factor(np.ones((0, 3))), "non-empty"),
        (lambda: recompressed(np.ones(2)), "One column"),
        (lambda: sketch(np.eye(2), np.random.default_rng(0), 0), "column"),
    ],
)
def test_what_is_no_output_metric_is_refused(refused, words):
    with pytest.raises(MetricError, match=words):
        refused()


@given(rngs)
def test_torch_tensors_give_the_same_factors(rng):
    torch = pytest.importorskip("torch")
    p, H = softmax(rng.standard_normal((2, 3))), metric(rng.standard_normal((2, 3, 3)))
    for build in (categorical_fisher_factor, categorical_fisher_factor_of_logits,
                  bernoulli_fisher_factor, bernoulli_fisher_factor_of_logits,
                  poisson_fisher_factor, poisson_mean_fisher_factor, gaussian_fisher_factor,
                  gaussian_scale_fisher_factor, euclidean_factor):  # fmt: skip
        assert close(build(torch.from_numpy(p)).numpy(), build(p))
    assert close(metric(hessian_factor(torch.from_numpy(H)).numpy()), H)
    assert isinstance(sketch(torch.from_numpy(H), rng, 2), torch.Tensor)
