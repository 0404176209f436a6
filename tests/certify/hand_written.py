"""Small certificates, written by hand from closed forms; the library writes their matrices."""

import copy
import json
import math

from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.claim_data import system_from_data
from riemannian_modules.claims.norm_data import norm_from_data
from riemannian_modules.evidence.boxes import Boxes
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.terms.atom_data import EvidenceWriter
from riemannian_modules.terms.atoms import atom_form
from riemannian_modules.terms.ranges import RangeLemma


def certificate(kind, bound, norm, sides, system, evidence=None, *, claim=None, region=None):
    """The whole of a certificate from its parts; one leaf unless the evidence says more."""
    return {
        "format": "riemannian-modules certificate",
        "version": 3,
        "claim": {
            "statement": "words",
            "kind": kind,
            "bound": bound,
            "norm": norm,
            **(claim or {}),
        },
        "region": {"sides": [list(side) for side in sides], **(region or {})},
        "system": system,
        "evidence": {"rule": "monolithic", "cuts": [None], **(evidence or {})},
    }


def system(dx=(), y=(), *, state=(), inputs=(), parameters=(), let=(), guards=()):
    """Expressions as data."""
    return {
        "type": "expressions",
        "symbols": {
            "state": list(state),
            "inputs": list(inputs),
            "parameters": list(parameters),
        },
        "let": [list(binding) for binding in let],
        "dx": list(dx),
        "y": list(y),
        "guards": [list(guard) for guard in guards],
    }


def free(*names):
    """Unbounded sides."""
    return [[name, "-inf", "inf"] for name in names]


def l2(*rows):
    """The norm of a constant metric."""
    return {"type": "l2", "metric": [list(row) for row in rows]}


def linear(A, names):
    """``A x`` as terms; entries are strings."""
    return [["+", *(["*", a, n] for a, n in zip(row, names, strict=True))] for row in A]


X = ("x", "y")
MINUS = ["*", "-1", "x"]
SHEAR = linear([["-1", "10"], ["0", "-2"]], X)
TWO_TANH = [["+", ["*", "-1", n], ["*", "1/2", ["tanh", m]]] for n, m in (("x", "y"), ("y", "x"))]
CUBIC = ["+", MINUS, ["*", "-1", ["^", "x", "3"]]]

# A hair line: rate 2^-40 exactly, with equality in one direction.
e = 2.0**-40
HAIR = linear([["-1", f"{2**40 - 1}/{2**40}"], [f"{2**40 - 1}/{2**40}", "-1"]], X)

