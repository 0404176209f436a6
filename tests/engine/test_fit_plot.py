"""Pictures of fits: the data, the model's mean, what is left over, and the loss."""

import numpy as np
import pytest
from scipy.special import expit

import riemannian_modules as rm
from riemannian_modules.engine import BernoulliLoss, CategoricalLoss, Dataset, PoissonLoss, fit
from riemannian_modules.engine.fit_plot import GRID, MOST_OUTPUTS, Fitted, plot_fit
from riemannian_modules.engine.losses import GaussianLoss, SquaredLoss
from riemannian_modules.errors import DomainError


class Dose(rm.StaticMap):
    """Elimination from the blood."""

    inputs, outputs = rm.space(t="h", dose="mg"), rm.space(blood="mg/l", urine="mg")
    parameters = {"k": 0.4, "v": 7.0}

    def map(self, u, p):
        left = np.exp(-p.k * u.t)
        return {"blood": u.dose / p.v * left, "urine": u.dose * (1 - left)}


def dose_fit(doses, rng=None):
    rng = np.random.default_rng(0) if rng is None else rng
    t, dose = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 10, 9), doses))
    clean = Dose().output(np.zeros(0), np.stack([t, dose], 1), Dose().theta)
    noisy = clean + [0.1, 0.5] * rng.standard_normal(clean.shape)
    return fit(Dose(), {"t": t, "dose": dose, "blood": noisy[:, 0], "urine": noisy[:, 1]})


def points(ax):
    """What is drawn as points, one array (k, 2) a group."""
    return [container[0].get_xydata() for container in ax.containers]


def model_lines(ax):
    return [line for line in ax.lines if line.get_linestyle() == "-"]


def test_a_curve_for_each_setting_of_the_other_inputs_runs_through_the_model():
    found = dose_fit([10.0, 20.0, 50.0])
    figure = found.plot()
    *outputs, losses = [figure.axes[i : i + 2] for i in range(0, 5, 2)]
    assert len(outputs) == 2
    for j, (data, rest) in enumerate(outputs):
        groups, lines = points(data), model_lines(data)
        assert len(groups) == len(lines) == 3
        np.testing.assert_array_equal(np.sort(np.concatenate(groups)[:, 1]),
                                      np.sort(found.data.targets[:, j]))  # fmt: skip
        for dose, line in zip([10.0, 20.0, 50.0], lines, strict=True):
            t, y = line.get_xydata().T
            assert len(t) == GRID
            exact = found.module.output(
                np.zeros(0), np.stack([t, np.full(GRID, dose)], 1), found.theta
            )
            np.testing.assert_array_equal(y, exact[:, j])
        model = found.module.output(np.zeros(0), found.data.inputs, found.theta)[:, j]
        left_over = np.concatenate(points(rest))[:, 1]
        np.testing.assert_allclose(
            np.sort(left_over), np.sort(found.data.targets[:, j] - model), rtol=0, atol=0
        )
        assert data.get_xlabel() == rest.get_xlabel() == "t [h]"
    assert [data.get_ylabel() for data, _ in outputs] == ["blood [mg/l]", "urine [mg]"]
    texts = [text.get_text() for text in outputs[0][0].get_legend().get_texts()]
    assert texts == ["dose = 10 mg", "dose = 20 mg", "dose = 50 mg"]
    history = losses[0].lines[0].get_ydata()
    np.testing.assert_array_equal(history, [line.loss for line in found.history])
    assert losses[0].get_title(loc="right") == found.outcome.value


def test_where_many_inputs_vary_data_are_drawn_over_the_model():
    found = dose_fit(np.linspace(10.0, 50.0, 9))
    left, right = found.plot().axes[:2]
    model = found.module.output(np.zeros(0), found.data.inputs, found.theta)
    ((x, y),) = (group.T for group in points(left))
    np.testing.assert_array_equal(x, model[:, 0])
    np.testing.assert_array_equal(y, found.data.targets[:, 0])
    (diagonal,) = model_lines(left)[-1:]
    np.testing.assert_array_equal(*diagonal.get_data())
    assert (left.get_xlabel(), right.get_xlabel()) == ("model: blood [mg/l]",) * 2


@pytest.mark.parametrize("bars", [0.1, [0.1, 0.5], np.full((27, 2), 0.3), np.full((27, 1), 0.3)])
def test_known_errors_are_drawn_as_bars(bars):
    found = dose_fit([10.0, 20.0, 50.0])
    wanted = np.broadcast_to(bars, found.data.targets.shape)
    for j, ax in enumerate(found.plot(bars).axes[:4:2]):
        lengths = []
        for container in ax.containers:
            (collection,) = container[2]
            lengths += [np.ptp(segment[:, 1]) / 2 for segment in collection.get_segments()]
        np.testing.assert_allclose(np.sort(lengths), np.sort(wanted[:, j]), rtol=1e-12)
    assert not found.plot().axes[0].containers[0].has_yerr


