"""Real plants closed by LQR: the rate that a Lyapunov metric gives, proved, and simulated.

Data: SLICOT's benchmark examples CTDSX 1.3, 1.4, 1.5 and 1.7.
"""

import json

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_are

import riemannian_modules as rm
from riemannian_modules.certify import Proved, certify, l2, verify
from riemannian_modules.engine import simulate
from riemannian_modules.modules import MatrixGain, StateSpace
from tests.shared import shared_path

FOLDER = shared_path("real", "control", "slicot_ctdsx")
ANSWERS = {row["id"]: row for row in json.loads((FOLDER / "answers.json").read_text())}
PLANTS = {"CTDSX 1.3": "03", "CTDSX 1.4": "04", "CTDSX 1.5": "05", "CTDSX 1.7": "07"}


def closed_loop(plant):
    """The plant with its whole state as output, fed back through an LQR gain.

    The recorded answers weigh the outputs (Q = C^T C, R = I); C = I in all plants but the last.
    """
    data = json.loads((FOLDER / f"ctdsx_1_{PLANTS[plant]}.json").read_text())
    A, B, C = (np.array(data[name]) for name in "ABC")
    n, m = B.shape
    K = B.T @ solve_continuous_are(A, B, C.T @ C, np.eye(m))
    wiring = rm.Wiring(plant=StateSpace(A, B, np.eye(n)), feedback=MatrixGain(-K))
    wiring.connect("plant.y", "feedback.u").connect("feedback.y", "plant.u")
    return wiring.output("y", "plant.y").build(), A - B @ K


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_the_closed_loop_has_the_rate_of_its_lyapunov_metric(plant, tmp_path):
    loop, _ = closed_loop(plant)
    answer = certify(loop, norm=l2())
    assert isinstance(answer, Proved), answer
    row = ANSWERS[plant]
    assert 0.99 * row["rate_in_metric_P"] <= answer.rate <= -row["abscissa_lqr"] * (1 + 1e-9)
    again = verify(answer.certificate.save(tmp_path / "loop.json"))
    assert isinstance(again, Proved), again
    assert again.bound == answer.bound


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_the_simulated_loop_follows_its_matrix_exponential(plant):
    loop, A = closed_loop(plant)
    start = np.ones(len(A))
    end = 1.0 / abs(ANSWERS[plant]["abscissa_lqr"])
    last = simulate(loop, [0.0, end], start).states[-1]
    # Local errors of 1e-9, over some hundred steps, grow with the transients: |exp(A t)| is below
    # the metric's overshoot sqrt(cond P).
    tolerance = 1e-7 * np.sqrt(ANSWERS[plant]["condP"])
    assert np.abs(last - expm(A * end) @ start).max() <= tolerance
