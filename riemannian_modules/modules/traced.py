"""Modules that are one NumPy method: Jacobians, enclosures and a saved form come from tracing it.

The method runs once on symbolic arrays; what it computes is differentiated and compiled, for floats
and for intervals, when it is first needed.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import number_array
from riemannian_modules.errors import SignatureError, TraceError
from riemannian_modules.modules.capability import EnclosedMap, ExactForm, StagedMap
from riemannian_modules.modules.differential import Jacobian, StagedDifferential
from riemannian_modules.modules.enclosure import Enclosure
from riemannian_modules.modules.module import RiemannianModule, Signature, Time
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.spaces import Array, Signals

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions
    from riemannian_modules.arithmetic.interval import Interval
    from riemannian_modules.arithmetic.rounding import Mask


class TracedModule(RiemannianModule, ExactForm, EnclosedMap, StagedMap):
    """A module whose `equations` are traced; keyword arguments give parameters other values."""

    def __init__(self, **values: ArrayLike) -> None:
        unknown = sorted(set(values) - set(self.parameters))
        if unknown:
            raise SignatureError(
                f"{type(self).__name__}: unknown parameters {unknown}; known are: "
                f"{', '.join(self.parameters) or 'none'}."
            )
        for name, value in values.items():
            wanted = np.shape(self.parameters[name])
            if number_array(f"{type(self).__name__}: {name}", value).shape != wanted:
                raise SignatureError(
                    f"{type(self).__name__}: parameter {name!r} has shape {wanted}, got "
                    f"{np.shape(value)}."
                )
        self.parameters = {**self.parameters, **values}

    @override
    @abc.abstractmethod
    def equations(self, x: Signals, u: Signals, p: Signals) -> Any:
        """``(dx, y)`` in NumPy for one point; dx alone where no outputs are declared."""

    @cached_property
    @override
    def signature(self) -> Signature:
        declared = super().signature
        return declared if declared.outputs.ports else replace(declared, outputs=declared.state)

    @cached_property
    def _values(self) -> Callable[[Array, Array, Array], Array]:
        e = self.expressions
        with _faults_named(self):
            return _array_function((*e.dx, *e.y), e.arguments, (len(e.dx) + len(e.y),))

    @cached_property
    def _outputs(self) -> Callable[[Array, Array, Array], Array]:
        e = self.expressions
        with _faults_named(self):
            return _array_function(e.y, e.arguments, (len(e.y),))

    @cached_property
    def _jacobian(self) -> Callable[[Array, Array, Array], Array]:
        e = self.expressions
        with _faults_named(self):
            terms, shape = _slopes(e, (*e.state, *e.inputs, *e.parameters))
            return _array_function(terms, e.arguments, shape)

    @cached_property
    def _outputs_then_slopes(self) -> _Staged:
        e = self.expressions
        with _faults_named(self):
            slopes = _slopes(e, (*e.state, *e.inputs)), _slopes(e, e.parameters)
            return _staged_function(e.y, slopes, e.arguments)

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        self._notice_changes()
        values, n = self._values(x, u, theta), self.state.size
        return values[..., :n], values[..., n:]

    @override
    def output(self, x: Array, u: Array, theta: Array) -> Array:
        self._notice_changes()
        return self._outputs(x, u, theta)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        self._notice_changes()
        J, n, m = self._jacobian(x, u, theta), self.state.size, self.inputs.size
        top, low = J[..., :n, :], J[..., n:, :]
        return Jacobian(
            top[..., :n], top[..., n : n + m], low[..., :n], low[..., n : n + m],
            top[..., n + m :], low[..., n + m :],
        )  # fmt: skip

    @override
    def output_then_differential(
        self, x: Array, u: Array, theta: Array
    ) -> tuple[Array, Callable[[], StagedDifferential]]:
        self._notice_changes()
        y, signals, parameters = self._outputs_then_slopes(x, u, theta)
        return y, lambda: StagedDifferential(signals, parameters, self.state.size)

    @override
    def enclose(self, x: Interval, u: Interval, theta: Interval) -> Enclosure:
        from riemannian_modules.arithmetic.compile import compile_intervals
        from riemannian_modules.arithmetic.expression import derivatives
        from riemannian_modules.arithmetic.interval import as_interval, stack
        from riemannian_modules.arithmetic.regularity import condition_holds

        e = self.expressions
        n, m, q = len(e.state), len(e.inputs), len(e.y)
        conditions = _conditions(e)
        with _faults_named(self):
            rows = derivatives((*e.dx, *e.y), (*e.state, *e.inputs))
            terms = (*e.dx, *e.y, *sum(rows, ()), *(c.term for c in conditions))
            compiled = compile_intervals(terms, e.arguments)
        batch = np.broadcast_shapes(*(part.lower.shape[:-1] for part in (x, u, theta)))
        results = compiled(*(_columns(part) for part in (x, u, theta)))
        enclosed = [as_interval(r).broadcast_to(batch) for r in results]
        size = (n + q) * (1 + n + m)
        is_defined, is_smooth = np.ones((2, *batch, n + q), dtype=bool)
        for condition, value in zip(conditions, enclosed[size:], strict=True):
            holds = condition_holds(condition.kind, value)[..., None] | ~condition.rows
            is_smooth &= holds
            if not condition.is_border:
                is_defined &= holds
        flat = stack(enclosed[:size], -1)
        values = _decided_where(is_defined, flat[..., : n + q])
        slopes = flat[..., n + q :].reshape(*batch, n + q, n + m)
        J = _decided_where(is_smooth[..., None], slopes)
        return Enclosure(
            values[..., :n],
            values[..., n:],
            J[..., :n, :n],
            J[..., :n, n:],
            J[..., n:, :n],
            J[..., n:, n:],
        )

    @cached_property
    @override
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        e, outputs, inputs = self.expressions, self.signature.outputs, self.signature.inputs
        return frozenset(
            (i.name, o.name)
            for o, place_o in zip(outputs.ports, outputs.slices, strict=True)
            for i, place_i in zip(inputs.ports, inputs.slices, strict=True)
            if set(e.inputs[place_i]) & set().union(*(y.free_symbols for y in e.y[place_o]))
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Condition:
    """What rows (n + q,) of a map need to be defined; or, a border of jumps, to be smooth."""

    kind: str
    term: Any
    rows: Mask
    is_border: bool


def _conditions(e: Expressions) -> list[_Condition]:
    """The guards, in rows of their symbols, and the borders of each row's jumps.

    Rows of other symbols may be known where a guard's are not, as in parts of a loop.
    """
    from riemannian_modules.arithmetic.regularity import borders, jumping

    rows = (*e.dx, *e.y)
    found: list[_Condition] = []
    for guard in e.guards:
        needed: set[Any] = guard.expression.free_symbols
        has = np.array([needed <= row.free_symbols for row in rows])
        found.append(_Condition(guard.kind, guard.expression, has, is_border=False))
    for i, row in enumerate(rows):
        edges = [edge for term in jumping((row,)) for edge in borders(term)]
        is_row = np.arange(len(rows)) == i
        found += [_Condition("nonzero", edge, is_row, is_border=True) for edge in edges]
    return found


def _decided_where(is_known: Mask, values: Interval) -> Interval:
    from riemannian_modules.arithmetic.interval import Interval

    ends = (np.where(is_known, end, np.nan) for end in values.bounds)
    return values if is_known.all() else Interval(*ends)


@contextmanager
def _faults_named(module: RiemannianModule) -> Generator[None]:
    """Put the module's name before errors of differentiation and compilation, which know none."""
    try:
        yield
    except TraceError as fault:
        raise TraceError(f"{type(module).__name__}: {fault}") from None
    except (RecursionError, SyntaxError):  # the latter for "too many nested parentheses"
        from riemannian_modules.arithmetic.expression import too_deep

        raise too_deep(type(module).__name__) from None
    except OverflowError:
        raise TraceError(
            f"{type(module).__name__}: a constant of the map, of its formulas multiplied out, is "
            "beyond 1.8e308, what a double can hold. Scale the quantities."
        ) from None


