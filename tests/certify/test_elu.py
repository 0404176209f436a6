"""Exponential linear units, in layers and however they are written."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.compile import compile_floats
from riemannian_modules.certify import Proved, certify
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.search.layers.slopes_form import slopes_problem
from tests.certify.files import is_proved_by_all

WRITTEN = {
    "expm1 of the smaller": lambda v: np.where(v >= 0, v, 0.75 * np.expm1(np.minimum(v, 0))),
    "expm1": lambda v: np.where(v > 0, v, 0.75 * np.expm1(v)),
    "exp": lambda v: np.where(v > 0, v, 0.75 * (np.exp(v) - 1)),
    "turned around": lambda v: np.where(v < 0, 0.75 * np.exp(v) - 0.75, v),
}
FIRST = np.array([[0.5, -0.25], [0.75, 0.5], [-0.25, 1.0]])
SECOND = np.array([[0.5, 0.25, -0.5], [-0.75, 0.5, 0.25], [0.25, -0.5, 0.5]])
LAST = np.array([[0.5, -0.25, 0.75], [0.25, 0.5, -0.5]])


def layers(elu):
    """Two layers between three matrices."""

    class Net(rm.StaticMap):
        inputs = rm.space(a="", b="")
        outputs = rm.space(y="", z="")

        def map(self, u, p):
            return dict(zip("yz", through(elu, (u.a, u.b)), strict=True))

    return Net()


def through(elu, values):
    for W in (FIRST, SECOND):
        values = [elu(sum(w * v for w, v in zip(row, values, strict=True))) for row in W]
    return [sum(w * v for w, v in zip(row, values, strict=True)) for row in LAST]


@pytest.mark.parametrize("elu", WRITTEN.values(), ids=WRITTEN)
def test_two_layers_have_the_gain_of_their_worst_slopes(elu):
    slopes = [np.diag(s) for s in product((0.0, 1.0), repeat=3)]
    worst = max(np.linalg.norm(LAST @ s @ SECOND @ t @ FIRST, 2) for s in slopes for t in slopes)
    form = slopes_problem(layers(elu), None)
    assert form is not None
    assert len(form.slopes) == 6  # one a neuron
    answer = certify(layers(elu))
    assert isinstance(answer, Proved)
    assert worst <= answer.factor <= 1.1 * worst
    is_proved_by_all(answer)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(sorted(WRITTEN)),
    st.lists(st.floats(-30, 30, allow_subnormal=False), min_size=2, max_size=2),
)
def test_what_is_traced_is_what_was_written(name, at):
    elu = WRITTEN[name]
    module = layers(elu)
    expected = through(elu, at)
    e = module.expressions
    found = compile_floats(e.y, (e.inputs,))(np.array(at))
    assert np.allclose([float(v) for v in found], [float(v) for v in expected], atol=1e-12)


def test_sides_that_do_not_meet_are_refused_in_any_layer():
    broken = layers(lambda v: np.where(v > 0, v + 0.5, 0.75 * np.expm1(v)))
    with pytest.raises(UnsupportedError, match="continuous"):
        certify(broken)
