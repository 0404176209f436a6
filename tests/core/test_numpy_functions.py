"""Every function of NumPy is traced, or refused by name with the reason; none is forgotten."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from scipy import special

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.arithmetic.array_rules import ARRAY_RULES
from riemannian_modules.arithmetic.interval import interval
from riemannian_modules.arithmetic.scalar_rules import REFUSED, SCALAR_RULES
from riemannian_modules.arithmetic.symbolic_array import _LINEAR, _STRUCTURAL
from riemannian_modules.certify import Proved, certify
from riemannian_modules.errors import RegionError, TraceError, UnsupportedError
from riemannian_modules.region import box
from riemannian_modules.spec import load_system, save_system

EPS = 2.0**-52
NONE = np.zeros(0)


def log2():
    return arb(2).log()


def third_root(x):
    return x ** (arb(1) / 3) if x > 0 else -((-x) ** (arb(1) / 3))


def heaviside(x, h):
    return arb(0) if x < 0 else arb(1) if x > 0 else h


# Of two arguments, the first of which lies between the ends given and the second in (0.5, 2): the
# function on balls, and the ends. Where it is None, the values are compared with NumPy's alone.
ELEMENTARY = {
    "add": (lambda a, b: a + b, (-2, 2)),
    "subtract": (lambda a, b: a - b, (-2, 2)),
    "multiply": (lambda a, b: a * b, (-2, 2)),
    "divide": (lambda a, b: a / b, (-2, 2)),
    "power": (lambda a, b: a**b, (0.1, 3)),
    "float_power": (lambda a, b: a**b, (0.1, 3)),
    "maximum": (lambda a, b: a.max(b), (-2, 2)),
    "minimum": (lambda a, b: a.min(b), (-2, 2)),
    "fmax": (lambda a, b: a.max(b), (-2, 2)),
    "fmin": (lambda a, b: a.min(b), (-2, 2)),
    "hypot": (lambda a, b: (a * a + b * b).sqrt(), (-2, 2)),
    "arctan2": (arb.atan2, (-3, 3)),
    "logaddexp": (lambda a, b: (a.exp() + b.exp()).log(), (-30, 30)),
    "logaddexp2": (
        lambda a, b: ((a * log2()).exp() + (b * log2()).exp()).log() / log2(),
        (-30, 30),
    ),
    "copysign": (lambda a, b: abs(a), (-2, 2)),
    "heaviside": (heaviside, (-2, 2)),
    "negative": (lambda a: -a, (-2, 2)),
    "positive": (lambda a: a, (-2, 2)),
    "conjugate": (lambda a: a, (-2, 2)),
    "square": (lambda a: a * a, (-2, 2)),
    "reciprocal": (lambda a: 1 / a, (-2, -0.1)),
    "sqrt": (arb.sqrt, (0.01, 3)),
    "cbrt": (third_root, (-3, 3)),
    "exp": (arb.exp, (-3, 3)),
    "exp2": (lambda a: (a * log2()).exp(), (-3, 3)),
    "expm1": (arb.expm1, (-1, 1)),
    "log": (arb.log, (0.01, 3)),
    "log2": (lambda a: a.log() / log2(), (0.01, 3)),
    "log10": (lambda a: a.log() / arb(10).log(), (0.01, 3)),
    "log1p": (arb.log1p, (-0.9, 1)),
    "sin": (arb.sin, (-4, 4)),
    "cos": (arb.cos, (-4, 4)),
    "tan": (arb.tan, (-1.5, 1.5)),
    "sinh": (arb.sinh, (-3, 3)),
    "cosh": (arb.cosh, (-3, 3)),
    "tanh": (arb.tanh, (-3, 3)),
    "arcsin": (arb.asin, (-0.99, 0.99)),
    "arccos": (arb.acos, (-0.99, 0.99)),
    "arctan": (arb.atan, (-5, 5)),
    "arcsinh": (arb.asinh, (-5, 5)),
    "arccosh": (arb.acosh, (1.0001, 9)),
    "arctanh": (arb.atanh, (-0.99, 0.99)),
    "deg2rad": (lambda a: a * arb.pi() / 180, (-400, 400)),
    "radians": (lambda a: a * arb.pi() / 180, (-400, 400)),
    "rad2deg": (lambda a: a * 180 / arb.pi(), (-7, 7)),
    "degrees": (lambda a: a * 180 / arb.pi(), (-7, 7)),
    "absolute": (abs, (-2, 2)),
    "fabs": (abs, (-2, 2)),
    "sign": (arb.sgn, (-2, 2)),
    "erf": (arb.erf, (-3, 3)),
    "erfc": (arb.erfc, (-2, 2)),
    "expit": (lambda a: 1 / (1 + (-a).exp()), (-30, 30)),
    "xlogy": (lambda a, b: a * b.log(), (-2, 2)),
}
TRUTHS = {
    "greater": lambda v, w: np.where(v > w / 5, v, w),
    "greater_equal": lambda v, w: np.where(v >= w / 5, v, w),
    "less": lambda v, w: np.where(v < w / 5, v, w),
    "less_equal": lambda v, w: np.where(v <= w / 5, v, w),
    "signbit": lambda v, w: np.where(np.signbit(v), v, w),
    "logical_and": lambda v, w: np.where(np.logical_and(v > 0, w > 1), v, w),
    "logical_or": lambda v, w: np.where(np.logical_or(v > 0, w > 1), v, w),
    "logical_xor": lambda v, w: np.where(np.logical_xor(v > 0, w > 1), v, w),
    "logical_not": lambda v, w: np.where(np.logical_not(v > 0), v, w),
    "bitwise_and": lambda v, w: np.where((v > 0) & (w > 1), v, w),
    "bitwise_or": lambda v, w: np.where((v > 0) | (w > 1), v, w),
    "bitwise_xor": lambda v, w: np.where((v > 0) ^ (w > 1), v, w),
    "invert": lambda v, w: np.where(~(v > 0), v, w),
}
M = np.array([[1.0, -2.0, 0.5], [0.1, 0.3, -0.7], [2.0, 0.0, 1.0]])
PRODUCTS = {
    "matmul": lambda v, w: M @ v * w,
    "matvec": lambda v, w: np.matvec(M, v) * w,
    "vecmat": lambda v, w: np.vecmat(v, M) * w,
    "vecdot": lambda v, w: np.vecdot(M, v) * w,
}
ARRAYS = {
    "where": lambda v, w: np.where(v > 0.1, v**2, w),
    "select": lambda v, w: np.select([v > 0.4, v > 0.0], [v, 2 * v], w),
    "piecewise": lambda v, w: np.piecewise(v, [v < -0.2, v > 0.3], [lambda a: a**2, np.sin, 3.0]),
    "interp": lambda v, w: np.interp(v, [-0.5, 0.0, 0.4, 2.0], [1.0, -1.0, 3.0, 2.5]) * w,
    "clip": lambda v, w: np.clip(v, -0.5, 0.4) + np.clip(v, None, w),
    "max": lambda v, w: np.max(v) * w,
    "min": lambda v, w: np.min(v) * w,
    "ptp": lambda v, w: np.ptp(v) * w,
    "sum": lambda v, w: np.sum(v * w) + np.sum(np.outer(v, v), axis=1),
    "prod": lambda v, w: np.prod(v * w),
    "cumsum": lambda v, w: np.cumsum(v * w),
    "cumprod": lambda v, w: np.cumprod(v * w),
    "mean": lambda v, w: np.mean(v * w),
    "average": lambda v, w: np.average(v, weights=[1.0, 2.0, 3.0]) + np.average(v * w),
    "var": lambda v, w: np.var(v * w) + np.var(np.outer(v, v), axis=0, ddof=1),
    "std": lambda v, w: np.std(v + np.array([0.0, 3.0, 9.0]) * w),
    "trapezoid": lambda v, w: np.trapezoid(v * w) + np.trapezoid(v, [0.0, 0.1, w]),
    "polyval": lambda v, w: np.polyval([1.0, -2.0, 0.5], v) + np.polyval(v, w),
    "convolve": lambda v, w: np.convolve(v, np.array([1.0, 0.1])) * w,
    "diff": lambda v, w: np.diff(v * w),
    "norm": lambda v, w: np.stack([
        np.linalg.norm(v + 2, order) for order in (None, 1, 2, 3, np.inf, -np.inf)]) * w
        + np.linalg.norm(np.outer(v, v) + 1, "fro") + np.linalg.norm(np.outer(v, v) + 1),
    "einsum": lambda v, w: np.einsum("ij,j->i", M, v) * w,
    "dot": lambda v, w: np.dot(M, v) * w,
    "vdot": lambda v, w: np.vdot(v, v) * w,
    "inner": lambda v, w: np.inner(v, M) * w,
    "outer": lambda v, w: np.outer(v, v) * w,
    "tensordot": lambda v, w: np.tensordot(M, v, axes=1) * w,
    "kron": lambda v, w: np.kron(M, v) * w,
    "cross": lambda v, w: np.cross(v, np.array([1.0, 2.0, 3.0])) * w,
    "trace": lambda v, w: np.trace(np.outer(v, v)) * w,
    "diag": lambda v, w: np.diag(v) * w,
    "diagonal": lambda v, w: np.diagonal(np.outer(v, v)) * w,
    "triu": lambda v, w: np.triu(np.outer(v, v)) * w,
    "tril": lambda v, w: np.tril(np.outer(v, v)) * w,
    "det": lambda v, w: np.linalg.det(np.diag(v + 2) + M / 9) * w,
    "inv": lambda v, w: np.linalg.inv(np.diag(v + 2) + M / 9) * w,
    "solve": lambda v, w: np.linalg.solve(np.diag(v + 2) + M / 9, v) * w,
    "all": lambda v, w: np.where(np.all(v < 0.5), w, v),
    "any": lambda v, w: np.where(np.any(v > 0.5), w, v),
    "real": lambda v, w: np.real(v) * w,
    "stack": lambda v, w: np.stack([v, v * w]),
    "concatenate": lambda v, w: np.concatenate([v, v * w]),
    "hstack": lambda v, w: np.hstack([v, v * w]),
    "vstack": lambda v, w: np.vstack([v, v * w]),
    "column_stack": lambda v, w: np.column_stack([v, v * w]),
    "append": np.append,
    "reshape": lambda v, w: np.reshape(np.outer(v, v), 9) * w,
    "ravel": lambda v, w: np.ravel(np.outer(v, v)) * w,
    "transpose": lambda v, w: np.transpose(M * v) * w,
    "swapaxes": lambda v, w: np.swapaxes(M * v, 0, 1) * w,
    "moveaxis": lambda v, w: np.moveaxis(M * v, 0, 1) * w,
    "squeeze": lambda v, w: np.squeeze(v[None]) * w,
    "expand_dims": lambda v, w: np.expand_dims(v, 0) * w,
    "broadcast_to": lambda v, w: np.broadcast_to(v, (2, 3)) * w,
    "broadcast_arrays": lambda v, w: np.broadcast_arrays(v, M)[0] * w,
    "tile": lambda v, w: np.tile(v, 2) * w,
    "repeat": lambda v, w: np.repeat(v, 2) * w,
    "roll": lambda v, w: np.roll(v, 1) * w,
    "flip": lambda v, w: np.flip(v) * w,
    "atleast_1d": lambda v, w: np.atleast_1d(w) * v,
    "atleast_2d": lambda v, w: np.atleast_2d(v) * w,
    "split": lambda v, w: np.split(v, 3)[1] * w,
    "array_split": lambda v, w: np.array_split(v, 2)[0] * w,
    "take": lambda v, w: np.take(v, [2, 0]) * w,
    "copy": lambda v, w: np.copy(v) * w,
    "size": lambda v, w: np.size(v) * w,
    "shape": lambda v, w: np.shape(v)[0] * w,
    "ndim": lambda v, w: np.ndim(v) * w,
    "zeros_like": lambda v, w: np.zeros_like(v) + w,
    "ones_like": lambda v, w: np.ones_like(v) * w,
    "full_like": lambda v, w: np.full_like(v, 2) * w,
}  # fmt: skip


def functions_of_numpy():
    """The functions that NumPy offers to other kinds of arrays, by name, and the modules' own."""
    for module in (np, np.linalg, np.fft):
        for name in dir(module):
            function = getattr(module, name)
            if hasattr(function, "_implementation"):
                yield function.__name__, function


