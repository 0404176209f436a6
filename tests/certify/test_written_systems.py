"""Systems as users write them in NumPy: what is proved is proved again by both from the file."""

import json

import numpy as np
import pytest
from scipy.special import erf, expit

import contraction_checker as checker
import riemannian_modules as rm
from contraction_checker.corners import passes
from contraction_checker.ranges import Range, point
from contraction_checker.refusals import NotProvedError
from riemannian_modules.certify import Budget, Estimated, Proved, Refuted, certify, l1, l2, linf
from riemannian_modules.evidence import decide
from riemannian_modules.search.layers.slopes import certify_slopes
from tests.certify.files import as_read, is_proved_by_all
from tests.certify.test_trajectories import Saturating

BOX = rm.box(x=(-0.75, 1.5), y=(-0.5, 1.25))
TILTED = l2([[1.0, 0.25], [0.25, 0.75]])


class Planar(rm.Flow):
    """``x' = -4 x + g(x, y); y' = -4 y + x / 4``."""

    state = rm.space(x="", y="")

    def __init__(self, g):
        self.g = g

    def equations(self, x, u, p):
        return {"x": -4 * x.x + self.g(x.x, x.y), "y": -4 * x.y + 0.25 * x.x}


class Network(rm.Flow):
    """``x' = -x + W^T phi(V x) / 5``."""

    def __init__(self, phi, V):
        self.phi, self.V, self.state = phi, V, rm.space(x=V.shape[1])

    def equations(self, x, u, p):
        return {"x": -x.x + 0.2 * self.V.T @ self.phi(self.V @ x.x)}


TERMS = {
    "sums of fractions of other symbols": (
        lambda x, y: np.cos(x) * np.sin(y) + 0.5 / (1 + np.exp(-(x + 0.5 * y))), TILTED,
    ),
    "roots and fractions": (
        lambda x, y: np.sqrt(1 + x**2 + y**2) + 0.5 / (1 + np.exp(-(x + 0.5 * y))), TILTED,
    ),
    "roots and logarithms": (
        lambda x, y: np.sqrt(1.25 + (x + 0.5 * y) ** 2) + 0.5 * np.log(2 + x * y), TILTED,
    ),
    "roots of multiples of squares": (
        lambda x, y: np.sqrt(3.25 + (x + 0.5 * y) ** 2) * np.arctan(y), TILTED,
    ),
    "roots in linf": (
        lambda x, y: np.sqrt(1.25 + (x + 0.5 * y) ** 2) + 0.5 * x / (1 + y**2), linf([1, 1.25]),
    ),
    "a slope that jumps": (lambda x, y: x / (1 + y**2) + 0.5 * x * np.abs(y), l1([1, 1.25])),
    "softplus of the negative": (lambda x, y: np.logaddexp(0.0, x) + np.logaddexp(-y, 0), TILTED),
    "two conditions": (
        lambda x, y: np.where(x > y, x, y) + np.where(x + y < 0, 0.5 * (x + y), 0.0), TILTED,
    ),
    "elu": (lambda x, y: np.where(x >= y, x - y, np.expm1(np.minimum(x - y, 0.0))), TILTED),
    "a product with a fold": (lambda x, y: x * np.clip(x + 3 * y, 0, 2) / 6, l1([1, 1.25])),
    "exponents of many digits": (
        lambda x, y: 0.1 * np.exp(0.3 * x) / (1 + np.exp(0.1 * y)), TILTED,
    ),
    "two sigmoids": (
        lambda x, y: 1 / (1 + np.exp(-0.3 * x)) + 1 / (1 + np.exp(-(0.7 * y + 0.1 * x))), l1(),
    ),
    "logarithm of exponentials": (
        lambda x, y: np.log(np.exp(x) + np.exp(2 * y) + 3), TILTED,
    ),
    "a share": (lambda x, y: np.exp(x) / (np.exp(x) + np.exp(y) + np.exp(0.5 * y)), TILTED),
}  # fmt: skip


@pytest.mark.parametrize("name", TERMS)
def test_what_is_written_in_numpy_is_proved_by_all(name):
    g, norm = TERMS[name]
    is_proved_by_all(certify(Planar(g), BOX, norm=norm, budget=Budget(seconds=20)))


@pytest.mark.parametrize("constant", [0.1, 0.3, 0.7, 3.0])
def test_hill_functions_of_any_constant_are_proved_by_all(constant):
    class Hill(rm.Flow):
        state = rm.space(x="")

        def equations(self, x, u, p):
            return {"x": -20 * x.x + 1 / (1 + (x.x / constant) ** 4)}

    answer = is_proved_by_all(certify(Hill(), rm.box(x=(0, 5)), norm=l2([[1.0]])))
    assert answer.rate == pytest.approx(20.0)


