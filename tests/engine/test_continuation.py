"""Branches of points at rest: folds, Hopf points and branch points where closed forms have them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.engine import continuation, equilibrium, linearize
from riemannian_modules.errors import (
    ConvergenceError,
    DomainError,
    SignatureError,
    UnsupportedError,
)

DIGITS = 1e-10


class SaddleNode(rm.Flow):
    """``x' = r - x^2``: rest at +-sqrt(r)."""

    state, parameters = rm.space("x"), {"r": 1.0}

    def equations(self, x, u, p):
        return {"x": p.r - x.x**2}


class HopfForm(rm.Flow):
    """The normal form, with the frequency w."""

    state, parameters = rm.space("x y"), {"mu": -1.0, "w": 2.0}

    def equations(self, x, u, p):
        size = x.x**2 + x.y**2
        return {
            "x": p.mu * x.x - p.w * x.y - x.x * size,
            "y": p.w * x.x + p.mu * x.y - x.y * size,
        }


class Brusselator(rm.Flow):
    """Rest at (A, B / A), which loses its stability at B = 1 + A^2 to a frequency of A."""

    state, parameters = rm.space("x y"), {"A": 1.0, "B": 1.0}

    def equations(self, x, u, p):
        made = x.x**2 * x.y
        return {"x": p.A - (p.B + 1) * x.x + made, "y": p.B * x.x - made}


class Toggle(rm.Flow):
    """Two genes that repress each other, the first helped by a signal."""

    state, inputs, outputs = rm.space("a b"), rm.space("signal"), rm.space("ratio")

    def equations(self, x, u, p):
        return {
            "a": (4 + u.signal) / (1 + x.b**2) - x.a,
            "b": 4 / (1 + x.a**2) - x.b,
        }, {"ratio": x.a / x.b}


class Pitchfork(rm.Flow):
    state, parameters = rm.space("x"), {"r": -1.0}

    def equations(self, x, u, p):
        return {"x": p.r * x.x - x.x**3}


class Circle(rm.Flow):
    """``x^2 + p^2 = 1``, a closed branch."""

    state, parameters = rm.space("x"), {"p": 0.0}

    def equations(self, x, u, p):
        return {"x": 1.0 - x.x**2 - p.p**2}


def schloegl(b=0.0, size=1.0):
    """Autocatalysis with folds where d/dx of (x - 1)(x - 2)(x - 3) is zero, in units of a size."""

    class Schloegl(rm.Flow):
        state, parameters = rm.space("x"), {"b": b}

        def equations(self, x, u, p):
            z = x.x / size
            return {"x": size * (p.b - (z - 1) * (z - 2) * (z - 3))}

    return Schloegl()


def test_the_fold_of_the_normal_form_is_at_zero():
    branch = continuation(SaddleNode(), "r", (-1.0, 2.0), [1.0])
    (fold,) = branch.of_kind("fold")
    assert fold.value == pytest.approx(0.0, abs=DIGITS)
    assert fold.x == pytest.approx([0.0], abs=1e-6)
    np.testing.assert_allclose(branch.states[:, 0] ** 2, branch.values, atol=1e-12)
    np.testing.assert_array_equal(branch.is_stable, branch.states[:, 0] > 1e-12)
    assert branch.ends == ("at the bound 2", "at the bound 2")
    assert {branch.values[0], branch.values[-1]} == {2.0}
    np.testing.assert_allclose(branch.poles.ravel(), -2 * branch.states[:, 0], atol=1e-12)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.2, 5.0))
def test_the_hopf_point_of_the_normal_form_has_its_frequency(w):
    branch = continuation(HopfForm(w=w), "mu", (-1.0, 1.0))
    (hopf,) = branch.special
    assert hopf.kind == "Hopf"
    assert hopf.value == pytest.approx(0.0, abs=DIGITS)
    assert hopf.frequency == pytest.approx(w, rel=1e-10)
    np.testing.assert_array_equal(branch.unstable_count, np.where(branch.values >= 0, 2, 0))


