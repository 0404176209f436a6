"""Exact delays in `simulate`: piecewise polynomials, modes, relays and independent integrations."""

import pickle
from functools import partial
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import BDF, DOP853, LSODA, Radau

import riemannian_modules as rm
from riemannian_modules.certify import certify
from riemannian_modules.engine import (
    at_times,
    continuation,
    equilibria,
    equilibrium,
    event,
    held_table,
    linear_table,
    linearize,
    simulate,
    stop,
)
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    SignatureError,
    UnsupportedError,
)
from riemannian_modules.integration.past import Past
from tests.strategies import rngs

DEFAULT = 1e-7  # what a run of some dozen delays keeps at the default tolerance of 1e-9
PRECISE = 1e-10


class Fed(rm.Flow):
    """``x' = -k u``."""

    state, inputs, parameters = rm.space("x"), rm.space("u"), {"k": 1.0}

    def equations(self, x, u, p):
        return {"x": -p.k * u.u}


def loop(flow, **delays):
    """A flow of one state that is fed back through delays, to an input each."""
    wiring = rm.Wiring(flow=flow, **delays)
    for name, into in zip(delays, flow.inputs.names, strict=True):
        wiring.connect("flow.x", f"{name}.u").connect(f"{name}.y", f"flow.{into}")
    return wiring.build()


@given(st.floats(0.05, 20.0), st.floats(0.1, 2.0))
@settings(max_examples=10, deadline=None)
def test_the_negative_delayed_feedback_is_the_polynomials_of_the_method_of_steps(delay, k):
    module = loop(Fed(k=k / delay), late=rm.Delay(delay))
    s = np.linspace(0, 6, 61)
    found = simulate(module, delay * s, {"flow.x": 1.0})
    # x = sum over j of (-k)^j (s - j + 1)^j / j! for j <= s + 1, in s = t / delay.
    exact = np.array([
        sum((-k) ** j * (t - j + 1) ** j / factorial(j) for j in range(int(t + 1e-9) + 2))
        for t in s
    ])  # fmt: skip
    assert np.abs(found["flow.x"] - exact).max() <= 1e-8
    # A delay's state is its output.
    late = found["late.delayed"]
    assert np.array_equal(late, found["late.y"])
    assert np.abs(late[10:] - found["flow.x"][:-10]).max() <= 1e-8
    assert (late[:10] == 1.0).all()


class Twice(rm.Flow):
    state, inputs = rm.space("x"), rm.space("u v")

    def equations(self, x, u, p):
        return {"x": -u.u - u.v}


def test_breaking_points_of_two_incommensurate_delays_are_sums_of_both():
    second = np.sqrt(2.0)
    module = loop(Twice(), one=rm.Delay(1.0), two=rm.Delay(second))
    t = np.linspace(0, 6, 121)

    def exact(t):
        # Laplace: z = x - 1 follows z' = -2 - z(t - 1) - z(t - sqrt 2), expanded in powers.
        def term(m, j):
            later = max(t - (m - j) - j * second, 0.0)
            return (-1) ** m * comb(m, j) * later ** (m + 1) / factorial(m + 1)

        return 1.0 - 2.0 * sum(term(m, j) for m in range(7) for j in range(m + 1))

    found = simulate(module, t, {"flow.x": 1.0})
    assert np.abs(found["flow.x"] - [exact(s) for s in t]).max() <= 1e-9


@given(rngs, st.floats(0.2, 3.0))
@settings(max_examples=8, deadline=None)
def test_a_mode_of_a_linear_delayed_system_stays_a_mode(rng, delay):
    s = complex(rng.uniform(-0.5, 0.2), rng.uniform(0.5, 4.0))
    v, A1 = rng.standard_normal(2) + 1j * rng.standard_normal(2), rng.standard_normal((2, 2))
    # A0 is what makes v exp(s t) a solution of x' = A0 x + A1 x(t - delay).
    w = s * v - np.exp(-s * delay) * A1 @ v
    A0 = np.linalg.solve(np.array([v.real, v.imag]), np.array([w.real, w.imag])).T
    rate = np.linalg.norm(A0, 2) + np.linalg.norm(A1, 2)
    assume(rate * 5 * delay <= 300)  # else rounding errors grow out of the range of floats
    plant = rm.StateSpace(A0, A1, np.eye(2))

    def mode(t):
        return (v * np.exp(s * t)).real

    late = rm.Delay(delay, 2, history=mode)
    module = rm.Wiring(plant=plant, late=late)
    module = module.connect("plant.y", "late.u").connect("late.y", "plant.u").build()
    t = np.linspace(0.0, 5 * delay, 26)
    found = simulate(module, t, {"plant.x": mode(0.0)})
    exact = np.array([mode(time) for time in t])
    # Errors grow as the fastest mode does.
    growth = np.exp(rate * t[-1])
    assert np.abs(found["plant.x"] - exact).max() <= 1e-8 * growth * np.abs(exact).max()


