"""By what a training loop has multiplied its gradients is read off them, at any size."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from riemannian_torch.gauss_newton.clipping import clipping
from riemannian_torch.gauss_newton.processes import OneProcess
from riemannian_torch.gauss_newton.rows import DenseRows

seeds = st.integers(0, 2**31 - 1)


def seen(seed, size, factor):
    """Rows of a weight and a bias, s, and gradients that are ``factor`` times their sum."""
    torch.manual_seed(seed)
    weight, bias = (nn.Parameter(torch.zeros(n).double()) for n in ((3, 2), (3,)))
    s = torch.rand(5).double() + 0.5
    rows = {p: DenseRows(size * torch.randn(5, *p.shape).double()) for p in (weight, bias)}
    for p, r in rows.items():
        p.grad = factor * r.combined(s)
    return rows, s


@given(seeds, st.floats(-150.0, 100.0), st.floats(0.001, 0.97))
def test_the_factor_is_found_at_any_size_of_the_gradients(seed, exponent, factor):
    rows, s = seen(seed, 10.0**exponent, factor)
    found = clipping(rows, s, 1.0, OneProcess())
    assert found == pytest.approx(factor, rel=1e-12)


@given(seeds, st.floats(1.0, 65536.0), st.floats(0.1, 0.9))
def test_the_scale_of_a_scaler_is_no_clipping(seed, scale, factor):
    rows, s = seen(seed, 1.0, factor * scale)
    assert clipping(rows, s, scale, OneProcess()) == pytest.approx(factor, rel=1e-12)


@given(seeds, st.floats(0.981, 1.019))
def test_what_half_precision_misses_is_none(seed, factor):
    rows, s = seen(seed, 1.0, factor)
    assert clipping(rows, s, 1.0, OneProcess()) == 1.0


def test_without_gradients_nothing_was_clipped():
    rows, s = seen(0, 1.0, 0.5)
    for p in rows:
        p.grad = None
    assert clipping(rows, s, 1.0, OneProcess()) == 1.0
    rows, s = seen(0, 0.0, 1.0)
    assert clipping(rows, s, 1.0, OneProcess()) == 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_is_told(bad):
    rows, s = seen(0, 1.0, 1.0)
    list(rows)[1].grad[0] = bad
    assert not math.isfinite(clipping(rows, s, 1.0, OneProcess()))
