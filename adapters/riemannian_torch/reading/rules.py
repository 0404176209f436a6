"""Which operation of torch is read by which rule."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from riemannian_torch.reading.call import Call
from riemannian_torch.reading.cells import CELLS, LAYERS, cell, layer
from riemannian_torch.reading.functions import (
    ACTIVATIONS,
    LINEAR,
    activation,
    added,
    divided,
    gated,
    largest_along,
    max_pool,
    maximum,
    minimum,
    negated,
    parametric_relu,
    probed,
    squared,
    subtracted,
    subtracted_from,
    times,
)
from riemannian_torch.reading.moves import MOVES, moved
from riemannian_torch.reading.values import Signal, Value
from riemannian_torch.reading.weights import (
    added_product,
    batch_norm,
    convolution,
    embedding,
    functional_batch_norm,
    linear,
    matrix_product,
    transposed_convolution,
)

_RULES: dict[str, Callable[[Call], Value | None]] = {
    "linear": linear, "matmul": matrix_product, "mm": matrix_product, "bmm": matrix_product,
    "addmm": added_product, "conv1d": convolution, "conv2d": convolution, "conv3d": convolution,
    "conv_transpose1d": transposed_convolution, "conv_transpose2d": transposed_convolution,
    "conv_transpose3d": transposed_convolution, "batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": functional_batch_norm, "embedding": embedding,
    "add": added, "sub": subtracted, "rsub": subtracted_from, "mul": times, "div": divided,
    "neg": negated, "square": squared, "pow": squared, "max_pool1d": max_pool,
    "max_pool2d": max_pool, "max_pool3d": max_pool, "maximum": maximum, "minimum": minimum,
    "prelu": parametric_relu, "amax": largest_along, "max": largest_along, "glu": gated,
}  # fmt: skip
_DROPOUTS = frozenset({"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"})
_OF_SHAPE = frozenset({"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"})


def read(call: Call) -> Value | None:
    """What an operation on signals gives as nodes of ours; None where it stays torch's."""
    name = operation_name(call)
    if name in _DROPOUTS:
        return None if call["train"] else call["input"]
    if name in ("to", "_to_copy"):
        return _converted(call)
    if name in _OF_SHAPE:
        return call.run(lambda v: torch.empty(v.shape) if isinstance(v, Signal) else v)
    for names, rule in ((CELLS, cell), (LAYERS, layer), (ACTIVATIONS, activation)):
        if name in names:
            return rule(name, call)
    if name in MOVES:
        return moved(call)
    if name in LINEAR:
        return probed(call)
    rule = _RULES.get(name)
    return None if rule is None else rule(call)


def takes_constants(call: Call) -> bool:
    """Whether constants that weights act on can be read as a signal, as the first of a loop's."""
    name = operation_name(call)
    has_weights = name in _RULES or name in CELLS or name in LAYERS
    return has_weights and isinstance(call.arguments.get("input"), Tensor)


def operation_name(call: Call) -> str:
    """The name without overload: "conv2d" of ``aten.conv2d.padding``."""
    return str(call.target._schema.name).split("::")[-1]  # type: ignore[attr-defined]


def _converted(call: Call) -> Value | None:
    """A conversion between floating types, which ours does not need."""
    x, dtype = call["self"], call.arguments.get("dtype")
    if isinstance(dtype, Tensor) or (dtype is not None and not dtype.is_floating_point):
        return None
    return x if isinstance(x, Signal) else None
