"""The composition rules, each once: numbers of parts in, a number of the whole and its steps out.

Every function has the same shape: it returns a `Derived`, whose steps name the rule, what it was
applied to, the numbers that went in and the one that came out, so that a reader can compute it
again by hand. All results are rounded upwards.

Source: Strom (1975); Russo, di Bernardo and Sontag, IEEE TAC 58 (2013); Arcak and Sontag,
    Automatica 42 (2006), for the secant criterion; THEORY section 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from typing import final

import numpy as np

from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.certify.networks.comparison import (
    Comparison,
    Weights,
    abscissa,
    find_weights,
    rounded_up,
    sparse_comparison_bound,
)
from riemannian_modules.certify.networks.gain import weighted_gain
from riemannian_modules.certify.norms import L2, proved_norm
from riemannian_modules.door import number
from riemannian_modules.errors import DomainError, MetricError, WiringError
from riemannian_modules.space import Array


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One use of a rule: to what, which numbers went in, which came out."""

    rule: str
    subject: str
    numbers: tuple[float, ...]
    result: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A bound of a composite and how it was derived; ``weights`` of the parts where there are."""

    bound: float
    steps: tuple[Step, ...]
    weights: Weights | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A map in a chain: its gain from one metric to another, both (n, n) matrices."""

    name: str
    gain: float
    metric_in: Array
    metric_out: Array


def chain_rule(gains: Mapping[str, float]) -> Derived:
    """Maps in a row, between the same metrics: gains multiply."""
    return _derived("chain", gains, math.prod(_gains(gains), start=Fraction(1)))


def sum_rule(gains: Mapping[str, float]) -> Derived:
    """Maps side by side whose outputs are added: gains add."""
    return _derived("sum", gains, sum(_gains(gains), Fraction(0)))


def stack_rule(gains: Mapping[str, float]) -> Derived:
    """Maps side by side whose outputs stand beside each other: the root of the sum of squares."""
    total = sum((g * g for g in _gains(gains)), Fraction(0))
    root = iv.sqrt(Interval.rational(total))
    return _derived("parallel", gains, Fraction(float(root.upper)))


def converted_chain(links: Sequence[Link]) -> Derived:
    """Maps in a row between any metrics: where neighbours' metrics differ, the conversion is paid.

    The gain is from the first metric to itself after the last map (a step made of several maps), so
    metrics in which each map contracts say nothing about the whole until they are compared.

    Raises:
        MetricError: If neighbours' sizes differ, or a matrix is no metric.
    """
    factors: dict[str, float] = {}
    steps: list[Step] = []
    for k, link in enumerate(links):
        factors[link.name] = link.gain
        following = links[(k + 1) % len(links)]
        paid = conversion(link.metric_out, following.metric_in)
        if paid != 1.0:
            name = f"{link.name} to {following.name}"
            factors[name] = paid
            steps.append(Step("change of metric", name, (), paid))
    whole = chain_rule(factors)
    return Derived(whole.bound, (*steps, *whole.steps))


def conversion(source: Array, target: Array) -> float:
    """The smallest c found with ``|z|_target <= c |z|_source``, proved; 1 for equal metrics."""
    for M in (source, target):
        proved_norm(L2(M))
    if np.array_equal(source, target):
        return 1.0
    if source.shape != target.shape:
        raise MetricError(
            f"Metrics of shapes {source.shape} and {target.shape} have no conversion."
        )
    return weighted_gain(Interval.point(np.eye(len(source))), target, source)


def dag_rule(gains: Mapping[tuple[str, str], float], source: str, sink: str) -> Derived:
    """Maps without loops, gains on edges (from, to): the sum over paths of products.

    That is the entry of ``(I - Gamma)^{-1}``. Outputs that meet are added.

    Raises:
        WiringError: If the edges close a loop; use `small_gain_rule` then.
    """
    feeds: dict[str, list[tuple[str, float]]] = {source: [], sink: []}
    for (a, b), gain in gains.items():
        feeds.setdefault(a, [])
        feeds.setdefault(b, []).append((a, gain))
    order = TopologicalSorter({node: [a for a, _ in rows] for node, rows in feeds.items()})
    reached: dict[str, Fraction] = {}
    steps: list[Step] = []
    try:
        nodes = list(order.static_order())
    except CycleError as loop:
        path = " -> ".join(loop.args[1])
        raise WiringError((f"The maps close a loop: {path}. A loop needs small gains.",)) from None
    for node in nodes:
        rows = feeds[node]
        total = sum((reached[a] * _one(a, gain) for a, gain in rows), Fraction(0))
        reached[node] = Fraction(1) if node == source else Fraction(rounded_up(total))
        if rows and node != source:
            used = tuple(gain for _, gain in rows)
            steps.append(Step("dag", node, used, float(reached[node])))
    return Derived(float(reached[sink]), tuple(steps))


