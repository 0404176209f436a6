"""What every module owes is little; what some can do besides is found by what they define."""

import numpy as np
import pytest

import riemannian_modules as rm
from riemannian_modules.arithmetic.interval import Interval
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.modules.capability import (
    EnclosedMap,
    ExactForm,
    StagedMap,
    StatedAccuracy,
    enclosure_of,
)
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.evaluation import (
    accuracy_of,
    output_then_differential,
    output_with_differential,
    push_forward,
)
from riemannian_modules.modules.module import RiemannianModule, equations_of
from riemannian_modules.modules.ownership import owners_of, with_owners
from riemannian_modules.shown import Shown

NONE = np.zeros(0)


class Halved(rm.RiemannianModule):
    """``y = u / 2``, written by hand."""

    time, inputs, outputs = rm.Time.STATIC, rm.space("u"), rm.space("y")

    def forward(self, x, u, theta):
        return x, 0.5 * u

    def jacobian(self, x, u, theta):
        batch = u.shape[:-1]
        none = {s: np.zeros((*batch, *s)) for s in ((0, 0), (0, 1), (1, 0))}
        D = np.full((*batch, 1, 1), 0.5)
        return Jacobian(none[0, 0], none[0, 1], none[1, 0], D, none[0, 0], none[1, 0])


class HalvedInBoxes(Halved):
    """The same with an enclosure of its own."""

    def enclose(self, x, u, theta):
        half = Interval.point(np.full((1, 1), 0.5))
        none = {s: Interval.point(np.zeros(s)) for s in ((0,), (0, 0), (0, 1), (1, 0))}
        return Enclosure(none[0,], half[0] * u, none[0, 0], none[0, 1], none[1, 0], half)


def public_names(cls):
    annotated = {name for part in cls.__mro__ for name in vars(part).get("__annotations__", {})}
    return {name for name in annotated | set(dir(cls)) if not name.startswith("_")}


def test_a_module_has_at_most_twenty_public_names_of_its_own():
    assert len(public_names(RiemannianModule) - public_names(Shown)) <= 20


def test_names_are_counted_however_they_come_into_a_class():
    class Base:
        noted: int

    class Counted(Base):
        given = 1

        def done(self): ...

        def _hidden(self): ...

    assert public_names(Counted) == {"noted", "given", "done"}


def test_a_capability_is_found_by_the_methods_that_a_class_defines():
    assert isinstance(HalvedInBoxes(), EnclosedMap)
    assert not isinstance(Halved(), EnclosedMap)
    assert not isinstance(HalvedInBoxes(), ExactForm)
    assert isinstance(rm.Tanh(), StagedMap)
    assert not isinstance(rm.Affine([[1.0]]), StagedMap)


def test_a_module_encloses_what_it_says_and_others_are_refused_by_name():
    box = Interval(np.array([-1.0]), np.array([2.0]))
    nothing = Interval.point(NONE)
    y = enclosure_of(HalvedInBoxes(), nothing, box, nothing).y
    assert y.contains(np.array([-0.5])).all()
    assert y.contains(np.array([1.0])).all()
    assert y.upper - y.lower <= 1.5 + 1e-12
    assert 0.5 <= HalvedInBoxes().contraction_rate().factor <= 0.5 + 1e-12
    with pytest.raises(UnsupportedError, match="Halved has no rigorous enclosure"):
        Halved().contraction_rate()
    signals = (Halved().signature.inputs.signals(np.zeros(1)),) * 3
    with pytest.raises(UnsupportedError, match="Halved has no exact expressions"):
        equations_of(Halved(), *signals)


def test_operations_take_a_module_that_has_none_of_the_capabilities():
    u, t_u = np.array([[3.0], [5.0]]), np.ones((2, 1, 1))
    y, differential = output_then_differential(Halved(), NONE, u, NONE)
    y_too, now = output_with_differential(Halved(), NONE, u, NONE)
    assert y.tolist() == y_too.tolist() == [[1.5], [2.5]]
    for d in (differential(), now):
        assert (d.push_outputs(np.zeros((2, 0, 1)), t_u) == 0.5).all()
    values, tangents = push_forward(Halved(), NONE, u, NONE, np.zeros((2, 0, 1)), t_u)
    assert values[1].tolist() == y.tolist()
    assert (tangents[1] == 0.5).all()


def test_a_module_owns_its_parameters_and_a_compound_names_those_who_do():
    first, second = rm.Affine([[1.0]]), rm.Affine([[2.0]])
    assert list(owners_of(first).values()) == [first]
    composite = first >> first
    (owner,) = owners_of(composite).values()
    assert owner is first
    twin = with_owners(composite, {id(first): second})
    assert list(owners_of(twin).values()) == [second]
    assert with_owners(first, {id(first): second}) is second


def test_outputs_are_exact_to_rounding_unless_a_module_says_less():
    class Rough(Halved, StatedAccuracy):
        accuracy = 1e-6

    assert accuracy_of(Rough()) == 1e-6
    assert accuracy_of(Halved()) == np.finfo(float).eps
