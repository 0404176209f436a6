"""No search ends in an error of NumPy, SciPy or Python, however large or small the numbers are."""

import contextlib
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

import riemannian_modules as rm
from riemannian_modules.arithmetic.quotients import factored
from riemannian_modules.arithmetic.rounding import nearest_float
from riemannian_modules.arithmetic.spectra import (
    eigenpairs,
    eigenvalues,
    symmetric_eigenpairs,
    symmetric_eigenvalues,
)
from riemannian_modules.certify import (
    Budget,
    Estimated,
    Proved,
    Refuted,
    certify,
    certify_network,
    contraction_rate,
    enclose_equilibrium,
    l1,
    l2,
    linf,
    network_rate,
    prove_trajectories,
    verify,
)
from riemannian_modules.errors import RiemannianError
from riemannian_modules.region import box
from riemannian_modules.search.metrics import cone_program
from riemannian_modules.search.metrics.cone_program import ConeProgram
from tests.nightly import gate_without

SHORT = Budget(boxes=20, seconds=0)
CONSTANTS = [0.0, 1.0, -2.5, 5e-324, 1e-300, 1e-12, 1e12, 1e155, 1e300, 1e308, -1.7e308]
SIDES = [0.0, 1.0, -3.0, 5e-324, -1e-300, 1e-12, 1e9, 1e150, -1e308, 1.7e308, np.inf, -np.inf]
FUNCTIONS = [
    np.sin, np.tanh, np.exp, np.log, np.sqrt, np.abs, np.cosh, lambda t: t**2, lambda t: t**3,
    lambda t: 1 / (1 + t**2), lambda t: 1 / t, lambda t: np.maximum(t, 0),
]  # fmt: skip


def pick(rng, items):
    return items[rng.integers(len(items))]


def random_term(rng, leaves, parameters, depth):
    if depth == 0:
        return pick(rng, leaves)
    part = random_term(rng, leaves, parameters, depth - 1)
    kind = rng.integers(6)
    if kind == 0:
        return pick(rng, CONSTANTS) * part
    if kind == 1:
        return part + random_term(rng, leaves, parameters, depth - 1)
    if kind == 2:
        return part * random_term(rng, leaves, parameters, depth - 1)
    if kind == 3:
        return pick(rng, parameters) * part
    if kind == 4:
        return part ** pick(rng, parameters)
    return pick(rng, FUNCTIONS)(part)


def random_system(seed):
    """A flow or step of one or two states, its terms full of huge and tiny numbers; a region."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 3))
    names = [f"x{i}" for i in range(n)]

    class Random(pick(rng, [rm.Flow, rm.StepMap])):
        state, inputs = rm.space(**dict.fromkeys(names, "")), rm.space(u="")
        parameters = {"c": 2.0, "d": float(pick(rng, CONSTANTS))}

        def equations(self, x, u, p):
            draw = np.random.default_rng([seed, 1])
            states = [getattr(x, name) for name in names]
            terms = [random_term(draw, [*states, u.u], [p.c, p.d], 2) for _ in names]
            return dict(
                zip(names, (f - s for f, s in zip(terms, states, strict=True)), strict=True)
            )

    sides = {}
    for name in [*names, "u", "c"]:
        low, high = sorted([pick(rng, SIDES), pick(rng, SIDES)])
        if rng.random() < 0.7 and low < np.inf and high > -np.inf:
            sides[name] = (low, high)
    norms = [None, None, l2(np.eye(n)), l2(), linf(), l1(), linf(np.ones(n))]
    return Random(), box(**sides), pick(rng, norms), rng


def asked(seed):
    """What a random request comes to: answers, or an error of the library's own."""
    try:
        module, region, norm, rng = random_system(seed)
        if rng.random() < 0.15:
            return contraction_rate(module, region, norm=norm, budget=SHORT)
        answer = certify(module, region, norm=norm, budget=SHORT)
        if isinstance(answer, Proved):
            assert verify(answer.certificate)
            prove_trajectories(answer)
            enclose_equilibrium(answer)
    except RiemannianError as error:
        return error
    assert isinstance(answer, (Proved, Refuted, Estimated))
    return answer


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("first", gate_without(range(0, 160, 20), *range(40, 160, 20)))
def test_random_systems_of_extreme_numbers_are_answered(first):
    found = [asked(seed) for seed in range(first, first + 20)]
    assert any(isinstance(answer, (Proved, Refuted, Estimated)) for answer in found)


