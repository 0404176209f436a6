"""Further cases of the reference kinds: closed forms are reached, and what is false is refused."""

from itertools import product

import numpy as np
import pytest
from scipy.linalg import solve_continuous_are, solve_continuous_lyapunov

import riemannian_modules as rm
from riemannian_modules.certify import (
    Budget,
    Estimated,
    Refuted,
    across_symmetries,
    certify,
    coordinates,
    l1,
    l2,
    linf,
)
from riemannian_modules.errors import MetricError, SignatureError, UnsupportedError
from tests.cases import systems as s
from tests.cases import systems_more as m
from tests.cases.truths import EXACT, Case
from tests.nightly import gate_without


def dyadic(M, bits=40):
    """A symmetric matrix of short binary numbers near M."""
    return np.round((M + M.T) * 2.0 ** (bits - 1)) / 2.0**bits


def sheared(A, power, norm):
    module = m.Sheared(A, power)
    A, P = np.asarray(A, dtype=float), np.eye(2)
    chosen = coordinates(module.coordinates) if norm == "theta" else l2(module.metric(P))
    return Case(module, rm.box(), chosen, -np.linalg.eigvalsh(A + A.T)[-1] / 2, EXACT)


def sheared_step(A):
    shear = m.Sheared(np.eye(2), 3)
    region, truth = rm.box(x=(-0.5, 0.5), y=(-0.5, 0.5)), np.linalg.norm(A, 2)
    norm, asked = l2(shear.metric(np.eye(2))), {"factor": 1.0009 * truth}
    return Case(m.ShearedStep(A), region, norm, truth, options=asked)


def oscillators(n, K, gamma):
    module = m.Kuramoto(n, K)
    horizontal = across_symmetries(module)
    # The Euclidean distance of two classes: min |x| over L x = z is sqrt(z^T (L L^T)^-1 z). The
    # worst Laplacian has two groups gamma apart: n cos(gamma) (K / n).
    M = dyadic(np.linalg.inv(horizontal.L @ horizontal.L.T))
    return Case(
        module, m.arc(n, gamma), l2(M), K * np.cos(gamma), options={"horizontal": horizontal}
    )


def layer(seed, n, gain):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, n))
    return gain * A / np.abs(A).sum(1).max(), rng.normal(size=(n, n)), rng.normal(size=n)


def implicit_flow(seed, n):
    A, B, b = layer(seed, n, 0.75)
    signed = np.abs(A).sum(1) + np.minimum(2 * np.diag(A), 0)  # A_ii by its sign
    return Case(m.ImplicitLayer(A, B, b), rm.box(), linf(np.ones(n)), 1 - max(signed.max(), 0))


def implicit_iteration(seed, n):
    A, B, b = layer(seed, n, 0.75)
    return Case(m.ImplicitIteration(A, B, b), rm.box(), linf(np.ones(n)), np.abs(A).sum(1).max())


def picard(seed, n):
    A, B, b = layer(seed, n, 0.75)
    truth = np.linalg.norm(A, 2)
    asked = {"factor": 1.0005 * truth}
    return Case(m.ImplicitIteration(A, B, b), rm.box(), l2(np.eye(n)), truth, options=asked)


def neural_ode(seed):
    rng = np.random.default_rng(seed)
    W1, W2 = rng.normal(size=(3, 2)), rng.normal(size=(2, 3))
    W2 *= 0.5 / np.linalg.norm(np.abs(W2) @ np.abs(W1), 2)
    module = m.NeuralODE(W1, W2, rng.normal(size=(3, 1)), np.zeros(3))
    # Each neuron's slope may be anything in (0, 1): states and input are as many as neurons.
    worst = max(
        np.linalg.eigvalsh(S + S.T)[-1] / 2
        for d in product((0, 1), repeat=3)
        for S in [W2 @ np.diag(d) @ W1 - 0.875 * np.eye(2)]
    )
    region = rm.box(k=(0.875, 1.25))
    return Case(module, region, l2(np.eye(2)), -worst, options={"rate": -0.9995 * worst})


def pathway(weights, norm):
    # A column (row) has -2 and at most 1 / (1 + s)^2 <= 1, weighed by 1/4: 2 - 1/4.
    return Case(m.Cascade(len(weights), 1.0, 2.0), rm.box(x=(0, 9), signal=(0, 9)), norm, 1.75)


