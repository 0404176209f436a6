"""The optimizers' benchmark: tasks are what they say, and a race counts steps of equal starts."""

import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from benchmarks.optimizers import page, physics, structures  # noqa: E402
from benchmarks.optimizers.peers import OURS, PEERS, muon  # noqa: E402
from benchmarks.optimizers.race import Run, median_steps, run, started, tuned  # noqa: E402
from benchmarks.optimizers.registry import TASKS  # noqa: E402


@pytest.mark.parametrize("name", TASKS)
def test_a_task_starts_above_its_goal_and_takes_a_step_of_ours(name):
    task = TASKS[name]()
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


def test_muon_moves_kernels_through_their_matrix():
    model = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 2), torch.nn.Flatten(), torch.nn.Linear(3, 1))
    before = model[0].weight.detach().clone()
    model(torch.ones(1, 2, 2)).sum().backward()
    for optimizer in muon(model, lr=0.1):
        optimizer.step()
    assert not torch.equal(before, model[0].weight)


def test_a_grid_gives_its_fastest_cell():
    task, adam = TASKS["wine"](), PEERS[0]
    setting, runs = tuned(task, adam, (0,), most=100)
    slow = run(task, adam, adam.default, 0)
    assert median_steps(runs) < slow.steps
    assert setting in adam.settings()
    assert run(task, adam, setting, 0) == runs[0]


def test_a_summary_tells_losses():
    def row(peer, untuned, best, cost):
        curve = [[0, 1.0], [1, 0.5]]
        return {"peer": peer, "untuned_steps": [untuned], "tuned_steps": [best], "cost": cost,
                "setting": {}, "why": "", "curve": curve}  # fmt: skip

    result = {"task": "one", "goal": 0.1, "rows": [
        row("GaussNewton", 10, 10, 2.0), row("Adam", 100, 15, 1.0), row("SGD", math.inf, 30, 0.7),
    ]}  # fmt: skip
    said = page.verdict(result)
    assert said["wins_untuned"]
    assert said["wins_steps"]
    assert not said["wins_tuned"]
    text = page.summary([result])
    assert "Lost to a tuned peer in time: one." in text
    assert median_steps([Run(3, ()), Run(math.inf, ()), Run(5, ())]) == 5
