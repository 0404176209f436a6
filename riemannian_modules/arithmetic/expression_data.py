"""Exact expressions written to plain JSON data and read back, with nothing evaluated as code.

A term is a string or a list. Strings are numbers (``"3"``, ``"-1/2"``), symbols by name, or earlier
bindings (``"$0"``); lists are an operator and its operands: ``["+", "q", ["tanh", "v"]]``. Subterms
that are used twice are bound once under ``let``, so data stays as small as the shared expression.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.arithmetic.compile import FUNCTION_NAMES, RELATION_NAMES
from riemannian_modules.arithmetic.expression import Expressions
from riemannian_modules.arithmetic.tracer import Guard
from riemannian_modules.errors import RiemannianError, SpecError, UnsupportedError

Spelling = Callable[..., Any]  # of the written operands; gives a written term

LARGEST_TERM_COUNT = 400_000  # operations read from one file; ten times what is traced
LARGEST_DEPTH = 200  # operations on one path; SymPy recurses twice a level, Python stops at 1000
LARGEST_EXPONENT = 1_024  # larger powers ask for more time and memory than anybody has
LARGEST_NUMBER = 4_000  # characters of one number, below Python's own limit of 4300 digits
LONGEST = 1 << 17  # bits of a coefficient that files' numbers grow into, as in the checker
_INLINE_DEPTH = 12  # terms nested deeper are bound to a name, for JSON readers and for people

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?")
_GROUPS = ("state", "inputs", "parameters")
_GUARD_KINDS = ("nonnegative", "positive", "nonzero")
_CONSTANTS: dict[str, Any] = {"pi": sp.pi, "e": sp.E, "true": sp.true, "false": sp.false}
_CONSTANT_NAMES = {constant: name for name, constant in _CONSTANTS.items()}
_UNDEFINED = (sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)
# The functions that a certificate's reader need not know, in terms of others.
PLAIN: Mapping[Any, Spelling] = MappingProxyType({
    fn.expm1: lambda x: ["+", ["exp", x], "-1"],
    fn.log1p: lambda x: ["log", ["+", "1", x]],
    fn.power_log: lambda x, y: ["*", ["power", x, y], ["log", x]],
    sp.acos: lambda x: ["+", ["*", "1/2", ["pi"]], ["*", "-1", ["arcsin", x]]],
    sp.atanh: lambda x: ["*", "1/2", ["+", ["log", ["+", "1", x]],
                                      ["*", "-1", ["log", ["+", "1", ["*", "-1", x]]]]]],
    fn.arccosh: lambda x: ["log", ["+", x, ["^", ["+", ["^", x, "2"], "-1"], "1/2"]]],
    # Half the angle of (x, y) is that of (x + r, y), where r is the distance from zero.
    fn.arctan2: lambda y, x: ["*", "2", ["arctan", ["*", y, ["^", ["+", x, [
        "^", ["+", ["^", x, "2"], ["^", y, "2"]], "1/2"]], "-1"]]]],
    fn.cbrt: lambda x: ["*", x, ["^", ["^", x, "2"], "-1/3"]],
    type(sp.E): lambda: ["exp", "1"],
})  # fmt: skip
_BINARY = frozenset(["maximum", "minimum", "power", "power_log", "arctan2"])
_OPERATOR_OF: dict[Any, str] = {
    sp.Add: "+", sp.Mul: "*", sp.Pow: "^", sp.Piecewise: "piecewise",
    **FUNCTION_NAMES, **RELATION_NAMES,
}  # fmt: skip
_CLASS_OF: dict[str, Any] = {name: cls for cls, name in _OPERATOR_OF.items()}
_LOGICAL = frozenset(["logical_and", "logical_or", "logical_not"])
_ORDER = frozenset(RELATION_NAMES.values()) - _LOGICAL
_AT_LEAST_TWO = frozenset(["+", "*", "logical_and", "logical_or"])


def expressions_to_data(
    expressions: Expressions, spelled: Mapping[Any, Spelling] = MappingProxyType({})
) -> dict[str, Any]:
    """Write expressions as JSON data (dicts, lists, strings), in time linear in their size.

    Args:
        expressions: The expressions.
        spelled: For some functions, how they are written in terms of others.

    Raises:
        UnsupportedError: For a term that has no written form, such as a function that is not
            compiled either, and for terms too deep or numbers too long to be read back.
    """
    writer = TermWriter(expressions.arguments, spelled=spelled)
    roots = [*expressions.dx, *expressions.y, *(g.expression for g in expressions.guards)]
    written = writer.write(roots)
    n, m = len(expressions.dx), len(expressions.y)
    guards = zip(expressions.guards, written[n + m :], strict=True)
    return {
        "symbols": {
            group: [s.name for s in symbols]
            for group, symbols in zip(_GROUPS, expressions.arguments, strict=True)
        },
        "let": writer.bindings,
        "dx": written[:n],
        "y": written[n : n + m],
        "guards": [[guard.kind, term] for guard, term in guards],
    }


def expressions_from_data(
    data: object, where: str = "expressions", error: type[RiemannianError] = SpecError
) -> Expressions:
    """Read what `expressions_to_data` wrote; the result is equal to what was written.

    Each operator is built by SymPy, whose automatic exact rules (``x + x`` is ``2 x``) apply to
    data that others wrote; nothing is evaluated as code or rounded.

    Args:
        data: Decoded JSON.
        where: The place of the data in its file, for messages.
        error: The type of error that is raised.

    Raises:
        RiemannianError: Of type ``error``, naming the place: unknown operators, symbols, bindings
            and keys, wrong numbers of operands, malformed numbers, zero denominators, data too deep
            or too large.
    """
    return _Reader(error).expressions(data, where)


def terms_from_data(
    data: object,
    symbols: Sequence[sp.Symbol],
    where: str = "terms",
    error: type[RiemannianError] = SpecError,
) -> tuple[Any, ...]:
    """Read what `terms_to_data` wrote; errors as `expressions_from_data`."""
    return _Reader(error).terms(data, symbols, where)


def is_number(text: str) -> bool:
    """Whether a text is a number as terms hold it: "3", "-1/2", of a length that can be read."""
    return _NUMBER.fullmatch(text) is not None and all(
        len(part.lstrip("-")) <= LARGEST_NUMBER for part in text.split("/")
    )


@final
class TermWriter:
    """Writes terms one after the other; what they share is bound once.

    Attributes:
        bindings: The pairs [name, term] so far; a term mentions only those before it.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[sp.Symbol]],
        *,
        prefix: str = "$",
        spelled: Mapping[Any, Spelling] = MappingProxyType({}),
    ) -> None:
        """Start with no bindings.

        Args:
            groups: The symbols that terms may mention.
            prefix: How the names of bindings begin; with a "$".
            spelled: For some functions, how they are written in terms of others.
        """
        self.bindings: list[list[Any]] = []
        self._prefix, self._spelled = prefix, spelled
        self._terms: dict[Any, Any] = {}
        self._heights: dict[Any, int] = {}  # of the written data, counted from the last binding
        self._depths: dict[Any, int] = {}  # of the expression
        for symbol in (s for group in groups for s in group):
            if _NUMBER.fullmatch(symbol.name) or symbol.name.startswith("$"):
                raise UnsupportedError(
                    f"The symbol {symbol.name!r} cannot be written: it reads as a number or as a "
                    "binding. Rename it, starting with a letter."
                )
            self._terms[symbol] = symbol.name

    def bind(self, name: str, term: Any) -> None:
        """Bind a term to a name of the caller's, which begins with a "$"."""
        self.bindings.append([name, *self.write([term])])

    def write(self, roots: Sequence[Any]) -> list[Any]:
        """The terms as data."""
        order = _in_order_of_use(roots)
        uses = Counter(a for term in order for a in term.args)
        uses.update(roots)
        for term in order:
            self._add(term, is_shared=uses[term] > 1)
        return [self._terms[root] for root in roots]

    def _add(self, term: Any, *, is_shared: bool) -> None:
        if term in self._terms:
            return
        depth = 1 + max((self._depths.get(a, 0) for a in term.args), default=0)
        height = 1 + max((self._heights.get(a, 0) for a in term.args), default=0)
        if depth > LARGEST_DEPTH:
            raise UnsupportedError(
                f"An expression is more than {LARGEST_DEPTH} operations deep, too deep to be "
                "written. Compose the map of modules, each of which is written by itself."
            )
        text = self._text(term)
        # The pairs of a piecewise term and their conditions are no terms of their own, so they are
        # never bound.
        is_bound = (is_shared or height > _INLINE_DEPTH) and isinstance(term, sp.Expr)
        if is_bound and isinstance(text, list):
            name = f"{self._prefix}{len(self.bindings)}"
            self.bindings.append([name, text])
            text, height = name, 0
        self._terms[term], self._heights[term], self._depths[term] = text, height, depth

    def _text(self, term: Any) -> Any:
        if isinstance(term, sp.Rational):
            return _number_text(term)
        operands = [self._terms[a] for a in term.args]
        if term.func in self._spelled:
            return self._spelled[term.func](*operands)
        if term in _CONSTANT_NAMES:
            return [_CONSTANT_NAMES[term]]
        if isinstance(term, sp.Pow):
            _require_small(term.exp)
        if isinstance(term, _PAIR):
            return operands
        operator = _OPERATOR_OF.get(term.func)
        if operator is None:
            raise UnsupportedError(
                f"{str(term)[:80]} has no written form: {term.func.__name__} is none of "
                f"{', '.join(sorted(_CLASS_OF))}, nor a symbol of the map. Rewrite it with these."
            )
        return [operator, *operands]


