"""The file of a certificate: JSON, gzipped or not, read without believing anything of it.

Floats become the fractions that their doubles are, so that nothing that follows computes with
floats.
"""

import gzip
import io
import json
import re
from fractions import Fraction
from pathlib import Path

from contraction_checker.json_parts import Json
from contraction_checker.limits import LARGEST_FILE
from contraction_checker.refusals import MalformedError

GZIP = b"\x1f\x8b"


def load(path: str | Path) -> Json:
    """The JSON of a file.

    Raises:
        MalformedError: If it is too large, gives a key twice, or holds a number that JSON has not.
        OSError: If it cannot be read, or is a damaged gzip file (zlib.error, EOFError).
        ValueError: If it is no JSON.
    """
    with Path(path).open("rb") as file:
        raw = file.read(LARGEST_FILE + 1)
    if len(raw) <= LARGEST_FILE and raw.startswith(GZIP):
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
            raw = packed.read(LARGEST_FILE + 1)
    if len(raw) > LARGEST_FILE:
        raise MalformedError(
            f"the file, or what it unpacks to, holds more than {LARGEST_FILE} bytes"
        )
    return json.loads(
        raw.decode(), object_pairs_hook=_once, parse_constant=_constant, parse_float=_double
    )


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object of its pairs. Of a key that is given twice, readers would take either value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise MalformedError("a key is given twice")
    return found


def _constant(name: str) -> Json:
    """NaN, Infinity and -Infinity, which Python's reader takes and JSON has not."""
    raise MalformedError(f"{name} is no JSON")


def _double(written: str) -> Fraction:
    """The double that is nearest to its text, as a fraction."""
    number = Fraction(float(written))
    mantissa = re.split("[eE]", written)[0]
    if not number and re.search("[1-9]", mantissa):
        raise MalformedError(f"{written} is below every double")
    return number
