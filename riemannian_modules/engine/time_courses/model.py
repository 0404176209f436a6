"""Several experiments with one flow, set up: parameters to the prediction of each measurement."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from riemannian_modules.arrays import Places
from riemannian_modules.engine.time_courses.course import (
    states,
    states_with_slopes,
    stopped,
)
from riemannian_modules.engine.time_courses.experiments import Experiment, SteadyState
from riemannian_modules.engine.time_courses.formulas import Formulas
from riemannian_modules.engine.time_courses.parameters import ParameterTable
from riemannian_modules.engine.time_courses.precision import Precision
from riemannian_modules.engine.time_courses.prior_rows import PriorRows
from riemannian_modules.engine.time_courses.quantities import Quantities
from riemannian_modules.engine.time_courses.rest import rest
from riemannian_modules.engine.time_courses.setting import Setting, Settings
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.integration.problem import StoppedError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.spaces import Array


@final
@dataclass(frozen=True, eq=False)
class MeasurementRows:
    """N measurements: of which experiment, at which of its times, of which observable.

    Attributes:
        experiment: Positions, (N,).
        time: Positions among the experiment's times, (N,).
        observable: Positions, (N,).
        log_sigma: Logarithms of the errors' sizes that came with the data, else NaN, (N,).
        targets: Measured values on their scales, and the powers of their noise, (N, 2).
        log_slope: The logarithm of the scales' slopes at all measured values, summed: what a
            density on a scale is multiplied with to be that of the values.
    """

    experiment: Places
    time: Places
    observable: Places
    log_sigma: Array
    targets: Array
    log_slope: float


@final
@dataclass(frozen=True, eq=False)
class CourseModel(Recomputed):
    """Predictions of all measurements, with exact derivatives.

    Attributes:
        flow: The flow.
        spaces: What formulas speak of.
        settings: An experiment each.
        times: The increasing times of each experiment's measurements.
        readout: For each observable its mean on its scale, and log sigma: two formulas each.
        table: The parameters.
        rows: The measurements.
        priors: What is known of the parameters beside them.
        precision: Of the integration.
    """

    flow: RiemannianModule
    spaces: Quantities
    settings: tuple[Settings, ...]
    times: tuple[Array, ...]
    readout: Formulas
    table: ParameterTable
    rows: MeasurementRows
    priors: PriorRows
    precision: Precision

    def predicted(self, scaled: Array) -> Array:
        """Mean and log sigma of each measurement, (N, 2).

        Raises:
            ConvergenceError: If an integration stops early.
        """
        values = self.table.natural(scaled)
        found = np.empty((len(self.rows.targets), 2))
        for e, times in enumerate(self.times):
            here = self.rows.experiment == e
            if here.any():
                means = self.observed(e, values, times)
                found[here] = means[self.rows.time[here], self.rows.observable[here]]
        known = ~np.isnan(self.rows.log_sigma)
        found[known, 1] = self.rows.log_sigma[known]
        return found

    def predicted_slopes(self, scaled: Array) -> Array:
        """The derivatives of `predicted` in the free parameters' scaled places, (N, 2, F)."""
        values = self.table.natural(scaled)
        found = np.empty((len(self.rows.targets), 2, len(scaled)))
        for e, times in enumerate(self.times):
            here = self.rows.experiment == e
            if here.any():
                _, slopes = self.read_slopes(e, values, times, self.readout)
                by_pair = slopes.reshape(len(times), -1, 2, len(scaled))
                found[here] = by_pair[self.rows.time[here], self.rows.observable[here]]
        found[~np.isnan(self.rows.log_sigma), 1] = 0.0
        return found

    def observed(self, e: int, values: Array, times: Array) -> Array:
        """The readout of an experiment at times (T,), all parameters (P,) given, (T, q, 2)."""
        return self.read(e, values, times, self.readout).reshape(len(times), -1, 2)

    @property
    def targets(self) -> Array:
        """Measured values and powers of their noise, those of the priors below, (N + K, 2)."""
        return np.concatenate([self.rows.targets, self.priors.targets])

    def all_predicted(self, scaled: Array) -> Array:
        """`predicted`, and below it what the priors speak of, (N + K, 2)."""
        return np.concatenate([self.predicted(scaled), self.priors.predicted(self.table, scaled)])

    def all_slopes(self, scaled: Array) -> Array:
        """The derivatives of `all_predicted`, (N + K, 2, F)."""
        return np.concatenate([
            self.predicted_slopes(scaled), self.priors.slopes(self.table, scaled)
        ])  # fmt: skip

    def read(self, e: int, values: Array, times: Array, readout: Formulas) -> Array:
        """Formulas along an experiment, (T, count)."""
        at = self.setting(e, values)
        with _told(self.settings[e].experiment.name):
            x = states(self.settings[e], at, times, self.precision)
        return readout.values(self._quantities(at, times, x, readout), at.known.value)

    def read_slopes(
        self, e: int, values: Array, times: Array, readout: Formulas
    ) -> tuple[Array, Array]:
        """Formulas along an experiment (T, count), and their derivatives (T, count, F)."""
        settings, columns, at = self.settings[e], self._columns[e], self.setting(e, values)
        # Directions in which states move by about their own size have errors of about theirs.
        size = self._sizes(values)[columns]
        sized = at.along(columns, size)
        with _told(settings.experiment.name):
            x, S = states_with_slopes(settings, sized, times, self.precision)
        V = self._quantities(at, times, x, readout)
        dV = self._quantity_slopes(e, sized, times, x, S, readout) / size
        in_quantities, in_parameters = readout.slopes(V, at.known.value)
        shape = (len(times), readout.count, len(self.table.free))
        slopes = np.array(np.broadcast_to(in_parameters @ at.known.slope, shape))
        with np.errstate(invalid="ignore"):  # where an observable has no place on its scale
            slopes[..., columns] += in_quantities @ dV
        return readout.values(V, at.known.value), slopes

    def _sizes(self, values: Array) -> Array:
        """How far a step along each free parameter's scale goes that changes it by its own size."""
        free, slopes = np.abs(values[self.table.free]), np.abs(self.table.slopes(values))
        return np.where(free > 0, free / np.where(slopes > 0, slopes, 1.0), 1.0)

    def with_experiment(self, one: Experiment, times: Array) -> CourseModel:
        """The same with one more experiment, of which nothing was measured, at its end."""
        L = self.table.places.shape[1]
        table = replace(self.table, places=np.vstack([self.table.places, np.arange(L)]))
        settings = Settings(
            f"experiment {one.name!r}", self.spaces, one, table, len(self.settings), times,
        )  # fmt: skip
        return replace(
            self, table=table, settings=(*self.settings, settings), times=(*self.times, times)
        )

    def setting(self, e: int, values: Array) -> Setting:
        """An experiment at all parameters (P,), with derivatives in the free ones."""
        at = self.settings[e].at(values, self.table.slopes(values))
        x0 = self.settings[e].experiment.x0
        if not isinstance(x0, SteadyState):
            return at
        other = self._position(x0.of)
        return replace(at, start=rest(self.settings[other], self.setting(other, values)))

    def _position(self, name: str) -> int:
        return [s.experiment.name for s in self.settings].index(name)

    @cached_property
    def _columns(self) -> tuple[Places, ...]:
        """The free parameters that move each experiment's states."""
        return tuple(self._reaching(e) for e in range(len(self.settings)))

    def _reaching(self, e: int) -> Places:
        own, x0 = self.settings[e].columns, self.settings[e].experiment.x0
        if not isinstance(x0, SteadyState):
            return own
        return np.union1d(own, self._reaching(self._position(x0.of))).astype(np.intp)

    def _quantities(self, at: Setting, times: Array, x: Array, readout: Formulas) -> Array:
        """What formulas speak of, at times (T,): time, states, outputs, inputs, (T, m)."""
        u = at.program.sampled(times)
        y = np.zeros((len(times), self.spaces.outputs.size))
        if self._reads_outputs(readout):
            y[:] = self.flow.output(x, u, at.theta)[..., self.spaces.shown]
        return np.concatenate([times[:, None], x, y, u], axis=-1)

    def _quantity_slopes(
        self, e: int, at: Setting, times: Array, x: Array, S: Array, readout: Formulas
    ) -> Array:
        """Their derivatives (T, m, k) along the directions of the setting."""
        field, T, k = self.settings[e].field, len(times), S.shape[-1]
        du = np.zeros((self.flow.signature.inputs.size, k))
        du[list(field.inputs)] = at.flow.slope[: len(field.inputs)]
        dy = np.zeros((T, self.spaces.outputs.size, k))
        if self._reads_outputs(readout):
            J = self.flow.jacobian(x, at.program.sampled(times), at.theta)
            moved = J.C @ S + J.D @ du
            moved = moved + J.F[..., list(field.parameters)] @ at.flow.slope[len(field.inputs) :]
            dy[:] = np.broadcast_to(moved, (T, *moved.shape[-2:]))[:, self.spaces.shown]
        still, driven = np.zeros((T, 1, k)), np.broadcast_to(du, (T, *du.shape))
        return np.concatenate([still, S, dy, driven], axis=1)

    def _reads_outputs(self, readout: Formulas) -> bool:
        begin = 1 + self.flow.signature.state.size
        end = begin + self.spaces.outputs.size
        return bool(readout.read_quantities[:, begin:end].any())


@contextmanager
def _told(experiment: str) -> Generator[None]:
    """Say which experiment's integration stopped."""
    try:
        yield
    except StoppedError as fault:
        raise ConvergenceError(stopped(experiment, fault)) from None
