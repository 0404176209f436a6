"""JSON of which every reader takes the same; what they would take differently is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.errors import CertificateError, SpecError
from riemannian_modules.strict_json import decode_json, read_json

finite = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | st.integers() | finite | st.text()
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_what_json_writes_reads_back_with_every_digit(value):
    assert decode_json(json.dumps(value), "f", SpecError) == value


REFUSED = {
    "an integer of 5,001 digits": (
        '{"a":\n' + "7" * 5001 + "}", r"line 2: .*at most 4000 digits, got 7+\.\.\."
    ),
    "a negative one": ('{"a": -' + "7" * 5001 + "}", r"line 1: .*of 5002 characters"),
    "an exponent beyond doubles": ('{"a": 1e999}', r"line 1: .*1\.8e308, got 1e999"),
    "a gigantic exponent": ('[1,\n2,\n-1.5E+99999999999999999999]', r"line 3: .*-1\.5E\+9999"),
    "an exponent below doubles": ('{"a": 1e-400}', r"line 1: .*5e-324, got 1e-400"),
    "NaN": ("[0,\nNaN]", r"line 2: expected a finite number, got NaN"),
    "minus infinity": ("[-Infinity]", r"got -Infinity"),
    "a key twice": ('{"a": {"b": 1, "b": 2}}', r"\['b'\] stand twice"),
    "truncation": ('{"a": [1, 2', r"line 1, column 12: .*truncated"),
    "truncation in a text": ('{"a": "b', r"line 1, column 7: .*truncated"),
    "nothing": ("", r"truncated"),
    "depth": ("[" * 100_000, r"thousands of levels"),
    "half of a character": ('{"a": "\\ud800"}', r"half of a character"),
    "a byte order mark": ("\ufeff{}", r"BOM"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_readers_would_take_differently_is_refused_in_a_line(text, said):
    for error in (SpecError, CertificateError):
        with pytest.raises(error, match=said) as refusal:
            decode_json(text, "f.json", error)
        assert str(refusal.value).startswith("f.json: ")
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("text", ["0.000e-999", "-0.0", "5e-324", "1.7976931348623157e308"])
def test_zeros_and_the_outermost_doubles_are_read(text):
    assert decode_json(text, "f", SpecError) == float(text)


def test_a_file_is_read_gzipped_or_not(tmp_path):
    import gzip

    for content in (b'{"a": 1}', gzip.compress(b'{"a": 1}')):
        (tmp_path / "f").write_bytes(content)
        assert read_json(tmp_path / "f", SpecError) == {"a": 1}
