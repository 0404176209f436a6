"""System files on disk: read with the place of every fault, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from riemannian_modules.errors import SpecError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spec.models import file_model
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.system import System
from riemannian_modules.spec.write import system_to_data
from riemannian_modules.spec.yaml_text import decode_yaml, yaml_text
from riemannian_modules.strict_json import decode_json
from riemannian_modules.whole_file import read_text, write_whole


def load_system(path: str | os.PathLike[str]) -> System:
    """Read a system file: JSON, or YAML where its name ends in .yaml or .yml; gzipped or not.

    Args:
        path: A file in JSON or YAML.

    Returns:
        The system, with the region and the jobs that the file holds.

    Raises:
        SpecError: If the file is missing or larger than `LARGEST_FILE`, is no JSON or YAML, is
            truncated, holds numbers that no double holds, or does not describe a system; the
            message names the line, or the place as a JSON pointer.
    """
    name = Path(path).name
    text = read_text(path, SpecError).removeprefix("\ufeff")
    data = decode_yaml(text, name) if _is_yaml(path) else decode_json(text, name, SpecError)
    return system_from_data(data, name)


def save_system(system: System | RiemannianModule, path: str | os.PathLike[str]) -> None:
    """Write a system, or a module alone, as JSON or YAML; nothing is left half-written.

    Args:
        system: A system, or a module or composite alone.
        path: The file, replaced where it exists.

    Raises:
        UnsupportedError: For a module that has no written form, such as one of another framework.
        OSError: If the folder cannot be written to.
    """
    whole = system if isinstance(system, System) else System(system)
    data = system_to_data(whole)
    write_text(path, yaml_text(data) if _is_yaml(path) else json_text(data))


def _is_yaml(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix.lower() in (".yaml", ".yml")


def system_schema() -> dict[str, Any]:
    """The JSON schema of system files (draft 2020-12).

    Returns:
        The schema as JSON data.
    """
    return file_model().model_json_schema()


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
