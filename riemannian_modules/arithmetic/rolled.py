"""Expressions of one form evaluated together: a thousand like equations are a few lines of NumPy.

A loop that was unrolled while a map was traced is rolled up again. Two expressions have one form
where they differ in their symbols and numbers alone; each place where one stands becomes an array
over all expressions of the form.

Source: local value numbering (Aho, Lam, Sethi, Ullman, *Compilers*, 2006, section 6.1), with
symbols and numbers left out of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.arithmetic.expression import evaluated_derivatives
from riemannian_modules.arrays import Places
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class RolledTerms:
    """R expressions of one form.

    Attributes:
        rows: Which of the expressions they are, (R,).
        form: The form, an expression in `symbols`.
        symbols: A symbol for each place in the form that differs, K in all.
        places: Where the values of each stand among arguments and constants, (K, R).
    """

    rows: Places
    form: Any
    symbols: tuple[sp.Symbol, ...]
    places: Places

    @cached_property
    def value(self) -> Callable[[Sequence[Any]], Any]:
        """The R values from K arrays that broadcast against (R, ...)."""
        compiled = compile_floats((self.form,), (self.symbols,))
        return lambda values: compiled(values)[0]

    @cached_property
    def slopes(self) -> tuple[tuple[int, ...], Callable[[Sequence[Any]], tuple[Any, ...]]]:
        """Which of the K arguments matter, and the partial derivatives by those."""
        (row,) = evaluated_derivatives((self.form,), self.symbols)
        matter = tuple(k for k, entry in enumerate(row) if entry != 0)
        if not matter:
            return (), lambda _: ()
        return matter, compile_floats(tuple(row[k] for k in matter), (self.symbols,))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Rolled:
    """Expressions in blocks of one form, and the numbers that follow the arguments."""

    blocks: tuple[RolledTerms, ...]
    constants: Array


@lru_cache(maxsize=128)
def roll(expressions: tuple[Any, ...], arguments: tuple[sp.Symbol, ...]) -> Rolled:
    """Gather expressions by their form. Cost: some microseconds for each operation, once.

    Args:
        expressions: What is to be computed.
        arguments: The symbols in it; constants are counted after them.
    """
    forms = _Forms(arguments)
    members: dict[int, list[int]] = {}
    for row, expression in enumerate(expressions):
        members.setdefault(forms.form_of(expression), []).append(row)
    blocks = [forms.block(rows, expressions) for rows in members.values()]
    return Rolled(tuple(blocks), np.array(forms.constants, dtype=np.float64))


class _Forms:
    """The forms met so far: a number for each, and the leaves of each term in a fixed order."""

    def __init__(self, arguments: tuple[sp.Symbol, ...]) -> None:
        self.position: dict[Any, int] = {symbol: i for i, symbol in enumerate(arguments)}
        self.count = len(arguments)
        self.constants: list[float] = []
        self.numbers: dict[Any, int] = {}
        self.known: dict[Any, int] = {}  # a node over forms: its own number
        self.of: dict[Any, tuple[int, tuple[Any, ...]]] = {}  # a term: its form, its operands

    def form_of(self, root: Any) -> int:
        """The number of a term's form; iterative, so that deep terms do not exhaust the stack."""
        stack = [root]
        while stack:
            term = stack[-1]
            if term in self.of:
                stack.pop()
                continue
            operands = _operands(term)
            waiting = [a for a in operands if a not in self.of]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            self.of[term] = self._entered(term, operands)
        return self.of[root][0]

    def _entered(self, term: Any, operands: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
        if term in self.position:
            return self._number("symbol"), ()
        if _is_number(term):
            self._keep(term)
            return self._number("number"), ()
        if term.is_Add or term.is_Mul:  # the order in which SymPy keeps operands is that of names
            operands = self._sorted(operands)
        forms = tuple(self.of[a][0] for a in operands)
        return self._number((_head(term), forms)), operands

    def _sorted(self, operands: tuple[Any, ...]) -> tuple[Any, ...]:
        """By their forms, and those of one form by their leaves."""
        forms = [self.of[a][0] for a in operands]
        if len(set(forms)) == len(forms):
            return tuple(sorted(operands, key=lambda a: self.of[a][0]))
        return tuple(sorted(operands, key=lambda a: (self.of[a][0], self._first_leaf(a))))

    def _number(self, node: Any) -> int:
        return self.known.setdefault(node, len(self.known))

    def _keep(self, number: Any) -> None:
        if number not in self.numbers:
            self.numbers[number] = self.count + len(self.constants)
            self.constants.append(float(sp.Float(number, 17)) if not number.is_Rational else
                                  int(number.p) / int(number.q))  # fmt: skip

    def _first_leaf(self, term: Any) -> list[int]:
        return [self._place(leaf) for leaf in self._leaves(term)]

    def _place(self, leaf: Any) -> int:
        return self.position[leaf] if leaf in self.position else self.numbers[leaf]

    def _leaves(self, root: Any) -> Iterator[Any]:
        """Symbols and numbers in the order of the form, one for each place where one stands."""
        stack = [root]
        while stack:
            term = stack.pop()
            operands = self.of[term][1]
            if operands:
                stack.extend(reversed(operands))
            elif term in self.position or _is_number(term):
                yield term

    def block(self, rows: list[int], expressions: tuple[Any, ...]) -> RolledTerms:
        """The block of some expressions of one form: equal places are one, common numbers stay."""
        places = np.array([self._first_leaf(expressions[row]) for row in rows], dtype=np.intp).T
        leaves = list(self._leaves(expressions[rows[0]]))
        symbols: dict[bytes, sp.Symbol] = {}
        kept: list[Places] = []
        standing: list[Any] = []
        for leaf, place in zip(leaves, places, strict=True):
            if leaf not in self.position and (place == place[0]).all():
                standing.append(leaf)
                continue
            key = place.tobytes()
            if key not in symbols:
                symbols[key] = sp.Symbol(f"s{len(symbols)}", real=True)
                kept.append(place)
            standing.append(symbols[key])
        form = self._rebuilt(expressions[rows[0]], iter(standing))
        width = np.empty((0, len(rows)), dtype=np.intp)
        stacked = np.array(kept, dtype=np.intp) if kept else width
        return RolledTerms(np.array(rows, dtype=np.intp), form, tuple(symbols.values()), stacked)

    def _rebuilt(self, term: Any, standing: Iterator[Any]) -> Any:
        operands = self.of[term][1]
        if not operands:
            return next(standing) if term in self.position or _is_number(term) else term
        parts = [self._rebuilt(a, standing) for a in operands]
        if term.is_Pow and term.exp.is_Rational:
            return parts[0] ** term.exp
        return term.func(*parts)


def _is_number(term: Any) -> bool:
    return bool(term.is_Rational or term.is_Float)


def _operands(term: Any) -> tuple[Any, ...]:
    return (term.base,) if term.is_Pow and term.exp.is_Rational else term.args


def _head(term: Any) -> Any:
    """What a term is beside its operands: for a power also the exponent, for pi itself."""
    if term.is_Pow and term.exp.is_Rational:
        return "power", term.exp
    return term.func if term.args else term
