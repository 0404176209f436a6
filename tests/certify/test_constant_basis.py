"""The basis in which a metric M(x) is constant is exact, regular, and trusted by no proof."""

import copy
import json
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

import riemannian_modules as rm
from riemannian_modules.certify import Estimated, Proved, certify, l2, verify
from riemannian_modules.errors import CertificateError
from riemannian_modules.terms.constant_basis import basis_of_metric
from riemannian_modules.terms.normal_form import normal, square_root, vanishes
from tests.cases import systems_metrics as m

X, Y = sp.symbols("x y", real=True)
FACTORS = {
    "polynomial": [[1 + 3 * X**2, 2 * Y], [0, 1 + Y**2]],
    "waves": [[2 + sp.sin(X), sp.cos(Y)], [0, 2 + sp.cos(Y)]],
    "exponentials": [[sp.exp(X), sp.exp(Y)], [0, sp.exp(-Y)]],
    "fractions": [[1 / (1 + X**2), Y / (1 + Y**2)], [0, 1 / (1 + Y**2) ** 2]],
    "roots": [[sp.sqrt(1 + X**2), 0], [0, sp.sqrt(2 + sp.sin(Y))]],
}
OBLIQUE = sp.Matrix([[1, sp.Rational(1, 4)], [sp.Rational(1, 4), sp.Rational(1, 2)]])


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("P", [sp.eye(2), OBLIQUE])
def test_the_basis_makes_the_metric_constant(name, P):
    theta = sp.Matrix(FACTORS[name])
    M = (theta.T * (sp.eye(2) if name == "roots" else P) * theta).applyfunc(sp.expand)
    basis = basis_of_metric(tuple(map(tuple, M.tolist())))
    assert basis is not None
    T, K, D = sp.Matrix(basis.theta), sp.Matrix(basis.inverse), sp.diag(*basis.weights)
    assert all(map(vanishes, T.T * D * T - M))
    assert all(map(vanishes, T * K - sp.eye(2)))
    assert all(map(vanishes, K.T * M * K - D))
    assert all(d > 0 for d in basis.weights)


@pytest.mark.parametrize("M", [((1, 2), (2, 1)), ((-1, 0), (0, 1)), ((0, X), (X, 0))])
def test_an_indefinite_metric_has_no_basis(M):
    assert basis_of_metric(tuple(tuple(map(sp.sympify, row)) for row in M)) is None


def test_terms_are_simplified_to_what_they_are():
    a = sp.sin(X) ** 2 / (2 + sp.cos(Y)) + sp.cos(X) ** 2 / (2 + sp.cos(Y))
    assert normal(a) == 1 / (2 + sp.cos(Y))
    assert vanishes(a - 1 / (2 + sp.cos(Y)))
    assert not vanishes(a - 1 / (2 + sp.cos(X)))
    assert square_root(4 + 4 * sp.sin(X) + sp.sin(X) ** 2) == (1, 2 + sp.sin(X))
    assert square_root(-(X**2)) is None


def step_certificate():
    module = m.CurvedStep([[0.5, 0.25], [0.0, 0.25]], m.SINE)
    answer = certify(module, rm.box(), norm=l2(m.pulled_back(np.eye(2), module.coordinates)))
    assert isinstance(answer, Proved)
    return json.loads(json.dumps(answer.certificate.data))


@pytest.mark.parametrize("part", ["rate", "positive"])
def test_changed_squares_of_a_step_prove_nothing(part):
    data = step_certificate()
    assert isinstance(verify(data), Proved)
    evidence = data["evidence"]
    size = len((evidence["rate"] if part == "rate" else evidence["positive"]["squares"])[0]["gram"])
    for i in range(size):
        changed = copy.deepcopy(data)
        e = changed["evidence"]
        gram = (e["rate"] if part == "rate" else e["positive"]["squares"])[0]["gram"]
        gram[i][i] = str(Fraction(gram[i][i]) + 1)
        assert isinstance(verify(changed), Estimated)
    smaller = copy.deepcopy(data)
    smaller["claim"]["bound"] *= 1 - 1e-6
    assert isinstance(verify(smaller), Estimated)
    broken = copy.deepcopy(data)
    broken["evidence"]["rate"][0]["rows"] = []
    with pytest.raises(CertificateError):
        verify(broken)
