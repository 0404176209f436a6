"""Fits through flow maps: trial steps where a flow runs away, rates of stiff reactions."""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.engine import NoProgress, fit, paired_dataset
from tests.integration.stiff_flows import Robertson

NONE = np.zeros(0)


def test_a_trial_where_a_flow_runs_to_infinity_is_refused_and_the_fit_goes_on():
    class Growth(rm.Flow):
        state, parameters = rm.space("x"), {"k": -2.0}

        def equations(self, x, u, p):
            return {"x": p.k * x.x**2}

    flow_map = rm.FlowMap(Growth(), 1.0)
    x0 = np.linspace(0.5, 2.0, 10)[:, None]
    # x(1) = x0 / (1 - k x0) is infinite for k = 0.5 and x0 = 2.
    data = paired_dataset(flow_map, x0, x0 / (1.0 - 0.4 * x0))
    found = fit(flow_map, data, progress=NoProgress())
    assert abs(found.theta[0] - 0.4) <= 1e-8


def test_robertsons_rates_are_found_again_from_exact_amounts():
    class Logarithmic(rm.Flow):
        state, inputs = rm.space("A B C"), rm.space("T")
        parameters = {"k": [0.0, 0.0, 0.0]}

        def equations(self, x, u, p):
            k = np.exp(p.k) * np.array([0.04, 3e7, 1e4])
            a, b, c = k[0] * x.A, k[1] * x.B**2, k[2] * x.B * x.C
            return {"A": u.T * (c - a), "B": u.T * (a - b - c), "C": u.T * b}

    times = np.logspace(-4, 4, 25)
    u = np.column_stack([np.tile([1.0, 0.0, 0.0], (25, 1)), times])
    exact = rm.FlowMap(Robertson(), 1.0).output(NONE, u, Robertson().theta)
    flow_map = rm.FlowMap(Logarithmic(k=[0.3, -0.4, 0.5]), 1.0)
    found = fit(flow_map, paired_dataset(flow_map, u, exact), progress=NoProgress())
    # B is 1e-5 at most, and says most of k2 and k3: losses of 1e-20 leave them 1e-4.
    assert np.abs(found.theta).max() <= 1e-4
