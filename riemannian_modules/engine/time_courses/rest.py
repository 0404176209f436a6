"""Where a flow rests, and how that place moves with the parameters.

At rest ``f(x, q) = 0``, hence ``A dx = -F dq``; what A leaves undetermined are the quantities that
the flow conserves, which are those of the start.
Source: the implicit function theorem; Horn and Jackson (1972), Arch. Rational Mech. Anal. 47.
"""

from __future__ import annotations

import numpy as np

from riemannian_modules.engine.equilibrium import equilibrium
from riemannian_modules.engine.time_courses.setting import Moved, Setting, Settings
from riemannian_modules.space import Array

_RANK = 1e-10  # of the Jacobian's largest singular value


def rest(settings: Settings, at: Setting) -> Moved:
    """The state at rest that the setting's start belongs to, and its derivatives.

    Raises:
        ConvergenceError: If there is none.
    """
    flow, begin = settings.field.flow, settings.experiment.start
    u = at.program.sampled(np.array([begin]))[0]
    x = equilibrium(flow, u, at.start.value, at.theta).x
    J = settings.field.linearised(at.theta).matrix(x.tolist(), u.tolist())
    n = len(x)
    A, moved = J[:, :n], J[:, n:] @ at.flow.slope
    U, sizes, _ = np.linalg.svd(A)
    laws = U[:, sizes <= _RANK * sizes.max(initial=0.0)].T
    # Both in units of their own size, so that least squares is exact elimination.
    stacked = np.vstack([A / max(float(sizes.max(initial=0.0)), 1e-300), laws])
    wanted = np.vstack([-moved / max(float(sizes.max(initial=0.0)), 1e-300),
                        laws @ at.start.slope])  # fmt: skip
    moves: Array = np.linalg.lstsq(stacked, wanted, rcond=None)[0].astype(np.float64)
    return Moved(x, moves)
