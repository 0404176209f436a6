"""Losses and priors as a file or the command line writes them: ``huber:1.5``, ``normal:1,0.2``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from riemannian_modules import engine
from riemannian_modules.engine import Loss, Prior
from riemannian_modules.errors import DomainError, SpecError

LOSSES: Mapping[str, Callable[..., Loss]] = {
    "squared": engine.SquaredLoss,
    "gaussian": engine.GaussianLoss,
    "bernoulli": engine.BernoulliLoss,
    "categorical": engine.CategoricalLoss,
    "poisson": engine.PoissonLoss,
    "huber": engine.HuberLoss,
    "soft_l1": engine.SoftL1Loss,
    "cauchy": engine.CauchyLoss,
    "student": engine.StudentLoss,
}
PRIORS: Mapping[str, Callable[..., Prior]] = {
    "normal": engine.NormalPrior,
    "lognormal": engine.LogNormalPrior,
    "uniform": engine.UniformPrior,
    "laplace": engine.LaplacePrior,
    "ridge": engine.ridge,
}


def loss_named(text: str, where: str) -> Loss:
    """A loss by its name, with its numbers after a colon: ``huber`` or ``student:0.3,4``.

    Raises:
        SpecError: For an unknown name or wrong numbers.
    """
    return _made(LOSSES, text, where)


def prior_named(text: str, where: str) -> Prior:
    """A prior by its name and numbers: ``normal:1,0.2``, ``lognormal:2,0.7``, ``ridge:0.1``.

    Raises:
        SpecError: For an unknown name or wrong numbers.
    """
    return _made(PRIORS, text, where)


def _made(known: Mapping[str, Callable[..., Any]], text: str, where: str) -> Any:
    name, _, rest = text.strip().partition(":")
    if name not in known:
        raise SpecError(f"{where}: expected one of {', '.join(known)}, got {name!r}.")
    parts = [part for part in rest.split(",") if part.strip()]
    wanted = [*inspect.signature(known[name]).parameters.values()]
    least = sum(p.default is inspect.Parameter.empty for p in wanted)
    words = ",".join(p.name.upper() for p in wanted)
    form = f"{name}:{words}" if words else name
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = [0.0] * (len(wanted) + 1)
    if not least <= len(values) <= len(wanted):
        raise SpecError(f"{where}: expected {form}, got {text!r}.")
    try:
        return known[name](*values)
    except DomainError as fault:
        raise SpecError(f"{where}: {fault}") from None
