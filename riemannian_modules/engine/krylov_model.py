"""The local model known by its products alone, solved by conjugate gradients.

Sources: Hestenes and Stiefel (1952), J. Res. NBS 49, 409-436; Steihaug (1983), SIAM J. Numer. Anal.
20, 626-637 (a step cut short is still downhill); Martens (2010), Deep learning via Hessian-free
optimization, ICML; Hutchinson (1990), Commun. Stat. Simul. 19, 433-450 (the diagonal by probing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.linearisation import Linearisation, port_means
from riemannian_modules.engine.local_model import LocalModel, Mask, Solve
from riemannian_modules.spaces import Array

TOLERANCE = 1e-4  # of a step's residual
MOST_PRODUCTS = 100  # in a step
_TEST_PRODUCTS = 10  # in the test whether to stop
_PROBES = 8


@final
@dataclass(frozen=True, eq=False)
class KrylovModel(LocalModel):
    """All parameters coupled, no matrix: memory linear in parameters and in the batch.

    A product with ``U U^T`` is a forward and a backward sweep. A step takes at most
    `most_products`, and less once its residual is `tolerance` of the gradient; one cut short is the
    best of its Krylov space. The diagonal is estimated from eight random pulls, the same each time,
    and averaged over each parameter array: it scales the damping, which is then exact.

    Attributes:
        here: Where, with its products.
        tolerance: Of the residual of a solve, relative to its right-hand side.
        most_products: In one solve.
    """

    here: Linearisation
    tolerance: float = TOLERANCE
    most_products: int = MOST_PRODUCTS

    @cached_property
    @override
    def gradient(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.here.gradient

    @override
    def push(self, step: Array) -> Array:
        return self.here.push(step)

    @override
    def pull(self, columns: Array) -> Array:
        return self.here.pull(columns)

    @cached_property
    @override
    def diagonal(self) -> Array:  # pyright: ignore[reportIncompatibleMethodOverride]
        rng, shape = np.random.default_rng(0), self.push(np.zeros_like(self.gradient)).shape
        signs = (np.where(rng.random(shape) < 0.5, -1.0, 1.0) for _ in range(_PROBES))
        squares = np.mean([self.pull(z) ** 2 for z in signs], axis=0)
        return port_means(squares, self.here.ports)

    @override
    def solver(self, damping: Array, free: Mask) -> Solve:
        return lambda gradient: self._solved(gradient, damping, free, self.most_products)

    @override
    def decrement(self, free: Mask) -> float:
        # From below: what few products see of it, which is of its order.
        scale = np.where(self.diagonal > 0.0, self.diagonal, 1.0)
        # Much less damping than 1e-6 would answer to the rounding of the products.
        step = self._solved(self.gradient, 1e-6 * scale, free, _TEST_PRODUCTS)
        return math.sqrt(max(float(self.gradient @ step), 0.0))

    def _solved(self, gradient: Array, damping: Array, free: Mask, most: int) -> Array:
        from scipy.sparse.linalg import LinearOperator, cg

        # Damping becomes the identity, and parameters that are held become zero.
        weights = np.where(free, 1.0 / np.sqrt(damping), 0.0)

        def product(v: Array) -> Array:
            return v + weights * self.pull(self.push(weights * v))

        library: Any = LinearOperator
        system = library((len(weights), len(weights)), matvec=product, dtype=np.float64)
        solved: Any = cg(system, weights * gradient, rtol=self.tolerance, maxiter=most)
        return weights * solved[0]
