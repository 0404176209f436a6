"""The benchmark of bounds: equal boxes that cover, true rates that no bound beats, honest rows."""

import numpy as np
import pytest

from benchmarks import certification, peers
from benchmarks.certification_cases import MAKERS
from benchmarks.comparison import comparison_figure
from riemannian_modules.certify import certify, l2
from riemannian_modules.evidence.box_bounds import box_bounds
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.region import box
from riemannian_modules.search.samples import sampled_jacobians
from riemannian_modules.search.traced_problem import make_problem


@pytest.mark.parametrize("name", MAKERS)
def test_the_truth_of_a_case_lies_between_samples_and_a_proof(name):
    case = MAKERS[name]()
    problem = make_problem(case.module, box(case.sides))
    P = np.linalg.cholesky(case.metric).T
    J = P @ sampled_jacobians(problem, np.random.default_rng(0), 2000) @ np.linalg.inv(P)
    sampled = np.linalg.eigvalsh(0.5 * (J + np.swapaxes(J, 1, 2)))[:, -1].max()
    slack = 1e-9 * max(1.0, abs(case.truth))
    assert sampled <= case.truth + slack
    criterion = make_criterion(problem, l2(case.metric))
    lower, upper = certification.equal_boxes(problem, 64)
    assert box_bounds(problem, criterion, lower, upper).max() >= case.truth - slack


def test_equal_boxes_cover_the_region_and_are_equal():
    case = MAKERS["gradient flow"]()
    problem = make_problem(case.module, box(case.sides))
    lower, upper = certification.equal_boxes(problem, 60)
    widths = upper - lower
    assert np.allclose(widths, widths[0], rtol=1e-12)
    assert len(lower) == 64
    assert widths.prod(1).sum() == pytest.approx(4.0, rel=1e-12)


def test_a_tool_that_is_not_there_is_told_so(monkeypatch):
    nothing = peers.Peer("nothing", "no_such_package", "peer_immrax.py", "everything")
    monkeypatch.setattr(certification, "PEERS", (nothing,))
    ((ours, row),) = certification.case_rows([MAKERS["couplings that cancel"]()])
    assert row["said"] == "not installed"
    assert "tightness" not in row
    assert ours["covers"] == "rounding, certificate"


def test_balls_of_flint_agree_with_ours_to_their_slack():
    pytest.importorskip("flint")
    case = MAKERS["couplings that cancel"]()
    problem = make_problem(case.module, box(case.sides))
    lower, upper = certification.equal_boxes(problem, 64)
    task = certification.task_of(case, problem, lower, upper)
    (answer,) = peers.ask(peers.PEERS[2], [task])
    # Rigorous too, so never below the truth; it does not see the cancellation, so it is above ours.
    assert case.truth <= answer["bound"]
    criterion = make_criterion(problem, l2(case.metric))
    assert box_bounds(problem, criterion, lower, upper).max() <= answer["bound"] + 1e-9


def test_our_answers_to_the_traps_hold():
    # Each raises where it would be unsound.
    assert "holds 0.82739" in certification.rump_by_us()
    assert "not accepted" in certification.eigenvalue_by_us()
    assert "undecided" in certification.root_by_us()
    assert "-2.6" in certification.slope_by_us()


def test_a_rate_that_is_more_than_true_is_called_false():
    told = certification.measured("c", "t", -0.5, 8, {"bound": -0.5001, "seconds": 1.0})
    assert "false" in told
    assert "false" not in certification.measured("c", "t", -0.5, 8, {"bound": -0.5, "seconds": 1.0})


def test_the_eigenvalue_that_is_accepted_in_floating_point_is_positive():
    # By how much rounding misses the positive eigenvalue depends on the machine's LAPACK.
    assert np.linalg.eigvalsh(np.array(certification.HALF, dtype=float))[-1] < 0
    answer = certify(_linear(certification.HALF), norm=l2(np.eye(3)), rate=0.5)
    assert type(answer).__name__ != "Proved"


def _linear(A):
    import riemannian_modules as rm

    class Linear(rm.Flow):
        state = rm.space(x=3)

        def equations(self, x, u, p):
            return {"x": np.array(A, dtype=float) @ x.x}

    return Linear()


def test_the_plot_has_a_dot_for_each_number_and_none_where_a_tool_gave_none():
    numbers = [
        {"case": "a", "tool": "ours", "tightness": 1.0, "boxes_per_second": 1e5},
        {"case": "a", "tool": "other", "tightness": -3.0, "boxes_per_second": 1e3},
        {"case": "b", "tool": "ours", "tightness": 0.9, "boxes_per_second": 1e4},
        {"case": "b", "tool": "other", "said": "not installed"},
    ]
    left, right = comparison_figure(numbers).axes
    for axes, key in ((left, "tightness"), (right, "boxes_per_second")):
        drawn = {
            x.get_label(): list(x.get_xdata()) for x in axes.lines[:2] if x.get_marker() in "os"
        }
        assert drawn == {
            "ours": [r[key] for r in numbers if r["tool"] == "ours"],
            "other": [numbers[1][key]],
        }
