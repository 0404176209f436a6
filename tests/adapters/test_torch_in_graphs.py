"""A torch network, a control block and a pathway in a loop, against the same loop all in torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine.propagation import propagate
from riemannian_modules.metrics import DenseFactor, low_rank_metric, scaled_identity_metric
from tests.strategies import rngs

torch = pytest.importorskip("torch")

from riemannian_torch import TorchModule  # noqa: E402
from tests.adapters.networks import perceptron  # noqa: E402

EPS = float(np.finfo(np.float64).eps)


class Filter(rm.Flow):
    """The control block: a lag of the error and its integral."""

    state = rm.space(error="uM", integral="uM h")
    inputs = rm.space(reference="uM", measured="uM")
    outputs = rm.space(features=2)
    parameters = {"rate": 2.0, "leak": 0.1}

    def equations(self, x, u, p):
        lag = p.rate * (u.reference - u.measured - x.error)
        return {"error": lag, "integral": x.error - p.leak * x.integral}, {"features": x.vector}


class Expression(rm.Flow):
    """The pathway: messenger and protein, with Hill activation by the drive."""

    state = rm.space(messenger="uM", protein="uM")
    inputs = rm.space(drive=1)
    outputs = rm.space(protein="uM")
    parameters = {"k": 1.5, "K": 0.8, "d_m": 0.7, "d_p": 0.3}

    def equations(self, x, u, p):
        drive = np.exp(u.drive[0])
        return {
            "messenger": p.k * drive**2 / (p.K**2 + drive**2) - p.d_m * x.messenger,
            "protein": x.messenger - p.d_p * x.protein,
        }, {"protein": x.protein}


def loop(net):
    """Reference -> filter -> network -> pathway -> back to the filter."""
    return (
        rm.Wiring(filter=Filter(), net=TorchModule(net, rm.space(u=2)), pathway=Expression())
        .input("reference", "filter.reference")
        .connect("filter.features", "net.u")
        .connect("net.y", "pathway.drive")
        .connect("pathway.protein", "filter.measured")
        .output("protein", "pathway.protein")
        .output("drive", "net.y")
        .build()
    )


def loop_in_torch(net):
    """The same, written in torch alone: ``(x, u, theta) -> (dx, y)`` of one point."""
    shapes = [(n, p.shape, p.numel()) for n, p in net.named_parameters()]

    def evaluate(x, u, theta):
        error, integral, messenger, protein = x
        rate, leak, own, pathway = torch.split(theta, [1, 1, sum(size for *_, size in shapes), 4])
        parts = torch.split(own, [size for *_, size in shapes])
        named = {n: part.reshape(shape) for (n, shape, _), part in zip(shapes, parts, strict=True)}
        y = torch.func.functional_call(net, named, (torch.stack([error, integral])[None],))[0]
        k, K, d_m, d_p = pathway
        drive = torch.exp(y[0])
        dx = [
            rate[0] * (u[0] - protein - error),
            error - leak[0] * integral,
            k * drive**2 / (K**2 + drive**2) - d_m * messenger,
            messenger - d_p * protein,
        ]
        return torch.stack(dx), torch.cat([protein[None], y])

    return evaluate


def drawn(rng, batch):
    torch.manual_seed(int(rng.integers(2**31)))
    net = perceptron(2, 4, 1).double()
    graph = loop(net)
    x, u = rng.uniform(0.2, 2.0, (batch, 4)), rng.uniform(0.5, 1.5, (batch, 1))
    theta = graph.theta * rng.uniform(0.8, 1.2, graph.theta.size)
    return net, graph, x, u, theta


def jacobians_in_torch(net, x, u, theta):
    """Every partial derivative by autograd: rows dx then y, columns x, u, theta."""
    evaluate = loop_in_torch(net)
    points = [tuple(map(torch.tensor, (xi, ui, theta))) for xi, ui in zip(x, u, strict=True)]
    return np.stack([
        np.concatenate([
            np.concatenate([part.numpy() for part in row], -1)
            for row in torch.autograd.functional.jacobian(evaluate, point)
        ])
        for point in points
    ])  # fmt: skip


def close(got, expected, size=1.0):
    """Equal but for the rounding of some hundred operations on numbers of the given size."""
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 500 * EPS * max(size, np.abs(expected).max())


@given(rngs, st.integers(1, 3))
def test_values_and_jacobians_of_the_loop_are_those_of_torch(rng, batch):
    net, graph, x, u, theta = drawn(rng, batch)
    evaluate = loop_in_torch(net)
    dx, y = graph.forward(x, u, theta)
    J = graph.jacobian(x, u, theta)
    whole = np.block([[J.A, J.B, J.E], [J.C, J.D, J.F]])
    close(whole, jacobians_in_torch(net, x, u, theta))
    for i in range(batch):
        expected = evaluate(*map(torch.tensor, (x[i], u[i], theta)))
        close(dx[i], expected[0].numpy())
        close(y[i], expected[1].numpy())


@given(rngs, st.integers(1, 3))
def test_costates_on_both_sides_of_the_boundary_are_autograds_gradients(rng, batch):
    net, graph, x, u, theta = drawn(rng, batch)
    p_dx, p_y = rng.standard_normal((batch, 4, 1)), rng.standard_normal((batch, 2, 1))
    at = graph.differential(x, u, theta)
    swept = at.costates(p_dx, p_y)
    evaluate = loop_in_torch(net)
    z = [torch.tensor(part, requires_grad=True) for part in (x, u, np.tile(theta, (batch, 1)))]
    drives = []
    # The network's own output, where the costate enters torch from the pathway.
    handle = net.register_forward_hook(lambda _m, _i, y: (y.retain_grad(), drives.append(y))[1])
    results = [evaluate(*(part[i] for part in z)) for i in range(batch)]
    handle.remove()
    loss = sum(
        (torch.tensor(p) * value).sum()
        for i, pair in enumerate(results)
        for p, value in zip((p_dx[i, :, 0], p_y[i, :, 0]), pair, strict=True)
    )
    loss.backward()
    close(swept.p_x[..., 0], z[0].grad.numpy())
    close(swept.p_u[..., 0], z[1].grad.numpy())
    close(at.pull_parameters(p_dx, p_y)[..., 0], z[2].grad.numpy())
    inside = list(graph.nodes).index("net")
    close(swept.leaf_y[inside][..., 0], np.concatenate([y.grad.numpy() for y in drives]))


@given(rngs, st.integers(1, 3))
def test_layerwise_and_joint_metrics_are_those_of_torchs_jacobians(rng, batch):
    net, graph, x, u, theta = drawn(rng, batch)
    S, S_x, mu = rng.standard_normal((2, 2)), rng.standard_normal((4, 3)), 0.1
    metric = propagate(graph, graph.point(x, u, theta), mu, S, S_x)
    by_theta = jacobians_in_torch(net, x, u, theta)[..., 5:]
    columns = np.concatenate(
        [by_theta[:, 4:].swapaxes(-1, -2) @ S, by_theta[:, :4].swapaxes(-1, -2) @ S_x], -1
    )
    U = np.concatenate(list(columns), -1) / np.sqrt(batch)
    dense = mu * np.eye(theta.size) + U @ U.T
    close(metric.joint.as_matrix(), dense)
    assert metric.layers == ("filter", "net", "pathway")
    start = 0
    for layer, size in zip(metric.layers, (2, 17, 4), strict=True):
        block = slice(start, start + size)
        close(metric[layer].as_matrix(), dense[block, block])
        start += size
    gradient = rng.standard_normal(theta.size)
    solved = metric.joint.solve(gradient)
    # Backward error: a residual of rounding beside |M| |x|.
    residual = dense @ solved - gradient
    assert np.abs(residual).max() <= 500 * EPS * np.abs(dense).sum(1).max() * np.abs(solved).max()


def test_our_descent_trains_the_live_network_through_the_loop():
    net, graph, x, u, theta = drawn(np.random.default_rng(3), 4)
    graph.nodes["net"].write_parameters(theta[2:19])
    place = graph.signature.parameters.slice_of("net.0.weight").start
    assert place == 2
    target = np.array([1.0, 0.5])

    def residual(theta):
        return graph.output(x, u, theta) - target

    theta = graph.theta
    before = np.sum(residual(theta)[:, 1] ** 2)
    for _ in range(5):
        at = graph.differential(x, u, theta)
        gradient = at.pull_parameters(np.zeros((4, 1)), residual(theta)[..., None])
        metric = propagate(graph, graph.point(x, u, theta), 1e-3, np.eye(2))
        theta = theta - metric.solve(gradient[..., 0].mean(0))
    graph.nodes["net"].write_parameters(theta[2:19])
    assert np.array_equal(graph.theta[2:19], theta[2:19])
    with torch.no_grad():
        drive = net(torch.tensor(x[:, :2])).numpy()
    assert np.sum((drive - 0.5) ** 2) < 1e-3 * before


@given(rngs)
def test_metrics_take_torch_tensors_from_a_models_jacobian(rng):
    module = TorchModule(perceptron(2, 3, 2).double(), rm.space(u=2))
    theta = module.theta
    F = module.jacobian(np.zeros(0), rng.standard_normal(2), theta).F
    ours = low_rank_metric(scaled_identity_metric(theta.size, 1.0), 0.1, DenseFactor(F.T))
    base = scaled_identity_metric(theta.size, torch.tensor(1.0, dtype=torch.float64))
    theirs = low_rank_metric(base, 0.1, DenseFactor(torch.tensor(F.T.copy())))
    v = rng.standard_normal(theta.size)
    solved = theirs.solve(torch.tensor(v))
    assert isinstance(solved, torch.Tensor)
    close(solved.numpy(), ours.solve(v))
