"""The time as a port that needs no wire: alone, in composites, in files, in proofs."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify
from riemannian_modules.engine import continuation, equilibria, equilibrium, linearize, simulate
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.time_input import time_ports
from riemannian_modules.spec import load_system, save_system

DEFAULT = 1e-7


class Driven(rm.Flow):
    """``x' = sin(t) + u - x``."""

    state, inputs, outputs = rm.space("x"), rm.space("t u"), rm.space("y")
    time_input = "t"

    def equations(self, x, u, p):
        return {"x": np.sin(u.t) + u.u - x.x}, {"y": x.x}


class Ramp(rm.StaticMap):
    inputs, outputs, time_input = rm.space("now"), rm.space("r"), "now"

    def map(self, u, p):
        return {"r": 2.0 * u.now}


def driven(t, start=0.0):
    """From x = 0 at the start: the integral of exp(s - t) sin(s)."""
    return (np.sin(t) - np.cos(t)) / 2 - np.exp(start - t) * (np.sin(start) - np.cos(start)) / 2


def test_the_time_is_fed_without_being_asked_for():
    trajectory = simulate(Driven(), [1.0, 2.0, 7.0])
    assert np.abs(trajectory["x"] - driven(trajectory.times, 1.0)).max() <= DEFAULT
    assert np.array_equal(trajectory["t"], trajectory.times)


def test_who_names_the_time_decides_it():
    x = simulate(Driven(), [0, 2.0], inputs={"t": np.pi / 2})["x"]
    assert abs(x[-1] - (1 - np.exp(-2.0))) <= DEFAULT
    late = simulate(Driven(), [0, 2.0], inputs={"t": lambda t: t + 1.0, "u": 0.0})["x"]
    assert abs(late[-1] - driven(3.0, 1.0)) <= DEFAULT


def test_steps_and_static_maps_have_the_time_as_well():
    class Sum(rm.StepMap):
        state, inputs, time_input = rm.space("s"), rm.space("t"), "t"

        def equations(self, x, u, p):
            return {"s": x.s + u.t}

    assert np.array_equal(simulate(Sum(), np.arange(5.0))["s"], [0, 0, 1, 3, 6])
    assert np.array_equal(simulate(Ramp(), [0, 1.5])["r"], [0, 3.0])


def composite():
    wiring = rm.Wiring(ramp=Ramp(), plant=Driven()).connect("ramp.r", "plant.u")
    return wiring.output("y", "plant.y").build()


def test_a_composite_hands_the_time_on_and_is_itself_a_part():
    graph = composite()
    assert time_ports(graph) == ("t",)
    outer = rm.Wiring(inside=graph).output("y", "inside.y").build()
    chained = rm.chain(Ramp(), Driven())
    t = np.array([0, 1.0, 3.0])
    expected = driven(t) + 2 * (t - 1 + np.exp(-t))
    for module in (graph, outer, chained, Ramp() >> Driven()):
        assert np.abs(simulate(module, t)[module.outputs.names[0]] - expected).max() <= DEFAULT


def test_another_input_of_the_name_t_is_left_alone():
    class Plain(rm.Flow):
        state, inputs = rm.space("z"), rm.space("t")

        def equations(self, x, u, p):
            return {"z": u.t}

    graph = rm.Wiring(plain=Plain(), plant=Driven()).input("t", "plain.t").input("u", "plant.u")
    graph = graph.build()
    assert time_ports(graph) == ("time",)
    trajectory = simulate(graph, [0, 2.0], inputs={"t": 3.0})
    assert np.abs(trajectory.final_state - [6.0, driven(2.0)]).max() <= DEFAULT


def written():
    return rm.Equations({"dx": "sin(t) - x"}, state="x", inputs="t", time_input="t", outputs="x")


@pytest.mark.parametrize("make", [Driven, composite, written])
def test_a_file_keeps_it(make, tmp_path):
    save_system(make(), tmp_path / "system.json")
    again = load_system(tmp_path / "system.json").module
    before, after = (simulate(m, [0, 1.0, 4.0]) for m in (make(), again))
    assert time_ports(again) == ("t",)
    assert np.abs(before.states - after.states).max() <= 1e-12


def test_a_proof_holds_for_all_times():
    answer = certify(Driven(), rate=1.0)
    assert isinstance(answer, Proved)
    assert answer.bound.rate <= -1.0 + 1e-9


def test_a_name_that_is_no_input_is_refused():
    class Wrong(Driven):
        time_input = "clock"

    with pytest.raises(SignatureError, match="'clock', but the inputs are"):
        simulate(Wrong(), [0, 1.0])


@pytest.mark.parametrize("make", [Driven, composite])
def test_what_looks_at_one_time_is_told_which(make):
    module = make()
    for look in (equilibrium, equilibria, linearize):
        with pytest.raises(SignatureError, match=r"nobody has named. Name it .*'t': 0\.0"):
            look(module)
    rest = np.sin(1.0) + (2.0 if module.signature.inputs.names == ("t",) else 0.0)
    assert abs(equilibrium(module, {"t": 1.0}).x[0] - rest) <= 1e-9
    assert abs(equilibria(module, {"t": 1.0}).states[0, 0] - rest) <= 1e-9
    np.testing.assert_array_equal(linearize(module, u={"t": 1.0}).A, [[-1.0]])
    assert equilibrium(module, {"t": 0.4}, outputs={"y": rest}, free=["t"]).residual <= 1e-9


def test_a_branch_over_something_else_is_told_the_time():
    with pytest.raises(SignatureError, match="continuation: Driven reads the time"):
        continuation(Driven(), "u", (0.0, 1.0))
    branch = continuation(Driven(), "u", (0.0, 1.0), inputs={"t": 1.0})
    assert np.abs(branch.states[:, 0] - branch.values - np.sin(1.0)).max() <= 1e-9
    over_time = continuation(Driven(), "t", (0.0, 1.0))
    assert np.abs(over_time.states[:, 0] - np.sin(over_time.values)).max() <= 1e-9


def test_a_flow_map_names_the_clock():
    with pytest.raises(SignatureError, match=r"reads the time of a run \(t\)"):
        rm.FlowMap(composite(), 1.0)


def test_steps_taken_together_have_no_time_each():
    class Sum(rm.StepMap):
        state, inputs, time_input = rm.space("s"), rm.space("t"), "t"
        sampling_time = 0.5

        def equations(self, x, u, p):
            return {"s": x.s + u.t}

    with pytest.raises(SignatureError, match=r"\(t\), which would stand still for 2 steps"):
        rm.Resampled(Sum(), 1.0)
    assert np.array_equal(simulate(rm.Resampled(Sum(), 0.5), [0, 0.5, 1.0])["s"], [0, 0, 0.5])
