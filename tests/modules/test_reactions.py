"""Reactions are read as they are written, or refused with the mend."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spec import System
from riemannian_modules.spec.read import system_from_data
from riemannian_modules.spec.write import system_to_data
from riemannian_modules.testing import check_module

NONE = np.zeros(0)


def network(text, rate=2.0, **words):
    return rm.MassAction.of({"r": (text, rate)}, **words)


def change(module, **amounts):
    """The rates of change by species, at the given amounts."""
    x = [amounts[name] for name in module.state.names]
    dx, _ = module.forward(np.array(x, dtype=float), NONE, module.theta)
    return dict(zip(module.state.names, dx.tolist(), strict=True))


ONE_WAY = [
    "A -> B",
    "A->B",
    "A --> B",
    "A => B",
    "A ==> B",
    "A → B",
    "A ⟶ B",
    "A ⇒ B",
    " A  ->  B ",
]
BOTH_WAYS = ["A <-> B", "A<->B", "A <--> B", "A <=> B", "A ⇌ B", "A ⇋ B", "A ⇄ B", "A ↔ B", "A = B"]


@pytest.mark.parametrize("text", ONE_WAY)
def test_arrows_that_go_one_way(text):
    module = network(text)
    assert module.signature.parameters.names == ("r",)
    assert change(module, A=3.0, B=5.0) == {"A": -6.0, "B": 6.0}


@pytest.mark.parametrize("text", BOTH_WAYS)
def test_arrows_that_go_both_ways_take_a_constant_each(text):
    module = network(text, (2.0, 0.5))
    assert module.signature.parameters.names == ("r_forward", "r_reverse")
    assert change(module, A=3.0, B=4.0) == {"A": -4.0, "B": 4.0}
    check_module(module, around=([2.0, 2.0], None))


def test_constants_may_have_names_of_their_own():
    module = rm.MassAction.of(
        {"bind": ("A + B <-> C", {"k_on": 0.3, "k_off": 0.1}), "loss": ("C ->", {"d": 0.5})}
    )
    assert module.signature.parameters.names == ("k_on", "k_off", "d")
    assert module.theta.tolist() == [0.3, 0.1, 0.5]


@pytest.mark.parametrize(
    ("text", "consumed", "produced"),
    [
        ("2A -> B", [2, 0], [0, 1]),
        ("2*A -> B", [2, 0], [0, 1]),
        ("2 A -> B", [2, 0], [0, 1]),
        ("A + A -> B", [2, 0], [0, 1]),
        ("A + 2A -> B", [3, 0], [0, 1]),
        ("A -> 2 A", [1], [2]),
        ("-> A", [0], [1]),
        ("∅ -> A", [0], [1]),
        ("A ->", [1], [0]),
        ("A -> ∅", [1], [0]),
        ("A -> Ø", [1], [0]),
        ("A → 0", [1], [0]),
        ("α -> β", [1, 0], [0, 1]),
        ("2α + Δ1 -> β_2", [2, 1, 0], [0, 0, 1]),
        ("A -> 1.5 B", [1, 0], [0, 1.5]),
        ("A -> .5B + 1/2 C", [1, 0, 0], [0, 0.5, 0.5]),
        ("1.5 A + 0.5 A -> B", [2, 0], [0, 1]),
    ],
)
def test_sides_are_read(text, consumed, produced):
    module = network(text)
    assert module.consumed.tolist() == [consumed]
    assert module.produced.tolist() == [produced]


REFUSED = {
    "A <-> B": (2.0, r"goes both ways and takes two .*\('A <-> B', \(0\.3, 0\.1\)\).*2\.0"),
    "A = B": (2.0, "goes both ways"),
    "A ⇌ B ": ({"k": 1.0}, "goes both ways"),
    "A -> B": ((2.0, 1.0), r"goes one way and takes one rate constant, as \('A -> B', 0\.3\)"),
    "A->B": ("k1", r"'k1'.*Names of constants come with their values: \{'k': 0\.3\}"),
    "A <- B": (2.0, r"Write 'B -> A'"),
    "A + B ← C": (2.0, r"Write 'C -> A \+ B'"),
    "A -> B -> C": (2.0, "one reaction for each arrow"),
    "A B": (2.0, r"expected one '->' \(or '<->'"),
    "A": (2.0, "expected one '->'"),
    "->": (2.0, "expected a species"),
    "∅ -> ∅": (2.0, "expected a species"),
    "1.5 A -> B": (2.0, r"whole orders, but 'A' comes with 1\.5 .*Multiply the reaction"),
    "1/2 A -> B": (2.0, "whole orders"),
    "-2 A -> B": (2.0, r"got '-2 A'"),
    "A* -> B": (2.0, r"got 'A\*'.*A_p for A\*"),
    "Ca2+ -> B": (2.0, r"got ''.*Ca for Ca2\+"),
    "A + -> B": (2.0, "got ''"),
    "A + ∅ -> B": (2.0, "got '∅'"),
    "A, B -> C": (2.0, "got 'A, B'"),
    "A B -> C": (2.0, "got 'A B'"),
    "A-P -> A": (2.0, "got 'A-P'"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "given"), REFUSED.items(), ids=list(REFUSED))
def test_what_cannot_be_read_is_refused_with_the_mend(text, given):
    rate, said = given
    with pytest.raises(SignatureError, match=f"'r': .*{said}"):
        network(text, rate)


@pytest.mark.parametrize(
    "reactions",
    [{"r": "A -> B"}, {"r": ("A -> B",)}, {"r": (1.0, "A -> B")}, {"r": ("A -> B", 1.0, 2.0)},
     [("A -> B", 1.0)], {"r": ("A -> B", None)}, {"r": ("A <-> B", (1.0, None))}],
)  # fmt: skip
def test_other_values_than_a_reaction_and_its_constant_are_refused(reactions):
    with pytest.raises((SignatureError, DomainError)):
        rm.MassAction.of(reactions)


def test_a_reaction_may_have_any_name():
    assert rm.MassAction.of({"where": ("A -> B", 2.0)}).theta.tolist() == [2.0]
    assert rm.MassAction.of({"A": ("A -> B", 2.0)}).signature.distinct[2].names == ("parameter.A",)


def test_negative_constants_are_refused_by_their_names():
    with pytest.raises(DomainError, match="r_reverse"):
        network("A <-> B", (1.0, -1.0))


def test_a_constant_of_one_name_in_two_reactions_is_refused():
    with pytest.raises(SignatureError, match=r"\['k'\] come more than once"):
        rm.MassAction.of({"a": ("A -> B", {"k": 1.0}), "b": ("B -> A", {"k": 2.0})})
    with pytest.raises(SignatureError, match=r"\['a_reverse'\] come more than once"):
        rm.MassAction.of({"a": ("A <-> B", (1.0, 2.0)), "a_reverse": ("B -> A", 2.0)})


def test_matrices_take_yields_but_no_broken_orders():
    module = rm.MassAction("a b", [[1, 0]], [[0, 1.5]], {"k": 2.0})
    assert change(module, a=3.0, b=1.0) == {"a": -6.0, "b": 9.0}
    check_module(module, around=([2.0, 2.0], None))
    read = system_from_data(json.loads(json.dumps(system_to_data(System(module))))).module
    assert np.array_equal(read.produced, module.produced)
    with pytest.raises(SignatureError, match="'consumed' holds the reactions' orders"):
        rm.MassAction("a b", [[1.5, 0]], [[0, 1]], {"k": 2.0})
    for wrong in (-1, np.nan, np.inf):
        with pytest.raises(SignatureError, match="'produced' has to be"):
            rm.MassAction("a b", [[1, 0]], [[0, wrong]], {"k": 2.0})


SPECIES = ["A", "B2", "x_1", "γ"]
SIDE = st.dictionaries(st.sampled_from(SPECIES), st.integers(1, 3), max_size=3)


@given(SIDE, SIDE, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_the_law_of_mass_action(left, right, both_ways, random):
    """Against the formula, written out species by species."""
    if not (left or right):
        return

    def side(amounts):
        terms = [f"{n} {s}" if n > 1 else s for s, n in amounts.items()]
        return " + ".join(terms) or random.choice(["", "∅", "0"])

    arrow, k = ("<->", (0.7, 0.2)) if both_ways else ("->", 0.7)
    module = network(f"{side(left)} {arrow} {side(right)}", k)
    amounts = {s: 1.0 + 0.25 * i for i, s in enumerate(SPECIES)}
    rate = 0.7 * np.prod([amounts[s] ** n for s, n in left.items()])
    rate -= 0.2 * np.prod([amounts[s] ** n for s, n in right.items()]) if both_ways else 0.0
    got = change(module, **{s: amounts[s] for s in module.state.names})
    for s, value in got.items():
        expected = (right.get(s, 0) - left.get(s, 0)) * rate
        assert abs(value - expected) <= 1e-12 * (1 + abs(expected))
