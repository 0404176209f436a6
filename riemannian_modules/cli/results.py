"""A folder for a command's results, which appear there together or not at all."""

from __future__ import annotations

import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from riemannian_modules.cli.console import remark
from riemannian_modules.cli.interruption import Interrupted, Words, interrupted_with
from riemannian_modules.errors import RiemannianError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def results_in(
    folder: Path, stale: Sequence[str] = (), go_on: Mapping[str, Words] = MappingProxyType({})
) -> Generator[Path]:
    """Give a temporary folder to write to; its files move to ``folder`` when all are written.

    Opened before the work begins, it finds out at once whether the place can be written to. When
    the work is interrupted, the files that are whole by then move there.

    Args:
        folder: Where the results are to stand; made if it is not there.
        stale: Names of files of an earlier run that would mislead beside new results: where this
            run writes none of that name, they are kept as ``earlier-NAME``.
        go_on: See `interrupted_with`.

    Raises:
        Interrupted: When the work is interrupted.
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
        is_whole = True
        try:
            yield draft
        except KeyboardInterrupt:
            is_whole = False
        with _interrupts_noted() as came:
            saved = _publish(draft, folder, stale)
        if is_whole and not came:
            remark(f"Saved in {folder}: {', '.join(saved)}")
        elif saved:
            raise interrupted_with(folder, saved, go_on)
        else:
            raise Interrupted
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _existing(folder: Path) -> Path:
    """The folder itself or the nearest of its ancestors that exists."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _publish(draft: Path, folder: Path, stale: Sequence[str]) -> list[str]:
    """Move the draft's files; gives their names. A file that is being written begins with a dot."""
    names = sorted(path.name for path in draft.iterdir() if not path.name.startswith("."))
    if not names:
        return names
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name not in names and (folder / name).exists():
            (folder / name).replace(folder / f"earlier-{name}")
            remark(f"{folder / name} is of an earlier run; it is now earlier-{name}.")
    for name in names:
        (draft / name).replace(folder / name)
    return names


@contextmanager
def _interrupts_noted() -> Generator[list[int]]:
    """Interrupts that come in the block are listed rather than raised."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # no signal reaches other threads
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


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
