"""Switching surfaces are found in the equations: pulses, kinks, relays and friction."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import DOP853, RK45, Radau

import riemannian_modules as rm
from riemannian_modules.engine import jumping, simulate
from riemannian_modules.errors import ConvergenceError, DomainError, SignatureError

# Default local errors are 1e-9; over short stable runs a few hundred of them may add up.
DEFAULT = 1e-7


class Dose(rm.Flow):
    """``a' = dose (start <= t < end) - k a`` with the clock c as a state."""

    state = rm.space("a c")
    parameters = {"dose": 3.0, "k": 0.5, "start": 50.0, "end": 51.0}

    def equations(self, x, u, p):
        on = np.where(x.c >= p.start, np.where(x.c < p.end, p.dose, 0.0), 0.0)
        return {"a": on - p.k * x.a, "c": 1.0}


class DrivenDose(rm.Flow):
    """The same with the time as an input."""

    state = rm.space("a")
    inputs = rm.space("t")
    parameters = {"dose": 3.0, "k": 0.5, "start": 1.0, "end": 2.0}

    def equations(self, x, u, p):
        on = np.where((u.t >= p.start) & (u.t < p.end), p.dose, 0.0)
        return {"a": on - p.k * x.a}


class TimedDose(DrivenDose):
    """The same, where the module says that it is the time."""

    time_input = "t"


class Tank(rm.Flow):
    state, inputs = rm.space("a"), rm.space("dose")
    parameters = {"k": 0.5}

    def equations(self, x, u, p):
        return {"a": u.dose - p.k * x.a}


def amount(t, start, end, dose=3.0, k=0.5):
    """The closed form: what came in, decayed since."""
    on = np.clip(t, start, end) - start
    return dose / k * (1 - np.exp(-k * on)) * np.exp(-k * np.maximum(t - end, 0))


pulses = st.tuples(st.floats(0.0, 90.0), st.floats(-6.0, 1.0).map(lambda e: 10.0**e))


@given(pulses)
@settings(max_examples=25, deadline=None)
@example((50.0, 1.0))
@example((0.0, 1e-6))
def test_a_pulse_of_a_clock_state_is_integrated_however_short(pulse):
    start, width = pulse
    flow = Dose(start=start, end=start + width, dose=1 / width)
    a = simulate(flow, [0.0, 100.0], [0.0, 0.0])["a"]
    assert abs(a[-1] - amount(100.0, start, start + width, 1 / width)) <= DEFAULT


@given(pulses)
@settings(max_examples=15, deadline=None)
@example((3.0, 1e-5))
def test_a_pulse_of_the_time_is_integrated_however_it_comes_in(pulse):
    start, width = pulse
    end, expected = start + width, amount(100.0, start, start + width, 1 / width)
    values = {"start": start, "end": end, "dose": 1 / width}
    by_name = simulate(DrivenDose(**values), [0, 100.0], inputs={"t": lambda t: t})
    by_class = simulate(TimedDose(**values), [0, 100.0])
    traced = simulate(
        Tank(),
        [0, 100.0],
        inputs={"dose": lambda t: np.where((t >= start) & (t < end), 1 / width, 0.0)},
    )
    named = simulate(
        Tank(),
        [0, 100.0],
        inputs={"dose": jumping(lambda t: 1 / width if start <= t < end else 0.0, [end, start])},
    )
    for trajectory in (by_name, by_class, traced, named):
        assert abs(trajectory["a"][-1] - expected) <= DEFAULT
    assert np.array_equal(by_class["t"], [0.0, 100.0])


@pytest.mark.parametrize("method", [DOP853, RK45, Radau, None])
def test_every_solver_finds_the_pulse(method):
    a = simulate(Dose(), np.linspace(0, 55, 56), [0.0, 0.0], method=method)["a"]
    assert np.abs(a - amount(np.linspace(0, 55, 56), 50, 51)).max() <= DEFAULT


def test_output_times_on_and_inside_the_pulse_are_right():
    t = np.array([0, 1, 1.5, 2, 5.0])
    a = simulate(DrivenDose(), t, inputs={"t": lambda t: t})["a"]
    assert np.abs(a - amount(t, 1, 2)).max() <= DEFAULT


def test_jumps_of_a_plain_python_function_are_found_if_it_is_on_for_long_enough():
    a = simulate(Tank(), [0, 50.0], inputs={"dose": lambda t: 1.0 if 1 < t < 3 else 0.0})["a"]
    assert abs(a[-1] - amount(50.0, 1, 3, 1.0)) <= DEFAULT


def test_a_function_without_jumps_is_not_taken_for_one_that_has_some():
    def recording(t):
        return float(np.interp(t, [0, 25.0, 50.0], [0, 1.0, 0.0]))

    a = simulate(Tank(), [0, 25.0, 50.0], inputs={"dose": recording})["a"]
    table = simulate(Tank(), [0, 25.0, 50.0], inputs={"dose": ([0, 25.0, 50.0], [0, 1.0, 0.0])})
    assert np.abs(a - table["a"]).max() <= DEFAULT


