"""Reference cases: what must be proved is, and is checked again; nothing beyond is claimed."""

import json
import subprocess
import sys

import numpy as np
import pytest

from riemannian_modules.certify import (
    Estimated,
    Proved,
    Refuted,
    certify,
    coordinates,
    l1,
    l2,
    linf,
    verify,
)
from riemannian_modules.region import box
from tests.cases import systems as s
from tests.nightly import gate_without
from tests.shared import ROOT, SHARED

CASES = SHARED / "cases" / "cases.json"
if CASES.exists():
    _data = json.loads(CASES.read_text())
    TABLE = {case["id"]: case for case in [*_data["cases"], *_data["negatives"]]}
else:
    pytest.skip("the reference cases/cases.json are absent", allow_module_level=True)


def sides(case):
    """The region of a case as a box; "any" sides stay unbounded."""
    region = TABLE[case]["region"]
    if not isinstance(region, dict):
        return box()
    return box({n: [float(v) for v in side] for n, side in region.items() if side != "any"})


def params(case):
    return TABLE[case]["params"]


def weights(case):
    """The matrices of a published net."""
    name = params(case)["weights"].split()[0]
    with np.load(SHARED / "cases" / name) as arrays:
        return [arrays[f"arr_{k}"] for k in range(len(arrays.files))]


def jordan(case):
    return s.LinearFlow([[-1.0, params(case)["k"]], [0.0, -1.0]])


def loop(case):
    return s.LinearFlow(s.ring(params(case)["n"], params(case)["g"]))


V2 = np.array([[1.0, -10.0], [0.0, 1.0]])  # eigenvectors of P02, for -1 and -2
M2 = np.linalg.inv(V2).T @ np.linalg.inv(V2)

POSITIVE = {
    "P01": lambda c: (jordan(c), box(), l2(condition=params(c)["kappa"])),
    "P02": lambda c: (s.LinearFlow([[-1.0, 10.0], [0.0, -2.0]]), box(), l2(M2)),
    "P04": lambda c: (s.Lienard(**params(c)), sides(c), l2()),
    "P05": lambda c: (s.GradientFlow(), sides(c), l2(np.eye(2))),
    "P06": lambda c: (s.FiringRates(params(c)["A"]), box(), linf()),
    "P08": lambda c: (s.FiringRates(params(c)["A"]), box(), l2()),
    "P09": lambda c: (loop(c), box(), l2(np.eye(params(c)["n"]))),
    "P11": lambda c: (s.Transcription(), sides(c), l1([1.0, params(c)["weight_ratio"]])),
    "P13": lambda c: (s.Autoregulation(**params(c)), sides(c), l2()),
    "P14": lambda c: (s.HillRing(**params(c)), box(x=(0, np.inf)), l2()),
    "P16": lambda c: (
        s.SkewFeedback(params(c)["W"], params(c)["K"]),
        sides(c),
        l2(np.diag([1.0, 1, 4])),
    ),
    "P18": lambda c: (s.GradientStep(**params(c)), sides(c), l2(np.eye(2))),
    "P19": lambda c: (s.TanhStep(params(c)["W"]), box(), l2(np.eye(2))),
    "P20": lambda c: (s.dense_net(*weights(c)), box(), l2(np.eye(2))),
    "P22": lambda c: (s.Pendulum(**params(c)), box(), l2()),
    "P24": lambda c: (
        s.Arm(**params(c)),
        box(qd=sides(c).sides["qd"]),
        l2(s.inertia, rates=lambda x, u, p: {"q2": u.qd[1]}),
    ),
    "P26": lambda c: (s.CubicPi(**params(c)), sides(c), l2()),
    "P28": lambda c: (
        s.PlanarShear(),
        sides(c),
        coordinates(lambda x, u, p: [[1.0, 2 * x.y], [0.0, 1.0]]),
    ),
}


@pytest.mark.parametrize("case", gate_without(sorted(POSITIVE), "P24"))
def test_the_rate_that_must_be_certified_is_and_verifies_from_its_file(case, tmp_path):
    module, region, norm = POSITIVE[case](case)
    answer = certify(module, region, norm=norm)
    assert isinstance(answer, Proved), answer
    wanted, beyond = TABLE[case]["must_certify"], TABLE[case]["must_refuse"]
    truth, is_exact = TABLE[case]["truth"], "everywhere" in TABLE[case]["truth_kind"]
    if TABLE[case]["kind"] == "flow":
        assert wanted <= answer.rate < beyond
        assert answer.rate >= (1 - 1e-9 if is_exact else 0.999) * truth
    else:
        assert beyond < answer.factor <= wanted
        assert answer.factor <= (1 + 1e-9 if is_exact else 1.001) * truth
    file = answer.certificate.save(tmp_path / "certificate.json")
    done = subprocess.run(
        [sys.executable, "-m", "contraction_checker", file],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    again = verify(file)
    assert isinstance(again, Proved), again
    assert again.bound == answer.bound
    assert again.certificate.statement == answer.certificate.statement


@pytest.mark.parametrize("case", gate_without(sorted(POSITIVE), "P24"))
def test_a_rate_beyond_the_truth_is_never_proved(case):
    module, region, norm = POSITIVE[case](case)
    beyond = TABLE[case]["must_refuse"]
    asked = {"rate" if TABLE[case]["kind"] == "flow" else "factor": beyond}
    assert isinstance(certify(module, region, norm=norm, **asked), (Refuted, Estimated))


def composed_map():
    A = np.array([[0.5, 2.0], [0.0, 0.5]])

    class Product(s.rm.StepMap):
        state = s.rm.space(x=2)

        def equations(self, x, u, p):
            return {"x": A.T @ (A @ x.x)}

    return Product()


e = 2.0**-40
NEGATIVE = {
    "N01": lambda c: (s.VanDerPol(), sides(c)),
    "N02": lambda c: (s.Toggle(), sides(c)),
    "N03": lambda c: (s.LinearFlow([[-1.0, 1 + e], [1 + e, -1.0]]), box()),
    "N06": lambda c: (s.LinearFlow([[0.0, 1.0], [-1.0, 0.0]]), box()),
    "N07": lambda c: (loop(c), box()),
    "N09": lambda c: (composed_map(), box()),
    "N12": lambda c: (s.Needle(), sides(c)),
    "N13": lambda c: (s.RootGrowth(), sides(c)),
}


@pytest.mark.parametrize("case", sorted(NEGATIVE))
def test_what_does_not_contract_is_refuted_with_a_witness(case):
    module, region = NEGATIVE[case](case)
    answer = certify(module, region)
    assert isinstance(answer, Refuted), answer
    assert set(answer.witness) >= set(module.signature.state.coordinates)


def test_a_rate_of_two_to_the_minus_forty_is_proved_exactly(tmp_path):
    answer = certify(s.LinearFlow([[-1.0, 1 - e], [1 - e, -1.0]]), norm=l2(np.eye(2)), rate=e)
    assert isinstance(answer, Proved), answer
    assert answer.rate == e
    again = verify(answer.certificate.save(tmp_path / "hair_line.json"))
    assert isinstance(again, Proved)
    assert again.rate == e
