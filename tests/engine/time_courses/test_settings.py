"""What experiments set and observables say: each against what the same means written otherwise."""

import math
from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import laplace, norm

import riemannian_modules as rm
from riemannian_modules.engine import (
    Dose,
    LaplaceNoise,
    LinearScale,
    Log10Scale,
    LogNormalPrior,
    LogScale,
    NormalPrior,
    Observable,
    SteadyState,
    UniformPrior,
    experiment,
    fit_trajectories,
    held_table,
    simulate,
)
from riemannian_modules.engine.time_courses.course_problem import CourseProblem
from riemannian_modules.engine.time_courses.predictions import Predictions
from riemannian_modules.errors import DomainError, SignatureError
from tests.engine.time_courses.systems import ENZYME, QUIET, RNG

T = np.array([0.5, 1.0, 2.0, 3.0, 4.5])
PUMP = rm.Equations(
    {"dA": "u - k*A + r*B", "dB": "k*A - r*B - d*B", "y": "g*A + u"}, state="A B", inputs="u",
    outputs="y", parameters={"k": 0.8, "r": 0.3, "d": 0.5, "g": 2.0},
)  # fmt: skip


def everything():
    """One of each: own parameters, unknown starts, doses, tables, rest, scales, kinds of noise."""
    rng = RNG(1)
    values = {name: (T, np.exp(0.3 * rng.standard_normal(len(T)))) for name in ("a", "b", "y")}
    return CourseProblem(
        PUMP,
        (
            experiment(values, name="one", x0={"A": "A0", "B": "2*A0 - 0.5"}, inputs={"u": 0.4},
                       doses=[Dose(1.5, {"A": "A0"}), Dose(2.0, {"B": 0.25})]),
            experiment(values, name="two", x0=SteadyState("one"), own={"k": 1.1, "factor": None},
                       inputs={"u": held_table([0, 1.2, 2.2], [0, 1, 0.5])}, theta={"d": "r/2"}),
            experiment(values, name="three", x0={"A": 1.0}, inputs={"u": "dose"}, start=-1.0),
        ),
        {
            "a": Observable("A + t*0.1", "factor", "shift", 0.2),
            "b": Observable("B + 0.1", transformation=Log10Scale(), noise=LaplaceNoise()),
            "y": Observable("y", sigma="0.1 + 0.2*y"),
        },
        {"A0": 1.2, "dose": 0.7},
        scales={"k": LogScale(), "r": Log10Scale()}, rtol=1e-10,
    )  # fmt: skip


def test_every_derivative_is_that_of_the_predictions():
    model = everything().model
    at = model.table.scaled(model.table.values)
    exact = model.predicted_slopes(at)
    for j, name in enumerate(model.table.free_names):
        e = 1e-4 * np.eye(len(at))[j]
        near, far = (model.predicted(at + k * e) - model.predicted(at - k * e) for k in (1, 2))
        found = (8 * near - far) / 12e-4
        np.testing.assert_allclose(exact[:, :, j], found, atol=2e-6, err_msg=name)


def test_the_map_of_predictions_keeps_the_contract_of_modules():
    model = everything().model
    map_ = Predictions(model)
    rows = np.array([[0.0], [3.0], [len(map_) - 1.0]])
    both = map_.output(np.zeros(0), rows, map_.theta)
    np.testing.assert_array_equal(both, model.predicted(map_.theta)[[0, 3, len(map_) - 1]])
    twice = map_.output(np.zeros(0), rows, np.stack([map_.theta] * 3))
    np.testing.assert_array_equal(both, twice)
    check = map_.jacobian(np.zeros(0), rows, map_.theta)
    assert check.F.shape == (3, 2, len(map_.theta))
    assert np.isnan(map_.output(np.zeros(0), rows, np.full(len(map_.theta), 1e9))).all()


def test_names_of_parameters_say_whose_they_are():
    names = everything().model.table.free_names
    assert {"two.k", "two.factor", "A0", "dose", "sigma_b", "shift", "factor", "k"} <= {*names}
    assert "two.r" not in names


