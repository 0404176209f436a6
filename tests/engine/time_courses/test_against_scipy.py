"""Minima, covariances and likelihoods are those that scipy finds from plain integrations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

from riemannian_modules.engine import LogScale, fit_trajectories
from riemannian_modules.engine.vector_field import vector_field
from tests.engine.time_courses.systems import CASCADE, ENZYME, LOOP, QUIET, away, experiments

CASES = {
    "2 states": (ENZYME, [{"S": 2.0}, {"S": 0.7, "P": 0.2}], np.linspace(0.3, 6, 12), ("S", "P")),
    "5 states": (LOOP, [{}, {"m": 2.0, "b": 1.0}], np.linspace(1, 30, 15), LOOP.state.names),
    "10 states, stiff": (
        CASCADE,
        [{"R": 1.0, "L": dose, "K": 1.0, "M": 1.0, "T": 0.5} for dose in (0.3, 2.0)],
        np.geomspace(0.01, 30, 16), ("B", "Kp", "Mp", "G"),
    ),
}  # fmt: skip


def residual_of(flow, done, tolerance):
    """Whitened residuals as a function of logarithms of parameters, by solve_ivp."""

    def residual(logs):
        field, parts = vector_field(flow, np.exp(logs)).derivative, []
        for one in done:
            x0 = flow.signature.state.pack(one.x0, "x0", np.zeros(flow.signature.state.size))
            times = np.unique(one.series[0].times)
            found = solve_ivp(
                lambda t, x: field(x.tolist(), ()), (0.0, times[-1]), x0, "LSODA", times,
                rtol=tolerance, atol=1e-3 * tolerance,
            )  # fmt: skip
            for series in one.series:
                row = flow.state.names.index(series.observable)
                parts.append((found.y[row] - series.values) / series.sigma)
        return np.concatenate(parts)

    return residual


def differences(residual, logs, step=1e-4):
    """The Jacobian by central differences of fourth order."""
    columns = []
    for e in step * np.eye(len(logs)):
        near, far = (residual(logs + k * e) - residual(logs - k * e) for k in (1, 2))
        columns.append((8 * near - far) / (12 * step))
    return np.stack(columns, 1)


@pytest.mark.parametrize("name", CASES)
def test_the_minimum_and_covariance_are_scipys(name):
    flow, starts, times, names = CASES[name]
    done = experiments(flow, starts, times, names, 0.02)
    scales = {n: LogScale() for n in flow.parameters}
    found = fit_trajectories(away(flow, 1.3), done, scales=scales, rtol=1e-10, progress=QUIET)
    assert found.outcome.is_settled
    residual = residual_of(flow, done, 1e-11)
    r, J = residual(np.log(found.theta)), differences(residual, np.log(found.theta))
    covariance = np.linalg.inv(J.T @ J)
    # What a Gauss-Newton step from here would still move, in standard deviations.
    left = -covariance @ J.T @ r / np.sqrt(np.diagonal(covariance))
    assert np.abs(left).max() < 1e-5
    # Each entry beside the deviations of its two parameters: those of a correlation of nearly zero
    # are differences, known no better.
    size = np.sqrt(np.diagonal(covariance))
    far = (found.information.covariance - covariance) / np.outer(size, size)
    assert np.abs(far).max() < 2e-5
    wanted = r @ r + sum(np.sum(np.log(2 * np.pi * s.sigma**2)) for one in done for s in one.series)
    assert found.minus_two_log_likelihood == pytest.approx(wanted, rel=1e-7)


def test_two_states_end_where_least_squares_does():
    flow, starts, times, names = CASES["2 states"]
    done = experiments(flow, starts, times, names, 0.02)
    found = fit_trajectories(away(flow, 1.5), done, rtol=1e-10, progress=QUIET)
    theirs = least_squares(
        residual_of(flow, done, 1e-10), np.log(away(flow, 1.5).theta), diff_step=1e-5,
        xtol=1e-12, ftol=1e-12, gtol=1e-12,
    )  # fmt: skip
    apart = np.abs(np.log(found.theta) - theirs.x) * found.theta / found.deviations
    assert apart.max() < 1e-3  # of a deviation; their Jacobian is a difference
    assert found.names == tuple(flow.parameters)


@pytest.mark.parametrize("name", CASES)
def test_parameters_of_data_without_noise_are_recovered(name):
    flow, starts, times, names = CASES[name]
    done = experiments(flow, starts, times, names, 0.0)
    scales = {n: LogScale() for n in flow.parameters}
    found = fit_trajectories(away(flow, 1.4, 2), done, scales=scales, progress=QUIET)
    assert found.outcome.is_settled
    # Errors of the integration, 1e-8 of the states, stand in a thousandth of them: sigma.
    far = np.abs(np.log(found.theta / flow.theta))
    assert (far < 1e-3 * np.sqrt(np.diagonal(found.information.covariance)) + 1e-7).all()
