"""One module object is one set of parameters wherever it stands: side by side, nested, in flows."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import FullBatch, NoProgress, fit, propagate
from riemannian_modules.spec import System, load_system, save_system


def decay(k=1.0):
    """x' = -k x."""
    return rm.MassAction("x", [[1]], [[0]], {"k": k})


def sampled(flow):
    """The states after 1 and after 3, of one flow."""
    return (
        rm.Wiring(one=rm.FlowMap(flow, 1.0), three=rm.FlowMap(flow, 3.0))
        .input("x0", "one.x", "three.x").output("x1", "one.x").output("x3", "three.x").build()
    )  # fmt: skip


def test_a_flow_in_two_flow_maps_has_one_parameter():
    graph = sampled(decay(0.5))
    assert graph.signature.parameters.coordinates == ("one.k",)
    x, u = np.zeros(0), np.array([2.0])
    y = graph.output(x, u, np.array([0.7]))
    np.testing.assert_allclose(y, 2 * np.exp([-0.7, -2.1]), rtol=1e-9)
    F = graph.jacobian(x, u, np.array([0.7])).F
    np.testing.assert_allclose(F[:, 0], -2 * np.array([1, 3]) * np.exp([-0.7, -2.1]), rtol=1e-8)


def test_it_stays_one_when_its_value_changes_and_through_a_file(tmp_path):
    changed = sampled(decay()).with_parameters({"one.k": 0.25})
    np.testing.assert_array_equal(changed.theta, [0.25])
    save_system(System(changed, "sampled"), tmp_path / "s.json")
    read = load_system(tmp_path / "s.json").module
    assert read.signature.parameters.coordinates == ("one.k",)
    for graph in (changed, read):
        y = graph.output(np.zeros(0), np.array([1.0]), graph.theta)
        np.testing.assert_allclose(y, np.exp([-0.25, -0.75]), rtol=1e-9)


def test_a_fit_has_one_rate_and_one_error_of_it():
    x0 = np.array([1.0, 2.0, 3.0])
    noise = 1e-3 * np.array([1.0, -1.0, 0.5])
    data = {"x0": x0, "x1": x0 * np.exp(-0.7) + noise, "x3": x0 * np.exp(-2.1) - noise}
    found = fit(sampled(decay()), data, schedule=FullBatch(30), progress=NoProgress())
    assert found.theta.shape == (1,)
    slopes = np.concatenate([-x0 * np.exp(-found.theta), -3 * x0 * np.exp(-3 * found.theta)])
    r = np.concatenate([data["x1"] - x0 * np.exp(-found.theta),
                        data["x3"] - x0 * np.exp(-3 * found.theta)])  # fmt: skip
    assert abs(slopes @ r) <= 1e-7 * np.abs(slopes) @ np.abs(r)  # the normal equation


def test_the_layers_metric_sums_over_the_places_of_a_flow():
    graph, mu = sampled(decay(0.7)), 1e-3
    point = graph.point(None, np.array([[2.0], [5.0]]))
    metric = propagate(graph, point, mu, np.eye(2))
    assert metric.layers == ("one",)
    F = graph.jacobian(point.x, point.u, point.theta).F[..., 0]  # (2, 2)
    np.testing.assert_allclose(metric["one"].as_matrix(), [[mu + (F**2).sum() / 2]], rtol=1e-8)


def composite(shared, own):
    """Two decays in parallel, one of them shared with others."""
    return rm.Wiring(a=shared, b=own).build()


@pytest.mark.parametrize("order", [("own", "shared"), ("shared", "own")])
def test_a_part_that_is_shared_by_two_flows_is_one_owner(order):
    shared = decay(0.5)
    parts = {"shared": lambda k: shared, "own": decay}

    def flow(k):
        first, second = (parts[name](k) for name in order)
        return rm.Wiring(a=first, b=second).build()

    graph = (
        rm.Wiring(one=rm.FlowMap(flow(1.0), 1.0), two=rm.FlowMap(flow(2.0), 2.0))
        .input("p", "one.a.x", "two.a.x").input("q", "one.b.x", "two.b.x")
        .output("y", "one.a.x").output("z", "one.b.x").output("v", "two.a.x")
        .output("w", "two.b.x").build()
    )  # fmt: skip
    place = {"shared": "a", "own": "b"} if order[0] == "shared" else {"shared": "b", "own": "a"}
    names = graph.signature.parameters.coordinates
    assert sorted(names) == sorted(
        [f"one.{place['shared']}.k", f"one.{place['own']}.k", f"two.{place['own']}.k"]
    )
    values = {f"one.{place['shared']}.k": 0.1, f"one.{place['own']}.k": 0.2,
              f"two.{place['own']}.k": 0.3}  # fmt: skip
    theta = graph.with_parameters(values).theta
    shared_rate = np.exp([-0.1, -0.2])
    wanted = {"shared": shared_rate, "own": np.exp([-0.2, -0.6])}
    a, b = wanted[order[0]], wanted[order[1]]
    point = graph.point(None, [1.0, 1.0], theta)
    y = graph.output(point.x, point.u, theta)
    np.testing.assert_allclose(y, [a[0], b[0], a[1], b[1]], rtol=1e-9)
    F = graph.jacobian(point.x, point.u, theta).F
    metric = propagate(graph, point, 1e-3, np.eye(4))
    for owner, size in zip(metric.layers, [1, 1, 1], strict=True):
        i = names.index(f"{owner}.k")
        np.testing.assert_allclose(
            metric[owner].as_matrix(), 1e-3 * np.eye(size) + F[:, i] @ F[:, i], rtol=1e-8
        )
    h = 1e-6
    for i in range(3):
        step = h * np.eye(3)[i]
        slope = (graph.output(point.x, point.u, theta + step)
                 - graph.output(point.x, point.u, theta - step)) / (2 * h)  # fmt: skip
        np.testing.assert_allclose(F[:, i], slope, atol=1e-6)


def test_the_same_object_twice_in_a_chain_and_in_a_wiring_is_one():
    layer = rm.Affine([[0.5]], [0.1])
    chain = rm.chain(layer, rm.Tanh(1), layer)
    assert chain.signature.parameters.size == 2
    twin = chain.with_parameters(2 * chain.theta)
    assert len(twin.owners) == len(chain.owners)
    nested = rm.Wiring(inner=rm.chain(layer, rm.Tanh(1)), outer=layer).connect(
        "inner.y", "outer.u"
    ).input("u", "inner.u").build()  # fmt: skip
    assert nested.signature.parameters.size == 2
