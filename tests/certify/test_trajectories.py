"""Invariant balls and their equilibria: closed forms, exact oracles, simulation, and forgeries."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import contraction_checker as checker
import riemannian_modules as rm
from riemannian_modules.certify import Estimated, Proved, certify, l1, l2, linf, quotient, verify
from riemannian_modules.certify.trajectories import enclose_equilibrium, prove_trajectories
from riemannian_modules.claims.claim_data import claim_from_data
from riemannian_modules.claims.norms import L1, L2, LInf
from riemannian_modules.claims.part_norm import root_down, root_up
from riemannian_modules.errors import CertificateError, SignatureError
from riemannian_modules.evidence.drift import drift_squared
from riemannian_modules.evidence.trajectories import Trajectories, verify_trajectories
from riemannian_modules.region import Box
from riemannian_modules.search.traced_problem import make_problem
from tests.cases import systems as s
from tests.certify.files import as_read, forged
from tests.strategies import rngs


class Driven(rm.Flow):
    """``x' = A x + B u``."""

    def __init__(self, A, B):
        self.A, self.B = np.asarray(A, dtype=float), np.asarray(B, dtype=float)
        self.state, self.inputs = rm.space(x=len(self.A)), rm.space(u=self.B.shape[1])

    def equations(self, x, u, p):
        return {"x": self.A @ x.x + self.B @ u.u}


class Heron(rm.StepMap):
    """``x+ = (x + a / x) / 2``, Newton's iteration for the root of a."""

    state, inputs = rm.space(x=""), rm.space(a="")

    def equations(self, x, u, p):
        return {"x": (x.x + u.a / x.x) / 2}


class Neuron(rm.Flow):
    """``x' = -k x + tanh(x / 2) + u``."""

    state, inputs = rm.space(x=""), rm.space(u="")
    parameters = {"k": 1.0}

    def equations(self, x, u, p):
        return {"x": -p.k * x.x + np.tanh(x.x / 2) + u.u}


class Saturating(rm.Flow):
    """``x' = -x + A tanh(x) + u``."""

    def __init__(self, A):
        self.A = np.asarray(A, dtype=float)
        self.state, self.inputs = rm.space(x=len(self.A)), rm.space(u=len(self.A))

    def equations(self, x, u, p):
        return {"x": -x.x + self.A @ np.tanh(x.x) + u.u}


class SaturatingStep(rm.StepMap):
    """``x+ = A tanh(x) + u``."""

    def __init__(self, A):
        self.A = np.asarray(A, dtype=float)
        self.state, self.inputs = rm.space(x=len(self.A)), rm.space(u=len(self.A))

    def equations(self, x, u, p):
        return {"x": self.A @ np.tanh(x.x) + u.u}


def proved(module, region, norm, **options):
    answer = certify(module, region, norm=norm, **options)
    assert isinstance(answer, Proved), answer
    return answer


def trajectories(*args, center=None, radius=None, **options):
    found = prove_trajectories(proved(*args, **options), center=center, radius=radius)
    assert isinstance(found, Trajectories), found
    return found


RELAXATION = Driven(-np.eye(2), np.eye(2)), rm.box(x=(-3, 3), u=(-1, 1)), l2(np.eye(2))
MET = np.array([[2.0, 0.5], [0.5, 1.0]])
TILTED = Driven(-np.eye(2), np.eye(2)), rm.box(x=(-3, 3), u=(-1, 1)), l2(MET)


def test_the_largest_ball_of_a_relaxation_touches_its_box():
    found = trajectories(*RELAXATION)
    assert np.abs(found.center).max() < 1e-12
    assert 3 - 1e-12 <= found.radius <= 3
    assert found.overshoot == pytest.approx(1.0, abs=1e-12)


def test_the_equilibrium_of_a_relaxation_lies_within_the_largest_input():
    found = trajectories(*RELAXATION, center=[0.0, 0.0])
    # |x*| = |u| <= sqrt 2.
    assert Fraction(found.equilibrium_radius) ** 2 >= 2
    assert found.equilibrium_radius <= math.sqrt(2) * (1 + 1e-12)
    assert all(low <= -1 and high >= 1 for low, high in found.equilibrium.values())
    assert found.radius == 3.0


