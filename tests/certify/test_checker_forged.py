"""Files forged by hand: what they add, leave out or repeat is refused, by both readers alike."""

import copy
import gzip
import json

import numpy as np
import pytest

import contraction_checker as checker
from riemannian_modules.certify import verify
from riemannian_modules.errors import CertificateError
from tests.certify.files import as_read
from tests.certify.hand_written import TRUE, changed
from tests.certify.test_both_readers_agree import is_verified
from tests.certify.test_checker_mutations import is_accepted

NOTHING = [None, [], {}, "", 0, False]


def added(name, path, value):
    """A true certificate with a value under a key that it has not."""
    data = copy.deepcopy(TRUE[name])
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return data


def is_proved_by_neither(data):
    return not is_accepted(data) and not is_verified(data)


@pytest.mark.parametrize("value", NOTHING)
def test_what_is_shown_of_a_ball_is_its_metric(value):
    assert is_proved_by_neither(added("ball", ("region", "balls", 0, "metric"), value))


@pytest.mark.parametrize("value", [*NOTHING, [2, True], [2.0, 2], [2, 2, 2], ["2", "2"]])
def test_what_is_shown_of_a_sparse_matrix_is_its_shape(value):
    sparse = {"entries": [[0, 0, 2.0], [1, 1, 2.0]], "shape": value}
    assert is_proved_by_neither(changed(TRUE["slopes of a map"], ("system", "B"), sparse))
    metric = {"entries": [[0, 0, 1.0], [1, 1, 0.25]], "shape": value}
    assert not is_accepted(changed(TRUE["sparse metric"], ("claim", "norm", "metric"), metric))


@pytest.mark.parametrize("words", ["statement", "symbols"])
@pytest.mark.parametrize("value", [v for v in NOTHING if v != ""])
def test_words_are_texts(words, value):
    assert is_proved_by_neither(added("tanh", ("claim", words), value))


def test_a_flow_has_no_matrix_of_its_successor():
    data = added("metric of the point", ("evidence", "after"), [[0, 0, "17"]])
    assert is_proved_by_neither(data)


def test_a_rule_proves_what_its_word_says():
    for name, rule in (("metric of the point", "network"), ("tanh", "sos"), ("network", "sums")):
        assert is_proved_by_neither(changed(TRUE[name], ("evidence", "rule"), rule))


def texts():
    """Texts that are no JSON of ours, and bytes that are none."""
    whole = json.dumps(TRUE["tanh"])
    twice = whole.replace('"bound": -0.5', '"bound": -0.5, "bound": -9.0')
    inside = whole.replace('"type": "l2"', '"type": "l2", "type": "l1"')
    assert len({whole, twice, inside}) == 3
    yield from (twice, inside)
    for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "9" * 5000, "01"):
        yield whole.replace("-0.5", number)
    yield from (whole[:-1], whole + "}", whole + whole, "\ufeff" + whole, whole.replace('"', "'"))
    yield whole.replace("null", "[" * 10**5)


@pytest.mark.parametrize("text", [*texts()])
def test_what_other_readers_would_take_in_two_ways_is_taken_by_neither(text, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(text, encoding="utf-8")
    assert checker.main([str(path)]) == 1
    with pytest.raises(CertificateError):
        verify(path)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe{}",
        json.dumps(TRUE["tanh"]).encode("utf-16"),
        gzip.compress(gzip.compress(json.dumps(TRUE["tanh"]).encode())),
        gzip.compress(b""),
        b"\x1f\x8b",
    ],
)
def test_bytes_that_are_no_text_are_refused(raw, tmp_path):
    path = tmp_path / "certificate.json.gz"
    path.write_bytes(raw)
    assert checker.main([str(path)]) == 1
    with pytest.raises(CertificateError):
        verify(path)


def test_an_edit_of_one_reading_does_not_reach_the_next():
    """What one check notes of symbols and functions is forgotten before the next one."""
    before = [checker.check(as_read(TRUE[name])) for name in TRUE]
    order = np.random.default_rng(0).permutation(len(TRUE))
    names = list(TRUE)
    again = {k: checker.check(as_read(TRUE[names[k]])) for k in order}
    assert [again[k] for k in range(len(TRUE))] == before
