"""A contraction problem read back from a certificate: its system, kind and region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riemannian_modules.arithmetic.expression_data import expressions_from_data
from riemannian_modules.claims.problem import Problem, require_continuous
from riemannian_modules.claims.region_data import region_from_data
from riemannian_modules.errors import CertificateError
from riemannian_modules.modules.signature import Time


def problem_from_data(data: Mapping[str, Any], time: Time) -> Problem:
    """The problem of a certificate of a system of expressions.

    Raises:
        CertificateError: If the system may jump, or does not fit the kind or region.
    """
    rest = {key: value for key, value in data["system"].items() if key != "type"}
    expressions = expressions_from_data(rest, "system", CertificateError)
    require_continuous(expressions, "certificate")
    symbols = expressions.state + expressions.inputs + expressions.parameters
    region = region_from_data(data["region"], [v.name for v in symbols])
    lower, upper, constraints, point = region
    problem = Problem(time, expressions, lower, upper, constraints, point=point)
    if len(expressions.dx) != len(expressions.state) or (time is Time.STATIC) == bool(
        expressions.state
    ):
        raise CertificateError("system: the state and its derivative do not fit the kind of claim.")
    if not problem.map or not problem.variables:
        raise CertificateError("system: there is nothing to contract.")
    return problem
