"""Expressions of the file: a number, a name, or ``[operator, operands...]``.

They are read as a whole before anything of them is evaluated. A name has to be known where it is
used, so that there are no circles; what is known by a name is held in `Definitions`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from contraction_checker.json_parts import Json, listed, tuple_of
from contraction_checker.limits import DEEPEST_TERM
from contraction_checker.refusals import MalformedError

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,3999})(/[1-9][0-9]{0,3999})?")
BINDING = re.compile(r"\$\w{1,40}", re.ASCII)
LONGEST_NAME = 200

# The functions of elementary functions' words, with the number of their operands.
OPERANDS = {
    "pi": 0,
    **dict.fromkeys(("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh"), 1),
    **dict.fromkeys(("arcsin", "arctan", "arcsinh", "softplus", "erf"), 1),
    **dict.fromkeys(("absolute", "step", "sign"), 1),
    **dict.fromkeys(("power", "maximum", "minimum"), 2),
}
# Relations of a condition, with the sign of left - right where it holds.
RELATIONS = {"less": -1, "less_equal": -1, "greater": 1, "greater_equal": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A sum ``+``, a product ``*``, or a function of operands."""

    word: str
    operands: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """A power whose exponent is a number."""

    base: "Expression"
    exponent: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Piecewise:
    """``inside`` where ``way (left - right) > 0``, ``outside`` where it is negative."""

    inside: "Expression"
    outside: "Expression"
    way: int
    left: "Expression"
    right: "Expression"


Expression: TypeAlias = "str | Operation | Power | Piecewise"  # a text is a number or a name


@lru_cache(1 << 12)
def number(written: str) -> Fraction | None:
    """The number that a text is, ``p`` or ``p/q``; None if it is none."""
    return Fraction(written) if NUMBER.fullmatch(written) else None


def is_plain(expression: Expression) -> bool:
    """Whether it is made of sums and products alone."""
    if isinstance(expression, str):
        return True
    return (
        isinstance(expression, Operation)
        and expression.word in ("+", "*")
        and all(map(is_plain, expression.operands))
    )


class Definitions:
    """What is known by a name: coordinates of the region, and bindings, with their depth."""

    def __init__(self) -> None:
        self.depths: dict[str, int] = {}
        self.bindings: dict[str, Expression] = {}

    def declare(self, name: Json, pattern: re.Pattern[str] | None = None) -> str:
        """A new name of this pattern; without one a coordinate's, which is no number.

        Raises:
            MalformedError: If it is none, is taken, or might print as a line of the checker's own.
        """
        if not isinstance(name, str):
            raise MalformedError(f"names: {name!r:.60} may not stand here")
        if pattern is None:
            is_fit = name[:1] not in ("", "$", "~") and number(name) is None
        else:
            is_fit = pattern.fullmatch(name) is not None
        is_plain_text = name.isprintable() and "  " not in name and len(name) <= LONGEST_NAME
        if name in self.depths or not is_fit or not is_plain_text:
            raise MalformedError(f"names: {name!r:.60} may not stand here")
        self.depths[name] = 0
        return name

    def define(self, part: dict[str, Json]) -> None:
        """Read a part's bindings, ``let``, each of names that stand before it."""
        for pair in listed(part.get("let", [])):
            name, written = tuple_of(pair, 2)
            expression, depth = self._read(written)
            known = self.declare(name, BINDING)
            self.bindings[known] = expression
            self.depths[known] = depth

    def read(self, data: Json) -> Expression:
        """An expression in names that are known here.

        Raises:
            MalformedError: If it is none, or more than 200 operations deep.
        """
        return self._read(data)[0]

    def read_all(self, data: Json) -> list[Expression]:
        """A list of expressions."""
        return [self.read(x) for x in listed(data)]

    def _read(self, data: Json) -> tuple[Expression, int]:
        """An expression, and the operations on its longest path."""
        if isinstance(data, str):
            if data not in self.depths and number(data) is None:
                raise MalformedError(f"{data!r:.60} is no number and no name known here")
            return data, self.depths.get(data, 0)
        if not isinstance(data, list) or not data:
            raise MalformedError(
                f"expected a number, a name or [operator, operands...], got {data!r:.60}"
            )
        word, *operands = data
        if word == "piecewise":
            return self._read_piecewise(operands)
        if not isinstance(word, str):
            raise MalformedError(f"{word!r:.60} is no operator")
        check_operator(word, len(operands))
        read = [self._read(x) for x in operands]
        depth = one_deeper(below for _, below in read)
        expressions = tuple(expression for expression, _ in read)
        if word == "^":
            return as_power(*expressions), depth
        return Operation(word, expressions), depth

    def _read_piecewise(self, operands: list[Json]) -> tuple[Expression, int]:
        """``["piecewise", [inside, [relation, left, right]], [outside, ["true"]]]``."""
        if len(operands) != 2:
            raise MalformedError("a piecewise term is [x, condition], [y, [true]]")
        inside, condition = tuple_of(operands[0], 2)
        outside, otherwise = tuple_of(operands[1], 2)
        relation, left, right = tuple_of(condition, 3)
        if not isinstance(relation, str) or relation not in RELATIONS or otherwise != ["true"]:
            raise MalformedError("a piecewise term is [x, condition], [y, [true]]")
        read = [self._read(x) for x in (inside, outside, left, right)]
        x, y, a, b = (expression for expression, _ in read)
        depth = one_deeper(below for _, below in read)
        return Piecewise(x, y, RELATIONS[relation], a, b), depth


def check_operator(word: str, count: int) -> None:
    """Refuse an unknown operator, and another number of operands than it takes.

    Raises:
        MalformedError: Naming both.
    """
    if word in ("+", "*"):
        is_fit = count >= 2
    elif word == "^":
        is_fit = count == 2
    else:
        is_fit = OPERANDS.get(word) == count
    if not is_fit:
        raise MalformedError(f"{word!r:.60} of {count}")


def one_deeper(depths: Iterable[int]) -> int:
    """The depth of an operation on operands of these depths.

    Raises:
        MalformedError: If it is beyond 200.
    """
    depth = 1 + max(depths, default=0)
    if depth > DEEPEST_TERM:
        raise MalformedError(f"terms more than {DEEPEST_TERM} operations deep")
    return depth


def as_power(base: Expression, exponent: Expression) -> Expression:
    """``base ^ exponent``: known apart where the exponent is a number."""
    e = number(exponent) if isinstance(exponent, str) else None
    return Operation("power", (base, exponent)) if e is None else Power(base, e)
