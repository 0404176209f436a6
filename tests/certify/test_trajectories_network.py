"""Invariant balls of composites: in norms over blocks, and in sparse metrics."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import (
    Estimated,
    Proved,
    certify_network,
    enclose_equilibrium,
    prove_trajectories,
    verify,
)
from riemannian_modules.claims.norms import BlockNorm, SparseL2
from riemannian_modules.claims.part_norm import PartNorm
from riemannian_modules.claims.weights import plain_weights
from riemannian_modules.evidence.trajectories import Trajectories
from riemannian_modules.region import ball
from tests.certify.files import as_read, forged
from tests.certify.test_network_signed import goodwin
from tests.nightly import examples
from tests.strategies import rngs


class Pair(rm.Flow):
    """``x' = A x + b tanh(u) + c`` of two states."""

    state, inputs, outputs = rm.space(x=2), rm.space(u=""), rm.space(y="")

    def __init__(self, A, b, c):
        self.A, self.b, self.c = np.asarray(A), np.asarray(b), np.asarray(c)

    def equations(self, x, u, p):
        dx = self.A @ x.x + self.b * np.tanh(u.u) + self.c
        return {"x": dx}, {"y": x.x[0] - x.x[1]}


def ring_of_pairs(rng, n, strength):
    wiring = rm.Wiring(
        **{
            f"m{i}": Pair(
                -2 * np.eye(2) + rng.normal(size=(2, 2)) * 0.2,
                strength * rng.normal(size=2),
                0.1 * rng.normal(size=2),
            )
            for i in range(n)
        }
    )
    for i in range(n):
        wiring = wiring.connect(f"m{i}.y", f"m{(i + 1) % n}.u")
    return wiring.build()


def pairs_and_region(rng, n=3, strength=0.3):
    names = (f"m{i}.x[{k}]" for i in range(n) for k in range(2))
    region = rm.box({name: (-2 - rng.random(), 2 + rng.random()) for name in names})
    return ring_of_pairs(rng, n, strength), region


@examples(3, 30)
@given(rngs)
def test_both_prove_the_balls_that_are_found_and_none_beyond_them(rng):
    answer = certify_network(*pairs_and_region(rng))
    assert isinstance(answer, Proved), answer
    found = prove_trajectories(answer)
    assert isinstance(found, Trajectories), found
    again = verify(found.certificate)
    assert isinstance(again, Proved)
    assert again.certificate.data["claim"] == found.certificate.data["claim"]
    assert checker.check(as_read(found.certificate.data))
    away = {"center": (found.center + 0.01).tolist(), "radius": 1e-4}
    for other in ({"radius": found.radius * (1 + 1e-9)}, away):
        assert isinstance(verify(forged(found, **other)), Estimated)
        with pytest.raises(checker.NotProvedError, match="ball"):
            checker.check(as_read(forged(found, **other)))


@settings(max_examples=5, deadline=None)
@given(rngs)
def test_trajectories_of_a_composite_reach_the_equilibrium_and_stay_in_their_ball(rng):
    module, region = pairs_and_region(rng)
    answer = certify_network(module, region)
    found = prove_trajectories(answer)
    assert isinstance(found, Trajectories), found
    norm, tight = answer.certificate.data["claim"]["norm"], enclose_equilibrium(answer)
    assert isinstance(tight, Trajectories)
    z = rng.normal(size=6)
    size = claimed_length(norm, z)
    x = found.center + z * (found.radius / size)
    for _ in range(600):
        step = 0.02
        k1 = field(module, x)
        k2 = field(module, x + step / 2 * k1)
        k3 = field(module, x + step / 2 * k2)
        k4 = field(module, x + step * k3)
        x = x + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        assert claimed_length(norm, x - found.center) <= found.radius * (1 + 1e-9)
    for value, (low, high) in zip(x, tight.equilibrium.values(), strict=True):
        assert low - 1e-4 <= value <= high + 1e-4
        assert high - low < 1e-9


def field(module, x):
    return module.forward(x, np.zeros(0), module.theta)[0]


def claimed_length(norm, z):
    if norm["type"] == "l2":
        return math.sqrt(sum(z[i] * m * z[j] for i, j, m in norm["metric"]["entries"]))
    parts = zip(norm["groups"], norm["metrics"], norm["weights"], strict=True)
    return max(math.sqrt(z[g] @ np.array(M) @ z[g]) / r for g, M, r in parts)


def test_the_equilibrium_of_a_ring_of_a_thousand_is_enclosed(tmp_path):
    ring, region = goodwin(1000, 1.0, "modules")
    found = enclose_equilibrium(certify_network(ring, region))
    assert isinstance(found, Trajectories), found
    root = mpmath.findroot(lambda x: 1 / (1 + x**2) - x, 0.7)
    values = list(found.equilibrium.values())
    assert len(values) == 1000
    for low, high in values:
        assert low <= root <= high
        assert high - low < 1e-9
    path = found.certificate.save(tmp_path / "ring.json.gz")
    assert isinstance(verify(path), Proved)
    assert "the ball is invariant" in checker.check(checker.load(path))[-1]


