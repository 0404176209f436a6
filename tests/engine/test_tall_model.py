"""Many samples are gone through by blocks: the same model and the same fit, in little memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import NoProgress, StudentLoss, fit, ridge
from riemannian_modules.engine.local_model import JointModel
from riemannian_modules.engine.tall_model import TallModel
from riemannian_modules.engine.triangle import blocks_of
from tests.strategies import rngs


def both(rng, columns, p, height):
    """A model whose columns are held, and one that goes through them."""
    J = rng.standard_normal((columns, p)) * rng.uniform(0.1, 10.0, p)
    places = [slice(i, i + height) for i in range(0, columns, height)]
    held = JointModel(J.T @ rng.standard_normal(columns), J)
    return held, TallModel(held.gradient, J.T @ J, lambda: ((s, J[s]) for s in places), columns)


@given(rngs, st.integers(1, 5), st.integers(1, 7))
def test_going_through_blocks_gives_the_model_of_all_columns(rng, p, height):
    held, tall = both(rng, 4 * p + 3, p, height)
    free, step = rng.random(p) < 0.8, rng.standard_normal(p)
    w = rng.standard_normal(held.columns)
    assert np.allclose(tall.pull(w), held.pull(w))
    assert np.isclose(np.linalg.norm(tall.push(step)), np.linalg.norm(held.push(step)))
    assert np.isclose(tall.decrement(free), held.decrement(free))
    rows, known = rng.random(held.columns) < 0.7, held.triangle(free)
    for counted in (None, rows):
        assert np.isclose(
            tall.explained(counted, known, free), held.explained(counted, known, free)
        )


@given(rngs)
def test_nearly_equal_columns_keep_their_digits(rng):
    J = rng.standard_normal((40, 2))
    J[:, 1] = J[:, 0] + 1e-7 * J[:, 1]
    tall = TallModel(np.zeros(2), J.T @ J, lambda: ((s, J[s]) for s in blocks_of(40, 2)), 40)
    R = np.linalg.qr(J, mode="r")
    # Normal equations would have lost all of the second pivot's sixteen digits but two.
    assert np.isclose(abs(tall.root[1, 1]), abs(R[1, 1]), rtol=1e-6)


@pytest.fixture
def by_blocks(monkeypatch):
    import sys

    objective = sys.modules["riemannian_modules.engine.objective"]
    monkeypatch.setattr(objective, "_MOST_HELD", 50)
    monkeypatch.setattr(sys.modules["riemannian_modules.engine.triangle"], "LARGEST_BLOCK", 60)
    monkeypatch.setattr(objective, "LARGEST_BLOCK", 60)


class Peak(rm.StaticMap):
    """A bump over a floor."""

    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"a": 1.0, "m": 2.0, "s": 1.0, "b": 0.1}

    def map(self, u, p):
        return {"y": p.a * np.exp(-(((u.t - p.m) / p.s) ** 2) / 2) + p.b}


def peak_data():
    rng, t = np.random.default_rng(0), np.linspace(0.0, 5.0, 200)
    noise = 0.1 * rng.standard_normal(200)
    return {"t": t, "y": 3.0 * np.exp(-(((t - 2.5) / 0.7) ** 2) / 2) + 0.5 + noise}


WAYS = [
    {},
    {"prior": ridge(0.5)},
    {"loss": StudentLoss(0.1)},
    {"sigma": np.linspace(0.05, 0.2, 200)},
    {"bounds": {"s": (0.8, 2.0)}},
]


@pytest.mark.parametrize("given_", WAYS, ids=lambda way: next(iter(way), "plain"))
def test_a_fit_by_blocks_is_the_fit_of_all_at_once(given_, request):
    whole = fit(Peak(), peak_data(), progress=NoProgress(), **given_)
    request.getfixturevalue("by_blocks")
    found = fit(Peak(), peak_data(), progress=NoProgress(), **given_)
    assert found.outcome.is_settled
    assert whole.outcome.is_settled
    assert np.allclose(found.theta, whole.theta, rtol=1e-8)
    assert np.allclose(found.covariance, whole.covariance, rtol=1e-5, atol=1e-15)
    assert np.isclose(found.freedom, whole.freedom, rtol=1e-9)


def test_many_samples_take_no_more_memory_than_their_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200_000, 40))
    y = X @ np.ones(40) + rng.standard_normal(len(X))
    tracemalloc.start()
    found = fit(rm.Affine(np.zeros((1, 40)), 0.0), {"u": X, "y": y[:, None]}, progress=NoProgress())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    A = np.column_stack([X, np.ones(len(X))])
    assert np.allclose(found.theta, np.linalg.lstsq(A, y, rcond=None)[0], atol=1e-10)
    # One copy of the inputs, a block of columns with its copies, and some vectors of samples.
    assert peak < 2.0 * X.nbytes
