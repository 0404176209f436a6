"""Which rules are tried for a request, in which order, and what each of them gave.

Multipliers for slope-restricted functions come first, where the system is made of nothing else:
their cost grows with the number of neurons and not with the products of their ranges. Then the
system as a whole, which knows the region; then, for composites, the network rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, final

import numpy as np

from riemannian_modules.claims.answer import Answer, Estimated, Proved, Refuted, Tried
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.kind import limit_of
from riemannian_modules.claims.norm_data import norm_from_data
from riemannian_modules.claims.norms import (
    L1,
    L2,
    FactorL2,
    FieldL2,
    LInf,
    Norm,
)
from riemannian_modules.claims.problem import Problem, require_continuous
from riemannian_modules.claims.wanted_norms import (
    FreeL1,
    FreeL2,
    FreeLearnedL2,
    FreeLInf,
    FreeNorm,
    FreePolynomialL2,
    WrittenFactor,
    WrittenL2,
    WrittenNorm,
)
from riemannian_modules.errors import (
    ConvergenceError,
    MetricError,
    RiemannianError,
    SignatureError,
    TraceError,
    UnsupportedError,
)
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.fitting import require_norm, with_metric
from riemannian_modules.graph import ModuleGraph
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box
from riemannian_modules.search.boxes.budget import LEAST, Budget
from riemannian_modules.search.boxes.search_state import SearchState
from riemannian_modules.search.boxes.subdivide import partition
from riemannian_modules.search.boxes.witness import worst_point
from riemannian_modules.search.definite_field import refuse_indefinite
from riemannian_modules.search.fields import traced_norm, tractable
from riemannian_modules.search.layers.slopes import prove_layers
from riemannian_modules.search.layers.slopes_form import (
    MOST_COORDINATES,
    SlopesForm,
    slopes_problem,
)
from riemannian_modules.search.monolithic import UNDEFINED, certify_in
from riemannian_modules.search.networks.network import prove_network
from riemannian_modules.search.norms.find_norm import find_norm
from riemannian_modules.search.prepared import prepared_criterion
from riemannian_modules.search.refute import refute_at_rest, refute_in_any_metric
from riemannian_modules.search.traced_problem import make_problem
from riemannian_modules.terms.deadline import OutOfTime, deadline, limited_to, time_left
from riemannian_modules.terms.overflow import BeyondFloats, within_floats

AnyNorm = Norm | FreeNorm | WrittenNorm | Literal["auto"]
Result = TypeVar("Result")
GIVEN = (L2, L1, LInf, FieldL2, FactorL2)
SUMS = (L1, LInf, FreeL1, FreeLInf)
FREE = (FreeL2, FreeL1, FreeLInf, FreePolynomialL2, FreeLearnedL2)
LARGEST_WHOLE = 64  # states up to which one dense metric is sought
MOST_NEURONS = 8  # of a map whose Jacobian is multiplied out
MOST_CORNERS = 12  # neurons of a flow or step whose slopes' corners are all tried
NORM = 0.5  # of the time, for the search of a norm
FIRST = 0.6  # of the time, for a rule that others follow
SHARE = 0.1  # of the budget for what is proved already
TIE = 1e-10  # part of a bound by which multipliers have to be better than the whole
WHOLE, SLOPES = "the system as a whole", "slopes of activations"
NO_NORM = "no norm of the wanted kind was found; give one, allow another kind, or shrink the region"
SMALL = 6  # inputs of a map whose Jacobian is bounded as a whole, too


@final
@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What `certify` is asked."""

    module: RiemannianModule
    region: Box | None
    norm: AnyNorm | None
    input_norm: L2 | None
    horizontal: Horizontal | None
    target: float | None  # the bound that is asked for; None for the best
    budget: Budget
    resume: SearchState | None

    @property
    def is_static(self) -> bool:
        """Whether the module has no state."""
        return self.module.signature.time is Time.STATIC

    @property
    def is_large(self) -> bool:
        """Whether there are too many states for one dense metric to be sought."""
        is_free = self.norm is None or isinstance(self.norm, str)
        return is_free and self.module.signature.state.size > LARGEST_WHOLE

    @property
    def is_euclidean(self) -> bool:
        """Whether constant l2 norms answer it."""
        return self.norm is None or isinstance(self.norm, (L2, FreeL2, str))

    @property
    def in_sums(self) -> bool:
        """Whether weighted l1 or linf norms of the state answer it."""
        return isinstance(self.norm, SUMS) and not self.is_static

    @property
    def has_parts(self) -> bool:
        """Whether the network rules follow the others."""
        is_free = self.norm is None or isinstance(self.norm, str)
        return is_free and isinstance(self.module, ModuleGraph) and not self.is_static


def answered(request: Request) -> Answer:
    """The first rule's answer that decides the request, with what all of them gave.

    Raises:
        RiemannianError: What the first rule raised, where no rule could be applied at all.
    """
    _refuse_jumps(request.module)
    return _in_time(_answered, request)


def _in_time(answer: Callable[[Request], Result], request: Request) -> Result:
    with limited_to(max(request.budget.seconds, LEAST)):
        return answer(request)


