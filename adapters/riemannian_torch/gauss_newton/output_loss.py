"""What Gauss-Newton asks of a loss: each sample's part above its least, and its output metric.

Sources: Schraudolph (2002), Neural Computation 14, 1723-1738 (generalised Gauss-Newton: G is the
loss's curvature in the outputs); Martens (2020), JMLR 21, 146 (for likelihoods in their natural
parameters G is Fisher's information, not the "empirical" one); Holland and Welsch (1977) for robust
losses: G is the weight of iteratively reweighted least squares.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, cast, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from riemannian_modules.errors import UnsupportedError


class OutputLoss(abc.ABC):
    """A loss of the outputs f (B, ...) and the targets, as what each entry adds to it.

    Parts are weighted as the loss itself weights them, so that their sum is the loss but for a
    constant that no outputs can change.
    """

    @abc.abstractmethod
    def excess(self, f: Tensor) -> Tensor:
        """What each sample adds to the loss above the least it could: (B, ...), not negative."""

    @abc.abstractmethod
    def curvature(self, f: Tensor, df: Tensor) -> Tensor:
        """``df^T G df`` of each sample, (B, ...); G is positive semidefinite, see the class."""

    @abc.abstractmethod
    def root(self, f: Tensor, z: Tensor) -> Tensor:
        """``S z`` with ``G = S S^T``, for columns z (k, *f.shape)."""

    @abc.abstractmethod
    def coefficients(self, f: Tensor) -> Tensor:
        """The s, of f's shape, with ``S s`` the loss's derivative in the outputs."""

    def first(self, count: int) -> Self:
        """The same loss of the first samples only."""
        values = {f.name: getattr(self, f.name) for f in fields(cast("Any", self))}
        cut = {k: v[:count] if isinstance(v, Tensor) and v.ndim else v for k, v in values.items()}
        return type(self)(**cut)


class Separable(OutputLoss):
    """A sum over the outputs' numbers, each with a loss of its own: G is diagonal."""

    @abc.abstractmethod
    def diagonal(self, f: Tensor) -> Tensor:
        """Of G, in f's shape, positive wherever the slope is not zero."""

    @abc.abstractmethod
    def slope(self, f: Tensor) -> Tensor:
        """The loss's derivative, in f's shape."""

    @override
    def curvature(self, f: Tensor, df: Tensor) -> Tensor:
        return self.diagonal(f) * df**2

    @override
    def root(self, f: Tensor, z: Tensor) -> Tensor:
        return self.diagonal(f).sqrt() * z

    @override
    def coefficients(self, f: Tensor) -> Tensor:
        return divided(self.slope(f), self.diagonal(f).expand_as(f).sqrt())


def divided(x: Tensor, y: Tensor) -> Tensor:
    """``x / y``, and 0 where y is 0."""
    return torch.where(y > 0, x / torch.where(y > 0, y, 1.0), 0.0)


def rounding(f: Tensor) -> float:
    """The unit of f's numbers."""
    return torch.finfo(f.dtype).eps


@final
@dataclass(frozen=True, eq=False)
class Categorical(OutputLoss):
    """``-sum_k m_k log p_k`` with masses m (B, C, ...); G is Fisher's information."""

    masses: Tensor

    @override
    def excess(self, f: Tensor) -> Tensor:
        total = self.masses.sum(1, keepdim=True)
        least = torch.xlogy(self.masses, self.masses) - torch.xlogy(self.masses, total)
        return (least - self.masses * F.log_softmax(f, 1)).sum(1).clamp_min(0.0)

    @override
    def curvature(self, f: Tensor, df: Tensor) -> Tensor:
        p = F.softmax(f, 1)
        mean = (p * df).sum(1, keepdim=True)
        return self.masses.sum(1) * (p * (df - mean) ** 2).sum(1)

    @override
    def root(self, f: Tensor, z: Tensor) -> Tensor:
        p, mass = self._probabilities(f), self.masses.sum(1, keepdim=True)
        weighted = p.sqrt() * z
        return mass.sqrt() * (weighted - p * weighted.sum(2, keepdim=True))

    @override
    def coefficients(self, f: Tensor) -> Tensor:
        mass = self.masses.sum(1, keepdim=True)
        slope = mass * F.softmax(f, 1) - self.masses  # of sum 0, so that p (sqrt p . s) = 0
        return divided(slope, (mass * self._probabilities(f)).sqrt())

    @staticmethod
    def _probabilities(f: Tensor) -> Tensor:
        """At least one unit of rounding: s of a label that the model excludes stays finite."""
        p = F.softmax(f, 1) + rounding(f)
        return p / p.sum(1, keepdim=True)


