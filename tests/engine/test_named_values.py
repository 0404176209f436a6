"""Values of many names are given in one way everywhere: flat, by port, by coordinate, in part."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify, l2, prove_trajectories
from riemannian_modules.engine import (
    FullBatch,
    NoProgress,
    equilibrium,
    fit,
    linear_table,
    linearize,
    simulate,
)
from riemannian_modules.errors import RegionError, SignatureError


class Tank(rm.Flow):
    """Two states, one of them a vector, and a vector as input."""

    state, inputs = rm.space(x=3, h="m"), rm.space(u=3, leak=())
    outputs = rm.space(y=3)
    parameters = {"k": [1.0, 2.0, 4.0], "c": 0.5}

    def equations(self, x, u, p):
        return {"x": u.u - p.k * x.x, "h": u.leak - p.c * x.h}, {"y": x.x}


FULL = np.array([1.0, 2.0, 3.0, 0.0])
ALIKE = {
    "flat": FULL,
    "a list": FULL.tolist(),
    "a port in part": {"x": [1.0, 2.0, 3.0]},
    "coordinates": {"x[2]": 3.0, "x[0]": 1.0, "x[1]": 2.0},
    "a port and a number": {"x": [1.0, 2.0, 3.0], "h": 0},
}


@pytest.mark.parametrize("given", ALIKE.values(), ids=ALIKE)
def test_a_start_is_given_alike_to_all(given):
    tank = Tank()
    np.testing.assert_array_equal(simulate(tank, [0.0, 1.0], given).states[0], FULL)
    np.testing.assert_array_equal(linearize(tank, given).point.x, FULL)
    np.testing.assert_array_equal(tank.point(given).x, FULL)
    np.testing.assert_allclose(equilibrium(tank, guess=given).x, np.zeros(4), atol=1e-14)


@pytest.mark.parametrize("given", ALIKE.values(), ids=ALIKE)
def test_inputs_are_given_alike_to_all(given):
    tank = Tank()
    given = (
        {n.replace("x", "u").replace("h", "leak"): v for n, v in given.items()}
        if isinstance(given, dict)
        else given
    )
    rest = equilibrium(tank, inputs=given)
    np.testing.assert_allclose(rest.x, [1.0, 1.0, 0.75, 0.0], atol=1e-14)
    run = simulate(tank, [0.0, 1.0], rest.x, inputs=given)
    np.testing.assert_allclose(run.states[-1], rest.x, atol=1e-12)
    np.testing.assert_array_equal(linearize(tank, u=given).point.u, FULL)


def test_one_number_stands_for_all_entries_of_a_port():
    tank = Tank()
    np.testing.assert_array_equal(tank.point({"x": 2.0}).x, [2.0, 2.0, 2.0, 0.0])
    held = equilibrium(tank, outputs={"y": 3}, free=["u"])
    np.testing.assert_allclose(held.u, [3, 6, 12, 0], rtol=1e-14)
    run = simulate(tank, [0.0, 1.0], inputs={"u": 1.0})
    np.testing.assert_array_equal(run.inputs[0], [1.0, 1.0, 1.0, 0.0])
    assert rm.Tanh(3).point(u=1.0).u.tolist() == [1.0, 1.0, 1.0]


def test_parameters_that_are_not_named_keep_their_values():
    tank = Tank()
    for theta in (
        tank.with_parameters({"k[1]": 7.0}).theta,
        tank.point(theta={"k[1]": 7.0}).theta,
        simulate(tank, [0.0, 1.0], theta={"k[1]": 7.0}).theta,
        equilibrium(tank, theta={"k[1]": 7.0}).theta,
    ):
        np.testing.assert_array_equal(theta, [1.0, 7.0, 4.0, 0.5])
    loop = rm.Wiring(one=Tank(), two=Tank()).input("u", "one.u", "two.u")
    loop = loop.input("leak", "one.leak", "two.leak").build()
    np.testing.assert_array_equal(
        loop.with_parameters({"two.c": 9.0}).theta, [1, 2, 4, 0.5, 1, 2, 4, 9]
    )


def test_a_coordinate_of_an_input_can_be_a_table_while_the_others_rest():
    table = linear_table([0.0, 2.0], [0.0, 4.0])
    run = simulate(Tank(), [0.0, 1.0, 2.0], inputs={"u[1]": table, "leak": lambda t: t})
    np.testing.assert_array_equal(run.inputs, [[0, 0, 0, 0], [0, 2, 0, 1], [0, 4, 0, 2]])


class Rates(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"a": [1.0, 1.0]}

    def map(self, u, p):
        return {"y": p.a[0] + p.a[1] * u.t}


def test_bounds_of_a_fit_hold_for_ports_and_for_coordinates():
    t = np.linspace(0.0, 1.0, 5)
    data = {"t": t, "y": 3.0 + 4.0 * t}

    def fitted(bounds):
        schedule, progress = FullBatch(20), NoProgress()
        return fit(Rates(), data, bounds=bounds, schedule=schedule, progress=progress).theta

    np.testing.assert_allclose(fitted({"a[0]": (None, 2.0)})[0], 2.0)
    np.testing.assert_allclose(fitted({"a": (0.0, [9.0, 3.0])})[1], 3.0)
    np.testing.assert_allclose(fitted({"a": (0.0, 9.0)}), [3.0, 4.0], rtol=1e-8)


def test_sides_of_a_box_are_numbers_or_arrays():
    tank = Tank()
    names, spaces = tank.signature.state.coordinates, (tank.signature.state,)
    low, high = rm.box(x=(-np.arange(3.0), [1, 2, 3]), h=(0, np.inf)).bounds(names, spaces)
    np.testing.assert_array_equal(low, [0.0, -1.0, -2.0, 0.0])
    np.testing.assert_array_equal(high, [1.0, 2.0, 3.0, np.inf])
    low, high = rm.box(x=np.array([[-1.0, -2.0, -3.0], [1.0, 2.0, 3.0]])).bounds(names, spaces)
    np.testing.assert_array_equal(high, [1.0, 2.0, 3.0, np.inf])
    low, high = rm.box(x=(0.0, [1.0, 2.0, 3.0])).bounds(names, spaces)
    np.testing.assert_array_equal(low, [0.0, 0.0, 0.0, -np.inf])
    with pytest.raises(RegionError, match="one shape"):
        rm.box(x=([1, 2], [1, 2, 3]))
    with pytest.raises(RegionError, match=r"'x\[1\]' expects lower <= upper"):
        rm.box(x=([0, 2], [1, 1]))


def test_the_centre_of_a_ball_of_trajectories_is_named_in_part():
    answer = certify(
        Tank(), rm.box(x=(-5, 5), h=(-5, 5), u=(0, 0), leak=(0, 0)), norm=l2(np.eye(4))
    )
    found = prove_trajectories(answer, center={"x[0]": 0.25})
    np.testing.assert_array_equal(found.center, [0.25, 0.0, 0.0, 0.0])


WRONG = {
    "simulate": lambda: simulate(Tank(), [0.0, 1.0], {"hh": 1.0}),
    "simulate's inputs": lambda: simulate(Tank(), [0.0, 1.0], inputs={"leek": 1.0}),
    "equilibrium": lambda: equilibrium(Tank(), inputs={"leek": 1.0}),
    "wanted outputs": lambda: equilibrium(Tank(), outputs={"yy": 1.0}),
    "linearize": lambda: linearize(Tank(), {"hh": 1.0}),
    "parameters": lambda: Tank().with_parameters({"cc": 1.0}),
    "bounds": lambda: fit(Rates(), {"t": [0.0], "y": [0.0]}, bounds={"aa": (0, 1)}),
    "box": lambda: rm.box(hh=(0, 1)).bounds(["h"], (Tank().signature.state,)),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_an_unknown_name_is_refused_with_the_known_and_the_nearest(call):
    with pytest.raises((SignatureError, RegionError), match=r"(?s)did you mean.*known are: \w"):
        call()
