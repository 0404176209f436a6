"""Small modules and composites that bad input is handed to."""

from typing import Any

import numpy as np

import riemannian_modules as rm


class Oscillator(rm.Flow):
    state = rm.space("q v")
    inputs = rm.space("torque")
    outputs = rm.space("angle")
    parameters = {"k": 6.0, "d": 3.0}

    def equations(self, x: Any, u: Any, p: Any) -> Any:
        return {"q": x.v, "v": u.torque - p.k * x.q - p.d * x.v}, {"angle": x.q}


class Decay(rm.StaticMap):
    inputs = rm.space("t")
    outputs = rm.space("y")
    parameters = {"a": 1.0, "b": 2.0}

    def map(self, u: Any, p: Any) -> Any:
        return {"y": p.a * np.exp(-p.b * u.t)}


class Step(rm.StepMap):
    state = rm.space("q")
    inputs = rm.space("w")
    parameters = {"a": 0.5}

    def equations(self, x: Any, u: Any, p: Any) -> Any:
        return {"q": p.a * x.q + u.w}, x.vector


def closed_loop() -> rm.ModuleGraph:
    return (
        rm.Wiring(p=Oscillator(), k=rm.Gain(-1.0))
        .connect("p.angle", "k.u")
        .connect("k.y", "p.torque")
        .output("y", "p.angle")
        .build()
    )