@final
@dataclass(frozen=True, eq=False)
class Labelled(OutputLoss):
    """`Categorical` where all of a sample's mass (B, ...) is on one label: no (B, C) is formed.

    The mass is 0 where the label is ``ignored``.
    """

    label: Tensor
    mass: Tensor
    ignored: int

    @override
    def excess(self, f: Tensor) -> Tensor:
        each = F.cross_entropy(f, self.label, ignore_index=self.ignored, reduction="none")
        return each.mul_(self.mass)

    @override
    def curvature(self, f: Tensor, df: Tensor) -> Tensor:
        return Categorical(self.mass.unsqueeze(1)).curvature(f, df)

    @override
    def root(self, f: Tensor, z: Tensor) -> Tensor:
        return Categorical(self.mass.unsqueeze(1)).root(f, z)

    @override
    def coefficients(self, f: Tensor) -> Tensor:
        label = torch.where(self.label == self.ignored, 0, self.label)
        chosen = torch.zeros_like(f).scatter_(1, label.unsqueeze(1), 1.0)
        return Categorical(chosen * self.mass.unsqueeze(1)).coefficients(f)


@final
@dataclass(frozen=True, eq=False)
class Bernoulli(Separable):
    """``-m_1 log s(f) - m_0 log(1 - s(f))``, s the logistic function; G is Fisher's information."""

    ones: Tensor
    zeros: Tensor

    @override
    def excess(self, f: Tensor) -> Tensor:
        total = self.ones + self.zeros
        least = sum(torch.xlogy(m, m) - torch.xlogy(m, total) for m in (self.ones, self.zeros))
        found = least - self.ones * F.logsigmoid(f) - self.zeros * F.logsigmoid(-f)
        return found.clamp_min(0.0)

    @override
    def diagonal(self, f: Tensor) -> Tensor:
        spread = torch.sigmoid(f) * torch.sigmoid(-f)
        return (self.ones + self.zeros) * spread.clamp_min(rounding(f))

    @override
    def slope(self, f: Tensor) -> Tensor:
        return self.zeros * torch.sigmoid(f) - self.ones * torch.sigmoid(-f)


@final
@dataclass(frozen=True, eq=False)
class Squares(Separable):
    """``h (f - target)^2 / 2`` with precisions h, or one for all; G is the Hessian."""

    target: Tensor
    precision: Tensor | float

    @override
    def excess(self, f: Tensor) -> Tensor:
        return (f - self.target).square_().mul_(0.5 * self.precision)

    @override
    def diagonal(self, f: Tensor) -> Tensor:
        return torch.as_tensor(self.precision, dtype=f.dtype, device=f.device)

    @override
    def slope(self, f: Tensor) -> Tensor:
        return self.precision * (f - self.target)


@final
@dataclass(frozen=True, eq=False)
class Robust(Separable):
    """Squares near the target, straight lines beyond ``delta``, times ``weight``; G as its IRLS."""

    target: Tensor
    weight: float
    delta: float

    @override
    def excess(self, f: Tensor) -> Tensor:
        return self.weight * F.huber_loss(f, self.target, reduction="none", delta=self.delta)

    @override
    def diagonal(self, f: Tensor) -> Tensor:
        return self.weight * self.delta / (f - self.target).abs().clamp_min(self.delta)

    @override
    def slope(self, f: Tensor) -> Tensor:
        return self.weight * (f - self.target).clamp(-self.delta, self.delta)


@final
@dataclass(frozen=True, eq=False)
class Counts(Separable):
    """``weight (e^f - target f)``, Poisson's with a logarithmic link; G is Fisher's information."""

    target: Tensor
    weight: float

    @override
    def excess(self, f: Tensor) -> Tensor:
        saturated = torch.xlogy(self.target, self.target) - self.target
        return self.weight * (f.exp() - self.target * f + saturated).clamp_min(0.0)

    @override
    def diagonal(self, f: Tensor) -> Tensor:
        return self.weight * f.exp().clamp_min(rounding(f))

    @override
    def slope(self, f: Tensor) -> Tensor:
        return self.weight * (f.exp() - self.target)


def _share(criterion: Any, entries: float | Tensor) -> Any:
    """What the loss multiplies each entry by."""
    return 1.0 if criterion.reduction == "sum" else 1.0 / entries


def _cross_entropy(criterion: nn.CrossEntropyLoss, f: Tensor, target: Tensor) -> OutputLoss:
    classes, smoothing = f.shape[1], criterion.label_smoothing
    weight = None if criterion.weight is None else criterion.weight.to(f.dtype)
    by_class = 1.0 if weight is None else weight.view(1, -1, *[1] * (f.ndim - 2))
    if target.is_floating_point():
        masses = ((1 - smoothing) * target + smoothing / classes) * by_class
        return Categorical(masses * _share(criterion, f.numel() / classes))
    kept = target != criterion.ignore_index
    mass = kept.to(f.dtype)
    if weight is not None:
        mass = mass * weight[torch.where(kept, target, 0)]
    total = 1.0 if criterion.reduction == "sum" else mass.sum()
    if not smoothing:
        return Labelled(target, mass / total, criterion.ignore_index)
    one_hot = F.one_hot(torch.where(kept, target, 0), classes).movedim(-1, 1).to(f.dtype)
    masses = ((1 - smoothing) * one_hot + smoothing / classes) * by_class
    return Categorical(masses * kept.unsqueeze(1) / total)