def quadrotor(seed):
    A, B = m.hover()
    Q, R = np.diag([1.0] * 6 + [4, 4, 1, 1]), np.diag([1.0, 0.5, 0.5])
    gain = np.linalg.solve(R, B.T @ solve_continuous_are(A, B, Q, R))
    gain = np.round(gain * 64) / 64
    closed = A - B @ gain
    rng = np.random.default_rng(seed)
    W1, W2 = (np.round(rng.normal(size=k) * 16) / 64 for k in ((4, 10), (3, 4)))
    M = dyadic(solve_continuous_lyapunov((closed + 0.75 * np.eye(10)).T, -np.eye(10)), 20)
    worst = max(
        np.linalg.eigvals(np.linalg.solve(M, (M @ J + J.T @ M) / 2)).real.max()
        for d in product((0, 1), repeat=4)
        for J in [closed + 0.1 * B @ W2 @ np.diag(d) @ W1]
    )
    module = m.Quadrotor(A, B, gain, W1, W2)
    return Case(module, rm.box(wind=(-1, 1)), l2(M), -worst, options={"rate": -0.9995 * worst})


def network(seed, activation, inputs=784, neurons=50, outputs=10):
    rng = np.random.default_rng(seed)
    W1 = rng.normal(size=(neurons, inputs)) / np.sqrt(inputs)
    W2 = rng.normal(size=(outputs, neurons)) / np.sqrt(neurons)
    first, last = rm.Affine(W1, rng.normal(size=neurons)), rm.Affine(W2, rng.normal(size=outputs))
    # With more inputs than neurons, some input has every slope at its largest: this is attained.
    attained = np.linalg.norm(W2 @ W1, 2)
    return Case(rm.chain(first, activation(neurons), last), None, None, attained, 0.99)


PLANE = [[-1.0, 1.0], [-1.0, -2.0]]
SLANT = [[-1.0, 0.5], [0.0, -2.0]]
SENSOR = m.Observer([[1.0, 0.25], [0.0, 1.0]], [1.0, 0.0], [0.75, 0.5])

POSITIVE = {
    "shear of degree 4 in coordinates": lambda: sheared(PLANE, 3, "theta"),
    "shear of degree 4 as a metric": lambda: sheared(SLANT, 3, "metric"),
    "shear of degree 6 in coordinates": lambda: sheared(SLANT, 4, "theta"),
    "shear of degree 6 as a metric": lambda: sheared(PLANE, 4, "metric"),
    # No metric exceeds the eigenvalues at the equilibrium, -1/2 +- 1.66 i.
    "searched metric of degree 6": lambda: Case(m.MooreGreitzer(), None, l2(degree=6), 0.5),
    "sheared step": lambda: sheared_step([[0.5, 0.25], [0.0, 0.5]]),
    "three oscillators": lambda: oscillators(3, 2.0, 1.0),
    "four oscillators": lambda: oscillators(4, 1.0, 0.5),
    "five oscillators": lambda: oscillators(5, 0.5, 1.25),
    "eight oscillators": lambda: oscillators(8, 1.0, 0.75),
    "implicit layer as a flow": lambda: implicit_flow(1, 4),
    "implicit layer of ten": lambda: implicit_flow(2, 10),
    "implicit layer as an iteration": lambda: implicit_iteration(3, 6),
    "implicit layer in l2": lambda: picard(4, 4),
    "neural ODE": lambda: neural_ode(5),
    "parameters and a signal": lambda: Case(
        m.Parametric(), rm.box(a=(0.5, 2), t=(-0.25, 1)), l2(np.eye(2)), 0.25
    ),
    "metric of a signal": lambda: Case(
        m.Swinging(), rm.box(q=(-5, 5), qd=(-3, 3)),
        coordinates(lambda x, u, p: [[np.exp(u.q)]], rates=lambda x, u, p: {"q": u.qd}),
        1.0, EXACT,
    ),
    "pathway in weighted l1": lambda: pathway([64, 16, 4, 1], l1([64.0, 16, 4, 1])),
    "pathway in weighted linf": lambda: pathway([1, 4, 16, 64], linf([1.0, 4, 16, 64])),
    "observer of a bent sensor": lambda: Case(SENSOR, rm.box(), l2(), 0.7791287847477920),
    "smooth denoiser": lambda: Case(m.Denoiser(5), rm.box(), l2(np.eye(5)), 0.75, EXACT),
    "well of a bistable system": lambda: Case(
        m.Bistable(), rm.box(x=(0.75, 2), u=(-1, 1)), l2(np.eye(1)), 3 * 0.75**2 - 1, EXACT
    ),
    "root away from zero": lambda: Case(
        m.SquareRoot(), rm.box(x=(0.25, 1)), l2(np.eye(1)), 0.5, EXACT
    ),
    "logistic step": lambda: Case(
        m.Logistic(), rm.box(x=(0.375, 0.625), r=(1, 3)), l2(np.eye(1)), 0.75, EXACT
    ),
    "784-12-4 net of ReLU": lambda: network(0, rm.ReLU, 784, 12, 4),
    "784-50-10 net of ReLU": lambda: network(0, rm.ReLU),
    "784-50-10 net of tanh": lambda: network(1, rm.Tanh),
    "quadrotor with a neural controller": lambda: quadrotor(3),
}  # fmt: skip


