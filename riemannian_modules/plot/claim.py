"""What a picture reads of a proof: its region, and how fast distances shrink by it."""

from __future__ import annotations

import numpy as np

from riemannian_modules.certify.answer import Proved
from riemannian_modules.region import Box, box
from riemannian_modules.space import Array


def region_of(answer: Proved) -> Box:
    """The box of a proof's region, by coordinates: states, inputs, uncertain parameters."""
    return box(
        {row[0]: (float(row[1]), float(row[2])) for row in answer.certificate.data["region"]["sides"]}
    )


def sides_of(answer: Proved) -> tuple[Array, Array]:
    """Lower and upper sides of a proof's region, states first, then inputs, then parameters."""
    sides = list(region_of(answer).sides.values())
    return np.array([s[0] for s in sides]), np.array([s[1] for s in sides])


def logarithmic_rate(answer: Proved) -> float:
    """The b with distances at most ``exp(b t)``: a log-norm, or a step factor's logarithm."""
    from riemannian_modules.bound import LogNormBound

    bound = answer.bound
    with np.errstate(divide="ignore"):
        return bound.rate if isinstance(bound, LogNormBound) else float(np.log(bound.factor))
