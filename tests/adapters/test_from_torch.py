"""Models that are read layer by layer give what torch gives, say how, and are proved or refused."""

import pickle

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.certify import Proved, certify, verify
from riemannian_modules.engine import propagate
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.metrics import KhatriRaoFactor, StackedFactor
from riemannian_modules.plot import graph_to_mermaid
from riemannian_modules.results import load_result, save_result

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from riemannian_torch import TorchModule, from_torch  # noqa: E402
from tests.adapters.architectures import (  # noqa: E402
    ARCHITECTURES,
    Cell,
    Language,
    Tied,
    made,
    perceptron,
)

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop", "ignore:The tensor")

NOTHING = np.zeros(0)


def torch_map(model, inputs):
    """The model as a function of its parameters by name and of flat inputs of one point."""

    def evaluate(named, u):
        parts, start = [], 0
        for port in inputs.ports:
            parts.append(u[start : start + port.size].reshape(1, *port.shape))
            start += port.size
        y = torch.func.functional_call(model, named, tuple(parts))
        results = y.values() if isinstance(y, dict) else y if isinstance(y, tuple) else [y]
        return torch.cat([part.reshape(-1) for part in results])

    return evaluate


def jacobians(evaluate, trained, point):
    """The Jacobian by each parameter, and by the inputs."""
    D = torch.autograd.functional.jacobian(lambda v: evaluate(trained, v), point)
    F = torch.autograd.functional.jacobian(
        lambda *v: evaluate(dict(zip(trained, v, strict=True)), point), tuple(trained.values())
    )
    return F, D


def agree(found, expected, rounding=1e-12):
    size = 1.0 + np.abs(expected).max(initial=0.0)
    assert np.abs(found - expected).max(initial=0.0) <= rounding * size


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_values_and_jacobians_are_those_of_torch_for_every_parameter(name):
    model, example = made(name)
    graph = from_torch(model, example)
    assert graph.origin.way == ARCHITECTURES[name][2]
    evaluate = torch_map(model, graph.inputs)
    u = np.random.default_rng(1).standard_normal((2, graph.inputs.size))
    J, y = graph.jacobian(NOTHING, u, graph.theta), graph.output(NOTHING, u, graph.theta)
    trained = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    held = graph.origin.parameters
    assert {of for of, _ in held.values()} == set(trained)
    for i in range(len(u)):
        point = torch.tensor(u[i])
        agree(y[i], evaluate(trained, point).numpy())
        F, D = jacobians(evaluate, trained, point)
        agree(J.D[i], D.numpy())
        by_name = {n: f.reshape(len(D), -1).numpy() for n, f in zip(trained, F, strict=True)}
        space = graph.signature.parameters
        for parameter, place in zip(space.names, space.slices, strict=True):
            of, places = held[parameter]
            agree(J.F[i][:, place], by_name[of][:, places])


class Weighted(nn.Module):
    """Sums and differences with factors."""

    def forward(self, x):
        return torch.rsub(torch.add(x, x.sin(), alpha=2.0), x.tanh(), alpha=0.5)


LAYERS = [
    nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1), nn.AvgPool2d(2, ceil_mode=True),
    nn.AdaptiveAvgPool2d(2), nn.ReflectionPad2d(1), nn.ZeroPad2d(1), nn.ConstantPad2d(1, 3.0),
    nn.ReplicationPad2d(1), nn.CircularPad2d(1), nn.Conv2d(2, 2, 3, bias=False),
    nn.Conv2d(2, 4, 3, padding="same", padding_mode="reflect"),
    nn.Conv2d(2, 4, 3, groups=2, dilation=2, stride=2, padding=(1, 2)), nn.PixelUnshuffle(5),
    nn.ConvTranspose2d(2, 4, 3, stride=2, groups=2, dilation=2, padding=1), nn.GLU(1),
    nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear"), Weighted(),
    nn.ChannelShuffle(2), nn.BatchNorm2d(2, eps=0.1), nn.PReLU(2), nn.LeakyReLU(0.3),
    nn.Softplus(2.0), nn.Softplus(0.5, 5.0), nn.SELU(), nn.ELU(0.5), nn.CELU(0.5), nn.ReLU6(),
    nn.Hardswish(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.Hardtanh(-0.5, 0.7), nn.Tanhshrink(),
    nn.Flatten(2),
]  # fmt: skip
LEFT_TO_TORCH = [
    nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AdaptiveMaxPool2d(2), nn.Softmax2d(),
    nn.InstanceNorm2d(2, affine=True), nn.Mish(), nn.GELU("tanh"), nn.Softsign(),
    nn.Threshold(0.1, 0.3), nn.LPPool2d(2, 2), nn.Unfold(2),
]  # fmt: skip


