"""Affine maps, gains, sums and linear systems equal their matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import Interval, interval
from riemannian_modules.errors import DomainError, SignatureError, TraceError
from tests.strategies import rngs

NO = np.zeros(0)


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(1, 4), st.integers(1, 4))
def test_an_affine_map_and_its_factor_are_the_dense_ones(rng, m, q):
    W, b, u = rng.standard_normal((q, m)), rng.standard_normal(q), rng.standard_normal((5, m))
    module = rm.Affine(W, b)
    p = rng.standard_normal((5, q, 2))
    d = module.differential(np.zeros((5, 0)), u, module.theta)
    y = np.stack([W @ row + b for row in u])
    assert np.allclose(module.output(np.zeros((5, 0)), u, module.theta), y, rtol=0, atol=1e-13)
    dense = [
        np.r_[np.outer(p[i, :, j], u[i]).ravel(), p[i, :, j]] for i in range(5) for j in (0, 1)
    ]
    factor = d.parameter_factor(np.zeros((5, 0, 2)), p)
    assert np.allclose(factor.as_matrix(), np.stack(dense, 1), rtol=0, atol=1e-14)
    assert np.allclose(factor.gram(), np.stack(dense) @ np.stack(dense).T, rtol=0, atol=1e-12)


def test_an_affine_map_of_an_unbounded_box_keeps_the_rows_that_do_not_see_it():
    module = rm.Affine([[1.0, 0.0], [0.0, -2.0]], [0.0, 1.0])
    box = interval([-1.0, 0.0], [1.0, np.inf])
    y = module.enclose(Interval.point(NO), box, Interval.point(module.theta)).y
    assert np.allclose(y.lower, [-1.0, -np.inf])
    assert np.allclose(y.upper, [1.0, 1.0])


def test_a_large_affine_map_is_not_expanded():
    with pytest.raises(TraceError, match="Affine: W has shape"):
        _ = rm.Affine(np.ones((65, 64))).expressions


@settings(max_examples=10, deadline=None)
@given(rngs)
def test_the_simple_maps_are_what_they_say(rng):
    u, v = rng.standard_normal(4), rng.standard_normal(6)
    K = rng.standard_normal((2, 4))
    signed = rm.Sum("+-+", 2)
    for module, at, expected in [
        (rm.Gain(2.5, 4), u, 2.5 * u),
        (rm.Gain([1.0, 2.0, 3.0, 4.0]), u, np.arange(1, 5) * u),
        (rm.MatrixGain(K), u, K @ u),
        (signed, v, v[:2] - v[2:4] + v[4:]),
        (rm.Mux(a=3, b=(1, 3)), v, v),
        (rm.Demux("p q", c=2), u, u),
    ]:
        assert np.allclose(module.output(NO, at, module.theta), expected, rtol=0, atol=1e-14)


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_a_state_space_system_has_its_matrices_as_jacobian(rng):
    A, B, C, D = (rng.standard_normal(s) for s in ((3, 3), (3, 2), (2, 3), (2, 2)))
    for kind in (rm.StateSpace, rm.DiscreteStateSpace):
        system, x, u = kind(A, B, C, D), rng.standard_normal(3), rng.standard_normal(2)
        dx, y = system.forward(x, u, system.theta)
        assert np.allclose(dx, A @ x + B @ u)
        assert np.allclose(y, C @ x + D @ u)
        J = system.jacobian(x, u, system.theta)
        for got, expected in ((J.A, A), (J.B, B), (J.C, C), (J.D, D)):
            assert np.array_equal(got, expected)


def test_blocks_of_zeros_in_d_are_no_feedthrough():
    ports = {"inputs": rm.space("v w"), "outputs": rm.space("a b")}
    system = rm.StateSpace(-np.eye(2), np.eye(2), np.eye(2), [[1.0, 0.0], [0.0, 0.0]], **ports)
    assert system.feedthrough == {("v", "a")}
    assert list(system.parameters) == ["A", "B", "C", "D_a_v"]


@settings(max_examples=20, deadline=None)
@given(rngs)
def test_an_observers_error_follows_a_minus_l_c(rng):
    A, B, C, L = (rng.standard_normal(s) for s in ((3, 3), (3, 1), (2, 3), (3, 2)))
    observer, x, z, u = rm.Observer(A, B, C, L), *(rng.standard_normal(k) for k in (3, 3, 1))
    dz, estimate = observer.forward(z, np.r_[u, C @ x], observer.theta)
    error = dz - (A @ x + B @ u)
    assert np.allclose(error, (A - L @ C) @ (z - x), atol=1e-12)
    assert np.array_equal(estimate, z)
    assert not observer.feedthrough


@settings(max_examples=20, deadline=None)
@given(rngs, st.integers(0, 3), st.integers(0, 3))
def test_a_transfer_function_is_its_quotient_of_polynomials(rng, n, lower):
    num, den = rng.standard_normal(max(n - lower, 0) + 1), np.r_[2.0, rng.standard_normal(n)]
    module = rm.TransferFunction(num, den)
    J = module.jacobian(np.zeros(n), np.zeros(1), module.theta)
    s = 3.0 + 4.0j
    got = (J.C @ np.linalg.solve(s * np.eye(n) - J.A, J.B) + J.D)[0, 0]
    assert np.isclose(got, np.polyval(num, s) / np.polyval(den, s), rtol=1e-9)
    assert bool(module.feedthrough) == (len(num) == n + 1)


def test_a_pid_has_the_transfer_function_of_the_parallel_form():
    Kp, Ki, Kd, tau = 2.0, 3.0, 0.5, 0.1
    pid, s = rm.PID(Kp, Ki, Kd, tau), 1.0 + 2.0j
    J = pid.jacobian(np.zeros(2), np.zeros(2), pid.theta)
    got = J.C @ np.linalg.solve(s * np.eye(2) - J.A, J.B) + J.D
    expected = Kp + Ki / s + Kd * s / (tau * s + 1)
    assert np.allclose(got, [[expected, -expected]])


def test_states_that_break_loops_have_no_feedthrough():
    for module in (rm.Integrator(2), rm.Lag(2.0), rm.UnitDelay((2, 2))):
        assert module.feedthrough == frozenset()
    lag = rm.Lag(2.0, 3.0)
    assert lag.forward(np.array([1.0]), np.array([5.0]), lag.theta)[0] == (3 * 5 - 1) / 2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rm.Affine([1.0, 2.0]), SignatureError, "expected a matrix"),
        (lambda: rm.Affine(np.eye(2), np.ones(3)), SignatureError, r"expected shape \(2,\)"),
        (lambda: rm.Affine([[np.nan]]), DomainError, "finite"),
        (lambda: rm.Gain([1.0, 2.0], 3), SignatureError, "MatrixGain"),
        (lambda: rm.Sum("+*"), SignatureError, "expected '\\+'"),
        (rm.Mux, SignatureError, "got none"),
        (lambda: rm.StateSpace(np.eye(2), np.eye(3), np.eye(2)), SignatureError, "StateSpace: B"),
        (lambda: rm.TransferFunction([1, 0, 0], [1, 1]), SignatureError, "improper"),
        (lambda: rm.TransferFunction([1], [0.0]), DomainError, "zero"),
        (lambda: rm.PID(1.0, tau=0.0), DomainError, "tau: expected a positive number"),
        (lambda: rm.Lag(-1.0), DomainError, "tau: expected a positive number"),
        (lambda: rm.Observer(np.eye(2), np.eye(2), np.eye(2), np.eye(3)), SignatureError, "L"),
    ],
)
def test_bad_arguments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
