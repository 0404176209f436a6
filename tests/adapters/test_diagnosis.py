"""Diagnoses of steps: against dense matrices and leaving samples out, and on runs that are ill."""

import dataclasses
import math
import pickle

import pytest
import torch
from torch import nn

from riemannian_modules.errors import SignatureError, SpecError
from riemannian_torch import (
    Diagnosis,
    DiagnosisLog,
    GaussNewton,
    JointMetric,
    LayerMetric,
    ResidualMetric,
    diagnose,
    diagnosis_figure,
)
from riemannian_torch.diagnosis.reasons import reasons
from riemannian_torch.gauss_newton.metric_choice import layers_of
from tests.adapters.networks import perceptron
from tests.adapters.test_exact_metrics import formed

ENTROPY = nn.CrossEntropyLoss()
METRICS = [ResidualMetric(), JointMetric(), LayerMetric(), JointMetric(columns=2)]


def stepped(metric=None, steps=1, net=None, **options):
    torch.manual_seed(0)
    net = net or perceptron(3, 6, 4).double()
    x, y = torch.randn(12, 3).double(), torch.arange(12) % 4
    optimizer = GaussNewton(net, ENTROPY, metric=metric, **options)
    for _ in range(steps):
        loss = float(optimizer.step(lambda: ENTROPY(net(x), y)).detach())
    return optimizer, loss, float(ENTROPY(net(x), y).detach())


def columns(record, rows):
    """U^T, (N, n)."""
    return formed(rows) * record.scale[:, None]


@pytest.fixture(params=METRICS, ids=repr)
def metric(request):
    return request.param


def test_numbers_of_layers_are_those_of_the_dense_metric(metric):
    optimizer, *_ = stepped(metric, steps=3)
    found, record = diagnose(optimizer), optimizer.last_step
    for layer, rows in zip(
        found.layers, layers_of(record.rows, optimizer.model).values(), strict=True
    ):
        U = columns(record, rows).T
        M = U @ U.T
        damped = M + found.mu * torch.eye(len(M)).double()
        assert layer.parameters == len(M)
        assert layer.trace == pytest.approx(float(M.trace()), rel=1e-10)
        assert layer.log_determinant == pytest.approx(
            float(torch.logdet(damped / found.mu)), rel=1e-9
        )
        assert layer.condition == pytest.approx(float(torch.linalg.cond(damped)), rel=1e-6)
        assert layer.decided == pytest.approx(
            float(torch.linalg.solve(damped, M).trace()), rel=1e-9
        )
        values = torch.linalg.eigvalsh(M).flip(0)[: len(layer.spectrum)]
        torch.testing.assert_close(
            torch.tensor(layer.spectrum, dtype=values.dtype), values, rtol=1e-8, atol=1e-12
        )
        shares = values.clamp_min(0) / values.sum()
        entropy = -torch.special.xlogy(shares, shares).sum()
        assert layer.effective_rank == pytest.approx(float(entropy.exp()), rel=1e-6)


@pytest.mark.parametrize("steps", [1, 4])
def test_influence_is_what_leaving_a_sample_out_takes_from_the_step(metric, steps):
    optimizer, *_ = stepped(metric, steps)
    found, record = diagnose(optimizer), optimizer.last_step
    share = torch.ones(()).double()
    if isinstance(metric, LayerMetric) and steps == 1:
        (system, *_), (v, *_) = record.systems, record.direction.solutions
        U = columns(record, system)
        plain = torch.linalg.solve(U @ U.T + found.mu * torch.eye(len(U)).double(), record.s)
        share = (v @ plain) / (plain @ plain)
    for b in range(12):
        kept = [i for i in range(len(record.s)) if i % 12 != b]
        lost = 0.0
        for rows, v in zip(record.systems, record.direction.solutions, strict=True):
            U = columns(record, rows)
            A = U @ U.T + found.mu * torch.eye(len(U)).double()
            # At the first step all that is solved for is s; later the momentum's part is not in it.
            right = share * record.s if steps == 1 else A @ v
            without = U[kept].T @ torch.linalg.solve(A[kept][:, kept], right[kept])
            lost += found.length * float((record.s @ U) @ (U.T @ v - without))
        assert found.influence[b] == pytest.approx(lost, rel=1e-7, abs=1e-10)