UFUNCS = {f.__name__: f for f in vars(np).values() if isinstance(f, np.ufunc)}
SPECIAL = {name: getattr(special, name) for name in ("erf", "erfc", "expit", "xlogy")}
ALIASES = {"amax": "max", "amin": "min"}


def traced(operation, size):
    class Map(rm.StaticMap):
        inputs, outputs = rm.space("w", v=3), rm.space(y=size)

        def map(self, u, p):
            return {"y": np.ravel(operation(u.v, u.w))}

    return Map()


def test_every_ufunc_is_traced_or_refused():
    known = {*ELEMENTARY, *TRUTHS, *PRODUCTS}
    assert known == {*SCALAR_RULES, *PRODUCTS}
    refused = {*UFUNCS} - known
    assert not refused - {*REFUSED}, "traced by no rule, and refused for no reason"
    assert not known & {*REFUSED}


@pytest.mark.parametrize("name", sorted({*UFUNCS} - {*SCALAR_RULES, *PRODUCTS}))
def test_ufuncs_that_are_not_traced_are_refused_with_the_reason(name):
    ufunc = UFUNCS[name]
    with pytest.raises(TraceError, match=f"Map: cannot trace np.{name}: .*Write the map"):
        traced(lambda v, w: ufunc(*[v] * ufunc.nin), 3).expressions  # noqa: B018


