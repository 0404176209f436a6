"""Metrics as functions of the point, traced from the NumPy code that a user wrote.

Source: Lohmiller and Slotine (1998): contraction metrics M(x, t) and coordinates Theta(x, t).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from riemannian_modules.arithmetic.expression import symbols_of, trace_arrays
from riemannian_modules.claims.norms import FactorL2, FieldL2, Matrix
from riemannian_modules.claims.problem import Problem
from riemannian_modules.claims.wanted_norms import Written, WrittenFactor, WrittenNorm
from riemannian_modules.door import brief
from riemannian_modules.errors import MetricError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.terms.multiplying_out import multiplied_out

LARGEST_INVERSE = 4  # order of coordinates that are inverted in exact terms


def traced_norm(
    written: WrittenNorm, module: RiemannianModule, problem: Problem
) -> FieldL2 | FactorL2:
    """The exact metric that a function stands for, in a problem's symbols.

    Raises:
        MetricError: If it is no symmetric (n, n) matrix, or rates are those of unknown inputs.
        TraceError: If it cannot be traced.
    """
    is_factor = isinstance(written, WrittenFactor)
    function: Written = written.theta if isinstance(written, WrittenFactor) else written.metric

    def metric(x: Any, u: Any, p: Any) -> Mapping[str, Any]:
        return {"metric": function(x, u, p)}

    matrix = _traced(metric, module, problem, "the metric")["metric"]
    n = problem.size
    if matrix.shape != (n, n):
        raise MetricError(
            f"The metric of {type(module).__name__}: expected a matrix ({n}, {n}), one row for "
            f"each of {', '.join(v.name for v in problem.variables)}, got shape {matrix.shape}."
        )
    entries: Matrix = tuple(tuple(row) for row in matrix.tolist())
    rates = _rates(written.rates, module, problem)
    return FactorL2(entries, rates) if is_factor else FieldL2(_symmetric(entries), rates)


def tractable(norm: FieldL2 | FactorL2) -> FieldL2 | FactorL2:
    """Large coordinates as their metric ``Theta^T Theta``, whose test needs no exact inverse."""
    n, theta = len(norm.entries), norm.entries
    if not isinstance(norm, FactorL2) or n <= LARGEST_INVERSE:
        return norm
    M = {
        (i, j): multiplied_out(sp.Add(*(theta[k][i] * theta[k][j] for k in range(n))))
        for i in range(n)
        for j in range(i, n)
    }
    rows = (tuple(M[min(i, j), max(i, j)] for j in range(n)) for i in range(n))
    return FieldL2(tuple(rows), norm.rates)


def _traced(
    function: Written, module: RiemannianModule, problem: Problem, what: str
) -> dict[str, Any]:
    """The arrays that a function returns, with the parameters that the problem fixes put in."""
    s = module.signature
    kept = set(problem.expressions.parameters)
    table = {
        symbol: sp.Rational(*float(value).as_integer_ratio())
        for symbol, value in zip(symbols_of(s.distinct[2]), module.theta.tolist(), strict=True)
        if symbol not in kept
    }
    put = np.frompyfunc(lambda e: e.xreplace(table), 1, 1)
    arrays = trace_arrays(
        f"{type(module).__name__}: {what}", function, s.state, s.inputs, s.parameters, s.distinct
    )
    return {name: np.asarray(put(array), dtype=object) for name, array in arrays.items()}


def _symmetric(entries: Matrix) -> Matrix:
    n = len(entries)
    for i in range(n):
        for j in range(i):
            gap = sp.expand(entries[i][j] - entries[j][i])
            if gap != 0 and sp.simplify(gap) != 0:
                raise MetricError(
                    f"A metric is symmetric; entries ({i}, {j}) and ({j}, {i}) are "
                    f"{str(entries[i][j])[:60]} and {str(entries[j][i])[:60]}. Return "
                    "(M + M.T) / 2, or pass coordinates(...) if this is Theta."
                )
    # Both triangles as one text, so that what reads one of them reads the metric.
    return tuple(tuple(entries[min(i, j)][max(i, j)] for j in range(n)) for i in range(n))


def _rates(
    written: Written | None, module: RiemannianModule, problem: Problem
) -> dict[sp.Symbol, sp.Expr]:
    """The rates of inputs, by symbol."""
    if written is None:
        return {}
    s = module.signature
    ports = dict(zip(s.inputs.names, s.distinct[1].ports, strict=True))
    symbols = {v.name: v for v in problem.expressions.inputs}

    def checked(x: Any, u: Any, p: Any) -> Mapping[str, Any]:
        rates = written(x, u, p)
        if not isinstance(rates, Mapping) or set(rates) - set(ports):
            raise MetricError(
                "rates: expected a mapping from input ports to their time derivatives, got "
                f"{brief(rates)}; known inputs are: {', '.join(ports) or 'none'}."
            )
        return rates

    found: dict[sp.Symbol, sp.Expr] = {}
    for name, array in _traced(checked, module, problem, "the rates").items():
        flat, port = array.ravel().tolist(), ports[name]
        if len(flat) != port.size:
            raise MetricError(
                f"rates: the rate of {name!r} has {len(flat)} entries, expected {port.size}."
            )
        found |= {symbols[c]: e for c, e in zip(port.coordinates(), flat, strict=True)}
    return found
