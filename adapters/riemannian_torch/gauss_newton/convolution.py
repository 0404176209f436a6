"""How a kernel goes over images: windows, convolutions, and products of all pairs of windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv1d_weight, conv2d_weight, conv3d_weight

_CONVOLVED: tuple[Callable[..., Tensor], ...] = (F.conv1d, F.conv2d, F.conv3d)
_BY_KERNEL: tuple[Callable[..., Tensor], ...] = (conv1d_weight, conv2d_weight, conv3d_weight)


@final
@dataclass(frozen=True, slots=True)
class Convolution:
    """Torch's arguments of these names, an entry for each axis.

    Place t of the output sees the pixels ``stride t + dilation j - padding``, j over the kernel.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def of(self, images: Tensor, weight: Tensor) -> Tensor:
        """Images (N, C, *size) convolved: (N, q, *places)."""
        function = _CONVOLVED[len(self.kernel) - 1]
        return function(images, weight, None, self.stride, self.padding, self.dilation, self.groups)

    def gradient(self, images: Tensor, shape: torch.Size, d: Tensor) -> Tensor:
        """``<d, of(images, W)>`` differentiated by a kernel W of a shape; d (N, q, *places)."""
        function = _BY_KERNEL[len(self.kernel) - 1]
        return function(images, shape, d, self.stride, self.padding, self.dilation, self.groups)

    def places(self, size: Sequence[int]) -> tuple[int, ...]:
        """How many places an axis of the output has, for images of a size."""
        return tuple(
            (n + 2 * p - e * (k - 1) - 1) // s + 1
            for n, p, e, k, s in zip(
                size, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        )

    def windows(self, images: Tensor) -> Tensor:
        """Windows of images (n, m, groups, c, *size), as (n, groups, c, *kernel, m, *places).

        A view, but for the zeros of the padding.
        """
        places = self.places(images.shape[4:])
        if any(self.padding):
            images = F.pad(images, [p for p in reversed(self.padding) for _ in range(2)])
        n, m, group, c, *axes = images.stride()
        return images.as_strided(
            (len(images), *images.shape[2:4], *self.kernel, images.shape[1], *places),
            (
                n, group, c, *(t * e for t, e in zip(axes, self.dilation, strict=True)),
                m, *(t * s for t, s in zip(axes, self.stride, strict=True)),
            ),
        )  # fmt: skip

    def window_products(self, products: Tensor) -> Tensor:
        """Products of all pairs of windows (.., *places, .., *places), from those of pixels.

        Two windows have pixels at the same offsets, so that their product is a sum along the
        diagonals of the products of pixels (N, m, *size, N', m, *size): one axis after the other.
        """
        half = products.ndim // 2
        places = self.places(products.shape[2:half])
        for axis, count in enumerate(places):
            first, second = 2 + axis, half + 2 + axis
            n, s = products.shape[first], self.stride[axis]
            sizes = list(products.shape)
            sizes[first] = sizes[second] = count
            summed = products.new_zeros(sizes)
            for j in range(self.kernel[axis]):
                offset = self.dilation[axis] * j - self.padding[axis]
                low, high = max(0, -(offset // s)), min(count, (n - 1 - offset) // s + 1)
                if low < high:  # of the places that see a pixel of the image there
                    seen = slice(s * low + offset, s * (high - 1) + offset + 1, s)
                    _along(summed, first, second, slice(low, high)).add_(
                        _along(products, first, second, seen)
                    )
            products = summed
        return products


def _along(x: Tensor, first: int, second: int, part: slice) -> Tensor:
    """A part of two axes."""
    index = [slice(None)] * x.ndim
    index[first] = index[second] = part
    return x[tuple(index)]
