"""Certify: find a norm, prove a bound on the whole region, or refute it, or say what is open."""

from __future__ import annotations

from types import NoneType
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.definite import (
    largest_eigenvalue_bound,
    smallest_eigenvalue_bound,
)
from riemannian_modules.arithmetic.expression_data import expressions_to_data
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.budget import Budget
from riemannian_modules.certify.certificate import (
    FORMAT,
    VERSION,
    Certificate,
    norm_to_data,
    number_to_data,
    region_in_words,
    statement_of,
)
from riemannian_modules.certify.criterion import make_criterion
from riemannian_modules.certify.decide import box_bounds, boxes_prove
from riemannian_modules.certify.norms import (
    L1,
    L2,
    FreeL1,
    FreeL2,
    FreeLInf,
    FreeNorm,
    LInf,
    Norm,
    proved_norm,
)
from riemannian_modules.certify.problem import Problem, make_problem
from riemannian_modules.certify.refute import refute_in_any_metric, refute_in_norm
from riemannian_modules.certify.search import find_norm
from riemannian_modules.certify.subdivide import Partition, partition
from riemannian_modules.door import number, require
from riemannian_modules.errors import ConvergenceError, MetricError, RegionError, SignatureError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box


def certify(
    module: RiemannianModule,
    region: Box | None = None,
    *,
    norm: Norm | FreeNorm | None = None,
    input_norm: L2 | None = None,
    rate: float | None = None,
    factor: float | None = None,
    budget: Budget | None = None,
) -> Answer:
    """Prove how fast a module contracts on a region; or refute it; or say that it is open.

    Args:
        module: A flow, a step map, or a static map, whose gain (Lipschitz constant) is then
            bounded.
        region: Box of states, inputs and uncertain parameters; what it does not name is unbounded
            (states and inputs) or fixed at the module's value (parameters). None: everywhere.
        norm: The norm: `l2`, `l1` or `linf`, given or free; None tries the identity and the free
            ones.
        input_norm: For static maps, the norm of the inputs; Euclidean when None.
        rate: For flows, the rate to prove (1/time); None for the best that is found.
        factor: For maps, the Lipschitz constant to prove; None for the best that is found.
        budget: Limits of time and boxes.

    Returns:
        `Proved` with a bound and a certificate, `Refuted` with a witness, or `Estimated`.

    Raises:
        UnsupportedError: If the module has no exact form, or its map may jump.
        SignatureError, MetricError, RegionError: For requests that do not fit the module.

    Source: Lohmiller and Slotine (1998); THEORY of this library in docs/theory.md.
    """
    _check_kinds(module, region, norm, input_norm, budget)
    problem = make_problem(module, region if region is not None else Box())
    target = _target(problem, rate, factor)
    budget = budget if budget is not None else Budget()
    if norm is not None and not isinstance(norm, (FreeL2, FreeL1, FreeLInf)):
        check_norm(problem, norm, input_norm)
        return _certify_in(problem, norm, input_norm, target, budget)
    found = _best_norm(problem, norm, input_norm)
    if found is None:
        return _without_norm(problem, target)
    check_norm(problem, found, input_norm)
    return _certify_in(problem, found, input_norm, target, budget, norm_is_free=True)


def contraction_rate(
    module: RiemannianModule,
    region: Box | None = None,
    *,
    norm: Norm | FreeNorm | None = None,
    budget: Budget | None = None,
) -> Bound:
    """The best proved bound: the log-norm of a flow (negative: contracting), or the gain of a map.

    Raises:
        ConvergenceError: If nothing finite could be proved; the message says what the answer was.
    """  # fmt: skip
    _check_kinds(module, region, norm, None, budget)
    problem = make_problem(module, region if region is not None else Box())
    fixed = norm if isinstance(norm, (L2, L1, LInf)) else _best_norm(problem, norm, None)
    if fixed is None:
        raise ConvergenceError(
            "No norm was found in which a bound can be proved. Make the region smaller."
        )
    check_norm(problem, fixed, None)
    criterion = make_criterion(problem, fixed)
    b = float(
        partition(problem, criterion, None, budget if budget is not None else Budget()).bounds.max()
    )
    if not np.isfinite(b):
        raise ConvergenceError(
            "Nothing finite could be proved on this region. Bound its unbounded sides."
        )
    return LogNormBound(b) if problem.is_flow else LipschitzBound(b)


