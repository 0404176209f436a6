"""The implicit layer: ``z = phi(A z + B u + b), y = C z + D u``, as a system with slopes.

It has one solution for every input and every b where multipliers prove a bound: the inequality is
definite at ``du = 0``, which makes every ``I - S A`` with slopes S regular. So a proof is at once
one of well-posedness and of the Lipschitz constant.

Source: El Ghaoui, Gu, Travacca, Askari and Tsai (2021), Implicit deep learning, SIAM J. Math. Data
    Sci. 3, 930-958; Revay, Wang and Manchester (2020), Lipschitz bounded equilibrium networks,
    arXiv:2010.01732.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.claims.slope_table import SLOPES
from riemannian_modules.claims.slopes_system import Slope, SlopesForm
from riemannian_modules.door import number_array
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import Time
from riemannian_modules.spaces import Array


def implicit_layer(
    A: ArrayLike,
    B: ArrayLike,
    C: ArrayLike,
    D: ArrayLike | None = None,
    *,
    activation: Slope = "relu",
    port: str = "u",
) -> SlopesForm:
    """The static map from u to y; `certify_slopes` bounds its constant, if it has solutions.

    Args:
        A: (k, k), from z to the activations' arguments.
        B: (k, m).
        C: (q, k).
        D: (q, m); None is zero.
        activation: The name of phi in the table of slopes, or bounds (alpha, beta) of its slope.
        port: The name of u.

    Returns:
        The layer, for `certify_slopes`.

    Raises:
        SignatureError: For shapes that do not fit, or an unknown activation.
        DomainError: For NaN or infinite entries, or slopes that are reversed.
    """
    a, b, c = (_matrix(name, value) for name, value in (("A", A), ("B", B), ("C", C)))
    k, m, q = len(a), b.shape[1], len(c)
    d = np.zeros((q, m)) if D is None else _matrix("D", D)
    wanted = {"A": (k, k), "B": (k, m), "C": (q, k), "D": (q, m)}
    for (name, shape), given in zip(wanted.items(), (a, b, c, d), strict=True):
        if given.shape != shape:
            raise SignatureError(
                f"implicit_layer: {name}: expected shape {shape}, got {given.shape}."
            )
    if isinstance(activation, str) and activation not in SLOPES:
        raise SignatureError(
            f"implicit_layer: there is no activation {activation!r}; known are: "
            f"{', '.join(SLOPES)}. Or give bounds of its slope, as (0, 1)."
        )
    slope = activation if isinstance(activation, str) else _slopes(activation)
    sides = np.full(m, -np.inf), np.full(m, np.inf)
    names = tuple(f"{port}[{i}]" for i in range(m))
    return SlopesForm(Time.STATIC, d, c, b, a, (slope,) * k, names, *sides)


def _matrix(name: str, value: ArrayLike) -> Array:
    matrix = number_array(f"implicit_layer: {name}", value)
    if matrix.ndim != 2 or not matrix.size:
        raise SignatureError(
            f"implicit_layer: {name}: expected a matrix, got shape {matrix.shape}."
        )
    if not np.isfinite(matrix).all():
        raise DomainError(f"implicit_layer: {name}: expected finite entries.")
    return np.array(matrix, dtype=np.float64)


def _slopes(given: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(side) for side in number_array("implicit_layer: activation", given))
    if not (np.isfinite([low, high]).all() and low <= high):
        raise DomainError(f"implicit_layer: activation: expected alpha <= beta, got {given}.")
    return low, high
