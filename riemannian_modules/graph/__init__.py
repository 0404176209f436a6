"""Composition: modules wired port to port into a composite, which is a module again."""

from riemannian_modules.graph.graph import ModuleGraph
from riemannian_modules.graph.wiring import Wiring, chain

__all__ = ["ModuleGraph", "Wiring", "chain"]
