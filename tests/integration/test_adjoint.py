"""What cotangents of a flow map pull back by the adjoint, against its sensitivities."""

import numpy as np
import pytest
from hypothesis import given, settings

import riemannian_modules as rm
from riemannian_modules.engine import gradient
from riemannian_modules.errors import ConvergenceError
from riemannian_modules.modules import flow_differential, flow_map
from riemannian_modules.modules.flow_differential import FlowDifferential
from tests.integration.stiff_flows import PUBLISHED, Robertson
from tests.modules.instances import NETWORK
from tests.strategies import rngs

NONE = np.zeros(0)


def agree(flow, duration, u, w, share=1e-7):
    """Both ways at some points, to a share of the products' absolute sums."""
    module = rm.FlowMap(flow, duration)
    J = module.jacobian(NONE, u, flow.theta)
    d = module.differential(NONE, u, flow.theta)
    for sensitivities, pulled in (
        (J.D, d.pull_outputs(w)[1]),
        (J.F, d.pull_parameters(np.zeros((*w.shape[:-2], 0, w.shape[-1])), w)),
    ):
        terms = np.einsum("...nk,...np->...npk", w, sensitivities)
        assert (np.abs(pulled - terms.sum(-3)) <= share * np.abs(terms).sum(-3)).all()
    assert d.way == "the adjoint"
    assert "the adjoint" in repr(d)


@pytest.fixture
def always(monkeypatch):
    """The adjoint even where it is dear."""
    monkeypatch.setattr(flow_differential, "WORTH", 1e-9)
    monkeypatch.setattr(flow_map, "WORTH", 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_pulling_back_is_the_transpose_of_pushing_on(seed, always):
    rng = np.random.default_rng(seed)
    n = NETWORK.signature.state.size
    u = rng.uniform(0.5, 2.0, (3, n + NETWORK.signature.inputs.size))
    agree(NETWORK, 0.7, u, rng.standard_normal((3, n, 2)))


def test_it_is_so_for_stiff_flows(always):
    rng = np.random.default_rng(0)
    agree(Robertson(), 1.0, np.array([1.0, 0.0, 0.0, 40.0]), rng.standard_normal((3, 2)))
    case = PUBLISHED["HIRES"]
    agree(case.flow, 50.0, np.array(case.start), rng.standard_normal((8, 1)))


class Neural(rm.Flow):
    """A layer of neurons as a vector field: many parameters, few states."""

    state = rm.space(x=3)
    parameters = {"W": np.zeros((24, 3)), "b": np.zeros(24), "V": np.zeros((3, 24))}

    def equations(self, s, u, p):
        return {"x": p.V @ np.tanh(p.W @ s.x + p.b) - s.x}


def neural(rng):
    flow = Neural()
    return flow.with_parameters(0.5 * rng.standard_normal(flow.theta.size))


@given(rngs)
@settings(max_examples=3, deadline=None)
def test_the_gradient_of_many_parameters_is_pulled_back_and_right(rng):
    module = rm.FlowMap(neural(rng), 1.5)
    u, w = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    found = gradient(module, module.point(u=u), w)
    F = module.jacobian(NONE, u, module.theta).F
    expected = np.einsum("bn,bnp->p", w, F)
    assert np.abs(found - expected).max() <= 1e-7 * np.abs(expected).max()


def test_the_cheaper_way_is_taken_and_told():
    module, rng = rm.FlowMap(neural(np.random.default_rng(0)), 1.5), np.random.default_rng(1)
    d = module.differential(NONE, np.ones(3), module.theta)
    assert "nothing yet" in repr(d)
    few, many = rng.standard_normal((3, 1)), rng.standard_normal((3, 30))
    by_adjoint = d.pull_parameters(np.zeros((0, 1)), few)
    assert d.way == "the adjoint"
    together = d.pull_parameters(np.zeros((0, 30)), np.concatenate([few, many[:, 1:]], -1))
    assert d.way == "sensitivities"
    assert np.abs(together[:, :1] - by_adjoint).max() <= 1e-7 * np.abs(by_adjoint).max()
    # A point with few parameters has all its sensitivities sooner.
    robertson = rm.FlowMap(Robertson(), 1.0)
    small = robertson.differential(NONE, np.array([1.0, 0.0, 0.0, 1.0]), robertson.theta)
    assert not isinstance(small, FlowDifferential)


def test_an_adjoint_whose_flow_runs_to_infinity_says_so(always):
    class Explosion(rm.Flow):
        state = rm.space("x")

        def equations(self, x, u, p):
            return {"x": x.x**2}

    d = rm.FlowMap(Explosion(), 2.0).differential(NONE, np.ones(1), NONE)
    with pytest.raises(ConvergenceError, match=r"Explosion.*stopped early at t = 1"):
        d.pull_outputs(np.ones((1, 1)))
