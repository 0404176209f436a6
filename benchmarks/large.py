"""Large systems and batches: rings of flows, a reaction with diffusion, many starts at once.

A ring of 10 to 10,000 flows is built of modules, beside the same equations written by hand on
arrays; the exponents say how time and memory grow from 1,000 to 10,000. The Brusselator in one
dimension (Hairer and Wanner's BRUSS, volume II, section IV.10) stands beside SciPy's BDF with the
exact sparse Jacobian by hand, a batch of starts beside one vectorised DOP853. All at equal
tolerances. Tracing is done before and told apart, as ``first_s``.
"""

import math
import time
import tracemalloc
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import block_array, diags_array

import riemannian_modules as rm
from benchmarks.timing import paired_times
from riemannian_modules.engine import simulate

REPEATS = 5
RINGS, CELLS, STARTS = (10, 100, 1_000, 10_000), (50, 150, 500), (300, 1_000, 3_000)
END = 10.0
LIMIT_STIFF, LIMIT_BATCH = 2.0, 1.2
TOLERANCES: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-9}
TIGHT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12}


class Neuron(rm.Flow):
    """One leaky unit, driven by the one before it."""

    state, inputs, parameters = rm.space("x"), rm.space("u"), {"k": 1.0}

    def equations(self, x, u, p):
        return {"x": np.tanh(2.0 * u.u) - p.k * x.x}


class Brusselator(rm.Flow):
    """Reaction and diffusion in one dimension, the cells as vectors."""

    def __init__(self, cells: int) -> None:
        self.state, self.cells = rm.space(u=cells, v=cells), cells
        super().__init__()

    def equations(self, s, i, p):
        u, v, a = s.u, s.v, (self.cells + 1) ** 2 / 50
        one, three = np.ones(1), np.full(1, 3.0)
        flux = u * u * v
        return {
            "u": 1 + flux - 4 * u
            + a * (np.concatenate([one, u[:-1]]) - 2 * u + np.concatenate([u[1:], one])),
            "v": 3 * u - flux
            + a * (np.concatenate([three, v[:-1]]) - 2 * v + np.concatenate([v[1:], three])),
        }  # fmt: skip


class Predators(rm.Flow):
    """Lotka's and Volterra's equations."""

    state = rm.space("x y")

    def equations(self, s, u, p):
        return {"x": 1.5 * s.x - s.x * s.y, "y": -3.0 * s.y + s.x * s.y}


def ring(count: int) -> rm.ModuleGraph:
    """Flows in a ring, of three kinds of parameters."""
    wiring = rm.Wiring()
    for i in range(count):
        wiring.add(f"n{i}", Neuron(k=1.0 + 0.1 * (i % 3)))
    for i in range(count):
        wiring.connect(f"n{i}.x", f"n{(i + 1) % count}.u")
    return wiring.output("x", "n0.x").build()


def ring_row(count: int) -> dict[str, object]:
    start = np.random.default_rng(0).standard_normal(count)
    k = 1.0 + 0.1 * (np.arange(count) % 3)
    tracemalloc.start()
    begin = time.process_time()
    graph = ring(count)
    simulate(graph, [0.0, END], start, **TIGHT)
    first = time.process_time() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    def by_hand(_: float, x: Any) -> Any:
        return np.tanh(2.0 * np.roll(x, 1)) - k * x

    times = paired_times(
        lambda: simulate(graph, [0.0, END], start, **TIGHT),
        lambda: solve_ivp(by_hand, (0.0, END), start, "DOP853", **TIGHT),
        REPEATS,
    )
    return times.row(f"ring of {count} flows") | {"first_s": first, "peak_mb": peak / 1e6}


def exponents(rows: list[dict[str, Any]]) -> dict[str, object]:
    """How time and memory grow between the two largest rings: the exponents of their number."""
    small, large = rows[-2:]
    decades = math.log10(RINGS[-1] / RINGS[-2])
    return {"name": "exponents of the ring"} | {
        key: math.log10(large[key] / small[key]) / decades
        for key in ("ours_s", "first_s", "peak_mb")
    }


def brusselator_row(cells: int) -> dict[str, object]:
    a = (cells + 1) ** 2 / 50
    start = np.r_[
        1 + np.sin(2 * np.pi * np.arange(1, cells + 1) / (cells + 1)), np.full(cells, 3.0)
    ]
    sides = np.full(cells - 1, a)
    spread = diags_array([sides, np.full(cells, -2 * a), sides], offsets=[-1, 0, 1])

    def by_hand(_: float, z: Any) -> Any:
        u, v, dz = z[:cells], z[cells:], np.empty_like(z)
        flux = u * u * v
        dz[:cells] = 1 + flux - 4 * u + a * (np.r_[1, u[:-1]] - 2 * u + np.r_[u[1:], 1])
        dz[cells:] = 3 * u - flux + a * (np.r_[3, v[:-1]] - 2 * v + np.r_[v[1:], 3])
        return dz

    def jacobian(_: float, z: Any) -> Any:
        u, v = z[:cells], z[cells:]
        corners = [[spread + diags_array(2 * u * v - 4), diags_array(u * u)],
                   [diags_array(3 - 2 * u * v), spread - diags_array(u * u)]]  # fmt: skip
        return block_array(corners, format="csc")

    module = Brusselator(cells)
    begin = time.process_time()
    simulate(module, [0.0, 1e-9], start)
    first = time.process_time() - begin
    times = paired_times(
        lambda: simulate(module, [0.0, END], start, **TOLERANCES),
        lambda: solve_ivp(by_hand, (0.0, END), start, "BDF", jac=jacobian, **TOLERANCES),
        REPEATS,
    )
    run = simulate(module, [0.0, END], start, **TOLERANCES)
    more = {
        "first_s": first,
        "limit": LIMIT_STIFF,
        "solver": run.solver.solver if run.solver else "",
    }
    return times.row(f"Brusselator of {2 * cells} states") | more


def batch_row(count: int) -> dict[str, object]:
    starts = np.random.default_rng(0).uniform(1.0, 10.0, (count, 2))
    module = Predators()

    def by_hand(_: float, z: Any) -> Any:
        x, y = z.reshape(2, -1)
        return np.r_[1.5 * x - x * y, -3.0 * y + x * y]

    times = paired_times(
        lambda: simulate(module, [0.0, END], starts, **TIGHT),
        lambda: solve_ivp(by_hand, (0.0, END), starts.T.ravel(), "DOP853", **TIGHT),
        2 * REPEATS + 1,
    )
    return times.row(f"batch of {count} starts") | {"limit": LIMIT_BATCH}


def run() -> dict[str, object]:
    rings = [ring_row(count) for count in RINGS]
    rows = [*rings, exponents(rings)]
    rows += [brusselator_row(cells) for cells in CELLS]
    return {"rows": rows + [batch_row(count) for count in STARTS]}
