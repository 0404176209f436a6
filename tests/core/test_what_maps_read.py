"""A map is traced once: what it reads beside its arguments may not change unseen, nor be chance."""

import copy
import random
import time
from types import SimpleNamespace

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify
from riemannian_modules.engine import linearize, simulate
from riemannian_modules.errors import TraceError
from riemannian_modules.region import box

NONE = np.zeros(0)
RATE = 1.0
SETTINGS = {"rate": 1.0}


class Decay(rm.Flow):
    """``x' = -rate x``, where the rate comes from wherever a test wants it."""

    state = rm.space("x")

    def __init__(self, rate, **held):
        super().__init__()
        self.rate = rate
        self.held = SimpleNamespace(**held)

    def equations(self, x, u, p):
        return {"x": -self.rate(self) * x.x}


def rate_of(flow):
    """The rate by every way that a map is asked for."""
    return {
        "forward": -flow.forward(np.ones(1), NONE, flow.theta)[0][0],
        "output of a graph": -rm.chain(flow).forward(np.ones(1), NONE, NONE)[0][0],
        "jacobian": -flow.jacobian(np.ones(1), NONE, flow.theta).A[0, 0],
        "expressions": -float(flow.expressions.dx[0] / flow.expressions.state[0]),
        "simulate": -np.log(simulate(flow, [0.0, 1.0], [1.0])["x"][-1]),
        "linearize": -linearize(flow, x=[0.0]).A[0, 0],
        "certify": -certify(flow, box(x=(-1, 1))).bound.rate,
    }


def closure():
    rate = 1.0

    def read(flow):
        return rate

    def change():
        nonlocal rate
        rate = 3.0

    return read, change


def changed_in_place(flow):
    flow.held.array[0] = 3.0


def changed_global():
    globals()["RATE"] = 3.0


READ, CHANGE = closure()
WAYS = {
    "an attribute": (lambda f: f.held.number, lambda f: setattr(f.held, "number", 3.0)),
    "an array in place": (lambda f: f.held.array[0], changed_in_place),
    "a list in place": (lambda f: f.held.list[0], lambda f: f.held.list.__setitem__(0, 3.0)),
    "a dict in place": (lambda f: f.held.dict["k"], lambda f: f.held.dict.update(k=3.0)),
    "a global": (lambda f: RATE, lambda f: changed_global()),
    "a global dict": (lambda f: SETTINGS["rate"], lambda f: SETTINGS.update(rate=3.0)),
    "a closure": (READ, lambda f: CHANGE()),
}


@pytest.fixture(autouse=True)
def _restored():
    yield
    globals()["RATE"] = 1.0
    SETTINGS["rate"] = 1.0


@pytest.mark.parametrize(("read", "change"), WAYS.values(), ids=list(WAYS))
def test_a_change_of_what_the_equations_read_is_noticed_everywhere(read, change):
    flow = Decay(read, number=1.0, array=np.ones(2), list=[1.0], dict={"k": 1.0})
    for way, rate in rate_of(flow).items():
        assert rate == pytest.approx(1.0, abs=1e-6), way
    change(flow)
    for way, rate in rate_of(flow).items():
        assert rate == pytest.approx(3.0, abs=1e-5), way


class Plain(rm.Flow):
    state = rm.space("x")
    k = 1.0
    scale = 1.0

    def __init__(self, k):
        super().__init__()
        self.k = k

    @property
    def doubled(self):
        return 2 * self.k

    def helper(self):
        return self.doubled / 2 * self.scale

    def equations(self, x, u, p):
        return {"x": -self.helper() * x.x}


def test_a_sweep_over_an_attribute_gives_each_value_its_own_trajectory():
    flow, ends = Plain(0.0), []
    for k in (1.0, 2.0, 3.0):
        flow.k = k
        ends.append(simulate(flow, [0, 1.0], [1.0])["x"][-1])
    assert np.allclose(ends, np.exp([-1.0, -2.0, -3.0]), atol=1e-6)


def test_what_methods_properties_and_the_class_read_is_noticed_too():
    flow = Plain(1.0)
    assert flow.forward(np.ones(1), NONE, NONE)[0] == -1.0
    Plain.scale = 5.0
    try:
        assert flow.forward(np.ones(1), NONE, NONE)[0] == -5.0
        flow.scale = 7.0  # now the instance's own, before the class's
        assert flow.forward(np.ones(1), NONE, NONE)[0] == -7.0
    finally:
        Plain.scale = 1.0


def test_parameters_that_are_set_or_changed_in_place_count_from_then_on():
    class Fading(rm.Flow):
        state, parameters = rm.space("x"), {"k": 1.0, "w": np.ones(2)}

        def equations(self, x, u, p):
            return {"x": -p.k * p.w[0] * x.x}

    flow = Fading()
    graph = rm.chain(flow, rm.Gain(1.0))

    def rates():
        modules = (flow, graph)
        return [-np.log(simulate(m, [0.0, 1.0], [1.0]).states[-1, 0]) for m in modules]

    assert np.allclose(rates(), 1.0, atol=1e-6)
    flow.parameters["k"] = 2.0
    assert np.allclose(rates(), 2.0, atol=1e-6)
    flow.parameters["w"] = np.array([1.5, 0.0])
    assert np.allclose(rates(), 3.0, atol=1e-6)
    flow.parameters["w"][0] = 2.0
    assert np.allclose(rates(), 4.0, atol=1e-6)
    flow.parameters = {"k": 5.0, "w": np.ones(2)}
    assert np.allclose(rates(), 5.0, atol=1e-6)
    assert flow.theta is flow.theta
    assert Fading().theta.tolist() == [1.0, 1.0, 1.0]


