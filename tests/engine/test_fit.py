"""Fits agree with closed forms, keep bounds, do not depend on units, and refuse bad data."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine.datasets import paired_dataset
from riemannian_modules.engine.descend import Outcome
from riemannian_modules.engine.fitting import fit
from riemannian_modules.engine.losses import (
    BernoulliLoss,
    CategoricalLoss,
    GaussianLoss,
    PoissonLoss,
    one_hot,
)
from riemannian_modules.engine.objective import Layerwise
from riemannian_modules.engine.progress import NoProgress, Progress
from riemannian_modules.engine.schedule import FullBatch, MiniBatches
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from tests.engine.layers import Layer
from tests.strategies import rngs

EPS = np.finfo(float).eps


class Line(rm.StaticMap):
    inputs, outputs = rm.space("x z"), rm.space("y")
    parameters = {"a": 0.0, "b": 0.0, "c": 0.0}

    def map(self, u, p):
        return {"y": p.a + p.b * u.x + p.c * u.z}


class Decay(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"amount": 1.0, "rate": 1.0}

    def map(self, u, p):
        return {"y": p.amount * np.exp(-p.rate * u.t)}


LINE, DECAY = Line(), Decay()
TIMES = np.linspace(0.0, 4.0, 25)


def samples(rng, n=30):
    x, z = rng.standard_normal((2, n))
    return x, z, np.column_stack([np.ones(n), x, z])


def decay_data(rng, noise=0.02):
    return {"t": TIMES, "y": 3 * np.exp(-0.7 * TIMES) + noise * rng.standard_normal(len(TIMES))}


@given(rngs)
@settings(max_examples=20)
def test_a_linear_fit_solves_the_normal_equations(rng):
    x, z, X = samples(rng)
    y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal(len(x))
    found = fit(LINE, {"x": x, "z": z, "y": y}, progress=NoProgress())
    theta, residual_sum, *_ = np.linalg.lstsq(X, y)
    tolerance = 1e3 * EPS * np.linalg.cond(X) ** 2
    covariance = residual_sum[0] / (len(y) - 3) * np.linalg.inv(X.T @ X)
    assert found.outcome.is_settled
    assert np.abs(found.theta - theta).max() <= tolerance
    assert abs(found.residual_sum - residual_sum[0]) <= tolerance
    assert np.abs(found.covariance - covariance).max() <= tolerance * np.abs(covariance).max()


def newton(X, gradient, weights):
    """The slow obvious maximum-likelihood estimate of a generalised linear model."""
    theta = np.zeros(X.shape[1])
    for _ in range(100):
        information = X.T @ (weights(X @ theta)[:, None] * X)
        theta = theta - np.linalg.solve(information, X.T @ gradient(X @ theta))
    return theta, np.linalg.inv(information)


@given(rngs)
@settings(max_examples=20)
def test_a_logistic_fit_is_the_maximum_likelihood(rng):
    x, z, X = samples(rng, 80)
    y = (rng.random(80) < 1 / (1 + np.exp(-(0.3 + x - 0.5 * z)))).astype(float)
    p = lambda eta: 1 / (1 + np.exp(-eta))  # noqa: E731
    theta, covariance = newton(X, lambda eta: p(eta) - y, lambda eta: p(eta) * (1 - p(eta)))
    found = fit(LINE, {"x": x, "z": z, "y": y}, BernoulliLoss(), progress=NoProgress())
    # The descent stops at a relative offset of 1e-8 and polishes; Newton's error is squared.
    assert np.abs(found.theta - theta).max() <= 1e-8 * (1 + np.abs(theta).max())
    assert np.abs(found.covariance - covariance).max() <= 1e-7 * np.abs(covariance).max()


@given(rngs)
@settings(max_examples=20)
def test_a_poisson_fit_is_the_maximum_likelihood(rng):
    x, z, X = samples(rng, 80)
    y = rng.poisson(np.exp(1.0 + 0.3 * x - 0.2 * z)).astype(float)
    theta, covariance = newton(X, lambda eta: np.exp(eta) - y, np.exp)
    found = fit(LINE, {"x": x, "z": z, "y": y}, PoissonLoss(), progress=NoProgress())
    assert np.abs(found.theta - theta).max() <= 1e-8 * (1 + np.abs(theta).max())
    assert np.abs(found.covariance - covariance).max() <= 1e-7 * np.abs(covariance).max()


class Classes(rm.StaticMap):
    inputs, outputs = rm.space("x"), rm.space(y=3)
    parameters = {"second": 0.0, "third": 0.0}

    def map(self, u, p):
        return {"y": np.stack([0 * u.x, p.second, p.third])}


@given(rngs)
@settings(max_examples=20)
def test_constant_logits_become_the_logarithms_of_frequencies(rng):
    labels = np.concatenate([[0, 1, 2], rng.integers(0, 3, 30)])
    counts = np.bincount(labels)
    data = {"x": np.zeros(33), "y": one_hot(labels, 3)}
    found = fit(Classes(), data, CategoricalLoss(), progress=NoProgress())
    assert np.abs(found.theta - np.log(counts[1:] / counts[0])).max() <= 1e-8
    # Variance of a log ratio of counts: the sum of the inverse counts.
    assert np.allclose(found.deviations**2, 1 / counts[1:] + 1 / counts[0], rtol=1e-6)


class Twice(rm.StaticMap):
    inputs, outputs = rm.space("x"), rm.space("precise rough")
    parameters = {"slope": 0.0}

    def map(self, u, p):
        return {"precise": p.slope * u.x, "rough": p.slope * u.x}


@given(rngs)
@settings(max_examples=20)
def test_outputs_are_weighed_by_their_own_unknown_noise(rng):
    x = rng.uniform(1.0, 2.0, 40)
    measured = {
        "precise": 2 * x + 0.01 * rng.standard_normal(40),
        "rough": 2 * x + rng.standard_normal(40),
    }
    found = fit(Twice(), {"x": x, **measured}, GaussianLoss(), progress=NoProgress())
    slope = 2.0
    for _ in range(200):  # the slow formula: weigh, average, weigh again
        weights = {name: 1 / np.mean((y - slope * x) ** 2) for name, y in measured.items()}
        top = sum(w * x @ measured[name] for name, w in weights.items())
        slope = top / sum(w * x @ x for w in weights.values())
    information = sum(w * x @ x for w in weights.values())
    assert abs(found.theta[0] - slope) <= 1e-8
    assert found.deviations[0] == pytest.approx(information**-0.5, rel=1e-6)


@given(rngs, st.integers(-9, 9), st.integers(-9, 9))
@settings(max_examples=8)
def test_the_descent_does_not_depend_on_units(rng, first, second):
    """Powers of two scale floats exactly, so both descents take the same steps."""

    class Scaled(rm.StaticMap):
        inputs, outputs = rm.space("t"), rm.space("y")
        parameters = {"amount": 2.0**-first, "rate": 2.0**-second}

        def map(self, u, p):
            return {"y": 2.0**first * p.amount * np.exp(-(2.0**second * p.rate) * u.t)}

    data = decay_data(rng)
    plain, scaled = (fit(m, data, progress=NoProgress()) for m in (DECAY, Scaled()))
    assert len(plain.history) == len(scaled.history)
    pairs = zip(plain.history, scaled.history, strict=True)
    assert all(abs(a.loss - b.loss) <= 1e-9 * a.loss for a, b in pairs)
    back = scaled.theta * [2.0**first, 2.0**second]
    assert np.allclose(back, plain.theta, rtol=1e-10)


@given(rngs, st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_bounded_linear_fits_agree_with_bounded_least_squares(rng, low, high):
    from scipy.optimize import lsq_linear

    low, high = sorted((low, high))
    high += 0.1
    x, z, X = samples(rng)
    y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal(len(x))
    inside = 0.5 * (low + high)
    start = Line(a=inside, b=inside)
    bounds = {"a": (low, high), "b": (low, high)}
    found = fit(start, {"x": x, "z": z, "y": y}, bounds=bounds, progress=NoProgress())
    lower, upper = [low, low, -np.inf], [high, high, np.inf]
    slow = lsq_linear(X, y, (lower, upper), method="bvls", tol=1e-14)
    assert found.outcome.is_settled
    assert np.abs(found.theta - slow.x).max() <= 1e-8
    at_side = (found.theta <= lower) | (found.theta >= upper)
    assert set(found.held) <= {name for name, at in zip("abc", at_side, strict=True) if at}
    assert all(found.deviations[at_side] == 0) or len(found.held) < at_side.sum()


@given(rngs)
@settings(max_examples=15)
def test_a_bound_that_excludes_the_minimum_holds_its_parameter(rng):
    data = decay_data(rng)
    found = fit(DECAY, data, bounds={"rate": (0.9, None)}, progress=NoProgress())
    shape = np.exp(-0.9 * data["t"])
    assert found.parameters["rate"] == 0.9
    assert found.held == ("rate",)
    assert found.parameters["amount"] == pytest.approx(shape @ data["y"] / (shape @ shape))
    assert found.freedom == len(TIMES) - 1


@given(rngs)
@settings(max_examples=5)
def test_mini_batches_find_an_exact_model(rng):
    found = fit(
        DECAY, decay_data(rng, noise=0.0), schedule=MiniBatches(5, 60), progress=NoProgress()
    )
    assert np.abs(found.theta - [3.0, 0.7]).max() <= 1e-3


@given(rngs)
@settings(max_examples=5)
def test_mini_batches_come_within_the_noise_of_the_full_fit(rng):
    x, z, X = samples(rng, 200)
    data = {"x": x, "z": z, "y": X @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal(200)}
    full = fit(LINE, data, progress=NoProgress())
    schedule = MiniBatches(20, 30, np.random.default_rng(1))
    some = fit(LINE, data, schedule=schedule, progress=NoProgress())
    assert some.outcome is Outcome.OUT_OF_ITERATIONS
    assert (np.abs(some.theta - full.theta) <= full.deviations).all()
    assert len(some.history) == 30


@given(rngs)
@settings(max_examples=5)
def test_a_composite_fits_as_the_single_module_does(rng):
    class Exponent(rm.StaticMap):
        inputs, outputs = rm.space("t"), rm.space("e")
        parameters = {"rate": 1.0}

        def map(self, u, p):
            return {"e": -p.rate * u.t}

    class Amount(rm.StaticMap):
        inputs, outputs = rm.space("e"), rm.space("y")
        parameters = {"amount": 1.0}

        def map(self, u, p):
            return {"y": p.amount * np.exp(u.e)}

    graph = rm.Wiring(inner=Exponent(), outer=Amount()).connect("inner.e", "outer.e")
    graph = graph.input("t", "inner.t").output("y", "outer.y").build()
    data = decay_data(rng)
    whole, single = (fit(m, data, progress=NoProgress()) for m in (graph, DECAY))
    assert np.allclose(whole.theta[::-1], single.theta, rtol=1e-10)
    assert np.allclose(whole.deviations[::-1], single.deviations, rtol=1e-8)
    assert set(whole.parameters) == {"inner.rate", "outer.amount"}


@given(rngs)
@settings(max_examples=6)
def test_the_layerwise_metric_trains_a_network(rng):
    first, second = Layer(rng, [2], 6), Layer(rng, [6], 1)
    graph = rm.Wiring(a=first, b=second).connect("a.out", "b.in0")
    graph = graph.input("u", "a.in0").output("y", "b.out").build()
    u = rng.standard_normal((60, 2))
    teacher = graph.with_parameters(graph.theta + 0.3 * rng.standard_normal(len(graph.theta)))
    y = teacher.output(np.zeros(0), u, teacher.theta)
    found = fit(
        graph, {"u": u, "y": y}, schedule=FullBatch(60), coupling=Layerwise(), progress=NoProgress()
    )
    losses = [line.loss for line in found.history]
    assert losses == sorted(losses, reverse=True)
    assert found.loss <= 0.05 * losses[0] or losses[0] < 1e-2


class Cooling(rm.Flow):
    state, inputs = rm.space("heat"), rm.space("supply")
    parameters = {"loss": 1.0}

    def equations(self, x, u, p):
        return {"heat": u.supply - p.loss * x.heat}


def test_dynamics_inside_a_flow_map_are_fitted_by_exact_sensitivities():
    module, rng = rm.FlowMap(Cooling(), 0.5), np.random.default_rng(0)
    heat, supply, loss = rng.uniform(1, 3, 12), rng.uniform(0, 1, 12), 1.7
    end = heat * np.exp(-0.5 * loss) + supply * (1 - np.exp(-0.5 * loss)) / loss
    data = paired_dataset(module, {"heat": heat, "supply": supply}, {"heat": end})
    found = fit(module, data, progress=NoProgress())
    # The integrator's relative tolerance is 1e-10.
    assert found.theta[0] == pytest.approx(1.7, abs=1e-8)
    with pytest.raises(SignatureError, match="paired_dataset"):
        fit(module, {"heat": heat, "supply": supply}, progress=NoProgress())
    with pytest.raises(SignatureError, match="equally many"):
        paired_dataset(module, np.ones((3, 2)), np.ones((4, 1)))
    with pytest.raises(SignatureError, match="another module"):
        fit(DECAY, data, progress=NoProgress())


def test_parameters_that_data_cannot_tell_apart_are_named():
    class Product(rm.StaticMap):
        inputs, outputs = rm.space("x"), rm.space("y")
        parameters = {"left": 1.0, "right": 2.0, "offset": 0.0}

        def map(self, u, p):
            return {"y": p.left * p.right * u.x + p.offset}

    x = np.arange(9.0)
    found = fit(Product(), {"x": x, "y": 6 * x + 1 + 0.1 * np.cos(9 * x)}, progress=NoProgress())
    assert found.undetermined == ("left", "right")
    assert np.isinf(found.deviations[:2]).all()
    slope, offset = np.polyfit(x, 6 * x + 1 + 0.1 * np.cos(9 * x), 1)
    assert found.theta[0] * found.theta[1] == pytest.approx(slope)
    assert found.theta[2] == pytest.approx(offset)
    assert 0 < found.deviations[2] < 0.1


class InterruptedAfter(Progress):
    def __init__(self, count):
        self.count = count

    def watching(self, title):
        from contextlib import nullcontext

        def watch(line):
            if line.number >= self.count:
                raise KeyboardInterrupt

        return nullcontext(watch)


@pytest.mark.parametrize("schedule", [FullBatch(), MiniBatches(5, 10)])
def test_an_interrupt_returns_the_best_so_far_marked(schedule):
    data = decay_data(np.random.default_rng(0))
    found = fit(DECAY, data, schedule=schedule, progress=InterruptedAfter(2))
    at_start = 0.5 * np.sum((np.exp(-TIMES) - data["y"]) ** 2)
    assert found.outcome is Outcome.INTERRUPTED
    assert len(found.history) == 3
    assert found.loss < at_start
    assert found.table().startswith("interrupted")
    assert "interrupted" in str(found)


def test_results_are_saved_whole_and_plotted(tmp_path):
    found = fit(DECAY, decay_data(np.random.default_rng(0)))
    found.save(tmp_path / "run")
    saved = json.loads((tmp_path / "run" / "fit.json").read_text())
    with (tmp_path / "run" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert saved["parameters"]["rate"]["value"] == found.theta[1]
    assert saved["parameters"]["rate"]["deviation"] == found.deviations[1]
    assert saved["outcome"] == "converged"
    assert [float(row["loss"]) for row in rows] == [line.loss for line in found.history]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"fit.json", "history.csv"}
    figure = found.plot()
    assert len(figure.axes) == 3
    figure.savefig(tmp_path / "fit.png")


class Log(rm.StaticMap):
    inputs, outputs = rm.space("x"), rm.space("y")
    parameters = {"shift": 1.0}

    def map(self, u, p):
        return {"y": np.log(u.x + p.shift)}


def test_a_map_undefined_at_some_trial_steps_is_fitted_none_the_less():
    x = np.linspace(0.0, 2.0, 12)
    found = fit(Log(shift=5.0), {"x": x, "y": np.log(x + 0.01)}, progress=NoProgress())
    assert found.theta[0] == pytest.approx(0.01, rel=1e-9)


class Rolling(rm.Flow):
    state, inputs, outputs = rm.space("q"), rm.space("push"), rm.space("y")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return {"q": u.push - p.k * x.q}, {"y": x.q}


def test_bad_requests_say_where_what_and_how_to_mend():
    t, y = TIMES, np.exp(-TIMES)
    holes = y.copy()
    holes[7] = np.nan
    cases = [
        (DECAY, {"t": t, "y": holes}, {}, DomainError, r"column 'y' .* first in row 7"),
        (DECAY, {"t": t, "y": y[:5]}, {}, SignatureError, "one length"),
        (DECAY, {"t": [], "y": []}, {}, SignatureError, "at least one sample"),
        (DECAY, {"t": t}, {}, SignatureError, r"missing columns \['y'\]"),
        (DECAY, {"t": t, "y": y, "w": y}, {}, SignatureError, r"unknown columns \['w'\]"),
        (DECAY, {"t": t, "y": ["a"] * 25}, {}, SignatureError, "no number"),
        (DECAY, {"t": t, "y": 1.0}, {}, SignatureError, "one number"),
        (DECAY, {"t": t, "y": np.ones((25, 2))}, {}, SignatureError, r"got \(25, 2\)"),
        (DECAY, {"t": t, "y": y}, {"bounds": {"speed": (0, 1)}}, SignatureError, "amount, rate"),
        (DECAY, {"t": t, "y": y}, {"bounds": {"rate": (2, 3)}}, DomainError, "rate.*outside"),
        (DECAY, {"t": t, "y": y}, {"bounds": {"rate": ([1, 2], 3)}}, SignatureError, "shape"),
        (DECAY, {"t": t, "y": y}, {"loss": BernoulliLoss()}, None, ""),
        (DECAY, {"t": t, "y": y + 1}, {"loss": BernoulliLoss()}, DomainError, "from 0 to 1"),
        (Log(shift=-1.0), {"x": t, "y": y}, {}, DomainError, "not finite at the start"),
        (Rolling(), {"push": t, "y": y}, {}, UnsupportedError, "flow map"),
    ]
    for module, data, options, error, words in cases:
        if error is None:
            fit(module, data, progress=NoProgress(), **options)
            continue
        with pytest.raises(error, match=words):
            fit(module, data, progress=NoProgress(), **options)
    with pytest.raises(SignatureError, match="at least 1"):
        MiniBatches(0)
