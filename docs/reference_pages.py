"""One reference page a room, made from the tree when the site is built, so that none is forgotten.

A hook of MkDocs (1.6 or later): a room is a file or a folder directly inside a package.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent


def _rooms() -> list[str]:
    core = ROOT / "riemannian_modules"
    folders = [path.parent.name for path in core.glob("*/__init__.py")]
    files = [path.stem for path in core.glob("*.py") if not path.stem.startswith("_")]
    adapters = [path.parent.name for path in ROOT.glob("adapters/*/__init__.py")]
    return [f"riemannian_modules.{room}" for room in sorted(folders + files)] + sorted(adapters)


def _page(room: str) -> str:
    return f"reference/{room.removeprefix('riemannian_modules.')}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference pages to the navigation."""
    pages = [{room.removeprefix("riemannian_modules."): _page(room)} for room in _rooms()]
    config.nav = [*(config.nav or []), {"Reference": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each room that asks mkdocstrings for its public names."""
    for room in _rooms():
        text = f"# `{room}`\n\n::: {room}\n"
        files.append(File.generated(config, _page(room), content=text))
    return files
