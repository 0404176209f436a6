"""The folder of reference cases that lies beside the repository and is never copied into it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RIEMANNIAN_SHARED") or ROOT.parent / "shared")


def shared_path(*parts: str) -> Path:
    """The file or folder ``parts`` of the reference cases; skips the test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(
            f"the reference case {'/'.join(parts)} is absent; set RIEMANNIAN_SHARED to its folder",
            allow_module_level=True,
        )
    return path
