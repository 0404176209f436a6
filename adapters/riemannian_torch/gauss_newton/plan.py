"""How a step is taken, chosen by its cost: one system of all columns, or a sweep over blocks."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from riemannian_modules.errors import UnsupportedError
from riemannian_torch.gauss_newton.base_metric import base_cost
from riemannian_torch.gauss_newton.metric_choice import ExactMetric, StepMetric
from riemannian_torch.gauss_newton.rows import Rows
from riemannian_torch.gauss_newton.rows_in_memory import outer_products

_EXACT = 512  # up to here, one system: it is exact
_BLOCKS = (256, 128, 64, 32, 16)
_MANY, _MOST = 2**12, 2**14  # columns of an exact metric


@final
@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Columns are solved for ``block`` at a time.

    Attributes:
        columns: B, or B d in the exact metrics.
        parameters: n.
        block: B for one exact system.
        overhead: Operations of a step, as a multiple of forward and backward with all gradients.
        bound: What the overhead was asked to stay below; None for nothing.
        has_base: Whether layers have a metric of their own below the samples' rows, for one column
            a sample sees little of many outputs.
    """

    columns: int
    parameters: int
    block: int
    overhead: float
    bound: float | None
    has_base: bool = False

    def __str__(self) -> str:
        if self.block >= self.columns:
            way = f"one system of {self.columns} equations, which is exact"
        else:
            way = f"a sweep over blocks of {self.block} columns, for one system would cost more"
        text = (
            f"{self.columns} columns, {self.parameters:,} parameters: {way}"
            f"{', in a base metric of each layer' if self.has_base else ''}. A step takes about "
            f"{self.overhead:.1f} times the operations of forward and backward"
        )
        if self.bound is not None and self.overhead > self.bound:
            return f"{text}, more than max_overhead={self.bound:g}: no block is small enough."
        return text + "."


def plan(
    rows: Mapping[Tensor, Rows],
    samples: int,
    bound: float | None,
    metric: StepMetric,
    *,
    wants_base: bool,
) -> ColumnPlan:
    """The cheapest way; below the bound where there is one, exact where that costs little.

    Args:
        rows: Of each parameter.
        samples: B, or how many columns an exact metric has; it stays exact at any cost.
        bound: Of the overhead; None for none.
        metric: Of the step.
        wants_base: Whether base metrics are of use; they are for one system only.

    Raises:
        UnsupportedError: For more columns than a machine can hold the products of.
    """
    pairs = sum(r.pair_cost for r in rows.values())
    product = max(1, sum(r.product_cost for r in rows.values()))
    own = sum(r.products * r.product_cost for r in rows.values())
    again = sum(2 * r.product_cost for r in rows.values() if r.products > 1)

    def overhead(block: int, *, has_base: bool = False) -> float:
        # Forward and backward to the outputs are 2 products, where forward and backward with all
        # gradients are 3; those of the rows come on top. A sweep sees P twice more.
        products = 2.0 * product + own + (again if block < samples else 0)
        systems = samples * (block * pairs + block**2 / 6.0)
        base = base_cost(outer_products(rows)) if has_base else 0.0
        return (products + systems + base) / (3.0 * product)

    numbers = sum(p.numel() for p in rows)
    smaller = [b for b in _BLOCKS if b < samples]
    block = samples
    if isinstance(metric, ExactMetric):
        _check_columns(samples)
        smaller, wants_base = [], False
    if samples > _EXACT and smaller and overhead(smaller[0]) < overhead(samples):
        block = smaller[0]
    if wants_base and block == samples:
        cost = overhead(block, has_base=True)
        if bound is None or cost <= bound:
            return ColumnPlan(samples, numbers, block, cost, bound, has_base=True)
    if bound is not None and overhead(block) > bound and smaller:
        block = next((b for b in smaller if overhead(b) <= bound), smaller[-1])
    return ColumnPlan(samples, numbers, block, overhead(block), bound)


def _check_columns(total: int) -> None:
    if total <= _MANY:
        return
    cost = (
        f"{total:,} columns of an exact metric have products with each other of "
        f"{total**2 * 4 / 2**30:,.1f} GiB in float32, and a system of {total**3 / 3e9:,.0f} Gflop "
        "a step. Take columns=2 or a few more of each sample, smaller batches, or ResidualMetric()."
    )
    if total > _MOST:
        raise UnsupportedError(f"GaussNewton: expected at most {_MOST:,} columns: {cost}")
    warnings.warn(f"GaussNewton: {cost}", stacklevel=5)
