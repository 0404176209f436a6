"""CVODE, asked for by name, gives the default's answers; unasked it changes nothing."""

import pickle
import subprocess
import sys
from math import factorial

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import cvode, event, linear_table, simulate, stop
from riemannian_modules.errors import ConvergenceError, UnsupportedError
from tests.engine.test_large import Brusselator, bruss_start
from tests.integration.stiff_flows import PUBLISHED

SOLVER = "riemannian_modules.integration.cvode_solver"


@pytest.fixture
def method():
    pytest.importorskip("sksundae", reason="scikit-sundae, the extra `sundials`, is not installed")
    return cvode()


class Falling(rm.Flow):
    state = rm.space("height speed")

    def equations(self, x, u, p):
        return {"height": x.speed, "speed": -9.81 - 0.1 * x.speed}


class Driven(rm.Flow):
    state, inputs = rm.space("x"), rm.space("u")

    def equations(self, x, u, p):
        return {"x": 50.0 * (u.u - x.x)}


class Explosive(rm.Flow):
    state = rm.space("x")

    def equations(self, x, u, p):
        return {"x": x.x**2}


@pytest.mark.parametrize("name", ["van der Pol", "Oregonator", "HIRES"])
def test_published_ends_come_out(method, name):
    case = PUBLISHED[name]
    run = simulate(case.flow, [0.0, case.duration], case.start, method=method)
    np.testing.assert_allclose(run.final_state, case.end, rtol=1e-6)
    assert run.solver.solver == "CVODE"
    assert run.solver.jacobians > 0


@pytest.mark.parametrize("cells", [30, 120])
def test_a_sparse_jacobian_gives_the_default_s_curves(method, cells):
    # Global errors of both are some hundred times the relative tolerance of 1e-9.
    times = np.linspace(0.0, 10.0, 401)
    asked = simulate(Brusselator(cells), times, bruss_start(cells), method=method)
    given = simulate(Brusselator(cells), times, bruss_start(cells))
    np.testing.assert_allclose(asked.states, given.states, rtol=0, atol=1e-6)
    assert asked.solver.solver == "CVODE"


def test_times_of_the_result_cost_no_steps(method):
    few, many = (
        simulate(Brusselator(40), np.linspace(0.0, 10.0, k), bruss_start(40), method=method)
        for k in (3, 2001)
    )
    assert few.solver.steps == many.solver.steps
    np.testing.assert_array_equal(few.final_state, many.final_state)
    np.testing.assert_allclose(few.states[1], many.states[1000], rtol=0, atol=1e-12)


def test_events_are_found_where_the_default_finds_them(method):
    bounce = event("height", direction=-1, reset={"speed": "-0.8 * speed"}, name="bounce")
    events = [bounce, stop("t - 3.8", name="end")]
    start, times = {"height": 10.0, "speed": 0.0}, np.linspace(0.0, 4.0, 9)
    asked, given = (
        simulate(Falling(), times, start, events=events, method=m) for m in (method, None)
    )
    assert [e.name for e in asked.events] == [e.name for e in given.events]
    assert [e.name for e in asked.events] == ["bounce", "bounce", "end"]
    np.testing.assert_allclose(
        [e.time for e in asked.events], [e.time for e in given.events], rtol=1e-7
    )
    np.testing.assert_allclose(asked.states, given.states, rtol=1e-6, atol=1e-6)


def test_corners_and_jumps_of_inputs_are_kept(method):
    drive = {"u": linear_table([0.0, 1.0, 1.0001, 3.0], [0.0, 0.0, 1.0, 0.5])}
    times = np.linspace(0.0, 3.0, 31)
    asked, given = (simulate(Driven(), times, [0.0], drive, method=m) for m in (method, None))
    np.testing.assert_allclose(asked.states, given.states, rtol=0, atol=1e-7)


