"""What an interrupted command says: what is saved, and the command that goes on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import final

# What stands on the command line, less the program's name.
given_words: ContextVar[tuple[str, ...]] = ContextVar("given_words", default=())

Words = Sequence[str | Path]


def words_without(option: str) -> list[str]:
    """The words of the command that was given, without an option and its value."""
    words = given_words.get()
    is_kept = [
        not (word.startswith(f"{option}=") or option in (word, before))
        for before, word in zip(("", *words), words, strict=False)
    ]
    return [word for word, kept in zip(words, is_kept, strict=True) if kept]


@final
class Interrupted(KeyboardInterrupt):
    """An interrupt (Ctrl-C) of a command, with what can be told of it in a line."""

    def __init__(self, saved: str = "nothing was saved", words: Words | None = None) -> None:
        """Make it.

        Args:
            saved: What was saved and where.
            words: The words of the command that goes on; those that were given where None.
        """
        verb, given = ("Begin again", given_words.get()) if words is None else ("Go on", words)
        command = shlex.join(["riemannian-modules", *map(str, given)])
        super().__init__(f"interrupted; {saved}." + (f" {verb} with: {command}" if given else ""))


def interrupted_with(folder: Path, saved: Sequence[str], go_on: Mapping[str, Words]) -> Interrupted:
    """The interrupt of a command that saved something.

    Args:
        folder: Where.
        saved: The names of the files.
        go_on: By the names of files, the best one first, the words of the command that goes on.
    """
    words = next((words for name, words in go_on.items() if name in saved), None)
    return Interrupted(f"saved in {folder}: {', '.join(saved)}", words)
