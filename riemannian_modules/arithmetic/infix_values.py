"""Formulas evaluated on traced arrays: each operation by NumPy, each fault with its column.

Numbers are exact once they are read, and so is arithmetic among them: ``1/3`` is a third.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.infix import (
    FunctionCall,
    Name,
    Number,
    OperandRow,
    Power,
    Sign,
    Term,
    fault_at,
)
from riemannian_modules.arithmetic.infix_functions import functions
from riemannian_modules.arithmetic.symbolic_array import SymbolicArray, entries_of
from riemannian_modules.arithmetic.tracer import Tracer
from riemannian_modules.errors import SignatureError, TraceError

LARGEST_EXPONENT = 1_000  # of constant exponents; 2^1000 is near the end of doubles
_MOST_BITS = 2**17  # of a constant's power
_LARGEST = sp.Integer(int(sys.float_info.max))
_LEAST = sp.Rational(1, 2**1075)  # what is no larger is rounded to 0

_PAIRWISE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "@": np.matmul,
    "and": np.logical_and, "or": np.logical_or,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip
_ORDERS = frozenset(["<", "<=", ">", ">="])


def evaluate(text: str, term: Term, values: Mapping[str, Any], tracer: Tracer) -> SymbolicArray:
    """The value of a formula that was read from a text.

    Args:
        text: The text, for messages.
        term: The formula.
        values: Traced arrays by name.
        tracer: Where domain conditions are noted.

    Raises:
        SignatureError: With the column: indices and shapes that do not fit, constants outside of
            a function's domain or of what a double can hold, exponents that are too large.
    """
    return _Evaluation(text, values, tracer).of(term)


@final
class _Evaluation:
    def __init__(self, text: str, values: Mapping[str, Any], tracer: Tracer) -> None:
        self._text, self._values, self._tracer = text, values, tracer

    def of(self, term: Term) -> SymbolicArray:
        if isinstance(term, Number):
            return SymbolicArray(entries_of(term.value, self._tracer), self._tracer)
        if isinstance(term, Name):
            return self._quantity(term)
        if isinstance(term, FunctionCall):
            arguments = [self.of(a) for a in term.arguments]
            return self._applied(term, functions()[term.function].apply, *arguments)
        if isinstance(term, Sign):
            operand = self.of(term.operand)
            if term.operator == "+":
                return operand
            apply = np.negative if term.operator == "-" else np.logical_not
            return self._applied(term, apply, operand)
        if isinstance(term, Power):
            return self._applied(term, self._power, self.of(term.base), self.of(term.exponent))
        return self._row(term)

    def _row(self, term: OperandRow) -> SymbolicArray:
        operands = [self.of(operand) for operand in term.operands]
        if term.operators[0] in _ORDERS:
            pairs = zip(term.operators, operands, operands[1:], strict=False)
            holds = [self._applied(term, _PAIRWISE[sign], a, b) for sign, a, b in pairs]
            return self._applied(term, lambda *all_of: reduce(np.logical_and, all_of), *holds)
        if term.operators[0] in ("+", "-"):
            return self._sum(term, operands)
        value = operands[0]
        for part, operator, operand in zip(
            term.operands[1:], term.operators, operands[1:], strict=True
        ):
            value = self._applied(part, _PAIRWISE[operator], value, operand)
        return value

    def _sum(self, term: OperandRow, operands: list[SymbolicArray]) -> SymbolicArray:
        """All summands at once, where adding one by one takes quadratic time."""
        shape: tuple[int, ...] = ()
        for part, operand in zip(term.operands, operands, strict=True):
            try:
                shape = np.broadcast_shapes(shape, operand.shape)
            except ValueError:
                raise self._fault(
                    part, f"shapes do not fit: {shape} and {operand.shape}."
                ) from None
        signed = [
            operand.entries if sign == "+" else -operand.entries
            for sign, operand in zip(("+", *term.operators), operands, strict=True)
        ]
        self._tracer.count(len(operands) * math.prod(shape))
        columns: list[Any] = [np.broadcast_to(entries, shape) for entries in signed]
        total = np.empty(shape, dtype=object)
        for place in np.ndindex(shape):
            total[place] = self._tracer.weighed(sp.Add(*(column[place] for column in columns)))
        return self._checked(term, SymbolicArray(total, self._tracer))

    def _quantity(self, term: Name) -> SymbolicArray:
        value = self._values.get(term.name)
        if value is None:
            value = SymbolicArray(entries_of(sp.pi, self._tracer), self._tracer)
        if not term.entry:
            return value
        shape = value.shape
        fits = len(term.entry) == len(shape) and all(
            i < n for i, n in zip(term.entry, shape, strict=True)
        )
        if not fits:
            last = ",".join(str(n - 1) for n in shape)
            expected = f"an index up to [{last}]" if shape else "no index, for it is a scalar"
            got = ",".join(map(str, term.entry))
            raise self._fault(term, f"{term.name!r} takes {expected}, got [{got}].")
        return value[term.entry]

    def _applied(self, term: Term, apply: Callable[..., Any], *values: Any) -> SymbolicArray:
        try:
            result = apply(*values)
        except TraceError as fault:
            reason = str(fault).removeprefix(f"{self._tracer.module}: ")
        except (ValueError, IndexError):
            reason = f"shapes do not fit: {' and '.join(str(value.shape) for value in values)}."
        else:
            return self._checked(term, result)
        raise self._fault(term, reason)

    def _checked(self, term: Term, value: SymbolicArray) -> SymbolicArray:
        for entry in value.entries.ravel():
            # Conditions have no factors; a number times a sum is taken into the sum.
            for part in sp.Add.make_args(entry) if isinstance(entry, sp.Expr) else ():
                factor = part.as_coeff_Mul()[0]
                if factor.is_Rational and factor != 0 and not _LEAST < abs(factor) <= _LARGEST:
                    raise self._fault(
                        term, "a constant is beyond what a double can hold, 5e-324 to 1.8e308."
                    )
        return value

    def _power(self, base: SymbolicArray, exponent: SymbolicArray) -> Any:
        """The power, unless its constants would never end, as in ``(2*x)^1000000000``."""
        for b, e in np.broadcast(base.entries, exponent.entries):
            inner = [f.as_base_exp()[1] for f in sp.Mul.make_args(b)]
            largest = max((abs(i * e) for i in (*inner, 1) if (i * e).is_Rational), default=0)
            factor = b.as_coeff_Mul()[0]
            bits = max(int(factor.p).bit_length(), int(factor.q).bit_length())
            if largest > LARGEST_EXPONENT or (abs(factor) != 1 and bits * largest > _MOST_BITS):
                raise TraceError(
                    f"expected exponents from -{LARGEST_EXPONENT} to {LARGEST_EXPONENT}."
                )
        return np.power(base, exponent)

    def _fault(self, term: Term, message: str) -> SignatureError:
        return fault_at(self._text, term.at, message)
