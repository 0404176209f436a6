"""Constant metrics and weights that are searched for reach the optima known in closed form."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from riemannian_modules.certify import Proved, certify, l2, linf
from riemannian_modules.region import box
from riemannian_modules.search.metrics import pencils as pencils_file
from riemannian_modules.search.metrics.cone_program import (
    ConeProgram,
    packed,
    packing,
    symmetric_basis,
)
from riemannian_modules.search.metrics.constant_metric import constant_metric
from riemannian_modules.search.metrics.pencils import ConstantPencils, Limits, smallest_bound
from riemannian_modules.search.metrics.weights import best_weights
from tests.cases import systems as s

few = settings(max_examples=8, deadline=None)


def proved_rate(module, region, norm):
    answer = certify(module, region, norm=norm)
    assert isinstance(answer, Proved), answer
    return answer.rate


def is_nearly(rate, truth):
    return 0.9999 * truth <= rate <= truth * (1 + 1e-9)


@few
@given(st.floats(0.5, 20), st.floats(1.5, 5))
def test_a_jordan_block_reaches_the_best_rate_of_its_condition_number(k, decades):
    condition = 10.0**decades
    truth = 1 - k / (2 * np.sqrt(condition))
    if truth < 0.05:
        return
    rate = proved_rate(s.LinearFlow([[-1.0, k], [0.0, -1.0]]), box(), l2(condition=condition))
    assert is_nearly(rate, truth)


@few
@given(st.floats(0.3, 3), st.floats(0.3, 2))
def test_a_lienard_flow_reaches_its_circle_criterion(k, reach):
    a1, a2 = k, k + reach**2

    def margin(rate):
        det = (1 - rate * (a1 - rate)) * (1 - rate * (a2 - rate))
        return (a1 - rate) * (a2 - rate) - 2 + rate**2 + 2 * np.sqrt(max(det, 0.0))

    grid = np.linspace(1e-6, a1 / 2, 4000)
    signs = [margin(r) > 0 for r in grid]
    if not signs[0] or all(signs):
        return
    last = grid[signs.index(False) - 1]
    truth = brentq(margin, last, last + grid[1] - grid[0])
    # Each slope's matrix has to contract by itself, too.
    alone = [-np.linalg.eigvals([[-a, 1.0], [-1.0, 0.0]]).real.max() for a in (a1, a2)]
    rate = proved_rate(s.Lienard(k=k), box(x=(-reach, reach)), l2())
    assert is_nearly(rate, min(truth, *alone))


@few
@given(st.floats(0.5, 12))
def test_autoregulation_reaches_its_circle_criterion(k):
    truth = 1 - np.sqrt(k * 3 * np.sqrt(3) / 64)
    rate = proved_rate(s.Autoregulation(k=k), box(m=(0, 4), p=(0, 4)), l2())
    assert is_nearly(rate, truth)


@pytest.mark.parametrize("n", [3, 4, 6])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_hill_ring_reaches_its_circle_criterion(n, part):
    reach = np.cos(np.pi / (n + 1)) ** ((n + 1) / n)
    k = (part / reach) ** n * 8 / (3 * np.sqrt(3))
    rate = proved_rate(s.HillRing(n, k), box(x=(0, np.inf)), l2())
    assert is_nearly(rate, 1 - part)


@few
@given(st.floats(4, 10), st.floats(0.2, 0.8), st.floats(1.5, 5))
def test_a_pendulum_reaches_its_circle_criterion(k, part, d):
    g = part * k
    k1, k2 = k - g, k + g

    def margin(rate):
        return d - 2 * rate - np.sqrt(k2 - d * rate + rate**2) + np.sqrt(k1 - d * rate + rate**2)

    high = d / 2 if d**2 < 4 * k1 else (d - np.sqrt(d**2 - 4 * k1)) / 2
    if margin(0.0) <= 0.05 or margin(high * (1 - 1e-9)) >= 0:
        return
    truth = brentq(margin, 0, high * (1 - 1e-9))
    assert is_nearly(proved_rate(s.Pendulum(k=k, g=g, d=d), box(), l2()), truth)


def test_a_cubic_plant_under_pi_control_reaches_its_closed_form():
    rate = proved_rate(s.CubicPi(kp=2.0, w=2.0), box(x=(-1, 1)), l2())
    assert is_nearly(rate, 3 - np.sqrt(5))


def test_a_step_map_reaches_its_spectral_radius():
    A = np.array([[0.5, 3.0], [0.0, 0.7]])
    M = constant_metric(A[None], np.zeros((0, 2, 2)), condition=1e12, is_flow=False)
    gain = np.sqrt(ConstantPencils(A[None], A[None][:0], M[None], False).bounds(np.ones(1)).max())
    assert 0.7 * (1 - 1e-12) <= gain <= 0.7 * 1.001


@pytest.mark.parametrize("is_flow", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_cutting_planes_find_the_bound_of_all_vertices(seed, is_flow, monkeypatch):
    rng = np.random.default_rng(seed)
    n, count = 4, 40
    J = 0.3 * rng.normal(size=(count, n, n)) + 0.6 * rng.normal(size=(n, n)) - 2 * np.eye(n)
    pencils = ConstantPencils(J, J[:0], symmetric_basis(n, [range(n)]), is_flow)
    start = np.array([float(B.diagonal().any()) for B in pencils.basis])
    limits = Limits(np.eye(n), np.inf)
    few_at_once = smallest_bound(pencils, start, limits)[0]
    monkeypatch.setattr(pencils_file, "FIRST", count)
    all_at_once = smallest_bound(pencils, start, limits)[0]
    assert few_at_once == pytest.approx(all_at_once, rel=2e-6)


def test_switching_couplings_are_searched_without_listing_all_in_one_program(monkeypatch):
    rng = np.random.default_rng(5)
    W = rng.normal(size=(7, 7)) / 7
    slopes = np.array(list(product((0.1, 1.0), repeat=7)))
    J = slopes[:, :, None] * W - np.eye(7)
    largest = []
    step = pencils_file._step

    def watched(family, chosen, *rest):
        largest.append(len(chosen))
        return step(family, chosen, *rest)

    monkeypatch.setattr(pencils_file, "_step", watched)
    M = constant_metric(J, J[:0], condition=1e12, is_flow=True)
    bound = float(ConstantPencils(J, J[:0], M[None], True).bounds(np.ones(1)).max()) / 2
    assert bound < np.linalg.norm(W, 2) - 1 - 0.01
    assert max(largest) < len(J) / 2


@pytest.mark.parametrize("seed", range(3))
def test_diagonal_and_block_metrics_keep_their_structure(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(4, 4)) - 4 * np.eye(4)
    none = np.zeros((0, 4, 4))
    bounds = []
    for blocks in ([[0], [1], [2], [3]], [[0, 1], [2, 3]], None):
        M = constant_metric(A[None], none, condition=1e12, is_flow=True, blocks=blocks)
        if blocks is not None:
            together = {(i, j) for block in blocks for i in block for j in block}
            assert all(M[i, j] == 0 for i in range(4) for j in range(4) if (i, j) not in together)
        assert np.linalg.eigvalsh(M)[0] > 0
        pencils = ConstantPencils(A[None], none, M[None], True)
        bounds.append(float(pencils.bounds(np.ones(1)).max()) / 2)
    assert bounds[0] >= bounds[1] - 1e-4 >= bounds[2] - 2e-4
    assert bounds[2] == pytest.approx(np.linalg.eigvals(A).real.max(), rel=1e-4)


def test_badly_scaled_plants_of_order_thirty_reach_their_abscissa():
    rng = np.random.default_rng(3)
    n = 30
    A = rng.normal(size=(n, n)) / np.sqrt(n) - 1.5 * np.eye(n)
    scales = 10.0 ** rng.uniform(-3, 3, n)
    A = scales[:, None] * A / scales
    abscissa = np.linalg.eigvals(A).real.max()
    M = constant_metric(A[None], np.zeros((0, n, n)), condition=1e12, is_flow=True)
    bound = float(ConstantPencils(A[None], A[None][:0], M[None], True).bounds(np.ones(1)).max()) / 2
    assert bound <= 0.999 * abscissa < 0


def test_weights_reach_the_largest_perron_root_over_all_choices_of_rows():
    rng = np.random.default_rng(7)
    for _ in range(10):
        J = rng.normal(size=(5, 3, 3)) - 4 * np.eye(3)
        w = best_weights(J, np.zeros((0, 3, 3)), is_flow=True)
        diagonal = np.einsum("kii->ki", J)
        majorants = np.abs(J)
        majorants[:, range(3), range(3)] = diagonal
        reached = ((majorants @ w) / w).max()
        roots = [
            np.linalg.eigvals(majorants[list(choice), range(3)]).real.max()
            for choice in product(range(5), repeat=3)
        ]
        assert max(roots) - 1e-9 <= reached <= max(roots) + 1e-6


def test_weights_of_a_cascade_are_found_though_none_are_the_best():
    J = np.array([[[-1.0, 5.0], [0.0, -1.0]]])
    rate = proved_rate(s.LinearFlow(J[0]), box(), linf())
    assert rate >= 0.99


@given(st.integers(1, 6), st.integers(0, 100))
def test_packing_keeps_the_inner_product(n, seed):
    rng = np.random.default_rng(seed)
    A, B = (X + X.T for X in rng.normal(size=(2, n, n)))
    assert packed(A) @ packed(B) == pytest.approx(np.sum(A * B))
    i, j, _ = packing(n)
    assert (i <= j).all()


def test_a_cone_program_finds_the_largest_eigenvalue():
    A = np.random.default_rng(0).normal(size=(5, 5))
    A = A + A.T
    program = ConeProgram(np.ones(1))
    program.require_semidefinite(np.eye(5)[None], -A)
    x = program.solve()
    assert x is not None
    assert x[0] == pytest.approx(np.linalg.eigvalsh(A)[-1], rel=1e-6)


@pytest.mark.parametrize(("n", "coupling"), [(3, 1.0), (4, 1.0), (4, 8.0), (6, 1.0), (6, 8.0)])
def test_defective_cascades_contract_nearly_as_fast_as_in_coordinates_of_their_scales(n, coupling):
    # Coordinates e^i x_i give the rate 1 - e c cos(pi / (n + 1)) and the condition e^-2(n - 1).
    J = -np.eye(n) + coupling * np.eye(n, k=1)
    answer = certify(s.LinearFlow(J.tolist()), norm=l2())
    assert isinstance(answer, Proved)
    given_up = coupling * np.cos(np.pi / (n + 1)) * 10.0 ** (-6 / (n - 1))
    assert 1 - 2 * given_up - 1e-3 <= answer.rate < 1
