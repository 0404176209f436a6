"""Flow maps across switching surfaces: ends and sensitivities against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import NoProgress, fit, paired_dataset, simulate
from riemannian_modules.errors import SignatureError, UnsupportedError
from tests.strategies import rngs

NONE = np.zeros(0)
ARRIVED = 1e-8  # local errors of 1e-10 add up over some dozen steps


class Infusion(rm.Flow):
    """``a' = T ((c >= tlag) - k a), c' = T``: an infusion after a lag time; T scales time."""

    state, inputs = rm.space("a c"), rm.space("T")
    parameters = {"k": 0.4, "tlag": 1.5}

    def equations(self, x, u, p):
        return {"a": u.T * (np.where(x.c >= p.tlag, 1.0, 0.0) - p.k * x.a), "c": u.T}


class Gates(rm.Flow):
    """Jumps and kinks on curved borders, which depend on state, input and parameters."""

    state, inputs = rm.space("x y"), rm.space("u")
    parameters = {"a": 0.7, "b": 0.2, "height": 0.5}

    def equations(self, x, u, p):
        inside = x.x * x.x + p.a * x.y > p.height
        return {
            "x": 1.0 + np.where(inside, p.b * x.y, -p.a * x.x) + np.maximum(x.y - p.b, 0.0),
            "y": np.where(x.x > u.u, 1.5, np.abs(x.x - p.b)) - 0.3 * x.y,
        }


def sensitivities(flow_map, z):
    J = flow_map.jacobian(NONE, z, flow_map.theta)
    return np.concatenate([J.D, J.F], -1)


@given(st.floats(0.2, 2.0), st.floats(0.1, 3.0), st.floats(0.5, 2.0), st.floats(-1.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_an_infusion_after_a_lag_has_its_exact_sensitivities(k, lag, T, a0):
    flow_map = rm.FlowMap(Infusion(k=k, tlag=lag), 2.0)
    z = np.array([a0, 0.0, T])
    end, s = 2.0 * T, 2.0 * T - lag  # in the flow's own time
    if abs(s) < 1e-3:
        return
    a, S = flow_map.output(NONE, z, flow_map.theta), sensitivities(flow_map, z)
    decayed, after = np.exp(-k * end), np.exp(-k * s)
    on = s > 0
    expected = a0 * decayed + on * (1 - after) / k
    d_end = -k * a0 * decayed + on * after
    d_k = -end * a0 * decayed + on * (s * after / k - (1 - after) / k**2)
    d_clock = on * after  # a clock that is ahead begins sooner
    wanted = [decayed, d_clock, 2.0 * d_end, d_k, -on * after]
    assert abs(a[0] - expected) <= ARRIVED
    assert np.abs(S[0] - wanted).max() <= 10 * ARRIVED


def test_curved_borders_have_the_sensitivities_of_finite_differences():
    flow_map, h = rm.FlowMap(Gates(), 3.0), 1e-5
    z, theta = np.array([-0.4, 0.3, 0.9]), np.array([0.7, 0.2, 0.5])
    J, columns = flow_map.jacobian(NONE, z, theta), []
    for i in range(6):
        step = h * np.eye(6)[i]
        both = [flow_map.output(NONE, z + s * step[:3], theta + s * step[3:]) for s in (1, -1)]
        columns.append((both[0] - both[1]) / (2 * h))
    found = np.concatenate([J.D, J.F], -1)
    # Central differences: of the order of h^2 and of the ends' errors over h.
    assert np.abs(found - np.stack(columns, -1)).max() <= 1e-4
    without = np.abs(found[:, 5])  # the border's height acts by the saltation term alone
    assert without.max() > 0.01


@given(rngs)
@settings(max_examples=5, deadline=None)
def test_a_batch_is_its_points_and_two_maps_are_one(rng):
    flow_map = rm.FlowMap(Gates(), 1.2)
    z = rng.uniform(-1, 1, (3, 3))
    ends = flow_map.output(NONE, z, flow_map.theta)
    one = np.stack([flow_map.output(NONE, row, flow_map.theta) for row in z])
    assert np.array_equal(ends, one)
    twice = flow_map.output(NONE, np.append(ends, z[:, 2:], 1), flow_map.theta)
    whole = rm.FlowMap(Gates(), 2.4).output(NONE, z, flow_map.theta)
    assert np.abs(twice - whole).max() <= 10 * ARRIVED


def test_a_map_ends_where_simulation_does():
    flow_map = rm.FlowMap(Gates(), 2.0)
    end = simulate(Gates(), [0, 2.0], [-0.4, 0.3], [0.9]).final_state
    found = flow_map.output(NONE, np.array([-0.4, 0.3, 0.9]), flow_map.theta)
    assert np.abs(end - found).max() <= 1e-7


@pytest.mark.slow
def test_a_lag_time_is_fitted():
    flow_map, t = rm.FlowMap(Infusion(), 1.0), np.linspace(0.25, 8, 32)
    a = np.where(t > 1, 2 * (1 - np.exp(-0.5 * (t - 1))), 0.0)
    data = paired_dataset(flow_map, np.stack([0 * t, 0 * t, t], 1), np.stack([a, t], 1))
    found = fit(flow_map, data, progress=NoProgress())
    assert found.outcome.is_settled
    assert np.abs(found.theta - [0.5, 1.0]).max() <= 1e-6


def test_a_stiff_flow_that_switches_is_mapped():
    class Stiff(rm.Flow):
        state = rm.space("x c")
        parameters = {"k": 1e5}

        def equations(self, x, u, p):
            return {"x": p.k * (np.where(x.c > 1.0, np.cos(x.c), 0.0) - x.x), "c": 1.0}

    flow_map = rm.FlowMap(Stiff(), 3.0)
    end, S = (
        flow_map.output(NONE, np.zeros(2), flow_map.theta),
        sensitivities(flow_map, np.zeros(2)),
    )
    k = 1e5  # the forced solution: (k^2 cos + k sin) / (k^2 + 1)
    assert abs(end[0] - (k * k * np.cos(3) + k * np.sin(3)) / (k * k + 1)) <= 1e-8
    assert abs(S[0, 1] - (-k * k * np.sin(3) + k * np.cos(3)) / (k * k + 1)) <= 1e-6


def woken(k, x0, T):
    """The end of ``x' = -x + max(k (1 - x) - 1/2, 0)`` in closed form, complex k and x0 too."""
    border, rest = 1 - 0.5 / k, (k - 0.5) / (1 + k)
    return rest + (border - rest) * np.exp(-(1 + k) * (T - np.log(x0 / border)))


