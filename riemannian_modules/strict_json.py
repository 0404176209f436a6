"""JSON of which every reader takes the same: finite numbers, each key once, modest depth."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from riemannian_modules.errors import RiemannianError
from riemannian_modules.whole_file import read_text

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
LONGEST_INTEGER = 4_000  # digits, below Python's own limit of 4300


def read_json(path: str | os.PathLike[str], error: type[RiemannianError]) -> Any:
    """Decode a JSON file, gzipped or not.

    Raises:
        RiemannianError: Of type ``error``: the file cannot be read (see `read_whole`), or is no
            such JSON (see `decode_json`).
    """
    return decode_json(read_text(path, error), Path(path).name, error)


def decode_json(text: str, where: str, error: type[RiemannianError]) -> Any:
    """Decode JSON text.

    Args:
        text: The text.
        where: The name of the file, for messages.
        error: The type of error that is raised.

    Raises:
        RiemannianError: Of type ``error``, with the line: no JSON or truncated JSON, NaN and
            infinities, numbers too large or too small for a double or of more than
            `LONGEST_INTEGER` digits, a key that stands twice in an object, halves of characters,
            thousands of levels.
    """
    parts = _Parts(text, where, error)
    try:
        data = json.loads(
            text, parse_constant=parts.constant, parse_int=parts.integer, parse_float=parts.real,
            object_pairs_hook=parts.once,
        )  # fmt: skip
        if _SURROGATE.search(text):
            json.dumps(data, ensure_ascii=False).encode()
        return data
    except UnicodeEncodeError:
        raise error(
            f"{where}: expected text, got half of a character, as \\ud800 without its other half."
        ) from None
    except json.JSONDecodeError as fault:
        is_cut = fault.pos >= len(text.rstrip()) or fault.msg.startswith("Unterminated string")
        hint = " The file ends too early; was it truncated?" if is_cut else ""
        raise error(
            f"{where}: line {fault.lineno}, column {fault.colno}: expected JSON, got: "
            f"{fault.msg}.{hint}"
        ) from None
    except RecursionError:
        raise error(f"{where}: expected JSON of modest depth, got thousands of levels.") from None


@final
@dataclass(frozen=True, slots=True)
class _Parts:
    """What the decoder asks of numbers and of objects."""

    text: str
    where: str
    error: type[RiemannianError]

    def refusal(self, token: str, expected: str) -> RiemannianError:
        place = re.search(rf"(?<![\w.]){re.escape(token)}(?![\w.])", self.text)
        line = self.text.count("\n", 0, place.start() if place else 0) + 1
        got = token if len(token) <= 60 else f"{token[:20]}... of {len(token)} characters"
        return self.error(f"{self.where}: line {line}: expected {expected}, got {got}.")

    def constant(self, token: str) -> float:
        raise self.refusal(token, "a finite number")

    def integer(self, token: str) -> int:
        if len(token.lstrip("-")) > LONGEST_INTEGER:
            raise self.refusal(token, f"a number of at most {LONGEST_INTEGER} digits")
        return int(token)

    def real(self, token: str) -> float:
        number = float(token)
        if math.isinf(number):
            raise self.refusal(token, "a number that a double can hold, below 1.8e308")
        if number == 0.0 and re.search("[1-9]", re.split("[eE]", token)[0]):
            raise self.refusal(token, "0 or a number that a double can hold, above 5e-324")
        return number

    def once(self, rows: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(rows)
        if len(table) < len(rows):
            keys = [key for key, _ in rows]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise self.error(
                f"{self.where}: the keys {twice} stand twice in one object; keep one of each."
            )
        return table
