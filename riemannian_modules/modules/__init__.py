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

__all__ = ["ELU", "GELU", "Affine", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh"]