def cascade_rule(
    own: Mapping[str, float], gains: Mapping[tuple[str, str], float], bound: float
) -> Derived:
    """Flows (or steps) that feed only those after them: any bound above the largest own one.

    The closer ``bound`` comes to it, the farther the weights spread: ``weights.spread`` is the
    base-2 logarithm of the norm's conditioning. Edges are (from, to).
    """
    return small_gain_rule(own, gains, bound, name="cascade")


def small_gain_rule(
    own: Mapping[str, float],
    gains: Mapping[tuple[str, str], float],
    bound: float | None = None,
    *,
    name: str = "small gain",
) -> Derived:
    """Any network of flows or steps: ``C r <= b r`` with own bounds and gains (from, to) in C.

    The bound is that of ``max_i |z_i| / r_i``; None takes the best but for a thousandth of its
    distance to zero.

    Raises:
        ConvergenceError: If no weights exist for the bound that is asked for.
    """
    index = {node: i for i, node in enumerate(own)}
    entries = {(i, i): _one(node, own[node]) for node, i in index.items()}
    for (a, b), gain in gains.items():
        if gain < 0:
            raise DomainError(f"{name}: the gain {a} -> {b} is {gain}; a gain is not negative.")
        place = index[b], index[a]
        entries[place] = entries.get(place, Fraction(0)) + _one(f"{a} -> {b}", gain)
    C = Comparison(len(own), {p: rounded_up(v) for p, v in entries.items() if v})
    if bound is None:
        best = abscissa(C, 0.0)
        bound = best + 1e-3 * max(abs(best), 1e-9)
    weights = find_weights(C, bound)
    proved = sparse_comparison_bound(C, weights)
    rows = tuple(
        Step(name, node, (own[node], *(g for (_, b), g in gains.items() if b == node)), proved)
        for node in own
    )
    return Derived(proved, rows, weights)


def skew_rule(own: Mapping[str, float]) -> Derived:
    """Two flows with ``J_12 = -k J_21^T``, k > 0: in ``blkdiag(M_1, k M_2)`` the couplings cancel.

    What is left is the larger of their own bounds, whatever the gain.
    """
    if len(own) != 2:
        raise DomainError(f"Skew-symmetric feedback joins two flows, got {len(own)}.")
    return _derived("skew-symmetric feedback", own, max(_exact(own)))


def secant_rule(own: Mapping[str, float], gains: Sequence[float]) -> Derived:
    """Scalar flows in a ring, each feeding the next with ``g_i``, the last with ``-g_n`` the first.

    With the geometric mean g of the gains, the bound is ``max own + g cos(pi / n)``, in the metric
    that makes all gains g: there the coupling is g times a path with an opposite corner, whose
    symmetric part has the largest eigenvalue ``cos(pi / n)``. So n equal flows of rate a contract
    up to ``g = a sec(pi / n)``, where the small gain rule ends at a. The couplings are these
    numbers at every point; where they vary, `certify_network` tests all of them.
    """
    n = len(own)
    if n != len(gains) or n < 2:
        raise DomainError(f"The secant rule needs one gain a flow, got {len(gains)} for {n}.")
    if any(not g > 0 for g in gains):
        raise DomainError("The secant rule takes magnitudes above zero; the sign is the ring's.")
    logs = sum((iv.log(Interval.point(np.array(float(g)))) for g in gains), Interval.point(0.0))
    mean = iv.exp(logs / n)
    cosine = iv.cos(Interval.rational(Fraction(1, n)) * _PI)
    top = Interval.point(np.array(max(own.values()))) + mean * cosine
    return Derived(
        float(top.upper), (Step("secant", " -> ".join(own), tuple(gains), float(top.upper)),)
    )


# pi lies between these neighbouring doubles.
_PI = Interval(np.array(math.pi), np.array(math.nextafter(math.pi, 4.0)))


def _derived(rule: str, parts: Mapping[str, float], value: Fraction) -> Derived:
    bound = rounded_up(value)
    return Derived(bound, (Step(rule, ", ".join(parts), tuple(parts.values()), bound),))


def _exact(parts: Mapping[str, float]) -> list[Fraction]:
    return [_one(name, value) for name, value in parts.items()]


def _gains(parts: Mapping[str, float]) -> list[Fraction]:
    for name, value in parts.items():
        if value < 0:
            raise DomainError(f"{name}: a gain is not negative, got {value}.")
    return _exact(parts)


def _one(name: str, value: float) -> Fraction:
    found = number(name, value)
    if not math.isfinite(found):
        raise DomainError(f"{name}: expected a finite number, got {value}.")
    return Fraction(found)
