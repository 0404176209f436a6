"""State-space systems in continuous and discrete time, whose matrices are the parameters.

Source: Kailath (1980), Linear Systems, chapter 2.
"""

from __future__ import annotations

from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.modules.arguments import finite_matrix, matrix_of_shape
from riemannian_modules.modules.linear_system import LinearSystem, Matrices, Outer
from riemannian_modules.modules.module import Time
from riemannian_modules.modules.ports import space_of_size
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.spaces import Array, Signals, Space, SpaceLike

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


class StateSpaceSystem(LinearSystem):
    """``dx = A x + B u, y = C x + D u``; subclasses say in which time.

    The matrices are parameters, but those without entries and, for each pair of an input and an
    output port, the block of D that is zero at construction: it stays zero, and there is no
    feedthrough. Blocks of D are named "D", or "D_output_input" where there are several ports.
    """

    def __init__(
        self,
        A: ArrayLike,
        B: ArrayLike,
        C: ArrayLike,
        D: ArrayLike | None = None,
        *,
        state: SpaceLike | None = None,
        inputs: SpaceLike | None = None,
        outputs: SpaceLike | None = None,
    ) -> None:
        """Make the system.

        Args:
            A: (n, n), in 1/s for continuous time.
            B: (n, m).
            C: (q, n).
            D: (q, m); None is zero.
            state: Names of n coordinates; "x" by default.
            inputs: Ports of m coordinates together; "u" by default.
            outputs: Ports of q coordinates together; "y" by default.

        Raises:
            SignatureError: If shapes or spaces do not fit.
            DomainError: For NaN or infinite entries.
        """
        where = type(self).__name__
        n = len(finite_matrix(f"{where}: A", A))
        m, q = finite_matrix(f"{where}: B", B).shape[1], len(finite_matrix(f"{where}: C", C))
        given = {
            "A": matrix_of_shape(f"{where}: A", A, (n, n)),
            "B": matrix_of_shape(f"{where}: B", B, (n, m)),
            "C": matrix_of_shape(f"{where}: C", C, (q, n)),
        }
        through = matrix_of_shape(f"{where}: D", np.zeros((q, m)) if D is None else D, (q, m))
        self.state = space_of_size(f"{where}: state", state, "x", n)
        self.inputs = space_of_size(f"{where}: inputs", inputs, "u", m)
        self.outputs = space_of_size(f"{where}: outputs", outputs, "y", q)
        self._shapes = {name: value.shape for name, value in given.items()}
        self._blocks = _feedthrough_blocks(through, self.inputs, self.outputs)
        given |= {name: through[rows, columns] for name, (rows, columns) in self._blocks.items()}
        self.parameters = {name: value for name, value in given.items() if value.size}

    @override
    def matrices(self, theta: Array) -> Matrices:
        p = self.signature.parameters.unpack(theta)
        batch = theta.shape[:-1]
        A, B, C = (
            p[name] if name in p else np.zeros((*batch, *shape))
            for name, shape in self._shapes.items()
        )
        D = np.zeros((*batch, self.outputs.size, self.inputs.size))
        for name, (rows, columns) in self._blocks.items():
            D[..., rows, columns] = p[name]
        return Matrices(A, B, C, D)

    @override
    def enclosed_matrices(self, theta: Interval) -> tuple[Interval, Interval, Interval, Interval]:
        # The matrices hold the parameters as they are, so their bounds are those of the parameters.
        low, high = self.matrices(theta.lower), self.matrices(theta.upper)
        make = type(theta)
        return (
            make(low.A, high.A), make(low.B, high.B), make(low.C, high.C), make(low.D, high.D),
        )  # fmt: skip

    @override
    def outers(self, x: Array, u: Array, theta: Array) -> tuple[Outer, ...]:
        known = {
            "A": Outer(x, itemgetter(0)),
            "B": Outer(u, itemgetter(0)),
            "C": Outer(x, itemgetter(1)),
        }
        for name, (rows, columns) in self._blocks.items():
            known[name] = Outer(u[..., columns], partial(_outputs_of, rows))
        return tuple(known[name] for name in self.parameters)

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """Those pairs of ports whose block of D was not zero at construction."""
        of_input = {place.start: name for name, place in _places(self.inputs)}
        of_output = {place.start: name for name, place in _places(self.outputs)}
        return frozenset(
            (of_input[columns.start], of_output[rows.start])
            for rows, columns in self._blocks.values()
        )

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        known = set(p)
        dx = _sum([p[k] @ v for k, v in (("A", x.vector), ("B", u.vector)) if k in known])
        whole = p["C"] @ x.vector if "C" in known else np.zeros(self.outputs.size)
        y: dict[str, Any] = {}
        for name, rows in _places(self.outputs):
            blocks = [
                p[k] @ u.vector[columns] for k, (r, columns) in self._blocks.items() if r == rows
            ]
            y[name] = _sum([whole[rows], *blocks])
        return dx, y


@final
class StateSpace(StateSpaceSystem):
    """``dx/dt = A x + B u, y = C x + D u``, in continuous time."""

    time = Time.CONTINUOUS


@final
class DiscreteStateSpace(StateSpaceSystem):
    """``x+ = A x + B u, y = C x + D u``, in discrete time."""

    time = Time.DISCRETE

    def __init__(
        self,
        A: ArrayLike,
        B: ArrayLike,
        C: ArrayLike,
        D: ArrayLike | None = None,
        *,
        state: SpaceLike | None = None,
        inputs: SpaceLike | None = None,
        outputs: SpaceLike | None = None,
        sampling_time: float | tuple[float, str] | None = None,
    ) -> None:
        """Make the system as `StateSpaceSystem` does; errors are the same.

        Args:
            A: (n, n).
            B: (n, m).
            C: (q, n).
            D: (q, m); None is zero.
            state: Names of n coordinates; "x" by default.
            inputs: Ports of m coordinates together; "u" by default.
            outputs: Ports of q coordinates together; "y" by default.
            sampling_time: How long a step takes, as 0.2 or (0.2, "s"); None fits any.
        """
        super().__init__(A, B, C, D, state=state, inputs=inputs, outputs=outputs)
        self.sampling_time = checked_sampling_time(type(self).__name__, sampling_time)


def _places(ports: Space) -> list[tuple[str, slice]]:
    """Ports that have coordinates, with their places."""
    return [
        (name, place)
        for name, place in zip(ports.names, ports.slices, strict=True)
        if place.stop > place.start
    ]


def _outputs_of(rows: slice, cotangents: tuple[Array, Array]) -> Array:
    return cotangents[1][..., rows, :]


def _feedthrough_blocks(D: Array, inputs: Space, outputs: Space) -> dict[str, tuple[slice, slice]]:
    """The blocks of D that are not zero, by the names of their parameters."""
    is_single = len(inputs) == len(outputs) == 1
    return {
        "D" if is_single else f"D_{o}_{i}": (rows, columns)
        for o, rows in _places(outputs)
        for i, columns in _places(inputs)
        if D[rows, columns].any()
    }


def _sum(terms: list[Any]) -> Any:
    total = terms[0] if terms else np.zeros(0)
    for term in terms[1:]:
        total = total + term
    return total
