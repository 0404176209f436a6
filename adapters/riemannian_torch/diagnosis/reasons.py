"""Why a run trains slowly, in sentences: each reads one number, and says what mends it."""

from __future__ import annotations

from riemannian_torch.diagnosis.diagnosis import Diagnosis

# Where a number begins to be a reason; the same for all tasks.
_WEAK_AGREEMENT = 0.25  # of promised and actual decrease, as in trust-region methods
_WEAK_RHO = 0.3  # mu grows below 0.5
_CUT = 0.5  # of lr
_FEW_FREE = 0.1  # of the directions
_MANY_UNSEEN = 5.0  # c
_LOW_RANK = 0.03  # of a layer's possible one
_FEW_SAMPLES = 0.05  # of the batch carry half of the step


def reasons(d: Diagnosis) -> tuple[str, ...]:
    """The sentences, the gravest first; one that says so where nothing is found."""
    found = [*_of_the_step(d), *_of_the_damping(d), *_of_the_samples(d), *_of_the_layers(d)]
    return tuple(found) or ("Nothing holds this step back: it did what it promised.",)


def _of_the_step(d: Diagnosis) -> list[str]:
    found: list[str] = []
    if d.actual is not None and d.actual < 0.0:
        found.append(
            f"The loss of this very batch rose by {-d.actual:.3g}: the outputs bend within the "
            "step. Lower lr or trust_region."
        )
    elif d.agreement is not None and d.agreement < _WEAK_AGREEMENT:
        found.append(
            f"The loss fell by {d.agreement:.0%} of what was promised on this very batch: the "
            "outputs bend within the step. Lower lr or trust_region."
        )
    if d.rho < _WEAK_RHO:
        found.append(
            f"The last direction was worth {d.rho:.2f} of itself on new samples: it fits its batch "
            "rather than the task, and mu grows. One step tells little; where most are so, larger "
            "batches or weight_decay mend it."
        )
    if d.lr and d.length < _CUT * d.lr:
        found.append(
            f"The trust region cut the step to {d.length / d.lr:.0%} of lr. Where rho stays near 1 "
            f"({d.rho:.2f} now), raise trust_region."
        )
    return found


def _of_the_damping(d: Diagnosis) -> list[str]:
    found: list[str] = []
    if d.decided < _FEW_FREE * d.possible:
        found.append(
            f"mu = {d.mu:.2g} leaves {d.decided:.1f} of {d.possible} directions free: the others "
            "are walked as plain gradient descent would. It falls where rho is above 0.5; start "
            "with a smaller damping, or scale inputs and outputs to size 1."
        )
    if d.c > _MANY_UNSEEN:
        found.append(
            f"The outputs move {d.c:.1f} times as much as the columns see, so steps are that much "
            "shorter: the outputs are many and pull together. With few outputs, try JointMetric()."
        )
    return found


def _of_the_samples(d: Diagnosis) -> list[str]:
    sizes = sorted(((abs(v), b) for b, v in enumerate(d.influence)), reverse=True)
    total = sum(v for v, _ in sizes)
    if not total or len(sizes) < 10:
        return []
    first, carried = list[int](), 0.0
    for v, b in sizes:
        first.append(b)
        carried += v / total
        if carried >= 0.5:
            break
    if len(first) > max(1, _FEW_SAMPLES * len(sizes)):
        return []
    named = ", ".join(map(str, first[:6])) + (" ..." if len(first) > 6 else "")
    return [
        f"{carried:.0%} of the step rests on {len(first)} of {len(sizes)} samples: {named}. Look "
        "at their labels and scales."
    ]


def _of_the_layers(d: Diagnosis) -> list[str]:
    found: list[str] = []
    for layer in d.layers:
        name, possible = layer.name or "model", min(layer.parameters, len(d.influence))
        if layer.trace == 0.0:
            found.append(
                f"{name} gets no gradient: its units are dead or saturated, or nothing uses it."
            )
        elif possible >= 20 and layer.effective_rank < _LOW_RANK * possible:
            found.append(
                f"{name} sees {layer.effective_rank:.1f} directions of {possible} possible: what "
                "goes through it hardly differs between samples. Centre and scale its inputs (a "
                "norm before it), or look for units that are dead or saturated."
            )
    return found
