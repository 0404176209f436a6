"""A folder for a command's results, which appear there together or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from riemannian_modules.cli.console import remark
from riemannian_modules.errors import RiemannianError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def results_in(folder: Path, stale: Sequence[str] = ()) -> Generator[Path]:
    """Give a temporary folder to write to; its files move to ``folder`` when all are written.

    Opened before the work begins, it finds out at once whether the place can be written to.

    Args:
        folder: Where the results are to stand; made if it is not there.
        stale: Names of files of an earlier run that would mislead beside new results: where this
            run writes none of that name, they are kept as ``earlier-NAME``.

    Raises:
        typer.BadParameter: If the place is a file, or lies inside one.
        OSError: If the place cannot be written to.
    """
    anchor = _existing(folder)
    if not anchor.is_dir():
        raise typer.BadParameter(
            f"expected a folder for the results, got {folder}, where {anchor} is a file. Name "
            "another folder.",
            param_hint="'--out'",
        )
    # On the same file system as the folder, so that moving a file there is one step. Named before
    # it is made: whenever an interrupt comes, what was made is taken away.
    draft = anchor / f".riemannian-modules-{secrets.token_hex(8)}"
    try:
        try:
            draft.mkdir(mode=0o700)
        except OSError as error:
            raise OSError(
                f"--out: {anchor} cannot be written to ({error.strerror}). Name another folder."
            ) from None
        yield draft
        _publish(draft, folder, stale)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _existing(folder: Path) -> Path:
    """The folder itself or the nearest of its ancestors that exists."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _publish(draft: Path, folder: Path, stale: Sequence[str]) -> None:
    names = sorted(path.name for path in draft.iterdir())
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name not in names and (folder / name).exists():
            (folder / name).replace(folder / f"earlier-{name}")
            remark(f"{folder / name} is of an earlier run; it is now earlier-{name}.")
    for name in names:
        (draft / name).replace(folder / name)
    remark(f"Saved in {folder}: {', '.join(names)}")


def write_json(path: Path, data: Any) -> None:
    """Write data as JSON for people."""
    from riemannian_modules.spec.files import json_text, write_text

    write_text(path, json_text(data))


def save_picture(path: Path, draw: Callable[[], Figure | None]) -> None:
    """A picture if there is one to draw; an answer stands without it."""
    from riemannian_modules.plot import save_figure

    try:
        figure = draw()
    except RiemannianError as error:
        remark(f"No {path.name}: {error}")
        return
    if figure is not None:
        save_figure(figure, path)
