"""The Woodbury solve beside the two products and one Cholesky that it cannot do without.

The reference multiplies ``U^T U`` (one triangle, as ours does), ``U^T b`` and ``U w``, and factors
one r by r matrix. A fresh metric is solved each time, so that nothing is taken from a cache.
"""

import gc
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import paired_times, seconds
from riemannian_modules.metrics import LowRankMetric, scaled_identity_metric
from riemannian_modules.metrics.factor import DenseFactor

ROWS, COLUMNS, MU = 200_000, 256, 1e-3
REPEATS = 7
RATIO_LIMIT, MEMORY_LIMIT = 1.5, 1.5
SIZES, FEW_COLUMNS = (10**3, 10**4, 10**5, 10**6), 32


def problem(n: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """A factor of r samples, scaled to a mean, and a right-hand side."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, r)) / np.sqrt(r), rng.standard_normal(n)


def solve(U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Ours, from nothing."""
    return LowRankMetric(scaled_identity_metric(len(b)), MU, DenseFactor(U)).solve(b)


def products(U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The products and the Cholesky alone."""
    lower = np.linalg.cholesky(U.T @ U + MU * np.eye(U.shape[1]))
    return U @ (lower @ (U.T @ b))


def peak_memory(work: Callable[[], object]) -> int:
    """Bytes that the process grows by at most while ``work`` runs; 0 where Linux does not tell.

    Sampled each millisecond from the resident set, since BLAS allocates behind NumPy's back.
    """
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0

    def resident() -> int:
        return int(status.read_text().split()[1]) * 4096

    gc.collect()
    before, done = resident(), threading.Event()
    peaks = [before]

    def watch() -> None:
        while not done.is_set():
            peaks.append(resident())
            time.sleep(1e-3)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(peaks) - before


def large_row() -> dict[str, Any]:
    """The solve at full size: time beside the reference's, memory beside the factor's."""
    U, b = problem(ROWS, COLUMNS)
    grown = peak_memory(lambda: solve(U, b))  # first, so that BLAS's own buffers count
    times = paired_times(lambda: solve(U, b), lambda: products(U, b), REPEATS)
    return times.row(f"solve, n = {ROWS}, r = {COLUMNS}") | {
        "limit": RATIO_LIMIT,
        "memory_of_factor": (U.nbytes + grown) / U.nbytes,
        "memory_limit": MEMORY_LIMIT,
    }


def linear_rows() -> list[dict[str, Any]]:
    """The solve at growing n; linear if nanoseconds per row and column stay level."""
    rows: list[dict[str, Any]] = []
    for n in SIZES:
        U, b = problem(n, FEW_COLUMNS)
        times = paired_times(lambda U=U, b=b: solve(U, b), lambda U=U, b=b: products(U, b), REPEATS)
        entry_ns = 1e9 * statistics.median(times.ours) / U.size
        rows.append(times.row(f"solve, n = {n}, r = {FEW_COLUMNS}") | {"ns_per_entry": entry_ns})
    return rows


def later_row() -> dict[str, Any]:
    """A second solve with the same metric, beside the first."""
    U, b = problem(ROWS, COLUMNS)
    metric = LowRankMetric(scaled_identity_metric(ROWS), MU, DenseFactor(U))
    first = seconds(lambda: metric.solve(b))
    later = statistics.median(seconds(lambda: metric.solve(b)) for _ in range(REPEATS))
    name = "second solve, beside the first"
    return {"name": name, "ours_s": later, "reference_s": first, "ratio": later / first}


def run() -> dict[str, Any]:
    """All rows, as ``python -m benchmarks woodbury`` prints them."""
    return {"rows": [large_row(), *linear_rows(), later_row()]}
