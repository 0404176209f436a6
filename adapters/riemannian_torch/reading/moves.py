"""Operations that only move entries: what torch does to an array of places says where each goes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from riemannian_torch.reading.call import Call
from riemannian_torch.reading.values import (
    Parametric,
    Signal,
    SignalPieces,
    Trained,
    Value,
    numbered,
)
from riemannian_torch.reading.windows import OUTSIDE
from riemannian_torch.tensors import array

MOVES = frozenset({
    "view", "reshape", "flatten", "unflatten", "transpose", "permute", "t", "squeeze", "unsqueeze",
    "select", "slice", "expand", "expand_as", "repeat", "tile", "contiguous", "clone", "alias",
    "lift_fresh", "index_select", "index", "flip", "roll", "movedim", "narrow", "chunk", "split",
    "split_with_sizes", "tensor_split", "unbind", "stack", "cat", "concat", "hstack", "vstack",
    "pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "unfold", "view_as",
    "reshape_as", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "diagonal",
    "broadcast_to", "swapaxes", "swapdims", "moveaxis", "rot90", "repeat_interleave",
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "numpy_T", "mT", "T",
    "_unsafe_view", "unsafe_split", "unsafe_chunk",
})  # fmt: skip


def moved(call: Call) -> Value | None:
    """The entries where the operation puts them; None where signals and parameters would mix."""
    signals = list(dict.fromkeys(call.of_kind(Signal)))
    trained = call.of_kind(Trained)
    if call.of_kind(Parametric) or call.of_kind(SignalPieces):
        return None
    if trained:
        if signals or len(trained) > 1 or call.of_kind(Tensor):
            return None
        return _of_parameter(call, trained[0])
    return _of_signals(call, signals)


def _of_parameter(call: Call, part: Trained) -> Value | None:
    found = call.run(lambda v: v.places if isinstance(v, Trained) else v)
    parts = [found] if isinstance(found, Tensor) else list(found)
    if any(bool((places < 0).any()) for places in parts):
        return None  # padded
    moved = tuple(Trained(part.name, part.parameter, places) for places in parts)
    return moved[0] if isinstance(found, Tensor) else moved


def _of_signals(call: Call, signals: list[Signal]) -> Value | None:
    starts = dict(zip(signals, np.cumsum([0, *(s.size for s in signals)]).tolist(), strict=False))
    end = sum(s.size for s in signals)
    constants: list[np.ndarray] = []

    def put(value: object) -> object:
        if isinstance(value, Signal):
            return numbered(value.shape) + starts[value]
        # Constants among what is moved have places behind all signals; indices stay what they are.
        if isinstance(value, Tensor) and value.is_floating_point():
            first = end + sum(len(c) for c in constants)
            constants.append(array(value).ravel())
            return numbered(tuple(value.shape)) + first
        return value

    arguments, fill = dict(call.arguments), 0.0
    if arguments.get("mode", "constant") == "constant" and "value" in arguments:
        fill, arguments["value"] = float(arguments["value"] or 0.0), OUTSIDE
    found = Call(call.builder, call.target, arguments, call.shape).run(put)
    whole = call.builder.joined(signals)
    if not isinstance(found, Tensor):
        pieces = tuple(found)
        return None if constants else SignalPieces(whole, pieces)
    flat = found.detach().numpy().ravel()
    offset = np.where(flat < 0, fill, 0.0)
    if constants:
        of_constants = flat >= end
        offset[of_constants] = np.concatenate(constants)[(flat[of_constants] - end).astype(int)]
    places = torch.where(found >= end, torch.full_like(found, OUTSIDE), found)
    return call.builder.selected(whole, places, offset if offset.any() else None)
