"""One system as a whole: its Jacobian's test in one norm, on boxes that cover the region."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.rounding import Mask
from riemannian_modules.bound import LipschitzBound, LogNormBound
from riemannian_modules.claims.answer import Answer, Estimated, Proved, Refuted
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.kind import limit_of
from riemannian_modules.claims.norms import L2, FieldL2, Norm
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.boxes import Boxes
from riemannian_modules.evidence.criterion import Criterion
from riemannian_modules.evidence.decide import boxes_prove
from riemannian_modules.evidence.evidence import Evidence
from riemannian_modules.evidence.fitting import with_metric
from riemannian_modules.evidence.registry import certificate_of
from riemannian_modules.search.boxes.budget import LEAST, Budget
from riemannian_modules.search.boxes.search_state import SearchState
from riemannian_modules.search.boxes.subdivide import Partition, partition
from riemannian_modules.search.boxes.tighten import tighten_exactly
from riemannian_modules.search.boxes.witness import worst_point
from riemannian_modules.search.prepared import prepared_criterion
from riemannian_modules.search.refute import (
    refute_at_rest,
    refute_in_any_metric,
    refute_in_norm,
)
from riemannian_modules.search.squares.square_search import prove_by_squares
from riemannian_modules.terms.cuts import NO_CUTS
from riemannian_modules.terms.deadline import deadline, limited_to, time_left, unlimited
from riemannian_modules.terms.overflow import within_floats

UNDEFINED = (
    "the map may be undefined on part of the region (a root, logarithm or quotient); shrink it"
)
BOXES, SQUARES = 0.5, 0.5  # of the time, for what another rule follows
MOST_COORDINATES = 6  # of a polynomial Jacobian that is proved by squares on a bounded box


def certify_in(
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None,
    target: float | None,
    budget: Budget,
    *,
    norm_is_free: bool = False,
    resume: SearchState | None = None,
) -> Answer:
    """Prove a bound in one norm, or refute it, or say what is open.

    Args:
        problem: The system and the region.
        norm: The norm; `check_norm` has let it pass.
        input_norm: For static maps, the norm of the inputs.
        target: The bound to prove; None for the best.
        budget: Limits of the search.
        norm_is_free: Whether another norm would do as well; then only what refutes every metric
            refutes.
        resume: A search of the same problem to go on with.
    """
    problem = with_metric(problem, norm)
    with limited_to(max(budget.seconds, LEAST)):
        return _certified(problem, norm, input_norm, target, budget, norm_is_free, resume)


def _certified(
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None,
    target: float | None,
    budget: Budget,
    norm_is_free: bool,  # noqa: FBT001
    resume: SearchState | None,
) -> Answer:
    criterion = prepared_criterion(problem, norm, input_norm, deadline(), target)
    limit = limit_of(problem.time)
    hopeless = limit if target is None else target + 1e-9 * max(1.0, abs(target))
    question = {"norm": norm.to_data(problem.symbols)}
    # What sums of squares found they prove, where boxes would go on forever; and a step's boxes say
    # nothing far away, where its successor is far away, too.
    is_found = isinstance(norm, FieldL2) and (norm_is_free or not problem.is_flow)
    comes_first = is_found or _is_beyond_boxes(problem, norm, criterion)
    smooth, is_answer = _before_boxes(
        problem, norm, input_norm, criterion, target, budget, comes_first
    )
    if smooth is not None and is_answer:
        return smooth
    if target is not None and resume is None and _uncut_proves(problem, criterion, target):
        return _proved(problem, norm, input_norm, Boxes(criterion, NO_CUTS), target)
    squares_follow = not comes_first and not problem.constraints
    squares_follow = squares_follow and _squares_apply(problem, norm, criterion)
    with limited_to((BOXES if squares_follow else 1.0) * time_left()):
        parts = partition(
            problem, criterion, target, budget, hopeless, resume=resume, question=question
        )
    try:
        found, undecided = _from_boxes(
            problem, norm, input_norm, criterion, parts, smooth, target, budget
        )
        if found is None and squares_follow and not parts.was_interrupted:
            found = _by_squares(problem, norm, input_norm, criterion, target)
        found = found if found is not None else smooth
        if found is not None:
            return found
        return _refuted_or_open(problem, norm, criterion, parts, undecided, target, norm_is_free)
    except KeyboardInterrupt:
        if smooth is not None:
            return smooth
        every = np.ones(len(parts.lower), dtype=bool)
        asked = limit if target is None else target
        return _estimated(problem, replace(parts, was_interrupted=True), every, asked)


def _from_boxes(
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None,
    criterion: Criterion,
    parts: Partition,
    smooth: Proved | None,
    target: float | None,
    budget: Budget,
) -> tuple[Proved | None, Mask]:
    """What the boxes prove, or sums of squares if that is better, and which boxes are open."""
    limit = limit_of(problem.time)
    b = float(parts.bounds.max()) if target is None else target
    if target is None:
        b = tighten_exactly(problem, criterion, b, parts.lower, parts.upper, deadline())
        near = parts.sampled + budget.tolerance * abs(parts.sampled)
        best = min(b, limit, _number(smooth) if smooth is not None else np.inf)
        if near < best and not parts.was_interrupted and _uncut_proves(problem, criterion, near):
            # Cuts do not help where only points far away need all of the bound.
            evidence = Boxes(criterion, NO_CUTS)
            return _proved(problem, norm, input_norm, evidence, near), parts.bounds > near
    undecided = parts.bounds >= (limit if target is None else target)
    if np.isfinite(b) and (target is not None or b < limit):
        undecided = ~boxes_prove(problem, criterion, parts.lower, parts.upper, b)
        if not undecided.any():
            if smooth is not None and _number(smooth) <= b:
                return smooth, undecided
            evidence = Boxes(criterion, tuple(parts.cuts))
            return _proved(problem, norm, input_norm, evidence, b), undecided
    return None, undecided


def _before_boxes(
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None,
    criterion: Criterion,
    target: float | None,
    budget: Budget,
    comes_first: bool,  # noqa: FBT001
) -> tuple[Proved | None, bool]:
    """A proof by sums of squares, if it is tried before boxes, and whether it is the answer."""
    if not problem.constraints:
        if not comes_first:
            return None, False
        return _by_squares(problem, norm, input_norm, criterion, target), True
    if _one_box_does(problem, criterion, target, budget):
        return None, False
    with limited_to(SQUARES * time_left()):
        smooth = _by_squares(problem, norm, input_norm, criterion, target)
    is_tight = smooth is not None and (
        target is not None or _is_tight(problem, criterion, _number(smooth), budget)
    )
    return smooth, is_tight


def _refuted_or_open(
    problem: Problem,
    norm: Norm,
    criterion: Criterion,
    parts: Partition,
    undecided: Mask,
    target: float | None,
    norm_is_free: bool,  # noqa: FBT001
) -> Refuted | Estimated:
    """A violation that is proved, or what is left."""
    asked = target if target is not None else limit_of(problem.time)
    if not np.isfinite(asked):  # no number refutes that some number is a bound
        return _estimated(problem, parts, undecided, asked)
    beyond = float(np.nextafter(asked, np.inf)) if target is not None else asked
    refuted = None if norm_is_free else refute_in_norm(problem, criterion, asked, parts.point)
    # A metric that changes with the point may gain what the Jacobian alone loses.
    is_constant = norm.is_constant
    refute = refute_in_any_metric if is_constant else refute_at_rest
    refuted = refuted or refute(problem, beyond, parts.point)
    return refuted if refuted is not None else _estimated(problem, parts, undecided, asked)


def _by_squares(
    problem: Problem,
    norm: Norm,
    input_norm: L2 | None,
    criterion: Criterion,
    target: float | None,
) -> Proved | None:
    """A proof by sums of squares: they reach to infinity, and know spheres and slanted faces."""
    if not isinstance(norm, (L2, FieldL2)) or not _squares_apply(problem, norm, criterion):
        return None
    try:
        with within_floats("sums of squares"):
            found = prove_by_squares(problem, norm, target, input_norm)
    except ConvergenceError:  # no time, or nothing to start from
        return None
    if found is None or (target is None and not found[0] < limit_of(problem.time)):
        return None
    return _proved(problem, norm, input_norm, found[1], found[0])


def _squares_apply(problem: Problem, norm: Norm, criterion: Criterion) -> bool:
    if isinstance(norm, FieldL2):
        return bool(problem.constraints) or _is_endless(problem)
    return isinstance(norm, L2) and (bool(problem.constraints) or _is_polynomial(criterion))


def _uncut_proves(problem: Problem, criterion: Criterion, target: float) -> bool:
    """Whether the region needs no cut for a target: then no box has to be measured."""
    return bool(
        boxes_prove(problem, criterion, problem.lower[None], problem.upper[None], target).all()
    )


def _is_endless(problem: Problem) -> bool:
    return not (np.isfinite(problem.lower).all() and np.isfinite(problem.upper).all())


def _is_polynomial(criterion: Criterion) -> bool:
    """Whether the tested matrix is a polynomial of a few coordinates."""
    atoms = criterion.form.atoms
    symbols = set[Any]().union(*(a.free_symbols for a in atoms))
    return len(symbols) <= MOST_COORDINATES and all(a.is_polynomial() for a in atoms)


def _is_beyond_boxes(problem: Problem, norm: Norm, criterion: Criterion) -> bool:
    """Whether boxes say nothing of a constant metric: polynomials grow without limits."""
    if not (isinstance(norm, L2) and _is_endless(problem) and _is_polynomial(criterion)):
        return False
    b = box_bounds(problem, criterion, problem.lower[None], problem.upper[None])
    return not bool(np.isfinite(b).all())


def _number(answer: Proved) -> float:
    return float(answer.certificate.data["claim"]["bound"])


def _one_box_does(
    problem: Problem, criterion: Criterion, target: float | None, budget: Budget
) -> bool:
    """Whether the region's box needs no cut, nearly: what comes for nothing is not sought."""
    b = float(box_bounds(problem, criterion, problem.lower[None], problem.upper[None])[0])
    if target is not None:
        return b <= target
    return bool(np.isfinite(b)) and _is_tight(problem, criterion, b, budget)


