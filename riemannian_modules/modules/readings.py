"""What a traced map reads beside its arguments, so that a change of it later is noticed.

A map is traced once. What its code reads from elsewhere (attributes of the module, variables of the
functions around it, globals) is frozen in the expressions then; what differs from run to run, such
as random numbers or a clock, has no expression at all.
"""

from __future__ import annotations

import abc
import dataclasses
import dis
import random
import types
from collections.abc import Callable, Iterator, Mapping, Set
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from riemannian_modules.errors import TraceError

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions
    from riemannian_modules.spaces import Array

# What the interface keeps in a module itself: parameters and signals are symbols of expressions.
_INTERFACE = frozenset(
    [
        "_made_with",
        "parameters",
        "_flat",
        "state",
        "inputs",
        "outputs",
        "time",
        "sampling_time",
        "time_input",
    ]
)
_LIBRARIES = frozenset(["riemannian_modules", "numpy", "scipy", "sympy", "math", "builtins"])
_ATOMS = (int, float, complex, str, bytes, type(None), np.generic)
_GENERATORS = (random.Random, np.random.RandomState, np.random.Generator)
MOST_TRACES = 8  # of one class that are remembered
_DEEPEST = 6  # containers inside each other; what lies deeper is told by its identity

ReadPlace = tuple[str, Callable[[Any], Any]]  # what it is called, and how it is read of a module


@final
@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Trace:
    """What the equations of a class gave for one signature and what they read."""

    signature: Any
    readings: Readings
    expressions: Expressions


def _traces_of(cls: type) -> tuple[_Trace, ...]:
    return vars(cls).get("_traces", ())


class Retraced(abc.ABC):
    """What has exact expressions: traced once, and again when what its equations read changes.

    Modules of one class that read the same share one tracing: thousands of them are traced once.
    """

    signature: Any
    _traces: ClassVar[tuple[_Trace, ...]] = ()

    @property
    def expressions(self) -> Expressions:
        """The exact expressions of the map; the parameters are symbols.

        Traced when it is first asked for, and again when what the equations read beside their
        arguments has changed: attributes of the module, variables around them, globals.

        Raises:
            TraceError: If the equations cannot be traced, or give another map each time they run.
        """
        if self._traced[0] != self._read():
            vars(self).pop("_traced", None)
        return self._traced[1]

    def expressions_at(self, theta: Array) -> Expressions:
        """The exact expressions with the parameters fixed at the binary numbers ``theta``.

        Raises:
            TraceError: As of `expressions`.
        """
        self._require_repeatable()
        return self._trace(theta)

    def _read(self) -> tuple[Readings, ...]:
        """What the equations read beside their arguments, noted down; the same while it is."""
        if not self._reads_more():
            return ()
        self._notice_changes()
        return (self._readings,)

    def _notice_changes(self) -> None:
        """Forget what was made of the equations, where they read something that has changed."""
        readings = vars(self).get("_readings")
        if readings is None or readings.changed(self) is None:
            return
        for name in set(vars(self)) - {"signature"}:
            if isinstance(getattr(type(self), name, None), cached_property):
                del vars(self)[name]

    @cached_property
    def _readings(self) -> Readings:
        return Readings(self)

    @cached_property
    def _traced(self) -> tuple[tuple[Readings, ...], Expressions]:
        if self._reads_more():
            known = self._traced_before()
            if known is not None:
                return self._read(), known
            found = self._repeated()
            vars(self).pop("_readings", None)  # noted after the runs, which may write things down
            readings = self._read()
            traces = (_Trace(self.signature, self._readings, found), *_traces_of(type(self)))
            type(self)._traces = traces[:MOST_TRACES]
            return readings, found
        self._require_repeatable()
        return self._read(), self._trace(None)

    def _traced_before(self) -> Expressions | None:
        """The expressions of another module of this class that reads the same, so has the same."""
        readings = self._readings
        for trace in _traces_of(type(self)):
            if trace.signature == self.signature and trace.readings.are_those_of(readings):
                return trace.expressions
        return None

    def _require_repeatable(self) -> None:
        """Raise TraceError where the equations, or those of a part, are not the same each time."""
        if self._reads_more():
            _ = self.expressions

    @abc.abstractmethod
    def _trace(self, theta: Array | None) -> Expressions:
        """Run the equations once on symbols."""

    def _reads_more(self) -> bool:
        """Whether the equations may read beside their arguments: the library's own ones do not."""
        return not _is_library(type(self))

    def _repeated(self) -> Expressions:
        before = Readings(self).generators()
        first = self._trace(None)
        after = Readings(self).generators()
        drawn = [name for name, state in before.items() if after.get(name) != state]
        second = first if drawn else self._trace(None)
        # By their hashes, which terms hold ready: comparing terms goes as deep as they are nested.
        if not drawn and hash(first) == hash(second):
            return first
        found = f"running them changes {drawn[0]}" if drawn else _difference(first, second)
        raise TraceError(
            f"{type(self).__name__}: its equations give another map each time they run: {found}. "
            "They are traced once, and one random number, one reading of a clock or one count "
            "would stay in the map. Make what changes an input, as noise in "
            "`inputs = space('w')` whose values `simulate` is given, a parameter or a state."
        )


