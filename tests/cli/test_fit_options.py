"""What the options of `fit` say is what `fit` is called with, and is kept in the saved system."""

import json

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules import engine
from riemannian_modules.cli import MISUSE
from riemannian_modules.engine import fit
from riemannian_modules.errors import SpecError
from riemannian_modules.spec import load_system, save_system
from riemannian_modules.spec.fit_words import LOSSES, PRIORS, loss_named, prior_named
from tests.cli.commands import run, words_of
from tests.nightly import gate_without

QUIET = engine.NoProgress()


@pytest.fixture
def curve(tmp_path):
    """A system file of a parabola, and a table with errors and a hole."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 12)
    error = rng.uniform(0.05, 0.3, 12)
    y = 3 * x - 0.5 * x**2 + error * rng.standard_normal(12)
    y[4] = np.nan
    cells = [f"{a!r},{'' if np.isnan(b) else repr(b)},{c!r}" for a, b, c in
             zip(x.tolist(), y.tolist(), error.tolist(), strict=True)]  # fmt: skip
    (tmp_path / "d.csv").write_text("\n".join(["x,y,error", *cells]) + "\n")
    module = rm.Equations(
        {"y": "a*x + b*x^2"}, inputs="x", outputs="y", parameters={"a": 1.0, "b": 0.0}
    )
    save_system(module, tmp_path / "curve.json")
    return module, {"x": x, "y": y}, error


CASES = {
    "sigma": (["--sigma", "y=error"], lambda e: {"sigma": e}),
    "absolute": (["--sigma", "y=error", "--absolute"], lambda e: {"sigma": e, "absolute": True}),
    "one sigma": (["--sigma", "y=0.1", "--absolute"], lambda e: {"sigma": 0.1, "absolute": True}),
    "weights": (["--weights", "y=error"], lambda e: {"weights": e}),
    "fixed": (["--sigma", "y=error", "--fixed", "b=-0.4"],
              lambda e: {"sigma": e, "fixed": {"b": -0.4}}),
    "as it is": (["--sigma", "y=error", "--fixed", "b"], lambda e: {"sigma": e, "fixed": "b"}),
    "prior": (["--sigma", "y=error", "--prior", "b=normal:-1,0.05"],
              lambda e: {"sigma": e, "prior": {"b": engine.NormalPrior(-1, 0.05)}}),
    "ridge": (["--sigma", "y=error", "--prior", "*=ridge:2"],
              lambda e: {"sigma": e, "prior": engine.ridge(2.0)}),
    "robust": (["--robust", "huber:0.1", "--sigma", "y=error"],
               lambda e: {"loss": engine.HuberLoss(0.1), "sigma": e}),
    "student": (["--loss", "student:0.2,3", "--sigma", "y=error"],
                lambda e: {"loss": engine.StudentLoss(0.2, 3.0), "sigma": e}),
    "bounds": (["--sigma", "y=error", "--bounds", "a=0:2.5"],
               lambda e: {"sigma": e, "bounds": {"a": (0, 2.5)}}),
}  # fmt: skip


@pytest.mark.parametrize("name", gate_without(CASES, "absolute", "as it is", "ridge", "robust"))
def test_options_are_what_fit_is_called_with(name, curve, tmp_path):
    module, data, error = curve
    words, options = CASES[name]
    uses = any("error" in word for word in words)
    if not uses:  # the column stands in the table, so it has to be spoken of
        lines = (tmp_path / "d.csv").read_text().splitlines()
        (tmp_path / "d.csv").write_text("\n".join(li.rsplit(",", 1)[0] for li in lines) + "\n")
    out = tmp_path / "out"
    result = run("fit", tmp_path / "curve.json", "--data", tmp_path / "d.csv", *words, "--out", out)
    assert result.exit_code == 0, result.output
    slow = fit(module, data, missing="y", progress=QUIET, **options(error))
    saved = json.loads((out / "fit.json").read_text())
    for key, value, deviation in zip("ab", slow.theta, slow.deviations, strict=True):
        assert saved["parameters"][key]["value"] == pytest.approx(value, rel=1e-12)
        assert saved["parameters"][key]["deviation"] == pytest.approx(deviation, rel=1e-9)
    assert saved["missing"] == 1
    assert "missing: 1 of 12" in " ".join(result.output.split())
    # The folder holds what was asked for: the same command without options finds the same.
    again = run("fit", out / "system.json", "--out", tmp_path / "again")
    assert again.exit_code == 0, again.output
    theta = load_system(tmp_path / "again" / "system.json").module.theta
    assert np.allclose(theta, slow.theta, rtol=1e-6, atol=1e-9)


def test_profiles_are_drawn_and_told(curve, tmp_path):
    words = ("--sigma", "y=error", "--profile", "a", "--profile", "b", "--out", tmp_path / "out")
    result = run("fit", tmp_path / "curve.json", "--data", tmp_path / "d.csv", *words)
    assert result.exit_code == 0, result.output
    assert "Profile of a:" in result.output
    assert "Profile of b:" in result.output
    assert (tmp_path / "out" / "profile-a.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sigma", "y"], "expected NAME=VALUE"),
        (["--sigma", "y=nothing"], "missing: nothing"),
        (["--fixed", "b=one"], "NAME=NUMBER"),
        (["--prior", "b=normal:1"], "normal:MEAN,DEVIATION"),
        (["--prior", "b=gauss:1,2"], "expected one of normal"),
        (["--prior", "b=normal:1,-2"], "positive"),
        (["--robust", "tukey"], "expected one of squared"),
        (["--robust", "huber:x"], "huber:SCALE"),
        (["--bounds", "a=2:1"], "LOWER <= UPPER"),
        (["--bounds", "a=2"], "NAME=LOWER:UPPER"),
    ],
)
def test_what_cannot_be_meant_is_misuse(words, said, curve, tmp_path):
    given = ["--sigma", "y=error"] if "nothing" not in " ".join(words) else []
    data = tmp_path / "d.csv"
    result = run("fit", tmp_path / "curve.json", "--data", data, *given, *words)
    assert result.exit_code in (MISUSE, 1)
    assert said in " ".join(words_of(result.output).split())


def test_too_few_samples_are_said_in_the_first_line(curve, tmp_path):
    (tmp_path / "one.csv").write_text("x,y\n1,2\n")
    result = run("fit", tmp_path / "curve.json", "--data", tmp_path / "one.csv")
    assert "not determined by the data" in result.output.strip().splitlines()[0]


def test_every_loss_and_prior_of_the_library_has_a_word():
    losses = {type(make()) for make in LOSSES.values()}
    assert losses == {
        kind for kind in vars(engine).values()
        if isinstance(kind, type) and issubclass(kind, engine.Loss)
        and not getattr(kind, "__abstractmethods__", None)
    }  # fmt: skip
    assert {*PRIORS.values()} > {
        kind for kind in vars(engine).values()
        if isinstance(kind, type) and issubclass(kind, engine.Prior) and kind is not engine.Prior
    }  # fmt: skip
    assert loss_named("huber", "x") == engine.HuberLoss()
    assert prior_named("laplace:0,2", "x") == engine.LaplacePrior(0.0, 2.0)
    with pytest.raises(SpecError, match="student:SCALE,FREEDOM"):
        loss_named("student:1,2,3", "x")
