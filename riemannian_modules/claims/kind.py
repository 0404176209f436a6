"""The kinds of claims, by the time of the system that they speak of.

One number b stands for all of them: the log-norm of a flow (it contracts with the rate -b), the
factor of a step, the gain of a static map.
"""

from __future__ import annotations

import math

from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.door import number
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.signature import Time

KINDS = {Time.CONTINUOUS: "flow", Time.DISCRETE: "step", Time.STATIC: "map"}
TIMES = {kind: time for time, kind in KINDS.items()}


def bound_of(kind: str, b: float) -> Bound:
    """The bound of a kind of claim."""
    return LogNormBound(b) if kind == "flow" else LipschitzBound(b)


def limit_of(time: Time) -> float:
    """The bound below which a module contracts; a static map's gain may be anything."""
    return {Time.CONTINUOUS: 0.0, Time.DISCRETE: 1.0, Time.STATIC: math.inf}[time]


def target_of(where: str, time: Time, rate: float | None, factor: float | None) -> float | None:
    """The b that a rate or a factor asks for; None for the best.

    Raises:
        SignatureError: For a rate of a map, or a factor of a flow, or what is no number.
    """
    is_flow = time is Time.CONTINUOUS
    if rate is not None and not is_flow:
        raise SignatureError("A map has a factor, not a rate; pass factor=... instead of rate=...")
    if factor is not None and is_flow:
        raise SignatureError("A flow has a rate, not a factor; pass rate=... instead of factor=...")
    if rate is not None:
        return -number(f"{where}: rate", rate)
    return None if factor is None else number(f"{where}: factor", factor)
