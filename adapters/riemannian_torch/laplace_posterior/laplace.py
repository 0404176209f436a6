"""Laplace's approximation: the exact metric of all data at a trained model's parameters.

Sources: MacKay (1992), Neural Computation 4, 448-472; Daxberger, Kristiadi, Immer, Eschenhagen,
Bauer and Hennig (2021), NeurIPS 34 (for networks).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_torch.gauss_newton.metric_choice import JointMetric, LayerMetric
from riemannian_torch.gauss_newton.processes_of import processes_of, put_to_rest
from riemannian_torch.laplace_posterior.likelihood import Likelihood
from riemannian_torch.laplace_posterior.model_columns import model_columns
from riemannian_torch.laplace_posterior.posterior import (
    Posterior,
    PosteriorBlock,
    positive_precision,
)

_JOINT = 4000  # parameters, up to which all are taken together
_MOST = 2**27  # numbers of a block's columns: 1 GiB


def laplace(
    model: nn.Module,
    criterion: nn.Module,
    loader: Iterable[tuple[Any, Tensor]],
    *,
    parameters: Iterable[nn.Parameter] | None = None,
    metric: JointMetric | LayerMetric | None = None,
    prior_precision: float = 1.0,
    noise: float | None = None,
    temperature: float = 1.0,
    batch_axis: int = 0,
) -> Posterior:
    """The posterior of a trained model's parameters: N(theta, (H + delta I)^-1).

    H is the exact metric summed over the data: Gauss-Newton's, which is Fisher's for these losses.
    Nothing is approximated in it, but that layers may be taken as independent.

    Args:
        model: Trained; it is copied, and evaluated in evaluation mode.
        criterion: The loss module of torch; its sum over the data is the negative log-likelihood,
            whatever its reduction.
        loader: Gives pairs of inputs (a tensor, or a tuple of what the model takes) and targets,
            each sample once.
        parameters: Which are uncertain, as ``model[-1].parameters()`` for the last layer; all that
            require a gradient where absent.
        metric: `JointMetric()` or `LayerMetric()`; by default joint up to 4,000 parameters.
        prior_precision: delta, of the normal prior of mean 0. A weight decay w of a loss that is
            a mean over N samples stands for ``delta = N w``.
        noise: Standard deviation of what is observed, for MSELoss; 1 where absent.
        temperature: What the log-likelihood is divided by; below 1 for a sharper posterior.
        batch_axis: The axis of the samples in the layers' inputs, 0 or 1.

    Cost: d backward passes a batch, and O(N d n min(N d, n)) operations for n parameters of a
    block; memory n min(N d, 2 n) numbers of 8 bytes.

    Raises:
        UnsupportedError: For a loss that is no likelihood, or too many parameters in a block.
        SignatureError: For no data, for parameters that are not the model's, or columns that
            are drawn.
        DomainError: For numbers that are not positive.
    """
    likelihood = Likelihood.of(criterion, noise, temperature)
    delta = positive_precision(prior_precision)
    if not isinstance(metric, JointMetric | LayerMetric | None):
        raise SignatureError(
            f"laplace: expected metric=JointMetric() or LayerMetric(), got {metric!r}."
        )
    if metric is not None and metric.columns is not None:
        raise SignatureError("laplace: expected a metric with all columns, got drawn ones.")
    _check_whole(model)
    if isinstance(loader, Dataset):
        raise SignatureError(
            "laplace: expected batches, got a Dataset, which gives single samples. Give a "
            "DataLoader of it."
        )
    names = _names(model, parameters)
    own = copy.deepcopy(model).eval()
    named = dict(own.named_parameters())
    for p in named.values():
        p.requires_grad = False
    uncertain = [named[name] for name in names]
    for p in uncertain:
        p.requires_grad = True
    blocks = _blocks(names, [p.numel() for p in uncertain], metric)
    gathered = [_Gathered(sum(named[n].numel() for n in block)) for block in blocks]
    value, count = 0.0, 0
    for batch in loader:
        arguments, given = _pair(batch)
        outputs: list[Tensor] = []

        def closure(a: Any = arguments, y: Any = given, found: list[Tensor] = outputs) -> Tensor:
            found.append(own(*a))
            likelihood.require(found[0], y[0])
            return likelihood.share * likelihood.criterion(found[0], *y)

        columns = model_columns(own, likelihood.criterion, uncertain, batch_axis, closure)
        count += columns.shape[1]
        with torch.no_grad():
            loss = likelihood.share * likelihood.criterion(outputs[0], *given)
        value -= float(loss) + likelihood.constant(outputs[0], given[0])
        start = 0
        for block in gathered:
            block.add(columns[..., start : start + block.size].flatten(0, 1))
            start += block.size
    if not count:
        raise SignatureError("laplace: expected samples from the loader, got none.")
    found = [
        block.summed(group, torch.cat([named[n].detach().double().cpu().flatten() for n in group]))
        for group, block in zip(blocks, gathered, strict=True)
    ]
    return Posterior(own, likelihood, tuple(found), value, delta, count, batch_axis)


def _check_whole(model: nn.Module) -> None:
    put_to_rest(model)
    if processes_of(model, list(model.parameters())).call_together:
        raise UnsupportedError(
            "laplace: expected a model of one process, got one that fully_shard has sharded. Build "
            "the model without it, and load what torch.distributed.checkpoint.state_dict."
            "get_model_state_dict gives with full_state_dict=True."
        )


def _pair(batch: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What the model takes, and the targets."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        got = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
        raise SignatureError(
            f"laplace: expected pairs (inputs, targets) from the loader, got {got}. Inputs of "
            "several tensors are a tuple: ((x1, x2), y)."
        )
    inputs, targets = batch
    return (
        inputs if isinstance(inputs, tuple) else (inputs,),
        targets if isinstance(targets, tuple) else (targets,),
    )


def _names(model: nn.Module, parameters: Iterable[nn.Parameter] | None) -> list[str]:
    wanted = [p for p in model.parameters() if p.requires_grad]
    wanted = wanted if parameters is None else list(parameters)
    if not all(isinstance(p, Tensor) for p in wanted):
        raise SignatureError(
            "laplace: expected parameters such as model[-1].parameters(), got others than tensors."
        )
    known = {p: name for name, p in model.named_parameters()}
    foreign = [tuple(p.shape) for p in wanted if p not in known]
    if foreign or not wanted:
        raise SignatureError(
            f"laplace: expected parameters of the model, got "
            f"{f'others of shapes {foreign[:4]}' if foreign else 'none that require a gradient'}."
        )
    order = list(known.values())
    return sorted((known[p] for p in wanted), key=order.index)


def _blocks(
    names: Sequence[str], sizes: Sequence[int], metric: JointMetric | LayerMetric | None
) -> list[tuple[str, ...]]:
    """The names of the parameters that are taken together, in the model's order."""
    if isinstance(metric, JointMetric) or (metric is None and sum(sizes) <= _JOINT):
        return [tuple(names)]
    layers: dict[str, list[str]] = {}
    for name in names:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    return [tuple(layer) for layer in layers.values()]


class _Gathered:
    """The columns of a block, compressed to n rows R with ``R^T R = U U^T`` as they grow."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._rows = torch.zeros(0, size, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """More columns of U, as rows."""
        if min(len(self._rows) + len(rows), 2 * self.size) * self.size > _MOST:
            raise UnsupportedError(
                f"laplace: expected blocks of fewer parameters, for {self.size:,} take more than "
                f"{_MOST * 8 / 2**30:.0f} GiB. Give metric=LayerMetric(), or only the last layer, "
                "parameters=model[-1].parameters()."
            )
        self._rows = torch.cat([self._rows, rows])
        if len(self._rows) > 2 * self.size:
            self._rows = torch.linalg.qr(self._rows, mode="r")[1]

    def summed(self, names: tuple[str, ...], mean: Tensor) -> PosteriorBlock:
        """The block, by the singular values of all columns."""
        _, roots, axes = torch.linalg.svd(self._rows, full_matrices=False)
        return PosteriorBlock(names, mean, axes.T.contiguous(), roots.square())
