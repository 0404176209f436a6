"""Every wiring fault is named with both ends and a mend, and all are reported at once."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.errors import WiringError
from tests.modules.instances import Logistic, Pendulum


def faults_of(wiring):
    with pytest.raises(WiringError) as caught:
        wiring.build()
    return caught.value.faults


def one_fault_of(wiring):
    (fault,) = faults_of(wiring)
    return fault


def pair():
    return rm.Wiring(a=rm.Tanh(2), b=rm.Tanh(2)).input("u", "a.u")


def test_an_unknown_module_is_answered_with_the_known_ones():
    fault = one_fault_of(pair().connect("c.y", "b.u"))
    assert "'c.y'" in fault
    assert "known modules are: a, b" in fault


def test_an_unknown_port_is_answered_with_the_ports_and_the_nearest_name():
    fault = one_fault_of(pair().connect("a.out", "b.u"))
    assert "Connection 'a.out' -> 'b.u': there is no output port 'a.out'" in fault
    assert "output ports of 'a' are: a.y" in fault


def test_a_misspelt_port_is_guessed():
    plant = rm.Wiring(plant=Pendulum()).input("r", "plant.torqe")
    assert any("Did you mean 'plant.torque'?" in fault for fault in faults_of(plant))


def test_an_unconnected_port_comes_with_two_mends():
    fault = one_fault_of(pair())
    assert "Input port 'b.u' is not connected" in fault
    assert '.input("u", "b.u")' in fault


def test_sizes_that_differ_name_both_ends():
    wiring = rm.Wiring(a=rm.Tanh(2), b=rm.Tanh(3)).input("u", "a.u").connect("a.y", "b.u")
    assert one_fault_of(wiring) == (
        "Connection 'a.y' -> 'b.u': 'b.u' expects size 3, but 'a.y' gives 2. Put an Affine map "
        "2 -> 3 between them."
    )


def test_units_that_differ_name_both_ends():
    wiring = rm.Wiring(a=Pendulum(), b=Pendulum()).input("t", "a.torque")
    fault = one_fault_of(wiring.connect("a.angle", "b.torque"))
    assert "'b.torque' expects unit [N m], but 'a.angle' gives [rad]" in fault
    assert "Gain" in fault


def test_units_that_are_not_said_fit_any():
    rm.Wiring(a=rm.Tanh(), b=Pendulum()).input("u", "a.u").connect("a.y", "b.torque").build()


@pytest.mark.parametrize("second", ["connection", "input"])
def test_two_sources_on_one_port_are_both_named(second):
    wiring = pair().connect("a.y", "b.u")
    wiring = wiring.connect("a.y", "b.u") if second == "connection" else wiring.input("w", "b.u")
    fault = one_fault_of(wiring)
    assert "'b.u' has two sources, 'a.y' and" in fault
    assert "Sum" in fault


def test_an_algebraic_loop_is_a_path_with_a_mend():
    wiring = (
        rm.Wiring(add=rm.Sum("+-"), gain=rm.Gain(2.0), squash=rm.Tanh())
        .input("r", "add.u1")
        .connect("add.y", "gain.u")
        .connect("gain.y", "squash.u")
        .connect("squash.y", "add.u2")
    )
    fault = one_fault_of(wiring)
    path = fault.removeprefix("Algebraic loop: ").split(". ")[0].split(" -> ")
    assert path[0] == path[-1]
    assert {port.split(".")[0] for port in path} == {"add", "gain", "squash"}
    assert "UnitDelay" in fault
    assert "Integrator" in fault


def test_a_loop_through_a_state_is_none():
    graph = (
        rm.Wiring(add=rm.Sum("+-"), lag=rm.Lag(1.0))
        .input("r", "add.u1")
        .connect("add.y", "lag.u")
        .connect("lag.y", "add.u2")
        .build()
    )
    dx, _ = graph.forward(np.array([0.5]), np.array([2.0]), graph.theta)
    assert dx[0] == 1.0


def test_mixed_time_is_refused_with_both_modules():
    wiring = rm.Wiring(flow=Pendulum(), step=Logistic()).input("t", "flow.torque")
    fault = one_fault_of(wiring)
    assert "'flow' runs in continuous time and 'step' in discrete time" in fault
    assert "FlowMap" in fault


def test_the_empty_graph_is_refused():
    assert one_fault_of(rm.Wiring()) == "The graph has no modules; add at least one."
    with pytest.raises(WiringError, match="no modules"):
        rm.chain()


def test_names_are_given_once_and_without_dots():
    wiring = rm.Wiring(a=rm.Tanh()).add("a", rm.Tanh()).add("b.c", rm.Tanh())
    assert len(faults_of(wiring)) == 2
    twice = rm.Wiring(a=rm.Tanh()).input("u", "a.u").output("y", "a.y").output("y", "a.y")
    assert "outputs ['y'] are named more than once" in one_fault_of(twice)


def test_an_input_that_feeds_nothing_is_a_fault():
    assert "feeds nothing" in one_fault_of(rm.Wiring(a=Logistic()).input("u"))


def test_all_faults_come_together():
    faults = faults_of(
        rm.Wiring(a=rm.Tanh(2), b=rm.Tanh(3), c=Pendulum(), d=Logistic())
        .connect("a.y", "b.u")  # sizes
        .connect("c.angel", "a.u")  # unknown output port
        .connect("c.angle", "b.u")  # size and second source
        .output("z", "d.z")  # unknown output
    )
    text = "\n".join(faults)
    for part in (
        "expects size 3, but 'a.y' gives 2",
        "no output port 'c.angel'",
        "'b.u' has two sources",
        "Input port 'c.torque' is not connected",
        "no output port 'd.z'",
        "discrete time",
    ):
        assert part in text
    # The port of the faulty connection is not reported as unconnected as well.
    assert "'a.u' is not connected" not in text


def test_neighbours_of_a_chain_that_do_not_fit_are_named():
    with pytest.raises(WiringError, match=r"'tanh.y' -> 'pendulum.torque'"):
        rm.chain(rm.Tanh(2), Pendulum())
    with pytest.raises(WiringError, match="match neither by name nor one by one"):
        rm.chain(rm.Demux("a b"), rm.Tanh())
