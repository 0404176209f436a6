"""Simulating a feedback loop of six blocks, beside python-control's `input_output_response`.

Both get the same equations, written block by block and wired by name, the same tolerances and the
same table of inputs. The last row includes building the loop and
tracing it; what was compiled for equal expressions is remembered.
"""

from typing import Any

import numpy as np

import riemannian_modules as rm
from benchmarks.timing import paired_times
from riemannian_modules.engine import simulate

REPEATS = 7
LIMIT = 1.0
TIMES = np.linspace(0.0, 20.0, 201)
REFERENCE = np.interp(TIMES, [0.0, 1.0, 3.0, 20.0], [0.0, 0.0, 1.0, 1.0])
TOLERANCES = {"rtol": 1e-6, "atol": 1e-9}


class Filter(rm.Flow):
    """A first-order prefilter of the reference."""

    state, inputs, outputs = rm.space("f"), rm.space("r"), rm.space("y")
    parameters = {"tau": 0.3}

    def equations(self, x, u, p):
        return {"f": (u.r - x.f) / p.tau}, {"y": x.f}


class Error(rm.StaticMap):
    """The difference of reference and measurement."""

    inputs, outputs = rm.space("r y"), rm.space("e")

    def map(self, u, p):
        return {"e": u.r - u.y}


class Controller(rm.Flow):
    """PID with a filtered derivative."""

    state, inputs, outputs = rm.space("i d"), rm.space("e"), rm.space("u")
    parameters = {"kp": 4.0, "ki": 2.0, "kd": 1.5, "tf": 0.05}

    def equations(self, x, u, p):
        slope = (u.e - x.d) / p.tf
        return {"i": u.e, "d": slope}, {"u": p.kp * u.e + p.ki * x.i + p.kd * slope}


class Saturation(rm.StaticMap):
    """A smooth limit of the actuator's command."""

    inputs, outputs = rm.space("u"), rm.space("v")
    parameters = {"limit": 5.0}

    def map(self, u, p):
        return {"v": p.limit * np.tanh(u.u / p.limit)}


class Actuator(rm.Flow):
    """A second-order actuator."""

    state, inputs, outputs = rm.space("a s"), rm.space("v"), rm.space("force")
    parameters = {"w": 20.0, "z": 0.7}

    def equations(self, x, u, p):
        return {"a": x.s, "s": p.w**2 * (u.v - x.a) - 2 * p.z * p.w * x.s}, {"force": x.a}


class Plant(rm.Flow):
    """A damped pendulum."""

    state, inputs, outputs = rm.space("q w"), rm.space("force"), rm.space("angle")
    parameters = {"g": 4.0, "d": 1.0}

    def equations(self, x, u, p):
        return {"q": x.w, "w": u.force - p.g * np.sin(x.q) - p.d * x.w}, {"angle": x.q}


def our_loop() -> rm.ModuleGraph:
    return (
        rm.Wiring(
            filter=Filter(), error=Error(), pid=Controller(), limit=Saturation(),
            actuator=Actuator(), plant=Plant(),
        )
        .input("r", "filter.r")
        .connect("filter.y", "error.r")
        .connect("plant.angle", "error.y")
        .connect("error.e", "pid.e")
        .connect("pid.u", "limit.u")
        .connect("limit.v", "actuator.v")
        .connect("actuator.force", "plant.force")
        .output("angle", "plant.angle")
        .output("u", "pid.u")
        .build()
    )  # fmt: skip


def their_loop() -> Any:
    import control as ct

    def block(name, update, output, states, inputs, outputs):
        return ct.nlsys(
            update, output, name=name, states=states or None, inputs=inputs, outputs=outputs
        )

    blocks = [
        block("filter", lambda t, x, u, p: (u[0] - x[0]) / 0.3, lambda t, x, u, p: x[0],
              ["f"], ["r"], ["y"]),
        block("error", None, lambda t, x, u, p: u[0] - u[1], [], ["r", "y"], ["e"]),
        block("pid", lambda t, x, u, p: [u[0], (u[0] - x[1]) / 0.05],
              lambda t, x, u, p: 4.0 * u[0] + 2.0 * x[0] + 1.5 * (u[0] - x[1]) / 0.05,
              ["i", "d"], ["e"], ["u"]),
        block("limit", None, lambda t, x, u, p: 5.0 * np.tanh(u[0] / 5.0), [], ["u"], ["v"]),
        block("actuator",
              lambda t, x, u, p: [x[1], 400.0 * (u[0] - x[0]) - 28.0 * x[1]],
              lambda t, x, u, p: x[0], ["a", "s"], ["v"], ["force"]),
        block("plant",
              lambda t, x, u, p: [x[1], u[0] - 4.0 * np.sin(x[0]) - x[1]],
              lambda t, x, u, p: x[0], ["q", "w"], ["force"], ["angle"]),
    ]  # fmt: skip
    return ct.interconnect(
        blocks, name="loop",
        connections=[
            ["error.r", "filter.y"], ["error.y", "plant.angle"], ["pid.e", "error.e"],
            ["limit.u", "pid.u"], ["actuator.v", "limit.v"], ["plant.force", "actuator.force"],
        ],
        inplist=["filter.r"], inputs=["r"],
        outlist=["plant.angle", "pid.u"], outputs=["angle", "u"],
    )  # fmt: skip


def our_run(loop: rm.ModuleGraph) -> np.ndarray:
    return simulate(loop, TIMES, inputs={"r": (TIMES, REFERENCE)}, **TOLERANCES).outputs


def their_run(loop: Any, method: str) -> np.ndarray:
    import control as ct

    return ct.input_output_response(
        loop, TIMES, REFERENCE, 0.0, solve_ivp_method=method, solve_ivp_kwargs=dict(TOLERANCES)
    ).outputs.T


def run() -> dict[str, object]:
    ours, theirs = our_loop(), their_loop()
    exact = simulate(ours, TIMES, inputs={"r": (TIMES, REFERENCE)}, rtol=1e-12, atol=1e-14).outputs
    rows = []
    for method in ("RK45", "LSODA"):

        def reference(method: str = method) -> np.ndarray:
            return their_run(theirs, method)

        row = paired_times(lambda: our_run(ours), reference, REPEATS).row(f"6-block loop, {method}")
        row |= {
            "limit": LIMIT,
            "our_error": float(np.abs(our_run(ours) - exact).max()),
            "reference_error": float(np.abs(reference() - exact).max()),
        }
        rows.append(row)
    fresh = paired_times(
        lambda: our_run(our_loop()), lambda: their_run(their_loop(), "RK45"), REPEATS
    )
    rows.append(fresh.row("6-block loop, built anew (compiled code remembered)") | {"limit": LIMIT})
    return {"rows": rows}
