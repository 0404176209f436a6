"""Least squares that are known to be hard: reached, settled, and in few evaluations.

Source: More, Garbow and Hillstrom (1981), ACM Trans. Math. Softw. 7, 17-41.
"""

import numpy as np
import pytest
from scipy.optimize import least_squares

import riemannian_modules as rm
from benchmarks.least_squares import fitted, minpack
from benchmarks.mgh import PROBLEMS
from riemannian_modules.engine import NoProgress, Outcome, fit

QUIET = NoProgress()
RUNS = [(problem, factor) for problem in PROBLEMS for factor in problem.factors]


@pytest.mark.parametrize(
    ("problem", "factor"), RUNS, ids=[f"{problem.name}-{factor}" for problem, factor in RUNS]
)
def test_minpacks_runs_end_settled_at_a_known_minimum(problem, factor):
    found = fitted(problem, problem.at(factor))
    assert found.outcome.is_settled
    assert problem.is_reached(2.0 * found.loss)


@pytest.mark.slow
def test_all_runs_together_take_fewer_evaluations_than_minpack():
    ours = lm = 0
    for problem, factor in RUNS:
        start = problem.at(factor)
        with np.errstate(all="ignore"):
            square, count = minpack(problem, start)
        if problem.is_reached(square):
            found = fitted(problem, start)
            ours, lm = ours + found.evaluations + found.derivatives, lm + count
    assert ours <= lm


def test_large_residuals_are_no_slower_than_by_a_scaled_trust_region():
    problem = next(p for p in PROBLEMS if p.name == "Brown-Dennis")
    found = fitted(problem, problem.start)
    other = least_squares(problem.formula, problem.start, method="trf")
    assert found.evaluations <= 2 * other.nfev
    assert 2.0 * found.loss <= 2.0 * other.cost


class LateEffect(rm.StaticMap):
    inputs, outputs = rm.space("u"), rm.space("y")
    parameters = {"log_a": 3.0, "log_k": 0.0}

    def map(self, u, p):
        return {"y": np.exp(p.log_a) * u.u + np.exp(-np.exp(p.log_k) * 60.0)}


@pytest.mark.parametrize("bounds", [None, {"log_a": (-5, 5), "log_k": (-5, 5)}])
@pytest.mark.parametrize("log_k", [-2.0, -1.0, 0.0, 1.0, 2.0])
def test_a_parameter_without_effect_does_not_stop_the_others(bounds, log_k):
    u = np.linspace(1.0, 2.0, 20)
    module = LateEffect(log_k=log_k)
    found = fit(module, {"u": u, "y": 2.0 * u}, bounds=bounds, progress=QUIET)
    assert found.outcome.is_settled
    # The least is approached as log_k grows: 60 e^k is large enough from some point on.
    assert found.loss <= 1e-6


@pytest.mark.parametrize("start", [0.5, 1.0, 2.0])
def test_an_exponent_is_found_from_where_doses_of_zero_have_no_derivative(start):
    a = np.array([0, 0.1, 0.3, 1, 3, 10, 30.0])
    y = 5 * a**0.7 / (2**0.7 + a**0.7) + 0.2
    module = rm.HillActivation(4.0, 1.0, start, 0.1)
    found = fit(module, {"activator": a, "rate": y}, progress=QUIET)
    assert np.allclose(found.theta, [5, 2, 0.7, 0.2], rtol=1e-6)


def test_a_linear_map_is_fitted_in_two_evaluations():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5)) * 10.0 ** np.arange(-2.0, 3.0)
    y = X @ rng.standard_normal((5, 1)) + rng.standard_normal((200, 1))
    found = fit(rm.Affine(np.zeros((1, 5)), [0.0]), {"u": X, "y": y}, progress=QUIET)
    assert found.outcome is Outcome.CONVERGED
    assert found.evaluations <= 2
    assert found.derivatives <= 2


def test_a_plateau_is_no_minimum():
    class Bump(rm.StaticMap):
        inputs, outputs = rm.space("t"), rm.space("y")
        parameters = {"height": 1.0, "place": 1e3}

        def map(self, u, p):
            return {"y": p.height * np.exp(-((u.t - p.place) ** 2))}

    t = np.linspace(-3.0, 3.0, 30)
    found = fit(Bump(), {"t": t, "y": np.exp(-(t**2))}, progress=QUIET)
    assert not found.outcome.is_settled


def test_a_small_network_with_kinks_goes_down():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((20, 2))
    y = np.stack([x[:, 0], x[:, 1] ** 2], 1)
    first = rm.Affine(rng.uniform(-0.7, 0.7, (10, 2)), rng.uniform(-0.7, 0.7, 10), input="x")
    net = first >> rm.ReLU(10) >> rm.Affine(rng.uniform(-0.3, 0.3, (2, 10)), np.zeros(2))
    start = 0.5 * np.sum((net.output(np.zeros(0), x, net.theta) - y) ** 2)
    found = fit(net, {"x": x, "y": y}, progress=QUIET)
    assert found.loss <= 1e-2 * start