def test_every_function_of_arrays_is_traced_or_refused_by_name():
    handled = {
        *_STRUCTURAL,
        *_LINEAR,
        *ARRAY_RULES,
        "where",
        "clip",
        "max",
        "min",
        "mean",
        "einsum",
    }
    assert {*ARRAYS} == handled - {*PRODUCTS}
    symbolic = []
    traced(lambda v, w: symbolic.append(v) or v, 3).expressions  # noqa: B018
    for name, function in functions_of_numpy():
        if ALIASES.get(name, name) not in handled:
            with pytest.raises(TraceError, match=f"cannot trace np.{name}\\b.*Write the map"):
                symbolic[0].__array_function__(function, (type(symbolic[0]),), (symbolic[0],), {})


def draw(rng):
    return np.concatenate([rng.uniform(0.2, 2.0, 1), rng.uniform(-0.95, 0.95, 3)])


@pytest.mark.parametrize("name", [*TRUTHS, *PRODUCTS, *ARRAYS])
def test_functions_of_arrays_have_numpy_s_values_and_slopes(name):
    operation = (TRUTHS | PRODUCTS | ARRAYS)[name]
    rng = np.random.default_rng(5)
    module = traced(operation, np.ravel(operation(np.full(3, 0.5), 1.0)).size)
    none = interval(NONE, NONE)
    for _ in range(4):
        u = draw(rng)
        expected = np.ravel(operation(u[1:], u[0]))
        got, J = module.output(NONE, u, NONE), module.jacobian(NONE, u, NONE).D
        size = 1 + np.abs(expected).max()
        assert np.abs(got - expected).max() <= 64 * EPS * size
        e = module.enclose(none, interval(u, u), none)
        assert ((got >= e.y.lower - 64 * EPS * size) & (got <= e.y.upper + 64 * EPS * size)).all()
        h = 1e-6  # differences are off by h^2 f''' and 2 eps f / h
        for i, step in enumerate(h * np.eye(4)):
            ends = (np.ravel(operation(z[1:], z[0])) for z in (u + step, u - step))
            slope = np.subtract(*ends) / (2 * h)
            assert np.abs(J[:, i] - slope).max() <= 1e-8 * size