@pytest.mark.parametrize("layer", [*LAYERS, *LEFT_TO_TORCH], ids=repr)
def test_a_layer_alone_is_read_with_its_jacobian(layer):
    layer = layer.double().eval()
    graph = from_torch(layer, torch.zeros(1, 2, 5, 5, dtype=torch.float64))
    # What a reader gets wrong would be left to torch in silence.
    is_torchs = any(isinstance(node, TorchModule) for node in graph.nodes.values())
    assert is_torchs == (layer in LEFT_TO_TORCH)
    u = np.random.default_rng(0).standard_normal(50)
    D = torch.autograd.functional.jacobian(
        lambda v: layer(v.reshape(1, 2, 5, 5)).reshape(-1), torch.tensor(u)
    )
    y = layer(torch.tensor(u).reshape(1, 2, 5, 5))
    agree(graph.output(NOTHING, u, graph.theta), y.detach().numpy().ravel())
    # torch's slope of a hard sigmoid is 1/6 in single precision, also in double.
    rounding = 1e-7 if isinstance(layer, nn.Hardswish | nn.Hardsigmoid) else 1e-12
    agree(graph.jacobian(NOTHING, u, graph.theta).D, D.numpy(), rounding)


@pytest.mark.parametrize(
    "name", ["perceptron", "residual", "lstm cell", "encoder layer", "adapted"]
)
def test_a_sum_over_points_is_the_gradient_that_backward_gives(name):
    model, example = made(name)
    graph = from_torch(model, example)
    rng = np.random.default_rng(2)
    u = rng.standard_normal((4, graph.inputs.size))
    weights = rng.standard_normal((4, graph.outputs.size))
    evaluate = torch_map(model, graph.inputs)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    rows = torch.stack([evaluate(trained, torch.tensor(point)) for point in u])
    (rows * torch.tensor(weights)).sum().backward()
    at = graph.differential(NOTHING, u, graph.theta)
    found = at.pull_parameters_sum(np.zeros((4, 0, 1)), weights[..., None])[:, 0]
    for parameter, values in graph.signature.parameters.unpack(found).items():
        of, places = graph.origin.parameters[parameter]
        agree(values.ravel(), trained[of].grad.numpy().ravel()[places])


def test_single_precision_is_held_exactly_in_double():
    model, example = made("small convolutional", torch.float32)
    graph = from_torch(model, example)
    for parameter, (of, places) in graph.origin.parameters.items():
        theirs = dict(model.named_parameters())[of].detach().numpy().ravel()[places]
        assert np.array_equal(np.ravel(graph.parameters[parameter]), theirs.astype(np.float64))
    u = np.random.default_rng(0).standard_normal(64)
    expected = model.double()(torch.tensor(u).reshape(1, 1, 8, 8)).detach().numpy()[0]
    agree(graph.output(NOTHING, u, graph.theta), expected)


