"""What is read out of a module computes the same map: linear parts exact, activations in place."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import riemannian_modules as rm
from riemannian_modules.claims.slopes_matrix import (
    enclosed,
    fractions,
    matrix_from_data,
    matrix_to_data,
    nearest,
    product,
    total,
)
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.modules import GELU, Affine, ReLU, SiLU, Sum, Tanh
from riemannian_modules.search.layers.slopes_form import slopes_problem

VALUES: dict[str, Any] = {
    "abs": np.abs, "arctan": np.arctan, "cos": np.cos, "erf": special.erf,
    "gelu": lambda v: v * special.ndtr(v), "relu": lambda v: np.maximum(v, 0.0),
    "saturation": lambda v: np.clip(v, -1.0, 1.0), "sigmoid": special.expit,
    "silu": lambda v: v * special.expit(v), "sin": np.sin, "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + abs(v)),
    "tanh": np.tanh,
}  # fmt: skip


def values_of(form: SlopesForm, x: Any) -> Any:
    """``A x + B w`` with ``w = phi(C x + D w)``, for maps without constants."""
    A, B, C, D = (nearest(matrix) for matrix in (form.A, form.B, form.C, form.D))
    w = np.zeros(len(form.slopes))
    for _ in range(len(form.slopes) + 1):
        v = C @ x + D @ w
        w = np.array([
            VALUES[s](e) if isinstance(s, str) else np.where(e > 0, e, s[0] * e)
            for s, e in zip(form.slopes, v, strict=True)
        ])  # fmt: skip
    return A @ x + B @ w


class Mixed(rm.StepMap):
    """All kinds of scalar functions, nested, with no constants."""

    state = rm.space(x=2)

    def equations(self, x: Any, u: Any, p: Any) -> Any:
        z = x.x
        other = np.tanh(3 * np.tanh(z[::-1]) + z) - 0.5 * np.sin(2 * z) + np.abs(z - z[::-1])
        kinked = np.where(z > z[::-1], 2 * z, z + z[::-1]) + np.maximum(z, 0.01 * z)
        smooth = np.log(1 + np.exp(z)) + 1 / (1 + np.exp(-2 * z)) + np.arctan(z / 3)
        return other + kinked + smooth + np.clip(z, -1, 1) + np.minimum(z, 3 * z[::-1]) - 0.1 * z


def residual() -> rm.RiemannianModule:
    rng = np.random.default_rng(0)
    W = [rng.normal(size=s) for s in ((4, 3), (3, 4), (5, 3), (2, 5))]
    return (
        rm.Wiring(a=Affine(W[0]), t=GELU(4), b=Affine(W[1]), s=Sum("+-", 3), c=Affine(W[2]),
                  r=SiLU(5), d=Affine(W[3]))
        .input("u", "a.u", "s.u1").connect("a.y", "t.u").connect("t.y", "b.u")
        .connect("b.y", "s.u2").connect("s.y", "c.u").connect("c.y", "r.u").connect("r.y", "d.u")
        .output("y", "d.y").build()
    )  # fmt: skip


def test_the_form_of_equations_computes_the_same_map() -> None:
    module = Mixed()
    form = slopes_problem(module)
    assert form is not None
    zero = np.zeros(2)
    offset = module.forward(zero, np.zeros(0), module.theta)[0] - values_of(form, zero)
    for x in np.random.default_rng(1).normal(size=(200, 2)) * 2:
        expected, _ = module.forward(x, np.zeros(0), module.theta)
        # Constants are left out: a logistic function may stand as 1/2 + tanh.
        assert values_of(form, x) + offset == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_form_of_a_wiring_computes_the_same_map() -> None:
    module = residual()
    form = slopes_problem(module)
    assert form is not None
    for u in np.random.default_rng(2).normal(size=(50, 3)):
        expected = module.output(np.zeros(0), u, module.theta)
        assert values_of(form, u) == pytest.approx(expected, rel=1e-11)


def test_gates_are_recognised_as_gelu_and_silu() -> None:
    class Gates(rm.StaticMap):
        inputs, outputs = rm.space(u=2), rm.space(y=2)

        def map(self, u: Any, p: Any) -> Any:
            v = 2 * u.u - u.u[::-1]
            return 3 * v / (1 + np.exp(-v)) + u.u * (1 + np.tanh(u.u / 2)) / 2

    form = slopes_problem(Gates())
    assert form is not None
    assert set(form.slopes) <= {"silu", "sigmoid", "tanh"}
    assert form.slopes.count("silu") == 4


def test_softsign_is_recognised() -> None:
    class Soft(rm.StepMap):
        state = rm.space(x=2)

        def equations(self, x: Any, u: Any, p: Any) -> Any:
            v = x.x - 3 * x.x[::-1]
            return 0.5 * v / (1 + np.abs(v))

    form = slopes_problem(Soft())
    assert form is not None
    assert form.slopes == ("softsign", "softsign")
    for x in np.random.default_rng(3).normal(size=(20, 2)):
        expected, _ = Soft().forward(x, np.zeros(0), np.zeros(0))
        assert values_of(form, x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "term",
    [
        lambda z: z * z,
        np.exp,
        lambda z: z * np.tanh(z),
        lambda z: np.sqrt(1 + z * z),
        lambda z: np.where(z > 0, z, z + 1),
        lambda z: np.pi * z * np.sin(z),
        lambda z: z[::-1] / (1 + np.exp(-z)),
    ],
)
def test_what_has_no_bounded_slope_is_refused(term: Any) -> None:
    class Other(rm.StepMap):
        state = rm.space(x=2)

        def equations(self, x: Any, u: Any, p: Any) -> Any:
            return term(x.x)

    assert slopes_problem(Other()) is None


def test_uncertain_parameters_are_left_to_other_rules() -> None:
    module = rm.Lag(1.0, size=1)
    assert slopes_problem(module) is not None
    assert slopes_problem(module, rm.box(tau=(0.5, 2.0))) is None


def test_neurons_that_reach_nothing_are_left_out() -> None:
    net = rm.chain(Affine([[1.0, 0.0], [0.0, 0.0]]), ReLU(2), Affine([[1.0, 1.0]]), Tanh(1))
    form = slopes_problem(net)
    assert form is not None
    assert form.slopes == ("relu", "tanh")


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_sums_and_products_of_matrices_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    P, Q, R = (rng.normal(size=(3, 3)) * 2.0 ** rng.integers(-30, 30, (3, 3)) for _ in range(3))
    got = total(product(P, Q), R)
    for i in range(3):
        for j in range(3):
            exact = sum(Fraction(P[i, k]) * Fraction(Q[k, j]) for k in range(3)) + Fraction(R[i, j])
            assert Fraction(got[i, j]) == exact
            box = enclosed(got)
            assert Fraction(box.lower[i, j]) <= exact <= Fraction(box.upper[i, j])
    again = matrix_from_data(matrix_to_data(got), (3, 3), "test")
    assert (fractions(again) == fractions(got)).all()
