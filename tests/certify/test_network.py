"""The network rule: its bound holds, is the closed form where there is one, and is proved again."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.certify import (
    Estimated,
    Proved,
    Refuted,
    certify_network,
    dag_gain,
    network_bound,
    verify,
)
from riemannian_modules.errors import (
    CertificateError,
    MetricError,
    SignatureError,
    UnsupportedError,
)
from riemannian_modules.search.networks.compose import comparison_bound
from riemannian_modules.search.networks.gain import weighted_gain
from tests.strategies import rngs


class Node(rm.Flow):
    """``z' = -a z + g tanh(s)``: log-norm -a, gain at most g."""

    state, inputs = rm.space("z"), rm.space("s")
    parameters = {"a": 1.0, "g": 0.5}

    def equations(self, x, u, p):
        return {"z": -p.a * x.z + p.g * np.tanh(u.s)}


class Step(rm.StepMap):
    """``z+ = a z + g tanh(s)``."""

    state, inputs = rm.space("z"), rm.space("s")
    parameters = {"a": 0.5, "g": 0.3}

    def equations(self, x, u, p):
        return {"z": p.a * x.z + p.g * np.tanh(u.s)}


def ring(*nodes):
    wiring = rm.Wiring(**{f"n{i}": node for i, node in enumerate(nodes)})
    for i in range(len(nodes)):
        wiring.connect(f"n{i}.z", f"n{(i + 1) % len(nodes)}.s")
    return wiring.build()


def everywhere(graph):
    n = graph.state.size + graph.inputs.size
    return np.full(n, -np.inf), np.full(n, np.inf)


@pytest.mark.parametrize(("n", "g"), [(2, 0.5), (3, 0.9), (8, 0.25)])
def test_a_ring_of_equal_nodes_contracts_at_a_minus_g(n, g):
    answer = certify_network(ring(*[Node(g=g)] * n))
    assert isinstance(answer, Proved)
    # The comparison matrix is -I + g P with P a cyclic shift, whose Perron root is 1.
    assert answer.rate <= 1.0 - g
    assert answer.rate == pytest.approx(1.0 - g, rel=1e-3)


@settings(max_examples=15)
@given(rngs, st.integers(2, 5))
def test_the_bound_is_no_better_than_the_jacobian_and_that_of_the_comparison_matrix(rng, n):
    nodes = [Node(a=rng.uniform(1, 3), g=rng.uniform(0.1, 2)) for _ in range(n)]
    graph = ring(*nodes)
    found = network_bound(graph, *everywhere(graph))
    metzler = np.diag([-node.parameters["a"] for node in nodes])
    for i, node in enumerate(nodes):
        metzler[i, i - 1] += node.parameters["g"]
    abscissa = np.linalg.eigvals(metzler).real.max()
    assert found.bound >= abscissa - 1e-12
    # At zero every tanh has slope one: there the Jacobian is the comparison matrix itself.
    A = graph.jacobian(np.zeros(n), np.zeros(0), graph.theta).A
    assert found.bound >= np.linalg.eigvals(A).real.max() - 1e-12
    assert found.bound <= abscissa + 1e-3 * max(1.0, abs(abscissa))


def test_a_cascade_contracts_nearly_as_its_slowest_node():
    cascade = (
        rm.Wiring(a=Node(a=1.0), b=Node(a=2.0), c=Node(a=3.0, g=50.0))
        .input("s", "a.s")
        .connect("a.z", "b.s")
        .connect("b.z", "c.s")
        .build()
    )
    answer = certify_network(cascade)
    assert isinstance(answer, Proved)
    assert 0.999 <= answer.rate < 1.0


def test_a_loop_gain_above_one_is_refuted_with_a_witness():
    answer = certify_network(ring(Node(g=1.2), Node(g=1.2)))
    assert isinstance(answer, Refuted)
    assert answer.violation > 0
    assert set(answer.witness) == {"n0.z", "n1.z"}
    # The witness' Jacobian is [[-1, s1], [s0, -1]] with slopes s = 1.2 / cosh^2.
    slopes = 1.2 / np.cosh(list(answer.witness.values())) ** 2
    assert np.sqrt(slopes.prod()) - 1 >= answer.violation


