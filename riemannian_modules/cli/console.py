"""What the command line says: results on the output stream, everything else on the error stream."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.status import Status


def output() -> Console:
    """The stream of results."""
    return Console()


def errors() -> Console:
    """The stream of errors, progress and remarks; lines are not broken, for scripts to read."""
    return Console(stderr=True, soft_wrap=True)


def tell_error(message: str) -> None:
    """Say what went wrong."""
    errors().print(f"[bold red]error:[/] {plain(message)}", highlight=False)


def remark(message: str) -> None:
    """Say something beside the results."""
    errors().print(plain(message), highlight=False)


def plain(text: str) -> str:
    """Text in which brackets are no markup."""
    return text.replace("[", r"\[")


@contextmanager
def working(what: str) -> Generator[Status | None]:
    """A sign of life on the terminal; nothing where the stream goes elsewhere."""
    console = errors()
    if not console.is_terminal:
        yield None
        return
    with console.status(what) as status:
        yield status
