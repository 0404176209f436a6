"""Which modules own the parameters of a module: it itself, or those that it is made of.

Source: none; a module that stands in several places of a composite has one set of parameters.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Self

from riemannian_modules.modules.module import RiemannianModule


class Compound(abc.ABC):
    """A module that is made of others, whose parameters are theirs."""

    @property
    @abc.abstractmethod
    def owners(self) -> Mapping[str, RiemannianModule]:
        """The modules that own the parameters, in theta's order; what stands twice owns once."""

    @abc.abstractmethod
    def with_owners(self, changed: Mapping[int, RiemannianModule]) -> Self:
        """The same module with other owners, by the ``id`` of those they replace."""


class Composite(Compound):
    """A module that is a graph of others.

    Attributes:
        nodes: Leaf modules by name.
    """

    nodes: Mapping[str, RiemannianModule]


def owners_of(module: RiemannianModule) -> Mapping[str, RiemannianModule]:
    """The modules that own the parameters, in theta's order; one that stands twice owns once."""
    return module.owners if isinstance(module, Compound) else {"": module}


def with_owners(
    module: RiemannianModule, changed: Mapping[int, RiemannianModule]
) -> RiemannianModule:
    """The same module with other owners, by the ``id`` of those they replace; one stays one."""
    return module.with_owners(changed) if isinstance(module, Compound) else changed[id(module)]
