"""How results are printed: two lines that help, on a terminal and in a notebook.

The first line says what a result is, the second gives the numbers that matter by name. No line
holds a whole array or an object's address.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar, final

import numpy as np

MOST_NAMES = 6  # in a row of names
MOST_NUMBERS = 4  # of an array that is shown in full
WIDEST = 240  # characters of one fact


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """What is said of a result.

    Attributes:
        title: What it is.
        rows: Pairs (name, what is said); a name may be empty.
    """

    title: str
    rows: tuple[tuple[str, str], ...] = ()

    def as_text(self) -> str:
        """Two lines; one where there is nothing to add."""
        facts = "; ".join(f"{name}: {fact}" if name else fact for name, fact in self.rows)
        return " ".join(self.title.split()) + (f"\n  {' '.join(facts.split())}" if facts else "")

    def as_html(self) -> str:
        """The same as a table, escaped."""
        import html

        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(fact)}</td></tr>"
            for name, fact in self.rows
        )
        return f"<div><strong>{html.escape(self.title)}</strong><table>{rows}</table></div>"


class Shown:
    """What prints as its facts; those of a dataclass are its fields, unless it says better ones."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def facts(self) -> Facts:
        """What is worth saying."""
        kind = type(self).__name__
        if not is_dataclass(self):
            return Facts(kind)
        return Facts(
            kind,
            tuple(
                (f.name, brief_value(getattr(self, f.name)))
                for f in fields(self)
                if not f.name.startswith("_")
            ),
        )

    def __repr__(self) -> str:
        return self._known_facts().as_text()

    def _repr_html_(self) -> str:
        return self._known_facts().as_html()

    def _known_facts(self) -> Facts:
        # Error messages print what is faulty, so printing it never raises another error.
        try:
            return self.facts()
        except Exception:  # noqa: BLE001 - whatever a faulty value raises
            return Facts(f"{type(self).__name__}, whose parts do not fit together")


def brief_value(value: Any) -> str:
    """A value in a few words: numbers with six digits, arrays by their shape, results by name."""
    if isinstance(value, Shown):
        return value.facts().title
    if isinstance(value, np.generic):
        return brief_value(value.item())
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (int, float)):
        return f"{value:.6g}" if not isinstance(value, int) else cut(str(value), 40)
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, Mapping):
        return named(value) or "none"
    if isinstance(value, (tuple, list)):
        return _listed(value)
    if hasattr(value, "shape") or hasattr(value, "__array__"):
        return _array(value if hasattr(value, "shape") else np.asarray(value))
    if callable(value):
        return f"function {getattr(value, '__name__', type(value).__name__)}"
    return type(value).__name__


def numbers(names: Sequence[str], values: Sequence[float]) -> str:
    """Numbers by name: ``q = 0.25, v = -1``, the first of many."""
    pairs = zip(names[:MOST_NAMES], values[:MOST_NAMES], strict=True)
    shown = ", ".join(f"{name} = {value:.6g}" for name, value in pairs)
    return cut(shown + _more(len(names) - MOST_NAMES)) or "none"


def listed(names: Sequence[str]) -> str:
    """Names, the first of many."""
    return cut(", ".join(names[:MOST_NAMES]) + _more(len(names) - MOST_NAMES)) or "none"


def named(values: Mapping[Any, Any]) -> str:
    """Values by name, the first of many."""
    shown = ", ".join(f"{k} = {brief_value(v)}" for k, v in [*values.items()][:MOST_NAMES])
    return cut(shown + _more(len(values) - MOST_NAMES))


def counted(count: int, noun: str) -> str:
    """``1 box``, ``3 boxes``."""
    plural = noun + ("es" if noun.endswith(("x", "s")) else "s")
    return f"{count:,} {noun if count == 1 else plural}"


def cut(text: str, width: int = WIDEST) -> str:
    """A text of at most ``width`` characters; a longer one says that it goes on."""
    return text if len(text) <= width else f"{text[: width - 4]} ..."


def at_most(value: float) -> str:
    """A number to six digits, rounded upwards: the shortened bound is still one."""
    return _rounded(value, decimal.ROUND_CEILING)


def at_least(value: float) -> str:
    """A number to six digits, rounded downwards."""
    return _rounded(value, decimal.ROUND_FLOOR)


def _rounded(value: float, rounding: str) -> str:
    # The shortest digits that read back as the number, so that 0.07 is 0.07.
    exact = decimal.Decimal(repr(float(value)))
    return f"{float(decimal.Context(prec=6, rounding=rounding).create_decimal(exact)):.6g}"


def _more(count: int) -> str:
    return f", and {count:,} more" if count > 0 else ""


def _listed(values: Sequence[Any]) -> str:
    if len(values) <= MOST_NAMES and all(isinstance(v, (str, int, float)) for v in values):
        return cut(", ".join(brief_value(v) for v in values)) or "none"
    if values and isinstance(values[0], str):
        return listed(values)
    kinds = {type(v).__name__ for v in values}
    return f"{len(values)} of {' and '.join(sorted(kinds)[:3])}"


def _array(value: Any) -> str:
    shape = " x ".join(str(n) for n in value.shape)
    size = int(np.prod(value.shape, dtype=np.int64))
    if isinstance(value, np.ndarray) and value.ndim <= 1 and 0 < size <= MOST_NUMBERS:
        entries = ", ".join(brief_value(v) for v in np.atleast_1d(value))
        return f"[{entries}]" if value.ndim else entries
    return f"array {shape or '()'}"
