"""Lipschitz constants of nets, proved, beside the plain semidefinite program that bounds them.

The reference is LipSDP with one multiplier a neuron, written as one matrix inequality in CVXPY and
solved by Clarabel, whose answer is a number without a proof. ``tightness`` is our proved constant
by the reference's, and times are medians of pairs. Sizes beyond a hundred neurons take the
reference minutes to hours, so they are timed alone.
"""

import time
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import riemannian_modules as rm
from benchmarks.timing import paired_times
from riemannian_modules.claims.answer import Proved
from riemannian_modules.evidence.verify import verify
from riemannian_modules.search.layers.slopes import certify_slopes

Array = NDArray[np.float64]
REPEATS = {
    (2, 10, 1): 21, (2, 5, 5, 1): 21, (3, 8, 8, 8, 2): 21, (4, 16, 16, 2): 11,
    (4, 20, 20, 20, 2): 3, (2, 10, 30, 20, 2): 3, (4, 30, 30, 30, 2): 1,
}  # fmt: skip
ALONE = [(784, 50, 10), (784, 100, 50, 10), (4, 50, 50, 50, 50, 50, 2), (784, 200, 200, 10)]
TIGHTNESS_LIMIT = 1.10
RATIO_LIMIT = 0.1


def _weights(sizes: tuple[int, ...]) -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(out, into)) * np.sqrt(2 / into) for into, out in pairwise(sizes)]


def _net(weights: list[Array]) -> rm.ModuleGraph:
    layers: list[rm.RiemannianModule] = []
    for W in weights[:-1]:
        layers += [rm.Affine(W), rm.ReLU(len(W))]
    return rm.chain(*layers, rm.Affine(weights[-1]))


def _plain(weights: list[Array]) -> float:
    """LipSDP-neuron as it stands in the paper: one inequality over all layers."""
    import cvxpy as cp

    sizes = [W.shape[1] for W in weights]
    n, size = sizes[0], sum(sizes)
    m = size - n
    A = np.zeros((m, size))
    row = column = 0
    for W in weights[:-1]:
        A[row : row + len(W), column : column + W.shape[1]] = W
        row, column = row + len(W), column + W.shape[1]
    B = np.hstack([np.zeros((m, n)), np.eye(m)])
    first, last = np.zeros((size, size)), np.zeros((size, size))
    first[:n, :n] = np.eye(n)
    last[-sizes[-1] :, -sizes[-1] :] = weights[-1].T @ weights[-1]
    squared = cp.Variable(nonneg=True)
    T = cp.diag(cp.Variable(m, nonneg=True))
    inequality: Any = A.T @ T @ B + B.T @ T @ A - 2 * (B.T @ T @ B) - squared * first + last
    cp.Problem(cp.Minimize(squared), [inequality << 0]).solve(solver=cp.CLARABEL)
    return float(squared.value or 0.0) ** 0.5


def _ours(weights: list[Array]) -> tuple[Proved, float]:
    start = time.perf_counter()
    answer = certify_slopes(_net(weights))
    seconds = time.perf_counter() - start
    if not isinstance(answer, Proved):
        raise RuntimeError(f"expected a proof, got {answer}")
    return answer, seconds


def run() -> dict[str, object]:
    """Small nets beside the plain program, larger ones alone."""
    rows: list[dict[str, object]] = []
    for sizes, repeats in REPEATS.items():
        weights = _weights(sizes)
        tightness = _ours(weights)[0].factor / _plain(weights)
        times = paired_times(partial(_ours, weights), partial(_plain, weights), repeats)
        rows.append(
            times.row(f"Lipschitz constant of a net {'-'.join(map(str, sizes))}")
            | {"limit_ratio": RATIO_LIMIT}
            | {"tightness": tightness, "limit_tightness": TIGHTNESS_LIMIT}
        )
    for sizes in ALONE:
        weights = _weights(sizes)
        answer, ours = _ours(weights)
        start = time.perf_counter()
        verify(answer.certificate.data)
        rows.append({
            "name": f"Lipschitz constant of a net {'-'.join(map(str, sizes))}",
            "ours_s": ours, "verify_s": time.perf_counter() - start, "proved": answer.factor,
            "product_of_norms": float(np.prod([np.linalg.norm(W, 2) for W in weights])),
        })  # fmt: skip
    return {"rows": rows}
