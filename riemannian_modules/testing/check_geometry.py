"""Checks of a module's local metric: positive definite, of the sizes that the module has."""

from __future__ import annotations

import numpy as np

from riemannian_modules.metrics import Metric
from riemannian_modules.testing.subject import SLACK, Subject, check, check_close


def check_local_metric(subject: Subject) -> None:
    """Parameters and state have metrics; the outputs' factor has a row for each output."""
    s, local = subject.module.signature, subject.module.local_metric()
    _check_metric(subject, "parameters", local.parameters, s.parameters.size)
    _check_metric(subject, "state", local.state, s.state.size)
    h = local.outputs
    check(
        h.ndim == 2 and h.shape[0] == s.outputs.size and bool(np.isfinite(h).all()),
        f"{subject.name}.local_metric().outputs: expected a finite ({s.outputs.size}, r), got "
        f"{h.shape}.",
    )


def _check_metric(subject: Subject, what: str, metric: Metric, size: int) -> None:
    name = f"{subject.name}.local_metric().{what}"
    check(metric.dim == size, f"{name}: expected size {size}, got {metric.dim}.")
    if not size:
        return
    v, w = subject.normal(size), subject.normal(size)
    Mv, Mw = metric.apply(v), metric.apply(w)
    slack = SLACK * size * float(np.finfo(np.float64).eps)
    check(float(v @ Mv) > 0, f"{name} is not positive: <v, M v> = {v @ Mv!r}.")
    check(
        abs(w @ Mv - v @ Mw) <= slack * float(np.abs(w) @ np.abs(Mv) + np.abs(v) @ np.abs(Mw)),
        f"{name} is not symmetric: <w, M v> = {w @ Mv!r}, <v, M w> = {v @ Mw!r}.",
    )
    # |M^-1 M v - v| <= eps cond(M) |v|; the largest and smallest stretch seen stand for cond(M).
    stretch = np.abs(Mv / v)
    condition = float(stretch.max() / stretch.min())
    check_close(
        f"{name}: solve(apply(v))", metric.solve(Mv), v, slack * condition * np.abs(v).max()
    )
