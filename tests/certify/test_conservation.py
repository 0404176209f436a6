"""Conservation laws, symmetries and the coordinates across them, against closed forms."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.integer_kernel import (
    is_dyadic,
    kernel_coordinates,
    null_space,
)
from riemannian_modules.claims.horizontal import Horizontal
from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.search.symmetry.conservation import conservation_laws, symmetries
from riemannian_modules.search.symmetry.quotient import (
    across_laws,
    across_symmetries,
    coordinate_names,
    quotient,
)
from riemannian_modules.search.traced_problem import make_problem

ENZYME = rm.MassAction.of(
    {
        "bind": ("S + E -> C", 0.3),
        "unbind": ("C -> S + E", 1.7),
        "turn": ("C -> P + E", 0.9),
        "decay": ("P -> S", 0.1),
    }
)


class Kuramoto(rm.Flow):
    """``theta_i' = w_i + K/n sum_j sin(theta_j - theta_i)``."""

    def __init__(self, n, K=1.0, w=None):
        self.K, self.w = K, np.linspace(-0.1, 0.3, n) if w is None else np.asarray(w)
        self.state = rm.space(theta=n)

    def equations(self, x, u, p):
        t, n = x.theta, len(self.w)
        pull = [sum(np.sin(t[j] - t[i]) for j in range(n) if j != i) for i in range(n)]
        return {"theta": self.w + self.K / n * np.stack(pull)}


class ShuttleStep(rm.StepMap):
    """``x+ = x - h x y; y+ = y + h x y / 4; z+ = z / 2``: x + 4 y is conserved."""

    state = rm.space(x="", y="", z="")
    parameters = {"h": 0.3}

    def equations(self, x, u, p):
        moved = p.h * x.x * x.y
        return {"x": x.x - moved, "y": x.y + moved / 4, "z": x.z / 2}


class Free(rm.Flow):
    """``x' = -x^3 + y; y' = -y``, without laws or symmetries."""

    state = rm.space(x="", y="")

    def equations(self, x, u, p):
        return {"x": -(x.x**3) + x.y, "y": -x.y}


def exact(module):
    return make_problem(module, rm.box())


def test_an_enzyme_conserves_enzyme_and_substrate_in_sparse_nonnegative_integers():
    laws = conservation_laws(ENZYME)
    assert {str(law) for law in laws} == {"E + C = const", "S + C + P = const"}


def test_a_phosphorylation_cycle_in_both_forms_conserves_the_protein():
    class Cycle(rm.Flow):
        state, inputs = rm.space(w="", a=""), rm.space(kinase="")

        def equations(self, x, u, p):
            up, down = 0.7 * u.kinase * x.w / (0.3 + x.w), 0.1 * x.a / (0.2 + x.a)
            return {"w": down - up, "a": up - down}

    assert [str(law) for law in conservation_laws(Cycle())] == ["w + a = const"]
    assert conservation_laws(rm.PhosphorylationCycle(1.0, 0.7, 0.1, 0.3, 0.2)) == ()


def test_moieties_with_weights_are_found_in_lowest_terms():
    dimer = rm.MassAction.of({"pair": ("2 A -> D", 0.3), "split": ("D -> 2 A", 0.7)})
    (law,) = conservation_laws(dimer)
    assert dict(law.coefficients) == {"A": 1, "D": 2}
    assert str(law) == "A + 2 D = const"


def test_a_law_that_cannot_be_nonnegative_is_written_with_few_minus_signs():
    made = rm.MassAction.of({"both": ("F -> A + B", 1.0), "left": ("A + B -> G", 2.0)},
                            external="F G")  # fmt: skip
    assert [str(law) for law in conservation_laws(made)] == ["A - B = const"]


def test_laws_go_through_the_wiring_of_a_composite():
    class Tank(rm.Flow):
        state, inputs = rm.space(level=""), rm.space(inflow="")
        outputs = rm.space(outflow="", level="")
        parameters = {"k": 0.3}

        def equations(self, x, u, p):
            out = p.k * np.sqrt(1 + x.level**2)
            return {"level": u.inflow - out}, {"outflow": out, "level": x.level}

    ring = rm.Wiring(a=Tank(), b=Tank(), c=Tank())
    for source, target in ("ab", "bc", "ca"):
        ring = ring.connect(f"{source}.outflow", f"{target}.inflow")
    assert [str(law) for law in conservation_laws(ring.build())] == [
        "a.level + b.level + c.level = const"
    ]


def test_a_step_map_conserves_what_its_successor_has_as_well():
    (law,) = conservation_laws(ShuttleStep())
    assert str(law) == "x + 4 y = const"


def test_laws_hold_for_uncertain_parameters_when_they_do_not_depend_on_them():
    problem = make_problem(ENZYME, rm.box(bind=(0.1, 0.5), turn=(0.2, 2)))
    assert {str(law) for law in conservation_laws(problem)} == {
        "E + C = const",
        "S + C + P = const",
    }


