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
from riemannian_modules.modules.demux import Demux
from riemannian_modules.modules.equations import Equations
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.flow_map import FlowMap
from riemannian_modules.modules.gain import Gain, MatrixGain
from riemannian_modules.modules.gene_expression import GeneExpression
from riemannian_modules.modules.hill import HillActivation, HillRepression
from riemannian_modules.modules.integrator import Integrator
from riemannian_modules.modules.lag import Lag
from riemannian_modules.modules.mass_action import MassAction
from riemannian_modules.modules.michaelis_menten import MichaelisMenten
from riemannian_modules.modules.mux import Mux
from riemannian_modules.modules.observer import DiscreteObserver, Observer
from riemannian_modules.modules.phosphorylation_cycle import PhosphorylationCycle
from riemannian_modules.modules.pid import PID
from riemannian_modules.modules.pool import Pool
from riemannian_modules.modules.resampled import Resampled
from riemannian_modules.modules.sampled import Sampled
from riemannian_modules.modules.saturation import Saturation
from riemannian_modules.modules.state_space import DiscreteStateSpace, StateSpace
from riemannian_modules.modules.sum import Sum
from riemannian_modules.modules.transfer_function import TransferFunction
from riemannian_modules.modules.unit_delay import UnitDelay

__all__ = [
    "ELU",
    "GELU",
    "PID",
    "Affine",
    "Demux",
    "DiscreteObserver",
    "DiscreteStateSpace",
    "Equations",
    "ExpressionModule",
    "FlowMap",
    "Gain",
    "GeneExpression",
    "HillActivation",
    "HillRepression",
    "Integrator",
    "Lag",
    "LeakyReLU",
    "MassAction",
    "MatrixGain",
    "MichaelisMenten",
    "Mux",
    "Observer",
    "PhosphorylationCycle",
    "Pool",
    "ReLU",
    "Resampled",
    "Sampled",
    "Saturation",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "StateSpace",
    "Sum",
    "Tanh",
    "TransferFunction",
    "UnitDelay",
]
