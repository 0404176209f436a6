"""Operations on arrays are the graph: values, outputs and Jacobians against the sweep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.graph.assembly import assembled
from riemannian_modules.modules.activation import Tanh
from tests.spec.random_graphs import random_graph
from tests.strategies import rngs


def sizes(module):
    s = module.signature
    return s.state.size, s.inputs.size, s.parameters.size


def checked(module, rng):
    n, m, _ = sizes(module)
    x, u, theta = rng.standard_normal(n), rng.standard_normal(m), module.theta
    operations = assembled(module)
    dx, y = module.forward(x, u, theta)
    scale = 1.0 + np.abs(dx).max(initial=0.0)
    np.testing.assert_allclose(operations.derivative(x, u, theta), dx, atol=1e-12 * scale)
    np.testing.assert_allclose(operations.output(x, u, theta), y, rtol=1e-12, atol=1e-12)
    A = module.jacobian(x, u, theta).A
    ours = operations.jacobian(x, u, theta)
    np.testing.assert_allclose(ours.toarray(), A, atol=1e-11 * (1.0 + np.abs(A).max(initial=0.0)))
    X, U = rng.standard_normal((n, 3)), rng.standard_normal((m, 3))
    several = operations.derivative(X, U, theta)
    one = operations.derivative(X[:, 1], U[:, 1], theta)
    np.testing.assert_allclose(several[:, 1], one, rtol=1e-12, atol=1e-300)
    return operations


class Cell(rm.Flow):
    state, inputs, outputs = rm.space("x y"), rm.space("u"), rm.space("o s")
    parameters = {"a": 1.0, "b": 0.5}

    def equations(self, s, u, p):
        return (
            {"x": -p.a * s.x + np.tanh(s.y) + 0.3 * u.u, "y": -s.y + p.b * np.sin(s.x)},
            {"o": s.x, "s": s.x * s.y},
        )


class Gain(rm.StaticMap):
    inputs, outputs, parameters = rm.space("u"), rm.space("y"), {"k": 0.7}

    def map(self, u, p):
        return {"y": np.tanh(p.k * u.u)}


def ring(count, rng):
    w = rm.Wiring()
    for i in range(count):
        w.add(f"c{i}", Cell(a=rng.uniform(0.5, 2.0), b=rng.uniform(0.5, 2.0)))
        w.add(f"g{i}", Gain(k=rng.uniform(0.5, 2.0)))
    for i in range(count):
        w.connect(f"c{i}.s", f"g{i}.u")
        w.connect(f"g{i}.y", f"c{(i + 1) % count}.u")
    return w.output("last", f"g{count - 1}.y").build()


@given(rngs, st.integers(2, 6))
@settings(max_examples=10, deadline=None)
def test_a_ring_of_cells_and_gains(rng, count):
    operations = checked(ring(count, rng), rng)
    # One operation for the product, one for the gains, one for each of the cell's two rates.
    assert len(operations.outputs) == len(operations.rates) == 2


@given(rngs)
@settings(max_examples=25, deadline=None)
def test_random_graphs(rng):
    checked(random_graph(rng), rng)


@given(rngs)
@settings(max_examples=5, deadline=None)
def test_leaves_that_keep_their_matrices(rng):
    n = 70
    layer = rm.Affine(rng.standard_normal((n, n)) / n, rng.standard_normal(n))
    loop = rm.Wiring(layer=layer, act=Tanh(n), state=rm.Integrator(n))
    names = {
        k: (m.signature.inputs.names[0], m.signature.outputs.names[0])
        for k, m in (("layer", layer), ("act", Tanh(n)), ("state", rm.Integrator(n)))
    }
    for a, b in (("state", "layer"), ("layer", "act"), ("act", "state")):
        loop.connect(f"{a}.{names[a][1]}", f"{b}.{names[b][0]}")
    checked(loop.build(), rng)


class Diffusion(rm.Flow):
    """Reaction and diffusion in one module of vectors."""

    parameters = {"d": 3.0}

    def __init__(self, size, **values):
        self.state = rm.space(u=size, v=size)
        self.size = size
        super().__init__(**values)

    def equations(self, s, i, p):
        u, v = s.u, s.v
        left, right = np.concatenate([u[:1] * 0 + 1.0, u[:-1]]), np.concatenate([u[1:], u[:1]])
        low = np.where(v > 0, v, 0.1 * v) + np.maximum(u, 0.2) ** 1.5
        du = 1.0 + u * u * v - 4.0 * u + p.d * (left - 2.0 * u + right)
        return {"u": du, "v": 3.0 * u - u * u * v - low * np.mean(v) + np.exp(-v / 2)}


@pytest.mark.parametrize("size", [2, 3, 17])
def test_a_module_of_vectors_is_rolled_up(size):
    operations = checked(Diffusion(size), np.random.default_rng(size))
    assert len(operations.rates) <= 8  # edges have forms of their own


def test_a_chain_through_which_inputs_feed_is_computed_level_by_level():
    w = rm.Wiring(c=Cell())
    for i in range(5):
        w.add(f"g{i}", Gain(k=0.5 + i))
    w.connect("c.o", "g0.u").connect("g4.y", "c.u")
    for i in range(4):
        w.connect(f"g{i}.y", f"g{i + 1}.u")
    operations = checked(w.output("y", "g2.y").build(), np.random.default_rng(1))
    assert len(operations.outputs) == 6  # and the product that nothing needs


def test_modules_of_one_class_share_a_tracing_only_if_they_read_the_same():
    class Power(rm.Flow):
        state, parameters = rm.space("x"), {"k": 1.0}

        def __init__(self, exponent, **values):
            self.exponent = exponent
            super().__init__(**values)

        def equations(self, x, u, p):
            return {"x": -p.k * x.x**self.exponent}

    two, again, three = Power(2, k=3.0), Power(2), Power(3)
    assert two.expressions is again.expressions
    assert three.expressions is not two.expressions
    again.exponent = 3
    assert again.expressions == three.expressions
    x, none = np.array([2.0]), np.zeros(0)
    assert [m.forward(x, none, m.theta)[0][0] for m in (two, again, three)] == [-12, -8, -8]
    assert assembled(rm.Wiring(a=two, b=three).build()).derivative(
        np.array([2.0, 2.0]), none, np.array([3.0, 1.0])
    ).tolist() == [-12.0, -8.0]
