"""Trajectories with sensitivities at many times, against matrix exponentials and flow maps."""

from operator import attrgetter

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.linalg import expm

import riemannian_modules as rm
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.integration.sensitivities import (
    SensitiveProblem,
    solve_with_sensitivities,
)
from riemannian_modules.integration.side_by_side import Accuracy
from tests.integration.stiff_flows import Robertson
from tests.strategies import rngs

ACCURACY = Accuracy(1e-10, 1e-14)
ARRIVED = 1e-8


@given(rngs)
@settings(max_examples=8, deadline=None)
def test_a_driven_linear_flow_is_an_exponential_at_every_time(rng):
    n, stiffness = 3, 10.0 ** rng.uniform(0, 4)
    A = rng.standard_normal((n, n))
    A[0] *= 0.1
    A -= np.diag([0.0, 0.0, stiffness])
    b, x0 = rng.standard_normal(n), rng.standard_normal(n)
    problem = SensitiveProblem(
        lambda t, x: x @ A.T + np.cos(t)[:, None] * b,
        # in the directions of b
        lambda t, x: (
            np.broadcast_to(A, (len(x), n, n)), np.cos(t)[:, None, None] * np.eye(n)
        ),
    )  # fmt: skip
    times = np.concatenate([[0.0], np.sort(rng.uniform(0.0, 3.0, 12))])
    x, S = solve_with_sensitivities(problem, times, x0, np.zeros((n, n)), ACCURACY)
    # cos t and sin t are states of an oscillator beside x.
    M = np.zeros((n + 2, n + 2))
    M[:n, :n], M[:n, n], M[n, n + 1], M[n + 1, n] = A, b, -1.0, 1.0
    for i, t in enumerate(times):
        E = expm(t * M)
        size = 1.0 + np.abs(E).max()
        assert np.abs(x[i] - E[:n] @ [*x0, 1.0, 0.0]).max() <= ARRIVED * size
        for j in range(n):
            Mj = M.copy()
            Mj[:n, n] = np.eye(n)[j]
            assert np.abs(S[i, :, j] - expm(t * Mj)[:n, n]).max() <= ARRIVED * size


def test_one_trajectory_gives_what_a_flow_map_gives_for_each_time():
    flow = Robertson()
    times = np.concatenate([[0.0], np.logspace(-4, 4, 25)])
    u = np.column_stack([np.tile([1.0, 0.0, 0.0], (25, 1)), times[1:]])
    flow_map = rm.FlowMap(flow, 1.0)
    J = flow_map.jacobian(np.zeros(0), u, flow.theta)
    one = np.ones(1)
    problem = SensitiveProblem(
        lambda t, x: flow.forward(x, one, flow.theta)[0],
        lambda t, x: attrgetter("A", "E")(flow.jacobian(x, one, flow.theta)),
    )
    x, S = solve_with_sensitivities(problem, times, u[0, :3], np.zeros((3, 3)), ACCURACY)
    y = flow_map.output(np.zeros(0), u, flow.theta)
    assert np.abs(x[1:] / y - 1.0).max() <= ARRIVED
    assert (np.abs(S[1:] - J.F) <= ARRIVED * np.abs(J.F).max(1, keepdims=True)).all()
    # A + B + C is conserved.
    assert (np.abs(S.sum(1)) <= 1e-12 * np.abs(S).max(1)).all()


def test_sensitivities_begin_with_those_of_the_start():
    problem = SensitiveProblem(
        lambda t, x: -x, lambda t, x: (np.broadcast_to([[-1.0]], (len(x), 1, 1)), 0 * x[..., None])
    )
    times = np.array([2.0, 2.5, 4.0])
    x, S = solve_with_sensitivities(problem, times, np.ones(1), np.array([[3.0]]), ACCURACY)
    decay = np.exp(-(times - 2.0))
    assert np.abs(x[:, 0] - decay).max() <= ARRIVED
    assert np.abs(S[:, 0, 0] - 3.0 * decay).max() <= ARRIVED


def test_a_flow_that_runs_away_says_when():
    problem = SensitiveProblem(
        lambda t, x: x**2, lambda t, x: (2 * x[..., None], np.zeros((len(x), 1, 0)))
    )
    with pytest.raises(StoppedError) as stopped:
        solve_with_sensitivities(
            problem, np.array([0.0, 2.0]), np.ones(1), np.zeros((1, 0)), ACCURACY
        )
    assert abs(stopped.value.time - 1.0) <= 1e-6
