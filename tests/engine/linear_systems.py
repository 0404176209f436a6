"""Random linear systems of known properties, and the same systems in python-control."""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.engine import linearize


def stable_matrix(rng, n):
    """Poles well inside the left half plane, in coordinates of moderate condition."""
    A = rng.standard_normal((n, n))
    return A - (np.linalg.eigvals(A).real.max() + rng.uniform(0.2, 1.0)) * np.eye(n)


def shrunk_matrix(rng, n):
    """Poles well inside the unit circle."""
    A = rng.standard_normal((n, n))
    return A * rng.uniform(0.3, 0.95) / np.abs(np.linalg.eigvals(A)).max()


def flow(A, B, C, D=None, **names):
    return linearize(rm.StateSpace(A, B, C, D, **names))


def step(A, B, C, D=None, **names):
    return linearize(rm.DiscreteStateSpace(A, B, C, D, **names))


def random_model(rng, n, m, q, *, is_discrete, with_d=True):
    """A stable model of n states, m inputs and q outputs; discrete ones take steps of 0.1 s."""
    A = shrunk_matrix(rng, n) if is_discrete else stable_matrix(rng, n)
    B, C = rng.standard_normal((n, m)), rng.standard_normal((q, n))
    D = rng.standard_normal((q, m)) if with_d else None
    if is_discrete:
        return step(A, B, C, D, sampling_time=(0.1, "s"))
    return flow(A, B, C, D)


def in_control(model):
    """The same model in python-control."""
    import control

    step_length = model.step if model.is_discrete else 0
    return control.ss(model.A, model.B, model.C, model.D, step_length)