class Constants:
    rate = 1.0


class Inherited(rm.Flow):
    state = rm.space("x")

    def equations(self, x, u, p):
        return {"x": -Constants.rate * RATE * x.x}


def test_what_an_inherited_map_reads_is_noticed_as_well():
    class Derived(Inherited):
        def equations(self, x, u, p):
            return super().equations(x, u, p)

    flow = Derived()
    assert flow.forward(np.ones(1), NONE, NONE)[0] == -1.0
    changed_global()
    assert flow.forward(np.ones(1), NONE, NONE)[0] == -3.0
    Constants.rate = 2.0
    try:
        assert flow.forward(np.ones(1), NONE, NONE)[0] == -6.0
    finally:
        Constants.rate = 1.0


def test_a_graph_notices_that_one_of_its_leaves_has_changed():
    leaf = Plain(1.0)
    graph = rm.Wiring(one=leaf, two=Plain(1.0)).output("x", "one.x").build()
    assert simulate(graph, [0, 1.0], [1.0, 1.0])["x"][-1] == pytest.approx(np.exp(-1), abs=1e-6)
    leaf.k = 2.0
    leaf.forward(np.ones(1), NONE, NONE)  # the leaf itself has noticed; the graph must still
    assert simulate(graph, [0, 1.0], [1.0, 1.0])["x"][-1] == pytest.approx(np.exp(-2), abs=1e-6)


def test_copies_and_twins_with_other_parameters_change_by_themselves():
    class Scaled(Plain):
        parameters = {"a": 1.0}

        def equations(self, x, u, p):
            return {"x": -self.k * p.a * x.x}

    flow = Scaled(1.0)
    flow.expressions  # noqa: B018
    for twin in (copy.copy(flow), copy.deepcopy(flow), flow.with_parameters({"a": 1.0})):
        assert twin.expressions == flow.expressions
        twin.k = 4.0
        assert twin.forward(np.ones(1), NONE, twin.theta)[0] == -4.0
        assert flow.forward(np.ones(1), NONE, flow.theta)[0] == -1.0
    assert flow.with_parameters({"a": 2.0}).expressions is flow.expressions  # nothing traced again


def test_a_map_that_has_not_changed_is_not_traced_again():
    runs = []

    class Counted(Plain):
        def equations(self, x, u, p):
            runs.append(len(runs))  # written down, but no part of the map
            return super().equations(x, u, p)

    flow = Counted(1.0)
    first = flow.expressions
    flow.forward(np.ones(1), NONE, NONE)
    flow.jacobian(np.ones(1), NONE, NONE)
    assert flow.expressions is first
    assert runs == [0, 1]  # twice, to see that it repeats


GENERATOR = np.random.default_rng(0)


def drawing(draw):
    class Noisy(rm.StepMap):
        state = rm.space("x")

        def __init__(self):
            super().__init__()
            self.rng, self.count = np.random.default_rng(0), 0

        def equations(self, x, u, p):
            return {"x": 0.9 * x.x + draw(self)}

    return Noisy()


def counted(module):
    module.count += 1
    return module.count


CHANCES = {
    "random": (lambda m: random.gauss(0, 1), "changes the state of"),
    "a branch on random": (lambda m: 1.0 if random.random() < 2 else 0.0, "changes the state of"),
    "numpy's own": (lambda m: np.random.normal(), "changes the state of"),  # noqa: NPY002
    "a generator": (lambda m: m.rng.normal(), "changes self.rng"),
    "a global generator": (lambda m: GENERATOR.normal(), "changes GENERATOR"),
    "a new generator": (lambda m: np.random.default_rng().normal(), "x is .* in one run and .* in"),
    "a clock": (lambda m: time.perf_counter(), "x is .* in one run and .* in the next"),
    "a count": (counted, "x is .* in one run and .* in the next"),
}


@pytest.mark.parametrize(("draw", "named"), CHANCES.values(), ids=list(CHANCES))
def test_maps_that_draw_or_read_a_clock_are_refused_by_name(draw, named):
    asked = {
        "expressions": lambda m: m.expressions,
        "forward": lambda m: m.forward(np.ones(1), NONE, NONE),
        "simulate": lambda m: simulate(m, np.arange(4), [0.0]),
        "certify": lambda m: certify(m, box(x=(-1, 1))),
        "a graph": lambda m: rm.Wiring(n=m, k=rm.Gain(1.0)).connect("n.x", "k.u")
        .output("y", "k.y").build().expressions,
    }  # fmt: skip
    for ask in asked.values():
        with pytest.raises(TraceError, match=f"Noisy: .*{named}.*an input"):
            ask(drawing(draw))


def test_a_seed_inside_of_the_equations_is_no_chance():
    flow = drawing(lambda m: np.random.default_rng(3).normal())
    x = simulate(flow, np.arange(3), [0.0])["x"]
    assert x[1] == np.random.default_rng(3).normal()
