"""Symbolic arrays: NumPy code runs on them and leaves exact expressions behind.

They answer NumPy's dispatch protocols (NEP 13 and NEP 18). A floating-point constant enters as the
exact binary number that it is, so that the expression is the program without its rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic import symbolic_linear
from riemannian_modules.arithmetic.array_rules import ARRAY_RULES
from riemannian_modules.arithmetic.functions import folded, guarded
from riemannian_modules.arithmetic.scalar_rules import REFUSED, SCALAR_RULES
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.errors import TraceError


def exact(value: Any, tracer: Tracer) -> Any:
    """The exact expression of a number: floats become the binary fractions that they are.

    Raises:
        TraceError: If it is no real number.
    """
    if isinstance(value, SymbolicArray) and value.ndim == 0:
        return value.entries.item()
    if isinstance(value, sp.Basic):
        return value
    if isinstance(value, (bool, np.bool_)):
        return sp.true if value else sp.false
    if isinstance(value, (int, np.integer)):
        return sp.Integer(int(value))
    if isinstance(value, Fraction):
        return sp.Rational(value.numerator, value.denominator)
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            raise TraceError(f"{tracer.module}: the constant {value} in the map is no real number.")
        return sp.Rational(*float(value).as_integer_ratio())
    raise tracer.refuse(f"a value of type {type(value).__name__}")


_STRUCTURAL = frozenset(
    [
        "stack",
        "concatenate",
        "hstack",
        "vstack",
        "column_stack",
        "append",
        "reshape",
        "ravel",
        "transpose",
        "swapaxes",
        "moveaxis",
        "squeeze",
        "expand_dims",
        "broadcast_to",
        "broadcast_arrays",
        "tile",
        "repeat",
        "roll",
        "flip",
        "atleast_1d",
        "atleast_2d",
        "sum",
        "prod",
        "cumsum",
        "cumprod",
        "convolve",
        "dot",
        "vdot",
        "inner",
        "outer",
        "tensordot",
        "kron",
        "trace",
        "diag",
        "diagonal",
        "triu",
        "tril",
        "split",
        "array_split",
        "take",
        "copy",
        "cross",
        "diff",
        "size",
        "shape",
        "ndim",
        "zeros_like",
        "ones_like",
        "full_like",
    ]
)


_LINEAR: dict[str, Callable[..., Any]] = {
    "det": symbolic_linear.determinant,
    "inv": symbolic_linear.inverse,
    "solve": symbolic_linear.solve,
}
_REDUCED = frozenset(["add", "multiply", "maximum", "minimum", "logical_and", "logical_or"])
_PRODUCTS = frozenset(["dot", "vdot", "inner", "outer", "tensordot", "kron"])


def _products(a: Any, b: Any) -> int:
    """How many products a matrix product of two arrays takes."""
    contracted = b.shape[-2] if b.ndim > 1 else b.size
    return a.size * max(b.size // max(contracted, 1), 1)


def _reduced(reduce: Callable[..., Any], entries: Any, axis: Any, keepdims: bool) -> Any:  # noqa: FBT001
    """A reduction along one axis, several, or all, as NumPy does it for numbers."""
    axes = range(entries.ndim) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    for one in sorted((a % max(entries.ndim, 1) for a in axes), reverse=True):
        entries = np.asarray(reduce(entries, axis=one, keepdims=keepdims), dtype=object)
    return entries


def _symbolic(value: Any, tracer: Tracer) -> SymbolicArray:
    return SymbolicArray(entries_of(value, tracer), tracer)


def _clipped(array: SymbolicArray, sides: tuple[Any, ...], named: Any) -> SymbolicArray:
    sides = (*sides, None, None)
    low = named.get("a_min", named.get("min", sides[0]))
    return array.clip(low, named.get("a_max", named.get("max", sides[1])))


@final
class SymbolicArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of exact expressions that behaves as a NumPy array in plain NumPy code."""

    __array_priority__ = 1000.0
    __slots__ = ("entries", "tracer")

    def __init__(self, entries: Any, tracer: Tracer) -> None:
        self.entries = np.asarray(entries, dtype=object)
        self.tracer = tracer

    shape = property(lambda self: self.entries.shape)
    ndim = property(lambda self: self.entries.ndim)
    size = property(lambda self: self.entries.size)
    T = property(lambda self: SymbolicArray(self.entries.T, self.tracer))

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[SymbolicArray]:
        return (self[i] for i in range(len(self.entries)))

    def __getitem__(self, key: Any) -> SymbolicArray:
        return SymbolicArray(self.entries[key], self.tracer)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise self.tracer.refuse("an assignment into an array (build it with np.stack instead)")

    def __bool__(self) -> bool:
        raise self.tracer.refuse("a branch on a value (`if`, `and`, `while`; use np.where)")

    def __float__(self) -> float:
        raise self.tracer.refuse(
            "the conversion of a traced value to a float (by math.*, where np.* is traced, or by "
            "an assignment into a float array, where np.stack is)"
        )

    __int__ = __index__ = __complex__ = __round__ = __float__

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """An array of traced scalars: ``np.array([x.q, x.v])`` computes on, entry by entry."""
        if dtype is not None and np.dtype(dtype) != np.dtype(object):
            raise self.tracer.refuse(f"the conversion of a traced value to an array of {dtype}")
        array = np.empty(self.shape, dtype=object)
        for place in np.ndindex(self.shape):
            array[place] = self[place]
        return array

    def __getattr__(self, name: str) -> Any:
        # NumPy calls these methods of the entries when a function meets an array of objects.
        if name in SCALAR_RULES:
            return partial(getattr(np, name), self)
        raise AttributeError(
            f"a traced array has no attribute {name!r}; write it with a function of NumPy"
        )

    def reshape(self, *shape: Any) -> SymbolicArray:
        """The same entries in another shape."""
        return SymbolicArray(self.entries.reshape(*shape), self.tracer)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> SymbolicArray:
        """Sum of entries along an axis."""
        if axis is None and not keepdims:
            # One long sum, where adding one by one takes quadratic time.
            return SymbolicArray(sp.Add(*self.entries.ravel()), self.tracer)
        return SymbolicArray(self.entries.sum(axis=axis, keepdims=keepdims), self.tracer)

    def prod(self, axis: Any = None, *, keepdims: bool = False) -> SymbolicArray:
        """Product of entries along an axis."""
        return SymbolicArray(self.entries.prod(axis=axis, keepdims=keepdims), self.tracer)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> SymbolicArray:
        """Mean of entries along an axis."""
        total = self.sum(axis, keepdims=keepdims)
        return total / (self.size // max(total.size, 1))

    def max(self, axis: Any = None, *, keepdims: bool = False) -> SymbolicArray:
        """The largest entry along an axis."""
        return np.maximum.reduce(self, axis=axis, keepdims=keepdims)  # type: ignore[return-value]

    def min(self, axis: Any = None, *, keepdims: bool = False) -> SymbolicArray:
        """The smallest entry along an axis."""
        return np.minimum.reduce(self, axis=axis, keepdims=keepdims)  # type: ignore[return-value]

    def clip(self, min: Any = None, max: Any = None) -> SymbolicArray:  # noqa: A002 - NumPy's names
        """The entries kept between two sides, of which one may be None."""
        raised = self if min is None else np.maximum(self, min)
        return raised if max is None else np.minimum(raised, max)  # type: ignore[return-value]

    def dot(self, other: Any) -> SymbolicArray:
        """Matrix product."""
        return np.dot(self, other)  # type: ignore[return-value]

    def transpose(self, *axes: Any) -> SymbolicArray:
        """Axes permuted."""
        return SymbolicArray(self.entries.transpose(*axes), self.tracer)

    def ravel(self) -> SymbolicArray:
        """The entries in one axis."""
        return SymbolicArray(self.entries.ravel(), self.tracer)

    flatten = ravel

    def copy(self) -> SymbolicArray:
        """A copy."""
        return SymbolicArray(self.entries.copy(), self.tracer)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        operands = [entries_of(value, self.tracer) for value in inputs]
        extra = {k: v for k, v in kwargs.items() if k not in ("axis", "keepdims")}
        if method == "reduce" and name in _REDUCED and not extra:
            reduce = np.frompyfunc(lambda a, b: SCALAR_RULES[name](self.tracer, a, b), 2, 1).reduce
            options = {"axis": kwargs.get("axis", 0), "keepdims": kwargs.get("keepdims", False)}
            self.tracer.count(operands[0].size)
            return SymbolicArray(_reduced(reduce, operands[0], **options), self.tracer)
        if set(kwargs) == {"out"} and kwargs["out"][0] is inputs[0] is self and not self.ndim:
            kwargs = {}  # ``s += x`` on a scalar binds s anew, as it does on NumPy's scalars
        if method != "__call__" or kwargs:
            raise self.tracer.refuse(f"np.{name}.{method} with {sorted(kwargs)}")
        if name == "matmul":
            self.tracer.count(_products(*operands))
            return SymbolicArray(np.matmul(*operands), self.tracer)
        if name in ARRAY_RULES:
            return self._by_rule(name, inputs, {})
        scalar = SCALAR_RULES.get(name)
        if scalar is None:
            raise self.tracer.refuse(f"np.{name}", REFUSED.get(name, ""))
        self.tracer.count(np.broadcast(*operands).size)
        weighed = self.tracer.weighed
        apply = np.frompyfunc(lambda *args: weighed(scalar(self.tracer, *args)), len(operands), 1)
        return SymbolicArray(apply(*operands), self.tracer)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__
        if name == "where" and len(args) == 3:
            return _where(self.tracer, *args)
        if name == "clip":
            return _clipped(_symbolic(args[0], self.tracer), args[1:], kwargs)
        if name in ("amax", "max", "amin", "min"):
            reduce = np.maximum.reduce if "max" in name else np.minimum.reduce
            options = {"axis": None} | dict(zip(("axis", "out"), args[1:], strict=False)) | kwargs
            return reduce(_symbolic(args[0], self.tracer), **options)
        if name == "sum" and len(args) == 1 and not kwargs:
            return _symbolic(args[0], self.tracer).sum()
        if name == "mean":
            return _symbolic(args[0], self.tracer).mean(*args[1:], **kwargs)
        if name in ARRAY_RULES:
            return self._by_rule(name, args, kwargs)
        if name == "einsum":
            plain = [entries_of(a, self.tracer) if not isinstance(a, str) else a for a in args]
            self.tracer.count(sum(a.size for a in plain if not isinstance(a, str)))
            return SymbolicArray(np.einsum(*plain, optimize=False), self.tracer)
        if name in _LINEAR:
            plain = [entries_of(a, self.tracer) for a in args]
            return SymbolicArray(_LINEAR[name](*plain, self.tracer), self.tracer)
        return self._structural(func, args, kwargs)

    def _by_rule(self, name: str, args: Any, kwargs: Any) -> Any:
        lift = partial(_symbolic, tracer=self.tracer)
        return _symbolic(ARRAY_RULES[name](lift, self.tracer.refuse, *args, **kwargs), self.tracer)

    def _structural(self, func: Any, args: Any, kwargs: Any) -> Any:
        name = func.__name__
        if name not in _STRUCTURAL:
            raise self.tracer.refuse(f"np.{name}", REFUSED.get(name, ""))
        if name in ("shape", "size", "ndim"):
            return getattr(args[0].entries, name)
        if name in _PRODUCTS:
            self.tracer.count(_products(*(entries_of(a, self.tracer) for a in args[:2])))
        result = func(
            *_unwrap(args, self.tracer),
            **{k: _unwrap_option(v, self.tracer) for k, v in kwargs.items()},
        )
        if isinstance(result, (list, tuple)):
            return [SymbolicArray(r, self.tracer) for r in result]
        return SymbolicArray(entries_of(result, self.tracer), self.tracer)


def entries_of(value: Any, tracer: Tracer) -> Any:
    """The object array of exact expressions of any operand."""
    if isinstance(value, SymbolicArray):
        return value.entries
    if isinstance(value, (list, tuple)):
        parts = [entries_of(part, tracer) for part in value]
        return np.stack(parts) if parts else np.empty(0, dtype=object)
    array = np.asarray(value)
    out = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        out[index] = exact(array[index], tracer)
    return out


def _unwrap(value: Any, tracer: Tracer) -> Any:
    """Arguments of a structural function: arrays become entries, integers and axes stay."""
    if isinstance(value, (SymbolicArray, np.ndarray)):
        return entries_of(value, tracer)
    if isinstance(value, float):
        return exact(value, tracer)
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrap(part, tracer) for part in value)
    return value


def _unwrap_option(value: Any, tracer: Tracer) -> Any:
    return entries_of(value, tracer) if isinstance(value, SymbolicArray) else value


def _where(tracer: Tracer, condition: Any, chosen: Any, other: Any) -> SymbolicArray:
    def pick(c: Any, a: Any, b: Any) -> Any:
        # SymPy takes conditions on terms in pieces apart, and what it makes of them is no order.
        whole = folded(c, a, b) if c.has(sp.Piecewise) else None
        a, b = guarded(c, a, b)
        return sp.Piecewise((a, c), (b, True)) if whole is None else whole

    parts = [entries_of(value, tracer) for value in (condition, chosen, other)]
    return SymbolicArray(np.frompyfunc(pick, 3, 1)(*parts), tracer)