def _answered(request: Request) -> Answer:
    tried: list[Tried] = []
    best: Proved | None = None
    opened: Estimated | None = None
    fault: RiemannianError | None = None
    for name, attempt in _attempts(request):
        if best is not None and time_left() < 0:
            break
        try:
            answer = _attempted(name, attempt, best)
        except KeyboardInterrupt:
            if best is None and opened is None:
                raise
            break
        except (UnsupportedError, TraceError) as error:
            fault = fault or error
            tried.append(Tried(name, None, str(error)))
            continue
        if isinstance(answer, Refuted):
            return answer
        if isinstance(answer, Proved):
            tried.append(Tried(name, answer.bound, "proved"))
            best = answer if best is None or _is_better(answer, best) else best
            if not _may_be_beaten(request, name):
                break
            continue
        tried.append(Tried(name, None, answer.reason))
        opened = opened or answer
        if answer.was_interrupted:
            opened = answer
            break
    found = best if best is not None else opened
    if found is not None:
        return replace(found, tried=tuple(tried))
    assert fault is not None  # at least one rule was tried
    raise fault


def _attempted(
    name: str, attempt: Callable[[Proved | None], Answer], best: Proved | None
) -> Answer:
    """A rule's answer: undecided, with the reason, where time or floating point gives it up."""
    try:
        with within_floats(name):
            return attempt(best)
    except (BeyondFloats, OutOfTime) as error:
        return Estimated(None, str(error))


def _refuse_jumps(module: RiemannianModule) -> None:
    """Raise UnsupportedError for a map that may jump, whatever the rule."""
    try:
        expressions = module.expressions
    except RiemannianError:
        return  # what cannot be traced has rules of its own, which know its parts
    require_continuous(expressions, type(module).__name__)


def _attempts(request: Request) -> Iterator[tuple[str, Callable[[Proved | None], Answer]]]:
    """The rules in their order, each as a function of the best answer before it."""
    has_slopes = request.is_euclidean or request.in_sums
    if request.horizontal is not None or not has_slopes or request.resume is not None:
        yield WHOLE, lambda _: _whole(request)
        return
    form = slopes_problem(request.module, request.region)
    neurons = 0 if form is None else len(form.slopes)
    whole = (WHOLE, lambda best: _in_time(_whole, _shortened(request, neurons, best)))
    slopes = (SLOPES, lambda _: _slopes(request, form))
    parts = ("the network rules", lambda _: _network(request))
    if request.is_static:
        yield slopes
        if neurons <= MOST_NEURONS:
            yield whole
        return
    if request.is_large:
        yield parts
        yield slopes
        return
    if request.in_sums:
        yield from (slopes, whole) if neurons else (whole,)
        return
    yield from (slopes, whole) if neurons else (whole, slopes)
    if request.has_parts:
        yield parts


def _shortened(request: Request, neurons: int, best: Proved | None) -> Request:
    """The request for the whole, with a part of its time where little is to be gained.

    Of a flow or step that multipliers have proved, the whole says more in its certificate, and has
    better bounds on a bounded region, if corners of slopes are few.
    """
    region = request.region
    is_bounded = region is not None and bool(region.sides)
    is_small = neurons <= MOST_CORNERS or request.in_sums
    gains = request.target is None and is_bounded and is_small
    share = SHARE
    if best is None or request.is_static or gains:
        share = FIRST if request.has_parts else 1.0
    budget = replace(request.budget, seconds=share * request.budget.seconds)
    return replace(request, budget=budget)


def _may_be_beaten(request: Request, name: str) -> bool:
    """Whether the next rule may give more at little cost.

    Multipliers bound slopes everywhere; on a bounded region a small map's own Jacobian is tighter.
    """
    if name != SLOPES:
        return False
    if not request.is_static:
        return not request.is_large
    if request.target is not None or request.region is None:
        return False
    return request.module.signature.inputs.size <= SMALL and bool(request.region.sides)


def _is_better(answer: Proved, best: Proved) -> bool:
    """Whether it is no worse but for a trifle; it comes of a rule that says more."""
    return _number(answer) <= _number(best) + TIE * abs(_number(best))


def _number(answer: Proved) -> float:
    return float(answer.certificate.data["claim"]["bound"])


def _slopes(request: Request, form: SlopesForm | None) -> Answer:
    if form is None:
        _require_exact(request.module)
        raise UnsupportedError(
            f"{type(request.module).__name__}: it is not made of linear maps and functions of "
            f"bounded slope alone, or of more than {MOST_COORDINATES} states, inputs or neurons, "
            "so multipliers for slopes do not apply. Take smaller inputs, or prove the layers one "
            "after the other: factors multiply."
        )
    norm: Any = None if isinstance(request.norm, str) else request.norm
    with limited_to(time_left() if request.is_static else FIRST * time_left()):
        return prove_layers(form, norm, request.input_norm, request.target, request.budget)


def _require_exact(module: RiemannianModule) -> None:
    """Raise what a part that has no exact form says of itself, by its name."""
    try:
        _ = module.expressions
    except TraceError:
        return  # too large to be written out