def readings_of(module: Retraced) -> tuple[Readings, ...]:
    """What the equations read beside their arguments, noted down; the same while it is."""
    return module._read()  # pyright: ignore[reportPrivateUsage] - a hook for subclasses alone


def require_repeatable(module: Retraced) -> None:
    """Refuse a module whose equations, or those of a part, are not the same each time.

    Raises:
        TraceError: For such a module.
    """
    module._require_repeatable()  # pyright: ignore[reportPrivateUsage] - likewise


@final
class Readings:
    """The values that a module's equations read beside their arguments, as they are now.

    Numbers, arrays, containers of them and plain records are compared by content, all else by
    identity. Cost: a fraction of a microsecond for each number that is read, some for each array.
    """

    def __init__(self, module: Retraced) -> None:
        self._kept: list[tuple[ReadPlace, Any, bool, Any]] = []
        for place in _places(module):
            value = place[1](module)
            # The value is kept, too: while it lives, no other one gets its identity.
            self._kept.append((place, value, isinstance(value, _ATOMS), _content(value)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Readings:
        return self  # of a module's copy they are the same, as the expressions are

    def are_those_of(self, other: Readings) -> bool:
        """Whether another module of the class reads the same."""
        return [(name, type(value), content) for (name, _), value, _, content in self._kept] == [
            (name, type(value), content) for (name, _), value, _, content in other._kept
        ]

    def changed(self, module: Retraced) -> str | None:
        """The name of something that is no longer what it was; None where nothing changed."""
        for (name, read), value, is_atom, content in self._kept:
            now = read(module)
            if not (is_atom and now is value) and _content(now) != content:
                return name
        return None

    def generators(self) -> dict[str, Any]:
        """The states of the generators of random numbers that are read, and of the global ones."""
        _, keys, *rest = np.random.get_state()  # noqa: NPY002 - whether the equations drew from it
        return {
            "the state of random": random.getstate(),
            "the state of np.random": (np.asarray(keys).tobytes(), rest),
        } | {
            name: content
            for (name, _), value, _, content in self._kept
            if isinstance(value, _GENERATORS)
        }


def _difference(first: Expressions, second: Expressions) -> str:
    names = [*(s.name for s in first.state), *(f"output {i}" for i in range(len(first.y)))]
    pairs = zip(names, (*first.dx, *first.y), (*second.dx, *second.y), strict=True)
    for name, a, b in pairs:
        if hash(a) != hash(b):
            return f"{name} is {_short(a)} in one run and {_short(b)} in the next"
    return "its domain conditions differ"


def _short(e: Any) -> str:
    try:
        text = str(e.evalf(6))
    except RecursionError:
        text = "a deep formula"
    return text if len(text) <= 60 else text[:56] + " ..."


# -- places


def _places(module: Retraced) -> list[ReadPlace]:
    """Where the equations read: the module's own attributes, and what their code names."""
    cls = type(module)
    found: dict[Any, ReadPlace] = {}
    for name in (n for n in vars(module) if not _is_interface(cls, n)):
        found[name] = _attribute(name)
        inner = getattr(module, name)
        if isinstance(inner, Retraced) and inner is not module:
            found |= {(name, place): _inside(name, place) for place in _places(inner)}
    own = set(vars(module)).union(*map(vars, cls.__mro__))
    seen: set[Any] = set()
    waiting: list[Any] = [f for name in ("equations", "map") for f in _definitions(cls, name)]
    while waiting:
        function = _plain(waiting.pop())
        if function is None or function in seen:
            continue
        seen.add(function)
        names = _names_in(function.__code__)
        for name in names & own:
            known = [*_definitions(cls, name), vars(module).get(name)]
            waiting += known
            if known[:-1] and _plain(known[0]) is None and not _is_interface(cls, name):
                found[name] = _attribute(name)
        for key, name, value, read in _outer(function, names):
            waiting.append(value)
            if not isinstance(value, (types.ModuleType, types.BuiltinFunctionType, type, np.ufunc)):
                found[key] = (name, read)
    return list(found.values())


def _definitions(cls: type, name: str) -> list[Any]:
    """What a class and those that it inherits from call by a name: `super()` reaches them all."""
    return [vars(part)[name] for part in cls.__mro__ if name in vars(part)]


def _outer(function: Any, names: Set[str]) -> Iterator[tuple[Any, str, Any, Callable[[Any], Any]]]:
    """(key, name, value, reader) in a closure, the globals, and the modules and classes there."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name != "__class__":
            read = _cell_reader(cell)
            yield id(cell), name, read(None), read
    # ``x.k`` names the attribute k, not the global of that name.
    own = _globals_in(function.__code__)
    tables: list[tuple[Mapping[str, Any], Set[str]]] = [(function.__globals__, own)]
    tables += [
        (vars(v), names)
        for name in own
        if isinstance(v := function.__globals__.get(name), (types.ModuleType, type))
        and not _is_library(v)
    ]
    for table, named in tables:
        for name in named & table.keys():
            yield (id(table), name), name, table[name], _table_reader(table, name)


@lru_cache(maxsize=4096)
def _globals_in(code: types.CodeType) -> set[str]:
    """The names that code reads as globals, that of functions in it included."""
    found = {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            found |= _globals_in(part)
    return found


def _attribute(name: str) -> ReadPlace:
    return f"self.{name}", lambda module: getattr(module, name, None)


def _inside(outer: str, place: ReadPlace) -> ReadPlace:
    name, read = place
    return f"self.{outer}: {name}", lambda module: read(getattr(module, outer))


def _cell_reader(cell: Any) -> Callable[[Any], Any]:
    def read(_module: Any) -> Any:
        try:
            return cell.cell_contents
        except ValueError:  # nothing is bound yet
            return None

    return read


def _table_reader(table: Mapping[str, Any], name: str) -> Callable[[Any], Any]:
    return lambda _module: table.get(name)


def _plain(value: Any) -> Any:
    """The Python function behind a method or a property; None for anything else.

    None also for the library's own functions, except that `StaticMap.equations` calls `map`, which
    is looked at by itself.
    """
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    is_ours = isinstance(value, types.FunctionType) and not _is_library(value)
    return value if is_ours else None


def _is_library(thing: Any) -> bool:
    name = getattr(thing, "__module__", None) or getattr(thing, "__name__", "")
    return str(name).partition(".")[0] in _LIBRARIES


def _is_interface(cls: type, name: str) -> bool:
    """Whether a name is none of the values of its owner's, or is computed from them."""
    return name in _INTERFACE or isinstance(getattr(cls, name, None), (cached_property, property))


@lru_cache(maxsize=4096)
def _names_in(code: types.CodeType) -> frozenset[str]:
    inner = (_names_in(part) for part in code.co_consts if isinstance(part, types.CodeType))
    return frozenset(code.co_names).union(*inner)


# -- contents


def _content(value: Any, depth: int = 0) -> Any:
    """What tells a value from a later one: numbers themselves, arrays by their bytes, ..."""
    if isinstance(value, _ATOMS):
        return value
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, _GENERATORS):
        return _generator_state(value)
    if depth < _DEEPEST:
        if isinstance(value, (list, tuple, set, frozenset)):
            return type(value), [_content(v, depth + 1) for v in value]
        if isinstance(value, dict):
            return dict, [(k, _content(v, depth + 1)) for k, v in value.items()]
        if isinstance(value, types.SimpleNamespace) or (
            dataclasses.is_dataclass(value) and not isinstance(value, type)
        ):
            fields = getattr(value, "__dict__", {})
            return id(value), [(k, _content(v, depth + 1)) for k, v in fields.items()]
    return id(value)


def _generator_state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    is_new = isinstance(generator, np.random.Generator)
    state = generator.bit_generator.state if is_new else generator.get_state(legacy=False)
    return _content(state)
