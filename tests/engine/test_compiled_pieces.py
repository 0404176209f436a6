"""Runs that switch or have events by LSODA in compiled code are those of a solver that is stepped.

DOP853 is stepped, and looked at in each step; LSODA only where a crossing may be.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import DOP853, solve_ivp

import riemannian_modules as rm
from riemannian_modules.engine import event, simulate
from riemannian_modules.integration.course import course
from riemannian_modules.integration.problem import InitialValueProblem, StepTolerances
from riemannian_modules.integration.scout import NOT_SOUGHT, Scout
from riemannian_modules.integration.tally import Tally
from tests.strategies import rngs


class Gripped(rm.Flow):
    """An oscillator with a saturated force, friction on one side and a soft stop."""

    state = rm.space("q v")
    parameters = {"k": 1.0, "d": 0.1, "a": 1.0, "r": 0.3, "b": 0.2}

    def equations(self, x, u, p):
        force = p.a * np.clip(2.0 * x.q, -0.5, 0.5) + np.maximum(x.v - 0.3, 0.0)
        return {
            "q": x.v,
            "v": force - p.k * x.q - p.d * x.v - p.r * np.where(x.q > p.b, x.v, 0.0),
        }


@given(rngs)
@settings(max_examples=25, deadline=None)
def test_compiled_and_stepped_runs_meet_the_same_events(rng):
    theta = [rng.uniform(0.3, 9), rng.uniform(0, 0.5), rng.normal(), rng.uniform(), rng.normal()]
    times, x0 = np.linspace(0, rng.uniform(1, 6), int(rng.integers(2, 60))), rng.normal(size=2)
    levels, ways = rng.normal(size=2), rng.integers(-1, 2, 2).tolist()
    events = [
        event(f"q - ({levels[0]!r})".replace("np.float64", ""), direction=ways[0], name="q"),
        event(f"v*q - ({levels[1]!r})".replace("np.float64", ""), direction=ways[1], name="vq",
              reset={"v": "0.9*v"}),
    ]  # fmt: skip
    compiled = simulate(Gripped(), times, x0, theta=theta, events=events)
    stepped = simulate(Gripped(), times, x0, theta=theta, events=events, method=DOP853, rtol=1e-11)
    size = 1.0 + np.abs(stepped.states).max()
    assert [e.name for e in compiled.events] == [e.name for e in stepped.events]
    at, truth = ([e.time for e in run.events] for run in (compiled, stepped))
    # Local errors are 1e-9 a step, over some hundred steps; where a value grazes zero the time of
    # its event has the square root of that.
    assert np.allclose(at, truth, atol=1e-3)
    assert np.abs(compiled.states - stepped.states).max() <= 1e-5 * size


def swing(rate, start):
    """``x'' = -rate^2 x`` from rest, and how to run it over 10 units of time."""
    square = rate * rate
    problem = InitialValueProblem(
        lambda t, x: (x[1], -square * x[0]),
        lambda t, x: np.array([[0.0, 1.0], [-square, 0.0]]),
        np.array([start, 0.0]),
    )
    return problem, StepTolerances(1e-9, 1e-12, np.inf)


@given(st.floats(0.5, 4.0), st.floats(-0.95, 0.95))
@settings(max_examples=20, deadline=None)
def test_every_zero_lies_in_a_doubtful_step(rate, level):
    problem, tolerances = swing(rate, 1.0)
    scout = Scout(lambda t, x: x[:, :1] - level, [1.0 - level], [NOT_SOUGHT])
    times = np.linspace(0.0, 10.0, 7)
    way = course(problem, times, times[-1:], tolerances, scout, Tally())
    first = np.arccos(level) / rate
    turns = 2 * np.pi / rate * np.arange(20)
    zeros = np.concatenate([turns + first, turns + 2 * np.pi / rate - first])
    for zero in zeros[zeros < 10.0]:
        assert any(a <= zero <= b for a, b in way.doubtful)
    assert way.end == 10.0
    assert np.allclose(way.path(times)[0], np.cos(rate * times), atol=1e-6)


@given(st.floats(0.5, 4.0), st.floats(-0.9, 0.9))
@settings(max_examples=20, deadline=None)
def test_between_the_ends_of_a_step_its_path_is_as_accurate_as_they_are(rate, level):
    problem, tolerances = swing(rate, 1.0)
    scout = Scout(lambda t, x: x[:, :1] - level, [1.0], [-1.0])
    way = course(problem, np.array([0.0, 10.0]), np.array([10.0]), tolerances, scout, Tally())
    zero = np.arccos(level) / rate
    a, b = way.doubtful[-1]
    assert a <= zero <= b == way.end  # what follows is not run through again
    inner = a + (b - a) * np.linspace(0.0, 1.0, 17)
    assert np.allclose(way.inside(a, b)(inner)[0], np.cos(rate * inner), atol=1e-6)
    assert np.allclose(way.inside(a, b)(b), way.path(b), rtol=0, atol=1e-14)


def test_its_steps_are_those_of_scipys_own_lsoda():
    problem, tolerances = swing(2.0, 1.0)
    scout, tally = Scout(lambda t, x: x[:, :1] - 9.0, [-1.0], [0.0]), Tally()
    course(problem, np.array([0.0, 10.0]), np.array([10.0]), tolerances, scout, tally)
    peer = solve_ivp(
        lambda t, x: problem.derivative(t, x.tolist()), (0.0, 10.0), problem.start, method="LSODA",
        jac=lambda t, x: problem.jacobian(t, x.tolist()), rtol=1e-9, atol=1e-12,
    )  # fmt: skip
    assert tally.steps == len(peer.t) - 1
    assert len(scout.first_step) == 1
    assert scout.first_step[0][1] == peer.t[1]
