"""Systems that are linear, or of a simple slope, in curved coordinates, as a user writes them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import riemannian_modules as rm


@dataclass(frozen=True)
class Bend:
    """A function of one number, its derivative, and the derivative's inverse."""

    value: Any
    slope: Any
    inverse: Any


PLAIN = Bend(lambda t: t, lambda t: 1 + 0 * t, lambda t: 1 + 0 * t)
CUBIC = Bend(lambda t: t + t**3, lambda t: 1 + 3 * t**2, lambda t: 1 / (1 + 3 * t**2))
WAVY = Bend(
    lambda t: t + np.sin(t) / 2, lambda t: 1 + np.cos(t) / 2, lambda t: 1 / (1 + np.cos(t) / 2)
)
EXPONENTIAL = Bend(np.exp, np.exp, lambda t: np.exp(-t))
ARCTANGENT = Bend(np.arctan, lambda t: 1 / (1 + t**2), lambda t: 1 + t**2)
HYPERBOLIC = Bend(np.sinh, np.cosh, lambda t: 1 / np.cosh(t))
SQUARE = Bend(lambda t: t**2, lambda t: 2 * t, None)
TANH = Bend(np.tanh, lambda t: 1 - np.tanh(t) ** 2, None)
SINE = Bend(np.sin, np.cos, None)
RATIONAL = Bend(lambda t: t / (1 + t**2), lambda t: (1 - t**2) / (1 + t**2) ** 2, None)


class Curved(rm.Flow):
    """``z' = A z + k (sin z1, 0)`` in ``z = (p(x) + g(y), q(y))``."""

    state = rm.space(x="", y="")

    def __init__(self, A, p, g, q, k=0.0):
        self.A, self.p, self.g, self.q = np.asarray(A, dtype=float), p, g, q
        self.k = k

    def equations(self, x, u, par):
        (a, b), (c, d) = self.A
        z, w = self.p.value(x.x) + self.g.value(x.y), self.q.value(x.y)
        dz, dw = a * z + b * w + self.k * np.sin(z), c * z + d * w
        dy = dw * self.q.inverse(x.y)
        return {"x": (dz - self.g.slope(x.y) * dy) * self.p.inverse(x.x), "y": dy}

    def coordinates(self, x, u, par):
        """dz = Theta dx."""
        return [[self.p.slope(x.x), self.g.slope(x.y)], [0 * x.x, self.q.slope(x.y)]]

    def metric(self, P):
        """The metric Theta^T P Theta as a function of the point."""
        return pulled_back(P, self.coordinates)


def pulled_back(P, coordinates):
    """``Theta^T P Theta``, multiplied out as a user might write it."""
    (a, b), (_, c) = np.asarray(P, dtype=float)

    def metric(x, u, par):
        (p, g), (_, q) = coordinates(x, u, par)
        mixed = a * p * g + b * p * q
        return [[a * p * p, mixed], [mixed, a * g * g + 2 * b * g * q + c * q * q]]

    return metric


class Scalar(rm.Flow):
    """``x' = f(x)``."""

    state = rm.space(x="")

    def __init__(self, f):
        self.f = f

    def equations(self, x, u, p):
        return {"x": self.f(x.x)}


class CurvedStep(rm.StepMap):
    """``z+ = A z + k (sin z1, 0)`` in ``z = (x + g(y), y)``."""

    state = rm.space(x="", y="")

    def __init__(self, A, g, k=0.0):
        self.A, self.g, self.k = np.asarray(A, dtype=float), g, k

    def equations(self, x, u, par):
        (a, b), (c, d) = self.A
        z = x.x + self.g.value(x.y)
        after = c * z + d * x.y
        return {"x": a * z + b * x.y + self.k * np.sin(z) - self.g.value(after), "y": after}

    def coordinates(self, x, u, par):
        """dz = Theta dx."""
        one = 1 + 0 * x.y
        return [[one, self.g.slope(x.y)], [0 * one, one]]


class Half(rm.StepMap):
    """``x+ = x / 2``."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": x.x / 2}


class Sorted(rm.Flow):
    """A flow of the larger and the smaller of two states, whose slopes are s and 1 - s."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        larger, smaller = np.maximum(x.x, x.y), np.minimum(x.x, x.y)
        return {
            "x": -2 * x.x + 0.5 * larger + 0.5 * smaller,
            "y": -2 * x.y + 0.75 * larger - 0.25 * smaller,
        }
