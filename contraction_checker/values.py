"""Evaluation of expressions: one walk for ranges and for terms.

What is computed of a name is kept, so that a binding is evaluated once, and only when it is asked
for.
"""

import abc
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Generic, TypeVar

from contraction_checker.expressions import Expression, Operation, Piecewise, Power, number
from contraction_checker.ranges import Range
from contraction_checker.refusals import MalformedError
from contraction_checker.terms import Term

V = TypeVar("V", Range, Term)


class Values(dict[str, V], abc.ABC, Generic[V]):
    """Values of names: of those given, of bindings and of numbers."""

    def __init__(self, given: Mapping[str, V], bindings: Mapping[str, Expression]) -> None:
        super().__init__(given)
        self.given = given
        self.bindings = bindings

    @abc.abstractmethod
    def number(self, exact: Fraction) -> V:
        """The value of a number."""

    @abc.abstractmethod
    def power(self, base: V, exponent: Fraction) -> V:
        """The value of a power."""

    @abc.abstractmethod
    def function(self, word: str, operands: Sequence[V]) -> V:
        """The value of an elementary function."""

    @abc.abstractmethod
    def piecewise(self, pieces: Piecewise, border: V) -> V:
        """The value of two pieces, ``border`` being positive inside."""

    def __missing__(self, name: str) -> V:
        if name in self.bindings:
            value = self.evaluate(self.bindings[name])
        else:
            exact = number(name)
            if exact is None:
                raise MalformedError(f"{name!r:.60} is no number and no name known here")
            value = self.number(exact)
        return self.setdefault(name, value)

    def evaluate(self, expression: Expression) -> V:
        """The value of an expression.

        Raises:
            NotProvedError: If it is undefined, or not proved to be defined.
            MalformedError: If it uses a name that has no value here.
        """
        if isinstance(expression, str):
            return self[expression]
        if isinstance(expression, Power):
            return self.power(self.evaluate(expression.base), expression.exponent)
        if isinstance(expression, Operation):
            return self._operation(expression)
        border = (self.evaluate(expression.left) - self.evaluate(expression.right)) * expression.way
        return self.piecewise(expression, border)

    def _operation(self, operation: Operation) -> V:
        operands = [self.evaluate(x) for x in operation.operands]
        if operation.word == "+":
            total = operands[0]
            for x in operands[1:]:
                total = total + x
            return total
        if operation.word == "*":
            total = operands[0]
            for x in operands[1:]:
                total = total * x
            return total
        return self.function(operation.word, operands)
