"""What cannot be a module is refused by name, with the mend."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.testing import check_module

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from riemannian_torch import TorchModule  # noqa: E402
from tests.adapters.networks import perceptron  # noqa: E402


class Noisy(nn.Module):
    def forward(self, u):
        return u + torch.randn_like(u) if self.training else u


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, u):
        self.count += 1
        return u * self.count


class Untensored(nn.Module):
    def forward(self, u):
        return None


def mixed():
    net = perceptron(3, 2, 1)
    net[0].double()
    return net


REFUSED = {
    "dropout": (nn.Sequential(nn.Linear(3, 3), nn.Dropout()), r"'1' \(Dropout\).*\.eval\(\)"),
    "batch norm": (nn.Sequential(nn.BatchNorm1d(3)), r"'0' \(BatchNorm1d\) mixes.*\.eval\(\)"),
    "batch norm without statistics": (
        nn.BatchNorm1d(3, track_running_stats=False).eval(),
        "in every mode.*track_running_stats=True",
    ),
    "random activation": (nn.RReLU(), r"RReLU\) draws at random.*\.eval\(\)"),
    "draws of its own": (Noisy(), r"TorchModule\(Noisy\).*random.*\.eval\(\)"),
    "changes of a buffer": (Counting(), r"changes \['count'\].*\.eval\(\)"),
    "integer inputs": (nn.Embedding(3, 2), "real arrays.*takes real numbers"),
    "integer outputs": (nn.Sequential(nn.Linear(3, 2), nn.Flatten(0)), r"got shape \(2,\)"),
    "no tensor": (Untensored(), "got NoneType for 'y'"),
    "half precision": (nn.Linear(3, 2).half(), r"\['float16'\].*\.double\(\)"),
    "mixed precision": (mixed(), r"\['float32', 'float64'\]"),
    "lazy": (nn.LazyLinear(2), r"lazy.*\['weight', 'bias'\].*once"),
    "shapes": (nn.Linear(4, 2), "1x3 and 4x2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_that_is_no_map_is_refused_by_name(case):
    net, message = REFUSED[case]
    with pytest.raises(UnsupportedError, match=f"(?s){message}"):
        TorchModule(net, rm.space(u=3))


@pytest.mark.parametrize(
    "net",
    [nn.Dropout(), nn.BatchNorm1d(3), Noisy()],
    ids=["dropout", "batch norm", "draws of its own"],
)
def test_a_model_put_back_into_training_mode_is_refused_until_it_is_in_eval(net):
    module, u = TorchModule(net.eval(), rm.space(u=3)), np.ones((2, 3))
    value = module.output(np.zeros(0), u, module.theta)
    net.train()
    with pytest.raises(UnsupportedError, match=r"\.eval\(\)"):
        module.output(np.zeros(0), u, module.theta)
    with pytest.raises(UnsupportedError, match=r"\.eval\(\)"):
        module.jacobian(np.zeros(0), u, module.theta)
    net.eval()
    assert np.array_equal(module.output(np.zeros(0), u, module.theta), value)


def test_a_twin_of_a_model_that_torch_cannot_copy_is_refused():
    net = nn.Sequential(nn.Linear(3, 2))
    net.computed = net[0].weight * 2
    module = TorchModule(net, rm.space(u=3))
    with pytest.raises(UnsupportedError, match=r"can be copied.*parametrizations"):
        module.with_parameters(module.theta)


def test_an_input_may_be_named_like_a_parameter():
    module = TorchModule(nn.Linear(3, 2), rm.space(weight=3))
    assert module.signature.distinct[1].names == ("input.weight",)
    check_module(module, points=1, rounding=2.0**-23)


def test_a_model_without_inputs_is_refused():
    with pytest.raises(SignatureError, match="at least one input"):
        TorchModule(nn.Linear(3, 2), rm.space())


def test_proofs_are_refused_by_the_names_of_module_and_layer():
    module = TorchModule(nn.Sequential(nn.Linear(3, 2), nn.Tanh()).double(), rm.space(u=3))
    graph = rm.Tanh(3) >> module
    named = r"TorchModule\(Sequential\).*'0' \(torch Linear\).*affine and activation"
    nothing, u = interval(np.zeros(0), np.zeros(0)), interval(-np.ones(3), np.ones(3))
    theta = interval(module.theta, module.theta)
    for refused in (
        lambda: module.enclose(nothing, u, theta),
        lambda: graph.enclose(nothing, u, theta),
        lambda: module.expressions,
        lambda: graph.expressions,
    ):
        with pytest.raises(UnsupportedError, match=f"(?s){named}"):
            refused()
