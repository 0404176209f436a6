"""Problems that take some hundred boxes to decide, shared by the tests of branch and bound."""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import l2
from riemannian_modules.evidence.criterion import make_criterion
from riemannian_modules.search.traced_problem import make_problem

SQRT_PI = float(np.sqrt(np.pi))


class Swirl(rm.Flow):
    """Two states that bend each other; its atoms repeat symbols, so that boxes have to be cut."""

    state, inputs = rm.space(x=2), rm.space(u=1)

    def __init__(self, decay=2.0):
        self.decay = decay

    def equations(self, x, u, p):
        a, b = x.x
        return {
            "x": np.stack(
                [
                    -self.decay * a + 0.5 * np.sin(a * b),
                    -self.decay * b + a / (1 + b**2) + 0.2 * np.sin(u.u[0]) * b,
                ]
            )
        }


class Needle(rm.Flow):
    """Slopes of -1, but for a peak up to ``height - 1`` of a given width around a point."""

    def __init__(self, places, width, height=2.0):
        self.places, self.width, self.height = places, width, height
        self.state = rm.space(x=len(places))

    def equations(self, x, u, p):
        from scipy.special import erf

        return {
            "x": np.stack(
                [
                    -x.x[i]
                    + self.height / 2 * self.width * SQRT_PI * erf((x.x[i] - c) / self.width)
                    for i, c in enumerate(self.places)
                ]
            )
        }


def posed(module, region, norm=None):
    problem = make_problem(module, region)
    return problem, make_criterion(problem, norm or l2(np.eye(len(problem.map))))


def swirl(decay=2.0):
    return posed(Swirl(decay), rm.box(x=(-1, 1.5), u=(0, 3)))


def same(a, b):
    """Whether two partitions are the same tree with the same bounds, bit for bit."""
    return a.cuts == b.cuts and np.array_equal(a.bounds, b.bounds) and a.sampled == b.sampled
