"""Asked in its own environment: python-flint's balls, box by box, rounding included.

The log-norm is bounded in the centre's eigenvectors V by Gershgorin's discs, all in balls:
``x^T S x = y^T (V^T S V) y`` with ``x = V y``, and ``|x|^2 / |y|^2`` within ``1 +- |V^T V - I|``.
"""

import importlib.metadata
import json
import math
import sys
import time

import numpy as np
from flint import arb, arb_mat

NAMES = {
    "tanh": arb.tanh, "sin": arb.sin, "cos": arb.cos, "exp": arb.exp, "sqrt": arb.sqrt,
    "log": arb.log,
}  # fmt: skip


def ball(low, high):
    """The smallest ball about two floats."""
    return arb(low).union(arb(high))


def log_norm(J, P, Pinv):
    """An upper bound of the log-norm of ``P J P^-1`` for every J of an arb_mat."""
    A = P * J * Pinv
    S = (A + A.transpose()) * arb(0.5)
    n = S.nrows()
    middle = np.array([[float(S[i, j].mid()) for j in range(n)] for i in range(n)])
    V = arb_mat(np.linalg.eigh(middle)[1].tolist())
    T = V.transpose() * S * V
    worst = max(
        float((T[i, i] + sum((abs(T[i, j]) for j in range(n) if j != i), arb(0))).upper())
        for i in range(n)
    )
    gap = V.transpose() * V - arb_mat([[int(i == j) for j in range(n)] for i in range(n)])
    d = max(float(sum((abs(gap[i, j]) for j in range(n)), arb(0)).upper()) for i in range(n))
    return float((arb(worst) / (1 - arb(d) if worst >= 0 else 1 + arb(d))).upper())


def enclosures(task):
    """The bound over all boxes and the seconds that one run took."""
    n, P = task["n"], arb_mat(task["root"])
    Pinv = P.inv()
    programs = [compile(c, "expression", "eval") for c in task["jacobian"]]
    boxes = list(zip(task["lower"], task["upper"], strict=True))
    start, worst = time.perf_counter(), -math.inf
    for low, high in boxes:
        names = {f"v{i}": ball(a, b) for i, (a, b) in enumerate(zip(low, high, strict=True))}
        values = [eval(p, NAMES, names) for p in programs]
        J = arb_mat([[arb(v) for v in values[i * n : i * n + n]] for i in range(n)])
        worst = max(worst, log_norm(J, P, Pinv))
    return {"bound": worst, "seconds": time.perf_counter() - start}


def points(task):
    """The interval of one expression on one box."""
    sides = zip(task["lower"], task["upper"], strict=True)
    names = {f"v{i}": ball(a, b) for i, (a, b) in enumerate(sides)}
    value = eval(task["expression"], NAMES, names)
    return {"lower": float(value.lower()), "upper": float(value.upper())}


def largest_eigenvalue(task):
    """By Gershgorin's discs in the eigenvectors: an upper bound."""
    S = arb_mat([[int(v) for v in row] for row in task["matrix"]])
    one = arb_mat([[int(i == j) for j in range(S.nrows())] for i in range(S.nrows())])
    return {"value": log_norm(S, one, one)}


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
    print(json.dumps({"version": importlib.metadata.version("python-flint"), "answers": answers}))