V = np.array([[1.0, -0.5, 0.25], [-0.75, 1.0, 0.5], [0.25, 0.125, -1.0]])
PHI = {
    "logistic": (lambda z: 1 / (1 + np.exp(-z)), 0, 0.25),
    "expit": (expit, 0, 0.25),
    "exponential share": (lambda z: np.exp(z) / (1 + np.exp(z)), 0, 0.25),
    "softplus": (lambda z: np.log(1 + np.exp(z)), 0, 1),
    "log1p": (lambda z: np.log1p(np.exp(z)), 0, 1),
    "leaky": (lambda z: np.where(z > 0, z, 0.125 * z), 0.125, 1),
    "elu": (lambda z: np.where(z >= 0, z, np.expm1(np.minimum(z, 0.0))), 0, 1),
    "arctan": (np.arctan, 0, 1),
}


@pytest.mark.parametrize("name", PHI)
def test_a_written_activation_has_the_rate_of_its_slopes_everywhere(name):
    phi, low, high = PHI[name]
    corners = np.array(np.meshgrid(*[(low, high)] * 3)).reshape(3, -1).T
    matrices = (-np.eye(3) + 0.2 * V.T @ np.diag(s) @ V for s in corners)
    truth = -max(np.linalg.eigvalsh(0.5 * (J + J.T))[-1] for J in matrices)
    answer = is_proved_by_all(certify(Network(phi, V), norm=l2(np.eye(3))))
    assert 0.999 * truth <= answer.rate <= truth * (1 + 1e-12)


@pytest.mark.parametrize(
    "phi",
    [
        lambda z: z / (1 + np.exp(-z)),
        lambda z: z * expit(-z),
        lambda z: 0.5 * z * (1 + erf(z / np.sqrt(2))),
        lambda z: z / (1 + np.abs(z)),
    ],
    ids=["silu", "reflected silu", "gelu with a rounded root", "softsign"],
)
def test_written_gates_are_bounded_by_their_slopes_everywhere(phi):
    answer = certify(Network(phi, V), norm=l2(np.eye(3)), budget=Budget(seconds=5))
    assert is_proved_by_all(answer).rate > 0.2


def test_two_layers_of_leaky_slopes_are_no_jump():
    net = rm.chain(
        rm.Affine(np.eye(2)),
        rm.Tanh(2),
        rm.Affine(V[:2, :2]),
        rm.ELU(2),
        rm.Affine(np.ones((1, 2))),
    )
    is_proved_by_all(certify(net, rm.box(u=(-1, 1)), budget=Budget(seconds=5)))


def test_the_slope_of_elu_is_continuous_at_its_fold():
    W, A = np.array([[1.0, -1.0]]), np.array([[1.0, 0.5], [0.5, -1.0]])
    net = rm.chain(rm.Affine(A), rm.ELU(2), rm.Affine(W))
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, 401)] * 2), -1).reshape(-1, 2)
    slopes = np.exp(np.minimum(points @ A.T, 0))
    truth = np.linalg.norm((W * slopes) @ A, axis=1).max()
    answer = is_proved_by_all(certify(net, rm.box(u=(-1, 1))))
    assert truth <= answer.factor <= 1.002 * truth


def test_sixteen_neurons_reach_what_their_multipliers_prove():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(16, 16)) / 4
    module = Saturating(0.5 * A / np.linalg.norm(A, 2))
    answer = certify(module, norm=l2(np.eye(16)), budget=Budget(seconds=10))
    alone = certify_slopes(module, norm=l2(np.eye(16)))
    assert isinstance(answer, Proved)
    assert answer.rate >= alone.rate * (1 - 1e-9) >= 0.5
    assert answer.tried[0].rule == "slopes of activations"


def test_a_target_that_the_uncut_region_proves_has_one_leaf():
    A = 0.5 * np.eye(12) + 0.25 * np.eye(12, k=1)
    answer = certify(Saturating(A), norm=linf(np.ones(12)), rate=0.2)
    assert is_proved_by_all(answer).certificate.data["evidence"]["cuts"] == [None]


GRADIENTS = {  # of convex polynomials plus |x|^2 / 2: the rate is 1
    "power of the distance": lambda x, y: (-x * (x**2 + y**2) - x, -y * (x**2 + y**2) - y),
    "sum of quartics": lambda x, y: (
        -4 * x**3 - 2 * x * y**2 - x, -4 * y**3 - 2 * x**2 * y - y,
    ),
    "a flat direction": lambda x, y: (-4 * (x + y) ** 3 - x, -4 * (x + y) ** 3 - y),
    "with a skew part": lambda x, y: (-x - x**3 + 3 * y, -y - y**3 - 3 * x),
}  # fmt: skip


