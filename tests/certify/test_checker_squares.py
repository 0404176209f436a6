"""Certificates by sums of squares: the checker proves what the search finds, and no edit of it."""

import json

import numpy as np
import pytest
import sympy as sp

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import Estimated, Proved, l2, verify
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.norms import FieldL2
from riemannian_modules.evidence.registry import certificate_of
from riemannian_modules.region import box
from riemannian_modules.search.squares.polynomial_metric import find_by_squares
from riemannian_modules.search.squares.square_search import prove_by_squares
from riemannian_modules.search.traced_problem import make_problem
from tests.certify import hand_written
from tests.certify.hand_written import changed
from tests.certify.test_certificate_schema import SCHEMA, fits


class Shear(rm.Flow):
    """``z1' = -z1, z2' = -2 z2`` for ``z1 = x + y^2, z2 = y``."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": -x.x - x.y**2 + 4 * x.y**2, "y": -2 * x.y}


class Step(rm.StepMap):
    """A step that is linear in sheared coordinates."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": 0.5 * (x.x + x.y**2) - (0.3 * x.y) ** 2, "y": 0.3 * x.y}


class Bounded(rm.Flow):
    """``x' = -x + x^3 / 6``, which contracts for ``x^2 < 2``."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": -x.x + x.x**3 / 6}


def certificate(module, region, norm_of, target):
    problem = make_problem(module, region)
    norm = norm_of(problem)
    proved = prove_by_squares(problem, norm, target)
    assert proved is not None
    b, evidence = proved
    data = certificate_of(Claim(problem, norm, b), evidence).data
    return json.loads(json.dumps(data))


def shear_metric(problem):
    _, Y = problem.expressions.state
    return FieldL2(((sp.Integer(1), 2 * Y), (2 * Y, 1 + 4 * Y**2)))


CASES = {
    "exact shear": (Shear(), box(), shear_metric, -1.0),
    "step": (Step(), box(), lambda problem: find_by_squares(problem, l2(degree=2)), None),
    "sides": (Bounded(), box(x=(-1, 1)), lambda _: l2([[1.0]]), -0.5),
}


def code(data, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(data))
    return checker.main([str(path)])


@pytest.mark.parametrize("name", CASES)
def test_what_the_search_proves_the_checker_proves(name, tmp_path, capsys):
    data = certificate(*CASES[name])
    assert data["evidence"]["rule"] == "sos"
    assert fits(data, SCHEMA)
    assert code(data, tmp_path) == 0, capsys.readouterr()
    b = data["claim"]["bound"]
    better = float(np.nextafter(b, -np.inf))
    assert code(changed(data, ("claim", "bound"), better), tmp_path) == 4
    for path in (("evidence", "rate", 0), ("evidence", "positive", "squares", 0)):
        gram = data["evidence"]
        for key in (*path[1:], "gram"):
            gram = gram[key]
        for i in range(len(gram)):
            edited = changed(data, (*path, "gram", i, i), gram[i][i] + "1")
            assert code(edited, tmp_path) in (1, 4)
    assert code(changed(data, ("evidence", "positive", "margin"), "0"), tmp_path) == 4


def test_a_step_that_leaves_the_region_may_leave_where_its_metric_is_one(tmp_path):
    # x+ = 3 x in 1 - x^2: 9 (1 - x^2) - 9 (1 - 9 x^2) = 72 x^2, but 1 - x^2 < 0 at x+ = 3/2.
    one, metric = ["1"], [["+", "1", ["*", "-1", ["^", "x", "2"]]]]
    inside = ["*", ["+", "1/2", "x"], ["+", "1/2", ["*", "-1", "x"]]]  # 1/4 - x^2
    data = hand_written.certificate(
        "step", 3.0, {"type": "l2", "let": [], "metric_terms": metric},
        [["x", -0.5, 0.5]], hand_written.system([["*", "3", "x"]], state=["x"]),
    )  # fmt: skip
    data["evidence"] = {
        "rule": "sos", "let": [], "atoms": [],
        "rate": [{"factor": "1", "rows": [0], "basis": ["x"], "gram": [["72"]]}],
        "positive": {
            "weight": "1", "margin": "1/2", "point": [0.0],
            "squares": [
                {"factor": inside, "rows": [0], "basis": one, "gram": [["1"]]},
                {"factor": "1", "rows": [0], "basis": one, "gram": [["1/4"]]},
            ],
        },
    }  # fmt: skip
    assert code(data, tmp_path) == 4
    assert isinstance(verify(data), Estimated)
    shrunk = changed(data, ("system", "dx"), [["*", "-1/2", "x"]])
    # 9 (1 - x^2) - 1/4 (1 - x^2 / 4) = 35/4 - 143/16 x^2 = 143/16 (1/4 - x^2) + 417/64.
    shrunk["evidence"]["rate"] = [
        {"factor": inside, "rows": [0], "basis": one, "gram": [["143/16"]]},
        {"factor": "1", "rows": [0], "basis": one, "gram": [["417/64"]]},
    ]
    assert code(shrunk, tmp_path) == 0
    assert isinstance(verify(shrunk), Proved)
