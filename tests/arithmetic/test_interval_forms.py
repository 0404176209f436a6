"""Every function that tracing supports has an interval form, and so has its derivative."""

import numpy as np
import pytest
from scipy import special

import riemannian_modules as rm
from riemannian_modules.arithmetic import interval as iv
from riemannian_modules.arithmetic.compile import compile_floats, compile_intervals
from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.arithmetic.scalar_rules import SCALAR_RULES

CONDITIONS = {
    "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or", "logical_not",
    "bitwise_and", "bitwise_or", "invert", "logical_xor", "bitwise_xor",
}  # fmt: skip


def function(name):
    return getattr(np, name) if hasattr(np, name) else getattr(special, name)


def traced(name):
    """The value and both derivatives of a function of x, y in (0, 1)."""
    f = function(name)

    class Map(rm.StaticMap):
        inputs, outputs = rm.space("x y"), rm.space("z")

        def map(self, u, p):
            if name in CONDITIONS:
                two = [u.x > 0.4, u.y < 0.7]
                if f.nin == 1:
                    return [np.where(f(two[0]), u.x * u.y, u.y)]
                operands = two if "and" in name or "or" in name else [u.x, u.y]
                return [np.where(f(*operands), u.x * u.y, u.y)]
            if name == "signbit":
                return [np.where(f(u.x - 0.5), u.x * u.y, u.y)]
            if name == "arccosh":
                return [f(1.2 + u.x * u.y)]
            return [f(u.x * u.y) if f.nin == 1 else f(u.x, u.y)]

    e = Map().expressions
    return (*e.y, *derivatives(e.y, e.inputs)[0]), e.arguments


@pytest.mark.parametrize("name", SCALAR_RULES)
def test_interval_forms_hold_the_float_values(name):
    expressions, groups = traced(name)
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0.05, 0.95, (2, 200))
    width = rng.choice([0.0, 1e-6, 0.04], 200)
    empty = np.zeros((0, 200))
    exact = compile_floats(expressions, groups)(empty, [x, y], empty)
    sides = [iv.interval(v - width, v + width) for v in (x, y)]
    enclosed = compile_intervals(expressions, groups)([], sides, [])
    for value, at in zip(enclosed, exact, strict=True):
        box = iv.as_interval(value).broadcast_to((200,))
        slack = 1e-13 * (1 + np.abs(at))  # the float code rounds
        assert box.is_decided.all()
        assert (box.lower <= at + slack).all()
        assert (at - slack <= box.upper).all()


def test_powers_of_a_parameter_have_slopes_where_the_base_touches_zero():
    expressions, groups = traced("power")
    value, _, slope = compile_intervals(expressions, groups)(
        [], [iv.interval(0.0, 0.5), iv.interval(1.0, 2.0)], []
    )
    assert value.contains(0.0)
    assert slope.contains(0.0)  # x^y log x tends to 0
    assert slope.lower >= -1 / np.e - 1e-12
