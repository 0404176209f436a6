"""Steps of the torch optimizer: against the exact metric, and as training loops expect them."""

import copy
import gc
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import riemannian_modules as rm
from riemannian_modules.engine import gradient, propagate
from riemannian_modules.errors import DomainError, SignatureError, UnsupportedError
from riemannian_torch import GaussNewton, JointMetric, ResidualMetric
from tests.adapters.networks import perceptron
from tests.adapters.trained_networks import Odd

MSE, ENTROPY = nn.MSELoss(), nn.CrossEntropyLoss()


@pytest.fixture
def samples():
    torch.manual_seed(1)
    return torch.randn(12, 3), torch.randint(0, 4, (12,))


def fresh():
    torch.manual_seed(2)
    return perceptron(3, 8, 4)


def train(model, optimizer, x, y, steps=3, parts=1, before_step=lambda: None):
    for _ in range(steps):
        optimizer.zero_grad()
        for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True):
            (ENTROPY(model(a), b) / parts).backward()
        before_step()
        optimizer.step()
    return values(model)


def values(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_gradients_that_the_loop_made_infinite_are_no_step(samples, bad):
    model, (x, y) = fresh(), samples
    optimizer = GaussNewton(model, ENTROPY)
    before = train(model, optimizer, x, y)

    def spoil():
        for p in model.parameters():
            p.grad.flatten()[0] = bad

    with pytest.warns(UserWarning, match="no step was taken"):
        after = train(model, optimizer, x, y, steps=1, before_step=spoil)
    assert optimizer.skipped == 1
    assert torch.equal(before, after)


def test_with_one_output_and_squares_the_step_is_that_of_the_exact_joint_metric():
    torch.manual_seed(0)
    model = perceptron(3, 5, 1).double()
    x, y = torch.randn(7, 3).double(), torch.randn(7, 1).double()
    arrays = [p.detach().numpy().copy() for p in model.parameters()]
    W, b, V, c = arrays
    graph = rm.chain(rm.Affine(W, b), rm.Tanh(5), rm.Affine(V, c))
    optimizer = GaussNewton(model, MSE, damping=0.03)
    optimizer.step(lambda: MSE(model(x), y))
    found = [optimizer.state[p]["direction"].numpy().ravel() for p in model.parameters()]

    point = graph.point(u=x.numpy())
    # (f - y)^2 has the Hessian 2 in the output of each sample; both are means over the samples.
    metric = propagate(graph, point, 0.03, np.array([[np.sqrt(2.0)]])).joint
    slopes = 2.0 * (graph.output(point.x, point.u, point.theta) - y.numpy()) / len(y)
    expected = metric.solve(gradient(graph, point, slopes))
    np.testing.assert_allclose(
        np.concatenate(found), expected, rtol=0, atol=1e-10 * np.abs(expected).max()
    )


def test_the_loss_falls_at_least_as_fast_as_promised_where_it_is_quadratic():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 1).double(), torch.randn(30, 3).double()
    y = x @ torch.ones(3, 1).double() + 1.0
    optimizer = GaussNewton(model, MSE)
    for _ in range(60):
        loss = optimizer.step(lambda: MSE(model(x), y))
    assert float(loss.detach()) < 1e-10


def test_a_saved_state_goes_on_bit_for_bit(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)
    train(model, optimizer, x, y)
    saved = copy.deepcopy([model.state_dict(), optimizer.state_dict()])
    whole = train(model, optimizer, x, y)
    again = fresh()
    resumed = GaussNewton(again, ENTROPY, damping=0.7)
    again.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert torch.equal(train(again, resumed, x, y), whole)


def test_a_pickled_optimizer_goes_on_bit_for_bit(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)
    train(model, optimizer, x, y)
    twin = pickle.loads(pickle.dumps(optimizer))
    whole = train(model, optimizer, x, y)
    for _ in range(3):
        twin.zero_grad()
        twin.criterion(twin.model(x), y).backward()
        twin.step()
    assert torch.equal(values(twin.model), whole)


def test_micro_batches_are_one_batch(samples):
    x, y = samples
    one, several = fresh().double(), fresh().double()
    torch.testing.assert_close(
        train(several, GaussNewton(several, ENTROPY), x.double(), y, parts=3),
        train(one, GaussNewton(one, ENTROPY), x.double(), y),
    )


def test_a_sum_and_a_mean_take_the_same_first_step_where_mu_is_scaled(samples):
    x, y = samples
    one, other = fresh().double(), fresh().double()
    total = nn.CrossEntropyLoss(reduction="sum")
    GaussNewton(one, ENTROPY, damping=0.1).step(lambda: ENTROPY(one(x.double()), y))
    GaussNewton(other, total, damping=1.2, trust_region=3.6).step(
        lambda: total(other(x.double()), y)
    )
    torch.testing.assert_close(values(one), values(other))


