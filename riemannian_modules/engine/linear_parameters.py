"""Parameters in which a module's outputs are linear, found in its exact expressions.

Source: Golub and Pereyra (1973), SIAM J. Numer. Anal. 10, 413-432 (separable least squares).
"""

from __future__ import annotations

from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule

_MOST_PARAMETERS = 60


def linear_parameters(module: RiemannianModule) -> tuple[int, ...]:
    """Positions of parameters in which the outputs are jointly affine; empty where none is known.

    The largest such set is not searched for: parameters are taken greedily, those that multiply
    fewest others first. O(p^2) second derivatives; modules without expressions, or with more than
    60 parameters, have none.
    """
    if module.signature.parameters.size > _MOST_PARAMETERS:
        return ()
    from riemannian_modules.arithmetic.expression import derivatives

    try:
        expressions = module.expressions
        parameters = expressions.parameters
        slopes = derivatives(expressions.y, parameters)
        second = [
            derivatives(tuple(row[i] for row in slopes), parameters) for i in range(len(parameters))
        ]
    except (TraceError, UnsupportedError):
        return ()
    couples = [
        [any(row[j] != 0 for row in rows) for j in range(len(parameters))] for rows in second
    ]
    chosen: list[int] = []
    alone = [i for i in range(len(parameters)) if not couples[i][i]]
    for i in sorted(alone, key=lambda i: sum(couples[i][j] for j in alone)):
        if not any(couples[i][j] for j in chosen):
            chosen.append(i)
    return tuple(sorted(chosen))
