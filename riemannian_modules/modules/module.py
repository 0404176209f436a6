"""The Riemannian module: a differentiable map between named spaces, with its geometry.

Source: Pehle and Slotine, *Riemannian Optimization in Modular Systems*, arXiv:2603.03610 (2026).
"""

from __future__ import annotations

import abc
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.bound import Bound
from riemannian_modules.door import brief, number_array, require
from riemannian_modules.errors import RegionError, SignatureError, UnsupportedError
from riemannian_modules.metrics import Metric, ScaledIdentityMetric
from riemannian_modules.modules.capability import ExactForm, enclosure_of
from riemannian_modules.modules.differential import DenseDifferential, Differential, Jacobian
from riemannian_modules.modules.feedthrough import found_feedthrough
from riemannian_modules.modules.readings import Retraced
from riemannian_modules.modules.sampling_time import SamplingTime, checked_sampling_time
from riemannian_modules.modules.signature import Signature, Time
from riemannian_modules.recomputed import Recomputed
from riemannian_modules.region import Box
from riemannian_modules.shown import Facts, Shown, cut, named
from riemannian_modules.spaces import EMPTY, Array, Port, Signals, Space

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocalMetric(Shown):
    """A module's own geometry (THEORY section 4).

    Attributes:
        parameters: R, the metric on the parameters that the mass scale multiplies.
        state: M, in which the state's distances are measured.
        outputs: h with the metric ``h h^T`` that the module adds on its own outputs, (q, r); r may
            be 0.
    """

    parameters: Metric
    state: Metric
    outputs: Array


_OWN = {
    "theta": "the values of the parameters, flat",
    "signature": "the module's spaces",
    "expressions": "the map in exact terms",
}


def _taken(module: str, name: str, found: object) -> SignatureError:
    return SignatureError(
        f"{module}: the name {name!r} is the interface's own, for {_OWN[name]}; got "
        f"{brief(found)}. Give yours another name."
    )


def _copied(argument: Any) -> Any:
    """An argument whose arrays, lists and mappings are its own."""
    if isinstance(argument, np.ndarray):
        return argument.copy()
    if type(argument) is list or type(argument) is tuple:
        return type(argument)(map(_copied, argument))
    return {k: _copied(a) for k, a in argument.items()} if type(argument) is dict else argument


def _are_same(values: list[Any], before: list[Any]) -> bool:
    """Whether parameters are what they were: numbers the same ones, arrays of the same entries."""
    return len(values) == len(before) and all(
        np.array_equal(v, w) if isinstance(v, np.ndarray) else v is w
        for v, w in zip(values, before, strict=True)
    )


@lru_cache(maxsize=256)
def euclidean_metric(size: int) -> Metric:
    """The identity on ``size`` coordinates, of which there may be none."""
    return ScaledIdentityMetric(size, np.asarray(1.0))


@lru_cache(maxsize=256)
def _euclidean_geometry(p: int, n: int, q: int) -> LocalMetric:
    return LocalMetric(euclidean_metric(p), euclidean_metric(n), np.zeros((q, 0)))


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Point(Shown):
    """Checked flat arrays (..., size) at which a module is evaluated."""

    x: Array
    u: Array
    theta: Array


