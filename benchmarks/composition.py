"""Certifying rings and cascades of many modules: rate against the closed form, time and memory.

Each row is one new process, so its peak memory is its own; imports are in the memory and not in the
time, which is the processor's. The ring is that of the Goodwin oscillator, whose best constant
metric has a closed form; a cascade's is the rate of its slowest node.
"""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify_network, network_rate, verify
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.region import Box

SIZES = (100, 1000, 3000)


class Repressed(rm.Flow):
    """``x' = k / (1 + s^2) - x``."""

    state, inputs = rm.space("x"), rm.space("s")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return {"x": p.k / (1 + u.s**2) - x.x}


class Stage(rm.Flow):
    """``x' = s - x``."""

    state, inputs = rm.space("x"), rm.space("s")

    def equations(self, x, u, p):
        return {"x": u.s - x.x}


class WholeRing(rm.Flow):
    """The ring as one module with n states."""

    def __init__(self, n, k):
        self.n, self.k = n, k
        self.state = rm.space(x=n)

    def equations(self, x, u, p):
        first = self.k / (1 + x.x[-1] ** 2)
        return {"x": np.concatenate([np.stack([first]), x.x[:-1]]) - x.x}


def ring_of_modules(n: int, k: float) -> tuple[RiemannianModule, Box]:
    """The ring wired of n modules."""
    nodes = [Repressed(k=k), *(Stage() for _ in range(n - 1))]
    wiring = rm.Wiring(**{f"n{i}": node for i, node in enumerate(nodes)})
    for i in range(n):
        wiring.connect(f"n{i}.x", f"n{(i + 1) % n}.s")
    return wiring.build(), rm.box({f"n{i}.x": (0, np.inf) for i in range(n)})


def ring_as_one(n: int, k: float) -> tuple[RiemannianModule, Box]:
    """The ring as one traced module."""
    return WholeRing(n, k), rm.box(x=(0, np.inf))


def cascade(n: int, k: float) -> tuple[RiemannianModule, Box]:
    """N stages in a row."""
    wiring = rm.Wiring(**{f"n{i}": Stage() for i in range(n)}).input("u", "n0.s")
    for i in range(1, n):
        wiring.connect(f"n{i - 1}.x", f"n{i}.s")
    return wiring.build(), rm.box()


def goodwin_rate(n: int, k: float) -> float:
    """The rate of the best constant metric; negative for growth."""
    strength = k * 3 * np.sqrt(3) / 8
    return float(1 - strength ** (1 / n) * np.cos(np.pi / (n + 1)) ** ((n + 1) / n))


Case = tuple[str, Callable[[int, float], tuple[RiemannianModule, Box]], float]
CASES: tuple[Case, ...] = (
    ("ring of modules, k = 1", ring_of_modules, 1.0),
    ("ring of modules, k = 4", ring_of_modules, 4.0),
    ("ring as one module, k = 1", ring_as_one, 1.0),
    ("cascade", cascade, 0.0),
)


def measure(case: Case, n: int) -> tuple[float, float, float, float, float]:
    """Proved rate, processor seconds to build, certify and verify, peak memory in MB."""
    _, make, k = case
    start = time.process_time()
    module, region = make(n, k)
    built = time.process_time()
    if k and goodwin_rate(n, k) < 0:
        rate = -network_rate(module, region).rate
        answer = None
    else:
        answer = certify_network(module, region)
        rate = answer.rate if isinstance(answer, Proved) else float("nan")
    proved = time.process_time()
    if isinstance(answer, Proved):
        assert isinstance(verify(answer.certificate), Proved)
    verified = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return rate, built - start, proved - built, verified - proved, memory


def main() -> None:
    """Print a table: one row a case and size."""
    print("| system | n | rate | of closed form | build s | certify s | verify s | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        for n in SIZES:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                rate, build, prove, check, memory = pool.submit(measure, case, n).result()
            closed = goodwin_rate(n, case[2]) if case[2] else 1.0
            print(
                f"| {case[0]} | {n} | {rate:.6g} | {rate / closed:.5f} | {build:.2f} | "
                f"{prove:.2f} | {check:.2f} | {memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
