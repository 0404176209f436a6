"""Bad requests to certify and verify raise the library's errors, and prove nothing."""

from pathlib import Path

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules import certify as ce
from riemannian_modules.errors import RiemannianError
from tests.bad_input.subjects import Decay, Step, closed_loop
from tests.bad_input.values import foreign_errors

SMALL = ce.Budget(boxes=20, seconds=2.0)
REGION = rm.box({"p.q": (-1, 1)})
CALLS = {
    "certify": (
        ce.certify,
        {
            "module": closed_loop(),
            "region": REGION,
            "norm": ce.l2(np.eye(2)),
            "input_norm": None,
            "rate": None,
            "factor": None,
            "budget": SMALL,
        },
    ),
    "certify a step": (
        ce.certify,
        {"module": Step(), "region": rm.box(q=(-1, 1)), "norm": ce.l2(np.eye(1)), "factor": None},
    ),
    "contraction_rate": (
        ce.contraction_rate,
        {"module": closed_loop(), "region": REGION, "norm": ce.l2(np.eye(2)), "budget": SMALL},
    ),
    "certify_network": (
        ce.certify_network,
        {
            "graph": closed_loop(),
            "region": REGION,
            "metrics": {"p": np.eye(2)},
            "rate": None,
            "factor": None,
        },
    ),
    "network_rate": (
        ce.network_rate,
        {"graph": closed_loop(), "region": REGION, "metrics": {"p": np.eye(2)}},
    ),
    "network_bound": (
        ce.network_bound,
        {
            "graph": closed_loop(),
            "lower": -np.ones(2),
            "upper": np.ones(2),
            "metrics": None,
            "weights": None,
        },
    ),
    "dag_gain": (
        ce.dag_gain,
        {"graph": Decay() >> rm.Tanh(), "lower": np.zeros(1), "upper": np.ones(1)},
    ),
    "l1": (ce.l1, {"weights": np.ones(2)}),
    "l2": (ce.l2, {"metric": np.eye(2), "condition": 1e3}),
    "linf": (ce.linf, {"weights": np.ones(2)}),
    "Budget": (
        ce.Budget,
        {
            "boxes": 5,
            "seconds": 1.0,
            "tolerance": 0.1,
            "progress": None,
            "executor": None,
            "batch": 10,
            "save": None,
        },
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_bad_arguments_raise_the_librarys_own_errors(name: str):
    call, arguments = CALLS[name]
    call(**arguments)
    assert foreign_errors(call, arguments) == []


@pytest.mark.parametrize("rate", [np.nan, np.inf, -np.inf])
def test_a_network_is_not_certified_at_a_rate_that_is_no_number(rate: float):
    with pytest.raises(RiemannianError, match="finite"):
        ce.certify_network(closed_loop(), rate=rate)


@pytest.mark.parametrize("source", [None, 3, "", "missing.json", ["a"], object()])
def test_what_is_no_certificate_is_not_verified(source: object):
    with pytest.raises(RiemannianError, match="certificate"):
        ce.verify(source)  # type: ignore[arg-type]


def test_a_certificate_cut_anywhere_is_refused(tmp_path: Path):
    answer = ce.certify(Step(), norm=ce.l2(np.eye(1)))
    assert isinstance(answer, ce.Proved)
    text = answer.certificate.save(tmp_path / "whole.json").read_text(encoding="utf-8").rstrip()
    cut = tmp_path / "cut.json"
    for length in range(0, len(text), max(1, len(text) // 40)):
        cut.write_text(text[:length], encoding="utf-8")
        with pytest.raises(RiemannianError, match=r"cut\.json"):
            ce.verify(cut)


def test_the_gain_of_a_dag_counts_a_port_as_often_as_it_is_read():
    doubled = (
        rm.Wiring(a=rm.Gain(1.0), sum=rm.Sum("++"))
        .input("r", "a.u")
        .connect("a.y", "sum.u1")
        .connect("a.y", "sum.u2")
        .output("y", "sum.y")
        .build()
    )
    shown_twice = (
        rm.Wiring(a=rm.Gain(1.0)).input("r", "a.u").output("y", "a.y").output("z", "a.y").build()
    )
    both = rm.Wiring(sum=rm.Sum("++")).input("r", "sum.u1", "sum.u2").output("y", "sum.y").build()
    side = np.ones(1)
    assert ce.dag_gain(doubled, -side, side) >= 2.0
    assert ce.dag_gain(both, -side, side) >= 2.0
    assert ce.dag_gain(shown_twice, -side, side) >= np.sqrt(2.0)
