"""The functions of NumPy's arrays that are traced by writing them with traced operations.

Those that only move entries, or add and multiply them, run on the arrays of terms themselves (see
`symbolic_array`); what is neither there nor here is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

Lift = Callable[[Any], Any]  # makes a traced array of anything
Refuse = Callable[[str], Exception]


def _where(lift: Lift, _refuse: Refuse, condition: Any, first: Any, second: Any) -> Any:
    return np.where(lift(condition), lift(first), lift(second))


def _select(
    lift: Lift, refuse: Refuse, conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0
) -> Any:
    pairs = list(zip(conditions, choices, strict=True))
    return reduce(lambda rest, pair: _where(lift, refuse, *pair, rest), reversed(pairs), default)


def _piecewise(
    lift: Lift, refuse: Refuse, x: Any, conditions: Any, functions: Sequence[Any], *args: Any
) -> Any:
    """The last condition that holds decides; one function more than conditions is for the rest."""
    parts: list[Any] = [*conditions] if isinstance(conditions, (list, tuple)) else [conditions]
    values = [f(lift(x), *args) if callable(f) else f for f in functions]
    rest = values.pop() if len(values) == len(parts) + 1 else 0
    pairs = zip(parts, values, strict=True)
    whole = reduce(lambda rest, pair: _where(lift, refuse, *pair, rest), pairs, rest)
    return whole + lift(x) * 0


def _interp(
    lift: Lift, refuse: Refuse, x: Any, xp: Any, fp: Any, *more: Any, **options: Any
) -> Any:
    """The straight lines between points as a sum of cut ones, which is continuous by its form."""
    is_plain = isinstance(xp, (np.ndarray, list, tuple))
    if not is_plain or any(value is not None for value in (*more, *options.values())):
        raise refuse("np.interp with places that are traced, or with left, right or period")
    places = np.asarray(xp, dtype=np.float64)
    if len(places) < 2 or not (np.diff(places) > 0).all():
        raise refuse("np.interp with less than two places, or places that do not increase")
    x, knots, values = lift(x), lift(places), lift(fp)
    slopes = (values[1:] - values[:-1]) / (knots[1:] - knots[:-1])
    total = values[0] + 0 * x
    for k in range(len(places) - 1):
        # In this order a knot belongs to the line on its right, so that slopes are right-sided.
        total = total + slopes[k] * (np.minimum(np.maximum(knots[k], x), knots[k + 1]) - knots[k])
    return total


def _norm(
    lift: Lift,
    refuse: Refuse,
    x: Any,
    ord: Any = None,  # noqa: A002 - NumPy's name
    axis: Any = None,
    keepdims: bool = False,  # noqa: FBT001, FBT002 - NumPy's flag
) -> Any:
    array = lift(x)
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    is_matrix = (isinstance(axis, tuple) and len(axis) == 2) or (axis is None and array.ndim == 2)
    if ord is None or ord == ("fro" if is_matrix else 2):
        return np.sqrt(np.sum(array**2, **options))
    if is_matrix or isinstance(ord, str) or array.ndim == 0:
        raise refuse(f"np.linalg.norm of a matrix of the order {ord!r} (Frobenius' norm is traced)")
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(np.abs(array), **options)
    if not ord >= 1:
        raise refuse(f"np.linalg.norm of the order {ord!r} (orders from 1 on are traced)")
    total = np.sum(np.abs(array) ** ord, **options)
    return total if ord == 1 else total ** (1 / ord)


def _average(lift: Lift, _refuse: Refuse, a: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return np.mean(lift(a), axis=axis)
    return np.sum(lift(a) * lift(weights), axis=axis) / np.sum(lift(weights), axis=axis)


def _var(lift: Lift, refuse: Refuse, a: Any, axis: Any = None, **options: Any) -> Any:
    ddof, keepdims = options.pop("ddof", 0), options.pop("keepdims", False)
    if options:
        raise refuse(f"np.var with {sorted(options)}")
    array = lift(a)
    deviations = array - np.mean(array, axis=axis, keepdims=True)
    total = np.sum(deviations**2, axis=axis, keepdims=keepdims)
    return total / (array.size // max(total.size, 1) - ddof)


def _std(lift: Lift, refuse: Refuse, a: Any, axis: Any = None, **options: Any) -> Any:
    return np.sqrt(_var(lift, refuse, a, axis, **options))


def _ptp(lift: Lift, _refuse: Refuse, a: Any, axis: Any = None, **options: Any) -> Any:
    return np.max(lift(a), axis=axis, **options) - np.min(lift(a), axis=axis, **options)


def _trapezoid(
    lift: Lift, refuse: Refuse, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1
) -> Any:
    values = lift(y)
    if values.ndim != 1 or axis not in (0, -1):
        raise refuse("np.trapezoid of more than one axis (take a row at a time)")
    widths = lift(dx) if x is None else lift(x)[1:] - lift(x)[:-1]
    return np.sum(widths * (values[1:] + values[:-1])) / 2


def _polyval(lift: Lift, _refuse: Refuse, p: Any, x: Any) -> Any:
    return reduce(lambda total, c: total * lift(x) + c, lift(p), lift(0))


def _all(lift: Lift, _refuse: Refuse, a: Any, axis: Any = None, **options: Any) -> Any:
    return np.logical_and.reduce(lift(a), axis=axis, **options)


def _any(lift: Lift, _refuse: Refuse, a: Any, axis: Any = None, **options: Any) -> Any:
    return np.logical_or.reduce(lift(a), axis=axis, **options)


ARRAY_RULES: dict[str, Callable[..., Any]] = {
    "select": _select,
    "piecewise": _piecewise,
    "interp": _interp,
    "norm": _norm,
    "average": _average,
    "var": _var,
    "std": _std,
    "ptp": _ptp,
    "trapezoid": _trapezoid,
    "polyval": _polyval,
    "all": _all,
    "any": _any,
    "real": lambda lift, _refuse, x: lift(x),
    "matvec": lambda lift, _refuse, A, x: (lift(A) @ lift(x)[..., None])[..., 0],
    "vecmat": lambda lift, _refuse, x, A: (lift(x)[..., None, :] @ lift(A))[..., 0, :],
    "vecdot": lambda lift, _refuse, x, y: np.sum(lift(x) * lift(y), axis=-1),
}
