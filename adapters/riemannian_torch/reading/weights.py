"""Layers with weights: the same floats in affine maps of ours, trained ones as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from riemannian_modules.modules import Affine, MatrixGain
from riemannian_modules.spaces import Array
from riemannian_torch.layers.entrywise import EntrywiseAffine
from riemannian_torch.layers.fixed_affine import FixedAffine
from riemannian_torch.layers.shared_affine import Patches, SharedAffine, dense_cells
from riemannian_torch.reading.builder import Builder, diagonal
from riemannian_torch.reading.call import Call
from riemannian_torch.reading.values import Parametric, Signal, Trained, Value, numbered
from riemannian_torch.reading.windows import OUTSIDE, sides, spread, windows
from riemannian_torch.tensors import array

Weight = Trained | Tensor


def is_weight(value: Any) -> bool:
    """Whether it is entries of one parameter, or constants."""
    return isinstance(value, Trained | Tensor)


def like(weight: Weight, change: Any) -> Weight:
    """The weight with its entries moved."""
    if isinstance(weight, Trained):
        return Trained(weight.name, weight.parameter, change(weight.places))
    return change(weight)


def numbers(weight: Weight) -> Array:
    """The entries, in float64."""
    return weight.values if isinstance(weight, Trained) else array(weight)


def affine_layer(
    builder: Builder,
    signal: Signal,
    weight: Weight,
    bias: Weight | None,
    patches: Patches,
    shape: Sequence[int],
) -> Signal:
    """``W u[patch] + b``: weight (G, O, K), bias (G, O)."""
    own_bias = None
    if isinstance(weight, Trained) and isinstance(bias, Trained):
        # Where only one is tied to another layer, they are not parameters of one module.
        own_bias = bias if builder.is_held(weight) == builder.is_held(bias) else None
    y = _product(builder, signal, weight, own_bias, patches, shape)
    if bias is None or own_bias is not None:
        return y
    G, _, O = patches.written.shape
    where = np.empty(patches.written.size, dtype=np.intp)
    where[patches.written] = np.arange(G * O).reshape(G, 1, O)
    return shifted(builder, y, like(bias, lambda v: v.reshape(-1)[torch.as_tensor(where)]), shape)


def _product(
    builder: Builder,
    signal: Signal,
    weight: Weight,
    bias: Trained | None,
    patches: Patches,
    shape: Sequence[int],
) -> Signal:
    if not isinstance(weight, Trained):
        rows, columns, entries = dense_cells(patches, numbers(weight).shape[1])
        size = (patches.written.size, patches.size)
        values = numbers(weight).ravel()[entries]
        fixed = FixedAffine(csr_array((values, (rows, columns)), shape=size), np.zeros(size[0]))
        return builder.place(fixed, [signal], shape)
    trained = {"W": weight} if bias is None else {"W": weight, "b": bias}
    W = weight.values
    if _is_dense(patches):
        if bias is None:
            own = {"K": weight}
            return builder.weighted("gain", lambda: MatrixGain(W[0]), own, [signal], shape)
        b = bias.values.ravel()
        return builder.weighted("affine", lambda: Affine(W[0], b), trained, [signal], shape)
    b = None if bias is None else _as_trained(bias)
    key = ("shared", patches.read.tobytes(), patches.written.tobytes(), patches.size)
    return builder.weighted(
        key, lambda: SharedAffine(_as_trained(weight), b, patches),
        trained, [signal], shape,
    )  # fmt: skip


def _as_trained(weight: Trained) -> Array:
    """The entries in the shape that the parameter has in torch, where they are all in order."""
    shape = tuple(weight.parameter.shape)
    is_whole = torch.equal(weight.places.reshape(-1), numbered(shape).reshape(-1))
    return weight.values.reshape(shape) if is_whole else weight.values


def _is_dense(patches: Patches) -> bool:
    """One patch of all entries in order."""
    read, written = patches.read, patches.written
    return (
        read.shape[:2] == (1, 1)
        and np.array_equal(read[0, 0], np.arange(patches.size))
        and np.array_equal(written[0, 0], np.arange(written.size))
    )


def shifted(builder: Builder, y: Signal, shift: Weight, shape: Sequence[int]) -> Signal:
    """``y + b`` with b of y's size."""
    if isinstance(shift, Trained):
        return entrywise(builder, y, None, shift, shape)
    return builder.affine(diagonal(np.ones(y.size)), numbers(shift).ravel(), y, shape, "shift")


