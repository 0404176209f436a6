"""Pictures of proofs: what is drawn is what is proved."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.certify import Estimated, Proved, certify, l1, l2, linf, network_bound
from riemannian_modules.certify.conditioning import rate_against_condition
from riemannian_modules.errors import DomainError, RegionError, SignatureError, UnsupportedError
from riemannian_modules.plot import (
    envelope,
    network_graph,
    proved_slice,
    rate_against_conditioning,
    rate_slices,
    save_figure,
    slice_in_norm,
    undecided_boxes,
)
from riemannian_modules.plot.network import part_bounds, widths_of
from riemannian_modules.region import ball, box
from tests.cli.commands import PNG, ring
from tests.strategies import rngs


class Bend(rm.Flow):
    """``x' = -x - c x^3 + y; y' = -2 y - x``, log-norm in the plane known by hand."""

    state = rm.space(x="m", y="m")
    parameters = {"c": 1.0}

    def equations(self, x, u, p):
        return {"x": -x.x - p.c * x.x**3 + x.y, "y": -2 * x.y - x.x}


PLACE = box(x=(-1, 1), y=(-2, 2))
EUCLID = l2(np.eye(2))


def true_rate(x):
    # The couplings cancel in the symmetric part diag(-1 - 3 x^2, -2).
    return min(1 + 3 * x**2, 2.0)


def test_each_box_has_a_rate_that_holds_on_it_and_the_boxes_cover_the_plane():
    shown = slice_in_norm(Bend(), EUCLID, PLACE, ("x", "y"), boxes=64)
    area = (shown.upper - shown.lower).prod(1).sum()
    assert area == pytest.approx(2 * 4, rel=1e-12)
    for low, high, rate in zip(shown.lower[:, 0], shown.upper[:, 0], shown.rates, strict=True):
        nearest = max(low, -high, 0.0)  # the smallest |x| of the box
        assert rate <= true_rate(nearest)
        assert rate >= true_rate(nearest) * (1 - 1e-9)


def test_more_boxes_never_lower_the_rate_of_a_place():
    coarse = slice_in_norm(Bend(), EUCLID, PLACE, boxes=4)
    fine = slice_in_norm(Bend(), EUCLID, PLACE, boxes=256)
    assert len(coarse.bounds) < len(fine.bounds)
    for low, high, rate in zip(fine.lower, fine.upper, fine.rates, strict=True):
        holds = (coarse.lower <= low).all(1) & (high <= coarse.upper).all(1)
        assert holds.any()
        assert rate >= coarse.rates[holds].max()


def test_a_patch_for_each_box_in_a_colour_that_rises_with_the_rate():
    shown = slice_in_norm(Bend(), EUCLID, PLACE, boxes=64)
    axes = rate_slices(shown).axes[0]
    (patches,) = axes.collections
    assert len(patches.get_paths()) == len(shown.bounds)
    for path, low, high in zip(patches.get_paths(), shown.lower, shown.upper, strict=True):
        assert (path.vertices.min(0) == low).all()
        assert (path.vertices.max(0) == high).all()
    patches.update_scalarmappable()
    lightness = patches.get_facecolors()[:, :3].sum(1)
    order = np.argsort(shown.rates)
    assert (np.diff(lightness[order]) >= 0).all()
    assert "not sampled" in axes.get_title(loc="left")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_boxes_on_which_nothing_is_proved_are_told_from_those_on_which_distances_may_grow():
    class Root(rm.Flow):
        state = rm.space(x="", y="")

        def equations(self, x, u, p):
            return {"x": -np.sqrt(x.x), "y": x.y * (x.x - 2)}

    # The root is undefined below 0, its slope unbounded at 0; y grows where x > 2.
    shown = slice_in_norm(Root(), EUCLID, box(x=(-1, 3), y=(0, 1)), ("x", "y"), boxes=64)
    unknown = shown.lower[:, 0] <= 0
    assert np.isnan(shown.rates[unknown]).all()
    assert np.isfinite(shown.rates[~unknown]).all()
    axes = rate_slices(shown).axes[0]
    known, grey, growing = axes.collections
    assert len(grey.get_paths()) == unknown.sum()
    assert len(growing.get_paths()) == (shown.rates <= 0).sum()
    assert len(known.get_paths()) == (~unknown).sum()
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said == ["nothing proved", "distances may grow"]


def test_coordinates_off_the_plane_take_a_value_or_every_value_of_the_region():
    class Three(rm.Flow):
        state = rm.space(x="", y="", z="")

        def equations(self, x, u, p):
            return {"x": -x.x - x.x * x.z**2, "y": -x.y - x.y**3, "z": -9 * x.z}

    place = box(x=(-1e-3, 1e-3), y=(1, 2), z=(1, 2))
    free = slice_in_norm(Three(), EUCLID_3, place, ("x", "y"))
    fixed = slice_in_norm(Three(), EUCLID_3, place, ("x", "y"), at={"z": 2.0})
    # Near x = 0 the rate is about the smaller of 1 + z^2 and 1 + 3 y^2.
    assert free.rates.max() <= 2.0
    assert fixed.rates.max() > 4.0
    assert free.others["z"] == (1.0, 2.0)
    assert "for every value of z" in rate_slices(free).axes[0].get_title(loc="left")
    assert "at z = 2" in rate_slices(fixed).axes[0].get_title(loc="left")


EUCLID_3 = l2(np.eye(3))


def test_a_proof_gives_its_norm_and_region_and_no_box_falls_below_its_rate():
    answer = certify(Bend(), PLACE, norm=l2())
    shown = proved_slice(answer, boxes=256)
    assert shown.rates.min() >= answer.rate * (1 - 1e-9)
    assert (shown.lower.min(0).tolist(), shown.upper.max(0).tolist()) == ([-1, -2], [1, 2])


def test_of_an_unbounded_side_a_part_is_shown():
    shown = slice_in_norm(Bend(), EUCLID, box(x=(0, np.inf)), ("x", "y"), view={"y": (-1, 1)})
    assert shown.lower[:, 0].min() == 0.0
    assert np.isfinite(shown.upper).all()
    assert (shown.lower[:, 1].min(), shown.upper[:, 1].max()) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"plane": ("x", "w")}, "unknown coordinate 'w'; known are: x, y, c"),
        ({"plane": ("x", "c")}, "c does not vary"),
        ({"plane": ("x", "x")}, "expected two coordinates"),
        ({"at": {"y": 3.0}}, r"expected y in \[-2, 2\]"),
        ({"view": {"x": (2, 3)}}, "outside of the region's side"),
    ],
)
def test_slices_that_do_not_fit_the_region_are_refused(words, message):
    with pytest.raises(RegionError, match=message):
        slice_in_norm(Bend(), EUCLID, box(**PLACE.sides, c=(1, 1)), **words)


def test_a_proof_by_parts_has_no_bound_for_a_box():
    from riemannian_modules.certify import certify_network

    answer = certify_network(ring(), box({"a.q": (-1, 1), "b.q": (-1, 1)}))
    with pytest.raises(UnsupportedError, match="network_graph"):
        proved_slice(answer)


OPEN = Estimated(
    None,
    "a test's",
    (
        {"x": (0.0, 1.0), "y": (0.0, 2.0), "z": (0.0, 1.0)},
        {"x": (1.0, 1.5), "y": (0.0, 2.0), "z": (0.0, 1.0)},
        {"x": (1.5, np.inf), "y": (1.0, 2.0), "z": (0.0, 1.0)},
    ),
)


def test_each_undecided_box_is_drawn_once_and_the_largest_in_front():
    axes = undecided_boxes(OPEN).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")  # z tells no boxes apart
    assert len(axes.patches) == 3
    front = max(axes.patches, key=lambda p: p.get_zorder())
    assert front.get_bbox().extents.tolist() == [0.0, 0.0, 1.0, 2.0]
    drawn = sorted(p.get_bbox().extents.tolist() for p in axes.patches)
    assert drawn[1] == [1.0, 0.0, 1.5, 2.0]
    assert np.isfinite(drawn).all()


def test_boxes_are_seen_along_the_plane_that_is_asked_for():
    axes = undecided_boxes(OPEN, ("y", "z")).axes[0]
    assert {tuple(p.get_bbox().extents) for p in axes.patches} == {(0, 0, 2, 1), (1, 0, 2, 1)}
    with pytest.raises(RegionError, match="two coordinates of x, y, z"):
        undecided_boxes(OPEN, ("x", "w"))


def test_an_answer_without_boxes_has_no_picture():
    with pytest.raises(DomainError, match="no undecided boxes"):
        undecided_boxes(Estimated(None, "nothing was tried"))


def test_the_curve_is_the_best_proved_rate_so_far_on_a_log_axis():
    shear = rm.StateSpace([[-1.0, 10.0], [0.0, -1.0]], np.eye(2), np.eye(2))
    curve = rate_against_condition(shear, conditions=[4.0, 100.0, 1e4])
    axes = rate_against_conditioning(curve).axes[0]
    best, points, failed = axes.lines[:3]
    assert axes.get_xscale() == "log"
    # The best rate is 1 - 5 / sqrt(condition): negative for 4, which is no contraction.
    assert failed.get_xdata().tolist() == [4.0]
    assert points.get_xdata().tolist() == [100.0, 1e4]
    assert points.get_ydata().tolist() == curve.bounds[1:].tolist()
    assert (best.get_ydata() >= points.get_ydata()).all()
    assert (points.get_ydata() <= 1 - 5 / np.sqrt([100.0, 1e4]) + 1e-12).all()


def test_what_is_no_curve_is_refused():
    with pytest.raises(SignatureError, match="rate_against_condition"):
        rate_against_conditioning([1.0, 2.0])


def test_modules_have_the_colours_of_their_rates_and_edges_the_widths_of_their_gains():
    graph = ring()
    bound = network_bound(graph, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    figure = network_graph(graph, bound)
    axes, bar = figure.axes
    boxes = {p.get_gid()[6:]: p for p in axes.patches if p.get_gid().startswith("block:")}
    assert set(boxes) == set(bound.nodes) == {"a", "b"}
    colour = mpl.colormaps["cividis"]
    own = dict(zip(bound.nodes, -np.diagonal(bound.matrix), strict=True))
    assert own["b"] > own["a"]
    assert boxes["b"].get_facecolor() == colour(1.0)
    assert boxes["a"].get_facecolor() == colour(0.0)
    texts = {t.get_text() for t in axes.texts}
    assert {*own, *(f"{rate:.4g}" for rate in own.values())} <= texts
    gains = {(a, b): g for a, b, g in part_bounds(bound).gains}
    widths = sorted(p.get_linewidth() for p in axes.patches if p.get_gid() == "wire")
    assert len(widths) == len(gains) == 2
    # A picture is scaled as a whole, so widths are compared with the largest.
    points = np.sort(widths_of(np.array(list(gains.values()))))
    assert np.array(widths) / widths[-1] == pytest.approx(points / points[-1])
    assert {f"{g:.3g}" for g in gains.values()} <= texts
    assert "rate" in bar.get_ylabel()


def test_a_proof_by_parts_has_the_bounds_of_its_checks():
    from riemannian_modules.certify import certify_network

    place = box({"a.q": (-1, 1), "b.q": (-1, 1)})
    answer = certify_network(ring(), place)
    parts = part_bounds(answer)
    assert set(parts.own) == {"a", "b"}
    assert {(a, b) for a, b, _ in parts.gains} == {("a", "b"), ("b", "a")}
    # The bound is the Perron value of these numbers, which weights reach to a part in a thousand.
    C = np.diag([parts.own["a"], parts.own["b"]])
    for source, target, gain in parts.gains:
        C["ab".index(target), "ab".index(source)] = gain
    assert np.linalg.eigvals(C).real.max() <= parts.bound <= 0
    drawn = network_graph(ring(), answer).axes[0].patches
    assert [p.get_gid() for p in drawn].count("wire") == 2
    with pytest.raises(UnsupportedError, match="certify_network"):
        network_graph(ring(), certify(ring(), place))


def test_a_region_of_constraints_is_drawn_without_what_they_cut_off():
    shown = slice_in_norm(Bend(), EUCLID, ball({"x": 0.0, "y": 0.0}, 1.0), ("x", "y"), boxes=256)
    nearest = np.maximum(np.maximum(shown.lower, -shown.upper), 0.0)
    assert (np.linalg.norm(nearest, axis=1) <= 1.0).all()
    area = (shown.upper - shown.lower).prod(1).sum()
    assert np.pi <= area < 4.0


@pytest.mark.parametrize("norm", [l2(lambda x, u, p: np.array([[2.0 + 0 * x.x, 0], [0, 1]]))])
def test_metrics_that_change_with_the_point_have_slices_and_their_envelope_is_refused(norm):
    answer = certify(Bend(), PLACE, norm=norm)
    shown = proved_slice(answer, boxes=64)
    assert shown.rates.min() >= answer.rate * (1 - 1e-9)
    if "metric" not in answer.certificate.data["claim"]["norm"]:
        with pytest.raises(UnsupportedError, match="constant metric"):
            envelope(Bend(), answer, [[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0])


@given(rngs)
@settings(max_examples=30, deadline=None)
def test_a_larger_gain_is_never_drawn_thinner(rng):
    gains = rng.exponential(size=rng.integers(1, 9))
    widths = widths_of(gains)
    assert (np.diff(widths[np.argsort(gains)]) >= 0).all()
    assert widths.min() > 0


def test_more_parts_than_a_diagram_can_hold_are_drawn_as_the_matrix_of_their_gains(monkeypatch):
    from riemannian_modules.plot import network

    monkeypatch.setattr(network, "MOST_BLOCKS", 1)
    graph = ring()
    bound = network_bound(graph, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    axes = network_graph(graph, bound).axes[0]
    (shown,) = axes.collections
    parts = part_bounds(bound)
    names = list(parts.own)
    drawn = {
        (names[int(x)], names[int(y)], gain)
        for (x, y), gain in zip(shown.get_offsets(), shown.get_array(), strict=True)
    }
    assert drawn == set(parts.gains)
    (rates,) = axes.child_axes[0].lines
    assert rates.get_xdata() == pytest.approx([-value for value in parts.own.values()])


def test_a_bound_of_another_composite_is_refused():
    bound = network_bound(ring(), np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    other = rm.Wiring(c=rm.Lag(1.0)).input("u", "c.u").build()
    with pytest.raises(SignatureError, match=r"no modules \['a', 'b'\]; known are: c"):
        network_graph(other, bound)


@pytest.mark.parametrize("norm", [l2(), l1(), linf()], ids=["l2", "l1", "linf"])
def test_trajectories_stay_under_the_envelope_from_the_start_on(norm):
    answer = certify(Bend(), PLACE, norm=norm)
    assert isinstance(answer, Proved)
    starts = [[0.0, 0.0], [1.0, -2.0], [-0.5, 1.5], [0.9, 0.1]]
    times = np.linspace(0, 6, 200)
    lines = [x for x in envelope(Bend(), answer, starts, times).axes[0].lines if len(x.get_xdata())]
    curve = next(x for x in lines if x.get_label().startswith("proved: exp"))
    loose = [x for x in lines if x.get_label().startswith("proved: ") and x is not curve]
    inner = [x for x in lines if x.get_linestyle() == "-"]
    plain = [x for x in lines if x.get_linestyle() == ":"]
    assert len(inner) == 3
    assert len(plain) == 3 * len(loose)
    for over, paths in ((curve, inner), (loose[0] if loose else curve, plain)):
        for path in paths:
            # The curve's logarithm is a line, so interpolation is exact; the solver keeps 1e-9.
            bound = np.interp(path.get_xdata(), over.get_xdata(), np.log(over.get_ydata()))
            assert (np.log(path.get_ydata()) <= bound + 1e-6).all()


def test_one_start_has_no_distance_and_a_map_no_trajectory():
    answer = certify(Bend(), PLACE, norm=EUCLID)
    with pytest.raises(DomainError, match="at least two states"):
        envelope(Bend(), answer, [[0.0, 0.0]], [0.0, 1.0])
    gain = rm.MatrixGain([[3.0, 0.0], [0.0, 4.0]])
    with pytest.raises(SignatureError, match="static map"):
        envelope(gain, certify(gain), np.zeros((2, 0)), [0.0, 1.0])


def test_a_picture_can_be_drawn_into_axes_and_saved(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert rate_slices(slice_in_norm(Bend(), EUCLID, PLACE, boxes=16), left) is figure
    assert undecided_boxes(OPEN, axes=right) is figure
    save_figure(figure, tmp_path / "both.png")
    assert (tmp_path / "both.png").read_bytes().startswith(PNG)
