"""Bounds of neural layers: proved, tight, never below what the module does, and refused if altered.

Oracles: Jacobians at many points from below, closed forms, exact rational elimination.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.certify import l2
from riemannian_modules.claims.answer import Answer, Estimated, Proved
from riemannian_modules.errors import RiemannianError
from riemannian_modules.evidence.verify import verify
from riemannian_modules.modules import (
    ELU,
    GELU,
    Affine,
    DiscreteStateSpace,
    Gain,
    Integrator,
    Lag,
    LeakyReLU,
    MatrixGain,
    ReLU,
    Saturation,
    Sigmoid,
    SiLU,
    Softplus,
    StateSpace,
    Sum,
    Tanh,
    UnitDelay,
)
from riemannian_modules.search.layers.implicit_layer import implicit_layer
from riemannian_modules.search.layers.slopes import certify_slopes
from tests.shared import shared_path

Array = Any
ACTIVATIONS: list[Callable[[int], rm.RiemannianModule]] = [
    ReLU, Tanh, Sigmoid, Softplus, GELU, SiLU, LeakyReLU, ELU, lambda k: Saturation(-1.0, 1.0, k),
]  # fmt: skip


def mlp(weights: Sequence[Array], activation: Callable[[int], Any] = ReLU) -> rm.ModuleGraph:
    rng = np.random.default_rng(len(weights))
    layers: list[Any] = []
    for W in weights[:-1]:
        layers += [Affine(W, rng.normal(size=len(W))), activation(len(W))]
    return rm.chain(*layers, Affine(weights[-1]))


def random_weights(seed: int, *sizes: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(out, into)) * np.sqrt(2 / into) for into, out in pairwise(sizes)]


def proved(answer: Answer) -> Proved:
    assert isinstance(answer, Proved), str(answer)
    again = verify(json.loads(json.dumps(answer.certificate.data)))
    assert isinstance(again, Proved)
    assert again.bound == answer.bound
    assert again.certificate.statement == answer.certificate.statement
    return answer


def sampled_gain(module: rm.RiemannianModule, count: int = 400, reach: float = 3.0) -> float:
    s = module.signature
    rng = np.random.default_rng(0)
    u = reach * rng.normal(size=(count, s.inputs.size))
    D = module.jacobian(np.zeros((count, 0)), u, module.theta).D
    return float(np.linalg.norm(D, 2, axis=(-2, -1)).max())


def test_the_published_net_is_proved_within_a_millionth_of_its_exact_constant() -> None:
    arrays = np.load(shared_path("cases", "lipsdp_random_weights.npz"))
    weights = [arrays[f"arr_{i}"] for i in range(4)]
    answer = proved(certify_slopes(mlp(weights)))
    exact = 36.48222959637795  # |W4 W3 W2 W1|, attained where all units are on
    assert exact <= answer.factor <= exact * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_nets_of_nonnegative_weights_are_proved_at_the_norm_of_the_product(seed: int) -> None:
    weights = [np.abs(W) for W in random_weights(seed, 3, 8, 6, 2)]
    exact = float(np.linalg.norm(weights[2] @ weights[1] @ weights[0], 2))
    assert exact * (1 - 1e-14) <= proved(certify_slopes(mlp(weights))).factor <= exact * (1 + 1e-8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_bound_lies_below_the_gain_at_a_point(activation: Callable[[int], Any]) -> None:
    module = mlp(random_weights(1, 3, 7, 7, 2), activation)
    answer = proved(certify_slopes(module))
    assert sampled_gain(module) <= answer.factor
    assert answer.factor <= np.prod([
        np.linalg.norm(W, 2) for W in random_weights(1, 3, 7, 7, 2)
    ]) * 1.13**2  # fmt: skip


def test_gelu_and_silu_may_be_steeper_than_one_and_fall() -> None:
    # One unit: the constant is the largest slope, and of u -> -u + 2 gelu(u) the lowest counts too.
    for kind, low, high in ((GELU, -0.12890414518515, 1.12890414518515),
                            (SiLU, -0.09983932012887, 1.09983932012887)):  # fmt: skip
        assert proved(certify_slopes(kind(1))).factor == pytest.approx(high, rel=1e-8)
        skip = (
            rm.Wiring(a=kind(1), g=Gain(2.0, 1), s=Sum("+-", 1))
            .input("u", "a.u", "s.u2").connect("a.y", "g.u").connect("g.y", "s.u1")
            .output("y", "s.y").build()
        )  # fmt: skip
        exact = max(abs(2 * low - 1), abs(2 * high - 1))
        assert proved(certify_slopes(skip)).factor == pytest.approx(exact, rel=1e-8)


def test_residual_connections_are_followed_exactly_through_the_wiring() -> None:
    W1, W2, W3, W4 = random_weights(2, 3, 5, 3, 6, 2)
    net = (
        rm.Wiring(a=Affine(W1), t=Tanh(5), b=Affine(W2), s=Sum("++", 3), c=Affine(W3), r=GELU(6),
                  d=Affine(W4))
        .input("u", "a.u", "s.u1").connect("a.y", "t.u").connect("t.y", "b.u")
        .connect("b.y", "s.u2").connect("s.y", "c.u").connect("c.y", "r.u").connect("r.y", "d.u")
        .output("y", "d.y").build()
    )  # fmt: skip
    answer = proved(certify_slopes(net))
    assert sampled_gain(net) <= answer.factor
    # The product W3 W2 is no matrix of doubles; the certificate holds it exactly.
    assert any(isinstance(e, str) for row in _rows(answer, "D") for e in row)
    worst = np.linalg.norm(W4, 2) * 1.13 * np.linalg.norm(W3, 2)
    assert answer.factor <= worst * (1 + np.linalg.norm(W2, 2) * np.linalg.norm(W1, 2))


def _rows(answer: Proved, name: str) -> Any:
    matrix = answer.certificate.data["system"][name]
    return matrix if isinstance(matrix, list) else matrix["entries"]


class Firing(rm.Flow):
    """``x' = -x + tanh(A x + u)``."""

    state, inputs = rm.space(x=3), rm.space(u=3)
    A = np.array([[0.5, 0.2, 0.1], [0.2, 0.4, -0.1], [0.1, -0.1, 0.3]])

    def equations(self, x: Any, u: Any, p: Any) -> Any:
        return -x.x + np.tanh(self.A @ x.x + u.u)