def test_the_delayed_integrator_is_unstable_from_half_pi_on():
    """On the border ``k delay = pi / 2`` the loop swings as a cosine for ever (Nyquist)."""
    k, delay = 2.0, np.pi / 4
    t = np.linspace(0, 30, 301)
    border = loop(Fed(k=k), late=rm.Delay(delay, history="cos(2 * t)"))
    assert np.abs(simulate(border, t, {"flow.x": 1.0})["flow.x"] - np.cos(k * t)).max() <= 1e-7
    swings = [
        np.abs(simulate(loop(Fed(k=gain), late=rm.Delay(delay)), t, {"flow.x": 1.0})["flow.x"])
        for gain in (0.95 * k, 1.05 * k)
    ]
    early, late = t < 10, t > 20
    assert swings[0][late].max() < swings[0][early].max() < 1.5
    assert swings[1][late].max() > 1.5 * swings[1][early].max()


def test_a_delayed_pi_loop_swings_at_the_gain_that_nyquist_gives():
    """PI and first-order plant: phase ``-w tau - atan(w T) - pi/2 + atan(w Kp/Ki)`` is -pi."""
    T, tau, Ti = 2.0, 0.7, 1.5  # Kp (1 + 1/(Ti s)), 1/(T s + 1)
    low, high = 0.5, np.pi / tau
    for _ in range(200):
        w = (low + high) / 2
        phase = -w * tau - np.arctan(w * T) - np.pi / 2 + np.arctan(w * Ti)
        low, high = (w, high) if phase > -np.pi else (low, w)
    Kp = 1.0 / abs((1 + 1 / (1j * w * Ti)) / (1j * w * T + 1))
    # The mode exp(i w t) of the plant's output, and of the integral ``z' = -y``.
    z = -1.0 / (1j * w)
    control = -Kp + Kp / Ti * z
    parts = {
        "pi": rm.StateSpace([[0.0]], [[-1.0]], [[Kp / Ti]], [[-Kp]]),
        "late": rm.Delay(tau, 1, history=lambda t: [(control * np.exp(1j * w * t)).real]),
        "plant": rm.Lag(T, size=1),
    }
    wiring = rm.Wiring(**parts).connect("plant.y", "pi.u").connect("pi.y", "late.u")
    module = wiring.connect("late.y", "plant.u").build()
    t = np.linspace(0, 20 * 2 * np.pi / w, 401)
    found = simulate(module, t, {"plant.x": [1.0], "pi.x": [z.real]})
    assert np.abs(found["plant.x"][:, 0] - np.cos(w * t)).max() <= 1e-6


class MackeyGlass(rm.Flow):
    state, inputs = rm.space("x"), rm.space("u")
    parameters = {"beta": 0.2, "gamma": 0.1}

    def equations(self, x, u, p):
        return {"x": p.beta * u.u / (1 + u.u**10) - p.gamma * x.x}


