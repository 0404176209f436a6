"""Whole files: written whole or not at all, read whole within a limit of size."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO

from riemannian_modules.errors import OutputError, RiemannianError

LARGEST_FILE = 2**29  # bytes, on the disk and again when unpacked: 512 MiB
_PIECE = 2**20
_GZIP_MAGIC = b"\x1f\x8b"


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


def read_whole(path: str | os.PathLike[str], error: type[RiemannianError]) -> bytes:
    """The bytes of a file, unpacked where it is gzipped.

    A file of more than `LARGEST_FILE` bytes is refused, and so is one that unpacks to more; of
    either no more than that is ever read or unpacked.

    Raises:
        RiemannianError: Of type ``error``, naming the file: it is missing, cannot be read, is too
            large, or is gzipped and damaged or truncated.
    """
    try:
        with Path(path).open("rb") as file:
            content = _read_within_limit(file)
    except FileNotFoundError:
        raise error(f"{path}: there is no such file. Check the path and the name.") from None
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise error(
            f"{path}: the file cannot be read ({reason}). Check the path and who may read it."
        ) from None
    if content is None:
        raise error(f"{path}: expected at most {LARGEST_FILE} bytes, got a larger file.")
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            unpacked = _read_within_limit(packed)
    except (OSError, EOFError, zlib.error) as fault:
        raise error(
            f"{path}: the file is gzipped and damaged or truncated ({fault}). Make it again."
        ) from None
    if unpacked is None:
        raise error(
            f"{path}: expected at most {LARGEST_FILE} bytes when unpacked, got {len(content)} that "
            "unpack to more."
        )
    return unpacked


def read_text(path: str | os.PathLike[str], error: type[RiemannianError]) -> str:
    """The text of a file in UTF-8, gzipped or not; errors as `read_whole`."""
    content = read_whole(path, error)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as fault:
        is_wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        got = "UTF-16" if is_wide else f"byte {content[fault.start]:#04x} at {fault.start}"
        line = content.count(b"\n", 0, fault.start) + 1
        raise error(
            f"{path}: line {line}: expected text in UTF-8, got {got}. Save the file as UTF-8."
        ) from None


def _read_within_limit(file: BinaryIO | gzip.GzipFile) -> bytes | None:
    """All that a file gives; None as soon as that is more than the limit."""
    pieces, size = list[bytes](), 0
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > LARGEST_FILE:
            return None
        pieces.append(piece)
    return b"".join(pieces)
