"""Systems whose true rate in a given norm is known, and their regions in equal boxes.

A Jacobian that is affine in some slopes has its worst log-norm, a convex function, at an end of the
slopes' ranges: that is the truth wherever the ends are reached.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import certify, l2


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A system, a box of its states, a metric, and the log-norm (or factor) that is true there."""

    name: str
    module: rm.RiemannianModule
    sides: Mapping[str, tuple[float, float]]
    metric: np.ndarray
    truth: float
    boxes: int


class Gradient(rm.Flow):
    """Minus the gradient of log cosh(x + y) + log cosh(x - y) + 0.15 (x^2 + y^2)."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        a, b = np.tanh(x.x + x.y), np.tanh(x.x - x.y)
        return {"x": -a - b - 0.3 * x.x, "y": -a + b - 0.3 * x.y}


class Skew(rm.Flow):
    """Firing rates and a cubic in feedback, skew in the metric diag(1, 1, 4)."""

    state = rm.space(x="", z="", y="")

    def equations(self, x, u, p):
        K = 1000.0
        return {
            "x": -x.x + 0.5 * np.tanh(x.z) + K * x.y,
            "z": -x.z - 0.5 * np.tanh(x.x) + 2 * K * x.y,
            "y": -2 * x.y - x.y**3 - K / 4 * (x.x + 2 * x.z),
        }


class Pendulum(rm.Flow):
    """A pendulum under PD control."""

    state = rm.space(q="rad", v="rad/s")

    def equations(self, x, u, p):
        return {"q": x.v, "v": -6 * x.q - 4 * np.sin(x.q) - 3 * x.v}


class Repressed(rm.Flow):
    """A messenger that its protein represses."""

    state = rm.space(m="", p="")

    def equations(self, x, u, p):
        return {"m": 4 / (1 + x.p**2) - x.m, "p": x.m - x.p}


class Rates(rm.Flow):
    """Six firing rates: ``x' = -2 x + W tanh(x)``."""

    state = rm.space(x=6)
    W = np.round(np.random.default_rng(7).uniform(-0.5, 0.5, (6, 6)), 2)

    def equations(self, x, u, p):
        return {"x": -2 * x.x + self.W @ np.tanh(x.x)}


class Swirl(rm.Flow):
    """Couplings of states that cancel in the symmetric part: ``+x y`` in one row, ``-x y``."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {
            "x": -x.x - x.x**3 / 3 + 50 * x.x * x.y**2,
            "y": -x.y - x.y**3 / 3 - 50 * x.x**2 * x.y,
        }


def log_norm(J: np.ndarray, M: np.ndarray) -> float:
    """The largest eigenvalue of ``(P J P^-1 + its transpose) / 2`` for ``M = P^T P``."""
    P = np.linalg.cholesky(M).T
    scaled = P @ J @ np.linalg.inv(P)
    return float(np.linalg.eigvalsh(0.5 * (scaled + scaled.T))[-1])


def worst(jacobians: list[np.ndarray], M: np.ndarray) -> float:
    """The largest log-norm of some Jacobians."""
    return max(log_norm(J, M) for J in jacobians)


def _found_metric(
    module: rm.RiemannianModule, sides: Mapping[str, tuple[float, float]]
) -> np.ndarray:
    answer = certify(module, rm.box(sides), norm=l2())
    return np.array(answer.certificate.data["claim"]["norm"]["metric"])


def _pendulum() -> Case:
    sides, module = {"q": (-4.0, 4.0), "v": (-4.0, 4.0)}, Pendulum()
    M = _found_metric(module, sides)
    ends = [np.array([[0, 1], [-6 - 4 * c, -3.0]]) for c in (-1.0, 1.0)]  # reached at q = pi, 0
    return Case("pendulum, PD control", module, sides, M, worst(ends, M), 1024)


def _repressed() -> Case:
    sides, module = {"m": (0.0, 4.0), "p": (0.0, 4.0)}, Repressed()
    M = _found_metric(module, sides)
    steepest = -4 * 3 * np.sqrt(3) / 8  # of 4/(1 + p^2), at p = 1/sqrt(3)
    ends = [np.array([[-1, s], [1, -1.0]]) for s in (0.0, steepest)]
    return Case("negative autoregulation", module, sides, M, worst(ends, M), 1024)


def _rates() -> Case:
    sides, M = {"x": (-1.0, 1.0)}, np.eye(6)
    low = 1 / np.cosh(1.0) ** 2
    slopes = np.stack(np.meshgrid(*[[low, 1.0]] * 6), -1).reshape(-1, 6)
    ends = [-2 * np.eye(6) + Rates.W * s for s in slopes]
    return Case("six firing rates", Rates(), sides, M, worst(ends, M), 729)


def _swirl() -> Case:
    # The symmetric part is diag(-1 - x^2 + 50 y^2, -1 - y^2 - 50 x^2): the couplings cancel, and
    # at x = 0, y = 0.1 the first entry is -0.5.
    sides = {"x": (-0.1, 0.1), "y": (-0.1, 0.1)}
    return Case("couplings that cancel", Swirl(), sides, np.eye(2), -1 + 50 * 0.1**2, 1024)


MAKERS: Mapping[str, Callable[[], Case]] = {
    "gradient flow": lambda: Case(
        "gradient flow", Gradient(), {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, np.eye(2),
        -0.3 - 2 / np.cosh(2.0) ** 2, 1024,
    ),
    "pendulum, PD control": _pendulum,
    "negative autoregulation": _repressed,
    "skew feedback of gain 1000": lambda: Case(
        "skew feedback of gain 1000", Skew(), dict.fromkeys(("x", "z", "y"), (-3.0, 3.0)),
        np.diag([1.0, 1.0, 4.0]), -1 + np.tanh(3.0) ** 2 / 4, 4096,
    ),
    "couplings that cancel": _swirl,
    "six firing rates": _rates,
}  # fmt: skip
