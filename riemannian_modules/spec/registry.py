"""Which modules a system file can name, and what their constructors take.

Nothing is listed by hand: every final module class of `riemannian_modules.modules` is known under
its own name, and the fields of its entry in a file are the parameters of its constructor.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import riemannian_modules.modules as room
from riemannian_modules.door import keywords
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule, constructor_arguments
from riemannian_modules.modules.traced import TracedModule


@final
@dataclass(frozen=True)
class Argument:
    """One parameter of a constructor, or its free keywords: its annotation's alternatives."""

    name: str
    kinds: tuple[str, ...]
    is_required: bool
    is_mapping: bool = False


@final
@dataclass(frozen=True)
class Constructor:
    """A module type that files may name."""

    cls: type[RiemannianModule]
    arguments: Mapping[str, Argument]

    @property
    def is_open(self) -> bool:
        """Whether it takes names of the user's beside its own, as ``Sum(reference="+")``."""
        return any(argument.is_mapping for argument in self.arguments.values())

    def kinds(self, name: str) -> tuple[str, ...]:
        """The alternatives of an argument's annotation; none for a name of the user's."""
        argument = self.arguments.get(name)
        return argument.kinds if argument else ()

    def named(self, module: RiemannianModule) -> dict[str, Any]:
        """The keywords that make ``module`` again, less values of parameters."""
        args, kwargs = constructor_arguments(module)
        bound = constructor_signature(self.cls).bind(*args, **kwargs).arguments
        rows = {name: value for name, value in bound.items() if name in self.arguments}
        reserved = {*self.arguments, "type", "parameters"}
        for name, argument in self.arguments.items():
            if argument.is_mapping:
                free = keywords(name, rows.pop(name, {}))
                rows |= {name: free} if reserved & free.keys() else free
        return rows


@cache
def constructors() -> Mapping[str, Constructor]:
    """Every module type that files may name, by name; found once."""
    found = {cls.__name__: cls for cls in _concrete_modules()}
    return {name: Constructor(cls, _arguments(cls)) for name, cls in sorted(found.items())}


def _concrete_modules() -> Iterator[type[RiemannianModule]]:
    for info in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        source = importlib.import_module(info.name)
        for cls in vars(source).values():
            if (
                inspect.isclass(cls)
                and issubclass(cls, RiemannianModule)
                and cls.__module__ == info.name
                and not inspect.isabstract(cls)
                and not cls.__name__.startswith("_")
                and getattr(cls, "__final__", False)
                and cls is not ExpressionModule
            ):
                yield cls


def constructor_signature(cls: type) -> inspect.Signature:
    """The parameters of a constructor, less ``self``: those of ``__init__``.

    The signature of the class itself is that of ``__new__`` before Python 3.11.3, and of a
    metaclass's ``__call__`` on any Python, which take everything.
    """
    if cls.__init__ is object.__init__:
        return inspect.Signature()
    own = inspect.signature(cls.__init__)
    return own.replace(parameters=list(own.parameters.values())[1:])


def _arguments(cls: type[RiemannianModule]) -> dict[str, Argument]:
    rows: dict[str, Argument] = {}
    for name, p in constructor_signature(cls).parameters.items():
        # The keywords of a traced module are values of its parameters, which files hold anyway.
        if p.kind is p.VAR_KEYWORD and cls.__init__ is TracedModule.__init__:
            continue
        is_mapping = p.kind is p.VAR_KEYWORD
        is_required = p.default is p.empty and not is_mapping
        rows[name] = Argument(name, _alternatives(p.annotation), is_required, is_mapping)
    return rows


def _alternatives(annotation: Any) -> tuple[str, ...]:
    """An annotation's alternatives by their leading names: ``int | tuple[Any, ...]`` has two."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")
    while "[" in text:
        shorter = re.sub(r"\[[^\[\]]*\]", "", text)
        if shorter == text:
            break
        text = shorter
    return tuple(part.strip().rsplit(".", 1)[-1] for part in text.split("|"))
