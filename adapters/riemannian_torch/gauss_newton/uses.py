"""How torch's operations use a parameter, hence the rows that a sample's cotangents give it.

Each reader takes an operation's arguments and says, for cotangents of its result, what the rows of
its parameters are. An operation that no reader knows leaves its parameters to `remaining_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from torch import Tensor
from torch.nn import functional as F

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.convolution import Convolution
from riemannian_torch.gauss_newton.convolution_rows import ConvolutionRows
from riemannian_torch.gauss_newton.looked_up_rows import LookedUpRows
from riemannian_torch.gauss_newton.rows import (
    BiasRows,
    DenseRows,
    OuterRows,
    Rows,
    WeightRows,
)

FoundRows: TypeAlias = Iterator[tuple[Tensor, Rows]]


@final
@dataclass(frozen=True, slots=True)
class Samples:
    """Which axis of a tensor counts the samples, how many there are, and the metric's type."""

    count: int
    axis: int
    dtype: torch.dtype

    def places(self, x: Tensor, features: int) -> Tensor:
        """``x`` as (samples, places, *its last axes), in the metric's type.

        Raises:
            UnsupportedError: Where the samples are not a leading axis of it.
        """
        leading = x.ndim - features
        if leading == 1 and self.axis == 0 and x.shape[0] == self.count:
            x = x.unsqueeze(1)  # the usual case, and the quick one
            return x if x.dtype == self.dtype else x.to(self.dtype)
        if leading == 0 or x.shape[min(self.axis, leading - 1)] % self.count:
            raise UnsupportedError(
                f"GaussNewton: expected each layer to be called with the {self.count} samples of "
                f"the loss along its axis {self.axis}, got a tensor of shape {tuple(x.shape)}. "
                "Name the axis with batch_axis=, or call the model once for each loss."
            )
        x = self.first(x, leading)
        return x.reshape(self.count, -1, *x.shape[x.ndim - features :]).to(self.dtype)

    def are_rows_of(self, x: Tensor) -> bool:
        """Whether ``x`` is a matrix with a row for each sample, in the metric's type."""
        of_samples = x.ndim == 2 and self.axis == 0 and x.shape[0] == self.count
        return of_samples and x.dtype == self.dtype

    def first(self, x: Tensor, leading: int) -> Tensor:
        """``x`` with the samples' axis in front, where ``leading`` axes are no features.

        A layer may have folded its leading axes into one, in their order.
        """
        if self.axis == 0:
            return x
        if leading == 1:
            x = x.unflatten(0, (-1, self.count))
        return x.movedim(self.axis, 0)


def _linear(
    s: Samples, d: Tensor, a: Tensor, weight: Tensor, bias: Tensor | None = None
) -> FoundRows:
    flat = (a, d) if s.are_rows_of(a) and s.are_rows_of(d) else None
    rows = OuterRows(s.places(a, 1), s.places(d, 1), weight.shape, flat)
    yield weight, rows
    if bias is not None:
        yield bias, BiasRows(rows)


def adjoint_product(s: Samples, d: Tensor, x: Tensor, weight: Tensor) -> FoundRows:
    """Rows of ``x W``: of a layer's transpose, which derivatives in its inputs use."""
    yield weight, OuterRows(s.places(d, 1), s.places(x, 1), weight.shape)


