"""The shape of a system file as pydantic models, from which its JSON schema is made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    create_model,
)

from riemannian_modules.errors import RiemannianError
from riemannian_modules.spec.registry import Argument, constructors

FORMAT = "riemannian-modules/system/1"


def _numbers(value: Any) -> Any:
    """A number or nested lists of numbers."""
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, or nested lists of numbers, got {str(value)[:60]!r}")
    return value


def _drive(value: Any) -> Any:
    """An input of a simulation: numbers, a formula's text, or a table."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return _numbers(value)
    from riemannian_modules.engine.input_tables import held_table, linear_table

    makers = {"held": held_table, "linear": linear_table}
    kinds = [kind for kind in makers if value.keys() == {"times", kind}]
    if not kinds:
        raise ValueError(
            'expected a table {"times": [...], "held": [...]}, each value held until the next, or '
            f'with "linear" for "held", joined by lines; got the keys {list(value)}'
        )
    try:
        return makers[kinds[0]](_numbers(value["times"]), _numbers(value[kinds[0]]))
    except RiemannianError as fault:
        raise ValueError(f"expected a table of numbers: {fault}".removesuffix(".")) from None


_SIDE_NAMES = {"inf": float("inf"), "-inf": float("-inf")}


def _side(value: Any) -> Any:
    return _SIDE_NAMES.get(value, value) if isinstance(value, str) else value


NumberList = Annotated[
    Any,
    PlainValidator(_numbers),
    WithJsonSchema(
        {
            "description": "A number, or nested lists of numbers.",
            "anyOf": [{"type": "number"}, {"type": "array", "items": {}}],
        }
    ),
]
BoxEnd = Annotated[
    float,
    Field(allow_inf_nan=True),
    BeforeValidator(_side),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf"]}]}),
]
ResetValues = Annotated[
    Any,
    PlainValidator(lambda value: value if isinstance(value, str) else _numbers(value)),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "array"}]}),
]
PositiveNumber = Annotated[float, Field(gt=0)]
_TABLE = {"times": {"type": "array", "items": {"type": "number"}}}
Drive = Annotated[
    Any,
    PlainValidator(_drive),
    WithJsonSchema(
        {
            "description": 'Numbers; a formula of the time t, as in "where(t >= 1, 2, 0)"; or a '
            "table whose values are held until the next, or joined by lines.",
            "anyOf": [
                {"type": "number"},
                {"type": "string"},
                {"type": "array", "items": {}},
                *(
                    {
                        "type": "object",
                        "properties": {**_TABLE, kind: {"type": "array", "items": {}}},
                        "required": ["times", kind],
                        "additionalProperties": False,
                    }
                    for kind in ("held", "linear")
                ),
            ],
        }
    ),
]
PortText = Annotated[str, Field(description='A port, as "module.port".')]
Ports = Annotated[
    Any,
    Field(
        description="Names separated by blanks; or a unit, a size or a shape for each name, as in "
        '{"q": "rad", "x": 3, "r": [3, "m"]}; or a list of ports with name, shape and unit.'
    ),
]
Json = Annotated[Any, Field(description="Any JSON value that the constructor takes.")]


class Strict(BaseModel):
    """Unknown keys are refused and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Open(Strict):
    """Other keys are names of the user's, which the constructor checks."""

    model_config = ConfigDict(extra="allow")


if TYPE_CHECKING:
    ModuleSpec = Strict  # the union of all module types, known when a file is first read


@final
class GraphSpec(Strict):
    """A composite: modules by name, connections, and the composite's own ports."""

    type: Literal["Graph"]
    modules: dict[str, ModuleSpec]
    connect: list[Annotated[tuple[PortText, PortText], Field(strict=False)]] = Field(
        default=[], description='Pairs ["source.port", "target.port"].'
    )
    inputs: dict[str, list[PortText]] = Field(
        default={}, description="For each input of the composite, the input ports that it feeds."
    )
    outputs: dict[str, PortText] = Field(
        default={}, description="For each output of the composite, the output port that it shows."
    )
    row: bool = Field(default=False, description="The composite is a chain that >> lengthens.")


@final
class SameSpec(Strict):
    """The very module that stands at an earlier place: one set of parameters, two states."""

    type: Literal["Same"]
    place: str = Field(description='Dotted path from the outermost composite, as "encoder.layer".')


@final
class ExpressionsSpec(Strict):
    """A module given by its exact expressions, such as a custom class after tracing."""

    type: Literal["Expressions"]
    name: str = "ExpressionModule"
    time: Literal["continuous", "discrete", "static"]
    state: Ports = ""
    inputs: Ports = ""
    outputs: Ports = ""
    parameters: dict[str, NumberList] = {}
    sampling_time: Json = Field(
        default=None, description='How long a step takes, as 0.2 or [0.2, "s"]; any if left out.'
    )
    time_input: str | list[str] | None = Field(
        default=None, description="The input that is the time of a run, which needs no wire."
    )
    expressions: dict[str, Json]


@final
class EventSpec(Strict):
    """What happens in a simulation, and when: where a formula is zero, or at known times."""

    when: str | None = Field(
        default=None, description="What is zero at the event, in states, inputs, parameters and t."
    )
    times: list[float] | None = Field(default=None, description="When, where that is known.")
    direction: Literal[-1, 0, 1] = Field(
        default=0, description="1 where `when` has to rise through zero, -1 to fall, 0 for both."
    )
    reset: dict[str, ResetValues] = Field(
        default={}, description="New values of states, formulas of those before, or numbers."
    )
    stop: bool = Field(default=False, description="Whether the run ends there.")
    name: str = Field(default="", description="Its name in the results.")


