"""Floating-point numbers on which arithmetic is most likely to fail, mixed with ordinary ones."""

import math

import numpy as np

from riemannian_modules.arithmetic.interval import Interval, interval

LARGEST = float(np.finfo(float).max)
CORNER_CASES = np.array(
    [
        0.0,
        1.0,
        2.0,
        0.5,
        3.0,
        1 / 3,
        5e-324,
        1e-323,
        2.0 ** (-1022),
        2.0 ** (-1022) - 5e-324,
        2.0 ** (-1000),
        2.0 ** (-970),
        2.0 ** (-537),
        1e-150,
        1e-16,
        2.0 ** (-53),
        1 - 2.0 ** (-53),
        1 + 2.0 ** (-52),
        2.0**27 + 1,
        2.0**53 - 1,
        1e150,
        2.0**511,
        1.7e308,
        math.nextafter(math.inf, 0),
        709.782712893384,
        710.0,
        745.0,
        745.14,
        19.0,
        22.0,
        355.0,
        100000.0,
        2.0**30,
    ]
)


def random_numbers(rng: np.random.Generator, size: int) -> np.ndarray:
    """Finite doubles of any size and sign: ordinary, subnormal, corner cases."""
    ordinary = rng.standard_normal(size) * 10.0 ** rng.integers(-3, 4, size)
    any_exponent = np.ldexp(rng.uniform(-1, 1, size), rng.integers(-1080, 1024, size))
    whole = rng.integers(-9, 10, size).astype(float)
    corner = rng.choice(CORNER_CASES, size) * rng.choice([-1.0, 1.0], size)
    kind = rng.integers(0, 4, size)
    return np.choose(kind, [ordinary, any_exponent, whole, corner])


def near_multiples(rng: np.random.Generator, size: int) -> np.ndarray:
    """Doubles at or next to multiples of a quarter of pi, up to 2^30."""
    turns = np.round(np.exp(rng.uniform(0, math.log(2.0**30), size))) * rng.choice([-1, 1], size)
    x = turns * (math.pi / 4)
    return x + rng.integers(-3, 4, size) * np.spacing(x)


@np.errstate(over="ignore")
def around(rng: np.random.Generator, x: np.ndarray) -> Interval:
    """Intervals that contain ``x``: thin, narrow, wide, unbounded."""
    other = random_numbers(rng, len(x))
    kind = rng.integers(0, 4, len(x))
    near = np.clip([x - np.abs(x) * 2.0**-10, x + np.abs(x) * 2.0**-10], -LARGEST, LARGEST)
    lower = np.choose(kind, [x, near[0], np.minimum(x, other), x])
    upper = np.choose(kind, [x, near[1], np.maximum(x, other), np.full(len(x), np.inf)])
    lower = np.where((kind == 3) & (rng.random(len(x)) < 0.5), -np.inf, lower)
    return interval(lower, upper)