def test_an_unknown_start_and_a_total_are_found():
    t = np.linspace(0.2, 4, 12)
    decay = rm.Equations({"dA": "-k*A + r*B", "dB": "k*A - r*B"}, state="A B",
                         parameters={"k": 1.0, "r": 1.0})  # fmt: skip
    rest = 3.0 * 0.2 / 0.9
    values = rest + (2.4 - rest) * np.exp(-0.9 * t)
    one = experiment({"A": (t, values, 1e-3)}, x0={"A": "A0", "B": "total - A0"})
    # A' = -(k + r) A + r total: one of k, r and total has to be known.
    found = fit_trajectories(decay, one, parameters={"A0": 1.0, "total": 2.0}, progress=QUIET,
                             fixed={"r": 0.2})  # fmt: skip
    wanted = {"k": 0.7, "r": 0.2, "A0": 2.4, "total": 3.0}
    for name, value in wanted.items():
        assert found.parameters[name] == pytest.approx(value, rel=1e-6)


def test_a_dose_is_the_same_as_a_new_start():
    late = np.array([1.0, 2.0, 3.0])
    flow, at_rest = PUMP.with_parameters({"k": 0.9}), {"A": 0.0, "B": 0.0}
    fit = lambda one: fit_trajectories(flow, one, sigma=0.1, progress=QUIET)  # noqa: E731
    values = np.array([1.0, 0.6, 0.35])
    dosed = fit(experiment({"A": (late, values)}, x0=at_rest, doses=[Dose(0.5, {"A": 2.0})]))
    begun = fit(experiment({"A": (late, values)}, x0={"A": 2.0}, start=0.5))
    np.testing.assert_allclose(dosed.log_likelihood, begun.log_likelihood, rtol=1e-7)


def test_rest_under_another_setting_moves_with_the_parameters():
    """A + B stays what it was: the rest of A -> B -> A is that of the start's own total."""
    swap = rm.Equations({"dA": "-k*u*A + r*B", "dB": "k*u*A - r*B"}, state="A B", inputs="u",
                        parameters={"k": 1.0, "r": 0.5})  # fmt: skip
    none = experiment({}, name="before", x0={"A": 3.0}, inputs={"u": 1.0})
    t = np.array([0.0, 1.0])
    done = experiment({"A": (t, [1.2, 1.0], 0.1)}, name="after", x0=SteadyState("before"),
                      inputs={"u": 2.0})  # fmt: skip
    model = CourseProblem(swap, (none, done)).model
    assert model.predicted(model.table.scaled(model.table.values))[0, 0] == pytest.approx(1.0)
    # A = 3 r / (k + r): dA/dk = -3 r / (k + r)^2, dA/dr = 3 k / (k + r)^2.
    slopes = model.predicted_slopes(model.table.scaled(model.table.values))[0, 0]
    np.testing.assert_allclose(slopes, [-1.5 / 2.25, 3 / 2.25], rtol=1e-8)


def test_rest_moves_with_parameters_that_stand_in_what_is_conserved():
    """``V1 a + V2 b`` stays what it was, and the volumes are unknown."""
    flow = rm.Equations(
        {"da": "-(k1*a - k2*b)/V1", "db": "(k1*a - k2*b)/V2"}, state="a b",
        parameters={"k1": 1.0, "k2": 0.5, "V1": 2.0, "V2": 3.0},
    )  # fmt: skip
    before = experiment({}, name="before", x0={"a": 4.0, "b": "b0"})
    after = experiment({"a": ([0.0], [1.0], 0.1)}, name="after", x0=SteadyState("before"))
    model = CourseProblem(flow, (before, after), parameters={"b0": 1.0}).model
    slopes = model.predicted_slopes(model.table.scaled(model.table.values))[0, 0]
    # a = M / D with M = 4 V1 + V2 b0 = 11 and D = V1 + V2 k1 / k2 = 8.
    M, D, r = 11.0, 8.0, 2.0
    exact = [-M * 6 / D**2, M * 12 / D**2, 4 / D - M / D**2, 1 / D - M * r / D**2, 3 / D]
    np.testing.assert_allclose(slopes, exact, rtol=1e-8)


def test_sides_that_coincide_make_a_parameter_known():
    t = np.array([0.5, 1.0, 2.0])
    flow = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 0.5})
    one = experiment({"A": (t, 1.9 * np.exp(-0.6 * t), 0.1)}, x0={"A": "A0"})
    fit = partial(fit_trajectories, flow, one, parameters={"A0": 2.0}, progress=QUIET)
    pinned, fixed = fit(bounds={"k": (0.6, 0.6)}), fit(fixed={"k": 0.6})
    assert pinned.names == fixed.names == ("A0",)
    np.testing.assert_array_equal(pinned.deviations, fixed.deviations)
    assert pinned.aic == fixed.aic


