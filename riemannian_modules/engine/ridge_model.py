"""The local model with blocks of many parameters: solved where samples are fewer (Woodbury).

With ``W = D^{-1/2} U`` a block is ``D^{1/2} (mu I + W W^T) D^{1/2}``; a ridge system of the size of
the samples times outputs, or of the parameters if they are fewer.
Sources: Woodbury (1950); Hager (1989), SIAM Review 31, 221-239; Pehle and Slotine (2026),
arXiv:2603.03610, for layers alone and for the joint variant, with the Gram ``sum_i U_i^T U_i``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.linearisation import port_means
from riemannian_modules.engine.local_model import LocalModel, Mask, Solve
from riemannian_modules.metrics import Factor
from riemannian_modules.metrics.ridge import Ridge, ridge
from riemannian_modules.spaces import Array

# Above this part of its norm a Gram matrix is solved by Cholesky; below, its digits are lost.
_LEAST_DAMPING = 1e-10


@final
@dataclass(frozen=True, eq=False)
class RidgeModel(LocalModel):
    """Blocks U_i (n_i, columns), coupled within and not with each other; one block couples all.

    A solve costs each block's square matrix, of min(n_i, columns), once, and a Cholesky for each
    damping of the same proportions. U is never formed where the layers' factors have structure.

    Attributes:
        gradient: (p,).
        blocks: One below the other they are U, (p, columns).
        ports: The parameter arrays, each of which has one scale.
    """

    gradient: Array
    blocks: tuple[Factor, ...]
    ports: tuple[slice, ...]

    @override
    def push(self, step: Array) -> Array:
        parts = zip(self.blocks, self._split(step), strict=True)
        return np.sum([U.rmatvec(part) for U, part in parts], axis=0)

    @override
    def pull(self, columns: Array) -> Array:
        return np.concatenate([U.matvec(columns) for U in self.blocks])

    @cached_property
    @override
    def diagonal(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        return port_means(np.concatenate([U.squares() for U in self.blocks]), self.ports)

    @override
    def solver(self, damping: Array, free: Mask) -> Solve:
        mu = float(damping.max())
        weights = np.where(free, np.sqrt(mu / damping), 0.0)
        ridges = [r.damped(max(mu, _floor(r))) for r in self._ridges(weights)]

        def solve(gradient: Array) -> Array:
            white = self._split(weights * gradient)
            solved = [r.solve(part) for r, part in zip(ridges, white, strict=True)]
            return weights * np.concatenate(solved)

        return solve

    @override
    def decrement(self, free: Mask) -> float:
        # The least damping stands for the pseudo-inverse: directions without curvature do not
        # count. It has the proportions of the steps', so that the square matrices serve both.
        key = free.tobytes()
        if key not in self._decrements:
            scale = np.where(self.diagonal > 0.0, self.diagonal, 1.0)
            weights = np.where(free, np.sqrt(scale.max() / scale), 0.0)
            blocks = zip(self._ridges(weights), self._split(weights * self.gradient), strict=True)
            norms = [r.damped(_floor(r)).preimage_norm(part) for r, part in blocks]
            self._decrements[key] = math.hypot(*norms)
        return self._decrements[key]

    @cached_property
    def _decrements(self) -> dict[bytes, float]:
        return {}

    @cached_property
    def _known(self) -> list[tuple[Array, list[Ridge]]]:
        return []

    def _ridges(self, weights: Array) -> list[Ridge]:
        """The blocks' ridge systems in scaled parameters; those asked for last are kept."""
        for known, ridges in self._known:
            if np.allclose(known, weights, rtol=1e-14, atol=0.0):
                return ridges
        parts = zip(self.blocks, self._split(weights), strict=True)
        found = [ridge(U.weighted(part), 1.0) for U, part in parts]
        self._known[:] = [(weights, found)]
        return found

    def _split(self, vector: Array) -> list[Array]:
        return np.split(vector, np.cumsum([U.dim for U in self.blocks])[:-1])


def _floor(system: Ridge) -> float:
    norm = float(np.linalg.norm(system.square()))
    return _LEAST_DAMPING * norm if norm > 0.0 else float(np.finfo(np.float64).tiny)
