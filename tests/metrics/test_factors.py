"""Factors do what their dense matrices do, formed or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules import metrics
from riemannian_modules.errors import DomainError, MetricError
from riemannian_modules.metrics import Factor, add, join, khatri_rao_factor, stack
from riemannian_modules.metrics.factor import DenseFactor
from riemannian_modules.metrics.factor_of_parts import FactorOfParts
from tests.metrics.examples import FACTORS, khatri_rao, plain
from tests.strategies import rngs

EPS = np.finfo(float).eps
names = st.sampled_from(sorted(FACTORS))
arrays = st.sampled_from(["numpy", "torch"])


def library(name):
    return plain if name == "numpy" else pytest.importorskip("torch").from_numpy


def same(got, wanted, size):
    got = np.asarray(got)
    return got.shape == wanted.shape and np.abs(got - wanted).max(initial=0.0) <= 100 * EPS * size


@given(rngs, names, arrays, st.sampled_from([(), (1,), (3,)]))
def test_products_are_those_of_the_dense_matrix(rng, name, where, more):
    array = library(where)
    factor, U = FACTORS[name](rng, array)
    z, v = rng.standard_normal((U.shape[1], *more)), rng.standard_normal((U.shape[0], *more))
    size = max(1.0, np.linalg.norm(U)) * 10
    assert (factor.dim, factor.columns) == U.shape
    assert same(factor.matvec(array(z)), U @ z, size)
    assert same(factor.rmatvec(array(v)), U.T @ v, size)
    assert same(factor.as_matrix(), U, size)
    assert same(factor.rows(1, 4), U[1:4], size)
    assert same(factor.scaled(-2.0).as_matrix(), -2.0 * U, 2 * size)
    assert same(factor.squares(), np.diag(U @ U.T), size**2)
    for w in (rng.uniform(0.5, 2.0, len(U)), np.full(len(U), 3.0)):
        weighted = factor.weighted(array(w))
        assert same(weighted.as_matrix(), w[:, None] * U, 3 * size)
        assert same(weighted.gram(), U.T @ (w[:, None] ** 2 * U), 9 * size**2)


@given(rngs, names, names, arrays)
def test_gram_matrices_are_those_of_the_dense_matrices(rng, name, other, where):
    array = library(where)
    (left, U), (right, V) = FACTORS[name](rng, array), FACTORS[other](rng, array)
    size = max(1.0, np.linalg.norm(U)) * max(1.0, np.linalg.norm(V))
    assert same(left.gram(), U.T @ U, size**2)
    assert same(left.outer(), U @ U.T, size**2)
    assert same(left.cross_gram(right), U.T @ V, size)


@given(rngs, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_a_khatri_rao_factor_is_its_columns_of_outer_products(rng, batch, n_out, n_in, k):
    factor, U = khatri_rao(rng, plain, batch, n_out, n_in, k)
    assert same(factor.as_matrix(), U, 10)
    assert same(factor.gram(), U.T @ U, 10 * max(1.0, np.linalg.norm(U) ** 2))
    assert same(factor.outer(), U @ U.T, 10 * max(1.0, np.linalg.norm(U) ** 2))


@given(rngs)
def test_dense_neighbours_are_merged_so_that_many_updates_stay_one_product(rng):
    parts = [DenseFactor(rng.standard_normal((4, 1)), 2.0) for _ in range(5)]
    joined = join([parts[0], join(parts[1:])])
    assert isinstance(joined, DenseFactor)
    assert same(joined.as_matrix(), np.hstack([part.as_matrix() for part in parts]), 10)


def test_bad_factors_are_refused():
    with pytest.raises(MetricError, match="activations"):
        khatri_rao_factor(np.ones((2, 3)), np.ones((3, 4, 1)))
    with pytest.raises(MetricError, match="k = 1"):
        khatri_rao_factor(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(DomainError, match="finite"):
        khatri_rao_factor(np.full((2, 3), np.inf), np.ones((2, 4, 1)))
    short, long = DenseFactor(np.ones((2, 1))), DenseFactor(np.ones((3, 1)))
    for combine in (join, add):
        with pytest.raises(MetricError, match="rows"):
            combine([short, long])
        with pytest.raises(MetricError, match="rows"):
            combine([])
    with pytest.raises(MetricError, match="columns"):
        add([short, DenseFactor(np.ones((2, 2)))])
    for parts in ([short, DenseFactor(np.ones((2, 2)))], []):
        with pytest.raises(MetricError, match="columns"):
            stack(parts)


def test_every_factor_is_exported_and_has_an_example():
    built = {type(build(np.random.default_rng(0), plain)[0]).__name__ for build in FACTORS.values()}
    # By name, for a dataclass with slots leaves the class that it was made from behind.
    ours = [*Factor.__subclasses__(), *FactorOfParts.__subclasses__()]
    assert {cls.__name__ for cls in ours if not cls.__abstractmethods__} == built
    assert built <= set(metrics.__all__)
