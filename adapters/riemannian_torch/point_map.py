"""A torch model as a map of one point: flat parameters and flat inputs to flat outputs.

The model sees each point as a batch of one, so points cannot mix. The frozen parameters and the
buffers are constants, read from the live model when an evaluation begins.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from riemannian_modules.errors import RiemannianError, UnsupportedError
from riemannian_modules.spaces import Port, Space
from riemannian_torch.places import slots, untouched
from riemannian_torch.tensors import kind_of

TensorMap: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@final
@dataclass(frozen=True, slots=True, eq=False)
class PointMap:
    """The model with the spaces of its arguments and of its trained parameters."""

    model: nn.Module
    inputs: Space
    parameters: Space
    where: str

    def function(self, dtype: torch.dtype | None = None) -> tuple[TensorMap, dict[str, Tensor]]:
        """``(theta, u) -> y`` on flat tensors of one point, and the constants that it reads.

        The constants are of the model's type, or of ``dtype`` where they are real.
        """
        # Copies, for a model may write into what it was given.
        constants = {
            name: values.detach().to(dtype if values.is_floating_point() else None, copy=True)
            for name, values in chain(self.model.named_parameters(), self.model.named_buffers())
            if name not in self.parameters
        }

        places = slots(self.model)

        def evaluate(theta: Tensor, u: Tensor) -> Tensor:
            results = named_results(self.where, self.results(theta, u, constants, places))
            return torch.cat([values.reshape(-1) for values in results.values()])

        return evaluate, constants

    def results(
        self,
        theta: Tensor,
        u: Tensor,
        constants: Mapping[str, Tensor],
        places: Mapping[str, str],
    ) -> Any:
        """What the model gives for a batch of one point; ``places`` are its `slots`."""
        own = {
            port.name: part.reshape(port.shape)
            for port, part in zip(
                self.parameters.ports, _parts(self.parameters, theta), strict=True
            )
        }
        arguments = tuple(
            part.reshape((1, *port.shape))
            for port, part in zip(self.inputs.ports, _parts(self.inputs, u), strict=True)
        )
        given = {**constants, **own}
        # Each place is named once: torch fills a layer that stands twice in a model twice, and then
        # takes its own filling for what was there before.
        filled = {slot: given[name] for slot, name in places.items() if name in given}
        return functional_call(self.model, filled, arguments, tie_weights=False)


def _parts(space: Space, vector: Tensor) -> tuple[Tensor, ...]:
    # One split, for its reverse is one concatenation; that of a slice is a whole vector of zeros.
    return torch.split(vector, [port.size for port in space.ports])


def named_results(where: str, results: Any) -> dict[str, Tensor]:
    """The model's tensors by port name, without the batch axis."""
    named = named_tensors(results)
    for name, values in named.items():
        _check_result(where, name, values)
    return {name: values[0] for name, values in named.items()}


def named_tensors(results: Any) -> dict[str, Any]:
    """What a model returns by port name.

    A single tensor is ``y``, the entries of a tuple or a list are ``y1``, ``y2``, ..., those of a
    mapping keep their keys.
    """
    if isinstance(results, Mapping):
        return {str(name): values for name, values in results.items()}
    if isinstance(results, tuple | list):
        return {f"y{i}": values for i, values in enumerate(results, 1)}
    return {"y": results}


def _check_result(where: str, name: str, values: Any) -> None:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        got = f"dtype {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
        raise UnsupportedError(
            f"{where}: expected real tensors as the model's outputs, got {got} for {name!r}. Wrap "
            "the model in one that returns its floating tensors only."
        )
    if values.ndim == 0 or values.shape[0] != 1:
        raise UnsupportedError(
            f"{where}: expected the output {name!r} to keep the batch axis in front, "
            f"(1, ...) for a batch of one, got shape {tuple(values.shape)}. Use batch_first=True, "
            "or squeeze only the axes that you mean."
        )


def output_space(named: Mapping[str, Tensor]) -> Space:
    """A port for each tensor, of its shape."""
    return Space(tuple(Port(name, tuple(values.shape)) for name, values in named.items()))


@contextmanager
def pure(point_map: PointMap, constants: Mapping[str, Tensor]) -> Generator[None]:
    """Refuse a model that draws at random, changes its buffers or cannot run.

    Raises:
        UnsupportedError: For such a model.
    """
    where, device = point_map.where, kind_of(point_map.model).device
    versions = {name: values._version for name, values in constants.items()}
    before = _random_state(device)
    try:
        with untouched(point_map.model):
            yield
    except (MemoryError, torch.OutOfMemoryError, RiemannianError):
        raise
    except Exception as error:
        mode = "It is in training mode: call .eval() on it. " if point_map.model.training else ""
        raise UnsupportedError(
            f"{where}: expected a differentiable map of real arrays (each point a batch of one), "
            f"but torch says: {str(error).rstrip('.')}. {mode}Check the shapes of the inputs; wrap "
            "a model of integers in one that takes real numbers."
        ) from error
    changed = [name for name, values in constants.items() if values._version != versions[name]]
    if changed:
        raise UnsupportedError(
            f"{where}: expected a map, but the model changes {changed[:8]} as it runs. Call "
            ".eval() on it, or move the change out of its forward."
        )
    if not torch.equal(before, _random_state(device)):
        raise UnsupportedError(
            f"{where}: expected a map, but the model draws at random as it runs. Call .eval() "
            "on it, or make the draw an input."
        )


def _random_state(device: torch.device) -> Tensor:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.get_rng_state()