def test_base_metrics_of_layers_are_those_of_the_step():
    torch.manual_seed(0)
    net, criterion = perceptron(3, 6, 20).double(), nn.MSELoss()
    x, y = torch.randn(12, 3).double(), torch.randn(12, 20).double()
    optimizer = GaussNewton(net, criterion)
    optimizer.step(lambda: criterion(net(x), y))
    assert optimizer.plan.has_base
    found, record = diagnose(optimizer), optimizer.last_step
    K = sum(r.gram() for r in record.systems[0].values())
    K = K * record.scale[:, None] * record.scale
    A = K + found.mu * torch.eye(12).double()
    values = torch.linalg.eigvalsh(K)
    assert found.decided == pytest.approx(float((values / (values + found.mu)).sum()), rel=1e-9)
    for b in range(12):
        kept = [i for i in range(12) if i != b]
        change = torch.linalg.solve(A, record.s)
        change[kept] -= torch.linalg.solve(A[kept][:, kept], record.s[kept])
        lost = found.length * float(record.s @ K @ change)
        assert found.influence[b] == pytest.approx(lost, rel=1e-7)
    slope = sum(
        float((p.grad * found.length * optimizer.state[p]["direction"]).sum())
        for p in with_gradients(net, criterion, x, y, found.length, optimizer)
    )
    assert sum(layer.promised for layer in found.layers) == pytest.approx(slope, rel=1e-9)


def with_gradients(net, criterion, x, y, length, optimizer):
    """The parameters, with the gradients that they had before the step."""
    moved = {p: length * optimizer.state[p]["direction"] for p in net.parameters()}
    with torch.no_grad():
        for p, step in moved.items():
            p.add_(step)
    criterion(net(x), y).backward()
    with torch.no_grad():
        for p, step in moved.items():
            p.sub_(step)
    return list(moved)


def test_leverages_add_up_to_the_directions_that_the_damping_leaves_free(metric):
    found = diagnose(stepped(metric, 2)[0])
    assert sum(found.leverage) == pytest.approx(found.decided, rel=1e-9)
    assert len(found.leverage) == len(found.influence) == 12
    assert found.columns == 12 * {None: 4, 2: 2}[getattr(metric, "columns", 2)] or (
        isinstance(metric, ResidualMetric) and found.columns == 12
    )


def test_the_actual_decrease_is_that_of_the_same_batch(metric):
    optimizer, before, after = stepped(metric, 2)
    found = diagnose(optimizer)
    assert found.actual == pytest.approx(before - after, rel=1e-9)
    assert found.loss == pytest.approx(before, rel=1e-9)
    walked = {p: found.length * d["direction"] for p, d in optimizer.state.items()}
    record = optimizer.last_step
    slope = sum(
        float((r.combined(record.scale * record.s) * walked[p]).sum())
        for p, r in record.rows.items()
    )
    assert sum(layer.promised for layer in found.layers) == pytest.approx(slope, rel=1e-9)
    assert found.agreement == pytest.approx(found.actual / found.promised)


def test_orthonormal_columns_have_full_effective_rank():
    net = nn.Linear(5, 1, bias=False).double()
    net.weight.data.zero_()
    optimizer = GaussNewton(net, nn.MSELoss(reduction="sum"))
    x, y = torch.eye(5).double(), torch.ones(5, 1).double()
    optimizer.step(lambda: optimizer.criterion(net(x), y))
    found = diagnose(optimizer)
    assert found.effective_rank == pytest.approx(5.0, rel=1e-12)
    assert found.layers[0].name == ""
    assert found.layers[0].spectrum == pytest.approx([2.0] * 5, rel=1e-12)


def test_a_loop_with_backward_is_diagnosed_before_its_gradients_are_cleared():
    torch.manual_seed(0)
    net, x, y = perceptron(3, 6, 4), torch.randn(12, 3), torch.arange(12) % 4
    optimizer = GaussNewton(net, ENTROPY)
    with pytest.raises(SignatureError, match="got none"):
        diagnose(optimizer)
    ENTROPY(net(x), y).backward()
    optimizer.step()
    assert diagnose(optimizer).step == 1
    optimizer.zero_grad()
    with pytest.raises(SignatureError, match="zero_grad"):
        diagnose(optimizer)


def test_a_diagnosis_changes_no_step():
    plain, *_ = stepped(steps=4)
    watched, *_ = stepped(steps=1)
    torch.manual_seed(0)
    perceptron(3, 6, 4)
    x, y = torch.randn(12, 3).double(), torch.arange(12) % 4
    for _ in range(3):
        diagnose(watched)
        watched.step(lambda: ENTROPY(watched.model(x), y))
    for p, q in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_what_draws_at_random_has_no_second_loss():
    net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 4)).double()
    found = diagnose(stepped(net=net)[0])
    assert found.actual is None
    assert found.agreement is None
    assert "actual unknown" in str(found)
    assert "actual" not in found.scalars()


# -------------------------------------------------------------------------------- on paper


class Notes:
    def __init__(self):
        self.noted = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.noted.append((tag, scalar_value, global_step))


