"""How distances change on a box at most, by one interval enclosure of the Jacobian.

Source: Lohmiller and Slotine (1998), Automatica 34, 683-696 (contraction in a constant metric).
"""

from __future__ import annotations

from types import NoneType

import numpy as np

from riemannian_modules.bound import Bound
from riemannian_modules.door import require
from riemannian_modules.errors import RegionError
from riemannian_modules.modules.evaluation import enclosure_of
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.signature import Time
from riemannian_modules.region import Box


def local_rate(module: RiemannianModule, region: Box | None = None) -> Bound:
    """A sound bound of how distances change on a region, in the module's own state metric.

    One interval enclosure of the Jacobian, rounding included: cheap and local. `certify` cuts the
    region, keeps cancellations and finds metrics.

    Args:
        module: Any module that has an enclosure.
        region: Box of states, inputs and parameters; unnamed states and inputs are unbounded,
            unnamed parameters have the module's values.

    Returns:
        The log-norm of a flow (negative when it contracts), or the gain of a step or static map
        (Euclidean from inputs to outputs); infinite where nothing is known.

    Raises:
        UnsupportedError: If the module has no enclosure.
        RegionError: For unknown names.
    """
    from riemannian_modules.arithmetic.interval import Interval
    from riemannian_modules.modules.constant_metric_bounds import gain_bound, log_norm_bound

    require(
        "local_rate",
        region,
        (Box, NoneType),
        "a region such as box(q=(-1, 1))",
        RegionError,
    )
    s, sides = module.signature, Box() if region is None else region
    names = tuple(c for space in s.distinct for c in space.coordinates)
    low, high = sides.bounds(names, s.distinct)
    n, m = s.state.size, s.inputs.size
    is_fixed = np.isinf(low) & np.isinf(high) & (np.arange(len(names)) >= n + m)
    values = np.concatenate([np.zeros(n + m), module.theta])
    box = Interval(np.where(is_fixed, values, low), np.where(is_fixed, values, high))
    e = enclosure_of(module, box[:n], box[n : n + m], box[n + m :])
    if s.time is Time.STATIC:
        return gain_bound(e.D, np.eye(s.outputs.size), np.eye(m))
    M = module.local_metric().state.as_matrix()
    return log_norm_bound(e.A, M) if s.time is Time.CONTINUOUS else gain_bound(e.A, M, M)
