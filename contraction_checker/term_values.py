"""Terms of expressions, and with moves their derivatives; pieces are proved to meet.

If every symbol s is given as ``s + ds``, an expression's value is ``f + sum of (df/ds) ds``.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import final

from contraction_checker import term_functions
from contraction_checker.expressions import Piecewise
from contraction_checker.refusals import NotProvedError
from contraction_checker.term_powers import power, vanishes
from contraction_checker.terms import Term, as_term
from contraction_checker.values import Values


@final
class TermValues(Values[Term]):
    """Terms of names."""

    def number(self, exact: Fraction) -> Term:
        """A number as a term."""
        return as_term(exact)

    def power(self, base: Term, exponent: Fraction) -> Term:
        """The power, multiplied out where that is possible."""
        return power(base, exponent)

    def function(self, word: str, operands: Sequence[Term]) -> Term:
        """The function, with its derivative along what moves."""
        return term_functions.apply(word, operands)

    def piecewise(self, pieces: Piecewise, border: Term) -> Term:
        """Both pieces in one term.

        Raises:
            NotProvedError: If the border moves and the pieces are not proved to meet on it.
        """
        slopes = border.slopes()
        if slopes and not self._meet(pieces, border.still(), slopes):
            raise NotProvedError(
                "a piecewise term is not proved continuous where its condition changes"
            )
        inside = self.evaluate(pieces.inside)
        outside = self.evaluate(pieces.outside)
        return term_functions.where(inside, outside, border)

    def _meet(self, pieces: Piecewise, border: Term, slopes: dict[str, Term]) -> bool:
        """Whether both pieces are one term where the border is zero.

        There the left side of the condition is its right side; or a symbol s, in which the border
        is ``a s + b`` with a number a, is ``-b / a``.
        """
        still = {name: t.still() for name, t in self.given.items()}
        if isinstance(pieces.left, str) and pieces.left in self.bindings:
            right = self.evaluate(pieces.right).still()
            if self._agree(pieces, {**still, pieces.left: right}):
                return True
        for name, slope in slopes.items():
            a = slope.constant()
            if name in still and a is not None:  # a slope is a term that is not zero
                zero = still[name] - border * (1 / a)
                if self._agree(pieces, {**still, name: zero}):
                    return True
        return False

    def _agree(self, pieces: Piecewise, given: dict[str, Term]) -> bool:
        there = TermValues(given, self.bindings)
        return vanishes(there.evaluate(pieces.inside) - there.evaluate(pieces.outside))
