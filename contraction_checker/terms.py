"""Terms: exact sums of products of powers, in which what cancels is gone.

A term is ``{monomial: coefficient}``, and a monomial a sorted tuple of pairs (generator, exponent);
the coefficients are fractions. Generators are symbols, functions of terms, exponentials of
monomials, sums with an exponent that is negative or no whole number, and *moves*. A move is
infinitesimal: its square is zero, so that of what moves along it the coefficient is the derivative
(dual numbers: Clifford 1873; Griewank and Walther, *Evaluating Derivatives*, 2008, section 13.2).

Products are multiplied out, with ``sin^2 = 1 - cos^2``, ``cosh^2 = 1 + sinh^2`` and
``step^2 = step``. Two terms that are equal here are equal wherever both are defined; that they are
defined is asked elsewhere, of the file's expressions as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import NamedTuple, final

from contraction_checker.limits import LONGEST_COEFFICIENT, MOST_PRODUCTS, small
from contraction_checker.refusals import NotProvedError

Monomial = tuple[tuple[int, Fraction | int], ...]
Coefficient = Fraction | int


class Generator(NamedTuple):
    """What monomials are made of.

    ``word`` is a function's, or one of: ``symbol``, ``atom`` and ``move``, each with a name;
    ``exp`` with a monomial; ``sum`` with a term.
    """

    word: str
    name: str = ""
    monomial: Monomial = ()
    operands: tuple[Term, ...] = ()


class Generators:
    """All generators of one check, numbered; equal ones have one number."""

    def __init__(self) -> None:
        self._numbered: list[Generator] = []
        self._number_of: dict[object, int] = {}

    def __getitem__(self, number: int) -> Generator:
        return self._numbered[number]

    def number(self, generator: Generator) -> int:
        """The generator's number, a new one where it is new."""
        operands = tuple(frozenset(t.parts.items()) for t in generator.operands)
        key = (generator.word, generator.name, generator.monomial, operands)
        found = self._number_of.setdefault(key, len(self._numbered))
        if found == len(self._numbered):
            self._numbered.append(generator)
        return found

    def clear(self) -> None:
        """Forget all of them; terms from before mean nothing afterwards."""
        self._numbered.clear()
        self._number_of.clear()


GENERATORS = Generators()  # of the certificate that is checked: `check` begins with an empty table


@final
class Term:
    """A sum of monomials with coefficients that are not zero."""

    __slots__ = ("parts",)

    def __init__(self, parts: Mapping[Monomial, Coefficient]) -> None:
        self.parts: dict[Monomial, Coefficient] = {m: c for m, c in parts.items() if c}

    def __bool__(self) -> bool:
        return bool(self.parts)

    def constant(self) -> Fraction | None:
        """The number that the term is, or None if it is more than a number."""
        if self.parts.keys() <= {()}:
            return Fraction(self.parts.get((), 0))
        return None

    def leading(self) -> Coefficient:
        """The coefficient of the least monomial; 0 of the term 0."""
        return self.parts[min(self.parts)] if self.parts else 0

    def still(self) -> Term:
        """The term without all that moves."""
        return Term({m: c for m, c in self.parts.items() if not any(_moves(m))})

    def slopes(self) -> dict[str, Term]:
        """The coefficient of each move, by its name."""
        found: dict[str, dict[Monomial, Coefficient]] = {}
        for m, c in self.parts.items():
            for g in _moves(m):
                rest = tuple(pair for pair in m if pair[0] != g)
                found.setdefault(GENERATORS[g].name, {})[rest] = c
        return {name: Term(parts) for name, parts in found.items()}

    def __add__(self, other: Term | Fraction | int) -> Term:
        found = dict(self.parts)
        for m, c in as_term(other).parts.items():
            found[m] = found.get(m, 0) + c
        return Term(found)

    __radd__ = __add__

    def __neg__(self) -> Term:
        return self * -1

    def __sub__(self, other: Term | Fraction | int) -> Term:
        return self + other * -1

    def __rsub__(self, other: Fraction | int) -> Term:
        return self * -1 + other

    def __mul__(self, other: Term | Fraction | int) -> Term:
        """The product, multiplied out.

        Raises:
            NotProvedError: If it has too many monomials, or too long coefficients.
            MalformedError: If an exponent would be beyond 1024.
        """
        right = as_term(other).parts
        if len(self.parts) * len(right) > MOST_PRODUCTS:
            raise NotProvedError("multiplying out gives too many terms")
        plain: dict[Monomial, Coefficient] = {}
        rewritten: list[Term] = []
        for (m, c), (n, d) in product(self.parts.items(), right.items()):
            monomial, factors = _multiplied(m, n)
            if sum(e for g, e in monomial if GENERATORS[g].word == "move") > 1:
                continue  # two moves: infinitesimal of second order
            if factors:
                rewritten.append(multiply(factors, Term({monomial: c * d})))
            else:
                plain[monomial] = plain.get(monomial, 0) + c * d
        _refuse_long(plain.values())
        return add(rewritten, Term(plain))

    __rmul__ = __mul__


