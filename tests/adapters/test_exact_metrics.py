"""The exact metrics of a torch model: against dense matrices, and against the core's own."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian, jacrev

import riemannian_modules as rm
from riemannian_modules import metrics
from riemannian_modules.engine import propagate
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_torch import GaussNewton, JointMetric, LayerMetric, ResidualMetric, diagnose
from riemannian_torch.gauss_newton.metric_choice import layers_of
from tests.adapters.networks import perceptron
from tests.adapters.test_gauss_newton import Spreading
from tests.adapters.trained_networks import TRAINED

MU = 0.03
ENTROPY = nn.CrossEntropyLoss()


def layer_columns(optimizer, closure):
    """Rows of each layer, and s, as a step sees them."""
    _, groups = optimizer._observer.of_closure(closure)
    rows = optimizer._rows(groups)
    return layers_of(rows, optimizer.model), torch.cat([g.shares for g in groups])


def flat(rows):
    return rows.formed().rows.reshape(len(rows.formed().rows), -1)


def formed(rows):
    """U^T of some parameters, (N, n)."""
    return torch.cat([flat(r) for r in rows.values()], 1)


def dense_metric(net, criterion, x, y):
    """The gradient and ``J^T G J`` with G the Hessian of the loss in all outputs, slowly."""
    theta = {k: p.detach() for k, p in net.named_parameters()}
    f, shape = net(x).detach(), net(x).shape
    J = jacrev(lambda t: functional_call(net, t, (x,)))(theta)
    J = torch.cat([j.reshape(f.numel(), -1) for j in J.values()], 1)
    value = lambda g: criterion(g.view(shape), y)  # noqa: E731
    G = hessian(value)(f.flatten())
    slope = torch.func.grad(value)(f.flatten())
    return J.T @ slope, J.T @ G @ J


def cases():
    labels = torch.tensor([0, 2, 3, -100, 1, 2, 2])
    real = torch.randn(7, 4, generator=torch.Generator().manual_seed(0)).double()
    zero_one, counts = (real > 0).double(), real.abs().round()
    weight = torch.tensor([0.5, 2.0, 1.0, 0.7]).double()
    return [
        (ENTROPY, labels),
        (nn.CrossEntropyLoss(weight, label_smoothing=0.1, reduction="sum"), labels),
        (ENTROPY, torch.softmax(real, 1)),
        (nn.BCEWithLogitsLoss(pos_weight=weight), zero_one),
        (nn.MSELoss(), real),
        (nn.MSELoss(reduction="sum"), real),
        (nn.PoissonNLLLoss(), counts),
    ]


@pytest.mark.parametrize("one", cases(), ids=lambda c: type(c[0]).__name__)
@pytest.mark.parametrize("metric", [JointMetric(), LayerMetric()], ids=["joint", "layers"])
def test_the_direction_solves_the_dense_system(one, metric):
    criterion, y = one
    torch.manual_seed(0)
    net, x = perceptron(3, 5, 4).double(), torch.randn(7, 3).double()
    g, M = dense_metric(net, criterion, x, y)
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in (net[0], net[2])]
    blocks = [len(g)] if isinstance(metric, JointMetric) else sizes
    eye = torch.eye(len(g)).double()
    kept = torch.block_diag(*[torch.ones(n, n) for n in blocks]).double()
    expected = torch.linalg.solve(M * kept + MU * eye, g)
    if isinstance(metric, LayerMetric):  # at most the best multiple in the joint metric
        expected *= min(1.0, g @ expected / (expected @ (M + MU * eye) @ expected))

    optimizer = GaussNewton(net, criterion, damping=MU, metric=metric)
    optimizer.step(lambda: criterion(net(x), y))
    found = torch.cat([optimizer.state[p]["direction"].flatten() for p in net.parameters()])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", TRAINED, ids=lambda case: case.__name__)
def test_the_columns_of_every_layer_make_the_dense_metric(case):
    torch.manual_seed(3)
    net, x, y, criterion, axis = case(4)
    x, y, net = *(t.double() if t.is_floating_point() else t for t in (x, y)), net.double()
    optimizer = GaussNewton(net, criterion, batch_axis=axis, metric=JointMetric())
    layers, s = layer_columns(optimizer, lambda: criterion(net(x), y))
    found = {p: r for rows in layers.values() for p, r in rows.items()}
    rows = {p: found[p] for p in net.parameters()}
    U = formed(rows)
    g, M = dense_metric(net, criterion, x, y)
    if not isinstance(criterion, nn.HuberLoss):  # its metric is no Hessian
        torch.testing.assert_close(U.T @ U, M, rtol=0, atol=1e-10 * float(M.abs().max()))
    torch.testing.assert_close(s @ U, g, rtol=0, atol=1e-10 * float(g.abs().max()))
    v = torch.randn_like(s)
    for p, r in rows.items():
        own = flat(r)
        torch.testing.assert_close(r.gram(), own @ own.T)
        torch.testing.assert_close(r.combined(v).flatten(), v @ own)
        torch.testing.assert_close(r.along(p.detach()), own @ p.detach().flatten())
        torch.testing.assert_close(flat(r.part(slice(1, 6))), own[1:6])


def test_with_one_output_and_squares_all_three_metrics_agree_in_every_layer():
    torch.manual_seed(0)
    net, criterion = perceptron(3, 5, 1).double(), nn.MSELoss()
    x, y = torch.randn(7, 3).double(), torch.randn(7, 1).double()
    closure = lambda: criterion(net(x), y)  # noqa: E731
    exact, _ = layer_columns(GaussNewton(net, criterion, metric=LayerMetric()), closure)
    _, (group,) = GaussNewton(net, criterion)._observer.of_closure(closure)
    for layer, rows in layers_of(group.rows, net).items():
        U = formed(rows) / torch.sqrt(2 * group.excess)[:, None]
        M = formed(exact[layer]).T @ formed(exact[layer])
        torch.testing.assert_close(U.T @ U, M, rtol=0, atol=1e-10 * float(M.max()))


@pytest.mark.parametrize(
    "metric", [ResidualMetric(), JointMetric()], ids=lambda m: type(m).__name__
)
def test_with_one_output_and_squares_both_joint_metrics_take_the_same_steps(metric):
    torch.manual_seed(0)
    nets = [perceptron(3, 5, 1).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    x, y, criterion = torch.randn(7, 3).double(), torch.randn(7, 1).double(), nn.MSELoss()
    for net, used in zip(nets, (ResidualMetric(), metric), strict=True):
        optimizer = GaussNewton(net, criterion, metric=used)
        for _ in range(5):
            optimizer.step(lambda net=net: criterion(net(x), y))
    for p, q in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("criterion", "y"), cases(), ids=lambda c: type(c).__name__)
def test_the_residuals_column_is_below_the_exact_metric_by_a_known_factor(criterion, y):
    """``U_b U_b^T <= (r^T G^+ r / 2 l_b) J^T G J`` by Cauchy and Schwarz; 1 for squares."""
    torch.manual_seed(0)
    net, x = perceptron(3, 5, 4).double(), torch.randn(7, 3).double()
    closure = lambda: criterion(net(x), y)  # noqa: E731
    exact, s = layer_columns(GaussNewton(net, criterion, metric=JointMetric()), closure)
    _, (group,) = GaussNewton(net, criterion)._observer.of_closure(closure)
    V = torch.cat([formed(rows) for rows in exact.values()], 1).unflatten(0, (4, 7))
    by_layer = layers_of(group.rows, net)
    rows = torch.cat([formed(own) for own in by_layer.values()], 1)
    newton = s.view(4, 7).square().sum(0)  # r^T G^+ r, for s is at right angles to S's kernel
    for b in range(7):
        factor = newton[b] / (2 * group.excess[b])
        if group.excess[b] == 0:  # an ignored label
            assert not bool(rows[b].count_nonzero())
            continue
        M, U = V[:, b].T @ V[:, b], rows[b] / torch.sqrt(2 * group.excess[b])
        least = torch.linalg.eigvalsh(factor * M - torch.outer(U, U))[0]
        assert float(least) > -1e-12 * float(factor * M.trace())
        if isinstance(criterion, nn.MSELoss):
            assert float(factor) == pytest.approx(1.0, rel=1e-12)


# ------------------------------------------------------------------------------ the core's own

ACTIVATIONS = [
    (nn.Tanh(), rm.Tanh), (nn.Sigmoid(), rm.Sigmoid), (nn.ReLU(), rm.ReLU),
    (nn.Softplus(), rm.Softplus), (nn.GELU(), rm.GELU), (nn.SiLU(), rm.SiLU),
    (nn.LeakyReLU(), rm.LeakyReLU), (nn.ELU(), rm.ELU),
]  # fmt: skip


class Scaled(nn.Module):
    """A gain of each number's own."""

    def __init__(self, size):
        super().__init__()
        self.k = nn.Parameter(torch.rand(size) + 0.5)

    def forward(self, x):
        return x * self.k


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a[0]).__name__)
@pytest.mark.parametrize(
    ("criterion", "y", "factor"),
    [
        (ENTROPY, torch.arange(9) % 4, metrics.categorical_fisher_factor_of_logits),
        (nn.MSELoss(), torch.ones(9, 4), lambda f: np.sqrt(2 / 4) * metrics.euclidean_factor(f)),
        (nn.BCEWithLogitsLoss(), torch.ones(9, 4),
         lambda f: 0.5 * metrics.bernoulli_fisher_factor_of_logits(f)),
        (nn.PoissonNLLLoss(), torch.ones(9, 4),
         lambda f: 0.5 * metrics.poisson_fisher_factor(np.exp(f))),
    ],
    ids=["categorical", "squares", "bernoulli", "poisson"],
)  # fmt: skip
def test_every_layers_metric_is_that_of_the_core(activation, criterion, y, factor):
    torch.manual_seed(0)
    torch_f, core_f = activation
    net = nn.Sequential(
        nn.Linear(3, 5), torch_f, Scaled(5), nn.Linear(5, 6, bias=False), torch_f, nn.Linear(6, 4)
    ).double()
    x, y = torch.randn(9, 3).double(), y if criterion is ENTROPY else y.double()
    W, b, k, K, V, c = (p.detach().numpy().copy() for p in net.parameters())
    graph = rm.chain(
        rm.Affine(W, b), core_f(5), rm.Gain(k), rm.MatrixGain(K), core_f(6), rm.Affine(V, c)
    )
    point = graph.point(u=x.numpy())
    f = graph.output(point.x, point.u, point.theta)
    core = propagate(graph, point, MU, factor(f))

    optimizer = GaussNewton(net, criterion, metric=LayerMetric())
    layers, _ = layer_columns(optimizer, lambda: criterion(net(x), y))
    assert len(layers) == len(core.layers) == 4
    for name, rows in zip(core.layers, layers.values(), strict=True):
        U, v = formed(rows), torch.randn(sum(p.numel() for p in rows)).double()
        K = sum(r.gram() for r in rows.values())
        damped = K + MU * torch.eye(len(K)).double()
        applied = U.T @ (U @ v) + MU * v
        solved = (v - U.T @ torch.linalg.solve(damped, U @ v)) / MU
        expected = core[name].apply(v.numpy()), core[name].solve(v.numpy())
        np.testing.assert_allclose(applied, expected[0], atol=1e-10 * np.abs(expected[0]).max())
        np.testing.assert_allclose(solved, expected[1], atol=1e-10 * np.abs(expected[1]).max())


