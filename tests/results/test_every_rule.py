"""Every rule that evidence may name, with every variant of a claim, is explained, drawn, kept."""

import copy
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

import riemannian_modules as rm
from riemannian_modules.certify import Certificate, Proved, network_table, proof_table, verify
from riemannian_modules.cli import UNDECIDED
from riemannian_modules.engine import Trajectory
from riemannian_modules.errors import CertificateError, RiemannianError, SignatureError
from riemannian_modules.evidence.evidence import Evidence
from riemannian_modules.evidence.registry import EVIDENCE, certificate_of
from riemannian_modules.evidence.verify import read_evidence
from riemannian_modules.plot import (
    bound_curve,
    draw_envelope,
    network_graph,
    proved_slice,
    rate_slices,
)
from riemannian_modules.plot.claim import sides_of
from riemannian_modules.plot.proved_envelope import distances
from riemannian_modules.spec import save_system
from tests.certify.hand_written import TRUE
from tests.cli.commands import run, words_of


def example(name):
    """A claim that is true with room to spare, for `verify` rounds where the checker need not."""
    data = copy.deepcopy(TRUE[name])
    if data["evidence"]["rule"] != "sos":  # whose identities hold for one bound alone
        data["claim"]["bound"] += 2.0**-20
    return data


def proof(name) -> Proved:
    answer = verify(example(name))
    assert isinstance(answer, Proved)
    return answer


def test_every_kind_of_evidence_has_an_example():
    """A new kind adds one line to `EVIDENCE`, and one to the certificates written by hand."""
    assert {type(read_evidence(proof(name).certificate)[1]) for name in TRUE} == set(EVIDENCE)


@pytest.mark.parametrize("name", TRUE)
def test_the_numbers_of_every_proof_are_told_in_a_table(name):
    for row in proof_table(proof(name)):
        assert np.isfinite(row.number)
        assert row.rule


@pytest.mark.parametrize("table", [proof_table, network_table])
def test_a_table_of_what_is_no_proof_is_refused_by_name(table):
    for wrong in ("certificate.json", None, example("tanh")):
        with pytest.raises(SignatureError, match="expected a proof"):
            table(wrong)
    for part in ("claim", "system", "region", "evidence"):
        for broken in (None, [], {}, {"type": "slopes", "rule": "slopes", "kind": "flow"}):
            with pytest.raises(CertificateError):
                table(Certificate({**example("tanh"), part: broken}))


@pytest.mark.parametrize("name", TRUE)
def test_evidence_is_written_as_it_was_read(name):
    """What a proof of a file is written as is proved again, by the same kind of evidence."""
    claim, evidence = read_evidence(proof(name).certificate)
    data = json.loads(json.dumps(certificate_of(claim, evidence).data))
    again = verify(data)
    assert isinstance(again, Proved), again
    assert data["evidence"]["rule"] == example(name)["evidence"]["rule"]


def test_no_kind_of_evidence_is_left_out_of_the_registry():
    known = {kind.__name__ for kind in EVIDENCE}
    assert {kind.__name__ for kind in Evidence.__subclasses__()} == known


@pytest.mark.parametrize("name", TRUE)
def test_the_command_line_shows_the_proof_of_every_rule(name, tmp_path):
    data = example(name)
    (tmp_path / "certificate.json").write_text(json.dumps(data))
    result = run("verify", tmp_path / "certificate.json")
    assert result.exit_code == 0, result.output
    said = words_of(result.output)
    assert "PROVED" in said
    assert read_evidence(proof(name).certificate)[1].in_words in said
    assert ("shortest path" in said) == bool(
        {"metric_terms", "factor_terms"} & {*data["claim"]["norm"]}
    )


def test_a_certificate_that_proves_nothing_is_not_shown_as_proved(tmp_path):
    data = copy.deepcopy(TRUE["slopes of layers"])
    data["claim"]["bound"] = -1.0
    (tmp_path / "certificate.json").write_text(json.dumps(data))
    result = run("verify", tmp_path / "certificate.json")
    assert result.exit_code == UNDECIDED
    assert "PROVED" not in result.output
    assert "--region" not in result.output  # nothing is searched


