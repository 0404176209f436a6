"""Pictures of linear models and of metrics: poles, responses, eigenvalues as they are."""

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.engine import linearize
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.metrics import diagonal_metric, low_rank_metric
from riemannian_modules.plot import frequency_response, linear_model_figure, metric_figure
from tests.strategies import rngs


def model_of(A, B, C, kind=rm.StateSpace):
    return linearize(kind(A, B, C), np.zeros(len(A)), np.zeros(np.shape(B)[1]))


@given(rngs)
@settings(max_examples=20, deadline=None)
def test_the_response_is_the_steady_one_to_a_wave(rng):
    n = int(rng.integers(1, 5))
    A, B, C = rng.standard_normal((n, n)) - 4 * np.eye(n), *rng.standard_normal((2, n, n))
    w = rng.uniform(0.1, 5.0)
    (h,) = frequency_response(model_of(A, B, C), np.array([w]))
    # x = Re(X e^iwt) solves x' = A x + B u for u = Re(e_k e^iwt) where (iw - A) X = B e_k.
    X = np.linalg.inv(1j * w * np.eye(n) - A) @ B
    np.testing.assert_allclose(h, C @ X, rtol=0, atol=1e-12 * np.abs(C @ X).max())


def test_of_a_lag_the_gain_falls_by_the_root_of_two_at_its_corner():
    lag = linearize(rm.Lag(2.0), [0.0], [0.0])
    (h,) = frequency_response(lag, np.array([0.5])).ravel()
    assert abs(h) == pytest.approx(1 / np.sqrt(2))
    assert np.degrees(np.angle(h)) == pytest.approx(-45.0)


def test_the_response_of_steps_to_a_constant_is_the_static_gain():
    model = model_of([[0.9, 0.3], [-0.3, 0.8]], [[0.0], [1.0]], [[1.0, 0.0]], rm.DiscreteStateSpace)
    (h,) = frequency_response(model, np.array([0.0]))
    np.testing.assert_allclose(h, model.dc_gain(), rtol=1e-12)


@pytest.mark.parametrize("kind", [rm.StateSpace, rm.DiscreteStateSpace])
def test_poles_and_both_curves_are_drawn_as_computed(kind):
    model = model_of([[-0.5, 0.4], [-0.4, -0.5]], np.eye(2), [[1.0, 0.0]], kind)
    poles, gain, phase = linear_model_figure(model).axes
    (marks,) = [line for line in poles.lines if line.get_marker() == "x"]
    np.testing.assert_array_equal(marks.get_xdata() + 1j * marks.get_ydata(), model.poles)
    low, high = poles.get_xlim()
    assert low < model.poles.real.min() <= model.poles.real.max() < high
    labels = {text.get_text() for text in gain.get_legend().get_texts()}
    assert labels == {"u[0] → y[0]", "u[1] → y[0]"}
    for i, (amplitude, angle) in enumerate(zip(gain.lines, phase.lines, strict=True)):
        w = amplitude.get_xdata()
        h = frequency_response(model, w)[:, 0, i]
        np.testing.assert_array_equal(amplitude.get_ydata(), np.abs(h))
        turns = np.radians(angle.get_ydata()) - np.angle(h)
        np.testing.assert_allclose(np.exp(1j * turns), 1.0, atol=1e-12)
        assert kind is rm.StateSpace or w.max() == pytest.approx(np.pi)


def test_a_model_without_inputs_has_its_poles_alone_and_one_without_a_state_none():
    class Free(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": -x.x}

    assert len(linear_model_figure(linearize(Free(), [0.0])).axes) == 1
    with pytest.raises(UnsupportedError, match="expected 1 to 500 states, got 0"):
        linear_model_figure(linearize(rm.Gain(2.0, 1), [], [0.0]))


def test_of_many_responses_the_largest_are_drawn():
    B = np.diag([1.0, 2.0, 3.0, 4.0])
    gain = linear_model_figure(model_of(-np.eye(4), B, np.eye(4))).axes[1]
    labels = {text.get_text() for text in gain.get_legend().get_texts()}
    assert {f"u[{i}] → y[{i}]" for i in range(4)} == labels  # the others are zero
    assert gain.get_title(loc="right") == "the 6 largest of 16"


@given(rngs)
@settings(max_examples=5, deadline=None)
def test_a_metrics_picture_has_its_eigenvalues_and_its_correlations(rng):
    n = int(rng.integers(2, 9))
    weights, factor = rng.uniform(0.5, 2.0, n), rng.standard_normal((n, 2))
    left, right, _ = metric_figure(
        low_rank_metric(diagonal_metric(weights), 0.5, factor), [f"x{i}" for i in range(n)]
    ).axes
    M = np.diag(0.5 * weights) + factor @ factor.T
    values = right.lines[0].get_ydata()
    np.testing.assert_allclose(values, np.sort(np.linalg.eigvalsh(M))[::-1], rtol=1e-10)
    shown = left.images[0].get_array()
    np.testing.assert_allclose(np.diagonal(shown), 1.0)
    np.testing.assert_allclose(shown[0, 1] * np.sqrt(M[0, 0] * M[1, 1]), M[0, 1], rtol=1e-12)
    assert [label.get_text() for label in left.get_yticklabels()] == [f"x{i}" for i in range(n)]


def test_what_cannot_be_read_or_named_is_refused():
    with pytest.raises(UnsupportedError, match="401 rows"):
        metric_figure(diagonal_metric(np.ones(401)))
    with pytest.raises(SignatureError, match="expected 2 names or none, got 1"):
        metric_figure(diagonal_metric(np.ones(2)), ["x"])
