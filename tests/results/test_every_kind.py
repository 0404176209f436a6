"""Every kind of result is printed in two lines, kept, pickled, drawn, shown, or refused by name."""

import copy
import inspect
import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass
from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure

import riemannian_modules as rm
from riemannian_modules.certify import Certificate, Estimated, Proved, Refuted, SearchState, verify
from riemannian_modules.errors import CertificateError, RiemannianError, SpecError, UnsupportedError
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.results import draw_result, load_result, save_result
from riemannian_modules.results.codec import result_from_data, result_to_data
from riemannian_modules.results.keep import NotKept
from riemannian_modules.results.kinds import BY_TYPE, kind_of, kind_of_type
from riemannian_modules.spec import System, save_system
from tests.cli.commands import run, words_of
from tests.modules.instances import INSTANCES, loop
from tests.results.examples import EXAMPLES, FAMILIES, proof, undecided
from tests.results.found_kinds import found_kinds

NAMED = {
    **{f"{kind.__module__.split('.')[1]}.{kind.__name__}": m for kind, m in EXAMPLES.items()},
    **FAMILIES,
}
ANSWERS = {Proved: "proved", Estimated: "undecided", Refuted: "refuted"}
LONGEST = 1500  # characters of both lines


@cache
def example(name):
    return NAMED[name]()


# Of a family, such as the modules, one stands for all in what does not depend on the member.
one_of_each = pytest.mark.parametrize("name", [name for name in NAMED if name not in FAMILIES])
every_kind = pytest.mark.parametrize("name", NAMED)


def test_every_kind_that_the_library_returns_is_in_the_table():
    """Add one line to `results/kinds.py`, and one to `tests/results/examples.py`."""
    forgotten = {k.__name__: place for k, place in found_kinds().items() if not kind_of_type(k)}
    assert forgotten == {}


def test_every_kind_of_the_table_has_an_example():
    kinds = [kind.type for kind in BY_TYPE]
    assert len({*kinds}) == len(kinds)
    covered = {kind_of(example(name)).type for name in NAMED}
    inner = {"Descent", "FieldL2", "FactorL2"}  # made by fits and searches alone
    assert {kind.__name__ for kind in {*kinds} - covered} == inner


def test_every_final_class_of_a_kind_is_an_example():
    made = {type(example(name)) for name in NAMED}
    public = {
        kind
        for kind in found_kinds()
        if not inspect.isabstract(kind) and getattr(kind, "__final__", False)
    }
    assert {kind.__name__ for kind in public - made} == {"Descent"}


def test_inspection_finds_what_is_public_returned_or_shown():
    names = {kind.__name__ for kind in found_kinds()}
    assert {"Proved", "Trajectory", "Estimate", "Goal", "FreeL2", "LowRankMetric"} <= names


@every_kind
def test_it_prints_two_lines_without_an_address_or_a_whole_array(name):
    result = example(name)
    for text in (repr(result), str(result)):
        assert 1 <= len(text.splitlines()) <= 2, text
        assert 0 < len(text) <= LONGEST, text
        assert " at 0x" not in text
        assert "array(" not in text
        assert text.isprintable() or "\n" in text
    page = result._repr_html_()
    assert page.startswith("<div>")
    assert page.endswith("</div>")


def test_what_is_printed_does_not_grow_with_the_result():
    many = rm.space(**{f"signal_{i}": "m" for i in range(500)})
    wide = np.ones((300, 300))
    for result in (
        many, rm.Affine(wide), rm.box(dict.fromkeys(many.names, (0, 1))),
        rm.chain(*(rm.Tanh(2) for _ in range(50))),
        Certificate({"claim": {"statement": "x " * 5_000}, "evidence": {"rule": "sos"}}),
    ):  # fmt: skip
        assert len(repr(result)) <= LONGEST


def test_a_faulty_value_is_printed_for_the_error_message_about_it():
    for faulty in (rm.Box({"q": 3}), rm.Space(()).signals(np.ones(0)), Certificate([])):
        assert 1 <= len(repr(faulty).splitlines()) <= 2


def test_a_statement_that_is_cut_says_so():
    whole = "in the region (" + ", ".join(f"x{i} in [0, 1]" for i in range(900)) + ")"
    text = repr(Certificate({"claim": {"statement": whole}, "evidence": {"rule": "sos"}}))
    assert text.endswith("(goes on: see .statement)")


