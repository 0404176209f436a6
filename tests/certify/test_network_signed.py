"""Networks whose signs count: closed forms, dense eigenvalues as oracle, edits refused."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.certify import (
    Estimated,
    Proved,
    certify_network,
    network_rate,
    network_table,
    verify,
)
from riemannian_modules.errors import CertificateError, ConvergenceError
from tests.cases import systems as s
from tests.strategies import rngs

LONG_RING = pytest.param(1000, marks=pytest.mark.slow)


class Repressed(rm.Flow):
    """``x' = k / (1 + s^2) - x``."""

    state, inputs = rm.space("x"), rm.space("s")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return {"x": p.k / (1 + u.s**2) - x.x}


class Stage(rm.Flow):
    """``x' = g s - x``."""

    state, inputs = rm.space("x"), rm.space("s")
    parameters = {"g": 1.0}

    def equations(self, x, u, p):
        return {"x": p.g * u.s - x.x}


def wired_ring(*nodes):
    wiring = rm.Wiring(**{f"n{i}": node for i, node in enumerate(nodes)})
    for i in range(len(nodes)):
        wiring.connect(f"n{i}.x", f"n{(i + 1) % len(nodes)}.s")
    return wiring.build()


def goodwin_closed_form(n, k):
    strength = k * 3 * np.sqrt(3) / 8
    return 1 - strength ** (1 / n) * np.cos(np.pi / (n + 1)) ** ((n + 1) / n)


def goodwin(n, k, kind):
    """The ring of case P14 with its region: n modules, or one module with n states."""
    if kind == "traced":
        return s.HillRing(n, k), rm.box(x=(0, np.inf))
    ring = wired_ring(Repressed(k=k), *(Stage() for _ in range(n - 1)))
    return ring, rm.box({f"n{i}.x": (0, np.inf) for i in range(n)})


@pytest.mark.parametrize("n", [120, LONG_RING])
@pytest.mark.parametrize("kind", ["modules", "traced"])
def test_a_long_goodwin_ring_is_proved_to_a_thousandth_of_the_closed_form(kind, n, tmp_path):
    ring, region = goodwin(n, 1.0, kind)
    answer = certify_network(ring, region)
    closed = goodwin_closed_form(n, 1.0)
    assert isinstance(answer, Proved)
    # No constant metric contracts faster; the gains alone of a thousand would end at 0.9887 of it.
    assert 0.999 * closed <= answer.rate <= closed
    again = verify(answer.certificate.save(tmp_path / "ring.json.gz"))
    assert isinstance(again, Proved)
    assert again.bound == answer.bound


@pytest.mark.parametrize("n", [120, LONG_RING])
def test_a_long_goodwin_ring_that_grows_has_its_growth_bounded(n):
    ring, region = goodwin(n, 4.0, "modules")
    closed = goodwin_closed_form(n, 4.0)
    assert closed < 0
    bound = network_rate(ring, region).rate
    assert -closed <= bound <= -1.01 * closed
    assert not isinstance(certify_network(ring, region), Proved)
    grown = certify_network(ring, region, rate=1.01 * closed)
    assert isinstance(grown, Proved)
    assert isinstance(verify(grown.certificate), Proved)


@pytest.mark.parametrize("kind", ["modules", "traced"])
def test_a_short_goodwin_ring_is_never_above_its_closed_form(kind):
    for n, k in [(3, 1.0), (6, 2.0)]:
        bound = network_rate(*goodwin(n, k, kind)).rate
        assert -bound <= goodwin_closed_form(n, k)


