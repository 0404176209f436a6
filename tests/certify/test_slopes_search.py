"""The search's algebra equals the dense formulas, and ends where a general solver ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.modules.module import Time
from riemannian_modules.search.layers.slopes_pencil import Pencil, pencil_of
from riemannian_modules.search.layers.slopes_search import feasible_start, follow_centres


def random_pencil(rng: np.random.Generator, is_plain: bool) -> Pencil:
    n, m = 3, 4
    above = np.eye(m, n + m, n) if is_plain else rng.normal(size=(m, n + m))
    return Pencil(
        rng.normal(size=(n + m, n)), np.zeros((n + m, n + m)), above, rng.normal(size=(m, n + m))
    )


def layered(seed: int, kind: Any) -> SlopesForm:
    """Inputs 3, two layers of 5 neurons, outputs 2; a linear path beside them."""
    rng = np.random.default_rng(seed)
    C, D = np.zeros((10, 3)), np.zeros((10, 10))
    C[:5], D[5:, :5] = rng.normal(size=(5, 3)), rng.normal(size=(5, 5))
    names = ("a", "b", "c")
    A, B = 0.1 * rng.normal(size=(2, 3)), rng.normal(size=(2, 10))
    free = np.full(3, np.inf)
    return SlopesForm(Time.STATIC, A, B, C, D, (kind,) * 10, names, -free, free)


@pytest.mark.parametrize("is_plain", [True, False])
def test_traces_are_those_of_the_dense_matrices(is_plain: bool) -> None:
    rng = np.random.default_rng(0)
    pencil = random_pencil(rng, is_plain)
    assert pencil.is_plain == is_plain
    G, X = (Y @ Y.T for Y in rng.normal(size=(2, 7, 7)))
    eye = np.eye(5)
    A = [pencil.turned(unit[0], unit[1:]) for unit in eye]
    for k in range(4):
        pair = np.outer(pencil.above[k], pencil.below[k])
        np.testing.assert_allclose(A[k + 1], -(pair + pair.T), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(pencil.traces(G), [np.trace(a @ G) for a in A], rtol=1e-11)
    dense = [[np.trace(a @ G @ b @ X) for b in A] for a in A]
    np.testing.assert_allclose(pencil.pair_traces(G, X), dense, rtol=1e-10)


@pytest.mark.parametrize("kind", ["relu", "gelu"])
def test_the_least_r_is_the_one_of_a_general_solver(kind: str) -> None:
    import cvxpy as cp

    pencil = pencil_of(layered(1, kind), np.eye(2), None, None)
    start = feasible_start(layered(1, kind), pencil)
    assert start is not None
    points = follow_centres(pencil, start)
    assert all(pencil.factor(*point) is not None and (point[1] > 0).all() for point in points)
    r, t = cp.Variable(), cp.Variable(10, nonneg=True)
    half = pencil.above.T @ cp.diag(t) @ pencil.below
    matrix: Any = r * pencil.limit + pencil.constant - half - half.T
    cp.Problem(cp.Minimize(r), [matrix >> 0]).solve(solver=cp.CLARABEL)
    assert points[-1][0] == pytest.approx(float(r.value), rel=1e-6)
    assert len(points) < 30


def test_inputs_that_neurons_read_twice_are_no_obstacle() -> None:
    # The best H is infinite where C0 C0^T is singular; the search knows no H.
    rng = np.random.default_rng(2)
    C = np.repeat(rng.normal(size=(2, 6)), 2, axis=0)
    names, free = tuple("abcdef"), np.full(6, np.inf)
    form = SlopesForm(
        Time.STATIC, np.zeros((1, 6)), np.array([[1.0, 1.0, 0.0, 0.0]]), C, np.zeros((4, 4)),
        ("relu",) * 4, names, -free, free,
    )  # fmt: skip
    pencil = pencil_of(form, np.eye(1), None, np.eye(4))
    start = feasible_start(form, pencil)
    assert start is not None
    # 2 relu(c x): the constant is 2 |c|.
    exact = 2.0 * float(np.linalg.norm(C[0]))
    assert follow_centres(pencil, start)[-1][0] == pytest.approx(exact**2, rel=1e-7)