def test_couplings_that_cancel_are_seen_by_the_signed_rule():
    # With slopes s, t in [0, 1] the symmetric part is -1 off 0.6 (s - t), at most 0.6 in magnitude.
    answer = certify_network(ring(Node(g=1.2), Node(g=-1.2)))
    assert isinstance(answer, Proved)
    assert answer.rate == pytest.approx(0.4, abs=1e-9)
    assert answer.rate <= 0.4


def test_a_rate_beyond_the_bound_is_not_proved():
    graph = ring(Node(g=0.5), Node(g=0.5))
    assert isinstance(certify_network(graph, rate=0.49), Proved)
    assert not isinstance(certify_network(graph, rate=0.51), Proved)


def test_step_networks_have_factors():
    answer = certify_network(ring(Step(), Step()))
    assert isinstance(answer, Proved)
    assert 0.8 <= answer.factor <= 0.801


def test_the_certificate_is_proved_again_from_its_data_alone(tmp_path):
    inner = ring(Node(a=2.0, g=0.7), Node(g=0.6))
    nested = rm.Wiring(loop=inner, last=Node()).connect("loop.n0.z", "last.s").build()
    answer = certify_network(nested, rm.box({"last.z": (-1.0, 4.0)}))
    assert isinstance(answer, Proved)
    again = verify(answer.certificate.save(tmp_path / "certificate.json"))
    assert isinstance(again, Proved)
    assert again.bound == answer.bound


def test_edits_that_strengthen_a_claim_are_not_proved():
    answer = certify_network(ring(Node(g=0.5), Node(g=0.4)))
    assert isinstance(answer, Proved)
    data = json.loads(json.dumps(answer.certificate.data))
    assert data["evidence"]["rule"] == "network"

    def edited(part, **change):
        twin = copy.deepcopy(data)
        (twin["claim"]["norm"] if part == "norm" else twin[part]).update(change)
        return verify(twin)

    assert isinstance(edited("claim", bound=data["claim"]["bound"] - 0.05), Estimated)
    assert isinstance(edited("norm", weights=[1.0, 100.0]), Estimated)
    assert isinstance(edited("norm", exponents=[0, 9]), Estimated)
    assert isinstance(edited("norm", metrics=[[[-1.0]], [[1.0]]]), Estimated)
    assert isinstance(edited("evidence", checks=data["evidence"]["checks"][:-1]), Estimated)
    lowered = [
        c | {"bound": 0.9 * c["bound"]} for c in data["evidence"]["checks"] if c["bound"] > 0
    ]
    own = [c for c in data["evidence"]["checks"] if c["bound"] <= 0]
    assert isinstance(edited("evidence", checks=own + lowered), Estimated)
    with pytest.raises(CertificateError, match="unknown keys"):
        edited("evidence", table=[])
    with pytest.raises(CertificateError, match="once"):
        edited("evidence", checks=data["evidence"]["checks"] * 2)
    with pytest.raises(CertificateError, match="every state once"):
        edited("norm", groups=[[0], [0]])


@given(rngs, st.integers(1, 4), st.integers(1, 4))
def test_no_matrix_in_the_box_has_a_larger_gain(rng, n, m):
    centre, radius = rng.standard_normal((n, m)), rng.random((n, m)) * rng.choice([0, 0.1])
    roots = [rng.standard_normal((k, k)) + 3 * np.eye(k) for k in (n, m)]
    M_out, M_in = (0.5 * (R.T @ R + (R.T @ R).T) for R in roots)
    bound = weighted_gain(Interval(centre - radius, centre + radius), M_out, M_in)
    L_out, L_in = np.linalg.cholesky(M_out).T, np.linalg.cholesky(M_in).T
    # Forming the oracle's gain loses about cond(M) digits of sixteen.
    slack = 1e-14 * np.linalg.cond(M_out) * np.linalg.cond(M_in)
    for _ in range(5):
        J = centre + radius * rng.uniform(-1, 1, (n, m))
        gain = np.linalg.norm(L_out @ J @ np.linalg.inv(L_in), 2)
        assert gain <= bound * (1 + slack)
    if not radius.any():
        assert bound <= gain * (1 + 1e-12 + slack)