def test_clipped_gradients_shorten_the_step(samples):
    x, y = samples
    free, clipped = fresh().double(), fresh().double()
    options = {"trust_region": 1e3, "lr": 0.1}
    start = values(free)

    def clip():
        for p in clipped.parameters():
            p.grad.mul_(0.25)

    full = train(free, GaussNewton(free, ENTROPY, **options), x.double(), y, 1) - start
    short = train(
        clipped, GaussNewton(clipped, ENTROPY, **options), x.double(), y, 1, before_step=clip
    )
    torch.testing.assert_close(short - start, 0.25 * full)


def test_frozen_parameters_stay_and_groups_have_lengths_of_their_own(samples):
    x, y = samples
    model = fresh()
    model[0].bias.requires_grad_(False)
    before = [p.detach().clone() for p in model.parameters()]
    groups = [{"params": [model[0].weight]}, {"params": model[2].parameters(), "lr": 0.0}]
    train(model, GaussNewton(model, ENTROPY, groups), x, y, 1)
    moved = [not torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True)]
    assert moved == [True, False, False, False]


def test_a_schedule_and_decay_act_on_the_length(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1.0 if k == 0 else 0.0)
    train(model, optimizer, x, y, 1)
    schedule.step()
    after = values(model)
    assert torch.equal(train(model, optimizer, x, y, 1), after)


def test_decay_shrinks_weights_by_the_length_times_itself(samples):
    x, y = samples
    plain, decayed = fresh().double(), fresh().double()
    start = values(plain)
    optimizer = GaussNewton(decayed, ENTROPY, weight_decay=0.1)
    first = train(plain, GaussNewton(plain, ENTROPY), x.double(), y, 1)
    second = train(decayed, optimizer, x.double(), y, 1)
    length = optimizer._state.length
    torch.testing.assert_close(first - second, 0.1 * length * start)


def test_a_copy_of_the_model_is_watched_no_more(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)
    twin = copy.deepcopy(model)
    ENTROPY(twin(x), y).backward()
    with pytest.raises(UnsupportedError, match="backward pass through the criterion"):
        optimizer.step()


def test_nothing_is_left_on_the_model(samples):
    x, y = samples
    model = fresh()
    before = dict(model.__dict__)
    optimizer = GaussNewton(model, ENTROPY)
    train(model, optimizer, x, y, 1)
    del optimizer
    gc.collect()
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert not ENTROPY._forward_hooks
    assert model.__dict__.keys() == before.keys()


def test_evaluation_between_steps_changes_nothing(samples):
    x, y = samples
    one, other = fresh(), fresh()

    def look():
        with torch.no_grad():
            ENTROPY(other(x[:5]), y[:5])
        ENTROPY(other(x[:3]), y[:3])

    assert torch.equal(
        train(one, GaussNewton(one, ENTROPY), x, y),
        train(other, GaussNewton(other, ENTROPY), x, y, before_step=look),
    )


def test_gradients_in_the_inputs_are_no_pass_of_the_loop(samples):
    x, y = samples
    one, other = fresh(), fresh()
    optimizer = GaussNewton(other, ENTROPY)
    for _ in range(3):
        optimizer.zero_grad()
        given = x.clone().requires_grad_()
        torch.autograd.grad(ENTROPY(other(given), y), given)
        ENTROPY(other(x), y).backward()
        optimizer.step()
    assert torch.equal(train(one, GaussNewton(one, ENTROPY), x, y), values(other))


def test_an_overflowing_batch_takes_no_step(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)
    before = train(model, optimizer, x, y, 1)
    with pytest.warns(UserWarning, match="no step was taken"):
        assert torch.equal(train(model, optimizer, x * torch.inf, y, 1), before)
    assert not torch.equal(train(model, optimizer, x, y, 1), before)


def test_autocast_keeps_the_metric_in_float32(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)

    def closure():
        with torch.autocast("cpu", torch.bfloat16):
            return ENTROPY(model(x), y)

    losses = [float(optimizer.step(closure).detach()) for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]
    assert {s["direction"].dtype for s in map(optimizer.state.get, model.parameters())} == {
        torch.float32
    }


def squares(outputs, x):
    target = x.sum(1, keepdim=True).expand_as(outputs)
    return ((outputs - target) ** 2).sum(1) / outputs.numel()


def surprises(outputs, x):
    labels = (x[:, 0] > 0).long()
    return nn.functional.cross_entropy(outputs, labels, reduction="none") / len(outputs)


