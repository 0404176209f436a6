"""Results in files: one function that writes a result of any kind, and one that reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from riemannian_modules.certify import load_certificate, load_search
from riemannian_modules.claims.certificate import FORMAT as CERTIFICATE
from riemannian_modules.errors import SpecError
from riemannian_modules.results.codec import result_from_data, result_to_data
from riemannian_modules.search.boxes.search_state import FORMAT as SEARCH
from riemannian_modules.spec.files import json_text, load_system
from riemannian_modules.spec.models import FORMAT as SYSTEM
from riemannian_modules.strict_json import read_json
from riemannian_modules.whole_file import write_whole

FORMAT, VERSION = "riemannian-modules result", 1


def save_result(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write a result of any kind as JSON; the file appears whole or not at all.

    What is proved is kept as its certificate; which rules were tried before is not kept.

    Args:
        result: What a function of the library returned.
        path: Where; an existing file is replaced.

    Returns:
        The path.

    Raises:
        UnsupportedError: For a kind that no file holds; says why, and what to use instead.
        OutputError: If the file cannot be written.
    """
    data = {"format": FORMAT, "version": VERSION, "result": result_to_data(result)}
    return write_whole(path, json_text(data))


def load_result(path: str | os.PathLike[str]) -> Any:
    """Read a file that `save_result` wrote, or a certificate, a search or a system file.

    A proof is proved again from its certificate; a certificate file alone is a claim, which
    `verify` proves. Modules of your own classes come back as their exact expressions.

    Args:
        path: The file.

    Returns:
        The result, of the type that was saved.

    Raises:
        SpecError: If the file is missing or holds no result.
        CertificateError: If it claims a proof that its certificate does not give.
    """
    source = Path(path)
    form, data = _format_of(source)
    if form in _READERS:
        return _READERS[form](source)
    known = {"format": FORMAT, "version": VERSION}
    if not isinstance(data, dict) or data != known | {"result": data.get("result")}:
        raise SpecError(f"{source.name}: expected a file of format {FORMAT!r}, version {VERSION}.")
    return result_from_data(data["result"])


def holds_result(path: str | os.PathLike[str]) -> bool:
    """Whether a file says that it holds a result, a certificate or a search: no system file.

    Args:
        path: The file; what cannot be read holds none.
    """
    try:
        form, _ = _format_of(Path(path))
    except SpecError:
        return False
    return form in (FORMAT, CERTIFICATE, SEARCH)


_READERS: dict[Any, Callable[[Path], Any]] = {
    CERTIFICATE: load_certificate, SEARCH: load_search, SYSTEM: load_system,
}  # fmt: skip


def _format_of(source: Path) -> tuple[object, Any]:
    """What a file says that it is, and its data; text that is no JSON can be a system alone."""
    if source.suffix.lower() in (".yaml", ".yml"):
        return SYSTEM, None
    data = read_json(source, SpecError)
    return (data.get("format") if isinstance(data, dict) else None), data
