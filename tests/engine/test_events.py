"""Events: exact times, resets, ends, order, accumulation; trajectories that carry them."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import DOP853, RK45, Radau

import riemannian_modules as rm
from riemannian_modules.engine import (
    at_times,
    event,
    simulate,
    stop,
)
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError
from riemannian_modules.results import load_result, save_result
from tests.engine.flows import LinearStep, Untraceable

DEFAULT = 1e-7
G = 9.81


class Ball(rm.Flow):
    state, parameters = rm.space(h="m", v="m/s"), {"g": G}

    def equations(self, x, u, p):
        return {"h": x.v, "v": -p.g}


class Oscillator(rm.Flow):
    state, inputs = rm.space("q v"), rm.space("u")

    def equations(self, x, u, p):
        return {"q": x.v, "v": u.u - x.q}


class Oral(rm.Flow):
    """One compartment with first-order absorption."""

    state, parameters = rm.space("gut a"), {"ka": 1.2, "k": 0.3}

    def equations(self, x, u, p):
        return {"gut": -p.ka * x.gut, "a": p.ka * x.gut - p.k * x.a}


def bounces(h0, e, count):
    """The times of the first bounces of a ball that is dropped."""
    fall, up = np.sqrt(2 * h0 / G), np.sqrt(2 * G * h0)
    flights = 2 * up / G * e ** np.arange(1, count)
    return fall + np.concatenate([[0.0], np.cumsum(flights)])


@given(st.floats(0.5, 10.0), st.floats(0.4, 0.95))
@settings(max_examples=10, deadline=None)
def test_a_ball_bounces_at_its_exact_times(h0, e):
    wanted = bounces(h0, e, 6)
    end = 0.5 * (wanted[4] + wanted[5])
    bounce = event("h", direction=-1, reset={"v": f"-{e!r} * v"}, name="bounce")
    trajectory = simulate(Ball(), [0, end], [h0, 0.0], events=[bounce])
    times = [o.time for o in trajectory.events]
    assert np.abs(np.array(times) - wanted[:5]).max() <= DEFAULT * (1 + h0)
    # In the middle of a flight it stands at the height e^10 h0 of that flight.
    assert abs(trajectory["h"][-1] - e**10 * h0) <= DEFAULT * (1 + h0)
    assert {o.name for o in trajectory.events} == {"bounce"}
    assert all(o.after[1] == pytest.approx(-e * o.before[1]) for o in trajectory.events)


@pytest.mark.parametrize("method", [None, DOP853, RK45, Radau])
@pytest.mark.parametrize(
    ("when", "reset"),
    [
        ("h", {"v": "-0.5 * v"}),
        (lambda t, x, u, p: x.h, {"v": lambda t, x, u, p: -0.5 * x.v}),
        (lambda t, x, u, p: float(x.h), lambda t, x, u, p: {"v": -0.5 * float(x.v)}),
    ],
)
def test_formulas_and_functions_are_events_for_every_solver(method, when, reset):
    bounce = event(when, direction=-1, reset=reset)
    trajectory = simulate(Ball(), [0, 1.0], [2.0, 0.0], events=[bounce], method=method)
    times = [o.time for o in trajectory.events]
    assert np.abs(times - bounces(2.0, 0.5, 2)[: len(times)]).max() <= 1e-6
    assert len(times) == int((bounces(2.0, 0.5, 5) < 1.0).sum())


@pytest.mark.parametrize("floor", [0.5, 3.7, -1.3, -370.0, 1e4])
def test_no_ball_falls_through_a_floor_at_any_height(floor):
    for e in (0.5, 0.1):
        bounce = event(f"h - ({floor})", reset={"v": f"-{e} * v"})
        with pytest.raises(ConvergenceError, match="Zeno"):
            simulate(Ball(), [0, 10.0], [floor + 1.0, 0.0], events=[bounce])
    lively = event(f"h - ({floor})", reset={"v": "-0.9 * v"})
    trajectory = simulate(Ball(), [0, 5.0], [floor + 1.0, 0.0], events=[lively])
    times = [o.time for o in trajectory.events]
    assert np.abs(times - bounces(1.0, 0.9, len(times))).max() <= 1e-5


def test_formulas_may_be_numbers_and_a_run_may_be_its_start():
    halt = event("h - 1", reset={"h": "2", "v": "-2^2"})
    trajectory = simulate(Ball(), [0, 0.5], [1.5, 0.0], events=[halt])
    t = trajectory.events[0].time
    assert abs(trajectory["h"][-1] - (2 - 4 * (0.5 - t) - G * (0.5 - t) ** 2 / 2)) <= DEFAULT
    with pytest.raises(SignatureError, match="constant"):
        simulate(Ball(), [0, 0.5], [1.5, 0.0], events=[stop("1")])
    put = at_times([0.0], {"v": "3"})
    np.testing.assert_array_equal(simulate(Ball(), [0.0], events=[put]).states, [[0.0, 3.0]])


def test_a_ball_that_comes_to_rest_is_refused_in_words_and_ends_where_it_is_told_to():
    bounce = event("h", direction=-1, reset={"v": "-0.5 * v"})
    with pytest.raises(ConvergenceError, match=r"4 times in a row.*accumulate \(Zeno\)"):
        simulate(Ball(), [0, 10.0], [1.0, 0.0], events=[bounce])
    for e in (0.9, 0.1, 1e-3):
        harder = event("h", direction=-1, reset={"v": f"-{e} * v"})
        with pytest.raises(ConvergenceError, match="Zeno"):
            simulate(Ball(), [0, 30.0], [1.0, 0.0], events=[harder])
    rest = stop("v^2 / 2 + g * h - 1e-6", direction=-1)
    trajectory = simulate(Ball(), [0, 10.0], [1.0, 0.0], events=[bounce, rest])
    assert trajectory.times[-1] < bounces(1.0, 0.5, 60)[-1]
    assert trajectory.events[-1].name == rest.name


def test_a_run_ends_at_its_first_zero_in_the_direction_that_is_asked_for():
    times = np.linspace(0, 20, 21)
    start = [1.0, 0.0]
    down = simulate(Oscillator(), times, start, events=[stop("q - 0.5", direction=-1)])
    up = simulate(Oscillator(), times, start, events=[stop("q - 0.5", direction=1)])
    both = simulate(Oscillator(), times, start, events=[stop("q - 0.5")])
    ends = [np.pi / 3, 2 * np.pi - np.pi / 3, np.pi / 3]
    for trajectory, end in zip((down, up, both), ends, strict=True):
        assert abs(trajectory.times[-1] - end) <= DEFAULT
        assert np.array_equal(trajectory.times[:-1], times[times < end])
        assert np.abs(trajectory["q"] - np.cos(trajectory.times)).max() <= DEFAULT


def test_events_that_change_nothing_are_noted_and_the_run_goes_on():
    t = np.linspace(0, 10, 5)
    watched = [event("q", name="zero"), event("v", direction=1, name="lowest")]
    trajectory = simulate(Oscillator(), t, [1.0, 0.0], events=watched)
    assert np.abs(trajectory["q"] - np.cos(t)).max() <= DEFAULT
    found = {
        name: [o.time for o in trajectory.events if o.name == name] for name in ("zero", "lowest")
    }
    assert np.abs(np.array(found["zero"]) - np.pi * (np.arange(3) + 0.5)).max() <= DEFAULT
    assert np.abs(np.array(found["lowest"]) - np.pi * np.array([1, 3])).max() <= DEFAULT
    assert [o.time for o in trajectory.events] == sorted(o.time for o in trajectory.events)


def doses(t, at, amount, ka=1.2, k=0.3):
    """Superposition of single doses (Gibaldi and Perrier 1982)."""
    late = np.maximum(t[:, None] - at, 0.0)
    return amount * (ka / (ka - k) * (np.exp(-k * late) - np.exp(-ka * late))).sum(1)


@given(st.lists(st.floats(0, 48.0), min_size=1, max_size=6, unique=True), st.floats(0.1, 100.0))
@settings(max_examples=10, deadline=None)
def test_doses_at_known_times_add_up(at, amount):
    t = np.linspace(0, 48, 7)
    dose = at_times(at, {"gut": f"gut + {amount!r}"})
    trajectory = simulate(Oral(), t, events=[dose])
    expected = doses(t, np.array(sorted(at)), amount)
    assert np.abs(trajectory["a"] - expected).max() <= DEFAULT * amount
    assert [o.time for o in trajectory.events] == sorted(at)


def test_at_the_time_of_an_event_the_trajectory_shows_the_state_after_it():
    trajectory = simulate(
        Oral(), [0, 1.0, 2.0], events=[at_times([0, 1.0, 2.0, 5.0], {"gut": 7.0})]
    )
    assert np.array_equal(trajectory["gut"], [7.0, 7.0, 7.0])
    assert len(trajectory.events) == 3


def test_several_events_at_once_happen_in_their_order():
    first = event("q - 0.5", direction=-1, reset={"v": 2.0}, name="first")
    second = event("2 * q - 1", direction=-1, reset={"v": "v + 1"}, name="second")
    trajectory = simulate(Oscillator(), [0, 1.1], [1.0, 0.0], events=[first, second])
    assert [o.name for o in trajectory.events] == ["first", "second"]
    assert trajectory.events[-1].after[1] == 3.0


@given(st.floats(0.5, 99.0), st.floats(-6.0, -1.0).map(lambda e: 10.0**e))
@settings(max_examples=10, deadline=None)
def test_zeros_of_the_time_alone_are_never_stepped_over(start, width):
    inside = event(f"(t - {start!r}) * (t - {start + width!r})", name="edge")
    trajectory = simulate(Oscillator(), [0, 100.0], events=[inside])
    wanted = [start, start + width]
    assert [o.time for o in trajectory.events] == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_events_and_switches_of_the_equations_go_together():
    class Tank(rm.Flow):
        """Filled while the valve is open; the valve's state is set by events."""

        state = rm.space("h open")

        def equations(self, x, u, p):
            return {"h": np.where(x.open > 0.5, 1.0, 0.0) - 0.25, "open": 0.0}

    close = event("h - 2", direction=1, reset={"open": 0.0})
    open_ = event("h - 1", direction=-1, reset={"open": 1.0})
    # Up by 3/4 a second from 0 to 2, down by 1/4 to 1, up again ...
    trajectory = simulate(Tank(), [0, 20.0], [0.0, 1.0], events=[close, open_])
    rise, fall = 1 / 0.75, 1 / 0.25
    wanted = 2 * rise + np.cumsum([0, *[fall, rise] * 4])
    assert np.abs(np.array([o.time for o in trajectory.events]) - wanted[wanted < 20]).max() <= 1e-6


