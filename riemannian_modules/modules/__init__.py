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
from riemannian_modules.modules.anti_windup import BackCalculationPID, ClampedPID
from riemannian_modules.modules.delay import Delay
from riemannian_modules.modules.demux import Demux
from riemannian_modules.modules.discrete_delay import DiscreteDelay
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
from riemannian_modules.modules.output_feedback import DiscreteOutputFeedback, OutputFeedback
from riemannian_modules.modules.pade_delay import PadeDelay
from riemannian_modules.modules.phosphorylation_cycle import PhosphorylationCycle
from riemannian_modules.modules.pid import PID
from riemannian_modules.modules.pool import Pool
from riemannian_modules.modules.rate_limit import DiscreteRateLimit, RateLimit
from riemannian_modules.modules.resampled import Resampled
from riemannian_modules.modules.sampled import Sampled
from riemannian_modules.modules.saturation import Saturation
from riemannian_modules.modules.state_feedback import StateFeedback
from riemannian_modules.modules.state_space import DiscreteStateSpace, StateSpace
from riemannian_modules.modules.sum import Sum
from riemannian_modules.modules.transfer_function import TransferFunction
from riemannian_modules.modules.unit_delay import UnitDelay

__all__ = [
    "ELU",
    "GELU",
    "PID",
    "Affine",
    "BackCalculationPID",
    "ClampedPID",
    "Delay",
    "Demux",
    "DiscreteDelay",
    "DiscreteObserver",
    "DiscreteOutputFeedback",
    "DiscreteRateLimit",
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
    "OutputFeedback",
    "PadeDelay",
    "PhosphorylationCycle",
    "Pool",
    "RateLimit",
    "ReLU",
    "Resampled",
    "Sampled",
    "Saturation",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "StateFeedback",
    "StateSpace",
    "Sum",
    "Tanh",
    "TransferFunction",
    "UnitDelay",
]
