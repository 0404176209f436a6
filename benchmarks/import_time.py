"""Seconds that importing the library takes in a new interpreter, beside importing NumPy."""

import subprocess
import sys

from benchmarks.timing import paired_times

REPEATS = 9
LIMIT_S = 0.5


def _fresh(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)


def run() -> dict[str, object]:
    """Each import runs in an interpreter of its own, whose own start is part of both times."""
    times = paired_times(
        lambda: _fresh("import riemannian_modules"), lambda: _fresh("import numpy"), REPEATS
    )
    return {"rows": [times.row("import, beside import numpy") | {"limit_s": LIMIT_S}]}
