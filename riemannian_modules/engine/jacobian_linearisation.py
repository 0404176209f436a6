"""Linearisation of a module at a point, by its exact Jacobian.

Source: Astrom and Murray (2021), Feedback Systems, second edition, section 6.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import require
from riemannian_modules.engine.delays import refuse_delays
from riemannian_modules.engine.linear_model import LinearModel
from riemannian_modules.engine.sampling import refuse_ticks
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.modules.module import Point, RiemannianModule
from riemannian_modules.modules.time_input import require_time


def linearize(
    module: RiemannianModule,
    x: ArrayLike | Mapping[str, ArrayLike] | None = None,
    u: ArrayLike | Mapping[str, ArrayLike] | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
) -> LinearModel:
    """A, B, C and D of a module at one point; `equilibrium` finds points at rest.

    Args:
        module: Any module; a composite is linearised as a whole.
        x: The state, flat (n,) or by name; zeros where None.
        u: The inputs, flat (m,) or by name; zeros where None.
        theta: The parameters, flat (p,) or by name; the module's own where None.

    Returns:
        The linear model with the coordinates' names; `LinearModel.table` shows all entries. At a
        kink of the module (the edge of a saturation) it holds one of the two slopes. Cost: one
        Jacobian.

    Raises:
        SignatureError: For wrong names and shapes, a batch of points, or a module that reads the
            time where the inputs do not name it.
        UnsupportedError: If the module has sampled parts or exact delays.
        DomainError: For NaN or infinite values, given or found in the Jacobian.
    """
    require("linearize", module, RiemannianModule, "a module")
    refuse_ticks("linearize", module)
    refuse_delays("linearize", module)
    require_time("linearize", module, u)
    point = module.point(x, u, theta)
    name = type(module).__name__
    if point.x.ndim != 1 or point.u.ndim != 1 or point.theta.ndim != 1:
        raise SignatureError(
            f"{name}: linearize expects one point, got shapes {point.x.shape}, {point.u.shape} and "
            f"{point.theta.shape}. For a batch call `module.jacobian`."
        )
    model = linear_model_at(module, point)
    return replace(model, y=module.output(point.x, point.u, point.theta))


def linear_model_at(module: RiemannianModule, point: Point) -> LinearModel:
    """The linear model at a checked point.

    Raises:
        DomainError: If the Jacobian is NaN or infinite there.
    """
    with np.errstate(all="ignore"):  # what is undefined is told below, by name
        J = module.jacobian(point.x, point.u, point.theta)
    model = LinearModel(J.A, J.B, J.C, J.D, module.signature, point)
    if not all(np.isfinite(part).all() for part in (J.A, J.B, J.C, J.D)):
        raise DomainError(
            f"{type(module).__name__}: the Jacobian is NaN or infinite at this point:\n{model}\n"
            "Linearise at a point where the map is differentiable."
        )
    return model