LAGS = (
    rm.Wiring(first=rm.Lag(0.5), second=rm.Lag(1.0), third=rm.Lag(0.8), back=rm.Gain(0.3, 1))
    .connect("first.y", "second.u")
    .connect("second.y", "third.u")
    .connect("third.y", "back.u")
    .connect("back.y", "first.u")
    .build()
)
SIDES = rm.box({"first.x": (-2, 2), "second.x": (-2, 2), "third.x": (-2, 2)})


def test_a_ball_in_a_norm_over_blocks_touches_its_side():
    answer = certify_network(LAGS, SIDES)
    assert answer.certificate.data["claim"]["norm"]["type"] == "blocks"
    found = prove_trajectories(answer)
    largest = max(answer.certificate.data["claim"]["norm"]["weights"])
    assert found.radius == pytest.approx(2 / largest, rel=1e-12)
    assert checker.check(as_read(found.certificate.data))


def test_a_constraint_across_blocks_is_proved_here_and_left_open_by_the_checker():
    region = SIDES.linear({"first.x": 1.0, "second.x": -1.0}, upper=1.0)
    answer = certify_network(LAGS, region)
    found = prove_trajectories(answer)
    weights = answer.certificate.data["claim"]["norm"]["weights"]
    assert found.radius == pytest.approx(1 / (weights[0] + weights[1]), rel=1e-12)
    assert isinstance(verify(found.certificate), Proved)
    with pytest.raises(checker.NotProvedError, match="leaves the region"):
        checker.check(as_read(found.certificate.data))


def random_norm(rng, kind):
    """Three parts of five coordinates, in no order."""
    places = rng.permutation(5).tolist()
    groups = [tuple(places[:2]), tuple(places[2:3]), tuple(places[3:])]
    metrics = []
    for g in groups:
        root = rng.normal(size=(len(g), len(g)))
        metrics.append(root @ root.T + 0.1 * np.eye(len(g)))
        metrics[-1] = 0.5 * (metrics[-1] + metrics[-1].T)
    if kind != "l2":
        weights = plain_weights(np.exp(rng.normal(size=3)))
        return BlockNorm(kind, tuple(groups), metrics, weights).parts
    pairs = zip(groups, metrics, strict=True)
    entries = {
        (g[i], g[j]): Fraction(float(v)) for g, M in pairs for (i, j), v in np.ndenumerate(M)
    }
    return SparseL2(5, entries).parts


def length(norm: PartNorm, z):
    own = [
        float(p.scale) * math.sqrt(z[list(p.places)] @ p.metric @ z[list(p.places)])
        for p in norm.parts
    ]
    return {"linf": max(own), "l1": sum(own), "l2": math.hypot(*own)}[norm.combine]


@settings(max_examples=50, deadline=None)
@given(rngs, st.sampled_from(["linf", "l1", "l2"]))
def test_dual_norms_and_the_overshoot_are_bounds_and_reached(rng, kind):
    norm = random_norm(rng, kind)
    a = rng.normal(size=5)
    dual = math.sqrt(norm.dual_squared({i: Fraction(float(v)) for i, v in enumerate(a)}))
    Z = rng.normal(size=(300, 5))
    sizes = np.array([length(norm, z) for z in Z])
    assert ((Z @ a) / sizes).max() <= dual * (1 + 1e-9)
    # The best z of each part on its own, together as the norm allows, reaches it.
    best = np.zeros(5)
    for p in norm.parts:
        own = list(p.places)
        y = np.linalg.solve(p.metric, a[own])
        gain = math.sqrt(a[own] @ y) / float(p.scale)
        if kind == "l1" and gain < dual * (1 - 1e-9):
            continue
        best[own] = y / float(p.scale) ** (2 if kind == "l2" else 1)
        if kind != "l2":
            best[own] /= math.sqrt(a[own] @ y)
    assert a @ best / length(norm, best) >= dual * (1 - 1e-9)
    ratios = np.linalg.norm(Z, axis=1) / sizes
    assert ratios.max() / ratios.min() <= norm.overshoot


@settings(max_examples=30, deadline=None)
@given(rngs, st.sampled_from(["linf", "l1", "l2"]))
def test_a_ball_of_the_region_grows_at_most_by_what_is_said(rng, kind):
    norm = random_norm(rng, kind)
    places = rng.permutation(5)[:3].tolist()
    root = rng.normal(size=(3, 3))
    M = [[Fraction(float(v)) for v in row] for row in root @ root.T]
    k = math.sqrt(norm.growth_squared(M, places))
    for z in rng.normal(size=(100, 5)):
        own = z[places]
        assert math.sqrt(own @ (root @ root.T) @ own) <= k * length(norm, z) * (1 + 1e-9)


def test_a_region_that_is_a_ball_holds_the_ball_of_a_composite():
    whole = rm.Box(SIDES.sides, ball({"first.x": 0.0, "third.x": 0.0}, 1.5).constraints)
    found = prove_trajectories(certify_network(LAGS, whole))
    assert isinstance(found, Trajectories), found
    assert isinstance(verify(found.certificate), Proved)
