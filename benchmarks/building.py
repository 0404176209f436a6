"""Building composites: ``a >> b >> ...`` beside `chain`, and how each builder's time grows.

An exponent of 1 is time in proportion to the number of modules; it is the slope of a line through
logarithms of the processor's times at lengths from LENGTHS[0] to LENGTHS[-1]. Garbage collection is
off: it visits whatever the process holds, which is not the builder's work.
"""

import gc
import time
from collections.abc import Callable
from functools import reduce
from operator import rshift

import numpy as np

import riemannian_modules as rm
from benchmarks.timing import paired_times

LENGTHS = (400, 800, 1600, 3200)
BESIDE = 800
RATIO_LIMIT = 3.0  # an arrow compares the ports of its neighbours once more
EXPONENT_LIMIT = 1.3


def modules(count: int) -> list[rm.RiemannianModule]:
    """Gains and activations in turn."""
    return [rm.Tanh(2) if i % 2 else rm.Gain(0.9, 2) for i in range(count)]


def by_arrows(parts: list[rm.RiemannianModule]) -> rm.RiemannianModule:
    """``a >> b >> ...``."""
    return reduce(rshift, parts)


def by_chain(parts: list[rm.RiemannianModule]) -> rm.RiemannianModule:
    """``chain(a, b, ...)``."""
    return rm.chain(*parts)


def by_wiring(parts: list[rm.RiemannianModule]) -> rm.RiemannianModule:
    """A chain wired port by port."""
    wiring = rm.Wiring().add("m0", parts[0]).input("u", "m0.u")
    for i, part in enumerate(parts[1:], 1):
        wiring.add(f"m{i}", part).connect(f"m{i - 1}.y", f"m{i}.u")
    return wiring.output("y", f"m{len(parts) - 1}.y").build()


def in_parallel(parts: list[rm.RiemannianModule]) -> rm.RiemannianModule:
    """Each module with an input and an output of its own."""
    wiring = rm.Wiring()
    for i, part in enumerate(parts):
        wiring.add(f"m{i}", part).input(f"u{i}", f"m{i}.u").output(f"y{i}", f"m{i}.y")
    return wiring.build()


def nested(parts: list[rm.RiemannianModule]) -> rm.RiemannianModule:
    """Two parallel composites, one after the other, port by port."""
    inner, wiring = in_parallel(parts), rm.Wiring()
    wiring.add("a", inner).add("b", inner)
    for i in range(len(parts)):
        wiring.input(f"u{i}", f"a.u{i}").connect(f"a.y{i}", f"b.u{i}").output(f"y{i}", f"b.y{i}")
    return wiring.build()


BUILDERS: tuple[tuple[str, Callable[[list[rm.RiemannianModule]], rm.RiemannianModule]], ...] = (
    ("a >> b >> ...", by_arrows),
    ("chain", by_chain),
    ("wiring, port by port", by_wiring),
    ("in parallel", in_parallel),
    ("composites of composites", nested),
)


def exponent(build: Callable[[list[rm.RiemannianModule]], rm.RiemannianModule]) -> float:
    """The power of the length that the time grows with; the best of three times at each."""
    gc.disable()
    try:
        times = [min(_seconds(build, modules(length)) for _ in range(3)) for length in LENGTHS]
    finally:
        gc.enable()
    return float(np.polyfit(np.log(LENGTHS), np.log(times), 1)[0])


def _seconds(
    build: Callable[[list[rm.RiemannianModule]], rm.RiemannianModule],
    parts: list[rm.RiemannianModule],
) -> float:
    start = time.process_time()
    _ = build(parts).signature
    return time.process_time() - start


def run() -> dict[str, object]:
    """One row for arrows beside `chain`, then one for each builder with its exponent."""
    parts = modules(BESIDE)
    beside = paired_times(lambda: by_arrows(parts).signature, lambda: by_chain(parts).signature, 5)
    rows = [beside.row(f"{BESIDE} modules: >> beside chain") | {"limit": RATIO_LIMIT}]
    for name, build in BUILDERS:
        rows.append({"name": name, "exponent": exponent(build), "limit": EXPONENT_LIMIT})
    return {"rows": rows}
