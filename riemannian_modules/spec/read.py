"""The plain data of a system file turned into modules; every fault is told with its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, final

from pydantic import BaseModel, ValidationError

from riemannian_modules.arithmetic.expression_data import expressions_from_data
from riemannian_modules.errors import RegionError, RiemannianError, SpecError
from riemannian_modules.graph import Wiring
from riemannian_modules.modules.expression_module import ExpressionModule
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.region import box
from riemannian_modules.spaces import as_space
from riemannian_modules.spec.models import (
    EventSpec,
    ExpressionsSpec,
    GraphSpec,
    SameSpec,
    Strict,
    SystemFile,
    file_model,
    type_models,
)
from riemannian_modules.spec.read_simulation import simulation_of
from riemannian_modules.spec.registry import constructors
from riemannian_modules.spec.system import FitTask, Goal, Simulation, System

T = TypeVar("T")
MOST_LEVELS = 300  # an expression alone may have 200


def system_from_data(data: object, source: str = "system") -> System:
    """Check data and build the system that it describes.

    Args:
        data: Decoded JSON.
        source: The file's name, for messages.

    Raises:
        SpecError: With every fault of shape at once, or the first of meaning, each with its place
            as a JSON pointer.
    """
    _check_depth(data, source)
    try:
        spec = file_model().model_validate(data)
    except ValidationError as error:
        raise SpecError(_faults(error, data, source)) from None
    module = _Reader(source).module(spec.system, "/system", "")
    region = _at(f"{source}: /region", lambda: box(spec.region))
    _at(f"{source}: /region", lambda: _check_region(module, region.sides))
    return System(
        module, spec.name, spec.description, tuple(spec.citations), region,
        Goal(spec.certify.rate, spec.certify.factor) if spec.certify else None,
        simulation_of(spec.simulation, module, f"{source}: /simulation")
        if spec.simulation
        else None,
        FitTask(**dict(spec.fit)) if spec.fit else None,
    )  # fmt: skip


def _check_depth(data: object, source: str) -> None:
    """Refuse what recursion could not follow."""
    level = [data]
    for _ in range(MOST_LEVELS):
        inner = (
            v.values() if isinstance(v, dict) else v for v in level if isinstance(v, (dict, list))
        )
        level = [part for parts in inner for part in parts]
        if not level:
            return
    raise SpecError(
        f"{source}: expected at most {MOST_LEVELS} levels of objects and lists inside each other, "
        "got more."
    )


def _check_region(module: RiemannianModule, sides: Mapping[str, Any]) -> None:
    known = {
        name for part in module.signature.distinct for name in (*part.names, *part.coordinates)
    }
    for name in sides:
        if name not in known:
            raise RegionError(
                f"{name!r} is no state, input or parameter of the system. "
                f"{_nearest(name, sorted(known))}"
            )


def _at(where: str, build: Callable[[], T]) -> T:
    """Run a constructor; its errors gain the place in the file."""
    try:
        return build()
    except RiemannianError as error:
        raise SpecError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise SpecError(f"{where}: the values do not fit together: {error}.") from error


def _nearest(name: str, known: Sequence[str]) -> str:
    guess = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {guess[0]!r}? " if guess else ""
    return f"{hint}Known are: {', '.join(known[:40]) or 'none'}."


@final
class _Reader:
    """One file's reading; remembers the modules by place, for those that stand twice."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._places: dict[str, RiemannianModule] = {}

    def module(self, spec: BaseModel, pointer: str, place: str) -> RiemannianModule:
        where = f"{self._source}: {pointer}"
        if isinstance(spec, SameSpec):
            if spec.place not in self._places:
                raise SpecError(
                    f"{where}/place: expected the place of a module that stands earlier in the "
                    f"file, got "
                    f"{spec.place!r}. {_nearest(spec.place, list(self._places))}"
                )
            return self._places[spec.place]
        if isinstance(spec, GraphSpec):
            module = self._graph(spec, pointer, place)
        elif isinstance(spec, ExpressionsSpec):
            module = self._expressions(spec, where)
        else:
            module = self._made(spec, pointer, place)
        self._places[place] = module
        return module

    def _graph(self, spec: GraphSpec, pointer: str, place: str) -> RiemannianModule:
        wiring = Wiring()
        prefix = f"{place}." if place else ""
        for name, part in spec.modules.items():
            wiring.add(name, self.module(part, f"{pointer}/modules/{name}", prefix + name))
        for source, target in spec.connect:
            wiring.connect(source, target)
        for name, targets in spec.inputs.items():
            wiring.input(name, *targets)
        for name, source in spec.outputs.items():
            wiring.output(name, source)
        graph = _at(f"{self._source}: {pointer}", wiring.build)
        return graph.as_row() if spec.row else graph

    def _expressions(self, spec: ExpressionsSpec, where: str) -> RiemannianModule:
        expressions = expressions_from_data(spec.expressions, f"{where}/expressions")
        spaces = _at(
            where,
            lambda: (
                as_space("state", spec.state),
                as_space("inputs", spec.inputs),
                as_space("outputs", spec.outputs),
            ),
        )
        return _at(
            where,
            lambda: ExpressionModule(
                spec.name,
                Time(spec.time),
                spaces,
                spec.parameters,
                expressions,
                _tuples(spec.sampling_time),
                _tuples(spec.time_input),
            ),
        )

    def _made(self, spec: BaseModel, pointer: str, place: str) -> RiemannianModule:
        given = spec.model_fields_set
        rows = {name: getattr(spec, name) for name in type(spec).model_fields if name in given}
        rows |= spec.model_extra or {}  # ports by name, in the file's order
        constructor = constructors()[rows.pop("type")]
        parameters = {} if "parameters" in constructor.arguments else rows.pop("parameters", {})
        values = {
            name: self._argument(value, constructor.kinds(name), f"{pointer}/{name}",
                                 f"{place}.{name}" if place else name)
            for name, value in rows.items()
        }  # fmt: skip
        where = f"{self._source}: {pointer}"
        module = _at(where, lambda: constructor.cls(**values))
        if not parameters:
            return module
        return _at(f"{where}/parameters", lambda: module.with_parameters(parameters))

    def _argument(self, value: Any, kinds: Sequence[str], pointer: str, place: str) -> Any:
        if isinstance(value, Strict):
            return self.module(value, pointer, place)
        return value if "ArrayLike" in kinds else _tuples(value)


