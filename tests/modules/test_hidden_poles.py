"""An unstable pole that a zero cancels does not come out in the end: cancelled, or warned of."""

import warnings

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.engine import linearize, simulate
from riemannian_modules.errors import HiddenPoleWarning
from riemannian_modules.spec import load_system, save_system

TIMES = np.array([0.0, 1.0, 10.0, 60.0, 400.0])


def product(*factors):
    """Coefficients of a product; exact for small whole numbers."""
    result = np.ones(1)
    for factor in factors:
        result = np.convolve(result, factor)
    return result


def quietly(num, den):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return rm.TransferFunction(num, den)


@pytest.mark.parametrize(
    "common",
    [
        [1, -1],
        [1, 0],
        [1, 0, 4],
        [1, -2, 5],
        [1, -1, 0],
        [3, -1],
        [1, -3, 3, -1],  # three roots in one place
        [1, 0, 0, 0, 0],
        [1, 1, -2],  # one stable root, one not
        [1, -(2.0**-30)],
        [1, -3e5],
    ],
)
@pytest.mark.parametrize("scale", [1.0, -7.0])
def test_an_unstable_factor_that_is_common_exactly_is_cancelled(common, scale):
    num, den = product([2, 6], common), scale * product([1, 2], [1, 5], common)
    module = quietly(num, den)
    plain = rm.TransferFunction([2 / scale, 6 / scale], product([1, 2], [1, 5]))
    assert module.signature == plain.signature
    np.testing.assert_allclose(module.theta, plain.theta, rtol=1e-15)
    got = simulate(module, TIMES, inputs={"u": 1.0})["y"]
    # Partial fractions of (2 s + 6) / (s (s + 2)(s + 5)).
    exact = (0.6 - np.exp(-2 * TIMES) / 3 - 4 * np.exp(-5 * TIMES) / 15) / scale
    np.testing.assert_allclose(got, exact, rtol=1e-7, atol=1e-9)


def test_a_common_factor_that_is_stable_keeps_its_parameters():
    module = quietly([1, 2], [1, 3, 2])
    assert module.signature.state.size == 2


def test_an_unstable_pole_without_a_zero_is_kept_and_needs_no_warning():
    for num, den in (([1], [1, -1]), ([1, 1], [1, -1]), ([1, -1.5], [1, -1]), ([5], [1, 0, 0])):
        module = quietly(num, den)
        assert linearize(module).poles.size == len(den) - 1


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_map_that_gives_nothing_has_no_state_that_explodes(degree):
    module = quietly([0], product(*[[1, -1]] * degree))
    assert module.signature.state.size == 0
    assert simulate(module, TIMES, inputs={"u": 1.0})["y"].tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("pole", "zero"), [(0.1, 0.1), (1.0, 1.0 + 1e-9), (3.0, 2.999), (1e-8, 1.1e-8), (0.0, 1e-9)]
)
def test_a_near_cancellation_is_warned_of_with_pole_zero_and_distance(pole, zero):
    """0.1 is such a case: the products' coefficients 1.9 and -0.2 are rounded."""
    num, den = [1, -zero], [1, 2 - pole, -2 * pole]
    with pytest.warns(HiddenPoleWarning, match="nearly cancels it, at a distance") as caught:
        module = rm.TransferFunction(num, den)
    (only,) = caught
    assert f"the pole {np.roots(den).max():.6g} is unstable" in str(only.message)
    assert only.filename == __file__
    assert module.signature.state.size == 2
    # It is one indeed: the mode is there, whatever its share of the output.
    assert np.isclose(linearize(module).poles.real.max(), pole, atol=1e-12)


def test_of_a_pair_one_is_told():
    with pytest.warns(HiddenPoleWarning) as caught:
        rm.TransferFunction([1, -2, 5.0001], product([1, -2, 5], [1, 1]))
    assert len(caught) == 1


def test_what_is_left_after_cancelling_is_looked_at_again():
    with pytest.warns(HiddenPoleWarning, match="the pole 3 is unstable"):
        module = rm.TransferFunction(
            product([1, -1], [1, -3 - 1e-6]), product([1, -1], [1, -3], [1, 2])
        )
    assert module.signature.state.size == 2


def test_the_file_says_what_was_given_and_gives_the_same(tmp_path):
    module = quietly([1, -1], [1, 1, -2]).with_parameters([3.0, 4.0])
    save_system(module, tmp_path / "m.json")
    read = load_system(tmp_path / "m.json").module
    assert read.signature == module.signature
    assert np.array_equal(read.theta, module.theta)


def test_large_random_systems_are_not_slowed_down():
    """Without a zero near an unstable pole nothing is divided, whatever the degree."""
    import riemannian_modules.modules.hidden_pole as file

    rng, divided = np.random.default_rng(0), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "_common", lambda *p: divided.append(p))
        for _ in range(20):
            den = np.poly(-rng.uniform(0.5, 3.0, 12))
            rm.TransferFunction(rng.standard_normal(12), den)
    assert divided == []
