"""Quantities at the doors: the same fit as with plain numbers, or a refusal that says why."""

import numpy as np
import pint
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import (
    Dose,
    LogScale,
    NormalPrior,
    Observable,
    UniformPrior,
    experiment,
    fit,
    fit_trajectories,
)
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.errors import SignatureError
from tests.engine.time_courses.systems import QUIET

U = pint.UnitRegistry()
H = np.array([0.5, 1.0, 2.0, 4.0, 7.0])  # hours
FLOW = rm.Equations(
    {"dgut": "-ka*gut", "dblood": "ka*gut - cl/v*blood"}, state={"gut": "mg", "blood": "mg"},
    parameters={"ka": 0.9, "cl": 2.0, "v": 15.0},
)  # fmt: skip
LEVEL = np.array([1.2, 1.9, 2.3, 1.8, 1.1])  # mg/L
UNITS = {"t": "h", "level": "mg/L", "cl": "L/h", "v": "L", "dose": "mg", "ka": "1/h"}


def plain():
    one = experiment({"level": (H, LEVEL, 0.1), "blood": (H, 20 * LEVEL, 2.0)}, x0={"gut": 20.0},
                     doses=[Dose(0.25, {"gut": "dose"}), Dose(3.0, {"gut": 10.0})], start=-0.5,
                     own={"ka": 1.0}, theta={"v": 16.0})  # fmt: skip
    return fit_trajectories(
        FLOW, one, {"level": Observable("blood/v", offset=0.05)}, parameters={"dose": 40.0},
        bounds={"cl": (0.1, 50.0), "ka": (None, 9.0)}, prior={"dose": NormalPrior(45.0, 10.0)},
        scales={"cl": LogScale()}, progress=QUIET,
    )  # fmt: skip


def test_quantities_give_the_fit_of_plain_numbers():
    times = (60 * H) * U.minute
    data = {
        "level": (times, LEVEL * 1e3 * U("ug/L"), 100.0 * U("ug/L")),
        "blood": (times, 20 * LEVEL * 1e-3 * U.gram, 2.0 * U.mg),
    }  # fmt: skip
    one = experiment(
        data, x0={"gut": 0.02 * U.gram}, start=-1800 * U.second, own={"ka": 1.0 / 60 / U.minute},
        doses=[Dose(15 * U.minute, {"gut": "dose"}), Dose(3.0, {"gut": 1e4 * U.ug})],
        theta={"v": 16e3 * U.mL},
    )  # fmt: skip
    found = fit_trajectories(
        FLOW, [one], {"level": Observable("blood/v", offset=50.0 * U("ug/L"))},
        parameters={"dose": 0.04 * U.gram}, scales={"cl": LogScale()}, units=UNITS,
        bounds={"cl": (100.0 * U("mL/h"), 50.0), "ka": (None, 0.15 / U.minute)},
        prior={"dose": NormalPrior(0.045 * U.gram, 1e4 * U.ug)}, progress=QUIET,
    )  # fmt: skip
    np.testing.assert_allclose(found.theta, plain().theta, rtol=1e-6)
    assert found.minus_two_log_likelihood == pytest.approx(plain().minus_two_log_likelihood)
    ahead = found.predict("level", [90.0] * U.minute)
    np.testing.assert_allclose(ahead.mean, plain().predict("level", [1.5]).mean, rtol=1e-6)
    new = experiment({}, name="new", doses=[Dose(30 * U.minute, {"gut": 0.01 * U.gram})],
                     theta={"ka": 0.02 / U.minute})  # fmt: skip
    same = experiment({}, name="new", doses=[Dose(0.5, {"gut": 10.0})], theta={"ka": 1.2})
    late = found.predict("blood", [2.0], new).mean, plain().predict("blood", [2.0], same).mean
    np.testing.assert_allclose(*late, rtol=1e-6)
    labels = {a.get_ylabel() for a in found.plot().axes}
    assert labels == {"level [mg/L]", "blood [mg]"}
    assert {a.get_xlabel() for a in found.plot().axes} == {"", "time [h]"}


def test_a_time_port_says_the_unit_of_time():
    driven = rm.Equations({"dA": "-k*A + sin(t)"}, state="A", inputs={"t": "min"}, time_input="t",
                          parameters={"k": 0.4})  # fmt: skip
    t = np.array([1.0, 2.0, 3.0])
    seconds = fit_trajectories(driven, experiment({"A": (60 * t * U.s, [0.4, 0.9, 1.0], 0.1)}),
                               progress=QUIET)  # fmt: skip
    minutes = fit_trajectories(driven, experiment({"A": (t, [0.4, 0.9, 1.0], 0.1)}), progress=QUIET)
    np.testing.assert_allclose(seconds.theta, minutes.theta, rtol=1e-9)


WRONG = [
    ({"data": {"level": (H * U.hour, LEVEL)}}, {}, "units={'t'"),
    ({"data": {"level": (H * U.mg, LEVEL)}}, {"units": UNITS}, "hour|h\\]"),
    ({"data": {"level": (H, LEVEL * U("mg/L"))}}, {}, "units={'level'"),
    ({"data": {"level": (H, LEVEL * U.hour, 1.0 * U.hour)}}, {"units": UNITS}, "level"),
    ({"data": {"level": (H, LEVEL * U("mg/L"), 0.1)}}, {"units": UNITS}, "sigma"),
    ({"x0": {"gut": 1.0 * U.hour}}, {}, "gut"),
    ({"theta": {"v": 1.0 * U.L}}, {}, "units={'v'"),
    ({"doses": [Dose(1.0 * U.mg, {"gut": 1.0})]}, {"units": UNITS}, "time"),
    ({}, {"bounds": {"cl": (1.0 * U.mg, None)}, "units": UNITS}, "cl"),
    ({}, {"prior": {"cl": UniformPrior(1 * U("L/h"), 2.0)}, "units": UNITS}, "cl|unit"),
    ({}, {"units": {"clearance": "L/h"}}, "clearance"),
    ({}, {"units": {"gut": "g"}}, "gut"),
    ({}, {"sigma": 1.0 * U.mg}, "sigma"),
]


@pytest.mark.parametrize(("setting", "asked", "named"), WRONG)
def test_what_has_no_unit_or_another_is_refused(setting, asked, named):
    with pytest.raises(SignatureError, match=named):
        fit_trajectories(FLOW, experiment(**({"data": {"level": (H, LEVEL)}} | setting)),
                         {"level": "blood/v"}, parameters={"dose": 1.0}, progress=QUIET,
                         **asked)  # fmt: skip


def test_units_that_nobody_has_turned_reach_no_model():
    one = experiment({"blood": (H * U.hour, LEVEL)})
    with pytest.raises(SignatureError, match="plain"):
        _ = CourseProblem(FLOW, (one,)).model


def test_fit_refuses_priors_in_units_that_parameters_have_not():
    line = rm.Equations({"y": "a*u"}, inputs="u", outputs="y", parameters={"a": 1.0})
    with pytest.raises(SignatureError, match="unit"):
        fit(
            line, {"u": H, "y": H}, prior={"a": NormalPrior(1.0 * U.mg, 1.0 * U.mg)}, progress=QUIET
        )
