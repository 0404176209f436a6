"""Bounds in a block-diagonal metric, found by trying what is proved; untrusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from riemannian_modules.evidence.blocks import Blocks
from riemannian_modules.evidence.sparse_test import corner_boxes, sparse_proves
from riemannian_modules.spaces import Array
from riemannian_modules.terms.ranges import RangeLemma
from riemannian_modules.terms.sparse_form import Entries, SparseTest

DENSE = 150  # order up to which eigenvalues are sought with dense matrices
MARGINS = (1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9)


@final
@dataclass(frozen=True, slots=True, eq=False)
class AtomBox:
    """The ranges of a Jacobian's atoms over the region, each (atoms,), and their proofs."""

    low: Array
    high: Array
    ranges: tuple[RangeLemma, ...]


def atom_box(blocks: Blocks) -> AtomBox:
    """The tight ranges of all atoms; alike ones are found once."""
    ranges = tuple(blocks.ranges.tight(a) for a in blocks.jacobian.atoms)
    return AtomBox(np.array([r.lower for r in ranges]), np.array([r.upper for r in ranges]), ranges)


def block_metric(
    groups: Sequence[Sequence[int]], metrics: Sequence[Array], weights: Array
) -> Entries:
    """``blkdiag(d_i M_i)`` in doubles, by all of its entries."""
    entries: Entries = {}
    for group, M, d in zip(groups, metrics, weights.tolist(), strict=True):
        scaled = d * M
        for k, i in enumerate(group):
            for m, j in enumerate(group):
                if scaled[k, m]:
                    entries[i, j] = Fraction(float(scaled[k, m]))
    return entries


def signed_bound(test: SparseTest, low: Array, high: Array) -> float:
    """The smallest b found that is proved; inf where none was."""
    guess = signed_estimate(test, low, high)
    if not np.isfinite(guess):
        return np.inf
    size = max(_size(test, low, high), abs(guess), 1e-300)
    if not np.isfinite(1e3 * size):
        return np.inf
    for margin in MARGINS:
        if sparse_proves(test, low, high, guess + margin * size):
            return guess + margin * size
    # Radii take their share as well: the bound is sought by halving.
    step = 1e-6 * size
    while not sparse_proves(test, low, high, guess + step):
        step *= 8.0
        if step > 1e3 * size:
            return np.inf
    below, above = guess, guess + step
    while above - below > 1e-9 * size:
        middle = 0.5 * (below + above)
        proved = sparse_proves(test, low, high, middle)
        below, above = (below, middle) if proved else (middle, above)
    return above


def signed_estimate(test: SparseTest, low: Array, high: Array) -> float:
    """The b that the tested corners, or the centre, need: untrusted floats."""
    return max(_largest(*test.centre(a, b)) for a, b in corner_boxes(test, low, high))


def _size(test: SparseTest, low: Array, high: Array) -> float:
    T, W = test.centre(*corner_boxes(test, low, high)[0])
    scale = 1.0 / np.sqrt(W.diagonal())
    return float(np.max(abs(T).max(axis=1).toarray().ravel() * scale**2))


def _largest(T: Any, W: Any) -> float:
    """The largest eigenvalue of the pencil (T, W); inf where it is not found."""
    from scipy.linalg import eigh
    from scipy.sparse.linalg import ArpackError, eigsh

    if not (np.isfinite(T.data).all() and np.isfinite(W.data).all()):
        return np.inf
    n = T.shape[0]
    try:
        if n <= DENSE:
            return float(eigh(T.toarray(), W.toarray(), eigvals_only=True)[-1])
        scale = 1.0 / np.sqrt(W.diagonal())
        # By Gershgorin's circles, if W is diagonal; else a guess beyond the largest.
        rows = abs(T) @ scale * scale - np.abs(T.diagonal()) * scale**2
        above = float((T.diagonal() * scale**2 + rows).max())
        above += 1e-9 * max(abs(above), 1e-300)
        start = 1.0 + 0.01 * np.cos(np.arange(n))
        return float(eigsh(T, 1, W, sigma=above, which="LM", v0=start)[0][0])
    except (np.linalg.LinAlgError, ArpackError, RuntimeError):
        return np.inf
