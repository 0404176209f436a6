"""A file appears whole or not at all, and a refusal is the library's own."""

import pytest

from riemannian_modules.errors import OutputError
from riemannian_modules.whole_file import write_whole


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    assert write_whole(tmp_path / "a", "ä\n").read_bytes() == "ä\n".encode()
    assert write_whole(tmp_path / "a", b"\x00\r\n").read_bytes() == b"\x00\r\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_place_that_cannot_be_written_is_named_and_left_alone(tmp_path):
    with pytest.raises(OutputError, match=r"missing.*folder that exists"):
        write_whole(tmp_path / "missing" / "a", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder"):
        write_whole(tmp_path / "folder", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_fails_half_way_leaves_the_old_file(tmp_path):
    path = write_whole(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")  # no text that can be encoded
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