@settings(max_examples=8, deadline=None)
@given(st.floats(0.3, 3.0))
def test_the_brusselator_begins_to_oscillate_where_its_trace_is_zero(A):
    module = Brusselator(A=A, B=0.5)
    branch = continuation(module, "B", (0.1, 2 + 2 * A**2), [A, 0.5 / A])
    (hopf,) = branch.special
    assert hopf.kind == "Hopf"
    assert hopf.value == pytest.approx(1 + A**2, rel=DIGITS)
    assert hopf.frequency == pytest.approx(A, rel=1e-10)
    np.testing.assert_allclose(hopf.x, [A, (1 + A**2) / A], rtol=1e-10)
    at_hopf = linearize(module, hopf.x, theta={"B": hopf.value})
    np.testing.assert_allclose(at_hopf.poles.real, 0.0, atol=1e-9)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_both_folds_of_schloegls_reaction_are_found_in_any_unit(size):
    branch = continuation(schloegl(size=size), "b", (-2.0, 2.0), [size])
    assert [p.kind for p in branch.special] == ["fold", "fold"]
    found = sorted(p.value for p in branch.special)
    np.testing.assert_allclose(found, [-2 / 27**0.5, 2 / 27**0.5], rtol=DIGITS)
    found = sorted(p.x[0] / size for p in branch.special)
    np.testing.assert_allclose(found, [2 - 3**-0.5, 2 + 3**-0.5], rtol=1e-7)
    states, stable = branch.at(0.0)
    np.testing.assert_allclose(np.sort(states[:, 0]) / size, [1.0, 2.0, 3.0], atol=1e-3)
    assert list(stable[np.argsort(states[:, 0])]) == [True, False, True]


def test_a_genetic_toggle_switches_at_folds_where_its_determinant_is_zero():
    branch = continuation(Toggle(), "signal", (-4.0, 10.0), [0.3, 3.7])
    assert [p.kind for p in branch.special] == ["fold", "fold"]
    for fold in branch.special:
        u = [fold.value]
        A = linearize(Toggle(), fold.x, u).A
        assert np.abs(Toggle().forward(fold.x, np.array(u), np.zeros(0))[0]).max() <= 1e-13
        # A state at a fold is known to the root of the digits of its parameter.
        assert abs(np.linalg.det(A)) <= 1e-7
    low, high = sorted(p.value for p in branch.special)
    assert low < 0.0 < high
    states, stable = branch.at(0.0)
    assert sorted(stable) == [False, True, True]
    # At no signal the genes are alike: the unstable state has a = b, a (1 + a^2) = 4.
    middle = states[~stable][0]
    assert middle == pytest.approx([1.3787967] * 2, abs=1e-3)
    np.testing.assert_allclose(branch.outputs[:, 0], branch.states[:, 0] / branch.states[:, 1])


def test_where_branches_cross_there_is_a_branch_point_and_no_fold():
    branch = continuation(Pitchfork(), "r", (-1.0, 1.0))
    (point,) = branch.special
    assert point.kind == "branch point"
    assert point.value == pytest.approx(0.0, abs=DIGITS)
    arm = continuation(Pitchfork(), "r", (-1.0, 1.0), [0.5], theta={"r": 0.25})
    (point,) = arm.special
    assert point.kind == "branch point"
    assert point.value == pytest.approx(0.0, abs=DIGITS)
    np.testing.assert_allclose(arm.states[:, 0] ** 2, arm.values, atol=1e-9)


def test_a_closed_branch_comes_back():
    branch = continuation(Circle(), "p", (-2.0, 2.0), [1.0])
    assert branch.ends[0].startswith("closed")
    np.testing.assert_allclose(branch.states[:, 0] ** 2 + branch.values**2, 1.0, rtol=1e-12)
    np.testing.assert_allclose(sorted(p.value for p in branch.special), [-1.0, 1.0], rtol=DIGITS)
    assert branch.states[0] == pytest.approx(branch.states[-1])


class Logistic(rm.StepMap):
    state, parameters = rm.space("x"), {"r": 2.0}

    def equations(self, x, u, p):
        return {"x": p.r * x.x * (1.0 - x.x)}


class DelayedLogistic(rm.StepMap):
    """``x+ = r x (1 - y), y+ = x``: a pair on the unit circle at r = 2, an angle of pi / 3."""

    state, parameters = rm.space("x y"), {"r": 1.5}

    def equations(self, x, u, p):
        return {"x": p.r * x.x * (1.0 - x.y), "y": x.x}


