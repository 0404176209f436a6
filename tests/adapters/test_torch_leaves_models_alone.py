"""A wrapped model stays as it was: layers used twice, tensors shared, errors midway."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.errors import UnsupportedError

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from riemannian_torch import TorchModule  # noqa: E402


def twice():
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.Tanh(), layer).double()


class Nested(nn.Module):
    """A block used twice under different names, with a buffer, a frozen and a shared tensor."""

    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval())
        self.first, self.second, self.last = block, block, nn.Linear(2, 2)
        self.last.bias = block[0].bias
        block[0].weight.requires_grad_(False)

    def forward(self, u):
        return self.last(self.second(torch.tanh(self.first(u))))


class Careless(nn.Module):
    """Changes its mode, writes into what it holds, and fails where the input is large."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.fixed = nn.Parameter(torch.ones(2), requires_grad=False)
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, u):
        self.linear.train()
        if float(u.detach().abs().max()) > 10:
            self.linear.weight = nn.Parameter(torch.zeros(2, 2, dtype=u.dtype))
            self.fixed.data.mul_(3)
            self.fixed.requires_grad = True
            self.seen = self.seen + 1
            raise ValueError("too large")
        return self.linear(u) * self.fixed


def snapshot(model):
    """Objects, values, flags and modes of all that the model holds."""
    tensors = [
        (name, id(v), type(v), v.detach().clone(), v.requires_grad)
        for layer in model.modules()
        for name, v in (*layer._parameters.items(), *layer._buffers.items())
        if v is not None
    ]
    return tensors, [layer.training for layer in model.modules()]


def assert_same(before, after):
    for (*was, values, flag), (*now, values_now, flag_now) in zip(
        *(before[0], after[0]), strict=True
    ):
        assert (was, flag) == (now, flag_now)
        assert torch.equal(values, values_now)
    assert before[1] == after[1]


@pytest.mark.parametrize("model", [twice, lambda: Nested().double()], ids=["layer", "block"])
def test_a_layer_used_twice_is_one_layer(model):
    torch.manual_seed(0)
    net = model().eval()
    before = snapshot(net)
    module, u = TorchModule(net, rm.space(u=2)), np.array([[0.3, -0.7], [1.0, 2.0]])
    assert module.theta.size == sum(p.numel() for p in net.parameters() if p.requires_grad)
    y = module.output(np.zeros(0), u, module.theta)
    np.testing.assert_allclose(y, net(torch.tensor(u)).detach().numpy(), rtol=1e-14)
    J = module.jacobian(np.zeros(0), u[0], module.theta)
    h = 1e-6 * np.eye(module.theta.size)
    F = [
        module.output(np.zeros(0), u[0], module.theta + d)
        - module.output(np.zeros(0), u[0], module.theta - d)
        for d in h
    ]
    # Central differences: truncation below 1e-12, rounding eps / h.
    np.testing.assert_allclose(J.F, np.stack(F, -1) / 2e-6, atol=1e-8)
    assert_same(before, snapshot(net))


def test_a_twin_of_a_model_with_a_layer_used_twice_is_such_a_model():
    module = TorchModule(twice(), rm.space(u=2))
    twin = module.with_parameters(2 * module.theta)
    assert twin.model[0] is twin.model[2]
    np.testing.assert_array_equal(twin.theta, 2 * module.theta)


def test_nothing_is_left_changed_whatever_happens_inside():
    net = Careless().double().eval()
    before = snapshot(net)
    module = TorchModule(net, rm.space(u=2))
    assert_same(before, snapshot(net))
    module.jacobian(np.zeros(0), np.ones(2), module.theta)
    assert_same(before, snapshot(net))
    with pytest.raises(UnsupportedError, match="too large"):
        module.output(np.zeros(0), np.full(2, 20.0), module.theta)
    assert_same(before, snapshot(net))


def test_a_model_that_is_refused_is_left_as_it_was():
    class Broken(Careless):
        def forward(self, u):
            return super().forward(u + 100)

    net = Broken().double()
    before = snapshot(net)
    with pytest.raises(UnsupportedError, match="too large"):
        TorchModule(net, rm.space(u=2))
    assert_same(before, snapshot(net))


def test_an_interruption_from_the_keyboard_leaves_the_model_as_it_was():
    net = twice()
    module, before = TorchModule(net, rm.space(u=2)), snapshot(net)

    def interrupt(*_):
        raise KeyboardInterrupt

    handle = net[1].register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        module.output(np.zeros(0), np.ones(2), module.theta)
    handle.remove()
    assert_same(before, snapshot(net))