def test_a_callback_gives_all_numbers_to_a_writer_every_few_steps():
    torch.manual_seed(0)
    net, x, y = perceptron(3, 6, 4), torch.randn(12, 3), torch.arange(12) % 4
    optimizer, writer = GaussNewton(net, ENTROPY), Notes()
    log = DiagnosisLog(writer, every=3)
    for _ in range(7):
        optimizer.step(lambda: ENTROPY(net(x), y))
        log(optimizer)
    assert [d.step for d in log.diagnoses] == [3, 6]
    tags = {tag for tag, _, step in writer.noted if step == 3}
    assert {"gauss_newton/rho", "gauss_newton/mu", "gauss_newton/0/effective_rank"} <= tags
    assert all(math.isfinite(value) for _, value, _ in writer.noted)
    assert len(writer.noted) == 2 * len(log.diagnoses[0].scalars())
    with pytest.raises(SignatureError, match="every"):
        DiagnosisLog(every=0)


def test_a_saved_diagnosis_is_read_back(metric, tmp_path):
    found = diagnose(stepped(metric, 2)[0])
    path = found.save(tmp_path / "step.json")
    assert Diagnosis.read(path) == found
    assert pickle.loads(pickle.dumps(found)) == found
    assert repr(found) == repr(Diagnosis.read(path))


@pytest.mark.parametrize("content", ["{}", "[1]", '{"format": "other"}', "no json"])
def test_other_files_are_refused_by_name(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(SpecError, match=r"other\.json"):
        Diagnosis.read(path)


def test_the_figure_is_headed_by_the_reason(metric):
    found = diagnose(stepped(metric, 2)[0])
    figure = diagnosis_figure(found)
    assert len(figure.axes) == 4
    headline = " ".join(figure.get_suptitle().split())
    assert found.reasons[0] in headline
    assert {t.get_text() for t in figure.axes[1].get_legend().get_texts()} >= {"0", "2"}
    figure.canvas.draw()


# --------------------------------------------------------------------------------- on ill runs


def reasons_of(net, criterion, x, y, steps=1, **options):
    optimizer = GaussNewton(net, criterion, **options)
    for k in range(steps):
        a, b = (x(k), y(k)) if callable(x) else (x, y)
        optimizer.step(lambda a=a, b=b: criterion(net(a), b))
    found = diagnose(optimizer)
    assert all(reason in str(found) for reason in found.reasons)
    return " ".join(found.reasons)


def inputs(seed=0):
    torch.manual_seed(seed)
    return torch.randn(60, 3), torch.arange(60) % 4


def test_a_healthy_run_is_called_so():
    x, _ = inputs()
    y = x @ torch.randn(3, 1)
    told = reasons_of(nn.Linear(3, 1), nn.MSELoss(), x, y, 3, damping=1e-4, trust_region=1e3)
    assert "Nothing holds" in told


def test_an_outlier_among_the_samples_is_named():
    x, _ = inputs()
    y = x @ torch.randn(3, 1)
    y[17] = 1e3
    told = reasons_of(perceptron(3, 30, 1), nn.MSELoss(), x, y, damping=1.0, trust_region=1e6)
    assert "rests on 1 of 60 samples: 17." in told


def test_inputs_far_from_zero_are_found():
    x, y = inputs()
    net = nn.Sequential(nn.Linear(3, 30), nn.Tanh(), nn.Linear(30, 1))
    y = (y % 2).float()[:, None]
    assert "0 sees 1." in reasons_of(net, nn.MSELoss(), 1e-3 * x + 1.0, y)


def test_a_dead_layer_is_found():
    x, y = inputs()
    net = perceptron(3, 6, 4)
    net = nn.Sequential(net[0], nn.ReLU(), net[2])
    net[0].bias.data.fill_(-1e3)
    assert "0 gets no gradient" in reasons_of(net, ENTROPY, x, y)


def test_a_small_trust_region_is_found():
    x, y = inputs()
    told = reasons_of(perceptron(3, 6, 4), ENTROPY, x, y, trust_region=1e-4)
    assert "The trust region cut the step" in told


def test_a_heavy_damping_is_found():
    x, y = inputs()
    assert "leaves 0." in reasons_of(perceptron(3, 6, 4), ENTROPY, x, y, damping=100.0)


def test_a_step_beyond_what_the_outputs_bear_is_found():
    x, y = inputs()
    net = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 4))
    options = {"lr": 30.0, "trust_region": 1e9, "damping": 1e-6}
    assert "bend within the step" in reasons_of(net, ENTROPY, x, y, **options)


def test_a_run_that_fits_its_batches_is_found():
    # The second batch wants the opposite, so that the first direction is worth less than nothing.
    x, _ = inputs()
    y = x @ torch.randn(3, 1)
    told = reasons_of(nn.Linear(3, 1), nn.MSELoss(), lambda _: x, lambda k: (-1) ** k * y, 2)
    assert "The last direction was worth -" in told
    assert "on new samples" in told


def test_outputs_that_pull_together_are_found():
    found = diagnose(stepped()[0])
    unseen = dataclasses.replace(found, c=9.0)
    assert not any("JointMetric" in r for r in found.reasons)
    assert any("move 9.0 times" in r for r in reasons(unseen))