def test_the_report_names_ways_reasons_layers_and_what_no_proof_reaches():
    graph = from_torch(*made("encoder layer"))
    origin = graph.origin
    assert (origin.way, origin.refused) == ("torch.export", {})
    assert {"norm1", "norm2"} <= set(origin.unproved)
    assert {layer.kind for layer in origin.layers if layer.node == "linear1"} == {"SharedAffine"}
    assert "TransformerEncoderLayer by torch.export" in repr(graph)
    assert "norm1 (layer_norm)" in repr(origin)
    alone = from_torch(*made("implicit alone")).origin
    assert set(alone.refused) == {"torch.export", "torch.fx"}
    assert "data-dependent" in repr(alone)
    twin = pickle.loads(pickle.dumps(graph))
    assert repr(twin.origin) == repr(origin)
    assert graph.with_parameters(0.5 * graph.theta).origin is origin


def test_a_layer_used_twice_has_one_set_of_parameters():
    graph = from_torch(*made("equilibrium"))
    assert sorted(graph.parameters) == ["inner.W", "inner.b", "outer.W", "outer.b"]


def test_layers_of_a_perceptron_have_factors_of_their_own():
    model, example = made("perceptron")
    graph = from_torch(model, example)
    at = graph.point(None, np.random.default_rng(0).standard_normal((6, 3)))
    metric = propagate(graph, at, 1e-3, np.eye(2))
    assert [type(f) for f in metric.factors] == [StackedFactor] * 3
    assert all(isinstance(f.parts[0], KhatriRaoFactor) for f in metric.factors)
    ours = rm.Affine(*(p.detach().numpy() for p in model[0].parameters())) >> rm.Tanh(8)
    ours = ours >> rm.Affine(*(p.detach().numpy() for p in model[2].parameters()))
    ours = ours >> rm.LeakyReLU(8, leak=0.1)
    ours = ours >> rm.Affine(*(p.detach().numpy() for p in model[4].parameters()))
    expected = propagate(ours, at, 1e-3, np.eye(2))
    v = np.random.default_rng(1).standard_normal(graph.theta.size)
    agree(metric.solve(v), expected.solve(v), 1e-10)


def true_lipschitz_constant(graph, points=200):
    """A lower bound: the largest norm of the Jacobian at random points."""
    u = np.random.default_rng(0).standard_normal((points, graph.inputs.size))
    return np.linalg.norm(graph.jacobian(NOTHING, u, graph.theta).D, 2, axis=(1, 2)).max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_lipschitz_constant_of_a_perceptron_is_proved_between_truth_and_product(dtype):
    model, example = made("perceptron", dtype)
    graph = from_torch(model, example)
    answer = certify(graph)
    assert isinstance(answer, Proved)
    assert isinstance(verify(answer.certificate), Proved)
    product = np.prod([np.linalg.norm(model[i].weight.detach().numpy(), 2) for i in (0, 2, 4)])
    assert true_lipschitz_constant(graph) <= answer.factor <= product * (1 + 1e-6)


@pytest.mark.slow
def test_the_lipschitz_constant_of_a_small_convolutional_network_is_proved():
    model, example = made("small convolutional", torch.float32)
    graph = from_torch(model, example)
    answer = certify(graph)
    assert isinstance(answer, Proved)
    product = layerwise_product(model)
    assert true_lipschitz_constant(graph, 50) <= answer.factor <= product


def layerwise_product(model):
    """The product of the norms of the affine parts of the model, as matrices by autograd."""
    shape, product = (1, 1, 8, 8), 1.0
    for layer in model:
        u = torch.zeros(shape)
        y = layer(u)
        if not isinstance(layer, nn.ReLU | nn.MaxPool2d):  # these have the constant one
            J = torch.autograd.functional.jacobian(layer, u).reshape(y.numel(), u.numel())
            product *= float(np.linalg.norm(J.double().numpy(), 2))
        shape = tuple(y.shape)
    return product


