"""Flow maps of batches and of stiff flows, beside SciPy's solvers written out by hand.

A batch of starts beside one DOP853 over the batch's hand-written field, whose steps all starts
share; Robertson's reactions at 25 times, beside one BDF time course (and its finite differences);
a fit of their rates, beside `least_squares` over such courses. Both sides are held to the same
tolerances. Points change from one repeat to the next, for a flow map remembers its last ends.
"""

from typing import Any

import numpy as np

import riemannian_modules as rm
from benchmarks.timing import paired_times
from riemannian_modules.engine import NoProgress, fit

REPEATS = 5
NONE = np.zeros(0)
TIMES = np.logspace(-4, 4, 25)
RATES = np.log([0.04, 3e7, 1e4])


class Predators(rm.Flow):
    """Lotka's and Volterra's."""

    state = rm.space("x y")

    def equations(self, s, u, p):
        return {"x": 1.5 * s.x - s.x * s.y, "y": -3.0 * s.y + s.x * s.y}


class Robertson(rm.Flow):
    """Three reactions, by the logarithms of their rates; time runs T times as fast."""

    state, inputs = rm.space("A B C"), rm.space("T")
    parameters = {"k1": RATES[0], "k2": RATES[1], "k3": RATES[2]}

    def equations(self, x, u, p):
        a, b, c = np.exp(p.k1) * x.A, np.exp(p.k2) * x.B**2, np.exp(p.k3) * x.B * x.C
        return {"A": u.T * (c - a), "B": u.T * (a - b - c), "C": u.T * b}


class Begin(rm.StaticMap):
    """From the time alone to the flow's start."""

    inputs, outputs = rm.space("T"), rm.space("A B C T")

    def map(self, u, p):
        return {"A": 1.0 + 0.0 * u.T, "B": 0.0 * u.T, "C": 0.0 * u.T, "T": u.T}


class Readout(rm.StaticMap):
    """Amounts of comparable sizes."""

    inputs, outputs = rm.space("A B C"), rm.space("a b c")

    def map(self, u, p):
        return {"a": u.A, "b": 1e4 * u.B, "c": u.C}


def _batch(starts: int, duration: float) -> dict[str, Any]:
    from scipy.integrate import solve_ivp

    flow, rng = Predators(), np.random.default_rng(0)
    flow_map = rm.FlowMap(flow, duration, relative=1e-9)
    X = rng.uniform(1.0, 10.0, (starts, 2))

    def field(t, z):
        x, y = z.reshape(2, -1)
        return np.r_[1.5 * x - x * y, -3.0 * y + x * y]

    def ours():
        return flow_map.output(NONE, X * (1.0 + 1e-6 * rng.random()), NONE)

    def reference():
        return solve_ivp(field, (0.0, duration), X.T.ravel(), "DOP853", rtol=1e-9, atol=1e-12)

    row = paired_times(ours, reference, REPEATS).row(f"{starts} starts over {duration:g}")
    return {**row, "reference": "solve_ivp DOP853, one field by hand", "limit": 1.2}


def _field(t, x, k):
    a, b, c = k[0] * x[0], k[1] * x[1] * x[1], k[2] * x[1] * x[2]
    return np.array([c - a, a - b - c, b])


def _slope(t, x, k):
    b = 2.0 * k[1] * x[1]
    return np.array([
        [-k[0], k[2] * x[2], k[2] * x[1]], [k[0], -b - k[2] * x[2], -k[2] * x[1]], [0.0, b, 0.0],
    ])  # fmt: skip


def _course(rates):
    """The readout at the times, by BDF."""
    from scipy.integrate import solve_ivp

    found = solve_ivp(
        _field, (0.0, TIMES[-1]), [1.0, 0.0, 0.0], "BDF", TIMES, args=(np.exp(rates),),
        jac=_slope, rtol=1e-10, atol=1e-14,
    )  # fmt: skip
    return found.y.T * [1.0, 1e4, 1.0]


def _differences(rates):
    """The course's finite differences in the rates."""
    base = _course(rates)
    return [_course(rates + 1e-6 * e) - base for e in np.eye(3)]


def _stiff() -> list[dict[str, Any]]:
    flow_map, rng = rm.FlowMap(Robertson(), 1.0), np.random.default_rng(0)
    u = np.column_stack([np.tile([1.0, 0.0, 0.0], (25, 1)), TIMES])

    def theta():
        return flow_map.theta + 1e-6 * rng.random(3)

    value = paired_times(lambda: flow_map.output(NONE, u, theta()), lambda: _course(RATES), REPEATS)
    jacobian = paired_times(
        lambda: flow_map.jacobian(NONE, u, theta()), lambda: _differences(RATES), REPEATS
    )
    reference = {"reference": "solve_ivp BDF, one course", "limit": 1.0}
    return [
        {**value.row("Robertson at 25 times"), **reference},
        {**jacobian.row("its Jacobian in start, time and rates"), **reference},
    ]


def _fit() -> dict[str, Any]:
    from scipy.optimize import least_squares

    rng = np.random.default_rng(0)
    y = _course(RATES)
    y = y + 1e-3 * rng.standard_normal(y.shape)
    start = RATES + np.array([0.3, -0.4, 0.5])
    samples = {"T": TIMES, "a": y[:, 0], "b": y[:, 1], "c": y[:, 2]}
    wiring = rm.Wiring(begin=Begin(), flow=rm.FlowMap(Robertson(), 1.0), readout=Readout())
    for port in "ABCT":
        wiring = wiring.connect(f"begin.{port}", f"flow.{port}")
    for port in "ABC":
        wiring = wiring.connect(f"flow.{port}", f"readout.{port}")
        wiring = wiring.output(port.lower(), f"readout.{port.lower()}")
    model = wiring.input("T", "begin.T").build()

    def ours():
        return fit(model.with_parameters(start), samples, progress=NoProgress())

    def reference():
        return least_squares(lambda rates: (_course(rates) - y).ravel(), start)

    row = paired_times(ours, reference, 3).row("a fit of three rates to 25 times")
    return {**row, "reference": "least_squares, finite differences of BDF courses", "limit": 1.0}


def run() -> dict[str, Any]:
    """Compare with the same problems written out by hand for SciPy."""
    batches = [_batch(starts, duration) for starts in (300, 1000) for duration in (6.0, 8.0)]
    return {"rows": [*batches, *_stiff(), _fit()]}
