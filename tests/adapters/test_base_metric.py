"""Steps in the layers' base metrics, against the matrices written out."""

import math

import pytest
import torch
from torch import nn

from riemannian_torch import GaussNewton
from riemannian_torch.gauss_newton.rows import OuterRows
from tests.adapters.networks import perceptron

MSE = nn.MSELoss()


def some(places):
    """Which of the places a base is made of: one of each ``period``, moving on by one."""
    period = math.ceil(places / 32)
    return [k * period + k % period for k in range(places // period)]


def kronecker_factor(x, weight):
    """``I + x^T diag(h) x / c`` as its definition says, of some places of x (N, p)."""
    x, weight = x[some(len(x))], weight[some(len(x))]
    h = weight / weight.mean()
    curvature = x.T @ torch.diag(h) @ x
    return torch.eye(x.shape[1], dtype=x.dtype) + curvature * x.shape[1] / (10 * curvature.trace())


def dense_metric(model, rows, s, mu):
    """``mu R + U U^T`` for all parameters, and U."""
    blocks, columns = [], []
    for p in model.parameters():
        own = rows[p]
        weight = own if isinstance(own, OuterRows) else own.weight
        places = s[:, None].expand(weight.a.shape[:2]).flatten()
        a, d = weight.a.flatten(0, 1), weight.d.flatten(0, 1) / places[:, None]
        R_in = kronecker_factor(a, d.square().sum(1))
        R_out = kronecker_factor(d, a.square().sum(1))
        blocks.append(torch.kron(R_out, R_in) if p.ndim > 1 else R_out)
        columns.append(own.formed().rows.flatten(1) / s[:, None])
    U = torch.cat(columns, 1).T
    return mu * torch.block_diag(*blocks) + U @ U.T, U


@pytest.mark.parametrize("batch", [3, 40], ids=["few samples", "many samples"])
@pytest.mark.parametrize("places", [(), (3,)], ids=["one place", "three places"])
def test_the_step_solves_the_damped_metric_with_the_base(batch, places):
    torch.manual_seed(0)
    model = perceptron(4, 5, 20).double()
    x = torch.randn(batch, *places, 4).double()
    y = torch.randn(batch, *places, 20).double()
    optimizer = GaussNewton(model, MSE, damping=0.02)
    _, (group,) = optimizer._observer.of_closure(lambda: MSE(model(x), y))
    s = torch.sqrt(2 * group.excess)
    M, U = dense_metric(model, group.rows, s, 0.02)
    expected = torch.linalg.solve(M, U @ s)

    optimizer.step(lambda: MSE(model(x), y))
    assert optimizer.plan.has_base
    assert "base metric" in str(optimizer.plan)
    found = torch.cat([optimizer.state[p]["direction"].flatten() for p in model.parameters()])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


def test_few_outputs_have_no_base():
    torch.manual_seed(0)
    model = perceptron(4, 5, 3)
    optimizer = GaussNewton(model, MSE)
    optimizer.step(lambda: MSE(model(torch.randn(6, 4)), torch.randn(6, 3)))
    assert not optimizer.plan.has_base


def test_a_bound_leaves_the_base_out_first():
    torch.manual_seed(0)
    model, x, y = perceptron(40, 80, 20), torch.randn(60, 40), torch.randn(60, 20)
    plans = []
    for bound in (None, 4.0):
        optimizer = GaussNewton(model, MSE, max_overhead=bound)
        optimizer.step(lambda: MSE(model(x), y))
        plans.append(optimizer.plan)
    assert plans[0].has_base
    assert not plans[1].has_base
    assert plans[1].overhead <= 4.0 < plans[0].overhead
    assert plans[1].block == 60
