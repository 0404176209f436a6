"""Parts and output metrics of torch's losses, against torch itself."""

import pytest
import torch
from torch import nn

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.output_loss import output_loss

B, C = 5, 3


def case(criterion, target, shape=(B, C)):
    return criterion, torch.randn(shape, dtype=torch.float64), target


def cases():
    torch.manual_seed(0)
    labels, places = torch.tensor([0, 2, 1, -100, 2]), torch.randint(0, C, (B, 2))
    soft = torch.softmax(torch.randn(B, C, dtype=torch.float64), 1)
    real = torch.randn(B, C, dtype=torch.float64)
    zero_one = (real > 0).double()
    weight = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    counts = torch.poisson(torch.full((B, C), 2.0, dtype=torch.float64))
    variance = torch.rand(B, C, dtype=torch.float64) + 0.5
    for reduction in ("mean", "sum"):
        yield case(nn.CrossEntropyLoss(reduction=reduction), labels)
        yield case(nn.CrossEntropyLoss(weight, reduction=reduction), labels)
        yield case(nn.CrossEntropyLoss(weight, label_smoothing=0.2, reduction=reduction), labels)
        yield case(nn.CrossEntropyLoss(reduction=reduction), places, (B, C, 2))
        yield case(nn.CrossEntropyLoss(weight, reduction=reduction, label_smoothing=0.1), soft)
        yield case(nn.BCEWithLogitsLoss(reduction=reduction, pos_weight=weight), zero_one)
        yield case(nn.BCEWithLogitsLoss(weight, reduction=reduction), soft)
        yield case(nn.MSELoss(reduction=reduction), real)
        yield case(nn.HuberLoss(reduction=reduction, delta=0.4), real)
        yield case(nn.SmoothL1Loss(reduction=reduction, beta=0.4), real)
        yield case(nn.PoissonNLLLoss(reduction=reduction), counts)
        yield case(nn.GaussianNLLLoss(reduction=reduction), (real, variance))


def read(criterion, f, target):
    rest = target if isinstance(target, tuple) else (target,)
    return rest, output_loss(criterion, (f, *rest))[1]


@pytest.mark.parametrize("one", list(cases()), ids=lambda c: f"{type(c[0]).__name__}")
def test_parts_add_up_to_the_loss_but_for_a_constant(one):
    criterion, f, target = one
    rest, parts = read(criterion, f, target)
    torch.manual_seed(1)
    other = f + torch.randn_like(f)
    wanted = criterion(other, *rest) - criterion(f, *rest)
    torch.testing.assert_close(parts.excess(other).sum() - parts.excess(f).sum(), wanted)
    assert bool((parts.excess(f) >= 0).all())


@pytest.mark.parametrize("one", list(cases()), ids=lambda c: f"{type(c[0]).__name__}")
def test_no_outputs_are_below_the_least(one):
    criterion, f, target = one
    rest, parts = read(criterion, f, target)
    best = f.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([best], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = criterion(best, *rest)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float(parts.excess(best.detach()).sum()) < 1e-3


LIKELIHOODS = [c for c in cases() if not isinstance(c[0], nn.HuberLoss | nn.SmoothL1Loss)]


@pytest.mark.parametrize("one", LIKELIHOODS, ids=lambda c: f"{type(c[0]).__name__}")
def test_the_output_metric_is_the_hessian_where_the_loss_is_a_likelihood(one):
    criterion, f, target = one
    rest, parts = read(criterion, f, target)
    df = torch.randn_like(f)
    _, product = torch.autograd.functional.hvp(lambda g: criterion(g, *rest), f, df)
    torch.testing.assert_close(parts.curvature(f, df).sum(), (df * product).sum())
    first = parts.first(2).curvature(f[:2], df[:2])
    torch.testing.assert_close(first, parts.curvature(f, df)[:2])


def test_the_metric_of_a_robust_loss_majorises_it():
    criterion = nn.HuberLoss(delta=0.4)
    torch.manual_seed(0)
    f, target = torch.randn(200, 1), torch.zeros(200, 1)
    parts = output_loss(criterion, (f, target))[1]
    slopes = torch.func.grad(lambda g: criterion(g, target))(f)
    for _ in range(20):
        df = torch.randn_like(f)
        model = parts.excess(f) + slopes * df + 0.5 * parts.curvature(f, df)
        assert bool((parts.excess(f + df) <= model + 1e-7).all())


@pytest.mark.parametrize(
    ("criterion", "arguments", "match"),
    [
        (nn.PoissonNLLLoss(log_input=False), (torch.ones(2, 1), torch.ones(2, 1)), "log_input"),
        (
            nn.GaussianNLLLoss(),
            (torch.ones(2, 1), torch.ones(2, 1), torch.ones(2, 1, requires_grad=True)),
            "variance",
        ),
    ],
)
def test_losses_without_a_known_metric_are_refused_by_name(criterion, arguments, match):
    with pytest.raises(UnsupportedError, match=match):
        output_loss(criterion, arguments)