def test_a_factor_and_an_offset_start_at_what_fits_the_data():
    t = np.array([0.5, 1.0, 2.0])
    flow = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 0.5})
    one = experiment({"o": (t, 3 * np.exp(-0.5 * t) + 2, 0.1)}, x0={"A": 1.0})
    problem = CourseProblem(flow, (one,), {"o": Observable("A", scale="g", offset="b")})
    found = dict(zip(problem.model.table.names, problem.model.table.values, strict=True))
    assert (found["g"], found["b"]) == pytest.approx((3.0, 2.0), rel=1e-6)


@pytest.mark.parametrize("size", [50.0, -50.0])
def test_starts_found_from_data_keep_to_bounds_and_scales(size):
    t = np.array([0.5, 1.0, 2.0])
    flow = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 0.5})
    one = experiment({"o": (t, size * np.exp(-0.5 * t), 0.1)}, x0={"A": 1.0})
    shown = {"o": Observable("A", scale="g")}
    problem = CourseProblem(flow, (one,), shown, bounds={"g": (2.0, 10.0)})
    assert 2.0 <= problem.model.table.values[-1] <= 10.0
    logged = CourseProblem(flow, (one,), shown, scales={"g": LogScale()})
    assert logged.model.table.values[-1] == pytest.approx(50.0 if size > 0 else 1.0)


def test_factors_offsets_and_sigmas_are_estimated_together():
    rng, t = RNG(3), np.linspace(0.2, 5, 60)
    a = np.exp(-0.6 * t)
    values = 40.0 * a + 7.0 + 0.5 * rng.standard_normal(60)
    decay = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 1.0})
    found = fit_trajectories(
        decay, experiment({"light": (t, values)}, x0={"A": 1.0}),
        {"light": Observable("A", "factor", "background")}, rtol=1e-12, progress=QUIET,
    )  # fmt: skip

    def loss(q):
        r = q[1] * np.exp(-q[0] * t) + q[2] - values
        return 30 * np.log(np.mean(r**2))  # sigma eliminated

    best = minimize(loss, [0.6, 40, 7], method="Nelder-Mead",
                    options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})  # fmt: skip
    theirs = dict(zip(("k", "factor", "background"), best.x, strict=True))
    for name, value in theirs.items():
        assert found.parameters[name] == pytest.approx(value, rel=1e-5)
    sigma = found.parameters["sigma_light"]
    assert -2 * found.log_likelihood == pytest.approx(
        2 * loss(best.x) + 60 * (1 + math.log(2 * math.pi)), rel=1e-9
    )
    # The information on log sigma is 2 N.
    place = found.names.index("sigma_light")
    assert found.deviations[place] == pytest.approx(sigma / math.sqrt(120), rel=1e-3)


@pytest.mark.parametrize("transformation", [Log10Scale(), LogScale()])
@pytest.mark.parametrize("noise", ["normal", "laplace"])
def test_densities_are_those_of_the_values_themselves(transformation, noise):
    t, values = np.array([0.5, 1.0, 2.0]), np.array([1.9, 1.1, 0.9])
    kinds = {"laplace": LaplaceNoise(), "normal": Observable("A").noise}
    seen = Observable("A", sigma=0.3, transformation=transformation, noise=kinds[noise])
    decay = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 0.5})
    found = fit_trajectories(decay, experiment({"A": (t, values)}, x0={"A": 2.0}), {"A": seen},
                             rtol=1e-12, progress=QUIET)  # fmt: skip
    mean = transformation.of(2.0 * np.exp(-found.theta[0] * t))
    density = {"normal": norm, "laplace": laplace}[noise].logpdf(
        transformation.of(values), mean, 0.3
    ) - np.log(transformation.slope(values))
    assert found.log_likelihood == pytest.approx(density.sum(), rel=1e-7)
    if noise == "laplace":  # the median of the rates that the points ask for, weighed by time
        rates = np.log(2.0 / values) / t
        best = min(rates, key=lambda k: np.sum(np.abs(np.log(values) - np.log(2) + k * t)))
        assert found.theta[0] == pytest.approx(best, rel=1e-5)


