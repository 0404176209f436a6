"""Sums of squares on regions that constraints cut: what they prove, and what they must not."""

import json

import numpy as np
import pytest

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import Estimated, Proved, certify, l2, verify
from riemannian_modules.search import monolithic
from tests.cases.systems_regions import Mixture

# x' = x expands. In the "metric" M = x it seems to contract: 2 b M - Mdot - 2 M J = -5 x is
# nonnegative for b = -1 where x <= -1, and with w = x so is w M - 1 = (-1 - x) (1 - x).
BEYOND = ["+", ["*", "-1", "linear[0]"], "-1"]
ELSEWHERE = {
    "format": "riemannian-modules certificate",
    "version": 3,
    "claim": {
        "statement": "",
        "kind": "flow",
        "bound": -1.0,
        "norm": {"type": "l2", "let": [], "metric_terms": ["x"]},
    },
    "region": {
        "sides": [["x", -2.0, 2.0]],
        "linear": [[[["x", 1.0]], "-inf", -1.0]],
        "point": [-1.5],
    },
    "system": {
        "type": "expressions",
        "symbols": {"state": ["x"], "inputs": [], "parameters": []},
        "let": [],
        "dx": ["x"],
        "y": [],
        "guards": [],
    },
    "evidence": {
        "rule": "sos",
        "let": [],
        "atoms": [],
        "rate": [
            {"factor": "1", "rows": [0], "basis": ["1"], "gram": [["5"]]},
            {"factor": BEYOND, "rows": [0], "basis": ["1"], "gram": [["5"]]},
        ],
        "positive": {
            "weight": "x",
            "margin": "1",
            "point": [1.0],
            "squares": [
                {
                    "factor": ["*", BEYOND, ["+", ["*", "-1", "linear[0]"], "1"]],
                    "rows": [0],
                    "basis": ["1"],
                    "gram": [["1"]],
                }
            ],
        },
    },
}


@pytest.mark.parametrize("point", [1.0, -1.5])
def test_a_matrix_that_is_negative_on_the_region_is_no_metric_whatever_it_is_beyond(
    point, tmp_path
):
    data = json.loads(json.dumps(ELSEWHERE))
    data["evidence"]["positive"]["point"] = [point]
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(data))
    assert checker.main([str(path)]) == 4
    assert isinstance(verify(data), Estimated)


def test_what_boxes_alone_prove_with_a_sum_that_is_bounded_the_checker_proves(
    monkeypatch, tmp_path
):
    """The symmetric part holds ``k_0 + k_1``, which the Jacobian does not."""
    monkeypatch.setattr(monolithic, "_by_squares", lambda *_: None)
    module = Mixture([[-2, 0], [0, -2]], [[1, 0], [1, 0]], [[0, 1], [0, 0.5]])
    region = rm.box(k=(0, 1)).linear({"k[0]": 1.0, "k[1]": 1.0}, upper=1.0)
    answer = certify(module, region, norm=l2(np.eye(2)))
    assert isinstance(answer, Proved)
    file = answer.certificate.save(tmp_path / "certificate.json")
    assert isinstance(verify(file), Proved)
    assert checker.check(checker.load(file))
