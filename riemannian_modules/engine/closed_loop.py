"""A loop of one input and one output, closed by negative feedback through a gain.

Source: Kailath (1980), Linear Systems, section 3.1.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.errors import DomainError
from riemannian_modules.spaces import Array


def closed_loop_matrix(loop: StateSpaceModel, gain: float) -> Array:
    """A of the loop under ``u = -gain y``, shape (n, n).

    Raises:
        DomainError: If the feedthrough is -1 over the gain, so that the loop has no solution.
    """
    through = 1.0 + gain * float(loop.D[0, 0])
    if through == 0.0 or not np.isfinite(gain / through):
        raise DomainError(
            f"The loop {loop.inputs[0]} -> {loop.outputs[0]} has the feedthrough "
            f"{loop.D[0, 0]:.6g}; closed with the gain {gain:.6g} it has no solution. Take another "
            "gain, or put a lag into the loop."
        )
    return loop.A - (gain / through) * (loop.B @ loop.C)
