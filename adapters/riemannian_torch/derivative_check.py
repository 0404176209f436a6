"""Whether the derivative that torch gives is that of the model's values.

What is detached, computed under ``no_grad``, rounded or cast to integers has the derivative zero in
torch, whatever its values do. Along a line the values must change by the integral of their slope:
kinks (relu) pass, for the slope at a kink lies between those beside it; jumps and lost slopes do
not, however small the piece of the line that is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import Tensor
from torch.func import vjp
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map
from typing_extensions import override

from riemannian_modules.errors import UnsupportedError
from riemannian_modules.spaces import Array
from riemannian_torch.batch import Mapped, one_by_one
from riemannian_torch.point_map import PointMap, pure
from riemannian_torch.tensors import TensorKind, array, kind_of

ValuesAlong: TypeAlias = Callable[
    [Array], tuple[Array, Array]
]  # places on a line -> values, slopes

MANY = 100_000  # parameters, of which there is one copy at a time
LINES, PIECES, FINER = 3, 16, 4
SHORTEST = 1e-5  # piece of a line, of its whole length
SHARE, ROUNDING = 1e-4, 1e-10  # of the change, and of the values, that is no disagreement


def check_derivative(point_map: PointMap, over: Mapped, theta: Array, outputs: int) -> None:
    """Raise UnsupportedError where values and derivatives disagree along some random lines.

    Args:
        point_map: The model, with ``outputs`` outputs.
        over: How it is mapped over points.
        theta: Its parameters, (p,).
        outputs: Their number.

    A float32 model is looked at in float64. One that does not run there, or that is undefined along
    the lines, is taken as it is. Cost: some hundred evaluations.
    """
    over = over if len(theta) < MANY else one_by_one
    for seed in range(LINES):
        rng = np.random.default_rng(seed)
        try:
            _check_line(point_map, theta, _line(point_map, over, theta, outputs, rng))
        except _NotRunError:
            return


class _NotRunError(Exception):
    """The model does not run in float64, or at the points that were tried."""


def _check_line(point_map: PointMap, theta: Array, line: ValuesAlong) -> None:
    length = 1.0 / PIECES
    places = np.linspace(0.0, 1.0, PIECES + 1)
    values, slopes = line(places)
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    while True:
        change, mean = np.diff(values), length * (slopes[1:] + slopes[:-1]) / 2
        # At a kink the true mean slope lies between the two ends' slopes.
        excess = np.abs(change - mean) - length * np.abs(np.diff(slopes)) / 2
        k = int(np.argmax(np.where(np.isfinite(excess), excess, -np.inf)))
        least = SHARE * max(abs(change[k]), abs(mean[k])) + ROUNDING * size
        if not excess[k] > least:
            return
        if length <= SHORTEST:
            raise _disagreement(point_map, theta, float(change[k]), float(mean[k]))
        places = np.linspace(places[k], places[k + 1], FINER + 1)
        length /= FINER
        values, slopes = line(places)


def _line(
    point_map: PointMap, over: Mapped, theta: Array, outputs: int, rng: np.random.Generator
) -> ValuesAlong:
    """A random combination of the outputs along a random line through parameters and inputs."""
    own = kind_of(point_map.model)
    kind = TensorKind(torch.float64, own.device)
    function, constants = point_map.function(kind.dtype)
    m, p = point_map.inputs.size, len(theta)
    u, along_u = kind.tensor(0.3 * rng.standard_normal(m)), kind.tensor(4 * rng.standard_normal(m))
    base, weights = kind.tensor(theta), kind.tensor(rng.standard_normal(outputs))
    along = kind.tensor(_typical(point_map, theta) * rng.standard_normal(p))

    def value(s: Tensor) -> Tensor:
        return weights @ function(base + (s - 0.5) * along, u + (s - 0.5) * along_u)

    def value_and_slope(s: Tensor) -> Tensor:
        found: Any = vjp(value, s)
        y, back = found
        return torch.stack([y, back(torch.ones_like(y))[0]])

    def line(places: Array) -> tuple[Array, Array]:
        in_double = _Doubled() if own.dtype == torch.float32 else nullcontext()
        try:
            with pure(point_map, constants), in_double:
                found = array(over(value_and_slope, (True,), (kind.tensor(places),)))
        except UnsupportedError as error:
            raise _NotRunError from error
        return found[:, 0], found[:, 1]

    return line


def _typical(point_map: PointMap, theta: Array) -> Array:
    """A tenth of the size that the entries of each parameter have, shape (p,)."""
    size = math.sqrt(float(np.mean(theta**2))) if len(theta) else 0.0
    result = np.full(len(theta), 0.1 * size or 0.1)
    for place in point_map.parameters.slices:
        own = math.sqrt(float(np.mean(theta[place] ** 2))) if theta[place].size else 0.0
        if own > 0:
            result[place] = 0.1 * own
    return result


def _disagreement(
    point_map: PointMap, theta: Array, change: float, mean: float
) -> UnsupportedError:
    calls = _calls_without_derivative(point_map, theta)
    named = f" Its forward uses {', '.join(calls)}." if calls else ""
    return UnsupportedError(
        f"{point_map.where}: expected a model whose derivative is that of its values, but along a "
        f"line they change by {change:.6g} where torch's derivative says {mean:.6g}.{named} "
        "Detached, rounded or integer numbers have no derivative in torch, and a jump has none at "
        "all: compute them outside, or register what is constant as a buffer. If you mean it "
        "(a straight-through estimator), wrap it with TorchModule.trusting_torch."
    )


def _calls_without_derivative(point_map: PointMap, theta: Array) -> list[str]:
    kind = kind_of(point_map.model)
    function, _ = point_map.function()
    watch = _Watch()
    with watch:
        function(kind.tensor(theta), kind.tensor(np.zeros(point_map.inputs.size)))
    return sorted(watch.found)


_WITHOUT = frozenset(
    text
    for line in (
        "detach detach_ item tolist numpy __float__ __int__ __bool__ long int short bool byte",
        "round floor ceil trunc fix sign heaviside floor_divide argmax argmin argsort one_hot",
        "bucketize searchsorted gt lt ge le eq ne",
    )
    for text in line.split()
)


@final
class _Doubled(TorchFunctionMode):
    """Computes in float64 what a model would compute in float32."""

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given, named = tree_map(_doubled, (args, kwargs or {}))
        return tree_map(_doubled, func(*given, **named))


def _doubled(value: Any) -> Any:
    is_single = isinstance(value, Tensor) and value.dtype == torch.float32
    return value.to(torch.float64) if is_single else value


@final
class _Watch(TorchFunctionMode):
    """Notes the names of functions that give no derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(getattr(func, "__name__", ""))
        if name in _WITHOUT:
            self.found.add(name)
        if not torch.is_grad_enabled():
            self.found.add("no_grad")
        result = func(*args, **(kwargs or {}))
        if name in ("to", "type") and isinstance(result, Tensor) and not result.is_floating_point():
            self.found.add(f"a cast to {str(result.dtype).removeprefix('torch.')}")
        return result
