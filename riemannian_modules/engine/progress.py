"""What a person sees while a long computation runs."""

from __future__ import annotations

import abc
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import final

from typing_extensions import override

from riemannian_modules.engine.descend import Iteration, Watcher
from riemannian_modules.shown import Shown


class Progress(abc.ABC, Shown):
    """Shows a fit's iterations as they come."""

    @abc.abstractmethod
    def watching(self, title: str) -> AbstractContextManager[Watcher]:
        """A context in which the function that it gives is called after each iteration."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class TerminalProgress(Progress):
    """One changing line on the terminal's error stream; quiet where that is no terminal."""

    @override
    @contextmanager
    def watching(self, title: str) -> Generator[Watcher]:
        from rich.console import Console

        console = Console(stderr=True)
        if not console.is_terminal:
            yield _ignore
            return
        with console.status(title) as status:

            def show(line: Iteration) -> None:
                status.update(
                    f"{title}: iteration {line.number}, loss {line.loss:.8g}, mu {line.mu:.1e}, "
                    f"offset {line.offset:.1e} (Ctrl-C keeps the best so far)"
                )

            yield show


@final
@dataclass(frozen=True, slots=True, repr=False)
class NoProgress(Progress):
    """Shows nothing."""

    @override
    @contextmanager
    def watching(self, title: str) -> Generator[Watcher]:
        yield _ignore


def _ignore(line: Iteration) -> None:
    del line
