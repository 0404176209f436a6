"""What is computed with a composite: metrics propagated, parameters learned, time run."""

from riemannian_modules.engine.backward_sweep import gradient
from riemannian_modules.engine.branch import Branch, SpecialPoint
from riemannian_modules.engine.datasets import Dataset, dataset, paired_dataset
from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.engine.equilibrium_search import Equilibria, equilibria
from riemannian_modules.engine.events import Event, Occurrence, at_times, event, stop
from riemannian_modules.engine.fit_problem import FitProblem
from riemannian_modules.engine.fit_result import FitResult
from riemannian_modules.engine.fitting import fit
from riemannian_modules.engine.frequency import FrequencyResponse
from riemannian_modules.engine.gramians import Gramians
from riemannian_modules.engine.identifiability import Identifiability
from riemannian_modules.engine.input_functions import Jumping, jumping
from riemannian_modules.engine.input_tables import HeldTable, LinearTable, held_table, linear_table
from riemannian_modules.engine.jacobian_linearisation import linearize
from riemannian_modules.engine.layerwise import LayerwiseMetric
from riemannian_modules.engine.linear_model import LinearModel
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.losses import (
    BernoulliLoss,
    CategoricalLoss,
    GaussianLoss,
    PoissonLoss,
    SquaredLoss,
    one_hot,
)
from riemannian_modules.engine.margins import Margins
from riemannian_modules.engine.nyquist import Nyquist
from riemannian_modules.engine.objective import Coupling, Joint, Layerwise
from riemannian_modules.engine.operating_point import OperatingPoint, equilibrium
from riemannian_modules.engine.poles import Stability
from riemannian_modules.engine.prediction import Prediction
from riemannian_modules.engine.priors import (
    LaplacePrior,
    LogNormalPrior,
    NormalPrior,
    Prior,
    UniformPrior,
    ridge,
)
from riemannian_modules.engine.profile import Profile
from riemannian_modules.engine.progress import NoProgress, Progress, TerminalProgress
from riemannian_modules.engine.propagation import propagate
from riemannian_modules.engine.pseudo_arclength import continuation
from riemannian_modules.engine.reachable import Rank
from riemannian_modules.engine.regulators import Estimator, Feedback
from riemannian_modules.engine.robust_losses import (
    CauchyLoss,
    HuberLoss,
    RobustLoss,
    SoftL1Loss,
    StudentLoss,
)
from riemannian_modules.engine.root_locus import RootLocus
from riemannian_modules.engine.run_ends import RunEnds
from riemannian_modules.engine.schedule import FullBatch, MiniBatches, Schedule
from riemannian_modules.engine.simulation import simulate
from riemannian_modules.engine.solve_plan import SolvePlan, Way
from riemannian_modules.engine.step_info import StepInfo
from riemannian_modules.engine.step_response import StepResponse
from riemannian_modules.engine.stopping import Tolerances
from riemannian_modules.engine.system_norms import PeakGain
from riemannian_modules.engine.time_courses import (
    CourseFit,
    CoursePrediction,
    CourseProblem,
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
    Scale,
    Series,
    SteadyState,
    experiment,
    fit_trajectories,
    multi_start,
    read_experiments,
)
from riemannian_modules.engine.trajectory import Trajectory
from riemannian_modules.engine.trajectory_file import read_trajectory
from riemannian_modules.integration.cvode import cvode
from riemannian_modules.integration.tally import SolverRun

__all__ = [
    "BernoulliLoss",
    "Branch",
    "CategoricalLoss",
    "CauchyLoss",
    "Coupling",
    "CourseFit",
    "CoursePrediction",
    "CourseProblem",
    "Dataset",
    "Dose",
    "Equilibria",
    "Estimator",
    "Event",
    "Experiment",
    "Feedback",
    "FitProblem",
    "FitResult",
    "FrequencyResponse",
    "FullBatch",
    "GaussianLoss",
    "Gramians",
    "HeldTable",
    "HuberLoss",
    "Identifiability",
    "Information",
    "Iteration",
    "Joint",
    "Jumping",
    "LaplaceNoise",
    "LaplacePrior",
    "Layerwise",
    "LayerwiseMetric",
    "LinearModel",
    "LinearScale",
    "LinearTable",
    "Log10Scale",
    "LogNormalPrior",
    "LogScale",
    "Loss",
    "Margins",
    "MiniBatches",
    "MultiStart",
    "NoProgress",
    "Noise",
    "NormalNoise",
    "NormalPrior",
    "Nyquist",
    "Observable",
    "Occurrence",
    "OperatingPoint",
    "Outcome",
    "PeakGain",
    "PoissonLoss",
    "Prediction",
    "Prior",
    "Profile",
    "Progress",
    "Rank",
    "RobustLoss",
    "RootLocus",
    "RunEnds",
    "Scale",
    "Schedule",
    "Series",
    "SoftL1Loss",
    "SolvePlan",
    "SolverRun",
    "SpecialPoint",
    "SquaredLoss",
    "Stability",
    "SteadyState",
    "StepInfo",
    "StepResponse",
    "StudentLoss",
    "TerminalProgress",
    "Tolerances",
    "Trajectory",
    "UniformPrior",
    "Way",
    "at_times",
    "continuation",
    "cvode",
    "dataset",
    "equilibria",
    "equilibrium",
    "event",
    "experiment",
    "fit",
    "fit_trajectories",
    "gradient",
    "held_table",
    "jumping",
    "linear_table",
    "linearize",
    "multi_start",
    "one_hot",
    "paired_dataset",
    "propagate",
    "read_experiments",
    "read_trajectory",
    "ridge",
    "simulate",
    "stop",
]