LONG = (
    "searched metric of degree 6", "five oscillators", "eight oscillators", "implicit layer of ten",
    "784-50-10 net of ReLU", "784-50-10 net of tanh",
)  # fmt: skip


@pytest.mark.parametrize("name", gate_without(POSITIVE, *LONG))
def test_the_true_bound_is_reached_and_never_passed(name, tmp_path):
    POSITIVE[name]().is_reached(tmp_path)


@pytest.mark.parametrize("name", gate_without(POSITIVE, *LONG))
def test_more_than_the_truth_is_not_proved(name):
    POSITIVE[name]().is_not_passed()


HAIR = 2.0**-45
REFUTED = {
    "limit cycle": lambda: certify(m.LimitCycle(), rm.box(x=(-2, 2), y=(-2, 2))),
    "limit cycle off its centre": lambda: certify(m.LimitCycle(), rm.box(x=(0.5, 2), y=(-2, 2))),
    "two wells": lambda: certify(m.Bistable(), rm.box(x=(-2, 2))),
    "a hair above zero": lambda: certify(s.LinearFlow([[-1.0, 1 + HAIR], [1 + HAIR, -1.0]])),
    "contracting on average": lambda: certify(m.OnAverage(), rm.box(u=(-1, 1))),
    "undamped": lambda: certify(s.LinearFlow([[0.0, 1.0], [-4.0, 0.0]])),
    "chaotic step": lambda: certify(m.Logistic(), rm.box(x=(0.1, 0.9), r=(2, 4))),
    "an uncertain parameter too many": lambda: certify(
        m.Parametric(), rm.box(a=(-0.5, 2), t=(-1, 1))
    ),
    "a metric that is too long": lambda: certify(
        s.LinearFlow([[-1.0, 4.0], [0.0, -1.0]]), norm=l2(np.eye(2))
    ),
}


@pytest.mark.parametrize("name", REFUTED)
def test_what_is_false_is_refuted_with_a_witness(name):
    answer = REFUTED[name]()
    assert isinstance(answer, Refuted), answer
    assert answer.witness


def far_oscillators():
    case = oscillators(3, 1.0, 1.75)  # beyond a right angle
    return case.certify(budget=Budget(boxes=200, seconds=2.0))


REFUSED = {
    "oscillators without their quotient": lambda: certify(m.Kuramoto(3), m.arc(3, 1.0)),
    "the shear of another sign": lambda: certify(
        m.Sheared(PLANE, 3), norm=coordinates(lambda x, u, p: [[1.0, -3 * x.y**2], [0.0, 1.0]])
    ),
    "the shear without its term": lambda: certify(m.Sheared(PLANE, 3), norm=l2(np.eye(2))),
    "oscillators more than a right angle apart": far_oscillators,
    "a root of negative numbers": lambda: certify(m.SquareRoot(), rm.box(x=(-1, 1))),
    "a pole in the region": lambda: certify(m.Pole(), rm.box(x=(-1, 2))),
    "coordinates that fold": lambda: certify(
        m.Bistable(), rm.box(x=(-2, 2), u=(0, 0)), norm=coordinates(lambda x, u, p: [[x.x]])
    ),
    "a metric that vanishes": lambda: certify(
        s.LinearFlow([[-1.0]]),
        rm.box(x=(-1, 1)),
        norm=l2(lambda x, u, p: [[x.x[0] ** 2]]),
        budget=Budget(boxes=200, seconds=2.0),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_proved_is_refused(name):
    assert isinstance(REFUSED[name](), (Refuted, Estimated))


FAULTS = {
    "a jump, in whatever norm": (UnsupportedError, lambda: certify(m.Relay())),
    "a metric of an input without its rate": (
        MetricError,
        lambda: certify(m.Swinging(), norm=coordinates(lambda x, u, p: [[np.exp(u.q)]])),
    ),
    "a metric with a kink": (
        MetricError,
        lambda: certify(
            s.LinearFlow([[-1.0]]), norm=l2(lambda x, u, p: [[1 + np.abs(x.x[0])]])
        ),
    ),
    "an indefinite metric": (MetricError, lambda: l2([[1.0, 2.0], [2.0, 1.0]])),
    "directions of another system": (
        SignatureError,
        lambda: certify(
            s.LinearFlow(-np.eye(3)), horizontal=across_symmetries(m.Kuramoto(3))
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_makes_no_sense_is_an_error_that_says_so(name):
    error, request = FAULTS[name]
    with pytest.raises(error):
        request()
