"""Doses, events and switches: against closed forms, and against differences of the runs."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import (
    Dose,
    LogScale,
    at_times,
    event,
    experiment,
    fit_trajectories,
    held_table,
    simulate,
    stop,
)
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_modules.results import load_result, save_result
from tests.engine.time_courses.systems import QUIET, RNG

T = np.array([0.3, 0.9, 1.7, 2.6, 3.4, 5.0, 7.5])
BLOOD = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 0.6})


class Late(rm.Flow):
    """An infusion that begins at a time, and ends at a level."""

    state, inputs, time_input = rm.space("a"), rm.space("t"), "t"
    parameters = {"k": 0.5, "begin": 1.0, "rate": 1.3}

    def equations(self, x, u, p):
        return {"a": np.where(u.t >= p.begin, p.rate, 0.0) - p.k * x.a}


class Relay(rm.Flow):
    """A relay that heats faster below a level, driven by a wave; corners and jumps at places."""

    state, inputs, parameters = rm.space("q v"), rm.space("u"), {"w": 1.5, "top": 0.4, "gain": 2.0}

    def equations(self, x, u, p):
        push = np.where(x.q > p.top, -0.5, p.gain) + np.maximum(x.v, 0.2 * x.q)
        return {"q": x.v + 0.2 * u.u, "v": -p.w * x.q - 0.7 * x.v + push}


def same_slopes(problem, tolerance, step=1e-4):
    """Each derivative of the predictions against differences of fourth order."""
    model = problem.model
    at = model.table.scaled(model.table.values)
    exact = model.predicted_slopes(at)
    for j, name in enumerate(model.table.free_names):
        e = step * np.eye(len(at))[j]
        near, far = (model.predicted(at + k * e) - model.predicted(at - k * e) for k in (1, 2))
        found = (8 * near - far) / (12 * step)
        np.testing.assert_allclose(exact[:, :, j], found, atol=tolerance, err_msg=name)
    return model


def test_repeated_doses_are_the_sum_of_their_curves():
    """``A(t) = sum_i d_i exp(-k (t - t_i))`` over the doses before; doses and times are fitted."""
    doses = [Dose(0.0, {"A": 2.0}), Dose("1 + lag", {"A": "second"}), Dose(3.0, {"A": "f*second"})]
    one = experiment({"A": (T, np.ones(7), 0.1)}, doses=doses)
    problem = CourseProblem(BLOOD, (one,), parameters={"lag": 0.25, "second": 1.4, "f": 0.5},
                            rtol=1e-11)  # fmt: skip
    model, (k, lag, second, f) = problem.model, (0.6, 0.25, 1.4, 0.5)
    given = [(0.0, 2.0), (1.0 + lag, second), (3.0, f * second)]
    curves = [np.where(t <= T, d * np.exp(-k * (T - t)), 0.0) for t, d in given]
    scaled = model.table.scaled(model.table.values)
    np.testing.assert_allclose(model.predicted(scaled)[:, 0], sum(curves), rtol=1e-9)
    ages = [T - t for t, _ in given]
    wanted = {
        "k": -sum(a * c for a, c in zip(ages, curves, strict=True)), "lag": k * curves[1],
        "second": curves[1] / second + curves[2] / second, "f": curves[2] / f,
    }  # fmt: skip
    slopes = model.predicted_slopes(scaled)[:, 0]
    for name, column in wanted.items():
        found = slopes[:, model.table.free_names.index(name)]
        np.testing.assert_allclose(found, column, rtol=1e-8, atol=1e-9, err_msg=name)


def test_what_is_measured_at_a_dose_is_measured_after_it():
    doses = [Dose(0.0, {"A": "d"}), Dose(1.0, {"A": "d"})]
    one = experiment({"A": ([0.0, 1.0, 2.0], np.ones(3), 0.1)}, doses=doses)
    model = CourseProblem(BLOOD, (one,), parameters={"d": 2.0}, fixed={"k": None}).model
    fall = np.exp(-0.6)
    shares = np.array([1.0, 1.0 + fall, fall + fall**2])
    at = np.array([2.0])
    np.testing.assert_allclose(model.predicted(at)[:, 0], 2 * shares, rtol=1e-7)
    np.testing.assert_allclose(model.predicted_slopes(at)[:, 0, 0], shares, rtol=1e-7)


def test_a_dose_that_sets_an_event_off_moves_it_along():
    """The dose at a fitted time carries A over the level, where it is set: both move with the lag.

    ``A = level exp(-k (t - lag))``, hence ``dA/dlag = k A``, whatever the dose was.
    """
    over = event("A - 1.2", direction=1, reset={"A": "level"})
    one = experiment({"A": (T, np.ones(7), 0.1)}, doses=[Dose("lag", {"A": "d"})], events=[over])
    start = {"lag": 1.0, "d": 2.0, "level": 0.7}
    model = CourseProblem(BLOOD, (one,), parameters=start, rtol=1e-11).model
    at = model.table.scaled(model.table.values)
    fall = np.where(T > 1.0, np.exp(-0.6 * (T - 1.0)), 0.0)
    np.testing.assert_allclose(model.predicted(at)[:, 0], 0.7 * fall, rtol=1e-8)
    assert model.table.free_names == ("k", "lag", "d", "level")
    wanted = np.stack([-0.7 * (T - 1.0) * fall, 0.42 * fall, 0 * T, fall], 1)
    np.testing.assert_allclose(model.predicted_slopes(at)[:, 0], wanted, rtol=1e-7, atol=1e-9)


def test_a_lag_behind_a_where_is_the_closed_form():
    """``a = r/k (1 - exp(-k (t - t0)))`` after t0; ``da/dt0 = -r exp(-k (t - t0))``: saltation."""
    one = experiment({"a": (T, np.ones(7), 0.1)})
    model = CourseProblem(Late(), (one,), rtol=1e-11).model
    scaled = model.table.scaled(model.table.values)
    age, (k, begin, rate) = T - 1.0, (0.5, 1.0, 1.3)
    is_on, fall = begin <= T, np.exp(-k * age)
    level = rate / k * (1 - fall)
    np.testing.assert_allclose(
        model.predicted(scaled)[:, 0], np.where(is_on, level, 0.0), rtol=1e-8, atol=1e-10
    )
    wanted = np.stack([rate * age * fall / k - level / k, -rate * fall, (1 - fall) / k], 1)
    found = model.predicted_slopes(scaled)[:, 0]
    np.testing.assert_allclose(found, np.where(is_on[:, None], wanted, 0.0), rtol=1e-7, atol=1e-9)


def test_a_dose_that_moves_over_a_jump_of_an_input_moves_the_dose_alone():
    """``A' = u - k A``, u from 0 to 1 at the dose's time: ``dA/dlag = k d exp(-k (t - lag))``."""
    flow = rm.Equations({"dA": "u - k*A"}, state="A", inputs="u", parameters={"k": 0.6})
    for dose in (0.0, 1.5):
        one = experiment({"A": (T, np.ones(7), 0.1)}, inputs={"u": held_table([0, 2], [0, 1])},
                         doses=[Dose("lag", {"A": dose})])  # fmt: skip
        problem = CourseProblem(
            flow, (one,), parameters={"lag": 2.0}, fixed={"k": None}, rtol=1e-11
        )
        slopes = problem.model.predicted_slopes(np.array([2.0]))[:, 0, 0]
        exact = np.where(T > 2.0, 0.6 * dose * np.exp(-0.6 * (T - 2.0)), 0.0)
        np.testing.assert_allclose(slopes, exact, rtol=1e-8, atol=1e-9)


def test_a_lag_time_is_found():
    """Row 50 of the faults: searched from a wrong lag, which plain sensitivities never move."""
    truth = simulate(Late(k=0.8, begin=1.4, rate=2.0), np.append(0.0, T), {"a": 0.0})["a"][1:]
    found = fit_trajectories(Late(), experiment({"a": (T, truth, 0.01)}), progress=QUIET)
    assert found.outcome.is_settled
    np.testing.assert_allclose(found.theta, [0.8, 1.4, 2.0], rtol=1e-6)


def test_derivatives_across_jumps_at_places_are_those_of_the_runs():
    late = held_table([0.0, 1.3, 2.2], [0.0, 1.0, 0.5])
    one = experiment({"q": (T, np.ones(7), 0.1)}, x0={"q": "q0"}, inputs={"u": late},
                     doses=[Dose(2.0, {"v": "0.3*w"}), Dose("d", {"q": 0.1})])  # fmt: skip
    problem = CourseProblem(Relay(), (one,), parameters={"q0": 0.1, "d": 3.1}, rtol=1e-11)
    same_slopes(problem, 2e-6)


def test_events_jump_as_in_simulate_with_exact_derivatives():
    """A balloon that is let out at a level, and refilled at known times; both read parameters."""
    flow = rm.Equations({"dq": "inflow - k*q", "dc": "q"}, state="q c",
                        parameters={"inflow": 1.0, "k": 0.2})  # fmt: skip
    happen = [
        event("q - top", direction=1, reset={"q": "keep*q", "c": "c + q"}, name="out"),
        at_times([2.0, 4.5], {"q": "q + 0.5*inflow"}),
    ]
    one = experiment({"q": (T, np.ones(7), 0.1), "c": (T, np.ones(7), 0.1)}, events=happen)
    problem = CourseProblem(flow, (one,), parameters={"top": 1.2, "keep": 0.3}, rtol=1e-11)
    model = same_slopes(problem, 2e-6)
    numbers = [
        event("q - 1.2", direction=1, reset={"q": "0.3*q", "c": "c + q"}, name="out"), happen[1]
    ]  # fmt: skip
    run = simulate(flow, np.append(0.0, T), events=numbers, rtol=1e-11)
    wanted = np.concatenate([run["q"][1:], run["c"][1:]])
    found = model.predicted(model.table.scaled(model.table.values))[:, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_a_pulse_between_two_measurements_is_not_stepped_over():
    """An input function with a pulse of 0.02 in a run of 7.5: its area, kept."""
    pulse = {"u": lambda t: np.where((t > 2.0) & (t < 2.02), 50.0, 0.0)}
    flow = rm.Equations({"dA": "k*u"}, state="A", inputs="u", parameters={"k": 0.6})
    found = fit_trajectories(flow, experiment({"A": (T, (T > 2.0) * 0.8, 0.1)}, inputs=pulse),
                             progress=QUIET)  # fmt: skip
    assert found.theta[0] == pytest.approx(0.8, rel=1e-7)


def test_two_compartments_with_a_bolus_each_day_are_fitted():
    """Amounts in the gut and the blood, as pharmacologists measure them; absorption after a lag."""
    rng, days = RNG(3), (0.0, 24.0, 48.0)
    flow = rm.Equations(
        {"dgut": "-ka*gut", "dblood": "ka*gut - cl/v*blood"}, state="gut blood",
        parameters={"ka": 0.5, "cl": 2.0, "v": 15.0},
    )  # fmt: skip
    t = np.array([0.5, 1, 2, 4, 8, 12, 23.9, 25, 28, 36, 47, 50, 60, 72])
    lag, ka, cl, v = 0.6, 1.1, 3.0, 20.0
    dosed = [np.where(t > d + lag, t - d - lag, 0.0) for d in days]
    level = sum(100 * ka / (ka - cl / v) * (np.exp(-cl / v * s) - np.exp(-ka * s)) for s in dosed)
    noisy = level / v * np.exp(0.02 * rng.standard_normal(len(t)))
    noisy[t <= lag] = np.nan
    one = experiment({"level": (t, noisy)},
                     doses=[Dose(f"{d} + lag", {"gut": 100.0}) for d in days])  # fmt: skip
    found = fit_trajectories(
        flow, one, {"level": "blood/v"}, parameters={"lag": 0.2}, sigma="0.02*level",
        scales=dict.fromkeys(("ka", "cl", "v"), LogScale()), bounds={"lag": (0.0, 5.0)},
        progress=QUIET,
    )  # fmt: skip
    assert found.outcome.is_settled
    far = (found.theta - [ka, cl, v, lag]) / found.deviations
    assert np.abs(far).max() < 3.5


def test_a_fit_with_events_is_saved_and_goes_on(tmp_path):
    happen = [event("A - 0.5", direction=-1, reset={"A": "A + 1"}), at_times([4.0], {"A": "0.2"})]
    one = experiment({"A": (T, 0.4 + 0.1 * T)}, x0={"A": 1.0}, events=happen,
                     doses=[Dose("lag", {"A": 0.5})])  # fmt: skip
    found = fit_trajectories(BLOOD, one, parameters={"lag": 0.2}, progress=QUIET, fixed="lag")
    assert "events: A - 0.5, dose" in repr(found.problem.experiments[0])
    save_result(found, tmp_path / "fit.json")
    twin = load_result(tmp_path / "fit.json")
    np.testing.assert_array_equal(twin.residuals, found.residuals)


class Stick(rm.Flow):
    """Dry friction: it comes to rest and slides along its border."""

    state, parameters = rm.space("v"), {"mu": 1.0}

    def equations(self, x, u, p):
        return {"v": 0.3 - p.mu * np.sign(x.v)}


def test_what_has_no_derivative_is_refused_by_name():
    one = experiment({"v": (T, np.ones(7), 0.1)}, x0={"v": 1.0})
    with pytest.raises(UnsupportedError, match="slides"):
        fit_trajectories(Stick(), one, progress=QUIET)
    data = {"A": (T, np.ones(7), 0.1)}
    for wrong in (
        [stop("A - 1")], [event("A - 1")], [event(lambda t, x, u, p: x.A, reset={"A": 1.0})],
        [at_times([1.0], {"A": lambda t, x, u, p: 1.0})], ["A - 1"],
    ):  # fmt: skip
        with pytest.raises(SignatureError):
            experiment(data, events=wrong)
    for wrong in ([event("B - 1", reset={"A": 1.0})], [at_times([1.0], {"B": 1.0})],
                  [event("A - 1", reset={"A": "A +"})]):  # fmt: skip
        with pytest.raises(SignatureError):
            fit_trajectories(BLOOD, experiment(data, events=wrong), progress=QUIET)
    with pytest.raises(DomainError, match="before"):
        fit_trajectories(BLOOD, experiment(data, doses=[Dose(-1.0, {"A": 1.0})]), progress=QUIET)
