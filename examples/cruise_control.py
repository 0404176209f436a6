"""A car's cruise control meets a hill: wire it, find where it rests, linearise it, drive it.

The car is that of Astrom and Murray, Feedback Systems, section 4.1: an engine with a torque curve,
five gears, rolling friction, air drag, and a throttle between 0 and 1; the controller is PI with a
leak. ``python examples/cruise_control.py [FOLDER]`` writes the trajectory to the folder, if given.
"""

import sys
from pathlib import Path

import numpy as np

import riemannian_modules as rm
from riemannian_modules.engine import equilibrium, linearize, simulate


class Car(rm.Flow):
    """Speed of a car under throttle, gear and the slope of the road."""

    state = rm.space(speed="m/s")
    inputs = rm.space(throttle="", gear="", slope="rad")
    outputs = rm.space(v="m/s")
    parameters = {
        "mass": 1600.0,  # kg
        "g": 9.8,  # m/s^2
        "friction": 0.01,
        "drag": 0.32,
        "air": 1.3,  # kg/m^3
        "area": 2.4,  # m^2
        "ratios": [40.0, 25.0, 16.0, 12.0, 10.0],  # gear ratio over wheel radius, 1/m
        "torque": 190.0,  # N m
        "peak": 420.0,  # rad/s, engine speed of the largest torque
        "falloff": 0.4,
    }

    def equations(self, x, u, p):
        ratio = p.ratios[4]
        for i in (3, 2, 1, 0):
            ratio = np.where(u.gear < i + 1.5, p.ratios[i], ratio)
        v, throttle = x.speed, np.clip(u.throttle, 0.0, 1.0)
        engine = p.torque * (1 - p.falloff * (ratio * v / p.peak - 1) ** 2)
        drive = ratio * np.maximum(engine, 0.0) * throttle
        weight = p.mass * p.g
        resistance = weight * np.sin(u.slope) + weight * p.friction * np.sign(v)
        drag = 0.5 * p.air * p.drag * p.area * np.abs(v) * v
        return {"speed": (drive - resistance - drag) / p.mass}, {"v": v}


class LeakyPI(rm.Flow):
    """``kp + ki/s`` whose integral leaks slowly, from the speed's error to the throttle."""

    state = rm.space(error_sum="m")
    inputs = rm.space(reference="m/s", measured="m/s")
    outputs = rm.space(throttle="")
    parameters = {"kp": 0.5, "ki": 0.1, "leak": 0.002}

    def equations(self, x, u, p):
        error = u.reference - u.measured
        throttle = p.kp * error + (p.ki - p.kp * p.leak) * x.error_sum
        return {"error_sum": error - p.leak * x.error_sum}, {"throttle": throttle}


def cruise_control(mass: float = 1600.0) -> rm.ModuleGraph:
    """The closed loop: inputs vref, gear and theta (the slope); outputs v and u (the throttle)."""
    return (
        rm.Wiring(control=LeakyPI(), car=Car(mass=mass))
        .input("vref", "control.reference")
        .input("gear", "car.gear")
        .input("theta", "car.slope")
        .connect("control.throttle", "car.throttle")
        .connect("car.v", "control.measured")
        .output("v", "car.v")
        .output("u", "control.throttle")
        .build()
    )


def main(folder: Path | None) -> None:
    loop = cruise_control()
    flat_road = {"vref": 20.0, "gear": 4.0, "theta": 0.0}
    rest = equilibrium(
        loop, flat_road, {"control.error_sum": 1.0, "car.speed": 20.0}, outputs={"v": 20.0},
        free=["vref"],
    )  # fmt: skip
    print(f"At rest at 20 m/s the throttle is {rest.y[1]:.4f}.\n")
    model = linearize(loop, rest.x, rest.u)
    print(model.table(), "\n\npoles:", np.round(model.poles, 4), "\n")
    hill = ([0.0, 5.0, 6.0, 25.0], np.radians([0.0, 0.0, 4.0, 4.0]))
    inputs = {"vref": rest.u[0], "gear": 4.0, "theta": hill}
    drive = simulate(loop, np.linspace(0.0, 25.0, 101), rest.x, inputs)
    slowest = drive["v"].argmin()
    print(
        f"A hill of 4 degrees slows the car to {drive['v'][slowest]:.2f} m/s at "
        f"t = {drive.times[slowest]:.2f} s; the throttle rises to {drive['u'].max():.2f}."
    )
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        drive.to_csv(folder / "cruise_control.csv")
        drive.plot(["v", "u", "theta"]).savefig(folder / "cruise_control.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
