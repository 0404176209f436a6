"""Formulas as people write them, such as ``k*mrna - d*protein``, read into terms.

Operators from the loosest to the tightest: ``or``; ``and``; ``not``; ``< <= > >=``, which chain as
in ``0 < x < 1``; ``+ -``; ``* / @``; signs; ``^`` or ``**``, which group from the right, before a
sign on their left: ``-x^2`` is ``-(x^2)``. Nothing is evaluated as code.

Source: Pratt (1973), Top down operator precedence, POPL 1973, 41-51.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from riemannian_modules.arithmetic.infix_functions import functions
from riemannian_modules.errors import SignatureError

LONGEST_TEXT = 20_000  # characters of one formula
LONGEST_NUMBER = 4_000  # characters, below Python's own limit of 4300 digits
MOST_CONDITIONS = 50  # in a row, or in the arguments of a function
DEEPEST = 150  # levels of brackets, signs and exponents inside each other
WORDS = frozenset(["and", "or", "not"])
CONSTANTS = frozenset(["pi"])

_OR, _AND, _NOT, _ORDER, _SUM, _PRODUCT, _SIGN, _POWER = range(1, 9)
_LEVELS: Mapping[str, int] = {
    "or": _OR, "and": _AND, "<": _ORDER, "<=": _ORDER, ">": _ORDER, ">=": _ORDER,
    "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "@": _PRODUCT, "^": _POWER, "**": _POWER,
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<number>([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)"  # "plant.q" is one, of a composite
    r"|(?P<operator>\*\*|<=|>=|[-+*/^@<>(),\[\]])"
)
# What other languages write, and what is written here; longer ones first.
_MENDS: Mapping[str, str] = {
    "==": "Compare with < <= > >=; equality of real numbers has no derivative.",
    "!=": "Compare with < <= > >=; equality of real numbers has no derivative.",
    "=": "The left side is the equation's name; write the right side alone.",
    "&&": "Write 'and'.", "||": "Write 'or'.", "&": "Write 'and'.", "|": "Write 'or'.",
    "!": "Write 'not'.", "~": "Write 'not'.", "−": "Write '-'.", "–": "Write '-'.",
    "×": "Write '*'.", "·": "Write '*'.", "⋅": "Write '*'.", "÷": "Write '/'.",
    "≤": "Write '<='.", "≥": "Write '>='.", "²": "Write '^2'.", "³": "Write '^3'.",
    "√": "Write sqrt(...).", "{": "Write '('.", "}": "Write ')'.",
    "?": "Write where(condition, this, other).", "%": "There is no remainder.",
    "∞": "Formulas hold finite numbers.",
}  # fmt: skip
_NAME_MENDS: Mapping[str, str] = {
    "e": "Euler's number is exp(1).", "E": "Euler's number is exp(1).",
    "t": "Make time an input, or a state whose derivative is 1.",
    "time": "Make time an input, or a state whose derivative is 1.",
    "if": "Write where(condition, this, other).", "else": "Write where(condition, this, other).",
    "inf": "Formulas hold finite numbers.", "nan": "Formulas hold finite numbers.",
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Number:
    """A number: whole ones are exact, others the nearest double."""

    at: int
    value: int | float


@final
@dataclass(frozen=True, slots=True)
class Name:
    """A quantity or constant by its name, or an entry ``x[0]`` of an array."""

    at: int
    name: str
    entry: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function and its arguments."""

    at: int
    function: str
    arguments: tuple[Term, ...]


@final
@dataclass(frozen=True, slots=True)
class Sign:
    """``-``, ``+`` or ``not`` before an operand."""

    at: int
    operator: str
    operand: Term


@final
@dataclass(frozen=True, slots=True)
class Power:
    """A power."""

    at: int
    base: Term
    exponent: Term


@final
@dataclass(frozen=True, slots=True)
class OperandRow:
    """Operands with operators of one level between them, from the left: as in ``a - b + c``."""

    at: int
    operands: tuple[Term, ...]
    operators: tuple[str, ...]


Term = Number | Name | FunctionCall | Sign | Power | OperandRow


def normal(name: str) -> str:
    """A name as it is compared: compatible characters, as the two kinds of mu, are one."""
    return unicodedata.normalize("NFKC", name)


def is_name(text: str) -> bool:
    """Whether a text can stand in formulas as the name of a quantity."""
    reserved = WORDS | CONSTANTS | functions().keys()
    return text.isidentifier() and normal(text) not in reserved


