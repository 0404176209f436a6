"""What is said at the end of a fit: settled at what floating point can attain, or diverging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import riemannian_modules as rm
from riemannian_modules.engine import (
    BernoulliLoss,
    CategoricalLoss,
    Joint,
    NoProgress,
    Outcome,
    PoissonLoss,
    fit,
    one_hot,
)
from tests.strategies import rngs

QUIET = NoProgress()


def affine(inputs, outputs=1):
    return rm.Affine(np.zeros((outputs, inputs)), np.zeros(outputs))


def attempts(result):
    return sum(line.number == 0 for line in result.history)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gap", [1e-6, 1e-7])
def test_nearly_parallel_columns_settle_at_the_least_squares(seed, gap):
    rng = np.random.default_rng(seed)
    x, noise = rng.uniform(0, 1, 50) + seed % 2, rng.choice([0.0, 1e-2, 1.0])
    X = np.stack([x, x + gap * rng.standard_normal(50)], 1)
    y = X @ [1.0, 2.0] + noise * rng.standard_normal(50)
    module = rm.Affine(rng.standard_normal((1, 2)), np.zeros(1))
    found = fit(module, {"u": X, "y": y[:, None]}, coupling=Joint(), progress=QUIET)
    assert found.outcome.is_settled
    Q = np.linalg.qr(np.column_stack([X, np.ones(50)]))[0]
    least = 0.5 * np.sum((y - Q @ (Q.T @ y)) ** 2)
    assert found.loss <= least * (1 + 1e-8) + 1e-24 * y @ y


class Mixture(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"a": 1.0, "b": 1.0}

    def map(self, u, p):
        return {"y": p.a * np.exp(-u.t) + p.b * u.t}


@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_a_parameter_whose_true_value_is_zero_is_fitted_once(noise, seed):
    t = np.linspace(0.0, 3.0, 40)
    y = 2 * np.exp(-t) + noise * np.random.default_rng(seed).standard_normal(40)
    found = fit(Mixture(), {"t": t, "y": y}, progress=QUIET)
    assert found.outcome.is_settled
    assert attempts(found) == 1
    assert abs(found.theta[1]) <= 5 * found.deviations[1] + 1e-12


SEPARATED = {
    "two classes": (lambda x: (x.sum(1, keepdims=True) > 0) * 1.0, BernoulliLoss()),
    "one class": (lambda x: np.ones((len(x), 1)), BernoulliLoss()),
    "counts of zero": (lambda x: np.zeros((len(x), 1)), PoissonLoss()),
    "three classes": (lambda x: one_hot(np.digitize(x[:, 0], [-0.5, 0.5]), 3), CategoricalLoss()),
}


@pytest.mark.parametrize("case", SEPARATED)
def test_separated_data_are_said_to_diverge(case):
    targets, loss = SEPARATED[case]
    x = np.random.default_rng(0).standard_normal((60, 2))
    y = targets(x)
    found = fit(affine(2, y.shape[1]), {"u": x, "y": y}, loss=loss, progress=QUIET)
    assert found.outcome is Outcome.DIVERGES
    assert not found.outcome.is_settled
    assert "diverges: the data are separated" in str(found).splitlines()[0]
    assert np.isinf(found.deviations).any()
    assert found.undetermined


def test_data_that_touch_at_the_border_alone_diverge_too():
    x = np.array([-2.0, -1, 0, 0, 1, 2])[:, None]
    y = np.array([0.0, 0, 0, 1, 1, 1])[:, None]
    found = fit(affine(1), {"u": x, "y": y}, loss=BernoulliLoss(), progress=QUIET)
    assert found.outcome is Outcome.DIVERGES
    assert found.undetermined == ("W[0,0]",)  # the threshold is known
    np.testing.assert_allclose(found.loss, 2 * np.log(2), rtol=1e-9)


def test_a_group_without_any_count_diverges_and_the_others_rate_is_known():
    group = np.array([0.0, 0, 0, 1, 1])[:, None]
    counts = np.array([2.0, 4, 3, 0, 0])[:, None]
    found = fit(affine(1), {"u": group, "y": counts}, loss=PoissonLoss(), progress=QUIET)
    assert found.outcome is Outcome.DIVERGES
    assert found.undetermined == ("W[0,0]",)
    np.testing.assert_allclose(found.theta[1], np.log(3.0), rtol=1e-7)


def test_a_bound_that_holds_the_divergence_settles_it():
    x = np.array([-2.0, -1, 1, 2])[:, None]
    y = np.array([0.0, 0, 1, 1])[:, None]
    found = fit(
        affine(1), {"u": x, "y": y}, loss=BernoulliLoss(), bounds={"W": (None, 5.0)}, progress=QUIET
    )
    assert found.outcome.is_settled
    assert found.held == ("W[0,0]",)


def are_separated(x, labels):
    """The slow formula: some (w, b) has ``+-(w x + b) >= 0`` for all samples and > 0 for one."""
    rows = np.column_stack([x, np.ones(len(x))]) * np.where(labels, 1, -1)[:, None]
    margin = linprog(-rows.sum(0), -rows, np.zeros(len(rows)), bounds=(-1, 1))
    return -margin.fun > 1e-7


@settings(max_examples=25, deadline=None)
@given(rngs, st.integers(5, 12))
def test_a_fit_diverges_exactly_where_the_classes_are_separated(rng, n):
    x = rng.standard_normal((n, 2))
    labels = x.sum(1) + rng.standard_normal(n) > 0
    data = {"u": x, "y": labels[:, None] * 1.0}
    found = fit(affine(2), data, loss=BernoulliLoss(), progress=QUIET)
    assert (found.outcome is Outcome.DIVERGES) == are_separated(x, labels)
    assert found.outcome.is_settled != are_separated(x, labels)