class Plane(rm.Flow):
    """``(x, y)' = f(x, y, u, p)``."""

    state, inputs = rm.space(x="", y=""), rm.space(u="")
    parameters = {"c": 1.0, "n": 2.0}

    def __init__(self, f):
        self.f = f

    def equations(self, x, u, p):
        first, second = self.f(x.x, x.y, u.u, p)
        return {"x": first, "y": second}


class Node(rm.Flow):
    """``x' = -x + b tanh(u) + d u``, with x as its output."""

    state, inputs, outputs = rm.space(x=""), rm.space(u=""), rm.space(y="")

    def __init__(self, b, d):
        self.b, self.d = b, d

    def equations(self, x, u, p):
        return {"x": -x.x + self.b * np.tanh(u.u) + self.d * u.u}

    def output(self, x, p):
        return {"y": x.x}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("b", gate_without([5e-324, 1e155, 1e300, 1e308], 1e155, 1e300))
def test_networks_of_extreme_couplings_are_answered(b):
    for d in (0.0, 1e-300, 1e155, -1.7e308):
        wiring = rm.Wiring(a=Node(b, d), b=Node(d, b))
        graph = wiring.connect("a.y", "b.u").connect("b.y", "a.u").build()
        for ask in (certify_network, network_rate):
            with contextlib.suppress(RiemannianError):
                assert ask(graph) is not None


