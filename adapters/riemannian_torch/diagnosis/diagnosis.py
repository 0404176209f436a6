"""What one step says of a training run: numbers, reasons, a table, a file.

Source: Roy and Vetterli (2007), EUSIPCO, 606-610, for the effective rank.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, final

from typing_extensions import override

from riemannian_modules.errors import SpecError
from riemannian_modules.shown import brief_value
from riemannian_modules.strict_json import read_json
from riemannian_modules.whole_file import write_whole

_FORMAT = "riemannian_torch.Diagnosis/1"
_MOST_SHOWN = 12  # layers in the table


@final
@dataclass(frozen=True, slots=True)
class LayerDiagnosis:
    """A module's own parameters, and what they have in the metric ``U U^T + mu I``.

    Where the step had a base metric R of each layer, ``U U^T`` and I are relative to it.

    Attributes:
        name: Of the module; "" for the model itself.
        parameters: How many, n.
        spectrum: The largest min(n, N) eigenvalues of ``U U^T``, from N columns, falling.
        trace: Their sum.
        effective_rank: ``exp`` of the entropy of the eigenvalues' shares: how many count.
        decided: ``sum lambda / (lambda + mu)``: how many directions the damping leaves free.
        log_determinant: Of ``I + U U^T / mu``, natural logarithm.
        condition: Of ``U U^T + mu I``.
        gradient: Norm of the loss's gradient.
        step: Norm of the step, relative to that of the parameters; absolute where they are 0.
        promised: What the layer adds to the decrease of the loss, to first order.
    """

    name: str
    parameters: int
    spectrum: tuple[float, ...]
    trace: float
    effective_rank: float
    decided: float
    log_determinant: float
    condition: float
    gradient: float
    step: float
    promised: float


class ScalarWriter(Protocol):
    """What TensorBoard's SummaryWriter does, and others like it."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> Any:
        """Note a number down."""
        ...


