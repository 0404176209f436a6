"""The trade of rate against condition number: a faster proved rate costs a larger overshoot.

A metric of condition number k bounds distances by ``sqrt(k) e^(-rate t)`` times the first one; the
best rate grows with k. Every point of the curve is a proof of its own.

Source: Boyd, El Ghaoui, Feron and Balakrishnan (1994), section 5.1 (bounds on the condition).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.bound import LogNormBound
from riemannian_modules.certify.certify import certify
from riemannian_modules.claims.answer import Proved
from riemannian_modules.claims.certificate import Certificate
from riemannian_modules.claims.wanted_norms import FreeL2
from riemannian_modules.door import number_array
from riemannian_modules.errors import MetricError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box
from riemannian_modules.search.boxes.budget import Budget
from riemannian_modules.shown import Facts, Shown, at_least, at_most, counted
from riemannian_modules.spaces import Array

CONDITIONS = (1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1e3, 1e4, 1e5, 1e6)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Curve(Shown):
    """Proved bounds for metrics of growing condition.

    Attributes:
        conditions: Largest condition numbers allowed, increasing, (points,).
        bounds: Proved bounds, (points,): rates of flows, 1/time, positive when contracting, or
            Lipschitz constants of step maps; NaN where nothing was proved.
        metrics: The metrics (points, n, n); NaN where nothing was proved.
        certificates: The certificates; None where nothing was proved.
    """

    conditions: Array
    bounds: Array
    metrics: Array
    certificates: tuple[Certificate | None, ...]

    @property
    def is_proved(self) -> tuple[bool, ...]:
        """For each condition number, whether its bound is proved."""
        return tuple(c is not None for c in self.certificates)

    @override
    def facts(self) -> Facts:
        count = sum(self.is_proved)
        title = f"Curve: proved for {count} of {counted(len(self.conditions), 'condition number')}"
        is_step = any(
            c is not None and c.data["claim"]["kind"] == "step" for c in self.certificates
        )
        what, shown = ("factors", at_most) if is_step else ("rates", at_least)
        known = self.bounds[[*self.is_proved]].tolist()
        ends = f"from {shown(min(known))} to {shown(max(known))}" if known else "none"
        return Facts(title, ((what, ends),))


def rate_against_condition(
    module: RiemannianModule,
    region: Box | None = None,
    conditions: Sequence[float] | None = None,
    *,
    budget: Budget | None = None,
) -> Curve:
    """The best proved rate (step maps: Lipschitz constant) for each bound on the condition number.

    A metric found for a smaller condition serves for a larger one, too, so the curve is monotone.

    Args:
        module: A flow or a step map.
        region: As for `certify`.
        conditions: Condition numbers >= 1; None for some from 1 to 10^6.
        budget: Limits of time and boxes for each point.

    Returns:
        A point for each condition number, with its certificate where one was found.

    Raises:
        MetricError: For condition numbers below 1.
        UnsupportedError, RegionError: As `certify` does.
    """
    allowed = number_array("conditions", conditions or CONDITIONS, MetricError).ravel()
    if not (np.isfinite(allowed) & (allowed >= 1)).all():
        raise MetricError(f"Expected condition numbers of at least 1, got {allowed.tolist()}.")
    allowed = np.unique(allowed)
    n = len(module.expressions.state)
    bounds, metrics = np.full(len(allowed), np.nan), np.full((len(allowed), n, n), np.nan)
    sign = (
        1.0 if module.signature.time is Time.CONTINUOUS else -1.0
    )  # rates are to grow, constants to fall
    certificates: list[Certificate | None] = [None] * len(allowed)
    for k, condition in enumerate(allowed):
        answer = certify(module, region, norm=FreeL2(float(condition)), budget=budget)
        if isinstance(answer, Proved):
            metric = np.array(answer.certificate.data["claim"]["norm"]["metric"], dtype=float)
            if np.linalg.cond(metric) <= condition * (1 + 1e-9):
                bounds[k], metrics[k] = _value(answer), metric
                certificates[k] = answer.certificate
        before = k - 1
        better = not np.isnan(bounds[k]) and sign * bounds[k] >= sign * bounds[before]
        if k and certificates[before] is not None and not better:
            bounds[k], metrics[k] = bounds[before], metrics[before]
            certificates[k] = certificates[before]
    return Curve(allowed, bounds, metrics, tuple(certificates))


def _value(answer: Proved) -> float:
    bound = answer.bound
    return -bound.rate if isinstance(bound, LogNormBound) else float(bound.factor)
