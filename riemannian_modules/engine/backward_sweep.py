"""A gradient through a module: one backward sweep, the samples summed as it goes.

Source: Pehle and Slotine (2026), arXiv:2603.03610, the costate recursion (THEORY section 2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import number_array
from riemannian_modules.engine.propagation import check_parameters, pull_gradient
from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.module import Point, RiemannianModule
from riemannian_modules.spaces import Array


def gradient(module: RiemannianModule, point: Point, slopes: ArrayLike) -> Array:
    """The derivative in theta of a sum over samples, from its derivatives in their outputs.

    Costs about two evaluations of the module; no sample's own gradient is formed where the modules
    are dense layers or come from torch.

    Args:
        module: A composite or a single module, with q outputs and p parameters.
        point: Where, as `RiemannianModule.point` gives it; theta is one for all samples, (p,).
        slopes: The derivative in each sample's outputs, (..., q); leading axes broadcast to the
            batch.

    Returns:
        Shape (p,), in the order of theta; ``module.signature.parameters.unpack`` names its parts.

    Raises:
        SignatureError: If the module has no parameters, theta is a batch, or the slopes do not fit.
    """
    where = f"gradient({type(module).__name__})"
    check_parameters(where, module, point)
    batch = np.broadcast_shapes(point.x.shape[:-1], point.u.shape[:-1])
    p_y = number_array(f"{where}: slopes", slopes)
    wanted = (*batch, module.signature.outputs.size)
    pairs = zip(p_y.shape[::-1], wanted[::-1], strict=False)
    fits = 1 <= p_y.ndim <= len(wanted) and all(have in (1, want) for have, want in pairs)
    if not fits or p_y.shape[-1] != wanted[-1]:
        raise SignatureError(
            f"{where}: expected slopes of shape {wanted}, one for each output of each sample, or "
            f"one that broadcasts to it, got {p_y.shape}."
        )
    differential = module.differential(point.x, point.u, point.theta)
    return pull_gradient(module, differential, batch, p_y)
