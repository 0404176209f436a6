"""Residuals of a nearly perfect fit, where float64 would lose their digits.

Source: none; NIST's Lanczos1 problem
(https://www.itl.nist.gov/div898/strd/nls/data/lanczos1.shtml), whose residuals are 1e-13 of its
data, shows the need.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.trust_region import norm
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.spaces import Array

_DIGITS = 40
_MOST_NUMBERS = 20_000
_KNOWN: dict[str, Any] = {"power": lambda base, exponent: base**exponent}  # functions of ours
_EPS = float(np.finfo(np.float64).eps)
_NEEDED = 1e-9  # relative rounding of the residual from which it matters


def needs_precision(data: Dataset, outputs: Array) -> bool:
    """Whether rounding of the outputs disturbs the residual's ninth digit."""
    residual = norm((outputs - data.targets).ravel())
    rounding = _EPS * norm(data.targets.ravel())
    return residual > 0.0 and rounding > _NEEDED * residual


def precise_residual(module: RiemannianModule, data: Dataset, theta: Array) -> Array | None:
    """``y(theta) - t`` computed with 40 digits, (B, q); None where there are no exact expressions.

    Data are read as the shortest decimals that give their float64, which are the numbers that were
    printed wherever those had at most 15 digits; for other data the difference is half a unit of
    rounding.
    """
    if data.inputs.size + data.targets.size > _MOST_NUMBERS:
        return None
    import mpmath
    import sympy as sp

    try:
        e = module.expressions
    except (TraceError, UnsupportedError):
        return None
    if any(y.atoms(sp.Piecewise) or _foreign(y) for y in e.y):
        return None
    arguments = [list(e.inputs), list(e.parameters)]
    evaluate: Any = sp.lambdify(arguments, list(e.y), [_KNOWN, "mpmath"], cse=True)
    with mpmath.workdps(_DIGITS):
        point = [mpmath.mpf(float(value)) for value in theta]
        rows = [
            [
                float(y - t)
                for y, t in zip(evaluate(_decimals(u), point), _decimals(row), strict=True)
            ]
            for u, row in zip(data.inputs, data.targets, strict=True)
        ]
    return np.array(rows)


def _decimals(row: Array) -> list[Any]:
    import mpmath

    return [mpmath.mpf(repr(float(value))) for value in row]


def _foreign(expression: Any) -> bool:
    """Whether it holds functions of ours that mpmath does not know."""
    import sympy as sp

    return any(
        not type(f).__module__.startswith("sympy.") and type(f).__name__ not in _KNOWN
        for f in expression.atoms(sp.Function)
    )
