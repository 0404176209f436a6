"""Large systems: banded, sparse and dense routes give one curve, in few evaluations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import Radau, solve_ivp
from scipy.linalg import expm
from scipy.sparse import csc_array, diags

import riemannian_modules as rm
from riemannian_modules.engine import linear_table, simulate
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.integration import sparse
from riemannian_modules.integration.problem import SparseProblem, StepTolerances
from riemannian_modules.integration.tally import Tally
from tests.strategies import rngs


class Brusselator(rm.Flow):
    """Hairer and Wanner's BRUSS in one dimension, N cells as vectors."""

    def __init__(self, cells):
        self.state, self.cells = rm.space(u=cells, v=cells), cells
        super().__init__()

    def equations(self, s, i, p):
        u, v, a = s.u, s.v, (self.cells + 1) ** 2 / 50
        one, three = np.ones(1), 3 * np.ones(1)

        def spread(w, end):
            return a * (np.concatenate([end, w[:-1]]) - 2 * w + np.concatenate([w[1:], end]))

        flux = u * u * v
        return {"u": 1 + flux - 4 * u + spread(u, one), "v": 3 * u - flux + spread(v, three)}


def bruss_start(cells):
    return np.r_[1 + np.sin(2 * np.pi * np.arange(1, cells + 1) / (cells + 1)), np.full(cells, 3.0)]


def bruss_by_hand(cells, times, rtol):
    a = (cells + 1) ** 2 / 50

    def f(_, z):
        u, v = z[:cells], z[cells:]
        left, right = np.r_[1, u[:-1]], np.r_[u[1:], 1]
        low, high = np.r_[3, v[:-1]], np.r_[v[1:], 3]
        return np.r_[1 + u * u * v - 4 * u + a * (left - 2 * u + right),
                     3 * u - u * u * v + a * (low - 2 * v + high)]  # fmt: skip

    span = (times[0], times[-1])
    return solve_ivp(f, span, bruss_start(cells), "LSODA", times, rtol=rtol, atol=1e-13).y.T


@pytest.mark.parametrize("cells", [30, 100])
def test_the_brusselator_is_that_of_numpy_by_hand(cells):
    times = np.linspace(0.0, 10.0, 6)
    run = simulate(Brusselator(cells), times, bruss_start(cells))
    exact = bruss_by_hand(cells, times, 1e-11)
    np.testing.assert_allclose(run.states, exact, rtol=0, atol=1e-7 * np.abs(exact).max())
    np.testing.assert_array_equal(run.outputs, run.states)


