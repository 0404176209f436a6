"""The rows of convolutions are the derivatives of each sample alone, in every way they are had."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from riemannian_torch.gauss_newton import convolution_rows, rows_in_memory
from riemannian_torch.gauss_newton.convolution_rows import ConvolutionRows
from riemannian_torch.gauss_newton.joined_rows import added, stacked
from riemannian_torch.gauss_newton.optimizer import GaussNewton
from riemannian_torch.gauss_newton.rows import OuterRows, slices
from riemannian_torch.gauss_newton.rows_in_memory import TransientRows, within_memory
from riemannian_torch.gauss_newton.uses import READERS, Samples

CONVOLVED = (functional.conv1d, functional.conv2d, functional.conv3d)


def convolution_cases():
    """Axes, groups, channels, kernel, image, stride, padding, dilation, images a sample."""

    @st.composite
    def case(draw):
        axes = draw(st.integers(1, 3))
        small = st.integers(1, 2)
        groups = draw(small)
        kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
        dilation = [draw(small) for _ in range(axes)]
        seen = [e * (k - 1) for k, e in zip(kernel, dilation, strict=True)]
        size = [s + draw(st.integers(1, 3)) for s in seen]
        padding = draw(st.sampled_from(["valid", "same", "numbers"]))
        stride = [1] * axes if padding == "same" else [draw(small) for _ in range(axes)]
        if padding == "numbers":
            padding = [draw(st.integers(0, 2)) for _ in range(axes)]
        channels = [groups * draw(small) for _ in range(2)]
        images = draw(small)
        return axes, groups, channels, kernel, size, stride, padding, dilation, images

    return case()


def rows_of(function, samples, x, weight, bias, *arguments):
    """What the reader of a convolution gives, and the rows one derivative after the other."""
    y = function(x, weight, bias, *arguments)
    d = torch.randn_like(y)
    found = dict(READERS[function](Samples(samples, 0, x.dtype), d, x, weight, bias, *arguments))
    each = len(x) // samples
    expected = [[], []]
    for b in range(samples):
        here = slice(b * each, (b + 1) * each)
        value = (function(x[here], weight, bias, *arguments) * d[here]).sum()
        for parts, g in zip(expected, torch.autograd.grad(value, [weight, bias]), strict=True):
            parts.append(g)
    return found[weight], found[bias], *(torch.stack(parts) for parts in expected)


def assert_rows_are(found, expected, gram=None):
    """All that rows do, beside rows that are formed."""
    flat = expected.flatten(1)
    # A product sums n terms of the largest size at most, each off by one rounding.
    size = 1e-14 * max(1.0, float(flat.abs().max())) * max(flat.shape)
    torch.manual_seed(5)
    direction = torch.randn(expected.shape[1:], dtype=expected.dtype)
    v = torch.randn(len(expected), dtype=expected.dtype)
    close = {"rtol": 1e-12, "atol": 1e2 * size}
    torch.testing.assert_close(found.along(direction), flat @ direction.flatten(), **close)
    torch.testing.assert_close(found.combined(v), torch.tensordot(v, expected, 1), **close)
    exact = flat @ flat.T
    close["atol"] *= max(1.0, float(flat.abs().max()))
    torch.testing.assert_close(found.gram() if gram is None else gram, exact, **close)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@given(convolution_cases(), st.integers(1, 3), st.sampled_from([1, 40, 2**18]))
@example((1, 1, (1, 1), [3], [5], [2], [2], [1], 1), 2, 2**18)  # strides beyond the border
@settings(deadline=None, max_examples=100)
def test_rows_of_a_convolution_are_the_derivatives_of_each_sample(case, samples, near):
    axes, groups, (c, q), kernel, size, stride, padding, dilation, images = case
    torch.manual_seed(len(kernel) + sum(size) + samples)
    x = torch.randn(samples * images, c, *size, dtype=torch.float64)
    weight = torch.randn(q, c // groups, *kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(q, dtype=torch.float64, requires_grad=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution_rows, "_NEAR", near)  # a few samples and channels at a time
        patch.setattr(convolution_rows, "PART", near)
        found, of_bias, expected, expected_bias = rows_of(
            CONVOLVED[axes - 1], samples, x, weight, bias, stride, padding, dilation, groups
        )
        torch.testing.assert_close(found.formed().rows, expected, rtol=1e-12, atol=1e-12)
        assert_rows_are(found, expected)
        assert_rows_are(of_bias, expected_bias)
        assert_rows_are(TransientRows(found), expected)
        assert_rows_are(found.part(slice(1, None)), expected[1:]) if samples > 1 else None
        if groups == 1:
            assert_rows_are(found.outer, expected)
        if groups == 1 and isinstance(found, ConvolutionRows):
            assert_rows_are(found, expected, found.gram_of_pixels())


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("axes", [1, 2])
def test_every_padding_mode_has_the_rows_of_each_sample(mode, axes):
    torch.manual_seed(0)
    layer = (nn.Conv1d, nn.Conv2d)[axes - 1]
    net = nn.Sequential(layer(2, 3, 4, padding="same", padding_mode=mode), nn.Tanh(), nn.Flatten())
    net, x = net.double(), torch.randn(4, 2, *[6] * axes, dtype=torch.float64)
    y, criterion = torch.randn(4, 3 * 6**axes, dtype=torch.float64), nn.MSELoss()
    optimizer = GaussNewton(net, criterion)
    _, (group,) = optimizer._observer.of_closure(lambda: criterion(net(x), y))
    assert not optimizer._observer._remaining
    for p in net.parameters():
        expected = [
            torch.autograd.grad(criterion(net(x[b : b + 1]), y[b : b + 1]) / 4, p)[0]
            for b in range(4)
        ]
        torch.testing.assert_close(
            group.rows[p].formed().rows, torch.stack(expected), rtol=0, atol=1e-14
        )
        assert_rows_are(group.rows[p], torch.stack(expected))


def two_layers():
    """Rows of one convolution at two batches of images, in two columns."""
    torch.manual_seed(1)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    images = [torch.randn(4, 2, 5, 5, dtype=torch.float64) for _ in range(2)]
    return [rows_of(functional.conv2d, 4, x, weight, bias)[::2] for x in [images[0], *images]]


def test_rows_of_two_uses_add_up_and_those_of_two_groups_stand_below_each_other():
    (one, first), (two, second), (three, third) = two_layers()
    assert isinstance(added([one, three]), ConvolutionRows)
    assert_rows_are(added([one, three]), first + third)
    columns = stacked([one, two], [4, 4])
    assert columns.a is one.a  # of one batch: its images are held once
    for rows in (columns, TransientRows(columns)):
        assert_rows_are(rows, torch.cat([first, second]))
        assert_rows_are(rows.part(slice(3, 6)), torch.cat([first, second])[3:6])
    assert isinstance(stacked([one, three], [4, 4]), ConvolutionRows)
    assert_rows_are(stacked([one, three], [4, 4]), torch.cat([first, third]))
    assert_rows_are(stacked([one, None], [4, 2]), torch.cat([first, torch.zeros_like(first[:2])]))


def test_images_of_two_sizes_add_up_too():
    (one, first), *_ = two_layers()
    size = replace(one, a=one.a[..., :4], d=one.d[:, :6])
    assert_rows_are(added([one, size]), first + size.formed().rows)


@given(st.integers(1, 50), st.integers(1, 60))
def test_slices_are_a_range_in_parts(count, most):
    parts = slices(count, most)
    assert (parts[0].start, parts[-1].stop) == (0, count)
    assert all(a.stop == b.start for a, b in pairwise(parts))
    assert max(p.stop - p.start for p in parts) <= most


# ------------------------------------------------------------------------------ cost and memory


def layer_rows(B, T, p, q):
    """Rows of a dense layer over T places."""
    return OuterRows(torch.randn(B, T, p), torch.randn(B, T, q), torch.Size((q, p)))


def image_rows(B, C, q, size):
    """Rows of a convolution of 3 x 3."""
    x, weight = torch.randn(B, C, size, size), torch.zeros(q, C, 3, 3)
    d = torch.randn(B, q, size, size)
    ((_, rows),) = READERS[functional.conv2d](Samples(B, 0, x.dtype), d, x, weight, None, 1, 1)
    return rows


@pytest.mark.parametrize(
    "rows",
    [
        layer_rows(16, 1, 20, 30), layer_rows(8, 3, 40, 50), layer_rows(8, 40, 20, 30),
        image_rows(8, 6, 8, 12), image_rows(16, 64, 48, 2),
    ],
    ids=["dense", "few places", "many places", "large images", "small images"],
)  # fmt: skip
def test_a_step_takes_the_multiplications_that_the_plan_says(rows):
    B = len(rows.d)
    assert rows.is_formed == (rows.d.shape[1] > 10)
    for way in (rows, TransientRows(rows)) if rows.is_formed else (rows,):
        counter = FlopCounterMode(display=False)
        with counter:
            way.along(torch.randn(rows.shape))
            way.gram()
            way.combined(torch.randn(B))
        predicted = way.products * way.product_cost + B * B * way.pair_cost
        # Half of all pairs of pixels suffice, and sums along diagonals are no multiplications.
        least = 0.4 if isinstance(rows, ConvolutionRows) and not rows.is_formed else 0.85
        assert least * predicted <= counter.get_total_flops() / 2 <= 1.05 * predicted


def test_rows_of_most_places_are_kept_and_no_more_than_two_batches_of_activations(monkeypatch):
    monkeypatch.setattr(rows_in_memory, "PART", 0)
    rows = {torch.zeros(()): r for r in (
        image_rows(4, 20, 20, 5), image_rows(4, 2, 3, 16), layer_rows(4, 1, 9, 9),
        image_rows(4, 24, 24, 6),
    )}  # fmt: skip
    found = within_memory(rows)
    activations = sum(r.a.numel() + r.d.numel() for r in rows.values())
    kept = [r for r in found.values() if not isinstance(r, TransientRows)]
    assert sum(4 * r.shape.numel() for r in kept if r.is_formed) <= 2 * activations
    assert [isinstance(r, TransientRows) for r in found.values()] == [True, False, False, False]


class Largest(TorchDispatchMode):
    """The most numbers that a tensor made meanwhile holds."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        held = [t.untyped_storage().nbytes() for t in tree_leaves(made) if torch.is_tensor(t)]
        self.numbers = max([self.numbers, *(n // 4 for n in held)])
        return made


def wide_sequence():
    net = nn.Sequential(
        nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 192), nn.ReLU(), nn.Flatten(),
        nn.Linear(192 * 12, 4),
    )  # fmt: skip
    return net, torch.randn(32, 12, 192)


def large_images():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 7, padding=3), nn.ReLU(), nn.MaxPool2d(4), nn.Conv2d(2, 64, 3), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4),
    )  # fmt: skip
    net(torch.randn(1, 1, 24, 24))
    return net, torch.randn(16, 1, 24, 24)


