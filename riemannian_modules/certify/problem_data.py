"""A contraction problem read back from a certificate: its system, kind and region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riemannian_modules.arithmetic.expression_data import expressions_from_data
from riemannian_modules.certify.certificate_data import region_from_data
from riemannian_modules.certify.problem import Problem, require_continuous
from riemannian_modules.errors import CertificateError
from riemannian_modules.modules.module import Time

TIMES = {"flow": Time.CONTINUOUS, "step": Time.DISCRETE, "map": Time.STATIC}


def problem_from_data(data: Mapping[str, Any], kind: str) -> Problem:
    """The problem of a certificate of a system of expressions.

    Raises:
        CertificateError: If the system is no such, may jump, or does not fit the kind or region.
    """
    time, system = TIMES[kind], data["system"]
    if not isinstance(system, dict) or system.get("type") != "expressions":
        raise CertificateError("system: expected a system of type 'expressions'.")
    rest = {key: value for key, value in system.items() if key != "type"}
    expressions = expressions_from_data(rest, "system", CertificateError)
    require_continuous(expressions, "certificate")
    symbols = expressions.state + expressions.inputs + expressions.parameters
    lower, upper, constraints = region_from_data(data["region"], [v.name for v in symbols])
    problem = Problem(time, expressions, lower, upper, constraints)
    if len(expressions.dx) != len(expressions.state) or (time is Time.STATIC) == bool(
        expressions.state
    ):
        raise CertificateError("system: the state and its derivative do not fit the kind of claim.")
    if not problem.map or not problem.variables:
        raise CertificateError("system: there is nothing to contract.")
    return problem
