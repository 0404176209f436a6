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

from typing_extensions import override

from riemannian_modules.door import require
from riemannian_modules.errors import CertificateError
from riemannian_modules.shown import Facts, Shown, brief_value, cut
from riemannian_modules.strict_json import read_json
from riemannian_modules.whole_file import write_whole

FORMAT, VERSION = "riemannian-modules certificate", 3
MOST_OF_STATEMENT = 700  # characters that are printed


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Certificate(Shown):
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

    @override
    def facts(self) -> Facts:
        claim, evidence = (self.data.get(part) for part in ("claim", "evidence"))
        if not isinstance(claim, Mapping) or not isinstance(evidence, Mapping):
            return Facts("Certificate without a claim or evidence")
        title = f"Certificate by the rule {brief_value(evidence.get('rule'))}; verify proves it"
        return Facts(title, (("claims", claim_in_short(str(claim.get("statement")))),))


def claim_in_short(statement: str) -> str:
    """A statement as it is printed; a long one, of a region with many sides, says that it goes on.

    A part of a region would be another region, so the cut is named.
    """
    whole = len(statement) <= MOST_OF_STATEMENT
    return statement if whole else f"{cut(statement, MOST_OF_STATEMENT)} (goes on: see .statement)"


def load_certificate(path: str | Path) -> Certificate:
    """Read a certificate file; nothing in it is believed yet.

    Args:
        path: A JSON file, gzipped where its name ends in `.gz`.

    Raises:
        CertificateError: If the file is missing, truncated, no JSON, or of another format or
            version.
    """
    require("load_certificate", path, (str, Path), "a path", CertificateError)
    try:
        data = read_json(path, CertificateError)
    except CertificateError as fault:
        raise CertificateError(f"{fault} Give a certificate, as `certify` saves it.") from None
    return Certificate(check_format(data, str(path)))


def check_format(data: object, where: str) -> Mapping[str, Any]:
    """The data as a mapping, if it is a certificate of this version with all its parts.

    Raises:
        CertificateError: If it is not.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CertificateError(f"{where}: expected a file of format {FORMAT!r}.")
    if type(data.get("version")) is not int or data["version"] != VERSION:
        raise CertificateError(
            f"{where}: expected version {VERSION}, got {data.get('version')!r}. Make it "
            "again with `certify`."
        )
    parts = {"format", "version", "claim", "region", "system", "evidence"}
    missing, unknown = sorted(parts - set(data)), sorted(set(data) - parts)
    if missing:
        raise CertificateError(
            f"{where}: the parts {missing} are missing; the file may be truncated."
        )
    if unknown:
        raise CertificateError(f"{where}: unknown keys {unknown}; known are {sorted(parts)}.")
    claim = data["claim"]
    if isinstance(claim, dict) and not (
        isinstance(claim.get("statement"), str) and isinstance(claim.get("symbols", ""), str)
    ):
        raise CertificateError(f"{where}: the claim's 'statement' and 'symbols' are texts.")
    return data
