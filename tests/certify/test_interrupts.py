"""Ctrl-C at any moment of `certify` leaves what was found: a proof, or a search to go on with."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import Budget, Estimated, Proved, certify, l2, trials
from riemannian_modules.search import monolithic
from riemannian_modules.search.boxes import pieces, subdivide
from riemannian_modules.search.boxes.search_state import load_search
from tests.certify.branching_problems import Swirl
from tests.cli.commands import ring

REGION = rm.box(x=(-1, 1.5), u=(0, 3))


def interrupted(*arguments, **options):
    raise KeyboardInterrupt


def searched(**options):
    return certify(Swirl(), REGION, norm=l2(np.eye(2)), **options)


AFTER_THE_SEARCH = [
    (subdivide, "regular_near"),
    (monolithic, "tighten_exactly"),
    (monolithic, "_refuted_or_open"),
]


@pytest.mark.parametrize(("module", "step"), AFTER_THE_SEARCH, ids=["near", "tighten", "refute"])
def test_an_interrupt_after_the_search_keeps_it(module, step, monkeypatch, tmp_path):
    options = {"rate": 100.0} if step == "_refuted_or_open" else {}
    with monkeypatch.context() as patched:
        patched.setattr(module, step, interrupted)
        save = tmp_path / "search.json.gz"
        answer = searched(budget=Budget(boxes=60, save=save), **options)
    kept = load_search(save)
    if step == "regular_near":  # the boxes are measured, and prove what they prove
        assert isinstance(answer, Proved)
    else:
        assert isinstance(answer, Estimated)
        assert answer.was_interrupted
        assert "interrupted" in answer.reason
        assert "resume" in answer.reason
        assert answer.undecided
        assert kept.boxes == answer.search.boxes
    again = searched(budget=Budget(boxes=60, save=save), resume=save, **options)
    assert not isinstance(again, Estimated)
    assert load_search(save).boxes >= kept.boxes >= 1


def test_an_interrupt_while_the_search_is_saved_saves_it(monkeypatch, tmp_path):
    calls, save = [], subdivide.SearchState.save

    def once(state, path):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return save(state, path)

    monkeypatch.setattr(subdivide.SearchState, "save", once)
    answer = searched(budget=Budget(boxes=60, save=tmp_path / "search.json"))
    assert len(calls) == 2
    assert load_search(tmp_path / "search.json").boxes >= 1
    assert isinstance(answer, (Proved, Estimated))


def test_no_rule_follows_an_interrupted_search(monkeypatch):
    monkeypatch.setattr(pieces, "measure", interrupted)
    monkeypatch.setattr(trials, "_network", lambda request: pytest.fail("a rule was begun"))
    region = rm.box({"a.q": (-1, 1), "b.q": (-1, 1)})
    answer = certify(ring(), region, rate=100.0)
    assert not isinstance(answer, Estimated) or answer.was_interrupted


@pytest.mark.parametrize("first", ["_slopes", "_whole"])
def test_an_interrupt_of_a_later_rule_keeps_the_earlier_answer(first, monkeypatch):
    module = rm.chain(rm.Affine([[0.3, 0.1], [0.0, 0.2]]), rm.Tanh(2))
    later = {"_slopes": "_whole", "_whole": "_slopes"}[first]
    whole = certify(module, rm.box(u=(-1, 1)))
    monkeypatch.setattr(trials, later, interrupted)
    if first == "_slopes":
        answer = certify(module, rm.box(u=(-1, 1)))
        assert isinstance(answer, Proved)
        assert answer.factor >= whole.factor
    else:
        with pytest.raises(KeyboardInterrupt):  # there is nothing yet
            certify(module, rm.box(u=(-1, 1)))