class Skipping(nn.Module):
    """A residual connection around a layer that is used a second time."""

    def __init__(self):
        super().__init__()
        self.first, self.twice = nn.Linear(3, 4), nn.Linear(4, 4)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.twice(torch.tanh(h + self.twice(h)))


def test_residual_connections_and_a_layer_used_twice_have_the_metrics_of_the_core():
    torch.manual_seed(0)
    net, x, y = Skipping().double(), torch.randn(9, 3).double(), torch.arange(9) % 4
    W, b, V, c = (p.detach().numpy().copy() for p in net.parameters())
    twice = rm.Affine(V, c)
    wiring = rm.Wiring(
        first=rm.Affine(W, b), f=rm.Tanh(4), inner=twice, add=rm.Sum("++", 4), g=rm.Tanh(4),
        outer=twice,
    ).input("x", "first.u")  # fmt: skip
    for source, target in [("first", "f.u"), ("f", "inner.u"), ("f", "add.u1"),
                           ("inner", "add.u2"), ("add", "g.u"), ("g", "outer.u")]:  # fmt: skip
        wiring = wiring.connect(f"{source}.y", target)
    graph = wiring.output("y", "outer.y").build()
    point = graph.point(u=x.numpy())
    f = graph.output(point.x, point.u, point.theta)
    np.testing.assert_allclose(f, net(x).detach().numpy(), rtol=1e-12)
    core = propagate(graph, point, MU, metrics.categorical_fisher_factor_of_logits(f))
    layers, _ = layer_columns(
        GaussNewton(net, ENTROPY, metric=LayerMetric()), lambda: ENTROPY(net(x), y)
    )
    for name, layer in (("first", "first"), ("inner", "twice")):
        U = formed(layers[layer])
        expected = core[name].as_matrix() - MU * np.eye(U.shape[1])
        np.testing.assert_allclose(U.T @ U, expected, atol=1e-10 * np.abs(expected).max())