TRUE = {
    "linear flow": certificate(
        "flow", -0.99, l2([1, 10], [10, 101]), free(*X), system(SHEAR, state=X)
    ),
    "equality": certificate("flow", -e, l2([1, 0], [0, 1]), free(*X), system(HAIR, state=X)),
    "cubic, unbounded": certificate("flow", -1.0, l2([1]), free("x"), system([CUBIC], state=["x"])),
    "cubic, cut": certificate(
        "flow",
        2.0,
        l2([1]),
        [["x", -1, 1]],
        system([["+", MINUS, ["^", "x", "3"]]], state=["x"]),
        {"cuts": [[0, 0.5], [0, -0.5], None, None, None]},
    ),
    "tanh": certificate("flow", -0.5, l2([1, 0], [0, 1]), free(*X), system(TWO_TANH, state=X)),
    "linf": certificate(
        "flow", -0.5, {"type": "linf", "weights": [1, 1]}, free(*X), system(TWO_TANH, state=X)
    ),
    "l1, weighted": certificate(
        "flow", -1.0, {"type": "l1", "weights": [1, 10]}, free(*X), system(SHEAR, state=X)
    ),
    "step": certificate(
        "step",
        0.5,
        l2([1, 0], [0, 1]),
        free(*X),
        system([["*", "1/2", ["sin", "y"]], ["*", "1/2", ["cos", "x"]]], state=X),
    ),
    "map, metrics of inputs and outputs": certificate(
        "map",
        1.5,
        l2([0.25]),
        free("u", "v"),
        system(y=[["+", ["*", "3", ["tanh", "u"]], "v"]], inputs=["u", "v"]),
        claim={"input_norm": l2([4, 0], [0, 0.5])},
    ),
    "sparse metric": certificate(
        "flow",
        -1.0,
        {"type": "l2", "metric": {"entries": [[0, 0, 1.0], [1, 1, 0.25]]}},
        free(*X),
        system([["+", MINUS, "y"], ["+", ["*", "-4", "x"], ["*", "-1", "y"]]], state=X),
    ),
    "metric of the point": certificate(
        "flow",
        -1.0,
        {
            "type": "l2",
            "let": [],
            "metric_terms": [
                "1",
                ["*", "2", "y"],
                ["*", "2", "y"],
                ["+", "1", ["*", "4", ["^", "y", "2"]]],
            ],
        },
        [["x", "-inf", "inf"], ["y", -10, 10]],
        system([["+", MINUS, ["*", "3", ["^", "y", "2"]]], ["*", "-2", "y"]], state=X),
    ),
    "coordinates of the point": certificate(
        "flow",
        -1.0,
        {"type": "l2", "let": [], "factor_terms": ["1", ["*", "2", "y"], "0", "1"]},
        free(*X),
        system([["+", MINUS, ["*", "3", ["^", "y", "2"]]], ["*", "-2", "y"]], state=X),
    ),
    "metric of an input with a rate": certificate(
        "flow",
        -0.875,
        {
            "type": "l2",
            "let": [],
            "metric_terms": [["exp", "u"]],
            "rates": {"names": ["u"], "terms": ["1/4"]},
        },
        [["x", "-inf", "inf"], ["u", -1, 1]],
        system([MINUS], state=["x"], inputs=["u"]),
        {"cuts": [[1, 0.0], None, None]},
    ),
    "step in a metric of the point": certificate(
        "step",
        0.75,
        {"type": "l2", "let": [], "metric_terms": [["+", "2", ["tanh", "x"]]]},
        [["x", 0, 1]],
        system([["*", "1/2", "x"]], state=["x"]),
    ),
    "range of a term": certificate(
        "flow",
        -0.345,
        l2([1]),
        [["x", 0, "inf"]],
        system(
            [["+", MINUS, ["*", "-1", ["^", ["+", "1", ["^", "x", "2"]], "-1"]]]],
            state=["x"],
            guards=[["nonzero", ["+", "1", ["^", "x", "2"]]]],
        ),
        {
            "ranges": [
                {
                    "lower": 0.0,
                    "upper": 0.3275,
                    "cuts": [
                        [0, 1.0],
                        [0, 0.5],
                        None,
                        [0, 0.75],
                        [0, 0.625],
                        [0, 0.5625],
                        None,
                        [0, 0.59375],
                        None,
                        None,
                        None,
                        None,
                        None,
                    ],
                }
            ]
        },
    ),
    "conservation": certificate(
        "flow",
        -3.0,
        l2([1]),
        free(*X),
        system([["+", ["*", "-1", "x"], ["*", "2", "y"]], ["+", "x", ["*", "-2", "y"]]], state=X),
        claim={"horizontal": {"L": [[1, 0]], "R": [[1], [-1]], "kind": "conservation"}},
    ),
    "symmetry": certificate(
        "flow",
        -1.0,
        l2([1]),
        [["x", "-inf", "inf"], ["y", "-inf", "inf"]],
        system(
            [
                ["*", "-1/2", ["+", "x", ["*", "-1", "y"]]],
                ["*", "-1/2", ["+", "y", ["*", "-1", "x"]]],
            ],
            state=X,
        ),
        claim={"horizontal": {"L": [[1, -1]], "R": [[1], [0]], "kind": "symmetry"}},
    ),
    "linear constraint": certificate(
        "flow",
        -1.0,
        l2([1, 0], [0, 1]),
        [["x", -2, 2], ["y", -2, 2]],
        system(
            [
                ["+", ["*", "-1", "x"], ["*", "-1", ["maximum", "0", ["+", "x", "y", "-5/4"]]]],
                ["*", "-1", "y"],
            ],
            state=X,
        ),
        region={"point": [0, 0], "linear": [[[["x", 1], ["y", 1]], "-inf", 1]]},
    ),
    "ball": certificate(
        "flow",
        2.0,
        l2([1, 0], [0, 1]),
        [["x", -4, 4], ["y", -4, 4]],
        system([["*", "1/2", ["^", "x", "2"]], ["*", "-1", "y"]], state=X),
        {"cuts": [[0, 2.0], None, None]},
        region={"point": [0, 0], "balls": [{"names": ["x", "y"], "center": [0, 0], "radius": 1.5}]},
    ),
    "invariant ball": certificate(
        "flow",
        -1.0,
        l2([1, 0], [0, 1]),
        [["x", -2, 2], ["y", -2, 2], ["u", -1, 1]],
        system([["+", ["*", "-1", "x"], "u"], ["*", "-1", "y"]], state=X, inputs=["u"]),
        claim={"trajectories": {"center": [0, 0], "radius": 2.0}},
    ),
    **{
        f"invariant ball in {sort}": certificate(
            "flow",
            -1.0,
            {"type": sort, "weights": [1, 2]},
            [["x", -2, 2], ["y", -height, height], ["u", -1, 1]],
            system([["+", ["*", "-1", "x"], "u"], ["*", "-1", "y"]], state=X, inputs=["u"]),
            claim={"trajectories": {"center": [0, 0], "radius": 2.0}},
        )
        for sort, height in (("l1", 1), ("linf", 4))
    },
    "fixed point of a step": certificate(
        "step",
        0.5,
        l2([1]),
        [["x", -1, 3]],
        system([["+", "1/2", ["*", "1/2", "x"]]], state=["x"]),
        claim={"trajectories": {"center": [1], "radius": 2.0}},
    ),
    "network": certificate(
        "flow",
        -0.5,
        {
            "type": "blocks",
            "combine": "linf",
            "groups": [[0], [1]],
            "metrics": [[[1]], [[4]]],
            "weights": [1, 2],
        },
        free(*X),
        system(TWO_TANH, state=X),
    ),
    "two pieces": certificate(
        "flow",
        -0.5,
        l2([1]),
        free("x"),
        system(
            [["piecewise", [MINUS, ["less", "x", "0"]], [["*", "-1/2", "x"], ["true"]]]],
            state=["x"],
        ),
    ),
    "slopes of a map": {
        **certificate("map", 2.0, l2([1, 0], [0, 1]), free("u", "v"), {}),
        "system": {
            "type": "slopes",
            "size": 2,
            "A": [[0, 0], [0, 0]],
            "B": [[2, 0], [0, 2]],
            "C": [[1, 0], [0, 1]],
            "D": [[0, 0], [0, 0]],
            "activations": [["relu", 2]],
        },
        "evidence": {"rule": "slopes", "multipliers": [4.0, 4.0]},
    },
    # J = [[s t / 2 - 2, t], [s, -2]]: the first row is largest at s = t = 1.
    "slopes of layers": {
        **certificate("flow", -0.5, {"type": "linf", "weights": [1, 1]}, free("x", "y"), {}),
        "system": {
            "type": "slopes",
            "size": 2,
            "A": [[-2, 0], [0, -2]],
            "B": [[0, 1], [1, 0]],
            "C": [[1, 0], [0, 1]],
            "D": [[0, 0], [0.5, 0]],
            "activations": ["relu", [0, 1]],
        },
        "evidence": {"rule": "sums"},
    },
}
TRUE["sum of squares"] = {
    **certificate("flow", -1.0, l2([1]), free("x"), system([CUBIC], state=["x"])),
    "evidence": {
        "rule": "sos",
        "let": [],
        "atoms": [],
        "rate": [{"factor": "1", "rows": [0], "basis": ["x"], "gram": [["6"]]}],
        "positive": {
            "weight": "1",
            "margin": "1",
            "point": [0.0],
            "squares": [{"factor": "1", "rows": [0], "basis": ["x"], "gram": [["0"]]}],
        },
    },
}
TRUE["network"]["evidence"] = {
    "rule": "network",
    "checks": [
        {"to": i, "from": j, "bound": b, "cuts": [None]}
        for i, j, b in ((0, 0, -1), (1, 1, -1), (0, 1, 0.25), (1, 0, 1))
    ],
}
TRUE["invariant ball of a network"] = {
    **copy.deepcopy(TRUE["network"]),
    "claim": {
        **TRUE["network"]["claim"],
        "trajectories": {"center": [0, 0], "radius": 2.0},
    },
    "region": {"sides": [["x", -2, 2], ["y", -2, 2]]},
}
TRUE["slopes of a map"]["claim"]["bound"] = math.nextafter(2.0, 3.0)


