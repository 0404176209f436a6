"""Riemannian modules: differentiable modules that compose, learn and are certified in metrics."""

from riemannian_modules.graph import ModuleGraph, Wiring, chain
from riemannian_modules.modules.flow_map import FlowMap
from riemannian_modules.modules.gene_expression import GeneExpression
from riemannian_modules.modules.hill import HillActivation, HillRepression
from riemannian_modules.modules.mass_action import MassAction
from riemannian_modules.modules.michaelis_menten import MichaelisMenten
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.phosphorylation_cycle import PhosphorylationCycle
from riemannian_modules.modules.pool import Pool
from riemannian_modules.modules.traced import Flow, StaticMap, StepMap
from riemannian_modules.space import Port, Space, space

__all__ = [
    "Flow",
    "FlowMap",
    "GeneExpression",
    "HillActivation",
    "HillRepression",
    "MassAction",
    "MichaelisMenten",
    "ModuleGraph",
    "PhosphorylationCycle",
    "Pool",
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
