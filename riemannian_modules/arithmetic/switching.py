"""A map in pieces, held in one of them: each border becomes a sign that others may set.

``where``, ``maximum``, ``minimum``, ``absolute``, ``sign``, ``step`` and the cut of ``arctan2``
choose by the signs of some terms, the borders. With the signs as symbols the map is smooth, also
beyond the border, so that a solver's step may run over it and be taken back.

Source: Filippov (1988), *Differential Equations with Discontinuous Righthand Sides*, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.functions import ORDERS, border


@final
@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """Terms whose pieces are chosen by signs.

    Attributes:
        terms: The terms; where each sign is that of its border, they are the original ones.
        borders: The borders (k,), which may hold signs of others.
        signs: Their symbols (k,), for -1, 0 or 1.
    """

    terms: tuple[sp.Expr, ...]
    borders: tuple[sp.Expr, ...]
    signs: tuple[sp.Symbol, ...]


@lru_cache(maxsize=128)
def frozen(terms: tuple[sp.Expr, ...]) -> Frozen:
    """The terms with a sign in the place of each choice; equal borders share one.

    Cost: one rebuilding for each distinct subterm above a choice.
    """
    signs = _Signs()
    done: dict[Any, Any] = {}
    for root in terms:
        stack: list[Any] = [root]
        while stack:
            term = stack[-1]
            waiting = [a for a in term.args if a not in done]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            if term not in done:
                done[term] = _rebuilt(term, [done[a] for a in term.args], signs)
    return Frozen(tuple(done[t] for t in terms), tuple(signs.of), tuple(signs.of.values()))


@lru_cache(maxsize=128)
def sizes(borders: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...]:
    """For each border the sum of its parts' sizes: what its rounding is relative to."""
    return tuple(map(_size, borders))


def _size(term: Any) -> Any:
    """Sums and products of terms as if nothing in them cancelled."""
    if isinstance(term, (sp.Add, sp.Mul)):
        return term.func(*map(_size, term.args))
    return fn.absolute(term)


class _Signs:
    """The symbol of each border's sign."""

    def __init__(self) -> None:
        self.of: dict[Any, sp.Symbol] = {}

    def sign(self, term: Any) -> Any:
        """The sign of ``term``; that of ``-term`` is its negative."""
        if -term in self.of:
            return -self.of[-term]
        if term not in self.of:
            self.of[term] = sp.Dummy(f"sign{len(self.of)}", real=True)
        return self.of[term]


def _rebuilt(term: Any, args: list[Any], signs: _Signs) -> Any:
    if isinstance(term, ORDERS):
        inside = border(term.func(*args, evaluate=False))
        if inside.is_number:
            return term.func(*args)
        is_open = isinstance(term, (sp.Gt, sp.Lt))
        return (sp.Gt if is_open else sp.Ge)(signs.sign(inside), 0)
    rule = _CHOICES.get(term.func)
    if rule is not None:
        return rule(signs, *args)
    if not term.args or all(a is b for a, b in zip(term.args, args, strict=True)):
        return term
    if isinstance(term, sp.Piecewise):
        return sp.Piecewise(*args, evaluate=False)
    return term.func(*args)


def _chosen(pairs: Sequence[tuple[Any, Any]]) -> Any:
    return sp.Piecewise(*pairs, evaluate=False)


def _angle(signs: _Signs, y: Any, x: Any) -> Any:
    """The angle of (x, y), smooth across the negative axis on each side's own terms.

    Turned by a right angle, the point of the upper half plane and its neighbours are off the cut.
    """
    s, right = signs.sign(y), sp.pi / 2
    above, below = right + fn.arctan2(-x, y), fn.arctan2(x, -y) - right  # type: ignore[operator]
    return _chosen([(above, s > 0), (below, s < 0), (fn.arctan2(y, x), True)])


_CHOICES: dict[Any, Callable[..., Any]] = {
    fn.step: lambda signs, z: _chosen([(sp.S.One, signs.sign(z) > 0), (sp.S.Zero, True)]),
    fn.sign: lambda signs, z: signs.sign(z),
    sp.sign: lambda signs, z: signs.sign(z),
    fn.absolute: lambda signs, z: signs.sign(z) * z,
    sp.Abs: lambda signs, z: signs.sign(z) * z,
    fn.maximum: lambda signs, a, b: _chosen([(a, signs.sign(a - b) > 0), (b, True)]),
    fn.minimum: lambda signs, a, b: _chosen([(a, signs.sign(a - b) < 0), (b, True)]),
    fn.arctan2: _angle,
}