def test_names_are_escaped_in_notebooks():
    place = rm.box({"<script>alert(1)</script>": (0, 1)})
    assert "<script>" not in place._repr_html_()
    assert "&lt;script&gt;" in place._repr_html_()


@one_of_each
def test_no_answer_is_shown_as_another(name):
    result = example(name)
    title = repr(result).splitlines()[0]
    for kind, word in ANSWERS.items():
        assert title.startswith(word) == isinstance(result, kind)


def test_a_shortened_bound_is_still_one():
    flow = rm.StateSpace([[-1.0 / 3.0]], [[0.0]], [[1.0]])
    for bound in (flow.contraction_rate(), rm.Affine([[2.0 / 3.0]]).contraction_rate()):
        number = bound.rate if hasattr(bound, "rate") else bound.factor
        (shown,) = [float(w) for w in repr(bound).split() if w.lstrip("-")[:1].isdigit()]
        assert number <= shown <= number + 1e-5


@every_kind
def test_it_is_pickled_whole(name):
    result = example(name)
    assert same(pickle.loads(pickle.dumps(result)), result)


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        yield executor


def test_every_kind_goes_to_another_process_and_comes_back(pool):
    sent = {name: pool.submit(copy.deepcopy, example(name)) for name in NAMED}
    for name, future in sent.items():
        assert same(future.result(), example(name)), name


def test_what_was_computed_is_computed_again_after_a_pickle():
    """A module is compiled, a graph planned, a metric factored, a trajectory swept again."""
    for name, instance in INSTANCES.items():
        at = instance.module.point(*instance.around)
        before = instance.module.forward(at.x, at.u, at.theta)
        assert instance.module.feedthrough is not None
        twin = pickle.loads(pickle.dumps(instance.module))
        assert same(twin.forward(at.x, at.u, at.theta), before), name
    for name in (name for name in FAMILIES if name.startswith("metric")):
        before = example(name).solve(np.ones(6))
        assert same(pickle.loads(pickle.dumps(example(name))).solve(np.ones(6)), before), name
    path = example("engine.Trajectory")
    before = [path[signal] for signal in path.names]
    twin = pickle.loads(pickle.dumps(path))
    assert same([twin[signal] for signal in path.names], before)


def test_a_copy_in_the_same_process_keeps_what_was_computed():
    module = INSTANCES["flow"].module
    assert copy.copy(module).expressions is module.expressions


def test_a_region_that_a_system_file_cannot_hold_is_not_saved_without_its_constraints(tmp_path):
    place = rm.box({"plant.q": (-1, 1)}).linear({"plant.q": 1.0, "plant.v": 1.0}, upper=0.5)
    with pytest.raises(UnsupportedError, match="constraint"):
        save_system(System(loop(), region=place), tmp_path / "cut.json")
    assert not (tmp_path / "cut.json").exists()


@every_kind
def test_it_is_saved_and_read_back_or_refused_by_name(name, tmp_path):
    result, path = example(name), tmp_path / "result.json"
    keep = kind_of(result).keep
    try:
        save_result(result, path)
    except UnsupportedError as error:
        assert isinstance(keep, NotKept)
        assert_says_why(error, result)
        assert not path.exists()
        return
    assert not isinstance(keep, NotKept)
    json.loads(path.read_text(), parse_constant=pytest.fail)  # strict JSON
    found = load_result(path)
    assert kind_of(found).type is kind_of(result).type
    assert same(found, result)


def assert_says_why(error, result):
    """The refusal names the kind, and goes on with what to do instead."""
    before, _, after = str(error).partition(type(result).__name__)
    assert before.startswith(("save_result: a ", "draw_result: a "))
    assert len(after.split()) > 6


@one_of_each
def test_it_is_drawn_or_refused_by_name(name):
    result = example(name)
    try:
        figure = draw_result(result)
    except UnsupportedError as error:
        assert_says_why(error, result)
    else:
        assert isinstance(figure, Figure)


@one_of_each
def test_the_command_line_shows_what_is_saved(name, tmp_path):
    result, path = example(name), tmp_path / "result.json"
    try:
        save_result(result, path)
    except UnsupportedError:
        return
    shown = run("show", path)
    assert shown.exit_code == 0, shown.output
    title = repr(load_result(path)).splitlines()[0]
    assert title in " ".join(words_of(shown.output).split())


