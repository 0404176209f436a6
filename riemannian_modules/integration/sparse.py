"""Integration of large systems: LSODA on a narrow band, else explicit steps, and BDF where stiff.

States are put in the order of Cuthill and McKee, in which chains, rings and grids of one dimension
have narrow bands. Where no band is narrow, DOP853 steps as long as accuracy limits its steps; once
stability does, BDF goes on, which factorises sparse matrices.

Sources: Cuthill and McKee (1969), Proc. 24th ACM Nat. Conf., 157-172; Petzold (1983), SIAM J. Sci.
Stat. Comput. 4, 136-148; Hairer and Wanner, *Solving Ordinary Differential Equations II*, section
IV.2 (recognising stiffness), and for BDF Shampine and Reichelt (1997), SIAM J. Sci. Comput. 18.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from riemannian_modules.arrays import Places
from riemannian_modules.integration.automatic import UndefinedRateError, run_odeint
from riemannian_modules.integration.one_step import between, integrate_by, march
from riemannian_modules.integration.problem import SparseProblem, StepTolerances, StoppedError
from riemannian_modules.integration.tally import Tally
from riemannian_modules.spaces import Array

# A banded factorisation takes some n b^2 operations; SuperLU's overhead equals about so many.
LARGEST_BANDED = 30_000_000
DENSE = 300  # states up to which a dense factorisation costs less than a sparse one


@final
@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """An order of the states in which the Jacobian lies within ``width`` of the diagonal.

    Attributes:
        order: Which state stands where, (n,).
        rank: Where each state stands, (n,).
        width: Bandwidth on either side.
    """

    order: Places
    rank: Places
    width: int

    def packed(self, matrix: Any) -> Array:
        """The diagonals of a sparse matrix (n, n) in this order, (2 width + 1, n)."""
        n = len(self.order)
        columns = self.rank[np.repeat(np.arange(n), np.diff(matrix.indptr))]
        rows = self.rank[matrix.indices]
        diagonals = np.zeros((2 * self.width + 1, n))
        diagonals[self.width + rows - columns, columns] = matrix.data
        return diagonals


def narrowest_band(matrix: Any) -> Band:
    """The band of a sparse matrix in the order of Cuthill and McKee; cost linear in entries."""
    from scipy.sparse import csr_array, csr_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    pattern = csr_array((np.ones(len(matrix.data)), matrix.indices, matrix.indptr), matrix.shape)
    order = reverse_cuthill_mckee(csr_matrix(pattern + pattern.T), symmetric_mode=True)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    rows, columns = (
        rank[matrix.indices],
        rank[np.repeat(np.arange(len(order)), np.diff(matrix.indptr))],
    )
    return Band(order.astype(np.intp), rank, int(np.abs(rows - columns).max(initial=0)))


def integrate_sparse(
    problem: SparseProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None = None,
) -> Array:
    """As `integrate`, for many states whose Jacobian is sparse; memory linear in its entries.

    Raises:
        StoppedError: If the end is not reached.
    """
    from scipy.integrate import Radau

    band, n = narrowest_band(problem.matrix(float(times[0]), problem.start)), len(problem.start)
    is_banded = n * band.width**2 <= LARGEST_BANDED and 3 * band.width < n
    if not is_banded and n > DENSE:
        return _by_steps(problem, times, corners, tolerances, tally)
    try:
        if is_banded:
            return _by_banded_lsoda(problem, band, times, corners, tolerances, tally)
        return _by_dense_lsoda(problem, times, corners, tolerances, tally)
    except (StoppedError, UndefinedRateError):
        return integrate_by(Radau, problem, times, corners, tolerances, tally)


def _checked(rate: Array) -> Array:
    if not math.isfinite(rate.sum()):
        raise UndefinedRateError
    return rate


def _by_dense_lsoda(
    problem: SparseProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None,
) -> Array:
    options = {"Dfun": lambda t, x: problem.jacobian(t, x).toarray()}
    return run_odeint(
        lambda t, x: _checked(problem.derivative(t, x)), problem.start, times, corners, tolerances,
        options, tally,
    )  # fmt: skip


def _by_banded_lsoda(
    problem: SparseProblem,
    band: Band,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None,
) -> Array:
    order, rank, width = band.order, band.rank, band.width

    def derivative(t: float, z: Array) -> Array:
        return _checked(problem.derivative(t, z[rank]))[order]

    def diagonals(t: float, z: Array) -> Array:
        return band.packed(problem.jacobian(t, z[rank]))

    atol = np.broadcast_to(tolerances.atol, len(order))[order]
    ordered = StepTolerances(tolerances.rtol, atol, tolerances.largest_step)
    options = {"Dfun": diagonals, "ml": width, "mu": width}
    states = run_odeint(derivative, problem.start[order], times, corners, ordered, options, tally)
    return states[:, rank]


def _by_steps(
    problem: SparseProblem,
    times: Array,
    corners: Array,
    tolerances: StepTolerances,
    tally: Tally | None,
) -> Array:
    """DOP853 while the problem is not stiff, then BDF from where it was found to be."""
    from scipy.integrate import BDF, DOP853, Radau

    states = np.empty((len(times), len(problem.start)))
    states[0], reached = problem.start, 1
    guard = _StiffnessGuard(problem, float(times[-1]))
    t, x = float(times[0]), problem.start
    for solver in march(DOP853, problem, times, corners, tolerances, tally):
        known = int(np.searchsorted(times, solver.t, "right"))
        if known > reached:
            states[reached:known] = between(solver, times[reached:known])
            reached = known
        t, x = float(solver.t), solver.y
        if guard.finds(t, x, float(solver.step_size)):
            break
    if reached == len(times):
        return states
    rest = SparseProblem(problem.derivative, problem.jacobian, x)
    grid, ahead = np.array([t, *times[reached:]]), corners[corners > t]
    try:
        path = integrate_by(BDF, rest, grid, ahead, tolerances, tally)
    except StoppedError:
        path = integrate_by(Radau, rest, grid, ahead, tolerances, tally)
    states[reached:] = path[1:]
    return states


class _StiffnessGuard:
    """Whether stability, not accuracy, limits the steps of DOP853: h times the fastest rate.

    Its region of stability reaches to 6 on the negative axis, and steps that stability limits stay
    near its border. A few of those do not pay for a change of method.
    """

    BORDER, EVERY, LEAST_LEFT = 4.0, 10, 100

    def __init__(self, problem: SparseProblem, end: float) -> None:
        self.problem, self.end = problem, end
        self.steps = self.found = 0

    def finds(self, t: float, x: Array, step: float) -> bool:
        self.steps += 1
        if self.steps % self.EVERY:
            return False
        is_near = step * _fastest_rate(self.problem.matrix(t, x)) > self.BORDER
        self.found = self.found + 1 if is_near else 0
        return self.found >= 2 and (self.end - t) / step > self.LEAST_LEFT


def _fastest_rate(matrix: Any) -> float:
    """The largest eigenvalue's size, by iterations of the power method, to a tenth or so."""
    vector = np.random.default_rng(0).standard_normal(matrix.shape[0])
    size = 0.0
    for _ in range(20):
        vector /= np.linalg.norm(vector)
        vector = matrix @ vector
        size = float(np.linalg.norm(vector))
        if not (0.0 < size < np.inf):
            return 0.0
    return size
