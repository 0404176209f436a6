"""What poles tell about stability: yes, no, or undecided within rounding."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riemannian_modules.engine import Stability, linearize
from riemannian_modules.engine.poles import poles_of
from riemannian_modules.modules.module import Time
from tests.engine.flows import Integrator, LinearFlow, LinearStep, Pendulum
from tests.strategies import rngs


def flow(A):
    return linearize(LinearFlow(np.asarray(A, float), np.zeros((len(A), 1)), np.eye(len(A))))


def step(A):
    return linearize(LinearStep(np.asarray(A, float), np.zeros((len(A), 1))))


def turned(rng, A):
    """A in other coordinates, each entry rounded once, so that its poles come with rounding."""
    with mpmath.workdps(50):
        T = mpmath.matrix(rng.standard_normal((len(A), len(A))).tolist())
        product = T * mpmath.matrix(A.tolist()) * T**-1
        return np.array(product.tolist(), float).reshape(A.shape)


@settings(max_examples=50, deadline=None)
@given(rngs, st.floats(0.1, 100.0))
def test_poles_on_the_imaginary_axis_are_undecided_within_rounding(rng, w):
    model = flow(turned(rng, np.array([[0, w, 0], [-w, 0, 0], [0, 0, -1.0]])))
    assert model.is_stable is None
    assert model.stability is Stability.UNDECIDED
    assert "undecided within rounding: the pole" in str(model)


@settings(max_examples=50, deadline=None)
@given(rngs, st.floats(0.1, 3.0))
def test_poles_on_the_unit_circle_are_undecided_within_rounding(rng, angle):
    c, s = np.cos(angle), np.sin(angle)
    model = step(turned(rng, np.array([[c, -s, 0], [s, c, 0], [0, 0, 0.5]])))
    assert model.is_stable is None
    assert "unit circle" in str(model)


def test_the_plant_with_poles_at_the_root_of_eleven_is_undecided():
    # A double of -1.9e-16 +- 3.3166j, which was called stable.
    for A in ([[0, 1], [-11, 0]], [[1, -4], [3, -1.0]], [[-1, 2], [-6, 1.0]]):
        assert flow(A).is_stable is None


@settings(max_examples=40, deadline=None)
@given(rngs, st.integers(2, 6))
def test_a_pole_moves_by_no_more_than_its_error(rng, n):
    A = rng.standard_normal((n, n)) * 10.0 ** rng.uniform(-2, 2, (n, 1))
    found = poles_of(A, Time.CONTINUOUS)
    with mpmath.workdps(50):
        exact = np.array([complex(z) for z in mpmath.eig(mpmath.matrix(A.tolist()))[0]])
    for value, error in zip(found.values, found.errors, strict=True):
        assert np.abs(exact - value).min() <= error + 1e-15 * np.abs(value)


@settings(max_examples=40, deadline=None)
@given(rngs, st.integers(2, 5))
def test_what_is_well_inside_is_stable_and_what_is_well_outside_is_not(rng, n):
    A = rng.standard_normal((n, n))
    shift = np.linalg.eigvals(A).real.max()
    assert flow(A - (shift + 1e-6) * np.eye(n)).is_stable is True
    assert flow(A - (shift - 1e-6) * np.eye(n)).is_stable is False
    A /= np.abs(np.linalg.eigvals(A)).max()
    assert step((1 - 1e-6) * A).is_stable is True
    assert step((1 + 1e-6) * A).is_stable is False


def test_defective_poles_near_the_border_are_undecided_over_the_root_of_rounding():
    # Rounding moves four poles that are one by the fourth root of eps, which is near 1e-4.
    rng, jordan = np.random.default_rng(0), np.diag(np.ones(3), 1)
    assert flow(turned(rng, jordan - 1e-6 * np.eye(4))).is_stable is None
    assert flow(turned(rng, jordan - 0.5 * np.eye(4))).is_stable is True
    # Where the matrix itself says that they are four, they are computed as four.
    jordan[3, 0] = 1e-17
    assert flow(jordan - 1e-6 * np.eye(4)).is_stable is False
    assert flow(jordan - 1e-4 * np.eye(4)).is_stable is True


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (flow([[0.0]]), False),
        (flow([[0, 1], [0, 0]]), False),
        (flow([[-1, 1e12], [0, -1e-12]]), True),
        (flow([[0, 1], [0, -1]]), False),
        (step([[1.0]]), False),
        (step([[0.5, 1e9], [0, -0.5]]), True),
        (linearize(Integrator()), False),
        (linearize(Pendulum()), True),
    ],
)
def test_poles_that_stand_alone_in_the_matrix_are_exact(model, wanted):
    assert model.is_stable is wanted


def test_the_table_says_what_the_poles_tell():
    pendulum, integrator = linearize(Pendulum()), linearize(Integrator())
    assert pendulum.table().splitlines()[-1].startswith("stable: the pole nearest to")
    assert integrator.table().splitlines()[-1] == (
        "not stable: the pole farthest beyond or on the imaginary axis is 0"
    )
    assert "  stable: the pole nearest to" in str(pendulum)
    assert "not stable: the pole farthest" in str(integrator)