@given(rngs, st.integers(1, 5))
def test_the_comparison_bound_is_the_largest_weighted_row(rng, n):
    C, r = rng.standard_normal((n, n)), rng.uniform(0.1, 2, n)
    bound, rows = comparison_bound(C, r), (C @ r) / r
    rounding = 16 * n * np.finfo(float).eps * np.abs(C).sum() * r.max() / r.min()
    assert rows.max() - rounding <= bound <= rows.max() + rounding


def test_a_row_of_maps_multiplies_gains_and_a_fork_adds_their_squares():
    W, V = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.5, 0.0], [0.0, 0.25]])
    row = rm.Affine(W, np.zeros(2)) >> rm.Tanh(2) >> rm.Affine(V, np.zeros(2))
    gain = dag_gain(row, np.full(2, -1.0), np.full(2, 1.0))
    assert gain == pytest.approx(np.linalg.norm(W, 2) * 0.5, rel=1e-9)
    fork = (
        rm.Wiring(a=rm.Gain(3.0), b=rm.Gain(4.0), both=rm.Mux("first second"))
        .input("u", "a.u", "b.u")
        .connect("a.y", "both.first")
        .connect("b.y", "both.second")
        .output("y", "both.y")
        .build()
    )
    assert dag_gain(fork, np.full(1, -1.0), np.full(1, 1.0)) == pytest.approx(5.0, rel=1e-9)


def test_a_coordinate_that_is_used_twice_counts_twice():
    twice = rm.Wiring(both=rm.Mux("first second")).input("u", "both.first", "both.second").build()
    gain = dag_gain(twice, np.full(1, -1.0), np.full(1, 1.0))
    assert np.sqrt(2.0) <= gain <= np.sqrt(2.0) * (1 + 1e-12)


class Quotient(rm.StaticMap):
    """``y = u / u``: one, where it is defined."""

    inputs, outputs = rm.space("u"), rm.space("y")

    def map(self, u, p):
        return {"y": u.u / u.u}


def test_a_network_that_is_undefined_somewhere_is_not_proved():
    graph = (
        rm.Wiring(node=Node(), quotient=Quotient())
        .input("u", "quotient.u")
        .connect("quotient.y", "node.s")
        .build()
    )
    assert isinstance(certify_network(graph, rm.box(u=(1.0, 2.0))), Proved)
    assert isinstance(certify_network(graph, rm.box(u=(-1.0, 2.0))), Estimated)
    assert isinstance(certify_network(graph), Estimated)
    row = Quotient() >> rm.Gain(2.0)
    assert np.isinf(dag_gain(row, np.full(1, -1.0), np.full(1, 1.0)))
    assert np.isfinite(dag_gain(row, np.full(1, 1.0), np.full(1, 2.0)))


@pytest.mark.parametrize(
    "matrix", [[[1.0, 5.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]], [[1.0]], [[np.nan, 0], [0, 1]]]
)
def test_what_is_no_metric_of_the_node_is_refused_and_never_bounds_anything(matrix):
    plant = rm.StateSpace([[-1.0, 0.5], [0.0, -2.0]], [[1.0], [0.0]], [[1.0, 0.0]])
    graph = rm.Wiring(plant=plant).input("r", "plant.u").build()
    with pytest.raises(MetricError, match=r"metric|Metric"):
        network_bound(graph, *everywhere(graph), metrics={"plant": np.array(matrix)})
    with pytest.raises(SignatureError, match="no nodes"):
        network_bound(graph, *everywhere(graph), metrics={"plan": np.eye(2)})


def test_requests_that_do_not_fit_are_refused():
    graph = ring(Node(), Node())
    with pytest.raises(UnsupportedError, match="state"):
        certify_network(rm.Tanh(2) >> rm.Tanh(2))
    with pytest.raises(SignatureError, match="rate"):
        certify_network(ring(Step(), Step()), rate=0.1)
    with pytest.raises(SignatureError, match="no nodes"):
        certify_network(graph, metrics={"n7": np.eye(1)})
    with pytest.raises(UnsupportedError, match="dag_gain"):
        network_bound(rm.Tanh(1) >> rm.Tanh(1), np.zeros(1), np.zeros(1))
