"""Weights r > 0 with ``C r <= b r``, found in floating point; untrusted.

Such weights exist for every b above C's spectral abscissa. They are found part by part: the
strongly connected parts in the order of their feeding, each by ``(b I - C) r = f > 0``, which has a
positive solution exactly when b exceeds the part's abscissa (M-matrices). Down a long cascade
weights may grow beyond the range of doubles, so a weight is ``value 2^exponent``.

Source: Berman and Plemmons (1994), Nonnegative Matrices in the Mathematical Sciences, chapter 6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.claims.weights import Weights
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.evidence.comparison import Comparison
from riemannian_modules.spaces import Array

BISECTIONS = 60
ACCURACY = 1e-7  # of the abscissa, against its distance from the limit


def abscissa(C: Comparison, limit: float) -> float:
    """The infimum of all b for which weights exist, a little above it; untrusted.

    The accuracy is that of its distance from ``limit``.
    """
    A = C.matrix
    parts = _parts(A)
    own = A.diagonal()[[part[0] for part in parts if len(part) == 1]]
    loops = [_part_abscissa(A[part][:, part], limit) for part in parts if len(part) > 1]
    return max([*own.tolist(), *loops])


def find_weights(C: Comparison, b: float) -> Weights:
    """Weights with ``C r <= b r``, in floating point.

    A part's weights are the smallest that its feeding allows, and none is below one.

    Raises:
        ConvergenceError: If b does not exceed the abscissa clearly enough.
    """
    A = C.matrix
    feeds = _feeds(C)
    values, exponents = np.ones(C.size), np.zeros(C.size, dtype=np.int64)
    for part in _parts(A):
        top, inflow = _inflow(part, feeds, values, exponents)
        if len(part) == 1:
            r = _single(C.entries.get((int(part[0]), int(part[0])), 0.0), b, inflow)
        else:
            r = _several(A[part][:, part], b, inflow)
        # Any multiple above a solution is one as well; no weight shall be below one.
        one = math.ldexp(1.0, max(-top, -1000))
        r = r * (one / r.min()) if r.min() < one else r
        mantissas, scale = np.frexp(r)
        values[part], exponents[part] = mantissas, scale + top
    return Weights(values, exponents)


def _feeds(C: Comparison) -> list[list[tuple[int, float]]]:
    """For each node those that feed it, and their gains."""
    feeds: list[list[tuple[int, float]]] = [[] for _ in range(C.size)]
    for (i, j), value in C.entries.items():
        if i != j:
            feeds[i].append((j, value))
    return feeds


def _inflow(
    part: NDArray[np.intp],
    feeds: list[list[tuple[int, float]]],
    values: Array,
    exponents: NDArray[np.int64],
) -> tuple[int, Array]:
    """What feeds a part from others, over ``2^top``; a little more than it is."""
    inside = set(part.tolist())
    terms = [
        (k, gain * values[j], int(exponents[j]))
        for k, i in enumerate(part.tolist())
        for j, gain in feeds[i]
        if j not in inside
    ]
    top = max((e for _, _, e in terms), default=0)
    inflow = np.zeros(len(part))
    for k, value, e in terms:
        inflow[k] += math.ldexp(value, max(e - top, -1000)) * (1 + 2.0**-20)
    return top, inflow


def _single(own: float, b: float, inflow: Array) -> Array:
    if not b > own:
        raise ConvergenceError(f"No weights for the bound {b:.6g}: a node has {own:.6g} itself.")
    # Not below the smallest normal numbers: what hardly feeds needs hardly any weight.
    return np.maximum(inflow / (b - own), 2.0**-1000)


def _several(A: Any, b: float, inflow: Array) -> Array:
    room = 2.0**-10 * float(inflow.max()) if inflow.any() else 1.0
    r = _solve(A, b, np.maximum(inflow, room))
    if r is None:
        raise ConvergenceError(f"No weights for the bound {b:.6g}: the loop gains are too large.")
    return r


def _solve(A: Any, b: float, f: Array) -> Array | None:
    """The solution of ``(b I - A) r = f > 0`` where it is positive, else None."""
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    try:
        r = splu((b * eye_array(A.shape[0]) - A).tocsc()).solve(f)
    except RuntimeError:  # singular
        return None
    return r if np.isfinite(r).all() and (r > 0).all() else None


def _part_abscissa(A: Any, limit: float) -> float:
    low = float(A.diagonal().max())
    high = float(np.asarray(A.sum(axis=1)).max())
    ones = np.ones(A.shape[0])
    high += 1e-12 * max(1.0, abs(high))
    for _ in range(BISECTIONS):
        if high - low <= ACCURACY * max(abs(limit - high), 1e-12 * abs(high)):
            break
        middle = 0.5 * (low + high)
        low, high = (low, middle) if _solve(A, middle, ones) is not None else (middle, high)
    return high


def _parts(A: Any) -> list[NDArray[np.intp]]:
    """The strongly connected parts, those that feed others before them."""
    from graphlib import TopologicalSorter

    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(A, directed=True, connection="strong")
    coo = A.tocoo()
    sorter: TopologicalSorter[int] = TopologicalSorter({k: set[int]() for k in range(count)})
    for to, source in zip(label[coo.row].tolist(), label[coo.col].tolist(), strict=True):
        if to != source:
            sorter.add(to, source)
    order = np.argsort(label, kind="stable")
    ends = np.searchsorted(label[order], np.arange(count + 1))
    return [order[ends[k] : ends[k + 1]] for k in sorter.static_order()]
