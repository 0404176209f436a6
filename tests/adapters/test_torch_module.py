"""A torch model as a module: the contract, torch's own derivatives, and our own layers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.testing import check_module
from tests.strategies import rngs

torch = pytest.importorskip("torch")

from riemannian_torch import TorchModule  # noqa: E402
from tests.adapters.networks import Branching, TwoByTwo, networks, perceptron  # noqa: E402

EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
NAMES = tuple(networks())


def wrapped(name, dtype=torch.float64):
    net, inputs = networks()[name]
    return TorchModule(net.to(dtype), inputs)


def close(got, expected, eps=EPS):
    # Sums of fewer than a hundred terms of the size of the largest entry, in either order.
    assert got.shape == expected.shape
    assert np.abs(got - expected).max(initial=0.0) <= 100 * eps * (
        1 + np.abs(expected).max(initial=0.0)
    )


def torch_map(module):
    """The model's outputs as a plain function of flat tensors of one point, for autograd."""
    spaces = module.signature

    def evaluate(theta, u):
        own = {
            n: theta[p].reshape(spaces.parameters[n].shape) for n, p in places(spaces.parameters)
        }
        arguments = [u[p].reshape(1, *spaces.inputs[n].shape) for n, p in places(spaces.inputs)]
        y = torch.func.functional_call(module.model, own, tuple(arguments))
        parts = y.values() if isinstance(y, dict) else [y]
        return torch.cat([part.reshape(-1) for part in parts])

    return evaluate


def places(space):
    return zip(space.names, space.slices, strict=True)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", NAMES)
def test_every_network_keeps_the_contract(name):
    check_module(wrapped(name), points=1)


@pytest.mark.parametrize("name", ["perceptron", "convolutional", "two_by_two", "recurrent"])
def test_a_float32_network_keeps_the_contract_to_float32_rounding(name):
    check_module(wrapped(name, torch.float32), points=1, rounding=EPS32)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", NAMES)
def test_values_and_jacobians_are_those_of_torch_autograd(name):
    module, rng = wrapped(name), np.random.default_rng(1)
    u = rng.standard_normal((2, module.inputs.size))
    theta = module.theta
    J, evaluate = module.jacobian(np.zeros(0), u, theta), torch_map(module)
    t = rng.uniform(-1.0, 1.0, (module.inputs.size, 2))
    pushed = module.differential(np.zeros(0), u, theta).push_outputs(np.zeros((0, 2)), t)
    for i in range(2):
        arguments = (torch.tensor(theta), torch.tensor(u[i]))
        F, D = torch.autograd.functional.jacobian(evaluate, arguments)
        close(module.output(np.zeros(0), u, theta)[i], evaluate(*arguments).detach().numpy())
        close(J.F[i], F.numpy())
        close(J.D[i], D.numpy())
        close(pushed[i], D.numpy() @ t)