def test_a_layer_of_neurons_in_a_file_is_proved_and_shown(tmp_path):
    wide, thin = 0.1 * np.ones((12, 3)), 0.1 * np.ones((2, 12))
    save_system(rm.chain(rm.Affine(wide), rm.ReLU(12), rm.Affine(thin)), tmp_path / "net.json")
    result = run("certify", tmp_path / "net.json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "PROVED" in result.output
    assert "parts" not in result.output
    assert run("verify", tmp_path / "out" / "certificate.json").exit_code == 0


class Bowl(rm.Flow):
    """A cubic in two states, which contracts everywhere."""

    state = rm.space("x y")

    def equations(self, x, u, p):
        return {"x": -x.x - x.x**3 - x.x * x.y**2, "y": -x.y - x.y**3 - x.y * x.x**2}


def test_a_flow_that_sums_of_squares_prove_on_an_unbounded_region_is_shown(tmp_path):
    save_system(Bowl(), tmp_path / "bowl.json")
    result = run("certify", tmp_path / "bowl.json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["rule"] == "sos"
    assert "an identity in exact fractions" in words_of(result.output)
    assert (tmp_path / "out" / "contraction.png").exists()


def two_paths(answer):
    """Two straight lines in a proof's region, as trajectories of a module of as many states."""
    data = answer.certificate.data
    lower, upper = (np.clip(side, -1.0, 1.0) for side in sides_of(answer))
    n, m = example_sizes(data)
    eye = np.eye(n)
    time = rm.StateSpace if data["claim"]["kind"] == "flow" else rm.DiscreteStateSpace
    module = time(-0.5 * eye, np.zeros((n, m)), eye)
    middle, away = 0.5 * (lower + upper)[:n], 0.25 * (upper - lower)[:n]
    if "horizontal" in data["claim"]:
        away = np.array(data["claim"]["horizontal"]["R"], dtype=float)[:, 0]
    t = np.arange(4.0)
    u = np.broadcast_to(0.5 * (lower + upper)[n : n + m], (4, m))
    states = [middle + s * 0.5 ** t[:, None] * away for s in (0.0, 0.5)]
    return [Trajectory(module, t, x, u, x, module.theta) for x in states]


def example_sizes(data):
    system = data["system"]
    if system["type"] == "slopes":
        return system["size"], 0
    return len(system["symbols"]["state"]), len(system["symbols"]["inputs"])


@pytest.mark.parametrize("name", TRUE)
def test_what_is_proved_by_every_rule_is_drawn(name):
    """The curve lies on the bound, and its title names the rule: proved, and nothing else."""
    answer = proof(name)
    figure = bound_curve(answer)
    (ax,) = figure.axes
    line = next(line for line in ax.get_lines() if str(line.get_label()).startswith("proved"))
    x, y = line.get_xdata(), line.get_ydata()
    kind = answer.certificate.data["claim"]["kind"]
    wanted = {
        "flow": lambda: np.exp(-answer.rate * x),
        "step": lambda: answer.factor**x,
        "map": lambda: answer.factor * x,
    }[kind]()
    np.testing.assert_allclose(y, wanted, rtol=1e-14)
    assert repr(answer.certificate.data["evidence"]["rule"]) in ax.get_title(loc="left")


def test_distances_in_a_sparse_metric_are_those_of_the_dense_one():
    M = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.25], [0.0, -0.25, 3.0]])
    entries = [[i, j, M[i, j]] for i, j in np.ndindex(3, 3) if M[i, j]]
    d = np.random.default_rng(0).standard_normal((7, 3))
    sparse = distances({"type": "l2", "metric": {"entries": entries}}, d)
    np.testing.assert_allclose(sparse, np.sqrt(np.diag(d @ M @ d.T)), rtol=1e-14)


@pytest.mark.parametrize("name", TRUE)
def test_the_other_pictures_of_a_proof_are_drawn_or_refused_by_name(name):
    answer = proof(name)
    paths = two_paths(answer)
    for draw in (
        lambda: rate_slices(proved_slice(answer, seconds=0.2, boxes=16)),
        lambda: draw_envelope(answer, paths),
        lambda: network_graph(rm.Affine(np.eye(2)), answer),
    ):
        try:
            figure = draw()
        except RiemannianError as refusal:
            assert len(str(refusal)) > 30, refusal  # noqa: PT017 - both outcomes are right
        else:
            assert isinstance(figure, Figure)