def test_oscillators_are_symmetric_under_a_common_shift():
    (found,) = symmetries(Kuramoto(4))
    assert dict(found.direction) == {f"theta[{i}]": 1 for i in range(4)}
    assert str(found) == "theta[0] + s, theta[1] + s, theta[2] + s, theta[3] + s"


def test_oscillators_of_zero_mean_frequency_conserve_their_mean_phase():
    assert conservation_laws(Kuramoto(3, w=[-0.25, 0.5, -0.25]))
    assert conservation_laws(Kuramoto(3, w=[-0.25, 0.5, 0.25])) == ()


def test_a_system_without_laws_or_symmetries_has_nothing_to_divide_out():
    assert conservation_laws(Free()) == symmetries(Free()) == ()
    with pytest.raises(UnsupportedError, match="nothing to divide out"):
        quotient(Free())


def test_a_static_map_has_no_state_to_conserve():
    with pytest.raises(SignatureError, match="no state"):
        conservation_laws(rm.Gain(2.0))


@given(st.integers(1, 4), st.integers(2, 7), st.randoms(use_true_random=False))
def test_the_null_space_is_that_of_sympy(m, n, random):
    A = [[random.randint(-4, 4) for _ in range(n)] for _ in range(m)]
    basis = null_space([{j: Fraction(v) for j, v in enumerate(row)} for row in A], n)
    assert len(basis) == len(sp.Matrix(A).nullspace())
    assert all(sum(a * c for a, c in zip(row, v, strict=True)) == 0 for row in A for v in basis)
    if basis:
        assert sp.Matrix(basis).rank() == len(basis)


@given(st.integers(1, 3), st.integers(4, 7), st.randoms(use_true_random=False))
def test_coordinates_on_a_kernel_have_an_exact_dyadic_left_inverse(m, n, random):
    C = sp.Matrix(m, n, lambda i, j: random.randint(-5, 5))
    C = C[list(C.T.rref()[1]), :]  # independent rows
    if not C.rows:
        return
    L, R = kernel_coordinates([tuple(int(v) for v in C.row(i)) for i in range(C.rows)])
    assert sp.Matrix(L) * sp.Matrix(R) == sp.eye(n - C.rows)
    assert (C * sp.Matrix(R)).is_zero_matrix
    assert all(is_dyadic(v) for row in (*L, *R) for v in row)


@pytest.mark.parametrize(
    "module", [ENZYME, ShuttleStep(), Kuramoto(5)], ids=["law", "step", "shift"]
)
def test_a_quotient_holds_identically(module):
    found = quotient(module)
    assert exact(module).admits(found)
    assert np.array_equal(found.L @ found.R, np.eye(len(found.L)))


def test_across_a_law_the_coordinates_are_those_of_the_state():
    names = coordinate_names(ENZYME, across_laws(ENZYME))
    assert len(names) == 2
    assert set(names) < {"S", "E", "C", "P"}


def test_across_a_shift_the_coordinates_are_differences():
    found = across_symmetries(Kuramoto(3))
    assert found.kind == "symmetry"
    assert coordinate_names(Kuramoto(3), found) == (
        "theta[0] - theta[2]",
        "theta[1] - theta[2]",
    )
    assert np.array_equal(found.R, [[1, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize(
    "module", [ENZYME, ShuttleStep(), Kuramoto(3)], ids=["law", "step", "shift"]
)
def test_a_changed_entry_is_refused(module):
    found = quotient(module)
    for name in ("L", "R"):
        for place in np.ndindex(getattr(found, name).shape):
            changed = {"L": found.L.copy(), "R": found.R.copy()}
            changed[name][place] += 2.0**-30
            forged = Horizontal(**changed, kind=found.kind)
            assert not exact(module).admits(forged)


def test_what_is_no_law_is_no_quotient():
    found = across_laws(Kuramoto(3, w=[-0.25, 0.5, -0.25]))
    assert not exact(Free()).admits(found)  # other sizes
    tilted = Horizontal(np.eye(2, 3), np.eye(3, 2), "conservation")
    assert not exact(Kuramoto(3)).admits(tilted)
    swapped = Horizontal(np.eye(2, 3), np.eye(3, 2), "symmetry")
    assert not exact(Kuramoto(3)).admits(swapped)


def test_a_law_with_long_coefficients_still_gives_coordinates_of_the_state():
    # x' = -0.1 y, y' = y: the law x + 0.1 y has coefficients of 54 bits, the coordinate y none.
    class Long(rm.Flow):
        state = rm.space(x="", y="")

        def equations(self, x, u, p):
            return {"x": -0.1 * x.y**3, "y": x.y**3}

    found = across_laws(Long())
    assert coordinate_names(Long(), found) == ("y",)
    assert np.array_equal(found.R, [[-0.1], [1.0]])
