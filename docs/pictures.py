"""Make the pictures of docs/images anew: `python docs/pictures.py`, in about a minute.

Pictures of a page come from that page's own code, those of the bundled example from the commands;
the rest are here. `benchmark_certification.png` is saved by `python -m benchmarks certification`.
"""

import io
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import riemannian_modules as rm
from riemannian_modules.engine import equilibrium, fit, linearize, propagate
from riemannian_modules.plot import graph_figure, linear_model_figure, metric_figure
from riemannian_modules.spec import load_system

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
BUNDLED = DOCS.parent / "riemannian_modules" / "examples" / "gene_control.json"
COLOURS = 256  # of a picture's palette, which makes its file half as large

FROM_PAGES = {"certification.md": ("rates", "envelope", "conditioning", "undecided", "parts")}
FROM_COMMANDS = {
    "simulate": ("trajectory",),
    "certify": ("graph", "contraction"),
}
ELSEWHERE = ("benchmark_certification",)


def drive() -> Figure:
    """A current loop inside a speed loop: wires that run back are dashed."""
    wiring = rm.Wiring(
        speed_error=rm.Sum("+-"), speed_control=rm.Gain(1.0, 1), current_error=rm.Sum("+-"),
        current_control=rm.Gain(2.0, 1), motor=rm.Lag(1.0), load=rm.Lag(2.0), tacho=rm.Lag(0.1),
        shunt=rm.Lag(0.1),
    ).input("speed", "speed_error.u1")  # fmt: skip
    for source, target in (
        ("speed_error.y", "speed_control.u"), ("speed_control.y", "current_error.u1"),
        ("current_error.y", "current_control.u"), ("current_control.y", "motor.u"),
        ("motor.y", "load.u"), ("motor.y", "shunt.u"), ("shunt.y", "current_error.u2"),
        ("load.y", "tacho.u"), ("tacho.y", "speed_error.u2"),
    ):  # fmt: skip
        wiring.connect(source, target)
    return graph_figure(wiring.output("y", "load.y").output("current", "motor.y").build())


class Elimination(rm.StaticMap):
    """A drug that leaves the blood and is found in the urine."""

    inputs = rm.space(t="h", dose="mg")
    outputs = rm.space(blood="mg/l", urine="mg")
    parameters = {"k": 0.5, "v": 8.0}

    def map(self, u, p):
        left = np.exp(-p.k * u.t)
        return {"blood": u.dose / p.v * left, "urine": u.dose * (1 - left)}


def elimination() -> Figure:
    """A fit: data against the model, the residuals, the loss."""
    rng = np.random.default_rng(0)
    t, dose = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 10, 9), [10.0, 20.0, 50.0]))
    blood = dose / 7 * np.exp(-0.4 * t) + 0.2 * rng.standard_normal(t.size)
    urine = dose * (1 - np.exp(-0.4 * t)) + rng.standard_normal(t.size)
    found = fit(Elimination(), {"t": t, "dose": dose, "blood": blood, "urine": urine})
    return found.plot([0.2, 1.0])


def bundled_linear_model() -> Figure:
    """The bundled loop about its equilibrium."""
    loop = load_system(BUNDLED).module
    guess = {"actuator.x": 40.0, "gene.mrna": 40.0, "gene.protein": 4000.0}
    rest = equilibrium(loop, {"setpoint": 4000.0}, guess)
    return linear_model_figure(linearize(loop, rest.x, rest.u))


def layer_metric() -> Figure:
    """The metric that a network's outputs induce on the weights of its first layer."""
    rng = np.random.default_rng(0)
    net = rm.chain(
        first=rm.Affine(rng.standard_normal((4, 3)), np.zeros(4)), bend=rm.Tanh(4),
        last=rm.Affine(rng.standard_normal((2, 4)), np.zeros(2)),
    )  # fmt: skip
    metric = propagate(net, net.point(None, rng.standard_normal((20, 3))), 0.1, np.eye(2))["first"]
    return metric_figure(metric, net.modules["first"].signature.parameters.coordinates)


DRAWN: dict[str, Callable[[], Figure]] = {
    "drive": drive,
    "fit": elimination,
    "linear_model": bundled_linear_model,
    "metric": layer_metric,
}
NAMES = (
    *DRAWN,
    *(name for made in (FROM_PAGES, FROM_COMMANDS) for names in made.values() for name in names),
    *ELSEWHERE,
)


def save(content: bytes, name: str) -> None:
    """Save a picture with a palette of few colours."""
    picture = (
        Image.open(io.BytesIO(content)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    )
    picture.save(IMAGES / f"{name}.png", optimize=True)


def main() -> None:
    """Make all pictures."""
    from typer.testing import CliRunner

    from riemannian_modules.cli import app

    for name, draw in DRAWN.items():
        content = io.BytesIO()
        draw().savefig(content, dpi=110)
        save(content.getvalue(), name)
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for page, names in FROM_PAGES.items():
                text = (DOCS / page).read_text(encoding="utf-8")
                code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S))
                exec(compile(code, page, "exec"), {"__name__": "__page__"})
                for name in names:
                    save(Path(f"{name}.png").read_bytes(), name)
            for command, names in FROM_COMMANDS.items():
                result = CliRunner().invoke(app, [command, "--out", command])
                if result.exit_code:
                    sys.exit(f"riemannian-modules {command}: {result.output}")
                for name in names:
                    save((Path(command) / f"{name}.png").read_bytes(), name)
        finally:
            os.chdir(start)


if __name__ == "__main__":
    main()
