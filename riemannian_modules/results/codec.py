"""Results as JSON's types and back: numbers to the last bit, and nothing but kinds that are known.

A file names a type only by the table of kinds, so reading one runs no code but theirs.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

import numpy as np

from riemannian_modules.engine.descend import Outcome
from riemannian_modules.engine.poles import Stability
from riemannian_modules.engine.solve_plan import Way
from riemannian_modules.errors import RiemannianError, SpecError, UnsupportedError
from riemannian_modules.modules.module import RiemannianModule, Time
from riemannian_modules.results.kinds import kind_of, kind_of_type

ENUMS: Mapping[str, type[Enum]] = {
    "Time": Time,
    "Outcome": Outcome,
    "Stability": Stability,
    "Way": Way,
}


def result_to_data(value: Any) -> Any:
    """A result, or a part of one, as JSON's types.

    Raises:
        UnsupportedError: For what has no place in a file, such as a function; says what it is.
    """
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if isinstance(value, np.generic):
        return result_to_data(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, Enum) and type(value).__name__ in ENUMS:
        return {"enum": type(value).__name__, "member": value.name}
    if isinstance(value, np.ndarray) and value.dtype.kind in "fib":
        return {
            "array": [result_to_data(v) for v in value.ravel().tolist()],
            "shape": list(value.shape),
            "of": value.dtype.str,
        }
    if isinstance(value, np.ndarray) and value.dtype == np.complex128:
        return {"complex": result_to_data(np.stack([value.real, value.imag], -1))}
    if isinstance(value, (tuple, list)):
        return {"tuple": [result_to_data(v) for v in value]}
    if isinstance(value, Mapping):
        return {"mapping": [[result_to_data(k), result_to_data(v)] for k, v in value.items()]}
    kind = kind_of(value)
    if kind is None:
        raise UnsupportedError(
            f"save_result: a {type(value).__module__}.{type(value).__name__} has no place in a "
            "file, which holds numbers, names and what the library makes of them. Save the parts "
            "without it, or pickle the result in your own process."
        )
    name = kind.type.__name__ if kind.type is RiemannianModule else type(value).__name__
    return {"kind": name, "is": kind.keep.to_data(value, result_to_data)}


def result_from_data(data: Any) -> Any:
    """What `result_to_data` wrote.

    Raises:
        SpecError: For data that it did not write.
        CertificateError: For a proof whose certificate does not prove it.
    """
    if data is None or isinstance(data, (bool, str, int, float)):
        return data
    match data:
        case {"number": str(text)} if text in ("inf", "-inf", "nan"):
            return float(text)
        case {"enum": str(name), "member": str(member)} if name in ENUMS:
            if member in ENUMS[name].__members__:
                return ENUMS[name][member]
        case {"array": list(entries), "shape": list(shape), "of": str(of)}:
            return _array(entries, shape, of)
        case {"complex": {"array": list(entries), "shape": [*shape, 2], "of": "<f8"}}:
            return _array(entries, [*shape, 2], "<f8").view(np.complex128)[..., 0]
        case {"tuple": list(entries)}:
            return tuple(result_from_data(v) for v in entries)
        case {"mapping": list(pairs)} if all(isinstance(p, list) and len(p) == 2 for p in pairs):
            return {result_from_data(k): result_from_data(v) for k, v in pairs}
        case {"kind": str(name), "is": content}:
            return _result(name, content)
        case _:
            pass
    raise SpecError(f"Expected a part of a result, got {str(data)[:60]!r}.")


def _array(entries: list[Any], shape: list[Any], of: str) -> Any:
    try:
        kind = np.dtype(of)
        if kind.kind in "fib":
            flat = [result_from_data(v) for v in entries]
            return np.array(flat, dtype=kind).reshape([int(n) for n in shape])
    except (TypeError, ValueError, OverflowError):
        pass
    raise SpecError(f"Expected an array of shape {shape} and type {of!r} with as many numbers.")


def _result(name: str, content: Any) -> Any:
    given = _types().get(name)
    kind = None if given is None else kind_of_type(given)
    if given is None or kind is None:
        raise SpecError(f"Unknown kind of result {name!r}; was it written by a later version?")
    try:
        result = kind.keep.from_data(given, content, result_from_data)
        result.facts()  # what cannot even be named does not fit together
    except RiemannianError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as fault:
        raise SpecError(f"{name}: its parts do not fit together ({fault}).") from None
    return result


@cache
def _types() -> Mapping[str, type]:
    """The types that a file may name: final ones of the library, of a kind that is known."""
    # The table of kinds has imported every room that defines one.
    files = [(name, f) for name, f in sys.modules.items() if name.startswith("riemannian_modules.")]
    found = {
        name: value
        for file_name, file in files
        for name, value in vars(file).items()
        if inspect.isclass(value) and value.__module__ == file_name and _is_kind(value)
    }
    return found | {RiemannianModule.__name__: RiemannianModule}


def _is_kind(given: type) -> bool:
    # Modules are written as the system files that make them, by one name for all.
    is_module = issubclass(given, RiemannianModule)
    return not is_module and not inspect.isabstract(given) and kind_of_type(given) is not None
