"""Tables of samples: read as they stand, or refused with the line and the column."""

import gzip

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules import whole_file
from riemannian_modules.errors import SpecError
from riemannian_modules.spec.samples import read_samples

LINE = rm.Affine([[0.0]], [0.0], input="x", output="y").signature
WIDE = rm.Equations({"z": "sum(W @ u)"}, inputs={"W": (1, 2), "u": 2}, outputs="z").signature


def table(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


SOUND = {
    "plain": "x[0],y[0]\n1,2\n3,4.5e-3\n",
    "columns exchanged": "y[0], x[0] \r\n2,1\r\n4.5e-3,3\r\n",
    "blank lines": "\n\nx[0],y[0]\n\n1,2\n3,4.5e-3",
    "from Excel": b"\xef\xbb\xbfx[0],y[0]\n1,2\n3,4.5e-3\n",
    "gzipped": gzip.compress(b"x[0],y[0]\n1,2\n3,4.5e-3\n"),
}


@pytest.mark.parametrize("content", SOUND.values(), ids=SOUND)
def test_a_table_is_read_as_it_stands(tmp_path, content):
    read, _ = read_samples(table(tmp_path, content), LINE)
    assert np.array_equal(read["x"], [[1], [3]])
    assert np.array_equal(read["y"], [[2], [4.5e-3]])


def test_coordinates_of_matrices_are_quoted(tmp_path):
    read, _ = read_samples(table(tmp_path, '"W[0,0]","W[0,1]",u[0],u[1],z\n1,2,3,4,11\n'), WIDE)
    assert np.array_equal(read["W"], [[[1, 2]]])
    assert np.array_equal(read["z"], [11])


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308])
def test_numbers_keep_every_digit(tmp_path, value):
    read, _ = read_samples(table(tmp_path, f"x[0],y[0]\n{value!r},1\n"), LINE)
    assert read["x"][0, 0] == value


def test_an_empty_entry_of_an_output_was_not_measured(tmp_path):
    read, more = read_samples(table(tmp_path, "x[0],y[0],sd\n1,2,0.1\n3, ,\n"), LINE, ["sd"])
    assert np.array_equal(read["y"], [[2], [np.nan]], equal_nan=True)
    assert np.array_equal(more["sd"], [0.1, np.nan], equal_nan=True)


HEAD = "x[0],y[0]\n"
REFUSED = {
    "nothing": ("", "line 1: expected a header"),
    "a header alone": (HEAD, "at least one sample"),
    "a missing column": ("x[0]\n1\n", r"missing: y\[0\]"),
    "an unknown column": ("x[0],y[0],z\n1,2,3\n", "unknown: z"),
    "a column twice": ("x[0],y[0],x[0]\n1,2,3\n", r"twice: x\[0\]"),
    "semicolons": ("x[0];y[0]\n1;2\n", "by commas"),
    "a row too short": (HEAD + "1,2\n\n3\n", "line 4: expected 2 entries, got 1"),
    "a row too long": (HEAD + "1,2,3\n", "line 2: expected 2 entries, got 3"),
    "a word": (HEAD + "1,2\n1,two\n", r"line 3: y\[0\]: expected a finite number, got 'two'"),
    "NaN": (HEAD + "nan,2\n", r"line 2: x\[0\]: .*'nan'"),
    "infinity": (HEAD + "1,-inf\n", r"y\[0\]: .*'-inf'"),
    "an empty input": (HEAD + ",1\n", r"x\[0\]: .*''"),
    "5,001 digits": (HEAD + "7" * 5001 + ",1\n", "of 5001 characters"),
    "a gigantic exponent": (HEAD + "1,1e99999999999\n", "'1e99999999999'"),
    "underscores": (HEAD + "1_000,1\n", "'1_000'"),
    "digits of another script": (HEAD + "\u0661,1\n", "expected a finite number"),
    "an open quote": (HEAD + '"1,2\n3,4\n', "line 3: expected a CSV table"),
    "a field without end": (HEAD + "1" * 200_000 + ",1\n", "line 2"),
    "binary": (bytes(range(256)), "UTF-8"),
    "UTF-16": ("x[0],y[0]\n1,2\n".encode("utf-16"), "UTF-16"),
    "zeros": (bytes(100), "line 1"),
    "a damaged gzip": (gzip.compress(HEAD.encode())[:-4], "gzipped"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, content, said):
    with pytest.raises(SpecError, match=said) as refusal:
        read_samples(table(tmp_path, content), LINE)
    assert "t.csv" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value).replace(str(tmp_path), "")) < 250


def test_a_table_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_file, "LARGEST_FILE", 100)
    with pytest.raises(SpecError, match="at most 100 bytes"):
        read_samples(table(tmp_path, HEAD + "1,2\n" * 100), LINE)
