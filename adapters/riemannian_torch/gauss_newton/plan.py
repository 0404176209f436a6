"""How a step is taken, chosen by its cost: one system of all samples, or a sweep over blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from riemannian_torch.gauss_newton.base_metric import base_cost
from riemannian_torch.gauss_newton.rows import Rows

_EXACT = 512  # up to here, one system: it is exact
_BLOCKS = (256, 128, 64, 32, 16)


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """Samples are solved for ``block`` at a time.

    Attributes:
        samples: B.
        parameters: n.
        block: B for one exact system.
        overhead: Operations of a step, as a multiple of forward and backward with all gradients.
        bound: What the overhead was asked to stay below; None for nothing.
        has_base: Whether layers have a metric of their own below the samples' rows, for one column
            a sample sees little of many outputs.
    """

    samples: int
    parameters: int
    block: int
    overhead: float
    bound: float | None
    has_base: bool = False

    def __str__(self) -> str:
        if self.block >= self.samples:
            way = f"one system of {self.samples} equations, which is exact"
        else:
            way = f"a sweep over blocks of {self.block} samples, for one system would cost more"
        text = (
            f"{self.samples} samples, {self.parameters:,} parameters: {way}"
            f"{', in a base metric of each layer' if self.has_base else ''}. A step takes about "
            f"{self.overhead:.1f} times the operations of forward and backward"
        )
        if self.bound is not None and self.overhead > self.bound:
            return f"{text}, more than max_overhead={self.bound:g}: no block is small enough."
        return text + "."


def plan(
    rows: Mapping[Tensor, Rows], samples: int, bound: float | None, *, wants_base: bool
) -> Plan:
    """The cheapest way; below the bound where there is one, exact where that costs little.

    Args:
        rows: Of each parameter.
        samples: B.
        bound: Of the overhead; None for none.
        wants_base: Whether base metrics are of use; they are for one system only.
    """
    pairs = sum(r.pair_cost for r in rows.values())
    product = max(1, sum(r.product_cost for r in rows.values()))

    def overhead(block: int, *, has_base: bool = False) -> float:
        # Forward, backward to the outputs, P seen by the rows and made of them: 4 products where
        # forward and backward with all gradients are 3; a sweep sees P twice more.
        products = 4.0 if block >= samples else 6.0
        systems = samples * (block * pairs + block**2 / 6.0)
        base = base_cost(rows) if has_base else 0.0
        return (products * product + systems + base) / (3.0 * product)

    numbers = sum(p.numel() for p in rows)
    smaller = [b for b in _BLOCKS if b < samples]
    block = samples
    if samples > _EXACT and overhead(smaller[0]) < overhead(samples):
        block = smaller[0]
    if wants_base and block == samples:
        cost = overhead(block, has_base=True)
        if bound is None or cost <= bound:
            return Plan(samples, numbers, block, cost, bound, has_base=True)
    if bound is not None and overhead(block) > bound and smaller:
        block = next((b for b in smaller if overhead(b) <= bound), smaller[-1])
    return Plan(samples, numbers, block, overhead(block), bound)
