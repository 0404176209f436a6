"""A torch model as a graph of modules, layer by layer where torch tells its layers.

Source: PyTorch, torch.export, https://pytorch.org/docs/stable/export.html.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from riemannian_modules.errors import SignatureError, UnsupportedError
from riemannian_modules.graph import ModuleGraph, Wiring
from riemannian_modules.spaces import Array, Port, Space
from riemannian_torch.origin import Layer, TorchOrigin, is_proved, kind_of_layer
from riemannian_torch.point_map import named_results, output_space
from riemannian_torch.reading.exported import export, trained_names
from riemannian_torch.reading.reader import Reader, Reading
from riemannian_torch.reading.traced import read_traced
from riemannian_torch.reading.values import NotLayeredError
from riemannian_torch.tensors import array, check_numbers
from riemannian_torch.torch_module import TorchModule
from riemannian_torch.training_layers import check_maps

Examples: TypeAlias = tuple[Tensor, ...]

POINTS = 3  # at which the graph is compared with the model
SPREAD = 0.3  # of the points around the example
STEP, AGREEMENT = 1e-5, 1e-4  # of differences that stand for a derivative
DOUBLE, SINGLE = 1e-9, 1e-3  # differences that are rounding; the latter where torch's is float32


def from_torch(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> ModuleGraph:
    """Read a model as a graph of modules: for metrics layer by layer, and for proofs.

    Affine layers (dense, convolutions, embeddings, pools, normalisation by stored statistics) and
    activations become modules of this library with exactly the model's numbers, float32 in float64;
    gates of recurrent cells too. What has no rigorous enclosure (softmax, layer norms, products in
    attention) stays a `TorchModule`: values, Jacobians and propagation work, and a proof is refused
    by its name. The ways are tried in this order: torch.export; torch.fx, with submodules that
    cannot be exported as nodes of their own; one opaque module.

    Args:
        model: In evaluation mode, float64 or float32 throughout. It is left as it is; the graph's
            own layers have the values that it has now.
        example_inputs: What the model is called with, the batch axis in front; its sizes are those
            of the graph's inputs. Integers are indices of an embedding, whose port takes one-hot
            vectors.

    Returns:
        The graph; its inputs have the names of forward's arguments, its parameters those of the
        submodules, "encoder_fc.W". ``graph.origin`` says which way was taken, why not another, and
        what became of each layer.

    Raises:
        UnsupportedError: Where the model is no differentiable map of real arrays, as `TorchModule`.
        SignatureError: Where the example is none.

    Proofs speak of the model's numbers in exact arithmetic: the rounding of torch's evaluation is
    not covered. Cost: one export, and some hundred evaluations that check the derivative.
    """
    where = f"from_torch({type(model).__name__})"
    examples = _examples(where, example_inputs)
    check_numbers(where, model)
    check_maps(where, model)
    inputs, has_indices = _inputs(model, examples), not all(e.is_floating_point() for e in examples)
    # Indices it takes for real numbers.
    whole = None if has_indices else _whole(model, inputs)
    refused: dict[str, str] = {}
    for way, read in (("torch.export", _read_exported), ("torch.fx", read_traced)):
        try:
            reading = read(model, examples, inputs, _outputs(where, model, examples))
            _compare(reading.graph, model, examples)
            if not isinstance(whole, TorchModule):
                _check_slopes(reading.graph)
        except NotLayeredError as reason:
            refused[way] = str(reason)
        else:
            return _with_origin(reading, model, way, refused)
    if isinstance(whole, UnsupportedError):
        raise whole
    if whole is None:
        raise UnsupportedError(
            f"{where}: expected a model of indices that can be read layer by layer, but "
            f"{'; '.join(f'{way}: {why}' for way, why in refused.items())}. Wrap it in one that "
            "takes the rows of its embeddings."
        )
    return _with_origin(_opaque(whole), model, "one module", refused)


def _whole(model: nn.Module, inputs: Space) -> TorchModule | UnsupportedError:
    """The model as one module, with its derivative checked; or why it is no map.

    torch.func refuses some that can be exported: autograd functions of the old style, checkpoints.
    """
    try:
        return TorchModule(model, inputs)
    except UnsupportedError as error:
        return error


def _check_slopes(graph: ModuleGraph) -> None:
    """Raise NotLayeredError unless the derivative is that of the values, along some lines."""
    rng, m = np.random.default_rng(1), graph.inputs.size
    for _ in range(POINTS):
        u, along = SPREAD * rng.standard_normal(m), rng.standard_normal((m, 1))
        step = STEP * along[:, 0]
        ends = graph.output(np.zeros(0), np.stack([u - step, u + step]), graph.theta)
        change = (ends[1] - ends[0]) / (2.0 * STEP)
        at = graph.differential(np.zeros(0), u, graph.theta)
        slope = at.push_outputs(np.zeros((0, 1)), along)[:, 0]
        if not np.abs(change - slope).max(initial=0.0) <= AGREEMENT * (1.0 + np.abs(slope).max()):
            raise NotLayeredError("its values change otherwise than torch's derivative says")


def _examples(where: str, given: Tensor | Sequence[Tensor]) -> Examples:
    examples: tuple[Any, ...] = (given,)
    if isinstance(given, list | tuple):
        examples = tuple(given)
    wrong = [type(e).__name__ for e in examples if not isinstance(e, Tensor)]
    empty = [
        tuple(e.shape) for e in examples if isinstance(e, Tensor) and (not e.ndim or not len(e))
    ]
    if wrong or empty or not examples:
        raise SignatureError(
            f"{where}: expected example_inputs as the tensors that forward takes, the batch axis "
            f"in front, got {wrong or empty or 'none'}. Write from_torch(model, torch.zeros(1, 3))."
        )
    return tuple(e[:1].detach() for e in examples)


def _inputs(model: nn.Module, examples: Examples) -> Space:
    """A port for each argument of forward, of the shape of one point."""
    taken = [
        p.name
        for p in inspect.signature(model.forward).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    names = taken if len(taken) >= len(examples) else [f"u{i + 1}" for i in range(len(examples))]
    return Space(tuple(Port(n, tuple(e.shape[1:])) for n, e in zip(names, examples, strict=False)))


def _outputs(where: str, model: nn.Module, examples: Examples) -> Space:
    try:
        with torch.no_grad():
            results = model(*examples)
    except Exception as error:
        raise NotLayeredError(f"it does not run on the example: {error}") from error
    return output_space(named_results(where, results))


def _read_exported(model: nn.Module, examples: Examples, inputs: Space, outputs: Space) -> Reading:
    exported = export(model, examples, trained_names(model))
    reader = Reader(exported.with_indices(inputs, examples), outputs)
    return reader.finish(reader.read(exported, reader.given))


def _opaque(whole: TorchModule) -> Reading:
    wiring = Wiring(model=whole)
    for name in whole.inputs.names:
        wiring.input(name, f"model.{name}")
    for name in whole.outputs.names:
        wiring.output(name, f"model.{name}")
    parameters = {
        f"model.{p.name}": (p.name, np.arange(p.size)) for p in whole.signature.parameters.ports
    }
    return Reading(wiring.build(), {"model": type(whole.model).__name__}, parameters)


def _compare(graph: ModuleGraph, model: nn.Module, examples: Examples) -> None:
    """Raise NotLayeredError unless graph and model give the same at some points."""
    reference, limit = _in_double(model, examples)
    is_single = any(e.dtype is torch.float32 for e in examples)
    if is_single and any(not is_proved(m) for m in graph.nodes.values()):
        limit = SINGLE
    rng, s = np.random.default_rng(0), graph.signature
    dtype = torch.float64 if limit == DOUBLE or reference is not model else torch.float32
    for _ in range(POINTS):
        points = [_near(e, port, rng) for e, port in zip(examples, s.inputs.ports, strict=True)]
        u = np.concatenate(
            [_as_port(p, port) for p, port in zip(points, s.inputs.ports, strict=True)]
        )
        with torch.no_grad():
            given = [p.to(dtype) if p.is_floating_point() else p for p in points]
            expected = _flat(reference(*given))
        found = graph.output(np.zeros(0), u, graph.theta)
        size = 1.0 + float(np.abs(expected).max(initial=0.0))
        gap = float(np.abs(found - expected).max(initial=0.0))
        if not gap <= limit * size:
            raise NotLayeredError(f"its values would differ by {gap:.3g}")


def _in_double(model: nn.Module, examples: Examples) -> tuple[nn.Module, float]:
    """The model in float64, if it runs there, and how closely values can be compared."""
    if all(e.dtype is not torch.float32 for e in examples) and all(
        p.dtype is torch.float64 for p in model.parameters()
    ):
        return model, DOUBLE
    try:
        twin = copy.deepcopy(model).double()
        with torch.no_grad():
            twin(*(e.double() if e.is_floating_point() else e for e in examples))
    except Exception:  # noqa: BLE001 - whatever a model raises that is not made for float64
        return model, SINGLE
    return twin, DOUBLE


def _near(example: Tensor, port: Port, rng: np.random.Generator) -> Tensor:
    if not example.is_floating_point():
        return torch.as_tensor(rng.integers(0, port.shape[-1], tuple(example.shape)))
    noise = torch.as_tensor(rng.standard_normal(tuple(example.shape)))
    return example.double().cpu() + SPREAD * noise


def _as_port(point: Tensor, port: Port) -> Array:
    """A point as its port takes it: indices as one-hot vectors."""
    if point.is_floating_point():
        return array(point).ravel()
    return np.eye(port.shape[-1])[point.numpy().ravel()].ravel()


def _flat(results: Any) -> Array:
    parts = named_results("the model", results).values()
    return np.concatenate([array(part).ravel() for part in parts])


def _with_origin(
    reading: Reading, model: nn.Module, way: str, refused: Mapping[str, str]
) -> ModuleGraph:
    graph = reading.graph
    layers = tuple(
        Layer(name, kind_of_layer(module), reading.operations.get(name, ""), is_proved(module))
        for name, module in graph.nodes.items()
    )
    graph.origin = TorchOrigin(type(model).__name__, way, dict(refused), layers, reading.parameters)
    return graph