@pytest.mark.parametrize("n", [10, LONG_RING])
def test_a_cascade_reaches_its_slowest_nodes_rate(n, tmp_path):
    wiring = rm.Wiring(**{f"n{i}": Stage() for i in range(n)}).input("u", "n0.s")
    for i in range(1, n):
        wiring.connect(f"n{i - 1}.x", f"n{i}.s")
    cascade = wiring.build()
    answer = certify_network(cascade)
    assert isinstance(answer, Proved)
    assert 0.99 <= answer.rate < 1.0
    again = verify(answer.certificate.save(tmp_path / "cascade.json"))
    assert isinstance(again, Proved)
    assert again.bound == answer.bound
    # Less rate is paid back in conditioning: weights grow by 1 / (1 - rate) a stage.
    slow = certify_network(cascade, rate=0.5)
    assert isinstance(slow, Proved)
    assert spread_of(slow) == pytest.approx(n - 1, rel=0.01)
    assert spread_of(answer) > 5 * spread_of(slow)


def spread_of(proof):
    logs = [row.number for row in network_table(proof) if row.rule == "weight"]
    return max(logs) - min(logs)


@pytest.mark.parametrize("g", [1.2, 1.24])
def test_a_negative_feedback_ring_contracts_up_to_the_secant(g):
    nodes = [Stage(g=g) for _ in range(4)]
    ring = wired_ring(Stage(g=-g), *nodes)
    answer = certify_network(ring)
    if g < 1 / np.cos(np.pi / 5):
        assert isinstance(answer, Proved)
        closed = 1 - g * np.cos(np.pi / 5)
        assert closed * (1 - 1e-9) <= answer.rate <= closed
    else:
        assert not isinstance(answer, Proved)


@pytest.mark.parametrize("K", [1.0, 1000.0])
def test_skew_feedback_cancels_whatever_its_gain(K):
    W = np.array([[0.4, 0.3], [-0.3, 0.2]])
    answer = certify_network(s.SkewFeedback(W, K), rm.box(y=(-10, 10)))
    assert isinstance(answer, Proved)
    # Only diag(1, 1, 4) cancels a large K; what is left is W tanh(x), with slopes in [0, 1]^2.
    slopes = [np.diag(c) for c in np.ndindex(2, 2)]
    own = 1 - max(np.linalg.eigvalsh(W @ D + D @ W.T)[-1] / 2 for D in slopes)
    assert answer.rate >= own * (1 - 1e-6)
    assert K < 10 or answer.rate <= own * (1 + 1e-3)


class Oscillators(rm.Flow):
    """Damped pairs joined by skew couplings of any strength, in a ring."""

    def __init__(self, couplings, weights):
        self.couplings, self.weights = np.asarray(couplings), np.asarray(weights)
        self.state = rm.space(x=len(weights))

    def equations(self, x, u, p):
        w, k, n = self.weights, self.couplings, len(self.weights)
        rows = [
            -x.x[i]
            - np.tanh(x.x[i])
            + k[i] * x.x[(i + 1) % n] / w[i]
            - k[i - 1] * x.x[i - 1] / w[i]
            for i in range(n)
        ]
        return {"x": np.stack(rows)}


@given(rngs, st.integers(3, 30))
@settings(max_examples=8)
def test_skew_couplings_in_a_ring_cost_no_rate(rng, n):
    # d_i = w_i makes every pair cancel; what is left is -1 - slope, at most -1.
    system = Oscillators(rng.integers(1, 1000, n).astype(float), 2.0 ** rng.integers(-3, 4, n))
    answer = certify_network(system)
    assert isinstance(answer, Proved)
    assert 1 - 1e-6 <= answer.rate <= 1.0


class RandomNetwork(rm.Flow):
    """``x' = -2 x + A tanh(x)`` with a sparse A."""

    def __init__(self, A):
        self.A = A
        self.state = rm.space(x=len(A))

    def equations(self, x, u, p):
        t = np.tanh(x.x)
        rows = [
            -2 * x.x[i] + sum((self.A[i, j] * t[j] for j in np.flatnonzero(row)), 0.0 * x.x[i])
            for i, row in enumerate(self.A)
        ]
        return {"x": np.stack(rows)}


