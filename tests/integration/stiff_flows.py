"""Stiff flows with their published ends (Mazzia and Magherini, Test Set for IVP Solvers, 2008)."""

from typing import NamedTuple

import numpy as np

import riemannian_modules as rm


class StiffCase(NamedTuple):
    flow: rm.RiemannianModule
    duration: float
    start: list[float]
    end: list[float]


class VanDerPol(rm.Flow):
    state, parameters = rm.space("x v"), {"eps": 1e-6}

    def equations(self, x, u, p):
        return {"x": x.v, "v": ((1 - x.x**2) * x.v - x.x) / p.eps}


class Oregonator(rm.Flow):
    state, parameters = rm.space("a b c"), {"s": 77.27, "q": 8.375e-6, "w": 0.161}

    def equations(self, x, u, p):
        return {
            "a": p.s * (x.b + x.a * (1 - p.q * x.a - x.b)),
            "b": (x.c - (1 + x.a) * x.b) / p.s,
            "c": p.w * (x.a - x.c),
        }


class Hires(rm.Flow):
    state = rm.space(y=8)
    parameters = {"k": [1.71, 0.43, 8.32, 0.69, 0.035, 8.32, 280.0, 1.81]}

    def equations(self, x, u, p):
        y, k = x.y, p.k
        made = k[6] * y[5] * y[7] - k[7] * y[6]
        return {
            "y": [
                -k[0] * y[0] + k[1] * y[1] + k[2] * y[2] + 0.0007,
                k[0] * y[0] - 8.75 * y[1],
                -10.03 * y[2] + k[1] * y[3] + k[4] * y[4],
                k[5] * y[1] + k[0] * y[2] - 1.12 * y[3],
                -1.745 * y[4] + k[1] * y[5] + k[1] * y[6],
                -made + k[3] * y[3] + k[0] * y[4] - k[1] * y[5] + (k[3] - k[7]) * y[6],
                made,
                -made,
            ]
        }  # fmt: skip


class Robertson(rm.Flow):
    """Three reactions; its time runs ``T`` times as fast."""

    state, inputs = rm.space("A B C"), rm.space("T")
    parameters = {"k1": 0.04, "k2": 3e7, "k3": 1e4}

    def equations(self, x, u, p):
        a, b, c = p.k1 * x.A, p.k2 * x.B**2, p.k3 * x.B * x.C
        return {"A": u.T * (c - a), "B": u.T * (a - b - c), "C": u.T * b}


PUBLISHED = {
    "van der Pol": StiffCase(
        VanDerPol(), 2.0, [2.0, 0.0], [1.706167732170483, -0.8928097010247975]
    ),
    "Oregonator": StiffCase(
        Oregonator(), 360.0, [1.0, 2.0, 3.0],
        [1.000814870318523, 1228.178521549917, 132.0554942846706],
    ),
    "HIRES": StiffCase(
        Hires(), 321.8122, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057],
        [
            0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4,
            0.1175651343283149e-2, 0.2386356198831331e-2, 0.6238968252742796e-2,
            0.2849998395185769e-2, 0.2850001604814231e-2,
        ],
    ),
    "Robertson": StiffCase(
        Robertson(), 1.0, [1.0, 0.0, 0.0, 1e11],
        [0.2083340149701255e-7, 0.8333360770334713e-13, 0.9999999791665050],
    ),
}  # fmt: skip


def slopes(module: rm.RiemannianModule, u: np.ndarray, share: float) -> np.ndarray:
    """Central differences of a static module's outputs in its parameters, by relative steps."""
    columns = []
    for i, value in enumerate(module.theta):
        h = share * abs(value)
        ends = [
            module.output(np.zeros(0), u, module.theta + s * h * np.eye(len(module.theta))[i])
            for s in (1, -1)
        ]
        columns.append((ends[0] - ends[1]) / (2 * h))
    return np.stack(columns, -1)
