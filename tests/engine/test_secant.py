"""What is learned of second derivatives is what the gradients say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import Joint, SquaredLoss
from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.descent_step import (
    Bounds,
    DescentMethod,
    learned,
    place_at,
    standing_at,
    tried_step,
)
from riemannian_modules.engine.objective import Objective
from riemannian_modules.engine.secant import Secant
from tests.strategies import rngs


@given(rngs, st.integers(1, 6))
def test_the_update_explains_what_was_seen_and_stays_symmetric(rng, p):
    A, B = rng.standard_normal((2, p, p))
    known, step = Secant(A + A.T), rng.standard_normal(p)
    turned = (B @ B.T + np.eye(p)) @ step
    bent = rng.standard_normal(p)
    found = known.updated(step, turned, bent).S
    size = 1.0 + np.abs(found).max()
    assert np.allclose(found @ step, bent, rtol=0, atol=1e-9 * size)
    assert np.allclose(found, found.T, rtol=0, atol=1e-12 * size)


def test_a_gradient_that_does_not_turn_uphill_teaches_nothing():
    known = Secant(np.eye(2))
    assert known.updated(np.ones(2), -np.ones(2), np.ones(2)) is known


class Bent(rm.StaticMap):
    inputs, outputs = rm.space("t"), rm.space("y")
    parameters = {"a": 1.0, "b": 0.5}

    def map(self, u, p):
        return {"y": p.a**2 * u.t + p.a * p.b + np.exp(p.b * u.t)}


@given(rngs)
def test_a_step_teaches_the_part_of_the_hessian_that_the_metric_leaves_out(rng):
    """``sum_i r_i H_i s`` by exact differences of the Jacobian: ``(J+ - J)^T r+``."""
    t, y = np.linspace(0.0, 1.0, 7), 3.0 * rng.standard_normal(7)
    objective = Objective(Bent(), Dataset(t[:, None], y[:, None]), SquaredLoss(), Joint())
    theta, box = rng.uniform(0.5, 2.0, 2), Bounds(np.full(2, -np.inf), np.full(2, np.inf))
    place = place_at(objective, theta)
    at = standing_at(objective, place, np.ones(2), box, Secant.nothing(2))
    tried = tried_step(objective, at, at.path.within(0.05, 0.0), box, DescentMethod())
    if tried.place is None:
        return
    found = learned(objective, at, tried.place)
    if found is at.secant:
        return  # the metric foretold what happened
    J, J_next = (
        Bent().jacobian(np.zeros(0), t[:, None], point).F[:, 0, :]
        for point in (theta, tried.place.trial.theta)
    )
    r_next = (tried.place.trial.outputs - y[:, None])[:, 0]
    turned = tried.place.model.gradient - place.model.gradient
    if tried.step @ turned > 1e-9 * np.linalg.norm(tried.step) * np.linalg.norm(turned):
        assert np.allclose(found.S @ tried.step, (J_next - J).T @ r_next / 7, atol=1e-10)
