"""The adjoint of a trajectory against its sensitivities."""

from operator import attrgetter

import numpy as np
from hypothesis import given, settings

from riemannian_modules.integration.adjoint import PulledProblem, pulled_back
from riemannian_modules.integration.sensitivities import (
    SensitiveProblem,
    solve_with_sensitivities,
)
from riemannian_modules.integration.side_by_side import Accuracy
from tests.integration.stiff_flows import PUBLISHED, Robertson
from tests.modules.instances import NETWORK
from tests.strategies import rngs

ACCURACY = Accuracy(1e-10, 1e-14)


def agree(flow, u, times, start, rng):
    theta, n = flow.theta, len(start)

    def pull(t, x, w):
        return np.einsum("pnk,pn->k", flow.jacobian(x, u, theta).E, w)

    def derivatives(t, x):
        A, E = attrgetter("A", "E")(flow.jacobian(x, u, theta))
        return A, np.concatenate([np.zeros_like(A), E], -1)

    forward = SensitiveProblem(lambda t, x: flow.forward(x, u, theta)[0], derivatives)
    backward = PulledProblem(forward.f, lambda t, x: flow.jacobian(x, u, theta).A, pull)
    d_start = np.concatenate([np.eye(n), np.zeros((n, theta.size))], -1)
    _, S = solve_with_sensitivities(forward, times, start, d_start, ACCURACY)
    w = rng.standard_normal((len(times), n))
    of_start, of_theta = pulled_back(backward, times, start, w, ACCURACY)
    terms = np.einsum("tn,tnk->tnk", w, S)
    size = np.abs(terms).sum((0, 1))
    assert (np.abs(np.append(of_start, of_theta) - terms.sum((0, 1))) <= 1e-7 * size).all()


@given(rngs)
@settings(max_examples=6, deadline=None)
def test_pulling_back_is_the_transpose_of_pushing_on(rng):
    times = np.concatenate([[0.0], np.sort(rng.uniform(0.0, 2.0, 7))])
    agree(NETWORK, np.ones(1), times, rng.uniform(0.5, 2.0, NETWORK.signature.state.size), rng)


def test_it_is_so_for_stiff_flows():
    rng = np.random.default_rng(0)
    times = np.concatenate([[0.0], np.logspace(-3, 3, 9)])
    agree(Robertson(), np.ones(1), times, np.array([1.0, 0.0, 0.0]), rng)
    case = PUBLISHED["HIRES"]
    agree(case.flow, np.zeros(0), np.array([0.0, 3.0, 50.0]), np.array(case.start), rng)
