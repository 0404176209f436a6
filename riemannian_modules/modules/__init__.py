"""Kinds of modules, one a file."""

from riemannian_modules.modules.activation import (
    ELU,
    GELU,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from riemannian_modules.modules.affine import Affine
from riemannian_modules.modules.flow_map import FlowMap
from riemannian_modules.modules.gene_expression import GeneExpression
from riemannian_modules.modules.hill import HillActivation, HillRepression
from riemannian_modules.modules.mass_action import MassAction
from riemannian_modules.modules.michaelis_menten import MichaelisMenten
from riemannian_modules.modules.phosphorylation_cycle import PhosphorylationCycle
from riemannian_modules.modules.pool import Pool

__all__ = [
    "ELU",
    "GELU",
    "Affine",
    "FlowMap",
    "GeneExpression",
    "HillActivation",
    "HillRepression",
    "LeakyReLU",
    "MassAction",
    "MichaelisMenten",
    "PhosphorylationCycle",
    "Pool",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]
