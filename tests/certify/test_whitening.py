"""Rewriting a metric's test keeps its matrix, makes it tight, and proves nothing by itself."""

import re
from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.arithmetic.affine_matrix import linear_combinations, nearest_doubles
from riemannian_modules.certify import (
    Budget,
    Estimated,
    Proved,
    Refuted,
    certify,
    coordinates,
    verify,
)
from riemannian_modules.errors import CertificateError
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.search.fields import traced_norm, tractable
from riemannian_modules.search.prepared import prepared_criterion
from riemannian_modules.search.traced_problem import make_problem
from riemannian_modules.terms.atoms import atom_form
from tests.strategies import rngs

x, y = sp.symbols("x y", real=True)
PARTS = (x, y, sp.tanh(x), sp.cos(y), sp.tanh(x + y), 1 / (1 + x**2), sp.exp(x) * sp.cos(y))


def fraction(rng):
    return Fraction(int(rng.integers(-64, 65)), int(rng.integers(1, 12)))


def rational(rng):
    c = fraction(rng)
    return sp.Rational(c.numerator, c.denominator)


def random_matrix(rng, rows):
    def entry():
        picked = (rng.choice(len(PARTS), 2) for _ in range(3))
        return sum(rational(rng) * PARTS[i] * PARTS[j] for i, j in picked)

    return sp.Matrix(rows, 2, lambda i, j: entry())


def matrix_of(form):
    total = sp.zeros(*form.shape)
    for members, entries in zip(form.products, form.coefficients, strict=True):
        for place, c in entries.items():
            total[place] += sp.Rational(c.numerator, c.denominator) * sp.Mul(
                *(form.atoms[k] for k in members)
            )
    return total


def assert_equal(A, B):
    assert (A - B).applyfunc(sp.cancel) == sp.zeros(*A.shape)


@settings(max_examples=10)
@given(rngs)
def test_other_terms_are_the_same_matrix(rng):
    T = random_matrix(rng, 4)
    form = atom_form(T.tolist())
    centres = {g: rational(rng) for g in PARTS[:5]}
    lines = {a: {x: rational(rng), y: rational(rng)} for a in form.atoms}
    assert_equal(matrix_of(form.centred(centres)), T)
    assert_equal(matrix_of(form.linearised(lines)), T)
    assert_equal(matrix_of(form.centred(centres).linearised(lines)), T)


@settings(max_examples=10)
@given(rngs)
def test_the_blocks_of_a_stacked_matrix_are_changed_by_the_congruence(rng):
    T = random_matrix(rng, 4)
    K = [[fraction(rng) for _ in range(2)] for _ in range(2)]
    form, exact = atom_form(T.tolist()).congruent(K), sp.Matrix(K)
    for k in (0, 1):
        block = T[2 * k : 2 * k + 2, :]
        assert_equal(matrix_of(form.block(k)), exact.T * block * exact)


@given(rngs, st.integers(1, 40))
def test_linear_combinations_enclose_what_the_ends_give(rng, count):
    exact = [{p: fraction(rng) for p in range(3) if rng.random() < 0.8} for _ in range(count)]
    ends = np.sort(rng.normal(size=(2, count, 4)) * 10.0 ** rng.integers(-8, 9, (count, 1)), axis=0)
    ends[1, :, :2] = ends[0, :, :2]  # where nothing moves, rounding alone counts
    found = linear_combinations(*nearest_doubles(exact, 3), *ends)
    for b, p in product(range(4), range(3)):
        pairs = [(row.get(p, 0), *map(Fraction, ends[:, k, b])) for k, row in enumerate(exact)]
        least = sum(min(c * low, c * high) for c, low, high in pairs)
        most = sum(max(c * low, c * high) for c, low, high in pairs)
        assert Fraction(found.lower[b, p]) <= least <= most <= Fraction(found.upper[b, p])


class Slanted(rm.Flow):
    """``(T x)' = -T x`` with a badly conditioned T, turned a little by a hidden layer."""

    state = rm.space(x=5)

    def __init__(self, T, W):
        self.T, self.W = np.asarray(T, dtype=float), np.asarray(W, dtype=float)

    def equations(self, x, u, p):
        return {"x": -x.x + 0.0625 * (self.T @ np.tanh(self.W @ x.x))}


