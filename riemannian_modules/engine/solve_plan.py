"""How a fit's steps are solved for, by cost: QR, the dual system, layer by layer, or by products.

Sources: More (1978), Lecture Notes in Mathematics 630 (QR); Woodbury (1950) (dual); Pehle and
Slotine (2026), arXiv:2603.03610 (layers); Martens (2010), ICML (products). Counts of operations are
those of Golub and Van Loan (2013), Matrix Computations.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import final

import numpy as np
from typing_extensions import override

from riemannian_modules.engine.datasets import Dataset
from riemannian_modules.engine.propagation import pull_factors
from riemannian_modules.metrics import stack
from riemannian_modules.modules.module import RiemannianModule
from riemannian_modules.modules.ownership import owners_of
from riemannian_modules.shown import Facts, Shown

MOST_SMALL = 100  # parameters for which QR costs nothing
MOST_PRIMAL = 500  # parameters up to which QR is taken where samples are many
_MOST_STORED = 50_000_000  # numbers held at once
_PRODUCTS = 100  # that a step by conjugate gradients is counted as


class Way(enum.Enum):
    """How a step is solved for."""

    PRIMAL = "QR of all parameters together"
    DUAL = "Woodbury, all parameters together"
    LAYERS = "Woodbury, each layer alone"
    PRODUCTS = "conjugate gradients, all parameters together"


@final
@dataclass(frozen=True, slots=True, repr=False)
class SolvePlan(Shown):
    """The way chosen, and why.

    Attributes:
        way: How each step is solved for.
        reason: In words, with the sizes that decided.
    """

    way: Way
    reason: str

    @override
    def facts(self) -> Facts:
        return Facts(f"Steps by {self.way.value}", (("because", self.reason),))


@final
@dataclass(frozen=True, slots=True)
class Sizes:
    """What the ways cost, in multiplications and in numbers held.

    Attributes:
        parameters: p.
        columns: Samples times directions of each.
        samples: B.
        gram: Multiplications for ``U^T U`` with all layers coupled.
        stored: Numbers that the layers' factors hold.
        has_products: Whether the metric is the loss's alone, whose products need no factor.
    """

    parameters: int
    columns: int
    samples: int
    gram: float
    stored: int
    has_products: bool

    @property
    def primal(self) -> float:
        """A QR of the columns with the damping below them."""
        return 2.0 * (self.columns + self.parameters) * self.parameters**2

    @property
    def dual(self) -> float:
        """The Gram matrix and its Cholesky factor."""
        return self.gram + self.columns**3 / 3.0

    @property
    def products(self) -> float:
        """A forward and a backward sweep for each of some hundred products."""
        return 6.0 * _PRODUCTS * self.samples * self.parameters


def sizes_of(module: RiemannianModule, data: Dataset) -> Sizes:
    """Sizes read off the factors of one sample, at the module's own parameters."""
    x, one = np.zeros(0), data.inputs[:1]
    B, q = data.targets.shape
    with np.errstate(all="ignore"):
        differential = module.differential(x, one, module.theta)
        pulled = pull_factors(module, differential, (1,), np.eye(q), np.zeros((0, q)))
    factor = stack([factor for _, _, factor in pulled])
    # A Gram matrix has a term for each pair of samples.
    has_products = not module_has_output_metrics(module)
    return Sizes(factor.dim, B * q, B, B**2 * factor.gram_cost, B * factor.stored, has_products)


def module_has_output_metrics(module: RiemannianModule) -> bool:
    """Whether a module inside has a metric of its own outputs, beside the loss's."""
    return any(owner.local_metric().outputs.shape[-1] for owner in owners_of(module).values())


def joint_plan(module: RiemannianModule, data: Dataset) -> SolvePlan:
    """The cheapest way to solve with all layers coupled; each alone where none is possible."""
    p, (B, q) = module.signature.parameters.size, data.targets.shape
    c = B * q
    counted = f"{p:,} parameters, {B:,} samples x {q:,} outputs"
    if p <= MOST_SMALL or (p <= MOST_PRIMAL and p <= c and p * c <= _MOST_STORED):
        return SolvePlan(Way.PRIMAL, f"{counted}: few parameters, where QR is most accurate")
    s = sizes_of(module, data)
    costs: dict[Way, float] = {}
    if p * c <= _MOST_STORED:
        costs[Way.PRIMAL] = s.primal
    if c < p and max(c * c, s.stored) <= _MOST_STORED:
        costs[Way.DUAL] = s.dual
    if s.has_products:
        costs[Way.PRODUCTS] = s.products
    if not costs:
        return SolvePlan(
            Way.LAYERS,
            f"{counted}: too many to be coupled, for modules have metrics of their own outputs",
        )
    way = min(costs, key=lambda known: costs[known])
    told = ", ".join(f"{known.name.lower()} {cost:.2g}" for known, cost in costs.items())
    return SolvePlan(way, f"{counted}; multiplications a step: {told}")
