"""System files on disk: read with the place of every fault, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NoReturn

from riemannian_modules.errors import SpecError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spec.models import file_model
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.system import System
from riemannian_modules.spec.write import system_to_data
from riemannian_modules.whole_file import write_whole


def load_system(path: str | os.PathLike[str]) -> System:
    """Read a system file.

    Args:
        path: A JSON file.

    Returns:
        The system, with the region and the jobs that the file holds.

    Raises:
        SpecError: If the file is missing, is no JSON, is truncated, holds NaN or infinite numbers,
            or does not describe a system; the message names the line, or the place as a JSON
            pointer.
    """
    return system_from_data(read_json(path), Path(path).name)


def save_system(system: System | RiemannianModule, path: str | os.PathLike[str]) -> None:
    """Write a system, or a module alone, as a file; nothing is left half-written.

    Args:
        system: A system, or a module or composite alone.
        path: The file, replaced where it exists.

    Raises:
        UnsupportedError: For a module that has no written form, such as one of another framework.
        OSError: If the folder cannot be written to.
    """
    whole = system if isinstance(system, System) else System(system)
    write_text(path, json_text(system_to_data(whole)))


def system_schema() -> dict[str, Any]:
    """The JSON schema of system files (draft 2020-12).

    Returns:
        The schema as JSON data.
    """
    return file_model().model_json_schema()


def read_json(path: str | os.PathLike[str]) -> Any:
    """Decode a JSON file; raises SpecError with the line of a fault."""
    name = Path(path).name
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file. Check the path and the name.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: expected a readable text file in UTF-8, got: {error}.") from None

    def refuse(token: str) -> NoReturn:
        before = text[: m.start()] if (m := re.search(rf"{token}\b", text)) else ""
        raise SpecError(
            f"{name}: line {before.count(chr(10)) + 1}: expected a finite number, got {token}. "
            f"Sides of a "
            'region may be "inf" and "-inf"; nothing else may be infinite.'
        )

    def pairs(rows: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in rows]
        if len(set(keys)) < len(keys):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise SpecError(
                f"{name}: the keys {twice} stand twice in one object; keep one of each."
            )
        return dict(rows)

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip())
        hint = " The file ends too early; was it truncated?" if is_cut else ""
        raise SpecError(
            f"{name}: line {error.lineno}, column {error.colno}: expected JSON, got: "
            f"{error.msg}.{hint}"
        ) from None
    except RecursionError:
        raise SpecError(
            f"{name}: expected JSON of modest depth, got thousands of levels."
        ) from None


def json_text(data: Any) -> str:
    """JSON for people: two blanks a level, lists of numbers and short lists on one line."""
    return _lines(data, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, (dict, list)) or len(indent) + len(flat) <= 96 or not value:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        rows = [
            f"{json.dumps(k, ensure_ascii=False)}: {_lines(v, inner)}" for k, v in value.items()
        ]
    else:
        rows = [_lines(entry, inner) for entry in value]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{opening}\n{inner}" + f",\n{inner}".join(rows) + f"\n{indent}{closing}"


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file whole or not at all."""
    write_whole(path, text)
