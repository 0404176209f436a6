"""The signed rule: a block-diagonal metric in which couplings may cancel, by sparse definiteness.

The comparison of gains takes absolute values, so it loses couplings that cancel (``J_ij = -k
J_ji^T``) and loops whose sign helps (negative cyclic feedback, the secant criterion). In the metric
``M = blkdiag(d_i M_i)`` the whole condition ``2 b M - M J - J^T M >= 0`` keeps all signs and stays
as sparse as J. The weights d_i come from elsewhere and are not trusted.

Where few atoms move, all corners of their box are tested; where many do, one interval matrix.

Source: Arcak and Sontag, *Diagonal stability of a class of cyclic systems and its connection with
the secant criterion*, Automatica 42 (2006); Arcak, Meissen and Packard, *Networks of dissipative
systems* (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any, final

import numpy as np

from riemannian_modules.certify.networks.blocks import Blocks
from riemannian_modules.certify.networks.sparse_definite import (
    is_sparse_semidefinite,
    sparse_symmetric,
)
from riemannian_modules.certify.networks.sparse_form import (
    Entries,
    SparseTest,
    flow_form,
    step_form,
)
from riemannian_modules.certify.ranges import RangeLemma
from riemannian_modules.space import Array

MOST_CORNER_ATOMS = 4
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


def is_sparse_metric(size: int, metric: Entries) -> bool:
    """Whether a symmetric matrix is proved positive definite.

    Each diagonal entry is lowered by a part of itself: what is left being semidefinite, the whole
    is definite.
    """
    upper = {at: v * (1 - Fraction(1, 2**30)) if at[0] == at[1] else v
             for at, v in metric.items() if at[0] <= at[1]}  # fmt: skip
    return all(metric.get((i, i), 0) > 0 for i in range(size)) and is_sparse_semidefinite(
        sparse_symmetric(size, upper)
    )


def signed_test(blocks: Blocks, metric: Entries) -> SparseTest:
    """What the metric asks of the Jacobian: cancellations happen in here, exactly."""
    J, n = blocks.jacobian, len(blocks.problem.map)
    upper = {at: v for at, v in metric.items() if at[0] <= at[1]}
    if blocks.problem.is_flow:
        return SparseTest(n, {at: 2 * v for at, v in upper.items()}, flow_form(J, metric))
    both = upper | {(i + n, j + n): v for (i, j), v in upper.items()}
    return SparseTest(2 * n, both, step_form(J, metric))


def signed_proves(test: SparseTest, low: Array, high: Array, b: float) -> bool:
    """Whether b is proved for every value of the atoms between ``low`` and ``high`` (atoms,)."""
    if not np.isfinite(b):
        return False
    return all(is_sparse_semidefinite(S) for S in _matrices(test, low, high, b))


def _matrices(test: SparseTest, low: Array, high: Array, b: float) -> Any:
    for corner_low, corner_high in _boxes(test, low, high):
        yield test.matrix(b, corner_low, corner_high)


def _boxes(test: SparseTest, low: Array, high: Array) -> list[tuple[Array, Array]]:
    """The corners of the atoms' box where few move, else the box itself."""
    low, high = _pinned(test, low, high)
    moving = [j for j in test.moving if low[j] != high[j]]
    if len(moving) > MOST_CORNER_ATOMS or not np.isfinite([low[moving], high[moving]]).all():
        return [(low, high)]
    points: list[tuple[Array, Array]] = []
    for choice in product((False, True), repeat=len(moving)):
        point = low.copy()
        point[moving] = np.where(choice, high[moving], low[moving])
        points.append((point, point))
    return points


def _pinned(test: SparseTest, low: Array, high: Array) -> tuple[Array, Array]:
    """Atoms that only raise, or only lower, diagonal entries of T, at their worst end.

    ``b W - T`` is smallest where these entries are largest; the end may be the finite one of an
    unbounded range.
    """
    signs: dict[int, set[int]] = {}
    for members, entries in zip(test.form.products, test.form.coefficients, strict=True):
        for j in members:
            alone = len(members) == 1 and all(i == k for i, k in entries)
            found = {1 if v > 0 else -1 for v in entries.values()} if alone else {0}
            signs.setdefault(j, set()).update(found)
    low, high = low.copy(), high.copy()
    for j, found in signs.items():
        if found == {1} and np.isfinite(high[j]):
            low[j] = high[j]
        elif found == {-1} and np.isfinite(low[j]):
            high[j] = low[j]
    return low, high


def signed_bound(test: SparseTest, low: Array, high: Array) -> float:
    """The smallest b found that is proved; inf where none was."""
    guess = signed_estimate(test, low, high)
    if not np.isfinite(guess):
        return np.inf
    size = max(_size(test, low, high), abs(guess), 1e-300)
    if not np.isfinite(1e3 * size):
        return np.inf
    for margin in MARGINS:
        if signed_proves(test, low, high, guess + margin * size):
            return guess + margin * size
    # Radii take their share as well: the bound is sought by halving.
    step = 1e-6 * size
    while not signed_proves(test, low, high, guess + step):
        step *= 8.0
        if step > 1e3 * size:
            return np.inf
    below, above = guess, guess + step
    while above - below > 1e-9 * size:
        middle = 0.5 * (below + above)
        proved = signed_proves(test, low, high, middle)
        below, above = (below, middle) if proved else (middle, above)
    return above


def signed_estimate(test: SparseTest, low: Array, high: Array) -> float:
    """The b that the tested corners, or the centre, need: untrusted floats."""
    return max(_largest(*test.centre(a, b)) for a, b in _boxes(test, low, high))


def _size(test: SparseTest, low: Array, high: Array) -> float:
    T, W = test.centre(*_boxes(test, low, high)[0])
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