def _network(request: Request) -> Answer:
    return prove_network(request.module, request.region, request.target)


def _whole(request: Request) -> Answer:
    problem = _problem(request)
    norm = _given_norm(request, problem)
    is_free = norm is None
    if norm is None:
        wanted: Any = request.norm if isinstance(request.norm, FREE) else None
        norm = _best_norm(problem, wanted, request.input_norm)
    if norm is None:
        return _without_norm(problem, request)
    require_norm(problem, norm, request.input_norm)
    return certify_in(
        problem, norm, request.input_norm, request.target, request.budget, norm_is_free=is_free,
        resume=request.resume,
    )  # fmt: skip


@within_floats("contraction_rate")
def best_bound(request: Request) -> float:
    """The best bound of the system as a whole, contracting or not.

    Raises:
        ConvergenceError: If nothing finite could be proved.
    """
    return _in_time(_best_bound, request)


def _best_bound(request: Request) -> float:
    problem = _problem(request)
    norm = _given_norm(request, problem)
    if norm is None:
        wanted: Any = request.norm if isinstance(request.norm, FREE) else None
        norm = _best_norm(problem, wanted, None)
    if norm is None:
        raise ConvergenceError(
            "No norm was found in which a bound can be proved. Make the region smaller."
        )
    require_norm(problem, norm, None)
    problem = with_metric(problem, norm)
    b = float(
        partition(problem, prepared_criterion(problem, norm), None, request.budget).bounds.max()
    )
    if not np.isfinite(b):
        raise ConvergenceError(
            "Nothing finite could be proved on this region. Bound its unbounded sides."
        )
    return b


def _problem(request: Request) -> Problem:
    module, horizontal = request.module, request.horizontal
    problem = make_problem(module, request.region if request.region is not None else Box())
    if horizontal is None:
        return problem
    if request.is_static or horizontal.R.shape[0] != len(problem.map):
        raise SignatureError(
            f"horizontal: its directions have {horizontal.R.shape[0]} coordinates; the state of "
            f"{type(module).__name__} has {len(problem.expressions.state)}."
        )
    if not problem.admits(horizontal):
        raise SignatureError(
            f"horizontal: the directions left out are not proved to be of the kind "
            f"{horizontal.kind!r} for {type(module).__name__}; find them with `quotient`."
        )
    return replace(problem, horizontal=horizontal)


def _given_norm(request: Request, problem: Problem) -> Norm | None:
    if request.resume is not None and "norm" in request.resume.question:
        data = request.resume.question["norm"]
        return norm_from_data(data, problem.size, "search.norm", problem.symbols).proved()
    if isinstance(request.norm, (WrittenL2, WrittenFactor)):
        norm = tractable(traced_norm(request.norm, request.module, problem))
        refuse_indefinite(problem, norm)
        return norm
    return request.norm if isinstance(request.norm, GIVEN) else None


def _best_norm(problem: Problem, wanted: FreeNorm | None, input_norm: L2 | None) -> Norm | None:
    """The norm with the smallest bound on the whole region at once, or among its samples."""
    if problem.time is Time.STATIC:
        if isinstance(wanted, (FreeL1, FreeLInf)):
            raise SignatureError(
                "Weights of a static map's gain are to be given, not found: linf([1.0, ...]) or "
                "l1([1.0, ...]), or norm=None for the Euclidean gain."
            )
        return L2(np.eye(problem.size))
    with limited_to(NORM * time_left()):
        candidates = _candidates(problem, wanted)
    best: tuple[float, Norm] | None = None
    for candidate in candidates:
        own = with_metric(problem, candidate)
        criterion = prepared_criterion(own, candidate, input_norm, deadline())
        if problem.constraints:  # of which one box says little
            b = worst_point(own, criterion, deadline())[1]
        else:
            b = float(box_bounds(own, criterion, problem.lower[None], problem.upper[None])[0])
        if best is None or b < best[0] - 1e-9 * abs(best[0]):
            best = (b, candidate)
    return best[1] if best is not None else None


def _candidates(problem: Problem, wanted: FreeNorm | None) -> list[Norm]:
    """The identity, and the best norms found of the kinds that are allowed."""
    candidates: list[Norm] = []
    if wanted is None or isinstance(wanted, FreeL2):
        candidates.append(L2(np.eye(problem.size)))
    for free in (wanted,) if wanted is not None else (FreeL2(), FreeLInf(), FreeL1()):
        try:
            with within_floats("the search for a norm"):
                candidates.append(find_norm(problem, free).proved())
        except (ConvergenceError, MetricError):
            continue
    return candidates


def _without_norm(problem: Problem, request: Request) -> Answer:
    b = request.target if request.target is not None else limit_of(problem.time)
    # A metric that changes with the point may gain what the Jacobian alone loses.
    is_constant = not isinstance(request.norm, (FreePolynomialL2, FreeLearnedL2))
    refute = refute_in_any_metric if is_constant else refute_at_rest
    refuted = refute(problem, b if request.target is None else float(np.nextafter(b, np.inf)))
    if refuted is not None:
        return refuted
    return Estimated(None, NO_NORM if problem.is_defined else UNDEFINED)
