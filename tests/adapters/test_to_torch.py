"""Modules written in torch: values and gradients are ours, in batches, loops and training."""

import copy
import pickle

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.errors import SignatureError, UnsupportedError

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from riemannian_torch import TorchModule, from_torch, to_torch  # noqa: E402
from tests.adapters.architectures import ARCHITECTURES, made  # noqa: E402
from tests.modules.instances import INSTANCES  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop", "ignore:The tensor")


class Switching(rm.Flow):
    """Choices whose other side has no finite slope, larger and smaller ones, real powers."""

    state = rm.space("a b")
    inputs = rm.space("u")
    parameters = {"k": 0.7, "n": 1.5}

    def equations(self, x, u, p):
        root = np.where(x.a > 1.0, np.sqrt(np.maximum(x.a - 1.0, 0.0)), x.b * p.k)
        inner = np.where(u.u > 1.0, u.u, 1.0 / x.a)
        return {
            "a": root + np.maximum(x.a, x.b) - np.abs(x.b - u.u),
            "b": np.minimum(x.a * p.k, u.u)
            - x.b**p.n
            + np.where(x.b > p.k, np.log(x.b) * p.n, inner),
        }


class Elementary(rm.StaticMap):
    """The elementary functions that are traced."""

    inputs = rm.space("a b")
    outputs = rm.space(y=14)
    parameters = {"c": 0.3}

    def map(self, u, p):
        a, b = u.a, u.b
        return np.stack([
            np.exp(a), np.log(b), np.sin(a * p.c), np.cos(a), np.tan(0.3 * a), np.sinh(a),
            np.arctan2(a, b), np.cbrt(b), np.expm1(a), np.log1p(b), np.arcsin(0.3 * a),
            np.arccosh(1.0 + b), np.logaddexp(0.0, a), b**p.c + a**4 + a * np.log(b) + 1.0 / b,
        ])  # fmt: skip


def loop():
    plant, pid = rm.TransferFunction([1.0], [1.0, 1.0]), rm.PID(1.0, 0.5, 0.1)
    return (
        rm.Wiring(pid=pid, plant=plant)
        .input("r", "pid.reference")
        .connect("pid.u", "plant.u")
        .connect("plant.y", "pid.measurement")
        .output("y", "plant.y")
        .build()
    )


def layers():
    rng = np.random.default_rng(3)
    W, b, V = rng.standard_normal((4, 3)), rng.standard_normal(4), rng.standard_normal((2, 4))
    head = rm.Affine(W, b) >> rm.Tanh(4) >> rm.MatrixGain(V)
    return head >> rm.GELU(2) >> rm.Softplus(2) >> rm.ELU(2) >> rm.Gain([2.0, -0.5]) >> rm.SiLU(2)


def pathway():
    reactions = {"bind": ("2 A + B <-> C", (0.3, 0.2)), "lose": ("C ->", 0.1)}
    return rm.MassAction(reactions=reactions)


MODULES = {
    "hill": lambda: rm.HillActivation(1.0, 2.0, 2.5, 0.1),
    "repression": lambda: rm.HillRepression(1.0, 2.0, 2.0, 0.1),
    "mass action": pathway,
    "pid": lambda: rm.PID(1.0, 0.5, 0.2),
    "transfer function": lambda: rm.TransferFunction([1.0, 2.0], [1.0, 3.0, 2.0]),
    "state space": lambda: rm.StateSpace([[-1.0, 0.5], [0.0, -2.0]], [[1.0], [0.5]], [[1.0, 0.0]]),
    "layers": layers,
    "limits": lambda: rm.Saturation(-1.0, 1.2, 3) >> rm.LeakyReLU(3) >> rm.Sigmoid(3) >> rm.ReLU(3),
    "switching": Switching,
    "elementary": Elementary,
    "loop": loop,
    "step": lambda: rm.DiscreteStateSpace([[0.5]], [[1.0]], [[1.0]], [[0.3]]),
    "formulas": lambda: rm.Equations(
        {"dq": "k*u - max(q, 0.5)", "y": "q**2"}, state="q", inputs="u", outputs="y",
        parameters={"k": 2.0},
    ),
}  # fmt: skip


def called(written, module, x, u):
    """dx and y, flat."""
    if module.signature.time is rm.Time.STATIC:
        return x[..., :0], written(u)
    return written(x, u) if module.signature.inputs.size else written(x)


def close(found, expected):
    size = 1.0 + np.abs(expected).max(initial=0.0)
    assert np.abs(found - expected).max(initial=0.0) <= 1e-12 * size