def test_a_firing_rate_network_contracts_at_its_optimal_rate() -> None:
    exact = 1 - float(np.linalg.eigvalsh(Firing.A)[-1])
    assert proved(certify_slopes(Firing())).rate >= 0.9995 * exact
    assert proved(certify_slopes(Firing(), norm=l2(Firing.A))).rate >= (1 - 1e-8) * exact
    assert proved(certify_slopes(Firing(), rate=(1 - 1e-6) * exact)).rate == (1 - 1e-6) * exact
    assert isinstance(certify_slopes(Firing(), rate=(1 + 1e-6) * exact), Estimated)


def test_the_same_network_of_modules_has_the_same_rate() -> None:
    wired = (
        rm.Wiring(x=Lag(1.0, size=3), W=MatrixGain(Firing.A), s=Sum("++", 3), t=Tanh(3))
        .input("u", "s.u1").connect("x.y", "W.u").connect("W.y", "s.u2").connect("s.y", "t.u")
        .connect("t.y", "x.u").output("y", "x.y").build()
    )  # fmt: skip
    one, other = (proved(certify_slopes(m, norm=l2(Firing.A))).rate for m in (wired, Firing()))
    assert one == pytest.approx(other, rel=1e-7)


class Pendulum(rm.Flow):
    """A pendulum with a PD controller."""

    state = rm.space("q v")

    def equations(self, x: Any, u: Any, p: Any) -> Any:
        return {"q": x.v, "v": -6 * x.q - 4 * np.sin(x.q) - 3 * x.v}


def test_one_nonlinearity_is_proved_at_the_rate_of_the_circle_criterion() -> None:
    exact = 0.4672044410113554  # d - 2 l with sqrt(k2 - d l + l^2) - sqrt(k1 - d l + l^2) = d - 2 l
    assert 0.9995 * exact <= proved(certify_slopes(Pendulum())).rate <= exact
    assert isinstance(certify_slopes(Pendulum(), norm=l2(np.eye(2))), Estimated)


class Recurrent(rm.StepMap):
    """``x+ = W tanh(x)``."""

    state = rm.space(x=2)
    W = np.array([[0.5, 0.4], [-0.4, 0.5]])

    def equations(self, x: Any, u: Any, p: Any) -> Any:
        return self.W @ np.tanh(x.x)


def test_a_recurrent_net_contracts_by_its_spectral_radius() -> None:
    exact = float(np.sqrt(0.41))
    assert exact <= proved(certify_slopes(Recurrent())).factor <= exact * (1 + 1e-7)


def test_a_neural_ode_contracts_no_faster_than_its_jacobians_allow() -> None:
    W1, W2 = (0.4 * W for W in random_weights(3, 4, 12, 4))

    class Neural(rm.Flow):
        state = rm.space(x=4)

        def equations(self, x: Any, u: Any, p: Any) -> Any:
            return -x.x + W2 @ np.tanh(W1 @ x.x + np.ones(12))

    module = Neural()
    answer = proved(certify_slopes(module))
    points = np.random.default_rng(0).normal(size=(300, 4))
    A = module.jacobian(points, np.zeros((300, 0)), module.theta).A
    assert answer.rate <= -np.linalg.eigvals(A).real.max()
    assert answer.rate > 0


