"""All measurements of all experiments predicted from the parameters: one map, exactly linearised.

A sample is a measurement; its outputs are the predicted mean, on the observable's scale, and the
logarithm of its sigma. So a fit of time courses is a fit of a map without state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from riemannian_modules.engine.time_courses.model import CourseModel
from riemannian_modules.errors import RiemannianError, UnsupportedError
from riemannian_modules.modules.capability import StatedAccuracy
from riemannian_modules.modules.differential import Jacobian
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.spaces import Array, space

_REMEMBERED = 4


@final
class Predictions(RiemannianModule, StatedAccuracy):
    """``row, parameters -> mean, log sigma`` of that row's measurement; NaN where it is undefined.

    The parameters stand on their scales of search. One integration of every experiment serves all
    rows; the last one is remembered.

    Args:
        model: The experiments, set up.
    """

    time = Time.STATIC
    inputs = space("row")
    outputs = space("mean log_sigma")

    def __init__(self, model: CourseModel) -> None:
        self._model, self.accuracy = model, model.precision.relative
        start = model.table.scaled(model.table.values)
        self.parameters: Mapping[str, ArrayLike] = dict(
            zip(model.table.free_names, start.tolist(), strict=True)
        )
        self._memory = _Memory()

    @override
    def forward(self, x: Array, u: Array, theta: Array) -> tuple[Array, Array]:
        batch = np.broadcast_shapes(u.shape[:-1], theta.shape[:-1])
        rows = np.broadcast_to(u[..., 0], batch).astype(np.intp)
        thetas = np.broadcast_to(theta, (*batch, theta.shape[-1]))
        return np.zeros((*batch, 0)), self._gathered(rows, theta, thetas, self._values)

    @override
    def jacobian(self, x: Array, u: Array, theta: Array) -> Jacobian:
        batch = np.broadcast_shapes(u.shape[:-1], theta.shape[:-1])
        rows = np.broadcast_to(u[..., 0], batch).astype(np.intp)
        thetas = np.broadcast_to(theta, (*batch, theta.shape[-1]))
        F = self._gathered(rows, theta, thetas, self._slopes)

        def nothing(*shape: int) -> Array:
            return np.zeros((*batch, *shape))

        return Jacobian(
            nothing(0, 0), nothing(0, 1), nothing(2, 0), nothing(2, 1),
            nothing(0, theta.shape[-1]), F,
        )  # fmt: skip

    def _gathered(
        self, rows: NDArray[np.intp], theta: Array, thetas: Array, of: Callable[[Array], Array]
    ) -> Array:
        """The rows' entries of what all measurements have; for each parameters' own if many."""
        if theta.ndim == 1:
            return of(theta)[rows]
        flat, which = np.unique(thetas.reshape(-1, thetas.shape[-1]), axis=0, return_inverse=True)
        each = np.array([of(one) for one in flat])
        return each[which.reshape(rows.shape), rows]

    def _values(self, theta: Array) -> Array:
        return self._memory.recalled(self._model.all_predicted, theta, (len(self), 2))

    def _slopes(self, theta: Array) -> Array:
        shape = (len(self), 2, len(theta))
        return self._memory.recalled(self._model.all_slopes, theta, shape)

    def __len__(self) -> int:
        return len(self._model.targets)


@final
class _Memory:
    """The last few results; NaN where the flow leaves its domain, for a trial step may."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], Array] = {}

    def recalled(self, of: Callable[[Array], Array], theta: Array, shape: tuple[int, ...]) -> Array:
        key = of.__name__, theta.tobytes()
        if key not in self._kept:
            try:
                with np.errstate(all="ignore"):
                    found = of(theta)
            except UnsupportedError:
                raise
            except RiemannianError:
                found = np.full(shape, np.nan)
            while len(self._kept) >= _REMEMBERED:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = found
        return self._kept[key]
