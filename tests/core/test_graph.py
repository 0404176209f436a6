"""A composite is a module: nesting, sharing, splitting and wiring change nothing but names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.errors import DomainError
from riemannian_modules.testing import check_module
from tests.modules.instances import loop
from tests.strategies import rngs

NONE = np.zeros(0)
EPS = 2.0**-52


def close(a, b, scale=1.0):
    return np.allclose(a, b, rtol=1e-13, atol=1e-13 * scale)


def network(rng, width=3):
    """A dense layer, an activation and a dense layer."""
    W1, W2 = rng.standard_normal((width, 2)), rng.standard_normal((1, width))
    return rm.Affine(W1, rng.standard_normal(width)), rm.Tanh(width), rm.Affine(W2)


def same_jacobian(first, second, x, u):
    J, K = (m.jacobian(x, u, m.theta) for m in (first, second))
    return all(close(getattr(J, k), getattr(K, k)) for k in "ABCDEF")


@given(rngs)
def test_a_chain_is_the_explicit_wiring_is_the_formula(rng):
    a, b, c = network(rng)
    explicit = (
        rm.Wiring(affine=a, tanh=b, affine_2=c)
        .input("u", "affine.u")
        .connect("affine.y", "tanh.u")
        .connect("tanh.y", "affine_2.u")
        .output("y", "affine_2.y")
        .build()
    )
    chained, u = a >> b >> c, rng.standard_normal((4, 2))
    assert chained.signature == explicit.signature
    y = np.tanh(u @ np.asarray(a.parameters["W"]).T + a.parameters["b"])
    y = y @ np.asarray(c.parameters["W"]).T
    for graph in (chained, explicit):
        assert close(graph.output(NONE, u, graph.theta), y)
    assert same_jacobian(chained, explicit, NONE, u)


@given(rngs)
def test_composition_is_associative(rng):
    a, b, c = network(rng)
    u = rng.standard_normal(2)
    left, right = (a >> b) >> c, a >> (b >> c)
    assert list(left.nodes) == list(right.nodes)
    assert np.array_equal(left.output(NONE, u, left.theta), right.output(NONE, u, right.theta))


def nested(module, depth):
    for _ in range(depth):
        s = module.signature
        wiring = rm.Wiring(inner=module)
        for name in s.inputs.names:
            wiring.input(name, f"inner.{name}")
        for name in s.outputs.names:
            wiring.output(name, f"inner.{name}")
        module = wiring.build()
    return module


@given(rngs, st.integers(1, 6))
def test_nesting_to_any_depth_is_the_flat_graph(rng, depth):
    flat = loop()
    deep = nested(flat, depth)
    x, u = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 3, 1))
    assert deep.signature.state.names == tuple(
        "inner." * depth + name for name in flat.signature.state.names
    )
    for a, b in zip(deep.forward(x, u, deep.theta), flat.forward(x, u, flat.theta), strict=True):
        assert np.array_equal(a, b)
    assert same_jacobian(deep, flat, x, u)
    assert deep.feedthrough == flat.feedthrough
    assert deep.expressions.dx == tuple(
        e.xreplace(
            dict(zip(flat.expressions.state, deep.expressions.state, strict=True)).copy()
        ).xreplace(dict(zip(flat.expressions.parameters, deep.expressions.parameters, strict=True)))
        for e in flat.expressions.dx
    )


def shortcut(rng):
    """A leaf with a state, one with inputs of two parts, and one that two others use."""
    D = rng.standard_normal((2, 2))
    A, B, C = (rng.standard_normal((2, 2)) for _ in range(3))
    return (
        rm.Wiring(plant=rm.StateSpace(A, B, C, D), tanh=rm.Tanh(2), sum=rm.Sum("++", size=2))
        .input("u", "tanh.u")
        .connect("tanh.y", "plant.u")
        .connect("plant.y", "sum.u1")
        .connect("tanh.y", "sum.u2")
        .output("y", "sum.y")
        .build()
    )


@given(rngs, st.booleans(), st.sampled_from([(), (3,), (2, 3)]))
def test_one_sweep_of_values_and_tangents_is_two_sweeps(rng, is_staged, batch):
    graph = loop() if is_staged else shortcut(rng)
    assert graph.plan.is_whole is not is_staged
    s, theta = graph.signature, graph.theta
    x = rng.standard_normal((*batch, s.state.size))
    u = rng.standard_normal((*batch, s.inputs.size))
    t_x, t_u = rng.standard_normal((s.state.size, 3)), rng.standard_normal((s.inputs.size, 3))
    values, tangents = graph.push_forward(x, u, theta, t_x, t_u)
    for got, expected in zip(values, graph.forward(x, u, theta), strict=True):
        assert np.array_equal(got, expected)
    J = graph.jacobian(x, u, theta)
    for got, P, Q in ((tangents[0], J.A, J.B), (tangents[1], J.C, J.D)):
        assert close(got, P @ t_x + Q @ t_u, 100.0)


@given(rngs)
def test_a_module_in_two_places_has_one_set_of_parameters_and_the_sum_of_gradients(rng):
    layer, other = rm.Affine(rng.standard_normal((2, 2))), rm.Affine(np.zeros((2, 2)))
    shared = rm.chain(a=layer, b=rm.Tanh(2), c=layer)
    apart = rm.chain(a=layer, b=rm.Tanh(2), c=other)
    theta, u = shared.theta, rng.standard_normal((3, 2))
    both = np.concatenate([theta, theta])
    assert shared.signature.parameters.names == ("a.W", "a.b")
    assert close(shared.output(NONE, u, theta), apart.output(NONE, u, both))
    F, G = shared.jacobian(NONE, u, theta).F, apart.jacobian(NONE, u, both).F
    assert close(F, G[..., : theta.size] + G[..., theta.size :])
    twin = shared.with_parameters(2.0 * theta)
    assert twin.nodes["a"] is twin.nodes["c"]


class TwoWays(rm.StaticMap):
    """Two independent maps in one block: its block graph has loops that its port graph has not."""

    inputs, outputs = rm.space("a b"), rm.space("c d")
    parameters = {"k": 2.0, "l": 3.0}

    def map(self, u, p):
        return {"c": np.sin(p.k * u.a), "d": p.l / u.b}


def crossed():
    """``d = l / (2 sin(k a) + 3)``: the block feeds itself, port by port without a loop."""
    return (
        rm.Wiring(block=TwoWays(), gain=rm.Affine([[2.0]], [3.0]))
        .input("a", "block.a")
        .connect("block.c", "gain.u")
        .connect("gain.y", "block.b")
        .output("d", "block.d")
        .build()
    )


@given(rngs)
def test_a_block_is_computed_in_stages_where_its_ports_have_no_loop(rng):
    graph, a = crossed(), rng.standard_normal((5, 1))
    assert graph.feedthrough == {("a", "d")}
    inner = 2.0 * np.sin(2.0 * a) + 3.0
    assert close(graph.output(NONE, a, graph.theta), 3.0 / inner)
    J = graph.jacobian(NONE, a, graph.theta)
    slope = -3.0 / inner**2 * 4.0 * np.cos(2.0 * a)
    assert close(J.D, slope[..., None], 100.0)
    k, l = (graph.signature.parameters.slice_of(f"block.{n}") for n in "kl")
    assert close(J.F[..., k][..., 0], -3.0 / inner**2 * 2.0 * a * np.cos(2.0 * a), 100.0)
    assert close(J.F[..., l][..., 0], 1.0 / inner)


@given(rngs)
def test_the_enclosure_of_a_staged_block_contains_its_values(rng):
    graph, middle = crossed(), rng.uniform(-2.0, 2.0, (4, 1))
    box = interval(middle - 0.05, middle + 0.05)
    none = interval(np.zeros((4, 0)), np.zeros((4, 0)))
    e = graph.enclose(none, box, interval(graph.theta, graph.theta))
    for share in (0.0, 0.3, 1.0):
        a = middle - 0.05 + 0.1 * share
        y = graph.output(NONE, a, graph.theta)
        D = graph.jacobian(NONE, a, graph.theta).D
        assert ((y >= e.y.lower - 64 * EPS) & (y <= e.y.upper + 64 * EPS)).all()
        room = 1e-13 * np.abs(D)
        assert ((e.D.lower - room <= D) & (e.D.upper + room >= D)).all()
    assert (e.y.lower < e.y.upper).all()


def test_composites_keep_the_contract():
    rng = np.random.default_rng(1)
    a, b, c = network(rng)
    for graph in (crossed(), loop(), a >> b >> c, nested(loop(), 2), a >> nested(b, 1) >> c):
        check_module(graph, rng=rng)


def test_a_twin_of_a_chain_is_lengthened_like_the_chain():
    a, b, c = network(np.random.default_rng(0))
    chained = a >> b
    twin = chained.with_parameters(0.5 * chained.theta)
    assert list((twin >> c).nodes) == list((chained >> c).nodes)


def random_graph(rng, layers=5):
    """Layers in random wiring: each sums what some earlier ones give."""
    modules, wiring = {"n0": rm.Tanh(2)}, None
    sums: dict[str, list[str]] = {}
    for i in range(1, layers):
        k = int(rng.integers(1, min(i, 3) + 1))
        sums[f"n{i}"] = [f"n{j}" for j in sorted(rng.choice(i, k, replace=False))]
        modules[f"s{i}"] = rm.Sum("+-+"[:k], 2)
        modules[f"n{i}"] = rm.Affine(rng.standard_normal((2, 2))) if i % 2 else rm.Sigmoid(2)
    wiring = rm.Wiring(**modules).input("u", "n0.u")
    for name, sources in sums.items():
        for k, source in enumerate(sources):
            wiring.connect(f"{source}.y", f"s{name[1:]}.u{k + 1}")
        wiring.connect(f"s{name[1:]}.y", f"{name}.u")
    for i in range(layers):
        wiring.output(f"y{i}", f"n{i}.y")
    return wiring.build(), sums


@given(rngs)
def test_costates_are_the_gradients_of_the_loss(rng):
    graph, sums = random_graph(rng)
    u, theta = rng.standard_normal(2), graph.theta
    d = graph.differential(NONE, u, theta)
    p_y = rng.standard_normal((graph.signature.outputs.size, 1))
    swept = d.costates(np.zeros((0, 1)), p_y)
    # The same recursion written out with matrices: p_i = sum_j A_ji^T p_j + dl/dx_i (THEORY 2).
    values = graph.values(NONE, u, theta)
    at = {leaf.name: i for i, leaf in enumerate(graph.plan.leaves)}
    p = {f"n{i}": p_y[2 * i : 2 * i + 2].copy() for i in range(len(sums) + 1)}
    for name in reversed(list(sums)):
        module, i = graph.nodes[name], at[name]
        J = module.jacobian(NONE, values.leaf_inputs[i], theta[graph.plan.leaves[i].theta])
        back = J.D.T @ p[name]
        for sign, source in zip("+-+", sums[name], strict=False):
            p[source] += back if sign == "+" else -back
        got = d.leaves[i].pull_parameters(np.zeros((0, 1)), swept.leaf_y[i])
        assert close(got, J.F.T @ p[name], np.abs(p[name]).max() * 10)
    for name, expected in p.items():
        assert close(swept.leaf_y[at[name]], expected, np.abs(expected).max() * 10)
    # And the gradient of l = <p_y, y> in u and theta by central differences.
    gradient = np.concatenate([swept.p_u, d.pull_parameters(np.zeros((0, 1)), p_y)])[:, 0]
    z, h = np.concatenate([u, theta]), 1e-5
    for i in range(z.size):
        step = h * np.eye(z.size)[i]
        high, low = (graph.output(NONE, w[:2], w[2:]) @ p_y for w in (z + step, z - step))
        # h^2 f''' / 6 plus rounding / h, with derivatives of some hundreds at most.
        assert abs(gradient[i] - (high - low)[0] / (2 * h)) <= 1e-6 * (1 + np.abs(gradient).max())


def test_the_gradient_of_a_graph_with_states_flows_through_its_wiring():
    graph, rng = loop(), np.random.default_rng(3)
    x, u, theta = rng.standard_normal((4, 2)), rng.standard_normal((4, 1)), graph.theta
    p_dx, p_y = rng.standard_normal((4, 2, 1)), rng.standard_normal((4, 1, 1))
    J, d = graph.jacobian(x, u, theta), graph.differential(x, u, theta)
    swept = d.costates(p_dx, p_y)
    assert close(swept.p_x, J.A.mT @ p_dx + J.C.mT @ p_y)
    assert close(swept.p_u, J.B.mT @ p_dx + J.D.mT @ p_y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_and_parameters_that_are_no_numbers_are_refused(bad):
    graph = loop()
    with pytest.raises(DomainError, match=r"state.*plant\.q"):
        graph.point(x=[bad, 0.0])
    with pytest.raises(DomainError, match=r"parameters.*plant.k"):
        graph.with_parameters(np.full(graph.theta.size, bad))
