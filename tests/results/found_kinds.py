"""Every class that a user of the library meets, found by inspection."""

import ast
import enum
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache, cached_property
from types import ModuleType

import riemannian_modules

ROOMS = ("", "certify", "engine", "graph", "metrics", "modules", "plot", "results", "spec")
# What modules, searches and fits hold inside, for those who write new ones; no result.
INSIDE = {
    *("ScalarFunction", "Facts", "Matrices", "Outer", "Plan", "Values", "Problem", "Criterion"),
    *("CutTree", "LocalModel", "Row", "Task", "Readings", "Pull"),
    *("CourseModel", "PartNorm"),
}
Place = str  # where a class was met, in words


@cache
def sources() -> tuple[ModuleType, ...]:
    """All files of the library, imported."""
    found = pkgutil.walk_packages(riemannian_modules.__path__, "riemannian_modules.")
    return tuple(
        importlib.import_module(info.name)
        for info in found
        if not info.name.endswith("__main__") and ".cli" not in info.name
    )


def public() -> dict[str, object]:
    """Everything in the `__all__` of a room."""
    rooms = [importlib.import_module(f"riemannian_modules.{r}".rstrip(".")) for r in ROOMS]
    return {
        f"{room.__name__}.{name}": getattr(room, name) for room in rooms for name in room.__all__
    }


@cache
def names_in(module: ModuleType) -> dict[str, object]:
    """What names mean in a file, those that are imported for typing alone included."""
    meanings: dict[str, object] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("riemannian"):
            room = importlib.import_module(node.module)
            meanings |= {a.asname or a.name: getattr(room, a.name, None) for a in node.names}
    return meanings | vars(module)


def classes_named(annotation: object, module: ModuleType) -> Iterator[type]:
    """The library's classes in an annotation, unions and containers opened."""
    if not isinstance(annotation, str):
        annotation = getattr(annotation, "__name__", "")
    for node in ast.walk(ast.parse(annotation or "None", mode="eval")):
        if isinstance(node, ast.Name):
            yield from members_of(names_in(module).get(node.id))


def members_of(meaning: object) -> Iterator[type]:
    if inspect.isclass(meaning) and meaning.__module__.startswith("riemannian_modules"):
        yield meaning
    for part in getattr(meaning, "__args__", ()):
        yield from members_of(part)


def returned(function: object) -> Iterator[type]:
    """The classes that a function may return, by its annotation."""
    plain = inspect.unwrap(function)
    annotation = getattr(plain, "__annotations__", {}).get("return")
    if annotation is not None:
        yield from classes_named(annotation, inspect.getmodule(plain))


def attributes_of(kind: type) -> Iterator[tuple[str, type]]:
    """The classes of a class's public attributes, and those that its public methods return."""
    for part in kind.__mro__:
        if not part.__module__.startswith("riemannian_modules"):
            continue
        for name, annotation in vars(part).get("__annotations__", {}).items():
            if not name.startswith("_"):
                found = classes_named(annotation, inspect.getmodule(part))
                yield from ((f"{kind.__name__}.{name}", c) for c in found)
        for name, value in vars(part).items():
            if name.startswith("_"):
                continue
            function = function_of(value)
            if inspect.isfunction(function):
                yield from ((f"{kind.__name__}.{name}", c) for c in returned(function))


def function_of(member: object) -> object:
    """The function behind a property or a method."""
    match member:
        case property():
            return member.fget
        case cached_property():
            return member.func
        case staticmethod() | classmethod():
            return member.__func__
    return member


def found_kinds() -> dict[type, Place]:
    """Every public class, every class that a public function returns, and what these show."""
    found: dict[type, Place] = {}
    for name, value in public().items():
        if inspect.isclass(value):
            found.setdefault(value, name)
        elif inspect.isfunction(value):
            for kind in returned(value):
                found.setdefault(kind, f"{name}()")
    for kind in [*found]:
        for place, shown in attributes_of(kind):
            found.setdefault(shown, place)
    return {
        kind: place
        for kind, place in found.items()
        if not issubclass(kind, enum.Enum) and kind.__name__ not in INSIDE
    }