def test_the_contraction_of_a_recurrent_cell_in_its_loop_is_proved():
    torch.manual_seed(0)
    model = Cell(nn.RNNCell)
    with torch.no_grad():
        model.cell.weight_hh.mul_(0.6)
    graph = from_torch(model, (torch.zeros(1, 3), torch.zeros(1, 4)))
    memory = rm.UnitDelay(4)
    loop = (
        rm.Wiring(cell=graph, memory=memory)
        .input("u", "cell.u")
        .connect(f"memory.{memory.outputs.names[0]}", "cell.h")
        .connect("cell.y", f"memory.{memory.inputs.names[0]}")
        .output("h", "cell.y")
        .build()
    )
    answer = certify(loop)
    assert isinstance(answer, Proved)
    assert answer.factor < 1.0


def test_a_proof_about_a_layer_without_enclosure_is_refused_by_its_name():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    graph = from_torch(model, torch.zeros(1, 3))
    assert graph.origin.unproved == ("1",)
    with pytest.raises(UnsupportedError, match=r"TorchModule\(1\).*layer_norm"):
        certify(graph)
    box = graph.point(u=np.zeros(3))
    assert graph.output(box.x, box.u, box.theta).shape == (2,)


def test_enclosures_of_gates_contain_the_values_and_jacobians():
    graph = from_torch(*made("lstm cell"))
    rng = np.random.default_rng(0)
    centre = rng.standard_normal(graph.inputs.size)
    theta = interval(graph.theta, graph.theta)
    nothing = interval(NOTHING, NOTHING)
    found = graph.enclose(nothing, interval(centre - 0.1, centre + 0.1), theta)
    for _ in range(20):
        u = centre + rng.uniform(-0.1, 0.1, centre.shape)
        y, D = graph.output(NOTHING, u, graph.theta), graph.jacobian(NOTHING, u, graph.theta).D
        assert ((found.y.lower <= y) & (y <= found.y.upper)).all()
        assert ((found.D.lower <= D) & (found.D.upper >= D)).all()


@pytest.mark.parametrize("kind", [Language, Tied])
def test_indices_are_one_hot_vectors_and_rows_of_the_table_are_parameters(kind):
    torch.manual_seed(0)
    model = kind().double().eval()
    tokens = torch.tensor([[3, 1, 6, 0, 2]])
    graph = from_torch(model, tokens)
    assert graph.inputs["tokens"].shape == (5, 7)
    u = np.eye(7)[tokens[0].numpy()].ravel()
    y = model(tokens)
    agree(graph.output(NOTHING, u, graph.theta), y.detach().numpy().ravel())
    trained = dict(model.named_parameters())
    assert {of for of, _ in graph.origin.parameters.values()} == set(trained)
    assert graph.theta.size == sum(p.numel() for p in trained.values())
    weights = np.random.default_rng(0).standard_normal(y.numel())
    (y.reshape(-1) * torch.tensor(weights)).sum().backward()
    at = graph.differential(NOTHING, u, graph.theta)
    found = at.pull_parameters(np.zeros((0, 1)), weights[:, None])[:, 0]
    for parameter, values in graph.signature.parameters.unpack(found).items():
        of, places = graph.origin.parameters[parameter]
        agree(values.ravel(), trained[of].grad.numpy().ravel()[places])


def test_a_tied_network_is_proved_about():
    graph = from_torch(*made("tied autoencoder"))
    assert {layer.kind for layer in graph.origin.layers if "tied" in layer.kind} == {
        "MatrixGain, tied"
    }
    answer = certify(graph)
    assert isinstance(answer, Proved)
    twin = graph.with_parameters(0.5 * graph.theta)
    assert true_lipschitz_constant(graph) <= answer.factor
    assert true_lipschitz_constant(twin) < 0.5 * answer.factor


def normed_twice():
    """One table for two functions that stay torch's."""
    model = nn.Sequential(nn.LayerNorm(4), nn.Tanh(), nn.RMSNorm(4))
    model[2].weight = model[0].weight
    return model


def test_parameters_of_two_functions_of_torch_leave_the_model_whole():
    graph = from_torch(normed_twice().double(), torch.randn(1, 4, dtype=torch.float64))
    assert graph.origin.way == "one module"
    assert "'0.weight' is used by two layers" in graph.origin.refused["torch.export"]


