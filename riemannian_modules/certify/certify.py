"""Certify: find a norm, prove a bound on the whole region, or refute it, or say what is open."""

from __future__ import annotations

from pathlib import Path
from types import NoneType

from riemannian_modules.bound import Bound
from riemannian_modules.certify.trials import (
    FREE,
    GIVEN,
    LARGEST_WHOLE,
    AnyNorm,
    Request,
    answered,
    best_bound,
)
from riemannian_modules.claims.answer import Answer, with_step
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.claims.kind import KINDS, bound_of, target_of
from riemannian_modules.claims.norms import L2
from riemannian_modules.claims.wanted_norms import WrittenFactor, WrittenL2
from riemannian_modules.door import require
from riemannian_modules.errors import MetricError, RegionError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.region import Box
from riemannian_modules.search.boxes.budget import Budget
from riemannian_modules.search.boxes.search_state import SearchState, load_search
from riemannian_modules.search.networks.network import network_rate


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
    resume: SearchState | str | Path | None = None,
) -> Answer:
    """Prove how fast a module contracts on a region; or refute it; or say that it is open.

    Rules are tried one after the other: multipliers for slope-restricted functions, where there is
    nothing else; the system as a whole; and where that is open, for composites, the network rules.
    ``answer.tried`` tells which rule gave which number.

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
        resume: A search that ended early, ``answer.search`` or the file of ``budget.save``, to go
            on with; its norm is kept.

    Returns:
        `Proved` with a bound and a certificate, `Refuted` with a witness, or `Estimated`.

    Raises:
        UnsupportedError: If the module has no exact form, or its map may jump.
        SignatureError, MetricError, RegionError: For requests that do not fit the module.

    Source: Lohmiller and Slotine (1998), Automatica 34; docs/theory.md states what is proved.
    """
    _check_kinds(module, region, norm, input_norm, horizontal, budget)
    request = Request(
        module, region, norm, input_norm, horizontal,
        target_of("certify", module.signature.time, rate, factor),
        budget if budget is not None else Budget(),
        load_search(resume) if isinstance(resume, (str, Path)) else resume,
    )  # fmt: skip
    return with_step(answered(request), module.signature.sampling_time)


def contraction_rate(
    module: RiemannianModule,
    region: Box | None = None,
    *,
    norm: AnyNorm | None = None,
    budget: Budget | None = None,
) -> Bound:
    """The best proved bound: the log-norm of a flow (negative: contracting), or the gain of a map.

    Args:
        module: A flow, a step map or a static map.
        region: As for `certify`; None is everywhere.
        norm: As for `certify`; None tries the identity and the free ones.
        budget: Limits of time and boxes.

    Raises:
        ConvergenceError: If nothing finite could be proved; the message says what the answer was.
    """  # fmt: skip
    _check_kinds(module, region, norm, None, None, budget)
    if norm is None and module.signature.state.size > LARGEST_WHOLE:
        return network_rate(module, region)
    b = best_bound(
        Request(module, region, norm, None, None, None, budget if budget else Budget(), None)
    )
    return bound_of(KINDS[module.signature.time], b)


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
    norms = (*GIVEN, *FREE, WrittenL2, WrittenFactor, NoneType)
    if not (isinstance(norm, str) and norm == "auto"):
        require(
            where, norm, norms, 'a norm: l2(...), coordinates(...), l1(...), linf(...) or "auto"',
            MetricError,
        )  # fmt: skip
    require(where, horizontal, (Horizontal, NoneType), "directions, from quotient(module)")
    require(where, given, (L2, NoneType), "an input norm l2(matrix)", MetricError)
    require(where, budget, (Budget, NoneType), "a Budget")
