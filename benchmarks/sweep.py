"""One sweep, values and Jacobian, through a chain of modules beside a hand-written NumPy loop.

The chain alternates affine maps and activations of 16 dimensions; the loop does the same products
on the same arrays. Building is timed alone: its time for each module should not grow.
"""

import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import riemannian_modules as rm
from benchmarks.timing import paired_times

LENGTH = 1000
DIMENSION = 16
BATCH = 1000
BUILT = 10_000
RATIO_LIMIT = 3.0
BATCH_RATIO_LIMIT = 1.5
BUILD_LIMIT_S = 2.0

Array = NDArray[np.float64]
Layer = tuple[Array, Array]


def _layers(length: int) -> list[Layer]:
    rng = np.random.default_rng(0)
    scale = 1.0 / np.sqrt(DIMENSION)
    return [
        (scale * rng.standard_normal((DIMENSION, DIMENSION)), rng.standard_normal(DIMENSION))
        for _ in range(length // 2)
    ]


def _chain(layers: list[Layer]) -> rm.ModuleGraph:
    modules: list[rm.RiemannianModule] = []
    for W, b in layers:
        modules += [rm.Affine(W, b), rm.Tanh(DIMENSION)]
    return rm.chain(*modules)


def _ours(graph: rm.ModuleGraph, u: Array) -> Callable[[], tuple[Array, Array]]:
    x, theta, basis = np.zeros(0), graph.theta, np.eye(DIMENSION)
    no_state = np.zeros((0, DIMENSION))

    def sweep() -> tuple[Array, Array]:
        (_, y), (_, J) = graph.push_forward(x, u, theta, no_state, basis)
        return y, J

    return sweep


def _by_hand(layers: list[Layer], u: Array) -> Callable[[], tuple[Array, Array]]:
    def sweep() -> tuple[Array, Array]:
        y, tangents = u, np.eye(DIMENSION)
        for W, b in layers:
            y = y @ W.T + b
            tangents = W @ tangents
            y = np.tanh(y)
            slope = (1.0 - y * y)[..., None]
            is_batch = tangents.ndim == slope.ndim
            tangents = np.multiply(slope, tangents, out=tangents if is_batch else None)
        return y, tangents

    return sweep


def run() -> dict[str, object]:
    """Chains at one point and at a batch of points, then the building of a long chain."""
    layers = _layers(LENGTH)
    graph = _chain(layers)
    u = np.random.default_rng(1).standard_normal((BATCH, DIMENSION))
    one = paired_times(_ours(graph, u[0]), _by_hand(layers, u[0]), 21)
    name = f"values and Jacobian through {LENGTH} modules of {DIMENSION} dimensions"
    rows = [one.row(f"{name}, one point") | {"limit_ratio": RATIO_LIMIT}]
    many = paired_times(_ours(graph, u), _by_hand(layers, u), 5)
    rows.append(many.row(f"{name}, {BATCH} points") | {"limit_ratio": BATCH_RATIO_LIMIT})
    long, short = _layers(BUILT), _layers(BUILT // 2)
    _chain(short)  # imports what building needs
    build = paired_times(lambda: _chain(long).plan, lambda: _chain(short).plan, 5)
    rows.append(
        build.row(f"building {BUILT} modules with their plan, beside half of them (linear is 2)")
        | {"limit_s": BUILD_LIMIT_S}
    )
    rows.append({
        "name": f"memory of the sweep at {BATCH} points, beside one array of its tangents",
        "memory_of_tangents": _peak(_ours(graph, u)) / (BATCH * DIMENSION**2 * 8),
    })  # fmt: skip
    return {"rows": rows}


def _peak(work: Callable[[], object]) -> int:
    """Bytes allocated at most while it runs."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
