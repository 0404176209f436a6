"""Sums, differences and products of exact terms, as SymPy writes them, in a fraction of its time.

SymPy looks for much that terms here never hold: orders, infinities, matrices. A sum of what has no
common parts is its parts in SymPy's order, which is found by placing the new ones among the old.
All results are remembered, since equations are run twice to see that they repeat.

Source: SymPy's ``Add.flatten`` and ``Mul.flatten``, of which these are the common cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key, lru_cache
from typing import Any

import sympy as sp

REMEMBERED = 32_768  # of each operation
_ORDER: Any = cmp_to_key(sp.Basic.compare)
_ADD: Any = sp.Add
_MUL: Any = sp.Mul


@lru_cache(maxsize=REMEMBERED)
def plus(a: Any, b: Any) -> Any:
    """``a + b``."""
    (c, old), (d, new) = _split(a), _split(b)
    bare = {_bare(part) for part in old}
    if None in bare or any((found := _bare(part)) is None or found in bare for part in new):
        return a + b
    parts = list(old)
    for part in new:
        place = len(parts)
        while place and parts[place - 1].compare(part) > 0:
            place -= 1
        parts.insert(place, part)
    return _sum(c + d, parts)


@lru_cache(maxsize=REMEMBERED)
def minus(a: Any, b: Any) -> Any:
    """``a - b``."""
    return a - b if a == b else plus(a, times(sp.S.NegativeOne, b))


@lru_cache(maxsize=REMEMBERED)
def times(a: Any, b: Any) -> Any:
    """``a b``."""
    if b.is_Rational:
        a, b = b, a
    if not a.is_Rational or a is sp.S.Zero or a is sp.S.One or b.is_Rational:
        return a * b
    if b.is_Add:
        number, parts = _split(b)
        if all(_bare(part) is not None for part in parts):
            return _sum(a * number, sorted((_scaled(a, part) for part in parts), key=_ORDER))
    return _scaled(a, b) if _bare(b) is not None and not _has_scaled_sum(b) else a * b


def _sum(number: Any, parts: Sequence[Any]) -> Any:
    whole = parts if number is sp.S.Zero else [number, *parts]
    return _ADD._from_args(whole, is_commutative=True)


def _split(term: Any) -> tuple[Any, Sequence[Any]]:
    """The number in a sum, and its other parts."""
    parts = term.args if term.is_Add else (term,)
    return (parts[0], parts[1:]) if parts[0].is_Rational else (sp.S.Zero, parts)


def _scaled(number: Any, part: Any) -> Any:
    """A part of a sum by a number that is neither 0 nor 1."""
    factors = part.args if part.is_Mul else (part,)
    if factors[0].is_Rational:
        number, factors = number * factors[0], factors[1:]
    whole = factors if number is sp.S.One else (number, *factors)
    return _MUL._from_args(whole, is_commutative=True)


def _has_scaled_sum(term: Any) -> bool:
    """Whether a product is a number by a sum alone, into which SymPy takes numbers."""
    return term.is_Mul and len(term.args) == 2 and term.args[1].is_Add


def _bare(part: Any) -> Any:
    """What a part of a sum is without its coefficient; None where that is not plain to see."""
    if part.is_Symbol or (part.is_Pow and part.exp.is_Rational and part.base.is_Symbol):
        return part
    if part.is_Mul and part.is_commutative and not _has_numeric_power(part):
        return part.as_coeff_Mul()[1]
    return None


def _has_numeric_power(product: Any) -> bool:
    """Whether a product holds more numbers than its coefficient, such as the root of 2."""
    return any(factor.is_number for factor in product.args[1:])