def explained(data):
    """The certificate with its matrices in atoms, as the library writes them."""
    claim, evidence = data["claim"], data["evidence"]
    if evidence["rule"] in ("slopes", "sums", "sos"):
        return data
    # One atom has a range, where any has.
    lemmas = [
        RangeLemma(r["lower"], r["upper"], tuple(c and tuple(c) for c in r["cuts"]))
        for r in evidence.pop("ranges", ())
    ]
    problem = system_from_data(data)
    if {"metric_terms", "factor_terms"} & set(claim["norm"]):
        norm = norm_from_data(claim["norm"], problem.size, "norm", problem.symbols)
        criterion = make_criterion(problem, norm)
        evidence |= Boxes(criterion, evidence["cuts"]).to_data(Claim(problem, norm, 0.0))
    else:
        form = atom_form(problem.jacobian, problem.derived)
        symbols = (*problem.symbols, *(d.symbol for d in problem.derived))
        writer = EvidenceWriter(symbols, dict(zip(form.atoms, lemmas, strict=False)))
        jacobian = writer.matrix(form)
        evidence |= {**writer.data(), "jacobian": jacobian}
    return json.loads(json.dumps(data))


TRUE = {name: explained(data) for name, data in TRUE.items()}

# In each, something small is changed that makes the claim false, or not proved by what is written.
FALSE_CHANGES = {
    "linear flow": (("claim", "bound"), -1.0 - e),
    "equality": (("claim", "bound"), -math.nextafter(e, 1)),
    "cubic, unbounded": (("claim", "bound"), -1.0 - 2.0**-50),
    "cubic, cut": (("claim", "bound"), 2.0 - 2.0**-50),
    "tanh": (("claim", "bound"), -0.5 - 2.0**-50),
    "linf": (("claim", "norm", "weights"), [1, 1 + 2.0**-50]),
    "l1, weighted": (("claim", "norm", "weights"), [1, 10 - 2.0**-40]),
    "step": (("claim", "bound"), 0.5 - 2.0**-50),
    "map, metrics of inputs and outputs": (("claim", "bound"), 1.0),
    "sparse metric": (
        ("claim", "norm", "metric", "entries"),
        [[0, 0, 1.0], [1, 1, 0.2500001]],
    ),
    "metric of the point": (("evidence", "matrix", 0, 2), "-3"),
    "coordinates of the point": (("evidence", "matrix", 1, 2), "-5"),
    "metric of an input with a rate": (("claim", "norm", "rates"), None),
    "step in a metric of the point": (("claim", "bound"), 0.49),
    "range of a term": (("evidence", "atoms", 0, "range", "upper"), 0.32),
    "conservation": (("claim", "horizontal", "kind"), "symmetry"),
    "symmetry": (("claim", "horizontal", "R"), [[1], [1]]),
    "linear constraint": (("region", "linear", 0, 2), 1.5),
    "ball": (("region", "balls", 0, "radius"), 2.5),
    "invariant ball": (("claim", "trajectories", "radius"), 2.0 + 2.0**-50),
    "invariant ball in l1": (("region", "sides", 1, 2), 1 - 2.0**-50),
    "invariant ball in linf": (("region", "sides", 1, 1), -4 + 2.0**-50),
    "invariant ball of a network": (("claim", "trajectories", "radius"), 2.0 + 2.0**-50),
    "fixed point of a step": (("claim", "trajectories", "radius"), 2.5),
    "network": (("evidence", "checks", 2, "bound"), 0.2),
    "two pieces": (("system", "dx", 0, 2, 0), ["+", "1", MINUS]),
    "slopes of a map": (("claim", "bound"), 2.0),
    "slopes of layers": (("claim", "bound"), -0.5 - 2.0**-50),
    "sum of squares": (("evidence", "rate", 0, "gram"), [["5"]]),
}


def changed(data, path, value):
    """A copy with the entry at a path replaced."""
    copied = copy.deepcopy(data)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied
