"""The curve of points at rest over one parameter, in scaled coordinates.

Unknowns are the state x and the parameter p. What the module conserves keeps its value: these laws
stand in the place of the equations that depend on the others for that reason.
Source: Keller (1977), in Applications of Bifurcation Theory, 359-384; Allgower and Georg (2003),
Introduction to Numerical Continuation Methods, chapter 2.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.engine.conserved import conserved
from riemannian_modules.engine.rest import RestEquations
from riemannian_modules.errors import RiemannianError, UnsupportedError
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.spaces import Array

MOST_STEPS = 12  # of Newton's method
CLOSE = 1e-7  # of a scaled step, from which rounding may keep it from falling further


@final
class RestCurve:
    """``F(x, p) = 0``, n equations in n + 1 unknowns z = (x, p).

    Attributes:
        scale: What unit lengths of z are, (n + 1,); grows with the states that are met.
    """

    def __init__(
        self, module: RiemannianModule, point: Point, slot: slice, place: int, laws: Array
    ) -> None:
        """Make the curve of a module through a point.

        Args:
            module: A continuous or discrete module.
            point: A point at rest, which tells what is conserved.
            slot: ``slice(0, 1)`` where the parameter is one of the inputs, ``slice(1, 2)`` where it
                is one of theta.
            place: Its position there.
            laws: From `common_laws`.
        """
        self.module, self.point, self.slot, self.place = module, point, slot, place
        self.is_discrete = module.time is Time.DISCRETE
        self.n = point.x.size
        rest = RestEquations(module, point.theta, point.u, {}, ())
        self.within = rest.allowed(laws)  # (n, r)
        size = np.abs(laws).max(1, initial=0.0)[:, None]
        self.laws = laws / np.where(size > 0, size, 1.0)
        self.totals = self.laws @ point.x
        self.scale = np.ones(self.n + 1)

    def at(self, z: Array) -> Point:
        """The module's point at z."""
        parts = [self.point.u.copy(), self.point.theta.copy()]
        parts[self.slot.start][self.place] = z[-1]
        return Point(z[:-1], parts[0], parts[1])

    def residual(self, z: Array) -> Array:
        """F (n,)."""
        at = self.at(z)
        with np.errstate(all="ignore"):
            dx = self.module.forward(at.x, at.u, at.theta)[0]
        still = dx - at.x if self.is_discrete else dx
        return np.concatenate([self.within.T @ still, self.laws @ at.x - self.totals])

    def jacobian(self, z: Array) -> Array:
        """F's derivative in z, (n, n + 1)."""
        at = self.at(z)
        with np.errstate(all="ignore"):
            J = self.module.jacobian(at.x, at.u, at.theta)
        A = J.A - np.eye(self.n) if self.is_discrete else J.A
        column = (J.B, J.E)[self.slot.start][:, self.place]
        whole = np.zeros((self.n, self.n + 1))
        r = self.within.shape[1]
        whole[:r, :-1], whole[:r, -1] = self.within.T @ A, self.within.T @ column
        whole[r:, :-1] = self.laws
        return whole

    def poles(self, z: Array) -> NDArray[np.complex128]:
        """Poles of small motions that keep the laws, (r,)."""
        at = self.at(z)
        A = self.module.jacobian(at.x, at.u, at.theta).A
        return np.linalg.eigvals(self.within.T @ A @ self.within).astype(complex)

    def scaled(self, z: Array) -> Array:
        """F's derivative by scaled unknowns, its rows of unit size, (n, n + 1)."""
        J = self.jacobian(z) * self.scale
        size = np.linalg.norm(J, axis=1)[:, None]
        return J / np.where(size > 0, size, 1.0)

    def tangent(self, z: Array, along: Array) -> Array:
        """The unit tangent (n + 1,) in scaled unknowns, in the direction of ``along``."""
        t = np.linalg.qr(self.scaled(z).T, mode="complete")[0][:, -1]
        return t if t @ along >= 0 else -t

    def orientation(self, z: Array, along: Array) -> float:
        """A determinant that changes its sign where two branches cross.

        It is that of F's derivative, bordered by a direction and scaled.
        """
        sign, size = np.linalg.slogdet(np.vstack([self.scaled(z), along]))
        return float(sign * np.exp(size / (self.n + 1)))

    def corrected(self, guess: Array, along: Array) -> Array | None:
        """The point of the curve on the plane through ``guess`` across ``along``; None without."""
        z, before = guess, np.inf
        try:
            for _ in range(MOST_STEPS):
                J, r = self.jacobian(z), self.residual(z)
                size = np.linalg.norm(J * self.scale, axis=1)
                size = np.where(size > 0, size, 1.0)
                whole = np.vstack([J * self.scale / size[:, None], along])
                off = along @ ((z - guess) / self.scale)
                step = np.linalg.solve(whole, np.append(-r / size, -off))
                length = float(np.linalg.norm(step))
                if not np.isfinite(length) or length > max(1.0, 2.0 * before):
                    return None
                z = z + self.scale * step
                if length <= 1e-15 or (length <= CLOSE and length >= 0.5 * before):
                    return z
                before = length
        except (RiemannianError, np.linalg.LinAlgError):
            return None
        return z if before <= CLOSE else None


def common_laws(
    module: RiemannianModule, point: Point, slot: slice, place: int, bounds: tuple[float, float]
) -> Array:
    """What the module conserves whatever the parameter's value, (k, n).

    Raises:
        UnsupportedError: If what it conserves changes with the parameter, so that no class of
            points is common to all its values.
    """
    lower, upper = bounds
    found: list[Array] = []
    for part in (0.381966, 0.723607):  # inside, for at a bound a rate may vanish
        parts = [point.u.copy(), point.theta.copy()]
        parts[slot.start][place] = lower + part * (upper - lower)
        found.append(conserved(module, Point(point.x, parts[0], parts[1])))
    first, second = found
    if first.shape != second.shape or not np.allclose(first, second, rtol=1e-9, atol=1e-12):
        raise UnsupportedError(
            f"{type(module).__name__}: what it conserves changes with this parameter, so that "
            "points at rest for its values have no totals in common. Vary another parameter, or "
            "follow the points with `equilibrium` from guesses of your own."
        )
    return first
