"""The comparison of engines: all give one curve, published models are read, absent ones told."""

import numpy as np
import pytest

from benchmarks import engine_cases, engines
from riemannian_modules.engine import simulate

CASES = {
    "HIRES": lambda: engine_cases.EngineCase(
        "HIRES", engine_cases.Hires(), np.array([1.0, 0, 0, 0, 0, 0, 0, 0.0057]), 321.8122, 1e-5
    ),
    "Brusselator": lambda: engine_cases.brusselator(30),
}


@pytest.mark.parametrize(
    ("case", "engine"),
    [(case, engine) for case in CASES for engine in ("BDF by hand", "CVODE", "CasADi")]
    + [("HIRES", "LSODA by hand")],
)
def test_every_engine_solves_the_same_problem(case, engine):
    prepare = engines.engines().get(engine)
    if prepare is None:
        pytest.skip(f"what {engine} needs is not installed")
    problem = CASES[case]()
    exact = engines.by_simulate()(problem)(1e-11)
    found = engines.loosest(prepare(problem), exact, 1e-6)
    assert found is not None
    assert found[1] <= 1e-6


def test_an_error_that_no_tolerance_reaches_is_told():
    exact = np.array([[1.0], [1.0 + 1e-9]])
    assert engines.loosest(lambda rtol: np.ones((2, 1)), exact, 1e-11) is None
    assert engines.loosest(lambda rtol: np.ones((2, 1)), exact, 1e-8) is not None
    assert engines.row("x", None, None, None, (1e-6, 1e-7)) == {
        "name": "x", "failed": "simulate is not so exact",
    }  # fmt: skip


def test_engines_that_are_not_installed_are_named(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    monkeypatch.setattr(engines, "engine_cases", list)
    assert engines.run()["rows"] == [
        {"name": "CVODE", "failed": "not installed"}, {"name": "CasADi", "failed": "not installed"},
    ]  # fmt: skip


def test_a_published_model_keeps_what_its_reactions_keep():
    path = engine_cases.FOLDER / "BIOMD0000000033.xml"
    if not path.exists():
        pytest.skip("the shared folder with BioModels 33 is absent")
    flow = engine_cases.Biochemical(path)
    run = simulate(flow, [0.0, 10.0, 60.0], np.array(list(flow.amounts.values())))
    assert len(flow.amounts) == 28  # of 32, four of which are held
    for free, bound in (("freeEGFReceptor", "boundEGFReceptor"), ("RasInactive", "RasActive")):
        np.testing.assert_allclose(run[free] + run[bound], (run[free] + run[bound])[0], rtol=1e-9)
    assert run["RasActive"][1] > 1.0  # it responds
