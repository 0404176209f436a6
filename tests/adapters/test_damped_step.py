"""The rules of a damped step, against what they are defined by."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.errors import SignatureError
from riemannian_torch.gauss_newton.damped_step import StepState, follow, measure, solve, walked

seeds = st.integers(0, 2**31)


def vectors(seed, count):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 7, generator=generator, dtype=torch.float64)


@given(seeds, st.floats(0.0, 1.0))
def test_rho_is_the_best_multiple_of_the_last_direction(seed, length):
    s, t = vectors(seed, 2)
    after = follow(StepState(0.1, length=length), s, t)
    best = torch.linalg.lstsq(t[:, None], (s + length * t)[:, None]).solution.item()
    assert after.rho == pytest.approx(best, rel=1e-9, abs=1e-12)
    assert after.mu == pytest.approx(0.1 * math.exp(-0.2 * math.tanh(2 * (best - 0.5))))


def test_without_a_last_direction_mu_stays():
    s = torch.ones(3)
    assert follow(StepState(0.3), s, torch.zeros(3)).mu == 0.3


def test_without_a_last_direction_the_stride_is_one():
    assert follow(StepState(0.3, rho=5.0), torch.ones(3), torch.zeros(3)).stride == 1.0


rhos = st.floats(-5.0, 50.0)


def followed(before, now):
    """The state where the last rho was ``before`` and this one is ``now``."""
    t = torch.ones(4, dtype=torch.float64)
    return follow(StepState(1.0, length=0.5, rho=before), (now - 0.5) * t, t)


@given(rhos, rhos)
def test_the_stride_leaves_one_only_where_two_batches_in_a_row_ask_for_it(before, now):
    state = followed(before, now)
    assert 0.7 <= state.stride <= 2.0
    if min(before, now) > 1.001:
        assert state.stride == pytest.approx(min(before, now, 2.0))
    elif max(before, now) < 0.499:
        assert state.stride == pytest.approx(max(2 * before, 2 * now, 0.7))
    elif min(before, now) < 0.999 and max(before, now) > 0.501:
        assert state.stride == pytest.approx(1.0)
    assert followed(now, before).stride == pytest.approx(state.stride)


@given(rhos, rhos)
def test_what_no_stride_can_give_mu_gives_at_once(before, now):
    slow = math.exp(-0.2 * math.tanh(2 * (now - 0.5)))
    too_short = max(1.0, min(before, now) / 2)
    assert followed(before, now).mu == pytest.approx(slow / too_short)


def test_where_mu_decides_the_direction_one_step_makes_mu_right():
    """With K = k I the best multiple of P = U (K + mu I)^-1 s is 1 + mu / k."""
    k, mu = 0.01, 10.0
    multiple = 1.0 + mu / k
    s = torch.ones(3, dtype=torch.float64)
    after = follow(StepState(mu, rho=multiple), s, s / multiple)
    assert after.rho == pytest.approx(multiple)
    assert multiple > 1000.0
    assert 1.0 + after.mu / k <= 3.0  # 1 + 2 (mu / k) / (1 + mu / k)


@given(seeds, st.floats(0.7, 2.0))
def test_a_stride_multiplies_the_length_that_its_bounds_allow(seed, stride):
    s, moved = vectors(seed, 2)
    usual, strided = (walked(StepState(0.2, stride=k), s, moved, 1.0, 0.5, 0.3)
                      for k in (1.0, stride))  # fmt: skip
    assert strided.length == pytest.approx(stride * usual.length)
    walk = strided.length * moved
    assert strided.predicted == pytest.approx(float(s @ walk - walk @ walk / 2))


@given(st.lists(st.tuples(st.floats(0.1, 9.0), st.floats(0.1, 9.0)), min_size=1, max_size=5))
def test_c_is_the_ratio_of_means_that_forget_by_half(measured):
    state, felt, seen = StepState(0.1), *measured[0]
    for k, (f, p) in enumerate(measured):
        state = measure(state, f, p)
        if k:
            felt, seen = (felt + f) / 2, (seen + p) / 2
        assert state.c == pytest.approx(max(1.0, felt / seen))


def test_a_measure_that_is_not_finite_leaves_c():
    assert measure(StepState(0.1, c=2.0), math.inf, 1.0).c == 2.0
    assert measure(StepState(0.1, c=2.0), math.nan, 1.0).c == 2.0


@given(seeds, st.floats(0.01, 1.0), st.floats(0.01, 10.0), st.floats(0.0, 5.0))
def test_a_step_stays_within_its_length_and_its_trust_region(seed, lr, trust, size):
    s, moved = vectors(seed, 2)
    state = walked(StepState(0.2), s, moved, size, lr, trust)
    in_metric = state.length**2 * (float(moved @ moved) + 0.2 * size)
    assert state.length <= lr
    assert in_metric <= trust * (1 + 1e-9)
    assert state.length == pytest.approx(lr) or in_metric == pytest.approx(trust)
    walk = state.length * moved
    assert state.predicted == pytest.approx(float(s @ walk - walk @ walk / 2))


def test_an_indefinite_matrix_takes_a_larger_mu_and_an_infinite_one_none():
    K, right = torch.diag(torch.tensor([1.0, -0.5])), torch.ones(2)
    v, mu = solve(K.clone(), 0.1, right)
    assert mu == pytest.approx(1.0)
    torch.testing.assert_close(v, right / torch.tensor([2.0, 0.5]))
    assert solve(torch.full((2, 2), torch.nan), 0.1, right) is None


def test_a_state_is_read_as_it_was_written_and_from_before_there_were_strides():
    state = StepState(0.3, rho=2.0, stride=1.5)
    assert StepState.read(state.written()).written() == state.written()
    before = {k: v for k, v in state.written().items() if k != "stride"}
    assert StepState.read(before).stride == 1.0


@pytest.mark.parametrize(
    "written",
    [{"mu": "0.1"}, {"mu": 0.1, "nope": 1.0}, {"mu": 0.0}, {"mu": math.nan}, {"mu": math.inf},
     {"mu": True}, {"c": 1.0}, {}],
)  # fmt: skip
def test_what_is_no_state_of_a_step_is_refused(written):
    with pytest.raises(SignatureError, match="expected the numbers of a step"):
        StepState.read(written)
