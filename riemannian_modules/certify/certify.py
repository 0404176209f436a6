"""Certify: find a norm, prove a bound on the whole region, or refute it, or say what is open."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from types import NoneType
from typing import Any, Literal

import numpy as np

from riemannian_modules.arithmetic.expression_data import expressions_to_data
from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.bound import Bound, LipschitzBound, LogNormBound
from riemannian_modules.certify.answer import Answer, Estimated, Proved
from riemannian_modules.certify.budget import Budget
from riemannian_modules.certify.certificate import FORMAT, VERSION, Certificate
from riemannian_modules.certify.certificate_data import region_to_data
from riemannian_modules.certify.claim import check_norm, claim_to_data, with_metric
from riemannian_modules.certify.decide import box_bounds, boxes_prove
from riemannian_modules.certify.evidence import evidence_to_data, prepared_criterion
from riemannian_modules.certify.fields import traced_norm
from riemannian_modules.certify.horizontal import Horizontal
from riemannian_modules.certify.norms import (
    L1,
    L2,
    FactorL2,
    FieldL2,
    FreeL1,
    FreeL2,
    FreeLearnedL2,
    FreeLInf,
    FreeNorm,
    FreePolynomialL2,
    LInf,
    Norm,
    WrittenFactor,
    WrittenL2,
    WrittenNorm,
    proved_norm,
)
from riemannian_modules.certify.problem import Problem, make_problem
from riemannian_modules.certify.refute import refute_in_any_metric, refute_in_norm
from riemannian_modules.certify.search import find_norm
from riemannian_modules.certify.square_rule import prove_by_squares
from riemannian_modules.certify.statement import bound_of
from riemannian_modules.certify.subdivide import Partition, partition
from riemannian_modules.door import number, require
from riemannian_modules.errors import ConvergenceError, MetricError, RegionError, SignatureError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box

AnyNorm = Norm | FreeNorm | WrittenNorm | Literal["auto"]
_GIVEN = (L2, L1, LInf, FieldL2, FactorL2)
_FREE = (FreeL2, FreeL1, FreeLInf, FreePolynomialL2, FreeLearnedL2)


def certify(
    module: RiemannianModule,
    region: Box | None = None,
    *,
    norm: AnyNorm | None = None,
    input_norm: L2 | None = None,
    horizontal: Horizontal | None = None,
    rate: float | None = None,
    factor: float | None = None,
    budget: Budget | None = None,
) -> Answer:
    """Prove how fast a module contracts on a region; or refute it; or say that it is open.

    Args:
        module: A flow, a step map, or a static map, whose gain (Lipschitz constant) is then
            bounded.
        region: States, inputs and uncertain parameters; what it does not name is unbounded
            (states and inputs) or fixed at the module's value (parameters). None: everywhere.
        norm: The norm: `l2` (constant, or a function of the point), `coordinates`, `l1` or `linf`,
            given or free; "auto" and None try the identity and the free ones.
        input_norm: For static maps, the norm of the inputs; Euclidean when None.
        horizontal: The directions that count, where conserved or symmetric ones do not (see
            `quotient`); the norm is one of those coordinates then.
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
    _check_kinds(module, region, norm, input_norm, horizontal, budget)
    problem = _problem(module, region, horizontal)
    target = _target(problem, rate, factor)
    budget = budget if budget is not None else Budget()
    given = _given_norm(norm, module, problem)
    if given is not None:
        check_norm(problem, given, input_norm)
        return _certify_in(problem, given, input_norm, target, budget)
    found = _best_norm(problem, norm if isinstance(norm, _FREE) else None, input_norm)
    if found is None:
        return _without_norm(problem, target)
    check_norm(problem, found, input_norm)
    return _certify_in(problem, found, input_norm, target, budget, norm_is_free=True)


def contraction_rate(
    module: RiemannianModule,
    region: Box | None = None,
    *,
    norm: AnyNorm | None = None,
    budget: Budget | None = None,
) -> Bound:
    """The best proved bound: the log-norm of a flow (negative: contracting), or the gain of a map.

    Raises:
        ConvergenceError: If nothing finite could be proved; the message says what the answer was.
    """  # fmt: skip
    _check_kinds(module, region, norm, None, None, budget)
    problem = _problem(module, region, None)
    fixed = _given_norm(norm, module, problem)
    if fixed is None:
        fixed = _best_norm(problem, norm if isinstance(norm, _FREE) else None, None)
    if fixed is None:
        raise ConvergenceError(
            "No norm was found in which a bound can be proved. Make the region smaller."
        )
    check_norm(problem, fixed, None)
    problem = with_metric(problem, fixed)
    criterion = prepared_criterion(problem, fixed)
    b = float(
        partition(problem, criterion, None, budget if budget is not None else Budget()).bounds.max()
    )
    if not np.isfinite(b):
        raise ConvergenceError(
            "Nothing finite could be proved on this region. Bound its unbounded sides."
        )
    return LogNormBound(b) if problem.is_flow else LipschitzBound(b)


def _problem(
    module: RiemannianModule, region: Box | None, horizontal: Horizontal | None
) -> Problem:
    problem = make_problem(module, region if region is not None else Box())
    if horizontal is None:
        return problem
    if problem.time is Time.STATIC or horizontal.R.shape[0] != len(problem.map):
        raise SignatureError(
            f"horizontal: its directions have {horizontal.R.shape[0]} coordinates; the state of "
            f"{type(module).__name__} has {len(problem.expressions.state)}."
        )
    if not horizontal.holds_for(problem.jacobian):
        raise SignatureError(
            f"horizontal: the directions left out are not proved to be of the kind "
            f"{horizontal.kind!r} for {type(module).__name__}; find them with `quotient`."
        )
    return replace(problem, horizontal=horizontal)