T = np.eye(5) + np.triu(np.full((5, 5), 2.0), 1)
W = 0.25 * (np.arange(15).reshape(3, 5) % 4 - 1.5)


def slanted():
    """The flow, its region, and coordinates ``(I + sum of tanh(W x)_k E_k / 8) T^-1``.

    Elimination finds no pivots with roots in the metric: it has no basis of its own.
    """
    module = Slanted(T[:, :3] / 4, W)
    back, unit = np.linalg.inv(T), np.eye(5)

    def theta(state, u, p):
        units = np.tanh(W @ state.x)
        grown = sum(np.outer(unit[k], unit[k + 1]) * units[k] / 8 for k in range(3))
        return (unit + grown + grown.T) @ back

    return module, rm.box(x=(-0.5, 0.5)), coordinates(theta)


RATE = 0.25


def test_a_box_is_proved_that_plain_intervals_cannot_prove():
    module, region, norm = slanted()
    problem = make_problem(module, region)
    exact = tractable(traced_norm(norm, module, problem))
    plain = make_criterion(problem, exact)
    tight = prepared_criterion(problem, exact, target=-RATE)
    sides = problem.lower[None], problem.upper[None]
    assert plain.form.corner_count > 2**12
    assert not boxes_prove(problem, plain, *sides, -RATE).any()
    assert boxes_prove(problem, tight, *sides, -RATE).all()


@pytest.fixture(scope="module")
def certificate():
    module, region, norm = slanted()
    answer = certify(module, region, norm=norm, rate=RATE)
    assert isinstance(answer, Proved), answer
    return answer.certificate


def test_its_certificate_is_proved_again_by_both(certificate, tmp_path):
    file = certificate.save(tmp_path / "certificate.json")
    assert checker.check(checker.load(file))
    again = verify(file)
    assert isinstance(again, Proved)
    assert again.rate == RATE


def with_basis(certificate, K):
    data = dict(certificate.data)
    return data | {"evidence": data["evidence"] | {"congruence": K}}


def test_a_basis_that_is_none_proves_nothing(certificate):
    K = certificate.data["evidence"]["congruence"]
    nothing = with_basis(certificate, ["0"] * 25)
    nothing["evidence"] |= {"matrix": [], "weight": []}
    assert isinstance(verify(nothing), Estimated)
    for other in (["0"] * 25, [*K[:20], *K[15:20]]):  # the matrices are those of another basis
        with pytest.raises(CertificateError, match="matrix"):
            verify(with_basis(certificate, other))
    with pytest.raises(CertificateError, match="congruence"):
        verify(with_basis(certificate, K[:20]))


def test_a_claim_beyond_the_truth_is_refuted_along_a_direction_of_the_state():
    module, region, norm = slanted()
    answer = certify(module, region, norm=norm, rate=1.5)
    assert isinstance(answer, Refuted), answer
    at, v = np.array([answer.witness[f"x[{i}]"] for i in range(5)]), answer.direction

    def flow(s):
        return module.equations(SimpleNamespace(x=s), None, None)["x"]

    def length(s, d):
        return np.linalg.norm(norm.theta(SimpleNamespace(x=s), None, None) @ d)

    h = 1e-5  # central differences are off by about h^2 and 1e-16 / h
    Jv = (flow(at + h * v) - flow(at - h * v)) / (2 * h)
    ahead, behind = (length(at + t * flow(at), v + t * Jv) for t in (h, -h))
    assert (ahead - behind) / (2 * h) / length(at, v) > -1.5


def test_what_is_left_open_says_what_is_proved_and_where_it_was_cut():
    module, region, norm = slanted()
    answer = certify(module, region, norm=norm, rate=0.9, budget=Budget(boxes=7))
    assert isinstance(answer, Estimated), answer
    proved, side = re.search(
        r"they prove (\S+); most cuts are across (\S+)", answer.reason
    ).groups()
    assert side in {f"x[{i}]" for i in range(5)}
    assert isinstance(certify(module, region, norm=norm, rate=-0.999 * float(proved)), Proved)
