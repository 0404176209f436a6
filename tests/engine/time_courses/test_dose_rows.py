"""Doses as rows of a table: the experiments are those that Python would state."""

import numpy as np
import pandas as pd
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import (
    Dose,
    at_times,
    experiment,
    fit_trajectories,
    read_experiments,
)
from riemannian_modules.errors import SignatureError
from tests.engine.time_courses.systems import QUIET

FLOW = rm.Equations(
    {"dgut": "-ka*gut", "dblood": "ka*gut - k*blood"}, state="gut blood",
    parameters={"ka": 1.5, "k": 0.2},
)  # fmt: skip
T, V = [1.0, 4.0, 9.0, 14.0], [5.0, 6.0, 7.0, 6.5]
LONG = """experiment,observable,time,value,sigma,amt,cmt,ii,addl
a,,0,,,10,gut,6,2
a,level,1,5,0.1,,,,
a,level,4,6,0.1,,,,
a,,5,,,share*10,blood,,
a,level,9,7,0.1,,,,
a,level,14,6.5,0.1,,,,
"""


def stated():
    doses = [*(Dose(t, {"gut": 10.0}) for t in (0.0, 6.0, 12.0)), Dose(5.0, {"blood": "share*10"})]
    return experiment({"level": (T, V, 0.1)}, name="a", doses=doses)


def fitted(experiments):
    return fit_trajectories(FLOW, experiments, {"level": "blood", "DV": "blood"},
                            parameters={"share": 0.1}, progress=QUIET)  # fmt: skip


def test_rows_of_a_file_are_doses(tmp_path):
    path = tmp_path / "doses.csv"
    path.write_text(LONG)
    np.testing.assert_array_equal(fitted(path).theta, fitted([stated()]).theta)


def test_a_table_of_nonmem_is_read_as_it_is():
    table = pd.DataFrame({
        "ID": [7] * 7, "TIME": [0, 1, 4, 5, 9, 9, 14.0], "DV": [".", 5, 6, 0, 7, 99, 6.5],
        "AMT": [10, 0, 0, 2, 0, 0, "."], "EVID": [1, 0, 0, 1, 0, 0, 0],
        "MDV": [1, 0, 0, 1, 0, 1, 0], "CMT": ["gut", ".", ".", "blood", "", "", ""],
        "II": [6, 0, 0, 0, 0, 0, 0], "ADDL": [2, 0, 0, 0, 0, 0, 0],
    })  # fmt: skip
    (one,) = read_experiments(table)
    assert one.name == "7"
    (series,) = one.series
    np.testing.assert_array_equal(series.times, T)
    np.testing.assert_array_equal(series.values, V)
    given = sorted((dose.time, *dose.amounts.items()) for dose in one.doses)
    assert given == [(0.0, ("gut", 10.0)), (5.0, ("blood", 2.0)), (6.0, ("gut", 10.0)),
                     (12.0, ("gut", 10.0))]  # fmt: skip


def test_several_observables_are_told_by_dvid():
    table = {"id": [1, 1, 1], "time": [0, 1, 1], "dv": [0, 5.0, 3.0], "amt": [10, 0, 0],
             "cmt": ["gut", "", ""], "dvid": ["", "level", "gut"]}  # fmt: skip
    (one,) = read_experiments(table)
    assert {s.observable: s.values.tolist() for s in one.series} == {"level": [5.0], "gut": [3.0]}


def test_without_amounts_the_names_of_dose_columns_are_free():
    (one,) = read_experiments({"time": [0, 1], "rate": [2.0, 3.0], "ss": [1.0, 1.0]})
    assert [s.observable for s in one.series] == ["rate", "ss"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"amt": [10, 5, 0], "cmt": ["gut", "gut", ""]}, "amount and a value"),
        ({"cmt": ["", "", ""]}, "CMT"),
        ({"rate": [2, 0, 0]}, "RATE"),
        ({"ss": [1, 0, 0]}, "SS"),
        ({"evid": [4, 0, 0]}, "EVID"),
        ({"evid": [0, 0, 0]}, "EVID"),
        ({"addl": [3, 0, 0]}, "II"),
        ({"addl": [1.5, 0, 0], "ii": [2, 0, 0]}, "ADDL"),
        ({"evid": ["x", 0, 0]}, "evid"),
        ({"TIME": [0, 1, 2]}, "TIME"),
        ({"addl": ["inf", 0, 0], "ii": [2, 0, 0]}, "ADDL"),
        ({"addl": [2, 0, 0], "ii": ["inf", 0, 0]}, "II"),
        ({"experiment": ["a", "", "a"]}, r"\[2\].*no experiment"),
    ],
)
def test_rows_without_a_meaning_are_refused(changed, named):
    table = {"time": [0, 1, 2], "level": ["", 5, 6], "amt": [10, 0, 0], "cmt": ["gut", "", ""]}
    with pytest.raises(SignatureError, match=named):
        read_experiments(table | changed)


