"""What refutes one metric, every constant metric, or every metric: they are not the same."""

import numpy as np

import riemannian_modules as rm
from riemannian_modules.certify import Budget, Refuted, certify, l2

SHORT = Budget(seconds=5)


class Constant(rm.Flow):
    """``x' = -2``: in the metric exp(x) distances shrink as exp(-t)."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": -2 + 0 * x.x}


class Rippled(rm.Flow):
    """``z' = -z`` for ``z = x + sin(x) / 2``; far out, x' rises steeply in places."""

    state = rm.space(x="")

    def equations(self, x, u, p):
        return {"x": -(x.x + np.sin(x.x) / 2) / (1 + np.cos(x.x) / 2)}


class VanDerPol(rm.Flow):
    """A limit cycle about a source."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": x.y, "y": (1 - x.x**2) * x.y - x.x}


def test_an_eigenvalue_away_from_rest_refutes_no_metric_that_changes():
    # At x = 638 the Jacobian is +317, and yet the metric's own change outweighs it.
    answer = certify(
        Constant(), norm=l2(lambda x, u, p: [[np.exp(x.x)]]), rate=1 + 1e-6, budget=SHORT
    )
    assert "constant metric" not in str(answer)
    free = certify(Rippled(), rm.box(x=(630, 640)), norm=l2(degree=2), budget=SHORT)
    assert not isinstance(free, Refuted)


def test_it_refutes_every_constant_metric():
    answer = certify(Rippled(), rm.box(x=(630, 640)), norm=l2(), budget=SHORT)
    assert isinstance(answer, Refuted)


def test_an_eigenvalue_at_rest_refutes_every_metric():
    answer = certify(VanDerPol(), rm.box(x=(-1, 1), y=(-1, 1)), norm=l2(degree=2), budget=SHORT)
    assert isinstance(answer, Refuted), answer
    assert answer.witness == {"x": 0.0, "y": 0.0}