def test_the_smallest_ball_is_that_of_the_largest_drift():
    found = enclose_equilibrium(proved(*RELAXATION), center=[0.0, 0.0])
    assert found.radius == found.equilibrium_radius == pytest.approx(math.sqrt(2), rel=1e-12)
    smaller = prove_trajectories(proved(*RELAXATION), center=[0.0, 0.0], radius=1.414)
    assert isinstance(smaller, Estimated)
    assert "too far" in smaller.reason


def test_a_tilted_ball_fits_its_box_by_the_inverse_metric():
    found = trajectories(*TILTED, center=[0.5, 0.0])
    inverse = sp.Matrix([[2, sp.Rational(1, 2)], [sp.Rational(1, 2), 1]]).inv()
    exact = min(sp.Rational(25, 4) / inverse[0, 0], 9 / inverse[1, 1])
    assert Fraction(found.radius) ** 2 <= Fraction(int(exact.p), int(exact.q))
    assert found.radius >= math.sqrt(float(exact)) * (1 - 1e-14)


def test_a_neurons_equilibria_lie_where_they_are_proved_to_for_all_parameters():
    region = rm.box(x=(-4, 4), u=(-0.5, 1), k=(0.9, 1.1))
    found = enclose_equilibrium(proved(Neuron(), region, l2(np.eye(1))))
    assert isinstance(found, Trajectories)
    ((low, high),) = found.equilibrium.values()
    for u in np.linspace(-0.5, 1, 7):
        for k in np.linspace(0.9, 1.1, 5):
            root = mpmath.findroot(lambda x: -k * x + mpmath.tanh(x / 2) + u, 0.1)  # noqa: B023
            assert low <= root <= high


def test_herons_iteration_holds_the_square_root_of_every_number_of_the_region():
    found = enclose_equilibrium(proved(Heron(), rm.box(x=(1.25, 2), a=(2, 2.25)), l2(np.eye(1))))
    assert isinstance(found, Trajectories)
    ((low, high),) = found.equilibrium.values()
    assert low <= mpmath.sqrt(2) <= 1.5 <= high
    assert found.radius < 0.1


def runge_kutta(f, x, step=0.0625, end=30):
    """States (steps, n) of ``x' = f(t, x)``; f may jump at whole times."""
    path = [x]
    for t in np.arange(0, end, step):
        inside = np.nextafter(t + step, t)
        k1 = f(t, x)
        k2 = f(t + step / 2, x + step / 2 * k1)
        k3 = f(t + step / 2, x + step / 2 * k2)
        x = x + step / 6 * (k1 + 2 * k2 + 2 * k3 + f(inside, x + step * k3))
        path.append(x)
    return np.array(path)


@settings(max_examples=8, deadline=None)
@given(rngs)
def test_no_simulated_trajectory_leaves_the_ball_and_all_meet(rng):
    A = np.array([[-0.2, 0.6], [-0.6, 0.1]])
    found = trajectories(s.FiringRates(A), rm.box(x=(-4, 4), u=(-0.5, 0.5)), l2(MET))
    turns = rng.uniform(-0.5, 0.5, (30, 2))
    ends = []
    for _ in range(2):
        z = rng.normal(size=2)
        # L^T (x0 - c) = r z / |z| with M = L L^T: x0 lies on the ball's border.
        border = np.linalg.solve(np.linalg.cholesky(MET).T, z / np.linalg.norm(z))
        x0 = found.center + found.radius * border
        path = runge_kutta(lambda t, x: -x + np.tanh(A @ x + turns[int(t)]), x0)
        away = path - found.center
        assert np.sqrt(np.einsum("ti,ij,tj->t", away, MET, away)).max() <= found.radius * (1 + 1e-9)
        ends.append(path[-1])
    assert np.linalg.norm(ends[0] - ends[1]) < 1e-4


