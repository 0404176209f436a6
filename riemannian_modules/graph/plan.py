"""The plan of a sweep: which leaf is computed when, and from where its inputs come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray

from riemannian_modules.graph.schedule import Address, Task
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.modules.ownership import owners_of
from riemannian_modules.spaces import Space

EXTERNAL = -1  # the "leaf" that stands for the composite's own inputs


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """One input port's source: ``place`` in the outputs of ``leaf`` goes to ``target``."""

    leaf: int
    place: slice
    target: slice


@final
@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf module, its place in the composite's state and parameters, its inputs' sources.

    ``theta`` is a list of positions where the leaf's owners of parameters do not follow each other.

    ``whole`` is the one leaf whose output vector is the input vector as it stands, or None.
    """

    name: str
    module: RiemannianModule
    state: slice
    theta: slice | NDArray[np.intp]
    pieces: tuple[Piece, ...]
    whole: int | None
    is_static: bool
    inputs: int
    outputs: int


@final
@dataclass(frozen=True, slots=True)
class Step:
    """Compute a leaf's outputs: all of them (``places`` None) or some.

    ``is_whole`` says that all outputs are computed from all inputs; ``pieces`` are the inputs that
    these outputs need; the others may not be known yet.
    """

    leaf: int
    places: tuple[slice, ...] | None
    pieces: tuple[Piece, ...]
    has_all_inputs: bool
    is_whole: bool


@final
@dataclass(frozen=True)
class Plan:
    """Leaves in order of wiring, steps in order of computation, and what the composite shows."""

    leaves: tuple[Leaf, ...]
    steps: tuple[Step, ...]
    shown: tuple[Piece, ...]

    @cached_property
    def is_whole(self) -> bool:
        """Whether each leaf is computed in one step, all outputs from all inputs."""
        return all(step.is_whole for step in self.steps)

    @cached_property
    def guessed(self) -> tuple[int, ...]:
        """Leaves computed before all inputs are known, on somebody's word or after a trial.

        Classes that derive their feedthrough from what they are do so in a property of their own.
        """
        early = {step.leaf for step in self.steps if not step.has_all_inputs}
        return tuple(i for i in sorted(early) if not _derives(self.leaves[i].module))

    @cached_property
    def used_up(self) -> tuple[tuple[int, ...], ...]:
        """For each step, the leaves whose outputs nothing needs after it.

        Neither a later step, nor a state, nor what is shown: a sweep that lets go of them needs the
        memory of a few leaves.
        """
        kept = {p.leaf for p in self.shown}
        for leaf in self.leaves:
            if not leaf.is_static:
                kept |= {p.leaf for p in leaf.pieces}
        last = {step.leaf: i for i, step in enumerate(self.steps)}
        for i, step in enumerate(self.steps):
            last |= {p.leaf: i for p in step.pieces}
        ends: list[list[int]] = [[] for _ in self.steps]
        for leaf, i in last.items():
            if leaf != EXTERNAL and leaf not in kept:
                ends[i].append(leaf)
        return tuple(tuple(end) for end in ends)


def _derives(module: RiemannianModule) -> bool:
    own: object = type(module).feedthrough
    return isinstance(own, cached_property) and own is not RiemannianModule.feedthrough


def make_plan(
    nodes: Mapping[str, RiemannianModule],
    sources: Mapping[Address, Address],
    fed: Mapping[Address, str],
    output_sources: Mapping[str, Address],
    inputs: Space,
    tasks: Sequence[Task],
) -> Plan:
    """Resolve names to positions, in O(nodes + ports)."""
    index = {name: i for i, name in enumerate(nodes)}
    outputs = [m.signature.outputs for m in nodes.values()]

    def piece(name: str, port: str, target: slice) -> Piece:
        if (name, port) in fed:
            return Piece(EXTERNAL, inputs.slice_of(fed[name, port]), target)
        source, out = sources[name, port]
        return Piece(index[source], outputs[index[source]].slice_of(out), target)

    leaves: list[Leaf] = []
    theta: dict[int, slice] = {}
    x_end = theta_end = 0
    for name, module in nodes.items():
        s = module.signature
        for owner in owners_of(module).values():
            if id(owner) not in theta:
                size = owner.signature.parameters.size
                theta[id(owner)] = slice(theta_end, theta_end + size)
                theta_end += size
        pieces = tuple(
            piece(name, port, target)
            for port, target in zip(s.inputs.names, s.inputs.slices, strict=True)
        )
        leaves.append(Leaf(
            name, module, slice(x_end, x_end + s.state.size),
            _joined([theta[id(owner)] for owner in owners_of(module).values()]), pieces,
            _whole(pieces, inputs.size, outputs), s.time is Time.STATIC, s.inputs.size,
            s.outputs.size,
        ))  # fmt: skip
        x_end += s.state.size
    shown = tuple(
        Piece(index[node], outputs[index[node]].slice_of(port), slice(0, 0))
        for node, port in output_sources.values()
    )
    return Plan(
        tuple(leaves), tuple(_step(task, leaves[index[task.node]], index) for task in tasks), shown
    )


def _joined(places: list[slice]) -> slice | NDArray[np.intp]:
    """The places one after the other: a slice where they are one, else all positions."""
    if all(a.stop == b.start for a, b in pairwise(places)):
        return slice(places[0].start, places[-1].stop) if places else slice(0, 0)
    return np.concatenate([np.r_[place] for place in places])


def _whole(pieces: tuple[Piece, ...], external: int, outputs: list[Space]) -> int | None:
    if len(pieces) != 1:
        return None
    (only,) = pieces
    size = external if only.leaf == EXTERNAL else outputs[only.leaf].size
    return only.leaf if only.place == slice(0, size) else None


def _step(task: Task, leaf: Leaf, index: Mapping[str, int]) -> Step:
    s = leaf.module.signature
    wanted = s.outputs.names if task.ports is None else task.ports
    needed = {i for i, o in leaf.module.feedthrough if o in wanted}
    pieces = tuple(p for p, port in zip(leaf.pieces, s.inputs.names, strict=True) if port in needed)
    places = None if task.ports is None else tuple(s.outputs.slice_of(o) for o in task.ports)
    has_all = len(pieces) == len(leaf.pieces)
    return Step(index[task.node], places, pieces, has_all, has_all and places is None)
