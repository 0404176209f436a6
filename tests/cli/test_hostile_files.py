"""Files that no one should send: a line or two of the library's own, no traceback, no hang."""

import gzip
import json
import time

import pytest

import riemannian_modules as rm
from riemannian_modules import whole_file
from riemannian_modules.cli import FAILURE, MISUSE
from riemannian_modules.spec import System
from riemannian_modules.spec.write import system_to_data
from tests.cli.commands import run, save_cubic

MANY = "7" * 5001


def system(**entry):
    return json.dumps({"system": {"type": "Lag", "tau": 2.0, **entry}})


def equation(text, **entry):
    return json.dumps(
        {"system": {"type": "Equations", "equations": {"dx": text}, "state": "x", **entry}}
    )


def levels(count, opening="[", closing="]", inner="1"):
    return opening * count + inner + closing * count


LAG = '{"system": {"type": "Lag", "tau": '
JSON = {
    "an integer of 5,001 digits": (LAG + MANY + "}}", "4000 digits"),
    "an integer of 400 digits": (LAG + "7" * 400 + "}}", "/system"),
    "a gigantic exponent": ('{"system": {"type": "Lag", "tau": 1e999999}}', "1e999999"),
    "an exponent too small": ('{"system": {"type": "Lag", "tau": 1e-999}}', "1e-999"),
    "NaN": ('{"system": {"type": "Lag", "tau": NaN}}', "NaN"),
    "infinity in words": (system(tau="inf"), "/system/tau"),
    "a key twice": ('{"system": {"type": "Lag", "tau": 1, "tau": 2}}', "twice"),
    "lists in lists": ('{"system": ' + levels(990) + "}", "level"),
    "objects in objects": ('{"system": ' + levels(400, '{"a": ', "}") + "}", "level"),
    "lists without end": (levels(100_000), "levels"),
    "lists in a number": (system(tau=json.loads(levels(290))), "/system/tau"),
    "lists in a mapping": (equation(json.loads(levels(290))), "formula"),
    "half of a character": ('{"name": "\\ud800"}', "half of a character"),
    "a size beyond memory": (system(size=10**12), "/system"),
    "a size of many digits": (system(size=10**400), "/system"),
    "a long integer in a formula": (equation("x*" + MANY), "column 3"),
    "a tower of powers": (equation("9^9^9^9^9*x"), "exponents"),
    "a power without end": (equation("(2*x)^1000000000"), "exponents"),
    "a formula of brackets": (equation(levels(5000, "(", ")", "x")), "levels"),
    "code for a formula": (equation("__import__('os').system('ls')"), "no function"),
    "a negative size": (system(size=-1), "/system"),
    "true for a number": (system(tau=True), "/system/tau"),
    "a null": ("null", "expected"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "truncated"),
    "UTF-16": (system().encode("utf-16"), "UTF-16"),
    "latin-1": ('{"name": "na\xefve"}'.encode("latin-1"), "UTF-8"),
    "binary": (bytes(range(256)) * 8, "UTF-8"),
    "zeros": (bytes(1000), "line 1"),
    "a damaged gzip": (gzip.compress(system().encode())[:-9], "gzipped"),
    "a gzip of noise": (b"\x1f\x8b" + bytes(range(200)), "gzipped"),
}  # fmt: skip
YAML = {
    "an integer of 5,001 digits": ("system: {type: Lag, tau: " + MANY + "}", "5001 digits"),
    "a gigantic exponent": ("system: {type: Lag, tau: 1e999999}", "no double"),
    "NaN": ("system: {type: Lag, tau: .nan}", "finite"),
    "infinity": ("system: {type: Lag, tau: .inf}", "finite"),
    "infinity in words": ("system: {type: Lag, tau: inf}", "/system/tau"),
    "a key twice": ("system: {type: Lag, tau: 1, tau: 2}", "twice"),
    "a bomb of aliases": ("a: &a [1]\nb: [*a, *a]", "anchor"),
    "code": ("a: !!python/object/apply:os.system [ls]", "tag"),
    "corruption": ("system:\n  type: Lag\n tau: 1", "line 3"),
    "lists without end": (levels(5000), "levels"),
    "binary": (bytes(range(256)), "UTF-8"),
    "a control character": ("system: \x07", "line 1"),
    "a number": ("3", "expected"),
    "nothing": ("", "expected"),
}  # fmt: skip
HOSTILE = {
    f"{kind}, {name}": (kind, *case)
    for kind, table in (("json", JSON), ("yaml", YAML))
    for name, case in table.items()
}


