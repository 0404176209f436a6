"""The rows of every layer are the derivatives of each sample's own part of the loss."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from riemannian_torch.gauss_newton import rows as all_rows
from riemannian_torch.gauss_newton.groups import by_sample, places_of_samples
from riemannian_torch.gauss_newton.looked_up_rows import LookedUpRows
from riemannian_torch.gauss_newton.optimizer import GaussNewton
from tests.adapters.trained_networks import TRAINED, Odd

BATCH = 6


def rows_one_by_one(net, criterion, x, y, axis):
    """The slow obvious way: one sample after the other."""
    parameters = list(net.parameters())
    rows = []
    for b in range(BATCH):
        loss = criterion(net(x.narrow(axis, b, 1)), y[b : b + 1]) / BATCH
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        rows.append(
            [
                torch.zeros_like(p) if g is None else g
                for p, g in zip(parameters, found, strict=True)
            ]
        )
    return [torch.stack(r) for r in zip(*rows, strict=True)]


@pytest.fixture(params=TRAINED, ids=lambda case: case.__name__)
def case(request):
    torch.manual_seed(3)
    net, x, y, criterion, axis = request.param(BATCH)
    x, y = (t.double() if t.is_floating_point() else t for t in (x, y))
    return net.double(), x, y, criterion, axis


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rows_are_the_derivatives_of_each_sample(case):
    net, x, y, criterion, axis = case
    optimizer = GaussNewton(net, criterion, batch_axis=axis)
    _, (group,) = optimizer._observer.of_closure(lambda: criterion(net(x), y))
    # All but what nothing is known of has rows of its own, without derivatives one by one.
    assert optimizer._observer._remaining == ({net.rate} if isinstance(net, Odd) else set())
    expected = rows_one_by_one(net, criterion, x, y, axis)
    v = torch.randn(BATCH, dtype=torch.float64)
    for p, rows in zip(net.parameters(), expected, strict=True):
        size = rows.abs().max() + 1e-12
        found = group.rows[p]
        torch.testing.assert_close(found.formed().rows, rows, rtol=0, atol=1e-12 * size)
        flat = rows.reshape(BATCH, -1)
        torch.testing.assert_close(found.gram(), flat @ flat.T, rtol=1e-9, atol=1e-12 * size**2)
        torch.testing.assert_close(
            found.combined(v), torch.tensordot(v, rows, 1), rtol=1e-9, atol=1e-12 * size
        )
        direction = torch.randn_like(p)
        torch.testing.assert_close(
            found.along(direction), flat @ direction.flatten(), rtol=1e-9, atol=1e-11 * size
        )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_loop_with_backward_takes_the_steps_of_a_closure(case):
    net, x, y, criterion, axis = case
    twin = copy.deepcopy(net)
    closing, habit = (GaussNewton(n, criterion, batch_axis=axis) for n in (net, twin))
    for _ in range(3):
        closing.step(lambda: criterion(net(x), y))
        habit.zero_grad()
        criterion(twin(x), y).backward()
        habit.step()
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_each_sample_keeps_its_own_where_leading_axes_are_folded():
    times, samples, size = 3, 2, 4
    x = torch.arange(samples)[None, :, None].expand(times, samples, size)
    for seen in (x, x.reshape(-1, size), x[..., 0].reshape(-1)):
        found = by_sample(seen, samples, axis=1)
        assert torch.equal(found, torch.arange(samples)[:, None].expand_as(found))
    # Outputs (B, C) behind time-first inputs: no class is taken for a sample.
    f = torch.arange(samples)[:, None].expand(samples, samples).float()
    places = places_of_samples(f, f[:, 0], samples, axis=1)
    assert torch.equal(f.flatten()[places], f)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.sampled_from([1, 2**22]))
def test_rows_of_a_table_are_sums_over_the_places_of_each_entry(samples, places, entries, part):
    torch.manual_seed(samples + places)
    index = torch.randint(entries, (samples, places))
    d = torch.randn(samples, places, 3, dtype=torch.float64)
    expected = torch.zeros(samples, entries, 3, dtype=torch.float64)
    for b in range(samples):
        for t in range(places):
            expected[b, index[b, t]] += d[b, t]
    rows, flat = LookedUpRows(index, d, entries), expected.flatten(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_rows, "PART", part)  # one feature at a time, or all
        torch.testing.assert_close(rows.gram(), flat @ flat.T, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(rows.formed().rows, expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(rows.outer().formed().rows, expected, rtol=0, atol=1e-14)
