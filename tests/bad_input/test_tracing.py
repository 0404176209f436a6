"""Maps whose formulas are too deep or too large stop with an error that says what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sympy.core.cache import clear_cache

import riemannian_modules as rm
from riemannian_modules.errors import RiemannianError, TraceError


def looped(turns: int, operation: Callable[[Any, Any], Any]) -> rm.StaticMap:
    """A map that applies ``operation`` to its value so many times."""

    class Looped(rm.StaticMap):
        inputs, outputs = rm.space("v"), rm.space("y")

        def map(self, u: Any, p: Any) -> Any:
            value = u.v
            for _ in range(turns):
                value = operation(value, u.v)
            return {"y": value}

    return Looped()


@pytest.mark.parametrize("turns", [1000, pytest.param(3000, marks=pytest.mark.slow)])
def test_formulas_nested_too_deeply_are_refused_with_the_way_out(turns: int):
    clear_cache()  # so that two runs share no terms, which would be equal at a glance
    module = looped(turns, lambda s, _: np.tanh(s))
    with pytest.raises(TraceError, match=r"Looped: .*nested too deeply.*chain"):
        module.jacobian(np.zeros(0), np.ones(1), module.theta)


def test_a_formula_too_deep_to_compile_is_refused_in_the_name_of_its_module():
    module = looped(300, lambda s, v: np.sin(s) + v)
    with pytest.raises(TraceError, match=r"Looped: .*nested too deeply.*chain"):
        module.jacobian(np.zeros(0), np.ones(1), module.theta)


@pytest.mark.parametrize("turns", [10, 100, pytest.param(200, marks=pytest.mark.slow)])
def test_formulas_nested_less_deeply_have_their_derivative(turns: int):
    module = looped(turns, lambda s, _: np.tanh(s))
    value, slope = 1.0, 1.0
    for _ in range(turns):
        value = np.tanh(value)
        slope *= 1.0 - value**2
    D = module.jacobian(np.zeros(0), np.ones(1), module.theta).D
    # Each turn rounds tanh and its slope by a few units in the last place.
    np.testing.assert_allclose(D, [[slope]], rtol=8 * turns**2 * 2.0**-52)


def test_a_loop_that_doubles_its_formula_is_refused_before_it_takes_for_ever():
    module = looped(60, lambda s, v: (s + v) * np.sin(s))
    with pytest.raises(TraceError, match="terms when it is written out"):
        module.expressions  # noqa: B018


@pytest.mark.parametrize("turns", [8, 30])
def test_conditions_that_depend_on_chosen_values_are_refused_while_tracing(turns: int):
    module = looped(turns, lambda s, v: np.where((s > v) & (v > 0), s - 1.0, 0.5 * s + 1.0))
    with pytest.raises(TraceError, match=r"np\.where chose"):
        module.expressions  # noqa: B018


def test_none_instead_of_a_result_is_named():
    class Forgetful(rm.StaticMap):
        inputs, outputs = rm.space("v"), rm.space("y")

        def map(self, u: Any, p: Any) -> Any:
            return None

    with pytest.raises(RiemannianError, match=r"returned None.*return"):
        Forgetful().expressions  # noqa: B018
