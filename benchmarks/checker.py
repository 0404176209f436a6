"""The certificate checker's speed: leaves of a six-state system, each with its own enclosures.

Six firing rates coupled in a ring with a cubic damping each: every leaf encloses six slopes of tanh
and six squares, and decides a 6-by-6 matrix inequality.
"""

from fractions import Fraction

import contraction_checker as checker
from benchmarks.timing import seconds

LEAVES, STATES = 10_000, 6


def cuts(count):
    """A tree of ``count`` leaves in preorder, each cut through the middle, axes in turn."""

    def tree(leaves, axis, sides):
        if leaves == 1:
            return [None]
        low, high = sides[axis]
        middle = (low + high) / 2
        first, second = dict(sides), dict(sides)
        first[axis], second[axis] = (low, middle), (middle, high)
        half, after = leaves // 2, (axis + 1) % STATES
        return [[axis, middle], *tree(leaves - half, after, first), *tree(half, after, second)]

    return tree(count, 0, dict.fromkeys(range(STATES), (Fraction(-2), Fraction(2))))


def certificate(count=LEAVES):
    """A true certificate with that many leaves."""
    names = [f"x{i}" for i in range(STATES)]
    dx = [
        ["+", ["*", "-1", n], ["*", "-1/10", ["^", n, "3"]],
         ["*", "2/5", ["tanh", ["+", names[i - 1], ["*", "-1/2", names[(i + 1) % STATES]]]]]]
        for i, n in enumerate(names)
    ]  # fmt: skip
    metric = [
        [Fraction(2 if i == j else Fraction(1, 8) * (abs(i - j) == 1)) for j in range(STATES)]
        for i in range(STATES)
    ]
    return {
        "format": "riemannian-modules certificate",
        "version": 3,
        "claim": {
            "statement": "",
            "kind": "flow",
            "bound": Fraction(-1, 8),
            "norm": {"type": "l2", "metric": metric},
        },
        "region": {"sides": [[n, -2, 2] for n in names]},
        "system": {
            "type": "expressions",
            "symbols": {"state": names, "inputs": [], "parameters": []},
            "let": [],
            "dx": dx,
            "y": [],
            "guards": [],
        },
        "evidence": {"rule": "monolithic", "cuts": cuts(count), **in_atoms(names)},
    }


def in_atoms(names):
    """The Jacobian in squares and slopes of tanh, each an atom."""
    let, atoms, jacobian = [], [], []
    for i, n in enumerate(names):
        before, after = i - 1, (i + 1) % STATES
        drive = ["+", names[before], ["*", "-1/2", names[after]]]
        let += [[f"$s{i}", ["^", n, "2"]], [f"$t{i}", ["^", ["tanh", drive], "2"]]]
        slope = ["+", "2/5", ["*", "-2/5", f"$t{i}"]]
        jacobian += [
            [i, i, ["+", "-1", ["*", "-3/10", f"$s{i}"]]],
            [i, before % STATES, slope],
            [i, after, ["*", "-1/2", slope]],
        ]
    atoms = [{"name": name} for name, _ in let]
    return {"let": let, "atoms": atoms, "jacobian": jacobian}


def run():
    """Seconds for all leaves, and microseconds a leaf."""
    data = certificate()
    took = seconds(lambda: checker.check(data))
    row = {"name": f"{LEAVES} leaves of 6 by 6", "ours_s": took, "limit": 10.0}
    return {"rows": [row | {"us_a_leaf": 1e6 * took / LEAVES}]}
