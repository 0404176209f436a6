"""Write each tutorial as a notebook: ``python docs/notebooks.py``.

The tutorials are the one source; notebooks are stored without outputs, and a test fails when one is
out of date. Python blocks and commands become cells, all else is text. Format: nbformat 4.5.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "notebooks"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|#)([^)]+)\)")


def notebook_of(page: Path) -> Path:
    """Where the notebook of a tutorial is stored."""
    return FOLDER / page.with_suffix(".ipynb").name


def link_line(page: Path) -> str:
    """The line by which a tutorial shows its notebook."""
    return f"This page as a [notebook](../notebooks/{notebook_of(page).name}).\n\n"


def _cell(kind: str, text: str, number: int) -> dict[str, Any]:
    name = hashlib.sha256(f"{number} {text}".encode()).hexdigest()[:12]
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": text.rstrip("\n").splitlines(keepends=True)}


def _text(markdown: str) -> str:
    """Links go out from the folder of the notebooks."""
    return _LINK.sub(lambda m: f"](../tutorials/{m[1]})", markdown).strip("\n")


def _command(block: str) -> str:
    return "".join(f"!{line}\n" for line in block.splitlines() if line.strip())


def notebook(page: Path) -> str:
    """The notebook of a tutorial, as JSON."""
    text = page.read_text(encoding="utf-8").replace(link_line(page), "")
    pieces: list[tuple[str, str]] = []
    end = 0
    for found in _BLOCK.finditer(text):
        pieces.append(("markdown", _text(text[end : found.start()])))
        pieces.append(("code", found[2] if found[1] == "python" else _command(found[2])))
        end = found.end()
    pieces.append(("markdown", _text(text[end:])))
    kept = [(kind, piece) for kind, piece in pieces if piece]
    content = {
        "cells": [_cell(kind, piece, i) for i, (kind, piece) in enumerate(kept)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for page in TUTORIALS:
        notebook_of(page).write_text(notebook(page), encoding="utf-8")


if __name__ == "__main__":
    main()