def test_a_module_without_exact_terms_has_events_too():
    trajectory = simulate(Untraceable(), [0, 50.0], events=[stop("t - 0.75")])
    assert abs(trajectory.times[-1] - 0.75) <= 1e-12


def test_an_event_at_a_jump_of_the_inputs_is_seen_once():
    pulse = rm.engine.held_table([0.0, 3.0], [0.0, 1.0])
    trajectory = simulate(Oscillator(), [0, 6.0], inputs={"u": pulse}, events=[event("t - 3")])
    assert [o.time for o in trajectory.events] == pytest.approx([3.0])


def test_a_trajectory_is_kept_with_its_events(tmp_path):
    bounce = event("h", direction=-1, reset={"v": "-0.5 * v"}, name="bounce")
    trajectory = simulate(Ball(), [0, 1.0], [2.0, 0.0], events=[bounce])
    save_result(trajectory, tmp_path / "run.json")
    for again in (load_result(tmp_path / "run.json"), pickle.loads(pickle.dumps(trajectory))):
        assert [o.time for o in again.events] == [o.time for o in trajectory.events]
        assert np.array_equal(again.events[0].after, trajectory.events[0].after)
    assert "1 event: bounce" in repr(trajectory)


def test_the_picture_marks_the_events_at_their_times():
    bounce = event("h", direction=-1, reset={"v": "-0.5 * v"}, name="bounce")
    trajectory = simulate(Ball(), np.linspace(0, 1, 50), [2.0, 0.0], events=[bounce])
    figure = trajectory.plot(["h"])
    marks = [line for line in figure.axes[0].lines if line.get_label() == "bounce"]
    assert np.array_equal(marks[0].get_xdata(), [o.time for o in trajectory.events])


