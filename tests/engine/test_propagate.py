"""The propagated metric is the block diagonal of the dense Gauss-Newton or Fisher metric."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine.propagation import propagate
from riemannian_modules.errors import DomainError, MetricError, SignatureError
from riemannian_modules.metrics import (
    bernoulli_fisher_factor_of_logits,
    categorical_fisher_factor_of_logits,
    euclidean_factor,
    gaussian_scale_fisher_factor,
    hessian_factor,
    poisson_fisher_factor,
)
from tests.engine.layers import Layer, random_graph
from tests.strategies import rngs

MU, EPS = 0.3, np.finfo(float).eps
FACTORS = {
    "euclidean": euclidean_factor,
    "categorical": categorical_fisher_factor_of_logits,
    "bernoulli": bernoulli_fisher_factor_of_logits,
    "gaussian": lambda y: gaussian_scale_fisher_factor(np.exp(y[..., : y.shape[-1] // 2])),
    "poisson": lambda y: poisson_fisher_factor(np.exp(y)),
    "hessian": lambda y: hessian_factor(np.eye(y.shape[-1]) + y[..., None] * y[..., None, :]),
}


def inputs(rng, graph, batch):
    return graph.point(u=rng.standard_normal((*batch, graph.signature.inputs.size)))


def dense_metric(module, point, S):
    """The slow formula: mean over the batch of (F^T S)(F^T S)^T, with F from the dense Jacobian."""
    F = module.jacobian(point.x, point.u, point.theta).F
    U = (np.swapaxes(F, -1, -2) @ S).reshape(-1, F.shape[-1], S.shape[-1])
    return np.einsum("bik,bjk->ij", U, U) / len(U)


def close(got, wanted):
    # Sums of some hundred products of numbers near one.
    return np.abs(got - wanted).max() <= 1e4 * EPS * max(1.0, np.abs(wanted).max())


def blocks(module):
    """The place of each owner's parameters in theta."""
    sizes = [owner.signature.parameters.size for owner in module.owners.values()]
    ends = np.cumsum([0, *sizes])
    return dict(zip(module.owners, map(slice, ends[:-1], ends[1:]), strict=True))


@pytest.mark.parametrize("name", FACTORS)
@given(rngs, st.integers(1, 5), st.sampled_from([(), (1,), (3,), (2, 3)]), st.booleans())
@settings(max_examples=12)
def test_layers_are_the_blocks_of_the_dense_metric(name, rng, count, batch, shared):
    graph = random_graph(rng, count, own_metric=True, shared=shared)
    point = inputs(rng, graph, batch)
    S = FACTORS[name](graph.output(point.x, point.u, point.theta))
    metric, dense = propagate(graph, point, MU, S), dense_metric(graph, point, S)
    for layer, place in blocks(graph).items():
        wanted = MU * graph.owners[layer].local_metric().parameters.as_matrix()
        assert close(metric[layer].as_matrix(), wanted + dense[place, place])


@given(rngs, st.integers(1, 4), st.booleans())
def test_the_joint_metric_is_the_dense_damped_one(rng, count, shared):
    graph = random_graph(rng, count, own_metric=True, shared=shared)
    point = inputs(rng, graph, (3,))
    S = euclidean_factor(graph.output(point.x, point.u, point.theta))
    joint = propagate(graph, point, MU, S).joint
    M = MU * graph.local_metric().parameters.as_matrix() + dense_metric(graph, point, S)
    g = rng.standard_normal(len(M))
    tolerance = 1e3 * EPS * np.linalg.cond(M) * np.linalg.norm(g)
    assert close(joint.as_matrix(), M)
    assert np.linalg.norm(M @ joint.solve(g) - g) <= tolerance
    assert abs(joint.logdet() - np.linalg.slogdet(M)[1]) <= 1e3 * EPS * np.linalg.cond(M)