def _moves(monomial: Monomial) -> Iterator[int]:
    return (g for g, _ in monomial if GENERATORS[g].word == "move")


def _multiplied(m: Monomial, n: Monomial) -> tuple[Monomial, list[Term]]:
    """The product of two monomials: a monomial, and factors to be multiplied out with it."""
    powers = dict(m)
    factors: list[Term] = []
    for g, e in n:
        # exp(c m) is (exp m)^c, whose exponent c is any number of the file.
        powers[g] = powers.get(g, 0) + (e if GENERATORS[g].word == "exp" else small(e))
    for g, e in powers.items():
        word, _, _, operands = GENERATORS[g]
        if word == "sum" and e >= 1:
            powers[g] = e % 1
            factors += [*operands] * int(e // 1)
        elif word == "step" and e >= 2:
            powers[g] = 1
        elif word == "sin" and e >= 2:
            powers[g] = e % 2
            cosine = even_function("cos", operands[0])
            factors += [1 - cosine * cosine] * int(e // 2)
        elif word == "cosh" and e >= 2:
            powers[g] = e % 2
            sine = odd_function("sinh", operands[0])
            factors += [1 + sine * sine] * int(e // 2)
    return tuple(sorted((g, e) for g, e in powers.items() if e)), factors


def _refuse_long(coefficients: Iterable[Coefficient]) -> None:
    for c in coefficients:
        if bits(c) > LONGEST_COEFFICIENT:
            raise NotProvedError("multiplying out gives numbers that are too long")


def bits(coefficient: Coefficient) -> int:
    """The bits of a fraction's numerator or denominator, whichever has more."""
    return max(coefficient.numerator.bit_length(), coefficient.denominator.bit_length())


def generated(generator: Generator, exponent: Fraction | int = 1) -> Term:
    """A generator's power."""
    return Term({((GENERATORS.number(generator), exponent),): 1})


def even_function(word: str, operand: Term) -> Term:
    """``cos`` or ``cosh`` of a term, which is 1 at zero and the same of the negative."""
    if not operand:
        return as_term(1)
    return generated(Generator(word, operands=(-operand if operand.leading() < 0 else operand,)))


def odd_function(word: str, operand: Term) -> Term:
    """A function that is zero at zero, and the negative of the negative."""
    if not operand:
        return as_term(0)
    if operand.leading() < 0:
        return -generated(Generator(word, operands=(-operand,)))
    return generated(Generator(word, operands=(operand,)))


def symbol(name: str) -> Term:
    """A coordinate of the region."""
    return generated(Generator("symbol", name))


def atom(name: str) -> Term:
    """A letter that stands for a term, of which nothing is known but its range."""
    return generated(Generator("atom", name))


def move(name: str) -> Term:
    """An infinitesimal motion along a coordinate."""
    return generated(Generator("move", name))


def as_term(value: Term | Fraction | int) -> Term:
    """A number as a term; a term as it is."""
    return value if isinstance(value, Term) else Term({(): value})


def add(terms: Iterable[Term], start: Term) -> Term:
    """The sum."""
    total = start
    for t in terms:
        total = total + t
    return total


def multiply(factors: Iterable[Term], start: Term) -> Term:
    """The product, multiplied out."""
    total = start
    for t in factors:
        total = total * t
    return total