def test_an_event_happens_once_at_a_time():
    with pytest.raises(DomainError, match=r"0\.5 stands 2 times"):
        at_times([0.7, 0.5, 0.5])
    assert at_times([0.7, 0.5]).times.tolist() == [0.5, 0.7]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: event(3.0), "a formula such as"),
        (lambda: event("h", direction=2), "1 \\(rising\\)"),
        (lambda: event("h", reset=3.0), "new values of states by name"),
        (lambda: at_times([[1.0]]), "shape \\(k,\\)"),
        (lambda: simulate(Ball(), [0, 1.0], events=["h"]), "expected a list of events"),
        (lambda: simulate(Ball(), [0, 1.0], events=[event("height")]), "height"),
        (lambda: simulate(Ball(), [0, 1.0], events=[event(lambda t, x, u, p: x.w)]), "'w'"),
        (
            lambda: simulate(Ball(), [0, 1.0], events=[at_times([0.5], {"w": 1.0})]),
            "unknown names \\['w'\\]",
        ),
        (
            lambda: simulate(LinearStep(np.eye(1), np.eye(1)), [0, 1.0], events=[event("x")]),
            "continuous time",
        ),
    ],
)
def test_what_cannot_be_an_event_is_refused_in_words(make, words):
    with pytest.raises(SignatureError, match=words):
        make()


