"""An instance of every kind of module, with the box in which its contract is checked.

A new kind of module adds one line here; a test fails while it is missing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import riemannian_modules as rm


@dataclass(frozen=True)
class Instance:
    """A module, the centre of its box (state, inputs), the box's half width, and its rounding."""

    module: rm.RiemannianModule
    around: tuple[Any, Any] = (None, None)
    spread: float = 1.0
    rounding: float = 2.0**-52


class Pendulum(rm.Flow):
    state = rm.space(q="rad", v="rad/s")
    inputs = rm.space(torque="N m")
    outputs = rm.space(angle="rad")
    parameters = {"k": 6.0, "g": 4.0, "d": 3.0}

    def equations(self, x, u, p):
        return {
            "q": x.v,
            "v": u.torque - p.k * x.q - p.g * np.sin(x.q) - p.d * x.v,
        }, {"angle": x.q}


class Logistic(rm.StepMap):
    state = rm.space("x")
    parameters = {"r": 2.5}

    def equations(self, x, u, p):
        return {"x": p.r * x.x * (1.0 - x.x)}


class Layer(rm.StaticMap):
    inputs = rm.space(a=3, b="")
    outputs = rm.space(c=2, d="")
    parameters = {"W": np.array([[1.0, -0.5, 0.2], [0.3, 0.8, -1.1]]), "w": 0.7}

    def map(self, u, p):
        return {"c": np.tanh(p.W @ u.a), "d": p.w * np.maximum(u.a[0], 0.3) * u.a[1]}


def saved(module: rm.RiemannianModule) -> rm.ExpressionModule:
    """The module as a file holds it."""
    s = module.signature
    values = s.parameters.unpack(module.theta)
    spaces = (s.state, s.inputs, s.outputs)
    return rm.ExpressionModule("Saved", s.time, spaces, values, module.expressions)


def loop() -> rm.ModuleGraph:
    """A pendulum held by a controller, with a sensor that stands in two places."""
    sensor = rm.Affine([[2.0]], [0.1], input="signal", output="signal")
    return (
        rm.Wiring(plant=Pendulum(), first=sensor, second=sensor, add=rm.Sum("+-"))
        .connect("plant.angle", "first.signal")
        .connect("first.signal", "second.signal")
        .input("reference", "add.u1")
        .connect("second.signal", "add.u2")
        .connect("add.y", "plant.torque")
        .output("angle", "plant.angle")
        .build()
    )


A = np.array([[-1.0, 0.5], [0.2, -0.8]])
B, C = np.array([[1.0], [0.3]]), np.array([[1.0, 0.0], [0.5, 2.0]])
POSITIVE = (None, [2.0])
NETWORK = rm.MassAction.of(
    {"bind": ("2 A + B -> C", 0.3), "loss": ("C ->", 1.0), "make": ("E -> E + A", 0.5)},
    external="E",
    unit="nM",
)