def check_values_and_gradients(module, batch):
    """Values, and the gradient of a random combination of them by all arguments and parameters."""
    s, rng = module.signature, np.random.default_rng(5)
    x, u = (rng.uniform(0.2, 2.0, (*batch, space.size)) for space in (s.state, s.inputs))
    written = to_torch(module)
    X, U = (torch.tensor(part, requires_grad=True) for part in (x, u))
    dx, y = (part.reshape(*batch, -1) for part in called(written, module, X, U))
    expected = module.forward(x, u, module.theta)
    close(dx.detach().numpy(), np.broadcast_to(expected[0], dx.shape))
    close(y.detach().numpy(), np.broadcast_to(expected[1], y.shape))
    p_dx, p_y = rng.standard_normal(dx.shape), rng.standard_normal(y.shape)
    own = list(written.parameters())
    total = (dx * torch.tensor(p_dx)).sum() + (y * torch.tensor(p_y)).sum()
    found = torch.autograd.grad(total, [X, U, *own], allow_unused=True)
    grads = [
        np.zeros(part.shape) if grad is None else grad.numpy()
        for part, grad in zip([X, U, *own], found, strict=True)
    ]
    at = module.differential(x, u, module.theta)
    by_y, by_x = at.pull_outputs(p_y[..., None]), at.pull_state(p_dx[..., None])
    for k, part in enumerate((x, u)):
        close(grads[k], np.broadcast_to((by_y[k] + by_x[k])[..., 0], part.shape))
    flat = at.pull_parameters_sum(p_dx[..., None], p_y[..., None])[:, 0]
    for values, grad in zip(s.parameters.unpack(flat).values(), grads[2:], strict=True):
        close(grad, values)


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)], ids=["one", "batch", "axes"])
@pytest.mark.parametrize("name", MODULES)
def test_values_and_all_gradients_are_ours(name, batch):
    check_values_and_gradients(MODULES[name](), batch)


@pytest.mark.parametrize("name", INSTANCES)
def test_every_kind_of_module_is_written_or_refused_by_name(name):
    module = INSTANCES[name].module
    if isinstance(module, (rm.FlowMap, rm.Sampled, rm.Delay)):
        with pytest.raises(UnsupportedError, match="to_torch"):
            to_torch(module)
        return
    check_values_and_gradients(module, (3,))


@pytest.mark.parametrize("name", ["switching", "limits"])
def test_slopes_at_kinks_are_ours(name):
    module = MODULES[name]()
    s = module.signature
    x = np.array([1.0, 1.0])[: s.state.size]
    u = np.full(s.inputs.size, 1.0) if s.state.size else np.array([-1.0, 0.0, 1.2])
    X, U = (torch.tensor(part, requires_grad=True) for part in (x, u))
    dx, y = called(to_torch(module), module, X, U)
    J = module.jacobian(x, u, module.theta)
    for rows, values in ((np.hstack([J.A, J.B]), dx), (np.hstack([J.C, J.D]), y)):
        for row, value in zip(rows, values, strict=True):
            found = torch.autograd.grad(value, [X, U], retain_graph=True, allow_unused=True)
            parts = [
                np.zeros(p.shape) if g is None else g.numpy()
                for p, g in zip((x, u), found, strict=True)
            ]
            close(np.concatenate(parts), row)


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if "alone" not in n])
def test_a_model_comes_back_from_torch_and_to_torch(name):
    model, example = made(name)
    graph = from_torch(model, example)
    back = to_torch(graph)
    inputs = [torch.cat([e, 0.5 * e]) for e in example]
    found = back(dict(zip(graph.inputs.names, inputs, strict=True)))
    rows = [model(*(part[i : i + 1] for part in inputs)) for i in range(2)]
    for i, row in enumerate(rows):
        parts = row.values() if isinstance(row, dict) else row if isinstance(row, tuple) else [row]
        for part, values in zip(parts, found.values(), strict=True):
            close(values[i].detach().numpy(), part[0].detach().numpy())
    assert sum(p.numel() for p in back.parameters()) == graph.theta.size


def test_parameters_have_the_graphs_names_but_where_torch_has_them_for_itself():
    graph = loop()
    assert [n for n, _ in to_torch(graph).named_parameters()] == list(graph.parameters)
    hill = to_torch(rm.HillActivation(1.0, 2.0, 2.5))
    assert [n for n, _ in hill.named_parameters()] == ["maximum", "half_", "exponent", "basal"]
    assert list(hill.parameter_values()) == ["maximum", "half", "exponent", "basal"]


