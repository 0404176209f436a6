"""Pictures of trajectories: every line is seen, by its name, on its scale, with its unit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.engine import held_table, simulate
from riemannian_modules.engine.trajectory_plot import SPREAD, lines_of, plot_lines
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Port
from tests.engine.flows import Pendulum
from tests.strategies import rngs

TIMES = np.linspace(0.0, 1.0, 50)


def drawn(signals, **options):
    """The figure of signals, by "name unit"."""
    lines = []
    for key, given_values in signals.items():
        name, _, unit = key.partition(" ")
        values = np.asarray(given_values, dtype=float)
        lines += lines_of(Port(name, values.shape[1:], unit), values, is_logarithmic=False)
    return plot_lines(TIMES, lines, is_discrete=options.get("is_discrete", False))


def labels(ax):
    return [line.get_label() for line in ax.lines]


@given(rngs)
@settings(max_examples=20, deadline=None)
def test_each_line_stands_in_one_panel_with_others_of_its_unit_and_size_alone(rng):
    sizes = 10.0 ** rng.uniform(-6, 6, rng.integers(1, 9))
    units = rng.choice(["m", "s", ""], len(sizes))
    figure = drawn({f"x{i} {u}": size * TIMES
                    for i, (size, u) in enumerate(zip(sizes, units, strict=True))})  # fmt: skip
    named = [label.split(" (")[0] for ax in figure.axes for label in labels(ax)]
    assert sorted(named) == sorted(f"x{i}" for i in range(len(sizes)))
    tops = []
    for ax in figure.axes:
        members = [int(label.split(" (")[0][1:]) for label in labels(ax)]
        assert len({units[i] for i in members}) == 1
        shown = sizes[members]
        assert shown.max() <= SPREAD * shown.min()
        assert f"[{units[members[0]]}]" in ax.get_ylabel() or not units[members[0]]
        tops.append((units[members[0]], shown.max()))
    for unit in set(units):  # and no panel more than needed
        sizes_of_panels = sorted(top for u, top in tops if u == unit)
        assert all(b > SPREAD * a for a, b in pairwise(sizes_of_panels))


def test_what_is_zero_throughout_needs_no_panel_of_its_own():
    assert len(drawn({"x": TIMES, "off": 0 * TIMES}).axes) == 1


def test_coordinates_of_one_signal_stay_together():
    figure = drawn({"x m": TIMES[:, None] * [1.0, 1e-9]})
    (ax,) = figure.axes
    assert (labels(ax), ax.get_ylabel()) == (["x[0]", "x[1]"], "x [m]")


def test_lines_on_each_other_have_dashes_of_their_own_and_say_so():
    wave = np.sin(6 * TIMES)
    (ax,) = drawn({"a": wave, "b": wave, "c": wave + 1e-4, "d": -wave}).axes
    assert labels(ax) == ["a", "b (equal to a)", "c (close to a)", "d"]
    assert {t.get_text() for t in ax.get_legend().get_texts()} == set(labels(ax))
    styles = [(line.get_linestyle(), line._dash_pattern) for line in ax.lines[:3]]
    assert len({str(style) for style in styles}) == 3
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths[0] > widths[1] == widths[3]  # the one below is seen on both sides
    assert len({line.get_color() for line in ax.lines}) == 4


@pytest.mark.parametrize("count", [1, 2, 10, 11, 50, 200])
def test_legends_stand_beside_the_data_and_name_no_more_than_can_be_read(count):
    figure = drawn({f"signal_{i} K": (0.5 + i / count) * TIMES for i in range(count)})
    figure.draw_without_rendering()
    for ax in figure.axes:
        legend = ax.get_legend()
        if len(ax.lines) == 1:
            assert legend is None
            continue
        assert len(legend.get_texts()) <= 10
        place, box = legend.get_window_extent().extents, ax.get_window_extent().extents
        assert place[0] >= box[2]
        assert place[2] <= figure.bbox.x1
        assert place[3] - place[1] <= box[3] - box[1] + 5
    if count > 10:
        title = figure.axes[0].get_legend().get_title().get_text()
        assert f"of {len(figure.axes[0].lines)} lines" in title


@pytest.mark.parametrize("length", [1, 10, 30, 80])
def test_long_names_leave_the_axes_alone(length):
    names = [f"{'x' * length}{i} unit{i}" for i in range(4)]
    figure = drawn(dict.fromkeys(names, TIMES))
    figure.draw_without_rendering()
    boxes = []
    for ax, name in zip(figure.axes, names, strict=True):
        assert f"[unit{name[-1]}]" in ax.get_ylabel()
        assert ax.get_window_extent().width > figure.bbox.width / 2
        boxes.append(ax.yaxis.label.get_window_extent())
        assert figure.bbox.y0 <= boxes[-1].y0 < boxes[-1].y1 <= figure.bbox.y1
        words = [ax.get_ylabel()]
        words += [text.get_text() for text in ax.get_legend().get_texts()] if length > 20 else []
        assert any(word.startswith(("x", "…x")) for word in words)
    for upper, lower in pairwise(boxes):
        assert lower.y1 <= upper.y0


def test_long_names_of_equal_lines_leave_the_axes_half_of_the_width():
    figure = drawn(dict.fromkeys((f"{c * 90} m" for c in "ab"), TIMES))
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert ax.get_window_extent().width > figure.bbox.width / 2
    assert "(equal to …a" in labels(ax)[1]


def test_what_is_held_is_drawn_in_steps_and_what_moves_is_not():
    jump, one = (TIMES > 0.5).astype(float), np.zeros(50)
    (ax,) = drawn({"jump": jump, "ramp": TIMES, "still": one + 1}).axes
    assert [line.get_drawstyle() for line in ax.lines] == ["steps-post", "default", "default"]
    (ax,) = drawn({"ramp": TIMES}, is_discrete=True).axes
    assert (ax.lines[0].get_drawstyle(), ax.get_xlabel()) == ("steps-post", "step")


def test_a_table_held_between_jumps_is_seen_as_steps_in_a_simulation():
    torque = held_table([0.0, 0.5], np.array([[0.0], [2.0]]))
    figure = simulate(Pendulum(), TIMES, [1.0, 0.0], {"torque": torque}).plot(["torque", "v"])
    assert [ax.lines[0].get_drawstyle() for ax in figure.axes] == ["steps-post", "default"]


def test_values_that_are_not_finite_are_left_out_and_the_rest_is_seen():
    values = np.where(TIMES < 0.5, TIMES, np.nan)
    values[3] = np.inf
    figure = drawn({"x": values, "y": TIMES})
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert np.isfinite(ax.get_ylim()).all()
    assert np.isfinite(ax.lines[0].get_ydata()).sum() == (np.isfinite(values)).sum()


def test_a_single_point_is_seen():
    figure = plot_lines(np.zeros(1), lines_of(Port("x"), np.ones(1), is_logarithmic=False),
                        is_discrete=False)  # fmt: skip
    assert figure.axes[0].lines[0].get_marker() == "o"


def test_a_logarithmic_scale_is_had_for_the_asking():
    run = simulate(rm.Lag(1.0), TIMES, [1.0], {"u": 0.0})
    figure = run.plot(["x", "u"], logarithmic=["x"])
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "linear"]
    with pytest.raises(DomainError, match="'u' is never positive"):
        run.plot(["u"], logarithmic=["u"])
    with pytest.raises(SignatureError, match=r"\['x'\], which are not drawn; drawn are: u"):
        run.plot(["u"], logarithmic=["x"])


class Named(rm.Flow):
    """An output with the name of a state and another value."""

    state, outputs = rm.space(q="m"), rm.space(q="mm")

    def equations(self, x, u, p):
        return {"q": -x.q}, {"q": 1e3 * x.q}


def test_an_output_that_has_a_states_name_is_drawn_beside_it_with_its_own_unit():
    figure = simulate(Named(), TIMES, [1.0]).plot()
    assert [ax.get_ylabel() for ax in figure.axes] == ["q [m]", "output q [mm]"]
    assert figure.axes[1].lines[0].get_ydata()[0] == 1e3


def test_signals_of_leaves_and_coordinates_have_their_units():
    graph = rm.Wiring(plant=Pendulum()).input("torque", "plant.torque").build()
    run = simulate(graph, TIMES, [1.0, 0.0])
    figure = run.plot(["plant.v", "plant.angle"])
    assert [ax.get_ylabel() for ax in figure.axes] == ["plant.v [rad/s]", "plant.angle [rad]"]