@given(rngs, st.integers(1, 4))
def test_solve_apply_and_logdet_go_layer_by_layer(rng, count):
    graph = random_graph(rng, count)
    point = inputs(rng, graph, (2,))
    metric = propagate(graph, point, MU, np.eye(graph.signature.outputs.size))
    g = rng.standard_normal(len(graph.theta))
    slow = {name: metric[name].as_matrix() for name in metric.layers}
    for name, place in blocks(graph).items():
        assert close(metric.apply(g)[place], slow[name] @ g[place])
        tolerance = 1e3 * EPS * np.linalg.cond(slow[name]) * np.linalg.norm(g)
        assert np.linalg.norm(slow[name] @ metric.solve(g)[place] - g[place]) <= tolerance
    logdet = sum(np.linalg.slogdet(M)[1] for M in slow.values())
    assert abs(metric.logdet() - logdet) <= 1e3 * EPS * len(g) * (1 + abs(logdet))


@given(rngs, st.integers(1, 3), st.integers(1, 3))
def test_a_composite_has_the_metrics_computed_node_by_node(rng, first, second):
    front, back = Layer(rng, [2, first], 3), Layer(rng, [3, second], 2)
    wiring = rm.Wiring(front=front, back=back).connect("front.out", "back.in0")
    graph = (
        wiring.input("a", "front.in0")
        .input("b", "front.in1")
        .input("c", "back.in1")
        .output("y", "back.out")
        .build()
    )
    point = inputs(rng, graph, (4,))
    a_b, c = point.u[:, : 2 + first], point.u[:, 2 + first :]
    middle = front.output(np.zeros(0), a_b, front.theta)
    at_back = back.point(u=np.concatenate([middle, c], axis=-1))
    at_front = front.point(u=a_b)
    arriving = back.jacobian(at_back.x, at_back.u, at_back.theta).D[:, :, :3]
    whole = propagate(graph, point, MU, np.eye(2))
    alone = propagate(back, at_back, MU, np.eye(2))
    before = propagate(front, at_front, MU, np.swapaxes(arriving, -1, -2))
    assert close(whole["back"].as_matrix(), alone["Layer"].as_matrix())
    assert close(whole["front"].as_matrix(), before["Layer"].as_matrix())
    nested = rm.Wiring(inner=graph, tail=Layer(rng, [2], 1)).connect("inner.y", "tail.in0")
    nested = nested.input("a", "inner.a").input("b", "inner.b").input("c", "inner.c")
    nested = nested.output("y", "inner.y").build()
    assert close(
        propagate(nested, nested.point(u=point.u), MU, np.eye(2))["inner.back"].as_matrix(),
        whole["back"].as_matrix(),
    )


@given(rngs, st.integers(1, 5), st.booleans())
def test_costates_are_gradients(rng, count, shared):
    graph = random_graph(rng, count, shared=shared)
    u, weights = inputs(rng, graph, ()).u, rng.standard_normal(graph.signature.outputs.size)
    metric = propagate(graph, graph.point(u=u), MU, weights[:, None])
    gradient = metric.joint.factor.as_matrix()[:, 0]
    h = 1e-5
    for i in range(len(gradient)):
        step = h * np.eye(len(gradient))[i]
        ahead, behind = (graph.output(np.zeros(0), u, graph.theta + s) for s in (step, -step))
        slope = weights @ (ahead - behind) / (2 * h)
        # Central differences: h^2 times a third derivative (up to some hundreds here), eps / h.
        assert abs(slope - gradient[i]) <= 3e-7 * (1 + np.abs(gradient).max())


@given(rngs, st.integers(1, 5), st.booleans(), st.integers(1, 3))
def test_local_output_metrics_reach_all_that_feed_them(rng, count, shared, columns):
    graph = random_graph(rng, count, local_columns=columns, shared=shared)
    point = inputs(rng, graph, (3,))
    outputs = graph.signature.outputs.size
    metric = propagate(graph, point, MU, np.eye(outputs))
    dense = dense_metric(graph, point, np.eye(outputs))
    for name, node in graph.nodes.items():
        # The node's own outputs shown as the composite's: its metric is then an output metric.
        seen = graph.with_nodes(graph.nodes)
        seen.output_sources, seen.outputs = {"y": (name, "out")}, rm.space(y=2)
        for cached in ("signature", "plan"):
            seen.__dict__.pop(cached, None)
        dense = dense + dense_metric(seen, point, np.broadcast_to(node.h, (3, *node.h.shape)))
    for layer, place in blocks(graph).items():
        wanted = MU * np.eye(place.stop - place.start) + dense[place, place]
        assert close(metric[layer].as_matrix(), wanted)
    joint = metric.joint.as_matrix()
    assert close(joint, MU * np.eye(len(joint)) + dense)


