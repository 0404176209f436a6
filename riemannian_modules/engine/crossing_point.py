"""The point where two branches of points at rest cross, by Newton's method on what it must satisfy.

There F's derivative has a left null vector psi: ``F + b psi = 0``, ``psi^T F_z = 0``, ``|psi| = 1``
with b = 0, which is a regular system where the branches cross simply.
Source: Allgower and Schwetlick (1997), ZAMM 77, 83-97; Griewank and Reddien (1984), SIAM Journal on
Numerical Analysis 21, 176-185.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.engine.rest_curve import RestCurve
from riemannian_modules.errors import RiemannianError
from riemannian_modules.spaces import Array

MOST_STEPS = 15
NUDGE = 1e-5  # of the scaled unknowns, for second derivatives, which only steer
MOST_STATES = 60  # beyond which the differences cost too much
NEAR = 0.05  # scaled: how far the point may be from the guess


def crossing_point(curve: RestCurve, guess: Array) -> Array:
    """The crossing near a guess z (n + 1,); the guess itself where Newton's method finds none."""
    n, z = curve.n, guess
    if not 0 < n <= MOST_STATES:
        return guess
    rows = np.linalg.norm(curve.jacobian(guess) * curve.scale, axis=1)
    rows = np.where(rows > 0, rows, 1.0)

    def derivative(at: Array) -> Array:
        return curve.jacobian(at) * curve.scale / rows[:, None]

    left: Any = np.linalg.svd(derivative(guess))[0]
    psi, b = left[:, -1], 0.0
    try:
        for _ in range(MOST_STEPS):
            J = derivative(z)
            rest = np.concatenate(
                [curve.residual(z) / rows + b * psi, J.T @ psi, [psi @ psi - 1.0]]
            )
            nudges = NUDGE * np.diag(curve.scale)
            bent = np.array([derivative(z + d) - derivative(z - d) for d in nudges])
            bent = np.einsum("kij,i->jk", bent, psi) / (2.0 * NUDGE)  # (n + 1, n + 1)
            whole = np.block(
                [
                    [J, b * np.eye(n), psi[:, None]],
                    [bent, J.T, np.zeros((n + 1, 1))],
                    [np.zeros((1, n + 1)), 2.0 * psi[None], np.zeros((1, 1))],
                ]
            )
            step = np.linalg.solve(whole, -rest)
            z, psi, b = z + curve.scale * step[: n + 1], psi + step[n + 1 : -1], b + step[-1]
            if not np.linalg.norm((z - guess) / curve.scale) <= NEAR:
                return guess
            if np.linalg.norm(step) <= 1e-12:
                break
    except (RiemannianError, np.linalg.LinAlgError):
        return guess
    return z if abs(b) <= 1e-9 else guess
