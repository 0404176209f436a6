"""Ranges of expressions over a box: their natural interval extension.

Source: Moore, *Interval Analysis*, 1966, chapter 3. What is undefined anywhere in the box is
    refused.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import final

from contraction_checker import functions
from contraction_checker.expressions import Expression, Piecewise
from contraction_checker.ranges import Range, near
from contraction_checker.values import Values


@final
class RangeValues(Values[Range]):
    """Ranges of names over a box, cut with ranges that are known of some of them."""

    def __init__(
        self,
        given: Mapping[str, Range],
        bindings: Mapping[str, Expression],
        known: Mapping[str, Range] | None = None,
    ) -> None:
        super().__init__(given, bindings)
        self.known = known or {}

    def __missing__(self, name: str) -> Range:
        value = super().__missing__(name)
        if name in self.known:
            value = self[name] = value.intersected(self.known[name])
        return value

    def number(self, exact: Fraction) -> Range:
        """The narrowest range with a number in it."""
        return near(exact)

    def power(self, base: Range, exponent: Fraction) -> Range:
        """All powers of numbers of the range."""
        return functions.rational_power(base, exponent)

    def function(self, word: str, operands: Sequence[Range]) -> Range:
        """All values of an elementary function."""
        return functions.FUNCTIONS[word](*operands)

    def piecewise(self, pieces: Piecewise, border: Range) -> Range:
        """All values of the pieces that may hold; both have to be defined in the whole box."""
        inside = self.evaluate(pieces.inside)
        outside = self.evaluate(pieces.outside)
        return functions.where(inside, outside, border)
