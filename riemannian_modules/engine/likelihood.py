"""The likelihood of data at a fit, from which models are compared.

Sources: Akaike (1974), IEEE Trans. Autom. Control 19, 716-723; Schwarz (1978), Ann. Statist. 6,
461-464; Burnham and Anderson (2002), section 2.2 (the noise's size is a parameter too).
"""

from __future__ import annotations

import math

import numpy as np

from riemannian_modules.engine.fit_problem import FitProblem
from riemannian_modules.engine.losses import GaussianLoss, NaturalLoss, SquaredLoss
from riemannian_modules.engine.robust_losses import StudentLoss
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.spaces import Array


def log_likelihood(problem: FitProblem, outputs: Array) -> float:
    """``log p(data)``, natural, at outputs (B, q); at the most likely noise where it is unknown.

    Priors have no part in it.

    Raises:
        UnsupportedError: For a loss that is no likelihood.
    """
    data, loss, w = problem.data, problem.loss, problem.data.weighing
    if isinstance(loss, NaturalLoss):
        terms = loss.terms(outputs, data.targets)
        return -float(np.sum(w[:, : terms.shape[-1]] * terms))
    n, logs = data.size, 0.5 * float(np.sum(np.log(w[data.measured])))
    if isinstance(loss, SquaredLoss):
        squares = float(np.sum(w * (outputs - data.targets) ** 2))
        if problem.is_absolute:
            return logs - 0.5 * squares - 0.5 * n * math.log(2.0 * math.pi)
        if not squares > 0.0:
            return math.inf
        return logs - 0.5 * n * (math.log(2.0 * math.pi * squares / n) + 1.0)
    value = problem.likelihood.value(outputs, data.targets)
    if isinstance(loss, GaussianLoss):
        return logs - value
    if isinstance(loss, StudentLoss):
        nu = loss.freedom
        each = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu)
        each -= 0.5 * math.log(nu * math.pi) + math.log(loss.scale)
        return logs + n * each - value
    raise UnsupportedError(
        f"FitResult.log_likelihood: {type(loss).__name__} is the likelihood of no noise, so there "
        "is no AIC or BIC either. Use StudentLoss, which bears outliers too."
    )


def noise_parameters(problem: FitProblem) -> int:
    """How many sizes of noise are estimated beside the parameters."""
    if isinstance(problem.loss, GaussianLoss):
        return int(problem.data.measured.any(axis=0).sum())
    return int(isinstance(problem.loss, SquaredLoss) and not problem.is_absolute)
