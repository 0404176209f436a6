"""Riemannian modules: differentiable modules that compose, learn and are certified in metrics."""

from riemannian_modules.graph import ModuleGraph, Wiring, chain
from riemannian_modules.modules import (
    ELU,
    GELU,
    Affine,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.traced import Flow, StaticMap, StepMap
from riemannian_modules.space import Port, Space, space

__all__ = [
    "ELU",
    "GELU",
    "Affine",
    "Flow",
    "LeakyReLU",
    "ModuleGraph",
    "Port",
    "ReLU",
    "RiemannianModule",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Space",
    "StaticMap",
    "StepMap",
    "Tanh",
    "Time",
    "Wiring",
    "chain",
    "space",
]