def _target(problem: Problem, rate: float | None, factor: float | None) -> float | None:
    if rate is not None and not problem.is_flow:
        raise SignatureError("A map has a factor, not a rate; pass factor=... instead of rate=...")
    if factor is not None and problem.is_flow:
        raise SignatureError("A flow has a rate, not a factor; pass rate=... instead of factor=...")
    if rate is not None:
        return -number("certify: rate", rate)
    return None if factor is None else number("certify: factor", factor)


def _check_kinds(
    module: object, region: object, norm: object, given: object, budget: object
) -> None:
    where = "certify"
    require(where, module, RiemannianModule, "a module")
    require(where, region, (Box, NoneType), "a region such as box(q=(-1, 1))", RegionError)
    norms = (L2, L1, LInf, FreeL2, FreeL1, FreeLInf, NoneType)
    require(where, norm, norms, "a norm: l2(...), l1(...) or linf(...)", MetricError)
    require(where, given, (L2, NoneType), "an input norm l2(matrix)", MetricError)
    require(where, budget, (Budget, NoneType), "a Budget")


def check_norm(problem: Problem, norm: Norm, input_norm: L2 | None) -> None:
    """Refuse what is no norm or does not fit the problem, with MetricError or SignatureError."""
    for given in (norm, input_norm):
        if given is not None:
            proved_norm(given)
    size = len(problem.map)
    got = len(norm.metric) if isinstance(norm, L2) else len(norm.weights)
    if got != size:
        names = ", ".join(v.name for v in problem.variables)
        raise MetricError(
            f"The norm has {got} coordinates; the module's distance has {size} ({names})."
        )
    if not problem.variables:
        raise SignatureError(
            "The module has neither state nor inputs, so there is nothing to contract."
        )
    if not isinstance(norm, L2) and size != len(problem.variables):
        raise MetricError("Weighted l1 and linf gains need as many inputs as outputs; use l2(...).")
    if input_norm is not None and problem.time is not Time.STATIC:
        raise SignatureError("input_norm is for static maps; a state's distance has one norm.")
    if input_norm is not None and not isinstance(norm, L2):
        raise MetricError("input_norm is an l2 norm; the outputs' norm has to be one too: l2(...).")
    if input_norm is not None and len(input_norm.metric) != len(problem.variables):
        raise MetricError(
            f"input_norm has {len(input_norm.metric)} coordinates, the inputs have "
            f"{len(problem.variables)}."
        )


def _best_norm(problem: Problem, wanted: FreeNorm | None, input_norm: L2 | None) -> Norm | None:
    """The norm with the smallest bound on the whole region at once, or among its samples."""
    if problem.time is Time.STATIC:
        if isinstance(wanted, (FreeL1, FreeLInf)):
            raise SignatureError(
                "Weights of a static map's gain are to be given, not found: linf([1.0, ...]) or "
                "l1([1.0, ...]), or norm=None for the Euclidean gain."
            )
        return L2(np.eye(len(problem.map)))
    candidates: list[Norm] = []
    if wanted is None or isinstance(wanted, FreeL2):
        candidates.append(L2(np.eye(len(problem.map))))
    for free in (wanted,) if wanted is not None else (FreeL2(), FreeLInf(), FreeL1()):
        try:
            candidates.append(proved_norm(find_norm(problem, free)))
        except (ConvergenceError, MetricError):
            continue
    best: tuple[float, Norm] | None = None
    for candidate in candidates:
        criterion = make_criterion(problem, candidate, input_norm)
        b = float(box_bounds(problem, criterion, problem.lower[None], problem.upper[None])[0])
        if best is None or b < best[0] - 1e-9 * abs(best[0]):
            best = (b, candidate)
    return best[1] if best is not None else None


