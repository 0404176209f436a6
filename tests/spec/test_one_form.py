"""Arguments have one form: what a file says of a module is the call in Python, word for word."""

import json

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.errors import SignatureError, SpecError
from riemannian_modules.spec import System
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.registry import constructors
from riemannian_modules.spec.write import system_to_data
from tests.modules.instances import INSTANCES


def written(module):
    """What stands in a file for a module."""
    return json.loads(json.dumps(system_to_data(System(module))["system"]))


def read(entry):
    return system_from_data({"system": entry}).module


def assert_same(a, b):
    assert type(a) is type(b)
    assert a.signature == b.signature
    assert np.array_equal(a.theta, b.theta)
    x, u = np.full(a.state.size, 0.7), np.linspace(0.2, 0.9, a.inputs.size)
    for ours, theirs in zip(a.forward(x, u, a.theta), b.forward(x, u, b.theta), strict=True):
        assert np.array_equal(ours, theirs)


# The flow of a FlowMap is a module, which a file writes out and Python makes.
OF_MODULES = {
    kind
    for kind, constructor in constructors().items()
    if any("RiemannianModule" in argument.kinds for argument in constructor.arguments.values())
}
NAMED = {
    name: instance.module
    for name, instance in INSTANCES.items()
    if type(instance.module).__name__ in constructors().keys() - OF_MODULES
}


def test_every_kind_that_files_name_is_walked():
    assert "FlowMap" in OF_MODULES
    walked = {type(module).__name__ for module in NAMED.values()}
    assert walked == constructors().keys() - OF_MODULES


@pytest.mark.parametrize("module", NAMED.values(), ids=NAMED)
def test_what_a_file_says_is_the_call_in_python(module):
    entry = written(module)
    assert_same(read(entry), module)
    words = {key: value for key, value in entry.items() if key != "type"}
    made = getattr(rm, entry["type"])(**words)
    assert_same(made, module)
    assert written(made) == entry


# The call in Python, and the same words in a file.
LINEAR = ([[-1, 0], [0, -1]], [[1, 0], [0, 1]], [[1, 0], [0, 1]])
ABC = dict(zip("ABC", LINEAR, strict=True))
REACTIONS = {"bind": ("2 A + B -> C", 0.3), "lose": ("C ->", 0.1)}
LISTS = {"bind": ["2 A + B -> C", 0.3], "lose": ["C ->", 0.1]}
PORTS = [{"name": "q", "shape": [], "unit": "rad"}, {"name": "v"}]
WORDS = {
    "names of a mux": (rm.Mux("q v"), {"type": "Mux", "names": "q v"}),
    "names and sizes": (
        rm.Mux("q", x=2, r=(3, "m")), {"type": "Mux", "names": "q", "x": 2, "r": [3, "m"]}
    ),
    "units by name": (
        rm.Demux({"q": "rad", "x": 3}), {"type": "Demux", "names": {"q": "rad", "x": 3}}
    ),
    "a list of names": (rm.Mux(["a b", "c"]), {"type": "Mux", "names": ["a b", "c"]}),
    "signs by name": (rm.Sum(r="+", y="-"), {"type": "Sum", "r": "+", "y": "-"}),
    "signs in a mapping": (
        rm.Sum(named={"r": "+", "y": "-"}), {"type": "Sum", "named": {"r": "+", "y": "-"}}
    ),
    "reactions": (
        rm.MassAction.of(REACTIONS, external="B"),
        {"type": "MassAction", "reactions": LISTS, "external": "B"},
    ),
    "states in words": (
        rm.StateSpace(*LINEAR, state="q v", inputs={"u": [2, "V"]}),
        {"type": "StateSpace", **ABC, "state": "q v", "inputs": {"u": [2, "V"]}},
    ),
    "ports of a list": (
        rm.StateSpace(*LINEAR, state=PORTS), {"type": "StateSpace", **ABC, "state": PORTS}
    ),
    "a size as a list": (rm.Tanh([2, 3]), {"type": "Tanh", "size": [2, 3]}),
    "equations": (
        rm.Equations({"dx": "-k*x"}, state="x", parameters={"k": 2.0}),
        {"type": "Equations", "equations": {"dx": "-k*x"}, "state": "x", "parameters": {"k": 2.0}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "entry"), WORDS.values(), ids=WORDS)
def test_a_file_takes_the_words_of_python(made, entry):
    assert_same(read(entry), made)
    again = getattr(rm, entry["type"])(**{k: v for k, v in entry.items() if k != "type"})
    assert_same(again, made)
    assert_same(read(written(made)), made)


def test_reactions_are_written_as_reactions():
    entry = written(rm.MassAction.of(REACTIONS))
    assert entry == {"type": "MassAction", "reactions": LISTS, "external": "", "unit": ""}
    faster = rm.MassAction(reactions=REACTIONS).with_parameters({"bind": 0.6, "lose": 0.1})
    assert_same(read(written(faster)), faster)


def test_a_port_may_bear_the_name_of_an_argument():
    for mux in (
        rm.Mux(ports={"names": 2, "output": "m", "type": ""}),
        rm.Sum(named={"signs": "+"}),
    ):
        assert_same(read(written(mux)), mux)
    with pytest.raises(SignatureError, match="beside it and in it"):
        rm.Mux(a=2, ports={"a": 3})


def test_lists_and_mappings_that_change_after_construction_do_not_change_the_file():
    equations, sizes, rows = {"dx": "-x"}, {"a": 2}, [[1.0, 2.0]]
    modules = rm.Equations(equations, state="x"), rm.Mux(sizes), rm.Affine(rows)
    before = [written(module) for module in modules]
    equations["dx"], sizes["a"], rows[0][0] = "x", 3, 9.0
    assert [written(module) for module in modules] == before


WRONG = {
    "a name twice": ({"type": "Mux", "names": "q q"}, "'q'.*more than once"),
    "a port of no size": ({"type": "Mux", "names": {"q": -1}}, "'q': expected a unit"),
    "a list of nothing known": ({"type": "Mux", "names": [1, 2]}, "expected names such as"),
    "ports with strange keys": ({"type": "Mux", "names": [{"nam": "q"}]}, "name"),
    "both forms of a network": (
        {"type": "MassAction", "reactions": {"r": ["A -> B", 1.0]}, "species": "A B"}, "either"
    ),
    "a reaction without its rate": (
        {"type": "MassAction", "reactions": {"r": "A -> B"}}, "'r': expected a reaction and its"
    ),
    "a sign that is none": ({"type": "Sum", "sings": "+-"}, r"'\+' or '-'.*sings"),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "said"), WRONG.values(), ids=WRONG)
def test_wrong_words_are_refused_at_their_place(entry, said):
    with pytest.raises(SpecError, match=f"/system: .*{said}"):
        read(entry)
