"""Which entries the windows of convolutions and pools read, as places in a flat array.

Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning,
arXiv:1603.07285 (a transposed convolution is one over inputs spread apart).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

OUTSIDE = -1.0


def sides(value: int | Sequence[int], axes: int) -> list[int]:
    """One number for each axis; torch takes one for all."""
    given = [value] if isinstance(value, int) else list(value)
    return given * axes if len(given) == 1 else given


def windows(
    places: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """The windows (C, *positions, *kernel) of places (C, *space); `OUTSIDE` where padded."""
    n = len(kernel)
    edges = [side for p in reversed(padding) for side in (p, p)]
    found = pad(places, edges, value=OUTSIDE)
    for axis in range(n):
        span = (kernel[axis] - 1) * dilation[axis] + 1
        found = found.unfold(1 + axis, span, stride[axis])
        found = found[..., :: dilation[axis]]
    return found


def spread(
    places: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    more: Sequence[int],
) -> Tensor:
    """The windows that a transposed convolution reads; its kernel is met in reverse order."""
    n = len(kernel)
    wide = [(places.shape[1 + a] - 1) * stride[a] + 1 for a in range(n)]
    apart = torch.full((len(places), *wide), OUTSIDE, dtype=places.dtype)
    apart[(slice(None), *(slice(None, None, s) for s in stride))] = places
    near = [dilation[a] * (kernel[a] - 1) - padding[a] for a in range(n)]
    edges = [side for a in reversed(range(n)) for side in (near[a], near[a] + more[a])]
    padded = pad(apart, edges, value=OUTSIDE)
    return windows(padded, kernel, [1] * n, [0] * n, dilation)