def formula(name):
    """The function of one or two arguments as a map."""
    function = UFUNCS.get(name) or SPECIAL[name]

    class Map(rm.StaticMap):
        inputs, outputs = rm.space("a b"), rm.space("y")

        def map(self, u, p):
            return {"y": function(u.a, u.b) if function.nin == 2 else function(u.a)}

    return function, Map()


@pytest.fixture
def _precise():
    before, ctx.prec = ctx.prec, 300
    yield
    ctx.prec = before


@pytest.mark.usefixtures("_precise")
@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_functions_have_exact_values_slopes_and_enclosures(name):
    on_balls, (low, high) = ELEMENTARY[name]
    function, module = formula(name)
    rng = np.random.default_rng(11)
    none = interval(NONE, NONE)

    def exact(a, b):
        return on_balls(*map(arb, (a, b)[: function.nin]))

    for width in (0.0, 1e-9, 0.1, 1.0):
        points = np.stack([rng.uniform(low, high, 10), rng.uniform(0.5, 2.0, 10)], 1)
        if width == 0.0:
            points = points[
                (np.abs(points[:, 0]) > 1e-2) & (np.abs(points[:, 0] - points[:, 1]) > 1e-2)
            ]
        ends = np.clip(points - width, [low, 0.5], None), np.clip(points + width, None, [high, 2.0])
        e = module.enclose(none, interval(*ends), none)
        inner = ends[0] + rng.random(points.shape) * (ends[1] - ends[0])
        inner = points if width == 0.0 else np.clip(inner, *ends)
        values = module.output(NONE, inner, NONE)[:, 0]
        J = module.jacobian(NONE, inner, NONE).D[:, 0, : function.nin]
        for k, point in enumerate(inner):
            truth = exact(*point)
            assert not truth < arb(e.y.lower[k, 0])
            assert not truth > arb(e.y.upper[k, 0])
            # A dozen roundings of what is at most as large as the value and the arguments.
            assert abs(arb(values[k]) - truth) <= 16 * EPS * (1 + abs(float(truth)))
            for i in range(function.nin):
                h = Fraction(1, 10**30) * (np.arange(2) == i)
                near, far = (
                    exact(*(arb(int(f.numerator)) / int(f.denominator) for f in
                            (Fraction(p) + s * d for p, d in zip(point, h, strict=True))))
                    for s in (-1, 1)
                )  # fmt: skip
                slope = float((far - near) / (arb(2) / 10**30))
                if width == 0.0:  # away from kinks
                    assert abs(J[k, i] - slope) <= 64 * EPS * (1 + abs(slope)) ** 2
                slack = 64 * EPS * (1 + abs(slope)) ** 2
                assert not e.D.lower[k, 0, i] > slope + slack
                assert not e.D.upper[k, 0, i] < slope - slack