def _given_norm(norm: AnyNorm | None, module: RiemannianModule, problem: Problem) -> Norm | None:
    if isinstance(norm, (WrittenL2, WrittenFactor)):
        return traced_norm(norm, module, problem)
    return norm if isinstance(norm, _GIVEN) else None


def _target(problem: Problem, rate: float | None, factor: float | None) -> float | None:
    if rate is not None and not problem.is_flow:
        raise SignatureError("A map has a factor, not a rate; pass factor=... instead of rate=...")
    if factor is not None and problem.is_flow:
        raise SignatureError("A flow has a rate, not a factor; pass rate=... instead of factor=...")
    if rate is not None:
        return -number("certify: rate", rate)
    return None if factor is None else number("certify: factor", factor)


def _check_kinds(
    module: object,
    region: object,
    norm: object,
    given: object,
    horizontal: object,
    budget: object,
) -> None:
    where = "certify"
    require(where, module, RiemannianModule, "a module")
    require(where, region, (Box, NoneType), "a region such as box(q=(-1, 1))", RegionError)
    norms = (*_GIVEN, *_FREE, WrittenL2, WrittenFactor, NoneType)
    if not (isinstance(norm, str) and norm == "auto"):
        require(
            where, norm, norms, 'a norm: l2(...), coordinates(...), l1(...), linf(...) or "auto"',
            MetricError,
        )  # fmt: skip
    require(where, horizontal, (Horizontal, NoneType), "directions, from quotient(module)")
    require(where, given, (L2, NoneType), "an input norm l2(matrix)", MetricError)
    require(where, budget, (Budget, NoneType), "a Budget")


def _best_norm(problem: Problem, wanted: FreeNorm | None, input_norm: L2 | None) -> Norm | None:
    """The norm with the smallest bound on the whole region at once, or among its samples."""
    if problem.time is Time.STATIC:
        if isinstance(wanted, (FreeL1, FreeLInf)):
            raise SignatureError(
                "Weights of a static map's gain are to be given, not found: linf([1.0, ...]) or "
                "l1([1.0, ...]), or norm=None for the Euclidean gain."
            )
        return L2(np.eye(problem.size))
    candidates: list[Norm] = []
    if wanted is None or isinstance(wanted, FreeL2):
        candidates.append(L2(np.eye(problem.size)))
    for free in (wanted,) if wanted is not None else (FreeL2(), FreeLInf(), FreeL1()):
        try:
            candidates.append(proved_norm(find_norm(problem, free)))
        except (ConvergenceError, MetricError):
            continue
    best: tuple[float, Norm] | None = None
    for candidate in candidates:
        own = with_metric(problem, candidate)
        criterion = prepared_criterion(own, candidate, input_norm)
        b = float(box_bounds(own, criterion, problem.lower[None], problem.upper[None])[0])
        if best is None or b < best[0] - 1e-9 * abs(best[0]):
            best = (b, candidate)
    return best[1] if best is not None else None


def _certify_in(
    problem: Problem, norm: Norm, input_norm: L2 | None, target: float | None, budget: Budget,
    *, norm_is_free: bool = False,
) -> Answer:  # fmt: skip
    problem = with_metric(problem, norm)
    if norm_is_free and isinstance(norm, FieldL2) and not _is_bounded(problem):
        squares = prove_by_squares(problem, norm, target)
        if squares is not None:
            return _proved(problem, norm, input_norm, *squares)
    deadline = time.monotonic() + budget.seconds
    criterion = prepared_criterion(problem, norm, input_norm, deadline)
    limit = _limit(problem)
    hopeless = limit if target is None else target + 1e-9 * max(1.0, abs(target))
    parts = partition(problem, criterion, target, budget, hopeless)
    b = float(parts.bounds.max()) if target is None else target
    if np.isfinite(b) and (target is not None or b < limit):
        held = boxes_prove(problem, criterion, parts.lower, parts.upper, b)
        if held.all():
            evidence = evidence_to_data(problem, norm, criterion, parts.cuts)
            return _proved(problem, norm, input_norm, b, evidence)
        undecided = ~held
    else:
        undecided = parts.bounds >= (limit if target is None else target)
    asked = target if target is not None else limit
    beyond = float(np.nextafter(asked, np.inf)) if target is not None else asked
    refuted = None if norm_is_free else refute_in_norm(problem, criterion, asked, parts.point)
    refuted = refuted or refute_in_any_metric(problem, beyond, parts.point)
    if refuted is None and not norm_is_free and isinstance(norm, FieldL2):
        squares = prove_by_squares(problem, norm, target)
        if squares is not None:
            return _proved(problem, norm, input_norm, *squares)
    return refuted if refuted is not None else _estimated(problem, parts, undecided, asked)


def _is_bounded(problem: Problem) -> bool:
    return bool(np.isfinite(problem.lower).all() and np.isfinite(problem.upper).all())


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
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None,
    b: float,
    evidence: Mapping[str, Any],
) -> Proved:
    claim = claim_to_data(problem, norm, input_norm, b)
    data = {
        "format": FORMAT,
        "version": VERSION,
        "claim": claim,
        "region": region_to_data(
            problem.coordinates, problem.lower, problem.upper, problem.constraints
        ),
        "system": {"type": "expressions", **expressions_to_data(problem.expressions)},
        "evidence": evidence,
    }
    return Proved(bound_of(claim["kind"], b), Certificate(data))