def entrywise(
    builder: Builder,
    y: Signal,
    scale: Trained | None,
    shift: Trained | None,
    shape: Sequence[int],
) -> Signal:
    """``k y + b``, both of y's size, with the entries of parameters that they repeat."""
    first = scale if scale is not None else shift
    assert first is not None  # one of them is given
    if scale is not None and shift is not None and not np.array_equal(scale.indices, shift.indices):
        y, scale = entrywise(builder, y, scale, None, shape), None
        first = shift
    places = first.indices.ravel()
    all_of = {
        name: Trained(t.name, t.parameter, numbered(tuple(t.parameter.shape)).reshape(-1))
        for name, t in (("k", scale), ("b", shift))
        if t is not None
    }
    k, b = (all_of[n].values if n in all_of else None for n in ("k", "b"))
    key = ("entrywise", places.tobytes())
    return builder.weighted(key, lambda: EntrywiseAffine(places, k, b), all_of, [y], shape)


def scaled(builder: Builder, y: Signal, factor: Array, shape: Sequence[int]) -> Signal:
    """``factor y``, entry by entry, with constants (y's size)."""
    return builder.affine(diagonal(factor), np.zeros(y.size), y, shape, "scale")


def rows_of(size: int, inner: int, outer: int) -> Patches:
    """Patches of a dense layer over the last axis."""
    S = size // inner
    read = np.arange(size).reshape(1, S, inner)
    return Patches(read, np.arange(S * outer).reshape(1, S, outer), size)


def linear(call: Call) -> Value | None:
    """``x W^T + b`` over the last axis."""
    x, W, b = call["input"], call["weight"], call["bias"]
    if not (isinstance(x, Signal) and is_weight(W) and (b is None or is_weight(b))):
        return None
    if (W.places if isinstance(W, Trained) else W).ndim != 2:
        return None
    return _rows(call, x, W, b)


def _rows(call: Call, x: Signal, W: Weight, b: Weight | None) -> Signal:
    outer, inner = numbers(W).shape
    return affine_layer(
        call.builder, x, like(W, lambda v: v[None]), None if b is None else like(b, _row),
        rows_of(x.size, inner, outer), call.shape,
    )  # fmt: skip


def _row(bias: Tensor) -> Tensor:
    return bias.reshape(1, -1)


def _is_matrix(value: Any) -> bool:
    return is_weight(value) and numbers(value).ndim == 2


def matrix_product(call: Call) -> Value | None:
    """``x W`` or ``W x`` with weights W (two axes)."""
    x, y = (call.arguments[name] for name in list(call.arguments)[:2])
    if isinstance(x, Signal):
        return _rows(call, x, like(y, lambda v: v.T), None) if _is_matrix(y) else None
    if not (isinstance(y, Signal) and _is_matrix(x) and len(y.shape) > 1):
        return None
    read = np.swapaxes(np.arange(y.size).reshape(y.shape), -1, -2)  # (..., N, K)
    written = np.swapaxes(np.arange(int(np.prod(call.shape))).reshape(call.shape), -1, -2)
    patches = Patches(
        read.reshape(1, -1, read.shape[-1]), written.reshape(1, -1, written.shape[-1]), y.size
    )
    return affine_layer(call.builder, y, like(x, lambda v: v[None]), None, patches, call.shape)


def added_product(call: Call) -> Value | None:
    """``b + x W`` (addmm)."""
    x, W, b = call["mat1"], call["mat2"], call["self"]
    plain = call["beta"] == 1 and call["alpha"] == 1
    if not (plain and isinstance(x, Signal) and is_weight(W) and is_weight(b)):
        return None
    if numbers(b).shape != (call.shape[-1],):
        return None
    return _rows(call, x, like(W, lambda v: v.T), b)


def convolution(call: Call) -> Value | None:
    """Convolutions in one to three dimensions, with stride, padding, dilation and groups."""
    x, W, b = call["input"], call["weight"], call["bias"]
    if not (isinstance(x, Signal) and is_weight(W) and (b is None or is_weight(b))):
        return None
    kernel = numbers(W).shape[2:]
    n = len(kernel)
    stride, dilation = sides(call["stride"], n), sides(call["dilation"], n)
    places = numbered(x.shape[1:])
    padding = call["padding"]
    if isinstance(padding, str):
        if padding == "same":
            places = _padded_same(places, kernel, dilation)
        padding = [0]
    found = windows(places, kernel, stride, sides(padding, n), dilation)
    return _over_windows(call, x, W, b, found, call["groups"])


