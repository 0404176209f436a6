"""Operating points: states, and inputs that are set free, at which a module rests.

Source: Newton's method with the exact Jacobian, least-norm steps, and halved steps until the
residual falls (Deuflhard, Newton Methods for Nonlinear Problems, 2011, section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import number_array, require, require_mapping, text
from riemannian_modules.engine.linearize import linear_model_at
from riemannian_modules.errors import ConvergenceError, SignatureError
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.shown import Facts, Shown
from riemannian_modules.space import Array

LARGEST_ITERATION_COUNT = 200
LARGEST_HALVING_COUNT = 30
ROUNDING = 64 * np.finfo(float).eps


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
    u: ArrayLike | Mapping[str, ArrayLike] | None = None,
    guess: ArrayLike | Mapping[str, ArrayLike] | None = None,
    theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    outputs: Mapping[str, ArrayLike] | None = None,
    free: Sequence[str] = (),
) -> OperatingPoint:
    """Find a state at which a module rests: dx = 0, or x+ = x in discrete time.

    Args:
        module: A continuous or discrete module.
        u: The inputs, flat or by name; those in ``free`` are guesses. Zeros where None.
        guess: A state to begin from; zeros where None.
        theta: The parameters; the module's own where None.
        outputs: Values that some output ports shall have at rest.
        free: Input ports that may change to bring that about.

    Returns:
        The point that Newton's method reaches; there may be others. Where points at rest form a
        line or more (an integrator), one near the guess.

    Raises:
        SignatureError: For wrong names or shapes, or a module without state.
        ConvergenceError: If no point at rest is found; says which states still move.
    """
    require("equilibrium", module, RiemannianModule, "a module")
    name, s = type(module).__name__, module.signature
    if s.time is Time.STATIC:
        raise SignatureError(f"{name}: a static module has no state, so it has no equilibrium.")
    start = module.point(guess, u, theta)
    if start.x.ndim != 1 or start.u.ndim != 1 or start.theta.ndim != 1:
        raise SignatureError(f"{name}: equilibrium expects one point, got a batch.")
    outputs = {} if outputs is None else outputs
    require_mapping("equilibrium: outputs", outputs, "values by name")
    require("equilibrium: free", free, (list, tuple), "a list of names of inputs")
    for known in free:
        text("equilibrium: free", known)
    rest = _Rest(module, start.theta, start.u, outputs, free)
    z, r = rest.solved(np.concatenate([start.x, start.u[rest.free]]))
    x, inputs = rest.split(z)
    return OperatingPoint(
        x,
        inputs,
        module.output(x, inputs, start.theta),
        start.theta,
        float(np.abs(r).max(initial=0.0)),
    )


class _Rest:
    """The equations of rest ``r(z) = 0``; z holds the state and the free inputs."""

    def __init__(
        self,
        module: RiemannianModule,
        theta: Array,
        u: Array,
        outputs: Mapping[str, ArrayLike],
        free: Sequence[str],
    ) -> None:
        s = module.signature
        self.module, self.theta, self.u = module, theta, u
        self.n = s.state.size
        self.free = np.concatenate(
            [np.zeros(0, dtype=int), *(np.r_[s.inputs.slice_of(name)] for name in free)]
        )
        places = [np.r_[s.outputs.slice_of(name)] for name in outputs]
        self.shown = np.concatenate([np.zeros(0, dtype=int), *places])
        wanted = [number_array("equilibrium: outputs", value).ravel() for value in outputs.values()]
        for name, place, value in zip(outputs, places, wanted, strict=True):
            if len(value) != len(place) or not np.isfinite(value).all():
                raise SignatureError(
                    f"{type(module).__name__}: output {name!r} expects {len(place)} finite "
                    f"numbers, got {value.tolist()}."
                )
        self.wanted = np.concatenate([np.zeros(0), *wanted])

    def split(self, z: Array) -> tuple[Array, Array]:
        u = self.u.copy()
        u[self.free] = z[self.n :]
        return z[: self.n], u

    def residual(self, z: Array) -> Array:
        x, u = self.split(z)
        with np.errstate(all="ignore"):
            dx, y = self.module.forward(x, u, self.theta)
        still = dx if self.module.time is Time.CONTINUOUS else dx - x
        return np.concatenate([still, y[self.shown] - self.wanted])

    def jacobian(self, z: Array) -> Array:
        x, u = self.split(z)
        model = linear_model_at(self.module, Point(x, u, self.theta))
        A = model.A if self.module.time is Time.CONTINUOUS else model.A - np.eye(self.n)
        return np.block(
            [
                [A, model.B[:, self.free]],
                [model.C[self.shown], model.D[np.ix_(self.shown, self.free)]],
            ]
        )

    def solved(self, z: Array) -> tuple[Array, Array]:
        r, peak = self.residual(z), np.abs(z)
        for _ in range(LARGEST_ITERATION_COUNT):
            if not np.isfinite(r).all():
                break
            J = self.jacobian(z)
            step = np.asarray(-np.linalg.lstsq(J, r, rcond=None)[0], dtype=np.float64)
            peak = np.maximum(peak, np.abs(z))
            # The residual's rounding is that of its terms: those in z, as large as z has been, and
            # what it would be at z = 0 if it were affine.
            terms = np.abs(J) @ peak + np.abs(r - J @ z)
            if (np.abs(r) <= ROUNDING * terms).all():
                return z, r
            z_next, r_next = self._damped(z, r, step)
            if z_next is z:
                if _is_stalled_at_a_solution(J, r, step, peak):
                    return z, r
                break
            z, r = z_next, r_next
        raise self._failure(r)

    def _damped(self, z: Array, r: Array, step: Array) -> tuple[Array, Array]:
        size = np.linalg.norm(r)
        for halving in range(LARGEST_HALVING_COUNT):
            trial = z + step / 2**halving
            r_trial = self.residual(trial)
            if np.linalg.norm(r_trial) < size:
                return trial, r_trial
        return z, r

    def _failure(self, r: Array) -> ConvergenceError:
        names = [*self.module.signature.state.coordinates]
        names += [self.module.signature.outputs.coordinates[i] for i in self.shown]
        worst = sorted(zip(names, r.tolist(), strict=True), key=lambda pair: -abs(pair[1]))[:4]
        return ConvergenceError(
            f"{type(self.module).__name__}: no equilibrium was found. Where the search ended, "
            "these still change or differ from what is wanted: "
            + ", ".join(f"{name} by {value:.3g}" for name, value in worst)
            + ". Begin from another guess, or set an input free for each wanted output."
        )


def _is_stalled_at_a_solution(J: Array, r: Array, step: Array, peak: Array) -> bool:
    """Whether a solution lies within rounding of where no shorter step lowers the residual.

    Terms that cancel inside a module leave a larger rounding than its Jacobian tells.
    """
    near = np.linalg.norm(step) <= 1e-10 * np.linalg.norm(peak)
    solved = np.linalg.norm(J @ step + r) <= 1e-6 * np.linalg.norm(r)
    return bool(near and solved)
