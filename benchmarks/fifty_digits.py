"""The minimum of a regression problem with fifty digits, from exact expressions.

Source: none; Gauss-Newton from near the minimum, in mpmath's arithmetic.
"""

import mpmath
import numpy as np

from benchmarks.nist_models import regression
from benchmarks.nist_synthetic import Synthetic


def slow_minimum(problem: Synthetic, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and standard deviations, by Gauss-Newton from theta, near the minimum."""
    import sympy as sp

    module = regression(problem.formula, theta)
    e = module.expressions
    slopes = [e.y[0].diff(b) for b in e.parameters]
    ours = {"power_log": lambda base, exponent: base**exponent * mpmath.log(base)}
    arguments = [list(e.inputs), list(e.parameters)]
    f = sp.lambdify(arguments, [e.y[0], *slopes], [ours, "mpmath"], cse=True)
    with mpmath.workdps(50):
        b = mpmath.matrix([mpmath.mpf(float(v)) for v in theta])
        inputs = [[mpmath.mpf(repr(float(v))) for v in row] for row in problem.predictors]
        targets = [mpmath.mpf(repr(float(v))) for v in problem.response]
        for _ in range(60):
            rows = [f(u, list(b)) for u in inputs]
            J = mpmath.matrix([row[1:] for row in rows])
            r = mpmath.matrix([row[0] - t for row, t in zip(rows, targets, strict=True)])
            step = mpmath.lu_solve(J.T * J, -(J.T * r))
            b = b + step
            if max(abs(s / v) for s, v in zip(step, b, strict=True)) < mpmath.mpf(10) ** -18:
                break
        variance = (r.T * r)[0] / (len(targets) - len(b))
        covariance = (J.T * J) ** -1 * variance
        deviations = [float(mpmath.sqrt(covariance[i, i])) for i in range(len(b))]
        return np.array([float(v) for v in b]), np.array(deviations)