def _tuples(value: Any) -> Any:
    """JSON has lists alone; constructors that do not take arrays take tuples."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


def _faults(error: ValidationError, data: object, source: str) -> str:
    rows = [
        f"{source}: {_fault(e['loc'], e['type'], e['msg'], e['input'], data)}"
        for e in error.errors(include_url=False)
    ]
    return "\n".join(rows[:20]) + (f"\n... and {len(rows) - 20} more" if len(rows) > 20 else "")


def _fault(loc: tuple[int | str, ...], kind: str, message: str, got: Any, data: object) -> str:
    pointer, parent = _pointer(loc, data)
    if kind == "extra_forbidden":
        key = str(loc[-1])
        return f"{pointer}: unknown key {key!r}. {_nearest(key, _known_keys(pointer, parent))}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        name = got.get("type") if isinstance(got, dict) else got
        return (
            f"{pointer}/type: expected the name of a module type, got {name!r}. "
            f"{_nearest(str(name), list(type_models()))}"
        )
    if kind == "missing":
        return f"{pointer}: this key is missing; add it."
    shown = repr(got)
    shown = shown if len(shown) < 60 else shown[:56] + " ..."
    said = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{pointer}: {said if said.startswith('expected') else f'expected {said}, got {shown}'}."


def _pointer(loc: tuple[int | str, ...], data: object) -> tuple[str, Any]:
    """The JSON pointer of a pydantic location, less its union tags, and the last object."""
    here, parent, steps = data, data, list[str]()
    for i, key in enumerate(loc):
        is_tag = isinstance(here, dict) and key == here.get("type") and i + 1 < len(loc)
        is_key = isinstance(here, dict) and key in here
        if (is_tag and not is_key) or (isinstance(key, str) and "[" in key and not is_key):
            continue
        steps.append(str(key).replace("~", "~0").replace("/", "~1"))
        parent = here
        if isinstance(here, dict):
            here = here.get(key)
        elif isinstance(here, list) and isinstance(key, int) and key < len(here):
            here = here[key]
    return "/" + "/".join(steps), parent


def _known_keys(pointer: str, parent: Any) -> list[str]:
    if isinstance(parent, dict) and parent.get("type") in type_models():
        return list(type_models()[parent["type"]].model_fields)
    steps = pointer.split("/")
    if len(steps) == 2:
        return list(SystemFile.model_fields)
    if steps[1:3] == ["simulation", "events"] and len(steps) > 4:
        return list(EventSpec.model_fields)
    sections = {"certify": Goal, "simulation": Simulation, "fit": FitTask}
    section = sections.get(steps[1])
    return list(section.__dataclass_fields__) if section else []
