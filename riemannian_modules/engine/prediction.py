"""What a fitted map gives for new inputs, and how well the data determine it.

Source: Seber and Wild (1989), Nonlinear Regression, section 5.1 (propagation of the covariance).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from typing_extensions import override

from riemannian_modules.door import number
from riemannian_modules.engine.estimate import Estimate
from riemannian_modules.engine.loss import Loss
from riemannian_modules.engine.losses import NaturalLoss
from riemannian_modules.errors import DomainError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import Facts, Shown, counted
from riemannian_modules.spaces import Array, Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOVES = 1e-6  # part of a gradient along a direction without information that counts


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction(Shown):
    """The mean of the outputs at some inputs, with bands.

    Attributes:
        inputs: (B, m).
        mean: (B, q).
        deviations: Standard deviations of the mean, (B, q); infinite where data determine it not.
        noise: Those of a measurement about its mean, (q,); None where they are not known.
        level: Of the bands, such as 0.95.
        quantile: How many deviations the bands reach to each side.
        input_space: The space of the inputs.
        output_space: The space of the outputs.
    """

    inputs: Array
    mean: Array
    deviations: Array
    noise: Array | None
    level: float
    quantile: float
    input_space: Space
    output_space: Space

    @property
    def lower(self) -> Array:
        """The lower side of the mean's confidence band, (B, q)."""
        return self.mean - self.quantile * self.deviations

    @property
    def upper(self) -> Array:
        """Its upper side, (B, q)."""
        return self.mean + self.quantile * self.deviations

    @property
    def measurement_deviations(self) -> Array | None:
        """Standard deviations of new measurements, (B, q): of the mean and the noise together."""
        return None if self.noise is None else np.hypot(self.deviations, self.noise)

    def plot(self) -> Figure:
        """Draw each output, with its confidence band, over the input that varies most.

        A lighter band, into which new measurements fall, is drawn where the noise is known.
        """
        from riemannian_modules.engine.prediction_plot import Bands, plot_prediction

        outer = self.measurement_deviations
        reach = None if outer is None else self.quantile * outer
        return plot_prediction(Bands(
            self.inputs, self.input_space, self.output_space, self.mean,
            self.quantile * self.deviations, reach, self.level,
        ))  # fmt: skip

    @override
    def facts(self) -> Facts:
        title = f"Prediction at {counted(len(self.inputs), 'point')}, bands of {self.level:.4g}"
        rows = [
            (name, f"{low:.6g} to {high:.6g}, +- {d:.3g} at most")
            for name, low, high, d in zip(
                self.output_space.coordinates[:4],
                self.mean.min(axis=0, initial=np.inf),
                self.mean.max(axis=0, initial=-np.inf),
                self.deviations.max(axis=0, initial=0.0),
                strict=False,
            )
        ]
        return Facts(title, tuple(rows))


def checked_level(where: str, level: float) -> float:
    """A probability between 0 and 1.

    Raises:
        DomainError: If it is none.
    """
    if not 0.0 < number(f"{where}: level", level) < 1.0:
        raise DomainError(f"{where}: level: expected a number between 0 and 1, got {level}.")
    return level


def propagated(
    module: RiemannianModule, loss: Loss, known: Estimate, inputs: Array
) -> tuple[Array, Array]:
    """The mean (B, q) at inputs (B, m) and its standard deviations, ``J C J^T``; O(B q p^2)."""
    theta, x = module.theta, np.zeros(0)
    q = module.signature.outputs.size
    y = np.broadcast_to(module.output(x, inputs, theta), (len(inputs), q))
    F = np.broadcast_to(module.jacobian(x, inputs, theta).F, (*y.shape, theta.size))
    # The mean's derivative in natural coordinates is their Fisher metric.
    S = loss.factor(y, np.zeros_like(y)) if isinstance(loss, NaturalLoss) else np.eye(q)[None]
    J = np.einsum("bqr,bsr,bsp->bqp", S, S, F, optimize=True)
    is_moved = np.zeros(y.shape, dtype=bool)
    for direction in known.null.T:
        is_moved |= np.abs(J @ direction) > _MOVES * (np.abs(J) @ np.abs(direction))
    is_unknown = np.isinf(np.diagonal(known.generalised))
    is_moved |= (J[..., is_unknown] != 0.0).any(axis=-1)
    C = np.where(np.isinf(known.generalised), 0.0, known.generalised)
    variance = np.einsum("bqp,pr,bqr->bq", J, C, J)
    return loss.mean(y), np.where(is_moved, np.inf, np.sqrt(np.maximum(variance, 0.0)))
