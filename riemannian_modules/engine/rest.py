"""The equations of rest of a module, and Newton's method for them within a conservation class.

Source: Newton's method with the exact Jacobian, least-norm steps, and halved steps until the
residual falls (Deuflhard, Newton Methods for Nonlinear Problems, 2011, section 3.1). Steps keep
what the module conserves, as its trajectories do (Horn and Jackson, 1972).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.engine.jacobian_linearisation import linear_model_at
from riemannian_modules.engine.poles import Poles, poles_of
from riemannian_modules.errors import ConvergenceError, SignatureError
from riemannian_modules.modules.module import Point, RiemannianModule, Time
from riemannian_modules.spaces import Array

LARGEST_ITERATION_COUNT = 200
LARGEST_HALVING_COUNT = 30
ROUNDING = 64 * np.finfo(float).eps


@final
class RestEquations:
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
        s.outputs.check_names(outputs, "equilibrium: outputs")
        laid = [s.outputs.laid(n, v, f"equilibrium: output {n!r}") for n, v in outputs.items()]
        self.shown = np.concatenate([np.zeros(0, dtype=int), *(np.r_[place] for place, _ in laid)])
        for name, (_, value) in zip(outputs, laid, strict=True):
            if value.ndim != 1 or not np.isfinite(value).all():
                raise SignatureError(
                    f"equilibrium: output {name!r} expects finite numbers for one point, got "
                    f"{value.tolist()}."
                )
        wanted = [value for _, value in laid]
        self.wanted = np.concatenate([np.zeros(0), *wanted])

    def split(self, z: Array) -> tuple[Array, Array]:
        """The state (n,) and all inputs (m,) at z."""
        u = self.u.copy()
        u[self.free] = z[self.n :]
        return z[: self.n], u

    def residual(self, z: Array) -> Array:
        """r(z): rates of change, and outputs less what they shall be."""
        x, u = self.split(z)
        with np.errstate(all="ignore"):
            dx, y = self.module.forward(x, u, self.theta)
        still = dx if self.module.time is Time.CONTINUOUS else dx - x
        return np.concatenate([still, y[self.shown] - self.wanted])

    def jacobian(self, z: Array) -> Array:
        """The derivative of r in z."""
        x, u = self.split(z)
        model = linear_model_at(self.module, Point(x, u, self.theta))
        A = model.A if self.module.time is Time.CONTINUOUS else model.A - np.eye(self.n)
        return np.block(
            [
                [A, model.B[:, self.free]],
                [model.C[self.shown], model.D[np.ix_(self.shown, self.free)]],
            ]
        )

    def solved(self, z: Array, laws: Array) -> tuple[Array, Array]:
        """The z and r(z) where Newton's method ends, by steps that change no ``laws @ x``."""
        r, peak = self.residual(z), np.abs(z)
        start, allowed = z, self.allowed(laws)
        for _ in range(LARGEST_ITERATION_COUNT):
            if not np.isfinite(r).all():
                break
            J = self.jacobian(z)
            # Rows have the units of their equations; small ones count as well.
            size = np.abs(J).max(1, initial=0.0)
            size[size == 0.0] = 1.0
            along = np.linalg.lstsq((J / size[:, None]) @ allowed, r / size, rcond=None)[0]
            step = np.asarray(-allowed @ along, dtype=np.float64)
            peak = np.maximum(peak, np.abs(z))
            # The residual's rounding is that of its terms: those in z, as large as z has been, and
            # what it would be at z = 0 if it were affine.
            terms = np.abs(J) @ peak + np.abs(r - J @ z)
            if (np.abs(r) <= ROUNDING * terms).all():
                return z, r
            z_next, r_next = self._damped(z, r, step, size)
            if z_next is z:
                if _is_stalled_at_a_solution(J, r, step, peak):
                    return z, r
                break
            z, r = z_next, r_next
        raise self._failure(r, laws, laws @ start[: self.n])

    def allowed(self, laws: Array) -> Array:
        """A basis of the steps that keep the laws, in columns; all of them where there is none."""
        count = self.n + len(self.free)
        if not len(laws):
            return np.eye(count)
        kept = np.concatenate([laws, np.zeros((len(laws), len(self.free)))], 1)
        return np.linalg.qr(kept.T, mode="complete")[0][:, len(laws) :]

    def attracts(self, z: Array, laws: Array) -> bool:
        """Whether no amount is negative at z, and all within its class come back to it."""
        N = self.allowed(laws)[: self.n]
        rates = np.linalg.eigvals(N.T @ self.jacobian(z)[: self.n, : self.n] @ N)
        growth = rates.real if self.module.time is Time.CONTINUOUS else np.abs(rates + 1.0) - 1.0
        return bool((z >= 0).all() and (growth < -1e-9 * np.abs(rates).max(initial=0.0)).all())

    def poles(self, z: Array, laws: Array) -> Poles:
        """The poles of small motions about z that keep the laws."""
        N = self.allowed(laws)[: self.n]
        x, u = self.split(z)
        A = linear_model_at(self.module, Point(x, u, self.theta)).A
        return poles_of(N.T @ A @ N, self.module.time)

    def _damped(self, z: Array, r: Array, step: Array, unit: Array) -> tuple[Array, Array]:
        size = np.linalg.norm(r / unit)
        for halving in range(LARGEST_HALVING_COUNT):
            trial = z + step / 2**halving
            r_trial = self.residual(trial)
            if np.linalg.norm(r_trial / unit) < size:
                return trial, r_trial
        return z, r

    def _failure(self, r: Array, laws: Array, totals: Array) -> ConvergenceError:
        names = [*self.module.signature.state.coordinates]
        names += [self.module.signature.outputs.coordinates[i] for i in self.shown]
        worst = sorted(zip(names, r.tolist(), strict=True), key=lambda pair: -abs(pair[1]))[:4]
        return ConvergenceError(
            f"{type(self.module).__name__}: no equilibrium was found. Where the search ended, "
            "these still change or differ from what is wanted: "
            + ", ".join(f"{name} by {value:.3g}" for name, value in worst)
            + ". "
            + self._in_words(laws, totals)
            + "Begin from another guess, or set an input free for each wanted output."
        )

    def _in_words(self, laws: Array, totals: Array) -> str:
        """What every point was to have in common with the guess."""
        if not len(laws):
            return ""
        names = self.module.signature.state.coordinates
        shown = [
            " + ".join(f"{c:.6g} {names[i]}" for i, c in enumerate(law) if c) + f" = {total:.6g}"
            for law, total in zip(laws[:4], totals[:4].tolist(), strict=True)
        ]
        more = "" if len(laws) <= 4 else f", and {len(laws) - 4} more"
        return f"The module conserves what the guess has: {'; '.join(shown)}{more}. "


def _is_stalled_at_a_solution(J: Array, r: Array, step: Array, peak: Array) -> bool:
    """Whether a solution lies within rounding of where no shorter step lowers the residual.

    Terms that cancel inside a module leave a larger rounding than its Jacobian tells.
    """
    near = np.linalg.norm(step) <= 1e-10 * np.linalg.norm(peak)
    solved = np.linalg.norm(J @ step + r) <= 1e-6 * np.linalg.norm(r)
    return bool(near and solved)