def test_steps_double_their_period_or_begin_to_turn():
    branch = continuation(Logistic(), "r", (0.5, 3.5), [0.5])
    kinds = {p.kind: p for p in branch.special}
    assert set(kinds) == {"branch point", "period doubling"}
    assert kinds["period doubling"].value == pytest.approx(3.0, rel=DIGITS)
    assert kinds["branch point"].value == pytest.approx(1.0, rel=DIGITS)
    turning = continuation(DelayedLogistic(), "r", (1.3, 2.5), [0.4, 0.4])
    (point,) = turning.special
    assert point.kind == "Neimark-Sacker"
    assert point.value == pytest.approx(2.0, rel=DIGITS)
    assert point.frequency == pytest.approx(np.pi / 3, rel=1e-9)


def test_conserved_totals_are_kept_along_the_branch():
    network = rm.MassAction(
        reactions={"bind": ("A + B -> C", 1.0), "part": ("C -> A + B", 0.1)},
    )
    start = {"A": 3.0, "B": 1.0, "C": 0.5}
    branch = continuation(network, "bind", (0.01, 10.0), start)
    a, b, c = branch.states.T
    np.testing.assert_allclose(a + c, 3.5, rtol=1e-12)
    np.testing.assert_allclose(b + c, 1.5, rtol=1e-12)
    np.testing.assert_allclose(branch.values * a * b, 0.1 * c, rtol=1e-9)
    assert branch.poles.shape[1] == 1
    assert branch.is_stable.all()


class Compartments(rm.Flow):
    """The law is V c + W d: it changes with the volume V."""

    state, parameters = rm.space("c d"), {"flow": 1.0, "V": 1.0, "W": 2.0}

    def equations(self, x, u, p):
        passing = p.flow * (x.c - x.d)
        return {"c": -passing / p.V, "d": passing / p.W}


def test_a_parameter_that_changes_what_is_conserved_is_refused():
    with pytest.raises(UnsupportedError, match="what it conserves changes with this parameter"):
        continuation(Compartments(), "V", (0.5, 2.0), [1.0, 3.0])
    still = continuation(Compartments(), "flow", (0.5, 2.0), [1.0, 3.0])
    np.testing.assert_allclose(still.states, 7 / 3, rtol=1e-12)


def test_it_starts_at_a_point_from_equilibrium_and_where_that_parameter_is():
    rest = equilibrium(SaddleNode(r=0.25), guess=[1.0])
    branch = continuation(SaddleNode(), "r", (-1.0, 1.0), rest)
    k = int(np.flatnonzero(branch.values == 0.25)[0])
    assert branch.states[k] == pytest.approx([0.5], rel=1e-14)


@pytest.mark.parametrize(
    ("followed", "inputs"),
    [("dose", {}), pytest.param("drug.k", {"dose": 0.5}, marks=pytest.mark.slow)],
)
def test_composites_are_followed_by_the_names_of_their_parts(followed, inputs):
    row = (
        rm.Wiring(gene=Toggle(), drug=rm.Lag(1.0, 0.5))
        .input("dose", "drug.u")
        .connect("drug.y", "gene.signal")
        .output("ratio", "gene.ratio")
        .build()
    )
    start = {"gene.a": 0.3, "gene.b": 3.7}
    alone = continuation(Toggle(), "signal", (-4.0, 10.0), [0.3, 3.7])
    branch = continuation(row, followed, (-8.0, 20.0), start, inputs=inputs)
    assert branch.state_names == ("gene.a", "gene.b", "drug.x")
    found = [[p.value for p in b.special] for b in (branch, alone)]
    np.testing.assert_allclose(found[0], 2 * np.array(found[1]), rtol=DIGITS)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: continuation(SaddleNode(), "q", (0, 1)), SignatureError, "known are: r"),
        (lambda: continuation(SaddleNode(), "r", (1, 0)), DomainError, "lower < upper"),
        (lambda: continuation(SaddleNode(), "r", (1,)), SignatureError, "lower, upper"),
        (lambda: continuation(SaddleNode(), "r", (0, np.inf)), DomainError, "finite"),
        (
            lambda: continuation(SaddleNode(r=-1.0), "r", (-2, -1), [1.0]),
            ConvergenceError,
            "no equ",
        ),
        (lambda: continuation(rm.Gain(1.0), "k", (0, 1)), SignatureError, "static"),
        (lambda: continuation(SaddleNode(), "r", (0, 1), np.ones((2, 1))), SignatureError, "batch"),
    ],
)
def test_bad_input_is_refused_with_where_and_what(call, error, words):
    with pytest.raises(error, match=words):
        call()