def test_a_reset_to_nan_is_refused():
    with pytest.raises(DomainError, match="NaN"):
        simulate(Ball(), [0, 1.0], events=[at_times([0.5], lambda t, x, u, p: {"v": np.nan})])


def test_formulas_name_the_quantities_of_composites():
    chain = rm.Wiring(a=rm.Lag(1.0), b=rm.Lag(2.0)).input("u", "a.u").connect("a.y", "b.u")
    half = event("a.x - 0.5", reset={"b.x": "b.x + a.x * a.tau"}, name="half")
    run = simulate(chain.build(), [0, 5.0], inputs={"u": 1.0}, events=[half])
    (found,) = run.events
    assert found.time == pytest.approx(np.log(2.0), rel=1e-7)
    assert (found.after - found.before).tolist() == pytest.approx([0.0, 0.5], rel=1e-7)


@pytest.mark.parametrize("value", [[1.0, 2.0], np.ones((2, 1)), lambda t, x, u, p: [1.0, 2.0]])
def test_a_reset_to_several_values_is_refused_by_name(value):
    with pytest.raises(SignatureError, match="reset of 'h': 'v': expected one new value"):
        simulate(Ball(), [0, 5.0], {"h": 1.0}, events=[event("h", reset={"v": value})])


def test_a_reset_may_be_a_constant_formula():
    run = simulate(Ball(), [0, 0.1], {"h": 1.0}, events=[at_times([0.05], {"v": "0", "h": "1/2"})])
    assert run.events[0].after.tolist() == [0.5, 0.0]
    fallen = event("h", reset={"v": "0*v", "h": "3"})
    assert simulate(Ball(), [0, 1.0], {"h": 1.0}, events=[fallen]).events[0].after.tolist() == [
        3,
        0,
    ]


def test_a_constant_is_no_event():
    for when in ("3", "h - h"):
        with pytest.raises(SignatureError, match=r"event 'never': .* is constant"):
            simulate(Ball(), [0, 1.0], events=[event(when, name="never")])
