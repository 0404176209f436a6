"""A state may be named like an input or a parameter; regions, files and tables tell them apart."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import certify, coordinates, l2, verify
from riemannian_modules.engine import read_trajectory, simulate
from riemannian_modules.errors import RegionError
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.region import box
from riemannian_modules.spec import load_system, save_system
from riemannian_modules.testing import check_module

A = np.array([[-1.0, 0.4, 0.0], [0.0, -2.0, 0.1], [0.3, 0.0, -1.5]])
B, C, D = np.eye(3, 2), np.array([[1.0, 0.0, 2.0]]), np.array([[0.5, 0.0]])


def system(kind=rm.StateSpace, state="A u C", inputs="u D", outputs="A"):
    spaces = {"state": rm.space(state), "inputs": rm.space(inputs), "outputs": rm.space(outputs)}
    return kind(A, B, C, D, **spaces)


def plain(kind=rm.StateSpace):
    return system(kind, "x1 x2 x3", "v1 v2", "y")


@pytest.mark.parametrize("kind", [rm.StateSpace, rm.DiscreteStateSpace])
def test_a_state_space_module_takes_any_names(kind):
    named, other = system(kind), plain(kind)
    check_module(named)
    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((2, 3, 3)), rng.standard_normal((2, 3, 2))
    for ours, theirs in zip(
        named.forward(x, u, named.theta), other.forward(x, u, other.theta), strict=True
    ):
        assert np.array_equal(ours, theirs)
    assert named.signature.state.names == ("A", "u", "C")
    assert [s.names for s in named.signature.distinct] == [
        ("state.A", "state.u", "state.C"), ("input.u", "D"),
        ("parameter.A", "B", "parameter.C", "D_A_u"),
    ]  # fmt: skip


def test_the_parameters_block_of_d_may_share_its_name_with_an_input():
    one = rm.StateSpace([[-1.0]], [[1.0]], [[1.0]], [[2.0]], inputs=rm.space("D"))
    assert [s.names for s in one.signature.distinct] == [
        ("x",), ("input.D",), ("A", "B", "C", "parameter.D")
    ]  # fmt: skip
    check_module(one)


def test_a_region_speaks_of_qualified_names_and_says_so():
    sides = {"state.A": (-1, 1), "state.u": (-2, 2), "input.u": (-3, 3), "parameter.A": (-4, 4)}
    with pytest.raises(RegionError, match=r"\['u'\].*known are: state\.A, state\.u"):
        system().contraction_rate(box(u=(-1, 1)))
    bound = system().contraction_rate(box({k: sides[k] for k in ("state.A", "input.u")}))
    assert bound == plain().contraction_rate(box(x1=(-1, 1)))


class Gene(rm.Flow):
    """A gene whose protein is named like the inducer, and its loss like its message."""

    state, inputs = rm.space("m q"), rm.space("q")
    parameters = {"m": 1.5}

    def equations(self, x, u, p):
        return {"m": np.tanh(u.q) - p.m * x.m - 0.1 * x.m**3, "q": 0.2 * x.m - x.q}


class Renamed(rm.Flow):
    state, inputs = rm.space("a b"), rm.space("w")
    parameters = {"k": 1.5}

    def equations(self, x, u, p):
        return {"a": np.tanh(u.w) - p.k * x.a - 0.1 * x.a**3, "b": 0.2 * x.a - x.b}


@pytest.mark.parametrize(
    "norm",
    [None, l2(), l2(lambda x, u, p: np.diag([1.0 + 0.1 * x.vector[0] ** 2, 1.0])),
     coordinates(lambda x, u, p: np.diag([p.vector[0], 2.0 + 0.1 * x.vector[0]]))],
)  # fmt: skip
def test_proofs_are_those_of_the_module_with_other_names(norm):
    ours = certify(
        Gene(), box({"state.m": (-1, 1), "input.q": (-2, 2), "parameter.m": (1.0, 2.0)}), norm=norm
    )
    theirs = certify(Renamed(), box(a=(-1, 1), w=(-2, 2), k=(1.0, 2.0)), norm=norm)
    assert type(ours) is type(theirs)
    assert ours.bound == theirs.bound
    assert "state.m in [-1.0, 1.0]" in str(ours)
    assert verify(ours.certificate).bound == ours.bound


def test_composites_states_and_parameters_may_share_names():
    graph = rm.chain(plant=system(outputs="u"), gain=rm.Gain(2.0))
    assert "state.plant.A" in graph.signature.distinct[0].names
    assert "parameter.plant.A" in graph.signature.distinct[2].names
    check_module(graph)
    loop = (
        rm.Wiring(plant=system(), gain=rm.Lag(0.1, -0.2))
        .connect("plant.A", "gain.u")
        .connect("gain.y", "plant.u")
        .input("D", "plant.D")
        .build()
    )
    check_module(loop)
    assert type(certify(loop)).__name__ == "Proved"


@pytest.mark.parametrize("module", [system(), Gene(m=1.25)])
def test_files_and_expressions_read_back(module, tmp_path):
    save_system(module, tmp_path / "m.json")
    read = load_system(tmp_path / "m.json").module
    assert read.signature == module.signature
    assert read.expressions == module.expressions
    s = module.signature
    spaces = (s.state, s.inputs, s.outputs)
    values = s.parameters.unpack(module.theta)
    check_module(ExpressionModule("again", s.time, spaces, values, module.expressions))


def test_a_trajectory_keeps_state_and_input_apart(tmp_path):
    path = simulate(system(), [0.0, 0.5, 1.0], {"A": 1.0, "u": 2.0, "C": 3.0}, {"u": 4.0, "D": 5.0})
    assert path.state("u")[0] == 2.0
    assert path.input("u")[0] == 4.0
    path.to_csv(tmp_path / "t.csv")
    header = (tmp_path / "t.csv").read_text().splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    read = read_trajectory(tmp_path / "t.csv", system())
    assert np.array_equal(read.states, path.states)
    assert np.array_equal(read.inputs, path.inputs)


def test_a_flow_map_tells_the_start_of_a_state_from_an_input():
    flow_map = rm.FlowMap(Gene(), 0.5)
    assert flow_map.signature.inputs.names == ("state.m", "state.q", "input.q")
    other = rm.FlowMap(Renamed(), 0.5)
    u = np.array([0.3, -0.4, 0.7])
    none = np.zeros(0)
    assert np.array_equal(
        flow_map.output(none, u, flow_map.theta), other.output(none, u, other.theta)
    )