@final
@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis:
    """One step of `GaussNewton`, from `diagnose`; print it for the reasons.

    Attributes:
        step: Its number, from 1.
        loss: Of the batch before the step, above the least that it could be.
        promised: The decrease that the quadratic model promised.
        actual: The decrease on the same batch; None where the model draws at random or the loss
            cannot be had again.
        rho: The best multiple of the last direction on this new batch: 1 where its model was exact.
        mu: The damping.
        c: How much more the outputs move than the columns see; 1 in an exact metric.
        length: How much of the direction was walked.
        lr: The most that was allowed.
        trust_region: The largest squared size of a step that was allowed.
        columns: N, how many columns the metric has.
        effective_rank: Of all layers together.
        decided: Directions that the damping leaves free, of all layers together.
        layers: Each module that owns parameters.
        leverage: How many of its columns each sample decides by itself, (B,).
        influence: The part of the decrease, to first order, that would be lost without each
            sample, (B,).
        reasons: What holds training back, the gravest first; one sentence each, with the mend.
    """

    step: int
    loss: float
    promised: float
    actual: float | None
    rho: float
    mu: float
    c: float
    length: float
    lr: float
    trust_region: float
    columns: int
    effective_rank: float
    decided: float
    layers: tuple[LayerDiagnosis, ...]
    leverage: tuple[float, ...]
    influence: tuple[float, ...]
    reasons: tuple[str, ...] = ()

    @property
    def possible(self) -> int:
        """How many directions there could be: the columns, or the parameters where fewer."""
        return min(self.columns, sum(layer.parameters for layer in self.layers))

    @property
    def is_bounded(self) -> bool:
        """Whether the trust region cut the step."""
        return self.length < self.lr * (1.0 - 1e-6)

    @property
    def agreement(self) -> float | None:
        """Actual over promised decrease; None where the actual one is not known."""
        if self.actual is None or self.promised <= 0.0:
            return None
        return self.actual / self.promised

    def scalars(self) -> dict[str, float]:
        """All numbers by name, flat, for any logger."""
        whole = {
            k: getattr(self, k)
            for k in ("loss", "promised", "actual", "agreement", "rho", "mu", "c", "length",
                      "effective_rank", "decided")
        }  # fmt: skip
        found = {k: float(v) for k, v in whole.items() if v is not None}
        found["is_bounded"] = float(self.is_bounded)
        if self.influence:
            found["largest_influence"] = max(map(abs, self.influence))
            found["largest_leverage"] = max(self.leverage)
        for layer in self.layers:
            for key, value in asdict(layer).items():
                if isinstance(value, float):
                    found[f"{layer.name or 'model'}/{key}"] = value
        return found

    def add_to(self, writer: ScalarWriter, prefix: str = "gauss_newton") -> None:
        """Give all numbers to TensorBoard's SummaryWriter, or whatever has its ``add_scalar``.

        Args:
            writer: Has ``add_scalar(tag, value, step)``.
            prefix: Of the tags.
        """
        for key, value in self.scalars().items():
            writer.add_scalar(f"{prefix}/{key}", value, self.step)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a JSON file, which `read` reads.

        Args:
            path: Of the file.

        Raises:
            OutputError: If it cannot be written.
        """
        content = {"format": _FORMAT} | asdict(self)
        return write_whole(path, json.dumps(content, indent=1, allow_nan=False))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Diagnosis:
        """What `save` has written.

        Args:
            path: Of the file.

        Raises:
            SpecError: For a file that cannot be read, or is of another kind.
        """
        content = read_json(path, SpecError)
        try:
            if content.pop("format") != _FORMAT:
                raise KeyError("format")
            layers = tuple(
                LayerDiagnosis(**(layer | {"spectrum": tuple(layer["spectrum"])}))
                for layer in content.pop("layers")
            )
            lists = {k: tuple(content.pop(k)) for k in ("leverage", "influence", "reasons")}
            return cls(layers=layers, **lists, **content)
        except (AttributeError, KeyError, TypeError) as fault:
            raise SpecError(
                f"{Path(path).name}: expected a diagnosis that Diagnosis.save wrote, got another "
                f"content ({fault})."
            ) from None

    @override
    def __repr__(self) -> str:
        return (
            f"Diagnosis of step {self.step}: {' '.join(self.reasons[:1])}\n"
            f"  loss: {brief_value(self.loss)}; "
            f"promised: {brief_value(self.promised)}; actual: {brief_value(self.actual)}; "
            f"rho: {self.rho:.3g}; mu: {self.mu:.3g}; c: {self.c:.3g}"
        )

    @override
    def __str__(self) -> str:
        actual = "unknown" if self.actual is None else f"{self.actual:.4g}"
        bounded = ", cut by the trust region" if self.is_bounded else ""
        lines = [
            f"Step {self.step}: loss {self.loss:.4g}, promised decrease {self.promised:.4g}, "
            f"actual {actual}",
            f"  rho {self.rho:.3g} (1: the last direction was exact on new samples), mu "
            f"{self.mu:.3g}, c {self.c:.3g}, length {self.length:.3g} of {self.lr:g}{bounded}",
            f"  {self.effective_rank:.1f} of {self.possible} directions count; mu leaves "
            f"{self.decided:.1f} free",
            f"  {'layer':<24} {'numbers':>10} {'rank':>7} {'free':>7} {'condition':>10} "
            f"{'gradient':>9} {'step':>9} {'share':>6}",
        ]
        total = sum(abs(layer.promised) for layer in self.layers) or 1.0
        lines += [
            f"  {(layer.name or 'model')[-24:]:<24} {layer.parameters:>10,} "
            f"{layer.effective_rank:>7.1f} {layer.decided:>7.1f} {layer.condition:>10.2g} "
            f"{layer.gradient:>9.2g} {layer.step:>9.2g} {layer.promised / total:>6.0%}"
            for layer in self.layers[:_MOST_SHOWN]
        ]
        if len(self.layers) > _MOST_SHOWN:
            lines.append(f"  ... and {len(self.layers) - _MOST_SHOWN} more")
        return "\n".join([*lines, *(f"- {reason}" for reason in self.reasons)])
