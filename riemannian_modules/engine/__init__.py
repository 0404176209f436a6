"""What is computed with a composite: metrics propagated, parameters learned, time run."""

from riemannian_modules.engine.dataset import Dataset, dataset, paired_dataset
from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.engine.equilibrium import OperatingPoint, equilibrium
from riemannian_modules.engine.fit import fit
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.inputs import HeldTable, LinearTable, held_table, linear_table
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
from riemannian_modules.engine.time_courses import (
    CourseFit,
    CourseProblem,
    CourseProfile,
    Dose,
    Experiment,
    Information,
    LaplaceNoise,
    LinearScale,
    Log10Scale,
    LogScale,
    MultiStart,
    Noise,
    NormalNoise,
    Observable,
    Prediction,
    Scale,
    Series,
    SteadyState,
    experiment,
    fit_trajectories,
    multi_start,
    read_experiments,
)
from riemannian_modules.engine.trajectory import Trajectory, read_trajectory

__all__ = [
    "BernoulliLoss",
    "CategoricalLoss",
    "Coupling",
    "CourseFit",
    "CourseProblem",
    "CourseProfile",
    "Dataset",
    "Dose",
    "Experiment",
    "FitResult",
    "FullBatch",
    "GaussianLoss",
    "HeldTable",
    "Information",
    "Iteration",
    "Joint",
    "LaplaceNoise",
    "Layerwise",
    "LayerwiseMetric",
    "LinearModel",
    "LinearScale",
    "LinearTable",
    "Log10Scale",
    "LogScale",
    "Loss",
    "MiniBatches",
    "MultiStart",
    "NoProgress",
    "Noise",
    "NormalNoise",
    "Observable",
    "OperatingPoint",
    "Outcome",
    "PoissonLoss",
    "Prediction",
    "Progress",
    "Scale",
    "Schedule",
    "Series",
    "SquaredLoss",
    "Stability",
    "SteadyState",
    "TerminalProgress",
    "Trajectory",
    "dataset",
    "equilibrium",
    "experiment",
    "fit",
    "fit_trajectories",
    "held_table",
    "linear_table",
    "linearize",
    "multi_start",
    "one_hot",
    "paired_dataset",
    "propagate",
    "read_experiments",
    "read_trajectory",
    "simulate",
]