@pytest.mark.parametrize("name", ELEMENTARY)
def test_what_a_system_file_holds_is_the_same_function(name, tmp_path):
    _, module = formula(name)
    save_system(module, tmp_path / "map.json")
    assert load_system(tmp_path / "map.json").module.expressions == module.expressions


JUMPS = ("sign", "heaviside", "copysign")


# The slopes of hypot have length 1 everywhere: a search at its very bound takes long.
@pytest.mark.parametrize("name", [n for n in ELEMENTARY if n not in (*JUMPS, "hypot")])
def test_the_checker_proves_the_gain_that_certify_proves(name, tmp_path):
    _, module = formula(name)
    low, high = ELEMENTARY[name][1]
    middle = (low + high) / 2 if name != "power" else 1.0
    sides = {"a": (middle + 0.2, middle + 0.5), "b": (1.0, 1.25)}
    answer = certify(module, box(**sides))
    assert isinstance(answer, Proved)
    corners = [(a, b) for a in sides["a"] for b in sides["b"]]
    slopes = [np.linalg.norm(module.jacobian(NONE, np.array(c), NONE).D) for c in corners]
    assert answer.bound.factor >= max(slopes) * (1 - 1e-12)
    file = answer.certificate.save(tmp_path / "certificate.json")
    assert checker.main([str(file)]) == 0


