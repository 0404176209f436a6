"""Outputs after unit steps of the inputs, exact at the times that are given.

Under a held input a linear system moves by matrix exponentials; a grid that is even in stretches
needs one exponential a stretch.
Source: Van Loan (1978), IEEE Transactions on Automatic Control 23, 395-404.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import brief, number_array
from riemannian_modules.engine.balance import state_scales
from riemannian_modules.engine.poles import Stability
from riemannian_modules.engine.state_space_model import StateSpaceModel
from riemannian_modules.errors import DomainError, UnsupportedError
from riemannian_modules.shown import Facts, Shown, counted, listed
from riemannian_modules.spaces import Array

FINE = 0.1  # of the time scale of the fastest mode that is still alive, between two times
GONE = 18.4  # time constants after which a mode is 1e-8 of what it was
SHOWN = 7.0  # of the slowest mode, that a picture shows
LEFT = 3.0  # times what is left of one mode may be left of all states
MOST = 200_000  # times


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepResponse(Shown):
    """Deviations of the outputs after unit steps of one input at a time, from rest.

    Attributes:
        times: (T,), from 0.
        values: (T, q, m), in units of the outputs by those of the inputs.
        outputs: Names of the q outputs.
        inputs: Names of the m inputs.
        time_unit: What times are counted in.
        is_discrete: Whether the times are steps.
    """

    times: Array
    values: Array
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    time_unit: str
    is_discrete: bool

    @override
    def facts(self) -> Facts:
        title = (
            f"StepResponse of {counted(len(self.outputs), 'output')} to "
            f"{counted(len(self.inputs), 'input')}, to {self.times[-1]:.4g} {self.time_unit}"
        )
        largest = f"{np.abs(self.values).max(initial=0.0):.5g}"
        rows = (("inputs", listed(self.inputs)), ("outputs", listed(self.outputs)))
        return Facts(title, (*rows, ("times", f"{len(self.times):,}"), ("largest", largest)))


def step_response_of(model: StateSpaceModel, times: ArrayLike | None) -> StepResponse:
    """The response at given times, or at those that the poles ask for."""
    t = usual_times(model, SHOWN) if times is None else _checked(model, times)
    values = model.C @ states_after_step(model, t) + model.D
    return StepResponse(
        t, values, model.outputs, model.inputs, model.time_unit, model.is_discrete
    )  # fmt: skip


def _checked(model: StateSpaceModel, times: ArrayLike) -> Array:
    t = np.atleast_1d(number_array("step_response: times", times))
    if t.ndim != 1 or not len(t) or not np.isfinite(t).all() or t[0] < 0 or (np.diff(t) <= 0).any():
        raise DomainError(
            "step_response: expected finite, ascending times of shape (T,), none below 0, got "
            f"{brief(times)}. Sort them, each once."
        )
    if model.is_discrete:
        steps = t / model.step
        if (np.abs(steps - np.round(steps)) > 1e-9 * np.maximum(1.0, steps)).any():
            raise DomainError(
                f"step_response: expected whole multiples of the step {model.step:g} "
                f"{model.time_unit}, for between steps a discrete model says nothing."
            )
    return t


def usual_times(model: StateSpaceModel, constants: float) -> Array:
    """From 0 over some time constants of the slowest mode, finer while faster ones are alive.

    Longer where modes act together, as equal lags in a row do, until all states are gone. A mode
    that grows is followed until it is 1000 times what it was.

    Raises:
        UnsupportedError: If that is more than 200,000 times.
    """
    rates, speeds = _modes(model)
    lasting = np.where(rates < 0, constants, np.log(1e3)) / np.abs(rates)
    alone = lasting.max(initial=0.0) or 10.0 * model.step
    end = _until_gone(model, alone, LEFT * np.exp(-constants))
    if model.is_discrete:
        count = int(np.ceil(end / model.step)) + 1
        if count > MOST:
            raise _too_many(count)
        return np.arange(float(max(count, 10))) * model.step
    gone = GONE * end / alone
    alive = np.minimum(np.where(rates < 0, gone, np.inf) / np.abs(rates), end)
    alive = np.concatenate([alive, [end]])
    finest = np.concatenate([FINE / speeds, [end / 200.0]])
    stretches: list[Array] = [np.zeros(1)]
    start = 0.0
    for stop in np.unique(alive):
        fine = finest[alive >= stop].min()
        count = int(np.ceil((stop - start) / fine)) if stop > start else 0
        if count + sum(map(len, stretches)) > MOST:
            raise _too_many(count)
        if count:
            stretches.append(start + (stop - start) * np.arange(1, count + 1) / count)
        start = stop
    return np.concatenate(stretches)


def _until_gone(model: StateSpaceModel, end: float, little: float) -> float:
    """The end, or later: when little is left of each state of a stable model, in balanced units."""
    if model.stability is not Stability.STABLE:
        return end
    n = len(model.A)
    scale = state_scales(model.A, model.B, model.C)
    latest = end * (2 + n)  # of n equal modes, t^(n - 1) exp(-t) / (n - 1)!
    while end < latest:
        F = transition(model, end)[0]
        if np.linalg.norm(F * scale / scale[:, None], 2) <= little:
            return end
        end *= 1.25
    return end


def _too_many(count: int) -> UnsupportedError:
    return UnsupportedError(
        f"The slowest mode asks for {count:,} times between which the fastest does not move much, "
        f"more than {MOST:,}. Give the times: step_response(times=...)."
    )


def _modes(model: StateSpaceModel) -> tuple[Array, Array]:
    """Rates of growth and speeds of the modes, by time; those that stand still are left out."""
    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.log(model.poles) / model.step if model.is_discrete else model.poles
    s = s[np.isfinite(s)]
    size = np.abs(s)
    s = s[size > 1e-12 * size.max(initial=0.0)]
    # A mode that neither grows nor falls is followed as if it fell within some hundred turns.
    rates = np.where(np.abs(s.real) > 1e-3 * np.abs(s), s.real, -1e-2 * np.abs(s))
    return rates, np.abs(s)


def states_after_step(model: StateSpaceModel, times: Array) -> Array:
    """The states (T, n, m) at times after unit steps of one input at a time, from zero."""
    n, m = model.B.shape
    now, at = np.zeros((n, m)), 0.0
    states = np.zeros((len(times), n, m))
    kept: dict[float, tuple[Array, Array]] = {}
    for i, t in enumerate(times):
        # Lengths that differ in rounding alone are one.
        length = float(f"{t - at:.12g}")
        if length not in kept:
            kept[length] = transition(model, t - at)
        F, G = kept[length]
        now, at = F @ now + G, t
        states[i] = now
    return states


def transition(model: StateSpaceModel, length: float) -> tuple[Array, Array]:
    """F (n, n) and G (n, m) of ``x(t + length) = F x(t) + G u`` under a held input."""
    from scipy.linalg import expm

    n, m = model.B.shape
    whole = np.zeros((n + m, n + m))
    whole[:n, :n], whole[:n, n:] = model.A, model.B
    if model.is_discrete:
        whole[n:, n:] = np.eye(m)
        moved = np.linalg.matrix_power(whole, round(length / model.step))
    else:
        moved: Any = expm(length * whole)
    return moved[:n, :n], moved[:n, n:]