def parse(text: str, names: Collection[str]) -> Term:
    """Read a formula.

    Args:
        text: The formula.
        names: The quantities that it may speak of, normal; perhaps of a composite, as "plant.q".

    Raises:
        SignatureError: With the column: what is no formula, numbers that no double holds, unknown
            names and functions, wrong numbers of arguments, conditions in the place of numbers and
            numbers in that of conditions; texts too long or too deeply nested.
    """
    return _Parser(text, names).whole()


def fault_at(text: str, at: int, message: str) -> SignatureError:
    """The error of a place in a formula."""
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    place = f"column {column}" if "\n" not in text.strip() else f"line {line}, column {column}"
    start, end = max(at - 30, 0), at + 30
    shown = " ".join(text[start:end].split())
    shown = ("..." if start else "") + shown + ("..." if end < len(text) else "")
    return SignatureError(f"{place}: {message} In: {shown}")


def nearest(name: str, known: Sequence[str]) -> str:
    """A guess at what was meant, and what is known."""
    guess = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {guess[0]!r}? " if guess else ""
    return f"{hint}Known are: {', '.join(known[:40]) or 'none'}."


@final
class _Parser:
    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text, self._names = text, names
        self._has_dots = any("." in name for name in names)
        if len(text) > LONGEST_TEXT:
            raise fault_at(
                text, 0, f"expected at most {LONGEST_TEXT} characters, got {len(text)}. Use "
                "definitions for its parts."
            )  # fmt: skip
        self._depth = 0
        self._end = 0  # of the token at hand
        self._advance()

    def whole(self) -> Term:
        term = self._expression(_OR)
        if self._kind:
            raise self._unexpected("an operator or the end")
        return self._number(term)

    def _advance(self) -> None:
        """Go to the next token: its kind, text and place; the kind is "" at the end."""
        text = self._text
        self._at = self._end + len(text[self._end :]) - len(text[self._end :].lstrip())
        match = _TOKEN.match(text, self._at)
        if match is None and self._at < len(text):
            rest = text[self._at :]
            wrong = next((sign for sign in _MENDS if rest.startswith(sign)), rest[0])
            mend = f" {_MENDS[wrong]}" if wrong in _MENDS else ""
            raise self._fault(self._at, f"{wrong!r} is no part of a formula.{mend}")
        self._kind = (match.lastgroup or "") if match else ""
        self._token = match[0] if match else ""
        if self._kind == "name" and not self._has_dots:
            self._token = self._token.partition(".")[0]
        self._end = self._at + len(self._token)
        if self._kind == "name":
            letters = self._token.replace(".", "_")  # those between the parts of a name
            if not letters.isidentifier():
                strange = (i for i, c in enumerate(letters) if not ("a" + c).isidentifier())
                i = next(strange, 0)  # there are digits that no name begins with
                mend = _MENDS.get(self._token[i], "")
                raise self._fault(self._at + i, f"{self._token[i]!r} is no part of a name. {mend}")
            self._token = normal(self._token)
            if self._token in WORDS:
                self._kind = "operator"

    def _fault(self, at: int, message: str) -> SignatureError:
        return fault_at(self._text, at, message)

    def _unexpected(self, expected: str) -> SignatureError:
        got = repr(self._token[:40]) if self._kind else "the end"
        is_factor = self._kind in ("number", "name") or self._token == "("
        mend = "Write '*' between factors." if is_factor and "operator" in expected else ""
        mend = _NAME_MENDS.get(self._token, mend)
        return self._fault(self._at, f"expected {expected}, got {got}. {mend}".rstrip())

    def _is(self, token: str) -> bool:
        return self._kind == "operator" and self._token == token

    def _take(self, token: str, expected: str) -> None:
        if not self._is(token):
            raise self._unexpected(expected)
        self._advance()

    def _expression(self, least: int) -> Term:
        """A term whose operators bind at least as tightly as a level."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._fault(
                self._at, f"it is nested more than {DEEPEST} levels deep. Use definitions for its "
                "parts."
            )  # fmt: skip
        left = self._operand()
        while self._kind == "operator" and (level := _LEVELS.get(self._token, 0)) >= least:
            if level == _POWER:
                self._advance()
                exponent = self._number(self._expression(_SIGN))
                left = Power(left.at, self._number(left), exponent)
            else:
                left = self._row(left, level)
        self._depth -= 1
        return left

    def _row(self, first: Term, level: int) -> OperandRow:
        check = self._condition if level in (_OR, _AND) else self._number
        operands, operators = [check(first)], list[str]()
        while self._kind == "operator" and _LEVELS.get(self._token) == level:
            operators.append(self._token)
            self._advance()
            operands.append(check(self._expression(level + 1)))
        if level in (_OR, _AND, _ORDER) and len(operands) > MOST_CONDITIONS:
            raise self._fault(first.at, f"expected at most {MOST_CONDITIONS} in a row.")
        return OperandRow(first.at, tuple(operands), tuple(operators))

    def _operand(self) -> Term:
        at, token, kind = self._at, self._token, self._kind
        if kind == "number":
            return self._literal()
        if kind == "name":
            self._advance()
            return self._call(token, at) if self._is("(") else self._named(token, at)
        if token in ("+", "-"):
            self._advance()
            return Sign(at, token, self._number(self._expression(_SIGN)))
        if token == "not":
            self._advance()
            return Sign(at, token, self._condition(self._expression(_ORDER)))
        if token == "(":
            self._advance()
            inner = self._expression(_OR)
            self._take(")", "')' or an operator")
            return inner
        raise self._unexpected("a number, a name or '('")

    def _literal(self) -> Number:
        at, token = self._at, self._token
        if len(token) > LONGEST_NUMBER:
            raise self._fault(at, f"expected at most {LONGEST_NUMBER} digits, got {len(token)}.")
        whole, value = token.isdigit(), float(token)
        if math.isinf(value):
            raise self._fault(at, "expected a number that a double can hold, below 1.8e308.")
        if value == 0.0 and re.search("[1-9]", re.split("[eE]", token)[0]):
            raise self._fault(at, "expected 0 or a number that a double can hold, above 5e-324.")
        self._advance()
        if self._kind in ("number", "name"):
            raise self._unexpected("an operator")
        return Number(at, int(token) if whole else value)

    def _named(self, name: str, at: int) -> Name:
        if name in functions():
            raise self._fault(at, f"{name} is a function; expected '(' and its arguments after it.")
        if name not in self._names and name not in CONSTANTS:
            mend = _NAME_MENDS.get(name) or nearest(name, sorted(self._names))
            raise self._fault(at, f"there is no {name!r}. {mend}")
        entry = list[int]()
        if self._is("["):
            while not self._is("]"):
                self._advance()
                if self._kind != "number" or not self._token.isdigit() or len(self._token) > 9:
                    raise self._unexpected("an index 0, 1, 2, ...")
                entry.append(int(self._token))
                self._advance()
                if not self._is("]") and not self._is(","):
                    raise self._unexpected("',' or ']'")
            self._advance()
        return Name(at, name, tuple(entry))

    def _call(self, name: str, at: int) -> FunctionCall:
        function = functions().get(name)
        if function is None and name in self._names:
            raise self._fault(
                at, f"{name!r} is a quantity, no function. Write '*' before the bracket."
            )
        if function is None:
            raise self._fault(at, f"there is no function {name!r}. {nearest(name, _known())}")
        arguments = list[Term]()
        self._advance()
        while not self._is(")"):
            if arguments:
                self._take(",", "',' or ')'")
            check = self._condition if function.is_condition(len(arguments)) else self._number
            arguments.append(check(self._expression(_OR)))
        self._advance()
        if function.is_condition(1) and len(arguments) > 2 * MOST_CONDITIONS:
            raise self._fault(at, f"expected at most {MOST_CONDITIONS} conditions.")
        if not function.takes(len(arguments)):
            raise self._fault(at, f"{name} takes {function.usage}, got {len(arguments)}.")
        return FunctionCall(at, name, tuple(arguments))

    def _number(self, term: Term) -> Term:
        if is_condition(term):
            raise self._fault(
                term.at, "expected a number, got a condition. Write where(condition, 1, 0)."
            )
        return term

    def _condition(self, term: Term) -> Term:
        if not is_condition(term):
            raise self._fault(term.at, "expected a condition such as x > 0, got a number.")
        return term


def _known() -> list[str]:
    return sorted(functions())


def is_condition(term: Term) -> bool:
    """Whether a term is true or false, where others are numbers."""
    if isinstance(term, Sign):
        return term.operator == "not"
    return isinstance(term, OperandRow) and _LEVELS[term.operators[0]] in (_OR, _AND, _ORDER)
