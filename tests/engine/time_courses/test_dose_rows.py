"""Doses as rows of a table: the experiments are those that Python would state."""

import numpy as np
import pandas as pd
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import Dose, experiment, fit_trajectories, read_experiments
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
    ],
)
def test_rows_without_a_meaning_are_refused(changed, named):
    table = {"time": [0, 1, 2], "level": ["", 5, 6], "amt": [10, 0, 0], "cmt": ["gut", "", ""]}
    with pytest.raises(SignatureError, match=named):
        read_experiments(table | changed)