def test_states_and_layers_in_a_loop_are_one_form() -> None:
    # A plant with a neural controller; discrete, with a delay and a saturation.
    W1, W2 = (0.2 * W for W in random_weights(4, 2, 6, 1))
    closed = (
        rm.Wiring(plant=StateSpace([[-1.0, 1.0], [0.0, -2.0]], [[0.0], [1.0]], np.eye(2)),
                  a=Affine(W1), r=ReLU(6), b=Affine(W2))
        .connect("plant.y", "a.u").connect("a.y", "r.u").connect("r.y", "b.u")
        .connect("b.y", "plant.u").output("y", "plant.y").build()
    )  # fmt: skip
    assert proved(certify_slopes(closed)).rate > 0.5
    plant = DiscreteStateSpace([[0.5, 0.1], [0.0, 0.4]], [[0.0], [0.3]], np.eye(2))
    sampled = (
        rm.Wiring(plant=plant, a=Affine(W1), r=Saturation(size=6), b=Affine(W2), z=UnitDelay())
        .connect("plant.y", "a.u").connect("a.y", "r.u").connect("r.y", "b.u")
        .connect("b.y", "z.u").connect("z.y", "plant.u").output("y", "plant.y").build()
    )  # fmt: skip
    answer = proved(certify_slopes(sampled))
    J = sampled.jacobian(np.zeros(3), np.zeros(0), sampled.theta).A
    assert np.abs(np.linalg.eigvals(J)).max() <= answer.factor < 1


def test_an_implicit_layer_has_one_solution_and_the_proved_constant() -> None:
    rng = np.random.default_rng(5)
    A = rng.normal(size=(6, 6))
    A = 0.8 * (A - A.T) - 0.3 * np.eye(6)  # well posed, though of a norm above one
    assert np.linalg.norm(A, 2) > 1
    B, C = rng.normal(size=(6, 3)), rng.normal(size=(2, 6))
    answer = proved(certify_slopes(implicit_layer(A, B, C)))
    worst = 0.0
    for _ in range(2000):
        S = np.diag(rng.random(6).round())
        worst = max(worst, float(np.linalg.norm(C @ np.linalg.solve(np.eye(6) - S @ A, S @ B), 2)))
    assert worst <= answer.factor <= 3 * worst


def test_an_implicit_layer_without_a_unique_solution_is_not_proved() -> None:
    answer = certify_slopes(implicit_layer([[1.0]], [[1.0]], [[1.0]]))  # z = max(z + u, 0)
    assert isinstance(answer, Estimated)
    below = certify_slopes(implicit_layer([[0.75]], [[1.0]], [[1.0]]))
    assert proved(below).factor == pytest.approx(4.0, rel=1e-7)


def test_implicit_layers_say_what_does_not_fit() -> None:
    for A, B, C, slope in [
        (np.eye(2), np.ones((3, 1)), np.ones((1, 2)), "relu"),
        (np.eye(2), np.ones((2, 1)), np.ones((1, 2)), "cube"),
        (np.eye(2), np.ones((2, 1)), np.full((1, 2), np.nan), "relu"),
        (np.eye(2), np.ones((2, 1)), np.ones((1, 2)), (1.0, 0.0)),
    ]:
        with pytest.raises(RiemannianError, match="implicit_layer"):
            implicit_layer(A, B, C, activation=slope)  # type: ignore[arg-type]


def test_wide_inputs_cost_what_the_first_layer_costs() -> None:
    weights = random_weights(6, 784, 50, 10)
    answer = proved(certify_slopes(mlp(weights), rm.box(u=(0.0, 1.0))))
    exact_is_above = sampled_gain(mlp(weights), 50)
    product = np.prod([np.linalg.norm(W, 2) for W in weights])
    assert exact_is_above <= answer.factor <= 0.9 * product
    H = np.array(answer.certificate.data["evidence"]["compression"])
    assert H.shape == (50, 50)
    assert len(answer.certificate.data["region"]["sides"]) == 784


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e-80, 1e40, 1e155, 1e300])
@pytest.mark.parametrize("sizes", [(2, 5, 1), (8, 5, 4, 2)])
def test_weights_that_leave_the_range_of_doubles_end_in_an_answer(scale: float, sizes: Any) -> None:
    answer = certify_slopes(mlp([scale * W for W in random_weights(0, *sizes)]))
    assert isinstance(answer, Estimated) or answer.factor >= 0


def test_compression_does_not_change_the_constant() -> None:
    weights = random_weights(7, 9, 4, 2)
    compressed = proved(certify_slopes(mlp(weights))).factor
    whole = proved(certify_slopes(mlp(weights), input_norm=l2(np.eye(9)))).factor
    assert compressed == pytest.approx(whole, rel=1e-7)


