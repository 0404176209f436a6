"""Riemannian modules: differentiable modules that compose, learn and are certified in metrics."""

from riemannian_modules.graph import ModuleGraph, Wiring, chain
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.traced import Flow, StaticMap, StepMap
from riemannian_modules.space import Port, Space, space

__all__ = [
    "Flow",
    "ModuleGraph",
    "Port",
    "RiemannianModule",
    "Space",
    "StaticMap",
    "StepMap",
    "Time",
    "Wiring",
    "chain",
    "space",
]
