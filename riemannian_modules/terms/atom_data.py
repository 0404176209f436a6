"""Matrices in atoms as data: what the checker needs to see whose they are, and how far they move.

An entry is a sum of products of atoms, each of which is bound to a name. With an atom stand its
slopes by the coordinates, where it is enclosed by them too, and a range on the region's box, where
one is proved by cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, final

import sympy as sp

from riemannian_modules.arithmetic.expression_data import PLAIN, TermWriter, terms_from_data
from riemannian_modules.claims.plain_data import number_from_data, number_to_data, refuse_unknown
from riemannian_modules.errors import CertificateError
from riemannian_modules.terms.atoms import AtomForm
from riemannian_modules.terms.cuts import cuts_from_data, cuts_to_data
from riemannian_modules.terms.ranges import RangeLemma, repeated_slopes

LONGEST = 32  # terms of a written sum

Slopes = Callable[[sp.Expr, Sequence[sp.Symbol]], Mapping[sp.Symbol, sp.Expr]]


@final
class EvidenceWriter:
    """Writes terms and matrices in atoms, all with common bindings."""

    def __init__(
        self,
        symbols: Sequence[sp.Symbol],
        ranges: Mapping[sp.Expr, RangeLemma] | None = None,
        slopes: Slopes | None = None,
    ) -> None:
        """Start with nothing written.

        Args:
            symbols: The coordinates of the region, and its linear constraints.
            ranges: For some atoms, their range on the region's box and the cuts that prove it.
            slopes: The slopes by which an atom is enclosed; those of `repeated_slopes` when None.
        """
        self._symbols, self._ranges = tuple(symbols), ranges or {}
        self._slopes = slopes or repeated_slopes
        self._writer = TermWriter((self._symbols,), prefix="$e", spelled=PLAIN)
        self._names: dict[sp.Expr, str] = {}
        self._atoms: list[dict[str, Any]] = []

    def terms(self, terms: Sequence[Any]) -> list[Any]:
        """Terms as data."""
        return self._writer.write(list(terms))

    def matrix(self, form: AtomForm) -> list[list[Any]]:
        """The entries [i, j, term in atoms] that are not zero."""
        entries: dict[tuple[int, int], list[Any]] = {}
        for members, coefficients in zip(form.products, form.coefficients, strict=True):
            names = [self._name(form.atoms[k]) for k in members]
            for place, c in coefficients.items():
                if c:
                    entries.setdefault(place, []).append(_product(c, names))
        return [[i, j, _sum(parts)] for (i, j), parts in entries.items()]

    def data(self) -> dict[str, Any]:
        """The bindings and the atoms of all that was written."""
        return {"let": self._writer.bindings, "atoms": self._atoms}

    def _name(self, atom: sp.Expr) -> str:
        if atom not in self._names:
            name = self._names[atom] = f"$a{len(self._names)}"
            self._writer.bind(name, atom)
            data: dict[str, Any] = {"name": name}
            slopes = self._slopes(atom, self._symbols)
            if slopes:
                written = self.terms(list(slopes.values()))
                data["slopes"] = [[str(s), t] for s, t in zip(slopes, written, strict=True)]
            known = self._ranges.get(atom)
            if known is not None:
                data["range"] = {
                    "lower": number_to_data(known.lower),
                    "upper": number_to_data(known.upper),
                    "cuts": cuts_to_data(known.cuts),
                }
            self._atoms.append(data)
        return self._names[atom]


def _sum(parts: list[Any]) -> Any:
    # A reader that adds one term after the other copies what it has: long sums are sums of sums.
    while len(parts) > LONGEST:
        parts = [_sum(parts[i : i + LONGEST]) for i in range(0, len(parts), LONGEST)]
    return parts[0] if len(parts) == 1 else ["+", *parts]


def _product(c: Fraction, names: Sequence[str]) -> Any:
    number = str(c)
    factors = [*names] if c == 1 and names else [number, *names]
    return factors[0] if len(factors) == 1 else ["*", *factors]


def ranges_from_data(
    data: Mapping[str, Any], symbols: Sequence[sp.Symbol]
) -> list[tuple[sp.Expr, RangeLemma]]:
    """The atoms that an `EvidenceWriter` wrote with a range, which is not believed yet.

    Raises:
        CertificateError: If the data is malformed.
    """
    where = "evidence.atoms"
    entries = data.get("atoms", [])
    if not isinstance(entries, list):
        raise CertificateError(f"{where}: expected a list.")
    names: list[str] = []
    lemmas: list[RangeLemma] = []
    for entry in entries:
        part = refuse_unknown(entry, {"name", "slopes", "range"}, where)
        if "range" not in part:
            continue
        known = refuse_unknown(part["range"], {"lower", "upper", "cuts"}, f"{where}.range")
        low, high = (number_from_data(known.get(k), f"{where}.range") for k in ("lower", "upper"))
        names.append(str(part.get("name")))
        lemmas.append(RangeLemma(low, high, tuple(cuts_from_data(known.get("cuts"), where))))
    block = {"let": data.get("let", []), "terms": names}
    terms = terms_from_data(block, symbols, where, CertificateError) if names else ()
    return list(zip(terms, lemmas, strict=True))
