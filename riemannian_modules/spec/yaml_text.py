"""YAML as JSON's twin: the same values, by YAML 1.2's core schema, without aliases and tags.

``no``, ``on`` and dates are text, ``1e5`` is a number. Keys are text and stand once; NaN,
infinities and numbers that no double holds are refused, and so are aliases, which can stand for
gigabytes.

Source: YAML 1.2.2, section 10.3.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn, final

import yaml
from typing_extensions import override

from riemannian_modules.errors import SpecError
from riemannian_modules.strict_json import LONGEST_INTEGER

LARGEST_YAML = 2**24  # characters, some minutes of reading; JSON is read faster
_TAG = "tag:yaml.org,2002:"
_NUMBER_START = list("-+.0123456789")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")


def decode_yaml(text: str, where: str) -> Any:
    """The value of a text.

    Args:
        text: The text.
        where: The name of the file, for messages.

    Raises:
        SpecError: With the line, for what is no such YAML.
    """
    if len(text) > LARGEST_YAML:
        raise SpecError(
            f"{where}: expected at most {LARGEST_YAML} characters of YAML, got {len(text)}. Write "
            "it as JSON."
        )
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError(f"{where}: {place}expected YAML, got: {fault.problem}.") from None
    except yaml.reader.ReaderError as fault:
        line = text.count("\n", 0, fault.position) + 1
        raise SpecError(
            f"{where}: line {line}: expected text, got the character {chr(fault.character)!r}."
        ) from None
    except RecursionError:
        raise SpecError(
            f"{where}: expected YAML of modest depth, got hundreds of levels."
        ) from None


def yaml_text(data: Any) -> str:
    """YAML for people, which readers of either version of YAML take the same."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=96)


@final
class _Dumper(yaml.SafeDumper):
    """Quotes what either version of YAML would take for something else than text."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(_TAG + "float", _REAL, _NUMBER_START)


@final
class _Loader(yaml.SafeLoader):
    """Makes text, numbers, true, false, null, lists and mappings; nothing else."""

    # Of its own, in the place of those of YAML 1.1.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012
    yaml_constructors: dict[Any, Any] = {}  # noqa: RUF012

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            _refuse("an anchor or alias; write the value out where it is used", event)
        if event.tag is not None:
            _refuse(f"the tag {event.tag!r}; leave it out", event)
        return super().compose_node(parent, index)


def _refuse(problem: str, at: Any) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def _text(_loader: _Loader, node: Any) -> str:
    try:  # JSON escapes a character beyond 16 bits as two halves
        return node.value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        _refuse("half of a character, as \\ud800 without its other half", node)


def _sequence(loader: _Loader, node: Any) -> list[Any]:
    return [loader.construct_object(value, deep=True) for value in node.value]


def _mapping(loader: _Loader, node: Any) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key: Any = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            _refuse(f"the key {key!r:.40}, which is no text; put it in quotes", key_node)
        if key in table:
            _refuse(f"the key {key!r:.40} twice; keep one of each", key_node)
        table[key] = loader.construct_object(value_node, deep=True)
    return table


def _null(_loader: _Loader, _node: Any) -> None:
    return None


def _boolean(_loader: _Loader, node: Any) -> bool:
    return node.value.lower() == "true"


def _whole(_loader: _Loader, node: Any) -> int:
    if len(node.value) > LONGEST_INTEGER:
        got = f"{node.value[:20]}... of {len(node.value)} digits"
        _refuse(f"{got}; expected at most {LONGEST_INTEGER}", node)
    return int(node.value)


def _real(_loader: _Loader, node: Any) -> float:
    number, digits = float(node.value), re.split("[eE]", node.value)[0]
    if math.isinf(number) or (number == 0.0 and re.search("[1-9]", digits)):
        _refuse(f"{node.value:.40}, which no double holds, from 5e-324 to 1.8e308", node)
    return number


def _no_number(_loader: _Loader, node: Any) -> NoReturn:
    _refuse(
        f'{node.value}, where a finite number is expected; sides of a region may be "inf" and '
        '"-inf"', node
    )  # fmt: skip


for _name, _pattern, _start in (
    ("bool", r"(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("null", r"(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+$", _NUMBER_START),
    ("float", _REAL.pattern, _NUMBER_START),
    ("no-number", r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", _NUMBER_START),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _start)
for _name, _make in (
    ("str", _text), ("seq", _sequence), ("map", _mapping), ("null", _null), ("bool", _boolean),
    ("int", _whole), ("float", _real), ("no-number", _no_number),
):  # fmt: skip
    _Loader.add_constructor(_TAG + _name, _make)