def test_missing_values_and_replicates_are_what_they_are():
    t = np.array([1.0, 2.0, 3.0])
    whole = experiment({"A": (np.tile(t, 2), [0.5, 0.3, 0.2, 0.6, 0.3, 0.1])}, x0={"A": 1.0})
    twice = experiment({"A": (t, [[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])}, x0={"A": 1.0})
    gaps = experiment({"A": (np.r_[np.tile(t, 2), 4], [0.5, 0.3, 0.2, 0.6, 0.3, 0.1, np.nan])},
                      x0={"A": 1.0})  # fmt: skip
    fits = [fit_trajectories(PUMP, one, sigma=0.1, fixed=["g", "r", "d"], progress=QUIET)
            for one in (whole, twice, gaps)]  # fmt: skip
    assert len({round(f.log_likelihood, 9) for f in fits}) == 1
    assert [f.problem.count for f in fits] == [6, 6, 6]


def test_what_only_a_product_determines_is_named():
    t = np.linspace(0.2, 3, 8)
    decay = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 1.0})
    found = fit_trajectories(
        decay, experiment({"A": (t, 6 * np.exp(-0.7 * t), 0.1)}, x0={"A": "A0"}),
        {"A": "gain*A"}, parameters={"A0": 2.0, "gain": 2.5}, progress=QUIET,
    )  # fmt: skip
    assert set(found.undetermined) == {"A0", "gain"}
    (direction,) = found.null_directions
    assert direction["A0"] == pytest.approx(-direction["gain"], abs=1e-3)
    assert np.isfinite(found.deviations[found.names.index("k")])
    # The product is known, and so is what it predicts.
    assert np.isfinite(found.predict("gain*A", [1.0, 2.0]).deviation).all()
    assert np.isinf(found.predict("A0", [1.0]).deviation).all()


BAD = [
    ({"x0": {"X": 1.0}}, {}, "X"),
    ({"x0": {"S": "S0"}}, {}, "S0"),
    ({"theta": {"v": 1.0}}, {}, "v"),
    ({"own": ["kk"]}, {}, "kk"),
    ({"x0": SteadyState("other")}, {}, "other"),
    ({}, {"fixed": ["q"]}, "q"),
    ({}, {"bounds": {"km": (1.0, 2.0)}}, "km"),
    ({}, {"observables": {"S": "S + "}}, "S"),
    ({}, {"fixed": ["vmax", "km", "kd"], "sigma": 1.0}, "fixed"),
    ({}, {"scales": {"km": "log"}}, "km"),
    ({}, {"rtol": 2.0}, "rtol"),
    ({"own": ["km"], "theta": {"km": 0.4}}, {}, "km.*Keep one"),
    ({"own": ["km"]}, {"parameters": {"data.km": 1.0}}, r"data\.km.*more than one"),
    ({"doses": [Dose(-1.0, {"S": 1.0})]}, {}, "-1, before the start"),
    ({}, {"observables": {"S": Observable("S", sigma=0.0)}}, "sigma of 'S'.*> 0"),
    ({}, {"sigma": -1.0}, "sigma of 'S'.*> 0"),
    ({"own": {"km": 0.0}}, {"prior": {"km": LogNormalPrior(1.0, 0.5)}}, r"data\.km.*logarithms"),
]


@pytest.mark.parametrize(("setting", "asked", "named"), BAD)
def test_what_is_wrong_is_named(setting, asked, named):
    with pytest.raises((SignatureError, DomainError), match=named):
        fit_trajectories(ENZYME, experiment({"S": (T, np.ones(5))}, **setting), **asked,
                         progress=QUIET)  # fmt: skip


@pytest.mark.parametrize(
    "data", [{"S": 1.0}, {"S": (T, np.ones(4))}, {"S": (T, np.ones(5), 0.0)}, 3.0,
             {"S": (T, [np.inf] * 5)}, {"time": T, "S": ["a"] * 5}],
)  # fmt: skip
def test_faulty_data_are_refused(data):
    with pytest.raises((SignatureError, DomainError)):
        experiment(data)


