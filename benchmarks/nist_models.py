"""The formulas of NIST's 27 nonlinear regression problems, as modules ``y = f(x; b1 ... bp)``.

Source: https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml; the letters are NIST's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import riemannian_modules as rm

Formula = Callable[[Any, Any], Any]


class Regression(rm.StaticMap):
    """A formula of predictors and parameters."""

    outputs = rm.space("y")

    def __init__(self, formula: Formula, names: str, start: np.ndarray) -> None:
        self.inputs = rm.space(names)
        self.parameters = {f"b{i}": value for i, value in enumerate(start, 1)}
        self.formula = formula

    def map(self, u: Any, p: Any) -> Any:
        """NIST's formula."""
        return {"y": self.formula(u, p)}


def saturation(u: Any, p: Any) -> Any:
    return p.b1 * (1 - np.exp(-p.b2 * u.x))


def chwirut(u: Any, p: Any) -> Any:
    return np.exp(-p.b1 * u.x) / (p.b2 + p.b3 * u.x)


def lanczos(u: Any, p: Any) -> Any:
    x = u.x
    return p.b1 * np.exp(-p.b2 * x) + p.b3 * np.exp(-p.b4 * x) + p.b5 * np.exp(-p.b6 * x)


def gauss(u: Any, p: Any) -> Any:
    x = u.x
    first = p.b3 * np.exp(-((x - p.b4) ** 2) / p.b5**2)
    return p.b1 * np.exp(-p.b2 * x) + first + p.b6 * np.exp(-((x - p.b7) ** 2) / p.b8**2)


def kirby(u: Any, p: Any) -> Any:
    x = u.x
    return (p.b1 + p.b2 * x + p.b3 * x**2) / (1 + p.b4 * x + p.b5 * x**2)


def cubic_over_cubic(u: Any, p: Any) -> Any:
    x = u.x
    top = p.b1 + p.b2 * x + p.b3 * x**2 + p.b4 * x**3
    return top / (1 + p.b5 * x + p.b6 * x**2 + p.b7 * x**3)


def mgh17(u: Any, p: Any) -> Any:
    return p.b1 + p.b2 * np.exp(-u.x * p.b4) + p.b3 * np.exp(-u.x * p.b5)


def enso(u: Any, p: Any) -> Any:
    turn = 2 * np.pi * u.x
    yearly = p.b1 + p.b2 * np.cos(turn / 12) + p.b3 * np.sin(turn / 12)
    slow = p.b5 * np.cos(turn / p.b4) + p.b6 * np.sin(turn / p.b4)
    return yearly + slow + p.b8 * np.cos(turn / p.b7) + p.b9 * np.sin(turn / p.b7)


FORMULAS: dict[str, Formula] = {
    "Misra1a": saturation,
    "Misra1b": lambda u, p: p.b1 * (1 - (1 + p.b2 * u.x / 2) ** -2),
    "Misra1c": lambda u, p: p.b1 * (1 - (1 + 2 * p.b2 * u.x) ** -0.5),
    "Misra1d": lambda u, p: p.b1 * p.b2 * u.x / (1 + p.b2 * u.x),
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Lanczos3": lanczos,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "Gauss3": gauss,
    "DanWood": lambda u, p: p.b1 * u.x**p.b2,
    "Kirby2": kirby,
    "Hahn1": cubic_over_cubic,
    "Thurber": cubic_over_cubic,
    "Nelson": lambda u, p: p.b1 - p.b2 * u.x1 * np.exp(-p.b3 * u.x2),
    "MGH17": mgh17,
    "Roszman1": lambda u, p: p.b1 - p.b2 * u.x - np.arctan(p.b3 / (u.x - p.b4)) / np.pi,
    "ENSO": enso,
    "MGH09": lambda u, p: p.b1 * (u.x**2 + u.x * p.b2) / (u.x**2 + u.x * p.b3 + p.b4),
    "BoxBOD": saturation,
    "Rat42": lambda u, p: p.b1 / (1 + np.exp(p.b2 - p.b3 * u.x)),
    "Rat43": lambda u, p: p.b1 / (1 + np.exp(p.b2 - p.b3 * u.x)) ** (1 / p.b4),
    "MGH10": lambda u, p: p.b1 * np.exp(p.b2 / (u.x + p.b3)),
    "Eckerle4": lambda u, p: p.b1 / p.b2 * np.exp(-0.5 * ((u.x - p.b3) / p.b2) ** 2),
    "Bennett5": lambda u, p: p.b1 * (p.b2 + u.x) ** (-1 / p.b3),
}


def regression(name: str, start: np.ndarray) -> Regression:
    """The module of the problem ``name`` with the parameters ``start``."""
    return Regression(FORMULAS[name], "x1 x2" if name == "Nelson" else "x", start)


def observed(name: str, response: np.ndarray) -> np.ndarray:
    """What the formula predicts: the response, but in Nelson's problem its logarithm."""
    return np.log(response) if name == "Nelson" else response
