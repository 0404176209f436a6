"""A linear model with named coordinates: A, B, C, D at an operating point, and what they tell.

Source: Kailath (1980), Linear Systems, chapter 2; Astrom and Murray (2021), Feedback Systems.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from riemannian_modules.door import number
from riemannian_modules.engine.closed_loop import closed_loop_matrix
from riemannian_modules.engine.frequency import FrequencyResponse, frequency_response
from riemannian_modules.engine.gramians import Gramians, gramians_of
from riemannian_modules.engine.margins import Margins, margins_of
from riemannian_modules.engine.nyquist import Nyquist, nyquist_of
from riemannian_modules.engine.poles import Stability, poles_of
from riemannian_modules.engine.reachable import TOLERANCE, Rank, minimal_matrices, staircase
from riemannian_modules.engine.regulators import (
    Estimator,
    Feedback,
    placed_gain,
    quadratic_gain,
    weight,
)
from riemannian_modules.engine.root_locus import RootLocus, root_locus_of
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.engine.step_info import StepInfo, step_info_of
from riemannian_modules.engine.step_response import StepResponse, step_response_of
from riemannian_modules.engine.system_norms import PeakGain, h2_norm, peak_gain
from riemannian_modules.engine.zeros import invariant_zeros
from riemannian_modules.errors import DomainError
from riemannian_modules.modules.arguments import matrix_of_shape
from riemannian_modules.modules.module import Point, Time
from riemannian_modules.shown import Facts, counted, listed
from riemannian_modules.spaces import EMPTY, Array, one_port

ROUNDING = 1e-14  # relative: what an eigenvalue of a definite weight exceeds
MOST_POLES = 60  # states of a model whose poles are printed, for they cost O(n^3)


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearModel(StateSpaceModel):
    """``d dx = A d x + B d u, d y = C d x + D d u`` for small deviations d from a point.

    In discrete time dx is the successor. Rows and columns are coordinates of the signature's
    spaces. Frequencies are in radians per unit of time (of the sampling time in discrete time, or
    per step where that is not said). Methods for a loop close it by negative feedback from one
    output to one input, the others left open.

    Attributes:
        A: d dx / d x, shape (n, n).
        B: d dx / d u, shape (n, m).
        C: d y / d x, shape (q, n).
        D: d y / d u, shape (q, m).
        signature: Names, units and time.
        point: Where the module was linearised.
        y: The outputs there, (q,); zeros where None.
    """

    y: Array | None = None

    @property
    def is_stable(self) -> bool | None:
        """True or False as `stability` says, and None where rounding cannot tell."""
        return _ANSWERS[self.stability]

    @property
    def zeros(self) -> NDArray[np.complex128]:
        """The invariant zeros: where ``[A - z, B; C, D]`` loses rank, for any shape."""
        return invariant_zeros(self.A, self.B, self.C, self.D)

    # How it answers.

    def step_response(self, times: ArrayLike | None = None) -> StepResponse:
        """The outputs after unit steps of each input, from rest; exact at the times.

        Args:
            times: (T,), ascending from 0 or later; what the poles ask for where None.

        Raises:
            DomainError: For times that are not ascending, or no whole steps of a discrete model.
            UnsupportedError: If the poles ask for more than 200,000 times.
        """
        return step_response_of(self, times)

    def step_info(self, band: float = 0.02) -> StepInfo:
        """Rise and settling times, overshoot, peak and end for each output and input.

        Args:
            band: The part of the end that counts as settled.

        Raises:
            DomainError: If the model is not stable; then `channel(output, into).minimal()` may be.
            ConvergenceError: If the band is narrower than rounding lets an output come to its end.
            UnsupportedError: If the poles ask for more than 200,000 times.
        """
        return step_info_of(self, band)

    def bode(self, frequencies: ArrayLike | None = None) -> FrequencyResponse:
        """Gain and phase of each output and input over frequency, in O(n^2) a frequency.

        Args:
            frequencies: (k,), in radians per unit of time; a decade and more about all poles, up to
                half the sampling rate, where None.

        Raises:
            DomainError: For frequencies that are negative or not finite.
        """
        return frequency_response(self, frequencies)

    # A loop.

    def margins(self, output: str | None = None, into: str | None = None) -> Margins:
        """Gain, phase and delay margins of a loop: every crossing, and which of them bind.

        Args:
            output: The output that is fed back; may be left out where there is one.
            into: The input to which minus the output goes, likewise.

        Raises:
            SignatureError: For unknown names, or none where there are several.
            DomainError: If the loop has no solution (a feedthrough of -1).
            UnsupportedError: For a discrete model with a pole at -1.
        """
        loop = self.channel(output, into)
        return margins_of(loop, lambda _: 1.0 / loop.sensitivity().h_infinity().gain)

    def nyquist(self, output: str | None = None, into: str | None = None) -> Nyquist:
        """The curve of a loop over frequency, and how often it runs around -1.

        Args:
            output: The output that is fed back; may be left out where there is one.
            into: The input to which minus the output goes, likewise.

        Raises:
            SignatureError: For unknown names, or none where there are several.
            DomainError: If the loop has no solution (a feedthrough of -1).
        """
        return nyquist_of(self.channel(output, into))

    def root_locus(
        self,
        output: str | None = None,
        into: str | None = None,
        gains: ArrayLike | None = None,
    ) -> RootLocus:
        """The poles of a loop over its gain.

        Args:
            output: The output that is fed back; may be left out where there is one.
            into: The input to which minus the output goes, likewise.
            gains: (g,), ascending; where None, from 0 so far and so close that branches are told
                apart.

        Raises:
            SignatureError: For unknown names, or none where there are several.
            DomainError: For gains that are not ascending, or at which the loop has no solution.
        """
        return root_locus_of(self.channel(output, into), gains)

    def sensitivity(self) -> LinearModel:
        """``1 / (1 + L)`` of a loop L of one input and one output: from a reference to the error.

        Raises:
            SignatureError: If there are several inputs or outputs: take a `channel`.
            DomainError: If the loop has no solution (a feedthrough of -1).
        """
        loop = self.channel()
        A, through = closed_loop_matrix(loop, 1.0), 1.0 / (1.0 + loop.D)
        return replace(loop, A=A, B=loop.B * through, C=-loop.C * through, D=through)

    # What it is made of.

    def controllability(self, tolerance: float = TOLERANCE) -> Rank:
        """How many dimensions of the state the inputs reach, and how clearly.

        Args:
            tolerance: The relative size, in balanced states, that counts as none; from 0 to 1.
        """
        least = _tolerance("controllability", tolerance)
        found = staircase(self.A, self.B, self.C, least)
        return Rank("reached by the inputs", found.rank, len(self.A), found.kept, found.dropped)

    def observability(self, tolerance: float = TOLERANCE) -> Rank:
        """How many dimensions of the state the outputs show, and how clearly.

        Args:
            tolerance: The relative size, in balanced states, that counts as none; from 0 to 1.
        """
        least = _tolerance("observability", tolerance)
        found = staircase(self.A.T, self.C.T, self.B.T, least)
        return Rank("seen in the outputs", found.rank, len(self.A), found.kept, found.dropped)

    def minimal(self, tolerance: float = TOLERANCE) -> LinearModel:
        """The model without what no input reaches or no output shows; its states are "x".

        Args:
            tolerance: The relative size, in balanced states, that counts as none; from 0 to 1.
        """
        matrices = self.A, self.B, self.C
        A, B, C = minimal_matrices(*matrices, _tolerance("minimal", tolerance))
        n = len(A)
        state = one_port("x", n) if n else EMPTY
        point = Point(np.zeros(n), self.point.u, self.point.theta)
        signature = replace(self.signature, state=state)
        return replace(self, A=A, B=B, C=C, signature=signature, point=point)

    def gramians(self) -> Gramians:
        """Both Gramians, and the Hankel singular values; DomainError unless the model is stable."""
        return gramians_of(self)

    def h_infinity(self) -> PeakGain:
        """The largest gain over frequency and direction, and where; DomainError unless stable."""
        return peak_gain(self)

    def h2(self) -> float:
        """The root mean square of the outputs under unit white noise; DomainError unless stable."""
        return h2_norm(self)

    # Control.

    def lqr(self, Q: ArrayLike, R: ArrayLike, N: ArrayLike | None = None) -> Feedback:
        """The state feedback of the least ``int x^T Q x + u^T R u + 2 x^T N u dt``, or its sum.

        Args:
            Q: Weights of the states' deviations, (n, n), positive semidefinite; (n,) is a diagonal,
                a number a multiple of the identity.
            R: Weights of the inputs', (m, m), positive definite, likewise.
            N: Weights of the products, (n, m); zero where None.

        Raises:
            SignatureError: For wrong shapes.
            DomainError: For weights that are no such, or an unstable mode that no input moves.
            ConvergenceError: If no solution stabilises.
        """
        n, m = self.B.shape
        weights = (
            weight("lqr: Q", Q, n, 0.0), weight("lqr: R", R, m, ROUNDING),
            np.zeros((n, m)) if N is None else matrix_of_shape("lqr: N", N, (n, m)),
        )  # fmt: skip
        K, X = quadratic_gain(self, self.A, self.B, weights, "lqr")
        return self._feedback(K, X)

    def place(self, poles: ArrayLike) -> Feedback:
        """The state feedback that gives ``A - B K`` the wanted poles.

        Of one input it is unique; of several, the one whose poles move least under changes.

        Args:
            poles: (n,), complex ones with their conjugates.

        Raises:
            SignatureError: For a wrong number of poles.
            DomainError: If some pole cannot be moved, or comes more often than there are inputs.
            ConvergenceError: If rounding leaves the poles far from the wanted ones.
        """
        return self._feedback(placed_gain(self.A, self.B, poles, "place"), np.zeros((0, 0)))

    def kalman(self, state_noise: ArrayLike, output_noise: ArrayLike) -> Estimator:
        """The observer of least error under white noise on the states' rates and on the outputs.

        In discrete time it predicts the next state from the outputs up to now.

        Args:
            state_noise: Intensity (covariance by step) of the noise in dx, (n, n), positive
                semidefinite; (n,) is a diagonal, a number a multiple of the identity.
            output_noise: That of the noise in y, (q, q), positive definite, likewise.

        Raises:
            SignatureError: For wrong shapes.
            DomainError: For noise that is no such, or an unstable mode that no output shows.
            ConvergenceError: If no solution stabilises.
        """
        n, q = len(self.A), len(self.C)
        weights = (
            weight("kalman: state_noise", state_noise, n, 0.0),
            weight("kalman: output_noise", output_noise, q, ROUNDING), np.zeros((n, q)),
        )  # fmt: skip
        K, P = quadratic_gain(self, self.A.T, self.C.T, weights, "kalman")
        return self._estimator(K.T, P)

    def place_observer(self, poles: ArrayLike) -> Estimator:
        """The observer whose error has the wanted poles, those of ``A - L C``; errors as `place`.

        Args:
            poles: (n,), complex ones with their conjugates.
        """
        L = placed_gain(self.A.T, self.C.T, poles, "place_observer").T
        return self._estimator(L, np.zeros((0, 0)))

    def _feedback(self, K: Array, cost: Array) -> Feedback:
        poles = poles_of(self.A - self.B @ K, self.signature.time).values
        return Feedback(K, poles, cost, self.point.x, self.point.u, self.signature)

    def _estimator(self, L: Array, covariance: Array) -> Estimator:
        poles = poles_of(self.A - L @ self.C, self.signature.time).values
        y = np.zeros(len(self.C)) if self.y is None else self.y
        return Estimator(
            L, poles, covariance, self.A, self.B, self.C, self.D, self.point.x, self.point.u, y,
            self.signature,
        )  # fmt: skip

    def table(self) -> str:
        """All entries: a row each derivative (or successor) and output, a column each variable.

        Below, what the poles tell of stability.
        """
        mark = "'" if self.signature.time is Time.CONTINUOUS else "+"
        heads = ["", *self.states, "|", *self.inputs]
        rows = [heads]
        for names, left, right, end in (
            (self.states, self.A, self.B, mark), (self.outputs, self.C, self.D, ""),
        ):  # fmt: skip
            for name, a, b in zip(names, left, right, strict=True):
                rows.append([name + end, *map(_number, a), "|", *map(_number, b)])
        widths = [max(len(row[j]) for row in rows) for j in range(len(heads))]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
                ]
            ).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, lines))
        split = 1 + len(self.states)
        table = [lines[0], rule, *lines[1:split], rule, *lines[split:]]
        if self.states and np.isfinite(self.A).all():
            table.append(str(self._poles))
        return "\n".join(table)

    @override
    def facts(self) -> Facts:
        n, m, q = len(self.states), len(self.inputs), len(self.outputs)
        title = (
            f"LinearModel, {self.signature.time.value}: {counted(n, 'state')}, "
            f"{counted(m, 'input')}, {counted(q, 'output')}"
        )
        names = zip(
            ("states", "inputs", "outputs"), (self.states, self.inputs, self.outputs), strict=True
        )
        rows = [(name, listed(known)) for name, known in names if known]
        if 0 < n <= MOST_POLES and np.isfinite(self.A).all():
            poles = [
                f"{p.real:.5g}{p.imag:+.5g}j" if p.imag else f"{p.real:.5g}" for p in self.poles
            ]
            rows.insert(0, ("poles", listed(poles)))
            rows.insert(0, ("", str(self._poles)))
        return Facts(title, tuple(rows))


_ANSWERS = {Stability.STABLE: True, Stability.UNSTABLE: False, Stability.UNDECIDED: None}


def _tolerance(where: str, given: float) -> float:
    tolerance = number(f"{where}: tolerance", given)
    if not 0.0 <= tolerance < 1.0:
        raise DomainError(
            f"{where}: tolerance: expected a relative size, from 0 to below 1, got {tolerance:g}. "
            f"Leave it out for {TOLERANCE:g}."
        )
    return tolerance


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.5g}"
