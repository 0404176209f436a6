"""Write the certificate checker as one file, ``contraction_checker.pyz``, which Python runs.

``python .ci/checker_zip.py [folder]`` (default ``dist``). The same sources give the same bytes:
entries are sorted, stored as they are, and dated alike, so that anybody can make the file again and
compare its fingerprint, which is printed. Format: PEP 441.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "contraction_checker"
SHEBANG = b"#!/usr/bin/env python3\n"
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first date that a zip file can tell
MAIN = f"""import sys

from {PACKAGE} import main

sys.exit(main(sys.argv[1:]))
"""


def entries() -> dict[str, bytes]:
    """The files of the archive by their names."""
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / PACKAGE).rglob("*.py")
    }
    # A sceptic may keep the file for years: it says under which licence.
    licence = {"LICENSE": (ROOT / "LICENSE").read_bytes()}
    return {"__main__.py": MAIN.encode(), **licence, **sources}


def write(folder: Path) -> Path:
    """Write the file into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PACKAGE}.pyz"
    with path.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(entries().items()):
                entry = zipfile.ZipInfo(name, OLDEST)
                entry.create_system = 3  # Unix, whatever the system is
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    written = write(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
    print(f"{hashlib.sha256(written.read_bytes()).hexdigest()}  {written}")