_PAIR: Any = type(sp.Piecewise((0, sp.Symbol("x") > 0), (1, True)).args[0])


def _require_small(exponent: Any) -> None:
    """Refuse to write a power that would be refused when it is read."""
    if exponent.is_Rational and abs(exponent) > LARGEST_EXPONENT:
        raise UnsupportedError(
            f"The map has a power with the exponent {float(exponent):g}, beyond "
            f"{LARGEST_EXPONENT}, which no file may ask for. Write it as exp(n log(x)), or lower "
            "the exponent."
        )


def _number_text(value: Any) -> str:
    # Python refuses to write integers of more than 4300 digits; 13,000 bits are 3,914 of them.
    if max(int(value.p).bit_length(), int(value.q).bit_length()) > 3 * LARGEST_NUMBER:
        raise UnsupportedError(
            "A constant of the map has thousands of digits, too many to be written. Scale the "
            "map's units, or make the constant a parameter."
        )
    return f"{int(value.p)}" if value.q == 1 else f"{int(value.p)}/{int(value.q)}"


def _in_order_of_use(roots: Iterable[Any]) -> list[Any]:
    """Every distinct subterm once, operands first; iterative, for deep terms."""
    seen: set[Any] = set()
    order: list[Any] = []
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        term, is_ready = stack.pop()
        if is_ready:
            order.append(term)
        elif term not in seen:
            seen.add(term)
            stack.append((term, True))
            stack.extend((a, False) for a in reversed(term.args))
    return order


