"""Sampled controllers beside continuous plants, against exact discretisation and recursions."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.linalg import expm

import riemannian_modules as rm
from riemannian_modules.certify import certify
from riemannian_modules.engine import continuation, equilibria, equilibrium, linearize, simulate
from riemannian_modules.errors import SignatureError, UnsupportedError
from tests.strategies import rngs

DEFAULT = 1e-7


def loop(plant, controller, h):
    parts = {"plant": plant, "controller": rm.Sampled(controller, h)}
    wiring = (
        rm.Wiring(**parts).connect("plant.y", "controller.u").connect("controller.y", "plant.u")
    )
    return wiring.build()


def held(A, B, h):
    """The exact discretisation under a zero-order hold (Van Loan 1978)."""
    n, m = B.shape
    M = expm(h * np.block([[A, B], [np.zeros((m, n + m))]]))
    return M[:n, :n], M[:n, n:]


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_a_sampled_loop_is_its_exact_discretisation_at_the_ticks(rng):
    h, steps = 0.1, 20
    A, B = rng.standard_normal((2, 2)) - 2 * np.eye(2), rng.standard_normal((2, 1))
    C = rng.standard_normal((1, 2))
    F, G, H, D = 0.5 * np.eye(1), np.ones((1, 1)), 0.3 * np.ones((1, 1)), -0.4 * np.ones((1, 1))
    graph = loop(rm.StateSpace(A, B, C), rm.DiscreteStateSpace(F, G, H, D), h)
    x, z, wanted = rng.standard_normal(2), rng.standard_normal(1), []
    t = h * np.arange(steps + 1)
    found = simulate(graph, t, {"plant.x": x, "controller.x": z})
    Phi, Gamma = held(A, B, h)
    for _ in t:
        wanted.append(x)
        y = C @ x
        u, z = H @ z + D @ y, F @ z + G @ y
        x = Phi @ x + Gamma @ u
    assert np.abs(found["plant.x"] - wanted).max() <= DEFAULT


class Ramp(rm.Flow):
    state, outputs = rm.space("x"), rm.space("y")

    def equations(self, x, u, p):
        return {"x": 1.0}, {"y": x.x}


def test_rates_meet_exactly_however_long_the_run_is():
    def counter(h):
        class Count(rm.StepMap):
            state, inputs, outputs = rm.space("k"), rm.space("u"), rm.space("y")

            def equations(self, x, u, p):
                return {"k": x.k + 1}, {"y": u.u}

        return rm.Sampled(Count(), h)

    wiring = rm.Wiring(ramp=Ramp(), fast=counter(0.1), slow=counter(0.3))
    graph = wiring.connect("ramp.y", "fast.u").connect("ramp.y", "slow.u").build()
    found = simulate(graph, [0, 30.0, 29.99 + 0.02, 60.0])
    assert np.array_equal(found["fast.k"], [1, 301, 301, 601])
    assert np.array_equal(found["slow.k"], [1, 101, 101, 201])
    # Held: what the ramp was at the last tick.
    assert np.abs(found["slow.held.y"] - [0, 30.0, 30.0, 60.0]).max() <= DEFAULT


def test_of_parts_that_tick_together_the_source_comes_first():
    def through():
        return rm.Sampled(rm.Gain(2.0), 0.5)

    wiring = rm.Wiring(last=through(), first=through(), ramp=Ramp())
    ports = rm.Gain(2.0).signature
    i, o = ports.inputs.names[0], ports.outputs.names[0]
    wiring.connect("ramp.y", f"first.{i}").connect(f"first.{o}", f"last.{i}")
    found = simulate(wiring.build(), [0, 0.75])
    assert found[f"last.held.{o}"][-1] == pytest.approx(4 * 0.5)


def test_a_sampled_module_is_refused_where_its_ticks_would_be_left_out():
    graph = loop(
        rm.StateSpace([[-1.0]], [[1.0]], [[1.0]]),
        rm.DiscreteStateSpace([[0.5]], [[1.0]], [[1.0]]),
        0.1,
    )
    over_gain = partial(continuation, parameter="plant.A[0,0]", bounds=(-2.0, -1.0))
    asks = equilibrium, equilibria, over_gain, linearize, certify, lambda m: rm.FlowMap(m, 1.0)
    for ask in asks:
        with pytest.raises(UnsupportedError, match=r"[Dd]iscret"):
            ask(graph)
    with pytest.raises(SignatureError, match="sampling time"):
        rm.Sampled(rm.DiscreteStateSpace([[0.5]], [[1.0]], [[1.0]]))
    with pytest.raises(SignatureError, match="continuous time"):
        rm.Sampled(Ramp(), 0.1)
