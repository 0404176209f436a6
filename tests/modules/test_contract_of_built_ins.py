"""Every built-in static and control module keeps the contract of modules."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.testing import check_module

normal = np.random.default_rng(0).standard_normal
MODULES = {
    "affine": rm.Affine(normal((3, 2)), normal(3)),
    "gain": rm.Gain(2.5, 3),
    "gains": rm.Gain([1.0, 2.0, -3.0]),
    "matrix gain": rm.MatrixGain(normal((2, 3))),
    "sum": rm.Sum("+-+", 2),
    "error": rm.Sum(reference="+", measurement="-"),
    "mux": rm.Mux(a=2, b=(2, 2)),
    "demux": rm.Demux("p q", c=2),
    "saturation": rm.Saturation(-1.0, [0.5, 1.0], 2),
    "state space": rm.StateSpace(normal((3, 3)), normal((3, 2)), normal((2, 3)), normal((2, 2))),
    "ports": rm.StateSpace(
        normal((3, 3)), normal((3, 3)), normal((2, 3)), [[1.0, 0, 0], [0, 0, 2.0]],
        inputs=rm.space(v=2, w=()), outputs=rm.space("a b"),
    ),
    "autonomous": rm.StateSpace(-np.eye(2), np.zeros((2, 0)), np.eye(2)),
    "discrete": rm.DiscreteStateSpace(normal((3, 3)), normal((3, 2)), normal((2, 3))),
    "observer": rm.Observer(normal((3, 3)), normal((3, 1)), normal((2, 3)), normal((3, 2))),
    "discrete observer": rm.DiscreteObserver(
        normal((3, 3)), normal((3, 1)), normal((2, 3)), normal((3, 2))
    ),
    "integrator": rm.Integrator(2),
    "unit delay": rm.UnitDelay((2, 2)),
    "lag": rm.Lag(2.0, 3.0),
    "pid": rm.PID(1.0, 2.0, 3.0, 0.1),
    "strictly proper": rm.TransferFunction([1.0, 2.0], [2.0, 3.0, 4.0]),
    "proper": rm.TransferFunction([1.0, 2.0, 5.0], [2.0, 3.0, 4.0]),
    "ratio": rm.TransferFunction([3.0], [2.0]),
    "tanh": rm.Tanh(3),
    "sigmoid": rm.Sigmoid(3),
    "relu": rm.ReLU(3),
    "leaky relu": rm.LeakyReLU(3),
    "softplus": rm.Softplus(3),
    "elu": rm.ELU(3),
    "gelu": rm.GELU(3),
    "silu": rm.SiLU(3),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_the_module_keeps_the_contract(name):
    check_module(MODULES[name])
