"""The contract that every module keeps, as one call that a test suite makes for each module."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.testing.check_derivatives import (
    check_differential,
    check_jacobian,
    check_parameter_factor,
)
from riemannian_modules.testing.check_geometry import check_local_metric
from riemannian_modules.testing.check_proofs import check_enclosure, check_expressions
from riemannian_modules.testing.check_values import (
    check_batches,
    check_feedthrough,
    check_signature,
    check_twin,
)
from riemannian_modules.testing.subject import ROUNDING, Subject

GivenValues = ArrayLike | Mapping[str, ArrayLike] | None


def check_module(
    module: RiemannianModule,
    *,
    rng: np.random.Generator | None = None,
    around: tuple[GivenValues, GivenValues] = (None, None),
    spread: float = 1.0,
    points: int = 3,
    rounding: float = ROUNDING,
) -> None:
    """Raise AssertionError unless ``module`` keeps the contract of `RiemannianModule`.

    Checked at random points: the signature; shapes, and batches equal to points one by one;
    Jacobian against central differences; pushes, pulls and factors against the Jacobian;
    feedthrough; twins with other parameters; the local metric; and, where the module has them,
    enclosures against samples and expressions against values. A module without an enclosure has to
    refuse by UnsupportedError.

    Args:
        module: The module, of moderate size: the cost is some hundred evaluations.
        rng: Source of the points; seed 0 where none is given.
        around: State and inputs (flat or by name) at the centre of the box that points are drawn
            from.
        spread: Half the width of that box in each coordinate; the box has to lie in the domain.
            Parameters are drawn within a tenth of the module's own.
        points: Number of points at which derivatives are checked.
        rounding: Relative error of one evaluation; larger than 2^-52 for modules that iterate.

    Raises:
        AssertionError: Says what failed, where, and by how much.
    """
    subject = Subject.of(module, rng or np.random.default_rng(0), around, spread, rounding)
    check_signature(subject)
    check_batches(subject)
    check_feedthrough(subject)
    check_twin(subject)
    for _ in range(points):
        check_jacobian(subject)
        check_differential(subject)
    check_parameter_factor(subject)
    check_local_metric(subject)
    check_enclosure(subject)
    check_expressions(subject)
