"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from riemannian_modules.errors import OutputError


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file beside its place and move it there, so that no reader ever sees half of it.

    Args:
        path: Where the file shall be; its folder has to exist.
        content: What it shall hold; text is written in UTF-8.

    Returns:
        The path.

    Raises:
        OutputError: If it cannot be written; a file that was there before is untouched.
    """
    target = Path(path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as fault:
        raise _cannot_write(target, fault) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except OSError as fault:
        Path(name).unlink(missing_ok=True)
        raise _cannot_write(target, fault) from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target


def _cannot_write(target: Path, fault: OSError) -> OutputError:
    return OutputError(
        f"{target}: the file cannot be written ({fault.strerror}). Name a file in a folder that "
        "exists and may be written to."
    )
