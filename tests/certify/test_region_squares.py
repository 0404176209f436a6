"""Sums of squares on regions that constraints cut: what they prove, and what they must not."""

import json

import pytest

from riemannian_modules.certify import Estimated, checker, verify

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
    "region": {"sides": [["x", -2.0, 2.0]], "linear": [[[["x", 1.0]], "-inf", -1.0]]},
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
