"""The composition rules: each is its closed form, never below the truth, and shows its steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.certify.networks.rules import (
    Link,
    cascade_rule,
    chain_rule,
    conversion,
    converted_chain,
    dag_rule,
    secant_rule,
    skew_rule,
    small_gain_rule,
    stack_rule,
    sum_rule,
)
from riemannian_modules.errors import ConvergenceError, DomainError, MetricError, WiringError
from tests.strategies import rngs

EPS = np.finfo(float).eps


@given(rngs, st.integers(1, 6))
def test_gains_multiply_in_a_row_add_in_a_sum_and_their_squares_add_side_by_side(rng, n):
    matrices = [rng.standard_normal((3, 3)) for _ in range(n)]
    gains = {f"m{i}": float(np.linalg.norm(M, 2)) * (1 + 8 * EPS) for i, M in enumerate(matrices)}
    row = np.linalg.multi_dot([*reversed(matrices), np.eye(3)]) if n > 1 else matrices[0]
    # The oracle's own norms round by a few units in the last place of their factors.
    assert np.linalg.norm(row, 2) <= chain_rule(gains).bound * (1 + 100 * EPS)
    assert np.linalg.norm(sum(matrices), 2) <= sum_rule(gains).bound * (1 + 100 * EPS)
    assert np.linalg.norm(np.vstack(matrices), 2) <= stack_rule(gains).bound * (1 + 100 * EPS)
    assert chain_rule(gains).bound == pytest.approx(np.prod(list(gains.values())), rel=1e-14)
    assert stack_rule(gains).bound == pytest.approx(np.linalg.norm(list(gains.values())), rel=1e-14)


@given(rngs, st.integers(2, 6))
def test_a_dags_gain_is_the_entry_of_the_resolvent(rng, n):
    gamma = np.tril(rng.random((n, n)) * (rng.random((n, n)) < 0.6), -1)
    edges = {(str(j), str(i)): float(gamma[i, j]) for i, j in zip(*np.nonzero(gamma), strict=True)}
    found = dag_rule(edges, "0", str(n - 1)).bound
    entry = np.linalg.inv(np.eye(n) - gamma)[n - 1, 0]
    assert entry * (1 - 100 * EPS) <= found <= entry * (1 + 100 * EPS) + 1e-300


def test_a_loop_is_no_dag():
    with pytest.raises(WiringError, match="close a loop"):
        dag_rule({("a", "b"): 0.5, ("b", "a"): 0.5}, "a", "b")


@given(rngs, st.integers(1, 6))
def test_the_small_gain_bound_is_hardly_above_the_abscissa_and_never_below(rng, n):
    own = {str(i): float(v) for i, v in enumerate(rng.uniform(-3, 1, n))}
    G = rng.uniform(0, 2, (n, n)) * (rng.random((n, n)) < 0.5) * (1 - np.eye(n))
    gains = {(str(j), str(i)): float(G[i, j]) for i, j in zip(*np.nonzero(G), strict=True)}
    C = G + np.diag(list(own.values()))
    abscissa = np.linalg.eigvals(C).real.max()
    try:
        found = small_gain_rule(own, gains)
    except ConvergenceError:
        pytest.fail("weights exist for every bound above the abscissa")
    # Eigenvalues of a matrix with long cascades are known to about eps^(1/n) of its size only.
    assert found.bound >= abscissa - 30 * EPS ** (1 / n) * np.abs(C).max()
    assert found.bound <= abscissa + 3e-3 * max(abs(abscissa), 1e-3) + 30 * EPS ** (1 / n)
    r = np.array([float(found.weights.fraction(i)) for i in range(n)])
    assert (C @ r <= found.bound * r + 1e-12 * np.abs(C) @ r).all()


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
def test_a_cascade_reaches_any_rate_below_the_slowest_and_pays_in_conditioning(rate):
    n = 40
    own = {str(i): -1.0 for i in range(n)}
    gains = {(str(i), str(i + 1)): 1.0 for i in range(n - 1)}
    found = cascade_rule(own, gains, -rate)
    assert -found.bound == pytest.approx(rate, rel=1e-6)
    assert found.bound <= -rate
    # Each stage asks for the weight of the one before over 1 - rate.
    assert found.weights.spread == pytest.approx((n - 1) * -np.log2(1 - rate), rel=1e-3)
    with pytest.raises(ConvergenceError):
        cascade_rule(own, gains, -1.0)


def test_skew_feedback_leaves_the_larger_own_bound():
    assert skew_rule({"x": -1.0, "y": -2.0}).bound == -1.0


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_the_secant_rule_is_the_abscissa_of_the_linear_ring(n):
    g = 1.2
    A = -np.eye(n) + g * np.eye(n, k=-1)
    A[0, -1] = -g
    found = secant_rule({str(i): -1.0 for i in range(n)}, [g] * n)
    assert found.bound >= np.linalg.eigvals(A).real.max() - 1e-13
    assert found.bound == pytest.approx(-1.0 + g * np.cos(np.pi / n), abs=1e-14)


def test_the_secant_rule_takes_a_ring_of_five_to_sec_of_pi_fifths():
    own = {str(i): -1.0 for i in range(5)}
    assert secant_rule(own, [1.2] * 5).bound <= -0.029150427143313083
    assert secant_rule(own, [1.24] * 5).bound > 0
    assert small_gain_rule(own, {(str(i), str((i + 1) % 5)): 1.2 for i in range(5)}).bound > 0


@given(rngs, st.integers(1, 4))
def test_a_conversion_bounds_one_distance_by_another(rng, n):
    M, N = (R @ R.T + 0.1 * np.eye(n) for R in rng.standard_normal((2, n, n)))
    M, N = (M + M.T) / 2, (N + N.T) / 2
    c = conversion(M, N)
    exact = np.sqrt(np.linalg.eigvals(np.linalg.solve(M, N)).real.max())
    assert exact * (1 - 1e-9) <= c <= exact * (1 + 1e-9)
    assert conversion(M, M) == 1.0


def test_maps_that_contract_in_different_metrics_make_no_contraction():
    # A contracts in diag(1, t^2) with a gain near its spectral radius, B = A^T in its inverse;
    # their product has the radius 4.486.
    A, t = np.array([[0.5, 2.0], [0.0, 0.5]]), 100.0
    M, N = np.diag([1.0, t**2]), np.diag([t**2, 1.0])
    gain = np.linalg.norm(np.diag([1, t]) @ A @ np.diag([1, 1 / t]), 2) * (1 + 1e-12)
    assert gain < 0.53
    step = converted_chain([Link("A", gain, M, M), Link("B", gain, N, N)])
    assert step.bound >= np.abs(np.linalg.eigvals(A.T @ A)).max()
    assert [s.rule for s in step.steps] == ["change of metric", "change of metric", "chain"]
    with pytest.raises(MetricError):
        converted_chain([Link("A", gain, M, -M), Link("B", gain, N, N)])


def test_the_steps_recompute_the_bound():
    found = chain_rule({"a": 2.0, "b": 0.25})
    assert [(s.rule, s.numbers, s.result) for s in found.steps] == [("chain", (2.0, 0.25), 0.5)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: chain_rule({"a": -1.0}),
        lambda: chain_rule({"a": np.inf}),
        lambda: small_gain_rule({"a": -1.0, "b": -1.0}, {("a", "b"): -0.5}),
        lambda: skew_rule({"a": -1.0}),
        lambda: secant_rule({"a": -1.0, "b": -1.0}, [1.0, 0.0]),
        lambda: secant_rule({"a": -1.0, "b": -1.0}, [1.0]),
    ],
)
def test_numbers_that_are_no_gains_are_refused(wrong):
    with pytest.raises(DomainError):
        wrong()
