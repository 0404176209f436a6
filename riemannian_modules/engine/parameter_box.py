"""Where parameters may move: between bounds, within the support of priors, or not at all.

Source: none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import brief, name_list, require, require_mapping
from riemannian_modules.engine.descent_step import Bounds
from riemannian_modules.engine.priors import Prior
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Array, Space

BoundLike: TypeAlias = ArrayLike | None
BoundsByName: TypeAlias = Mapping[str, tuple[BoundLike, BoundLike]]
Fixed: TypeAlias = str | Sequence[str] | Mapping[str, ArrayLike | None]


def bounded(where: str, space: Space, bounds: BoundsByName | None) -> Bounds:
    """The box that a user's bounds describe, everywhere infinite where they name nothing.

    Raises:
        SignatureError: For unknown names, or sides of a wrong shape.
    """
    sides = (np.full(space.size, -np.inf), np.full(space.size, np.inf))
    if bounds is None:
        return Bounds(*sides)
    require_mapping(f"{where}: bounds", bounds, "pairs by name")
    space.check_names(bounds, f"{where}: bounds")
    for name, pair in bounds.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise SignatureError(f"{where}: bounds of {name!r} need a lower and an upper side.")
        for side, value in zip(sides, pair, strict=True):
            if value is not None:
                place, given = space.laid(name, value, f"{where}: bounds of {name!r}")
                if given.ndim != 1 or np.isnan(given).any():
                    raise SignatureError(
                        f"{where}: bounds of {name!r} expect one number for each entry, got "
                        f"{brief(value)} of shape {given.shape}."
                    )
                side[place] = given
    return Bounds(*sides)


def fixed_values(where: str, space: Space, fixed: Fixed | None, theta: Array) -> Array:
    """The value of each fixed entry, (p,), and NaN for the others.

    Args:
        where: What is being read, for messages.
        space: Of the parameters.
        fixed: Names of parameters or of entries such as ``W[0,1]``, separated by blanks or in a
            sequence, which keep the values that they have; or values by name.
        theta: The values that they have, (p,).

    Raises:
        SignatureError: For unknown names or a wrong shape.
        DomainError: For values that are not finite.
    """
    values = np.full(space.size, np.nan)
    if fixed is None:
        return values
    if not isinstance(fixed, Mapping):
        fixed = dict.fromkeys(name_list(f"{where}: fixed", fixed, "names, or values by name"))
    require_mapping(f"{where}: fixed", fixed, "names, or values by name")
    space.check_names(fixed, f"{where}: fixed")
    for name, value in fixed.items():
        place = space.slice_of(name)
        if value is None:
            values[place] = theta[place]
            continue
        _, given = space.laid(name, value, f"{where}: fixed: {name!r}")
        if given.ndim != 1:
            raise SignatureError(
                f"{where}: fixed: {name!r} expects one number for each entry, got {brief(value)}."
            )
        if not np.isfinite(given).all():
            raise DomainError(f"{where}: fixed: {name!r} expects finite numbers, got {given}.")
        values[place] = given
    return values


def priors_by_entry(
    where: str, space: Space, prior: Prior | Mapping[str, Prior] | None
) -> dict[int, Prior]:
    """The prior of each entry of theta that has one; those of an entry overrule its array's.

    Raises:
        SignatureError: For unknown names, or what is no prior.
    """
    if prior is None:
        return {}
    expected = "priors by name, such as {'k': NormalPrior(1.0, 0.2)}"
    if isinstance(prior, Prior):
        return dict.fromkeys(range(space.size), prior.plain(f"{where}: prior", ""))
    require_mapping(f"{where}: prior", prior, expected)
    space.check_names(prior, f"{where}: prior")
    found: dict[int, Prior] = {}
    for name in sorted(prior, key=lambda name: name not in space):
        require(f"{where}: prior of {name!r}", prior[name], Prior, expected)
        place = space.slice_of(name)
        known = prior[name].plain(f"{where}: prior of {name!r}", space.unit_of(name))
        found |= dict.fromkeys(range(place.start, place.stop), known)
    return dict(sorted(found.items()))


def check_inside(where: str, space: Space, box: Bounds, theta: Array) -> None:
    """Check that theta lies in a box that is not empty.

    Raises:
        DomainError: If it does not.
    """
    outside = (theta < box.lower) | (theta > box.upper) | (box.lower > box.upper)
    if outside.any():
        names = [name for name, out in zip(space.coordinates, outside, strict=True) if out]
        raise DomainError(
            f"{where}: expected a start inside the bounds, but {names[:8]} lie outside (or their "
            "lower side is above their upper one). Give the module other parameters or widen "
            "the bounds."
        )