@pytest.mark.parametrize(("kind", "content", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_system_file_is_misuse_in_a_line_or_two(kind, content, said, tmp_path):
    path = tmp_path / f"f.{kind}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    began = time.monotonic()
    result = run("show", path)
    assert time.monotonic() - began < 10  # a hang, not a measure of speed
    assert result.exit_code == MISUSE, (result.output, result.exception)
    assert said in result.output
    assert result.output.startswith("error: ")
    assert result.output.count("\n") <= 2
    assert len(result.output.replace(str(tmp_path), "")) < 700


@pytest.fixture
def limit(monkeypatch):
    """A limit of 64 kB."""
    monkeypatch.setattr(whole_file, "LARGEST_FILE", 2**16)
    return 2**16


@pytest.mark.parametrize("command", ["show", "simulate", "certify", "fit", "verify"])
@pytest.mark.parametrize("ending", [".json", ".json.gz", ".yaml"])
def test_a_file_beyond_the_limit_is_refused_by_every_command(command, ending, tmp_path, limit):
    path = tmp_path / f"f{ending}"
    content = b" " * (limit + 1)
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    out = () if command == "verify" else ("--out", tmp_path / "out")
    result = run(command, path, *out)
    assert result.exit_code == (FAILURE if command == "verify" else MISUSE)
    assert "65536 bytes" in result.output
    assert result.output.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_search_beyond_the_limit_or_damaged_is_refused(tmp_path, limit):
    cubic, search = save_cubic(tmp_path / "cubic.json", -1.0), tmp_path / "search.json.gz"
    for content, said in (
        (gzip.compress(b" " * (limit + 1)), "65536 bytes"), (gzip.compress(b"{}")[:-5], "gzipped"),
        (gzip.compress(b"[" * 20_000), "levels"), (gzip.compress(b'{"format": 1e999}'), "1e999"),
    ):  # fmt: skip
        search.write_bytes(content)
        result = run("certify", cubic, "--resume", search, "--out", tmp_path / "out")
        assert result.exit_code == FAILURE, result.output
        assert said in result.output
        assert result.output.count("\n") == 1


def flipped(content, place):
    """The content with a bit the other way round."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


PACKED = gzip.compress(b"{}" * 99)
CERTIFICATES = {
    "a truncated gzip": (PACKED[:-5], "gzipped"),
    "a gzip with a flipped bit": (flipped(PACKED, len(PACKED) - 8), "gzipped"),
    "an integer of 5,001 digits": (b'{"format": ' + MANY.encode() + b"}", "4000 digits"),
    "a gigantic exponent": (b'{"format": 1e999}', "1e999"),
    "a key twice": (b'{"format": 1, "format": 2}', "twice"),
    "depth": (b"[" * 100_000, "levels"),
    "UTF-16": ("{}".encode("utf-16"), "UTF-16"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_a_hostile_certificate_fails_in_a_line(content, said, tmp_path):
    path = tmp_path / "c.json.gz"
    path.write_bytes(content)
    result = run("verify", path)
    assert result.exit_code == FAILURE, result.output
    assert said in result.output
    assert result.output.count("\n") == 1


VALUES = {
    "5,001 digits": MANY, "a gigantic exponent": "1e999999", "NaN": "nan", "infinity": "-inf",
    "a word": "high", "nothing": "", "several": "1,2",
}  # fmt: skip


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("option", ["--x0=x", "--input=u"])
def test_a_hostile_value_of_an_option_is_misuse(option, value, tmp_path):
    path = tmp_path / "lag.json"
    path.write_text(json.dumps(system_to_data(System(rm.Lag(2.0)))))
    result = run("simulate", path, "--t-end", 1, f"{option}={value}")
    assert result.exit_code == MISUSE, result.output
    assert option.partition("=")[0] in result.output
    assert len(result.output) < 1500
