"""A file appears whole or not at all, is read within a limit, and refusals are the library's."""

import gzip
import tracemalloc

import pytest

from riemannian_modules import whole_file
from riemannian_modules.errors import CertificateError, OutputError, SpecError
from riemannian_modules.whole_file import read_text, read_whole, write_whole


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


@pytest.fixture
def limit(monkeypatch):
    """A limit of a thousand bytes."""
    monkeypatch.setattr(whole_file, "LARGEST_FILE", 1000)
    return 1000


def test_what_was_written_is_read_gzipped_or_not(tmp_path):
    for content in (b"", b"plain\n", gzip.compress(b"packed\n"), gzip.compress(b"a") * 3):
        path = write_whole(tmp_path / "a", content)
        plain = gzip.decompress(content) if content[:1] == b"\x1f" else content
        assert read_whole(path, SpecError) == plain


def test_a_file_at_the_limit_is_read_and_one_byte_more_is_refused(tmp_path, limit):
    for pack in (bytes, gzip.compress):
        path = write_whole(tmp_path / "a", pack(b"0" * limit))
        assert read_whole(path, SpecError) == b"0" * limit
        write_whole(path, pack(b"0" * (limit + 1)))
        with pytest.raises(
            SpecError, match=r"a: expected at most 1000 bytes.*(larger file|more)\.$"
        ):
            read_whole(path, SpecError)


def test_a_bomb_is_unpacked_no_further_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_file, "LARGEST_FILE", 2 * 2**20)
    path = write_whole(tmp_path / "bomb.gz", gzip.compress(bytes(64 * 2**20)))
    tracemalloc.start()
    with pytest.raises(CertificateError, match=r"bomb\.gz: expected at most 2097152 bytes"):
        read_whole(path, CertificateError)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The limit, the piece that exceeds it, and the buffers of the file and of the unpacking.
    assert peak < 8 * 2**20


def test_every_truncation_and_every_flipped_byte_of_a_gzip_is_refused_or_read_the_same(tmp_path):
    plain = b'{"a": [1, 2, 3], "b": "some text"}' * 3
    sound = gzip.compress(plain, mtime=0)
    damaged = [sound[:end] for end in range(2, len(sound))]
    for i, byte in enumerate(sound[2:], 2):
        damaged += [sound[:i] + bytes([byte ^ 0x55]) + sound[i + 1 :]]
    refused = 0
    for content in damaged:
        path = write_whole(tmp_path / "a.gz", content)
        try:
            assert read_whole(path, SpecError) == plain  # times and flags in the header
        except SpecError as fault:
            refused += "a.gz" in str(fault) and "gzipped" in str(fault)
    assert refused > len(damaged) - 10


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    for path, said in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "directory"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(SpecError, match=said):
            read_whole(path, SpecError)


def test_text_in_another_encoding_is_refused_with_its_line(tmp_path):
    path = write_whole(tmp_path / "a", "good\nna\xefve".encode("latin-1"))
    with pytest.raises(SpecError, match=r"a: line 2: expected text in UTF-8, got byte 0xef at 7"):
        read_text(path, SpecError)
    write_whole(path, "text".encode("utf-16"))
    with pytest.raises(SpecError, match="got UTF-16"):
        read_text(path, SpecError)
