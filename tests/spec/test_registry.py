"""What files may say of a module is what its constructor takes, on every Python."""

import inspect

import pytest

import riemannian_modules as rm
from riemannian_modules.modules.activation import Activation
from riemannian_modules.spec.registry import constructor_signature, constructors


class Hiding(type(rm.Flow)):
    """A metaclass whose call takes everything, as `__new__` of each module does."""

    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)


class Hidden(rm.Flow, metaclass=Hiding):
    state = rm.space("x")

    def __init__(self, tau, *, k=1.0):
        super().__init__()

    def equations(self, x, u, p):
        return [-x.x]


class Heir(Hidden):
    pass


def test_a_constructor_is_read_from_its_init_where_call_and_new_take_everything():
    assert list(inspect.signature(Hidden).parameters) == ["args", "kwargs"]
    for cls in (Hidden, Heir):
        assert list(constructor_signature(cls).parameters) == ["tau", "k"]


def test_an_inherited_init_is_read_as_that_of_its_own_class():
    assert "__init__" not in vars(rm.Tanh)
    found = constructor_signature(rm.Tanh)
    assert found == constructor_signature(Activation)
    assert list(found.parameters) == ["size", "input", "output"]


def test_a_class_without_init_takes_nothing():
    class Bare:
        pass

    assert list(constructor_signature(Bare).parameters) == []


@pytest.fixture
def early_python(monkeypatch):
    """Signatures of classes as Python 3.11.2 gives them: those of ``__new__`` where it is there."""
    own = inspect.signature

    def signature(subject, **options):
        if inspect.isclass(subject) and subject.__new__ is not object.__new__:
            found = own(subject.__new__, **options)
            return found.replace(parameters=list(found.parameters.values())[1:])
        return own(subject, **options)

    monkeypatch.setattr(inspect, "signature", signature)
    assert list(inspect.signature(rm.Lag).parameters) == ["args", "kwargs"]
    constructors.cache_clear()
    yield
    constructors.cache_clear()


def test_files_name_the_arguments_where_the_signature_of_a_class_is_that_of_new(early_python):
    lag = constructors()["Lag"]
    assert list(lag.arguments) == ["tau", "k", "size", "input", "output"]
    assert lag.named(rm.Lag(2.0, k=3.0)) == {"tau": 2.0, "k": 3.0}
    assert list(constructors()["Tanh"].arguments) == ["size", "input", "output"]
