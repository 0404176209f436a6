"""Units mean what they say: equal ones fit, others convert as asked or are refused by name."""

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.door import number_array
from riemannian_modules.engine import NoProgress, fit, jumping, simulate
from riemannian_modules.errors import RegionError, SignatureError, SpecError, WiringError
from riemannian_modules.spec import load_system, save_system
from riemannian_modules.spec.samples import read_samples
from riemannian_modules.units import conversion, in_unit

UNITS = pint.UnitRegistry()
SAME = [("1/s", "s^-1"), ("nM", "nmol/L"), ("N m", "N*m"), ("uM", "µM"), ("h", "hour"), ("", "s")]
RATIOS = [("min", "s", 60.0), ("s", "min", 1 / 60), ("nM", "M", 1e-9), ("deg", "rad", np.pi / 180)]
APART = [("s", "m"), ("degC", "K"), ("cells", "nM"), ("cells", "droplets"), ("degC", "degF")]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_units_that_mean_the_same_fit(a, b):
    assert conversion(a, b) == conversion(b, a) == 1.0


@pytest.mark.parametrize(("a", "b", "ratio"), RATIOS)
def test_units_of_one_dimension_have_a_ratio(a, b, ratio):
    assert conversion(a, b) == pytest.approx(ratio, rel=1e-15)


@pytest.mark.parametrize(("a", "b"), APART)
def test_others_have_none(a, b):
    assert conversion(a, b) is None
    assert conversion(a, a) == 1.0


@pytest.mark.parametrize(("a", "b"), [("Hz", "rad/s"), ("kHz", "deg/s"), ("Hz", "rpm")])
def test_hertz_and_angles_by_time_are_refused_for_they_are_two_pi_apart(a, b):
    assert conversion(a, b) is conversion(b, a) is None
    with pytest.raises(SignatureError, match="Multiply by 2 pi"):
        in_unit("here", UNITS.Quantity(1.0, a), b)
    with pytest.raises(SignatureError, match="whether turns or radians"):
        in_unit("here", UNITS.Quantity(1.0, b), a)
    assert conversion("kHz", "1/s") == pytest.approx(1e3)
    assert conversion("rpm", "rad/s") == pytest.approx(np.pi / 30)


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_label_is_an_error(a, b):
    ratio = conversion(a, b)
    assert ratio is None or ratio > 0.0 or ratio < 0.0


def source(unit, shape=()):
    ports = rm.Space((rm.Port("u", shape, unit),))
    return rm.Equations({"y": "1*u"}, inputs=ports, outputs=rm.Space((rm.Port("y", shape, unit),)))


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_minutes_into_seconds_are_caught_and_converted_as_asked(shape, tmp_path):
    parts = {"a": source("min", shape), "b": source("s", shape)}
    wiring = rm.Wiring(**parts).input("u", "a.u").output("y", "b.y")
    with pytest.raises(WiringError, match=r"expects unit \[s\].*gives \[min\].*multiplies by 60"):
        rm.Wiring(**parts).input("u", "a.u").output("y", "b.y").connect("a.y", "b.u").build()
    graph = wiring.convert("a.y", "b.u").build()
    u = np.arange(1.0, 1 + np.prod(shape, dtype=int))
    assert np.allclose(graph.output(np.zeros(0), u, graph.theta), 60.0 * u, rtol=1e-15)
    assert graph.theta.size == 0  # a unit is no parameter to fit
    save_system(graph, tmp_path / "g.json")
    again = load_system(tmp_path / "g.json").module
    assert np.array_equal(again.output(np.zeros(0), u, again.theta), 60.0 * u)


def test_a_conversion_that_cannot_be_is_refused_with_every_other_fault():
    wiring = rm.Wiring(a=source("s"), b=source("m")).input("u", "a.u").output("y", "b.y")
    with pytest.raises(WiringError, match=r"expects unit \[m\].*gives \[s\]"):
        wiring.convert("a.y", "b.u").build()
    with pytest.raises(WiringError, match=r"there is no output port 'a\.z'"):
        rm.Wiring(a=source("s")).convert("a.z", "a.u").build()
    same = rm.Wiring(a=source("1/s"), b=source("s^-1")).input("u", "a.u").output("y", "b.y")
    assert len(same.convert("a.y", "b.u").build().modules) == 2  # nothing to convert


def test_a_chain_of_equal_units_is_wired_by_their_meaning():
    assert len((source("nM") >> source("nmol/L")).modules) == 2
    with pytest.raises(WiringError):
        source("nM") >> source("s")


class Growth(rm.StaticMap):
    inputs, outputs = rm.space(t="h"), rm.space(x="nM")
    parameters = {"rate": 0.5}

    def map(self, u, p):
        return {"x": np.exp(p.rate * u.t)}


class Pool(rm.Flow):
    state, inputs = rm.space(a="nM"), rm.space(feed="nM/h")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return {"a": u.feed - p.k * x.a}


