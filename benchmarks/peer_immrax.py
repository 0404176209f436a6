"""Asked in its own environment: immrax encloses Jacobians over boxes; a log-norm in float64."""

import importlib.metadata
import json
import math
import sys
import time

import immrax as irx
import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 jax asks for it so
NAMES = {n: getattr(jnp, n) for n in ("tanh", "sin", "cos", "exp", "sqrt", "log", "cosh", "sinh")}
REPEATS = 5


def compiled(code, size):
    """The function of a point (size,) that a list of expressions in v0, v1, ... stands for."""
    programs = [compile(c, "expression", "eval") for c in code]

    def f(z):
        names = {**NAMES, **{f"v{i}": z[i] for i in range(size)}}
        return jnp.array([eval(p, names) + 0 * z[0] for p in programs])

    return f


def enclosures(task):
    """The bound over all boxes, the seconds of the best of some runs after compilation."""
    lower, upper = (jnp.array(task[side]) for side in ("lower", "upper"))
    n, P = task["n"], jnp.array(task["root"])
    Pinv = jnp.linalg.inv(P)
    F = irx.natif(compiled(task["jacobian"], lower.shape[1]))

    def bound(low, high):
        J = F(irx.interval(low, high))
        C = (0.5 * (J.lower + J.upper)).reshape(n, n)
        R = (0.5 * (J.upper - J.lower)).reshape(n, n)
        A, W = P @ C @ Pinv, jnp.abs(P) @ R @ jnp.abs(Pinv)
        return jnp.linalg.eigvalsh(0.5 * (A + A.T))[-1] + jnp.linalg.eigvalsh(0.5 * (W + W.T))[-1]

    g = jax.jit(jax.vmap(bound))
    worst = float(g(lower, upper).block_until_ready().max())
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        g(lower, upper).block_until_ready()
        times.append(time.perf_counter() - start)
    return {"bound": worst, "seconds": min(times)}


def points(task):
    """The interval of one expression on one box."""
    low, high = jnp.array(task["lower"]), jnp.array(task["upper"])
    J = irx.natif(compiled([task["expression"]], len(low)))(irx.interval(low, high))
    return {"lower": float(J.lower[0]), "upper": float(J.upper[0])}


def largest_eigenvalue(task):
    """As its users compute it."""
    return {"value": float(jnp.linalg.eigvalsh(jnp.array(task["matrix"], dtype=float))[-1])}


def answered(task):
    """The answer to one task; what goes wrong in one leaves the others alone."""
    kinds = {"boxes": enclosures, "point": points, "eigenvalue": largest_eigenvalue}
    try:
        answer = kinds[task["kind"]](task)
    except Exception as error:  # noqa: BLE001 the reader is told whatever it is
        return {"failed": f"{type(error).__name__}: {error}"[:200]}
    # JSON has no words for what is not finite.
    return {
        k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in answer.items()
    }


if __name__ == "__main__":
    answers = [answered(task) for task in json.load(sys.stdin)]
    print(json.dumps({"version": importlib.metadata.version("immrax"), "answers": answers}))
