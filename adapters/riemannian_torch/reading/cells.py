"""Recurrent cells, and layers of them over short sequences, gate by gate.

Source: Hochreiter and Schmidhuber (1997), Neural Computation 9; Cho et al. (2014), arXiv:1406.1078;
the order of the gates is torch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from riemannian_modules.modules import ReLU, Sigmoid, Tanh
from riemannian_torch.reading.builder import Builder
from riemannian_torch.reading.call import Call
from riemannian_torch.reading.functions import constant, product, total
from riemannian_torch.reading.values import Signal, Value, numbered
from riemannian_torch.reading.weights import affine_layer, is_weight, like, numbers, rows_of
from riemannian_torch.tensors import array

LONGEST = 32  # cells of a layer over a sequence that are laid out one by one

State = tuple[Signal, ...]
CellStep = Callable[[Builder, Signal, State, Sequence[Any]], State]


def _dense(b: Builder, u: Signal, W: Any, bias: Any) -> Signal:
    outer, inner = numbers(W).shape
    row = None if bias is None else like(bias, lambda v: v.reshape(1, -1))
    weight = like(W, lambda v: v[None])
    return affine_layer(b, u, weight, row, rows_of(inner, inner, outer), (1, outer))


def _gates(b: Builder, y: Signal, count: int) -> list[Signal]:
    places = numbered((1, y.size)).chunk(count, dim=1)
    return [b.selected(y, part, more="gate") for part in places]


def _bent(b: Builder, make: Callable[[int], Any], y: Signal) -> Signal:
    return b.place(make(y.size), [y], y.shape)


def _preactivation(b: Builder, x: Signal, h: Signal, p: Sequence[Any]) -> Signal:
    y = _dense(b, x, p[0], p[2])
    return total(b, y, _dense(b, h, p[1], p[3]), y.shape)


def _lstm(b: Builder, x: Signal, state: State, p: Sequence[Any]) -> State:
    h, c = state
    i, f, g, o = _gates(b, _preactivation(b, x, h, p), 4)
    kept = product(b, _bent(b, Sigmoid, f), c, c.shape)
    c = total(b, kept, product(b, _bent(b, Sigmoid, i), _bent(b, Tanh, g), c.shape), c.shape)
    return product(b, _bent(b, Sigmoid, o), _bent(b, Tanh, c), c.shape), c


def _gru(b: Builder, x: Signal, state: State, p: Sequence[Any]) -> State:
    (h,) = state
    of_x, of_h = _gates(b, _dense(b, x, p[0], p[2]), 3), _gates(b, _dense(b, h, p[1], p[3]), 3)
    r, z = (_bent(b, Sigmoid, total(b, of_x[k], of_h[k], h.shape)) for k in range(2))
    n = _bent(b, Tanh, total(b, of_x[2], product(b, r, of_h[2], h.shape), h.shape))
    return (total(b, n, product(b, z, total(b, h, n, h.shape, "+-"), h.shape), h.shape),)


def _tanh(b: Builder, x: Signal, state: State, p: Sequence[Any]) -> State:
    (h,) = state
    return (_bent(b, Tanh, _preactivation(b, x, h, p)),)


def _relu(b: Builder, x: Signal, state: State, p: Sequence[Any]) -> State:
    (h,) = state
    return (_bent(b, ReLU, _preactivation(b, x, h, p)),)


_STEPS: dict[str, CellStep] = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _tanh, "rnn_relu": _relu}
CELLS = frozenset(f"{name}_cell" for name in _STEPS)
LAYERS = frozenset(_STEPS)


def cell(name: str, call: Call) -> Value | None:
    """One cell at a time: its new state."""
    x, hx = call["input"], call["hx"]
    step, b = _STEPS[name.removesuffix("_cell")], call.builder
    p = [call[k] for k in ("w_ih", "w_hh", "b_ih", "b_hh")]
    if not isinstance(x, Signal) or not _are_weights(p):
        return None
    state = _state(b, hx if isinstance(hx, list) else [hx], x)
    if state is None:
        return None
    first, *others = step(b, x, state, p)
    return (first, *others) if others else first


def _are_weights(p: Sequence[Any]) -> bool:
    return all(w is None or is_weight(w) for w in p)


def _state(b: Builder, parts: Sequence[Any], x: Signal) -> State | None:
    found: list[Signal] = []
    for part in parts:
        if isinstance(part, Tensor):
            values = array(part).ravel()
            found.append(constant(b, values, x, (1, len(values))))
        elif isinstance(part, Signal):
            found.append(part.reshaped((1, part.size)))
        else:
            return None
    return tuple(found)


@final
@dataclass(frozen=True, slots=True)
class _Shape:
    """Of a layer over a sequence: steps, layers, and whether the batch axis is first."""

    steps: int
    layers: int
    is_batch_first: bool


def layer(name: str, call: Call) -> Value | None:
    """Layers over a sequence of few steps in one direction; others stay torch's."""
    x, hx = call["input"], call["hx"]
    if not isinstance(x, Signal) or call["bidirectional"] or len(x.shape) != 3:
        return None
    axis = 1 if call["batch_first"] else 0
    shape = _Shape(x.shape[axis], int(call["num_layers"]), bool(call["batch_first"]))
    each = 4 if call["has_biases"] else 2
    p = [list(call["params"][each * k : each * k + each]) for k in range(shape.layers)]
    p = [own + [None] * (4 - len(own)) for own in p]
    starts = hx if isinstance(hx, list) else [hx]
    if shape.steps * shape.layers > LONGEST or not all(map(_are_weights, p)):
        return None
    # A projected state (proj_size) has one weight more.
    if len(call["params"]) != each * shape.layers:
        return None
    return _unrolled(name, call, shape, p, starts)


def _unrolled(
    name: str, call: Call, shape: _Shape, p: Sequence[Sequence[Any]], starts: Sequence[Any]
) -> Value | None:
    x, b = call["input"], call.builder
    along = numbered(x.shape).unbind(1 if shape.is_batch_first else 0)
    inputs = [b.selected(x, part, more="step") for part in along]
    ends: list[State] = []
    for k in range(shape.layers):
        state = _state(b, [_layer_of(part, k) for part in starts], x)
        if state is None:
            return None
        outputs: list[Signal] = []
        for u in inputs:
            state = _STEPS[name](b, u, state, p[k])
            outputs.append(state[0])
        inputs = outputs
        ends.append(state)
    # In order of steps, which is torch's with a batch of one, whichever axis is first.
    y = b.joined(inputs)
    width = inputs[0].size
    first = (1, shape.steps, width) if shape.is_batch_first else (shape.steps, 1, width)
    last = [b.joined([s[j] for s in ends]) for j in range(len(ends[0]))]
    return (y.reshaped(first), *(s.reshaped((shape.layers, 1, width)) for s in last))


def _layer_of(part: Any, k: int) -> Any:
    """The k-th layer's part of a start (layers, 1, width); None for what has to be picked out."""
    if isinstance(part, Tensor):
        return part[k]
    return part if isinstance(part, Signal) and part.shape[0] == 1 else None