def test_quantities_are_taken_in_the_ports_unit():
    minutes = UNITS.Quantity(np.array([30.0, 60.0, 90.0]), "min")
    x = UNITS.Quantity(np.exp(0.7 * np.array([0.5, 1.0, 1.5])) * 1e-3, "uM")
    point = Growth().point(u={"t": minutes})
    assert np.allclose(point.u[:, 0], [0.5, 1.0, 1.5])
    assert np.allclose(Growth().point(u=minutes[:, None]).u, point.u)
    found = fit(Growth(), {"t": minutes, "x": x}, progress=NoProgress())
    assert found.theta[0] == pytest.approx(0.7)
    errors = {"x": UNITS.Quantity(0.5, "nM")}
    weighed = fit(Growth(), {"t": minutes, "x": x}, sigma=errors, absolute=True,
                  progress=NoProgress())  # fmt: skip
    plain = fit(Growth(), {"t": minutes, "x": x}, sigma=0.5, absolute=True, progress=NoProgress())
    assert np.array_equal(weighed.covariance, plain.covariance)


def test_simulations_take_quantities():
    t = np.linspace(0, 2, 5)
    per_minute = UNITS.Quantity(0.05, "nM/min")  # 3 nM/h
    plain = simulate(Pool(), t, {"a": 1.0}, {"feed": 3.0})
    start = {"a": UNITS.Quantity(1e-3, "uM")}
    table = np.array([0.0, 2.0]), UNITS.Quantity(np.array([0.05, 0.05]), "nM/min")
    jumps = jumping(lambda t: per_minute, [1.0])
    for feed in (per_minute, lambda t: per_minute, jumps, table):
        assert np.allclose(simulate(Pool(), t, start, {"feed": feed})["a"], plain["a"], rtol=1e-8)


@pytest.mark.parametrize(("value", "unit", "words"), [
    (UNITS.Quantity(1.0, "m"), "s", r"can be given in \[s\]"),
    (UNITS.Quantity(1.0, "m"), "", "the unit that is expected here is not said"),
    (UNITS.Quantity(1.0, "m"), "cells", r"can be given in \[cells\]"),
])  # fmt: skip
def test_quantities_of_another_dimension_are_refused(value, unit, words):
    with pytest.raises(SignatureError, match=words):
        in_unit("here", value, unit)


def test_no_unit_is_dropped_in_silence():
    with pytest.raises(SignatureError, match="Give its magnitude"):
        number_array("here", UNITS.Quantity(1.0, "m"))
    with pytest.raises(SignatureError, match="not said"):
        rm.Tanh(1).point(u=UNITS.Quantity(1.0, "m"))
    with pytest.raises(SignatureError, match=r"can be given in \[h\]"):
        Growth().point(u={"t": UNITS.Quantity(1.0, "nM")})
    with pytest.raises(SignatureError, match="not said"):
        fit(Growth(), {"t": [1.0], "x": [2.0]}, bounds={"rate": (UNITS.Quantity(0, "1/h"), None)})
    assert in_unit("here", UNITS.Quantity(2.0, "m/m"), "") == 2.0
    assert in_unit("here", UNITS.Quantity(20.0, "degC"), "K") == pytest.approx(293.15)


def read(tmp_path, header):
    (tmp_path / "t.csv").write_text(f"{header}\n30,2\n60,\n")
    return read_samples(tmp_path / "t.csv", Growth().signature)[0]


def test_columns_of_a_table_say_their_units(tmp_path):
    found = read(tmp_path, "t [min],x [uM]")
    assert np.allclose(found["t"], [0.5, 1.0])
    assert found["x"][0] == pytest.approx(2000.0)
    assert np.isnan(found["x"][1])
    assert np.array_equal(read(tmp_path, "t,x[nmol/L]")["x"][:1], [2.0])
    with pytest.raises(SpecError, match=r"column t is in \[nM\], which cannot be given in \[h\]"):
        read(tmp_path, "t [nM],x")
    with pytest.raises(SpecError, match=r"column x is in \[cells\]"):
        read(tmp_path, "t,x [cells]")


def test_a_box_takes_quantities_where_spaces_tell_the_units():
    state, inputs = rm.space(q="m", v="m/s"), rm.space(u="N")
    sides = {
        "q": (-5.0 * UNITS.mm, 0.02 * UNITS.m),
        "v": [0.0, 3.6] * UNITS("km/h"),
        "u": (0 * UNITS.N, np.inf),
    }
    found = rm.box(sides, state, inputs)
    plain = rm.box(q=(-0.005, 0.02), v=(0.0, 1.0), u=(0.0, np.inf))
    assert found.sides.keys() == plain.sides.keys()
    np.testing.assert_allclose([*found.sides.values()], [*plain.sides.values()], rtol=1e-12)
    with pytest.raises(RegionError, match="spaces"):
        rm.box(sides, state)
    with pytest.raises(RegionError, match="quantity that can be given in"):
        rm.box({"q": (0.0, 1.0 * UNITS.s)}, state)
