"""Problems of the kind of NIST's, with their formulas and starts, on data made here.

The data of three are published elsewhere: MGH10 and MGH17 in More, Garbow and Hillstrom (1981),
ACM Trans. Math. Softw. 7, 17-41 (problems 10 and 17); Lanczos (1956), Applied Analysis, 272-280,
gives the sum of exponentials. All others are the formula at ``truth`` plus seeded noise.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.nist_models import regression


@dataclass(frozen=True, eq=False)
class Synthetic:
    """starts (2, p), truth (p,): near the minimum; predictors (N, 1), response (N,)."""

    formula: str
    starts: np.ndarray
    truth: np.ndarray
    predictors: np.ndarray
    response: np.ndarray


_LANCZOS = ([1.2, 0.3, 5.6, 5.5, 6.5, 7.6], [0.5, 0.7, 3.6, 4.2, 4, 6.3])
_SMALL = np.linspace(77.0, 760.0, 14)
_MGH17 = """0.844 0.908 0.932 0.936 0.925 0.908 0.881 0.850 0.818 0.784 0.751 0.718 0.685 0.658
0.628 0.603 0.580 0.558 0.538 0.522 0.506 0.490 0.478 0.467 0.457 0.448 0.438 0.431 0.424 0.420
0.414 0.411 0.406"""
_MGH10 = "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872"

# formula: start 1, start 2, truth, predictor, standard deviation of the noise
_MADE = {
    "Misra1b": ([500, 1e-4], [300, 2e-4], [338.0, 3.9e-4], _SMALL, 0.08),
    "Misra1c": ([500, 1e-4], [600, 2e-4], [636.0, 2.1e-4], _SMALL, 0.06),
    "Misra1d": ([500, 1e-4], [450, 3e-4], [437.0, 3.0e-4], _SMALL, 0.07),
    "Chwirut1": (
        [0.1, 0.01, 0.02], [0.15, 0.008, 0.01], [0.19, 0.0061, 0.0105],
        np.tile(np.linspace(0.5, 5.75, 15), 14), 3.4,
    ),
    "Gauss2": (
        [96, 0.009, 103, 106, 18, 72, 151, 18], [98, 0.0105, 103, 105, 20, 73, 150, 20],
        [99, 0.011, 101.9, 107, 23.6, 72, 153.3, 19.5], np.arange(1.0, 251.0), 2.3,
    ),
    "Gauss3": (
        [94.9, 0.009, 90.1, 113, 20, 73.8, 140, 20], [96, 0.0096, 80, 110, 25, 74, 139, 25],
        [98.9, 0.0109, 100.7, 111.6, 23.3, 73.7, 147.8, 19.7], np.arange(1.0, 251.0), 2.3,
    ),
    "Kirby2": (
        [2, -0.1, 0.003, -0.001, 1e-5], [1.5, -0.15, 0.0025, -0.0015, 2e-5],
        [1.67, -0.139, 0.0026, -0.00172, 2.17e-5], np.linspace(10.0, 370.0, 151), 0.16,
    ),
    "Hahn1": (
        [10, -1, 0.05, -1e-5, -0.05, 1e-3, -1e-6], [1, -0.1, 5e-3, -1e-6, -5e-3, 1e-4, -1e-7],
        [1.08, -0.1227, 4.086e-3, -1.426e-6, -5.76e-3, 2.405e-4, -1.231e-7],
        np.concatenate([np.linspace(14.0, 100.0, 120), np.linspace(103.0, 850.0, 116)]), 0.08,
    ),
    "Roszman1": (
        [0.1, -1e-5, 1000, -100], [0.2, -5e-6, 1200, -150], [0.2, -6.2e-6, 1204, -181],
        -np.geomspace(460.0, 4870.0, 25), 0.005,
    ),
    "Bennett5": (
        [-2000, 50, 0.8], [-1500, 45, 0.85], [-2523.5, 46.74, 0.9322],
        np.geomspace(7.4, 57.0, 154), 0.0019,
    ),
    "Rat43": (
        [100, 10, 1, 1], [700, 5, 0.75, 1.3], [700, 5.28, 0.76, 1.28], np.arange(1.0, 16.0), 25.0,
    ),
}  # fmt: skip
SYNTHETIC = (*_MADE, "Lanczos1", "Lanczos2", "MGH10", "MGH17")


def synthetic_problem(name: str) -> Synthetic:
    """The problem of a name in SYNTHETIC."""
    if name == "MGH10":
        return _problem(
            name, ([2, 4e5, 25000], [0.02, 4000, 250]), [5.6e-3, 6181, 345.2],
            50.0 + 5.0 * np.arange(16), np.array([float(word) for word in _MGH10.split()]),
        )  # fmt: skip
    if name == "MGH17":
        return _problem(
            name, ([50, 150, -100, 1, 2], [0.5, 1.5, -1, 0.01, 0.02]),
            [0.375, 1.936, -1.465, 0.01287, 0.02212],
            10.0 * np.arange(33), np.array([float(word) for word in _MGH17.split()]),
        )  # fmt: skip
    if name.startswith("Lanczos"):
        x = np.array([float(f"{0.05 * i:.2f}") for i in range(24)])
        y = 0.0951 * np.exp(-x) + 0.8607 * np.exp(-3 * x) + 1.5576 * np.exp(-5 * x)
        printed = [float(f"{value:.{12 if name == 'Lanczos1' else 5}e}") for value in y]
        return _problem(name, _LANCZOS, [0.0951, 1, 0.8607, 3, 1.5576, 5], x, np.array(printed))
    first, second, truth, x, noise = _MADE[name]
    module = regression(name, np.array(truth, dtype=float))
    clean = module.output(np.zeros(0), x[:, None], module.theta)[:, 0]
    rng = np.random.default_rng(20260101)
    return _problem(name, (first, second), truth, x, clean + noise * rng.standard_normal(len(x)))


def _problem(name, starts, truth, x, response):
    return Synthetic(
        name,
        np.array(starts, dtype=float),
        np.array(truth, dtype=float),
        x[:, None],
        response,
    )
