"""Flows with measurements made from them, for fits with known answers."""

import numpy as np

from riemannian_modules import Equations
from riemannian_modules.engine import NoProgress, experiment, simulate

QUIET = NoProgress()
RNG = np.random.default_rng

ENZYME = Equations(
    {"dS": "-vmax*S/(km + S)", "dP": "vmax*S/(km + S) - kd*P"}, state="S P",
    parameters={"vmax": 1.0, "km": 0.5, "kd": 0.3},
)  # fmt: skip
LOOP = Equations(
    {"dm": "k1/(1 + r^4) - d1*m", "da": "k2*m - d2*a", "db": "k3*a - d3*b", "dc": "k4*b - d4*c",
     "dr": "k5*c - d5*r"},
    state="m a b c r",
    parameters={"k1": 1.0, "d1": 0.3, "k2": 0.8, "d2": 0.4, "k3": 0.7, "d3": 0.5, "k4": 0.6,
                "d4": 0.35, "k5": 0.9, "d5": 0.45},
)  # fmt: skip
# Fast binding (stiff) in front of two slow cycles, ten states.
CASCADE = Equations(
    {"dR": "-bind", "dL": "-bind", "dB": "bind", "dK": "-first", "dKp": "first", "dM": "-second",
     "dMp": "second - fast + made", "dT": "made - fast", "dC": "fast - made", "dG": "made - kg*G"},
    state="R L B K Kp M Mp T C G",
    definitions={
        "bind": "kon*R*L - koff*B", "first": "k1*B*K - v1*Kp/(0.5 + Kp)",
        "second": "k2*Kp*M - v2*Mp/(0.6 + Mp)", "fast": "200*(Mp*T - kd*C)", "made": "kc*C",
    },
    parameters={"kon": 20.0, "koff": 8.0, "k1": 0.8, "v1": 0.3, "k2": 1.2, "v2": 0.4, "kd": 0.8,
                "kc": 0.7, "kg": 0.1},
)  # fmt: skip


def measurements(flow, x0, times, names, noise, rng, **settings):
    """``{name: (times, values, sigma)}`` of a simulated experiment, sigma = noise x the largest."""
    grid = np.union1d([0.0], times)
    run = simulate(flow, grid, x0, **settings, rtol=1e-11)
    found = {}
    for name in names:
        values = run[name][np.searchsorted(grid, times)]
        sigma = max(noise, 1e-3) * np.abs(values).max()
        found[name] = (times, values + noise / max(noise, 1e-3) * sigma
                       * rng.standard_normal(len(times)), sigma)  # fmt: skip
    return found


def experiments(flow, starts, times, names, noise, seed=0):
    """One experiment for each initial state."""
    rng = RNG(seed)
    return [
        experiment(measurements(flow, x0, times, names, noise, rng), name=f"e{i}", x0=x0)
        for i, x0 in enumerate(starts)
    ]


def away(flow, factor, seed=0):
    """The flow with parameters up to a factor away."""
    return flow.with_parameters(flow.theta * factor ** RNG(seed).uniform(-1, 1, flow.theta.size))
