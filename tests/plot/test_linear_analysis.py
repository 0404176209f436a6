"""Pictures of responses, loops and branches: what is drawn is what was computed."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import continuation, linearize
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.plot import (
    bode_figure,
    branch_figure,
    loop_figure,
    nyquist_figure,
    root_locus_figure,
    step_response_figure,
)
from tests.engine.linear_systems import flow, step
from tests.engine.test_continuation import Brusselator, SaddleNode, Toggle

LOOP = linearize(rm.TransferFunction([4.0], [1.0, 3.0, 3.0, 1.0]))


def test_bode_draws_gains_and_phases():
    response = LOOP.bode()
    gain, phase = bode_figure(response).axes
    np.testing.assert_array_equal(gain.lines[0].get_ydata(), response.gain[:, 0, 0])
    np.testing.assert_array_equal(phase.lines[0].get_ydata(), response.phase[:, 0, 0])
    assert phase.get_xlabel() == "frequency [rad/time]"


def test_the_margins_are_marked_where_they_are():
    margins = LOOP.margins()
    gain, phase = loop_figure(LOOP).axes
    marks = [line for line in gain.lines if len(line.get_xdata()) == 2 and line.get_lw() > 2]
    (mark,) = marks
    np.testing.assert_allclose(mark.get_xdata(), np.sqrt(3.0))
    np.testing.assert_allclose(mark.get_ydata(), [1 / margins.gain, 1.0])
    (mark,) = [line for line in phase.lines if line.get_lw() > 2]
    np.testing.assert_allclose(mark.get_ydata(), [-180.0, -180.0 + margins.phase])
    assert "delay margin" in gain.get_title(loc="right")


def test_nyquist_draws_both_branches_and_minus_one():
    curve = LOOP.nyquist()
    (ax,) = nyquist_figure(curve).axes
    lines = {line.get_label(): line for line in ax.lines}
    shown = lines["positive frequencies"]
    np.testing.assert_array_equal(shown.get_xdata() + 1j * shown.get_ydata(), curve.values)
    image = lines["negative frequencies"]
    np.testing.assert_array_equal(image.get_ydata(), -curve.values.imag)
    assert any(line.get_marker() == "+" and line.get_xdata()[0] == -1.0 for line in ax.lines)


@pytest.mark.parametrize("make", [flow, step])
def test_the_locus_draws_a_line_a_branch(make):
    model = make([[0.3, -0.5], [0.5, 0.2]], [[1.0], [0.0]], [[1.0, 1.0]])
    locus = model.root_locus()
    (ax,) = root_locus_figure(locus).axes
    drawn = {tuple(line.get_xdata()) for line in ax.lines}
    assert all(tuple(branch.real) in drawn for branch in locus.poles.T)


def test_a_branch_is_dashed_where_it_is_not_stable():
    branch = continuation(SaddleNode(), "r", (-1.0, 1.0), [1.0])
    (ax,) = branch_figure(branch).axes
    (fold,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert fold.get_xdata() == pytest.approx([0.0], abs=1e-9)
    for line in ax.lines:
        x, y = line.get_xdata(), line.get_ydata()
        if line.get_marker() == "None" and len(x) > 2:
            np.testing.assert_allclose(np.asarray(y) ** 2, x, atol=1e-9)
            assert (np.sign(y[len(y) // 2]) > 0) == (line.get_linestyle() == "-")


def test_of_several_signals_one_is_drawn_by_name_and_axes_are_shared():
    branch = continuation(Toggle(), "signal", (-4.0, 10.0), [0.3, 3.7])
    figure = branch_figure(branch, "b")
    assert figure.axes[0].get_ylabel() == "b"
    assert branch_figure(branch).axes[0].get_ylabel() == "ratio"
    labels = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert labels == ["stable", "not stable", "fold"]
    other = continuation(Toggle(), "signal", (-4.0, 10.0), [3.7, 0.3])
    branch_figure(other, "b", figure.axes[0])
    assert len(figure.axes[0].get_legend().get_texts()) == 3
    with pytest.raises(SignatureError, match="known are: ratio, a, b"):
        branch_figure(branch, "c")
    hopf = continuation(Brusselator(), "B", (0.5, 4.0), [1.0, 1.0])
    assert any(line.get_marker() == "s" for line in branch_figure(hopf).axes[0].lines)


def test_step_responses_have_a_panel_for_each_input():
    model = flow(-np.eye(2), np.eye(2), np.eye(2), inputs="force heat", outputs="angle warmth")
    response = model.step_response()
    panels = step_response_figure(response).axes
    assert [ax.get_ylabel().split("\n")[1] for ax in panels] == ["force", "heat"]
    lines = {line.get_label(): line.get_ydata() for line in panels[1].lines}
    np.testing.assert_array_equal(lines["warmth"], response.values[:, 1, 1])
    none = linearize(rm.StateSpace([[-1.0]], np.zeros((1, 0)), [[1.0]])).step_response([1.0])
    with pytest.raises(UnsupportedError, match="at least one input"):
        step_response_figure(none)
