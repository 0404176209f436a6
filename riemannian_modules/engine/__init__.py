"""What is computed with a composite: metrics propagated, parameters learned, time run."""

from riemannian_modules.engine.dataset import Dataset, dataset, paired_dataset
from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.engine.equilibrium import OperatingPoint, equilibrium
from riemannian_modules.engine.events import Event, Occurrence, at_times, event, stop
from riemannian_modules.engine.fit import fit
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.input_functions import Jumping, jumping
from riemannian_modules.engine.input_tables import HeldTable, LinearTable, held_table, linear_table
from riemannian_modules.engine.layerwise import LayerwiseMetric
from riemannian_modules.engine.linear_model import LinearModel
from riemannian_modules.engine.linearize import linearize
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.losses import (
    BernoulliLoss,
    CategoricalLoss,
    GaussianLoss,
    PoissonLoss,
    SquaredLoss,
    one_hot,
)
from riemannian_modules.engine.objective import Coupling, Joint, Layerwise
from riemannian_modules.engine.poles import Stability
from riemannian_modules.engine.progress import NoProgress, Progress, TerminalProgress
from riemannian_modules.engine.propagate import propagate
from riemannian_modules.engine.schedule import FullBatch, MiniBatches, Schedule
from riemannian_modules.engine.simulate import simulate
from riemannian_modules.engine.trajectory import Trajectory, read_trajectory

__all__ = [
    "BernoulliLoss",
    "CategoricalLoss",
    "Coupling",
    "Dataset",
    "Event",
    "FitResult",
    "FullBatch",
    "GaussianLoss",
    "HeldTable",
    "Iteration",
    "Joint",
    "Jumping",
    "Layerwise",
    "LayerwiseMetric",
    "LinearModel",
    "LinearTable",
    "Loss",
    "MiniBatches",
    "NoProgress",
    "Occurrence",
    "OperatingPoint",
    "Outcome",
    "PoissonLoss",
    "Progress",
    "Schedule",
    "SquaredLoss",
    "Stability",
    "TerminalProgress",
    "Trajectory",
    "at_times",
    "dataset",
    "equilibrium",
    "event",
    "fit",
    "held_table",
    "jumping",
    "linear_table",
    "linearize",
    "one_hot",
    "paired_dataset",
    "propagate",
    "read_trajectory",
    "simulate",
    "stop",
]