@pytest.mark.parametrize("bars", [-1.0, np.nan, np.ones(27), np.ones((26, 2)), np.ones((2, 27, 2))])
def test_errors_that_do_not_fit_are_refused(bars):
    with pytest.raises(DomainError, match=r"plot: deviations"):
        dose_fit([10.0, 20.0, 50.0]).plot(bars)


def test_legends_stand_over_no_data():
    figure = dose_fit([10.0, 20.0, 50.0]).plot()
    figure.draw_without_rendering()
    for ax in figure.axes:
        if ax.get_legend():
            place = ax.get_legend().get_window_extent()
            assert place.y0 >= ax.get_window_extent().y1 - 1
            assert place.x1 <= ax.get_window_extent().x1 + 1


class Line(rm.StaticMap):
    inputs, outputs = rm.space("x"), rm.space("y")
    parameters = {"a": 1.0, "b": 0.1}

    def map(self, u, p):
        return {"y": p.a * np.log(u.x) + p.b}


@pytest.mark.parametrize(("loss", "mean"), [(BernoulliLoss(), expit), (PoissonLoss(), np.exp)])
def test_outputs_in_natural_coordinates_are_drawn_as_means_as_the_data_are(loss, mean):
    x = np.geomspace(0.01, 100.0, 40)
    rng = np.random.default_rng(0)
    y = rng.poisson(x**0.5) if isinstance(loss, PoissonLoss) else rng.random(40) < x / (1 + x)
    found = fit(Line(), {"x": x, "y": y.astype(float)}, loss)
    ax = found.plot().axes[0]
    grid, drawn = model_lines(ax)[0].get_xydata().T
    a, b = found.theta
    np.testing.assert_allclose(drawn, mean(a * np.log(grid) + b), rtol=1e-12)
    assert ax.get_xscale() == "log"  # four decades


def test_the_mean_of_a_likelihood_is_where_its_gradient_vanishes():
    outputs = np.random.default_rng(0).standard_normal((5, 3))
    for loss in (SquaredLoss(), BernoulliLoss(), PoissonLoss(), CategoricalLoss()):
        means = loss.mean(outputs)
        np.testing.assert_allclose(loss.gradient(outputs, means), 0.0, atol=1e-15)
    np.testing.assert_array_equal(GaussianLoss().mean(outputs), outputs)


def test_of_many_outputs_the_first_are_drawn_and_it_is_said():
    rng = np.random.default_rng(0)
    u = rng.standard_normal((20, 1))
    found = fit(rm.Affine(np.ones((9, 1))), {"u": u, "y": u @ np.ones((1, 9))})
    figure = found.plot()
    assert len(figure.axes) == 2 * MOST_OUTPUTS + 1
    assert "6 of 9 outputs" in figure.get_suptitle()


def test_without_inputs_that_vary_data_are_drawn_by_number():
    found = fit(rm.Affine([[0.5]]), {"u": np.ones((5, 1)), "y": np.arange(5.0)[:, None]})
    ax = found.plot().axes[0]
    assert ax.get_xlabel() == "sample"
    np.testing.assert_array_equal(points(ax)[0], np.stack([np.arange(5.0)] * 2, 1))


class Bowl(rm.StaticMap):
    """Defined outside of -1 < x < 1 alone."""

    inputs, outputs = rm.space("x"), rm.space("y")
    parameters = {"a": 1.0}

    def map(self, u, p):
        return {"y": p.a * np.sqrt(u.x**2 - 1)}


def test_where_the_map_has_no_value_between_the_samples_the_curve_has_a_gap():
    x = np.array([-3.0, -2.0, 2.0, 3.0])
    found = fit(Bowl(), {"x": x, "y": 2 * np.sqrt(x**2 - 1)})
    grid, drawn = model_lines(found.plot().axes[0])[0].get_xydata().T
    np.testing.assert_array_equal(np.isfinite(drawn), np.abs(grid) >= 1)


def test_where_the_map_refuses_what_lies_between_the_samples_they_are_joined():
    def refusing(inputs):
        if len(inputs) == GRID:
            raise DomainError("between")
        return inputs**2

    x = np.array([[3.0], [1.0], [2.0]])
    space = rm.space("x")
    figure = plot_fit(Fitted(Dataset(x, x), refusing, space, space, None, [1.0], "converged"))
    drawn = model_lines(figure.axes[0])[0].get_xydata()
    np.testing.assert_array_equal(drawn, [[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]])