def test_metrics_of_inputs_and_outputs_scale_the_constant() -> None:
    net = mlp(random_weights(8, 3, 5, 2))
    plain = proved(certify_slopes(net)).factor
    scaled = proved(certify_slopes(net, norm=l2(9 * np.eye(2)), input_norm=l2(4 * np.eye(3))))
    assert scaled.factor == pytest.approx(1.5 * plain, rel=1e-7)


def test_linear_modules_have_no_neurons_and_exact_bounds() -> None:
    flow = StateSpace([[-1.0, 3.0], [0.0, -2.0]], [[0.0], [1.0]], [[1.0, 0.0]])
    assert proved(certify_slopes(flow)).rate == pytest.approx(1.0, rel=1e-3)
    gain = MatrixGain([[3.0, 0.0], [4.0, 5.0]])
    exact = float(np.linalg.norm([[3.0, 0.0], [4.0, 5.0]], 2))
    assert proved(certify_slopes(gain)).factor == pytest.approx(exact, rel=1e-8)
    assert isinstance(certify_slopes(Integrator(2)), Estimated)  # its rate is zero


def test_modules_of_another_form_are_left_to_other_rules() -> None:
    class Product(rm.Flow):
        state = rm.space("x y")

        def equations(self, x: Any, u: Any, p: Any) -> Any:
            return {"x": -x.x - x.x * x.y, "y": -(x.y**3)}

    answer = certify_slopes(Product())
    assert isinstance(answer, Estimated)
    assert "slope" in answer.reason


@pytest.fixture(scope="module")
def certificate() -> dict[str, Any]:
    return json.loads(
        json.dumps(proved(certify_slopes(mlp(random_weights(9, 5, 4, 3, 2)))).certificate.data)
    )


def _altered(data: dict[str, Any], path: Sequence[Any], value: Any) -> dict[str, Any]:
    twin = copy.deepcopy(data)
    part: Any = twin
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return twin


def test_altered_certificates_are_refused(certificate: dict[str, Any]) -> None:
    b = certificate["claim"]["bound"]
    t = certificate["evidence"]["multipliers"]
    edits: list[tuple[Sequence[Any], Any]] = [
        (("claim", "bound"), b * (1 - 1e-6)),
        (("evidence", "multipliers", 0), 0.0),
        (("evidence", "multipliers", 0), -t[0]),
        (("evidence", "multipliers", 0), 3 * t[0]),
        (("evidence", "multipliers", 5), 0.3 * t[5]),
        (("claim", "norm", "metric", 0), [2.0, 0.0]),
        (("system", "activations"), [[0.0, 1.2]] * 7),
        (("system", "activations"), [["gelu", 7]]),
        (("claim", "norm", "metric"), [[1.0, 0.0], [0.0, -1.0]]),
        (("evidence", "compression", 0, 0), certificate["evidence"]["compression"][0][0] * 2),
    ]
    for path, value in edits:
        assert isinstance(verify(_altered(certificate, path, value)), Estimated), path


def test_certificates_that_say_more_than_is_proved_are_errors(certificate: dict[str, Any]) -> None:
    for path, value in [
        (("claim", "bound"), -certificate["claim"]["bound"]),
        (("claim", "trajectories"), {"center": [], "radius": 1.0}),
        (("evidence", "extra"), 1),
        (("claim", "kind"), "flow"),
        (("claim", "kind"), ["map"]),
        (("claim",), []),
        (("system",), None),
        (("system", "activations"), [[["relu"], 7]]),
        (("system", "activations"), [None] * 7),
        (("system", "C"), {"shape": [7, 5], "entries": [[0, 0, 1.0], [0, 0, 2.0]]}),
        (("system", "C"), {"shape": [7, 5], "entries": [[7, 0, 1.0]]}),
        (("region", "sides"), []),
        (("system", "activations"), [["cube", 7]]),
        (("system", "size"), 4),
        (("version",), 1),
        (("evidence", "multipliers"), [1.0]),
        (("evidence", "multipliers", 0), "inf"),
        (("system", "D"), [[0.0]]),
        (("region", "sides", 0), ["u[0]", 1.0, 0.0]),
    ]:  # fmt: skip
        with pytest.raises(RiemannianError):
            verify(_altered(certificate, path, value))


def test_a_stronger_claim_in_words_is_replaced_by_what_is_proved(
    certificate: dict[str, Any],
) -> None:
    lying = _altered(certificate, ("claim", "statement"), "It contracts at any rate.")
    answer = verify(lying)
    assert isinstance(answer, Proved)
    assert answer.certificate.statement == certificate["claim"]["statement"]
