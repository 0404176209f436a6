"""The smallest bound of a family of matrix pencils over the metrics that are linear in parameters.

A metric ``M = sum_k theta_k E_k`` has the bound c where ``c W_s(theta) - L_s(theta) >= 0`` at every
sample s; W_s is the metric there and L_s what the flow or step makes of it. The smallest c is a
quasi-convex program. It is solved by Dinkelbach's iteration with the last denominator as its
weight, which converges superlinearly, and by cutting planes: few samples take part in a program,
the most violated ones join, and one look at all samples gives the bound that counts.

Source: Crouzeix, Ferland and Schaible (1985), *An algorithm for generalized fractional programs*;
Boyd and El Ghaoui (1993), *Method of centers for minimizing generalized eigenvalues*. Untrusted.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.arithmetic.spectra import symmetric_eigenpairs, symmetric_eigenvalues
from riemannian_modules.search.metrics.cone_program import ConeProgram
from riemannian_modules.spaces import Array

STEPS = 60
FIRST, MORE = 4, 4  # samples that the first program sees, and that join each next one
FEW, IDLE = 12, 2.0  # above so many samples, those leave whose bounds are so many steps lower
TOLERANCE = 1e-6  # relative accuracy of the bound
STRIDE = 1e3  # by how much a metric may shrink, in some direction, from one step to the next


class Pencils(abc.ABC):
    """Pencils (W_s, L_s), s < count, n by n, linear in ``size`` parameters theta."""

    order: int
    count: int
    size: int

    @abc.abstractmethod
    def weight(self, sample: int) -> Array:
        """The metrics (size, n, n) of the unit parameters at a sample."""

    @abc.abstractmethod
    def load(self, sample: int) -> Array:
        """What the flow or step makes of them, (size, n, n)."""

    @abc.abstractmethod
    def bounds(self, theta: Array) -> Array:
        """The smallest c of each sample, (count,); inf where the metric is not definite."""

    @property
    @abc.abstractmethod
    def rays(self) -> Array:
        """Loads (rays, size, n, n) that must not be positive: slopes along unbounded atoms."""

    @property
    @abc.abstractmethod
    def needed(self) -> list[int]:
        """Samples without which a program would leave parameters unbounded."""

    @abc.abstractmethod
    def distinct(self, samples: list[int]) -> list[int]:
        """Those of the samples whose metrics are distinct."""


@final
@dataclass(frozen=True, eq=False)
class ConstantPencils(Pencils):
    """One constant metric ``sum_k theta_k basis[k]`` for Jacobians (count, n, n).

    ``W = M`` and ``L = M J + J^T M`` (flow: c is twice the log-norm) or ``J^T M J`` (step: c is
    the square of the Lipschitz constant).
    """

    jacobians: Array
    slopes: Array
    basis: Array
    is_flow: bool

    @cached_property
    def order(self) -> int:  # type: ignore[override]
        """The number of coordinates n."""
        return self.jacobians.shape[-1]

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        """Number of Jacobians."""
        return len(self.jacobians)

    @cached_property
    def size(self) -> int:  # type: ignore[override]
        """Number of parameters."""
        return len(self.basis)

    @override
    def weight(self, sample: int) -> Array:
        return self.basis

    @override
    def load(self, sample: int) -> Array:
        return _load(self.basis, self.jacobians[sample], is_flow=self.is_flow)

    @override
    def bounds(self, theta: Array) -> Array:
        M = np.einsum("k,kij->ij", theta, self.basis)
        return pencil_bounds(M, _load(M, self.jacobians, is_flow=self.is_flow))

    @property
    @override
    def rays(self) -> Array:
        loads = [_load(self.basis, R, is_flow=self.is_flow) for R in self.slopes]
        return np.stack(loads) if loads else np.zeros((0, *self.basis.shape))

    @property
    @override
    def needed(self) -> list[int]:
        return []

    @override
    def distinct(self, samples: list[int]) -> list[int]:
        return samples[:1]


@final
@dataclass(frozen=True, eq=False)
class SampledPencils(Pencils):
    """Metrics that change with the point: weights and loads (count, size, n, n), point by point."""

    weights: Array
    loads: Array

    @cached_property
    def order(self) -> int:  # type: ignore[override]
        """The number of coordinates n."""
        return self.weights.shape[-1]

    @cached_property
    def count(self) -> int:  # type: ignore[override]
        """Number of points."""
        return len(self.weights)

    @cached_property
    def size(self) -> int:  # type: ignore[override]
        """Number of parameters."""
        return self.weights.shape[1]

    @override
    def weight(self, sample: int) -> Array:
        return self.weights[sample]

    @override
    def load(self, sample: int) -> Array:
        return self.loads[sample]

    @override
    def bounds(self, theta: Array) -> Array:
        values = (np.einsum("k,skij->sij", theta, part) for part in (self.weights, self.loads))
        return pencil_bounds(*values)

    @property
    @override
    def rays(self) -> Array:
        return np.zeros((0, *self.weights.shape[1:]))

    @property
    @override
    def needed(self) -> list[int]:
        # Twice as many points as monomials: a metric that is small there is small in between.
        n = self.order
        return list(range(min(self.count, 3 + 4 * self.size // (n * (n + 1)))))

    @override
    def distinct(self, samples: list[int]) -> list[int]:
        return samples


def _load(M: Array, J: Array, *, is_flow: bool) -> Array:
    MJ = M @ J
    return MJ + np.swapaxes(MJ, -1, -2) if is_flow else np.swapaxes(J, -1, -2) @ MJ


def pencil_bounds(W: Array, L: Array) -> Array:
    """The largest generalised eigenvalues of (L, W), (...); inf where W is not definite."""
    values, vectors = symmetric_eigenpairs(W)
    good = values[..., 0] > 0
    scale = 1.0 / np.sqrt(np.where(good[..., None], values, 1.0))
    P = vectors * scale[..., None, :]
    whole = np.swapaxes(P, -1, -2) @ L @ P
    largest = symmetric_eigenvalues(0.5 * (whole + np.swapaxes(whole, -1, -2)))[..., -1]
    return np.where(good, largest, np.inf)


@final
@dataclass(frozen=True)
class Limits:
    """Eigenvalue limits: ``unit <= M <= condition unit``; unit (n, n) is I in the first scale."""

    unit: Array
    condition: float  # inf for none


def smallest_bound(pencils: Pencils, start: Array, limits: Limits) -> tuple[float, Array]:
    """The smallest bound that is found over all samples, and its parameters (size,).

    Args:
        pencils: The family.
        start: Parameters of a definite metric within the limits.
        limits: Limits of the metric's eigenvalues.
    """
    theta, seen = start, pencils.bounds(start)
    best = float(seen.max())
    chosen = sorted({*_worst(seen, FIRST, []), *pencils.needed})
    for _ in range(STEPS):
        found = _step(pencils, chosen, theta, best, limits)
        if found is None:
            break
        trial, gain = found
        seen = pencils.bounds(trial)
        bound = float(seen.max())
        better = bound < best - TOLERANCE * abs(best)
        joining = [s for s in _worst(seen, MORE, chosen) if seen[s] > seen[chosen].max()]
        if bound < best:
            best, theta = bound, trial
        if better:
            # Samples far from deciding leave: should they matter again, they join again.
            idle = seen[chosen].max() - max(IDLE * abs(gain), 1e-3 * abs(best))
            few = len(chosen) <= FEW
            kept = {*pencils.needed, *(s for s in chosen if seen[s] > idle or few)}
            chosen = sorted(kept)
        chosen = [*chosen, *joining]
        if gain >= -TOLERANCE * abs(best) or not (better or joining):
            break
    return best, theta


def feasible(pencils: Pencils, c: float, limits: Limits) -> Array | None:
    """Parameters of a metric with bounds of at most c at all samples, or None if none is found."""
    n = pencils.order
    nothing = np.zeros((n, n))
    chosen = pencils.needed or [0]
    for _ in range(STEPS):
        program = ConeProgram(np.append(np.zeros(pencils.size), 1.0))
        for sample in chosen:
            W, load = pencils.weight(sample), pencils.load(sample)
            pencil = np.concatenate([c * W - load, np.eye(n)[None]])
            program.require_semidefinite(pencil, nothing)
            still = np.concatenate([W, nothing[None]])
            program.require_semidefinite(-still, limits.unit)
            program.require_semidefinite(still, -limits.unit / limits.condition)
        x = program.solve()
        if x is None or x[-1] >= 0:
            return None
        seen = pencils.bounds(x[:-1])
        joining = [s for s in _worst(seen, 2 * MORE, chosen) if seen[s] > c]
        if seen.max() <= c or not joining:
            return x[:-1] if np.isfinite(seen).all() else None
        chosen = [*chosen, *joining]
    return None


def tamest(pencils: Pencils, theta: Array, bound: float, unit: Array) -> tuple[float, Array] | None:
    """The parameters of the smallest condition, relative to ``unit``, within a bound; and bound.

    None if a program has no solution in floating point.
    """
    chosen = _worst(pencils.bounds(theta), FIRST, [])
    trial: Array | None = None
    for _ in range(STEPS):
        trial = _tame_step(pencils, chosen, bound, unit)
        if trial is None:
            return None
        seen = pencils.bounds(trial)
        joining = [
            s for s in _worst(seen, MORE, chosen) if seen[s] > max(bound, seen[chosen].max())
        ]
        if not joining:
            return float(seen.max()), trial
        chosen += joining
    return None


def _worst(seen: Array, count: int, known: list[int]) -> list[int]:
    order = np.argsort(-seen, kind="stable")[: count + len(known)]
    return [int(s) for s in order if int(s) not in known][:count]


def _step(
    pencils: Pencils, chosen: list[int], theta: Array, c: float, limits: Limits
) -> tuple[Array, float] | None:
    """``minimise s: s W_ref + c W - L >= 0`` over the chosen samples and the metric's limits.

    With ``W <= W_ref`` and s < 0 the new bound is at most c + s there. All of it is written in the
    coordinates in which W_ref is the identity; the last variable but one sizes the limits.
    """
    n = len(limits.unit)
    identity, nothing = np.eye(n)[None], np.zeros((1, n, n))
    program = ConeProgram(np.append(np.zeros(pencils.size + 1), 1.0))
    for sample in chosen:
        given = pencils.weight(sample)
        P = np.linalg.inv(np.linalg.cholesky(np.einsum("k,kij->ij", theta, given)))
        W, load = P @ given @ P.T, P @ pencils.load(sample) @ P.T
        program.require_semidefinite(np.concatenate([c * W - load, nothing, identity]), nothing[0])
        if sample in pencils.distinct(chosen):
            program.require_semidefinite(np.concatenate([-W, nothing, nothing]), identity[0])
            program.require_semidefinite(
                np.concatenate([W, nothing, nothing]), -identity[0] / STRIDE
            )
    for load in pencils.rays:
        program.require_semidefinite(np.concatenate([-load, nothing, nothing]), nothing[0])
    for sample in pencils.distinct(chosen) if limits.condition < np.inf else ():
        limited = pencils.weight(sample)
        unit = limits.unit[None]
        program.require_semidefinite(np.concatenate([limited, -unit, nothing]), nothing[0])
        program.require_semidefinite(
            np.concatenate([-limited, limits.condition * unit, nothing]), nothing[0]
        )
    x = program.solve()
    return None if x is None else (x[:-2], float(x[-1]))


def _tame_step(pencils: Pencils, chosen: list[int], c: float, unit: Array) -> Array | None:
    program = ConeProgram(np.append(np.zeros(pencils.size), 1.0))
    nothing = np.zeros((1, *unit.shape))
    for sample in chosen:
        pencil = c * pencils.weight(sample) - pencils.load(sample)
        program.require_semidefinite(np.concatenate([pencil, nothing]), 0 * unit)
    for load in pencils.rays:
        program.require_semidefinite(np.concatenate([-load, nothing]), nothing[0])
    for sample in pencils.distinct(chosen):
        W = pencils.weight(sample)
        program.require_semidefinite(np.concatenate([W, nothing]), -unit)
        program.require_semidefinite(np.concatenate([-W, unit[None]]), 0 * unit)
    x = program.solve()
    return None if x is None else x[:-1]