class Field(rm.Flow):
    """A polynomial field of the plane."""

    state = rm.space(x="", y="")

    def __init__(self, f):
        self.f = f

    def equations(self, x, u, p):
        dx, dy = self.f(x.x, x.y)
        return {"x": dx, "y": dy}


@pytest.mark.parametrize("name", GRADIENTS)
def test_polynomials_contract_on_the_whole_plane_in_a_constant_metric(name):
    module = Field(GRADIENTS[name])
    answer = is_proved_by_all(certify(module, norm=l2(np.eye(2))))
    assert answer.rate == pytest.approx(1.0, rel=1e-9)
    beyond = certify(module, norm=l2(np.eye(2)), rate=1 + 1e-6, budget=Budget(seconds=2))
    assert not isinstance(beyond, Proved)


def test_a_flat_direction_is_proved_on_a_box_where_boxes_would_go_on():
    module, region = Field(GRADIENTS["a flat direction"]), rm.box(x=(-5, 5), y=(-5, 5))
    answer = certify(module, region, norm=l2(np.eye(2)), budget=Budget(seconds=2))
    assert is_proved_by_all(answer).rate == pytest.approx(1.0, rel=1e-9)


def test_terms_that_overflow_are_left_open_or_refuted():
    class Hyperbolic(rm.Flow):
        state, inputs = rm.space(x=""), rm.space(t="")

        def equations(self, x, u, p):
            return {"x": -x.x * (np.cosh(u.t) - np.sinh(u.t))}

    answer = certify(Hyperbolic(), norm=l2([[1.0]]), budget=Budget(seconds=2))
    assert isinstance(answer, (Estimated, Refuted))


def test_a_map_without_a_bound_is_left_open_and_not_refuted():
    class Square(rm.StaticMap):
        inputs, outputs = rm.space(u=""), rm.space(y="")

        def map(self, u, p):
            return {"y": u.u**2 + np.exp(u.u)}

    assert isinstance(certify(Square(), budget=Budget(seconds=2)), Estimated)


def test_the_checker_takes_atoms_one_by_one_beside_others():
    # diag(3) + sum a_k e e^T / 10 over fourteen atoms, one of them in a product as well.
    one = {(i, i): 1 for i in range(2)}
    form = {(): {(0, 0): 30, (1, 1): 30}} | {(k,): one for k in range(14)} | {(0, 1): {(0, 1): 1}}
    ranges = {k: Range(point(0).lo, point(1 << 192).hi) for k in range(14)}
    assert passes(form, ranges, strict=True)
    low = {k: Range(-(1 << 192) * 3, 1 << 192) for k in range(14)}
    assert not passes(form, low, strict=True)
    # The least is where falling atoms are greatest: 300 - 14 * 24 < 0, but not for twelve of them.
    falling = {m: {p: -24 * c for p, c in one.items()} for m in form if len(m) == 1}
    falling |= {(): {(0, 0): 300, (1, 1): 300}, (0, 1): {(0, 1): 1}}
    assert not passes(falling, ranges, strict=True)


def test_an_unknown_sign_of_a_step_is_no_identity():
    # x' = -x + max(x, 0) / 2 does not contract at 0.625, whatever is written for the slope.
    class Half(rm.Flow):
        state = rm.space(x="")

        def equations(self, x, u, p):
            return {"x": -x.x + 0.5 * np.maximum(x.x, 0)}

    data = json.loads(json.dumps(certify(Half(), norm=l2([[1.0]])).certificate.data))
    data["claim"]["bound"] = -0.625
    for written in (["step", ["*", "-1", "x"]], ["+", "1", ["*", "-1", ["step", "x"]]]):
        for pair in data["evidence"]["let"]:
            pair[1] = written
        with pytest.raises(NotProvedError):
            checker.check(as_read(data))


def test_widened_bounds_that_overflow_are_left_open(monkeypatch):
    class Growth(rm.Flow):
        state = rm.space(x="")
        parameters = {"c": 0.0, "d": 0.0}

        def equations(self, x, u, p):
            return {"x": p.c * p.d * x.x}

    monkeypatch.setattr(decide, "MOST_CORNERS", 1)  # as if the corners were too many
    region = rm.box(c=(-1e100, 1e100), d=(-1e100, 1e100))
    assert not isinstance(certify(Growth(), region, norm=l2(np.eye(1))), Proved)