@given(rngs, st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_a_perceptron_is_our_chain_of_affine_and_tanh_with_the_same_weights(rng, m, hidden, q):
    torch.manual_seed(int(rng.integers(2**31)))
    net = perceptron(m, hidden, q).double()
    theirs = TorchModule(net, rm.space(u=m))
    W1, b1, W2, b2 = (p.detach().numpy() for p in net.parameters())
    ours = rm.Affine(W1, b1) >> rm.Tanh(hidden) >> rm.Affine(W2, b2)
    x, u, theta = np.zeros(0), rng.standard_normal((3, m)), theirs.theta
    assert np.array_equal(theta, ours.theta)
    J, K = theirs.jacobian(x, u, theta), ours.jacobian(x, u, theta)
    close(theirs.output(x, u, theta), ours.output(x, u, theta))
    close(J.D, K.D)
    close(J.F, K.F)
    p_y = rng.standard_normal((3, q, 2))
    factor = theirs.differential(x, u, theta).parameter_factor(np.zeros((3, 0, 2)), p_y)
    pulled = ours.differential(x, u, theta).pull_parameters(np.zeros((0, 2)), p_y)
    close(factor.as_matrix(), np.moveaxis(pulled, -2, 0).reshape(theta.size, -1))


@given(rngs)
def test_float32_gives_what_the_model_gives_and_no_digit_more(rng):
    torch.manual_seed(int(rng.integers(2**31)))
    net = perceptron(3, 4, 2)
    module, u = TorchModule(net, rm.space(u=3)), rng.standard_normal(3)
    y = module.output(np.zeros(0), u, module.theta)
    assert y.dtype == np.float64
    assert np.array_equal(y, y.astype(np.float32).astype(np.float64))
    expected = net(torch.tensor(u, dtype=torch.float32)[None])[0]
    close(y, expected.detach().numpy().astype(np.float64), EPS32)


def test_parameters_are_those_that_torch_trains_under_torchs_names():
    module = wrapped("two_by_two")
    trained = [n for n, p in module.model.named_parameters() if p.requires_grad]
    assert list(module.parameters) == trained == ["first.weight", "first.bias", "second.bias"]
    assert module.outputs.names == ("sum", "product")
    assert module.outputs["product"].shape == ()


def test_buffers_and_frozen_parameters_are_read_from_the_live_model():
    module, u = wrapped("two_by_two"), np.array([0.3, -0.2, 0.7])
    before = module.output(np.zeros(0), u, module.theta)
    with torch.no_grad():
        module.model.shift.add_(1.0)
    close(module.output(np.zeros(0), u, module.theta), before + np.array([1.0, 1.0, 0.0]))
    with torch.no_grad():
        module.model.frozen.zero_()
    assert module.output(np.zeros(0), u, module.theta)[2] == 0.0


def test_training_in_torch_shows_in_the_module_and_in_graphs_that_hold_it():
    module = wrapped("perceptron")
    graph = module >> rm.Tanh(2)
    first = graph.theta
    optimiser = torch.optim.SGD(module.model.parameters(), lr=0.1)
    module.model(torch.ones(1, 3, dtype=torch.float64)).square().sum().backward()
    optimiser.step()
    live = np.concatenate([p.detach().numpy().ravel() for p in module.model.parameters()])
    assert not np.array_equal(live, first)
    assert np.array_equal(module.theta, live)
    assert np.array_equal(graph.theta, live)
    assert np.array_equal(graph.signature.parameters.pack(graph.parameters, "graph"), live)


@given(rngs)
def test_a_twin_has_its_own_model_and_leaves_the_live_one_alone(rng):
    module = wrapped("perceptron")
    before, theta = module.theta, rng.standard_normal(module.theta.size)
    for twin in (module.with_parameters(theta), (module >> rm.Tanh(2)).with_parameters(theta)):
        assert np.array_equal(twin.theta, theta)
        assert np.array_equal(module.theta, before)
    twin = module.with_parameters(theta)
    module.write_parameters(twin.theta)
    assert np.array_equal(module.theta, theta)
    with torch.no_grad():
        module.model[0].weight.zero_()
    assert np.array_equal(twin.theta, theta)


def test_values_that_do_not_fit_are_refused_and_nothing_is_written():
    module = TorchModule(perceptron(3, 2).float(), rm.space(u=3))
    before = module.theta
    with pytest.raises(DomainError, match=r"finite in torch\.float32"):
        module.write_parameters(np.full(before.size, 1e300))
    with pytest.raises(DomainError, match="NaN"):
        module.write_parameters(np.full(before.size, np.nan))
    with pytest.raises(SignatureError, match="expected 8 numbers"):
        module.write_parameters(before[:-1])
    assert np.array_equal(module.theta, before)


def test_a_model_that_holds_nan_is_found_when_its_parameters_are_read():
    module = wrapped("perceptron")
    with torch.no_grad():
        module.model[0].bias[1] = torch.nan
    with pytest.raises(DomainError, match=r"0\.bias\[1\]"):
        _ = module.theta


def test_derivatives_are_the_same_inside_no_grad():
    module, u = wrapped("perceptron"), np.ones(3)
    with torch.no_grad():
        inside = module.jacobian(np.zeros(0), u, module.theta)
    outside = module.jacobian(np.zeros(0), u, module.theta)
    assert np.array_equal(inside.F, outside.F)
    assert np.abs(outside.F).max() > 0


def test_branches_on_values_are_followed_point_by_point():
    module = TorchModule(Branching().double(), rm.space(u=2))
    theta = np.array([1.0, 1.0, 0.0])
    u = np.array([[1.0, 1.0], [-1.0, -1.0]])
    assert np.array_equal(module.output(np.zeros(0), u, theta), [[2.0], [-6.0]])
    J = module.jacobian(np.zeros(0), u, theta)
    assert np.array_equal(J.D, [[[1.0, 1.0]], [[3.0, 3.0]]])


@given(rngs)
def test_a_module_in_two_places_has_one_set_of_parameters(rng):
    torch.manual_seed(int(rng.integers(2**31)))
    net, u = perceptron(2, 3, 2).double(), rng.standard_normal(2)
    module = TorchModule(net, rm.space(u=2))
    twice = rm.chain(first=module, second=module)
    assert np.array_equal(twice.theta, module.theta)
    evaluate = torch_map(module)
    F, D = torch.autograd.functional.jacobian(
        lambda theta, u: evaluate(theta, evaluate(theta, u)),
        (torch.tensor(module.theta), torch.tensor(u)),
    )
    J = twice.jacobian(np.zeros(0), u, twice.theta)
    close(J.F, F.numpy())
    close(J.D, D.numpy())


def test_an_empty_batch_gives_empty_results():
    module = wrapped("perceptron")
    assert module.output(np.zeros(0), np.zeros((0, 3)), module.theta).shape == (0, 2)
    J = module.jacobian(np.zeros(0), np.zeros((0, 3)), module.theta)
    assert J.D.shape == (0, 2, 3)
    assert J.F.shape == (0, 2, module.theta.size)


def test_outputs_may_be_named_with_units_and_have_to_fit():
    net = TwoByTwo().double()
    named = TorchModule(net, rm.space(a=2, b=()), rm.space(force=(2, "N"), power="W"))
    assert named.signature.outputs.describe() == "force (2,) [N], power [W]"
    with pytest.raises(SignatureError, match=r"sum \(2,\), product"):
        TorchModule(net, rm.space(a=2, b=()), rm.space(force=3))
