"""How large states and sensitivities become on their way, roughly, before they are integrated.

Errors are allowed besides as a share of a quantity's size; of one that starts at zero (a product
of reactions in a row, most sensitivities) the size shows only later.
Source: the linearly implicit Euler method; Hairer and Wanner, *Solving Ordinary Differential
Equations II*, section IV.9.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.integration.side_by_side import Flows, first, last, rate_by
from riemannian_modules.spaces import Array

STEPS, RATIO = 12, 5.0  # the first of the growing steps is 4e-9 of the way


def expected_size(flows: Flows, t: Array, until: Array, z: Array) -> Array:
    """The largest magnitudes on a dozen steps from t to ``until`` (M,), shaped as z (n, 1 + k, M).

    Overestimates are found afterwards (see `solve`); underestimates give way to what is met.
    """
    z = first(z)
    size, span, n = np.abs(z), until - t, z.shape[1]
    with np.errstate(all="ignore"):
        for i in range(STEPS):
            then = t + span * RATIO ** (i - STEPS) * (i > 0)
            h = (span * RATIO ** (i + 1 - STEPS) + t - then)[:, None, None]
            x = z[:, None, :, 0]
            v = flows.velocity(then[:, None], x)[:, 0]
            A, E = flows.differential(then[:, None], x)
            rate = v[..., None] if z.shape[-1] == 1 else rate_by(v, A[:, 0], E[:, 0], z)
            try:
                z = z + np.linalg.solve(np.eye(n) - h * A[:, 0], h * rate)
            except np.linalg.LinAlgError:
                break
            size = np.fmax(size, np.abs(z))
    return last(np.where(np.isfinite(size), size, 0.0))
