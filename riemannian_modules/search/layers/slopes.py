"""Neural layers: bounds of systems with slope-restricted functions, by multipliers.

A static map's Lipschitz constant, the factor of a step, the rate of a flow: where a module is made
of linear maps and activations of bounded slope, one multiplier for each neuron and one matrix
inequality prove a bound for all inputs and states (slopes are bounded everywhere, so the region
does not matter). In weighted l1 and linf norms, corners of slopes prove it for flows and steps.
Search is untrusted; what it finds is then proved in floating point.

Source: Fazlyab, Robey, Hassani, Morari and Pappas (2019), *Efficient and accurate estimation of
    Lipschitz constants for deep neural networks*, arXiv:1906.04893 (LipSDP, one multiplier a
    neuron); Yakubovich (1962) and Lur'e for flows.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.claims.answer import Answer, Estimated, Proved, with_step
from riemannian_modules.claims.claim import Claim
from riemannian_modules.claims.kind import bound_of, limit_of, target_of
from riemannian_modules.claims.norms import L1, L2, LInf, Norm
from riemannian_modules.claims.slopes_system import SlopesForm
from riemannian_modules.claims.wanted_norms import FreeL1, FreeL2, FreeLInf, FreeNorm
from riemannian_modules.errors import ConvergenceError, MetricError, SignatureError
from riemannian_modules.evidence.evidence import Evidence
from riemannian_modules.evidence.registry import certificate_of
from riemannian_modules.evidence.slope_multipliers import SlopeMultipliers, proves
from riemannian_modules.evidence.slope_sums import SlopeSums, sums_bound
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import Box
from riemannian_modules.search.boxes.budget import Budget
from riemannian_modules.search.layers.slopes_chain import chain_multipliers
from riemannian_modules.search.layers.slopes_form import slopes_problem
from riemannian_modules.search.layers.slopes_metric import find_metric
from riemannian_modules.search.layers.slopes_pencil import compression_of, pencil_of, shortened
from riemannian_modules.search.layers.slopes_search import (
    GAP,
    Point,
    feasible_start,
    follow_centres,
)
from riemannian_modules.search.layers.slopes_weights import find_weights
from riemannian_modules.spaces import Array
from riemannian_modules.terms.deadline import limited_to, time_left
from riemannian_modules.terms.overflow import within_floats

SECONDS = 60.0  # of search, where no budget is given
METRIC = 0.6  # of the time, for the search of a metric
ENOUGH = 1e-9  # of b, relative: inflation with which the best point found is taken
INFLATION = (1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)  # of b, relative, until a proof succeeds
MOST_AT_ONCE = 1_200  # neurons whose multipliers are searched together
MOST_FINE, COARSE = 200, 1e-7  # beyond so many neurons, b^2 is found to this part
MOST_POINTS = 6  # of the search that are tried


@within_floats("certify_slopes")
def certify_slopes(
    module: RiemannianModule | SlopesForm,
    region: Box | None = None,
    *,
    norm: Norm | FreeNorm | None = None,
    input_norm: L2 | None = None,
    rate: float | None = None,
    factor: float | None = None,
    budget: Budget | None = None,
) -> Answer:
    """Prove a bound of a module made of linear maps and functions of bounded slope.

    Args:
        module: A module, or the form itself, whose loops among neurons may be implicit layers.
        region: Stands in the certificate; slopes are bounded everywhere.
        norm: `l2`, given or free; of flows and steps `l1` or `linf`, too. None is the identity for
            static maps, else a free `l2`.
        input_norm: For static maps, the norm of the inputs; Euclidean when None.
        rate: For flows, the rate to prove (1/time); None for the best that is found.
        factor: For steps and maps, the Lipschitz constant to prove; None for the best.
        budget: Its seconds limit the search; a tolerance above the default ends it early.

    Returns:
        `Proved` with a certificate, or `Estimated` with the reason; never `Refuted`.

    Raises:
        SignatureError, MetricError, RegionError: For requests that do not fit the module.

    Cost: O(m^3) a step of the search for m neurons, some 10 to 25 steps; free metrics cost more.
    Chains of more than 1,200 neurons are searched layer by layer, which is looser.
    """
    form = module if isinstance(module, SlopesForm) else slopes_problem(module, region)
    if form is None:
        return Estimated(
            None, "the module is not made of linear maps and functions of bounded slope alone"
        )
    target = target_of("certify_slopes", form.time, rate, factor)
    answer = prove_layers(form, norm, input_norm, target, budget)
    if isinstance(module, SlopesForm):
        return answer
    return with_step(answer, module.signature.sampling_time)


def prove_layers(
    form: SlopesForm,
    norm: Norm | FreeNorm | None,
    input_norm: L2 | None,
    target: float | None,
    budget: Budget | None,
) -> Answer:
    """As `certify_slopes`, of a form, for a bound b."""
    with limited_to(budget.seconds if budget is not None else SECONDS):
        if isinstance(norm, (L1, LInf, FreeL1, FreeLInf)) and form.time is not Time.STATIC:
            _input_metric(form, input_norm)  # raises: a state's distance has one norm
            return _by_sums(form, norm, target)
        if norm is not None and not isinstance(norm, (L2, FreeL2)):
            return Estimated(None, "multipliers for slopes speak of l2 norms; use l2(...)")
        return _certified(form, norm, input_norm, target, _gap(budget))


def _by_sums(form: SlopesForm, norm: L1 | LInf | FreeL1 | FreeLInf, target: float | None) -> Answer:
    if form.depths is None:
        return Estimated(None, "sums over slopes are those of layers, but neurons form a loop here")
    try:
        found = find_weights(form, norm) if isinstance(norm, (FreeL1, FreeLInf)) else norm
        found = found.proved()
        assert isinstance(found, (L1, LInf))  # it was one
        if len(found.weights) != len(form.A):
            raise MetricError(
                f"norm: {len(found.weights)} weights; the module's distance has {len(form.A)}. "
                "Give one positive weight a coordinate."
            )
        b = sums_bound(form, found)
    except ConvergenceError as fault:
        return Estimated(None, str(fault))
    if np.isinf(b):
        return Estimated(None, "a sum over slopes depends on too many neurons of several layers")
    asked = limit_of(form.time) if target is None else target
    if b > asked or (target is None and b == asked):
        bound = bound_of(form.kind, b)
        return Estimated(bound, f"sums over slopes give {b:.6g}; {asked:.6g} is not proved")
    return _certified_by(Claim(form, found, b if target is None else target), SlopeSums())


def _certified(
    form: SlopesForm,
    norm: L2 | FreeL2 | None,
    input_norm: L2 | None,
    target: float | None,
    gap: float,
) -> Answer:
    with limited_to(METRIC * time_left()):
        M = _output_metric(form, norm, target)
    N = _input_metric(form, input_norm)
    with np.errstate(all="ignore"):  # what overflows here is refused by the proof
        H = compression_of(form) if N is None else None
        points = _searched(form, M, N, H, gap)
    if not points:
        return Estimated(None, "no multipliers were found; loops may have no unique solution")
    return _proved(form, (M, N), points, H, target)


def _gap(budget: Budget | None) -> float:
    # b^2 is searched for maps, whose relative gap is twice that of b.
    is_coarse = budget is not None and budget.tolerance > Budget().tolerance
    return 2.0 * budget.tolerance if budget is not None and is_coarse else GAP


def _output_metric(form: SlopesForm, norm: L2 | FreeL2 | None, target: float | None) -> Array:
    size = form.A.shape[0]
    if isinstance(norm, L2):
        return _checked(norm, size, "norm")
    if form.time is Time.STATIC:
        return np.eye(size)
    found = find_metric(form, norm.condition if norm is not None else np.inf, target)
    if found is None:
        return np.eye(size)
    return _checked(L2(found), size, "the metric that was found")


def _input_metric(form: SlopesForm, norm: L2 | None) -> Array | None:
    if norm is None:
        return None
    if form.time is not Time.STATIC:
        raise SignatureError("input_norm is for static maps; a state's distance has one norm.")
    return _checked(norm, form.A.shape[1], "input_norm")


def _checked(norm: L2, size: int, where: str) -> Array:
    found = norm.proved()
    assert isinstance(found, L2)  # it was one
    if len(found.metric) != size:
        raise MetricError(
            f"{where}: {len(found.metric)} coordinates; the module's distance has {size}."
        )
    return found.metric


def _searched(
    form: SlopesForm, M: Array, N: Array | None, H: Array | None, gap: float
) -> list[Point]:
    """Bounds and multipliers, the best first."""
    points = _large_chain(form, M, N) if len(form.slopes) > MOST_AT_ONCE else None
    if points is None:
        pencil = pencil_of(form, M, N, H)
        start = feasible_start(form, pencil)
        if start is None:
            return []
        fine = gap if len(form.slopes) <= MOST_FINE else max(gap, COARSE)
        points = follow_centres(pencil, start, gap=fine)
    is_flow = form.time is Time.CONTINUOUS
    last = points[: -MOST_POINTS - 1 : -1]
    bounds = [(r if is_flow else float(np.sqrt(max(r, 0.0))), t) for r, t in last]
    # Multipliers count to second order near the best ones; short ones are quick to check exactly.
    return [(b, shortened(t, 36)) for b, t in bounds]


def _large_chain(form: SlopesForm, M: Array, N: Array | None) -> list[Point] | None:
    found = chain_multipliers(form, M) if N is None else None
    return [found] if found is not None else None


def _proved(
    form: SlopesForm,
    metrics: tuple[Array, Array | None],
    points: list[Point],
    H: Array | None,
    target: float | None,
) -> Answer:
    limit = limit_of(form.time)
    found = points[0][0]
    best: tuple[float, Array] | None = None
    for b, t in points:
        if target is not None:
            if b <= target and proves(form, target, metrics, t, H):
                best = (target, t)
                break
            continue
        proved = _smallest(form, metrics, b, t, H)
        if proved is not None and (best is None or proved < best[0]):
            best = (proved, t)
        if best is not None and best[0] - found <= ENOUGH * abs(found):
            break
    if best is None or (target is None and best[0] >= limit):
        asked = target if target is not None else limit
        return Estimated(
            bound_of(form.kind, found),
            f"the multipliers that were found give {found:.6g}; {asked:.6g} is not proved",
        )
    b, t = best
    M, N = metrics
    claim = Claim(form, L2(M), b, None if N is None else L2(N))
    return _certified_by(claim, SlopeMultipliers(t, H))


def _certified_by(claim: Claim, evidence: Evidence) -> Proved:
    return Proved(claim.bound, certificate_of(claim, evidence))


def _smallest(
    form: SlopesForm, metrics: tuple[Array, Array | None], b: float, t: Array, H: Array | None
) -> float | None:
    """The smallest of a few bounds slightly above b that the multipliers prove."""
    scale = abs(b) if form.time is not Time.CONTINUOUS else max(abs(b), 1e-3)
    for part in INFLATION:
        if proves(form, b + part * scale, metrics, t, H):
            return float(b + part * scale)
    return None
