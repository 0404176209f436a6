"""Operating points: states, and inputs that are set free, at which a module rests.

Source: Deuflhard (2011), Newton Methods for Nonlinear Problems, section 3.1; Horn and Jackson
(1972) for what points at rest have in common with the guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import require, require_mapping, text
from riemannian_modules.engine.amounts import along_trajectory, holds_amounts, is_lost, is_near
from riemannian_modules.engine.conserved import conserved
from riemannian_modules.engine.delays import at_rest
from riemannian_modules.engine.rest import RestEquations
from riemannian_modules.engine.sampling import refuse_ticks
from riemannian_modules.errors import ConvergenceError, SignatureError
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.modules.time_input import require_time
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OperatingPoint(Shown):
    """A point at rest: state x (n,), inputs u (m,), outputs y (q,), parameters theta (p,).

    ``residual`` is the largest remaining rate of change, or difference to a wanted output.

    Attributes:
        x: The state, (n,).
        u: The inputs, (m,).
        y: The outputs, (q,).
        theta: The parameters, (p,).
        residual: The largest remaining rate of change, or difference to a wanted output.
    """

    x: Array
    u: Array
    y: Array
    theta: Array
    residual: float

    @override
    def facts(self) -> Facts:
        title = f"OperatingPoint: at rest within {self.residual:.3g}"
        return Facts(title, Shown.facts(self).rows[:-1])


def equilibrium(
    module: RiemannianModule,
    inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
    guess: ArrayLike | Mapping[str, ArrayLike] | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    outputs: Mapping[str, ArrayLike] | None = None,
    free: Sequence[str] = (),
) -> OperatingPoint:
    """Find a state at which a module rests: dx = 0, or x+ = x in discrete time.

    An exact delay passes its input at rest; what is on its way counts in what is conserved.

    Args:
        module: A continuous or discrete module.
        inputs: The inputs, flat or by name; those in ``free`` are guesses. Zeros where not given.
        guess: A state to begin from; zeros where not given. What the module conserves at these
            inputs (the atoms of a closed reaction network) keeps the value that it has there.
        theta: The parameters; the module's own where None.
        outputs: Values that some output ports shall have at rest.
        free: Input ports that may change to bring that about.

    Returns:
        The point that Newton's method reaches; there may be others. Where points at rest form a
        line or more (an integrator), the one with the guess's conserved values. Only where no
        such point has the wanted outputs do these values give way, to one near the guess.

    Raises:
        SignatureError: For wrong names or shapes, a module without state, or one that reads the
            time where the inputs do not name it.
        UnsupportedError: If the module has sampled parts.
        ConvergenceError: If no point at rest is found; says which states still move, and what is
            conserved.
    """
    require("equilibrium", module, RiemannianModule, "a module")
    refuse_ticks("equilibrium", module)
    module = at_rest(module)
    name, s = type(module).__name__, module.signature
    if s.time is Time.STATIC:
        raise SignatureError(f"{name}: a static module has no state, so it has no equilibrium.")
    start = module.point(guess, inputs, theta)
    if start.x.ndim != 1 or start.u.ndim != 1 or start.theta.ndim != 1:
        raise SignatureError(f"{name}: equilibrium expects one point, got a batch.")
    outputs = {} if outputs is None else outputs
    require_mapping("equilibrium: outputs", outputs, "values by name")
    require("equilibrium: free", free, (list, tuple), "a list of names of inputs")
    for known in free:
        text("equilibrium: free", known)
    require_time("equilibrium", module, inputs, free)
    rest = RestEquations(module, start.theta, start.u, outputs, free)
    laws = conserved(module, start, rest.free)
    z, r = _solved(rest, start, laws)
    x, u = rest.split(z)
    y = module.output(x, u, start.theta)
    return OperatingPoint(x, u, y, start.theta, float(np.abs(r).max(initial=0.0)))


def _solved(rest: RestEquations, start: Point, laws: Array) -> tuple[Array, Array]:
    """Where Newton's method ends within the guess's class, or outside for the outputs' sake.

    Where that is no point that amounts can reach, the module's own motion leads to one.
    """
    guess = np.concatenate([start.x, start.u[rest.free]])
    is_driven = bool(len(rest.free) or len(rest.wanted))
    try:
        found = rest.solved(guess, laws)
    except ConvergenceError:
        other = None if is_driven else _approached(rest, start, laws)
        if other is not None:
            return other
        if len(rest.wanted) and len(laws):
            return rest.solved(guess, laws[:0])
        raise
    if is_driven or not is_lost(start.x, found[0]) or rest.attracts(found[0], laws):
        return found
    return _approached(rest, start, laws) or found


def _approached(rest: RestEquations, start: Point, laws: Array) -> tuple[Array, Array] | None:
    """The point at rest that a module of amounts approaches from the guess, if it does."""
    if not holds_amounts(rest.module, start):
        return None
    for x in along_trajectory(rest.module, start):
        # The solver keeps the totals to its tolerance only.
        drift = np.linalg.lstsq(laws * x, laws @ (start.x - x), rcond=None)[0]
        try:
            z, r = rest.solved(x + x * drift, laws)
        except ConvergenceError:
            continue
        if is_near(x, z):
            return z, r
    return None
