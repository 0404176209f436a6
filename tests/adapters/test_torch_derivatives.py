"""A model whose values change otherwise than torch's derivative says is refused; no other is."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.errors import UnsupportedError

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from riemannian_torch import TorchModule  # noqa: E402


class Model(nn.Module):
    """``function(layer, u)`` of a random affine layer 3 -> 4."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.function = nn.Linear(3, 4), function

    def forward(self, u):
        return self.function(self.layer, u)


def without_gradient(layer, u):
    with torch.no_grad():
        lost = torch.tanh(layer(u))
    return layer(u) + lost


class Straight(torch.autograd.Function):
    """Rounds forward and passes gradients through."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return torch.round(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return gradient


LOST = {
    "detached inputs": (lambda f, u: f(u.detach()), "detach"),
    "a detached factor": (lambda f, u: torch.tanh(f(u)) * torch.sigmoid(f(u)).detach(), "detach"),
    "a detached parameter": (lambda f, u: u @ f.weight.detach().T + f.bias, "detach"),
    "no_grad": (without_gradient, "no_grad"),
    "a Python number": (lambda f, u: f(u) * float(f(u).sum()), "__float__"),
    "round": (lambda f, u: torch.round(f(u)), "round"),
    "a little round": (lambda f, u: f(u) + 0.01 * torch.round(f(u)), "round"),
    "floor of many": (lambda f, u: (f(u) * 255).floor() / 255, "floor"),
    "argmax": (lambda f, u: nn.functional.one_hot(f(u).argmax(-1), 4).to(u.dtype), "argmax"),
    "long": (lambda f, u: f(u).long().to(u.dtype), "long"),
    "a cast to integers": (lambda f, u: f(u).to(torch.int32) * f(u), "cast to int32"),
    "a comparison": (lambda f, u: (f(u) > 0).to(u.dtype), "gt"),
    "a straight-through estimator": (lambda f, u: Straight.apply(f(u)), ""),
}


@pytest.mark.parametrize("case", LOST)
def test_a_derivative_that_is_not_that_of_the_values_is_refused_by_name(case):
    function, name = LOST[case]
    with pytest.raises(UnsupportedError, match=rf"(?s)Model\).*derivative says.*{name}"):
        TorchModule(Model(function).double(), rm.space(u=3))


@pytest.mark.parametrize("case", ["a detached factor", "round", "argmax"])
def test_so_is_that_of_a_float32_model(case):
    with pytest.raises(UnsupportedError, match="derivative says"):
        TorchModule(Model(LOST[case][0]), rm.space(u=3))


def test_what_is_meant_can_be_asked_for():
    module = TorchModule.trusting_torch(
        Model(lambda f, u: f(u) + (torch.round(f(u)) - f(u)).detach()).double(), rm.space(u=3)
    )
    J, y = (
        module.jacobian(np.zeros(0), np.ones(3), module.theta),
        module.output(np.zeros(0), np.ones(3), module.theta),
    )
    np.testing.assert_array_equal(J.D, module.model.layer.weight.detach().numpy())
    np.testing.assert_allclose(y, np.round(y), atol=1e-15)
    twin = module.with_parameters(2 * module.theta)
    np.testing.assert_array_equal(twin.theta, 2 * module.theta)


class OwnTensor(nn.Module):
    """Holds a float32 tensor that nobody converts."""

    def __init__(self):
        super().__init__()
        self.net, self.mixing = (
            nn.Sequential(nn.Linear(3, 20), nn.ReLU(), nn.Linear(20, 4)),
            torch.eye(4),
        )

    def forward(self, u):
        return self.net(u) @ self.mixing


KEPT = {
    "relu": lambda f, u: torch.relu(f(u)),
    "many kinks": lambda f, u: torch.relu(torch.relu(f(u)) @ f.weight - 0.1).abs(),
    "maximum": lambda f, u: f(u).max(-1, keepdim=True)[0],
    "clamp": lambda f, u: f(u).clamp(-0.1, 0.1),
    "sort": lambda f, u: f(u).sort(-1)[0],
    "softmax": lambda f, u: torch.softmax(30 * f(u), -1),
    "saturated": lambda f, u: torch.tanh(100 * f(u)),
    "undefined in places": lambda f, u: torch.log(f(u)),
    "infinite slope": lambda f, u: f(u).abs().sqrt(),
    "fast": lambda f, u: torch.sin(50 * f(u)),
    "steep": lambda f, u: torch.exp(5 * f(u)),
    "constant": lambda f, u: 0 * f(u).detach() + 1,
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("case", KEPT)
def test_kinks_poles_and_steep_slopes_are_not_refused(case, dtype):
    TorchModule(Model(KEPT[case]).to(dtype), rm.space(u=3))


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_in_eval_are_not_refused(seed):
    torch.manual_seed(seed)
    deep = nn.Sequential(
        nn.Linear(3, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Dropout(), nn.Linear(30, 30),
        nn.LeakyReLU(), nn.LayerNorm(30), nn.Linear(30, 4), nn.Hardtanh(),
    )  # fmt: skip
    for model in (deep.eval(), OwnTensor().eval()):
        TorchModule(model, rm.space(u=3))