def test_a_single_module_adds_its_own_output_metric():
    rng = np.random.default_rng(5)
    layer = Layer(rng, [3], 2, local_columns=2)
    point = layer.point(u=rng.standard_normal((4, 3)))
    dense = dense_metric(layer, point, np.eye(2)) + dense_metric(layer, point, layer.h)
    got = propagate(layer, point, MU, np.eye(2))["Layer"].as_matrix()
    assert close(got, MU * np.eye(len(dense)) + dense)


class Decay(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"amount": 2.0, "rate": 0.7}

    def map(self, u, p):
        return {"y": p.amount * np.exp(-p.rate * u.t)}


class DecayInLogarithms(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"log_amount": np.log(2.0), "log_rate": np.log(0.7)}

    def map(self, u, p):
        return {"y": np.exp(p.log_amount) * np.exp(-np.exp(p.log_rate) * u.t)}


def test_without_mass_the_step_does_not_depend_on_the_parametrisation():
    """The change of the parameters' meaning is the same; it differs by O(mu) as mu goes to 0."""
    t = np.linspace(0.0, 3.0, 7)[:, None]
    direct, logs = Decay(), DecayInLogarithms()
    residual = np.cos(5 * t)
    differences = []
    for mu in (1e-3, 1e-5, 1e-7):
        changes = []
        for module in (direct, logs):
            point = module.point(u=t)
            F = module.jacobian(point.x, point.u, point.theta).F
            gradient = np.mean(F * residual[..., None], axis=(0, 1))
            changes.append(propagate(module, point, mu, np.eye(1)).solve(gradient))
        differences.append(np.abs(changes[0] / direct.theta - changes[1]).max())
    assert differences[1] <= 0.02 * differences[0]
    assert differences[2] <= 0.02 * differences[1]
    assert differences[0] > 1e-6


class Relay(rm.Flow):
    state, inputs, outputs = rm.space("q v"), rm.space("force"), rm.space("shown")
    parameters = {"stiffness": 3.0, "drag": 0.5}

    def equations(self, x, u, p):
        return {"q": x.v, "v": u.force - p.stiffness * np.sin(x.q) - p.drag * x.v}, {
            "shown": p.stiffness * x.q
        }


@given(rngs, st.integers(1, 3))
def test_a_metric_on_the_state_derivative_adds_to_that_on_the_outputs(rng, columns):
    flow = Relay()
    graph = rm.Wiring(flow=flow).input("force", "flow.force").build()
    x, u = rng.standard_normal((3, 2)), rng.standard_normal((3, 1))
    S, S_x = rng.standard_normal((1, 1)), rng.standard_normal((3, 2, columns))
    J = flow.jacobian(x, u, flow.theta)
    U = [np.swapaxes(J.F, -1, -2) @ S, np.swapaxes(J.E, -1, -2) @ S_x]
    wanted = MU * np.eye(2) + sum(np.einsum("bik,bjk->ij", V, V) for V in U) / 3
    for module, name in ((flow, "Relay"), (graph, "flow")):
        got = propagate(module, module.point(x, u), MU, S, S_x)[name].as_matrix()
        assert close(got, wanted)


def test_bad_requests_say_what_was_expected():
    rng = np.random.default_rng(0)
    layer = Layer(rng, [3], 2)
    point = layer.point(u=np.ones((4, 3)))
    with pytest.raises(MetricError, match=r"\(4, 2, 'r'\).*got \(3, 3\)"):
        propagate(layer, point, 1.0, np.eye(3))
    with pytest.raises(MetricError, match="at each point"):
        propagate(layer, point, 1.0, np.ones((5, 2, 2)))
    with pytest.raises(DomainError, match="output_factor"):
        propagate(layer, point, 1.0, np.full((2, 2), np.nan))
    with pytest.raises(DomainError, match="mu"):
        propagate(layer, point, 0.0, np.eye(2))
    with pytest.raises(SignatureError, match=r"no layer 'no'.*Layer"):
        propagate(layer, point, 1.0, np.eye(2))["no"]
    many = layer.point(u=np.ones((4, 3)), theta=np.ones((4, 8)))
    with pytest.raises(SignatureError, match="one theta"):
        propagate(layer, many, 1.0, np.eye(2))
