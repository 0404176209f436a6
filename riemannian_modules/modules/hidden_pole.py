"""Unstable poles that a zero hides: cancelled where they are one root exactly, warned of elsewhere.

Seen from outside such a pole does nothing; in the state it grows like any other, from the first
rounding error on, until the output is made of it.

Source: Kailath (1980), Linear Systems, section 2.4 (common factors are uncontrollable or
unobservable modes); Euclid's algorithm on polynomials with rational coefficients.
"""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.errors import HiddenPoleWarning
from riemannian_modules.spaces import Array

# A pole counts as unstable from here on, and a zero as near, relative to their own size and to the
# largest pole's: computed roots are as wrong as that where several meet.
MARGIN = 1e-9
NEAR = 1e-3
ABSOLUTE = 1e-6

Roots = NDArray[np.complex128]
Coefficients = list[Fraction]  # highest powers first, without leading zeros; zero is []


def without_hidden_poles(num: Array, den: Array) -> tuple[Array, Array]:
    """Numerator and denominator with their common factor cancelled, where it is unstable.

    Args:
        num: Coefficients, highest powers first, without leading zeros; taken exactly.
        den: The same of the denominator, not zero.

    Returns:
        The same arrays where no unstable pole is near a zero, or no factor is common exactly; else
        the quotients, each coefficient rounded once. Warns of an unstable pole that a zero nearly
        cancels (`HiddenPoleWarning`). Cost: the roots, and exact division where some are near.
    """
    if not num.any() and _is_unstable(_roots(den), _roots(den)).any():
        return num, np.ones(1)  # nothing comes out, and everything is hidden
    if not _hidden(num, den):
        return num, den
    top, bottom = ([Fraction(float(c)) for c in p] for p in (num, den))
    factor = _common(top, bottom)
    if _is_unstable(_roots(_floats(factor)), _roots(den)).any():
        num, den = (_floats(_divided(p, factor)[0]) for p in (top, bottom))
    for pole, zero in _hidden(num, den):
        distance = max(abs(pole - zero), float(np.spacing(abs(pole))))
        warnings.warn(
            f"TransferFunction: the pole {_shown(pole)} is unstable, and the zero {_shown(zero)} "
            f"nearly cancels it, at a distance of about {distance:.3g}: its "
            f"exp({pole.real:.3g} t) is in the state and comes out in the end. If they "
            "are meant to be one, divide both "
            "polynomials by that factor; else stabilise the system.",
            HiddenPoleWarning,
            stacklevel=3,
        )
    return num, den


def _hidden(num: Array, den: Array) -> list[tuple[complex, complex]]:
    """The unstable poles that have a zero near them, each with the nearest."""
    if not num.any() or len(num) < 2 or len(den) < 2:
        return []
    zeros, poles = _roots(num), _roots(den)
    largest = float(np.abs(poles).max())
    pairs: list[tuple[complex, complex]] = []
    for pole in poles[_is_unstable(poles, poles)]:
        zero = zeros[np.argmin(np.abs(zeros - pole))]
        # Of a pair of conjugates one says all.
        if pole.imag >= 0.0 and abs(zero - pole) <= NEAR * abs(pole) + ABSOLUTE * largest:
            pairs.append((complex(pole), complex(zero)))
    return pairs


def _roots(polynomial: Array) -> Roots:
    return np.roots(polynomial).astype(np.complex128)


def _is_unstable(roots: Roots, poles: Roots) -> NDArray[np.bool_]:
    return roots.real >= -MARGIN * np.abs(poles).max(initial=0.0)


def _common(a: Coefficients, b: Coefficients) -> Coefficients:
    """The greatest common divisor, its first coefficient 1."""
    while b:
        a, b = b, _divided(a, b)[1]
    return [c / a[0] for c in a]


def _divided(a: Coefficients, b: Coefficients) -> tuple[Coefficients, Coefficients]:
    """Quotient and remainder."""
    quotient, rest = list[Fraction](), list(a)
    for _ in range(len(a) - len(b) + 1):
        c = rest[0] / b[0]
        quotient.append(c)
        rest = [r - c * k for r, k in zip(rest, [*b, *[Fraction(0)] * len(rest)], strict=False)][1:]
    while rest and rest[0] == 0:
        rest = rest[1:]
    return quotient, rest


def _shown(root: complex) -> str:
    return f"{root:.6g}" if root.imag else f"{root.real:.6g}"


def _floats(polynomial: Coefficients) -> Array:
    return np.array([float(c) for c in polynomial])
