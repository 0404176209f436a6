"""Published plants closed by LQR: simulated, proved and verified from the command line."""

import json

import numpy as np
import pytest
from scipy.linalg import solve_continuous_are

import riemannian_modules as rm
from riemannian_modules.spec import System, save_system
from riemannian_modules.spec.system import Simulation
from tests.cli.commands import PNG, run
from tests.shared import SHARED

FOLDER = SHARED / "real" / "control" / "slicot_ctdsx"
PLANTS = ["1_03", "1_04", "1_05", "1_07"]


def closed_loop(plant):
    """The plant ``x' = A x + B u`` whose whole state is fed back by an LQR gain.

    The recorded rates weigh the plant's outputs (Q = C^T C, R = I); C = I in all but the last.
    """
    A, B, C = (np.array(plant[name]) for name in "ABC")
    X = solve_continuous_are(A, B, C.T @ C, np.eye(B.shape[1]))
    wiring = rm.Wiring(plant=rm.StateSpace(A, B, np.eye(len(A))), feedback=rm.MatrixGain(-B.T @ X))
    wiring.connect("plant.y", "feedback.u").connect("feedback.y", "plant.u")
    return wiring.output("state", "plant.y").build()


@pytest.mark.skipif(not FOLDER.exists(), reason="the published plants are not beside the checkout")
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("number", PLANTS)
def test_a_plant_closed_by_lqr_is_simulated_proved_and_verified(number, tmp_path):
    answers = {a["id"]: a for a in json.loads((FOLDER / "answers.json").read_text())}
    reference = answers[f"CTDSX {number.replace('_0', '.')}"]["rate_in_metric_P"]
    loop = closed_loop(json.loads((FOLDER / f"ctdsx_{number}.json").read_text()))
    file, out = tmp_path / "loop.json", tmp_path / "out"
    n = loop.signature.state.size
    save_system(System(loop, simulation=Simulation(20.0, 101, {"plant.x": np.ones(n)})), file)

    result = run("certify", file, "--out", out)
    assert result.exit_code == 0, result.output
    summary = json.loads((out / "summary.json").read_text())
    assert -summary["log_norm"] == pytest.approx(reference, rel=0.01)
    assert (out / "contraction.png").read_bytes().startswith(PNG)
    assert run("verify", out / "certificate.json").exit_code == 0

    assert run("simulate", file, "--out", out / "run").exit_code == 0
    final = json.loads((out / "run" / "summary.json").read_text())["final_state"]
    # The certificate bounds the state: |x(t)| <= overshoot exp(-rate t) |x(0)|.
    metric = json.loads((out / "certificate.json").read_text())["claim"]["norm"]["metric"]
    overshoot = np.sqrt(np.linalg.cond(np.array(metric)))
    bound = overshoot * np.exp(summary["log_norm"] * 20.0) * np.sqrt(n)
    assert np.linalg.norm(list(final.values())) <= bound * (1 + 1e-6) + 1e-9
