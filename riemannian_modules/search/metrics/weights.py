"""The search for the weights of an l1 or linf norm of the smallest bound: untrusted.

Each row of the weighted sums may come from another Jacobian, so the smallest bound is the largest
Perron root over all choices of one row each; its Perron vector holds the weights.

Source: Protasov (2016), *Spectral simplex method*, Mathematical Programming 156.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.arithmetic.spectra import eigenpairs
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.spaces import Array

ROUNDS = 200
SPREAD = 1e-6  # of a Perron vector, below which couplings go one way only
GIVEN_UP = 2e-4  # part of the bound that is given up there for weights that are not too far apart
BISECTIONS = 40
LARGEST = 1e30  # that the linear programs' solver takes for a number


def best_weights(J: Array, slopes: Array, *, is_flow: bool) -> Array:
    """Weights (n,) of the smallest linf bound over Jacobians (count, n, n) and slopes (rays, n, n).

    Raises:
        ConvergenceError: If no weights are found.
    """
    rows = [np.unique(_majorants(J, is_flow=is_flow)[:, i], axis=0) for i in range(J.shape[-1])]
    if len(slopes):
        w = _by_programs(rows, _majorants(slopes, is_flow=is_flow).reshape(-1, J.shape[-1]))
    else:
        w = _by_perron(rows)
    return _rounded(w)


def _by_perron(rows: list[Array]) -> Array:
    n = len(rows)
    scale = max(float(np.abs(r).max()) for r in rows) or 1.0
    chosen = np.stack([r[int(r.sum(1).argmax())] for r in rows])
    w = np.ones(n)
    for _ in range(ROUNDS):
        w = _weights_of(chosen, scale)
        sums = [r @ w for r in rows]
        better = [s.max() > chosen[i] @ w + 1e-13 * scale * w[i] for i, s in enumerate(sums)]
        if not any(better):
            break
        for i, s in enumerate(sums):
            if better[i]:
                chosen[i] = rows[i][int(s.argmax())]
    return w / w.min()


def _weights_of(C: Array, scale: float) -> Array:
    """Positive weights with ``C w <= b w`` for a b at, or a little above, C's Perron root."""
    values, vectors = eigenpairs(C)
    root = float(np.real(values).max())
    w = np.abs(np.real(vectors[:, int(np.real(values).argmax())]))
    if w.min() < SPREAD * w.max():
        # In a cascade the vector has zeros. (b I - C)^-1 1 is positive for every b above the root.
        b = root + GIVEN_UP * max(abs(root), 1e-3 * scale)
        w = np.abs(np.linalg.solve(b * np.eye(len(C)) - C, np.ones(len(C))))
    return np.maximum(w / w.max(), 1e-150)


def _rounded(w: Array) -> Array:
    """Weights to 30 bits: a millionth of a millionth of the bound is no loss."""
    mantissa, exponent = np.frexp(w)
    return np.ldexp(np.round(mantissa * 2.0**30), exponent - 30)


def _by_programs(rows: list[Array], slopes: Array) -> Array:
    """Weights by bisection on linear programs, where slopes have to be nonpositive, too."""
    from scipy.optimize import linprog

    n = len(rows)
    which = np.repeat(np.arange(n), [len(r) for r in rows])
    stacked = np.vstack(rows)
    if not (np.abs(stacked).max() < LARGEST and np.abs(slopes).max() < LARGEST):
        raise ConvergenceError("No weights were found: the Jacobians' numbers are too large.")

    def solve(bound: float) -> Array | None:
        A = stacked.copy()
        A[np.arange(len(A)), which] -= bound
        result = linprog(
            np.ones(n),
            A_ub=np.vstack([A, slopes]),
            b_ub=np.zeros(len(A) + len(slopes)),
            bounds=(1.0, 1e9),
            method="highs",
        )
        return np.asarray(result.x) if result.success else None

    high, low = float(stacked.sum(1).max()), float(stacked[np.arange(len(stacked)), which].max())
    found = solve(high + 1e-9 * (1 + abs(high)))
    if found is None:
        raise ConvergenceError("No weights were found in which the Jacobians contract at all.")
    for _ in range(BISECTIONS):
        if high - low <= 1e-7 * max(abs(low), abs(high), 1e-9):
            break
        middle = 0.5 * (low + high)
        trial = solve(middle)
        low, high = (middle, high) if trial is None else (low, middle)
        found = trial if trial is not None else found
    return found


def _majorants(J: Array, *, is_flow: bool) -> Array:
    """Magnitudes (count, n, n), the diagonal of a flow with its sign."""
    majorants = np.abs(J)
    if is_flow:
        n = J.shape[-1]
        majorants[:, np.arange(n), np.arange(n)] = np.diagonal(J, axis1=1, axis2=2)
    return majorants
