"""Where the poles of a loop go as its gain grows from zero.

Gains are added until no pole moves far from one to the next, so that branches can be followed.
Source: Evans (1948), Transactions of the AIEE 67, 547-551.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from riemannian_modules.arrays import Complex
from riemannian_modules.door import brief, number_array
from riemannian_modules.engine.closed_loop import closed_loop_matrix
from riemannian_modules.engine.frequency import response_of, usual_frequencies
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.engine.zeros import invariant_zeros
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

FIRST_COUNT, MOST = 60, 4_000
NEAR = 0.02  # of the picture's size, between the poles of two gains
BESIDE = 1e-9  # relative: how near a gain counts as one at which there is no solution
DECADES = 3  # of gain to both sides of the response's middle size


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RootLocus(Shown):
    """Poles under ``u = -k y`` for gains k; picture: `plot.root_locus_figure`.

    Attributes:
        gains: k (g,), ascending from 0, or as given.
        poles: Poles (g, n); a column is a branch.
        zeros: The zeros of the loop, to which branches tend.
        borders: The gains (b,) between the first and the last at which stability changes.
        unsolvable: The gain (1,) between them at which the loop has no solution, for a feedthrough
            below zero: there a pole passes through infinity; (0,) where there is none.
        output: The loop's output.
        input: Its input.
        time_unit: What times are counted in.
        step: The time from one step to the next in discrete time, 0 in continuous time.
    """

    gains: Array
    poles: Complex
    zeros: Complex
    borders: Array
    unsolvable: Array
    output: str
    input: str
    time_unit: str
    step: float

    @property
    def is_stable(self) -> NDArray[np.bool_]:
        """Whether all poles are stable, in floating point, at each gain (g,)."""
        inside = np.abs(self.poles) < 1 if self.step else self.poles.real < 0
        return np.all(inside, axis=1)

    @override
    def facts(self) -> Facts:
        branches = counted(self.poles.shape[1], "branch").replace("branchs", "branches")
        title = f"RootLocus: {self.input} -> {self.output}, {branches}"
        stable, borders = self.is_stable, [f"{k:.6g}" for k in self.borders]
        words = {True: "stable", False: "not stable"}
        rows = (
            ("gains", f"{len(self.gains)} from {self.gains[0]:.4g} to {self.gains[-1]:.4g}"),
            ("first", words[bool(stable[0])]),
            ("changes at", listed(borders)),
            ("last", words[bool(stable[-1])]),
        )
        if len(self.unsolvable):
            rows = (*rows, ("no solution at", f"{self.unsolvable[0]:.6g}, through infinity"))
        return Facts(title, rows)


def root_locus_of(loop: StateSpaceModel, gains: ArrayLike | None) -> RootLocus:
    """The locus of a loop of one input and one output, at given gains or at those it asks for.

    Raises:
        SignatureError: If the loop has no state.
        DomainError: If the gains are not finite and ascending.
    """
    if not len(loop.A):
        raise SignatureError(
            f"root_locus: the loop {loop.inputs[0]} -> {loop.outputs[0]} has no state, hence no "
            "poles that could move."
        )
    zeros = invariant_zeros(loop.A, loop.B, loop.C, loop.D)
    if gains is None:
        k, poles = _followed(loop, zeros)
        borders = _borders(loop, k, poles)
        shown = np.setdiff1d(borders, _unsolvable(loop, k))
        at_borders = np.array([_poles(loop, b) for b in shown]).reshape(-1, len(loop.A))
        order = np.argsort(np.concatenate([k, shown]), kind="stable")
        k = np.concatenate([k, shown])[order]
        poles = np.concatenate([poles, at_borders])[order]
    else:
        k = np.atleast_1d(number_array("root_locus: gains", gains))
        if k.ndim != 1 or not len(k) or not np.isfinite(k).all() or (np.diff(k) <= 0).any():
            raise DomainError(
                "root_locus: gains: expected finite gains in ascending order, shape (g,), got "
                f"{brief(gains)}. Sort them, each once."
            )
        poles = np.array([_poles(loop, gain) for gain in k]).reshape(len(k), len(loop.A))
        borders = _borders(loop, k, poles)
    step = loop.step if loop.is_discrete else 0.0
    return RootLocus(
        k,
        _branches(poles),
        zeros,
        borders,
        _unsolvable(loop, k),
        loop.outputs[0],
        loop.inputs[0],
        loop.time_unit,
        step,
    )


def _followed(loop: StateSpaceModel, zeros: Complex) -> tuple[Array, Complex]:
    """Gains from 0, and the poles there, so near to each other that branches are told apart."""
    sizes = np.abs(response_of(loop)(usual_frequencies(loop))[:, 0, 0])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    middle = 1.0 / float(np.exp(np.log(sizes).mean())) if len(sizes) else 1.0
    k = np.concatenate([[0.0], middle * np.geomspace(10.0**-DECADES, 10.0**DECADES, FIRST_COUNT)])
    k = k[~_is_next_to(_unsolvable(loop, k), k)]
    poles = np.array([_poles(loop, gain) for gain in k]).reshape(len(k), len(loop.A))
    ends = np.concatenate([loop.poles, zeros])
    reach = 4.0 * np.abs(ends).max(initial=0.0) or 1.0
    while len(k) < MOST:
        moves = np.array([_moved(p, q, reach) for p, q in pairwise(poles)])
        wide = np.flatnonzero((moves > NEAR * reach) & (np.diff(k) > 1e-12 * k[1:]))
        if not len(wide):
            break
        new = 0.5 * (k[wide] + k[wide + 1])
        is_there = ~_is_next_to(_unsolvable(loop, k), new)
        if not is_there.any():
            break
        wide, new = wide[is_there], new[is_there]
        k = np.insert(k, wide + 1, new)
        poles = np.insert(poles, wide + 1, [_poles(loop, gain) for gain in new], axis=0)
    return k, poles


def _borders(loop: StateSpaceModel, k: Array, poles: Complex) -> Array:
    """The gains at which the pole farthest outside crosses the border of stability."""
    from scipy.optimize import brentq

    def outside(p: Complex) -> float:
        far = np.abs(p) - 1.0 if loop.is_discrete else p.real
        return float(far.max(initial=-np.inf))

    values, found, through = [outside(p) for p in poles], list[float](), _unsolvable(loop, k)
    for i, (low, high) in enumerate(pairwise(k.tolist())):
        ends = [(low, values[i]), (high, values[i + 1])]
        for gain in through[(through > low) & (through < high)].tolist():
            beside = [gain * (1.0 - BESIDE), gain * (1.0 + BESIDE)]
            # Next to it a pole is nearly infinite, and on the other side of infinity beyond it.
            ends[1:1] = [(g, outside(_poles(loop, g))) for g in beside]
        for (a, at_a), (b, at_b) in pairwise(ends):
            if at_a * at_b < 0:
                is_through = ((through > a) & (through < b)).any()
                at: Any = (
                    through[0]
                    if is_through
                    else brentq(lambda gain: outside(_poles(loop, gain)), a, b, xtol=1e-300)
                )
                found.append(float(at))
    return np.array(found)


def _unsolvable(loop: StateSpaceModel, k: Array) -> Array:
    """The gain between the first and the last at which ``1 + k D = 0``, (1,), or none, (0,)."""
    D = float(loop.D[0, 0])
    with np.errstate(divide="ignore", over="ignore"):
        gain = np.array([-1.0]) / D if D else np.zeros(0)
    return gain[(gain > k[0]) & (gain < k[-1])]


def _is_next_to(places: Array, k: Array) -> NDArray[np.bool_]:
    """Which gains are places but for a little."""
    return np.any(np.abs(k[:, None] - places) <= BESIDE * np.abs(places), axis=1)


def _poles(loop: StateSpaceModel, gain: float) -> Complex:
    return np.linalg.eigvals(closed_loop_matrix(loop, float(gain))).astype(complex)


def _moved(before: Complex, after: Complex, reach: float) -> float:
    """How far a pole inside the picture moves at most."""
    after = after[_order(before, after)]
    shown = np.minimum(np.abs(before), np.abs(after)) < reach
    return float(np.abs(after - before)[shown].max(initial=0.0))


def _branches(poles: Complex) -> Complex:
    sorted_poles = poles.copy()
    for i in range(1, len(poles)):
        sorted_poles[i] = poles[i][_order(sorted_poles[i - 1], poles[i])]
    return sorted_poles


def _order(before: Complex, after: Complex) -> Any:
    """The order of ``after`` in which each is the continuation of one before."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.abs(before[:, None] - after[None]))[1]
