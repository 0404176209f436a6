"""Every kind of module keeps the contract, and every public kind is in the list that says so."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import riemannian_modules as rm
import riemannian_modules.modules as room
from riemannian_modules.errors import UnsupportedError
from riemannian_modules.spec.registry import constructors
from riemannian_modules.testing import check_module
from tests.modules.instances import INSTANCES, Layer, Pendulum


@pytest.mark.parametrize("instance", INSTANCES.values(), ids=list(INSTANCES))
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_contract_is_kept(instance, seed):
    check_module(
        instance.module,
        rng=np.random.default_rng(seed),
        around=instance.around,
        spread=instance.spread,
        rounding=instance.rounding,
    )


def kinds_of_module():
    """Concrete subclasses in the library; Flow, StepMap and StaticMap are abstract."""
    # A file that nobody imports holds a kind that nobody would miss.
    for file in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        importlib.import_module(file.name)
    found, waiting = set(), [rm.RiemannianModule]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            # What fits wrap modules into is nobody's to build.
            own = (
                kind.__module__.startswith("riemannian_modules.")
                and "engine" not in kind.__module__
            )
            if own and not inspect.isabstract(kind) and not kind.__subclasses__():
                found.add(kind)
    return found


def test_every_kind_of_module_is_exported():
    hidden = {k.__name__ for k in kinds_of_module() if getattr(rm, k.__name__, None) is not k}
    assert hidden == set()


def test_every_kind_of_module_is_in_the_list():
    listed = {type(instance.module) for instance in INSTANCES.values()}
    assert {kind.__name__ for kind in kinds_of_module() - listed} == set()


def test_every_kind_of_module_can_be_named_in_files():
    # Composites are files' graphs, and modules read from expressions their own entry.
    others = {"ModuleGraph", "ExpressionModule"}
    assert {kind.__name__ for kind in kinds_of_module()} - others == set(constructors())


class Faulty(rm.RiemannianModule):
    """A right module that can be made wrong in one place: ``y = W u + sin(x)``, ``dx = u - x``."""

    time = rm.Time.CONTINUOUS
    state, inputs, outputs = rm.space("x"), rm.space("u"), rm.space("y")
    parameters = {"w": 2.0}

    def forward(self, x, u, theta):
        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])
        y = theta * u + np.sin(x)
        return np.broadcast_to(u - x, (*batch, 1)), np.broadcast_to(y, (*batch, 1))

    def jacobian(self, x, u, theta):
        from riemannian_modules.modules.differential import Jacobian

        batch = np.broadcast_shapes(x.shape[:-1], u.shape[:-1], theta.shape[:-1])

        def entry(value):
            return np.array(np.broadcast_to(value, (*batch, 1)))[..., None]

        return Jacobian(
            entry(-1.0), entry(1.0), entry(np.cos(x)), entry(theta), entry(0.0), entry(u)
        )


def test_a_right_module_written_by_hand_passes():
    check_module(Faulty())


class WrongSlope(Faulty):
    def jacobian(self, x, u, theta):
        J = super().jacobian(x, u, theta)
        J.C[...] *= 1.0 + 1e-6
        return J


class NoBatch(Faulty):
    def forward(self, x, u, theta):
        dx, y = super().forward(x, u, theta)
        return dx, y.reshape(-1)[:1]


class Mixing(Faulty):
    def forward(self, x, u, theta):
        dx, y = super().forward(x, u, theta)
        return dx, np.array(np.broadcast_to(y.mean(), y.shape))


class Secretive(Faulty):
    feedthrough = frozenset()


class OtherOutput(Faulty):
    def output(self, x, u, theta):
        return self.forward(x, u, theta)[1] + 1e-9


class Forgetful(Faulty):
    def with_parameters(self, theta):
        return type(self)()


class Flat(Faulty):
    def local_metric(self):
        from riemannian_modules.metrics import scaled_identity_metric
        from riemannian_modules.modules.module import LocalMetric

        return LocalMetric(
            scaled_identity_metric(2, 1.0), scaled_identity_metric(1, 1.0), np.zeros((1, 0))
        )


class Optimistic(Faulty):
    """An enclosure that is the value at the middle of the box."""

    def enclose(self, x, u, theta):
        from riemannian_modules.arithmetic.interval import Interval
        from riemannian_modules.modules.enclosure import Enclosure

        middle = [(part.lower + part.upper) / 2 for part in (x, u, theta)]
        J, values = self.jacobian(*middle), self.forward(*middle)
        return Enclosure(*(Interval.point(a) for a in (*values, J.A, J.B, J.C, J.D)))


class Silent(Faulty):
    def enclose(self, x, u, theta):
        raise NotImplementedError


class OtherExpressions(Pendulum):
    def forward(self, x, u, theta):
        dx, y = super().forward(x, u, theta)
        return dx, y * (1 + 1e-9)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (WrongSlope, "jacobian in x against central differences"),
        (NoBatch, "forward: y"),
        (Mixing, "of the batch"),
        (Secretive, "feedthrough"),
        (OtherOutput, "output"),
        (Forgetful, "with_parameters"),
        (Flat, "local_metric"),
        (Optimistic, "enclose"),
        (OtherExpressions, "expressions|output"),
    ],
)
def test_a_broken_promise_is_named(kind, place):
    with pytest.raises(AssertionError, match=place):
        check_module(kind())


def test_a_refusal_without_its_name_is_no_refusal():
    with pytest.raises(NotImplementedError) as caught:
        check_module(Silent())
    assert not isinstance(caught.value, UnsupportedError)


class ScaledDifferential(Layer):
    """A structured differential whose pulls are not the adjoints of its pushes."""

    def differential(self, x, u, theta):
        from riemannian_modules.modules.differential import DenseDifferential, Jacobian

        J = self.jacobian(x, u, theta)
        return DenseDifferential(Jacobian(J.A, J.B, J.C, J.D, J.E, 1.001 * J.F))


def test_a_differential_that_is_not_the_jacobian_is_found():
    with pytest.raises(AssertionError, match="pull_parameters"):
        check_module(ScaledDifferential())
