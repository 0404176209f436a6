"""Two loops that python-control simulated: ours give the same curves and the same linear models."""

import csv
import json

import numpy as np
import pytest

import riemannian_modules as rm
from examples.cruise_control import cruise_control
from riemannian_modules.engine import equilibrium, linearize, simulate
from tests.shared import shared_path

FOLDER = ("real", "control", "python_control_refs")
# Both are solved to local errors of 1e-9, which the stable loops do not let grow.
CURVE = 1e-6


def read_csv(name):
    with shared_path(*FOLDER, name).open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    table = np.array(rows[1:], dtype=float)
    return {name: table[:, i] for i, name in enumerate(rows[0])}


def read_json(name):
    return json.loads(shared_path(*FOLDER, name).read_text(encoding="utf-8"))


@pytest.fixture(params=["1200", "1600", "2000"])
def mass(request):
    return request.param


def cruise_start(case):
    return {"control.error_sum": case["X0"][0], "car.speed": case["X0"][1]}


def test_the_car_climbs_the_hill_as_in_python_control(mass):
    case, curve = read_json("cruise.json")["masses"][mass], read_csv(f"cruise_m{mass}.csv")
    loop = cruise_control(float(mass))
    inputs = {name: (curve["time"], curve[name]) for name in ("vref", "gear", "theta")}
    ours = simulate(loop, curve["time"], cruise_start(case), inputs)
    for name in ("v", "u"):
        np.testing.assert_allclose(ours[name], curve[name], rtol=0, atol=CURVE * 20)
    assert ours["v"].min() == pytest.approx(case["v_min"], abs=CURVE * 20)


def test_the_loop_linearises_as_in_python_control(mass):
    case = read_json("cruise.json")["masses"][mass]
    # Theirs were taken at the curve's inputs (vref = 20), at which the loop is not quite at rest,
    # by forward differences with step 1e-6 of maps whose second derivatives are below 1.
    model = linearize(cruise_control(float(mass)), cruise_start(case), [20.0, 4.0, 0.0])
    for ours, theirs in zip((model.A, model.B, model.C, model.D), "ABCD", strict=True):
        np.testing.assert_allclose(ours, case[theirs], rtol=0, atol=1e-6)
    poles = np.array([complex(*z) for z in case["eig"]])
    np.testing.assert_allclose(np.sort_complex(model.poles), np.sort_complex(poles), atol=1e-6)


def test_the_loop_rests_where_python_control_found(mass):
    case = read_json("cruise.json")["masses"][mass]
    loop = cruise_control(float(mass))
    rest = equilibrium(
        loop, [20.0, 4.0, 0.0], [1.0, 18.0], outputs={"v": 20.0}, free=["vref"]
    )  # fmt: skip
    np.testing.assert_allclose(rest.x, case["X0"], rtol=1e-6)
    np.testing.assert_allclose(rest.u, case["U0"], rtol=1e-6)


class Aircraft(rm.Flow):
    """A planar aircraft with vertical take-off: two limited thrusts."""

    state = rm.space(x="m", y="m", angle="rad", vx="m/s", vy="m/s", rate="rad/s")
    inputs = rm.space(F1="N", F2="N")
    parameters = {"m": 4.0, "J": 0.0475, "r": 0.25, "g": 9.8, "c": 0.05}

    def equations(self, x, u, p):
        up = np.minimum(np.maximum(u.F2, 0.0), 1.5 * p.m * p.g)
        side = np.clip(u.F1, -0.1 * up, 0.1 * up)
        sin, cos = np.sin(x.angle), np.cos(x.angle)
        return {
            "x": x.vx,
            "y": x.vy,
            "angle": x.rate,
            "vx": (side * cos - up * sin - p.c * x.vx) / p.m,
            "vy": (side * sin + up * cos - p.m * p.g - p.c * x.vy) / p.m,
            "rate": p.r * side / p.J,
        }


class StateFeedback(rm.StaticMap):
    """``F = Fe - K x``."""

    inputs = rm.space(x="m", y="m", angle="rad", vx="m/s", vy="m/s", rate="rad/s")
    outputs = rm.space(F1="N", F2="N")

    def __init__(self, K, rest):
        self.parameters = {"K": K, "rest": rest}

    def map(self, u, p):
        return p.rest - p.K @ u.vector


def test_the_aircraft_returns_to_hover_as_in_python_control():
    case, curve = read_json("pvtol_lqr.json"), read_csv("pvtol_lqr.csv")
    wiring = rm.Wiring(craft=Aircraft(), lqr=StateFeedback(case["K"], case["ue"]))
    for name in Aircraft.state.names:
        wiring.connect(f"craft.{name}", f"lqr.{name}")
    wiring.connect("lqr.F1", "craft.F1").connect("lqr.F2", "craft.F2")
    ours = simulate(wiring.build(), curve["time"], case["x0"])
    for i, name in enumerate(Aircraft.state.names):
        np.testing.assert_allclose(ours[f"craft.{name}"], curve[f"x{i}"], rtol=0, atol=CURVE)
    for name in ("F1", "F2"):
        np.testing.assert_allclose(ours[f"lqr.{name}"], curve[name], rtol=0, atol=CURVE * 40)


def test_the_aircraft_linearises_at_hover_as_in_python_control():
    case = read_json("pvtol_lqr.json")
    model = linearize(Aircraft(), u=case["ue"])
    # Forward differences with step 1e-6: |second derivative| / 2 * step <= g / 2 * 1e-6 = 4.9e-6.
    np.testing.assert_allclose(model.A, case["A"], rtol=0, atol=5e-6)
    np.testing.assert_allclose(model.B, case["B"], rtol=0, atol=1e-6)
    closed = np.linalg.eigvals(model.A - model.B @ np.array(case["K"]))
    theirs = np.array([complex(*z) for z in case["closed_loop_eig"]])
    np.testing.assert_allclose(np.sort_complex(closed), np.sort_complex(theirs), atol=1e-5)