def by_runge_kutta(rate, delay, start, steps, count):
    """The classical method at steps that fit the delay, the past by cubics; order 4 throughout."""
    h, x, f = delay / steps, [start], [rate(start, start)]
    for i in range(count * steps):
        j = i - steps
        at = [x[k] if k > 0 else start for k in (j, j + 1)]
        middle = start if j < 0 else (x[j] + x[j + 1]) / 2 + h * (f[j] - f[j + 1]) / 8
        k1 = rate(x[i], at[0])
        k2 = rate(x[i] + h / 2 * k1, middle)
        k3 = rate(x[i] + h / 2 * k2, middle)
        k4 = rate(x[i] + h * k3, at[1])
        x.append(x[i] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        f[i:] = [k1, rate(x[-1], at[1])]
    return np.array(x)


def test_the_equation_of_mackey_and_glass_agrees_with_another_integration():
    module = loop(MackeyGlass(), late=rm.Delay(17.0))
    steps, count = 2000, 6
    found = simulate(
        module, np.linspace(0, 17.0 * count, 8 * count + 1), {"flow.x": 1.2}, rtol=1e-12
    )
    other = by_runge_kutta(
        lambda x, d: 0.2 * d / (1 + d**10) - 0.1 * x, 17.0, 1.2, steps, count
    )[:: steps // 8]  # fmt: skip
    assert np.abs(found["flow.x"] - other).max() <= 1e-9


class Hutchinson(rm.Flow):
    state, inputs, parameters = rm.space("x"), rm.space("u"), {"r": 1.8}

    def equations(self, x, u, p):
        return {"x": p.r * x.x * (1 - u.u)}


class OfLogarithms(rm.Flow):
    state, inputs, parameters = rm.space("x"), rm.space("u"), {"r": 1.8}

    def equations(self, x, u, p):
        return {"x": p.r * (1 - np.exp(u.u))}


def test_hutchinsons_equation_is_that_of_its_logarithm_and_swings_beyond_half_pi():
    t = np.linspace(0, 60, 301)
    amounts = simulate(loop(Hutchinson(), late=rm.Delay(1.0)), t, {"flow.x": 0.5})["flow.x"]
    logs = simulate(loop(OfLogarithms(), late=rm.Delay(1.0)), t, {"flow.x": np.log(0.5)})["flow.x"]
    assert np.abs(np.log(amounts) - logs).max() <= DEFAULT
    assert np.ptp(amounts[t > 40]) > 1.0
    calm = simulate(loop(Hutchinson(r=1.0), late=rm.Delay(1.0)), t, {"flow.x": 0.5})["flow.x"]
    assert np.abs(calm[-1] - 1.0) <= 1e-6


def test_amounts_in_any_unit_come_out_with_the_same_digits():
    t = np.linspace(0, 40, 81)
    found = []
    for unit in (1.0, 1e-13):

        class Scaled(rm.Flow):
            state, inputs = rm.space("x"), rm.space("u")

            def equations(self, x, u, p, unit=unit):
                return {"x": 1.8 * x.x * (1 - u.u / unit)}

        found.append(simulate(loop(Scaled(), late=rm.Delay(1.0)), t, {"flow.x": 0.5 * unit}))
    assert np.abs(found[1]["flow.x"] / 1e-13 / found[0]["flow.x"] - 1).max() <= DEFAULT


class Decay(rm.Flow):
    state, inputs = rm.space("x"), rm.space("u")

    def equations(self, x, u, p):
        return {"x": u.u - x.x}


def exact_decay(t, start, end):
    """The answer of ``x' = u - x`` to a pulse of 1."""
    up, down = np.maximum(t - start, 0), np.maximum(t - end, 0)
    return (1 - np.exp(-up)) - (1 - np.exp(-down))


def pulses(start, end):
    """The same pulse as a table, as a formula and as a function."""
    return (
        held_table([0.0, start, end], [0.0, 1.0, 0.0]),
        f"where(t >= {start!r} and t < {end!r}, 1, 0)",
        lambda t: np.where((t >= start) & (t < end), 1.0, 0.0),
    )


@given(st.integers(0, 2), st.floats(0.1, 9.0), st.floats(1e-3, 3.0), st.floats(1.0, 20.0))
@settings(max_examples=15, deadline=None)
def test_a_delayed_pulse_is_not_stepped_over(kind, start, length, delay):
    module = rm.chain(late=rm.Delay(delay), slow=Decay())
    # The edges themselves are shown from the right.
    t = np.array([0.0, start + delay, start + length + delay, 40.0])
    found = simulate(module, t, inputs={"u": pulses(start, start + length)[kind]})
    exact = exact_decay(t, start + delay, start + length + delay)
    assert np.abs(found["slow.x"] - exact).max() <= 1e-9
    assert found["late.y"].tolist() == [0.0, 1.0, 0.0, 0.0]


@given(st.integers(0, 2), st.floats(-9.0, -0.1), st.floats(1e-3, 3.0))
@settings(max_examples=12, deadline=None)
def test_a_pulse_in_the_history_is_not_stepped_over(kind, start, length):
    # A function that cannot be traced is looked at a thousand times, as inputs are.
    end = start + (max(length, 0.011) if kind == 2 else length)
    history = (
        f"where(t >= {start!r} and t < {end!r}, 1, 0)",
        lambda t: np.where((t >= start) & (t < end), 1.0, 0.0),
        lambda t: 1.0 if start <= t < end else 0.0,
    )[kind]
    module = rm.chain(late=rm.Delay(10.0, history=history), slow=Decay())
    t = np.linspace(0, 50, 6)
    found = simulate(module, t)["slow.x"]
    # What lies after the start is the input, which is zero.
    assert np.abs(found - exact_decay(t, start + 10.0, min(end, 0.0) + 10.0)).max() <= 1e-9


@given(st.floats(0.2, 3.0), st.floats(0.5, 9.0))
@settings(max_examples=8, deadline=None)
def test_a_switch_before_a_delay_is_found(level, delay):
    """``sign(x - level)`` of a growing state, late: what follows it turns a delay later."""

    class Switch(rm.StaticMap):
        inputs, outputs = rm.space("u"), rm.space("y")

        def map(self, u, p):
            return {"y": np.sign(u.u - level)}

    class Ramp(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": 0.1}

    module = rm.Wiring(ramp=Ramp(), switch=Switch(), late=rm.Delay(delay), slow=Decay())
    module = (
        module.connect("ramp.x", "switch.u").connect("switch.y", "late.u")
        .connect("late.y", "slow.u").build()
    )  # fmt: skip
    t = np.linspace(0, 60, 4)
    turn = 10 * level + delay
    exact = -(1 - np.exp(-t)) + 2 * (1 - np.exp(-np.maximum(t - turn, 0)))
    assert np.abs(simulate(module, t)["slow.x"] - exact).max() <= 1e-7


def test_delays_in_a_row_add_up_and_need_no_state():
    late = rm.chain(a=rm.Delay(0.3), b=rm.Delay(np.sqrt(0.5)), c=rm.Delay(1.0))
    once = rm.Delay(1.3 + np.sqrt(0.5), history=np.sin)
    t = np.linspace(0, 5, 21)
    # What is before the start is the input there, for all three.
    found = simulate(late, t, inputs={"u": np.sin})["y"]
    assert np.abs(found - np.sin(np.maximum(t - 1.3 - np.sqrt(0.5), 0.0))).max() <= 1e-14
    whole = simulate(once, t, inputs={"u": np.sin})
    assert np.abs(whole["y"] - np.sin(t - 1.3 - np.sqrt(0.5))).max() <= 1e-14


def test_a_jump_stays_a_jump_through_many_delays():
    """A delay smooths nothing: after ten of them a short pulse is as sharp as before."""
    module = rm.chain(**{f"late{i}": rm.Delay(0.5) for i in range(10)}, slow=Decay())
    start, length, late = 0.4, 1e-3, 5.4
    t = np.array([0.0, late, late + length, 7.0])
    found = simulate(module, t, inputs={"u": pulses(start, start + length)[0]})
    assert np.abs(found["slow.x"] - exact_decay(t, late, late + length)).max() <= 1e-9


@pytest.mark.parametrize(("history", "first"), [(5.0, 5.0), (None, 2.0)])
def test_a_delay_without_history_was_fed_what_the_delay_before_it_gives_at_the_start(
    history, first
):
    late = rm.chain(a=rm.Delay(0.5, history=history), b=rm.Delay(0.75), c=rm.Delay(1.0))
    t = np.array([0.0, 0.6, 1.3, 2.2, 2.3, 4.0])
    found = simulate(late, t, inputs={"u": 2.0})
    assert found["y"].tolist() == np.where(t < 2.25, first, 2.0).tolist()
    assert found["b.y"].tolist() == np.where(t < 1.25, first, 2.0).tolist()


def test_delays_in_nested_graphs_of_shapes_and_units():
    inner = rm.chain(late=rm.Delay(0.5, (2, "m"), history=[1.0, 2.0]))
    outer = rm.Wiring(inner=inner).input("p", "inner.u").output("q", "inner.y").build()
    t = np.linspace(0, 2, 9)
    found = simulate(outer, t, inputs={"p": lambda t: np.array([t, -t])})
    shown = np.where(t[:, None] < 0.5, [1.0, 2.0], (t - 0.5)[:, None] * [1.0, -1.0])
    assert np.abs(found["q"] - shown).max() <= 1e-15
    assert np.array_equal(found["inner.late.delayed"], found["q"])


class Front(rm.Flow):
    state, parameters = rm.space("s"), {"k": 50.0}

    def equations(self, x, u, p):
        return {"s": p.k * x.s * (1 - x.s)}


class Follower(rm.Flow):
    state, inputs, parameters = rm.space("x"), rm.space("u"), {"k": 50.0}

    def equations(self, x, u, p):
        return {"x": p.k * u.u * (1 - u.u)}


def test_what_was_fast_a_delay_ago_is_not_stepped_over():
    """A front of a fiftieth, in a run of steps as long as the delay: the follower repeats it."""
    module = rm.Wiring(front=Front(), late=rm.Delay(40.0, history=0.0), follower=Follower())
    module = module.connect("front.s", "late.u").connect("late.y", "follower.u").build()
    found = simulate(module, [0.0, 45.0, 75.0], {"front.s": 1e-12})
    assert found["follower.x"][-1] == pytest.approx(1.0, abs=1e-6)


class Relay(rm.Flow):
    state, inputs = rm.space("x"), rm.space("u")

    def equations(self, x, u, p):
        return {"x": -np.sign(u.u)}


def test_a_relay_with_a_delay_swings_as_a_triangle():
    delay = 0.7
    t = np.linspace(0, 20, 401)
    found = simulate(loop(Relay(), late=rm.Delay(delay, history=1.0)), t, {"flow.x": 0.0})["flow.x"]
    # Down until a delay after the crossing of zero, which is the start, then up by twice as much.
    phase = (t + delay) % (4 * delay)
    triangle = np.where(phase < 2 * delay, delay - phase, phase - 3 * delay)
    assert np.abs(found - triangle).max() <= 1e-8


def test_a_sampled_controller_acts_through_a_delay_as_the_exact_recursion_says():
    h, delay, gain = 0.5, 0.2, 0.8
    parts = {
        "plant": Fed(),
        "hold": rm.Sampled(rm.Gain(gain), h),
        "late": rm.Delay(delay, history=0.0),
    }
    wiring = rm.Wiring(**parts).connect("plant.x", "hold.u").connect("hold.y", "late.u")
    module = wiring.connect("late.y", "plant.u").build()
    ticks = h * np.arange(21)
    found = simulate(module, ticks, {"plant.x": 1.0})["plant.x"]
    x, before, wanted = 1.0, 0.0, []
    for _ in ticks:
        wanted.append(x)
        held = gain * x
        x, before = x - delay * before - (h - delay) * held, held
    assert np.abs(found - wanted).max() <= PRECISE


def test_events_of_delayed_signals_and_resets_reach_the_delay_later():
    module = rm.chain(slow=Decay(), late=rm.Delay(0.5, history=0.0))
    dose = at_times([1.0], {"slow.x": "slow.x + 1"}, name="dose")
    crossing = event("late.delayed - 0.25", direction=-1, name="low")
    t = np.linspace(0, 4, 41)
    found = simulate(module, t, events=[dose, crossing])
    exact = np.where(t >= 1.5 - 1e-12, np.exp(-(t - 1.5)), 0.0)
    assert np.abs(found["y"] - exact).max() <= 1e-8
    low = found.events[1]
    assert abs(low.time - (1.5 + np.log(4))) <= 1e-8
    assert low.before == pytest.approx([np.exp(-(low.time - 1)), 0.25], abs=1e-8)
    ended = simulate(module, t, events=[dose, stop("late.delayed - 0.25", direction=-1)])
    assert ended.times[-1] == pytest.approx(low.time, abs=1e-9)
    assert ended["y"][-1] == pytest.approx(0.25, abs=1e-8)
    assert pickle.loads(pickle.dumps(ended))["y"][-1] == ended["y"][-1]


class Stiff(rm.Flow):
    state, inputs, parameters = rm.space("x z"), rm.space("u"), {"k": 1e6}
    outputs = rm.space("y")

    def equations(self, x, u, p):
        return {"x": -p.k * (x.x + u.u), "z": x.x}, {"y": x.z}


@pytest.mark.parametrize("method", [None, BDF])
def test_a_stiff_delayed_system_is_solved_by_an_implicit_method(method):
    """``x' = -k (x + z(t - 1)), z' = x``: a mode exp(s t) with ``s (1 + s / k) = -exp(-s)``."""
    k, s = 1e6, -0.318 + 1.337j
    for _ in range(50):
        f, df = s * (1 + s / k) + np.exp(-s), 1 + 2 * s / k - np.exp(-s)
        s = s - f / df
    late = rm.Delay(1.0, history=lambda t: np.exp(s * t).real)
    wiring = rm.Wiring(stiff=Stiff(), late=late)
    module = wiring.connect("stiff.y", "late.u").connect("late.y", "stiff.u").build()
    t = np.linspace(0, 10, 21)
    found = simulate(module, t, {"stiff.x": s.real, "stiff.z": 1.0}, method=method)
    assert np.abs(found["stiff.z"] - np.exp(s * t).real).max() <= 1e-6
    if method is None:
        assert "Radau" in found.solver.solver


def test_a_batch_of_delays_and_starts_is_the_runs_one_by_one():
    module, t = loop(Fed(), late=rm.Delay(1.0)), np.linspace(0, 5, 11)
    delays, starts = np.array([0.5, 1.0, 1.5]), np.array([[1.0], [2.0]])
    x0 = np.zeros((2, 1, 2))
    x0[..., 0] = starts
    theta = np.array([[1.0, d] for d in delays])
    together = simulate(module, t, x0, theta=theta)
    assert together.states.shape == (2, 3, 11, 2)
    for i, start in enumerate(starts[:, 0]):
        for k, delay in enumerate(delays):
            own = simulate(loop(Fed(), late=rm.Delay(delay)), t, {"flow.x": start})
            assert np.array_equal(together.run(i, k).states, own.states)


def test_runs_of_a_batch_with_delays_end_each_at_its_own_time():
    """Up to the delay of 1 ``x' = -x(t - 1)`` falls along a line, from x0 by x0 t."""
    module, t = loop(Fed(), late=rm.Delay(1.0)), np.linspace(0.0, 0.9, 10)
    starts = np.array([1.0, 2.0, 0.45])
    events = (event("flow.x - 0.6", name="seen"), stop("flow.x - 0.5", name="over"))
    many = simulate(module, t, {"flow.x": starts}, events=events)
    ends = np.array([0.5, 0.75, 0.9])
    assert many.ends is not None
    np.testing.assert_allclose(many.ends.times, ends, rtol=1e-8)
    np.testing.assert_allclose(
        many.final_state, np.array([starts * (1 - ends), starts]).T, rtol=1e-8
    )
    exact = np.where(t < ends[:, None] - 1e-6, starts[:, None] * (1 - t), np.nan)
    exact[2, -1] = 0.045
    np.testing.assert_allclose(many["flow.x"], exact, rtol=1e-8)
    for i, start in enumerate(starts.tolist()):
        alone = simulate(module, t, {"flow.x": start}, events=events)
        assert np.array_equal(many.run(i).states, alone.states)
        told = [(e.name, e.time, *e.after) for e in many.run(i).events]
        assert told == [(e.name, e.time, *e.after) for e in alone.events]
        assert [name for name, *_ in told] == ["seen", "over"][: 2 * (start > 0.5)]


@pytest.mark.parametrize("method", [None, LSODA, BDF, DOP853, Radau])
def test_any_method_lands_on_the_corners_of_inputs_and_on_events(method):
    flow = rm.Equations({"dx": "w - u"}, state="x", inputs="u w")
    wiring = rm.Wiring(flow=flow, late=rm.Delay(1.0))
    wiring = wiring.connect("flow.x", "late.u").connect("late.y", "flow.u").input("w", "flow.w")
    ramp = {"w": linear_table([0.0, 0.5, 2.0], [0.0, 0.0, 1.5])}
    events = (
        event("flow.x - 0.7", name="seen"),
        event("flow.x - 0.3", reset={"flow.x": "1*flow.x"}),
    )
    t = np.linspace(0.0, 2.0, 41)
    found = simulate(
        wiring.build(), t, {"flow.x": 1.0}, ramp, method=method, events=events, rtol=1e-9
    )
    s, after = np.maximum(t - 1, 0.0), np.maximum(t - 0.5, 0.0) ** 2 / 2
    exact = 1 - np.minimum(t, 1) - s + s**2 / 2 - np.maximum(s - 0.5, 0.0) ** 3 / 6 + after
    np.testing.assert_allclose(found["flow.x"], exact, atol=DEFAULT)
    np.testing.assert_allclose(
        [e.time for e in found.events][:2], [0.3, 1.5 - np.sqrt(0.6)], atol=DEFAULT
    )


def test_lsoda_over_the_past_stops_where_the_derivative_is_undefined():
    flow = rm.Equations({"dx": "-u - sqrt(x)"}, state="x", inputs="u")
    with pytest.raises(ConvergenceError, match=r"t = 0\.613.*NaN or infinite"):  # 2 - 2 log(2)
        simulate(loop(flow, late=rm.Delay(1.0)), [0.0, 2.0], {"flow.x": 1.0}, method=LSODA)


def test_a_delay_at_rest_passes_its_input_and_what_is_on_its_way_counts():
    t = np.linspace(0, 60, 3)
    calm = loop(Hutchinson(r=1.0), late=rm.Delay(1.0))
    rest = equilibrium(calm, guess={"flow.x": 0.8})
    assert rest.x == pytest.approx([1.0, 1.0], abs=1e-12)

    class Pipe(rm.Flow):
        state, inputs, parameters = rm.space("x"), rm.space("u"), {"k": 0.7}
        outputs = rm.space("out")

        def equations(self, x, u, p):
            return {"x": u.u - p.k * x.x}, {"out": p.k * x.x}

    pipe = rm.Wiring(tank=Pipe(), late=rm.Delay(2.0, history=0.0))
    pipe = pipe.connect("tank.out", "late.u").connect("late.y", "tank.u").build()
    rest = equilibrium(pipe, guess={"tank.x": 1.0})
    assert rest.x[0] == pytest.approx(1 / (1 + 0.7 * 2.0), abs=1e-12)
    assert simulate(pipe, t, {"tank.x": 1.0})["tank.x"][-1] == pytest.approx(rest.x[0], abs=1e-8)


@pytest.mark.parametrize(
    "ask",
    [
        partial(certify, region=None),
        linearize,
        partial(equilibria, guess=[1.0, 1.0]),
        lambda m: continuation(m, "flow.k", (0.5, 2.0), start=[0.0, 0.0]),
        lambda m: rm.FlowMap(m, 1.0),
    ],
    ids=["certify", "linearize", "equilibria", "continuation", "FlowMap"],
)
def test_what_looks_at_one_moment_refuses_delays_and_names_the_approximation(ask):
    with pytest.raises(UnsupportedError, match="PadeDelay"):
        ask(loop(Fed(), late=rm.Delay(1.0)))


def test_a_loop_of_delays_without_a_state_is_refused_as_neutral():
    wiring = rm.Wiring(sum=rm.Sum("++"), half=rm.Gain(0.5), late=rm.Delay(1.0))
    first, second = wiring._modules["sum"].inputs.names
    module = (
        wiring.input("u", f"sum.{first}").connect("sum.y", "half.u").connect("half.y", "late.u")
        .connect("late.y", f"sum.{second}").build()
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"late -> late.*neutral.*Lag"):
        simulate(module, [0.0, 1.0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rm.Delay(0.0), "positive number"),
        (lambda: rm.Delay(np.inf), "finite"),
        (lambda: rm.Delay(1.0, 2, history=[1.0, 2.0, 3.0]), "shape"),
        (lambda: rm.Delay(1.0, history=np.nan), "finite"),
        (lambda: rm.Delay(1.0, history="sin(s)"), "s"),
    ],
)
def test_a_delay_that_is_none_is_refused_at_once(make, words):
    with pytest.raises((DomainError, SignatureError), match=words):
        make()


def test_a_start_against_the_history_and_delays_out_of_scale_are_refused():
    module, t = loop(Fed(), late=rm.Delay(1.0)), [0.0, 1.0]
    with pytest.raises(DomainError, match="history"):
        simulate(module, t, [1.0, 0.5])
    assert np.array_equal(
        simulate(module, t, [1.0, 1.0]).states, simulate(module, t, [1.0, 0.0]).states
    )
    with pytest.raises(DomainError, match="positive number"):
        simulate(module, t, [1.0, 0.0], theta=[1.0, -1.0])
    with pytest.raises(DomainError, match="PadeDelay"):
        simulate(module, [0.0, 2e6], [1.0, 0.0])


def test_the_past_is_forgotten_as_soon_as_no_delay_reaches_it(monkeypatch):
    most = 0
    passed = Past.passed

    def counted(self, path, start, end):
        nonlocal most
        passed(self, path, start, end)
        most = max(most, len(self._paths))

    monkeypatch.setattr(Past, "passed", counted)
    found = simulate(loop(Fed(), late=rm.Delay(0.5)), [0.0, 50.0], {"flow.x": 1.0})
    assert found.solver.steps > 100
    assert most <= 25
