"""Tracing, differentiating and compiling a pathway of ten states, the first time and again.

Each first time runs in a process of its own, for the library remembers what it has compiled; the
import of SymPy is told apart. Again means a new instance of the same class in the same process.
"""

import json
import statistics
import subprocess
import sys
import time

import numpy as np

import riemannian_modules as rm

REPEATS = 5
LIMIT_S = 1.0
STATES = 10


class Pathway(rm.Flow):
    """A cascade of phosphorylation cycles closed by a Hill repression of its first step."""

    state = rm.space(s=STATES)
    inputs = rm.space("signal")
    parameters = {
        "k": np.linspace(1.0, 2.0, STATES),
        "K": np.linspace(0.3, 0.6, STATES),
        "v": np.linspace(0.5, 1.0, STATES),
        "J": np.linspace(0.2, 0.4, STATES),
        "n": 2.5,
        "Ki": 0.5,
    }

    def equations(self, x, u, p):
        s, free = x.s, 1.0 - x.s
        drive = u.signal / (1.0 + (s[-1] / p.Ki) ** p.n)
        up = np.concatenate([np.stack([drive]), s[:-1]])
        return {"s": p.k * up * free / (p.K + free) - p.v * s / (p.J + s)}


def compiled_once() -> float:
    """Seconds to trace and compile a new instance: values, Jacobian, and the simulator's field."""
    from riemannian_modules.engine.vector_field import vector_field

    start = time.perf_counter()
    module = Pathway()
    x, u = np.full(STATES, 0.3), np.ones(1)
    module.forward(x, u, module.theta)
    module.jacobian(x, u, module.theta)
    field = vector_field(module, module.theta)
    field.derivative(x.tolist(), u.tolist())
    field.jacobian(x.tolist(), u.tolist())
    return time.perf_counter() - start


def measured_here() -> dict[str, float]:
    start = time.perf_counter()
    import sympy  # noqa: F401

    imported = time.perf_counter() - start
    return {"sympy_s": imported, "first_s": compiled_once(), "again_s": compiled_once()}


def run() -> dict[str, object]:
    program = (
        "import json; from benchmarks import tracing; print(json.dumps(tracing.measured_here()))"
    )
    command = [sys.executable, "-c", program]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for _ in range(REPEATS)
    ]
    middle = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
    return {
        "rows": [
            {"name": "10-state pathway, first", "ours_s": middle["first_s"], "limit_s": LIMIT_S,
             "import_sympy_s": middle["sympy_s"]},
            {"name": "10-state pathway, again", "ours_s": middle["again_s"], "limit_s": LIMIT_S},
        ]
    }  # fmt: skip
