"""Points on one trajectory with their sensitivities, against exponentials and points alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.linalg import expm

import riemannian_modules as rm
from riemannian_modules.integration.sensitivities import course_at
from riemannian_modules.integration.shooting import shoot
from riemannian_modules.modules.flow_courses import FlowCourses, time_rate
from riemannian_modules.modules.flow_members import FlowMembers
from riemannian_modules.modules.linearised_rate import fused_rate
from tests.integration.stiff_flows import PUBLISHED, Robertson
from tests.strategies import rngs

NONE = np.zeros(0)
ARRIVED = 1e-8
TIMES = np.logspace(-4, 4, 9)


def robertsons(times):
    return np.column_stack([np.tile([1.0, 0.0, 0.0], (len(times), 1)), times])


def ends(flow, u):
    flow_map = rm.FlowMap(flow, 1.0)
    J = flow_map.jacobian(NONE, u, flow.theta)
    return flow_map.output(NONE, u, flow.theta), J.D, J.F


@pytest.fixture
def counted(monkeypatch):
    """How often trajectories are found, of how many that were asked for."""
    found = []
    asked = FlowCourses.ends

    def ends_too(self, *arguments):
        end = asked(self, *arguments)
        found.append(end is not None)
        return end

    monkeypatch.setattr(FlowCourses, "ends", ends_too)
    return found


@given(rngs)
@settings(max_examples=6, deadline=None)
def test_a_linear_flow_is_an_exponential_at_every_time(rng):
    n, stiffness = 3, 10.0 ** rng.uniform(0, 4)
    A, b = rng.standard_normal((n, n)), rng.standard_normal(n)
    A = A - np.diag([0.0, 0.0, stiffness])

    class Driven(rm.Flow):
        state, inputs = rm.space(x=n), rm.space("T v")

        def equations(self, x, u, p):
            return {"x": u.T * (A @ x.x + b * u.v)}

    times, x0, v = np.sort(rng.uniform(0.1, 3.0, 7)), rng.standard_normal(n), rng.standard_normal()
    y, D, _ = ends(Driven(), np.column_stack([np.tile(x0, (7, 1)), times, np.full(7, v)]))
    M = np.block([[A, b[:, None]], [np.zeros((1, n + 1))]])
    for i, t in enumerate(times):
        E = expm(t * M)[:n]
        size = 1.0 + np.abs(E).max()
        assert np.abs(y[i] - E @ [*x0, v]).max() <= ARRIVED * size
        assert np.abs(D[i][:, [0, 1, 2, 4]] - E).max() <= ARRIVED * size
        # The slope in T is the flow's rate at its end.
        slope = A @ (E @ [*x0, v]) + b * v
        assert np.abs(D[i][:, 3] - slope).max() <= ARRIVED * (size + np.abs(A).max())


def test_points_of_one_trajectory_come_out_as_alone(counted):
    u = robertsons(TIMES)
    together = ends(Robertson(), u)
    assert all(counted)
    for i, one in enumerate(u):
        for many, alone in zip(together, ends(Robertson(), one), strict=True):
            size = np.abs(alone).max(0)
            assert (np.abs(many[i] - alone) <= ARRIVED * size + 1e-300).all()
    # A + B + C is conserved.
    assert (np.abs(together[2].sum(1)) <= 1e-12 * np.abs(together[2]).max(1)).all()


def test_trajectories_agree_with_members_side_by_side(counted, monkeypatch):
    case = PUBLISHED["HIRES"]
    u = np.array(case.start)
    module = rm.FlowMap(case.flow, case.duration)
    alone = module.jacobian(NONE, u, case.flow.theta)
    assert counted == [True]
    monkeypatch.setattr(FlowCourses, "ends", lambda *_: None)
    beside = rm.FlowMap(case.flow, case.duration).jacobian(NONE, u, case.flow.theta)
    for a, b in ((alone.D, beside.D), (alone.F, beside.F)):
        assert (np.abs(a - b) <= 1e-10 * np.abs(b).max(0)).all()


def test_the_rate_of_time_is_an_input_that_all_rates_are_in_proportion_to():
    def rate_of(flow):
        return time_rate(flow.expressions.dx, flow.expressions.inputs)

    class Offset(rm.Flow):
        state, inputs = rm.space("x"), rm.space("v T")

        def equations(self, x, u, p):
            return {"x": u.T * (1.0 - x.x) + 0.1}

    class Squared(Offset):
        def equations(self, x, u, p):
            return {"x": u.T**2 * (u.v - x.x)}

    class Fast(Offset):
        def equations(self, x, u, p):
            return {"x": u.T * (u.v - x.x)}

    assert rate_of(Robertson()) == 0
    assert rate_of(Fast()) == 1
    assert rate_of(Offset()) is None
    assert rate_of(Squared()) is None


def test_time_that_stands_still_or_runs_backward_is_no_rate():
    class Decay(rm.Flow):
        state, inputs = rm.space("x"), rm.space("T")

        def equations(self, x, u, p):
            return {"x": -u.T * x.x}

    T = np.array([-1.0, 0.0, 2.0])
    y, D, _ = ends(Decay(), np.column_stack([np.ones(3), T]))
    assert np.abs(y[:, 0] - np.exp(-T)).max() <= ARRIVED
    assert np.abs(D[:, 0] - np.exp(-T)[:, None] * [1.0, -1.0]).max() <= ARRIVED


def members(flow, u):
    n = flow.signature.state.size
    return FlowMembers(flow, u[None, :n], u[None, None, n:], flow.theta).compiled()


def test_joined_steps_are_those_of_one_trajectory_whatever_they_begin_with():
    flow, u = Robertson(), np.array([1.0, 0.0, 0.0, 1.0])
    one = members(flow, u)
    accuracy = rm.FlowMap(flow, 1.0)._accuracy_of_steps
    times = np.concatenate([[0.0], TIMES])
    course = course_at(one, fused_rate(flow, flow.theta, (), ()), [1.0], times, u[:3], accuracy)
    start = np.zeros((3, 8))
    start[:, 0], start[:, 1:4] = u[:3], np.eye(3)
    expected, rough = np.abs(start), course.steps()
    t, z = shoot(one, rough, start, expected, accuracy)
    assert (np.abs(t - TIMES[:, None]).min(1) <= 1e-12 * TIMES).all()
    at = np.abs(t - TIMES[:, None]).argmin(1)
    y, D, _ = ends(flow, robertsons(TIMES))
    assert np.abs(z[at][:, :, 0] / y - 1.0).max() <= ARRIVED
    size = np.abs(D[..., :3]).max(1, keepdims=True)
    assert (np.abs(z[at][:, :, 1:4] - D[..., :3]) <= ARRIVED * size).all()
