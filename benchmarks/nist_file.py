"""Reads the problem files of NIST's Statistical Reference Datasets for nonlinear regression.

Source: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Problem:
    """One problem: starts (2, p), certified values and standard deviations (p,), data.

    response (N,) as printed in the file; predictors (N, m).
    """

    name: str
    starts: np.ndarray
    certified: np.ndarray
    deviations: np.ndarray
    residual_sum: float
    response: np.ndarray
    predictors: np.ndarray


def read_problem(path: Path) -> Problem:
    """The problem of one file; ValueError where its header does not lead to numbers."""
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    header = "\n".join(lines[:40])
    rows = np.array(
        [[float(word) for word in line.split("=")[1].split()] for line in _parameters(lines)]
    )
    first, last = (int(n) for n in re.findall(r"Data +\(lines +(\d+) +to +(\d+)\)", header)[0])
    numbers = np.array([[float(word) for word in line.split()] for line in lines[first - 1 : last]])
    residual_sum = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    return Problem(
        path.stem,
        rows[:, :2].T.copy(),
        rows[:, 2],
        rows[:, 3],
        float(residual_sum.split(":")[1]),
        numbers[:, 0],
        numbers[:, 1:],
    )


def _parameters(lines: list[str]) -> list[str]:
    found = [line for line in lines if re.match(r"\s*b\d+ +=", line)]
    if not found:
        raise ValueError("Expected lines such as 'b1 = 1 2 1.5E+00 1E-02', found none.")
    return found
