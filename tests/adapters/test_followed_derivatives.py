"""A loss that begins to differentiate the network after the first step is followed from then on.

Products are plain until a derivative is seen: these are all ways in which one comes as a surprise.
"""

import warnings

import pytest
import torch
from torch import nn

from riemannian_torch import GaussNewton

MSE = nn.MSELoss()


class Net(nn.Module):
    """Two layers; asked so, it gives a slope that it takes itself, or its hidden layer too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Linear(2, 6), nn.Linear(6, 1)
        self.way = "none"

    def layers(self, x):
        hidden = torch.tanh(self.first(x))
        return hidden, torch.tanh(self.second(hidden))

    def forward(self, x):
        if self.way == "inside, by its inputs":
            x = x.clone().requires_grad_()
        if self.way == "inside, by its inputs, set as an attribute":
            x = x.detach().clone()
            x.requires_grad = True
        hidden, f = self.layers(x)
        if self.way == "inside, by its hidden layer":
            return slope(f, hidden)
        if self.way.startswith("inside, by its inputs"):
            return slope(f, x)
        return (f, hidden) if self.way == "outside, by its hidden layer" else f


def slope(f, x):
    (found,) = torch.autograd.grad(f.sum(), x, create_graph=True)
    return found.sum(1, keepdim=True)


def loss(model, x, y):
    if model.way == "outside, by its hidden layer":
        return MSE(slope(*model(x)), y)
    if model.way == "outside, by its inputs":
        x = x.clone().requires_grad_()
        return MSE(slope(model(x), x), y)
    return MSE(model(x), y)


WAYS = [
    "outside, by its inputs", "outside, by its hidden layer", "inside, by its inputs",
    "inside, by its inputs, set as an attribute", "inside, by its hidden layer",
]  # fmt: skip


def data():
    torch.manual_seed(4)
    return torch.randn(9, 2), torch.randn(9, 1)


def values(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def by_closure(model, optimizer, x, y):
    optimizer.step(lambda: loss(model, x, y))


def by_backward(model, optimizer, x, y):
    optimizer.zero_grad()
    loss(model, x, y).backward()
    optimizer.step()


def begun(way, train, x):
    """A model and its optimizer after a step without any derivative, before one with it."""
    model, y = Net(), data()[1]
    optimizer = GaussNewton(model, MSE)
    train(model, optimizer, x, y)
    model.way = way
    return model, optimizer, x, y


def known(way, train):
    """Where the second step goes if the inputs ask for their gradients from the start."""
    model, *rest = begun(way, train, data()[0].requires_grad_())
    train(model, *rest)
    return values(model)


@pytest.mark.parametrize("way", WAYS)
def test_a_closure_is_called_again_where_need_be(way):
    model, *rest = begun(way, by_closure, data()[0])
    by_closure(model, *rest)
    torch.testing.assert_close(values(model), known(way, by_closure), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("way", WAYS)
def test_a_backward_pass_is_read_or_left_out_once_with_a_warning(way):
    model, optimizer, *rest = begun(way, by_backward, data()[0])
    if way.endswith("hidden layer"):
        with pytest.warns(UserWarning, match="begun to differentiate"):
            by_backward(model, optimizer, *rest)
        assert (optimizer.steps, optimizer.skipped) == (1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_backward(model, optimizer, *rest)
    assert optimizer.steps == 2
    torch.testing.assert_close(values(model), known(way, by_backward), rtol=1e-6, atol=1e-7)
