"""Experiments, observables and parameters checked, and set up as one model of all measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from riemannian_modules.arithmetic.infix import is_name
from riemannian_modules.door import did_you_mean, number, repeated, require, require_mapping
from riemannian_modules.engine.time_courses.experiments import Experiment, SteadyState
from riemannian_modules.engine.time_courses.formulas import Formulas
from riemannian_modules.engine.time_courses.observable import Observable
from riemannian_modules.engine.time_courses.quantities import Quantities
from riemannian_modules.errors import DomainError, SignatureError

WHERE = "fit_trajectories"


def checked_experiments(given: Any) -> tuple[Experiment, ...]:
    """The experiments, whose names are all different and whose references lead somewhere.

    Raises:
        SignatureError: If they are not, or nothing is measured.
    """
    listed = (given,) if isinstance(given, Experiment) else given
    require(WHERE, listed, (list, tuple), "an experiment, or a list of experiments")
    for one in listed:
        require(WHERE, one, Experiment, "experiments made by experiment(...)")
    names = [one.name for one in listed]
    if repeated(names):
        raise SignatureError(
            f"{WHERE}: the names {sorted(repeated(names))} stand for more than one experiment. "
            "Give each a name of its own."
        )
    by_name = dict(zip(names, listed, strict=True))
    for one in listed:
        path = [one.name]
        while isinstance(x0 := by_name[path[-1]].x0, SteadyState):
            before = x0.of
            if before not in by_name or before in path:
                raise SignatureError(
                    f"{WHERE}: experiment {one.name!r}: its initial state is that of rest in "
                    f"{' -> '.join([*path[1:], before])!r}, which leads nowhere; experiments are: "
                    f"{', '.join(names)}."
                )
            path.append(before)
    if not any(len(s.values) for one in listed for s in one.series):
        raise SignatureError(f"{WHERE}: expected at least one measured value, got none.")
    return tuple(listed)


def check_plain(experiments: Sequence[Experiment]) -> None:
    """Refuse what was measured before its experiment began, or still has units of its own.

    Raises:
        SignatureError: For an experiment with units.
        DomainError: For measurements before the start.
    """
    for one in experiments:
        if any(s.unit or s.time_unit or s.sigma_unit for s in one.series):
            raise SignatureError(
                f"{WHERE}: experiment {one.name!r} has quantities with units, which "
                "`fit_trajectories` turns into plain numbers. Give it the experiment."
            )
        early = [s.observable for s in one.series if (s.times < one.start).any()]
        if early:
            raise DomainError(
                f"{WHERE}: experiment {one.name!r}: {early} were measured before its start at "
                f"{one.start:g}. Give an earlier `start`."
            )


def named_values(fixed: Any) -> dict[str, float | None]:
    """Parameters that are known, by name; None for the value that they have."""
    if fixed is None:
        return {}
    if isinstance(fixed, str):
        fixed = fixed.split()
    if isinstance(fixed, (list, tuple)):
        fixed = dict.fromkeys(fixed)
    require_mapping(f"{WHERE}: fixed", fixed, "names of parameters, perhaps with values")
    return dict(fixed)


def checked_observables(
    quantities: Quantities, experiments: Sequence[Experiment], given: Mapping[str, Any] | None,
    sigma: Any,
) -> dict[str, Observable]:  # fmt: skip
    """The observables that are measured; a quantity's own name is one.

    Raises:
        SignatureError: For names that are no quantity, or not measured.
    """
    found = {} if given is None else dict(given)
    require_mapping(f"{WHERE}: observables", found, "formulas or Observables by name")
    measured = dict.fromkeys(s.observable for one in experiments for s in one.series)
    own = {*quantities.changing.names, *quantities.changing.coordinates}
    observables: dict[str, Observable] = {}
    for name in [*found, *(name for name in measured if name not in found)]:
        entry = found.get(name, name if name in own else None)
        if entry is None:
            known = [*found, *quantities.changing.names[1:]]
            raise SignatureError(
                f"{WHERE}: {name!r} is measured, but is no quantity of the flow"
                f"{did_you_mean([name], known)}; known are: {', '.join(known)}. Say what it is, as "
                f"in observables={{{name!r}: 'scale*A'}}."
            )
        if isinstance(entry, str):
            entry = Observable(entry)
        require(f"{WHERE}: observables: {name!r}", entry, Observable, "a formula or Observable")
        if name in measured:
            _require_positive(name, entry.sigma)
            observables[name] = entry
    by_name = dict.fromkeys(observables, sigma) if not isinstance(sigma, Mapping) else sigma
    unknown = [name for name in by_name if name not in observables]
    if unknown:
        raise SignatureError(
            f"{WHERE}: sigma names {unknown}, which are not measured; measured are: "
            f"{', '.join(observables)}."
        )
    for name, value in by_name.items():
        if value is not None and observables[name].sigma is None:
            _require_positive(name, value)
            observables[name] = replace(observables[name], sigma=value)
    return observables


def _require_positive(name: str, sigma: Any) -> None:
    where = f"{WHERE}: sigma of {name!r}"
    if not (sigma is None or isinstance(sigma, str) or number(where, sigma) > 0):
        raise DomainError(f"{where}: expected > 0, got {sigma}. Leave it out to estimate it.")


def with_unknowns(
    observables: Mapping[str, Observable], experiments: Sequence[Experiment], known: Sequence[str]
) -> tuple[dict[str, Observable], dict[str, str]]:
    """Observables whose sigmas are said, and the unknowns that they bring, each with what it is."""
    taken, brought = {*known}, dict[str, str]()
    named: dict[str, Observable] = {}
    for name, one in observables.items():
        lacks = any(
            np.isnan(s.sigma).any() for e in experiments for s in e.series if s.observable == name
        )
        sigma = one.sigma if one.sigma is not None else (f"sigma_{name}" if lacks else 1.0)
        named[name] = replace(one, sigma=sigma)
        for kind, text in (("scale", one.scale), ("offset", one.offset), ("sigma", sigma)):
            if not isinstance(text, str) or text in taken:
                continue
            if is_name(text) or text == f"sigma_{name}":
                brought.setdefault(text, kind)
    return named, brought


def readout_of(quantities: Quantities, observables: Mapping[str, Observable]) -> Formulas:
    """For each observable its mean on its scale, and the logarithm of its sigma."""
    texts: dict[str, str] = {}
    known = {*quantities.changing.names, *quantities.parameters.names}
    means = {name: mean_formula(one) for name, one in observables.items()}
    for name, one in observables.items():
        function = one.transformation.function
        texts[f"observable {name!r}"] = f"{function}({means[name]})"
        sigma = str(one.sigma)
        for other, mean in means.items():
            if other not in known:  # errors may grow with what is observed
                sigma = re.sub(rf"(?<![\w.]){re.escape(other)}(?![\w.])", f"({mean})", sigma)
        texts[f"sigma of {name!r}"] = f"log({sigma})"
    return Formulas(WHERE, texts, quantities.parameters, quantities.changing)


def mean_formula(one: Observable) -> str:
    """What an observable measures, on the linear scale."""
    text = f"({one.formula})" if one.scale == 1.0 else f"({one.scale})*({one.formula})"
    return text if one.offset == 0.0 else f"{text} + ({one.offset})"
