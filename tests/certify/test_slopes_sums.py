"""Sums over corners of slopes bound layers in weighted l1 and linf norms, as brute force does."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import (
    Budget,
    Estimated,
    Proved,
    SlopesForm,
    certify,
    certify_slopes,
    l1,
    l2,
    linf,
    verify,
)
from riemannian_modules.errors import MetricError, SignatureError
from riemannian_modules.evidence.slope_sums import sums_bound
from riemannian_modules.modules.module import Time

NORMS = {"l1": l1, "linf": linf}


def random_form(
    rng, n, layers, time, slopes=((0.0, 1.0), (-0.125, 1.125), (0.5, 0.5), (-1.0, 1.0))
):
    """A system of layers, sparse, with entries that are eighths."""
    m = sum(layers)
    depth = np.repeat(np.arange(len(layers)), layers)
    A, B, C, D = (
        rng.integers(-8, 9, size=shape) * rng.integers(0, 2, size=shape) / 8.0
        for shape in ((n, n), (n, m), (m, n), (m, m))
    )
    D *= depth[:, None] > depth[None, :]
    order = rng.permutation(m)
    B, C, D = B[:, order], C[order], D[np.ix_(order, order)]
    chosen = tuple(slopes[k] for k in rng.integers(0, len(slopes), size=m))
    sides = np.full(n, np.inf)
    names = tuple(f"x{i}" for i in range(n))
    return SlopesForm(time, A, B, C, D, chosen, names, -sides, sides)


def exact(matrix):
    return [[Fraction(float(v)) for v in row] for row in matrix]


def jacobian(form, corner):
    """A + B (I - S D)^-1 S C in fractions, layer by layer."""
    A, B, C, D = (exact(matrix) for matrix in (form.A, form.B, form.C, form.D))
    n, m = form.A.shape[1], len(corner)
    U = [[Fraction(0)] * n for _ in range(m)]
    for _ in range(m):
        U = [
            [s * (C[k][j] + sum(D[k][i] * U[i][j] for i in range(m))) for j in range(n)]
            for k, s in enumerate(corner)
        ]
    return [
        [A[i][j] + sum(B[i][k] * U[k][j] for k in range(m)) for j in range(n)] for i in range(n)
    ]


def largest_sum(form, w, sort):
    w = [Fraction(float(x)) for x in w]
    worst = []
    for corner in product(*(map(Fraction, pair) for pair in form.slopes)):
        J = jacobian(form, corner)
        if sort == "l1":
            J = [list(column) for column in zip(*J, strict=True)]
        for i, row in enumerate(J):
            own = row[i] if form.time is Time.CONTINUOUS else abs(row[i])
            others = sum(abs(x) * w[j] for j, x in enumerate(row) if j != i)
            worst.append(own + others / w[i])
    return max(worst)


@pytest.mark.parametrize("sort", NORMS)
@pytest.mark.parametrize("time", [Time.CONTINUOUS, Time.DISCRETE])
@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), layers=st.lists(st.integers(1, 2), min_size=1, max_size=3))
def test_the_bound_is_that_of_all_corners(sort, time, seed, layers):
    rng = np.random.default_rng(seed)
    form = random_form(rng, 3, layers, time)
    w = rng.integers(1, 9, size=3) / 4.0
    truth = largest_sum(form, w, sort)
    found = sums_bound(form, NORMS[sort](w))
    assert truth <= Fraction(found) <= truth + Fraction(1, 10**12)


@given(seed=st.integers(0, 10**6))
def test_many_neurons_are_bounded_from_above(seed):
    rng = np.random.default_rng(seed)
    form = random_form(rng, 2, [20], Time.CONTINUOUS)
    found = sums_bound(form, linf([1.0, 2.0]))
    low, high = form.slope_bounds
    for _ in range(20):
        S = np.diag(np.where(rng.integers(0, 2, size=20), low, high))
        J = form.A + form.B @ S @ form.C
        rows = [J[0, 0] + 2 * abs(J[0, 1]), J[1, 1] + abs(J[1, 0]) / 2]
        assert max(rows) <= found + 1e-12


def test_layers_of_too_many_neurons_and_loops_are_left_open():
    rng = np.random.default_rng(0)
    deep = random_form(rng, 2, [10, 10], Time.CONTINUOUS, ((0.0, 1.0),))
    assert sums_bound(deep, linf([1.0, 1.0])) == np.inf
    form = random_form(rng, 2, [2], Time.CONTINUOUS)
    loop = SlopesForm(
        form.time, form.A, form.B, form.C, np.eye(2) / 2, form.slopes, form.names, form.lower,
        form.upper,
    )  # fmt: skip
    for norm in (linf([1.0, 1.0]), linf(), l1()):
        answer = certify_slopes(loop, norm=norm)
        assert isinstance(answer, Estimated), answer
        assert answer.bound is None
        assert "loop" in answer.reason


@pytest.mark.parametrize("sort", NORMS)
def test_certificates_are_proved_again_and_stronger_ones_are_not(sort, tmp_path):
    rng = np.random.default_rng(3)
    proved = 0
    for _ in range(12):
        form = random_form(rng, 3, [2, 1, 1], Time.CONTINUOUS)
        form = SlopesForm(
            form.time, form.A - 4 * np.eye(3), form.B, form.C, form.D, form.slopes, form.names,
            form.lower, form.upper,
        )  # fmt: skip
        w = rng.integers(1, 9, size=3) / 4.0
        answer = certify_slopes(form, norm=NORMS[sort](w))
        if not isinstance(answer, Proved):
            continue
        proved += 1
        file = answer.certificate.save(tmp_path / "layers.json")
        assert isinstance(verify(file), Proved)
        assert checker.check(checker.load(file))
        truth = largest_sum(form, w, sort)
        data = checker.load(file)
        data["claim"]["bound"] = Fraction(float(truth) - 1e-12)
        with pytest.raises(checker.NotProvedError):
            checker.check(data)
    assert proved > 3


WEIGHTS = np.array([[0.25, -0.5, 0.125], [0.25, -0.125, 0.0], [0.25, 0.25, -0.5]])
SILU = (-0.09983932012886693, 1.099839320128867)
GATES = {
    "silu": (lambda z: z / (1 + np.exp(-z)), SILU),
    "softsign": (lambda z: z / (1 + np.abs(z)), (0.0, 1.0)),
    "tanh": (np.tanh, (0.0, 1.0)),
}


class Rates(rm.Flow):
    """``x' = -x + W phi(x)``: each slope may be anything, as each x may."""

    state = rm.space(x=3)

    def __init__(self, gate):
        self.gate = gate

    def equations(self, x, u, p):
        return {"x": -x.x + WEIGHTS @ self.gate(x.x)}


