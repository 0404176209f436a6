"""Norms that fit a system: of its size and kind, and defined where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from riemannian_modules.arithmetic import functions as fn
from riemannian_modules.claims.norms import (
    L1,
    L2,
    BlockNorm,
    FactorL2,
    FieldL2,
    FieldNorm,
    LInf,
    Norm,
    SparseL2,
)
from riemannian_modules.claims.problem import Problem
from riemannian_modules.errors import MetricError, SignatureError
from riemannian_modules.modules.signature import Time
from riemannian_modules.terms.generalised import at_successor, regularity


def require_norm(problem: Problem, norm: Norm, input_norm: L2 | None) -> None:
    """Refuse what is no norm, or does not fit the problem, with MetricError or SignatureError."""
    for given in (norm, input_norm):
        if given is not None:
            given.proved()
    check_norm(problem, norm, input_norm)


def check_norm(problem: Problem, norm: Norm, input_norm: L2 | None) -> None:
    """Refuse a norm that does not fit the problem, with MetricError or SignatureError.

    Raises:
        MetricError: If it is no norm.
        SignatureError: If it does not fit.
    """
    size = problem.size
    got = norm.size
    if got != size:
        names = ", ".join(v.name for v in problem.variables)
        raise MetricError(
            f"The norm has {got} coordinates; the module's distance has {size} ({names})."
        )
    if not problem.variables:
        raise SignatureError(
            "The module has neither state nor inputs, so there is nothing to contract."
        )
    if not norm.is_constant and problem.time is Time.STATIC:
        raise MetricError("A static map's gain is between constant metrics; use l2(matrix).")
    if isinstance(norm, FactorL2) and problem.time is Time.DISCRETE:
        raise MetricError("For a step map, pass the metric Theta^T Theta itself: l2(function).")
    if isinstance(norm, (BlockNorm, SparseL2)) and problem.time is Time.STATIC:
        raise MetricError("Norms of blocks and sparse metrics are for flows and steps.")
    if problem.horizontal is not None and not isinstance(norm, (L2, L1, LInf)):
        raise MetricError("With directions left out, the norm is constant; use l2(matrix).")
    if (
        isinstance(norm, (L1, LInf))
        and len(norm.weights) != len(problem.variables)
        and (problem.horizontal is None)
    ):
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


def _check_rates(norm: FieldNorm, problem: Problem) -> None:
    """Refuse a metric of inputs that change in ways which are not said, or said of something else.

    Two trajectories have the same inputs: one u(t) for all points of the path between them, so that
    du/dt is one number for all. Of a rate that depends on the state each point would have its own.
    """
    inputs, rates = set(problem.expressions.inputs), norm.rates
    others = sorted(s.name for s in set(rates) - inputs)
    if others:
        raise MetricError(f"rates: expected rates of inputs, got those of {others}.")
    mentioned: set[Any] = {s for row in norm.entries for e in row for s in e.free_symbols}
    missing = sorted(s.name for s in (mentioned & inputs) - set(rates))
    if problem.is_flow and missing:
        raise MetricError(
            f"The metric mentions the inputs {missing}, which change with time: say how, by "
            'rates=lambda x, u, p: {"name": its time derivative}.'
        )
    if not problem.is_flow and (missing or rates):
        raise MetricError(
            f"The metric of a map mentions the inputs {missing or sorted(map(str, rates))}, whose "
            "next values are not known. Make them states."
        )
    of_rates: set[Any] = {s for rate in rates.values() for s in rate.free_symbols}
    states = sorted(s.name for s in of_rates & set(problem.expressions.state))
    if states:
        raise MetricError(
            f"rates: the rates of inputs depend on the states {states}, but two trajectories are "
            "compared under the same inputs. Make the inputs states of the module, or bound them."
        )


def with_metric(problem: Problem, norm: Norm) -> Problem:
    """The problem with what a metric that changes with the point asks to be defined.

    Raises:
        MetricError: If the metric jumps or has kinks, its coordinates are nowhere regular, or its
            inputs' rates depend on the state.
    """
    if not isinstance(norm, FieldNorm):
        return problem
    _check_rates(norm, problem)
    terms = list(norm.terms)
    rough = (fn.sign, fn.step, fn.maximum, fn.minimum, fn.absolute, sp.Piecewise)
    if any(e.has(*rough) for e in terms):
        raise MetricError("A metric is smooth; write it without abs, sign, where, max or min.")
    if isinstance(norm, FieldL2) and not problem.is_flow:
        # A step's test compares with the metric at the successor.
        terms += [e for row in at_successor(problem, norm.entries) for e in row]
    if isinstance(norm, FactorL2):
        bottom = regularity(norm)
        if bottom == 0:
            raise MetricError("The coordinates are singular everywhere: the determinant is 0.")
        terms.append(1 / bottom)
    return replace(problem, metric_terms=tuple(terms))