@final
class SimulationSpec(Strict):
    """What `riemannian-modules simulate` runs."""

    t_end: Annotated[float, Field(gt=0)] = Field(description="End of the time span, in seconds.")
    points: Annotated[int, Field(ge=2, le=1_000_000)] = 201
    x0: dict[str, NumberList] = Field(
        default={}, description="Initial state; zero where not named."
    )
    inputs: dict[str, Drive] = Field(
        default={}, description="Inputs: constants, formulas of t, tables; zero where not named."
    )
    events: list[EventSpec] = Field(default=[], description="What happens on the way.")
    rtol: PositiveNumber | None = Field(default=None, description="Relative tolerance.")
    atol: PositiveNumber | dict[str, NumberList] | None = Field(
        default=None, description="Absolute tolerance, one for all states or by state."
    )


@final
class CertifySpec(Strict):
    """What `riemannian-modules certify` is to prove; the best that it finds by default."""

    rate: float | None = Field(default=None, description="For flows: the rate to prove, 1/time.")
    factor: float | None = Field(default=None, description="For maps: the factor to prove.")


@final
class FitSpec(Strict):
    """What `riemannian-modules fit` adjusts, and to which data."""

    data: str = Field(
        description="CSV table, its path relative to the file: a header with the coordinates of "
        "the inputs and outputs, then one row a sample."
    )
    loss: str = Field(
        default="squared",
        pattern="^(squared|gaussian|bernoulli|categorical|poisson"
        "|(huber|soft_l1|cauchy|student)(:[^:]+)?)$",
        description="squared, gaussian, bernoulli, categorical, poisson, huber, soft_l1, cauchy or "
        'student; the last four perhaps with a scale, as "huber:1.5" or "student:0.3,4".',
    )
    bounds: dict[str, Annotated[tuple[BoxEnd, BoxEnd], Field(strict=False)]] = Field(
        default={}, description="Sides of parameters."
    )
    sigma: dict[str, float | str] = Field(
        default={}, description="By output a standard deviation, or a column that holds them."
    )
    weights: dict[str, float | str] = Field(
        default={}, description="By output a weight of squares or terms, or a column of them."
    )
    absolute: bool = Field(
        default=False, description="Whether sigma is the noise itself, whose size is not estimated."
    )
    fixed: dict[str, NumberList | None] = Field(
        default={}, description="Parameters that are not fitted: values, or null for those here."
    )
    prior: dict[str, str] = Field(
        default={},
        description='By parameter "normal:MEAN,DEVIATION", "lognormal:MEDIAN,LOG_DEVIATION", '
        '"uniform:LOWER,UPPER", "laplace:LOCATION,SCALE" or "ridge:STRENGTH"; "*" is all others.',
    )


class SystemFile(Strict):
    """A system with what is to be done with it."""

    format: Literal["riemannian-modules/system/1"] = FORMAT
    name: str = ""
    description: str = ""
    citations: list[str] = []
    system: ModuleSpec
    region: dict[str, Annotated[tuple[BoxEnd, BoxEnd], Field(strict=False)]] = Field(
        default={}, description='Sides [lower, upper] of a box, "inf" and "-inf" allowed.'
    )
    certify: CertifySpec | None = None
    simulation: SimulationSpec | None = None
    fit: FitSpec | None = None


# Alternatives of constructors' annotations by their leading name. What is not here is any JSON
# value: the constructor checks it, and its error is shown with the place in the file.
_JSON_TYPES: Mapping[str, Any] = {
    "ArrayLike": NumberList, "float": float, "int": int, "str": str, "bool": bool,
    "None": type(None),
    "Space": Ports, "SpaceLike": Ports, "RiemannianModule": "ModuleSpec",
}  # fmt: skip


def _field(argument: Argument) -> tuple[Any, Any]:
    kinds = [_JSON_TYPES.get(kind, Json) for kind in argument.kinds]
    if any(kind is Ports for kind in kinds):
        hint: Any = Ports
    elif any(kind is Json for kind in kinds):
        hint = Json
    elif any(kind is NumberList for kind in kinds):
        hint = NumberList if type(None) not in kinds else Union[NumberList, None]  # noqa: UP007
    elif "ModuleSpec" in kinds:
        hint = "ModuleSpec"
    else:
        hint = Union[tuple(kinds)]  # noqa: UP007
    if argument.is_mapping:
        return dict[str, hint], {}
    return hint, ... if argument.is_required else None


@cache
def type_models() -> Mapping[str, type[Strict]]:
    """The model of each module type by the name that files give it."""
    rows: dict[str, type[Strict]] = {
        "Graph": GraphSpec, "Same": SameSpec, "Expressions": ExpressionsSpec
    }  # fmt: skip
    for name, constructor in constructors().items():
        # Values that differ from those of the constructor, where it does not take them by name.
        values: dict[str, Any] = {"parameters": (dict[str, NumberList], {})}
        fields = values | {a.name: _field(a) for a in constructor.arguments.values()}
        rows[name] = create_model(
            name,
            __base__=Open if constructor.is_open else Strict,
            __doc__=(constructor.cls.__doc__ or "").split("\n\n")[0],
            type=(Literal[name], ...),  # pyright: ignore[reportArgumentType]
            **fields,  # type: ignore[call-overload]
        )
    return rows


@cache
def file_model() -> type[SystemFile]:
    """The model of a whole file, with every module type that is known now."""
    rows = type_models()
    union = Annotated[Union[tuple(rows.values())], Field(discriminator="type")]  # noqa: UP007
    for model in (*rows.values(), SystemFile):
        model.model_rebuild(force=True, _types_namespace={"ModuleSpec": union, **globals()})
    return SystemFile