def test_delays_look_back_on_steps_long_past(method):
    """Negative feedback: ``x = sum (-1)^j (t - j + 1)^j / j!`` by the method of steps."""
    flow = rm.Equations({"dx": "-u"}, state="x", inputs="u")
    wiring = rm.Wiring(flow=flow, late=rm.Delay(1.0))
    loop = wiring.connect("flow.x", "late.u").connect("late.y", "flow.u").build()
    t = np.linspace(0.0, 6.0, 61)
    exact = [
        sum((-1.0) ** j * (s - j + 1) ** j / factorial(j) for j in range(int(s + 1e-9) + 2))
        for s in t
    ]
    found = simulate(loop, t, {"flow.x": 1.0}, method=method)
    np.testing.assert_allclose(found["flow.x"], exact, rtol=0, atol=1e-6)


def test_an_interpolant_is_kept_while_the_solver_goes_on(method):
    solver = method(lambda t, y: np.array([y[1], -y[0]]), 0.0, np.array([0.0, 1.0]), 5.0, rtol=1e-9)
    kept = []
    while solver.status == "running":
        solver.step()
        path = solver.dense_output()
        inside = np.linspace(solver.t_old, solver.t, 5)
        kept.append((path, inside, path(inside)))
    for path, inside, told in kept:
        np.testing.assert_array_equal(path(inside), told)
        # A thousand times the relative error of a step, for steps add up.
        np.testing.assert_allclose(told[0], np.sin(inside), rtol=0, atol=2e-5)
    assert kept[-1][2][:, -1].tolist() == solver.y.tolist()


def test_a_batch_is_that_of_single_runs(method):
    starts = np.array([[10.0, 0.0], [20.0, 1.0]])
    times = np.linspace(0.0, 2.0, 5)
    many = simulate(Falling(), times, starts, method=method)
    alone = [simulate(Falling(), times, start, method=method).states for start in starts]
    np.testing.assert_array_equal(many.states, alone)
    assert pickle.loads(pickle.dumps(method)) is method  # processes of an executor get it


def test_a_solution_that_ends_early_is_refused(method):
    with pytest.raises(ConvergenceError, match=r"stopped at t = (0\.99|1\b).* x = "):
        simulate(Explosive(), [0.0, 2.0], [1.0], method=method)


def test_a_span_of_rounding_is_refused(method):
    with pytest.raises(ValueError, match="too close"):
        method(lambda t, y: y, 1.0, np.ones(2), 1.0 + 2e-16)


INTERRUPTED = """
import numpy as np
from scipy.sparse import csc_array, eye_array
from riemannian_modules.engine import cvode

matrix = csc_array(eye_array(5))
for place in range(1, 30):
    calls = 0

    def interrupted(value):
        global calls
        calls += 1
        if calls == place:
            raise KeyboardInterrupt
        return value

    solver = None
    try:
        solver = cvode()(
            lambda t, y: interrupted(-y), 0.0, np.ones(5), 1.0, rtol=1e-6,
            jac=lambda t, y: interrupted(-matrix),
        )
        while solver.status == "running":
            solver.step()
    except KeyboardInterrupt:
        del solver
        continue
    raise SystemExit(f"interruption {place} was lost")
cvode()(lambda t, y: -y, 0.0, np.ones(5), 1.0, jac=lambda t, y: -matrix)  # never stepped
"""


def test_it_can_be_interrupted_at_any_evaluation(method):
    # In a process of its own: what is freed too early ends the process.
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_scikit_sundae_it_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "sksundae", None)
    monkeypatch.delitem(sys.modules, SOLVER, raising=False)
    with pytest.raises(UnsupportedError, match=r"cvode: needs scikit-sundae.*pip install"):
        cvode()


def test_the_same_request_gives_the_same_bits_with_and_without_it(method, monkeypatch):
    times, start = [0.0, 2.0, 10.0], bruss_start(40)
    present = simulate(Brusselator(40), times, start)
    monkeypatch.setitem(sys.modules, "sksundae", None)
    monkeypatch.delitem(sys.modules, SOLVER, raising=False)
    absent = simulate(Brusselator(40), times, start)
    assert present.solver.solver == absent.solver.solver == "LSODA"
    np.testing.assert_array_equal(present.states, absent.states)