@pytest.mark.parametrize(
    ("norm", "largest"), [(l1([1.0, 2.0]), 3.0), (linf([1.0, 0.5]), 3.0)], ids=["l1", "linf"]
)
def test_balls_of_weighted_norms_fit_by_their_dual_norms(norm, largest):
    # l1: |x_1| <= r and |x_2| <= r / 2; linf: |x_1| <= r and |x_2| <= r / 2.
    found = trajectories(RELAXATION[0], rm.box(x=(-3, 3), u=(-0.5, 0.5)), norm, center=[0, 0])
    assert found.radius == largest
    drift = 1.5 if isinstance(norm, L1) else 1.0  # |u_1| + 2 |u_2|; max(|u_1|, 2 |u_2|)
    assert found.equilibrium_radius == pytest.approx(drift, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(rngs, st.sampled_from(["l1", "l2", "linf"]), st.sampled_from(["flow", "step"]))
def test_the_checker_proves_every_ball_that_is_found_and_none_twice_its_limits(rng, sort, kind):
    # Of x' = -x + A tanh(x) + B u, or x+ = A tanh(x) + B u, with |A| <= 1/2 in the norm.
    w = 2.0 ** rng.integers(-2, 3, 3)
    A = rng.normal(size=(3, 3))
    norm = {"l1": l1(w), "l2": l2(np.diag(w)), "linf": linf(w)}[sort]
    scale = {"l1": w, "l2": np.sqrt(w), "linf": 1 / w}[sort]
    order = {"l1": 1, "l2": 2, "linf": np.inf}[sort]
    A *= 0.5 / np.linalg.norm(scale[:, None] * A / scale, order)
    module = Saturating(A) if kind == "flow" else SaturatingStep(A)
    region = rm.box(x=(-8, 9), u=(-0.03125, 0.015625))
    region = region.linear({"x[0]": 1.0, "x[1]": -2.0}, upper=7.0)
    answer = certify(
        module, region, norm=norm, **({"rate": 0.25} if kind == "flow" else {"factor": 0.75})
    )
    assert isinstance(answer, Proved), answer
    found = prove_trajectories(answer)
    assert isinstance(found, Trajectories), found
    assert checker.check(as_read(found.certificate.data))
    for other in (2 * found.radius, found.equilibrium_radius / 8):
        with pytest.raises(checker.NotProvedError, match="ball"):
            checker.check(as_read(forged(found, radius=other)))


def test_without_sides_every_larger_ball_is_invariant_too():
    module = s.FiringRates([[0.2, 0.1], [0.0, 0.3]])
    found = trajectories(module, rm.box(u=(-1, 1)), linf())
    assert found.radius >= 2 * found.equilibrium_radius
    assert "every ball of a larger radius" in found.statements[-1]
    assert not any("larger" in line for line in trajectories(*RELAXATION).statements)


def test_the_certificate_says_which_statements_it_proves():
    found = trajectories(*RELAXATION)
    claim = found.certificate.data["claim"]
    assert claim["trajectories"] == {"center": found.center.tolist(), "radius": found.radius}
    assert all(line in claim["statement"] for line in found.statements)
    assert "exactly one equilibrium" in claim["statement"]


def test_the_file_verifies_and_says_the_same(tmp_path):
    found = trajectories(*TILTED)
    again = verify(found.certificate.save(tmp_path / "ball.json"))
    assert isinstance(again, Proved), again
    assert again.certificate.data["claim"] == found.certificate.data["claim"]
    once_more = prove_trajectories(again, center=found.center)
    assert once_more.certificate.statement == found.certificate.statement
    wide = forged(found, radius=2 * found.radius)
    assert isinstance(verify(wide), Estimated)
    boast = {
        **forged(found),
        "claim": {**found.certificate.data["claim"], "statement": "It flies."},
    }
    assert verify(boast).certificate.statement == found.certificate.statement


def test_across_a_conservation_law_nothing_is_claimed_of_trajectories():
    class Exchange(rm.Flow):
        state = rm.space(x="", y="")

        def equations(self, x, u, p):
            return {"x": x.y - x.x, "y": x.x - x.y}

    answer = certify(Exchange(), norm=l2(np.eye(1)), horizontal=quotient(Exchange()))
    assert isinstance(answer, Proved)
    assert answer.rate == pytest.approx(2.0)
    with pytest.raises(SignatureError, match="constant norm"):
        prove_trajectories(answer)


def proved_again(data):
    """What is proved of trajectories by a certificate's data."""
    return verify_trajectories(data, claim_from_data(data))


def test_the_claim_is_proved_again_from_the_data():
    found = trajectories(*TILTED)
    again = proved_again(found.certificate.data)
    assert isinstance(again, Trajectories)
    assert again.equilibrium == found.equilibrium
    assert again.statements == found.statements


@pytest.mark.parametrize(
    "changes",
    [
        {"radius": math.nextafter(3.0, 4)},
        {"radius": 1.41},
        {"radius": -2.0},
        {"radius": 0.0},
        {"radius": "inf"},
        {"center": [1e-9, 0.0]},
        {"center": [-2.0, 0.0]},
        {"center": [5.0, 0.0]},
    ],
    ids=str,
)
def test_a_ball_that_is_not_proved_is_refused(changes):
    found = trajectories(*RELAXATION, center=[0.0, 0.0])
    assert isinstance(proved_again(forged(found)), Trajectories)
    assert isinstance(proved_again(forged(found, **changes)), Estimated)


@pytest.mark.parametrize(
    "changes",
    [{"radius": None}, {"radius": "wide"}, {"center": [0.0]}, {"center": None}, {"more": 1}],
    ids=str,
)
def test_a_claim_that_cannot_be_read_is_an_error(changes):
    found = trajectories(*RELAXATION)
    with pytest.raises(CertificateError):
        proved_again(forged(found, **changes))


def test_a_bound_that_does_not_contract_proves_nothing_of_trajectories():
    grown = proved(s.LinearFlow(np.eye(2)), rm.box(x=(-1, 1)), l2(np.eye(2)), rate=-1.5)
    assert isinstance(prove_trajectories(grown, center=[0.0, 0.0]), Estimated)
    still = proved(s.LinearFlow(np.zeros((2, 2))), rm.box(x=(-1, 1)), l2(np.eye(2)), rate=-0.5)
    assert isinstance(prove_trajectories(still, center=[0.0, 0.0], radius=0.5), Estimated)
    kept = proved(s.TanhStep(np.eye(2)), rm.box(x=(-1, 1)), l2(np.eye(2)), factor=1.25)
    assert isinstance(prove_trajectories(kept, center=[0.0, 0.0], radius=0.5), Estimated)


def test_a_static_map_has_no_trajectories():
    with pytest.raises(SignatureError, match="static map"):
        prove_trajectories(proved(rm.Tanh(2), None, l2(np.eye(2))))


def test_unbounded_inputs_are_named():
    answer = proved(RELAXATION[0], rm.box(x=(-3, 3)), l2(np.eye(2)))
    found = prove_trajectories(answer)
    assert isinstance(found, Estimated)
    assert "u[0], u[1]" in found.reason


def test_a_region_without_equilibrium_is_refused():
    answer = proved(RELAXATION[0], rm.box(x=(2, 3), u=(-1, 1)), l2(np.eye(2)))
    for found in (prove_trajectories(answer), prove_trajectories(answer, center=[2.5, 2.5])):
        assert isinstance(found, Estimated)


def constrained(region):
    """The relaxation's certificate on a smaller region."""
    module, sides, norm = RELAXATION
    whole = Box(sides.sides, region.constraints)
    return proved(module, whole, norm).certificate.data


def ball_of(data, center, radius):
    ball = {"center": center, "radius": radius}
    return {**data, "claim": {**data["claim"], "trajectories": ball}}


def test_a_linear_constraint_cuts_the_ball_by_its_dual_norm():
    data = constrained(rm.box().linear({"x[0]": 1.0, "x[1]": 1.0}, upper=2.5))
    # The line x + y = 2.5 is 2.5 / sqrt 2 = 1.7677 away from 0.
    for radius, wanted in ((1.7677, Trajectories), (1.7678, Estimated)):
        assert isinstance(proved_again(ball_of(data, [0.0, 0.0], radius)), wanted)


def test_a_constraint_on_state_and_input_has_to_hold_for_every_input():
    data = constrained(rm.box().linear({"x[0]": 1.0, "u[0]": -2.0}, -4.0))
    # x - 2 u >= -4 for u up to 1: x >= -2.
    for radius, wanted in ((2.0, Trajectories), (2.001, Estimated)):
        assert isinstance(proved_again(ball_of(data, [0.0, 0.0], radius)), wanted)


def test_a_constraint_on_inputs_alone_leaves_the_ball_as_it_is():
    data = constrained(rm.box().linear({"u[0]": 1.0, "u[1]": 1.0}, -1.0, 1.0))
    assert isinstance(proved_again(ball_of(data, [0.0, 0.0], 3.0)), Trajectories)


def test_a_ball_of_the_region_holds_the_invariant_one():
    data = constrained(rm.ball({"x[0]": 0.25, "x[1]": 0.0}, 2.0))
    for radius, wanted in ((1.7499999, Trajectories), (1.7500001, Estimated)):
        assert isinstance(proved_again(ball_of(data, [0.0, 0.0], radius)), wanted)
    data = constrained(rm.ball({"x[0]": 0.0}, 2.0, [[0.25]]))  # |x_0| <= 4
    for radius, wanted in ((3.0, Trajectories), (3.01, Estimated)):
        assert isinstance(proved_again(ball_of(data, [0.0, 0.0], radius)), wanted)
    data = constrained(rm.ball({"x[0]": 0.0, "u[0]": 0.0}, 2.0))
    assert isinstance(proved_again(ball_of(data, [0.0, 0.0], 1.5)), Estimated)


@given(rngs, st.integers(1, 6))
def test_the_dual_norm_is_bounded_from_above_and_tightly(rng, n):
    root = rng.normal(size=(n, n)) * 10.0 ** rng.integers(-3, 4, n)
    M = root @ root.T + 1e-3 * np.diag(np.diagonal(root @ root.T)) + 1e-6 * np.eye(n)
    M = 0.5 * (M + M.T)
    a = [Fraction(v) for v in rng.normal(size=n).tolist()]
    exact_M = sp.Matrix(n, n, lambda i, j: sp.Rational(*float(M[i, j]).as_integer_ratio()))
    exact_a = sp.Matrix([sp.Rational(v.numerator, v.denominator) for v in a])
    exact = (exact_a.T * exact_M.LUsolve(exact_a))[0]
    row = dict(enumerate(a))
    bound = L2(M).parts.dual_squared(row)
    assert bound >= Fraction(int(exact.p), int(exact.q))
    assert float(bound) <= float(exact) * (1 + 1e-6)
    w, size = np.exp(rng.normal(size=n)), np.abs([float(v) for v in a])
    assert float(L1(w).parts.dual_squared(row)) == pytest.approx((size / w).max() ** 2)
    assert float(LInf(w).parts.dual_squared(row)) == pytest.approx((size @ w) ** 2)


def test_the_dual_norm_of_a_nearly_singular_metric_is_exact():
    M = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]])  # det M = 2^-52
    assert L2(M).parts.dual_squared({0: Fraction(1)}) == 2**52 + 1