def _certify_in(
    problem: Problem, norm: Norm, input_norm: L2 | None, target: float | None, budget: Budget,
    *, norm_is_free: bool = False,
) -> Answer:  # fmt: skip
    criterion = make_criterion(problem, norm, input_norm)
    limit = _limit(problem)
    hopeless = limit if target is None else target + 1e-9 * max(1.0, abs(target))
    parts = partition(problem, criterion, target, budget, hopeless)
    b = float(parts.bounds.max()) if target is None else target
    if np.isfinite(b) and (target is not None or b < limit):
        held = boxes_prove(problem, criterion, parts.lower, parts.upper, b)
        if held.all():
            return _proved(problem, norm, input_norm, parts, b)
        undecided = ~held
    else:
        undecided = parts.bounds >= (limit if target is None else target)
    asked = target if target is not None else limit
    beyond = float(np.nextafter(asked, np.inf)) if target is not None else asked
    refuted = None if norm_is_free else refute_in_norm(problem, criterion, asked, parts.point)
    refuted = refuted or refute_in_any_metric(problem, beyond, parts.point)
    return refuted if refuted is not None else _estimated(problem, parts, undecided, asked)


def _limit(problem: Problem) -> float:
    """The bound below which a module contracts; a static map's gain may be anything."""
    return {Time.CONTINUOUS: 0.0, Time.DISCRETE: 1.0, Time.STATIC: np.inf}[problem.time]


def _without_norm(problem: Problem, target: float | None) -> Answer:
    b = target if target is not None else _limit(problem)
    refuted = refute_in_any_metric(
        problem, float(np.nextafter(b, np.inf)) if target is not None else b
    )
    return (
        refuted
        if refuted is not None
        else Estimated(
            None,
            "no norm of the wanted kind was found; give one, allow another kind, or shrink the "
            "region",
        )
    )


def _estimated(problem: Problem, parts: Partition, undecided: Mask, b: float) -> Estimated:
    bound: Any = (LogNormBound if problem.is_flow else LipschitzBound)(parts.sampled)
    order = np.flatnonzero(undecided)
    order = order[np.argsort(-(parts.upper[order] - parts.lower[order]).sum(1), kind="stable")]
    boxes = tuple(
        {
            c: (float(lo), float(hi))
            for c, lo, hi in zip(problem.coordinates, parts.lower[i], parts.upper[i], strict=True)
        }
        for i in order[:100]
    )
    if not problem.defined_boxes(parts.lower, parts.upper).all():
        reason = (
            "the map may be undefined on part of the region (a root, logarithm or quotient); "
            "shrink it"
        )
    elif parts.sampled > b:
        reason = (
            f"samples need {parts.sampled:.6g}, more than {b:.6g}, but no violation could be proved"
        )
    else:
        reason = (
            f"{len(order)} of {len(parts.lower)} boxes are undecided (samples reach "
            f"{parts.sampled:.6g} of {b:.6g}); a larger budget or a smaller region may decide them"
        )
    return Estimated(bound, reason, boxes)


def _proved(
    problem: Problem, norm: Norm, input_norm: L2 | None, parts: Partition, b: float
) -> Proved:
    bound: Bound = LogNormBound(b) if problem.is_flow else LipschitzBound(b)
    kind = {Time.CONTINUOUS: "flow", Time.DISCRETE: "step", Time.STATIC: "map"}[problem.time]
    sides = list(zip(problem.coordinates, problem.lower, problem.upper, strict=True))
    region = region_in_words(problem.coordinates, problem.lower.tolist(), problem.upper.tolist())
    claim: dict[str, Any] = {
        "statement": statement_of(kind, bound, norm, input_norm, overshoot(norm), region),
        "kind": kind, "bound": b, "norm": norm_to_data(norm),
    }  # fmt: skip
    if input_norm is not None:
        claim["input_norm"] = norm_to_data(input_norm)
    data = {
        "format": FORMAT,
        "version": VERSION,
        "claim": claim,
        "region": [[n, number_to_data(lo), number_to_data(hi)] for n, lo, hi in sides],
        "system": expressions_to_data(problem.expressions),
        "evidence": {"rule": "monolithic", "cuts": [list(c) if c else None for c in parts.cuts]},
    }
    return Proved(bound, Certificate(data))


def overshoot(norm: Norm) -> float:
    """``sqrt(cond M)``, rounded up: by how much Euclidean distances may grow before they shrink."""
    if not isinstance(norm, L2):
        return float("nan")
    floor = float(smallest_eigenvalue_bound(norm.metric))
    return (
        # The quotient and the root are each off by half a unit in the last place.
        float(np.sqrt(float(largest_eigenvalue_bound(norm.metric)) / floor) * (1 + 1e-15))
        if floor > 0
        else np.inf
    )
