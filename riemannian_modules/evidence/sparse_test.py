"""The test of a sparse metric, in which couplings may cancel, by sparse definiteness.

The comparison of gains takes absolute values, so it loses couplings that cancel (``J_ij = -k
J_ji^T``) and loops whose sign helps (negative cyclic feedback, the secant criterion). In the metric
``M = blkdiag(d_i M_i)`` the whole condition ``2 b M - M J - J^T M >= 0`` keeps all signs and stays
as sparse as J.

Where few atoms move, all corners of their box are tested; where many do, one interval matrix.

Source: Arcak and Sontag, *Diagonal stability of a class of cyclic systems and its connection with
the secant criterion*, Automatica 42 (2006); Arcak, Meissen and Packard, *Networks of dissipative
systems* (2016).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.sparse_definite import (
    is_sparse_semidefinite,
)
from riemannian_modules.evidence.blocks import Blocks
from riemannian_modules.spaces import Array
from riemannian_modules.terms.sparse_form import (
    Entries,
    SparseTest,
    flow_form,
    step_form,
)

MOST_CORNER_ATOMS = 4


def sparse_test(blocks: Blocks, metric: Entries) -> SparseTest:
    """What the metric asks of the Jacobian: cancellations happen in here, exactly."""
    J, n = blocks.jacobian, len(blocks.problem.map)
    upper = {at: v for at, v in metric.items() if at[0] <= at[1]}
    if blocks.problem.is_flow:
        return SparseTest(n, {at: 2 * v for at, v in upper.items()}, flow_form(J, metric))
    both = upper | {(i + n, j + n): v for (i, j), v in upper.items()}
    return SparseTest(2 * n, both, step_form(J, metric))


def sparse_proves(test: SparseTest, low: Array, high: Array, b: float) -> bool:
    """Whether b is proved for every value of the atoms between ``low`` and ``high`` (atoms,)."""
    if not np.isfinite(b):
        return False
    return all(is_sparse_semidefinite(S) for S in _matrices(test, low, high, b))


def _matrices(test: SparseTest, low: Array, high: Array, b: float) -> Any:
    for corner_low, corner_high in corner_boxes(test, low, high):
        yield test.matrix(b, corner_low, corner_high)


def corner_boxes(test: SparseTest, low: Array, high: Array) -> list[tuple[Array, Array]]:
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
