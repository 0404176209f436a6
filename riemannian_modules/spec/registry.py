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
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.traced import TracedModule


@final
@dataclass(frozen=True)
class Argument:
    """One parameter of a constructor: its annotation's alternatives, and how it is passed."""

    name: str
    kinds: tuple[str, ...]
    is_required: bool
    is_list: bool = False
    is_mapping: bool = False


@final
@dataclass(frozen=True)
class Constructor:
    """A module type that files may name."""

    cls: type[RiemannianModule]
    arguments: Mapping[str, Argument]

    def named(self, module: RiemannianModule) -> dict[str, Any]:
        """The arguments that ``module`` was made with, by name, less values of parameters."""
        args, kwargs = module.made_with
        bound = inspect.signature(self.cls).bind(*args, **kwargs).arguments
        return {name: value for name, value in bound.items() if name in self.arguments}

    def make(self, values: Mapping[str, Any]) -> RiemannianModule:
        """Call the constructor with arguments by name."""
        rows = dict(values)
        args: list[Any] = []
        for name, p in inspect.signature(self.cls).parameters.items():
            if p.kind is p.POSITIONAL_ONLY and name in rows:
                args.append(rows.pop(name))
            elif p.kind is p.VAR_POSITIONAL:
                args.extend(rows.pop(name, ()))
            elif p.kind is p.VAR_KEYWORD:
                rows |= rows.pop(name, {})
        return self.cls(*args, **rows)


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


def _arguments(cls: type[RiemannianModule]) -> dict[str, Argument]:
    rows: dict[str, Argument] = {}
    for name, p in inspect.signature(cls).parameters.items():
        # The keywords of a traced module are values of its parameters, which files hold anyway.
        if p.kind is p.VAR_KEYWORD and cls.__init__ is TracedModule.__init__:
            continue
        is_list, is_mapping = p.kind is p.VAR_POSITIONAL, p.kind is p.VAR_KEYWORD
        is_required = p.default is p.empty and not (is_list or is_mapping)
        kinds = _alternatives(p.annotation)
        rows[name] = Argument(name, kinds, is_required, is_list, is_mapping)
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