def _columns(part: Any) -> list[Any]:
    return [part[..., i] for i in range(part.lower.shape[-1])]


def _batch(*parts: Array) -> tuple[int, ...]:
    """The leading axes that the parts broadcast to."""
    batch: tuple[int, ...] = ()
    for part in parts:
        shape = part.shape[:-1]
        if shape and shape != batch:
            batch = np.broadcast_shapes(batch, shape) if batch else shape
    return batch


def _first(part: Array) -> Array:
    """With the last axis first; `numpy.moveaxis` takes longer than a small map's evaluation."""
    last = part.ndim - 1
    return part.T if last < 2 else part.transpose(last, *range(last))


_Slopes = tuple[tuple[Any, ...], tuple[int, int]]


def _slopes(e: Expressions, columns: tuple[Any, ...]) -> _Slopes:
    """The derivatives of ``(dx, y)``, row by row, and the shape of their matrix."""
    from riemannian_modules.arithmetic.expression import evaluated_derivatives

    rows = evaluated_derivatives((*e.dx, *e.y), columns)
    return sum(rows, ()), (len(rows), len(columns))


_Staged = Callable[[Array, Array, Array], tuple[Array, Callable[[], Array], Callable[[], Array]]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Where the values of expressions stand in an array (..., *shape), zero elsewhere."""

    places: tuple[int, ...]
    shape: tuple[int, ...]
    size: int

    def filled(self, values: tuple[Any, ...], batch: tuple[int, ...]) -> Array:
        """The array, of values that are numbers or arrays over the batch."""
        size = self.size
        new = np.zeros if len(values) < size else np.empty
        if not batch:
            flat = new(size)
            if values:
                flat[[*self.places]] = values
            return flat.reshape(self.shape)
        # Entries of a matrix lie together for all points: they are written, and used, so.
        is_apart = len(batch) == 1 and (len(self.shape) == 2 or size == 1)
        flat = new((size, *batch)).T if is_apart else new((*batch, size))
        entries = _first(flat)
        for place, value in zip(self.places, values, strict=True):
            entries[place] = value
        return flat.reshape((*batch, *self.shape))


def _laid_out(
    expressions: tuple[Any, ...], shape: tuple[int, ...]
) -> tuple[tuple[Any, ...], _Layout]:
    """Those that are not zero, which costs nothing, and where they stand."""
    places = tuple(i for i, e in enumerate(expressions) if e != 0)
    return tuple(expressions[i] for i in places), _Layout(places, shape, len(expressions))


@lru_cache(maxsize=512)
def _array_function(
    expressions: tuple[Any, ...], groups: Any, shape: tuple[int, ...]
) -> Callable[[Array, Array, Array], Array]:
    """Compile expressions into one function that fills an array (..., *shape)."""
    from riemannian_modules.arithmetic.compile import compile_floats

    terms, layout = _laid_out(expressions, shape)
    compiled = compile_floats(terms, groups)

    def evaluate(x: Array, u: Array, theta: Array) -> Array:
        values = compiled(_first(x), _first(u), _first(theta))
        return layout.filled(values, _batch(x, u, theta))

    return evaluate


@lru_cache(maxsize=512)
def _staged_function(
    outputs: tuple[Any, ...], slopes: tuple[_Slopes, _Slopes], groups: Any
) -> _Staged:
    """Compile outputs, and two matrices of slopes that are evaluated if they are asked for."""
    from riemannian_modules.arithmetic.compile import compile_in_stages

    terms, layout = _laid_out(outputs, (len(outputs),))
    (left_terms, left), (right_terms, right) = (_laid_out(*matrix) for matrix in slopes)
    compiled = compile_in_stages(terms, (left_terms, right_terms), groups)

    def evaluate(
        x: Array, u: Array, theta: Array
    ) -> tuple[Array, Callable[[], Array], Callable[[], Array]]:
        values, signals, parameters = compiled(_first(x), _first(u), _first(theta))
        batch = _batch(x, u, theta)
        return (
            layout.filled(values, batch),
            lambda: left.filled(signals(), batch),
            lambda: right.filled(parameters(), batch),
        )

    return evaluate


class Flow(TracedModule):
    """A continuous-time module ``dx/dt = f(x, u, p), y = h(x, u, p)``.

    Write `equations`; it returns ``(dx, y)``, each a mapping from names to arrays or a flat array,
    dx in the states' units by the unit of time. Where no `outputs` are declared, the state is the
    output and `equations` returns dx alone. The map is traced when it is first needed, at a cost
    that grows with the number of its operations; an evaluation is then one compiled function,
    whose cost is that of the distinct operations for all points of a batch. It is traced again
    when what it reads beside its arguments changes: attributes, variables around it, globals.

    Args:
        values: Other values of declared parameters, by name, each of the declared shape.

    Raises:
        SignatureError: By the constructor, for parameters that the class does not declare.
        TraceError: At the first evaluation, for an operation that cannot be traced, a map that is
            too large, or one that draws random numbers or reads a clock.
    """

    time = Time.CONTINUOUS


class StepMap(TracedModule):
    """A discrete-time module ``x+ = f(x, u, p), y = h(x, u, p)``; written as a `Flow` is.

    `equations` returns the successor in the place of the derivative; costs and errors are a
    `Flow`'s. How long a step takes stands in the class, ``sampling_time = 0.2`` or ``(0.2, "s")``,
    or is given to the constructor; where it is not said, the module steps with any other.

    Args:
        values: Other values of declared parameters, by name, each of the declared shape.
        sampling_time: How long a step takes, as 0.2 or (0.2, "s").
    """

    time = Time.DISCRETE

    def __init__(
        self, *, sampling_time: float | tuple[float, str] | None = None, **values: ArrayLike
    ) -> None:
        super().__init__(**values)
        if sampling_time is not None:
            self.sampling_time = checked_sampling_time(type(self).__name__, sampling_time)


class StaticMap(TracedModule):
    """A map without state; write `map`, which returns the outputs. Costs and errors as `Flow`.

    Args:
        values: Other values of declared parameters, by name, each of the declared shape.
    """

    time = Time.STATIC

    @abc.abstractmethod
    def map(self, u: Signals, p: Signals) -> Any:
        """The outputs, a mapping from names to arrays or a flat array, in NumPy for one point."""

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        return {}, self.map(u, p)
