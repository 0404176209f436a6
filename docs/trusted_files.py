"""The files that `verify` rests on, listed in "What is proved" when the site is built.

A hook of MkDocs (1.6 or later). They follow from the imports, which are read from the sources.
"""

from __future__ import annotations

import ast
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = "riemannian_modules"
START = f"{CORE}/evidence/verify.py"
PLACE = "<!-- the files that verify rests on -->"


def trusted_files() -> dict[str, int]:
    """All files that verification imports, directly or not, with their number of lines."""
    found: dict[str, int] = {}
    waiting = [START]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        found[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{CORE}."):
                module = (node.module or "").replace(".", "/")
                inside = [f"{module}/{alias.name}.py" for alias in node.names]
                places = [f"{module}.py", f"{module}/__init__.py", *inside]
                waiting += [place for place in places if (ROOT / place).is_file()]
    return dict(sorted(found.items()))


def table() -> str:
    """The files by room: how many lines each room has, and which files."""
    files = trusted_files()
    rows = ["| room | lines | files |", "|---|---|---|"]
    for room, members in groupby(files, key=lambda name: name.split("/")[1]):
        names = list(members)
        own = [name.split("/", 2)[-1].removesuffix(".py") for name in names]
        listed = ", ".join(f"`{n}`" for n in own if n != "__init__") or "`__init__`"
        rows.append(f"| `{room}` | {sum(files[n] for n in names):,} | {listed} |")
    total = f"{len(files)} files, {sum(files.values()):,} lines"
    return f"{total}, docstrings and comments included:\n\n" + "\n".join(rows)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the table where the page asks for it."""
    return markdown.replace(PLACE, table()) if PLACE in markdown else markdown
