"""Directed rounding of floating-point results, by padding.

Let ``f`` be the double that an operation returned and ``z`` the real number it stands for. IEEE 754
with gradual underflow and rounding to nearest is assumed, as NumPy runs. Each function here
overwrites ``f`` (always a fresh array) with a bound of ``z`` on one side, in three to five
vectorised passes.

*Overflow.* ``f = +inf`` from finite operands means only ``z > MAX``, so a lower bound first takes
``min(f, MAX)``; an upper bound stays ``inf``. Mirrored for ``-inf``. NaN passes through all of it.

*Sums and square roots.* If ``|f| < 2^-1022`` a sum is exact (both terms are multiples of 2^-1074),
and a square root is subnormal only when zero. Otherwise ``ulp(f) <= |f| 2^-52``, ``ulp(f)`` is a
double, and rounding is monotone, so that the computed ``p = fl(|f| 2^-52) >= ulp(f)``. Hence ``f -
p <= f - ulp(f) <= pred(f)``, rounding again is monotone, and ``fl(f - p) <= pred(f) <= z``. Zeros
stay exact zeros.

*Products and quotients* may underflow, with an error of at most 2^-1075. With ``p = fl(fl(|f|
2^-52) + 2^-1074)`` subnormal results move by at least 2^-1074 = ulp(f), to ``pred(f)`` or below;
normal ones as above.

*Library functions* (exp, tanh, ...) are documented to be within 4 ulp (NumPy's vector kernels;
glibc within 1 to 2). The padding is ``|f| 2^-48 >= 16 ulp(f)``, plus 2^-1022, which covers kernels
that flush subnormal results to zero.

Source: Rump, Zimmermann, Boldo, Melquiond (2009), BIT 49, 419-431, for the padding of sums and
products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.spaces import Array

Mask = NDArray[np.bool_]

MAX = float(np.finfo(np.float64).max)
SUBNORMAL = math.ldexp(1.0, -1074)
NORMAL = math.ldexp(1.0, -1022)
ULP = math.ldexp(1.0, -52)
LIBRARY = math.ldexp(1.0, -48)

P = ParamSpec("P")
R = TypeVar("R")


def nearest_float(exact: Fraction) -> float:
    """The nearest double; infinite beyond the largest, where Python's `float` raises."""
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Silence NumPy inside: callers give overflow, ``0 * inf`` and ``sqrt(-1)`` a meaning."""
    return np.errstate(all="ignore")(function)


def sum_down(f: Array) -> Array:
    """Overwrite computed sums or square roots with lower bounds of the exact ones."""
    return _lowered(f, ULP, 0.0)


def sum_up(f: Array) -> Array:
    """Overwrite computed sums or square roots with upper bounds of the exact ones."""
    return _raised(f, ULP, 0.0)


def product_down(f: Array) -> Array:
    """Overwrite computed products or quotients with lower bounds of the exact ones."""
    return _lowered(f, ULP, SUBNORMAL)


def product_up(f: Array) -> Array:
    """Overwrite computed products or quotients with upper bounds of the exact ones."""
    return _raised(f, ULP, SUBNORMAL)


def library_down(f: Array) -> Array:
    """Overwrite values of library functions with lower bounds of the exact ones."""
    return _lowered(f, LIBRARY, NORMAL)


def library_up(f: Array) -> Array:
    """Overwrite values of library functions with upper bounds of the exact ones."""
    return _raised(f, LIBRARY, NORMAL)


def _lowered(f: Array, relative: float, absolute: float) -> Array:
    f = np.asarray(f)
    np.minimum(f, MAX, out=f)
    f -= _padding(f, relative, absolute)
    return f


def _raised(f: Array, relative: float, absolute: float) -> Array:
    f = np.asarray(f)
    np.maximum(f, -MAX, out=f)
    f += _padding(f, relative, absolute)
    return f


def _padding(f: Array, relative: float, absolute: float) -> Array:
    padding = np.asarray(np.abs(f))
    padding *= relative
    if absolute:
        padding += absolute
    return padding