# -------------------------------------------------------------------------------- drawn columns


def test_drawn_columns_keep_the_gradient_and_are_the_exact_metric_on_average():
    torch.manual_seed(0)
    net, x, y = perceptron(3, 2, 4).double(), torch.randn(3, 3).double(), torch.tensor([0, 1, 3])
    g, M = dense_metric(net, ENTROPY, x, y)
    found = []
    for seed in range(400):
        optimizer = GaussNewton(net, ENTROPY, metric=JointMetric(columns=2, seed=seed))
        layers, s = layer_columns(optimizer, lambda: ENTROPY(net(x), y))
        U = torch.cat([formed(rows) for rows in layers.values()], 1)
        torch.testing.assert_close(s @ U, g, rtol=0, atol=1e-12)
        found.append(U.T @ U)
    found = torch.stack(found)
    error = (found.mean(0) - M).norm()
    expected = found.var(0).sum().sqrt() / np.sqrt(len(found))
    assert float(error) < 3.0 * float(expected)
    assert float(expected) < 0.1 * float(M.norm())


def test_drawn_columns_are_the_same_after_a_resume():
    torch.manual_seed(0)
    x, y = torch.randn(8, 3), torch.arange(8) % 4
    net, again = perceptron(3, 5, 4), perceptron(3, 5, 4)
    optimizer, resumed = (
        GaussNewton(n, ENTROPY, metric=JointMetric(columns=3)) for n in (net, again)
    )
    optimizer.step(lambda: ENTROPY(net(x), y))
    again.load_state_dict(net.state_dict())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.step(lambda: ENTROPY(net(x), y))
    resumed.step(lambda: ENTROPY(again(x), y))
    for p, q in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)


