"""The frequency response: the steady outputs to waves at the inputs, over frequency.

One Schur form serves all frequencies, each of which is then a triangular solve.
Source: Laub (1981), IEEE Transactions on Automatic Control 26, 407-408; Bode (1940).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from riemannian_modules.door import brief, number_array
from riemannian_modules.engine.balance import balanced
from riemannian_modules.engine.reachable import TOLERANCE, minimal_matrices
from riemannian_modules.engine.state_space_model import SINGULAR, StateSpaceModel
from riemannian_modules.errors import DomainError
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

POINTS = 240
Response = Callable[[Array], NDArray[np.complex128]]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FrequencyResponse(Shown):
    """``H(i w)`` of every input and output; picture: `plot.bode_figure`.

    Attributes:
        frequencies: w (k,), in radians per unit of time.
        values: H (k, q, m), in units of the outputs by those of the inputs.
        outputs: Names of the q outputs.
        inputs: Names of the m inputs.
        time_unit: What times are counted in.
    """

    frequencies: Array
    values: NDArray[np.complex128]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    time_unit: str

    @property
    def gain(self) -> Array:
        """Absolute values, (k, q, m)."""
        return np.abs(self.values)

    @property
    def decibel(self) -> Array:
        """``20 log10`` of the gains, (k, q, m)."""
        with np.errstate(divide="ignore"):
            return 20.0 * np.log10(self.gain)

    @property
    def phase(self) -> Array:
        """Degrees (k, q, m), without jumps along the frequencies; the first in (-225, 135]."""
        if not len(self.values):
            return np.zeros(self.values.shape)
        degrees = np.degrees(np.unwrap(np.angle(self.values), axis=0))
        return degrees - 360.0 * np.ceil((degrees[:1] - 135.0) / 360.0)

    @override
    def facts(self) -> Facts:
        w = self.frequencies
        title = (
            f"FrequencyResponse of {counted(len(self.inputs), 'input')} and "
            f"{counted(len(self.outputs), 'output')} at {counted(len(w), 'frequency')}"
        ).replace("frequencys", "frequencies")
        rows = [("inputs", listed(self.inputs)), ("outputs", listed(self.outputs))]
        if len(w):
            span = f"{w.min():.4g} to {w.max():.4g} rad/{self.time_unit}"
            rows = [("", span), ("largest gain", f"{self.gain.max(initial=0.0):.5g}"), *rows]
        return Facts(title, tuple(rows))


def frequency_response(model: StateSpaceModel, frequencies: ArrayLike | None) -> FrequencyResponse:
    """The response at given frequencies, or a decade and more about all poles.

    Raises:
        DomainError: If the frequencies are not finite, not (k,) or below zero.
    """
    w = usual_frequencies(model) if frequencies is None else number_array("bode", frequencies)
    w = np.atleast_1d(w)
    if w.ndim != 1 or not np.isfinite(w).all() or (w < 0).any():
        raise DomainError(
            f"bode: expected finite frequencies w >= 0 of shape (k,), in rad/{model.time_unit}, "
            f"got {brief(frequencies)}."
        )
    return FrequencyResponse(w, response_of(model)(w), model.outputs, model.inputs, model.time_unit)


def response_of(model: StateSpaceModel) -> Response:
    """The function from frequencies (k,) to H (k, q, m); infinite at a pole of the channel."""
    from scipy.linalg import schur, solve_triangular

    n = len(model.A)
    if not n:
        return lambda w: np.broadcast_to(model.D.astype(complex), (len(w), *model.D.shape)).copy()
    A, scale = balanced(model.A)
    factored: Any = schur(A, output="complex")
    T, Q = factored
    B, C = Q.conj().T @ (model.B / scale[:, None]), (model.C * scale) @ Q
    identity = np.eye(n)

    def one(point: complex) -> Any:
        shifted = point * identity - T
        if not np.diagonal(shifted).all():
            return _at_pole(model, point)
        return C @ solve_triangular(shifted, B, check_finite=False) + model.D

    def at(w: Array) -> NDArray[np.complex128]:
        points = np.exp(1j * w * model.step) if model.is_discrete else 1j * w
        return np.array([one(s) for s in points], dtype=complex).reshape(len(w), *model.D.shape)

    return at


def _at_pole(model: StateSpaceModel, point: complex) -> NDArray[np.complex128]:
    """The response (q, m) at a pole: infinite in the channels from which it is not hidden."""
    H = np.full(model.D.shape, np.inf, dtype=complex)
    for j, i in np.ndindex(*H.shape):
        A, B, C = minimal_matrices(model.A, model.B[:, [i]], model.C[[j]], TOLERANCE)
        shifted = point * np.eye(len(A)) - A
        if not len(A) or np.linalg.cond(shifted) < SINGULAR:
            H[j, i] = (C @ np.linalg.solve(shifted, B))[0, 0] + model.D[j, i]
    return H


def usual_frequencies(model: StateSpaceModel) -> Array:
    """A decade and more about all poles, up to half the sampling rate in discrete time."""
    speeds = pole_speeds(model)
    speeds = speeds[speeds > 1e-12 * speeds.max(initial=0.0)]
    low, high = (speeds.min(), speeds.max()) if speeds.size else (1.0, 1.0)
    top = model.highest_frequency
    return np.geomspace(min(low / 20, top / 100), top if model.is_discrete else high * 20, POINTS)


def pole_speeds(model: StateSpaceModel) -> Array:
    """How fast each mode moves, in radians per unit of time; finite ones alone."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.log(model.poles) / model.step if model.is_discrete else model.poles
    speeds = np.abs(rates)
    return speeds[np.isfinite(speeds)]
