"""Certificates as files hold them, changed ones, and what both readers say of them."""

import json
from fractions import Fraction

import contraction_checker as checker
from riemannian_modules.certify import Proved, verify


def as_read(data):
    """The data as the checker reads it from a file."""
    return json.loads(json.dumps(data), parse_float=lambda text: Fraction(float(text)))


def forged(found, **changes):
    """A certificate's data with another ball in its claim about trajectories."""
    claim = found.certificate.data["claim"]
    ball = {**claim["trajectories"], **changes}
    return {**found.certificate.data, "claim": {**claim, "trajectories": ball}}


def is_proved_by_all(answer):
    """Assert that an answer is a proof, and is one again by its data alone; return it."""
    assert isinstance(answer, Proved), answer
    again = verify(answer.certificate)
    assert isinstance(again, Proved), again
    assert again.bound == answer.bound
    assert checker.check(as_read(answer.certificate.data))
    return answer
