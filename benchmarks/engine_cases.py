"""Stiff problems, and large ones, on which engines of integration are compared.

Sources: Robertson (1966); Mazzia and Magherini, *Test Set for Initial Value Problem Solvers*
(2008), for van der Pol, the Oregonator and HIRES; BioModels (CC0) 33 (Brown and others, 2004) and
203 (Chickarmane and others, 2006), read from the shared folder where there is one.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

import riemannian_modules as rm
from benchmarks.large import Brusselator

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("RIEMANNIAN_SHARED") or ROOT.parent / "shared") / "real" / "biomodels"
OPERATIONS = {"times": "*", "plus": "+", "minus": "-", "divide": "/", "power": "**"}


@dataclass(frozen=True, slots=True)
class EngineCase:
    """A flow, its start, when it ends, and the least amount of a state that matters."""

    name: str
    flow: Any
    start: np.ndarray
    end: float
    least: float


class Robertson(rm.Flow):
    """Three reactions."""

    state = rm.space("a b c")

    def equations(self, x, u, p):
        slow, fast, back = 0.04 * x.a, 3e7 * x.b * x.b, 1e4 * x.b * x.c
        return {"a": back - slow, "b": slow - fast - back, "c": fast}


class VanDerPol(rm.Flow):
    """The relaxation oscillator at mu = 1000."""

    state = rm.space("x v")

    def equations(self, x, u, p):
        return {"x": x.v, "v": 1e3 * (1.0 - x.x * x.x) * x.v - x.x}


class Oregonator(rm.Flow):
    """Belousov's and Zhabotinsky's reaction."""

    state = rm.space("a b c")

    def equations(self, x, u, p):
        return {
            "a": 77.27 * (x.b + x.a * (1 - 8.375e-6 * x.a - x.b)),
            "b": (x.c - (1 + x.a) * x.b) / 77.27,
            "c": 0.161 * (x.a - x.c),
        }


class Hires(rm.Flow):
    """High irradiance responses of a plant."""

    state = rm.space("a b c d e f g h")

    def equations(self, x, u, p):
        made = 280.0 * x.f * x.h - 1.81 * x.g
        return {
            "a": -1.71 * x.a + 0.43 * x.b + 8.32 * x.c + 0.0007,
            "b": 1.71 * x.a - 8.75 * x.b,
            "c": -10.03 * x.c + 0.43 * x.d + 0.035 * x.e,
            "d": 8.32 * x.b + 1.71 * x.c - 1.12 * x.d,
            "e": -1.745 * x.e + 0.43 * x.f + 0.43 * x.g,
            "f": -made + 0.69 * x.d + 1.71 * x.e - 0.43 * x.f + (0.69 - 1.81) * x.g,
            "g": made,
            "h": -made,
        }


class Network(rm.Flow):
    """As many reactions ``A + B <-> C`` between random species, rates over six decades."""

    def __init__(self, species: int) -> None:
        rng = np.random.default_rng(0)
        self.state = rm.space(" ".join(f"x{i}" for i in range(species)))
        self.places = rng.integers(0, species, (3, species)).tolist()
        self.rates = (10.0 ** rng.uniform(-2, 4, (2, species))).tolist()
        super().__init__()

    def equations(self, s, i, p):
        x = [getattr(s, name) for name in self.state.names]
        changes: list[Any] = [0.0] * len(x)
        for a, b, c, forth, back in zip(*self.places, *self.rates, strict=True):
            flux = forth * x[a] * x[b] - back * x[c]
            changes[a] -= flux
            changes[b] -= flux
            changes[c] += flux
        return dict(zip(self.state.names, changes, strict=True))


class Ring(rm.Flow):
    """Leaky units in a ring, each driven by the one before; not stiff."""

    def __init__(self, cells: int) -> None:
        self.state = rm.space(x=cells)
        super().__init__()

    def equations(self, s, i, p):
        before = np.concatenate([s.x[-1:], s.x[:-1]])
        return {"x": np.tanh(2.0 * before) - s.x}


class Biochemical(rm.Flow):
    """A published model of reactions in one or more constant compartments.

    It reads reactions alone, with laws in the four arithmetic operations and powers; a model with
    rules, events or functions is refused.
    """

    def __init__(self, path: Path) -> None:
        model = ElementTree.parse(path).getroot()[0]
        self._tag = model.tag.removesuffix("model")
        for kind in ("Rules", "Events", "FunctionDefinitions"):
            if self._all(model, f"listOf{kind}"):
                raise ValueError(f"{path.name}: expected reactions alone, got {kind.lower()}.")
        self.constants = {
            part.get("id"): float(part.get("value") or part.get("size"))
            for kind in ("parameter", "compartment") for part in self._all(model, kind)
        }  # fmt: skip
        self.amounts, held = {}, {}
        for part in self._all(model, "species"):
            amount = float(part.get("initialConcentration") or part.get("initialAmount") or 0.0)
            is_held = "true" in (part.get("boundaryCondition"), part.get("constant"))
            (held if is_held else self.amounts)[part.get("id")] = amount
        self.constants |= held
        sizes = {
            part.get("id"): self.constants[part.get("compartment")]
            for part in self._all(model, "species")
        }
        changes = {name: ["0"] for name in self.amounts}
        for reaction in self._all(model, "reaction"):
            law = self._formula(next(reaction.iter(f"{self._math}math"))[0])
            for sign, side in (("-", "Reactants"), ("+", "Products")):
                for part in self._all(reaction, f"listOf{side}"):
                    for reference in self._all(part, "speciesReference"):
                        name = reference.get("species")
                        if name in changes:
                            share = float(reference.get("stoichiometry") or 1.0) / sizes[name]
                            changes[name].append(f"{sign} {share!r} * {law}")
        self.formulas = {
            name: compile(" ".join(parts), name, "eval") for name, parts in changes.items()
        }
        self.state = rm.space(" ".join(self.amounts))
        super().__init__()

    _math = "{http://www.w3.org/1998/Math/MathML}"

    def _all(self, part: Any, kind: str) -> list[Any]:
        return list(part.iter(self._tag + kind))

    def _formula(self, part: Any) -> str:
        """Content MathML as a formula."""
        kind = part.tag.removeprefix(self._math)
        if kind in ("ci", "cn"):
            return part.text.strip()
        if kind != "apply":
            raise ValueError(f"expected arithmetic, got {kind}.")
        operation = OPERATIONS[part[0].tag.removeprefix(self._math)]
        parts = [self._formula(p) for p in part[1:]]
        return f"({operation.join(parts) if len(parts) > 1 else operation + parts[0]})"

    def equations(self, s, i, p):
        values = {name: getattr(s, name) for name in self.amounts}
        return {name: eval(code, self.constants | values) for name, code in self.formulas.items()}


def brusselator(cells: int) -> EngineCase:
    wave = 1 + np.sin(2 * np.pi * np.arange(1, cells + 1) / (cells + 1))
    start = np.r_[wave, np.full(cells, 3.0)]
    return EngineCase(f"Brusselator of {2 * cells} states", Brusselator(cells), start, 10.0, 1e-3)


def engine_cases() -> list[EngineCase]:
    """The cases; those of BioModels where their files are."""
    rng = np.random.default_rng(0)
    hires = np.array([1.0, 0, 0, 0, 0, 0, 0, 0.0057])
    small = [
        EngineCase("Robertson", Robertson(), np.array([1.0, 0.0, 0.0]), 4e4, 1e-6),
        EngineCase("van der Pol", VanDerPol(), np.array([2.0, 0.0]), 2e3, 1e-3),
        EngineCase("Oregonator", Oregonator(), np.array([1.0, 2.0, 3.0]), 360.0, 1e-3),
        EngineCase("HIRES", Hires(), hires, 321.8122, 1e-5),
    ]
    for number, end, least in ((203, 200.0, 1e-3), (33, 60.0, 1.0)):
        path = FOLDER / f"BIOMD{number:010}.xml"
        if path.exists():
            flow = Biochemical(path)
            start = np.array(list(flow.amounts.values()))
            small.append(EngineCase(f"BioModels {number}", flow, start, end, least))
    return [
        *small,
        brusselator(50),
        brusselator(500),
        EngineCase("ring of 1000 states", Ring(1000), rng.standard_normal(1000), 10.0, 1e-2),
        EngineCase("network of 400 states", Network(400), rng.random(400), 0.1, 1e-3),
    ]
