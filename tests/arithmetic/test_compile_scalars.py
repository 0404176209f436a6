"""Compiled scalars give what the compiled NumPy code gives, inf and NaN included."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.arithmetic.compile_scalars import compile_scalars
from riemannian_modules.arithmetic.expression import derivatives

MAPS = {
    "arithmetic": lambda x, y, p: (x + y) * (x - p) / (y**2 + p**3) + x**5 - 1.0 / (2.5 + x) ** 2,
    "elementary": lambda x, y, p: np.exp(x) + np.sin(y) * np.cos(x) + np.tanh(p * x) + np.tan(y),
    "logarithms": lambda x, y, p: np.log(x) + np.log1p(y) + np.expm1(x),
    "hyperbolic": lambda x, y, p: np.sinh(x) * np.cosh(y) + np.arcsinh(p * x),
    "arcs": lambda x, y, p: np.arcsin(np.tanh(x)) + np.arccos(np.tanh(y)) + np.arctan(x),
    "powers": lambda x, y, p: x**p + np.sqrt(y) + y**0.37 + x ** (-1.5) + x ** (-4),
    "kinks": lambda x, y, p: np.maximum(x, y) - np.minimum(x, p) + np.abs(y) * np.sign(x),
    "softplus": lambda x, y, p: np.logaddexp(x, y) + 1.0 / (1.0 + np.exp(-x)),
    "choices": lambda x, y, p: np.where((x > y) & ~(y <= 0.5) | (x >= p) & (y < 1), x * y, -x),
    "parameters alone": lambda x, y, p: np.sqrt(p) / p,
}


def compiled(function, p):
    class Map(rm.StaticMap):
        inputs, outputs = rm.space("x y"), rm.space("z")
        parameters = {"p": p}

        def map(self, u, q):
            return {"z": function(u.x, u.y, q.p)}

    e = Map().expressions
    expressions = (*e.y, *derivatives(e.y, e.inputs)[0])
    ours = compile_scalars(expressions, e.arguments, np.array([p]))
    return ours, compile_floats(expressions, e.arguments)


hard = st.one_of(
    st.floats(-3.0, 3.0), st.sampled_from([0.0, 1e300, -1e300, 800.0, np.inf, -np.inf, np.nan])
)


@pytest.mark.parametrize("name", MAPS)
@settings(max_examples=60, deadline=None)
@given(x=hard, y=hard, p=st.sampled_from([0.5, 2.0, 2.7]))
def test_scalars_are_the_numpy_code_one_point_at_a_time(name, x, y, p):
    # NumPy's power takes a root of -inf to inf or to NaN, depending on the path that it takes.
    assume(name != "powers" or -np.inf not in (x, y))
    ours, reference = compiled(MAPS[name], p)
    with np.errstate(all="ignore"):
        expected = [float(v) for v in reference(np.zeros(0), np.array([x, y]), np.array([p]))]
    got = [float(v) for v in ours([], [x, y])]
    # Python's and NumPy's elementary functions round differently; few terms cancel little.
    finite = np.isfinite(expected)
    scale = np.abs(np.where(finite, expected, 0.0)).max() + 100.0
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13 * scale)


def test_a_parameter_outside_the_domain_gives_nan_and_no_exception():
    ours, _ = compiled(MAPS["parameters alone"], -1.0)
    assert np.isnan(ours([], [1.0, 1.0])[0])
