"""Balls, simplices and polytopes: their true bounds are reached, and never passed."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import (
    l2,
    quotient,
)
from tests.cases import systems_regions as r
from tests.cases.truths import Case
from tests.nightly import gate_without

LONG = [[2.0, 0.5], [0.5, 1.0]]
PARTS = [[[0.5, 1.0], [1.0, -0.5]], [[0.0, 1.0], [1.0, 0.25]], [[-1.0, 0.25], [0.25, 1.0]]]
SHEAR = np.array([[1.0, 2.0], [0.0, 1.0]])
MIXED = [[1.0, 0.5, 0.0], [0.0, 1.0, 0.25], [0.25, 0.0, 1.0]]
CYCLE = [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]
SHARES = ["x[0]", "x[1]", "x[2]"]


def ball(n, radius, metric=None):
    return rm.ball({f"x[{i}]": 0.0 for i in range(n)}, radius, metric)


def at_most_one(names, **sides):
    return rm.box(sides).linear(dict.fromkeys(names, 1.0), upper=1.0)


def mixture(norm, T):
    """The parts' worst: the largest eigenvalue is convex in the shares."""
    A = -2 * np.eye(2)
    worst = max(np.linalg.eigvalsh(A + np.array(S))[-1] for S in [np.zeros((2, 2)), *PARTS])
    own = [np.linalg.solve(T, S @ T) for S in (A, *np.array(PARTS))]
    region = at_most_one([f"k[{i}]" for i in range(3)], k=(0, 1))
    return Case(r.Mixture(*own), region, norm, -worst)


def diamond():
    """``|k_0| + |k_1| <= 1``, where |k| is at most 1."""
    region = rm.box(k=(-1, 1))
    for sign in (1.0, -1.0):
        region = region.linear({"k[0]": 1.0, "k[1]": sign}, -1.0, 1.0)
    module = r.Mixture(-2 * np.eye(2), [[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [1.0, 0.0]])
    return Case(module, region, l2(np.eye(2)), 1.0)


def competition(region):
    """In z = T x the Jacobian is diagonal, and z at most 1 on the simplex."""
    c = np.array([0.25, 0.125, 0.3])
    return Case(r.Competition(MIXED, c), region, l2(), 1 - 2 * c.max())


def smallest_rate(jacobian, n=60):
    """The Euclidean rate at a grid of the simplex, which its worst point belongs to nearly."""
    points = [np.array([i, j, n - i - j]) / n for i in range(n + 1) for j in range(n + 1 - i)]
    return min(-np.linalg.eigvalsh(J + J.T)[-1] / 2 for J in map(jacobian, points))


def replicator():
    module, A, m = r.Replicator(CYCLE, 1.5), np.array(CYCLE), 1.5

    def jacobian(x):
        return np.diag(A @ x - x @ A @ x - m) + x[:, None] * (A - (A + A.T) @ x)

    return Case(module, rm.simplex(SHARES), l2(np.eye(3)), smallest_rate(jacobian))


def cycle():
    """Reactions on the simplex itself, in the metric [[2, 1], [1, 2]] of (x_0, x_1)."""
    module, M = r.Cycle(), np.array([[2.0, 1.0], [1.0, 2.0]])
    root = np.linalg.cholesky(M).T

    def jacobian(x):
        own = np.diag([1 + x[1], 1 + x[2], 1 + x[0]])  # of each rate by x_i, and by x_(i+1)
        slopes = own + np.diag(x) @ np.roll(np.eye(3), 1, axis=1)
        J = (np.roll(np.eye(3), 1, axis=0) - np.eye(3)) @ slopes
        reduced = J[:2] @ [[1, 0], [0, 1], [-1, -1]]
        return root @ reduced @ np.linalg.inv(root)

    options = {"horizontal": quotient(module)}
    return Case(module, rm.simplex(SHARES), l2(M), smallest_rate(jacobian), options=options)


PROVED = {
    "disc": lambda: Case(r.Radial(np.eye(2)), ball(2, 0.5), l2(np.eye(2)), 0.25),
    "ball": lambda: Case(r.Radial(np.eye(3)), ball(3, 0.5), l2(np.eye(3)), 0.25),
    "ball of four": lambda: Case(r.Radial(np.eye(4)), ball(4, 0.5), l2(np.eye(4)), 0.25),
    "ellipse": lambda: Case(r.Radial(LONG), ball(2, 0.5, LONG), l2(LONG), 0.25),
    "ellipse in a metric to be found": lambda: Case(
        r.Radial(LONG), ball(2, 0.5, LONG), l2(), 0.25
    ),
    "steps in a ball": lambda: Case(r.RadialStep(3), ball(3, 0.5), l2(np.eye(3)), 0.875),
    "disc off the origin": lambda: Case(
        r.Harmonic(), rm.ball({"x": 0.25, "y": 0.0}, 1.25), l2(), 0.5
    ),
    "half of a disc": lambda: Case(
        r.Harmonic(), rm.ball({"x": 0.0, "y": 0.0}, 1.25).linear({"x": 1.0, "y": 1.0}, upper=0.5),
        l2(np.eye(2)), 0.75,
    ),
    "shares of parameters": lambda: mixture(l2(np.eye(2)), np.eye(2)),
    "shares of parameters in a metric to be found": lambda: mixture(l2(), SHEAR),
    "diamond of parameters": diamond,
    "simplex in a metric to be found": lambda: competition(rm.simplex(SHARES)),
    "shares of at most one in a metric to be found": lambda: competition(
        at_most_one(SHARES, x=(0, 1))
    ),
    # In diag(1, q) the vertices s = 1, i = 0 and s = 0, i = 1 allow 1 - 1 / (2 sqrt q) and
    # 2 - sqrt(q) / 2; both are equal for sqrt q = 1 + sqrt 2.
    "epidemic": lambda: Case(
        r.Epidemic(), at_most_one("si", s=(0, 1), i=(0, 1)), l2(), 1.5 - np.sqrt(0.5)
    ),
    "epidemic of uncertain infection": lambda: Case(
        r.Epidemic(), at_most_one("si", s=(0, 1), i=(0, 1), b=(0.5, 1)), l2(), 1.5 - np.sqrt(0.5)
    ),
    "replicator with mutations": replicator,
    "reactions that keep a sum": cycle,
    "map of a ball": lambda: Case(
        r.Swelling(3), rm.ball({f"u[{i}]": 0.0 for i in range(3)}, 0.5), None, 1.75
    ),
    # The gain of softmax is a share where two are equal and as large as can be.
    "softmax of two": lambda: Case(r.Softmax(2), rm.box(z=(-1, 1)), None, 0.5),
    "softmax of three": lambda: Case(
        r.Softmax(3), rm.box(z=(-1, 1)), None, 1 / (2 + np.exp(-2.0))
    ),
    "attention": lambda: Case(
        r.Attention(2), rm.box(x=(-1, 1)), l2(np.eye(2)), 0.5
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", gate_without(PROVED, "softmax of three"))
def test_the_true_bound_of_a_region_is_reached_and_never_passed(name, tmp_path):
    PROVED[name]().is_reached(tmp_path)


@pytest.mark.parametrize("name", PROVED)
def test_more_than_the_truth_of_a_region_is_not_proved(name):
    PROVED[name]().is_not_passed()
