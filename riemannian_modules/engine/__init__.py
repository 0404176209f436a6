"""What is computed with a composite: metrics propagated, parameters learned, time run."""

from riemannian_modules.engine.equilibrium import OperatingPoint, equilibrium
from riemannian_modules.engine.inputs import HeldTable, LinearTable, held_table, linear_table
from riemannian_modules.engine.linear_model import LinearModel
from riemannian_modules.engine.linearize import linearize
from riemannian_modules.engine.simulate import simulate
from riemannian_modules.engine.trajectory import Trajectory, read_trajectory

__all__ = [
    "HeldTable",
    "LinearModel",
    "LinearTable",
    "OperatingPoint",
    "Trajectory",
    "equilibrium",
    "held_table",
    "linear_table",
    "linearize",
    "read_trajectory",
    "simulate",
]
