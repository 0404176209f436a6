"""The rows that samples give to a convolution's kernel, without an array of all patches.

Sample b moves the kernel (q, C / groups, *k) along ``U_b = sum_t d_bt a_bt^T``, a_bt the patch that
place t of the output sees: the kernel's gradient in one sample.
Source: Rochette, Manoel and Tramel (2019), arXiv:1912.06015 (gradients of each sample).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from riemannian_torch.gauss_newton.convolution import Convolution
from riemannian_torch.gauss_newton.rows import (
    PART,
    DenseRows,
    OuterRows,
    WeightRows,
    slices,
)

_NEAR = 2**18  # numbers that stay in a processor's cache from their making to their use
_TOUCH = 16  # multiplications that take as long as a number's way to memory and back


@final
@dataclass(frozen=True, eq=False)
class ConvolutionRows(WeightRows):
    """Rows from m images a sample, a (B, m, C, *size), and cotangents d (B, T, q).

    The T places are those of all images, image after image. Several columns of each sample share
    its images: d is (k B, T, q) then, with the samples inside. ``shape`` is the kernel's.

    Where a sample has many places its rows are formed, some input channels after others, from the
    patches of a few samples at a time; they are kept where they are few. Where it has few places,
    products of patches are sums of products of pixels, and no row is formed.
    """

    a: Tensor
    d: Tensor
    shape: torch.Size
    how: Convolution

    @property
    @override
    def is_formed(self) -> bool:
        (B, T, _), n = self.d.shape, self.shape.numel()
        if len(self.a) < B or self.how.groups > 1:
            return True
        pair = n + n * (T + _TOUCH) / B  # multiplications for two samples
        return pair < self._by_pixels

    @property
    def _by_pixels(self) -> int:
        """Multiplications of a pair of samples, through products of pixels."""
        (_, T, q), (_, m, C, *size) = self.d.shape, self.a.shape
        S = m * prod(size)
        return S * S * C + T * T * (q + _TOUCH * sum(self.how.kernel))

    @property
    def _near(self) -> int:
        """How many numbers are best made at a time; a device wants few and large operations."""
        return _NEAR if self.a.device.type == "cpu" else self.a.numel()

    # ------------------------------------------------------------------------ formed rows

    @override
    def blocks(self, most: int) -> Iterator[Tensor]:
        (B, _, q), taps = self.d.shape, prod(self.how.kernel)
        parts = self._parts(most // (B * q))
        widths = [taps * (part.stop - part.start) for part in parts]
        buffer = self.d.new_empty(B * q * max(widths))
        for part, width in zip(parts, widths, strict=True):
            rows = buffer[: B * q * width].view(B, q, width)
            self._form(rows, part)
            yield rows.flatten(1)

    @cached_property
    def _dense(self) -> DenseRows:
        out = self.d.new_empty(len(self.d), self.shape[0], prod(self.shape[1:]))
        taps = prod(self.how.kernel)
        for part in self._parts(out.shape[-1]):
            self._form(out[:, :, part.start * taps : part.stop * taps], part)
        return DenseRows(out.view(-1, *self.shape))

    def _parts(self, width: int) -> list[slice]:
        """Input channels of a group whose rows are so wide at most, with patches to fit."""
        fitting = self._near // (self.d.shape[1] * self.how.groups)
        return slices(self.shape[1], max(1, min(width, fitting) // prod(self.how.kernel)))

    def _form(self, out: Tensor, channels: slice) -> None:
        """Write the rows of some input channels of each group to ``out`` (k B, q, width).

        Cost: k B T q width multiplications, and the patches of a few samples in memory.
        """
        B, (_, T, q), groups = len(self.a), self.d.shape, self.how.groups
        images = self.a.unflatten(2, (groups, -1))[:, :, :, channels]
        each = T * groups * out.shape[-1]
        step = min(B, max(1, self._near // each))
        patches = self.a.new_empty(step * each)
        for start in range(0, B, step):
            windows = self.how.windows(images[start : start + step])
            count = len(windows)
            here = patches[: count * each].view_as(windows).copy_(windows)
            here = here.view(count * groups, -1, T).mT
            for first in range(start, len(self.d), B):
                own = slice(first, first + count)
                d = self.d[own].mT.reshape(count * groups, q // groups, T)
                torch.bmm(d, here, out=out[own].view(count * groups, q // groups, -1))

    # ------------------------------------------------------------------------ pairs of pixels

    def gram_of_pixels(self) -> Tensor:
        """``sum_tu (d_bt . d_cu) (a_bt . a_cu)``, some samples beside all before them at a time."""
        (B, T, q), (_, m, C, *size) = self.d.shape, self.a.shape
        pixels, d = self.a.flatten(3).mT.reshape(-1, C), self.d.reshape(-1, q)
        S = len(pixels) // B
        products = self.d.new_empty(B, B)
        step = max(1, PART // (B * S * S))
        for start in range(0, B, step):
            end = min(B, start + step)
            pairs = pixels[start * S : end * S] @ pixels[: end * S].T
            pairs = self.how.window_products(pairs.view(end - start, m, *size, end, m, *size))
            pairs = pairs.view(-1, end * T).mul_(d[start * T : end * T] @ d[: end * T].T)
            found = pairs.view(end - start, T, end, T).sum((1, 3))
            products[start:end, :end], products[:start, start:end] = found, found[:, :start].T
        return products

    # ------------------------------------------------------------------------ what rows do

    @override
    def gram(self) -> Tensor:
        return self._dense.gram() if self.is_formed else self.gram_of_pixels()

    @override
    def along_places(self, direction: Tensor) -> Tensor:
        # <U_b, P> = <d_b, a_b convolved with P>
        convolved = self.how.of(self.a.flatten(0, 1), direction.view(self.shape).to(self.a.dtype))
        convolved = convolved.view(*self.a.shape[:2], self.shape[0], -1).mT
        d = self.d.view(-1, *convolved.shape)
        return (d * convolved).sum((2, 3, 4)).flatten()

    @override
    def combined_places(self, v: Tensor) -> Tensor:
        B, m, _, *size = self.a.shape
        d = (self.d * v[:, None, None]).unflatten(0, (-1, B))
        d = (d[0] if len(d) == 1 else d.sum(0)).unflatten(1, (m, -1)).mT
        d = d.reshape(B * m, -1, *self.how.places(size))
        return self.how.gradient(self.a.flatten(0, 1), self.shape, d)

    @override
    def formed(self) -> DenseRows:
        return self._dense

    @override
    def of_samples(self, samples: slice) -> ConvolutionRows:
        copies = len(self.d) // len(self.a)
        a = self.a if copies == 1 else self.a.repeat(copies, *[1] * (self.a.ndim - 1))
        return ConvolutionRows(a[samples], self.d[samples], self.shape, self.how)

    @property
    @override
    def pair_cost(self) -> int:
        return self.shape.numel() if self.is_formed else self._by_pixels

    @property
    @override
    def product_cost(self) -> int:
        return self.d.shape[0] * self.d.shape[1] * self.shape.numel()

    @property
    @override
    def outer(self) -> WeightRows:
        return self._with_patches if self.how.groups == 1 else self

    @cached_property
    def _with_patches(self) -> OuterRows:
        windows = self.how.windows(self.a.unsqueeze(2))
        patches = windows.flatten(-1 - len(self.how.kernel)).flatten(1, -2)
        return OuterRows(patches.mT, self.d, self.shape)
