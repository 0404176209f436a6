"""Bad arguments of modules, spaces, regions and wirings are refused with the library's errors."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify
from riemannian_modules.errors import RiemannianError, SignatureError
from tests.bad_input.subjects import Decay, Oscillator
from tests.bad_input.values import foreign_errors

A, B, C, D = [[-1.0, 0.2], [0.0, -2.0]], [[0.0], [1.0]], [[1.0, 0.0]], [[0.0]]
SPACES = {"state": rm.space("a b"), "inputs": rm.space("c"), "outputs": rm.space("d")}
RATES = {"maximum": 1.0, "half": 1.0, "exponent": 2.0, "basal": 0.1, "unit": "M", "time_unit": "s"}

CALLS = {
    "ELU": (rm.ELU, {"size": 2, "alpha": 1.0}),
    "Tanh": (rm.Tanh, {"size": 2, "input": "u", "output": "y"}),
    "LeakyReLU": (rm.LeakyReLU, {"size": 2, "leak": 0.1}),
    "PID": (rm.PID, {"Kp": 1.0, "Ki": 1.0, "Kd": 0.1, "tau": 0.1}),
    "Affine": (rm.Affine, {"W": np.ones((2, 2)), "b": np.ones(2), "input": "u", "output": "y"}),
    "Demux": (rm.Demux, {"input": "u", "a": 1, "b": 2}),
    "Mux": (rm.Mux, {"output": "y", "a": 1, "b": 2}),
    "StateSpace": (rm.StateSpace, {"A": A, "B": B, "C": C, "D": D, **SPACES}),
    "DiscreteStateSpace": (
        rm.DiscreteStateSpace,
        {"A": A, "B": B, "C": C, "D": D, **SPACES, "sampling_time": 0.2},
    ),
    "DiscreteObserver": (
        rm.DiscreteObserver,
        {"A": A, "B": B, "C": C, "L": [[1.0], [1.0]], "sampling_time": (0.2, "s")},
    ),
    "Resampled": (
        rm.Resampled,
        {"module": rm.UnitDelay(sampling_time=0.1), "sampling_time": 0.3},
    ),
    "unit of a sampling time": (
        lambda length, unit: rm.UnitDelay(sampling_time=(length, unit)),
        {"length": 0.2, "unit": "s"},
    ),
    "reactions": (rm.MassAction.of, {"reactions": {"r": ("A -> B", 1.0)}, "external": "A"}),
    "a reaction": (
        lambda text, k, back: rm.MassAction.of({"r": (text, (k, back))}),
        {"text": "A <-> B", "k": 1.0, "back": 2.0},
    ),
    "Observer": (rm.Observer, {"A": A, "B": B, "C": C, "L": [[1.0], [1.0]]}),
    "FlowMap": (
        rm.FlowMap,
        {"flow": Oscillator(), "duration": 1.0, "relative": 1e-8, "absolute": 1e-8},
    ),
    "Gain": (rm.Gain, {"k": 2.0, "size": 2, "input": "u", "output": "y", "output_unit": "m"}),
    "MatrixGain": (rm.MatrixGain, {"K": np.ones((2, 2)), "input": "u", "output": "y"}),
    "GeneExpression": (
        rm.GeneExpression,
        {"translation": 1.0, "mrna_loss": 1.0, "protein_loss": 1.0, "unit": "M", "time_unit": "s"},
    ),
    "HillActivation": (rm.HillActivation, RATES),
    "HillRepression": (rm.HillRepression, RATES),
    "Integrator": (rm.Integrator, {"size": 2, "input": "u", "output": "y"}),
    "Lag": (rm.Lag, {"tau": 1.0, "k": 1.0, "size": 2}),
    "Equations": (
        rm.Equations,
        {
            "equations": {"dx": "u - k*x", "y": "f"},
            "state": "x",
            "inputs": {"u": "m"},
            "outputs": "y",
            "parameters": {"k": 1.0},
            "definitions": {"f": "2*x"},
        },
    ),
    "Mux of names": (rm.Mux, {"names": "a b", "output": "y"}),
    "MassAction of reactions": (
        rm.MassAction,
        {"reactions": {"r": ("A -> B", 1.0)}, "external": "A", "unit": "M"},
    ),
    "MassAction": (
        rm.MassAction,
        {
            "species": "A B",
            "consumed": [[1, 0], [0, 1]],
            "produced": [[0, 1], [1, 0]],
            "rates": {"k1": 1.0, "k2": 2.0},
            "external": "",
            "unit": "M",
        },
    ),
    "MichaelisMenten": (rm.MichaelisMenten, {"maximum": 1.0, "half": 1.0}),
    "PhosphorylationCycle": (
        rm.PhosphorylationCycle,
        {
            "total": 1.0,
            "catalysis": 1.0,
            "removal": 1.0,
            "kinase_half": 1.0,
            "phosphatase_half": 1.0,
        },
    ),
    "Pool": (rm.Pool, {"degradation": 1.0, "inflows": "a b", "outflows": "c"}),
    "Port": (rm.Port, {"name": "a", "shape": (2,), "unit": "m"}),
    "Space": (rm.Space, {"ports": (rm.Port("a"),)}),
    "Saturation": (rm.Saturation, {"lower": -1.0, "upper": 1.0, "size": 2}),
    "Sum": (rm.Sum, {"signs": "+-", "size": 2, "output": "y", "a": "+"}),
    "TransferFunction": (rm.TransferFunction, {"num": [1.0], "den": [1.0, 2.0]}),
    "UnitDelay": (rm.UnitDelay, {"size": 2, "sampling_time": 0.2}),
    "space": (rm.space, {"q": "m", "x": 3}),
    "box": (rm.box, {"q": (0, 1)}),
    "box of a mapping": (rm.box, {"sides": {"q": (0, 1)}}),
    "sides of a box": (lambda low, high: rm.box(q=(low, high)), {"low": 0.0, "high": 1.0}),
    "a user's parameter": (lambda k: Oscillator(k=k).theta, {"k": 1.0}),
    "point": (Oscillator().point, {"x": [1.0, 2.0], "u": [1.0], "theta": [6.0, 3.0]}),
    "point by name": (lambda q, v: Oscillator().point({"q": q, "v": v}), {"q": 1.0, "v": 2.0}),
    "with_parameters": (Oscillator().with_parameters, {"theta": [1.0, 2.0]}),
    "contraction_rate": (Oscillator().contraction_rate, {"region": rm.box(q=(-1, 1))}),
    "Wiring": (lambda a: rm.Wiring(a=a).input("r", "a.t").build(), {"a": Decay()}),
    "chain": (rm.chain, {"a": Decay(), "b": rm.Tanh()}),
    ">>": (lambda b: Decay() >> b, {"b": rm.Tanh()}),
    "connect": (
        lambda source, target: (
            rm.Wiring(a=rm.Gain(1.0), b=rm.Gain(1.0))
            .input("r", "a.u")
            .connect(source, target)
            .output("y", "b.y")
            .build()
        ),
        {"source": "a.y", "target": "b.u"},
    ),
    "input": (
        lambda name, target: rm.Wiring(a=rm.Gain(1.0)).input(name, target).build(),
        {"name": "r", "target": "a.u"},
    ),
    "output": (
        lambda name, source: (
            rm.Wiring(a=rm.Gain(1.0)).input("r", "a.u").output(name, source).build()
        ),
        {"name": "y", "source": "a.y"},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_bad_arguments_raise_the_librarys_own_errors(name: str):
    call, arguments = CALLS[name]
    call(**arguments)
    assert foreign_errors(call, arguments) == []


def test_a_parameter_keeps_its_shape():
    with pytest.raises(RiemannianError, match="parameter 'k' has shape"):
        Oscillator(k=[1.0, 2.0])


def test_an_imaginary_part_is_not_dropped():
    with pytest.raises(RiemannianError, match="complex"):
        Oscillator().point(x=np.array([1.0 + 1.0j, 0.0]))


@pytest.mark.parametrize("wrong", [None, "m", 3, rm.Tanh])
def test_a_wiring_lists_what_is_no_module(wrong: object):
    with pytest.raises(RiemannianError, match="Expected a module"):
        rm.Wiring(a=wrong).build()  # type: ignore[arg-type]


class OwnTheta(rm.Flow):
    state = rm.space("q")

    def __init__(self, theta):
        self.theta = theta

    def equations(self, x, u, p):
        return {"q": -x.q}


class OwnExpressions(rm.Flow):
    state = rm.space("q")

    def __init__(self):
        self.expressions = ["-q"]

    def equations(self, x, u, p):
        return {"q": -x.q}


def class_with_a_theta():
    def theta(self, x):
        return x

    return type("Sheared", (rm.Flow,), {"state": rm.space("q"), "theta": theta})


@pytest.mark.parametrize(
    "use",
    [
        class_with_a_theta,
        lambda: certify(OwnTheta(lambda x: x)),
        lambda: OwnTheta(3.0).point(),
        OwnExpressions,
    ],
)
def test_a_name_of_the_interface_is_not_taken_for_something_else(use):
    with pytest.raises(SignatureError, match=r"'\w+' is the interface's own.*another name"):
        use()
