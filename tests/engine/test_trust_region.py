"""Steps within a radius are the least of the model there, whatever the model's shape."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from riemannian_modules.engine.local_model import JointModel
from riemannian_modules.engine.trust_region import SolvedPath
from tests.strategies import rngs


def models(rng, p, rank):
    """A model of some rank, scales, and a symmetric matrix that may bend it downwards."""
    J = rng.standard_normal((p + 3, rank)) @ rng.standard_normal((rank, p))
    residual = rng.standard_normal(p + 3)
    S = rng.standard_normal((p, p))
    return JointModel(J.T @ residual, J), rng.uniform(0.1, 10.0, p), S + S.T


def value(model, M, step):
    return model.gradient @ step + 0.5 * step @ M @ step


@given(rngs, st.integers(1, 6), st.integers(-4, 3), st.booleans())
def test_no_point_of_the_ball_is_lower(rng, p, exponent, is_curved):
    model, scale, S = models(rng, p, p)
    everywhere, radius = np.ones(p, dtype=bool), 10.0**exponent
    M = model.J.T @ model.J + (S if is_curved else 0.0)
    path = model.curved_path(scale, everywhere, S) if is_curved else model.path(scale, everywhere)
    damped = path.within(radius, 0.0)
    assert damped.length <= 1.11 * radius
    assert np.isclose(damped.length, np.linalg.norm(scale * damped.step), rtol=1e-9)
    reached = value(model, M, damped.step)
    for _ in range(20):
        other = rng.standard_normal(p) * rng.uniform() / scale
        other *= min(1.0, damped.length / np.linalg.norm(scale * other))
        assert reached <= value(model, M, other) + 1e-9 * (1 + abs(reached))
    if not is_curved and damped.mu > 0.0:
        assert damped.length >= 0.89 * radius


@given(rngs, st.integers(2, 6), st.integers(1, 6))
def test_the_undamped_step_is_that_of_the_pseudo_inverse(rng, p, rank):
    model, scale, _ = models(rng, p, min(rank, p))
    free = np.ones(p, dtype=bool)
    step = model.path(scale, free).first(0.0).step
    white = model.J / scale
    P, values = np.linalg.pinv(white, rcond=1e-10), np.linalg.svd(white, compute_uv=False)
    wanted = -P @ (P.T @ (model.gradient / scale)) / scale
    # The gradient's rounding comes back times the square of what is not zero of the spectrum.
    condition = values[0] / values[values > 1e-10 * values[0]][-1]
    tolerance = 1e-9 + 1e3 * np.finfo(float).eps * condition**2
    assert np.linalg.norm(scale * (step - wanted)) <= tolerance * np.linalg.norm(scale * wanted)


@given(rngs, st.integers(2, 6))
def test_held_parameters_do_not_move(rng, p):
    model, scale, S = models(rng, p, p)
    free = rng.random(p) < 0.5
    for path in (model.path(scale, free), model.curved_path(scale, free, S)):
        step = path.within(0.5, 0.0).step
        assert (step[~free] == 0.0).all()
    assert np.isclose(model.path(scale, free).decrement, model.decrement(free), rtol=1e-6)


@given(rngs, st.integers(1, 6), st.integers(-3, 2))
def test_models_without_a_spectrum_stay_within_the_radius_too(rng, p, exponent):
    model, scale, _ = models(rng, p, p)
    free, radius = np.ones(p, dtype=bool), 10.0**exponent
    spectral = model.path(scale, free)

    def solver(mu):
        return model.solver(mu * scale**2, free)

    solved = SolvedPath(solver, scale, model.gradient, model.push, lambda: model.decrement(free))
    damped = solved.within(radius, 1e-2)
    assert damped.length <= 1.5 * radius
    same = spectral._at(damped.mu)
    assert np.allclose(same.step, damped.step, rtol=1e-6, atol=1e-9)
    g = rng.standard_normal(p)
    assert np.allclose(same.solve(g), damped.solve(g), rtol=1e-6, atol=1e-9)


@given(rngs, st.integers(1, 6))
def test_what_one_product_tells_of_the_distance_is_no_more_than_the_distance(rng, p):
    model, scale, _ = models(rng, p, p)
    free = rng.random(p) < 0.8
    gradient = np.where(free, model.gradient, 0.0)
    solved = SolvedPath(
        lambda mu: model.solver(mu * scale**2, free), scale, gradient, model.push,
        lambda: model.decrement(free),
    )  # fmt: skip
    assert 0.0 <= solved.least_decrement <= solved.decrement * (1 + 1e-9)