INSTANCES = {
    "expression_module": Instance(saved(Pendulum(k=7.0))),
    "flow": Instance(Pendulum()),
    "step map": Instance(Logistic()),
    "static map": Instance(Layer()),
    "graph": Instance(loop()),
    "chain": Instance(rm.Affine(np.eye(2, 3)) >> rm.Tanh(2) >> rm.Affine([[1.0, -2.0]])),
    "affine": Instance(rm.Affine([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], [0.5, 0.1])),
    "tanh": Instance(rm.Tanh(3)),
    "sigmoid": Instance(rm.Sigmoid((2, 2))),
    "relu": Instance(rm.ReLU(3)),
    "leaky relu": Instance(rm.LeakyReLU(3, leak=0.1)),
    "softplus": Instance(rm.Softplus(3)),
    "elu": Instance(rm.ELU(3, alpha=0.7)),
    "gelu": Instance(rm.GELU(3)),
    "silu": Instance(rm.SiLU()),
    "saturation": Instance(rm.Saturation(-0.5, 0.4, 3)),
    "saturation of each": Instance(rm.Saturation(-1.0, [0.5, 1.0], 2)),
    "gain": Instance(rm.Gain([2.0, -1.0, 0.5])),
    "scalar gain": Instance(rm.Gain(3.0, (2, 2))),
    "matrix gain": Instance(rm.MatrixGain([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])),
    "sum": Instance(rm.Sum("+-+", 2)),
    "error": Instance(rm.Sum(reference="+", measurement="-")),
    "mux of a matrix": Instance(rm.Mux(a=2, b=(2, 2))),
    "mux": Instance(rm.Mux("a b", c=2)),
    "demux": Instance(rm.Demux("a b", c=2)),
    "integrator": Instance(rm.Integrator(2)),
    "lag": Instance(rm.Lag(0.5, 2.0)),
    "unit delay": Instance(rm.UnitDelay(2)),
    "pid": Instance(rm.PID(2.0, 1.0, 0.5, 0.1)),
    "pi, back calculation": Instance(rm.BackCalculationPID(2.0, 1.0, lower=-0.5, upper=0.7)),
    "pid, back calculation": Instance(
        rm.BackCalculationPID(2.0, 1.0, 0.5, 0.1, lower=-2.0, upper=1.0, tracking=0.3)
    ),
    "pid, clamped": Instance(rm.ClampedPID(2.0, 1.0, 0.5, 0.1, lower=-2.0, upper=1.0)),
    "rate limit": Instance(rm.RateLimit(1.0, 0.5, 0.7, 2)),
    "rate limit of steps": Instance(rm.DiscreteRateLimit(0.4, 0.3, 2)),
    "delay": Instance(rm.PadeDelay(0.7, 3, 2)),
    "exact delay": Instance(rm.Delay(0.7, 2, history=[0.5, -1.0])),
    "delay of steps": Instance(rm.DiscreteDelay(3, 2)),
    "state feedback": Instance(
        rm.StateFeedback(
            [[1.0, 2.0]], states="q v", controls=rm.space(F="N"), x0=[0.1, 0.0], u0=[3.0]
        )
    ),
    "output feedback": Instance(
        rm.OutputFeedback(A, B, C[:1], [[1.0, 0.5]], [[0.4], [0.2]], at=[0.1, 0.2, 1.0, 0.5])
    ),
    "output feedback of steps": Instance(
        rm.DiscreteOutputFeedback(A, B, C, [[1.0, 0.5]], [[0.4, 0.0], [0.2, 0.1]])
    ),
    "state space": Instance(rm.StateSpace(A, B, C, [[0.0], [1.0]])),
    "autonomous state space": Instance(rm.StateSpace(-np.eye(2), np.zeros((2, 0)), np.eye(2))),
    "state space of several ports": Instance(
        rm.StateSpace(
            [[-1.0, 0.5, 0.0], [0.2, -0.8, 0.3], [0.0, -0.4, -2.0]],
            [[1.0, 0.2, -0.3], [0.0, 0.5, 1.0], [-0.7, 0.0, 0.4]],
            [[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]],
            [[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]],
            inputs=rm.space(v=2, w=()),
            outputs=rm.space("a b"),
        )
    ),
    "discrete state space": Instance(rm.DiscreteStateSpace(A, B, C)),
    "transfer function": Instance(rm.TransferFunction([1.0, 2.0], [1.0, 3.0, 2.0])),
    "proper transfer function": Instance(rm.TransferFunction([1, 2, 5], [2, 3, 4])),
    "ratio": Instance(rm.TransferFunction([3.0], [2.0])),
    "observer": Instance(rm.Observer(A, B, C, [[0.5, 0.1], [0.2, 0.4]])),
    "discrete observer": Instance(rm.DiscreteObserver(A, B, C, [[0.5, 0.1], [0.2, 0.4]])),
    "resampled": Instance(
        rm.Resampled(rm.DiscreteStateSpace(0.5 * A, B, C, sampling_time=(0.1, "s")), (0.3, "s"))
    ),
    "resampled nonlinear": Instance(rm.Resampled(Logistic(r=1.2, sampling_time=0.5), 1.0)),
    "mass action": Instance(NETWORK, ([2.0, 2.0, 2.0], [2.0])),
    "michaelis menten": Instance(
        rm.MichaelisMenten(2.0, 0.5, unit="nM", time_unit="min"), POSITIVE
    ),
    "hill activation": Instance(rm.HillActivation(2.0, 0.5, 2.3, 0.1), POSITIVE),
    "hill repression": Instance(rm.HillRepression(2.0, 0.5, 2.3), POSITIVE),
    "pool": Instance(rm.Pool(0.3, "synthesis uptake", "export")),
    "gene expression": Instance(rm.GeneExpression(2.0, 0.5, 0.1)),
    "phosphorylation cycle": Instance(
        rm.PhosphorylationCycle(10.0, 2.0, 3.0, 1.0, 0.5), ([0.5], [2.0]), 0.4
    ),
    "equations of a flow": Instance(
        rm.Equations(
            {"dmrna": "a/(1 + (r/K)^2) - d*mrna", "dprotein": "k*mrna - d*protein", "y": "protein"},
            state={"mrna": "nM", "protein": "nM"},
            inputs="r",
            outputs="y",
            parameters={"a": 2.0, "K": 0.7, "d": 0.3, "k": 1.5},
        )
    ),
    "equations of steps": Instance(
        rm.Equations(
            {"x+": "A @ x + tanh(u)*b"},
            state={"x": 2},
            inputs="u",
            parameters={"A": [[0.5, 0.1], [-0.2, 0.3]], "b": [1.0, 2.0]},
        )
    ),
    "equations of a map": Instance(
        rm.Equations(
            {"y": ["s*u[0]", "max(s, u[1])"]},
            inputs={"u": 2},
            outputs={"y": 2, "s": ""},
            definitions={"s": "where(u[0] > 0.3, u[1]^2, 0)"},
        )
    ),
    # Errors of local tolerance 1e-10 in some dozen steps.
    "sampled": Instance(rm.Sampled(Logistic(r=1.2), 0.5)),
    "flow map": Instance(rm.FlowMap(Pendulum(), 0.7), rounding=1e-10),
    "flow map of reactions": Instance(
        rm.FlowMap(NETWORK, 0.5), (None, [2.0, 2.0, 2.0, 2.0]), rounding=1e-10
    ),
}