@given(st.fractions(min_value=0), st.integers(-900, 900))
def test_roots_are_the_nearest_floats_on_their_side(value, exponent):
    value = value * Fraction(2) ** exponent
    low, high = root_down(value), root_up(value)
    assert Fraction(low) ** 2 <= value <= Fraction(high) ** 2
    assert high in (low, math.nextafter(low, math.inf))


@settings(max_examples=30, deadline=None)
@given(rngs)
def test_the_drift_is_bounded_at_every_input(rng):
    module = s.FiringRates(rng.normal(size=(3, 3)))
    problem = make_problem(module, rm.box(x=(-9, 9), u=(-1, 2)))
    root = rng.normal(size=(3, 3))
    M, c = root @ root.T + np.eye(3), rng.normal(size=3)
    M = 0.5 * (M + M.T)
    bound = drift_squared(L2(M).parts, problem, c)
    most = 0
    for u in [*rng.uniform(-1, 2, (20, 3)), *np.array(list(np.ndindex(2, 2, 2))) * 3.0 - 1]:
        with mpmath.workdps(40):
            A = mpmath.matrix(module.A.tolist())
            v = A * mpmath.matrix(c.tolist()) + mpmath.matrix(u.tolist())
            f = mpmath.matrix([mpmath.tanh(v[i]) - mpmath.mpf(c[i]) for i in range(3)])
            size = (f.T * mpmath.matrix(M.tolist()) * f)[0]
            most = max(most, size)
            assert size <= mpmath.mpf(bound.numerator) / bound.denominator
    assert float(bound) <= float(most) * (1 + 1e-9)  # reached at a corner of the inputs