def test_the_brusselator_as_a_graph_is_the_one_of_vectors():
    cells = 40

    class Cell(rm.Flow):
        state, inputs = rm.space("u v"), rm.space("ul ur vl vr")
        parameters = {"a": (cells + 1) ** 2 / 50}

        def equations(self, s, i, p):
            flux = s.u * s.u * s.v
            return {
                "u": 1 + flux - 4 * s.u + p.a * (i.ul - 2 * s.u + i.ur),
                "v": 3 * s.u - flux + p.a * (i.vl - 2 * s.v + i.vr),
            }

    wiring = rm.Wiring(**{f"c{k}": Cell() for k in range(cells)})
    ends = {"u": [], "v": []}
    for k in range(cells):
        for name in "uv":
            for side, near in (("l", k - 1), ("r", k + 1)):
                target = f"c{k}.{name}{side}"
                if 0 <= near < cells:
                    wiring.connect(f"c{near}.{name}", target)
                else:
                    ends[name].append(target)
    graph = wiring.input("one", *ends["u"]).input("three", *ends["v"]).build()
    start = bruss_start(cells)
    x0 = np.stack([start[:cells], start[cells:]], -1).ravel()
    times = [0.0, 1.0, 10.0]
    run = simulate(graph, times, x0, {"one": 1.0, "three": 3.0})
    vectors = simulate(Brusselator(cells), times, start)
    np.testing.assert_allclose(run.states[:, 0::2], vectors["u"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(run.states[:, 1::2], vectors["v"], rtol=0, atol=1e-7)
    np.testing.assert_array_equal(run["c7.u"], run.states[:, 14])


class Plane(rm.Flow):
    """Diffusion on a torus of N times N cells: no order of the states has a narrow band."""

    inputs, parameters = rm.space("w"), {"d": 200.0}

    def __init__(self, side):
        self.state = rm.space(u=(side, side))
        super().__init__()

    def equations(self, s, i, p):
        u = s.u
        near = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
        return {"u": p.d * (near - 4 * u) + i.w}


def test_diffusion_in_the_plane_decays_as_its_waves_do(monkeypatch):
    monkeypatch.setattr(sparse, "LARGEST_BANDED", 0)
    side, rng = 18, np.random.default_rng(0)
    start, times = rng.standard_normal((side, side)), np.array([0.0, 1e-3, 0.1, 1.0])
    ramp = linear_table([0.0, 0.05, 1.0], [0.0, 0.0, 1.9])
    run = simulate(Plane(side), times, start.ravel(), {"w": ramp})
    angle = 2 * np.pi * np.fft.fftfreq(side)
    rate = 200.0 * (2 * np.cos(angle)[:, None] + 2 * np.cos(angle)[None] - 4)
    exact = np.array([np.fft.ifft2(np.fft.fft2(start) * np.exp(rate * t)).real for t in times])
    exact += (np.maximum(times - 0.05, 0.0) ** 2 * 1.9 / 0.95 / 2)[:, None, None]
    np.testing.assert_allclose(run["u"], exact, rtol=0, atol=1e-7)
    assert run.solver.solver == "DOP853, then BDF"


def test_a_large_system_that_is_not_stiff_is_stepped_explicitly(monkeypatch):
    monkeypatch.setattr(sparse, "LARGEST_BANDED", 0)
    run = simulate(
        Plane(
            18,
        ),
        [0.0, 0.02],
        np.ones(18 * 18),
        {"w": 1.0},
    )
    np.testing.assert_allclose(run.final_state, 1.02, rtol=1e-9)
    assert run.solver.solver == "DOP853"


def sparse_matrix(rng, n, stiffness):
    """A stable matrix, narrow in an order that nobody knows."""
    sides = rng.standard_normal((2, n - 1))
    middle = -3.0 - stiffness * rng.random(n)
    A = diags([sides[0], middle, sides[1]], [-1, 0, 1]).toarray()
    A[0, 3] = 2.0
    order = rng.permutation(n)
    return A[np.ix_(order, order)]


@given(rngs, st.sampled_from([0.0, 1e3, 1e6]), st.sampled_from(["banded", "dense", "steps"]))
@settings(max_examples=15, deadline=None)
def test_every_route_follows_the_matrix_exponential(rng, stiffness, route):
    n, times = 40, np.array([0.0, 0.3, 1.0])
    A = sparse_matrix(rng, n, stiffness)
    matrix, start, tally = csc_array(A), rng.standard_normal(n), Tally()
    problem = SparseProblem(lambda _, x: matrix @ x, lambda _t, _x: matrix, start)
    band = sparse.narrowest_band(matrix)
    assert band.width <= 6
    common = (times, times[-1:], StepTolerances(1e-9, np.full(n, 1e-12), np.inf), tally)
    states = {
        "banded": lambda: sparse._by_banded_lsoda(problem, band, *common),
        "dense": lambda: sparse._by_dense_lsoda(problem, *common),
        "steps": lambda: sparse._by_steps(problem, *common),
    }[route]()
    exact = np.array([expm(A * t) @ start for t in times])
    np.testing.assert_allclose(states, exact, rtol=0, atol=1e-7)
    assert tally.evaluations < 20_000


@given(rngs, st.integers(2, 30))
@settings(max_examples=20, deadline=None)
def test_a_band_holds_every_entry(rng, n):
    A = np.where(rng.random((n, n)) < 0.2, rng.standard_normal((n, n)), 0.0)
    band = sparse.narrowest_band(csc_array(A))
    packed, ordered = band.packed(csc_array(A)), A[np.ix_(band.order, band.order)]
    back = np.zeros((n, n))
    for i in range(n):
        for k in range(max(i - band.width, 0), min(i + band.width + 1, n)):
            back[i, k] = packed[band.width + i - k, k]
    np.testing.assert_array_equal(back, ordered)


def test_thousands_of_flows_take_as_many_evaluations_as_ten():
    class One(rm.Flow):
        state, inputs, parameters = rm.space("x"), rm.space("u"), {"k": 1.0}

        def equations(self, x, u, p):
            return {"x": -p.k * x.x + np.tanh(u.u)}

    evaluations, ends = [], []
    for count in (60, 3000):
        wiring = rm.Wiring(**{f"c{i}": One(k=1.0 + 0.1 * (i % 3)) for i in range(count)})
        for i in range(count):
            wiring.connect(f"c{i}.x", f"c{(i + 1) % count}.u")
        graph = wiring.output("o", "c0.x").build()
        run = simulate(graph, [0.0, 1.0, 10.0], np.tile([1.0, -0.5, 0.3], count // 3))
        evaluations.append(run.solver.evaluations)
        ends.append(run.final_state[:3])
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-8)
    assert evaluations[1] <= 1.5 * evaluations[0]


def test_a_large_system_that_runs_away_says_when_and_where():
    class Growing(rm.Flow):
        state = rm.space(x=60)

        def equations(self, x, u, p):
            return {"x": x.x**2}

    start = np.zeros(60)
    start[17] = 1.0
    with pytest.raises(ConvergenceError, match=r"stopped at t = (1|0\.99999\d*) of 2.*x\[17\]"):
        simulate(Growing(), [0.0, 2.0], start)


def test_a_given_solver_runs_large_systems_with_the_sparse_jacobian():
    cells, times = 30, [0.0, 10.0]
    run = simulate(Brusselator(cells), times, bruss_start(cells), method=Radau)
    default = simulate(Brusselator(cells), times, bruss_start(cells))
    np.testing.assert_allclose(run.states, default.states, rtol=0, atol=1e-7)
    assert run.solver.solver == "Radau"


def test_discrete_modules_of_many_states_are_stepped():
    class Rule(rm.StepMap):
        state = rm.space(x=200)

        def equations(self, x, u, p):
            return {"x": 0.5 * (x.x + np.roll(x.x, 1)) + 0.1 * np.sin(x.x)}

    start = np.random.default_rng(0).standard_normal(200)
    run = simulate(Rule(), np.arange(4.0), start)
    x = start
    for _ in range(3):
        x = 0.5 * (x + np.roll(x, 1)) + 0.1 * np.sin(x)
    np.testing.assert_allclose(run.final_state, x, rtol=1e-12, atol=1e-14)