def test_a_start_that_runs_away_is_refused_with_the_experiment():
    blow = rm.Equations({"dA": "k*A^2"}, state="A", parameters={"k": 1.0})
    with pytest.raises(DomainError, match="'once'"):
        fit_trajectories(blow, experiment({"A": (T, np.ones(5), 1.0)}, name="once",
                                          x0={"A": 2.0}), progress=QUIET)  # fmt: skip


def test_a_normal_prior_is_a_measurement_of_the_parameter():
    """``A' = -k`` is linear in k: the estimate is the mean, weighed by precisions."""
    line = rm.Equations({"dA": "-k"}, state="A", parameters={"k": 1.0})
    one = experiment({"A": ([2.0], [1.0], 0.5)}, x0={"A": 4.0})  # says k = 1.5 +- 0.25
    found = fit_trajectories(line, one, prior={"k": NormalPrior(2.0, 0.5)}, progress=QUIET)
    assert found.theta[0] == pytest.approx((1.5 * 16 + 2.0 * 4) / 20, rel=1e-9)
    assert found.deviations[0] == pytest.approx(1 / math.sqrt(20), rel=1e-8)
    logged = fit_trajectories(line, one, prior={"k": NormalPrior(2.0, 0.5)},
                              scales={"k": LogScale()}, progress=QUIET)  # fmt: skip
    assert logged.theta[0] == pytest.approx(found.theta[0], rel=1e-7)
    bounded = fit_trajectories(line, one, prior={"k": UniformPrior(0.2, 1.2)}, progress=QUIET)
    assert bounded.theta[0] == pytest.approx(1.2)
    assert bounded.held == ("k",)


@pytest.mark.parametrize("scale", [LinearScale(), LogScale(), Log10Scale()])
def test_a_log_normal_prior_is_a_measurement_of_the_logarithm(scale):
    """The mode of the density of k itself, whatever scale it is searched on."""
    line = rm.Equations({"dA": "-k"}, state="A", parameters={"k": 1.0})
    one = experiment({"A": ([2.0], [1.0], 0.5)}, x0={"A": 4.0})  # says k = 1.5 +- 0.25
    found = fit_trajectories(line, one, prior={"k": LogNormalPrior(2.5, 0.2)}, rtol=1e-10,
                             scales={"k": scale}, progress=QUIET)  # fmt: skip

    def cost(k):
        return 0.5 * ((k - 1.5) / 0.25) ** 2 + np.log(k) + 0.5 * (np.log(k / 2.5) / 0.2) ** 2

    mode = minimize_scalar(cost, bounds=(1.0, 3.0), method="bounded", options={"xatol": 1e-12})
    assert found.theta[0] == pytest.approx(mode.x, rel=1e-6)
    wanted = 1 / math.sqrt(16 + (0.2 * mode.x) ** -2)
    assert found.deviations[0] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("sides", [(0.7, None), (None, 0.5), (0.7, 3.0)])
def test_a_parameter_that_a_bound_holds_counts_as_known(sides):
    """The data ask for k = 0.6, which the bound keeps from it: the other is as if k were fixed."""
    t = np.array([0.5, 1.0, 2.0])
    k = 0.7 if sides[0] else 0.5
    flow = rm.Equations({"dA": "-k*A"}, state="A", parameters={"k": 1.0 if sides[0] else 0.2})
    one = experiment({"A": (t, 2.0 * np.exp(-0.6 * t), 0.1)}, x0={"A": "A0"})
    fit = partial(fit_trajectories, flow, one, parameters={"A0": 2.0}, progress=QUIET)
    held, fixed = fit(bounds={"k": sides}), fit(fixed={"k": k})
    assert held.held == ("k",)
    assert held.parameters["k"] == k
    assert held.deviations[0] == 0.0
    assert held.deviations[1] == pytest.approx(fixed.deviations[0], rel=1e-6)


class Driven(rm.Flow):
    """Driven by the time itself."""

    state, inputs, time_input, parameters = rm.space("a"), rm.space("t"), "t", {"k": 0.5}

    def equations(self, x, u, p):
        return {"a": np.sin(u.t) - p.k * x.a}


def test_the_time_needs_no_input():
    y = simulate(Driven(k=0.8), np.append(0.0, T), {"a": 1.0})["a"][1:]
    found = fit_trajectories(Driven(), [experiment({"a": (T, y)}, x0={"a": 1.0})], sigma=0.1)
    assert found.module.theta == pytest.approx([0.8], rel=1e-6)