def test_a_random_input_is_not_frozen_where_it_was_traced():
    rng = np.random.default_rng(0)
    drawn = []

    def noise(t):
        drawn.append(rng.normal())
        return drawn[-1] if t < 0 else 0.0 * drawn[-1]

    simulate(Tank(), [0, 1.0], inputs={"dose": noise})
    assert len(drawn) > 20


def test_pulses_that_repeat_are_all_found():
    class Pulses(rm.Flow):
        state = rm.space("a c")

        def equations(self, x, u, p):
            return {"a": np.where(np.sin(2 * np.pi * x.c) > 0.9999, 1.0, 0.0), "c": 1.0}

    # On for an angle of 2 arccos(0.9999) in each of 200 turns; nothing happens in between.
    expected = 200 * np.arccos(0.9999) / np.pi
    assert abs(simulate(Pulses(), [0, 200.0], [0, 0])["a"][-1] - expected) <= 200 * 1e-9


def test_a_clock_that_runs_at_another_rate_is_followed():
    class Scaled(rm.Flow):
        state, inputs = rm.space("a c"), rm.space("rate")
        parameters = {"speed": 2.0}

        def equations(self, x, u, p):
            return {"a": np.where(np.cos(x.c) > 0.99, 1.0, 0.0), "c": p.speed * u.rate}

    a = simulate(Scaled(), [0, 20 * np.pi], [0, 0], {"rate": 0.5})["a"][-1]
    assert abs(a - 10 * 2 * np.arccos(0.99)) <= DEFAULT


def test_a_relay_with_hysteresis_oscillates_with_its_exact_period():
    class Relay(rm.Flow):
        """A thermostat: s' pulls the relay's state to the side that x has reached last."""

        state = rm.space("x s")

        def equations(self, x, u, p):
            # The latch: on above 1, off below -1, as it was between.
            on = np.sign(x.s)
            drive = np.where(x.x * on >= 1.0, -200.0 * on, np.where(x.x * on < 1.0, 0.0, 0.0))
            return {"x": on - 0.5 * x.x, "s": drive}

    # Between flips x runs from -1 towards 2: x(t) = 2 - 3 exp(-t / 2), at 1 after 2 log 3.
    trajectory = simulate(Relay(), [0, 2 * np.log(3) - 0.1], [-1.0, 1.0])
    assert abs(trajectory["x"][-1] - (2 - 3 * np.exp(-np.log(3) + 0.05))) <= DEFAULT


def test_saturation_is_integrated_through_its_corners():
    class Saturated(rm.Flow):
        state = rm.space("x y")

        def equations(self, x, u, p):
            return {"x": np.clip(x.y, -1, 1), "y": -1.0}

    # y = 3 - t: x grows by 1 until t = 2, then by 1 - s^2 / 2 ..., falls from t = 4.
    t = np.array([0, 2.0, 3.0, 4.0, 10.0])
    x = simulate(Saturated(), t, [0.0, 3.0])["x"]
    assert np.abs(x - [0, 2, 2.5, 2, -4]).max() <= DEFAULT


@given(st.floats(0.2, 5.0), st.floats(-3.0, 3.0))
@settings(max_examples=15, deadline=None)
def test_every_kinked_function_has_the_integral_that_it_has(speed, start):
    class Kinks(rm.Flow):
        state = rm.space("a b c d t")

        def equations(self, x, u, p):
            z = speed * x.t + start
            return {
                "a": np.abs(z),
                "b": np.maximum(z, 1.0),
                "c": np.minimum(2 * z, z),
                "d": np.sign(z) + np.heaviside(z - 0.5, 0.5),
                "t": 1.0,
            }

    T = 4.0
    z = simulate(Kinks(), [0, T], np.zeros(5)).final_state
    end = speed * T + start

    def area(antiderivative):
        return (antiderivative(end) - antiderivative(start)) / speed

    expected = [
        area(lambda z: z * abs(z) / 2),
        area(lambda z: z if z < 1 else (z * z + 1) / 2),
        area(lambda z: z * z if z < 0 else z * z / 2),
        area(lambda z: abs(z) + max(z - 0.5, 0)),
    ]
    assert np.abs(z[:4] - expected).max() <= DEFAULT * (1 + np.abs(expected).max())


class Friction(rm.Flow):
    """A block on a spring with dry friction: ``v' = -x - mu sign(v)``."""

    state = rm.space("x v")
    parameters = {"mu": 1.0}

    def equations(self, x, u, p):
        return {"x": x.v, "v": -x.x - p.mu * np.sign(x.v)}


@pytest.mark.parametrize("method", [None, DOP853])
def test_dry_friction_sticks_where_the_spring_is_too_weak(method):
    # Each half period of pi turns the amplitude about +-mu: 4.5 -> -2.5 -> 0.5, where it sticks.
    t = np.array([0, np.pi, 2 * np.pi, 7.0, 20.0])
    trajectory = simulate(Friction(), t, [4.5, 0.0], method=method)
    assert np.abs(trajectory["x"] - [4.5, -2.5, 0.5, 0.5, 0.5]).max() <= DEFAULT
    assert np.abs(trajectory["v"][2:]).max() <= DEFAULT