def _negative_log_likelihood(criterion: nn.NLLLoss, f: Tensor, target: Tensor) -> OutputLoss:
    # Log-probabilities are their own log_softmax, so they are a cross-entropy's outputs too.
    return _cross_entropy(
        nn.CrossEntropyLoss(
            criterion.weight, ignore_index=criterion.ignore_index, reduction=criterion.reduction
        ),
        f, target,
    )  # fmt: skip


def _bernoulli(criterion: nn.BCEWithLogitsLoss, f: Tensor, target: Tensor) -> OutputLoss:
    weight = f.new_ones(()) if criterion.weight is None else criterion.weight
    positive = f.new_ones(()) if criterion.pos_weight is None else criterion.pos_weight
    share = _share(criterion, f.numel())
    return Bernoulli(share * weight * positive * target, share * weight * (1 - target))


def _squares(criterion: nn.MSELoss, f: Tensor, target: Tensor) -> OutputLoss:
    if target.shape != f.shape:
        target = target.expand(torch.broadcast_shapes(f.shape, target.shape))
    return Squares(target, 2.0 * _share(criterion, target.numel()))


def _huber(criterion: nn.HuberLoss, f: Tensor, target: Tensor) -> OutputLoss:
    return Robust(target, _share(criterion, f.numel()), criterion.delta)


def _smooth_l1(criterion: nn.SmoothL1Loss, f: Tensor, target: Tensor) -> OutputLoss:
    return Robust(target, _share(criterion, f.numel()) / criterion.beta, criterion.beta)


def _poisson(criterion: nn.PoissonNLLLoss, f: Tensor, target: Tensor) -> OutputLoss:
    if not criterion.log_input:
        raise UnsupportedError(
            "GaussNewton: expected PoissonNLLLoss(log_input=True), got log_input=False, whose rate "
            "may turn negative on the way. Let the model give the logarithm of the rate."
        )
    return Counts(target, _share(criterion, f.numel()))


def _gaussian(criterion: nn.GaussianNLLLoss, f: Tensor, target: Tensor, var: Any) -> OutputLoss:
    if isinstance(var, Tensor) and var.requires_grad:
        raise UnsupportedError(
            "GaussNewton: expected the variance of GaussianNLLLoss to be given, got one that the "
            "model computes. Return each sample's losses from the closure instead."
        )
    var = torch.as_tensor(var, dtype=f.dtype, device=f.device)
    if var.ndim == f.ndim - 1 and var.ndim:
        var = var.unsqueeze(-1)
    return Squares(target, _share(criterion, f.numel()) / var.clamp_min(criterion.eps))


_KNOWN: Mapping[type[nn.Module], Callable[..., OutputLoss]] = {
    nn.CrossEntropyLoss: _cross_entropy,
    nn.NLLLoss: _negative_log_likelihood,
    nn.BCEWithLogitsLoss: _bernoulli,
    nn.MSELoss: _squares,
    nn.HuberLoss: _huber,
    nn.SmoothL1Loss: _smooth_l1,
    nn.PoissonNLLLoss: _poisson,
    nn.GaussianNLLLoss: _gaussian,
}


def check_criterion(criterion: nn.Module) -> None:
    """Refuse a loss whose parts are not known, or that is not reduced to a number.

    Raises:
        UnsupportedError: For such a loss.
    """
    name = type(criterion).__name__
    if type(criterion) not in _KNOWN:
        raise UnsupportedError(
            f"GaussNewton: expected one of {', '.join(sorted(k.__name__ for k in _KNOWN))}, got "
            f"{name}. Call step(closure) with a closure that returns the outputs and the loss of "
            "each sample, whose sum is minimised."
        )
    if criterion.reduction not in ("mean", "sum"):
        raise UnsupportedError(
            f"GaussNewton: expected {name} with reduction='mean' or 'sum', got "
            f"{criterion.reduction!r}."
        )


def output_loss(criterion: nn.Module, arguments: tuple[Any, ...]) -> tuple[Tensor, OutputLoss]:
    """The outputs and the loss of one call of a criterion that `check_criterion` let pass."""
    f, *rest = arguments
    f = f.detach()
    if f.dtype in (torch.float16, torch.bfloat16):
        f = f.float()
    rest = [r.detach() if isinstance(r, Tensor) and not r.requires_grad else r for r in rest]
    if isinstance(criterion, nn.CrossEntropyLoss | nn.NLLLoss) and f.ndim == 1:
        f, rest = f[None], [rest[0][None]]
    return f, _KNOWN[type(criterion)](criterion, f, *rest)