@final
class _Reader:
    def __init__(self, error: type[RiemannianError]) -> None:
        self._error = error
        self._names: dict[str, Any] = {}
        self._depths: dict[Any, int] = {}
        self._count = 0

    def refuse(self, where: str, expected: str, got: object) -> RiemannianError:
        shown = repr(got)
        shown = shown if len(shown) < 80 else shown[:76] + " ..."
        return self._error(f"{where}: expected {expected}, got {shown}.")

    def expressions(self, data: object, where: str) -> Expressions:
        keys = ("symbols", "let", "dx", "y", "guards")
        parts = self._keys(data, keys, where)
        symbols = self._symbols(parts["symbols"], f"{where}/symbols")
        for i, binding in enumerate(self._list(parts["let"], f"{where}/let")):
            self._bind(binding, f"{where}/let/{i}")
        dx = self._terms(parts["dx"], f"{where}/dx")
        y = self._terms(parts["y"], f"{where}/y")
        if len(dx) != len(symbols[0]):
            raise self.refuse(f"{where}/dx", f"{len(symbols[0])} terms, one a state", len(dx))
        guards = tuple(
            self._guard(g, f"{where}/guards/{i}")
            for i, g in enumerate(self._list(parts["guards"], f"{where}/guards"))
        )
        return Expressions(symbols[0], symbols[1], symbols[2], dx, y, guards)

    def terms(self, data: object, symbols: Sequence[sp.Symbol], where: str) -> tuple[Any, ...]:
        parts = self._keys(data, ("let", "terms"), where)
        self._names.update({s.name: s for s in symbols})
        for i, binding in enumerate(self._list(parts["let"], f"{where}/let")):
            self._bind(binding, f"{where}/let/{i}")
        return self._terms(parts["terms"], f"{where}/terms")

    def _keys(self, data: object, keys: tuple[str, ...], where: str) -> dict[str, Any]:
        if not isinstance(data, dict) or set(data) != set(keys):
            got = sorted(map(str, data)) if isinstance(data, dict) else data
            raise self.refuse(where, f"an object with exactly the keys {', '.join(keys)}", got)
        return data

    def _list(self, data: object, where: str) -> list[Any]:
        if not isinstance(data, list):
            raise self.refuse(where, "a list", data)
        return data

    def _symbols(self, data: object, where: str) -> list[tuple[Any, ...]]:
        groups: list[tuple[Any, ...]] = []
        for group, names in self._keys(data, _GROUPS, where).items():
            for i, name in enumerate(self._list(names, f"{where}/{group}")):
                place = f"{where}/{group}/{i}"
                if not isinstance(name, str) or not name or name.startswith("$"):
                    raise self.refuse(place, "a name that does not start with '$'", name)
                if _NUMBER.fullmatch(name) or name in self._names:
                    raise self.refuse(place, "a name used once that is no number", name)
                self._names[name] = sp.Symbol(name, real=True)
        for group in _GROUPS:
            names = self._keys(data, _GROUPS, where)[group]
            groups.append(tuple(self._names[name] for name in names))
        return groups

    def _bind(self, binding: object, where: str) -> None:
        if not isinstance(binding, list) or len(binding) != 2 or not isinstance(binding[0], str):
            raise self.refuse(where, "a pair [name, term]", binding)
        name = binding[0]
        if not name.startswith("$") or name in self._names:
            raise self.refuse(where, "a name that starts with '$' and is bound once", name)
        self._names[name] = self._term(binding[1], f"{where}/1", 0)

    def _terms(self, data: object, where: str) -> tuple[Any, ...]:
        rows = self._list(data, where)
        return tuple(
            self._number(self._term(t, f"{where}/{i}", 0), f"{where}/{i}")
            for i, t in enumerate(rows)
        )

    def _guard(self, data: object, where: str) -> Guard:
        if not isinstance(data, list) or len(data) != 2 or data[0] not in _GUARD_KINDS:
            raise self.refuse(where, f"a pair [{' or '.join(_GUARD_KINDS)}, term]", data)
        return Guard(data[0], self._number(self._term(data[1], f"{where}/1", 0), f"{where}/1"))

    def _number(self, term: Any, where: str) -> Any:
        if not isinstance(term, sp.Expr):
            raise self.refuse(where, "a term with a number as its value", str(term))
        return term

    def _condition(self, term: Any, where: str) -> Any:
        if isinstance(term, sp.Expr):
            raise self.refuse(where, "a condition such as ['less', 'x', '0']", str(term))
        return term

    def _term(self, data: object, where: str, nesting: int) -> Any:
        if isinstance(data, str):
            return self._leaf(data, where)
        if not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise self.refuse(
                where,
                "a number as a string such as '-1/2', a name, or [operator, operands ...]",
                data,
            )
        self._count += 1
        if self._count > LARGEST_TERM_COUNT or nesting > LARGEST_DEPTH:
            raise self._error(
                f"{where}: the expressions have more than {LARGEST_TERM_COUNT} operations or are "
                f"nested more than {LARGEST_DEPTH} deep. Compose the system of smaller modules."
            )
        operator, rest = data[0], data[1:]
        if operator == "piecewise":
            return self._checked(self._piecewise(rest, where, nesting), where)
        operands = [self._term(t, f"{where}/{i + 1}", nesting + 1) for i, t in enumerate(rest)]
        return self._checked(self._apply(operator, operands, where), where)

    def _leaf(self, text: str, where: str) -> Any:
        if text in self._names:
            return self._names[text]
        if is_number(text):
            numerator, _, denominator = text.partition("/")
            return sp.Rational(int(numerator), int(denominator or 1))
        known = [name for name in self._names if not name.startswith("$")]
        raise self.refuse(
            where,
            "a number such as '3' or '-1/2' with a denominator above zero, a binding made before, "
            f"or one of the symbols {', '.join(known[:12]) or '(none)'}",
            text,
        )

    def _apply(self, operator: str, operands: list[Any], where: str) -> Any:
        if operator in _CONSTANTS:
            self._arity(operator, operands, where, "no operands", lambda n: n == 0)
            return _CONSTANTS[operator]
        build = _CLASS_OF.get(operator)
        if build is None:
            raise self.refuse(
                f"{where}/0", f"an operator among {', '.join([*_CONSTANTS, *_CLASS_OF])}", operator
            )
        check = self._condition if operator in _LOGICAL else self._number
        for i, operand in enumerate(operands):
            check(operand, f"{where}/{i + 1}")
        if operator in _AT_LEAST_TWO:
            self._arity(operator, operands, where, "two operands or more", lambda n: n >= 2)
        elif operator == "^" or operator in _BINARY or operator in _ORDER:
            self._arity(operator, operands, where, "two operands", lambda n: n == 2)
        else:
            self._arity(operator, operands, where, "one operand", lambda n: n == 1)
        if operator in ("^", "power"):
            self._check_power(operands[0], operands[1], where)
        return build(*operands)

    def _arity(
        self, operator: str, operands: list[Any], where: str, said: str, fits: Callable[[int], bool]
    ) -> None:
        if not fits(len(operands)):
            raise self.refuse(where, f"{said} of {operator!r}", len(operands))

    def _check_power(self, base: Any, exponent: Any, where: str) -> None:
        # SymPy multiplies numeric powers out; a short file must not ask for gigabytes of digits.
        if exponent.is_Rational:
            if abs(exponent) > LARGEST_EXPONENT:
                said = f"an exponent between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}"
                raise self.refuse(where, said, str(exponent)[:40])
            number = base.as_coeff_Mul()[0]
            bits = (
                sum(int(n).bit_length() for n in (number.p, number.q)) if number.is_Rational else 1
            )
            if bits * abs(exponent) > LONGEST and number not in (-1, 0, 1):
                raise self.refuse(where, "a power whose digits can be written", str(exponent)[:40])

    def _piecewise(self, rest: list[Any], where: str, nesting: int) -> Any:
        pairs: list[tuple[Any, Any]] = []
        for i, pair in enumerate(rest):
            place = f"{where}/{i + 1}"
            if not isinstance(pair, list) or len(pair) != 2:
                raise self.refuse(place, "a pair [value, condition]", pair)
            value = self._number(self._term(pair[0], f"{place}/0", nesting + 1), f"{place}/0")
            condition = self._term(pair[1], f"{place}/1", nesting + 1)
            pairs.append((value, self._condition(condition, f"{place}/1")))
        if not pairs or pairs[-1][1] != sp.true:
            raise self.refuse(where, "a last pair whose condition is ['true']", rest[-1:])
        return sp.Piecewise(*pairs)

    def _checked(self, term: Any, where: str) -> Any:
        if term in _UNDEFINED or term.is_extended_real is False:
            raise self.refuse(where, "a term that is defined for real numbers", str(term))
        self._require_short(term, where)
        depth = 1 + max((self._depths.get(a, 0) for a in term.args), default=0)
        if depth > LARGEST_DEPTH:
            raise self.refuse(where, f"terms at most {LARGEST_DEPTH} operations deep", depth)
        self._depths[term] = depth
        return term

    def _require_short(self, term: Any, where: str) -> None:
        """Refuse numbers and powers that grew beyond what a file may write itself."""
        number: Any = term.as_coeff_Mul()[0] if isinstance(term, sp.Expr) else sp.S.One
        if number.is_Rational and _bits(number) > LONGEST:
            raise self.refuse(where, "numbers whose digits can be written", "longer ones")
        for power in (e for e in (term, *term.args) if isinstance(e, sp.Pow)):
            exponent: Any = power.exp
            if exponent.is_Rational and abs(exponent) > LARGEST_EXPONENT:
                said = f"exponents between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}"
                raise self.refuse(where, said, str(exponent)[:40])


def _bits(number: Any) -> int:
    return max(int(number.p).bit_length(), int(number.q).bit_length())
