"""Riemannian modules: differentiable modules that compose, learn and are certified in metrics.

Modules, wiring and regions are here. What is done with them is in packages that need heavier
libraries, which are loaded when they are first named: `riemannian_modules.engine` (simulate, fit,
propagate, linearize), `riemannian_modules.certify`, `plot`, `results`, `spec` and `testing`.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from riemannian_modules.graph import ModuleGraph, Wiring, chain
from riemannian_modules.modules import (
    ELU,
    GELU,
    PID,
    Affine,
    BackCalculationPID,
    ClampedPID,
    Delay,
    Demux,
    DiscreteDelay,
    DiscreteObserver,
    DiscreteOutputFeedback,
    DiscreteRateLimit,
    DiscreteStateSpace,
    Equations,
    ExpressionModule,
    FlowMap,
    Gain,
    GeneExpression,
    HillActivation,
    HillRepression,
    Integrator,
    Lag,
    LeakyReLU,
    MassAction,
    MatrixGain,
    MichaelisMenten,
    Mux,
    Observer,
    OutputFeedback,
    PadeDelay,
    PhosphorylationCycle,
    Pool,
    RateLimit,
    ReLU,
    Resampled,
    Sampled,
    Saturation,
    Sigmoid,
    SiLU,
    Softplus,
    StateFeedback,
    StateSpace,
    Sum,
    Tanh,
    TransferFunction,
    UnitDelay,
)
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.traced import Flow, StaticMap, StepMap
from riemannian_modules.region import Box, ball, box, simplex
from riemannian_modules.spaces import Port, Space, space
from riemannian_modules.version import __version__

if TYPE_CHECKING:
    from riemannian_modules import certify as certify
    from riemannian_modules import engine as engine
    from riemannian_modules import errors as errors
    from riemannian_modules import metrics as metrics
    from riemannian_modules import plot as plot
    from riemannian_modules import results as results
    from riemannian_modules import spec as spec
    from riemannian_modules import testing as testing

__all__ = [
    "ELU",
    "GELU",
    "PID",
    "Affine",
    "BackCalculationPID",
    "Box",
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
    "Flow",
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
    "ModuleGraph",
    "Mux",
    "Observer",
    "OutputFeedback",
    "PadeDelay",
    "PhosphorylationCycle",
    "Pool",
    "Port",
    "RateLimit",
    "ReLU",
    "Resampled",
    "RiemannianModule",
    "Sampled",
    "Saturation",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Space",
    "StateFeedback",
    "StateSpace",
    "StaticMap",
    "StepMap",
    "Sum",
    "Tanh",
    "Time",
    "TransferFunction",
    "UnitDelay",
    "Wiring",
    "__version__",
    "ball",
    "box",
    "chain",
    "simplex",
    "space",
]

_LOADED_WHEN_NAMED = frozenset(["certify", "engine", "plot", "results", "spec", "testing"])


if (
    not TYPE_CHECKING
):  # for a type checker, which is to find misspelled names, they are imported above

    def __getattr__(name: str) -> ModuleType:
        """Load a package when it is first named (PEP 562).

        Raises:
            AttributeError: For a name that the library does not have.
        """
        if name not in _LOADED_WHEN_NAMED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LOADED_WHEN_NAMED})
