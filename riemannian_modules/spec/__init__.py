"""System files: modules and graphs of them as JSON, with what is to be done with them."""

from riemannian_modules.spec.files import load_system, save_system, system_schema
from riemannian_modules.spec.system import FitTask, Goal, Simulation, System

__all__ = [
    "FitTask",
    "Goal",
    "Simulation",
    "System",
    "load_system",
    "save_system",
    "system_schema",
]
