"""The nonlinear least-squares problems of More, Garbow and Hillstrom, in MINPACK's sizes.

Source: More, Garbow and Hillstrom (1981), ACM Trans. Math. Softw. 7, 17-41; the letters and numbers
of problems are theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import riemannian_modules as rm

Formula = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Problem:
    """Residuals f(x) (m,), the start (n,), and the sums of squares at which a search may end.

    ``limits`` are approached at infinity alone, as MINPACK's own runs end there.
    """

    name: str
    formula: Formula
    start: np.ndarray
    factors: tuple[int, ...]
    minima: tuple[float, ...]
    limits: tuple[float, ...] = ()

    def at(self, factor: int) -> np.ndarray:
        """The start multiplied; a start of zeros becomes ``factor`` itself, as in MINPACK."""
        if factor == 1:
            return self.start.copy()
        return self.start * factor if self.start.any() else np.full(self.start.shape, 1.0 * factor)

    def is_least(self, sum_of_squares: float) -> bool:
        """Whether it is the least value known."""
        return bool(sum_of_squares <= min(self.minima) * (1 + 1e-6) + 1e-12)

    def is_reached(self, sum_of_squares: float) -> bool:
        """Whether it is a minimum's value to six digits, or a limit's to four."""
        near = [v for v in self.minima if abs(sum_of_squares - v) <= 1e-6 * v + 1e-12]
        far = [v for v in self.limits if abs(sum_of_squares - v) <= 1e-4 * v]
        return bool(near or far)


class Residuals(rm.StaticMap):
    """A formula of parameters alone, as a module with one sample: its outputs are the residuals."""

    inputs = rm.space("nothing")

    def __init__(self, formula: Formula, start: np.ndarray) -> None:
        self.formula = formula
        self.parameters = {"x": start}
        self.outputs = rm.space(f=len(formula(start)))

    def map(self, u: Any, p: Any) -> Any:
        """The residuals."""
        return {"f": self.formula(p.x)}


def linear_full_rank(m: int) -> Formula:
    """32."""

    def f(x: Any) -> Any:
        n = len(x)
        total = 2 * sum(x[j] for j in range(n)) / m
        return np.stack([(x[i] if i < n else 0) - total - 1 for i in range(m)])

    return f


def linear_rank_one(m: int) -> Formula:
    """33."""

    def f(x: Any) -> Any:
        total = sum((j + 1) * x[j] for j in range(len(x)))
        return np.stack([(i + 1) * total - 1 for i in range(m)])

    return f


def linear_rank_one_zeros(m: int) -> Formula:
    """34."""

    def f(x: Any) -> Any:
        total = sum((j + 1) * x[j] for j in range(1, len(x) - 1))
        return np.stack([(i * total if 0 < i < m - 1 else 0 * x[0]) - 1 for i in range(m)])

    return f


def rosenbrock(x: Any) -> Any:
    return np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def helical_valley(x: Any) -> Any:
    # The angle jumps across x1 = 0, as the authors have it: arctan(x2 / x1) / 2 pi, + 1/2 left.
    turn = np.arctan(x[1] / x[0]) / (2 * np.pi) + np.where(x[0] < 0, 0.5, 0.0)
    return np.stack([10 * (x[2] - 10 * turn), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def powell_singular(x: Any) -> Any:
    return np.stack(
        [
            x[0] + 10 * x[1],
            5**0.5 * (x[2] - x[3]),
            (x[1] - 2 * x[2]) ** 2,
            10**0.5 * (x[0] - x[3]) ** 2,
        ]
    )


def freudenstein_roth(x: Any) -> Any:
    return np.stack(
        [
            -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
            -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1],
        ]
    )


_BARD = np.array(
    [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
)


def bard(x: Any) -> Any:
    u = np.arange(1.0, 16.0)
    v = 16 - u
    return _BARD - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


_KOWALIK = np.array(
    [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
)
_DOSES = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


def kowalik_osborne(x: Any) -> Any:
    u = _DOSES
    return _KOWALIK - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


_MEYER = np.array([
    34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307,
    2872.0,
])  # fmt: skip


def meyer(x: Any) -> Any:
    return x[0] * np.exp(x[1] / (45 + 5 * np.arange(1.0, 17.0) + x[2])) - _MEYER


def watson(x: Any) -> Any:
    t, n = np.arange(1, 30) / 29, len(x)
    value = sum(x[j] * t**j for j in range(n))
    slope = sum(j * x[j] * t ** (j - 1) for j in range(1, n))
    ends = np.stack([x[0], x[1] - x[0] ** 2 - 1])
    return np.concatenate([slope - value**2 - 1, ends])


def box(x: Any) -> Any:
    t = 0.1 * np.arange(1.0, 11.0)
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def jennrich_sampson(x: Any) -> Any:
    i = np.arange(1.0, 11.0)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def brown_dennis(x: Any) -> Any:
    t = np.arange(1.0, 21.0) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def chebyquad(m: int) -> Formula:
    """35: means of shifted Chebyshev polynomials against their integrals."""

    def f(x: Any) -> Any:
        y = 2 * x - 1
        before, now, means = 0 * y + 1, y, []
        for i in range(1, m + 1):
            means.append(sum(now[j] for j in range(len(x))) / len(x))
            if i % 2 == 0:
                means[-1] = means[-1] + 1 / (i * i - 1)
            before, now = now, 2 * y * now - before
        return np.stack(means)

    return f


def brown_almost_linear(x: Any) -> Any:
    n = len(x)
    total, product = sum(x[j] for j in range(n)), x[0]
    for j in range(1, n):
        product = product * x[j]
    return np.stack([*(x[i] + total - (n + 1) for i in range(n - 1)), product - 1])


_OSBORNE_1 = np.array([
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685,
    0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448,
    0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
])  # fmt: skip
_OSBORNE_2 = np.array([
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
])  # fmt: skip


def osborne_1(x: Any) -> Any:
    t = 10 * np.arange(33.0)
    return _OSBORNE_1 - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


def osborne_2(x: Any) -> Any:
    t = np.arange(65) / 10
    peaks = sum(x[k] * np.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3))
    return _OSBORNE_2 - (x[0] * np.exp(-t * x[4]) + peaks)


ALL, ONCE = (1, 10, 100), (1,)


def _problem(
    name: str, formula: Formula, start: Any, factors: Any, minima: Any, *limits: float
) -> Problem:
    values = minima if isinstance(minima, tuple) else (minima,)
    return Problem(name, formula, np.array(start, dtype=float), factors, values, limits)


def _watson(n: int, least: float) -> Problem:
    return _problem(f"Watson {n}", watson, np.zeros(n), ALL, least)


def _chebyquad(m: int, n: int, factors: Any, minima: Any) -> Problem:
    start = np.arange(1, n + 1) / (n + 1)
    return _problem(f"Chebyquad {m}x{n}", chebyquad(m), start, factors, minima)


PROBLEMS = (
    *(_problem(f"linear {m}x5", linear_full_rank(m), np.ones(5), ONCE, m - 5.0) for m in (10, 50)),
    *(
        _problem(f"rank 1 {m}x5", linear_rank_one(m), np.ones(5), ONCE, m * (m - 1) / (4 * m + 2))
        for m in (10, 50)
    ),
    *(
        _problem(
            f"rank 1, zeros {m}x5", linear_rank_one_zeros(m), np.ones(5), ONCE,
            (m * m + 3 * m - 6) / (4 * m - 6),
        )
        for m in (10, 50)
    ),
    _problem("Rosenbrock", rosenbrock, [-1.2, 1], ALL, 0.0),
    _problem("helical valley", helical_valley, [-1, 0, 0], ALL, 0.0),
    _problem("Powell singular", powell_singular, [3, -1, 0, 1], ALL, 0.0),
    _problem("Freudenstein-Roth", freudenstein_roth, [0.5, -2], ALL, (0.0, 48.98425368)),
    _problem("Bard", bard, [1, 1, 1], ALL, 8.214877307e-3, 17.42869),
    _problem(
        "Kowalik-Osborne", kowalik_osborne, [0.25, 0.39, 0.415, 0.39], ALL, 3.075056039e-4,
        1.02734e-3,
    ),
    _problem("Meyer", meyer, [0.02, 4000, 250], (1, 10), 87.94585517),
    _watson(6, 2.287670054e-3),
    _watson(9, 1.399760138e-6),
    _watson(12, 4.722381e-10),
    _problem("box", box, [0, 10, 20], ONCE, 0.0),
    _problem("Jennrich-Sampson", jennrich_sampson, [0.3, 0.4], ONCE, 124.3621824),
    _problem("Brown-Dennis", brown_dennis, [25, 5, -5, -1], ALL, 85822.20163),
    _chebyquad(8, 1, ALL, (3.557893690, 3.550391299)),
    _chebyquad(8, 8, ONCE, 3.516873725e-3),
    _chebyquad(9, 9, ONCE, 0.0),
    _chebyquad(10, 10, ONCE, (4.772713e-3, 6.503955e-3)),
    _problem("Brown almost linear 10", brown_almost_linear, np.full(10, 0.5), ALL, (0.0, 1.0)),
    _problem("Brown almost linear 30", brown_almost_linear, np.full(30, 0.5), ONCE, (0.0, 1.0)),
    _problem("Brown almost linear 40", brown_almost_linear, np.full(40, 0.5), ONCE, (0.0, 1.0)),
    _problem("Osborne 1", osborne_1, [0.5, 1.5, -1, 0.01, 0.02], ONCE, 5.464894697e-5),
    _problem(
        "Osborne 2", osborne_2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5], ONCE,
        4.013773629e-2,
    ),
)  # fmt: skip
