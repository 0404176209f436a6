"""Asked in its own environment: auto_LiRPA bounds Jacobians over boxes; a log-norm in float64."""

import contextlib
import importlib.metadata
import json
import math
import sys
import time

with contextlib.redirect_stdout(sys.stderr):
    import numpy as np
    import torch
    from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
NAMES = {n: getattr(torch, n) for n in ("tanh", "sin", "cos", "exp", "sqrt", "log")}
REPEATS = 3


class Entries(torch.nn.Module):
    """The columns that a list of expressions in v0, v1, ... stands for."""

    def __init__(self, code, size):
        super().__init__()
        self.programs, self.size = [compile(c, "expression", "eval") for c in code], size

    def forward(self, z):
        names = {**NAMES, **{f"v{i}": z[:, i : i + 1] for i in range(self.size)}}
        return torch.cat([eval(p, names) + 0.0 * z[:, :1] for p in self.programs], 1)


def bounds_of(code, lower, upper, method):
    """A function that bounds the expressions over all boxes."""
    with contextlib.redirect_stdout(sys.stderr):
        net = BoundedModule(Entries(code, lower.shape[1]), 0.5 * (lower + upper))
    box = BoundedTensor(
        0.5 * (lower + upper), PerturbationLpNorm(norm=np.inf, x_L=lower, x_U=upper)
    )
    return lambda: net.compute_bounds(x=(box,), method=method)


def enclosures(task):
    """The bound over all boxes by the tightest method that works, and its seconds."""
    lower, upper = (torch.tensor(task[side]) for side in ("lower", "upper"))
    n, P = task["n"], torch.tensor(task["root"])
    Pinv = torch.linalg.inv(P)
    # Constant entries are no functions of the boxes for it; they are put in by hand.
    moving = [i for i, c in enumerate(task["jacobian"]) if "v" in c]
    constant = [0.0 if i in moving else float(eval(c)) for i, c in enumerate(task["jacobian"])]

    def bound(entries):
        low, high = entries()
        J = [torch.tensor(constant).repeat(len(lower), 1) for _ in range(2)]
        J[0][:, moving], J[1][:, moving] = low.detach(), high.detach()
        C = (0.5 * (J[0] + J[1])).reshape(-1, n, n)
        R = (0.5 * (J[1] - J[0])).reshape(-1, n, n)
        A, W = P @ C @ Pinv, P.abs() @ R @ Pinv.abs()
        return (
            torch.linalg.eigvalsh(0.5 * (A + A.mT))[:, -1]
            + torch.linalg.eigvalsh(0.5 * (W + W.mT))[:, -1]
        ).max()

    answers = []
    for method in ("backward", "CROWN-IBP", "IBP"):
        try:
            entries = bounds_of([task["jacobian"][i] for i in moving], lower, upper, method)
            worst = float(bound(entries))
        except Exception as error:  # noqa: BLE001 whatever it cannot bound, another method may
            print(method, repr(error)[:300], file=sys.stderr)
            continue
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            bound(entries)
            times.append(time.perf_counter() - start)
        answers.append({"bound": worst, "seconds": min(times), "method": method})
    finite = [a for a in answers if math.isfinite(a["bound"])]
    return min(finite, key=lambda a: a["bound"]) if finite else {"failed": "no method bounds it"}


def points(task):
    """The interval of one expression on one box."""
    lower, upper = (torch.tensor([task[side]], dtype=float) for side in ("lower", "upper"))
    low, high = bounds_of([task["expression"]], lower, upper, "IBP")()
    return {"lower": float(low), "upper": float(high)}


def largest_eigenvalue(task):
    """As its users compute it."""
    matrix = torch.tensor(task["matrix"], dtype=torch.float64)
    return {"value": float(torch.linalg.eigvalsh(matrix)[-1])}


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
    print(json.dumps({"version": importlib.metadata.version("auto-LiRPA"), "answers": answers}))
