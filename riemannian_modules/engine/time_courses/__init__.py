"""Time courses: flows fitted to measurements of several experiments."""

from riemannian_modules.engine.time_courses.course_fit import CourseFit
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.experiments import (
    Dose,
    Experiment,
    SteadyState,
    experiment,
)
from riemannian_modules.engine.time_courses.information import Information
from riemannian_modules.engine.time_courses.multiple_starts import MultiStart, multi_start
from riemannian_modules.engine.time_courses.noise import LaplaceNoise, Noise, NormalNoise
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.prediction import CoursePrediction
from riemannian_modules.engine.time_courses.scale import LinearScale, Log10Scale, LogScale, Scale
from riemannian_modules.engine.time_courses.series import Series
from riemannian_modules.engine.time_courses.table import read_experiments
from riemannian_modules.engine.time_courses.trajectory_fit import fit_trajectories

__all__ = [
    "CourseFit",
    "CoursePrediction",
    "CourseProblem",
    "Dose",
    "Experiment",
    "Information",
    "LaplaceNoise",
    "LinearScale",
    "Log10Scale",
    "LogScale",
    "MultiStart",
    "Noise",
    "NormalNoise",
    "Observable",
    "Scale",
    "Series",
    "SteadyState",
    "experiment",
    "fit_trajectories",
    "multi_start",
    "read_experiments",
]
