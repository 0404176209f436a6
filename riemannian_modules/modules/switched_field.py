"""A flow in exact terms as a problem that switches: compiled, with the sides of its borders open.

Borders that depend on time alone have all of their zeros found by interval arithmetic, so that
none is stepped over, however short a pulse between two of them is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

import numpy as np

from riemannian_modules.arrays import Numbers
from riemannian_modules.errors import TraceError, UnsupportedError
from riemannian_modules.integration.switched import SwitchedProblem
from riemannian_modules.spaces import Array

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.expression import Expressions

LARGEST_STATE = 200  # states; in larger flows switches are left to the solver's error control
LARGEST_PARAMETERS = 2_000
A_BIT = 1e-7  # of a stretch, by which the slope of an input is measured


@final
@dataclass(frozen=True, eq=False)
class SwitchedField:
    """``dx = f(x, u, t, signs)`` at fixed parameters, its Jacobian, and its borders.

    Attributes:
        state: The symbols of the state.
        inputs: Those of the inputs.
        time: That of the time.
        parameters: Those of the parameters.
        theta: The parameters' values.
        dx: The derivative of the state, with a sign in the place of each choice.
        borders: What the signs are those of.
        signs: Their symbols.
        events: Terms whose zeros are not to be missed, besides the borders.
    """

    state: tuple[Any, ...]
    inputs: tuple[Any, ...]
    time: Any
    parameters: tuple[Any, ...]
    theta: Array
    dx: tuple[Any, ...]
    borders: tuple[Any, ...]
    signs: tuple[Any, ...]
    events: tuple[Any, ...] = ()

    def compiled(self, terms: Sequence[Any]) -> Callable[[Numbers, Numbers], Numbers]:
        """Terms as a function of the state and of ``[*inputs, time, *signs]``."""
        from riemannian_modules.arithmetic.compile_scalars import compile_scalars

        groups = self.state, (*self.inputs, self.time, *self.signs), self.parameters
        return compile_scalars(tuple(terms), groups, self.theta)

    def borders_along(
        self, u: Callable[[Array], Array], t: Array, x: Array, signs: Numbers
    ) -> Array:
        """The borders' values (T, k) at times (T,) and states (T, n), under inputs (m, T)."""
        from riemannian_modules.arithmetic.compile import compile_floats

        groups = self.state, (*self.inputs, self.time, *self.signs), self.parameters
        with np.errstate(all="ignore"):
            w = [*u(t), t, *np.array(signs)]
            values = compile_floats(self.borders, groups)(x.T, w, self.theta)
        return np.stack(np.broadcast_arrays(*values, t)[:-1], 1)

    def matrix(
        self, terms: Sequence[Any], symbols: Sequence[Any]
    ) -> Callable[[Numbers, Numbers], Array]:
        """The derivatives of terms in symbols, (terms, symbols), compiled likewise."""
        from riemannian_modules.arithmetic.expression import evaluated_derivatives

        entries = sum(evaluated_derivatives(tuple(terms), tuple(symbols)), ())
        places = [i for i, entry in enumerate(entries) if entry != 0]
        values, shape = self.compiled([entries[i] for i in places]), (len(terms), len(symbols))

        def evaluated(x: Numbers, w: Numbers) -> Array:
            flat = np.zeros(len(entries))
            if places:
                flat[places] = values(x, w)
            return flat.reshape(shape)

        return evaluated

    @cached_property
    def _parts(self) -> tuple[Any, ...]:
        from riemannian_modules.arithmetic.switching import sizes

        return (
            self.compiled(self.dx),
            self.matrix(self.dx, self.state),
            self.compiled(self.borders),
            self.compiled(sizes(self.borders)),
        )

    def problem(
        self,
        u: Callable[[float], list[float]],
        ends: tuple[float, float],
        steady: Collection[int],
    ) -> SwitchedProblem:
        """The problem on a stretch of time.

        Args:
            u: The inputs at a time.
            ends: The start and the end of the stretch.
            steady: The inputs that are constant on it.
        """
        f, jacobian, borders, sizes = self._parts
        is_still = len({*steady}) == len(self.inputs)

        def inputs(t: Array) -> Array:
            if is_still:
                return np.repeat(np.array(u(ends[0]))[:, None], len(t), 1)
            return np.array([u(s) for s in t.tolist()]).T

        def around(function: Callable[[Numbers, Numbers], Any]) -> Callable[..., Any]:
            return lambda t, x, signs: function(x, [*u(t), t, *signs])

        return SwitchedProblem(
            len(self.signs), around(f), around(jacobian), around(borders), around(sizes),
            self.slopes(self.borders, u, ends, steady), separators=self._separators(u, steady),
            along=lambda t, x, signs: self.borders_along(inputs, t, x, signs),
        )  # fmt: skip

    def slopes(
        self,
        terms: Sequence[Any],
        u: Callable[[float], list[float]],
        ends: tuple[float, float],
        steady: Collection[int],
    ) -> Callable[[float, list[float], Numbers], tuple[Array, Array]]:
        """From a time, a state and signs to terms' derivatives in x (l, n) and in time (l,).

        In time where the state stays, inputs taken along; arguments as of `problem`.
        """
        slopes = self.matrix(terms, (*self.state, self.time, *self.inputs))
        n, bit = len(self.state), A_BIT * (ends[1] - ends[0])
        moving = [i for i in range(len(self.inputs)) if i not in steady]

        def slope(t: float, x: list[float], signs: Numbers) -> tuple[Array, Array]:
            here = u(t)
            rows = slopes(x, [*here, t, *signs])
            drift = rows[:, n].copy()
            if moving:
                step = bit if t + bit <= ends[1] else -bit
                change = (np.array(u(t + step)) - here) / step
                drift += rows[:, n + 1 :] @ change
            return rows[:, :n], drift

        return slope

    def _separators(
        self, u: Callable[[float], list[float]], steady: Collection[int]
    ) -> Callable[[float, Array, float], list[float]]:
        found = self.timed_borders(steady)

        def separators(t: float, x: Array, end: float) -> list[float]:
            from riemannian_modules.arithmetic.interval import Interval
            from riemannian_modules.arithmetic.isolated_roots import isolated_roots

            values = [Interval.point(v) for v in (*x.tolist(), *u(t), t, *self.theta.tolist())]
            between: list[float] = []
            for both in found:
                roots = isolated_roots(lambda s, f=both: f([s], values), 0.0, end - t) or []
                between += [t + (a + b) / 2 for a, b in pairwise(roots)]
            return between

        return separators

    def is_timed(self, term: Any, steady: Collection[int]) -> bool:
        """Whether a term depends on time alone, on the clocks and on what is constant."""
        constant = {*self.parameters, *(self.inputs[i] for i in steady)}
        return (
            term.free_symbols <= constant | _clocks(self.time, self.state, self.dx, constant).keys()
        )

    def timed_borders(self, steady: Collection[int]) -> Sequence[Callable[..., Any]]:
        """The borders and events of time alone that are not linear in it, with slopes, compiled.

        A state is a clock where its derivative is constant. A border that is linear in time
        crosses once, which is seen at the end of any step.
        """
        groups = self.state, self.inputs, (self.time,), self.parameters
        return _timed((*self.borders, *self.events), self.dx, groups, frozenset(steady))