def _is_tight(problem: Problem, criterion: Criterion, b: float, budget: Budget) -> bool:
    """Whether a bound is within the budget's tolerance of what some point needs."""
    _, sampled = worst_point(problem, criterion, deadline())
    return b <= sampled + budget.tolerance * abs(sampled)


def _proved(
    problem: Problem, norm: Norm, input_norm: L2 | None, evidence: Evidence, b: float
) -> Proved:
    """The answer with its certificate, of evidence that was verified."""
    claim = Claim(problem, norm, b, input_norm)
    with unlimited():
        return Proved(claim.bound, certificate_of(claim, evidence))


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
        reason = UNDEFINED
    elif parts.was_interrupted:
        reason = (
            f"the search was interrupted with {len(order)} of {len(parts.lower)} boxes undecided; "
            "it can go on (resume)"
        )
    elif parts.sampled > b:
        reason = (
            f"samples need {parts.sampled:.6g}, more than {b:.6g}, but no violation could be proved"
        )
    else:
        reason = (
            f"{len(order)} of {len(parts.lower)} boxes are undecided (samples reach "
            f"{parts.sampled:.6g} of {b:.6g}); a larger budget or a smaller region may decide them"
            f"{_reached(problem, parts)}"
        )
    return Estimated(
        bound, reason, boxes, search=parts.state, was_interrupted=parts.was_interrupted
    )


def _reached(problem: Problem, parts: Partition) -> str:
    """What boxes prove as they are, and which sides they had to be cut across."""
    cuts = Counter(cut[0] for cut in parts.cuts if cut is not None)
    sides = " and ".join(problem.coordinates[axis] for axis, _ in cuts.most_common(2))
    proved = float(parts.bounds.max())
    return (f"; as they are, they prove {proved:.6g}" if np.isfinite(proved) else "") + (
        f"; most cuts are across {sides}" if sides else ""
    )
