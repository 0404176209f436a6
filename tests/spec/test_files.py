"""System files: the way to disk and back, and refusals that name the place."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.errors import SpecError, UnsupportedError
from riemannian_modules.modules.affine import Affine
from riemannian_modules.region import box
from riemannian_modules.spec import System, load_system, save_system, system_schema
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.registry import constructors
from riemannian_modules.spec.system import FitTask, Goal, Simulation
from riemannian_modules.spec.write import system_to_data
from tests.spec.random_graphs import Leaky, random_graph
from tests.strategies import rngs


def assert_same_graph(a, b):
    assert (list(a.nodes), a.sources, a.fed, a.output_sources) == (
        list(b.nodes), b.sources, b.fed, b.output_sources
    )  # fmt: skip
    assert (a.signature, list(a.owners), a.is_row) == (b.signature, list(b.owners), b.is_row)
    assert np.array_equal(a.theta, b.theta)
    assert a.expressions == b.expressions
    assert list(a.modules) == list(b.modules)
    for name, part in a.modules.items():
        assert isinstance(b.modules[name], rm.ModuleGraph) == isinstance(part, rm.ModuleGraph)
        if isinstance(part, rm.ModuleGraph):
            assert_same_graph(part, b.modules[name])


@given(rngs)
@settings(max_examples=25, deadline=None)
def test_a_graph_survives_the_way_to_a_file_and_back(rng):
    graph = random_graph(rng)
    text = json.dumps(system_to_data(System(graph)), allow_nan=False)
    read = system_from_data(json.loads(text)).module
    assert_same_graph(graph, read)
    s = graph.signature
    x, u = rng.standard_normal(s.state.size), rng.standard_normal(s.inputs.size)
    for ours, theirs in zip(
        graph.forward(x, u, graph.theta), read.forward(x, u, read.theta), strict=True
    ):
        # The traced leaf's operations may be written in another order: a few rounding errors.
        assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@given(rngs)
@settings(max_examples=10, deadline=None)
def test_changed_parameters_are_what_a_file_holds(rng):
    graph = random_graph(rng, 1)
    changed = graph.with_parameters(graph.theta + rng.standard_normal(graph.theta.size))
    read = system_from_data(system_to_data(System(changed))).module
    assert np.array_equal(read.theta, changed.theta)


def test_arrays_that_change_after_construction_do_not_change_the_file():
    W = np.eye(2)
    layer = Affine(W)
    W[0, 0] = 7.0
    read = system_from_data(system_to_data(System(layer))).module
    assert np.array_equal(read.theta, layer.theta)


def test_every_section_survives(tmp_path):
    system = System(
        Leaky(), "leaky", "Two pools.", ("Somebody (1999)",),
        box({"q[0]": (-np.inf, 1.0), "k": (0.5, 2)}), Goal(0.5),
        Simulation(3.0, 11, {"q": [1.0, 2.0]}, {"u": [0.5, 0.5]}),
        FitTask("x.csv", "poisson", {"k": (0.0, np.inf)}),
    )  # fmt: skip
    save_system(system, tmp_path / "a.json")
    read = load_system(tmp_path / "a.json")
    assert system_to_data(read) == system_to_data(system)
    assert read.region == system.region


def sound():
    rng = np.random.default_rng(0)
    layer = Affine(rng.standard_normal((2, 2)))
    graph = rm.Wiring(net=layer, plant=Leaky(), twin=layer)
    graph.connect("plant.y", "net.u").connect("net.y", "plant.u").input("r", "twin.u")
    return system_to_data(System(graph.build()))


def put(*path):
    def change(data, value):
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


FAULTS = {
    "unknown key": (put("simulaton"), {}, r"/simulaton: unknown key .* 'simulation'"),
    "unknown key of a module": (
        put("system", "modules", "net", "bias"), 1.0, r"/system/modules/net/bias: unknown key"
    ),
    "unknown type": (
        put("system", "modules", "net", "type"), "Afine", r"net/type: .*mean 'Affine'"
    ),
    "no type": (put("system", "modules", "net"), {}, r"/system/modules/net/type"),
    "a string for a number": (
        put("system", "modules", "net", "W"), [["1"]], r"net/W: expected a number"
    ),
    "a ragged matrix": (
        put("system", "modules", "net", "W"), [[1, 2], [3]], r"/system/modules/net"
    ),
    "missing argument": (
        put("system", "modules", "net"), {"type": "Affine"}, r"net/W: this key is missing"
    ),
    "wrong parameter names": (
        put("system", "modules", "net", "parameters"), {"c": 1}, r"net/parameters: .*unknown names"
    ),
    "a place that is not there": (
        put("system", "modules", "twin", "place"), "nett", r"twin/place: .*mean 'net'"
    ),
    "unknown port": (put("system", "connect", 0, 0), "plant.z", r"/system: .*\n.*'plant.z'"),
    "a connection of three": (
        put("system", "connect", 0), ["a.b", "c.d", "e.f"], r"/system/connect/0"
    ),
    "unknown operator": (
        put("system", "modules", "plant", "expressions", "dx", 0), ["eval", "1"],
        r"/system/modules/plant/expressions/dx/0/0",
    ),
    "symbols that are not the states": (
        put("system", "modules", "plant", "state"), [{"name": "z", "shape": [2]}],
        r"modules/plant: ",
    ),
    "a side that is reversed": (put("region"), {"plant.q": [1, 0]}, r"/region: .*lower <= upper"),
    "a side that is no number": (put("region"), {"plant.q": ["big", 0]}, r"/region/plant.q/0"),
    "a region of strangers": (put("region"), {"plan.q": [0, 1]}, r"/region: .*mean 'plant.q'"),
    "a negative time": (put("simulation"), {"t_end": -1.0}, r"/simulation/t_end"),
    "another format": (put("format"), "riemannian-modules/system/9", r"/format"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "value", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_refused_at_its_place(change, value, said):
    data = copy.deepcopy(sound())
    change(data, value)
    with pytest.raises(SpecError, match=said):
        system_from_data(data, "f.json")


TEXTS = {
    "truncated": ('{"format": "x", "system": {', r"line 1.*truncated"),
    "empty": ("", r"truncated"),
    "not JSON": ("\n\nhello: 3\n", r"line 3"),
    "NaN": ('{\n"region": {"q": [NaN, 1]}}', r"line 2: expected a finite number, got NaN"),
    "infinity": ('{"region": {"q": [-Infinity, 1]}}', r"got -Infinity"),
    "a key twice": ('{"name": "a", "name": "b"}', r"'name'.* twice"),
    "a list": ("[]", r"expected"),
    "nested for ever": ("[" * 100_000, r"depth|levels"),
}


@pytest.mark.parametrize(("text", "said"), TEXTS.values(), ids=TEXTS)
def test_a_file_that_is_no_system_is_refused(tmp_path, text, said):
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(SpecError, match=said):
        load_system(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        load_system(tmp_path / "none.json")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    class Opaque(rm.RiemannianModule):
        time = rm.Time.STATIC

        def forward(self, x, u, theta):
            return x, u

        def jacobian(self, x, u, theta):
            raise NotImplementedError

    save_system(Leaky(), tmp_path / "f.json")
    before = (tmp_path / "f.json").read_text()
    with pytest.raises(UnsupportedError, match="Opaque"):
        save_system(Opaque(), tmp_path / "f.json")
    assert (tmp_path / "f.json").read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def test_a_metric_of_a_custom_module_is_not_lost_in_silence():
    class Heavy(Leaky):
        def local_metric(self):
            return super().local_metric()

    with pytest.raises(UnsupportedError, match="local_metric"):
        system_to_data(System(Heavy()))


def test_the_schema_names_every_module_type():
    assert set(constructors()) <= set(json.loads(json.dumps(system_schema()))["$defs"])


def one_of_each():
    """An instance of every module type that files may name."""
    eye = np.eye(2)
    linear = (-eye, eye, eye)
    made = {
        "Affine": lambda c: c([[1.0, 2.0]], 0.5, input="a"),
        "BackCalculationPID": lambda c: c(1.0, 2.0, 0.5, 0.1, lower=-1.0, upper=2.0, tracking=0.2),
        "ClampedPID": lambda c: c(1.0, 2.0, lower=-1.0, upper=2.0),
        "Demux": lambda c: c("a b", c=(2, "m")),
        "DiscreteObserver": lambda c: c(*linear, 0.1 * eye, sampling_time=0.25),
        "DiscreteStateSpace": lambda c: c(
            *linear, state=rm.space(x=(2, "m")), sampling_time=(0.1, "min")
        ),
        "DiscreteDelay": lambda c: c(3, (2, "m"), sampling_time=0.1),
        "DiscreteOutputFeedback": lambda c: c(
            *linear, 0.3 * eye, 0.1 * eye, at=np.arange(6.0), sampling_time=(0.1, "s")
        ),
        "DiscreteRateLimit": lambda c: c(0.3, 0.2, 2),
        "Equations": lambda c: c(
            {"dx": "A @ x + b*tanh(u)", "y": "x[0]/3"},
            state={"x": (2, "m")},
            inputs="u",
            outputs="y",
            parameters={"A": -eye, "b": [0.1, 2.0]},
            definitions={"twice": "2*u"},
        ),
        "FlowMap": lambda c: c(Leaky(k=[2.0, 3.0]), 0.5),
        "Gain": lambda c: c(2.0, 3, output_unit="m"),
        "GeneExpression": lambda c: c(20.0, 0.3, 0.07, unit="nM", time_unit="min"),
        "HillActivation": lambda c: c(1.0, 40.0, 2.0, 0.1),
        "HillRepression": lambda c: c(1.0, 40.0, 2.0, 0.1),
        "Lag": lambda c: c(2.0, 3.0, 2),
        "MassAction": lambda c: c("a b", [[1, 0]], [[0, 1]], {"k": 2.0}),
        "MatrixGain": lambda c: c(2 * eye),
        "MichaelisMenten": lambda c: c(1.0, 2.0),
        "Mux": lambda c: c("a b", c=2),
        "Observer": lambda c: c(*linear, 0.1 * eye),
        "OutputFeedback": lambda c: c(
            *linear, 0.3 * eye, 0.1 * eye, measurements="a b", controls=rm.space(F=(2, "N"))
        ),
        "PID": lambda c: c(1.0, 2.0, 0.5, 0.1),
        "Delay": lambda c: c(0.5, (2, "m"), history=[1.0, 2.0]),
        "PadeDelay": lambda c: c(0.5, 3, 2),
        "PhosphorylationCycle": lambda c: c(1.0, 2.0, 3.0, 0.1, 0.2),
        "Pool": lambda c: c(0.5, "a b", "c"),
        "RateLimit": lambda c: c(2.0, 1.0, 0.1, (2, "m")),
        "Sampled": lambda c: c(rm.DiscreteStateSpace(*linear), (0.1, "s")),
        "Resampled": lambda c: c(
            rm.DiscreteStateSpace(*linear, sampling_time=(0.1, "s")), (0.3, "s")
        ),
        "Saturation": lambda c: c(-2.0, 3.0, 2),
        "StateFeedback": lambda c: c(2 * eye, states="q v", controls=rm.space(F=(2, "N"))),
        "StateSpace": lambda c: c(*linear, state=rm.space(x=(2, "m"))),
        "Sum": lambda c: c("+-", 2),
        "TransferFunction": lambda c: c([1.0], [1.0, 2.0, 3.0]),
    }
    return [pytest.param(name, made.get(name, lambda c: c(2)), id=name) for name in constructors()]


@pytest.mark.parametrize(("name", "make"), one_of_each())
def test_each_module_type_survives(name, make):
    module = make(constructors()[name].cls)
    changed = module.with_parameters(module.theta * 1.25) if module.theta.size else module
    for original in (module, changed):
        data = json.loads(json.dumps(system_to_data(System(original)), allow_nan=False))
        assert data["system"]["type"] == name
        read = system_from_data(data).module
        assert type(read) is type(original)
        assert read.signature == original.signature
        assert np.array_equal(read.theta, original.theta)
        point = original.point(0.1 * np.ones(original.state.size), np.ones(original.inputs.size))
        for ours, theirs in zip(
            original.forward(point.x, point.u, point.theta),
            read.forward(point.x, point.u, point.theta),
            strict=True,
        ):
            assert np.array_equal(ours, theirs)
