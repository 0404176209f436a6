"""The reference, made from the public face when the site is built: a page for each public name.

A hook of MkDocs (1.6 or later). Public is what a room lists in `__all__`; it is read from the
sources, and nothing is imported. Names that differ in capitals alone (`Box`, `box`) share a page,
for file systems that take them for one.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parent.parent
CORE = "riemannian_modules"

# Rooms that users import from, in the order of a reader, and the ones that they never see.
ROOMS = {
    CORE: "Modules, wiring, regions",
    f"{CORE}.engine": "Simulate, fit, linearise",
    f"{CORE}.certify": "Certify",
    f"{CORE}.metrics": "Metrics",
    f"{CORE}.plot": "Pictures",
    f"{CORE}.results": "Keep results",
    f"{CORE}.spec": "System files",
    f"{CORE}.testing": "Test modules of your own",
    f"{CORE}.errors": "Errors",
    **{path.parent.name: "Adapter" for path in sorted(ROOT.glob("adapters/*/__init__.py"))},
}
INTERNAL = {
    *("arithmetic", "cli", "graph", "integration", "modules", "examples"),
    *("claims", "terms", "evidence", "search"),
    *("arrays", "bound", "canvas", "csv_table", "door", "recomputed", "region", "shown", "spaces"),
    *("strict_json", "units", "version", "whole_file"),
}


class Public(NamedTuple):
    """A public name: its room, where it is defined, and its docstring's first paragraph."""

    room: str
    name: str
    module: str
    summary: str


def _source(module: str) -> Path:
    place = ROOT / ("" if module.startswith(CORE) else "adapters") / module.replace(".", "/")
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_source(module).read_text(encoding="utf-8"))


def _names(module: str) -> list[str]:
    """What ``module`` lists in ``__all__``; without one, the classes that it defines."""
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed = list(ast.literal_eval(node.value))
            return [name for name in listed if not name.startswith("_")]  # but `__version__`
    return [node.name for node in _tree(module).body if isinstance(node, ast.ClassDef)]


def _definition(module: str, name: str) -> tuple[str, str]:
    """The module that defines ``name``, found by following imports, and the docstring."""
    found = module, ""
    body = _tree(module).body
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return _definition(node.module or "", name)
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            found = module, ast.get_docstring(node) or ""  # the last one, after its overloads
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            is_told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            return module, str(ast.literal_eval(after.value)) if is_told else ""
    return found


def public_names(room: str) -> list[Public]:
    """The public names of ``room``, in the order of its ``__all__``."""
    return [_public(room, name) for name in _names(room)]


def _public(room: str, name: str) -> Public:
    module, docstring = _definition(room, name)
    return Public(room, name, module, " ".join(docstring.split("\n\n")[0].split()))


def _folder(room: str) -> str:
    return f"reference/{room.removeprefix(CORE).removeprefix('.') or 'core'}"


def page_of(public: Public) -> str:
    """The page of a public name, under the folder of the documentation."""
    return f"{_folder(public.room)}/{public.name.lower()}.md"


def pages() -> dict[str, list[Public]]:
    """Each page of the reference with the names on it."""
    found: dict[str, list[Public]] = {}
    for room in ROOMS:
        for public in public_names(room):
            found.setdefault(page_of(public), []).append(public)
    return found


def _beside(page: str) -> str:
    """A link to ``page`` from the index of the reference."""
    return page.removeprefix("reference/")


def _page_text(names: list[Public]) -> str:
    title = "" if len(names) == 1 else "# " + ", ".join(f"`{p.name}`" for p in names) + "\n\n"
    level = 1 if len(names) == 1 else 2
    # Found by the place of its definition, for aliases are not followed.
    return title + "\n\n".join(
        f"::: {p.module}.{p.name}\n    options:\n      heading: {p.room}.{p.name}\n"
        f"      toc_label: {p.name}\n      heading_level: {level}"
        for p in names
    )


def _index_text(room: str) -> str:
    doc = (ast.get_docstring(_tree(room)) or "").strip()
    rows = [
        f"| [`{p.name}`]({Path(page_of(p)).name}) | {p.summary.replace('|', chr(92) + '|')} |"
        for p in public_names(room)
    ]
    table = "\n".join(["| name | |", "| --- | --- |", *rows])
    return f"# {ROOMS[room]}\n\n`import {room}`\n\n{doc}\n\n{table}\n"


def _rooms_text() -> str:
    rows = [
        f"| [{title}]({_beside(_folder(room))}/index.md) | `{room}` | "
        + ", ".join(f"[`{p.name}`]({_beside(page_of(p))})" for p in public_names(room))
        + " |"
        for room, title in ROOMS.items()
    ]
    table = "\n".join(["| package | import | names |", "| --- | --- | --- |", *rows])
    return f"# Reference\n\nEach public name has a page, made from its docstring.\n\n{table}\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation."""
    rooms = {room: [f"{_folder(room)}/index.md"] for room in ROOMS}
    for page, names in pages().items():
        rooms[names[0].room].append({", ".join(p.name for p in names): page})
    sections = [{ROOMS[room]: entries} for room, entries in rooms.items()]
    config.nav = [*(config.nav or []), {"Reference": ["reference/index.md", *sections]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, each of which asks mkdocstrings for its names."""
    from mkdocs.structure.files import File

    texts = {"reference/index.md": _rooms_text()}
    texts |= {f"{_folder(room)}/index.md": _index_text(room) for room in ROOMS}
    texts |= {page: _page_text(names) for page, names in pages().items()}
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files