def _clocks(
    time: Any, state: Sequence[Any], dx: Sequence[Any], constant: Set[Any]
) -> dict[Any, Any]:
    """The rates of the time and of the states whose derivative is constant."""
    import sympy as sp

    return {time: sp.S.One} | {
        x: rate for x, rate in zip(state, dx, strict=True) if rate.free_symbols <= constant
    }


@lru_cache(maxsize=128)
def _timed(
    terms: tuple[Any, ...], dx: tuple[Any, ...], groups: tuple[Any, ...], steady: frozenset[int]
) -> tuple[Callable[..., Any], ...]:
    """What `SwitchedField.timed_borders` gives, remembered for equal terms."""
    import sympy as sp

    from riemannian_modules.arithmetic.compile import compile_intervals
    from riemannian_modules.arithmetic.expression import derivatives

    state, inputs, (time,), parameters = groups
    constant = {*parameters, *(inputs[i] for i in steady)}
    clocks = _clocks(time, state, dx, constant)
    later = sp.Dummy("later", real=True)
    advanced = {clock: clock + rate * later for clock, rate in clocks.items()}
    arguments = (later,), (*state, *inputs, time, *parameters)
    found: list[Callable[..., Any]] = []
    for term in terms:
        if term.free_symbols <= constant | clocks.keys():
            value = term.xreplace(advanced)
            try:
                ((slope,),) = derivatives((value,), (later,))
                if later in slope.free_symbols:
                    compiled = compile_intervals((value, slope), arguments)
                    found.append(lambda s, v, f=compiled: _intervals(f(s, v), s[0]))
            except (TraceError, UnsupportedError):
                continue
    return tuple(found)


def _intervals(results: tuple[Any, ...], like: Any) -> tuple[Any, ...]:
    from riemannian_modules.arithmetic.interval import as_interval

    return tuple(as_interval(r).broadcast_to(like.lower.shape) for r in results)


def switched_field(
    e: Expressions,
    theta: Array,
    inputs: Callable[[Any], dict[Any, Any]] | None = None,
    events: Callable[[Any], tuple[Any, ...]] | None = None,
    watched: tuple[Any, ...] = (),
) -> SwitchedField:
    """The field of a flow in exact terms at fixed parameters.

    Args:
        e: The expressions.
        theta: The parameters' values, (p,).
        inputs: From the symbol of time to the exact terms of those inputs that have some.
        events: From it to terms whose zeros are not to be missed, besides the borders.
        watched: Terms whose borders are borders too.

    Returns:
        The field; it has no borders where nothing switches.
    """
    import sympy as sp

    from riemannian_modules.arithmetic.switching import frozen

    time = sp.Symbol("time of the run", real=True)
    driven = inputs(time) if inputs else {}
    terms = *e.dx, *watched
    f = frozen(tuple(term.xreplace(driven) for term in terms) if driven else terms)
    further = tuple(term.xreplace(driven) for term in events(time)) if events else ()
    return SwitchedField(
        e.state,
        e.inputs,
        time,
        e.parameters,
        theta,
        f.terms[: len(e.dx)],
        f.borders,
        f.signs,
        further,
    )