@pytest.mark.parametrize("sort", NORMS)
@pytest.mark.parametrize("name", GATES)
def test_a_neural_flow_is_proved_on_the_whole_space(name, sort, tmp_path):
    gate, slopes = GATES[name]
    corners = [WEIGHTS * s - np.eye(3) for s in product(slopes, repeat=3)]
    corners = [J.T for J in corners] if sort == "l1" else corners
    truth = max(
        (np.diag(J) + np.abs(J).sum(1) - np.abs(np.diag(J))).max() for J in corners
    )  # fmt: skip
    budget = Budget(seconds=5.0)
    answer = certify(Rates(gate), rm.box(), norm=NORMS[sort](np.ones(3)), budget=budget)
    assert isinstance(answer, Proved), answer
    assert -truth * (1 - 1e-9) <= answer.rate <= -truth * (1 + 1e-12)
    file = answer.certificate.save(tmp_path / "rates.json")
    assert isinstance(verify(file), Proved)
    assert checker.check(checker.load(file))
    free = certify(Rates(gate), rm.box(), norm=NORMS[sort](), budget=budget)
    assert isinstance(free, Proved), free
    assert free.rate >= answer.rate * (1 - 1e-6)


def test_weights_of_another_size_are_refused():
    form = random_form(np.random.default_rng(0), 2, [1], Time.CONTINUOUS)
    with pytest.raises(MetricError, match="3 weights"):
        certify_slopes(form, norm=linf([1.0, 1.0, 1.0]))


def test_an_input_norm_is_refused_for_a_state():
    form = random_form(np.random.default_rng(0), 2, [1], Time.CONTINUOUS)
    with pytest.raises(SignatureError, match="input_norm is for static maps"):
        certify_slopes(form, norm=linf([1.0, 1.0]), input_norm=l2(np.eye(2)))


def test_the_budget_is_kept_where_corners_are_many():
    form = random_form(np.random.default_rng(0), 40, [12], Time.CONTINUOUS)
    answer = certify_slopes(form, norm=linf(np.ones(40)), budget=Budget(seconds=1e-9))
    assert isinstance(answer, Estimated), answer
    assert "time of the budget" in answer.reason
