"""No edit of a valid certificate is accepted unless what it then claims still holds.

The count of edits is RIEMANNIAN_MUTATIONS (default 1,000); what is accepted is held against an
independent evaluation at points (`pointwise`), and for linear flows against exact fractions.
"""

import copy
import json
import os
from fractions import Fraction

import numpy as np
import pytest

import contraction_checker as checker
from riemannian_modules.arithmetic.rational_definite import (
    is_negative_definite_rational,
    is_negative_semidefinite_rational,
)
from tests.certify.files import as_read
from tests.certify.hand_written import TRUE
from tests.certify.pointwise import Reader, contradicts

COUNT = int(os.environ.get("RIEMANNIAN_MUTATIONS", "1000"))
REFUSALS = (
    checker.NotProvedError,
    checker.OutsideError,
    checker.MalformedError,
    LookupError,
    ArithmeticError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)
# Keys that a part may have, and mostly has not.
OPTIONAL = [
    *("point", "range", "slopes", "rates", "input_norm", "let", "metric", "shape", "after"),
    *("symbols", "compression", "congruence", "exponents", "horizontal", "trajectories"),
]
OPERATORS = ["+", "*", "^", "tanh", "sin", "cos", "exp", "log", "maximum", "absolute", "erf"]
TERMS = ["x", "y", "u", "v", "0", "1", "-1", "1/2", "3", "-2"]


