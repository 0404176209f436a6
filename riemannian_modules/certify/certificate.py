"""The certificate: a claim and its evidence as plain data, from which it is verified again.

The format is described in docs/certificates.md.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from riemannian_modules.door import require
from riemannian_modules.errors import CertificateError
from riemannian_modules.whole_file import write_whole

FORMAT, VERSION = "riemannian-modules certificate", 3


@final
@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """JSON data: claim, region, metric, system (its expressions) and evidence.

    Numbers are written so that they read back as the same binary numbers; infinite sides are "inf".

    Attributes:
        data: What the file holds.
    """

    data: Mapping[str, Any]

    @property
    def statement(self) -> str:
        """The claim in words."""
        return str(self.data["claim"]["statement"])

    def save(self, path: str | Path) -> Path:
        """Write the certificate, compressed where the name ends in .gz; whole or not at all."""
        text = json.dumps(self.data, indent=1, allow_nan=False)
        if not str(path).endswith(".gz"):
            return write_whole(path, text)
        # Without a time in its header, the same certificate gives the same bytes.
        return write_whole(path, gzip.compress(text.encode(), mtime=0))


def load_certificate(path: str | Path) -> Certificate:
    """Read a certificate file; nothing in it is believed yet.

    Args:
        path: A JSON file, gzipped where its name ends in `.gz`.

    Raises:
        CertificateError: If the file is missing, truncated, no JSON, or of another format or
            version.
    """
    require("load_certificate", path, (str, Path), "a path", CertificateError)
    source = Path(path)
    try:
        content = source.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        data = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_twins,
        )
    except (OSError, EOFError) as fault:
        raise CertificateError(
            f"{source}: expected a certificate file, but it cannot be read ({fault}). "
            "Check the path."
        ) from None
    except (ValueError, RecursionError) as fault:
        raise CertificateError(
            f"{source}: expected a JSON certificate, but it cannot be read ({fault}). It may be "
            "truncated; make it again with `certify`."
        ) from None
    return Certificate(check_format(data, str(source)))


def _refuse_constant(name: str) -> float:
    raise json.JSONDecodeError(f"the constant {name} is no JSON", name, 0)


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a key given twice, readers take different ones: the file would claim two things.
    table = dict(pairs)
    if len(table) != len(pairs):
        raise json.JSONDecodeError("a key is given twice", ", ".join(k for k, _ in pairs), 0)
    return table


def check_format(data: object, where: str) -> Mapping[str, Any]:
    """The data as a mapping, if it is a certificate of this version with all its parts."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CertificateError(f"{where}: expected a file of format {FORMAT!r}.")
    if data.get("version") != VERSION:
        raise CertificateError(
            f"{where}: expected version {VERSION}, got {data.get('version')!r}. Make it "
            "again with `certify`."
        )
    missing = sorted({"claim", "region", "system", "evidence"} - set(data))
    if missing:
        raise CertificateError(
            f"{where}: the parts {missing} are missing; the file may be truncated."
        )
    return data