def transposed_convolution(call: Call) -> Value | None:
    """Transposed convolutions: convolutions of inputs that are spread apart."""
    x, W, b = call["input"], call["weight"], call["bias"]
    if not (isinstance(x, Signal) and is_weight(W) and (b is None or is_weight(b))):
        return None
    shape, groups = numbers(W).shape, call["groups"]
    kernel = shape[2:]
    n = len(kernel)
    stride, padding = sides(call["stride"], n), sides(call["padding"], n)
    dilation, more = sides(call["dilation"], n), sides(call["output_padding"], n)
    found = spread(numbered(x.shape[1:]), kernel, stride, padding, dilation, more)

    def turned(v: Tensor) -> Tensor:
        # (inputs, outputs of a group, *kernel) to (outputs, inputs of a group, *reversed kernel)
        split = v.reshape(groups, shape[0] // groups, shape[1], *kernel).transpose(1, 2)
        return split.flip(*range(3, 3 + n)).reshape(-1, shape[0] // groups, *kernel)

    return _over_windows(call, x, like(W, turned), b, found, groups)


def _over_windows(
    call: Call, x: Signal, W: Weight, b: Weight | None, found: Tensor, groups: int
) -> Signal:
    n = (found.ndim - 1) // 2
    C, space, kernel = found.shape[0], found.shape[1 : 1 + n], found.shape[1 + n :]
    K = C // groups * int(np.prod(kernel))
    order = found.reshape(groups, C // groups, -1, int(np.prod(kernel))).transpose(1, 2)
    read = order.reshape(groups, -1, K).numpy().astype(np.intp)
    read = np.where(read < 0, x.size, read)
    outputs = numbers(W).shape[0]
    S = int(np.prod(space))
    written = np.arange(outputs * S).reshape(groups, outputs // groups, S).swapaxes(1, 2)
    weight = like(W, lambda v: v.reshape(groups, outputs // groups, K))
    bias = None if b is None else like(b, lambda v: v.reshape(groups, -1))
    patches = Patches(read, np.ascontiguousarray(written), x.size)
    return affine_layer(call.builder, x, weight, bias, patches, call.shape)


def _padded_same(places: Tensor, kernel: Sequence[int], dilation: Sequence[int]) -> Tensor:
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    edges = [side for t in reversed(totals) for side in (t // 2, t - t // 2)]
    return torch.nn.functional.pad(places, edges, value=OUTSIDE)


def functional_batch_norm(call: Call) -> Value | None:
    """The same without a training mode; it gives what is saved for gradients, too."""
    y = batch_norm(replace(call, arguments={**call.arguments, "training": False}))
    return None if y is None else (y, Parametric(), Parametric())


def batch_norm(call: Call) -> Value | None:
    """Normalisation by stored statistics; ``1 / sqrt(var + eps)`` is rounded once, to a double."""
    x, mean, variance = call["input"], call["running_mean"], call["running_var"]
    is_stored = isinstance(mean, Tensor) and isinstance(variance, Tensor)
    if not isinstance(x, Signal) or call["training"] or not is_stored:
        return None
    channel = np.broadcast_to(
        np.arange(x.shape[1]).reshape(1, -1, *(1 for _ in x.shape[2:])), x.shape
    ).ravel()
    inverse = 1.0 / np.sqrt(array(variance) + call["eps"])
    offset = (-array(mean) * inverse)[channel]
    y = call.builder.affine(diagonal(inverse[channel]), offset, x, x.shape, "normal")
    weight, bias = (
        None if w is None else like(w, lambda v: v[torch.as_tensor(channel)])
        for w in (call["weight"], call["bias"])
    )
    if isinstance(weight, Trained) and isinstance(bias, Trained):
        return entrywise(call.builder, y, weight, bias, x.shape)
    if weight is not None:
        y = multiplied(call.builder, y, weight, x.shape)
    return y if bias is None else shifted(call.builder, y, bias, x.shape)


def multiplied(builder: Builder, y: Signal, factor: Weight, shape: Sequence[int]) -> Signal:
    """``k y`` with k of y's size."""
    if isinstance(factor, Trained):
        return entrywise(builder, y, factor, None, shape)
    return scaled(builder, y, numbers(factor), shape)


def embedding(call: Call) -> Value | None:
    """Rows of a table, by indices that are one-hot vectors here; constants pick its entries."""
    table, indices = call["weight"], call["indices"]
    if not is_weight(table):
        return None
    if isinstance(indices, Tensor):
        return like(table, lambda v: v[indices])
    if not isinstance(indices, Signal):
        return None
    rows, width = numbers(table).shape
    patches = rows_of(indices.size, rows, width)
    weight = like(table, lambda v: v.T[None])
    return affine_layer(call.builder, indices, weight, None, patches, call.shape)
