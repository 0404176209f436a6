"""Activations, sums, products and pools: torch's functions as modules of this library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, vstack
from torch import Tensor
from torch.func import vmap

from riemannian_modules.modules import (
    ELU,
    GELU,
    LeakyReLU,
    ReLU,
    Saturation,
    Sigmoid,
    SiLU,
    Softplus,
    Sum,
    Tanh,
)
from riemannian_modules.modules.equations import Equations
from riemannian_modules.spaces import Array, Port, Space
from riemannian_torch.layers.entrywise import EntrywiseProduct
from riemannian_torch.reading.builder import Builder
from riemannian_torch.reading.call import Call
from riemannian_torch.reading.values import Parametric, Signal, Trained, Value, numbered
from riemannian_torch.reading.weights import like, multiplied, scaled, shifted
from riemannian_torch.reading.windows import OUTSIDE, sides, windows
from riemannian_torch.tensors import array

MOST_PROBED = 16_384  # inputs of a linear map whose matrix is found column by column
MOST_CANDIDATES = 256  # of which the largest is found pair by pair
MOST_WRITTEN = 256  # entries of a function that is written as a formula
CHUNK = 4_000_000  # entries of a matrix that are found at once

_PLAIN: dict[str, Callable[[int], Any]] = {
    "relu": ReLU, "tanh": Tanh, "sigmoid": Sigmoid, "silu": SiLU,
}  # fmt: skip
_FORMULAS = {
    "sin": "sin(u)", "cos": "cos(u)", "exp": "exp(u)", "atan": "arctan(u)", "abs": "abs(u)",
    "erf": "erf(u)",
}  # fmt: skip


def applied(builder: Builder, module: Any, signal: Signal, shape: Sequence[int]) -> Signal:
    """An activation of a signal."""
    return builder.place(module, [signal], shape)


def activation(name: str, call: Call) -> Value | None:
    """Functions of each entry that this library has."""
    x = call["self"]
    if not isinstance(x, Signal):
        return None
    if name in _PLAIN:
        return applied(call.builder, _PLAIN[name](x.size), x, call.shape)
    if name in _FORMULAS:
        return _written(_FORMULAS[name], call, x)
    return _SHAPED[name](call, x)


def _written(formula: str, call: Call, x: Signal) -> Value | None:
    if x.size > MOST_WRITTEN:
        return None
    inputs, outputs = Space((Port("u", (x.size,)),)), Space((Port("y", (x.size,)),))
    module = Equations({"y": formula}, inputs=inputs, outputs=outputs)
    return applied(call.builder, module, x, call.shape)


def _gelu(call: Call, x: Signal) -> Value | None:
    exact = call["approximate"] == "none"
    return applied(call.builder, GELU(x.size), x, call.shape) if exact else None


def _leaky(call: Call, x: Signal) -> Value | None:
    leak = float(call["negative_slope"])
    if not 0 <= leak <= 1:
        return None
    return applied(call.builder, LeakyReLU(x.size, leak=leak), x, call.shape)


def _elu(call: Call, x: Signal) -> Value | None:
    alpha, scale = float(call["alpha"]), float(call["scale"])
    if call["input_scale"] != 1 or not alpha > 0:
        return None
    return _stretched(call, ELU(x.size, alpha=alpha), x, 1.0, scale)


def _selu(call: Call, x: Signal) -> Value | None:
    return _stretched(call, ELU(x.size, alpha=1.6732632423543772), x, 1.0, 1.0507009873554805)


def _celu(call: Call, x: Signal) -> Value | None:
    alpha = float(call["alpha"])
    return _stretched(call, ELU(x.size), x, 1.0 / alpha, alpha) if alpha > 0 else None


def _softplus(call: Call, x: Signal) -> Value | None:
    beta = float(call["beta"])
    return _stretched(call, Softplus(x.size), x, beta, 1.0 / beta)


def _log_sigmoid(call: Call, x: Signal) -> Value | None:
    return _stretched(call, Softplus(x.size), x, -1.0, -1.0)


def _hardtanh(call: Call, x: Signal) -> Value | None:
    low, high = float(call["min_val"]), float(call["max_val"])
    return applied(call.builder, Saturation(low, high, x.size), x, call.shape)


def _relu6(call: Call, x: Signal) -> Value | None:
    return applied(call.builder, Saturation(0.0, 6.0, x.size), x, call.shape)


def _clamp(call: Call, x: Signal) -> Value | None:
    low, high = call["min"], call["max"]
    if low == 0 and high is None:
        return applied(call.builder, ReLU(x.size), x, call.shape)
    if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
        return applied(call.builder, Saturation(low, high, x.size), x, call.shape)
    return None


def _hard_sigmoid(call: Call, x: Signal) -> Signal:
    b, n = call.builder, x.size
    third = shifted(b, x, torch.full((n,), 3.0, dtype=torch.float64), x.shape)
    bent = b.place(Saturation(0.0, 6.0, n), [third], x.shape)
    return scaled(b, bent, np.full(n, 1.0 / 6.0), x.shape)


def _hard_swish(call: Call, x: Signal) -> Value | None:
    return product(call.builder, x, _hard_sigmoid(call, x), x.shape)


def parametric_relu(call: Call) -> Value | None:
    """``max(x, 0) - k max(-x, 0)``, a k for each channel or one for all."""
    x, k, b = call["self"], call["weight"], call.builder
    if not (isinstance(x, Signal) and isinstance(k, Trained | Tensor)):
        return None
    down = scaled(b, x, np.full(x.size, -1.0), x.shape)
    below = scaled(b, applied(b, ReLU(x.size), down, x.shape), np.full(x.size, -1.0), x.shape)
    axes = (1, -1, *(1 for _ in x.shape[2:])) if len(x.shape) > 1 else (-1,)
    slope = like(k, lambda v: torch.broadcast_to(v.reshape(axes), x.shape).reshape(-1))
    return total(
        b, applied(b, ReLU(x.size), x, x.shape), multiplied(b, below, slope, x.shape), x.shape
    )


def gated(call: Call) -> Value | None:
    """``a sigmoid(b)`` of both halves (GLU)."""
    x, b = call["self"], call.builder
    if not isinstance(x, Signal):
        return None
    first, second = numbered(x.shape).chunk(2, dim=call["dim"])
    gate = applied(b, Sigmoid(x.size // 2), b.selected(x, second, more="gate"), call.shape)
    return product(b, b.selected(x, first, more="value"), gate, call.shape)


def _stretched(call: Call, module: Any, x: Signal, inner: float, outer: float) -> Signal:
    """``outer f(inner u)``."""
    b, n = call.builder, x.size
    within = scaled(b, x, np.full(n, inner), x.shape)
    return scaled(b, b.place(module, [within], x.shape), np.full(n, outer), x.shape)


_SHAPED: dict[str, Callable[[Call, Signal], Value | None]] = {
    "gelu": _gelu, "leaky_relu": _leaky, "elu": _elu, "selu": _selu, "celu": _celu,
    "softplus": _softplus, "log_sigmoid": _log_sigmoid, "hardtanh": _hardtanh, "relu6": _relu6,
    "clamp": _clamp, "hardsigmoid": _hard_sigmoid, "hardswish": _hard_swish,
}  # fmt: skip
ACTIVATIONS = frozenset({*_PLAIN, *_FORMULAS, *_SHAPED})


def product(builder: Builder, x: Signal, y: Signal, shape: Sequence[int]) -> Signal:
    """Two signals, entry by entry."""
    parts = [builder.spread(s, shape) for s in (x, y)]
    return builder.place(EntrywiseProduct(parts[0].size), parts, shape)


def total(
    builder: Builder, x: Signal, y: Signal, shape: Sequence[int], signs: str = "++"
) -> Signal:
    """The sum or difference of two signals."""
    parts = [builder.spread(s, shape) for s in (x, y)]
    return builder.place(Sum(signs, parts[0].size), parts, shape)


def _weight(value: Any, shape: Sequence[int]) -> Any:
    """Constants or parameters broadcast to a shape and laid flat; None for others."""
    if isinstance(value, bool) or not isinstance(value, int | float | Tensor | Trained):
        return None
    if isinstance(value, int | float):
        value = torch.tensor(float(value), dtype=torch.float64)
    return like(value, lambda v: torch.broadcast_to(v, tuple(shape)).reshape(-1))


def added(call: Call) -> Value | None:
    """``x + alpha y``."""
    return _sum_of(call, call["self"], call["other"], float(call["alpha"]))


def subtracted(call: Call) -> Value | None:
    """``x - alpha y``."""
    return _sum_of(call, call["self"], call["other"], -float(call["alpha"]))


def subtracted_from(call: Call) -> Value | None:
    """``y - alpha x`` (rsub)."""
    return _sum_of(call, call["other"], call["self"], -float(call["alpha"]))


def _sum_of(call: Call, x: Any, y: Any, factor: float) -> Value | None:
    b, shape = call.builder, call.shape
    if isinstance(x, Signal) and isinstance(y, Signal):
        if abs(factor) != 1.0:
            y, factor = scaled(b, y, np.full(y.size, factor), y.shape), 1.0
        return total(b, x, y, shape, "++" if factor > 0 else "+-")
    signal, other = (x, y) if isinstance(x, Signal) else (y, x)
    shift = _weight(other, shape)
    if not isinstance(signal, Signal) or shift is None:
        return None
    y_factor, other_factor = (factor, 1.0) if signal is y else (1.0, factor)
    if other_factor != 1.0:
        if isinstance(shift, Trained):
            return None
        shift = shift * other_factor
    moved = b.spread(signal, shape)
    moved = scaled(b, moved, np.full(moved.size, y_factor), shape) if y_factor != 1.0 else moved
    return shifted(b, moved, shift, shape)


def times(call: Call) -> Value | None:
    """``x y`` of two signals, or of a signal with constants or parameters."""
    x, y = call["self"], call["other"]
    if isinstance(x, Signal) and isinstance(y, Signal):
        return product(call.builder, x, y, call.shape)
    signal, other = (x, y) if isinstance(x, Signal) else (y, x)
    factor = _weight(other, call.shape)
    if not isinstance(signal, Signal) or factor is None:
        return None
    return multiplied(call.builder, call.builder.spread(signal, call.shape), factor, call.shape)


def divided(call: Call) -> Value | None:
    """``x / c`` with constants c; ``1 / c`` is rounded once."""
    x, c = call["self"], _weight(call["other"], call.shape)
    plain = call.arguments.get("rounding_mode") is None
    if not (plain and isinstance(x, Signal) and isinstance(c, Tensor)):
        return None
    return scaled(call.builder, call.builder.spread(x, call.shape), 1.0 / array(c), call.shape)


def negated(call: Call) -> Value | None:
    """``-x``."""
    x = call["self"]
    return (
        scaled(call.builder, x, np.full(x.size, -1.0), x.shape) if isinstance(x, Signal) else None
    )


def squared(call: Call) -> Value | None:
    """``x^2``, as a product."""
    x = call["self"]
    is_square = call.arguments.get("exponent", 2) == 2
    return product(call.builder, x, x, x.shape) if is_square and isinstance(x, Signal) else None


LINEAR = frozenset({
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "mean", "sum", "cumsum", "upsample_linear1d", "upsample_bilinear2d",
    "upsample_trilinear3d", "upsample_bicubic2d", "diff", "trace",
})  # fmt: skip


def probed(call: Call) -> Value | None:
    """A linear map, whose matrix torch gives in float64, column by column."""
    signals = call.of_kind(Signal)
    if len(signals) != 1 or call.of_kind(Trained) or signals[0].size > MOST_PROBED:
        return None
    x: Signal = signals[0]

    def value(u: Tensor) -> Tensor:
        found = call.run(lambda v: u.reshape(x.shape) if v is x else v)
        return found.reshape(-1)

    if call.arguments.get("dtype") is not None:
        return None
    q = int(np.prod(call.shape, dtype=np.int64))
    step = max(1, CHUNK // max(q, 1))
    parts: list[Any] = []
    for start in range(0, x.size, step):
        basis = torch.eye(min(step, x.size - start), x.size, dtype=torch.float64).roll(start, 1)
        columns: Any = vmap(value)(basis)
        parts.append(csr_array(array(columns)))
    return call.builder.affine(csr_array(vstack(parts).T), np.zeros(q), x, call.shape)


def max_pool(call: Call) -> Value | None:
    """The largest of each window, as ``b + max(a - b, 0)`` of pairs, which proofs understand."""
    x = call["self"]
    if not isinstance(x, Signal) or call["ceil_mode"]:
        return None
    n = len(x.shape) - 2
    kernel = sides(call["kernel_size"], n)
    stride = sides(call["stride"], n) if call["stride"] else kernel
    found = windows(
        numbered(x.shape[1:]), kernel, stride, sides(call["padding"], n),
        sides(call["dilation"], n),
    )  # fmt: skip
    read = found.reshape(-1, int(np.prod(kernel)))
    # What lies outside counts less than all else: another entry of the window stands for it.
    inside = torch.where(read == OUTSIDE, read.max(dim=1, keepdim=True).values, read)
    return largest(call.builder, x, inside, call.shape)


def largest_along(call: Call) -> Value | None:
    """The largest along axes (amax, max over one axis); its place is no number of ours."""
    x, dims = call["self"], call.arguments.get("dim")
    if not isinstance(x, Signal) or dims is None:
        return None
    axes = [dims] if isinstance(dims, int) else list(dims)
    axes = sorted(axis % len(x.shape) for axis in axes) or list(range(len(x.shape)))
    ahead = numbered(x.shape).movedim(axes, list(range(-len(axes), 0)))
    read = ahead.reshape(-1, int(np.prod([x.shape[axis] for axis in axes])))
    if read.shape[1] > MOST_CANDIDATES:
        return None
    is_kept = bool(call["keepdim"])
    shape = [1 if i in axes else n for i, n in enumerate(x.shape) if is_kept or i not in axes]
    y = largest(call.builder, x, read, shape)
    return y if call.shape else (y, Parametric())


def largest(builder: Builder, x: Signal, read: Tensor, shape: Sequence[int]) -> Signal:
    """The largest of the entries of x at places (outputs, candidates)."""
    left = [builder.selected(x, places, more="pick") for places in read.T]
    while len(left) > 1:
        pairs = [(left[i], left[i + 1]) for i in range(0, len(left) - 1, 2)]
        rest = left[len(left) - len(left) % 2 :]
        left = [larger(builder, a, b) for a, b in pairs] + rest
    return left[0].reshaped(tuple(shape))


def larger(builder: Builder, a: Signal, b: Signal) -> Signal:
    """``b + max(a - b, 0)``."""
    gap = total(builder, a, b, b.shape, "+-")
    return total(builder, b, builder.place(ReLU(gap.size), [gap], b.shape), b.shape)


def maximum(call: Call) -> Value | None:
    """The larger of two signals."""
    x, y = call["self"], call["other"]
    if not (isinstance(x, Signal) and isinstance(y, Signal)):
        return None
    x, y = (call.builder.spread(s, call.shape) for s in (x, y))
    return larger(call.builder, x, y)


def minimum(call: Call) -> Value | None:
    """The smaller of two signals, ``y - max(y - x, 0)``."""
    x, y = call["self"], call["other"]
    if not (isinstance(x, Signal) and isinstance(y, Signal)):
        return None
    b = call.builder
    x, y = (b.spread(s, call.shape) for s in (x, y))
    gap = total(b, y, x, call.shape, "+-")
    return total(b, y, b.place(ReLU(gap.size), [gap], call.shape), call.shape, "+-")


def constant(builder: Builder, values: Array, beside: Signal, shape: Sequence[int]) -> Signal:
    """Constants as a signal; they depend on ``beside`` by a zero matrix."""
    return builder.affine(
        csr_array((len(values), beside.size)), values, beside, tuple(shape), "constant"
    )
