"""What a fit found, how well it is known, and how it was found."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from riemannian_modules.door import number_array
from riemannian_modules.engine.dataset import Dataset
from riemannian_modules.engine.descend import Iteration, Outcome
from riemannian_modules.engine.estimate import Estimate
from riemannian_modules.engine.loss import Loss
from riemannian_modules.errors import DomainError, OutputError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.shown import MOST_NAMES, Facts, Shown, counted, listed
from riemannian_modules.space import Array
from riemannian_modules.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Shown):
    """A fitted module with its uncertainty and its history.

    Attributes:
        module: The module with the parameters found.
        outcome: How the search ended; `Outcome.is_settled` for a minimum.
        loss: The loss, summed over all samples.
        residual_sum: The sum of squares of outputs minus targets.
        freedom: Degrees of freedom: numbers measured minus parameters estimated.
        held: Names of coordinates that a bound holds; they count as known.
        history: Every iteration of every attempt.
        evaluations: Of the map over all samples (or over a mini-batch).
        derivatives: Of its derivative, likewise.
        seconds: Wall time.
        data: The samples.
        uncertainty: What `covariance` and `undetermined` are taken from; None where the problem is
            too large for it.
        criterion: The loss that was minimised.
    """

    module: RiemannianModule
    outcome: Outcome
    loss: float
    residual_sum: float
    freedom: int
    held: tuple[str, ...]
    history: tuple[Iteration, ...]
    evaluations: int
    derivatives: int
    seconds: float
    data: Dataset
    uncertainty: Estimate | None
    criterion: Loss

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of theta."""
        return self.module.signature.parameters.coordinates

    @property
    def theta(self) -> Array:
        """The parameters found, (p,)."""
        return self.module.theta

    @property
    def parameters(self) -> Mapping[str, Array]:
        """The parameters found, by name."""
        return self.module.signature.parameters.unpack(self.module.theta)

    @property
    def residual_deviation(self) -> float:
        """The residuals' standard deviation, ``sqrt(residual_sum / freedom)``."""
        return math.sqrt(self.residual_sum / self.freedom) if self.freedom > 0 else math.inf

    @property
    def covariance(self) -> Array:
        """Of the estimate, (p, p): infinite for parameters that the data do not determine.

        Raises:
            UnsupportedError: If the problem is too large for a dense covariance.
        """
        if self.uncertainty is None:
            raise UnsupportedError(
                f"FitResult.covariance: {len(self.theta)} parameters with {len(self.data)} samples "
                "are too many for a dense covariance. Fit fewer parameters, or leave the "
                "covariance aside."
            )
        return self.uncertainty.covariance

    @property
    def deviations(self) -> Array:
        """Standard deviations of the parameters, (p,); zero for held ones. Raises as covariance."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Names of coordinates that the data leave free to move."""
        found = self.uncertainty.undetermined if self.uncertainty is not None else ()
        return tuple(self.names[i] for i in found)

    def plot(self, deviations: ArrayLike | None = None) -> Figure:
        """Draw each output's data against the model, the residuals, and the loss by iteration.

        Args:
            deviations: Standard deviations of the targets where they are known, drawn as bars: of
                shape (B, q), or one that broadcasts to it.

        Returns:
            The figure; ``figure.savefig(path)`` writes it.

        Raises:
            DomainError: If a deviation is negative or not finite, or their shape does not fit.
        """
        from riemannian_modules.engine.fit_plot import Fitted, plot_fit

        s, shape = self.module.signature, self.data.targets.shape
        bars = None if deviations is None else number_array("plot: deviations", deviations)
        if bars is not None:
            fits = bars.ndim <= 2 and all(
                n in (1, m) for n, m in zip(bars.shape[::-1], shape[::-1], strict=False)
            )
            if not fits or not (np.isfinite(bars) & (bars >= 0)).all():
                raise DomainError(
                    f"plot: deviations: expected finite numbers of at least 0 of shape {shape} or "
                    f"one that broadcasts to it, got shape {bars.shape}."
                )
            bars = np.broadcast_to(bars, shape)

        def mean(inputs: Array) -> Array:
            y = self.module.output(np.zeros(0), inputs, self.theta)
            return self.criterion.mean(np.broadcast_to(y, (len(inputs), shape[1])))

        losses = [line.loss for line in self.history]
        return plot_fit(
            Fitted(self.data, mean, s.inputs, s.outputs, bars, losses, self.outcome.value)
        )

    def summary(self) -> dict[str, Any]:
        """All but data and history, as JSON's types; numbers that are not finite as null."""
        deviations = (
            self.deviations if self.uncertainty is not None else np.full(len(self.theta), np.nan)
        )
        return {
            "outcome": self.outcome.value,
            "loss": _number(self.loss),
            "residual_sum": _number(self.residual_sum),
            "residual_deviation": _number(self.residual_deviation),
            "degrees_of_freedom": self.freedom,
            "parameters": {
                name: {"value": _number(value), "deviation": _number(deviation)}
                for name, value, deviation in zip(self.names, self.theta, deviations, strict=True)
            },
            "held": list(self.held),
            "undetermined": list(self.undetermined),
            "covariance": None
            if self.uncertainty is None
            else [[_number(v) for v in row] for row in self.covariance],
            "iterations": len(self.history),
            "evaluations": self.evaluations,
            "derivatives": self.derivatives,
            "seconds": self.seconds,
        }

    def save(self, folder: str | Path) -> None:
        """Write ``fit.json`` (the summary) and ``history.csv`` into a folder, made if need be.

        Each file appears whole or not at all.
        """
        place = Path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise OutputError(
                f"{place}: the folder for the fit cannot be made ({fault.strerror}). Name a folder "
                "that exists or can be made."
            ) from None
        table = io.StringIO()
        fields = list(Iteration.__dataclass_fields__)
        writer = csv.DictWriter(table, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in self.history)
        write_whole(place / "history.csv", table.getvalue())
        write_whole(place / "fit.json", json.dumps(self.summary(), indent=2) + "\n")

    @override
    def facts(self) -> Facts:
        sizes = f"{counted(len(self.data), 'sample')}, {counted(len(self.theta), 'parameter')}"
        title = f"FitResult: {self.outcome.value}, loss {self.loss:.6g} ({sizes})"
        shown = [
            f"{name} = {value:.6g}" + ("" if math.isnan(d) else f" +- {d:.3g}")
            for name, value, d in self._estimates()[:MOST_NAMES]
        ]
        rows = [("parameters", listed([*shown, *self.names[len(shown) :]]))]
        if self.undetermined:
            rows.append(("not determined by the data", listed(self.undetermined)))
        if self.held:
            rows.append(("held by bounds", listed(self.held)))
        return Facts(title, tuple(rows))

    def _estimates(self) -> list[tuple[str, float, float]]:
        """Names, values, and deviations, which are NaN where they are too many to compute."""
        known = self.uncertainty is not None
        deviations = self.deviations if known else np.full(len(self.theta), np.nan)
        return [*zip(self.names, self.theta.tolist(), deviations.tolist(), strict=True)]

    def table(self) -> str:
        """The outcome, and every parameter with its deviation, a line each."""
        return "\n".join([
            f"{self.outcome.value}; loss {self.loss:.10g}, {self.evaluations} evaluations",
            *(f"  {name} = {value:.10g} +- {d:.3g}" for name, value, d in self._estimates()),
        ])  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