@pytest.mark.parametrize(
    ("criterion", "own"),
    [
        (lambda f, x: MSE(f, x.sum(1, keepdim=True).expand_as(f)), squares),
        (lambda f, x: ENTROPY(f, (x[:, 0] > 0).long()), surprises),
    ],
    ids=["squares", "entropy"],
)
def test_losses_of_ones_own_are_those_of_torch(samples, criterion, own):
    known, given = fresh().double(), fresh().double()
    x = samples[0].double()

    def closure():
        outputs = given(x)
        return outputs, own(outputs, x)

    knowing = GaussNewton(known, MSE if own is squares else ENTROPY)
    giving = GaussNewton(given)
    for _ in range(5):
        knowing.step(lambda: criterion(known(x), x))
        giving.step(closure)
    torch.testing.assert_close(values(known), values(given))


class Residual(nn.Module):
    """``u'' + u`` of a network u at points (B, 1)."""

    def __init__(self):
        super().__init__()
        self.u = perceptron(1, 6, 6, 1)

    def forward(self, points):
        x = points.clone().requires_grad_()
        u = self.u(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return curvature + u


def test_rows_reach_through_derivatives_of_the_network():
    torch.manual_seed(0)
    model = Residual().double()
    points, zero = torch.linspace(0, 1, 5).double()[:, None], torch.zeros(5, 1).double()
    optimizer = GaussNewton(model, MSE)
    _, (group,) = optimizer._observer.of_closure(lambda: MSE(model(points), zero))
    parameters = list(model.parameters())
    for b in range(5):
        loss = MSE(model(points[b : b + 1]), zero[:1]) / 5
        expected = torch.autograd.grad(loss, parameters, allow_unused=True)
        for p, g in zip(parameters, expected, strict=True):
            if g is not None:
                torch.testing.assert_close(group.rows[p].formed().rows[b], g)


def test_several_weighted_losses_add_up():
    torch.manual_seed(0)
    inside, border = Residual().double(), torch.tensor([[0.0], [1.0]]).double()
    points = torch.linspace(0, 1, 9).double()[:, None]

    def closure():
        at_border = MSE(inside.u(border), border)
        return MSE(inside(points), torch.zeros_like(points)) + 10.0 * at_border

    optimizer = GaussNewton(inside.u, MSE)
    losses = [float(optimizer.step(closure).detach()) for _ in range(60)]
    assert losses[-1] < 1e-4 * losses[0]


class Spreading(nn.Module):
    """A graph network: each node's output depends on its neighbours."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("spread", torch.softmax(torch.randn(size, size), 1))
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 4)

    def forward(self, x):
        return self.last(torch.tanh(self.spread @ self.first(x)))


@pytest.mark.filterwarnings("ignore:GaussNewton. the samples of this model meet")
def test_rows_of_samples_that_meet_are_each_ones_own_derivative(samples):
    x, y = samples
    torch.manual_seed(0)
    model = Spreading(12).double()
    shown = torch.tensor([0, 3, 7])
    optimizer = GaussNewton(model, ENTROPY)
    _, (group,) = optimizer._observer.of_closure(
        lambda: ENTROPY(model(x.double())[shown], y[shown])
    )
    for b in range(3):
        loss = ENTROPY(model(x.double())[shown[b : b + 1]], y[shown[b : b + 1]]) / 3
        for p, g in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            torch.testing.assert_close(group.rows[p].formed().rows[b], g)


@pytest.mark.filterwarnings("ignore:GaussNewton. the samples of this model meet")
def test_a_loop_with_backward_takes_the_steps_of_a_closure_where_samples_meet(samples):
    x, y = samples[0].double(), samples[1]
    torch.manual_seed(0)
    net = Spreading(12).double()
    twin = copy.deepcopy(net)
    closing, habit = GaussNewton(net, ENTROPY), GaussNewton(twin, ENTROPY)
    for _ in range(3):
        closing.step(lambda: ENTROPY(net(x), y))
    torch.testing.assert_close(train(twin, habit, x, y, 3), values(net))


def test_a_penalty_beside_the_criterion_is_refused(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)

    def closure():
        return ENTROPY(model(x), y) + sum(p.square().sum() for p in model.parameters())

    with pytest.raises(UnsupportedError, match="weight_decay"):
        optimizer.step(closure)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"lr": -1.0}, DomainError, "lr"),
        ({"lr": float("nan")}, DomainError, "lr"),
        ({"momentum": 1.0}, DomainError, "momentum"),
        ({"damping": 0.0}, DomainError, "damping"),
        ({"trust_region": -1.0}, DomainError, "trust_region"),
        ({"weight_decay": float("inf")}, DomainError, "weight_decay"),
        ({"batch_axis": 2}, DomainError, "batch_axis"),
        ({"lr": "0.1"}, SignatureError, "lr to be a number"),
        ({"max_overhead": 0.0}, DomainError, "max_overhead"),
        ({"max_overhead": float("nan")}, DomainError, "max_overhead"),
        ({"params": nn.Linear(2, 2).parameters()}, SignatureError, "parameters of the model"),
        ({"criterion": nn.L1Loss()}, UnsupportedError, "HuberLoss"),
        ({"criterion": nn.MSELoss(reduction="none")}, UnsupportedError, "reduction"),
    ],
)
def test_bad_options_are_refused_by_name(options, error, match):
    criterion = options.pop("criterion", ENTROPY)
    params = options.pop("params", None)
    with pytest.raises(error, match=match):
        GaussNewton(fresh(), criterion, params, **options)


def test_a_changed_model_is_refused_by_name(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)
    model[0], model[2] = nn.Linear(3, 8), nn.Linear(8, 4)
    ENTROPY(model(x), y).backward()
    with pytest.raises((SignatureError, UnsupportedError), match="GaussNewton"):
        optimizer.step()


def test_losses_below_zero_are_refused_by_name(samples):
    x, _ = samples
    model = fresh()
    optimizer = GaussNewton(model)

    def closure():
        outputs = model(x)
        return outputs, outputs.sum(1) - 100.0

    with pytest.raises(DomainError, match="0 at best"):
        optimizer.step(closure)


def test_a_sweep_over_blocks_meets_the_exact_solution_where_blocks_do_not_couple():
    torch.manual_seed(0)
    # Inputs of the two halves are orthogonal, hence their rows.
    x = torch.zeros(64, 6).double()
    x[:32, :3], x[32:, 3:] = torch.randn(32, 3), torch.randn(32, 3)
    y = torch.randn(64, 2).double()
    exact, swept = (nn.Linear(6, 2, bias=False).double() for _ in range(2))
    swept.load_state_dict(exact.state_dict())
    GaussNewton(exact, MSE).step(lambda: MSE(exact(x), y))
    optimizer = GaussNewton(swept, MSE, max_overhead=24.0)
    optimizer.step(lambda: MSE(swept(x), y))
    assert optimizer.plan.block == 32
    torch.testing.assert_close(values(exact), values(swept))


def test_a_sweep_over_blocks_trains_as_the_whole_system_does():
    torch.manual_seed(0)
    x = torch.randn(96, 3)
    y = (x.prod(1) > 0).long()
    whole, blocks = fresh(), fresh()
    before = float(ENTROPY(whole(x), y).detach())
    one = train(whole, GaussNewton(whole, ENTROPY), x, y, 25)
    optimizer = GaussNewton(blocks, ENTROPY, max_overhead=1.0)
    other = train(blocks, optimizer, x, y, 25)
    assert optimizer.plan.block == 16
    assert "no block is small enough" in str(optimizer.plan)
    assert not torch.equal(one, other)
    for model in (whole, blocks):
        assert float(ENTROPY(model(x), y).detach()) < 0.5 * before


def test_a_compiled_model_takes_the_steps_of_the_model(samples):
    x, y = samples
    plain, compiled = fresh(), fresh()
    fast = torch.compile(compiled, backend="eager")
    assert torch.equal(
        train(plain, GaussNewton(plain, ENTROPY), x, y),
        train(fast, GaussNewton(fast, ENTROPY), x, y),
    )


def test_layers_may_be_frozen_and_freed_on_the_way(samples):
    x, y = samples
    model = fresh()
    first, last = model[0], model[2]
    first.requires_grad_(False)
    optimizer = GaussNewton(model, ENTROPY)
    before = first.weight.clone()
    train(model, optimizer, x, y, 2)
    assert torch.equal(first.weight, before)
    first.requires_grad_(True)
    optimizer.add_param_group({"params": first.parameters()})
    train(model, optimizer, x, y, 2)
    assert not torch.equal(first.weight, before)
    last.requires_grad_(False)
    before = last.weight.clone()
    train(model, optimizer, x, y, 2)
    assert torch.equal(last.weight, before)


def test_a_model_of_bfloat16_is_trained(samples):
    x, y = samples
    model = fresh().bfloat16()
    optimizer = GaussNewton(model, ENTROPY)
    losses = [
        float(optimizer.step(lambda: ENTROPY(model(x.bfloat16()), y)).detach()) for _ in range(15)
    ]
    assert losses[-1] < 0.6 * losses[0]


def train_scaled(model, optimizer, scaler, x, y, before_step=lambda: None):
    for _ in range(3):
        optimizer.zero_grad()
        scaler.scale(ENTROPY(model(x), y)).backward()
        before_step()
        scaler.step(optimizer)
        scaler.update()
    return values(model)


@pytest.mark.filterwarnings("ignore:GaussNewton")
@pytest.mark.parametrize("make", [fresh, Odd, lambda: Spreading(12)])
@pytest.mark.parametrize("metric", [ResidualMetric(), JointMetric()], ids=["residual", "exact"])
def test_scaled_losses_take_the_steps_of_the_losses(samples, make, metric):
    x, y = samples[0].double(), samples[1]
    torch.manual_seed(0)
    plain = make().double()
    scaled = copy.deepcopy(plain)
    expected = train(plain, GaussNewton(plain, ENTROPY, metric=metric), x, y, 3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1000.0)
    found = train_scaled(scaled, GaussNewton(scaled, ENTROPY, metric=metric), scaler, x, y)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_scaled_gradients_may_be_clipped_but_not_unscaled(samples):
    x, y = samples[0].double(), samples[1]
    plain, scaled = fresh().double(), fresh().double()

    def clip(model):
        for p in model.parameters():
            p.grad.mul_(0.25)  # clip_grad_norm_ adds 1e-6 to a norm, which no scale divides

    optimizer, scaler = GaussNewton(scaled, ENTROPY), torch.amp.GradScaler("cpu")
    expected = train(plain, GaussNewton(plain, ENTROPY), x, y, 3, before_step=lambda: clip(plain))
    found = train_scaled(scaled, optimizer, scaler, x, y, before_step=lambda: clip(scaled))
    torch.testing.assert_close(found, expected)
    scaler.scale(ENTROPY(scaled(x), y)).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(UnsupportedError, match=r"get_scale\(\)"):
        scaler.step(optimizer)


def test_overflowing_gradients_take_no_step_and_shrink_the_scale(samples):
    x, y = samples
    model = fresh()
    optimizer, scaler = (
        GaussNewton(model, ENTROPY),
        torch.amp.GradScaler("cpu", init_scale=2.0**126),
    )
    before = values(model)
    scaler.scale(1e4 * ENTROPY(model(x), y)).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(values(model), before)
    assert (optimizer.steps, optimizer.skipped, scaler.get_scale()) == (0, 1, 2.0**125)
    train(model, optimizer, x, y, 1)
    assert optimizer.steps == 1


def test_calls_that_no_backward_pass_follows_are_told_of(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)

    def evaluate():
        for _ in range(1000):
            model(x)

    with pytest.warns(UserWarning, match="no_grad"):
        evaluate()
    optimizer.zero_grad()
    train(model, optimizer, x, y, 1)


def test_numbers_that_stay_on_a_device_take_the_same_steps(samples, monkeypatch):
    from riemannian_torch.gauss_newton import damped_step, direction, optimizer

    x, y = samples[0].double(), samples[1]
    read, kept = fresh().double(), fresh().double()
    expected = train(read, GaussNewton(read, ENTROPY), x, y, 8)
    for module in (damped_step, direction, optimizer):
        monkeypatch.setattr(module, "number", lambda value: value)
    optimizer_of_kept = GaussNewton(kept, ENTROPY)
    torch.testing.assert_close(train(kept, optimizer_of_kept, x, y, 8), expected)
    assert isinstance(optimizer_of_kept._state.mu, torch.Tensor)
    again = fresh().double()
    again.load_state_dict(kept.state_dict())
    resumed = GaussNewton(again, ENTROPY)
    resumed.load_state_dict(copy.deepcopy(optimizer_of_kept.state_dict()))
    assert torch.equal(train(again, resumed, x, y, 3), train(kept, optimizer_of_kept, x, y, 3))


@pytest.mark.parametrize(
    ("model", "match"), [(nn.ReLU(), "with parameters to train"), ("net", "torch.nn.Module")]
)
def test_what_cannot_be_trained_is_refused_by_name(model, match):
    with pytest.raises(SignatureError, match=match):
        GaussNewton(model, ENTROPY)


def test_an_empty_batch_is_refused_by_name(samples):
    x, y = samples
    model = fresh()
    optimizer = GaussNewton(model, ENTROPY)
    for _ in range(2):
        with pytest.raises(DomainError, match="at least one sample"):
            optimizer.step(lambda: ENTROPY(model(x[:0]), y[:0]))
        optimizer.step(lambda: ENTROPY(model(x), y))