@given(rngs, st.integers(2, 12))
@settings(max_examples=12)
def test_no_bound_is_below_the_spectral_abscissa_of_any_point(rng, n):
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.4)
    bound = network_rate(RandomNetwork(A)).rate
    for slopes in (np.ones(n), rng.random(n), np.zeros(n)):
        J = -2 * np.eye(n) + A * slopes
        assert bound >= np.linalg.eigvals(J).real.max() - 1e-9 * (1 + np.abs(J).max())


@pytest.mark.parametrize("m", [5, pytest.param(12, marks=pytest.mark.slow)])
def test_a_grid_of_nodes_is_certified(m):
    A = np.zeros((m * m, m * m))
    for i in range(m * m):
        for j in (i + 1 if (i + 1) % m else -1, i + m):
            if 0 <= j < m * m:
                A[i, j], A[j, i] = 0.3, -0.45
    answer = certify_network(RandomNetwork(A))
    assert isinstance(answer, Proved)
    assert isinstance(verify(answer.certificate), Proved)
    J = -2 * np.eye(m * m) + A
    assert answer.rate <= -np.linalg.eigvals(J).real.max()


def test_edits_of_a_signed_certificate_are_not_proved():
    answer = certify_network(*goodwin(40, 1.0, "traced"))
    data = json.loads(json.dumps(answer.certificate.data))
    assert data["evidence"]["rule"] == "monolithic"
    assert isinstance(verify(data), Proved)

    def edited(change):
        twin = copy.deepcopy(data)
        change(twin)
        return verify(twin)

    def entry(twin, k, value):
        twin["claim"]["norm"]["metric"]["entries"][k][2] = value

    def unranged(twin):
        for atom in twin["evidence"]["atoms"]:
            atom.pop("range", None)

    def range_of(twin):
        return next(a["range"] for a in twin["evidence"]["atoms"] if "range" in a)

    assert isinstance(
        edited(lambda t: t["claim"].update(bound=1.01 * t["claim"]["bound"])), Estimated
    )
    assert isinstance(edited(lambda t: entry(t, 5, -1.0)), Estimated)
    assert isinstance(edited(lambda t: entry(t, 5, 3.0)), Estimated)
    assert isinstance(edited(unranged), Estimated)
    for change in (
        lambda t: t["region"]["sides"][39].__setitem__(1, "-inf"),
        lambda t: range_of(t).update(upper=0.3),
        lambda t: range_of(t).update(cuts=[None]),
        lambda t: t["evidence"].update(cuts=[[0, 1.0], None, None]),
        lambda t: t["claim"]["norm"]["metric"].update(size=41),
        lambda t: t["claim"]["norm"]["metric"]["entries"].append([0, 0, 1.0]),
    ):
        with pytest.raises(CertificateError):
            edited(change)


def test_a_tables_numbers_recompute_the_bound():
    answer = certify_network(wired_ring(Stage(g=0.5), Stage(g=0.25)))
    rows = network_table(answer)
    totals = [row.number for row in rows if row.rule == "total"]
    assert max(totals) == answer.bound.rate
    gains = {(row.to, row.source): row.number for row in rows if row.rule == "gain"}
    assert gains == {("n0", "n1"): 0.5, ("n1", "n0"): 0.25}
    weight = {row.to: 2.0**row.number for row in rows if row.rule == "weight"}
    assert -1 + 0.5 * weight["n1"] / weight["n0"] <= answer.bound.rate + 1e-12


class Root(rm.Flow):
    """``x' = -x + sqrt(s)``."""

    state, inputs = rm.space("x"), rm.space("s")

    def equations(self, x, u, p):
        return {"x": -x.x + np.sqrt(u.s)}


def test_nothing_is_proved_where_the_map_is_undefined():
    ring = wired_ring(Root(), Stage())
    assert isinstance(certify_network(ring), Estimated)
    with pytest.raises(ConvergenceError):
        network_rate(ring)
    inside = rm.box({"n1.x": (4.0, 9.0)})
    assert isinstance(certify_network(ring, inside), Proved)
