"""Numbers and arrays of a certificate as plain data, read back without belief.

Numbers are written so that they read back as the same binary numbers; infinite sides are "inf".
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.expression_data import is_number
from riemannian_modules.errors import CertificateError
from riemannian_modules.spaces import Array


def number_to_data(value: float) -> float | str:
    """A finite float as itself, an infinite one as "inf" or "-inf"."""
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def number_from_data(value: object, where: str) -> float:
    """The float that `number_to_data` wrote.

    Raises:
        CertificateError: If it is none.
    """
    if value in ("inf", "-inf"):
        return math.inf if value == "inf" else -math.inf
    # Whole numbers that are no doubles would be rounded, and the claim with them.
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
        and float(value) == value
    ):
        return float(value)
    raise CertificateError(f"{where}: expected a number, 'inf' or '-inf', got {value!r:.60}.")


def fraction_to_data(value: Fraction) -> float | str:
    """A fraction as the double that it is, or as "p/q"."""
    try:
        return float(value) if Fraction(float(value)) == value else str(value)
    except OverflowError:
        return str(value)


def fraction_from_data(value: object, where: str) -> Fraction:
    """The fraction that `fraction_to_data` wrote."""
    if isinstance(value, str) and is_number(value):
        return Fraction(value)
    return Fraction(finite_from_data(value, where))


def finite_from_data(value: object, where: str) -> float:
    """A finite float.

    Raises:
        CertificateError: If it is not finite.
    """
    number = number_from_data(value, where)
    if not math.isfinite(number):
        raise CertificateError(f"{where}: expected a finite number, got {value!r}.")
    return number


def bound_from_data(claim: Mapping[str, Any]) -> float:
    """The bound of a claim; a factor is not negative.

    Raises:
        CertificateError: If it is negative where it is a factor.
    """
    b = finite_from_data(claim.get("bound"), "claim.bound")
    if claim["kind"] != "flow" and b < 0:
        raise CertificateError(f"claim.bound: a factor is not negative, got {b}.")
    return b


def array_from_data(data: object, shape: tuple[int, ...], where: str) -> Array:
    """A finite array of a known shape.

    Raises:
        CertificateError: If it is not finite, or of another shape.
    """
    rows = data if isinstance(data, list) else []
    if len(rows) != shape[0]:
        raise CertificateError(f"{where}: expected finite numbers of shape {shape}.")
    if len(shape) > 1:
        return np.stack([array_from_data(row, shape[1:], where) for row in rows])
    array = np.array([number_from_data(value, where) for value in rows])
    if not np.isfinite(array).all():
        raise CertificateError(f"{where}: expected finite numbers, got {rows!r:.60}.")
    return array


def refuse_unknown(part: object, known: set[str], where: str) -> Mapping[str, Any]:
    """The part as a mapping without unknown keys: what is not proved must not be shown as if.

    Raises:
        CertificateError: If it is no mapping, or has unknown keys.
    """
    if not isinstance(part, dict):
        raise CertificateError(
            f"{where}: expected a mapping with some of the keys {sorted(known)}."
        )
    unknown = sorted(set(part) - known)
    if unknown:
        raise CertificateError(f"{where}: unknown keys {unknown}; known are {sorted(known)}.")
    return part