def places(data, path=()):
    """Every path into nested lists and objects, except the words."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            if key not in ("statement", "symbols") or isinstance(value, dict):
                yield from places(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from places(value, (*path, i))


def at(data, path):
    for key in path:
        data = data[key]
    return data


# Values of every other type, and texts that some reader may take for numbers, ends or names.
STRANGE = [
    *("inf", "-inf", "nan", "Infinity", "1e400", "0", "-1", "1/2", "0.5", "", "$a0", "linear[0]"),
    *("$a\nPROVED", "\ud800", "~0", "x "),
    *(True, False, None, [], {}, [[]], 0, -1, 10**400, 2**60 + 1, 5e-324, -0.0, 1e308, -1e308),
]


def number(value, rng):
    """A number near another, or a plain one."""
    value = value if abs(value) < 2**1000 else 1.0
    return [
        lambda: float(np.nextafter(value, -np.inf)),
        lambda: float(np.nextafter(value, np.inf)),
        lambda: value * (1 + float(rng.choice([-1, 1])) * 10.0 ** -float(rng.integers(1, 16))),
        lambda: -value,
        lambda: -1 - value,
        lambda: value + float(rng.choice([-1.0, 1.0, 0.5, -0.5])),
        lambda: float(rng.normal()) * 2,
        lambda: 0.0,
        lambda: int(rng.integers(-2, 4)),
    ][rng.integers(9)]()


def edited_list(value, rng):
    """A list with an entry dropped, doubled, moved, or the whole turned around."""
    rest = copy.deepcopy(value)
    i = int(rng.integers(len(rest))) if rest else 0
    j = int(rng.integers(len(rest))) if rest else 0
    choice = rng.integers(6)
    if choice == 5 and rest and isinstance(rest[i], (int, float)) and not isinstance(rest[i], bool):
        rest[i] = [-rest[i], rest[j], "inf", "-inf"][rng.integers(4)]
    elif choice == 0 and rest:
        del rest[i]
    elif choice == 1 and rest:
        rest.insert(j, copy.deepcopy(rest[i]))
    elif choice == 2 and rest:
        rest[i], rest[j] = rest[j], rest[i]
    elif choice == 3:
        rest.reverse()
    elif rest and isinstance(rest[0], str):
        return ["*", str(TERMS[rng.integers(len(TERMS))]), rest]
    return rest


def strange(value, rng):
    """A value of another type: a number as a text, a text as a number, or anything at all."""
    choice = rng.integers(4)
    if choice == 0 and isinstance(value, (int, float)) and not isinstance(value, bool):
        return [str(value), number(value, rng), str(Fraction(value)), [value]][rng.integers(4)]
    if choice == 1 and isinstance(value, str):
        return [[value], {value: value}, value + " ", value.upper()][rng.integers(4)]
    if choice == 2:
        return [value]
    return copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])


def edited(value, rng):
    """Another value for one entry."""
    if rng.random() < 0.2:
        return strange(value, rng)
    if isinstance(value, bool) or value is None:
        return [[0, 0.0], True, 0, None][rng.integers(4)]
    if isinstance(value, (int, float)):
        return number(value, rng) if rng.random() < 0.95 else "inf"
    if isinstance(value, str):
        pool = OPERATORS if value in OPERATORS else TERMS
        return str(pool[rng.integers(len(pool))]) if rng.random() < 0.9 else "inf"
    if isinstance(value, list):
        return edited_list(value, rng)
    rest = dict(value)
    keys = list(rest)
    if not keys:
        return {"x": 0}
    i, j = (keys[int(rng.integers(len(keys)))] for _ in range(2))
    choice = rng.integers(4)
    if choice == 0:
        del rest[i]
    elif choice == 1:
        rest[i], rest[j] = rest[j], rest[i]
    elif choice == 2:
        key = str(rng.choice([*OPTIONAL, i]))
        value = rest[j] if rng.random() < 0.5 else STRANGE[rng.integers(len(STRANGE))]
        rest[key] = copy.deepcopy(value)
    else:
        rest[i + "s"] = rest.pop(i)
    return rest


def mutated(data, rng):
    """A copy with one or a few edits, the claim made stronger every now and then."""
    copied = copy.deepcopy(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        everywhere = list(places(copied))
        path = everywhere[int(rng.integers(len(everywhere)))]
        if rng.random() < 0.1 and isinstance(copied.get("claim"), dict):
            path = ("claim", "bound") if "bound" in copied["claim"] else path
        if not path:
            continue
        at(copied, path[:-1])[path[-1]] = edited(at(copied, path), rng)
    return copied


def is_accepted(data):
    """Whether the checker proves the data, read as it reads a file."""
    try:
        checker.check(as_read(data))
    except REFUSALS:
        return False
    return True


def exact_linear_claim(data):
    """For a linear flow in a constant metric, whether the claim holds, by fractions; else None."""
    claim, system = data["claim"], data["system"]
    if claim["kind"] != "flow" or len(claim) != 4:
        return None
    if not isinstance(claim["norm"].get("metric"), list) or not is_affine(system):
        return None
    names = [row[0] for row in data["region"]["sides"]]
    point = [Fraction(0)] * len(names)
    n = len(system["symbols"]["state"])
    J = [[exact_slope(system, t, names, j, point) for j in range(n)] for t in system["dx"]]
    M = [[Fraction(v) for v in row] for row in claim["norm"]["metric"]]
    b = Fraction(claim["bound"])
    MJ = [[sum(M[i][k] * J[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
    S = [[MJ[i][j] + MJ[j][i] - 2 * b * M[i][j] for j in range(n)] for i in range(n)]
    return is_negative_semidefinite_rational(S) and is_negative_definite_rational(
        [[-v for v in row] for row in M]
    )


def is_affine(system):
    def fits(term):
        if isinstance(term, str):
            return True
        constant = [
            all(isinstance(p, str) and p[-1].isdigit() and p[0] not in "$xyuv" for p in [part])
            for part in term[1:]
        ]
        return (
            term[0] in ("+", "*")
            and all(fits(part) for part in term[1:])
            and (term[0] == "+" or constant.count(False) <= 1)
        )

    return not system["let"] and all(fits(t) for t in system["dx"])


def exact_slope(system, term, names, j, point):
    """``d term / d names[j]`` of an affine term: a difference of two exact values."""

    def value(t, moved):
        if isinstance(t, str):
            return moved[names.index(t)] if t in names else Fraction(t)
        parts = [value(part, moved) for part in t[1:]]
        return sum(parts) if t[0] == "+" else np.prod(np.array(parts, dtype=object))

    moved = [p + (k == j) for k, p in enumerate(point)]
    return value(term, moved) - value(term, point)


def test_the_oracle_finds_nothing_against_what_is_true():
    rng = np.random.default_rng(0)
    for name, data in TRUE.items():
        assert not contradicts(data, rng, 60), name
        assert exact_linear_claim(data) in (None, True), name


@pytest.mark.parametrize("name", TRUE)
def test_the_oracle_finds_bounds_that_are_clearly_too_strong(name):
    data = copy.deepcopy(TRUE[name])
    data["claim"]["bound"] = -9.0 if data["claim"]["kind"] == "flow" else 0.01
    assert contradicts(data, np.random.default_rng(0), 60)


def test_derivatives_of_the_oracle_are_right():
    read = Reader(["x"], [0.5])
    assert read(["tanh", ["^", "x", "2"]]).gradient[0] == pytest.approx(
        (np.tanh(0.500001**2) - np.tanh(0.499999**2)) / 2e-6, rel=1e-6
    )


def test_no_edit_is_accepted_whose_claim_does_not_hold():
    rng = np.random.default_rng(int(os.environ.get("RIEMANNIAN_SEED", "0")))
    names, accepted = list(TRUE), 0
    for k in range(COUNT):
        name = names[k % len(names)]
        data = mutated(TRUE[name], rng)
        if not is_accepted(data):
            continue
        accepted += 1
        assert not contradicts(data, rng), json.dumps(data)
        assert exact_linear_claim(data) is not False, json.dumps(data)
    assert accepted > COUNT / 100  # else the edits are too coarse to say anything