def test_ports_are_given_and_come_back_by_name():
    graph = loop()
    written = to_torch(graph)
    x = {n: torch.zeros(4, *graph.state[n].shape, dtype=torch.float64) for n in graph.state.names}
    dx, y = written(x, {"r": torch.ones(4, dtype=torch.float64)})
    assert {n: tuple(v.shape) for n, v in dx.items()} == {n: tuple(v.shape) for n, v in x.items()}
    assert y["y"].shape == (4,)
    with pytest.raises(SignatureError, match=r"the inputs: expected a tensor for each of r, got q"):
        written(x, {"q": torch.ones(4)})
    with pytest.raises(SignatureError, match=r"the state: expected pid\.integral.*got a tensor"):
        written(torch.zeros(4, 2), torch.zeros(4, 1))
    with pytest.raises(SignatureError, match=r"'plant\.x' has shape \(1,\)"):
        written({**x, "plant.x": torch.zeros(3, 2)}, {"r": torch.ones(4)})


def test_a_trained_pathway_goes_back_into_the_graph():
    graph = pathway()
    written = to_torch(graph)
    x = torch.rand(16, 3, dtype=torch.float64) + 0.5
    wanted = graph.with_parameters({"lose": 0.4}).forward(x.numpy(), np.zeros((16, 0)), graph.theta)
    target = graph.with_parameters({"lose": 0.4})
    wanted = torch.tensor(target.forward(x.numpy(), np.zeros((16, 0)), target.theta)[0])
    optimiser = torch.optim.LBFGS(written.parameters(), max_iter=100, tolerance_change=1e-16)

    def loss():
        optimiser.zero_grad()
        value = ((written(x)[0] - wanted) ** 2).sum()
        value.backward()
        return value

    for _ in range(5):
        optimiser.step(loss)
    found = graph.with_parameters(written.parameter_values())
    assert abs(found.parameters["lose"] - 0.4) < 1e-5
    assert graph.parameters["lose"] == 0.1


def test_a_network_of_torch_inside_a_graph_is_a_copy_that_trains():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    graph = TorchModule(net, rm.space(u=2)) >> rm.Gain([2.0])
    written = to_torch(graph)
    assert [n for n, _ in written.named_parameters()] == list(graph.parameters)
    u = torch.randn(5, 2, dtype=torch.float64)
    close(written(u).detach().numpy(), graph.output(np.zeros(0), u.numpy(), graph.theta))
    before = graph.theta
    with torch.no_grad():
        for parameter in written.parameters():
            parameter.zero_()
    assert np.array_equal(graph.theta, before)
    twin = graph.with_parameters(written.parameter_values())
    assert not twin.theta.any()


def test_single_precision_gives_single_precision():
    for name in ("layers", "switching", "limits"):
        module = MODULES[name]()
        s = module.signature
        x, u = (np.full((3, space.size), 0.7) for space in (s.state, s.inputs))
        X, U = (torch.tensor(part, dtype=torch.float32) for part in (x, u))
        dx, y = called(to_torch(module).float(), module, X, U)
        assert (dx.dtype, y.dtype) == (torch.float32, torch.float32)
        expected = module.forward(x, u, module.theta)
        assert np.abs(y.detach().numpy() - expected[1]).max() < 1e-5


def test_it_is_copied_and_pickled_with_its_values():
    written = to_torch(layers())
    with torch.no_grad():
        for parameter in written.parameters():
            parameter.mul_(0.5)
    next(iter(written.parameters())).requires_grad_(False)
    u = torch.randn(2, 3, dtype=torch.float64)
    for twin in (copy.deepcopy(written), pickle.loads(pickle.dumps(written))):
        assert torch.equal(twin(u), written(u))
        flags = [p.requires_grad for p in written.parameters()]
        assert [p.requires_grad for p in twin.parameters()] == flags


def test_the_compiler_gives_the_same():
    written = to_torch(loop())
    compiled = torch.compile(written, backend="aot_eager", fullgraph=True)
    x, u = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)
    for found, expected in zip(compiled(x, u), written(x, u), strict=True):
        assert torch.equal(found, expected)
    grads = [
        torch.autograd.grad(f(x, u)[0].square().sum(), list(written.parameters()))
        for f in (compiled, written)
    ]
    for found, expected in zip(*grads, strict=True):
        close(found.numpy(), expected.numpy())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: rm.FlowMap(rm.Lag(1.0), 0.5) >> rm.Tanh(1), r"'flowmap' \(FlowMap\)"),
        (lambda: rm.Sampled(rm.UnitDelay(1), 0.1) >> rm.Lag(1.0), "sampled parts"),
    ],
    ids=["integrated", "sampled"],
)
def test_what_has_no_exact_form_is_refused_by_name(module, message):
    with pytest.raises(UnsupportedError, match=f"to_torch.*{message}"):
        to_torch(module())