EXTREME = {
    "an unbounded input times an unbounded constant": (
        lambda x, y, u, p: (-x + u * p.c * y, -y), {"c": (-np.inf, 1)},
    ),
    "sums beyond the largest number": (
        lambda x, y, u, p: (-1e308 * x - 1e308 * x - 1e308 * x, 1e308 * x - y), {},
    ),
    "an uncertain exponent": (
        lambda x, y, u, p: (1 / (1 + y**p.n) - x, x**p.n / (1 + x**p.n) - y),
        {"n": (1, 2.5), "x": (0, 3), "y": (0, 3)},
    ),
    "undefined on the whole region": (
        lambda x, y, u, p: (-x * np.log(u), -y), {"u": (-2, -1)},
    ),
    "cubes of large sides": (
        lambda x, y, u, p: (-1e200 * x - 1e200 * x**3, 1e200 * x - 1e-300 * y),
        {"x": (-1e150, 1e150)},
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXTREME)
@pytest.mark.parametrize("norm", [None, l2(), linf(), l1(), l2(degree=2)], ids=type)
def test_numbers_that_overflow_leave_the_question_open(name, norm):
    f, sides = EXTREME[name]
    answer = certify(Plane(f), box(**sides), norm=norm, budget=Budget(boxes=20, seconds=0.5))
    assert isinstance(answer, Estimated)
    assert answer.reason


@pytest.mark.filterwarnings("ignore")
def test_the_reason_names_a_map_that_is_defined_nowhere():
    f, sides = EXTREME["undefined on the whole region"]
    for norm in (None, l2(np.eye(2)), linf(), l2(degree=2)):
        answer = certify(Plane(f), box(**sides), norm=norm, budget=SHORT)
        assert "undefined" in answer.reason


def test_coefficients_beyond_the_largest_number_are_infinite():
    assert nearest_float(Fraction(10) ** 400) == np.inf
    assert nearest_float(-(Fraction(10) ** 400)) == -np.inf
    assert nearest_float(Fraction(1, 10**400)) == 0.0
    assert nearest_float(Fraction(1, 3)) == 1 / 3


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300, 5e-324])
def test_eigenvalues_are_those_of_the_matrix_at_any_scale(scale):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 3, 3))
    S = A + np.swapaxes(A, -1, -2)
    if scale > 1e-310:  # smaller entries have hardly a digit left
        np.testing.assert_allclose(
            symmetric_eigenvalues(scale * S) / scale, np.linalg.eigvalsh(S), rtol=1e-13, atol=1e-13
        )
        values, vectors = symmetric_eigenpairs(scale * S)
        np.testing.assert_allclose(
            (values / scale)[:, None, :] * vectors, S @ vectors, rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(
            np.sort(eigenvalues(scale * A) / scale), np.sort(np.linalg.eigvals(A)), atol=1e-12
        )
    assert np.isfinite(symmetric_eigenvalues(scale * S)).all()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_eigenvalues_of_what_is_not_finite_are_nan_and_spoil_no_others(wrong):
    S = np.stack([np.eye(2), np.full((2, 2), wrong), 2 * np.eye(2)])
    for values in (
        symmetric_eigenvalues(S), symmetric_eigenpairs(S)[0], eigenvalues(S), eigenpairs(S)[0]
    ):  # fmt: skip
        np.testing.assert_array_equal(values[[0, 2]], [[1, 1], [2, 2]])
        assert np.isnan(values[1]).all()


def test_polynomials_of_very_long_coefficients_stay_as_they_are():
    x, y = sp.symbols("x y", real=True)
    short = factored(3 * x**2 * y + 3 * x * y**2)
    assert short == 3 * x * y * (x + y)
    tiny = sp.Rational(*(5e-324).as_integer_ratio())
    huge = sp.Rational(*(1.7e308).as_integer_ratio())
    long = tiny * x**2 + huge * y + 1  # minutes, factored
    assert sp.expand(factored(long) - long) == 0


def test_sums_whose_symbols_cancel_are_numbers():
    x, y = sp.symbols("x y", real=True)
    two = x * (y + 1) - x * y - x + 2
    assert factored(two) == 2
    assert factored(two / (1 + x)) == 2 / (1 + x)
    assert factored((two - 2 + y) / two) == y / 2


class Cancelling(rm.Flow):
    """A quotient whose denominator is a number once it is multiplied out."""

    state = rm.space("x y")

    def equations(self, x, u, p):
        two = x.x * (x.y + 1) - x.x * x.y - x.x + 2
        return {"x": -x.x / two + np.tanh(two * x.y) / 9, "y": -x.y * two}


def test_a_denominator_whose_symbols_cancel_is_proved():
    answer = certify(Cancelling(), rm.box(x=(-1, 1), y=(-1, 1)))
    assert isinstance(answer, Proved)
    # J = [[-1/2, 2 sech^2 / 9], [0, -2]]: the slower of its two poles is the best rate.
    assert 0.49 < answer.rate <= 0.5


PANIC = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})


def with_solver_that_raises(monkeypatch, fault):
    class Solver:
        def __init__(self, *question):
            pass

        def solve(self):
            raise fault

    monkeypatch.setattr(cone_program._clarabel(), "DefaultSolver", Solver)


def test_a_panic_of_the_solver_is_a_program_without_a_solution(monkeypatch):
    with_solver_that_raises(monkeypatch, PANIC("index out of bounds"))
    program = ConeProgram(np.ones(1))
    program.require_nonnegative(np.eye(1), np.zeros(1))
    assert program.solve() is None
    swirl = Plane(lambda x, y, u, p: (-x + np.tanh(y), -y - 2 * np.tanh(x)))
    answer = certify(swirl, box(x=(-1, 1), y=(-1, 1)), norm=l2(condition=10), budget=SHORT)
    assert isinstance(answer, (Proved, Estimated))


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_is_no_panic_passes_through_the_solver(monkeypatch, fault):
    with_solver_that_raises(monkeypatch, fault())
    program = ConeProgram(np.ones(1))
    program.require_nonnegative(np.eye(1), np.zeros(1))
    with pytest.raises(fault):
        program.solve()


def test_a_program_whose_numbers_are_not_finite_has_no_solution():
    program = ConeProgram(np.ones(1))
    program.require_nonnegative(np.array([[np.inf]]), np.zeros(1))
    assert program.solve() is None
