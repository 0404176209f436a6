"""Maps held in one piece, and all zeros of a function of one variable."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import riemannian_modules as rm
from riemannian_modules.arithmetic.compile import compile_floats, compile_intervals
from riemannian_modules.arithmetic.isolated_roots import isolated_roots
from riemannian_modules.arithmetic.switching import frozen, sizes


class Choices(rm.StaticMap):
    inputs, outputs = rm.space("a b"), rm.space(y=8)

    def map(self, u, p):
        a, b = u.a, u.b
        return {
            "y": np.stack([
                np.where((a > b) & (b >= 0), a, b * b), np.maximum(a, b), np.minimum(a, 2 * b),
                np.abs(a - b), np.sign(a) * b, np.heaviside(b, 0.5), np.clip(a, -1, b * b),
                np.arctan2(a, b) + np.where(np.sign(a) + b > 0, 1.0, 2.0),
            ])
        }  # fmt: skip


numbers = st.sampled_from([-2.0, -1.0, -0.3, 0.0, 0.5, 1.0, 1.7])


@given(numbers, numbers)
def test_with_the_signs_of_its_borders_a_map_is_what_it_was(a, b):
    e = Choices().expressions
    f, signs = frozen(e.y), np.zeros(0)
    groups = (e.inputs, f.signs)
    borders, terms = compile_floats(f.borders, groups), compile_floats(f.terms, groups)
    signs = np.zeros(len(f.signs))
    for _ in range(3):  # a border may depend on another one's sign
        signs = np.sign(np.array([float(v) for v in borders([a, b], signs)]))
    wanted = Choices().output(np.zeros(0), np.array([a, b]), np.zeros(0))
    found = np.array([float(v) for v in terms([a, b], signs)])
    if a or b:  # no angle at zero
        assert np.array_equal(found[:7], wanted[:7])
        assert found[7] == pytest.approx(wanted[7], abs=1e-15)


def test_a_border_and_its_negative_share_a_sign():
    x = sp.Symbol("x", real=True)
    from riemannian_modules.arithmetic import functions as fn

    assert len(frozen((fn.step(x - 1), fn.absolute(1 - x), fn.maximum(x, 1))).signs) == 1


def test_a_border_is_rounded_relative_to_what_cancels_in_it():
    a, b, k = sp.symbols("a b k", real=True)
    product, total, wave = sizes((k * (a + b), a + b - 1, sp.sin(a + b)))
    at = {a: 3, b: -2, k: -5}
    assert (product.subs(at), total.subs(at)) == (25, 6)
    assert wave.args == (sp.sin(a + b),)  # the size of a wave is its own


@given(st.floats(0.3, 30.0), st.floats(-0.999, 0.999), st.floats(1.0, 20.0))
def test_all_zeros_of_a_wave_are_found(speed, level, end):
    t = sp.Symbol("t", real=True)
    value = sp.sin(sp.Rational(*speed.as_integer_ratio()) * t)
    value = value - sp.Rational(*level.as_integer_ratio())
    compiled = compile_intervals((value, sp.diff(value, t)), ((t,),))
    found = isolated_roots(lambda s: compiled([s]), 0.0, end)
    turns = 2 * np.pi * np.arange(-1, int(speed * end / 6) + 2)
    wanted = np.sort(np.concatenate([turns + np.arcsin(level), turns + np.pi - np.arcsin(level)]))
    wanted = wanted / speed
    inside = wanted[(wanted > 1e-6) & (wanted < end - 1e-6)]
    assert found is not None
    near = np.array([r for r in found if 1e-6 < r < end - 1e-6])
    assert len(near) == len(inside)
    assert np.abs(near - inside).max(initial=0.0) <= 1e-9 * end
