"""Members integrated side by side: each comes out as alone, whatever its units and company."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import riemannian_modules as rm
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.integration import radau
from riemannian_modules.integration.march import LARGEST_STEP_COUNT, march, members_at, unwatched
from riemannian_modules.integration.radau import Radau
from riemannian_modules.integration.side_by_side import Accuracy
from riemannian_modules.integration.solve import solve
from riemannian_modules.modules.flow_members import FlowMembers
from tests.integration.sensitive_problem import SensitiveProblem
from tests.integration.stiff_flows import PUBLISHED, Robertson
from tests.modules.instances import NETWORK, Pendulum
from tests.strategies import rngs

NONE = np.zeros(0)
ARRIVED = 1e-8  # local errors of 1e-10 add up over some dozen steps


class Predators(rm.Flow):
    state, parameters = rm.space("x y"), {"a": 1.5, "b": 1.0, "c": 3.0}

    def equations(self, s, u, p):
        return {"x": p.a * s.x - p.b * s.x * s.y, "y": -p.c * s.y + p.b * s.x * s.y}


def ends(flow, duration, u, **options):
    flow_map = rm.FlowMap(flow, duration, **options)
    J = flow_map.jacobian(NONE, u, flow_map.theta)
    return flow_map.output(NONE, u, flow_map.theta), J.D, J.F


def test_the_nodes_are_exact_for_polynomials_up_to_twice_their_number():
    tab = radau.tableau()
    A = np.linalg.inv(tab.inverse)
    # Stiffly accurate: the weights are the last row, and integrate degrees 0, ..., 2 s - 2.
    for q in range(2 * radau.STAGES - 1):
        assert abs(A[-1] @ tab.c**q - 1.0 / (q + 1.0)) <= 1e-14
    T, TI = tab.to_stages, tab.to_coordinates
    assert np.abs((T * tab.eigenvalues @ TI).real - tab.inverse).max() <= 1e-11


@pytest.mark.parametrize("name", PUBLISHED)
def test_stiff_flows_arrive_where_published(name):
    case = PUBLISHED[name]
    got = rm.FlowMap(case.flow, case.duration).output(NONE, np.array(case.start), case.flow.theta)
    # Relative errors of 1e-10 grow by the flows' own slopes; errors of 1e-14 of a state's largest
    # value (1.3e6 for van der Pol's, 1 for Robertson's) are allowed besides.
    share = {"van der Pol": 1e-7, "Oregonator": 1e-9, "HIRES": 1e-10, "Robertson": 1e-6}[name]
    assert np.abs(got / case.end - 1.0).max() <= share


@pytest.mark.parametrize("name", ["van der Pol", "Oregonator", "HIRES"])
def test_sensitivities_of_stiff_flows_agree_with_themselves_at_another_accuracy(name):
    case = PUBLISHED[name]
    u = np.array(case.start)
    _, D, F = ends(case.flow, case.duration, u)
    _, coarse_D, coarse_F = ends(case.flow, case.duration, u, relative=1e-7)
    for fine, coarse in ((D, coarse_D), (F, coarse_F)):
        size = np.abs(fine).max(0)  # of each direction
        assert (np.abs(fine - coarse) <= 1e-3 * size).all()


@given(rngs, st.floats(0.1, 3.0), st.floats(0.1, 3.0))
@settings(max_examples=10, deadline=None)
def test_flowing_on_is_flowing_longer(rng, s, t):
    u = rng.uniform(0.5, 4.0, (3, 2))
    flow = Predators()
    once, D, F = ends(flow, s + t, u)
    half, D1, F1 = ends(flow, s, u)
    twice, D2, F2 = ends(flow, t, half)
    size = 1.0 + np.abs(D).max()
    assert np.abs(once - twice).max() <= ARRIVED * size
    assert np.abs(D - D2 @ D1).max() <= ARRIVED * size**2
    assert np.abs(F - (D2 @ F1 + F2)).max() <= ARRIVED * size**2


@given(rngs)
@settings(max_examples=4, deadline=None)
def test_a_member_of_a_batch_comes_out_as_alone(rng):
    u = np.column_stack([np.tile([1.0, 0.0, 0.0], (4, 1)), 10.0 ** rng.uniform(-4, 6, 4)])
    together = ends(Robertson(), 1.0, u)
    for i, one in enumerate(u):
        for many, alone in zip(together, ends(Robertson(), 1.0, one), strict=True):
            size = np.abs(alone).max(0)
            # Both are right to the tolerance; a batch may change methods at another step.
            assert (np.abs(many[i] - alone) <= 1e-8 * size + 1e-300).all()


@pytest.mark.parametrize("scale", [2.0**-80, 2.0**40])
def test_states_in_other_units_give_the_same_numbers(scale):
    class Scaled(rm.Flow):
        state, parameters = rm.space("A B C"), {"k": [0.04, 3e7, 1e4]}

        def equations(self, x, u, p):
            a, b, c = p.k[0] * x.A, p.k[1] / scale * x.B**2, p.k[2] / scale * x.B * x.C
            return {"A": c - a, "B": a - b - c, "C": b}

    u = np.array([1.0, 0.0, 0.0, 40.0])
    y, D, _ = ends(Robertson(), 1.0, u)
    scaled, scaled_D, _ = ends(Scaled(), 40.0, scale * u[:3])
    assert np.abs(scaled / scale / y - 1.0).max() <= ARRIVED
    assert np.abs(scaled_D - D[:, :3]).max() <= ARRIVED


def test_amounts_far_below_one_keep_their_digits():
    class Binding(rm.Flow):
        state, parameters = rm.space("a"), {"k": 1e20}

        def equations(self, x, u, p):
            return {"a": -p.k * x.a**2}

    start = 1e-16
    y, D, F = ends(Binding(), 1e-3, np.array([start]))
    growth = 1.0 + 1e20 * 1e-3 * start
    assert abs(y[0] * growth / start - 1.0) <= ARRIVED
    assert abs(D[0, 0] * growth**2 - 1.0) <= ARRIVED
    assert abs(F[0, 0] * growth**2 / (-(start**2) * 1e-3) - 1.0) <= ARRIVED


def test_a_long_cascade_from_nothing_arrives_at_its_exponential():
    n = 14  # the last begins as t^13: no method of order 8 is exact for that
    A = np.diag(np.ones(n - 1), -1) - np.eye(n)

    class Cascade(rm.Flow):
        state = rm.space(x=n)

        def equations(self, x, u, p):
            return {"x": A @ x.x}

    E = expm(2.0 * A)
    y, D, _ = ends(Cascade(), 2.0, np.eye(n)[0])
    # Entries are right to 1e-10 of themselves, or to 1e-14 of their largest value.
    assert np.abs(y / E[:, 0] - 1.0).max() <= ARRIVED
    assert np.abs(D - E).max() <= ARRIVED


def test_a_state_that_rounding_alone_moves_is_not_followed():
    class Twins(rm.Flow):
        state = rm.space("a b c")

        def equations(self, x, u, p):
            return {"a": -0.3 * x.a, "b": -(0.1 * x.b + 0.2 * x.b), "c": (x.a - x.b) * 1e3 - x.c}

    got = rm.FlowMap(Twins(), 5.0).output(NONE, np.array([1.0, 1.0, 0.0]), NONE)
    assert abs(got[0] - np.exp(-1.5)) <= ARRIVED
    assert abs(got[2]) <= 1e-11


def steps_of(flow, duration, u):
    """How many steps each method tries for one member."""
    counts = {}
    A = rm.FlowMap(flow, 1.0)
    problem = SensitiveProblem(
        lambda t, x: flow.forward(x, NONE, flow.theta)[0],
        lambda t, x: (flow.jacobian(x, NONE, flow.theta).A, np.zeros((*x.shape, 0))),
    )

    def watch(who, good, start, step):
        counts[type(step).__name__] = counts.get(type(step).__name__, 0) + 1

    z = u[:, None, None]
    accuracy = Accuracy(A.relative, A.absolute)
    end = solve(problem, np.zeros(1), np.full(1, duration), z, accuracy, watch)
    assert end.have_arrived.all()
    return counts


def test_mild_flows_are_stepped_explicitly_at_a_cost_in_proportion_to_the_time():
    counts = [steps_of(Predators(), T, np.array([3.0, 2.0])) for T in (4.0, 8.0, 16.0)]
    totals = [sum(c.values()) for c in counts]
    assert all(b <= 2.6 * a for a, b in pairwise(totals))


def test_stiff_flows_take_few_steps():
    counts = steps_of(PUBLISHED["HIRES"].flow, 321.8122, np.array(PUBLISHED["HIRES"].start))
    assert sum(counts.values()) <= 400


def test_one_points_flight_to_infinity_is_told_with_its_index_and_time():
    class Explosion(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": x.x**2}

    flow_map = rm.FlowMap(Explosion(), 1.0)
    u = np.array([[0.5], [4.0], [0.1]])
    with pytest.raises(ConvergenceError, match=r"1 of 3 points.*index 1 at t = 0\.25"):
        flow_map.output(NONE, u, NONE)
    with pytest.raises(ConvergenceError, match="1 of 3 points"):
        flow_map.jacobian(NONE, u, NONE)
    got = flow_map.output(NONE, u[[0, 2]], NONE)[:, 0]
    assert np.abs(got - [1.0, 1.0 / 9.0]).max() <= ARRIVED


def test_a_flow_that_is_undefined_at_the_start_stops_there():
    class Root(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": np.log(x.x)}

    with pytest.raises(ConvergenceError, match="at t = 0"):
        rm.FlowMap(Root(), 1.0).output(NONE, np.array([-1.0]), NONE)


def test_the_implicit_method_is_right_by_itself_where_the_flow_is_mild():
    flow, u = Pendulum(), np.array([[0.5, -0.3, 0.2]])
    expected = rm.FlowMap(flow, 3.0).output(NONE, u, flow.theta)
    problem = SensitiveProblem(
        lambda t, x: flow.forward(x, u[:, 2:], flow.theta)[0],
        lambda t, x: (flow.jacobian(x, u[:, 2:], flow.theta).A, np.zeros((*x.shape, 0))),
    )
    z, t, accuracy = u[:, :2].T[:, None], np.zeros(1), Accuracy(1e-10, 1e-14)
    start = members_at(problem, t, t + 3.0, z, np.abs(z), accuracy)
    end = march(Radau(), problem, start, accuracy, unwatched, LARGEST_STEP_COUNT)
    assert np.abs(end.z[:, 0].T - expected).max() <= ARRIVED


def test_a_batch_of_networks_has_the_slopes_of_its_map():
    rng = np.random.default_rng(1)
    flow_map = rm.FlowMap(NETWORK, 0.6)
    u, theta, h = rng.uniform(0.5, 2.0, (5, 4)), flow_map.theta, 1e-4
    J = flow_map.jacobian(NONE, u, theta)
    t_u, t_theta = rng.standard_normal(u.shape), rng.standard_normal(theta.size)
    a, b = (flow_map.output(NONE, u + s * h * t_u, theta + s * h * t_theta) for s in (1, -1))
    slope = np.einsum("bij,bj->bi", J.D, t_u) + J.F @ t_theta
    # h^2 f''' / 6 with derivatives of some tens, and 1e-9 / h.
    assert np.abs(slope - (a - b) / (2 * h)).max() <= 1e-5


def test_the_same_question_twice_is_answered_once_until_the_flow_changes():
    class Asked(rm.Flow):
        state = rm.space("x")
        rate = 1.0

        def equations(self, x, u, p):
            return {"x": -self.rate * x.x}

    flow = Asked()
    flow_map = rm.FlowMap(flow, 1.0)
    first = flow_map.output(NONE, np.ones(1), NONE)
    first[:] = 7.0  # what is given away is the asker's own
    again = flow_map.output(NONE, np.ones(1), NONE)
    assert abs(again[0] - np.exp(-1.0)) <= ARRIVED
    flow.rate = 2.0
    assert abs(flow_map.output(NONE, np.ones(1), NONE)[0] - np.exp(-2.0)) <= ARRIVED


class Swept(rm.RiemannianModule):
    """The pendulum written by hand: it cannot be traced, hence not compiled."""

    time = rm.Time.CONTINUOUS
    state, inputs, outputs = Pendulum.state, Pendulum.inputs, Pendulum.state
    parameters = Pendulum.parameters

    def forward(self, x, u, theta):
        return Pendulum().forward(x, u, theta)

    def jacobian(self, x, u, theta):
        return Pendulum().jacobian(x, u, theta)


def test_a_flow_written_by_hand_arrives_where_its_compiled_twin_does():
    rng = np.random.default_rng(2)
    u, thetas = rng.standard_normal((6, 3)), rng.uniform(1.0, 3.0, (6, Pendulum().theta.size))
    for theta in (thetas[0], thetas):
        twins = [rm.FlowMap(flow, 2.0) for flow in (Pendulum(), Swept())]
        a, b = (flow_map.output(NONE, u, theta) for flow_map in twins)
        assert np.abs(a - b).max() <= ARRIVED
        J, K = (flow_map.jacobian(NONE, u, theta) for flow_map in twins)
        assert max(np.abs(J.D - K.D).max(), np.abs(J.F - K.F).max()) <= ARRIVED


def test_a_batch_of_no_points_has_no_ends():
    flow_map = rm.FlowMap(Predators(), 1.0)
    assert flow_map.output(NONE, np.ones((0, 2)), flow_map.theta).shape == (0, 2)
    assert flow_map.jacobian(NONE, np.ones((0, 2)), flow_map.theta).D.shape == (0, 2, 2)


def test_large_batches_are_integrated_in_parts(monkeypatch):
    from riemannian_modules.modules import flow_map as room

    u = np.random.default_rng(0).uniform(1.0, 5.0, (7, 2))
    whole = ends(Predators(), 2.0, u)
    monkeypatch.setattr(room, "ROOM", 2000)  # three points at a time
    for part, all_ in zip(ends(Predators(), 2.0, u), whole, strict=True):
        assert np.abs(part - all_).max() <= ARRIVED * (1.0 + np.abs(all_).max())


@given(rngs)
def test_a_move_is_the_rate_times_the_step_of_each(rng):
    flow, M = Predators(), 5
    start, h = rng.uniform(1.0, 3.0, (M, 2)), rng.uniform(0.1, 1.0, M)
    for theta in (flow.theta, np.broadcast_to(flow.theta, (M, 1, 3))):
        members = FlowMembers(flow, start, np.zeros((M, 1, 0)), theta)
        z, rate, move = start.T[:, None], np.empty((2, 1, M)), np.empty((2, 1, M))
        for flows in (members, members.compiled()):
            flows.write_rate(np.zeros(M), 0.0, h, z, rate)
            flows.write_move(np.zeros(M), 0.0, h, z, move)
            assert np.allclose(rate[:, 0], flow.forward(start, NONE, flow.theta)[0].T, rtol=1e-13)
            assert np.allclose(move, h * rate, rtol=1e-15)
