"""Composition: modules wired port to port into a composite, which is a module again."""

from riemannian_modules.graph.chains import chain
from riemannian_modules.graph.graph import ModuleGraph
from riemannian_modules.graph.wiring import Wiring

__all__ = ["ModuleGraph", "Wiring", "chain"]