# ---------------------------------------------------------- loops with backward, samples that meet


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", TRAINED, ids=lambda case: case.__name__)
@pytest.mark.parametrize("metric", [JointMetric(columns=3), LayerMetric()], ids=["joint", "layers"])
def test_a_loop_with_backward_takes_the_steps_of_a_closure(case, metric):
    torch.manual_seed(3)
    net, x, y, criterion, axis = case(4)
    x, y, net = *(t.double() if t.is_floating_point() else t for t in (x, y)), net.double()
    twin = copy.deepcopy(net)
    closing, habit = (
        GaussNewton(n, criterion, batch_axis=axis, metric=metric) for n in (net, twin)
    )
    for _ in range(2):
        closing.step(lambda: criterion(net(x), y))
        habit.zero_grad()
        (0.5 * criterion(twin(x), y) + 0.5 * criterion(twin(x), y)).backward()
        habit.step()
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-7)


class NormedByBatch(nn.Module):
    """Layers with the means of the batch."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 4)
        self.norm = nn.BatchNorm1d(5, track_running_stats=False)

    def forward(self, x):
        return self.last(torch.tanh(self.norm(self.first(x))))


@pytest.mark.filterwarnings("ignore:GaussNewton. the samples of this model meet")
@pytest.mark.parametrize("make", [lambda: Spreading(7), NormedByBatch], ids=["graph", "normed"])
@pytest.mark.parametrize("is_backward", [False, True], ids=["closure", "backward"])
@pytest.mark.parametrize("one", cases()[:5], ids=lambda c: type(c[0]).__name__)
def test_the_direction_solves_the_dense_system_where_samples_meet(make, is_backward, one):
    torch.manual_seed(0)
    criterion, y = one
    net, x = make().double(), torch.randn(7, 3).double()
    g, M = dense_metric(net, criterion, x, y)
    expected = torch.linalg.solve(M + MU * torch.eye(len(g)).double(), g)
    optimizer = GaussNewton(net, criterion, damping=MU, metric=JointMetric())
    if is_backward:
        criterion(net(x), y).backward()
        optimizer.step()
    else:
        optimizer.step(lambda: criterion(net(x), y))
    found = torch.cat([optimizer.state[p]["direction"].flatten() for p in net.parameters()])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))
    assert diagnose(optimizer).loss == pytest.approx(
        float(optimizer.last_step.groups[0].excess.sum())
    )


# ---------------------------------------------------------------------- all that it cannot be had


@pytest.mark.parametrize("metric", [JointMetric(), LayerMetric()], ids=["joint", "layers"])
def test_losses_of_ones_own_have_the_metric_of_their_hessian(metric):
    torch.manual_seed(0)
    nets = [perceptron(3, 5, 4).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    x, y = torch.randn(7, 3).double(), torch.arange(7) % 4
    known = GaussNewton(nets[0], ENTROPY, metric=metric)
    own = GaussNewton(nets[1], metric=metric)

    def closure():
        f = nets[1](x)
        return f, nn.functional.cross_entropy(f, y, reduction="none") / len(y)

    for _ in range(3):
        known.step(lambda: ENTROPY(nets[0](x), y))
        own.step(closure)
    for p, q in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-7)


def test_an_output_metric_of_ones_own_is_the_one_that_is_used():
    torch.manual_seed(0)
    net = perceptron(3, 5, 2).double()
    x, S = torch.randn(7, 3).double(), torch.randn(7, 2, 3).double()
    target = torch.randn(7, 2).double()
    optimizer = GaussNewton(net, damping=MU, metric=JointMetric())

    def closure():
        f = net(x)
        return f, (f - target).square().sum(1), S

    optimizer.step(closure)
    found = torch.cat([optimizer.state[p]["direction"].flatten() for p in net.parameters()])
    torch.manual_seed(0)
    net = perceptron(3, 5, 2).double()
    theta = {k: p.detach() for k, p in net.named_parameters()}
    J = jacrev(lambda t: functional_call(net, t, (x,)))(theta)
    J = torch.cat([j.reshape(7, 2, -1) for j in J.values()], 2)
    U = torch.cat(list(S.mT @ J)).T
    g = (J.mT @ (2.0 * (net(x) - target).detach())[..., None]).sum(0)[:, 0]
    expected = torch.linalg.solve(U @ U.T + MU * torch.eye(len(g)).double(), g)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * float(expected.abs().max()))


def test_the_residuals_metric_is_measured_by_an_output_metric_of_ones_own():
    torch.manual_seed(0)
    nets = [perceptron(3, 5, 2).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    x, target = torch.randn(7, 3).double(), torch.randn(7, 2).double()
    hessian_root = np.sqrt(2.0) * torch.eye(2).double().expand(7, 2, 2)

    def losses(net):
        f = net(x)
        return f, (f - target).square().sum(1)

    plain, told = (GaussNewton(net) for net in nets)
    for _ in range(4):
        plain.step(lambda: losses(nets[0]))
        told.step(lambda: (*losses(nets[1]), hessian_root))
    assert float(plain._state.c) > 1.0
    for p, q in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize("S", [torch.ones(7, 2), torch.ones(7, 3, 2), "S"])
def test_factors_of_a_wrong_shape_are_refused_by_name(S):
    net, x = perceptron(3, 5, 2), torch.randn(7, 3)
    with pytest.raises(SignatureError, match="Call the model once"):
        GaussNewton(net).step(lambda: (net(x), net(x).square().sum(1)))
    with pytest.raises(SignatureError, match=r"S \(B, d, r\)"):
        GaussNewton(net).step(lambda: (net(x), net(x).square().sum(1), S))


def test_a_grossly_wrong_label_leaves_the_step_finite():
    for f in (nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.PoissonNLLLoss()):
        net = nn.Linear(1, 2, bias=False)
        net.weight.data = torch.tensor([[400.0], [-400.0]])
        x = -torch.ones(1, 1) * (0.02 if isinstance(f, nn.PoissonNLLLoss) else 1.0)
        y = torch.tensor([0]) if isinstance(f, nn.CrossEntropyLoss) else torch.tensor([[1.0, 0.0]])
        optimizer = GaussNewton(net, f, metric=JointMetric())
        before = float(optimizer.step(lambda net=net, f=f, x=x, y=y: f(net(x), y)).detach())
        assert optimizer.skipped == 0
        assert float(f(net(x), y).detach()) < before


def test_a_straight_line_has_no_exact_metric():
    net, x = perceptron(3, 5, 2), torch.randn(7, 3)
    optimizer = GaussNewton(net, metric=JointMetric())

    def closure():
        f = net(x)
        return f, (f.sum(1) + 100.0).relu()

    with pytest.raises(UnsupportedError, match="ResidualMetric"):
        optimizer.step(closure)


def test_many_columns_are_refused_with_their_cost():
    net, x, y = nn.Linear(2, 600), torch.randn(32, 2), torch.arange(32)
    optimizer = GaussNewton(net, ENTROPY, metric=JointMetric())
    with pytest.raises(UnsupportedError, match=r"19,200 columns.*GiB.*columns=2"):
        optimizer.step(lambda: ENTROPY(net(x), y))
    with pytest.warns(UserWarning, match=r"4,200 columns.*GiB"):
        optimizer.step(lambda: ENTROPY(net(x[:7]), y[:7]))
    wide = nn.Linear(2, 20_000)
    with pytest.raises(UnsupportedError, match=r"20,000.*GiB.*columns=2"):
        GaussNewton(wide, ENTROPY, metric=JointMetric()).step(lambda: ENTROPY(wide(x), y))
    GaussNewton(wide, ENTROPY, metric=JointMetric(columns=3)).step(lambda: ENTROPY(wide(x), y))
    with pytest.raises(DomainError, match="at least 2 columns"):
        JointMetric(columns=1)