@pytest.mark.parametrize("name", JUMPS)
def test_maps_that_jump_have_values_but_no_gain(name):
    _, module = formula(name)
    with pytest.raises(UnsupportedError, match="jumps"):
        certify(module, box(a=(-1, 1), b=(-1, 1)))
    assert module.contraction_rate(box(a=(-1, 1), b=(-1, 1))).factor == np.inf


def angle(region):
    return certify(formula("arctan2")[1], region)


def test_the_angle_s_gain_is_one_over_the_distance_from_zero_wherever_it_is_smooth(tmp_path):
    # In its arguments (y, x) = (a, b) its slopes are (x, -y) / r^2, of length 1 / r.
    for region, gain in (
        (box(b=(1, 2)), 1.0),
        (box(a=(-3, 3), b=(2, 4)), 0.5),
        (box(a=(1, 2), b=(-2, -1)), 2**-0.5),
        (box(a=(-4, -2), b=(-1, 1)), 0.5),
    ):
        answer = angle(region)
        assert isinstance(answer, Proved)
        assert gain <= answer.bound.factor <= gain * 1.001
        file = answer.certificate.save(tmp_path / "angle.json")
        assert checker.main([str(file)]) == 0


def test_nothing_is_proved_of_an_angle_across_its_cut():
    for region in (box(a=(-1, 1), b=(-2, -1)), box(a=(0, 1), b=(-2, -1)), box(a=(-1, 1), b=(0, 1))):
        with pytest.raises(RegionError, match=r"the cut of arctan2.*Leave the cut out"):
            angle(region)
        assert formula("arctan2")[1].contraction_rate(region).factor == np.inf


def test_angles_and_cube_roots_are_numpy_s_also_near_their_singular_places():
    _, angle_map = formula("arctan2")
    _, root_map = formula("cbrt")
    for y, x in ((1e-300, -1.0), (-1e-9, -1.0), (0.0, -1.0), (1e-200, 1e-200), (0.0, 0.0), (3, 0)):
        assert angle_map.output(NONE, np.array([y, x]), NONE)[0] == np.arctan2(y, x)
    near = angle_map.jacobian(NONE, np.array([1e-9, -1.0]), NONE).D[0]
    assert np.allclose(near, [-1.0, -1e-9], rtol=1e-12)
    with np.errstate(divide="ignore"):
        for x in (-8.0, -1e-300, 0.0, 1e-300, 27.0):
            at = np.array([x, 1.0])
            assert root_map.output(NONE, at, NONE)[0] == np.cbrt(x)
            slope = root_map.jacobian(NONE, at, NONE).D[0, 0]
            assert slope == pytest.approx(np.cbrt(abs(x)) ** -2.0 / 3, rel=1e-14)


def test_straight_lines_between_points_have_the_right_hand_slope_at_a_knot():
    module = traced(lambda v, w: np.interp(v, [-1.0, 0.0, 2.0], [0.0, 3.0, 5.0]), 3)
    D = module.jacobian(NONE, np.array([1.0, -1.0, 0.0, 2.0]), NONE).D[:, 1:]
    assert np.array_equal(D, np.diag([3.0, 1.0, 0.0]))
