"""Bad requests to simulate, fit, propagate and linearize raise the library's errors."""

from pathlib import Path

import numpy as np
import pytest

from riemannian_modules import engine as en
from riemannian_modules.errors import RiemannianError
from tests.bad_input.subjects import Decay, Oscillator, Step
from tests.bad_input.values import foreign_errors

T = np.linspace(0.0, 1.0, 4)
DATA = {"t": T, "y": np.exp(-T)}
QUIET = en.NoProgress()
FOUND = en.fit(Decay(), {"t": T, "y": np.exp(-T) + 0.1 * T**2}, progress=QUIET)
MODEL = en.linearize(Oscillator(), [0.0, 0.0], [0.0])
CALLS = {
    "dataset": (lambda data: en.dataset(Decay(), data), {"data": DATA}),
    "columns": (lambda t, y: en.dataset(Decay(), {"t": t, "y": y}), DATA),
    "module of a dataset": (lambda module: en.dataset(module, DATA), {"module": Decay()}),
    "paired_dataset": (
        en.paired_dataset,
        {"module": Decay(), "inputs": T[:, None], "targets": T[:, None]},
    ),
    "equilibrium": (
        en.equilibrium,
        {"module": Oscillator(), "inputs": [0.0], "guess": [0.1, 0.0], "theta": [6.0, 3.0]},
    ),
    "wanted outputs": (
        lambda outputs, free: en.equilibrium(Oscillator(), outputs=outputs, free=free),
        {"outputs": {"angle": 0.1}, "free": ["torque"]},
    ),
    "fit": (
        en.fit,
        {
            "module": Decay(),
            "data": DATA,
            "loss": en.SquaredLoss(),
            "bounds": {"a": (0, 10)},
            "schedule": en.FullBatch(5),
            "coupling": en.Joint(),
            "progress": QUIET,
        },
    ),
    "bounds": (
        lambda low, high: en.fit(Decay(), DATA, bounds={"a": (low, high)}, progress=QUIET),
        {"low": 0.0, "high": 5.0},
    ),
    "what is said of data": (
        lambda sigma, weights, missing, absolute: en.fit(
            Decay(),
            DATA,
            sigma=sigma,
            weights=weights,
            missing=missing,
            absolute=absolute,
            progress=QUIET,
        ),
        {"sigma": {"y": 0.1}, "weights": [1.0, 1.0, 2.0, 1.0], "missing": "y", "absolute": True},
    ),
    "what is said of parameters": (
        lambda fixed, prior, tolerances, callback: en.fit(
            Decay(),
            DATA,
            fixed=fixed,
            prior=prior,
            tolerances=tolerances,
            callback=callback,
            progress=QUIET,
        ),
        {
            "fixed": {},
            "prior": {"a": en.NormalPrior(1.0, 0.5)},
            "tolerances": en.Tolerances(),
            "callback": None,
        },
    ),
    "NormalPrior": (en.NormalPrior, {"mean": 0.0, "deviation": 1.0}),
    "LogNormalPrior": (en.LogNormalPrior, {"median": 1.0, "log_deviation": 1.0}),
    "UniformPrior": (en.UniformPrior, {"lower": 0.0, "upper": 1.0}),
    "LaplacePrior": (en.LaplacePrior, {"location": 0.0, "scale": 1.0}),
    "ridge": (en.ridge, {"strength": 1.0}),
    "StudentLoss": (en.StudentLoss, {"scale": 1.0, "freedom": 4.0}),
    "Tolerances": (en.Tolerances, {"loss": 0.1, "offset": 0.1, "evaluations": 5}),
    "predict": (FOUND.predict, {"inputs": T[:, None], "level": 0.9}),
    "profile": (FOUND.profile, {"name": "a", "level": 0.9}),
    "intervals": (FOUND.intervals, {"level": 0.9}),
    "FullBatch": (en.FullBatch, {"max_iterations": 5}),
    "MiniBatches": (
        en.MiniBatches,
        {"size": 2, "epochs": 1, "rng": np.random.default_rng(0), "damping": 0.1},
    ),
    "held_table": (en.held_table, {"times": [0.0, 1.0], "values": [0.0, 1.0]}),
    "linear_table": (en.linear_table, {"times": [0.0, 1.0], "values": [0.0, 1.0]}),
    "linearize": (
        en.linearize,
        {"module": Oscillator(), "x": [0.0, 1.0], "u": [0.0], "theta": [6.0, 3.0]},
    ),
    "step_response": (MODEL.step_response, {"times": [0.0, 1.0]}),
    "step_info": (MODEL.step_info, {"band": 0.05}),
    "figures of a pair": (
        lambda pair: MODEL.step_info()[pair],
        {"pair": ("angle", "torque")},
    ),
    "bode": (MODEL.bode, {"frequencies": [0.1, 1.0]}),
    "margins": (MODEL.margins, {"output": "angle", "into": "torque"}),
    "root_locus": (
        MODEL.root_locus,
        {"output": "angle", "into": "torque", "gains": [0.0, 1.0]},
    ),
    "minimal": (MODEL.minimal, {"tolerance": 1e-9}),
    "lqr": (MODEL.lqr, {"Q": 1.0, "R": 1.0, "N": [[0.0], [0.0]]}),
    "place": (MODEL.place, {"poles": [-1.0, -2.0]}),
    "kalman": (MODEL.kalman, {"state_noise": 1.0, "output_noise": 1.0}),
    "place_observer": (MODEL.place_observer, {"poles": [-1.0, -2.0]}),
    "with_feedback": (
        MODEL.kalman(1.0, 1.0).with_feedback,
        {"feedback": MODEL.lqr(1.0, 1.0)},
    ),
    "one_hot": (en.one_hot, {"labels": np.array([0, 1]), "classes": 2}),
    "propagate": (
        en.propagate,
        {
            "module": Decay(),
            "point": Decay().point(u=T[:, None]),
            "mu": 0.1,
            "output_factor": np.ones((4, 1, 1)),
            "state_factor": None,
        },
    ),
    "simulate": (
        en.simulate,
        {
            "module": Oscillator(),
            "times": T,
            "x0": [0.1, 0.0],
            "inputs": {"torque": 0.5},
            "theta": [6.0, 3.0],
            "rtol": 1e-6,
            "atol": 1e-8,
            "method": None,
        },
    ),
    "simulate steps": (
        lambda times, x0, inputs: en.simulate(Step(), times, x0, inputs),
        {"times": [0, 1, 2], "x0": [1.0], "inputs": {"w": 1.0}},
    ),
    "an input": (
        lambda torque: en.simulate(Oscillator(), T, [0.1, 0.0], {"torque": torque}),
        {"torque": lambda _: 1.0},
    ),
    "an input's value": (
        lambda value: en.simulate(Oscillator(), T, [0.1, 0.0], {"torque": lambda _: value}),
        {"value": 1.0},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_bad_arguments_raise_the_librarys_own_errors(name: str):
    call, arguments = CALLS[name]
    call(**arguments)
    assert foreign_errors(call, arguments) == []


def test_a_missing_trajectory_is_named(tmp_path: Path):
    with pytest.raises(RiemannianError, match=r"none\.csv"):
        en.read_trajectory(tmp_path / "none.csv", Oscillator())


@pytest.mark.parametrize("damping", [0.0, -1.0, np.nan, np.inf])
def test_mini_batches_need_a_positive_damping(damping: float):
    with pytest.raises(RiemannianError, match="damping"):
        en.MiniBatches(2, damping=damping)


def test_a_point_of_another_module_is_refused():
    with pytest.raises(RiemannianError, match="a point of this module"):
        en.propagate(Oscillator(), Decay().point(u=[0.5]), 0.1, np.ones((1, 1)))