def _each(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def _convolution(
    s: Samples,
    d: Tensor,
    a: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> FoundRows:
    kernel = weight.shape[2:]
    axes = len(kernel)
    every, apart = _each(stride, axes), _each(dilation, axes)
    if a.ndim == axes + 1:  # one image alone
        a, d = a[None], d[None]
    if isinstance(padding, str):
        wanted = [e * (k - 1) * (padding == "same") for k, e in zip(kernel, apart, strict=True)]
        padding = [w // 2 for w in wanted]
        if any(w % 2 for w in wanted):  # as torch does: one zero more behind the image
            a = F.pad(a, [m for w in reversed(wanted) for m in (0, w % 2)])
    how = Convolution(tuple(kernel), every, _each(padding, axes), apart, groups)
    cotangents = s.places(d, 1 + axes).flatten(3).mT.flatten(1, 2)
    rows: WeightRows = ConvolutionRows(s.places(a, 1 + axes), cotangents, weight.shape, how)
    if groups == cotangents.shape[1] == 1:
        rows = rows.outer  # one patch is the whole image: a dense layer
    yield weight, rows
    if bias is not None:
        yield bias, BiasRows(rows)


def _looked_up(
    s: Samples,
    d: Tensor,
    index: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    *options: Any,
    **named: Any,
) -> FoundRows:
    cotangents = s.places(d, 1)
    at = Samples(s.count, s.axis, torch.long).places(index, 0).reshape(s.count, -1)
    if padding_idx is not None:
        cotangents = cotangents * (at != padding_idx % len(weight))[..., None]
    yield weight, LookedUpRows(at, cotangents, len(weight))


def _scaled(
    s: Samples, d: Tensor, normal: Tensor, weight: Tensor | None, bias: Tensor | None, axes: int
) -> FoundRows:
    """Rows of ``normal * weight + bias`` where the parameters have the last ``axes`` axes."""
    if weight is not None:
        yield weight, DenseRows((s.places(d, axes) * s.places(normal, axes)).sum(1))
    if bias is not None:
        yield bias, DenseRows(s.places(d, axes).sum(1))


def _layer_norm(
    s: Samples,
    d: Tensor,
    a: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> FoundRows:
    normal = F.layer_norm(a, normalized_shape, eps=eps)
    return _scaled(s, d, normal, weight, bias, len(normalized_shape))


def _rms_norm(
    s: Samples,
    d: Tensor,
    a: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> FoundRows:
    normal = F.rms_norm(a, list(normalized_shape), eps=eps)
    return _scaled(s, d, normal, weight, None, len(normalized_shape))


def _batch_norm(
    s: Samples,
    d: Tensor,
    a: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> FoundRows:
    known = (None, None) if training else (running_mean, running_var)
    normal = F.batch_norm(a, *known, training=training, eps=eps)
    return _scaled(s, d.movedim(1, -1), normal.movedim(1, -1), weight, bias, 1)


def _group_norm(
    s: Samples,
    d: Tensor,
    a: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> FoundRows:
    normal = F.group_norm(a, num_groups, eps=eps)
    return _scaled(s, d.movedim(1, -1), normal.movedim(1, -1), weight, bias, 1)


def _to_shape(s: Samples, d: Tensor, shape: torch.Size) -> Tensor | None:
    """Cotangents summed over the axes along which a parameter was repeated, (B, *shape)."""
    axis = s.axis if d.ndim > s.axis else 0
    own = (1,) * (d.ndim - len(shape)) + tuple(shape)
    if own[axis] != 1:
        return None  # a parameter of each sample's own
    rest = own[:axis] + own[axis + 1 :]
    folded = d.movedim(axis, 0).to(s.dtype)
    folded = folded.reshape(s.count, -1, *folded.shape[1:]).sum(1)
    return folded.sum_to_size(s.count, *rest).reshape(s.count, *shape)


def _sum(s: Samples, d: Tensor, *terms: Any, alpha: float = 1) -> FoundRows:
    for term, factor in zip(terms, (1, alpha), strict=False):
        if isinstance(term, torch.nn.Parameter):
            rows = _to_shape(s, d, term.shape)
            if rows is not None:
                yield term, DenseRows(rows * factor)


def _elementwise_product(s: Samples, d: Tensor, left: Any, right: Any) -> FoundRows:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, torch.nn.Parameter):
            rows = _to_shape(s, d * other, one.shape)
            if rows is not None:
                yield one, DenseRows(rows)


def _matrix_product(s: Samples, d: Tensor, a: Tensor, weight: Tensor) -> FoundRows:
    if weight.ndim == 2 and a.ndim > 1:
        yield weight, OuterRows(s.places(d, 1), s.places(a, 1), weight.shape)


RowReader: TypeAlias = Callable[..., FoundRows]

READERS: Mapping[Any, RowReader] = {
    F.linear: _linear,
    F.conv1d: _convolution,
    F.conv2d: _convolution,
    F.conv3d: _convolution,
    F.embedding: _looked_up,
    F.layer_norm: _layer_norm,
    F.rms_norm: _rms_norm,
    F.batch_norm: _batch_norm,
    F.group_norm: _group_norm,
    **dict.fromkeys((torch.add, torch.Tensor.add, torch.Tensor.add_), _sum),
    **dict.fromkeys((torch.mul, torch.Tensor.mul), _elementwise_product),
    **dict.fromkeys((torch.matmul, torch.Tensor.matmul), _matrix_product),
}
