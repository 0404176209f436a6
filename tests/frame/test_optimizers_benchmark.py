"""The optimizers' benchmark: tasks are what they say, and a race counts steps of equal starts."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from benchmarks.optimizers import kept, page, physics, race, structures  # noqa: E402
from benchmarks.optimizers.__main__ import main  # noqa: E402
from benchmarks.optimizers.asked import ASKED  # noqa: E402
from benchmarks.optimizers.held_out import FRESH  # noqa: E402
from benchmarks.optimizers.muon import Muon  # noqa: E402
from benchmarks.optimizers.peers import OURS, PEERS, Peer, rung_beside  # noqa: E402
from benchmarks.optimizers.race import (  # noqa: E402
    Run,
    costs,
    median_steps,
    ours_again,
    raced,
    run,
    started,
    tuned,
)  # fmt: skip
from benchmarks.optimizers.registry import TASKS  # noqa: E402
from benchmarks.optimizers.verdicts import is_refused, ratio_to, verdict  # noqa: E402


@pytest.mark.parametrize("name", [*TASKS, *(name for name in FRESH if name.startswith("fresh_"))])
def test_a_task_starts_above_its_goal_and_takes_a_step_of_ours(name):
    task = {**TASKS, **FRESH}[name]()
    assert run(task, OURS, {}, 0, most=0).curve[0][1] > task.goal
    model, batches = started(task, 0)
    before = [p.detach().clone() for p in model.parameters()]
    OURS.step(task, model, {})(next(batches))
    after = list(model.parameters())
    assert all(bool(torch.isfinite(p).all()) for p in after)
    assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_burgers_solution_satisfies_burgers_equation():
    x = torch.cartesian_prod(torch.linspace(-0.9, 0.9, 7), torch.linspace(0.2, 0.9, 5)).double()
    h = 1e-2

    def u(dx, dt):
        return physics.burgers_at(x + torch.tensor([dx, dt])).double()

    in_time = (u(0, h) - u(0, -h)) / (2 * h)
    slope = (u(h, 0) - u(-h, 0)) / (2 * h)
    second = (u(h, 0) - 2 * u(0, 0) + u(-h, 0)) / h**2
    # Central differences miss h^2 times derivatives that the viscosity bounds by about 1 / 0.05^2.
    left = in_time + u(0, 0) * slope - physics.VISCOSITY * second
    assert float(left.abs().max()) < h**2 / physics.VISCOSITY**2


def test_the_implicit_layer_has_the_derivative_of_its_iteration():
    torch.manual_seed(0)
    layer = structures.Equilibrium(5, 8, 3).double()
    x = torch.randn(4, 5).double()
    layer(x).square().sum().backward()
    found = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    drive = layer.outer(x)
    z = torch.zeros_like(drive)
    for _ in range(60):
        z = torch.tanh(layer.inner(z) + drive)
    layer.head(z).square().sum().backward()
    # Fifteen iterations of a map that contracts by about a half leave 2^-15.
    for p, g in zip(layer.parameters(), found, strict=True):
        torch.testing.assert_close(g, p.grad, rtol=1e-3, atol=1e-4)


def test_a_pole_that_is_not_pushed_falls_to_its_side():
    import numpy as np

    state = np.array([[0.0, 0.0, 0.05, 0.0], [0.0, 0.0, 0.0, 0.0]])
    for _ in range(50):
        state = structures.pole_after(state, np.zeros(2))
    assert state[0, 2] > 0.3
    assert not state[1].any()


def test_muon_is_that_of_torch_but_for_the_precision(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    for shape in ((5, 3), (3, 5)):
        ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
        racers = [
            (ours, Muon([ours], lr=0.1, weight_decay=0.2)),
            (theirs, torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2)),
        ]
        for seed in range(3):
            for p, optimizer in racers:
                p.grad = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
                optimizer.step()
        torch.testing.assert_close(ours, theirs)


def test_muon_sees_a_kernel_as_a_matrix():
    kernel = torch.nn.Parameter(torch.ones(3, 2, 2))
    matrix = torch.nn.Parameter(torch.ones(3, 4))
    for p in (kernel, matrix):
        p.grad = torch.randn(12, generator=torch.Generator().manual_seed(0)).view_as(p)
        Muon([p], lr=0.1, weight_decay=0.0).step()
    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_no_cell_of_a_grid_is_faster_than_the_one_it_gives():
    task, adam = TASKS["wine"](), PEERS[0]
    setting, runs = tuned(task, adam, (0,), most=100)
    assert run(task, adam, setting, 0) == runs[0]
    for cell in adam.settings():
        assert run(task, adam, cell, 0, most=runs[0].steps).steps >= runs[0].steps


def test_rungs_go_by_the_root_of_ten():
    ladder = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
    for low, high in pairwise(ladder):
        assert rung_beside(low, 1) == high
        assert rung_beside(high, -1) == low


def test_a_grid_goes_on_beyond_its_end_while_that_is_the_best():
    task = TASKS["wine"]()
    short = replace(PEERS[0], grid={"beta2": (0.999,), "lr": (1e-3, 3e-3)})
    setting, best = tuned(task, short, (0,), most=100)
    assert setting["lr"] > 3e-3
    for beside in short.neighbours(setting):
        assert run(task, short, beside, 0, most=100).steps >= best[0].steps


def test_a_cell_that_reaches_the_goal_from_one_start_only_is_not_the_best(monkeypatch):
    # The larger the rate the faster, but above 0.1 from the first start only.
    def fake(task, racer, setting, seed, most=None):
        fails = setting["lr"] > 0.1 and (seed or setting["lr"] > 1)
        return Run(math.inf if fails else 1 / setting["lr"], ((0, 1.0),))

    monkeypatch.setattr(race, "run", fake)
    setting, runs = tuned(TASKS["wine"](), PEERS[1], (0, 1, 2), most=100)
    assert setting["lr"] == 0.1
    assert len(runs) == 3


def row(peer, untuned, best, cost, most=1000):
    return {
        "peer": peer, "untuned_steps": [untuned], "tuned_steps": [best], "untuned_cost": cost,
        "cost": cost, "untuned_most": most, "most": most, "setting": {}, "why": "",
        "curve": [[0, 1.0], [1, 0.5]],
    }  # fmt: skip


def result(*rows):
    return {
        "task": "one", "goal": 0.1, "peers_raced": "before", "ours_raced": "now", "state": "abc",
        "rows": list(rows),
    }  # fmt: skip


def test_a_summary_tells_losses():
    found = result(
        row("GaussNewton", 10, 10, 2.0), row("Adam", 100, 15, 1.0), row("SGD", math.inf, 30, 0.7)
    )
    said = verdict(found)
    assert said["wins_untuned"]
    assert said["wins_steps"]
    assert not said["wins_tuned"]
    assert "Lost to a tuned peer in time: one." in page.summary([found])
    assert median_steps([Run(3, ()), Run(math.inf, ()), Run(5, ())]) == 5


def test_a_peer_that_was_left_is_beaten_only_as_far_as_it_was_followed():
    ours = row("GaussNewton", 10, 10, 2.0)
    for most, wins in ((19, False), (21, True)):
        found = result(ours, row("Adam", math.inf, math.inf, 1.0, most=most))
        assert verdict(found)["wins_untuned"] is wins
        assert verdict(found)["wins_tuned"] is wins
        assert f"> {most}" in page.details(found)
        assert ratio_to(found, "Adam") == 20 / most


def test_results_are_read_as_they_were_kept(tmp_path):
    curve = [(k, 1 / (k + 1)) for k in range(1000)]
    found = result(row("GaussNewton", math.inf, 10, 2.0) | {"curve": curve})
    assert kept.read(tmp_path, "wine") is None
    kept.write(tmp_path, "wine", found)
    (again,) = kept.tasks(tmp_path)
    thin = again["rows"][0].pop("curve")
    assert thin[0] == [0, 1.0]
    assert thin[-1] == [999, 0.001]
    assert len(thin) == kept.POINTS
    del found["rows"][0]["curve"]
    assert again == found


def test_what_cannot_run_or_be_kept_is_refused_before_anything_runs(tmp_path, capsys):
    (tmp_path / "file").touch()
    for arguments, words in (
        (["wine", "wien"], "expected tasks among digits_256.*got wien"),
        (["--folder", str(tmp_path / "file"), "wine"], "--folder: expected a folder"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        assert re.search(words, capsys.readouterr().err)


def test_ours_runs_again_beside_peers_that_are_kept():
    task = TASKS["wine"]()
    adam = row("Adam", math.inf, 7, 1.0)
    before = result(row("GaussNewton", 999, 999, 99.0), adam)
    alone = ours_again(task, None, (0,))
    again = ours_again(task, before, (0,))
    assert alone["rows"][0]["tuned_steps"] == again["rows"][0]["tuned_steps"]
    assert len(alone["rows"]) == 1
    assert again["rows"][1:] == [adam]
    assert again["rows"][0]["tuned_steps"] == [run(task, OURS, {}, 0).steps]
    assert 0 < again["rows"][0]["cost"] < 99


def test_a_model_that_a_peer_does_not_take_is_told():
    task, adam = TASKS["memory"](), PEERS[0]

    def refuse(model, lr):
        raise NotImplementedError("takes dense layers only")

    stubborn = Peer("Dense", refuse, {"lr": 0.1}, {"lr": (0.1,)})
    short = replace(adam, grid={"beta2": (0.999,), "lr": (1e-2,)})
    first, second = costs(task, [(adam, adam.default), (stubborn, stubborn.default)], 2, 1)
    assert first == 1.0
    assert math.isnan(second)
    found = raced(replace(task, goal=math.inf), (0,), (short, stubborn))
    refused = found["rows"][-1]
    assert is_refused(refused)
    assert "dense layers" in refused["why"]
    said = page.details(found | {"peers_raced": "now", "ours_raced": "now", "state": "abc"})
    assert "| Dense | | | | | | does not take this model |" in said


def test_a_task_that_only_ours_has_run_on_is_no_race(tmp_path):
    kept.write(tmp_path, "wine", result(row("GaussNewton", math.inf, math.inf, 2.0, most=70)))
    assert kept.races(tmp_path) == []
    assert "| one | 0.1 | > 70 | 2.00 | now at abc |" in page.alone_table(kept.alone(tmp_path))


def test_what_was_held_out_is_told_beside_adam_as_far_as_it_was_followed():
    ours = row("GaussNewton", 10, 10, 2.0)
    won = result(ours, row("Adam", math.inf, 40, 1.0))
    left = result(ours, row("Adam", math.inf, math.inf, 1.0, most=25))
    lost = result(row("GaussNewton", 10, math.inf, 2.0), row("Adam", 15, 15, 1.0))
    said = page.held_out_table([won, left])
    assert "| one | 0.1 | 10 | 2.00 | 40 |  | 0.25 | 0.50 | abc |" in said
    assert "| one | 0.1 | 10 | 2.00 | > 25 |  | < 0.40 | < 0.80 | abc |" in said
    assert "in 2 of 2 runs, with 0.25 to 0.40 of the steps" in said
    assert "less time on 2 of 2" in said
    assert "in 1 of 2 runs, with 0.25 to inf of the steps" in page.held_out_table([won, lost])


def test_the_page_and_the_readme_are_made_of_the_results_that_are_kept():
    for path, rewritten in ((page.PAGE, page.page_text), (page.README, page.readme_text)):
        text = path.read_text(encoding="utf-8")
        assert rewritten(text, kept.RESULTS) == text


def test_what_was_asked_is_told_where_it_is_missed_and_where_it_was_not_measured(tmp_path):
    (asked,) = [a for a in ASKED if a.words.startswith("Digits MLP 256")]
    assert f"| {asked.words} | ≤ 0.85 | | not measured |" in page.asked_table(tmp_path)
    adam = row("Adam", 100, 100, 1.0)
    left = row("Adam", 100, math.inf, 1.0, most=100)
    for steps, peer, said in (
        (40, adam, "0.80 | met"), (50, adam, "1.00 | **missed**"),
        (40, left, "0.00 to 0.80 | met"), (50, left, "0.00 to 1.00 | open"),
    ):  # fmt: skip
        kept.write(tmp_path, "digits_256", result(row("GaussNewton", steps, steps, 2.0), peer))
        assert f"| {asked.words} | ≤ 0.85 | {said} |" in page.asked_table(tmp_path)
    (share,) = [a for a in ASKED if a.words.endswith("every tuned peer")]
    assert share.at_least
    assert share.verdict((0.6, 0.6)) == "met"
    assert share.verdict((0.5, 0.5)) == "**missed**"
