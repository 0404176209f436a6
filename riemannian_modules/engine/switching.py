"""Simulation of a flow that switches or has events: piece by piece, from crossing to crossing.

Source: none; `riemannian_modules.integration.piecewise` cites those of the method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.engine.inputs import InputProgram
from riemannian_modules.engine.vector_field import vector_field
from riemannian_modules.errors import ConvergenceError, TraceError, UnsupportedError
from riemannian_modules.integration.piecewise import NOTHING, Pieces, Watched
from riemannian_modules.integration.problem import StoppedError, Tolerances
from riemannian_modules.integration.switched import SwitchedProblem
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.switched_field import (
    LARGEST_PARAMETERS,
    LARGEST_STATE,
    SwitchedField,
    switched_field,
)
from riemannian_modules.space import Array

if TYPE_CHECKING:
    from scipy.integrate import OdeSolver


def switching_field(
    module: RiemannianModule, theta: Array, program: InputProgram
) -> SwitchedField | None:
    """The field of a module whose derivative switches, or None.

    None also for a module that is too large or has no exact terms: corners of those are left to
    the solver's error control.
    """
    s = module.signature
    if s.state.size > LARGEST_STATE or s.parameters.size > LARGEST_PARAMETERS:
        return None
    try:
        e = module.expressions
        field = switched_field(
            e, theta, lambda time: {e.inputs[i]: v for i, v in program.exact(time).items()}
        )
    except (TraceError, UnsupportedError):
        return None
    return field if field.borders else None


@final
@dataclass(frozen=True, slots=True, eq=False)
class PiecewiseRun:
    """One run of a module.

    Attributes:
        module: What runs.
        program: Its inputs.
        problem: From the ends of a stretch without jumps of the inputs to the problem there.
        methods: SciPy's solvers, the first one first.
        watched: Events.
    """

    module: RiemannianModule
    program: InputProgram
    problem: Callable[[float, float], SwitchedProblem]
    methods: Sequence[type[OdeSolver]]
    watched: Watched = NOTHING

    def integrated(self, times: Array, x0: Array, rtol: float, atol: float) -> tuple[Array, Array]:
        """The times that were reached and the states there, (T,) and (T, n).

        Raises:
            ConvergenceError: If a solver stops early, or events accumulate.
        """
        if len(times) == 1:
            return times, x0[None]
        run = Pieces(
            self.watched, Tolerances(rtol, atol, self.program.longest_step(times)), self.methods
        )
        edges = [times[0], *self.program.jumps(times[0], times[-1]), times[-1]]
        states, x = [x0[None]], x0
        for a, b in pairwise(edges):
            inside = times[(times > a) & (times <= b)]
            grid = np.union1d([a, b], inside)
            corners = [*self.program.kinks(a, b), float(b)]
            try:
                path = run.stretch(self.problem(float(a), float(b)), x, grid, corners)
            except StoppedError as stopped:
                raise self._failure(stopped, float(b)) from None
            x = path[-1]
            if run.ended is not None:
                inside = inside[inside < run.ended]
                rows = path[np.searchsorted(grid, inside)]
                reached = np.append(times[times <= a], np.append(inside, run.ended))
                return reached, np.concatenate([*states, rows, x[None]])
            states.append(path[np.searchsorted(grid, inside)])
        return times, np.concatenate(states)

    def _failure(self, stopped: StoppedError, end: float) -> ConvergenceError:
        names = self.module.signature.state.coordinates
        largest = int(np.argmax(np.abs(stopped.state))) if names else 0
        state = f" The largest state is {names[largest]} = {stopped.state[largest]:.6g}." * bool(
            names
        )
        return ConvergenceError(
            f"{type(self.module).__name__}: the integration stopped at t = {stopped.time:.6g} of "
            f"{end:.6g}: {stopped.message}{state}"
        )


def smooth_problem(
    module: RiemannianModule, theta: Array, program: InputProgram
) -> Callable[[float, float], SwitchedProblem]:
    """The problem of a module that does not switch as far as is known, on each stretch."""
    field, n = vector_field(module, theta), module.signature.state.size

    def problem(start: float, end: float) -> SwitchedProblem:
        u = program.between(start, end)

        return SwitchedProblem(
            0,
            lambda t, x, _: field.derivative(x, u(t)),
            lambda t, x, _: field.jacobian(x, u(t)),
            lambda *_: (),
            lambda *_: (),
            lambda *_: (np.zeros((0, n)), np.zeros(0)),
        )

    return problem


def switched_problem(
    field: SwitchedField, program: InputProgram
) -> Callable[[float, float], SwitchedProblem]:
    """The problem of a field that switches, on each stretch."""

    def problem(start: float, end: float) -> SwitchedProblem:
        u = program.between(start, end)
        return field.problem(u, (start, end), program.steady(start, end))

    return problem


def solvers(method: type[Any] | None) -> list[type[Any]]:
    """The solver that was asked for; else LSODA, and Radau where it gives up."""
    from scipy.integrate import LSODA, Radau

    return [LSODA, Radau] if method is None else [method]