def test_values_are_written_back_into_the_model():
    model, example = made("u-net")
    graph = from_torch(model, example)
    rng = np.random.default_rng(0)
    twin = graph.with_parameters(graph.theta + 0.1 * rng.standard_normal(graph.theta.size))
    graph.origin.write_parameters(twin, model)
    u = rng.standard_normal(64)
    agree(
        twin.output(NOTHING, u, twin.theta),
        model(torch.tensor(u).reshape(1, 1, 8, 8)).detach().numpy().ravel(),
    )
    with pytest.raises(SignatureError, match="parameters that were read"):
        graph.origin.write_parameters(graph, perceptron())


def test_reading_leaves_the_model_as_it_was():
    model, example = made("residual")
    before = {n: v.clone() for n, v in model.state_dict().items()}
    flags = [p.requires_grad for p in model.parameters()]
    from_torch(model, example)
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == flags
    assert all(p.grad is None for p in model.parameters())


class Cube(torch.autograd.Function):
    """A function in the old style, which torch.func refuses."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


class Cubed(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, u):
        return Cube.apply(self.linear(u))


def test_functions_that_only_export_understands_are_read():
    torch.manual_seed(0)
    model = Cubed().double()
    with pytest.raises(UnsupportedError, match="functorch"):
        TorchModule(model, rm.space(u=3))
    graph = from_torch(model, torch.zeros(1, 3, dtype=torch.float64))
    u = np.random.default_rng(0).standard_normal(3)
    point = torch.tensor(u)[None]
    D = torch.autograd.functional.jacobian(model, point).reshape(3, 3)
    agree(graph.output(NOTHING, u, graph.theta), model(point)[0].detach().numpy())
    agree(graph.jacobian(NOTHING, u, graph.theta).D, D.numpy())


class Detached(nn.Module):
    def forward(self, u):
        return u + u.detach()


class HalfUsed(nn.Module):
    def forward(self, u, v):
        return 2.0 * u


@pytest.mark.parametrize(
    ("model", "example", "message"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.Dropout()), torch.zeros(1, 3), r"\.eval\(\)"),
        (nn.Linear(3, 3).half(), torch.zeros(1, 3), r"\.double\(\)"),
        (Detached(), torch.zeros(1, 3), "detach"),
        (nn.Linear(4, 2), torch.zeros(1, 3), "1x3 and 4x2"),
    ],
    ids=["training", "half", "detached", "shapes"],
)
def test_what_is_no_map_is_refused_as_by_the_opaque_module(model, example, message):
    with pytest.raises(UnsupportedError, match=f"(?s){message}"):
        from_torch(model, example)


@pytest.mark.parametrize("example", [None, [], [1.0], torch.zeros(()), torch.zeros(0, 3)])
def test_an_example_that_is_none_is_refused(example):
    with pytest.raises(SignatureError, match=r"from_torch\(Linear\): expected example_inputs"):
        from_torch(nn.Linear(3, 2), example)


def test_an_input_that_changes_nothing_leaves_the_model_whole():
    graph = from_torch(HalfUsed(), (torch.zeros(1, 2), torch.zeros(1, 2)))
    assert graph.origin.way == "one module"
    assert "do not depend on the input 'v'" in graph.origin.refused["torch.export"]
    assert isinstance(graph.nodes["model"], TorchModule)


def test_a_graph_is_drawn_and_kept_in_a_file_by_its_expressions(tmp_path):
    graph = from_torch(*made("perceptron"))
    assert "Affine" in graph_to_mermaid(graph)
    path = tmp_path / "graph.json"
    save_result(graph, path)
    twin = load_result(path)
    u = np.random.default_rng(0).standard_normal((3, 3))
    agree(twin.output(NOTHING, u, twin.theta), graph.output(NOTHING, u, graph.theta))
    with pytest.raises(UnsupportedError, match=r"[tT]orch"):
        save_result(from_torch(*made("encoder layer")), tmp_path / "torch.json")