def test_a_value_above_a_dose_of_its_time_is_refused_and_below_it_is_measured_after_it():
    """NONMEM takes rows in their order, so that a value above a dose is a trough."""
    below = {"time": [0, 0, 6, 6], "blood": ["", 0.5, "", 2.0], "amt": [1, 0, 2, 0],
             "cmt": ["blood", "", "blood", ""]}  # fmt: skip
    (one,) = read_experiments(below)
    assert one.series[0].times.tolist() == [0.0, 6.0]
    above = {name: [column[i] for i in (0, 1, 3, 2)] for name, column in below.items()}
    with pytest.raises(SignatureError, match="row 3 is measured before the dose of row 4"):
        read_experiments(above)
    other = above | {"experiment": ["a", "a", "b", "a"]}
    assert [one.name for one in read_experiments(other)] == ["a", "b"]


def test_repeated_doses_meet_the_times_that_they_are_meant_for():
    """``0.1 + 2 * 0.1`` is above 0.3, but what is measured then is measured after the dose."""
    table = {"time": [0.1, 0.3, 0.35], "blood": ["", 3.0, 3.0], "amt": [1, 0, 0],
             "cmt": ["blood", "", ""], "ii": [0.1, 0, 0], "addl": [2, 0, 0]}  # fmt: skip
    flow = rm.Equations({"dblood": "-k*blood"}, state="blood", parameters={"k": 1e-3})
    found = fit_trajectories(flow, read_experiments(table), sigma=1.0, progress=QUIET)
    assert found.predict("blood", [0.3]).mean[0] == pytest.approx(3.0, rel=1e-2)
    events = [at_times([0.1, 0.2, 0.1 + 2 * 0.1], {"blood": "blood + 1"})]
    one = experiment({"blood": ([0.3, 0.35], [3.0, 3.0])}, events=events)
    happened = fit_trajectories(flow, one, sigma=1.0, progress=QUIET)
    np.testing.assert_allclose(happened.theta, found.theta, rtol=1e-6)


def test_blank_rows_are_left_out_and_missing_entries_of_any_kind_are_missing():
    table = pd.DataFrame({
        "time": pd.array([0, None, 2, 3], dtype="Int64"),
        "x": pd.array([1.0, None, None, 2.0], dtype="Float64"), "experiment": ["a", None, "a", "a"],
    })  # fmt: skip
    (one,) = read_experiments(table)
    assert one.series[0].times.tolist() == [0.0, 3.0]


@pytest.mark.parametrize("read", [read_experiments, experiment])
def test_columns_of_one_name_are_refused(read):
    for names in (["time", "x", "x"], ["time", 1, "1"]):
        with pytest.raises(SignatureError, match="twice"):
            read(pd.DataFrame([[0, 1, 2], [1, 2, 3]], columns=names))


@pytest.mark.parametrize(
    "times",
    [pd.date_range("2020", periods=3), pd.to_timedelta([1, 2, 3], unit="h"),
     np.array(["2020-01-01"] * 3, "M8[D]"), np.array(["2020-01-01"] * 3, "M8[ns]"),
     np.array([1, 2, 3], "m8[ns]")],
)  # fmt: skip
def test_dates_are_no_numbers(times):
    for read in (read_experiments, experiment):
        with pytest.raises(SignatureError, match="time"):
            read(pd.DataFrame({"time": times, "x": [1.0, 2.0, 3.0]}))
    with pytest.raises(SignatureError, match="since a start"):
        experiment({"x": (np.asarray(times), [1.0, 2.0, 3.0])})
