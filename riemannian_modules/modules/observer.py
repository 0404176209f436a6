"""Luenberger observers: a model of the plant, driven by the error of its predicted measurement.

Source: Luenberger (1971), An introduction to observers, IEEE Transactions on Automatic Control 16.
"""

from __future__ import annotations

from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.errors import SignatureError
from riemannian_modules.modules.arguments import finite_matrix, matrix_of_shape
from riemannian_modules.modules.differential import transposed
from riemannian_modules.modules.linear_system import LinearSystem, Matrices, Outer
from riemannian_modules.modules.module import Time
from riemannian_modules.modules.sampling_time import checked_sampling_time
from riemannian_modules.spaces import Array, Signals, space

if TYPE_CHECKING:
    from riemannian_modules.arithmetic.interval import Interval


class LuenbergerObserver(LinearSystem):
    """``dz = A z + B u + L (y - C z)``, z its output; subclasses say in which time.

    Its error follows ``A - L C``. Parameters A, B, C, L; ports "u", "measurement" and "estimate".
    """

    def __init__(self, A: ArrayLike, B: ArrayLike, C: ArrayLike, L: ArrayLike) -> None:
        """Make the observer of a plant with n states, m inputs and q measurements.

        Args:
            A: (n, n), in 1/s for continuous time.
            B: (n, m).
            C: (q, n).
            L: The gain, (n, q).

        Raises:
            SignatureError: If shapes do not fit, or one of the sizes is zero.
            DomainError: For NaN or infinite entries.
        """
        where = type(self).__name__
        given = {
            name: finite_matrix(f"{where}: {name}", value)
            for name, value in (("A", A), ("B", B), ("C", C), ("L", L))
        }
        n, m, q = given["A"].shape[0], given["B"].shape[1], given["C"].shape[0]
        if not n * m * q:
            raise SignatureError(
                f"{where}: expected at least one state, input and measurement, got n = {n}, "
                f"m = {m}, q = {q}. Give a plant without inputs a B of zeros, (n, 1)."
            )
        shapes = {"A": (n, n), "B": (n, m), "C": (q, n), "L": (n, q)}
        self.parameters = {
            k: matrix_of_shape(f"{where}: {k}", given[k], shape) for k, shape in shapes.items()
        }
        self.state, self.outputs = space(z=n), space(estimate=n)
        self.inputs = space(u=m, measurement=q)

    @override
    def matrices(self, theta: Array) -> Matrices:
        p = self.signature.parameters.unpack(theta)
        n, m = p["B"].shape[-2:]
        A = p["A"] - p["L"] @ p["C"]
        inputs = m + p["L"].shape[-1]
        return Matrices(
            A, np.concatenate([p["B"], p["L"]], axis=-1), np.eye(n), np.zeros((n, inputs))
        )

    @override
    def enclosed_matrices(self, theta: Interval) -> tuple[Interval, Interval, Interval, Interval]:
        from riemannian_modules.arithmetic.interval import concatenate
        from riemannian_modules.arithmetic.interval_matrix import matmul

        p, make = self.signature.parameters.signals(theta), type(theta)
        n, inputs = self.state.size, self.inputs.size
        return (
            p["A"] - matmul(p["L"], p["C"]), concatenate([p["B"], p["L"]], -1),
            make.point(np.eye(n)), make.point(np.zeros((n, inputs))),
        )  # fmt: skip

    @override
    def outers(self, x: Array, u: Array, theta: Array) -> tuple[Outer, ...]:
        p = self.signature.parameters.unpack(theta)
        m = p["B"].shape[-1]
        predicted = np.matmul(p["C"], x[..., None])[..., 0]

        return (
            Outer(x, itemgetter(0)),
            Outer(u[..., :m], itemgetter(0)),
            Outer(x, partial(_corrected, p["L"])),
            Outer(u[..., m:] - predicted, itemgetter(0)),
        )

    @cached_property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: the estimate is the state."""
        return frozenset()

    @override
    def equations(self, x: Signals, u: Signals, p: Signals) -> tuple[Any, Any]:
        error = u["measurement"] - p["C"] @ x.vector
        return p["A"] @ x.vector + p["B"] @ u["u"] + p["L"] @ error, x.vector


@final
class Observer(LuenbergerObserver):
    """``dz/dt = A z + B u + L (measurement - C z)``, in continuous time."""

    time = Time.CONTINUOUS


@final
class DiscreteObserver(LuenbergerObserver):
    """``z+ = A z + B u + L (measurement - C z)``, in discrete time."""

    time = Time.DISCRETE

    def __init__(
        self,
        A: ArrayLike,
        B: ArrayLike,
        C: ArrayLike,
        L: ArrayLike,
        *,
        sampling_time: float | tuple[float, str] | None = None,
    ) -> None:
        """Make the observer as `LuenbergerObserver` does; errors are the same.

        Args:
            A: (n, n).
            B: (n, m).
            C: (q, n).
            L: The gain, (n, q).
            sampling_time: How long a step takes, as 0.2 or (0.2, "s"); None fits any.
        """
        super().__init__(A, B, C, L)
        self.sampling_time = checked_sampling_time(type(self).__name__, sampling_time)


def _corrected(L: Array, cotangents: tuple[Array, Array]) -> Array:
    """C enters as ``-L C x``."""
    return -(transposed(L) @ cotangents[0])
