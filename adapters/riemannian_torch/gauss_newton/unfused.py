"""Fused operations of torch, written as the products they are made of, so that each is noted down.

Sources: Hochreiter and Schmidhuber (1997), Neural Computation 9, 1735-1780 (LSTM); Cho et al.
(2014), arXiv:1406.1078 (GRU, in torch's form); Vaswani et al. (2017), arXiv:1706.03762 (attention).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

# (gates of the input, gates of the state, state) -> new state
Cell: TypeAlias = Callable[[Tensor, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]
# F.linear, noted down; a cell's other operations have no parameters
LinearFunction: TypeAlias = Callable[..., Tensor]


def _lstm_cell(by_input: Tensor, by_state: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    gates = by_input + by_state
    size = gates.shape[-1] // 4
    both, g, o = gates.split([2 * size, size, size], -1)
    i, f = torch.sigmoid(both).chunk(2, -1)
    c = torch.addcmul(f * state[1], i, torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(c), c


def _gru_cell(by_input: Tensor, by_state: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    size = by_input.shape[-1] // 3
    (both, n), (h_both, hn) = (by.split([2 * size, size], -1) for by in (by_input, by_state))
    r, z = torch.sigmoid(both + h_both).chunk(2, -1)
    return (torch.tanh(torch.addcmul(n, r, hn)).lerp(state[0], z),)


def _tanh_cell(by_input: Tensor, by_state: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (torch.tanh(by_input + by_state),)


def _relu_cell(by_input: Tensor, by_state: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (torch.relu(by_input + by_state),)


def _states(hx: Any) -> tuple[Tensor, ...]:
    return tuple(hx) if isinstance(hx, tuple | list) else (hx,)


def _one_step(cell: Cell) -> Callable[..., Any]:
    """A cell as torch's function of the same name takes its arguments."""

    def step(
        linear: LinearFunction, x: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor,
        b_ih: Tensor | None = None, b_hh: Tensor | None = None,
    ) -> Any:  # fmt: skip
        state = _states(hx)
        new = cell(linear(x, w_ih, b_ih), linear(state[0], w_hh, b_hh), state)
        h, *rest = new
        return (h, *rest) if rest else h

    return step


def _recurrent(cell: Cell) -> Callable[..., Any]:
    """Layers of cells over sequences, as torch's fused functions take their arguments."""

    def run(
        linear: LinearFunction, x: Tensor, hx: Any, weights: Sequence[Tensor], has_biases: bool,
        layers: int, dropout: float, training: bool, bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        x = x if batch_first else x.transpose(0, 1)
        states = _states(hx)
        ways = 2 if bidirectional else 1
        each = len(weights) // (layers * ways)
        last: list[tuple[Tensor, ...]] = []
        for layer in range(layers):
            outputs: list[Tensor] = []
            for way in range(ways):
                k = layer * ways + way
                own = list(weights[k * each : (k + 1) * each])
                biases = (own[2], own[3]) if has_biases else (None, None)
                projection = own[-1] if each in (3, 5) else None
                y, state = _over_time(
                    linear, cell, x, tuple(s[k] for s in states), own[0], own[1], biases,
                    projection, backward=way == 1,
                )  # fmt: skip
                outputs.append(y)
                last.append(state)
            x = torch.cat(outputs, -1)
            if dropout and layer + 1 < layers:
                x = F.dropout(x, dropout, training)
        y = x if batch_first else x.transpose(0, 1)
        return y, *(torch.stack(parts) for parts in zip(*last, strict=True))

    return run


def _over_time(
    linear: LinearFunction, cell: Cell, x: Tensor, state: tuple[Tensor, ...], w_ih: Tensor,
    w_hh: Tensor,
    biases: tuple[Tensor | None, Tensor | None], projection: Tensor | None, *, backward: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:  # fmt: skip
    """One layer one way: all outputs (B, T, h) and the last state."""
    by_input = linear(x, w_ih, biases[0]).unbind(1)
    T = x.shape[1]
    outputs = list(by_input)
    for t in reversed(range(T)) if backward else range(T):
        state = cell(by_input[t], linear(state[0], w_hh, biases[1]), state)
        if projection is not None:
            state = (linear(state[0], projection), *state[1:])
        outputs[t] = state[0]
    return torch.stack(outputs, 1), state


def _looked_into(function: Any) -> Any:
    """A function of torch's that does not hand itself over to the watch again."""
    names = {**function.__globals__, "has_torch_function": lambda relevant: False}
    return types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )


# What is called instead, with a noted F.linear before the arguments: recurrent networks, whose
# samples are on axis 0 inside.
RECURRENT: Mapping[Any, Callable[..., Any]] = {
    torch.lstm: _recurrent(_lstm_cell),
    torch.gru: _recurrent(_gru_cell),
    torch.rnn_tanh: _recurrent(_tanh_cell),
    torch.rnn_relu: _recurrent(_relu_cell),
    torch.lstm_cell: _one_step(_lstm_cell),
    torch.gru_cell: _one_step(_gru_cell),
    torch.rnn_tanh_cell: _one_step(_tanh_cell),
    torch.rnn_relu_cell: _one_step(_relu_cell),
}
# The same, watched as the model is, and the axis of the samples inside.
UNFUSED: Mapping[Any, tuple[Callable[..., Any], int]] = {
    F.multi_head_attention_forward: (_looked_into(F.multi_head_attention_forward), 1),
}
