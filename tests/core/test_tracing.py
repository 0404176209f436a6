"""Plain NumPy code traced into exact expressions: what is traced is what NumPy computes."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from scipy import special

import riemannian_modules as rm
from riemannian_modules.arithmetic.compile import compile_floats, compile_intervals
from riemannian_modules.arithmetic.expression import derivatives
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.arithmetic.tracer import LARGEST_TRACE
from riemannian_modules.errors import SignatureError, TraceError, UnsupportedError
from riemannian_modules.region import box
from tests.strategies import rngs

EPS = 2.0**-52
NONE = np.zeros(0)
M = np.array([[1.0, -2.0, 0.5], [0.1, 0.3, -0.7]])

# Each takes v (3,) with entries in (-1, 1), and w > 0, a scalar.
OPERATIONS = {
    "add": lambda v, w: v + w + 1,
    "subtract": lambda v, w: 1.5 - v - w,
    "multiply": lambda v, w: 2 * v * w,
    "divide": lambda v, w: v / w + 1.0 / (v + 2),
    "negative": lambda v, w: -v + (+w),
    "square": lambda v, w: np.square(v) + v**3 - v**4,
    "reciprocal": lambda v, w: np.reciprocal(w + v**2),
    "integer power": lambda v, w: w**-3 + v**0 + v**1,
    "root power": lambda v, w: w**0.5 + w**1.5 + w**-0.25,
    "real power": lambda v, w: w**1.3 + np.power(w, v),
    "power of a number": lambda v, w: 2.5**v + np.float_power(w, 0.3),
    "sqrt": lambda v, w: np.sqrt(w) + np.sqrt(v**2),
    "exp": lambda v, w: np.exp(v) + np.exp2(v) + np.expm1(v),
    "log": lambda v, w: np.log(w) + np.log2(w) + np.log10(w) + np.log1p(w),
    "sin": lambda v, w: np.sin(v) + np.cos(3 * v) + np.tan(v),
    "sinh": lambda v, w: np.sinh(v) + np.cosh(v) + np.tanh(v),
    "arcsin": lambda v, w: np.arcsin(v) + np.arccos(v) + np.arctan(v) + np.arcsinh(v),
    "absolute": lambda v, w: np.abs(v) + abs(v - 0.3) + np.fabs(w) + np.sign(v),
    "maximum": lambda v, w: np.maximum(v, 0.2) + np.minimum(v, w) + np.fmax(v, w) + np.fmin(v, 0),
    "clip": lambda v, w: np.clip(v, -0.5, 0.4) + np.clip(v, None, w),
    "where": lambda v, w: np.where(v > 0.1, v**2, np.where(v <= -0.3, w, 3.0)),
    "logic": lambda v, w: np.where((v > 0) & (w < 1) | ~(v < -0.5), v, 2 * v),
    "logical": lambda v, w: np.where(np.logical_or(v >= 0, np.logical_not(w > 1)), v, w),
    "hypot": lambda v, w: np.hypot(v, w) + w,
    "logaddexp": lambda v, w: np.logaddexp(v, w) + v,
    "erf": lambda v, w: special.erf(v) + special.erfc(v) + special.expit(v),
    "matmul": lambda v, w: M @ v * w,
    "matmul left": lambda v, w: v @ M.T,
    "dot": lambda v, w: np.dot(M, v) + np.dot(v, v) + v.dot(v),
    "inner": lambda v, w: np.inner(v, v) + np.vdot(v, v) + np.trace(np.outer(v, v)),
    "einsum": lambda v, w: np.einsum("ij,j->i", M, v),
    "kron": lambda v, w: np.kron(M, np.stack([v, v])) @ np.concatenate([v, v, v]),
    "tensordot": lambda v, w: np.tensordot(M, v, axes=1),
    "cross": lambda v, w: np.cross(v, np.array([1.0, 2.0, 3.0])),
    "sum": lambda v, w: np.sum(v) + v.sum() + np.sum(np.outer(v, v), axis=0),
    "prod": lambda v, w: np.prod(v) + v.prod() + np.cumsum(v),
    "mean": lambda v, w: np.mean(v) + v.mean() + np.mean(np.outer(v, v), axis=1),
    "max": lambda v, w: np.max(v) - np.min(v) + np.amax(np.outer(v, v), axis=0),
    "norm": lambda v, w: np.linalg.norm(v + w),
    "indexing": lambda v, w: np.stack([v[0], v[-1], v[1:].sum(), v[::-1][0]]),
    "joining": lambda v, w: np.concatenate([v, np.hstack([v, v[:1]]), np.append(v, w)]),
    "shaping": lambda v, w: np.outer(v, v).reshape(9)[2:7] + np.ravel(np.outer(v, v).T)[:5],
    "moving": lambda v, w: np.roll(v, 1) + np.flip(v) + np.repeat(v[:1], 3) + np.tile(w, 3),
    "diagonal": lambda v, w: np.diag(v) @ v + np.diag(np.outer(v, v)) + np.diff(v).sum(),
    "triangles": lambda v, w: (np.triu(np.outer(v, v)) + np.tril(np.outer(v, v))) @ v,
    "iteration": lambda v, w: np.stack([a * w for a in v]),
    "list": lambda v, w: [v[0], 2.0, w],
    "np.array": lambda v, w: M @ np.array([v[0], w, 1.0]) + np.sum([v[0], w]),
    "np.asarray": lambda v, w: np.sin(np.asarray(v)) * np.exp([w, v[1], v[2]]),
    "kept axes": lambda v, w: np.exp(M * v) / np.exp(M * v).sum(axis=1, keepdims=True),
    "the largest with kept axes": lambda v, w: M * v - np.max(M * v, axis=1, keepdims=True) * w,
    "constants": lambda v, w: np.array([1.0, 0.1, 1e-30]) * v + np.ones_like(v) * 3,
}


def flat(value):
    parts = value if isinstance(value, list) else [value]
    return np.concatenate([np.ravel(part) for part in parts])


def traced(operation, size):
    class Map(rm.StaticMap):
        inputs, outputs = rm.space("w", v=3), rm.space(y=size)

        def map(self, u, p):
            return {"y": operation(u.v, u.w)}

    return Map()


def draw(rng):
    return np.concatenate([rng.uniform(0.2, 2.0, 1), rng.uniform(-0.95, 0.95, 3)])


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_what_is_traced_is_what_numpy_computes(operation):
    rng = np.random.default_rng(7)
    for _ in range(5):
        u = draw(rng)
        expected = flat(operation(u[1:], u[0]))
        module = traced(operation, expected.size)
        got = module.output(NONE, u, NONE)
        # Some dozen roundings of terms of size 10 at most.
        assert np.abs(got - expected).max() <= 64 * EPS * (1 + np.abs(expected).max())
    batch = np.stack([draw(rng) for _ in range(3)])
    ys = module.output(NONE, batch, NONE)
    for y, u in zip(ys, batch, strict=True):
        assert np.abs(y - flat(operation(u[1:], u[0]))).max() <= 64 * EPS * (1 + np.abs(y).max())


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_intervals_contain_values_and_slopes_of_what_is_traced(operation):
    rng = np.random.default_rng(8)
    module = traced(operation, flat(operation(np.full(3, 0.5), 1.0)).size)
    middle = draw(rng)
    low = np.maximum(middle - 0.04, [0.1, -0.99, -0.99, -0.99])
    high = np.minimum(middle + 0.04, [3.0, 0.99, 0.99, 0.99])
    none = interval(NONE, NONE)
    e = module.enclose(none, interval(low, high), none)
    for _ in range(20):
        u = low + rng.random(4) * (high - low)
        y, D = module.output(NONE, u, NONE), module.jacobian(NONE, u, NONE).D
        slack = 64 * EPS * (1 + np.abs(y).max())
        assert ((y >= e.y.lower - slack) & (y <= e.y.upper + slack)).all()
        slack = 64 * EPS * (1 + np.abs(D).max())
        assert (e.D.lower - slack <= D).all()
        assert (e.D.upper + slack >= D).all()
    assert np.isfinite(e.y.lower).all()


REFUSED = {
    "a branch": (lambda v, w: v if w > 0 else -v, "branch.*np.where"),
    "and": (lambda v, w: (w > 0 and v[0]) * v, "branch.*np.where"),
    "assignment": (lambda v, w: v.__setitem__(0, w), "assignment.*np.stack"),
    "math.sin": (lambda v, w: math.sin(w) * v, r"math\.\*"),
    "float": (lambda v, w: float(w) * v, "to a float"),
    "np.array of floats": (lambda v, w: np.array(v, dtype=float) * w, "an array of"),
    "np.floor": (lambda v, w: np.floor(v), "np.floor"),
    "np.mod": (lambda v, w: v % w, "np.remainder"),
    "equality": (lambda v, w: np.where(v == w, v, w), "np.equal"),
    "np.sort": (lambda v, w: np.sort(v), "np.sort"),
    "np.linalg.eig": (lambda v, w: np.linalg.eig(np.outer(v, v))[0], "np.eig"),
    "np.interp at traced places": (lambda v, w: np.interp(0.5, v, [0.0, 1.0, 2.0]), "np.interp"),
    "np.interp back and forth": (lambda v, w: np.interp(v, [0.0, 0.0], [0.0, 1.0]), "increase"),
    "norm of another order": (lambda v, w: np.linalg.norm(v, 0) * w, "order 0"),
    "norm of a matrix": (
        lambda v, w: np.linalg.norm(np.outer(v, v), 2) * w,
        "a matrix of the order",
    ),
    "largest from a start": (lambda v, w: np.max(v, initial=2.0) * w, "initial"),
    "wrong shapes": (lambda v, w: v + np.ones(4), "shape"),
    "beyond the end": (lambda v, w: v[7] * w, "index 7"),
    "assignment into an array": (lambda v, w: np.put(np.zeros(3), 0, v[0]), "np.put"),
    "out=": (lambda v, w: np.add(v, w, out=np.zeros(3)), "np.add"),
    "accumulate": (lambda v, w: np.add.accumulate(v), "np.add.accumulate"),
    "a string": (lambda v, w: v + "1", "str"),
    "infinity": (lambda v, w: v + np.inf, "no real number"),
    "root of a negative constant": (lambda v, w: np.sqrt(0 * w - 1) * v, "should be nonnegative"),
    "division by zero": (lambda v, w: v / (w - w), "should be nonzero"),
}


@pytest.mark.parametrize(("operation", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_traced_is_named_with_the_module_and_the_way_out(operation, message):
    with pytest.raises(TraceError, match=message) as caught:
        traced(operation, 3).expressions  # noqa: B018
    assert "Map: " in str(caught.value)


def test_a_map_too_large_to_trace_says_how_large_and_what_to_do():
    n = math.isqrt(LARGEST_TRACE) + 10

    class Large(rm.StaticMap):
        inputs, outputs = rm.space(v=n), rm.space("y")

        def map(self, u, p):
            return {"y": np.sum(np.sin(np.outer(u.v, u.v)))}

    with pytest.raises(
        TraceError, match=r"Large: the map has more than the \d+ scalar operations.*affine"
    ):
        Large().expressions  # noqa: B018


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"z": 1.0}, r"unknown names \['z'\], missing names \['y'\]"),
        ({"y": [1.0, 2.0]}, r"'y' is declared with shape \(3,\)"),
        (np.zeros(2), r"expected 3 numbers"),
    ],
)
def test_results_that_are_not_what_was_declared_are_named(result, message):
    class Map(rm.StaticMap):
        inputs, outputs = rm.space(v=3), rm.space(y=3)

        def map(self, u, p):
            return result

    with pytest.raises(SignatureError, match="Map: the outputs: .*" + message):
        Map().expressions  # noqa: B018


@given(rngs)
def test_a_float_constant_is_the_binary_number_that_it_is(rng):
    constant = float(rng.standard_normal() * 10.0 ** rng.integers(-30, 30))
    module = traced(lambda v, w: constant * v[0], 1)
    (e,) = module.expressions.y
    v0 = module.expressions.inputs[1]
    exact = Fraction(constant)
    assert e == sp.Rational(exact.numerator, exact.denominator) * v0
    assert module.output(NONE, np.array([1.0, 1.0, 0.0, 0.0]), NONE)[0] == constant


def test_parameters_fixed_at_floats_are_exact():
    class Scaled(rm.StaticMap):
        inputs, outputs, parameters = rm.space("v"), rm.space("y"), {"k": 0.1}

        def map(self, u, p):
            return {"y": p.k * u.v}

    module = Scaled()
    (y,) = module.expressions_at(module.theta).y
    assert y.subs(module.expressions.inputs[0], 1) == sp.Rational(*(0.1).as_integer_ratio())
    assert module.expressions_at(module.theta).parameters == ()


def test_domain_conditions_are_recorded():
    def kinds(operation):
        guards = traced(operation, 1).expressions.guards
        return {(g.kind, str(g.expression)) for g in guards}

    assert kinds(lambda v, w: np.log(w)) == {("positive", "w")}
    assert kinds(lambda v, w: 1.0 / w) == {("nonzero", "w")}
    assert kinds(lambda v, w: np.sqrt(w)) == {("nonnegative", "w")}
    assert kinds(lambda v, w: w**-2) == {("nonzero", "w")}
    assert kinds(lambda v, w: w**1.3) == {("nonnegative", "w")}
    assert kinds(lambda v, w: np.arcsin(w)) == {("nonnegative", "1 - w**2")}
    assert kinds(lambda v, w: np.exp(w) + np.sqrt(2.0) * w) == set()
    # Conditions of what cancels are kept: the program divides by zero where its limit does not.
    assert kinds(lambda v, w: w * w / w) == {("nonzero", "w")}


def test_compiled_floats_and_intervals_share_subterms_and_refuse_unknown_symbols():
    x, y = sp.symbols("x y", real=True)
    e = sp.sin(x * y) ** 2 + sp.exp(sp.sin(x * y))
    (value,) = compile_floats((e,), ((x, y),))((0.3, 0.7))
    s = math.sin(0.3 * 0.7)
    assert abs(value - (s * s + math.exp(s))) <= 8 * EPS
    (box,) = compile_intervals((e,), ((x, y),))((interval(0.3, 0.3), interval(0.7, 0.7)))
    assert box.lower <= s * s + math.exp(s) + 8 * EPS
    # Four roundings and three functions, each widened by up to 16 floats on either side.
    assert box.upper - box.lower <= 3 * 32 * 2 * EPS
    with pytest.raises(UnsupportedError, match="symbol y"):
        compile_floats((e,), ((x,),))


def test_slopes_at_kinks_are_enclosed_whole():
    module = traced(lambda v, w: np.maximum(v, 0.0), 3)
    none = interval(NONE, NONE)
    e = module.enclose(none, interval([1.0, -1.0, 1.0, -1.0], [1.0, 1.0, 2.0, -0.5]), none)
    D = [(e.D.lower[i, i + 1], e.D.upper[i, i + 1]) for i in range(3)]
    assert D == [(0.0, 1.0), (1.0, 1.0), (0.0, 0.0)]


def test_rows_that_do_not_depend_on_a_symbol_are_zero():
    x, y = sp.symbols("x y", real=True)
    assert derivatives((x**2, sp.Integer(3)), (x, y)) == ((2 * x, 0), (0, 0))


JUMPING = {
    "sign": lambda v, w: np.sign(w - 1),
    "step": lambda v, w: np.heaviside(w - 1, 0.5),
    "where": lambda v, w: np.where(w > 1, 3.0, w),
    "one of two conditions": lambda v, w: np.where((w > 1) & (w < 5), 3.0, 3.0 * w),
    "copysign": lambda v, w: np.copysign(2.0, w - 1),
    "the cut of an angle": lambda v, w: np.arctan2(w - 1, -1 - v[0]),
    "a quotient": lambda v, w: np.minimum(0.1 / (w - 1), 3.0),
}


@pytest.mark.parametrize("operation", JUMPING.values(), ids=list(JUMPING))
def test_a_jacobian_bounds_nothing_where_the_map_jumps_or_is_undefined(operation):
    module = traced(operation, 1)
    sides = {f"v[{i}]": (0.0, 1.0) for i in range(3)}
    assert module.contraction_rate(box(w=(0.5, 1.5), **sides)).factor == np.inf
    assert module.contraction_rate(box(w=(1.25, 1.5), **sides)).factor <= 3.001
    none = interval(NONE, NONE)
    e = module.enclose(none, interval([0.5, 0, 0, 0], [1.5, 1, 1, 1]), none)
    assert not e.D.is_decided.any()
    values = module.output(NONE, np.array([[w, 0.5, 0, 0] for w in np.linspace(0.5, 1.5, 8)]), NONE)
    assert e.y.contains(values).all() or not e.y.is_decided.any()


def test_pieces_that_join_keep_their_bound_across_the_border():
    module = traced(lambda v, w: np.where(w > 1, 2 * w - 1, w), 1)
    region = box(w=(0.5, 1.5), **{f"v[{i}]": (0.0, 1.0) for i in range(3)})
    assert 2 <= module.contraction_rate(region).factor <= 2.001


def test_an_output_that_jumps_leaves_the_rate_of_the_state():
    class Switched(rm.Flow):
        state, outputs = rm.space("x"), rm.space("y")

        def equations(self, x, u, p):
            return {"x": -2.0 * x.x}, {"y": np.sign(x.x)}

    assert Switched().contraction_rate(box(x=(-1, 1))).rate <= -1.999
    graph = rm.chain(Switched(), rm.Affine(np.eye(1)))
    none = interval(NONE, NONE)
    e = graph.enclose(interval([-1.0], [1.0]), none, interval(graph.theta, graph.theta))
    assert e.A.is_decided.all()
    assert not e.C.is_decided.any()
