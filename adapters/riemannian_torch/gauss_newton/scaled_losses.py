"""Samples whose losses are multiplied: by a process's share, or back from a GradScaler's scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from torch import Tensor

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.convolution_rows import ConvolutionRows
from riemannian_torch.gauss_newton.groups import Group
from riemannian_torch.gauss_newton.looked_up_rows import LookedUpRows
from riemannian_torch.gauss_newton.rows import (
    BiasRows,
    DenseRows,
    OuterRows,
    Rows,
    WeightRows,
)


def scaled(group: Group, share: float, gathered: Callable[[Tensor], Tensor]) -> Group:
    """The group with its losses multiplied.

    Args:
        group: As it was seen.
        share: The factor.
        gathered: What becomes of each tensor of the samples.
    """
    s = group.coefficients
    # Of a column of the metric the square is shared.
    factor, seen = share if s is None else math.sqrt(share), dict[int, Rows]()
    return replace(
        group,
        excess=gathered(group.excess) * share,
        rows={p: _rows(r, factor, gathered, seen) for p, r in group.rows.items()},
        losses=[(f, parts, weight * share) for f, parts, weight in group.losses],
        coefficients=None if s is None else gathered(s) * factor,
    )


def _rows(
    rows: Rows, factor: float, gathered: Callable[[Tensor], Tensor], seen: dict[int, Rows]
) -> Rows:
    """The rows, multiplied; a bias shares those of its weight."""
    if id(rows) in seen:
        return seen[id(rows)]
    if isinstance(rows, OuterRows):
        found: Rows = OuterRows(gathered(rows.a), gathered(rows.d) * factor, rows.shape)
    elif isinstance(rows, ConvolutionRows):
        d = gathered(rows.d) * factor
        found = ConvolutionRows(gathered(rows.a), d, rows.shape, rows.how)
    elif isinstance(rows, BiasRows):
        weight = _rows(rows.weight, factor, gathered, seen)
        assert isinstance(weight, WeightRows)
        found = BiasRows(weight)
    elif isinstance(rows, LookedUpRows):
        found = LookedUpRows(gathered(rows.index), gathered(rows.d) * factor, rows.entries)
    else:
        found = DenseRows(gathered(rows.formed().rows) * factor)
    seen[id(rows)] = found
    return found


@final
@dataclass(frozen=True, slots=True)
class LossScale:
    """What torch's GradScaler says of the losses since the last step.

    Attributes:
        factor: By which it has multiplied them; 1 where there is none.
        has_overflowed: Whether a gradient is not finite.
    """

    factor: float = 1.0
    has_overflowed: bool = False

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> LossScale:
        """Read off the attributes that a scaler gives an optimizer for the time of a step.

        Raises:
            UnsupportedError: If the gradients have been unscaled before the step.
        """
        if "found_inf" not in attributes:
            return cls()
        factor = attributes["grad_scale"]
        if factor is None:
            raise UnsupportedError(
                "GaussNewton: expected a GradScaler's gradients as they are, for its scale is told "
                "by scaler.step alone; got unscaled ones. Leave scaler.unscale_ out, and clip to "
                "max_norm * scaler.get_scale()."
            )
        return cls(float(factor), bool(attributes["found_inf"]))

    def taken_off(self, group: Group) -> Group:
        """The group with the losses that the loop has computed."""
        return group if self.factor == 1.0 else scaled(group, 1.0 / self.factor, lambda x: x)
