"""The least of a quadratic model within a ball, for every radius: one spectrum serves them all.

Sources: More (1978), Lecture Notes in Mathematics 630; More and Sorensen (1983), SIAM J. Sci. Stat.
Comput. 4, 553-572 (the secular equation, models that are not convex).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.spaces import Array

Solve = Callable[[Array], Array]
_NEAR = 0.1  # part of the radius by which a step may miss it
_MOST_TRIES = 50
_LEAST_DAMPING = 1e-15
_TINY = float(np.finfo(np.float64).tiny)


def norm(vector: Array) -> float:
    """The Euclidean length; NumPy's own takes longer for a few numbers than their sum."""
    return math.sqrt(vector.dot(vector))


def is_finite(values: Array) -> bool:
    """Whether all entries are; a sum of squares tells so faster than a look at each."""
    flat = values.ravel()
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(flat).all())


@final
@dataclass(frozen=True, slots=True, eq=False)
class Damped:
    """``s = -(M + mu R)^{-1} g`` with its length ``|s|_R``, and what solves with ``M + mu R``."""

    step: Array
    mu: float
    length: float
    solve: Solve


class Path(abc.ABC):
    """The least of ``g s + 1/2 s^T M s`` among all ``|s|_R <= radius``, as the radius grows."""

    @property
    @abc.abstractmethod
    def decrement(self) -> float:
        """``sqrt(g^T M^+ g)``, the distance to the minimum in M; infinite where there is none."""

    @property
    def least_decrement(self) -> float:
        """No more than the decrement, and known without a solve."""
        return self.decrement

    @abc.abstractmethod
    def first(self, damping: float) -> Damped:
        """The step where no radius is known yet; with ``damping`` if it must have some."""

    @abc.abstractmethod
    def within(self, radius: float, guess: float) -> Damped:
        """The step within a radius; ``guess`` is about the mu that it takes."""


@final
@dataclass(frozen=True, eq=False)
class SpectralPath(Path):
    """Of a model ``R^{1/2} V diag(values) V^T R^{1/2}``, known by its k eigenvalues.

    Attributes:
        values: (k,), in ascending order; below 0 where the model bends downwards.
        basis: ``R^{-1/2} V``, (p, k); zero in parameters that are held.
        gradient: (p,).
    """

    values: Array
    basis: Array
    gradient: Array

    @cached_property
    def coordinates(self) -> Array:
        """The gradient in the basis, (k,)."""
        return self.gradient.dot(self.basis)

    @cached_property
    @override
    def decrement(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        w, c = self.values, self.coordinates
        if not w.size:
            return 0.0
        return math.sqrt(c.dot(c / w)) if w[0] > 0.0 else math.inf

    @property
    def lowest(self) -> float:
        """The least eigenvalue; 0 where there are none."""
        return float(self.values[0]) if len(self.values) else 0.0

    @override
    def first(self, damping: float = 0.0) -> Damped:
        return self._at(max(0.0, -2.0 * self.lowest))

    @override
    def within(self, radius: float, guess: float) -> Damped:
        w, c = self.values, self.coordinates
        low = max(0.0, -self.lowest)
        if low == 0.0:
            undamped = self._at(0.0)
            if undamped.length <= (1.0 + _NEAR) * radius:
                return undamped
        high = low + norm(c) / radius
        mu = low + 1e-3 * (high - low) if low else 0.0
        for _ in range(_MOST_TRIES):
            z = c / np.maximum(w + mu, _TINY)
            length = norm(z)
            if abs(length - radius) <= _NEAR * radius or high - low <= 1e-15 * high:
                break
            low, high = (low, mu) if length < radius else (mu, high)
            # Newton's method for 1 / radius = 1 / |z|, which is nearly linear in mu.
            slope = float(z.dot(z / np.maximum(w + mu, _TINY)))
            mu += length**2 / slope * (length - radius) / radius
            if not low < mu < high:
                mu = max(1e-3 * high, (low * high) ** 0.5)
        return self._at(mu)

    def _at(self, mu: float) -> Damped:
        damped = np.maximum(self.values + mu, _TINY)
        z = self.coordinates / damped
        basis = self.basis

        def solve(gradient: Array) -> Array:
            return basis @ ((gradient @ basis) / damped)

        return Damped(-basis.dot(z), mu, norm(z), solve)


@final
@dataclass(frozen=True, eq=False)
class SolvedPath(Path):
    """Of a model that is known by its damped solves alone, each of which costs something.

    Attributes:
        solver: ``mu -> (g -> (M + mu R)^{-1} g)``.
        roots: ``R^{1/2}``, (p,).
        gradient: (p,).
        push: ``s -> U^T s``, where M is ``U U^T``.
        to_minimum: The decrement.
    """

    solver: Callable[[float], Solve]
    roots: Array
    gradient: Array
    push: Solve
    to_minimum: Callable[[], float]

    @cached_property
    @override
    def least_decrement(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        # g s / |U^T s| is largest for the step to the minimum; here s is the steepest direction.
        steepest = self.gradient / self.roots**2
        seen = norm(self.push(steepest))
        return norm(self.gradient / self.roots) ** 2 / seen if seen > 0.0 else 0.0

    @cached_property
    @override
    def decrement(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.to_minimum()

    @override
    def first(self, damping: float) -> Damped:
        return self._at(damping)

    @override
    def within(self, radius: float, guess: float) -> Damped:
        mu, growth = max(guess, _LEAST_DAMPING), 2.0
        found = self._at(mu)
        while found.length > 1.5 * radius and mu < 1.0 / _LEAST_DAMPING:
            mu, growth = mu * max(growth, found.length / radius), 2.0 * growth
            found = self._at(mu)
        return found

    def _at(self, mu: float) -> Damped:
        solve = self.solver(mu)
        step = -solve(self.gradient)
        return Damped(step, mu, norm(self.roots * step), solve)