@pytest.mark.parametrize("relative", [1e-6, 1e-10])
def test_what_a_corner_switches_on_has_its_sensitivities(relative):
    """Before the border k has no effect at all; sensitivities leave zero at a finite rate there."""
    flow = rm.Equations({"dx": "-x + max(k*(1 - x) - 0.5, 0)"}, state="x", parameters={"k": 1.5})
    module = rm.FlowMap(flow, 2.0, relative=relative)
    x0 = np.array([[1.0], [1.3]])
    y, J = module.output(NONE, x0, flow.theta), module.jacobian(NONE, x0, flow.theta)
    h = 1e-30
    of_k = [woken(1.5 + 1j * h, x, 2.0).imag / h for x in x0[:, 0]]
    of_x = [woken(1.5, x + 1j * h, 2.0).imag / h for x in x0[:, 0]]
    np.testing.assert_allclose(y[:, 0], woken(1.5, x0[:, 0], 2.0), rtol=100 * relative)
    np.testing.assert_allclose(J.F[:, 0, 0], of_k, rtol=100 * relative)
    np.testing.assert_allclose(J.D[:, 0, 0], of_x, rtol=100 * relative)


def test_a_network_of_kinked_units_is_differentiated_both_ways():
    rng = np.random.default_rng(0)
    W, V = 0.5 * rng.standard_normal((4, 2)), 0.5 * rng.standard_normal((2, 4))

    class Kinked(rm.Flow):
        state, parameters = rm.space(x=2), {"W": W, "V": V}

        def equations(self, x, u, p):
            return {"x": p.V @ np.maximum(p.W @ x.x, 0) - x.x + 1.0}

    module, at, w = rm.FlowMap(Kinked(), 2.0), np.array([1.0, -0.5]), rng.standard_normal((2, 1))
    J = module.jacobian(NONE, at, module.theta)
    d = module.differential(NONE, at, module.theta)
    # A step over a corner errs by h^2 in the state, which is held to 1e-10, and by h in what is
    # pulled back through it; the sensitivities themselves are cut at the corner.
    root = np.sqrt(module.relative)
    np.testing.assert_allclose(d.pull_outputs(w)[1], J.D.T @ w, rtol=root)
    pulled, exact = d.pull_parameters(np.zeros((0, 1)), w), J.F.T @ w
    np.testing.assert_allclose(pulled, exact, rtol=root, atol=root * np.abs(exact).max())
    h, way = 1e-4, rng.standard_normal(2)
    ends = [module.output(NONE, at + k * h * way, module.theta) for k in (1, -1)]
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * h), J.D @ way, rtol=1e-3)


class Sticking(rm.Flow):
    state = rm.space("v")

    def equations(self, x, u, p):
        return {"v": -np.sign(x.v)}


def test_a_sliding_flow_ends_right_and_its_sensitivities_are_refused():
    flow_map = rm.FlowMap(Sticking(), 3.0)
    assert abs(flow_map.output(NONE, np.array([1.0]), NONE)[0]) <= ARRIVED
    with pytest.raises(UnsupportedError, match="slides along a border"):
        flow_map.jacobian(NONE, np.array([1.0]), NONE)


def test_a_flow_that_needs_the_time_is_refused_with_the_mend():
    class Timed(rm.Flow):
        state, inputs, time_input = rm.space("x"), rm.space("t"), "t"

        def equations(self, x, u, p):
            return {"x": np.sin(u.t) - x.x}

    with pytest.raises(SignatureError, match="clock"):
        rm.FlowMap(Timed(), 1.0)
