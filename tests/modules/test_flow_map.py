"""The flow map against matrix exponentials, its own semigroup and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.linalg import expm

import riemannian_modules as rm
from riemannian_modules.errors import ConvergenceError, SignatureError, UnsupportedError
from tests.modules.instances import NETWORK, Logistic, Pendulum
from tests.strategies import rngs

NONE = np.zeros(0)
# Local errors of 1e-10 add up over some dozen steps, more slowly where the flow contracts.
ARRIVED = 1e-8


class Linear(rm.Flow):
    def __init__(self, A, b):
        n = len(A)
        self.state, self.inputs = rm.space(x=n), rm.space("u")
        self.parameters = {"A": A, "b": b}

    def equations(self, x, u, p):
        return {"x": p.A @ x.x + p.b * u.u}


@given(rngs)
@settings(max_examples=10)
def test_a_linear_flow_maps_by_the_matrix_exponential(rng):
    n, T = 3, 0.8
    A, b = rng.standard_normal((n, n)), rng.standard_normal(n)
    flow_map = rm.FlowMap(Linear(A, b), T)
    z = rng.standard_normal(n + 1)
    # d/dt (x, u) = [[A, b], [0, 0]] (x, u)
    E = expm(T * np.block([[A, b[:, None]], [np.zeros((1, n + 1))]]))[:n]
    assert np.abs(flow_map.output(NONE, z, flow_map.theta) - E @ z).max() <= ARRIVED
    J = flow_map.jacobian(NONE, z, flow_map.theta)
    assert np.abs(J.D - E).max() <= ARRIVED
    # The derivative in A_ij by the exponential of a triangular block (Van Loan 1978).
    M = np.block([[A, b[:, None]], [np.zeros((1, n + 1))]])
    for i in range(n):
        for j in range(n):
            dM = np.zeros_like(M)
            dM[i, j] = 1.0
            block = expm(T * np.block([[M, dM], [np.zeros_like(M), M]]))
            expected = block[:n, n + 1 :] @ z
            assert np.abs(J.F[:, i * n + j] - expected).max() <= ARRIVED


def test_the_map_over_two_times_is_the_map_over_their_sum():
    pendulum = Pendulum()
    two = (
        rm.Wiring(a=rm.FlowMap(pendulum, 0.4), b=rm.FlowMap(pendulum, 0.9))
        .input("q", "a.q")
        .input("v", "a.v")
        .input("torque", "a.torque", "b.torque")
        .connect("a.q", "b.q")
        .connect("a.v", "b.v")
        .output("q", "b.q")
        .output("v", "b.v")
        .build()
    )
    one = rm.FlowMap(pendulum, 1.3)
    u = np.array([[0.5, -0.3, 0.2], [1.5, 2.0, -1.0]])
    assert np.abs(two.output(NONE, u, two.theta) - one.output(NONE, u, one.theta)).max() <= ARRIVED
    J2, J1 = (m.jacobian(NONE, u, m.theta) for m in (two, one))
    assert np.abs(J2.D - J1.D).max() <= ARRIVED
    # Both maps are of one flow, whose parameters are there once.
    assert np.abs(J2.F - J1.F).max() <= ARRIVED


def test_robertsons_stiff_reactions_arrive_where_published():
    network = rm.MassAction.of(
        {"k1": ("A -> B", 0.04), "k2": ("2 B -> B + C", 3e7), "k3": ("B + C -> A + C", 1e4)}
    )
    flow_map = rm.FlowMap(network, 40.0)
    start = np.array([1.0, 0.0, 0.0])
    # Hairer and Wanner (1996), section IV.10, at t = 40.
    expected = np.array([0.7158270687, 9.185534764e-6, 0.2841637457])
    got = flow_map.output(NONE, start, flow_map.theta)
    assert (np.abs(got - expected) <= 1e-9 * np.maximum(expected, 1e-3)).all()
    # A + B + C is conserved, so the rows of the sensitivity add to one.
    D = flow_map.jacobian(NONE, start, flow_map.theta).D
    assert np.abs(D.sum(0) - 1.0).max() <= ARRIVED


@given(rngs)
@settings(max_examples=5)
def test_sensitivities_are_the_slopes_of_the_map(rng):
    flow_map = rm.FlowMap(NETWORK, 0.6, relative=1e-12, absolute=1e-13)
    u, theta = rng.uniform(0.5, 2.0, 4), flow_map.theta
    J = flow_map.jacobian(NONE, u, theta)
    t_u, t_theta, h = rng.standard_normal(4), rng.standard_normal(theta.size), 1e-4
    ends = [flow_map.output(NONE, u + s * h * t_u, theta + s * h * t_theta) for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * h)
    # h^2 f''' / 6 with derivatives of some tens, and 1e-11 / h.
    assert np.abs(J.D @ t_u + J.F @ t_theta - slope).max() <= 1e-6


def test_dynamics_sit_inside_a_static_chain():
    layers = [
        rm.Affine(np.eye(3), 0.1), rm.Demux("q v torque"), rm.FlowMap(Pendulum(), 0.5),
        rm.Mux("q v"), rm.Affine([[1.0, 2.0]]),
    ]  # fmt: skip
    model = rm.chain(*layers)
    u = np.array([0.3, -0.2, 0.4])
    D = np.eye(3)
    for layer in layers:
        D = layer.jacobian(NONE, u, layer.theta).D @ D
        u = layer.output(NONE, u, layer.theta)
    got = model.jacobian(NONE, np.array([0.3, -0.2, 0.4]), model.theta).D
    assert np.abs(got - D).max() <= 1e-12


def test_proofs_about_an_integration_are_refused():
    flow_map = rm.FlowMap(Pendulum(), 1.0)
    with pytest.raises(UnsupportedError, match="Certify the flow itself"):
        flow_map.expressions  # noqa: B018
    from riemannian_modules.arithmetic.interval import interval

    boxes = [interval(np.zeros(k), np.ones(k)) for k in (0, 3, 3)]
    with pytest.raises(UnsupportedError, match="no rigorous enclosure"):
        flow_map.enclose(*boxes)


def test_a_flow_that_runs_to_infinity_says_so():
    class Explosion(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": x.x**2}

    flow_map = rm.FlowMap(Explosion(), 2.0)
    with pytest.raises(ConvergenceError, match="Explosion"):
        flow_map.output(NONE, np.ones(1), flow_map.theta)
    before = rm.FlowMap(Explosion(), 0.5).output(NONE, np.ones(1), flow_map.theta)
    assert abs(before[0] - 2.0) <= ARRIVED


def test_only_flows_with_a_state_are_mapped():
    for module in (Logistic(), rm.Tanh(2)):
        with pytest.raises(SignatureError, match="continuous time"):
            rm.FlowMap(module, 1.0)