def test_a_sliding_flow_leaves_the_border_when_it_is_pushed_off():
    class Pushed(rm.Flow):
        state, inputs = rm.space("v"), rm.space("F")

        def equations(self, x, u, p):
            return {"v": u.F - np.sign(x.v)}

    # It sticks while F = t / 2 is below 1, then v' = t / 2 - 1.
    t = np.array([0, 1.0, 2.0, 3.0, 4.0])
    v = simulate(Pushed(), t, [0.0], {"F": ([0, 4.0], [0, 2.0])})["v"]
    assert np.abs(v - np.maximum(t - 2, 0) ** 2 / 4).max() <= DEFAULT


def test_a_relay_that_chatters_slides():
    class Relay(rm.Flow):
        state = rm.space("x y")

        def equations(self, x, u, p):
            # On x + y = 0 both sides lead back to it: y' = -y there (Filippov).
            return {"x": -2.0 * np.sign(x.x + x.y) + x.y, "y": x.x}

    trajectory = simulate(Relay(), [0, 1.0, 3.0], [0.5, -0.5])
    assert np.abs(trajectory["y"] + 0.5 * np.exp(-trajectory.times)).max() <= DEFAULT
    assert np.abs(trajectory["x"] + trajectory["y"]).max() <= DEFAULT


def test_a_flow_slides_along_two_borders_at_once():
    class Corner(rm.Flow):
        state = rm.space("x y")

        def equations(self, x, u, p):
            return {"x": 0.5 * x.y - np.sign(x.x), "y": 0.25 - np.sign(x.y)}

    # y falls by 3/4 a second and sticks at 2 / 0.75; x sticks as soon as 0.5 y < 1, from y = 2.
    trajectory = simulate(Corner(), [0, 3.0, 10.0], [0.0, 2.0])
    assert np.abs(trajectory.states[1:]).max() <= DEFAULT


def test_a_choice_that_depends_on_another_jumps_with_it():
    class Nested(rm.Flow):
        """Heats while t < 1, or while x is below what it then shall be."""

        state, time_input = rm.space("x"), "t"
        inputs = rm.space("t")

        def equations(self, x, u, p):
            goal = 2.0 - 1.5 * np.sign(u.t - 1.0)
            return {"x": np.where(goal - x.x + 0.5 * np.sign(goal - 1.0) > 0, 1.0, 0.0)}

    # Until t = 1 the goal is 3.5, then 0.5 - 0.5: heating ends at once.
    x = simulate(Nested(), [0, 0.5, 5.0], [0.0])["x"]
    assert np.abs(x - [0, 0.5, 1.0]).max() <= DEFAULT


def test_crossings_that_accumulate_are_refused_in_words_and_do_not_hang():
    class Fuller(rm.Flow):
        """Switches on x + v |v| / 4: ever faster as the origin comes nearer (Fuller 1960)."""

        state = rm.space("x v")

        def equations(self, x, u, p):
            return {"x": x.v, "v": -np.sign(x.x + 0.25 * x.v * np.abs(x.v))}

    with pytest.raises(ConvergenceError, match="accumulate"):
        simulate(Fuller(), [0, 30.0], [1.0, 0.0])


def test_on_the_border_formulas_mean_what_they_say():
    class Still(rm.Flow):
        state = rm.space("a z")

        def equations(self, x, u, p):
            return {"a": np.where(x.z > 0, 1.0, 0.0) + 2 * np.where(x.z >= 0, 1.0, 0.0), "z": 0.0}

    assert abs(simulate(Still(), [0, 1.0], [0.0, 0.0])["a"][-1] - 2.0) <= DEFAULT


def test_the_angle_is_followed_across_its_cut():
    class Turning(rm.Flow):
        state = rm.space("s x y")

        def equations(self, x, u, p):
            return {"s": np.arctan2(x.y, x.x), "x": -x.y, "y": x.x}

    # The angle runs from 0 to pi and on from -pi: over 4 its integral is 8 - 2 pi (4 - pi).
    s = simulate(Turning(), [0, 4.0], [0.0, 1.0, 0.0])["s"]
    assert abs(s[-1] - (8 - 2 * np.pi * (4 - np.pi))) <= DEFAULT


def test_a_piece_is_followed_to_the_end_of_its_domain():
    class Draining(rm.Flow):
        """Torricelli: the tank runs empty and stays so."""

        state = rm.space("h")

        def equations(self, x, u, p):
            return {"h": np.where(x.h > 0, -np.sqrt(np.where(x.h > 0, x.h, 0.0)), 0.0)}

    h = simulate(Draining(), [0, 1.0, 2.0, 5.0], [1.0])["h"]
    assert np.abs(h - [1, 0.25, 0, 0]).max() <= 1e-6


def test_what_is_no_function_or_no_times_is_refused_as_jumps():
    with pytest.raises(SignatureError, match="function of time"):
        jumping(3.0, [1.0])
    with pytest.raises(SignatureError, match="shape"):
        jumping(lambda t: t, [[1.0]])
    with pytest.raises(DomainError, match="finite"):
        jumping(lambda t: t, [np.nan])