class RiemannianModule(Retraced, Shown, Recomputed):
    """A smooth map ``(x, u, theta) -> (dx, y)`` that composes, learns and is certified.

    x is the state, u the inputs, theta the parameters, dx the state's derivative (continuous time)
    or successor (discrete time), y the outputs; all flat float64 arrays (..., size) whose leading
    axes are batches and broadcast. Most modules are written as a `Flow`, `StepMap` or `StaticMap`,
    where one NumPy method is enough; subclass this class to write `forward` and `jacobian` by hand.
    What only some modules can do, as to enclose their values, stands in `capability`.

    Attributes:
        time: Continuous, discrete or static.
        state: Named space of x.
        inputs: Named space of u, one port a quantity.
        outputs: Named space of y, likewise.
        parameters: Values of the named parameters.
        sampling_time: How long a step of discrete time takes, as 0.2 or (0.2, "s"); None where it
            is not known, which fits any.
        time_input: The input (or inputs) that is the time of a run, "t", and needs no wire.
    """

    time: Time
    state: Space = EMPTY
    inputs: Space = EMPTY
    outputs: Space = EMPTY
    parameters: Mapping[str, ArrayLike] = {}
    sampling_time: SamplingTime | float | tuple[float, str] | None = None
    time_input: str | tuple[str, ...] | None = None

    _made_with: tuple[tuple[Any, ...], Mapping[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the constructor's arguments down: a system file holds the call that makes it."""
        self = super().__new__(cls)
        # Copied, for their owners may change them later. Frozen dataclasses are modules too, so
        # this is written past their guard.
        try:
            made_with = tuple(map(_copied, args)), {k: _copied(a) for k, a in kwargs.items()}
        except RecursionError:
            raise SignatureError(
                f"{cls.__name__}: expected arguments of modest depth, got lists inside each other "
                "to hundreds of levels."
            ) from None
        object.__setattr__(self, "_made_with", made_with)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a class that uses a name of the interface for something of its own."""
        super().__init_subclass__(**kwargs)
        for name in _OWN:
            found = cls.__dict__.get(name)
            if found is not None and not isinstance(found, (property, cached_property)):
                raise _taken(cls.__name__, name, found)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a name of the interface for a value of one's own."""
        if name in _OWN:
            raise _taken(type(self).__name__, name, value)
        super().__setattr__(name, value)

    def __rshift__(self, other: RiemannianModule) -> RiemannianModule:
        """``self >> other``: other takes what self gives (see `riemannian_modules.chain`)."""
        # The one import that goes up a floor: an arrow is written between modules, the composite
        # that it makes knows them, and nothing of it is needed before there is an arrow.
        from riemannian_modules.graph.chains import series

        return series(self, other)

    @abc.abstractmethod
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        """``(dx, y)`` at a batch of points; the inner, unchecked evaluation.

        Args:
            x: States (..., n), in the units of `state`.
            u: Inputs (..., m).
            theta: Parameters (..., p); leading axes of all three broadcast.

        Returns:
            The state's derivative (per unit of time) or successor (..., n), and outputs (..., q).
        """

    @abc.abstractmethod
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        """All partial derivatives at a batch of points, arguments as those of `forward`.

        Returns:
            A (..., n, n), B (..., n, m), C (..., q, n), D (..., q, m), and in the parameters
            E (..., n, p) and F (..., q, p).
        """

    def output(self, x: Array, u: Array, theta: Array) -> Array:
        """Y alone; outputs must not depend on inputs that `feedthrough` does not name for them."""
        return self.forward(x, u, theta)[1]

    def differential(self, x: Array, u: Array, theta: Array) -> Differential:
        """The derivative as a linear map; structured modules override this and form no matrix."""
        return DenseDifferential(self.jacobian(x, u, theta))

    def local_metric(self) -> LocalMetric:
        """The module's own metrics; Euclidean unless it says otherwise."""
        s = self.signature
        return _euclidean_geometry(s.parameters.size, s.state.size, s.outputs.size)

    def contraction_rate(self, region: Box | None = None) -> Bound:
        """A sound bound of how distances change on a region, in the module's own state metric.

        One interval enclosure of the Jacobian, rounding included: cheap and local. `certify` cuts
        the region, keeps cancellations and finds metrics.

        Args:
            region: Box of states, inputs and parameters; unnamed states and inputs are unbounded,
                unnamed parameters have the module's values.

        Returns:
            The log-norm of a flow (negative when it contracts), or the gain of a step or static
            map (Euclidean from inputs to outputs); infinite where nothing is known.

        Raises:
            UnsupportedError: If the module has no enclosure.
            RegionError: For unknown names.

        Source: Lohmiller and Slotine (1998), Automatica 34, 683-696.
        """
        from riemannian_modules.arithmetic.interval import Interval
        from riemannian_modules.modules.constant_metric_bounds import gain_bound, log_norm_bound

        kinds, wanted = (Box, NoneType), "a region such as box(q=(-1, 1))"
        require("contraction_rate", region, kinds, wanted, RegionError)
        s, sides = self.signature, Box() if region is None else region
        names = tuple(c for space in s.distinct for c in space.coordinates)
        low, high = sides.bounds(names, s.distinct)
        n, m = s.state.size, s.inputs.size
        is_fixed = np.isinf(low) & np.isinf(high) & (np.arange(len(names)) >= n + m)
        values = np.concatenate([np.zeros(n + m), self.theta])
        box = Interval(np.where(is_fixed, values, low), np.where(is_fixed, values, high))
        e = enclosure_of(self, box[:n], box[n : n + m], box[n + m :])
        if s.time is Time.STATIC:
            return gain_bound(e.D, np.eye(s.outputs.size), np.eye(m))
        M = self.local_metric().state.as_matrix()
        return log_norm_bound(e.A, M) if s.time is Time.CONTINUOUS else gain_bound(e.A, M, M)

    @cached_property
    def signature(self) -> Signature:
        """The module's spaces and time, checked once.

        Raises:
            SignatureError: If a module that takes no steps says how long one is.
        """
        values = {
            name: number_array(f"{type(self).__name__}: {name}", v)
            for name, v in self.parameters.items()
        }
        parameters = Space(tuple(Port(name, v.shape) for name, v in values.items()))
        step = checked_sampling_time(type(self).__name__, self.sampling_time)
        if step is not None and self.time is not Time.DISCRETE:
            raise SignatureError(
                f"{type(self).__name__}: a sampling time is that of a module in discrete time, but "
                f"this one is {self.time.value}; got {step}. Leave it out."
            )
        return Signature(self.time, self.state, self.inputs, self.outputs, parameters, step)

    @property
    def theta(self) -> Array:
        """The parameters' values now, flat, shape (p,)."""
        values, kept = list(self.parameters.values()), vars(self).get("_flat")
        if kept is None or not _are_same(values, kept[0]):
            where = f"{type(self).__name__}: parameters"
            copies = [v.copy() if isinstance(v, np.ndarray) else v for v in values]
            kept = copies, self.signature.parameters.pack(self.parameters, where)
            vars(self)["_flat"] = kept
        return kept[1]

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """The pairs (input port, output port) in which the output depends on the input at once.

        Found by evaluation here, for a map written by hand; a class that knows better declares
        it: ``feedthrough = frozenset({("u", "y")})``. A static map of one port each needs no trial.
        """
        s = self.signature
        if s.time is Time.STATIC and len(s.inputs) == len(s.outputs) == 1:
            return s.every_pair
        return found_feedthrough(self.output, (s.state, s.inputs, s.outputs), self.theta)

    def with_parameters(self, theta: ArrayLike | Mapping[str, ArrayLike]) -> Self:
        """The same module with other parameter values, flat (p,) or by name; self is unchanged.

        Those that a mapping does not name keep their values.

        Raises:
            SignatureError: For unknown names and wrong shapes.
            DomainError: For NaN or infinite values.
        """
        space, flat = self.signature.parameters, checked_parameters(self, theta)
        twin = copy.copy(self)
        vars(twin).pop("signature", None)
        twin.parameters = space.unpack(flat)
        return twin

    def point(
        self,
        x: ArrayLike | Mapping[str, ArrayLike] | None = None,
        u: ArrayLike | Mapping[str, ArrayLike] | None = None,
        theta: ArrayLike | Mapping[str, ArrayLike] | None = None,
    ) -> Point:
        """Check a user's point and lay it flat; None is zero, or the own theta.

        By name means a mapping from ports, or coordinates such as ``x[0]``, to arrays, or to one
        number for all entries. What it does not name is zero, or the own parameter.

        Args:
            x: States, flat (..., n) or by name; leading axes are batches.
            u: Inputs, flat (..., m) or by name.
            theta: Parameters, flat (..., p) or by name.

        Raises:
            SignatureError: For unknown names and wrong shapes.
            DomainError: For NaN or infinite values.
        """
        name, s = type(self).__name__, self.signature
        return Point(
            s.state.pack(x, f"{name}: state", np.zeros(s.state.size)),
            s.inputs.pack(u, f"{name}: inputs", np.zeros(s.inputs.size)),
            checked_parameters(self, theta),
        )

    @override
    def _trace(self, theta: Array | None) -> Expressions:
        from riemannian_modules.arithmetic.expression import trace

        s = self.signature
        return trace(
            type(self).__name__, partial(equations_of, self), s.state, s.inputs, s.parameters,
            s.outputs, theta, s.distinct,
        )  # fmt: skip

    @override
    def facts(self) -> Facts:
        kind, time = type(self).__name__, getattr(self, "time", None)
        title = f"{kind}, {time.value} time" if isinstance(time, Time) else kind
        step = checked_sampling_time(kind, getattr(self, "sampling_time", None))
        title += "" if step is None else f", a step of {step}"
        spaces = (("states", self.state), ("inputs", self.inputs), ("outputs", self.outputs))
        rows = [(name, cut(s.describe())) for name, s in spaces if isinstance(s, Space) and s.ports]
        if isinstance(self.parameters, Mapping) and self.parameters:
            rows.append(("parameters", named(self.parameters)))
        return Facts(title.replace("static time", "static"), tuple(rows))


def constructor_arguments(module: RiemannianModule) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """What a module was made with, by position and by name: a system file holds the call."""
    return vars(module)["_made_with"]


def checked_parameters(
    module: RiemannianModule, theta: ArrayLike | Mapping[str, ArrayLike] | None
) -> Array:
    """Check a user's parameters and lay them flat; those not named have the module's values.

    Raises:
        SignatureError: For unknown names and wrong shapes.
        DomainError: For NaN or infinite values.
    """
    if theta is None:
        return module.theta
    own = module.theta if isinstance(theta, Mapping) else None
    return module.signature.parameters.pack(theta, f"{type(module).__name__}: parameters", own)


def equations_of(module: RiemannianModule, x: Signals, u: Signals, p: Signals) -> Any:
    """``(dx, y)`` in NumPy for one point, traceable.

    Raises:
        UnsupportedError: If the module has no exact form.
    """
    if isinstance(module, ExactForm):
        return module.equations(x, u, p)
    raise UnsupportedError(
        f"{type(module).__name__} has no exact expressions, so it cannot be traced, saved or "
        "proved about. Write it as a Flow, StepMap or StaticMap in NumPy, or of built-in modules."
    )