def same(a, b):
    """Whether two results are equal in all that they hold; a module by its map."""
    a, b = (v.item() if isinstance(v, np.generic) else v for v in (a, b))
    if isinstance(a, ExpressionModule) != isinstance(b, ExpressionModule):
        return same_map(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, rm.RiemannianModule):
        return same_map(a, b)
    if isinstance(a, SearchState):
        return a.to_data() == b.to_data()
    if isinstance(a, Certificate):
        return json.dumps(a.data) == json.dumps(b.data)
    if isinstance(a, np.random.Generator):
        return a.bit_generator.state == b.bit_generator.state
    if is_dataclass(a):
        names = [f.name for f in fields(a) if f.name != "tried"]
        return all(same(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, np.ndarray) and a.dtype.kind != "O":
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(a[k], b[k]) for k in a)
    if type(a).__eq__ is object.__eq__:
        return repr(a) == repr(b)
    return bool(np.all(a == b)) or (a != a and b != b)


def same_map(a, b):
    s, t = a.signature, b.signature
    if (s.time, s.state, s.inputs, s.outputs, s.parameters) != (
        t.time, t.state, t.inputs, t.outputs, t.parameters,
    ):  # fmt: skip
        return False
    x, u = np.full(s.state.size, 0.3), np.full(s.inputs.size, 0.2)
    pairs = zip(a.forward(x, u, a.theta), b.forward(x, u, b.theta), strict=True)
    return all(np.allclose(p, q, rtol=1e-13, atol=1e-15) for p, q in pairs)


def test_a_proof_in_a_file_is_proved_again_when_it_is_read(tmp_path):
    data = json.loads(save_result(proof(), tmp_path / "proof.json").read_text())
    claim = data["result"]["is"]["certificate"]["claim"]
    claim["bound"] -= 0.5
    (tmp_path / "edited.json").write_text(json.dumps(data))
    with pytest.raises(CertificateError, match="not read as a proof"):
        load_result(tmp_path / "edited.json")


def test_a_file_cannot_turn_an_estimate_into_a_proof(tmp_path):
    data = json.loads(save_result(undecided(), tmp_path / "open.json").read_text())
    data["result"]["kind"] = "Proved"
    (tmp_path / "open.json").write_text(json.dumps(data))
    with pytest.raises(RiemannianError):
        load_result(tmp_path / "open.json")


def test_a_certificate_that_is_read_is_a_claim_until_it_is_verified(tmp_path):
    proof().certificate.save(tmp_path / "certificate.json")
    found = load_result(tmp_path / "certificate.json")
    assert isinstance(found, Certificate)
    assert isinstance(verify(found), Proved)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "Popen", "is": {"args": "ls"}}, {"kind": "Dataset", "is": {"inputs": 1}},
        {"kind": "Refuted", "is": {}}, {"array": [1.0], "shape": [2], "of": "<f8"},
        {"array": [None], "shape": [1], "of": "O"}, {"enum": "Time", "member": "never"},
        {"mapping": [[1]]}, {"number": "1"}, [], {"kind": "Trajectory", "is": None},
        {"kind": "DiagonalMetric", "is": {"weights": "ones"}},
    ],
)  # fmt: skip
def test_what_no_result_wrote_is_refused_with_the_librarys_error(data):
    with pytest.raises(SpecError):
        result_from_data(data)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "riemannian-modules result"}'])
def test_a_damaged_file_is_refused_with_the_librarys_error(text, tmp_path):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(SpecError):
        load_result(tmp_path / "result.json")
    with pytest.raises(SpecError):
        load_result(tmp_path / "missing.json")


def test_what_is_no_result_is_refused_by_name(tmp_path):
    with pytest.raises(UnsupportedError, match=r"a builtins[.]object"):
        save_result(object(), tmp_path / "x.json")
    with pytest.raises(UnsupportedError, match="a set"):
        draw_result({1})
    with pytest.raises(UnsupportedError, match="function"):
        result_to_data(lambda: 0)


def test_a_class_or_function_that_no_other_process_can_import_is_refused_by_name():
    class Local(rm.StaticMap):
        inputs = outputs = rm.space("u")

        def map(self, u, p):
            return [2.0 * u.u]

    held = INSTANCES["flow"].module.with_parameters(INSTANCES["flow"].module.theta)
    held.unit = lambda q: 3.0 * q
    for module, name in ((Local(), "Local"), (held, "lambda")):
        with pytest.raises(UnsupportedError, match=name):
            pickle.dumps(rm.chain(rm.Gain(1.0), module) if name == "Local" else module)
        assert copy.deepcopy(module).signature == module.signature
        assert copy.copy(module).signature == module.signature
