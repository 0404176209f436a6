"""Composites whose pictures are hard: long, wide, with loops in loops, with frames in frames."""

from importlib import resources

import numpy as np

import riemannian_modules as rm
from riemannian_modules.spec import load_system


def bundled():
    files = resources.files("riemannian_modules") / "examples"
    return load_system(str(files / "gene_control.json")).module


def chain_of_eight():
    return rm.chain(*[m for _ in range(4) for m in (rm.Affine(np.eye(2)), rm.Tanh(2))])


def chain_of_thirty():
    return rm.chain(*[rm.Lag(1.0) for _ in range(30)])


def nested_loops():
    """A current loop inside a speed loop."""
    wiring = rm.Wiring(
        speed_error=rm.Sum("+-"), speed_control=rm.Gain(1.0, 1), current_error=rm.Sum("+-"),
        current_control=rm.Gain(2.0, 1), motor=rm.Lag(1.0), load=rm.Lag(2.0), tacho=rm.Lag(0.1),
        shunt=rm.Lag(0.1),
    )  # fmt: skip
    wiring.input("speed", "speed_error.u1")
    for source, target in (
        ("speed_error.y", "speed_control.u"), ("speed_control.y", "current_error.u1"),
        ("current_error.y", "current_control.u"), ("current_control.y", "motor.u"),
        ("motor.y", "load.u"), ("motor.y", "shunt.u"), ("shunt.y", "current_error.u2"),
        ("load.y", "tacho.u"), ("tacho.y", "speed_error.u2"),
    ):  # fmt: skip
        wiring.connect(source, target)
    return wiring.output("y", "load.y").output("current", "motor.y").build()


def fan_of_twelve():
    stages = {f"stage_{i}": rm.Lag(1.0) for i in range(12)}
    join = rm.Mux(" ".join(f"u{i}" for i in range(12)))
    wiring = rm.Wiring(source=rm.Lag(1.0), **stages, join=join).input("drive", "source.u")
    for i in range(12):
        wiring.connect("source.y", f"stage_{i}.u").connect(f"stage_{i}.y", f"join.u{i}")
    return wiring.output("y", "join.y").build()


def frames_in_frames():
    core = rm.Wiring(a=rm.Lag(1.0), b=rm.Lag(2.0)).connect("a.y", "b.u").input("u", "a.u")
    core = core.output("y", "b.y").output("x", "a.y").build()
    plant = rm.Wiring(core=core, trim=rm.Lag(3.0)).connect("core.y", "trim.u").input("u", "core.u")
    plant = plant.output("y", "trim.y").output("x", "core.x").build()
    wiring = rm.Wiring(error=rm.Sum("+-"), plant=plant, filter=rm.Lag(0.2)).input("r", "error.u1")
    wiring.connect("error.y", "plant.u").connect("plant.y", "filter.u")
    wiring.connect("filter.y", "error.u2")
    return wiring.output("y", "plant.y").output("x", "plant.x").build()


HARD = (
    bundled, chain_of_eight, chain_of_thirty, nested_loops, fan_of_twelve, frames_in_frames,
)  # fmt: skip
