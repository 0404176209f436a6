"""Many members at many times: the polynomials between steps against exponentials."""

import numpy as np
from hypothesis import given, settings

from riemannian_modules.integration.march import members_at
from riemannian_modules.integration.passed_times import PassedTimes
from riemannian_modules.integration.side_by_side import Accuracy, Rates
from riemannian_modules.integration.solve import explicitly, solve
from tests.integration.sensitive_problem import SensitiveProblem
from tests.strategies import rngs

ACCURACY = Accuracy(1e-10, 1e-14)


class Decays(Rates):
    """``dx/dt = -rates x``; rates (n, M)."""

    def __init__(self, rates):
        self.rates = rates

    def write_rate(self, t, c, h, z, out):
        np.multiply(z, -self.rates[:, None], out=out)

    def only(self, kept):
        return Decays(self.rates[:, kept])


def explicit(rates, times, start):
    passed, z = PassedTimes(times, start[:, None]), start[:, None]
    t, until = (np.full(z.shape[-1], time) for time in times[[0, -1]])
    flow = Decays(rates)
    at = members_at(flow, t, until, z, np.abs(z), ACCURACY)
    return passed.ended(explicitly(flow, at, ACCURACY, passed.watch))[:, :, 0]


@given(rngs)
@settings(max_examples=20, deadline=None)
def test_every_member_is_right_at_every_time(rng):
    n, members = 3, 11
    rates, start = rng.uniform(0.0, 4.0, (n, members)), rng.standard_normal((n, members))
    inner = np.sort(rng.uniform(0.0, 2.0, rng.integers(0, 30)))
    times = np.concatenate([[0.0], inner, [2.0]])
    got = explicit(rates, times, start)
    exact = start * np.exp(-rates * times[:, None, None])
    assert np.abs(got - exact).max() <= 1e-8 * np.abs(start).max()


def test_members_at_the_border_of_stability_are_left_and_hold_up_nobody():
    rates = np.array([[1.0, 1.0, 2.0, 3.0], [2.0, 1e5, 3.0, 1e7]])
    times = np.linspace(0.0, 5.0, 6)
    got = explicit(rates, times, np.ones((2, 4)))
    assert np.isnan(got[-1, :, [1, 3]]).all()
    exact = np.exp(-rates[:, [0, 2]] * times[:, None, None])
    assert np.abs(got[..., [0, 2]] - exact).max() <= 1e-8


def test_times_passed_by_either_method_are_noted():
    rates, times = np.array([1.0, 1e5]), np.linspace(0.0, 5.0, 21)
    problem = SensitiveProblem(
        lambda t, x: -rates * x, lambda t, x: (-np.diag(rates)[None], np.zeros((len(x), 2, 0)))
    )
    z = np.ones((2, 1, 1))
    passed = PassedTimes(times, z)
    ends = solve(problem, times[:1], times[-1:], z, ACCURACY, passed.watch)
    exact = np.exp(-rates * times[:, None])
    assert np.abs(passed.ended(ends)[:, :, 0, 0] - exact).max() <= 1e-8
