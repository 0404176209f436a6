"""``a >> b >> ...`` is `chain`, noted down arrow by arrow and wired once."""

import copy
import pickle
from functools import reduce
from operator import rshift

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.errors import WiringError
from riemannian_modules.testing import check_module
from tests.modules.instances import Logistic, Pendulum, loop

NONE = np.zeros(0)


def layers(count, rng=None):
    rng = rng or np.random.default_rng(0)
    return [
        rm.Tanh(2) if i % 2 else rm.Affine(rng.standard_normal((2, 2)) / 2) for i in range(count)
    ]


def same(a, b):
    return (list(a.nodes), a.sources, a.fed, a.output_sources, a.tasks, list(a.modules)) == (
        list(b.nodes), b.sources, b.fed, b.output_sources, b.tasks, list(b.modules)
    ) and a.signature == b.signature and np.array_equal(a.theta, b.theta)  # fmt: skip


@pytest.fixture
def builds(monkeypatch):
    """The number of modules in each wiring that is built."""
    counted, build = [], rm.Wiring.build

    def counting(self):
        graph = build(self)
        counted.append(len(graph.modules))
        return graph

    monkeypatch.setattr(rm.Wiring, "build", counting)
    return counted


def grouped(modules):
    """``((a >> b) >> (c >> d)) >> ...``: halves joined to halves."""
    if len(modules) == 1:
        return modules[0]
    half = len(modules) // 2
    return grouped(modules[:half]) >> grouped(modules[half:])


@pytest.mark.parametrize(
    "compose",
    [lambda m: reduce(rshift, m), lambda m: reduce(lambda a, b: b >> a, m[::-1]), grouped],
)
def test_arrows_wire_nothing_and_the_first_reading_wires_once(builds, compose):
    modules = layers(300)
    row = compose(modules)
    assert builds == []
    assert row.signature.inputs.size == 2
    assert builds == [300]
    y = row.output(NONE, np.ones(2), row.theta)
    assert np.isfinite(y).all()
    assert builds == [300]
    assert same(row, rm.chain(*modules))


def test_an_arrow_looks_at_the_two_modules_that_it_joins(monkeypatch):
    """The work of an arrow does not grow with what is before it: ports compared, in all n - 1."""
    import riemannian_modules.graph.chains as chains

    compared, misfit = [], chains.misfit
    monkeypatch.setattr(chains, "misfit", lambda *a: compared.append(1) or misfit(*a))
    for count in (50, 100, 200):
        compared.clear()
        reduce(rshift, layers(count))
        assert len(compared) == count - 1


def test_a_row_of_any_length_is_listed_without_recursion():
    row = reduce(rshift, layers(5000))
    assert len(row.nodes) == 5000
    assert len(reduce(lambda a, b: b >> a, layers(5000)[::-1]).nodes) == 5000


def test_rows_that_share_a_beginning_are_independent():
    a, b, c, d = layers(4)
    start = a >> b
    left, right = start >> c, start >> d
    assert same(left, rm.chain(a, b, c))
    assert same(right, rm.chain(a, b, d))
    assert same(start, rm.chain(a, b))
    assert same(start >> c >> d, rm.chain(a, b, c, d))  # lengthened after it was wired


@pytest.mark.parametrize("read", [lambda row: row, lambda row: row.signature and row])
def test_what_is_wrong_is_told_at_its_arrow_with_the_names_of_the_row(read):
    first = read(rm.Affine(np.eye(2)) >> rm.Tanh(2))
    with pytest.raises(WiringError, match=r"'tanh.y' -> 'affine_2.u': 'affine_2.u' expects size 3"):
        first >> rm.Affine(np.ones((2, 3)))
    with pytest.raises(WiringError, match=r"tanh >> sum: .*match neither by name nor one by one"):
        first >> rm.Sum("+-")
    with pytest.raises(WiringError, match=r"expects unit \[m\], but 'demux.a' gives \[s\]"):
        rm.Demux(a="s") >> rm.Mux(a="m")
    flow = read(Pendulum() >> rm.Gain(1.0) >> rm.Gain(1.0))
    with pytest.raises(WiringError, match="'pendulum' runs in continuous time and 'unitdelay'"):
        flow >> rm.UnitDelay()
    slow = read(rm.UnitDelay(sampling_time=0.2) >> rm.Gain(1.0))
    with pytest.raises(WiringError, match=r"every 0\.2 and 'unitdelay_2' every 0\.1"):
        slow >> rm.UnitDelay(sampling_time=0.1)
    with pytest.raises(WiringError, match="Make an instance"):
        first >> rm.Tanh


def test_a_row_is_a_module_wherever_one_is_taken():
    for row in (Pendulum() >> rm.Gain(2.0), Logistic() >> rm.Tanh(), rm.Gain(2.0) >> loop()):
        check_module(row)
    row = layers(1)[0] >> layers(2)[1]
    assert same((row).with_parameters(row.theta), row)
    assert (rm.Gain(2.0) >> rm.UnitDelay()).time is rm.Time.DISCRETE
    inner = rm.Gain(2.0) >> rm.Lag(1.0)
    graph = rm.Wiring(a=inner).connect("a.y", "a.u").build()
    assert graph.signature.state.names == ("a.lag.x",)


def test_unwired_rows_are_copied_and_pickled():
    for make in (copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))):
        row = reduce(rshift, layers(400))
        twin = make(row)
        assert same(twin, row)
        u = np.ones(2)
        assert np.array_equal(twin.output(NONE, u, twin.theta), row.output(NONE, u, row.theta))
