"""The table of slopes holds bounds of every derivative, rounded outward, and hardly more."""

from __future__ import annotations

import mpmath as mp
import pytest

from riemannian_modules.claims.slope_table import SLOPES

_DERIVATIVES = {
    "abs": mp.sign,
    "arctan": lambda v: 1 / (1 + v * v),
    "cos": lambda v: -mp.sin(v),
    "erf": lambda v: 2 / mp.sqrt(mp.pi) * mp.exp(-v * v),
    "gelu": lambda v: mp.ncdf(v) + v * mp.npdf(v),
    "relu": lambda v: 1 if v > 0 else 0,
    "saturation": lambda v: 1 if -1 < v < 1 else 0,
    "sigmoid": lambda v: mp.sech(v / 2) ** 2 / 4,
    "silu": lambda v: (1 + v / (1 + mp.exp(v))) / (1 + mp.exp(-v)),
    "sin": mp.cos,
    "softplus": lambda v: 1 / (1 + mp.exp(-v)),
    "softsign": lambda v: 1 / (1 + abs(v)) ** 2,
    "tanh": lambda v: mp.sech(v) ** 2,
}
# Where the derivative is smallest and largest; infinite ends are their limits.
_EXTREMES = {
    "gelu": (-mp.sqrt(2), mp.sqrt(2)),
    "silu": (-2.3993572805154, 2.3993572805154),
    "cos": (mp.pi / 2, -mp.pi / 2),
    "sin": (mp.pi, 0),
    "abs": (-1, 1),
    "relu": (-1, 1),
    "saturation": (2, 0),
}


@pytest.mark.parametrize("count", [500, pytest.param(4000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(SLOPES))
def test_the_slopes_bound_the_derivative_at_every_sampled_argument(name: str, count: int) -> None:
    low, high = SLOPES[name]
    with mp.workdps(50):
        for k in range(-count, count + 1):
            slope = _DERIVATIVES[name](mp.mpf(4000 * k) / (97 * count))
            assert mp.mpf(low) <= slope <= mp.mpf(high)


@pytest.mark.parametrize("name", sorted(SLOPES))
def test_the_slopes_are_attained_within_a_unit_in_the_last_place(name: str) -> None:
    low, high = SLOPES[name]
    with mp.workdps(50):
        ends = _EXTREMES.get(name, (10**30, 0) if name != "softplus" else (-300, 300))
        least, most = (_DERIVATIVES[name](mp.mpf(end)) for end in ends)
        assert 0 <= least - mp.mpf(low) <= 3e-17
        assert 0 <= mp.mpf(high) - most <= 3e-16


def test_the_slopes_of_gelu_turn_where_the_table_says() -> None:
    # d/dv (Phi + v phi) = (2 - v^2) phi: no other extreme, and the limits are 0 and 1.
    with mp.workdps(50):
        turn = mp.findroot(lambda v: mp.diff(_DERIVATIVES["gelu"], v), 1.4)
        assert abs(turn - mp.sqrt(2)) < mp.mpf(10) ** -30
        assert mp.mpf(SLOPES["gelu"][0]) <= 1 - _DERIVATIVES["gelu"](turn)


def test_the_slopes_of_silu_turn_where_the_table_says() -> None:
    with mp.workdps(50):
        turn = mp.findroot(lambda v: v * mp.tanh(v / 2) - 2, 2.4)
        assert abs(mp.diff(_DERIVATIVES["silu"], turn)) < mp.mpf(10) ** -30
        most = _DERIVATIVES["silu"](turn)
        assert 0 <= mp.mpf(SLOPES["silu"][1]) - most <= mp.mpf(3) * 10**-16
        assert 0 <= (1 - most) - mp.mpf(SLOPES["silu"][0]) <= mp.mpf(3) * 10**-17