@pytest.mark.parametrize("task", [wide_sequence, large_images])
def test_no_tensor_of_a_step_is_larger_than_two_batches_or_the_parameters(task, monkeypatch):
    """Neither all patches nor all rows of a layer are made: they would be larger."""
    monkeypatch.setattr(rows_in_memory, "PART", 2**12)
    monkeypatch.setattr(convolution_rows, "_NEAR", 2**12)
    monkeypatch.setattr(convolution_rows, "PART", 2**12)
    torch.manual_seed(0)
    net, x = task()
    y, criterion = torch.randint(4, (len(x),)), nn.CrossEntropyLoss()
    optimizer, activations = GaussNewton(net, criterion), 0
    layers = [layer for layer in net if isinstance(layer, nn.Linear | nn.Conv2d)]
    for _ in range(2):
        optimizer.step(lambda: criterion(net(x), y))
    with Largest() as largest:
        optimizer.step(lambda: criterion(net(x), y))
    for layer in net:
        z = layer(x)
        activations += (x.numel() + z.numel()) * (layer in layers)
        x = z
    largest_layer = max(p.numel() for p in net.parameters())
    assert largest.numbers <= max(2 * activations, largest_layer)
    assert 2 * activations < len(x) * max(p.numel() for p in layers[-2].parameters())
